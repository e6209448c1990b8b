"""`trade version`: which program this is, down to the bytes of its sources."""

import click
import msgspec

from trader.build import running_build
from trader.cli.options import Common, common_options


@click.command("version")
@common_options
def command(common: Common) -> None:
    """Print version, build and commit of this program."""
    build = running_build()
    if common.json:
        click.echo(msgspec.json.encode(build).decode())
        return
    state = {None: "", False: "", True: ", with changes that are not committed"}[build.modified]
    commit = f"commit {build.commit[:12]}{state}" if build.commit else "no commit known"
    click.echo(f"{build.line()} | {commit} | Python {build.python}")

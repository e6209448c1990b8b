"""`trade halt`: no entries from now on, over restarts, until somebody resumes."""

import click
import msgspec

from trader.cli.commands import tell_stopped
from trader.cli.options import Common, common_options


@click.command("halt")
@click.option("--reason", required=True, metavar="TEXT", help="Why.")
@common_options
def command(common: Common, reason: str) -> None:
    """Stop entering, durably; of a program that doesn't run, from its next start on."""
    before = tell_stopped(common, "halt", reason)
    if common.json:
        click.echo(msgspec.json.encode({"was_halted": before.halted}).decode())
        return
    click.echo("halted" + (f"; was halted by {before.halted} already" if before.halted else ""))

"""`trade replay`: a recorded session decided again from the journal's inputs, by the code that is here now."""

import click
import msgspec

from trader.build import running_build
from trader.cli.answers import reading
from trader.cli.options import Common, common_options
from trader.exits import Exit, Mistake
from trader.log.words import visible
from trader.verification.replay import Replay, replayed, sessions_of

SESSIONS_NAMED_MAX = 5


@click.command("replay")
@click.argument("session", metavar="SESSION")
@common_options
def command(common: Common, session: str) -> int:
    """Decide a session (2026-01-26) again; exit code 1 where anything would be decided otherwise."""
    with reading(common) as reader:
        known = sessions_of(reader)
        if session not in known:
            names = ", ".join(known[-SESSIONS_NAMED_MAX:])
            raise Mistake(
                "no such session in the journal",
                where=session[:40],
                remedy=f"the last ones: {names}" if names else "",
            )
        found = replayed(reader, session, str(common.database))
    if common.json:
        click.echo(msgspec.json.encode(found).decode())
    else:
        _say(found, running_build().identity)
    return Exit.WELL if found.first is None else Exit.DIFFERENCES


def _say(found: Replay, build: str) -> None:
    counts = found.requests
    recorded = ", ".join(one[:7] for one in found.builds)
    click.echo(
        f"session   {found.session}: {found.entries:,} entries, recorded by build {recorded}"
    )
    click.echo(
        f"requests  {counts.requests:,}: {counts.accepted:,} accepted, {counts.denied:,} denied, "
        f"{counts.blocked:,} duplicates blocked"
    )
    if found.first is None:
        click.echo(f"build {build[:7]} decides every one of them alike")
    else:
        click.echo(f"build {build[:7]} decides {found.different:,} of them otherwise; first:")
        click.echo(visible(str(found.first), characters_max=1_000))

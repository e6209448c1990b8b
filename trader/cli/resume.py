"""`trade resume`: allow entries again after a halt or a tripped brake, with a reason that stays in the journal."""

import click
import msgspec

from trader.cli.commands import tell_stopped
from trader.cli.options import Common, common_options


@click.command("resume")
@click.option("--reason", required=True, metavar="TEXT", help="Why entries may go on.")
@click.option(
    "--release",
    metavar="LIST",
    default="",
    help="Symbols whose quarantine ends, '*': the one on all.",
)
@common_options
def command(common: Common, reason: str, release: str) -> None:
    """Allow entries again: at the next run, if the program doesn't run now."""
    released = [one for one in release.split(",") if one]
    before = tell_stopped(common, "resume", reason, released)
    brakes = sorted(
        f"{brake.value} ({'all' if symbol == '*' else symbol})" for brake, symbol in before.brakes
    )
    if common.json:
        answer = {
            "was_halted": before.halted,
            "brakes_released": brakes,
            "quarantines_released": released,
        }
        click.echo(msgspec.json.encode(answer).decode())
        return
    was = [f"halted by {before.halted}"] if before.halted else []
    was += [f"brake {brake}" for brake in brakes]
    was += [f"quarantined {symbol}" for symbol in released]
    click.echo(f"resumed; was {', '.join(was)}" if was else "nothing was halted; nothing to resume")
    for symbol, why in sorted(before.quarantined.items()):
        if symbol in released:
            continue
        where = "every symbol" if symbol == "*" else symbol
        click.echo(f"still closed: {where}, quarantined: {why}")

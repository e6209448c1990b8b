"""`trade resume`: allow entries again after a halt or a tripped brake, with a reason that stays in the journal."""

import click

from trader.cli.commands import Said, say, told
from trader.cli.options import Common, common_options
from trader.control import halt_file
from trader.exits import Mistake, StartRefused


@click.command("resume")
@click.option("--reason", required=True, metavar="TEXT", help="Why entries may go on.")
@click.option(
    "--release",
    metavar="LIST",
    default="",
    help="Symbols whose quarantine ends, '*': the one on all.",
)
@common_options
def command(common: Common, reason: str, release: str) -> int:
    """Allow entries again; refused while an order is in doubt, or while the file HALT is there."""
    if halt_file.wanted(common.database) is not None:
        raise StartRefused(
            "the file is there", where=str(halt_file.halt_file(common.database)), remedy="remove it"
        )
    said: list[Said] = []
    for symbol in [one for one in release.split(",") if one]:
        released = told(common, "release", symbol, reason)
        if released.outcome == "nothing":
            raise Mistake(released.message, where="--release")
        said.append(released)
    resumed = told(common, "resume", "", reason)
    if resumed.outcome != "nothing" or not said:
        said.append(resumed)
    return say(
        common,
        Said(
            outcome=said[-1].outcome,
            message="; ".join(one.message for one in said),
            pid=said[-1].pid,
        ),
    )

"""`trade stop`: end the running program in order, as SIGTERM does; positions and exits stay."""

import time

import click
from msgspec.structs import replace

from trader.cli.commands import PAUSE_S, say, told
from trader.cli.options import Common, common_options
from trader.journal.lock import writer_of

END_S = 30.0  # machine time for the program to end


@click.command("stop")
@click.option("--reason", default="stop", metavar="TEXT", help="Why.")
@common_options
def command(common: Common, reason: str) -> int:
    """End the program: no more entries, working entries are canceled, positions and exits stay."""
    said = told(common, "stop", "", reason)
    until_s = time.monotonic() + END_S
    while said.pid is not None and (holder := writer_of(common.database)) is not None:
        if holder[0] != said.pid:
            break  # Somebody has started it again.
        if time.monotonic() > until_s:
            return say(common, replace(said, message=f"process {said.pid} is still ending"))
        time.sleep(PAUSE_S)
    ended = "" if said.pid is None else f"; process {said.pid} has ended"
    return say(common, replace(said, message=said.message + ended))

"""`trade halt`: no entries from now on, over restarts, until somebody resumes; and, asked for, more than that."""

import click

from trader.cli.commands import say, told
from trader.cli.options import Common, common_options


@click.command("halt")
@click.option("--cancel", is_flag=True, help="Cancel entries that work at the broker, too.")
@click.option("--flatten", is_flag=True, help="Sell everything, too.")
@click.option("--reason", required=True, metavar="TEXT", help="Why.")
@common_options
def command(common: Common, cancel: bool, flatten: bool, reason: str) -> int:
    """Stop entering, durably: at once where the program runs, else from its next start on."""
    how_far = "flatten" if flatten else "cancel" if cancel else ""
    return say(common, told(common, "halt", how_far, reason))

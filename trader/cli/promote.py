"""`trade promote`: a strategy is new no more, and has the canary's smaller limits no longer."""

import click

from trader.cli.commands import say, told
from trader.cli.options import Common, common_options


@click.command("promote")
@click.argument("strategy")
@click.option("--reason", required=True, metavar="TEXT", help="What it has shown.")
@common_options
def command(common: Common, strategy: str, reason: str) -> int:
    """Let a strategy out of the canary's limits, configured as it is now, or was when the program ran last."""
    return say(common, told(common, "promote", strategy, reason))

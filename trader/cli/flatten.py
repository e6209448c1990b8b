"""`trade flatten`: sell a position whole, or all of them, whatever it takes."""

import click

from trader.cli.commands import one_of, say, told
from trader.cli.options import Common, common_options


@click.command("flatten")
@click.argument("symbol", required=False)
@click.option("--all", "is_all", is_flag=True, help="Everything that is held, or on its way.")
@click.option("--reason", default="flatten", metavar="TEXT", help="Why.")
@common_options
def command(common: Common, symbol: str | None, is_all: bool, reason: str) -> int:
    """Have a position go: no entries, orders canceled, market orders in regular hours until it is flat."""
    return say(common, told(common, "flatten", one_of(symbol, is_all, "SYMBOL"), reason))

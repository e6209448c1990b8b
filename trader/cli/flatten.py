"""`trade flatten`: sell a position whole, or all of them, whatever it takes."""

import click

from trader.cli.answers import reading
from trader.cli.commands import one_of, say, told
from trader.cli.options import Common, common_options
from trader.exits import Mistake
from trader.explanation.subjects import has_symbol, near_symbols


@click.command("flatten")
@click.argument("symbol", required=False)
@click.option("--all", "is_all", is_flag=True, help="Everything that is held, or on its way.")
@click.option("--reason", default="flatten", metavar="TEXT", help="Why.")
@common_options
def command(common: Common, symbol: str | None, is_all: bool, reason: str) -> int:
    """Have a position go: no entries, orders canceled, market orders in regular hours until it is flat."""
    said = told(common, "flatten", one_of(symbol, is_all, "SYMBOL"), reason)
    # Only now: what has to go is never kept waiting for a look at names.
    if symbol is not None and said.outcome == "nothing":
        _check_known(common, symbol)
    return say(common, said)


def _check_known(common: Common, symbol: str) -> None:
    """Raise Mistake where there was nothing to sell because the books never had such a symbol."""
    with reading(common) as database:
        if has_symbol(database, symbol):
            return
        alike = near_symbols(database, symbol)
    raise Mistake(
        "the books never had such a symbol",
        where=f"SYMBOL {symbol!r}",
        remedy=f"near: {', '.join(alike)}" if alike else "bin/trade positions --all lists them",
    )

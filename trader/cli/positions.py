"""`trade positions`: what is held, at what cost, and which symbols take no entries."""

import click

from trader.cli.answers import answer, reading, rows_of
from trader.cli.options import Common, common_options

_ALL = "SELECT * FROM positions"
_SOME = f"{_ALL} WHERE quantity <> 0 OR quantity_pending_buy <> 0 OR quantity_pending_sell <> 0"


@click.command("positions")
@click.option("--all", "every", is_flag=True, help="Also the symbols of which nothing is held.")
@common_options
def command(common: Common, every: bool) -> None:
    """Show what is held and what is on its way."""
    with reading(common) as database:
        rows = rows_of(database, _ALL if every else _SOME)
    answer(common, rows, nothing="no positions")

"""`trade trades`: the executions, each with what it cost and what it realized."""

import click

from trader.cli.answers import answer, reading, rows_of
from trader.cli.options import Common, common_options


@click.command("trades")
@common_options
def command(common: Common) -> None:
    """Show the executions, oldest first."""
    with reading(common) as database:
        rows = rows_of(
            database,
            "SELECT id, timestamp, symbol, side, quantity, price, notional, fees, realized_pnl, strategy,"
            " client_order_id, execution_id FROM trades",
        )
    answer(common, rows, nothing="no trades")

"""`trade orders`: every order with an intent, its state and its reason."""

import click

from trader.cli.answers import answer, reading, rows_of
from trader.cli.options import Common, common_options
from trader.model import FINAL_STATES, OrderState

_COLUMNS = (
    "timestamp, symbol, side, purpose, quantity, quantity_filled, limit_price, avg_price, state,"
    " strategy, reason, client_order_id, broker_order_id, decision_id"
)


@click.command("orders")
@click.option("--open", "is_open", is_flag=True, help="Only those that may still be executed.")
@click.option("--unknown", is_flag=True, help="Only those in doubt.")
@common_options
def command(common: Common, is_open: bool, unknown: bool) -> None:
    """Show the orders, oldest first."""
    final = sorted(state.value for state in FINAL_STATES)
    where, values = "1", list[str]()
    if unknown:
        where, values = "state = ?", [OrderState.UNKNOWN.value]
    elif is_open:
        where, values = f"state NOT IN ({', '.join('?' * len(final))})", final
    with reading(common) as database:
        rows = rows_of(database, f"SELECT {_COLUMNS} FROM orders WHERE {where}", values)
    what = "UNKNOWN orders" if unknown else "open orders" if is_open else "orders"
    answer(common, rows, nothing=f"no {what}")

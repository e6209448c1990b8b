"""`trade positions`: what is held, at what cost, and which symbols take no entries; now, or at a moment of the past."""

import sqlite3
from collections.abc import Iterator
from decimal import Decimal

import click

from trader.calendar import iso
from trader.cli.answers import Row, answer, reading, rows_of
from trader.cli.moments import beginning
from trader.cli.options import Common, common_options
from trader.money import price_of
from trader.state import ExecutionState
from trader.verification.past import state_at

_ALL = "SELECT * FROM positions"
_SOME = f"{_ALL} WHERE quantity <> 0 OR quantity_pending_buy <> 0 OR quantity_pending_sell <> 0"


@click.command("positions")
@click.option("--all", "every", is_flag=True, help="Also the symbols of which nothing is held.")
@click.option(
    "--at",
    "moment",
    metavar="TIME",
    help="As they stood at the end of this day or minute, UTC: 2026-01-26T15:00.",
)
@common_options
def command(common: Common, every: bool, moment: str | None) -> None:
    """Show what is held and what is on its way."""
    if moment is not None:
        moment = beginning(moment, "--at")
    with reading(common) as database:
        if moment is None:
            rows = rows_of(database, _ALL if every else _SOME)
        else:
            state = state_at(database, moment, str(common.database))
            rows = list(_rows(state, every))
            if not common.json:
                click.echo(_standing(database, state))
    answer(common, rows, nothing="no positions")


def _standing(database: sqlite3.Connection, state: ExecutionState) -> str:
    """Which row of the journal it is, and the cash then."""
    if state.sequence:
        return f"journal row {state.sequence}, {iso(state.at_ns)}, cash {state.books.cash:,}"
    [first] = database.execute("SELECT min(timestamp) FROM journal").fetchone()
    return f"journal row 1 is of {first}: nothing was booked before"


def _rows(state: ExecutionState, every: bool) -> Iterator[Row]:
    """Folded from the journal: exact, told as numbers."""
    for symbol, one in sorted(state.positions.items()):
        if every or one.quantity or one.quantity_pending_buy or one.quantity_pending_sell:
            yield {
                "symbol": symbol,
                "quantity": _number(one.quantity),
                "avg_cost": _number(one.avg_cost),
                "market_price": _number(price_of(one.mark)) if one.mark else None,
                "unrealized_pnl": _number(one.value - one.cost),
                "realized_pnl": _number(one.realized),
                "quantity_pending_buy": _number(one.quantity_pending_buy),
                "quantity_pending_sell": _number(one.quantity_pending_sell),
                "strategy": one.strategy,
            }


def _number(value: Decimal) -> int | float:
    """As the views cast it: 33, not 33.0."""
    return int(value) if value == value.to_integral_value() else float(value)

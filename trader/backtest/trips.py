"""Round trips: what was made between two moments without shares of a symbol, fees of buys and sales included."""

from collections.abc import Iterable
from decimal import Decimal

from msgspec import Struct

from trader.backtest.outcome import Fill
from trader.model import Side, Symbol
from trader.money import ZERO


class Trip(Struct, frozen=True, kw_only=True):
    """From flat to flat; ends_ns is None while shares are held. Dollars.

    profit is what sales brought less what buys cost, less all fees: right whatever the cost of a part is held to be,
    and over splits, which move no cash. Dividends belong to no execution and are not in it.
    """

    symbol: Symbol
    start_ns: int
    ends_ns: int | None
    fills: int
    profit: Decimal
    fees: Decimal


def trips_of(fills: Iterable[Fill]) -> tuple[tuple[Trip, ...], tuple[Trip, ...]]:
    """Those that ended, in the order of their ends; and those still open, in the order of their starts."""
    closed: list[Trip] = []
    open_trips: dict[Symbol, Trip] = {}
    for fill in fills:
        trip = _continued(open_trips.pop(fill.symbol, None), fill)
        if trip.ends_ns is None:
            open_trips[fill.symbol] = trip
        else:
            closed.append(trip)
    return tuple(closed), tuple(sorted(open_trips.values(), key=lambda trip: trip.start_ns))


def _continued(trip: Trip | None, fill: Fill) -> Trip:
    notional = fill.quantity * fill.price
    flow = (notional if fill.side == Side.SELL else -notional) - fill.fees
    return Trip(
        symbol=fill.symbol,
        start_ns=fill.at_ns if trip is None else trip.start_ns,
        ends_ns=None if fill.position else fill.at_ns,
        fills=1 if trip is None else trip.fills + 1,
        profit=flow if trip is None else trip.profit + flow,
        fees=fill.fees if trip is None else trip.fees + fill.fees,
    )


def profit_factor(trips: Iterable[Trip]) -> float | None:
    """Sum of the profits of trips that won / sum of the losses of those that lost; None where none lost."""
    won, lost = ZERO, ZERO
    for trip in trips:
        won += max(trip.profit, ZERO)
        lost -= min(trip.profit, ZERO)
    return float(won) / float(lost) if lost else None

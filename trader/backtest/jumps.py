"""Prices that jumped over a night: what the executor hears of them, and when."""

from collections.abc import Sequence

from trader.backtest.lanes import Lane
from trader.backtest.request import KnownJump
from trader.backtest.shares import splits_of
from trader.calendar import new_york_date
from trader.messages import Input, PriceJumped
from trader.simulator.scheduled import ScheduledEvent


def jumps_in(
    lanes: Sequence[Lane], events: Sequence[ScheduledEvent], known: Sequence[KnownJump]
) -> dict[int, list[list[Input]]]:
    """By the end of the bar that tells of it: prices that jumped over a night for which no split is known.

    Each is what turns hear of it: first the jump and, where it is known to be real, then who says so.
    """
    found: dict[int, list[list[Input]]] = {}
    for lane in lanes:
        splits_ns = [split_ns for split_ns, _ in splits_of(lane.symbol, events)]
        real = {one.date: one for one in known if one.symbol == lane.symbol}
        for at_ns, before_ns, before, after in lane.jumps():
            if any(before_ns <= split_ns < at_ns for split_ns in splits_ns):
                continue
            turns = found.setdefault(at_ns, [])
            turns.append([PriceJumped(symbol=lane.symbol, before=before, after=after, at_ns=at_ns)])
            if jump := real.get(new_york_date(at_ns - 1)):
                turns.append([jump.release])
    return found

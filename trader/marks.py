"""The price that may be acted on: two witnesses of different moments have to agree before it goes anywhere.

A mark moves only as far as the last two witnesses both say; so one tick alone, however wrong, moves no mark, trips no
brake and triggers no stop. A tick before it was judged (market_guard.py) is no witness. Quotes (their middle) and bars
(their close) of one second are two witnesses, a thousand quotes of one second are one.
"""

from trader.model import MINUTE_NS, SECOND_NS, Bar, Quote

LATE_NS_MAX = MINUTE_NS  # a bar that fills a gap says nothing about now
FIRST_PER_MILLE_MAX = 20  # by which the first two witnesses of all may differ


class Mark:
    """Of one symbol, in price ticks; None until two witnesses have agreed."""

    __slots__ = ("_before", "_last", "_moment", "at_ns", "price")

    def __init__(self) -> None:
        self.price: int | None = None
        self.at_ns = 0  # of its last witness
        self._before: int | None = None
        self._last: int | None = None
        self._moment: tuple[type, int] | None = None

    def see(self, tick: Bar | Quote) -> None:
        """A tick that was found fit to decide on, in the order in which they come."""
        if isinstance(tick, Quote):
            if not (tick.bid and tick.ask):
                return
            price, at_ns = (tick.bid + tick.ask) // 2, tick.at_ns
        else:
            price, at_ns = tick.close, tick.start_ns + tick.span_ns
        if at_ns < self.at_ns - LATE_NS_MAX:
            return
        self.at_ns = max(self.at_ns, at_ns)
        moment = (type(tick), at_ns // SECOND_NS)
        if moment != self._moment:
            self._moment, self._before = moment, self._last
        self._last = price
        self.price = confirmed(self.price, self._before, price)


def confirmed(mark: int | None, before: int | None, price: int) -> int | None:
    """Where a mark goes by the word of two witnesses of different moments, `before` and `price`."""
    if before is None:
        return mark
    if mark is None:
        return price if abs(price - before) * 1000 <= before * FIRST_PER_MILLE_MAX else None
    return sorted((mark, before, price))[1]

"""The broker's clock as its clients are told it: right, until it jumps; what it stamped before stays as it was stamped.

Sessions and matching go by market time. The clock is that of the trading service: market data has the exchange's.
"""

from typing import TypeVar

from msgspec.structs import replace

from trader.venue import Activity, OrderEvent, VenueExecution, VenueOrder

V = TypeVar("V", VenueExecution, Activity, VenueExecution | Activity)
# Of an order. When it expires is the calendar's to say.
STAMPS = tuple(
    f"{word}_ns"
    for word in "submitted updated filled canceled cancel_requested expired failed replaced".split()
)


class ToldClock:
    """See the module."""

    def __init__(self) -> None:
        self._jumps: list[tuple[int, int]] = []

    def jump(self, at_ns: int, by_ns: int) -> None:
        """From market time `at_ns` on it is so much further, or behind."""
        self._jumps.append((at_ns, by_ns))

    def told_ns(self, at_ns: int) -> int:
        """What it shows at that market time."""
        return at_ns + sum(by_ns for since_ns, by_ns in self._jumps if since_ns <= at_ns)

    def order(self, order: VenueOrder) -> VenueOrder:
        """With the times that it has stamped on it."""
        if not self._jumps:
            return order
        stamps = {name: at_ns for name in STAMPS if (at_ns := getattr(order, name)) is not None}
        return replace(order, **{name: self.told_ns(at_ns) for name, at_ns in stamps.items()})

    def event(self, event: OrderEvent) -> OrderEvent:
        if not self._jumps:
            return event
        return replace(event, at_ns=self.told_ns(event.at_ns), order=self.order(event.order))

    def orders(self, orders: list[VenueOrder]) -> list[VenueOrder]:
        return [self.order(one) for one in orders] if self._jumps else orders

    def entries(self, entries: list[V]) -> list[V]:
        """Executions and activities."""
        if not self._jumps:
            return entries
        return [replace(one, at_ns=self.told_ns(one.at_ns)) for one in entries]

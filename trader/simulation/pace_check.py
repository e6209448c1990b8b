"""A12 over the venue's own orders: how many entries, of how many dollars, in a minute and in a day; and a canary's.

What they come to with all that is held is looked at by amount_check.py. The limits are the world's, the sums are made
here from what the venue has accepted. Of our journal only the moment and the strategy of an intent are taken, for they
don't travel with the order.
"""

from collections.abc import Callable
from decimal import Decimal

from trader.calendar import new_york_date
from trader.model import MINUTE_NS, Order, Side
from trader.money import ZERO
from trader.simulation.draw import Setting
from trader.simulation.fault import UNSOUND_CLOCKS
from trader.simulation.shaken import OURS
from trader.venue import Venue, VenueOrder

# Whose entries may arrive in one: market time moves once a minute, so an entry may leave nearly a minute
# after the moment of its approval; the two that follow it then can be within sixty seconds.
MINUTES_AT_ONCE = 3


class PaceCheck:
    """Looks at each order that the venue has accepted, once."""

    def __init__(
        self,
        setting: Setting,
        venue: Callable[[], Venue],
        intents: Callable[[str], Order | None],
        complain: Callable[[str], None],
        entered: Callable[[VenueOrder, Order], None],
    ) -> None:
        self._limits = setting.limits
        self._venue = venue
        self._intents = intents
        self._complain = complain
        self._also = entered
        self._is_clock_sound = not (UNSOUND_CLOCKS & setting.rates.keys())
        self._seen = 0  # the venue's number of the last order
        self._entries: list[tuple[VenueOrder, Order]] = []

    def look(self) -> None:
        """After each order that the venue has answered."""
        for order in self._venue().state.orders.values():
            if order.number <= self._seen:
                continue
            self._seen = order.number
            intent = self._intents(order.client_order_id)
            if order.side is Side.BUY and order.client_order_id.startswith(OURS) and intent:
                self._entries.append((order, intent))
                self._entered(order, intent)
                self._also(order, intent)

    def restored(self) -> None:
        """An older journal can't know what was entered since."""
        self._entries.clear()

    def _entered(self, order: VenueOrder, intent: Order) -> None:
        limits, dollars = self._limits, _dollars(order)
        self._at_most(dollars, limits.order_notional_max, f"dollars of {order.client_order_id}")
        minute = sum(
            1 for _, its in self._entries if 0 <= intent.created_ns - its.created_ns < MINUTE_NS
        )
        self._at_most(minute, limits.entries_per_minute_max, "approved in a minute")
        if limits.canary is not None:
            self._at_most(dollars, limits.canary.order_notional_max, "dollars of a canary")
        if self._is_clock_sound:
            self._entered_by_the_clock(order, intent)

    def _entered_by_the_clock(self, order: VenueOrder, intent: Order) -> None:
        """With a clock that was a day ahead, today's entries are another day's."""
        limits = self._limits
        arrived = sum(
            1 for one, _ in self._entries if order.submitted_ns - one.submitted_ns < MINUTE_NS
        )
        most = MINUTES_AT_ONCE * limits.entries_per_minute_max
        self._at_most(arrived, most, "arrived in a minute")
        today = new_york_date(order.submitted_ns)
        day = [one for one in self._entries if new_york_date(one[0].submitted_ns) == today]
        of_symbol = sum(1 for one, _ in day if one.symbol == order.symbol)
        self._at_most(of_symbol, limits.entries_per_symbol_per_day_max, f"{order.symbol} in a day")
        in_all = sum((_dollars(one) for one, _ in day), ZERO)
        self._at_most(in_all, limits.entries_notional_per_day_max, "dollars in a day")
        if limits.canary is not None:
            of_strategy = sum(1 for _, its in day if its.strategy == intent.strategy)
            most = limits.canary.entries_per_day_max
            self._at_most(of_strategy, most, f"of the canary {intent.strategy} in a day")

    def _at_most(self, found: Decimal | int, most: Decimal | int, what: str) -> None:
        if found > most:
            self._complain(f"A12: {found} entries, {most} may: {what}")


def _dollars(order: VenueOrder) -> Decimal:
    """At its worst price; of an order at the market the venue knows none."""
    return order.quantity * (order.limit_price or ZERO)

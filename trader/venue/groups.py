"""Orders that hang together: an entry and its exits, of which one's end is the others'.

The exits, or legs, are held until the entry is completely filled. From then on both are worked, and hold the same
shares only once: the take-profit holds for both. What the take-profit has sold the stop-loss no longer needs to; when
the stop is triggered the take-profit goes; and whenever one of a group is canceled, expires or is rejected, so do the
others. An OCO order is its own take-profit.
"""

from msgspec.structs import replace

from trader.venue.ledger import Ledger
from trader.venue.words import EventKind, Leg, OrderClass, OrderStatus, VenueOrder

WORKED = frozenset({OrderStatus.NEW, OrderStatus.PARTIALLY_FILLED})


class Groups:
    """Hears of every change of an order that has others."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        ledger.follow = self.follow

    def follow(self, order: VenueOrder) -> None:
        """Let the others do what follows; each of those is followed in turn."""
        if order.status is OrderStatus.REPLACED:
            return
        if order.leg is Leg.ENTRY:
            self._follow_entry(order)
            return
        partner = self._partner(order)
        if not order.is_open:
            self._end(order)
        elif partner is None:
            return
        elif order.is_triggered:
            self._take_over(order, partner)
        elif order.leg is Leg.TAKE_PROFIT and order.status in WORKED:
            if order.order_class is OrderClass.OCO:
                self._work(partner)
            if order.quantity_filled and partner.quantity != order.quantity_leaves:
                self._ledger.change(partner.order_id, None, quantity=order.quantity_leaves)

    def _follow_entry(self, entry: VenueOrder) -> None:
        if entry.status is OrderStatus.FILLED:
            self._activate(entry)
        elif not entry.is_open:
            self._end(entry)

    # --- who belongs together

    def _others(self, order: VenueOrder) -> list[VenueOrder]:
        """All of the group but the one, as they stand."""
        root = order.parent_id or order.order_id
        everyone = [self._ledger.state.orders[root], *self._ledger.legs(root)]
        return [one for one in everyone if one.order_id != order.order_id]

    def _partner(self, order: VenueOrder) -> VenueOrder | None:
        """The other exit, while it is open."""
        others = (one for one in self._others(order) if one.leg not in (Leg.ENTRY, order.leg))
        return next((one for one in others if one.is_open), None)

    # --- what follows

    def _activate(self, entry: VenueOrder) -> None:
        """Work the exits, for what can still be taken out of the position."""
        account = self._ledger.account(entry.account_id)
        exits = [leg for leg in self._ledger.legs(entry.order_id) if leg.is_open]
        quantity = min(entry.quantity_filled, account.available(entry.symbol))
        if not quantity or not all(account.reduces(leg.symbol, leg.side) for leg in exits):
            self._end(entry)
            return
        for leg in exits:
            holds = leg.leg is Leg.TAKE_PROFIT or len(exits) == 1
            self._work(replace(leg, quantity=quantity, holds=holds))

    def _work(self, leg: VenueOrder) -> None:
        if leg.status is OrderStatus.HELD:
            self._ledger.change(
                leg.order_id,
                EventKind.NEW,
                status=OrderStatus.NEW,
                quantity=leg.quantity,
                holds=leg.holds,
                arrives_ns=self._ledger.state.now_ns,
            )

    def _take_over(self, stop: VenueOrder, profit: VenueOrder) -> None:
        """The stop is triggered: the take-profit ends, and what it held the stop holds."""
        quantity = stop.quantity_filled + profit.quantity_leaves
        self._ledger.cancel(profit.order_id)
        self._ledger.change(stop.order_id, None, quantity=quantity, holds=True)

    def _end(self, ended: VenueOrder) -> None:
        for order in self._others(ended):
            if not order.is_triggered:
                self._ledger.cancel(order.order_id)

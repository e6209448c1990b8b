"""How soon all is asked for again about orders in doubt, while looks at the broker find that nothing moves."""

from trader.model import AT_BROKER, ENTRY_PURPOSES, ClientOrderId, OrderState
from trader.orders import is_live
from trader.state import ExecutionState

LOOKS_MAX = 6  # looks come every five seconds: half a minute, as between two lookups of one order


class Patience:
    """At once when another order falls in doubt, then at growing intervals: each order is looked up by its id as well.

    A statement tells no more of them than it did, as long as no open order, position or fill has changed since.
    """

    def __init__(self) -> None:
        self._doubted: frozenset[ClientOrderId] = frozenset()
        self._looks = 0  # since the last time
        self._interval = 1

    def is_over(self, doubted: frozenset[ClientOrderId]) -> bool:
        """After a look that found nothing new: whether a statement is due."""
        is_new, self._doubted = not doubted <= self._doubted, doubted
        if is_new:
            self._interval = 1
        elif doubted:
            self._looks += 1
            if self._looks < self._interval:
                return False
            self._interval = min(2 * self._interval, LOOKS_MAX)
        self._looks = 0
        return bool(doubted)


def in_doubt(state: ExecutionState, found: frozenset[ClientOrderId]) -> frozenset[ClientOrderId]:
    """Live orders of ours that the broker has not acknowledged, or does not have among its open ones: `found`."""
    return frozenset(
        name
        for one in state.positions.values()
        for name in (*one.entries, *one.exits)
        if name not in found or state.orders[name].state not in AT_BROKER
    )


def unproved(state: ExecutionState) -> list[ClientOrderId]:
    """Live entries, and anything in doubt: exits that rest at the broker are meant to stay."""
    return sorted(
        order.client_order_id
        for order in state.orders.values()
        if is_live(order)
        and (
            order.purpose in ENTRY_PURPOSES or order.state in {OrderState.UNKNOWN, OrderState.SENT}
        )
    )

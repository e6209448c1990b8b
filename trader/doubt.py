"""When is an order proven never to have reached the broker? Silence is no proof; this is the evidence that is.

Not found becomes NEVER_SENT only if our socket of that send has been closed for a minute, two lookups by its id half
a minute apart missed it, and a complete walk of the broker's orders since before the send, and of its fills, misses
it too. Until then its cash stays reserved and its symbol closed, for as long as it takes. (Rule B5 of docs/safety.md.)
"""

from trader.model import ClientOrderId, Order
from trader.ports import Broker

SOCKET_CLOSED_S = 60.0  # machine time since the send's connection was given up
MISSES_APART_S = 30.0


class Doubts:
    """What this life knows about its unanswered sends; an order of an earlier life was given up when this one began."""

    def __init__(
        self,
        began_s: float,
        *,
        socket_closed_s: float = SOCKET_CLOSED_S,
        misses_apart_s: float = MISSES_APART_S,
    ) -> None:
        self._began_s = began_s
        self._socket_closed_s = socket_closed_s
        self._misses_apart_s = misses_apart_s
        self._ended_s: dict[ClientOrderId, float] = {}
        self._first_miss_s: dict[ClientOrderId, float] = {}

    def send_ended(self, order: Order, now_s: float) -> None:
        """However it ended, no byte of it can leave after this."""
        self._ended_s[order.client_order_id] = now_s

    def found(self, order: Order) -> None:
        """No more doubt about this one."""
        self._ended_s.pop(order.client_order_id, None)
        self._first_miss_s.pop(order.client_order_id, None)

    async def proves_absence(self, order: Order, now_s: float, broker: Broker) -> bool:
        """Note one more miss, and say whether all the evidence is there. Raises BrokerUnavailable."""
        name = order.client_order_id
        first_s = self._first_miss_s.setdefault(name, now_s)
        closed_s = now_s - self._ended_s.get(name, self._began_s)
        if now_s - first_s < self._misses_apart_s or closed_s < self._socket_closed_s:
            return False
        return await broker.is_absent(order)

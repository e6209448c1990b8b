"""What the broker's market has told that nobody may act on: single wrong quotes, and halts; held against what we did.

Both are known here from the broker's side, as scheduled: whether the program has judged or heard anything is not asked.
"""

from collections.abc import Iterable

from trader.messages import OrderRequest, RequestAccepted
from trader.model import ENTRY_PURPOSES, MINUTE_NS, SECOND_NS, Order, Symbol
from trader.ports import Batch
from trader.simulation.checks import Complain
from trader.simulator.scheduled import EventName, ScheduledEvent

# By then a halt has been heard of; or the line that should have told it was dead, and then the last quote is too old.
HEARD_NS_MAX = 95 * SECOND_NS


class MarketWatch:
    """Knows what is scheduled, and looks at every request and every order."""

    def __init__(self, events: Iterable[ScheduledEvent], complain: Complain) -> None:
        self._complain = complain
        self._wrong: set[tuple[Symbol, int]] = set()
        self._halts: list[tuple[Symbol, int, int]] = []
        for event in events:
            if event.name is EventName.BAD_TICK:
                self._wrong.add((event.symbol, event.at_ns))
            if event.name is EventName.HALT:
                assert event.duration_ns is not None, "each halt of a world ends by itself"
                self._halts.append((event.symbol, event.at_ns, event.at_ns + event.duration_ns))

    def committed(self, batch: Batch) -> None:
        """What was asked for, and what became an order."""
        for entry in batch.entries:
            if isinstance(entry.input, OrderRequest):
                self._asked(entry.input)
            for event in entry.events:
                if isinstance(event, RequestAccepted):
                    self._ordered(event.order)

    def _asked(self, request: OrderRequest) -> None:
        """S16: no tick that was judged unfit reaches a decision."""
        quote = request.quote
        if quote is not None and (quote.symbol, quote.at_ns) in self._wrong:
            self._complain(f"S16: {request.request_id} was decided on a wrong quote: {quote}")

    def _ordered(self, order: Order) -> None:
        if order.purpose not in ENTRY_PURPOSES:
            return
        for symbol, from_ns, _ in self._halts:
            if symbol != order.symbol:
                continue
            # Of halts that overlap, the first that ends lets the symbol trade again. The executor knows what time it is
            # once a minute.
            ends = (until for one, _, until in self._halts if one == symbol and until > from_ns)
            if from_ns + HEARD_NS_MAX < order.created_ns < min(ends) - MINUTE_NS:
                self._complain(f"S16: {order.client_order_id} enters while {symbol} is halted")

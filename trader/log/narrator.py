"""Journal entries told as log events: pure, so the same entries tell the same story, live or years later."""

from collections.abc import Iterable, Iterator

from trader import calendar, messages
from trader.journal.moments import moment_of
from trader.log import events as log
from trader.log.events import Event
from trader.log.fold import Fold
from trader.log.sentences import Known, Said
from trader.messages import Entry, OrderRequest
from trader.model import FINAL_STATES, MINUTE_NS, ClientOrderId, OrderState
from trader.money import ZERO


class Narrator:
    """Tells entries in their order; remembers the orders, and the repeats that it has folded."""

    def __init__(self) -> None:
        self.fold = Fold()
        self._orders: dict[ClientOrderId, Known] = {}

    def tell(self, entries: Iterable[Entry]) -> list[Event]:
        """The events of entries that were read together; repeats in a row are one event."""
        told: list[Event] = []
        for entry in entries:
            if not isinstance(entry.input, OrderRequest):
                told += self.fold.fresh()
            told += self.tell_one(entry)
        return told + self.fold.fresh()

    def close(self) -> list[Event]:
        """The repeats that were held back, when no more entries come."""
        return self.fold.rest()

    def tell_one(self, entry: Entry) -> list[Event]:
        """The events of one entry, and before them the repeats of a minute that is over."""
        at_ns, _ = moment_of(entry)
        told = self.fold.move_to(at_ns // MINUTE_NS)
        timestamp = calendar.iso(at_ns)
        for event in entry.events:
            for one in self._told(entry, event, timestamp):
                if isinstance(one, log.DuplicateBlocked | log.RequestDenied):
                    self.fold.add(one)
                else:
                    told.append(one)
        return told

    def _told(self, entry: Entry, event: messages.Event, timestamp: str) -> Iterator[Event]:
        said = Said(timestamp, entry.sequence)
        match event:
            case messages.RequestAccepted():
                self._orders[event.order.client_order_id] = Known(event.order)
                yield said.accepted(event)
            case messages.DuplicateBlocked():
                yield said.blocked(event, entry.input)
            case messages.RequestDenied():
                yield said.denied(event)
            case messages.OrderChanged():
                yield from self._order_changed(said, event)
            case messages.ExecutionBooked():
                yield self._execution(said, event)
            case messages.SessionBegan():
                self._forget()
                yield said.rare(event)
            case messages.ClockMoved():
                pass
            case _:
                yield said.rare(event)

    def _order_changed(self, said: Said, event: messages.OrderChanged) -> Iterator[Event]:
        known = self._orders[event.client_order_id]
        before, known.state = known.state, event.state
        if before is event.state:
            return
        in_doubt = before is OrderState.UNKNOWN
        if event.state is OrderState.UNKNOWN:
            known.doubted_ns = event.at_ns
            yield said.unknown(known, event.reason)
        elif in_doubt:
            yield said.resolved(known, event)
        if event.state in FINAL_STATES:
            yield said.ended(known, event, was_unknown=in_doubt)
        elif event.state is OrderState.SENT:
            yield said.sent(known)
        elif not in_doubt and event.state is not OrderState.UNKNOWN:
            yield said.acknowledged(event)

    def _execution(self, said: Said, event: messages.ExecutionBooked) -> Event:
        known = self._orders.get(event.client_order_id)
        ordered = known.order.quantity if known else ZERO
        if known:
            known.filled += event.execution.quantity
            known.notional += event.notional
        return said.filled(event, known.filled if known else event.execution.quantity, ordered)

    def _forget(self) -> None:
        """A new session: orders that ended before the last one are not spoken of any more."""
        for name, known in list(self._orders.items()):
            if known.state in FINAL_STATES and known.sessions_ended:
                del self._orders[name]
            known.sessions_ended += known.state in FINAL_STATES

"""Symbols of which the broker knows what nobody here can: from the moment it happens until our books have all of it.

A late fill, a bust or somebody's own trade changes what is held behind our back: what was decided before, and arrives
after, oversells through no fault of ours. So such a symbol is shaken, and no other is; it is settled again when each
execution of ours is booked, both sides hold the same, and nothing is open that we don't know of.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable

from trader.messages import BooksMoved, Entry, ExecutionBooked
from trader.model import FINAL_STATES, Symbol
from trader.ports import Batch
from trader.state import ExecutionState
from trader.venue import ExecutionKind, Venue, VenueAccount, VenueExecution, VenueOrder

OURS = "trd-"  # how the ids of our orders begin


class Shaken:
    """Reads the venue's records, each once, and what our journal has of them."""

    def __init__(self, venue: Callable[[], Venue], account: Callable[[], VenueAccount]) -> None:
        self._venue = venue
        self._account = account
        self._executions = 0  # that were looked at
        self._orders = 0  # the venue's number of the last one
        self._shocks: Counter[Symbol] = Counter()
        self._now: set[Symbol] = set()
        self._unheard: defaultdict[Symbol, set[str]] = defaultdict(set)
        self._heard: set[str] = set()  # as `_told_as` has them

    def since(self, symbol: Symbol) -> int | None:
        """What a decision of this moment may rely on, for `is_sound`; None: on nothing, the symbol is shaken."""
        return None if symbol in self._now else self._shocks[symbol]

    def is_sound(self, symbol: Symbol, since: int | None) -> bool:
        """Nothing has happened behind our back since that decision, nor was there anything before."""
        return since is not None and since == self.since(symbol)

    def is_heard(self, record: VenueExecution) -> bool:
        """Our journal has it."""
        return _told_as(record) in self._heard

    def look(self) -> None:
        """At what the venue has done since it was last asked."""
        state = self._venue().state
        for record in state.executions[self._executions :]:
            order = state.orders[record.order_id]
            if order.client_order_id.startswith(OURS):
                self._unheard[record.symbol].add(_told_as(record))
            if _is_amiss(record, order):
                self._shake(record.symbol)
        self._executions = len(state.executions)
        for order in list(state.orders.values())[self._orders :]:
            if not order.client_order_id.startswith(OURS):
                self._shake(order.symbol)
        self._orders = len(state.orders)

    def committed(self, batch: Batch) -> None:
        """What our books know now, and which symbols are settled by it."""
        self.hear(batch.entries)
        self.look()
        for symbol in sorted(self._now):
            if self._is_settled(symbol, batch.after):
                self._now.discard(symbol)

    def restored(self) -> None:
        """An older journal: what it has of the executions so far is heard of once it is read."""
        self.look()
        self._heard.clear()
        orders = self._venue().state.orders
        for record in self._venue().state.executions:
            if orders[record.order_id].client_order_id.startswith(OURS):
                self._unheard[record.symbol].add(_told_as(record))
        for symbol in {order.symbol for order in orders.values()}:
            self._shake(symbol)

    def hear(self, entries: Iterable[Entry]) -> None:
        """Which executions our journal has booked, or taken back."""
        for entry in entries:
            for event in entry.events:
                if isinstance(event, ExecutionBooked):
                    self._heard.add(event.execution.execution_id)
                elif isinstance(event, BooksMoved) and event.kind == "bust":
                    self._heard |= {f"no {one}" for one in event.reference.split()}

    def _shake(self, symbol: Symbol) -> None:
        self._shocks[symbol] += 1
        self._now.add(symbol)

    def _is_settled(self, symbol: Symbol, state: ExecutionState) -> bool:
        self._unheard[symbol] -= self._heard
        position = state.position(symbol)
        known: set[str] = {
            name
            for name in (*position.entries, *position.exits)
            if state.orders[name].state not in FINAL_STATES
        }
        return (
            not self._unheard[symbol]
            and position.quantity == self._account().quantity(symbol)
            and symbol not in state.differing
            and all(one.client_order_id in known for one in self._venue().open_orders(symbol))
        )


def _told_as(record: VenueExecution) -> str:
    """How our journal has it, once it has it: a bust is known by the trade that it takes back."""
    return f"no {record.corrects}" if record.kind is ExecutionKind.BUST else record.execution_id


def _is_amiss(record: VenueExecution, order: VenueOrder) -> bool:
    """It is of somebody else's order, takes back or changes another, or comes after its order's end."""
    ends_ns = (order.canceled_ns, order.expired_ns, order.failed_ns)
    return (
        record.kind is not ExecutionKind.TRADE
        or not order.client_order_id.startswith(OURS)
        or record.quantity_cumulative > order.quantity
        or any(ended_ns is not None and ended_ns <= record.at_ns for ended_ns in ends_ns)
    )

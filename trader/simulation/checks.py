"""The law as checks, one function for each rule: after every commit, at every arrival at the broker, at the end.

The auditor keeps a ledger of its own from the journal's events, and shares no arithmetic with the program's. The
broker's side is judged over the venue's orders, which knows nothing of our rules. Letters are those of the
invariants in docs/safety.md.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from decimal import Decimal
from functools import partial

import msgspec
from msgspec import Struct

from trader.messages import (
    Alarmed,
    BooksMoved,
    DuplicateBlocked,
    Entry,
    Event,
    ExecutionBooked,
    Gate,
    Halted,
    OpeningBooked,
    OrderChanged,
    OrderRequest,
    ReductionBegan,
    ReductionEnded,
    RequestAccepted,
    RequestDenied,
    Resumed,
)
from trader.model import (
    ENTRY_PURPOSES,
    FINAL_STATES,
    ClientOrderId,
    Order,
    OrderState,
    Phase,
    Purpose,
    Side,
    Symbol,
)
from trader.money import ZERO
from trader.ports import Batch
from trader.reducing import waits_for
from trader.simulation.amount_check import AmountCheck
from trader.simulation.draw import Setting
from trader.simulation.pace_check import PaceCheck
from trader.simulation.shaken import Shaken
from trader.simulator.broker import SimulatedBroker
from trader.state import ExecutionState
from trader.venue import Venue, VenueAccount

Complain = Callable[[str], None]


class Auditor:
    """Books of one journal kept a second time, from its events alone."""

    def __init__(self, complain: Complain) -> None:
        self._complain = complain
        self._cash = ZERO
        self._held: defaultdict[Symbol, Decimal] = defaultdict(Decimal)
        self._executions: set[str] = set()
        self._answers: dict[str, int] = {}
        self._approved: set[ClientOrderId] = set()
        self._decisions: set[str] = set()
        self._is_halted = False
        self._going: set[Symbol] = set()
        self.requests = 0
        self.outcomes: Counter[str] = Counter()
        self.unprotected: Counter[Symbol] = Counter()  # alarms

    def replay(self, entries: Iterable[Entry]) -> None:
        """What an earlier life has written."""
        for entry in entries:
            self._read(entry)

    def committed(self, batch: Batch) -> None:
        """One more batch, and every check on the state that it leads to."""
        symbols: set[Symbol] = set()
        for entry in batch.entries:
            symbols |= self._read(entry)
            self._check_last_line(entry.events)
        state = batch.after
        self._check_cash(state)
        self._check_positions(state, symbols)
        self._check_reserved(state)
        self._check_orders(state, symbols)
        self._check_counts(state)

    def _read(self, entry: Entry) -> set[Symbol]:
        symbols: set[Symbol] = set()
        outcomes = 0
        for event in entry.events:
            match event:
                case RequestAccepted():
                    outcomes += 1
                    self._approve(event.order)
                    self._check_stopped(event.order)
                    symbols.add(event.order.symbol)
                case DuplicateBlocked():
                    outcomes += 1
                    self.outcomes["blocked"] += 1
                case RequestDenied():
                    outcomes += 1
                    self.outcomes[event.reason] += 1
                case ExecutionBooked():
                    self._execute(event)
                    symbols.add(event.symbol)
                case BooksMoved():
                    self._cash += event.cash
                    if event.symbol is not None:
                        self._held[event.symbol] += event.quantity
                        symbols.add(event.symbol)
                case OpeningBooked():
                    self._cash += event.cash
                case Alarmed(alarm="position_unprotected", symbol=symbol) if symbol is not None:
                    self.unprotected[symbol] += 1
                case Halted() | Resumed():
                    self._is_halted = isinstance(event, Halted)
                case ReductionBegan():
                    self._going.add(event.symbol)
                case ReductionEnded():
                    self._going.discard(event.symbol)
                case _:
                    pass
        if isinstance(entry.input, OrderRequest):
            self.requests += 1
            if outcomes != 1:
                self._complain(f"A5: {entry.input.request_id} has {outcomes} outcomes")
        return symbols

    def _approve(self, order: Order) -> None:
        self.outcomes["accepted"] += 1
        if order.client_order_id in self._approved:
            self._complain(f"A3: {order.client_order_id} has a second intent")
        if order.decision_key in self._decisions:
            self._complain(f"A4: decision {order.decision_key} has a second intent")
        self._approved.add(order.client_order_id)
        self._decisions.add(order.decision_key)

    def _check_stopped(self, order: Order) -> None:
        """C14: whoever has stopped entries has stopped them, over all lives."""
        if order.purpose in ENTRY_PURPOSES and self._is_halted:
            self._complain(f"C14: {order.client_order_id} enters while halted")
        if order.purpose in ENTRY_PURPOSES and order.symbol in self._going:
            self._complain(f"C14: {order.client_order_id} enters what has to go")

    def _execute(self, event: ExecutionBooked) -> None:
        if event.execution.execution_id in self._executions:
            self._complain(f"C1: execution {event.execution.execution_id} is booked twice")
        self._executions.add(event.execution.execution_id)
        sign = 1 if event.side is Side.BUY else -1
        self._held[event.symbol] += sign * event.execution.quantity
        self._cash -= sign * event.execution.quantity * event.execution.price + event.fees

    # ---------------------------------------------------------------------------------------------- checks

    def _check_last_line(self, events: Iterable[Event]) -> None:
        """It is shut by a bug only: of a program that works nothing ever comes to it that must not leave."""
        for event in events:
            if isinstance(event, Halted) and event.shuts:
                self._complain(f"C17: {event.reason}")

    def _check_cash(self, state: ExecutionState) -> None:
        if state.books.cash != self._cash:
            self._complain(f"D2: cash {state.books.cash}, from the events {self._cash}")

    def _check_positions(self, state: ExecutionState, symbols: Iterable[Symbol]) -> None:
        for symbol in symbols:
            held = state.position(symbol)
            if held.quantity != self._held[symbol]:
                self._complain(
                    f"D1: {symbol} {held.quantity}, from the events {self._held[symbol]}"
                )
            if not held.quantity and held.cost:
                self._complain(f"D6: {symbol} is flat and has cost {held.cost}")

    def _check_reserved(self, state: ExecutionState) -> None:
        """Of live buys: what is left of them at the worst price counted on, and of nothing else."""
        owed = ZERO
        for symbol in state.positions:
            for name in state.position(symbol).entries:
                owed += state.orders[name].reserved
        if owed != state.books.reserved:
            self._complain(f"D3: reserved {state.books.reserved}, of live orders {owed}")

    def _check_orders(self, state: ExecutionState, symbols: Iterable[Symbol]) -> None:
        for symbol in symbols:
            position = state.position(symbol)
            for name in (*position.entries, *position.exits):
                order = state.orders[name]
                if order.state in FINAL_STATES:
                    self._complain(f"C5: {name} is {order.state} and counts as live")
                elif order.quantity_leaves != order.quantity - order.quantity_filled:
                    self._complain(f"C5: {name} leaves {order.quantity_leaves}")

    def _check_counts(self, state: ExecutionState) -> None:
        counts = state.counts
        if counts.requests != counts.accepted + counts.blocked + counts.denied:
            self._complain(f"A5: {counts}")


class Sent(Struct, frozen=True, kw_only=True):
    """What a POST asks for, as far as the rules look at it."""

    client_order_id: str = ""
    symbol: str = ""
    side: str = ""
    qty: str = "0"


class Gatekeeper:
    """Stands at the broker's door: sees every order as it arrives, and what the venue then holds."""

    def __init__(self, setting: Setting, broker: SimulatedBroker, complain: Complain) -> None:
        self._venue: Callable[[], Venue] = lambda: broker.venue  # another one after a restart
        self._account: Callable[[], VenueAccount] = lambda: broker.account
        self._complain = complain
        self._intents: dict[str, Order] = {}
        self._arrived: Counter[str] = Counter()
        self._given_up: set[str] = set()  # proven never sent, we say
        self._lost: set[str] = set()  # what the journal knew before an older copy took its place
        self.shaken = Shaken(self._venue, self._account)
        self._relies: dict[str, int | None] = {}  # what each intent could know of its symbol
        self._amounts = AmountCheck(setting, broker, self.shaken, complain)
        entered = partial(self._amounts.entered, intents=self._intents.get)
        self._pace = PaceCheck(setting, self._venue, self._intents.get, complain, entered)

    def intended(self, batch: Batch) -> None:
        """Intents that are durable from now on."""
        self.shaken.committed(batch)
        self._amounts.committed(batch)
        for entry in batch.entries:
            for event in entry.events:
                if isinstance(event, RequestAccepted):
                    self._intents[event.order.client_order_id] = event.order
                    since = self.shaken.since(event.order.symbol)
                    self._relies[event.order.client_order_id] = since
                if isinstance(event, OrderChanged):
                    self._changed(event.client_order_id, event.state)

    def restored(self) -> None:
        """The journal is an older one: what it doesn't know any more may be under way, or be wanted once more.

        The broker refuses a used id. So each may arrive again, and none may be taken twice.
        """
        self._lost |= self._intents.keys()
        self._arrived.clear()
        self._given_up.clear()
        self._pace.restored()
        self._amounts.restored()
        self.shaken.restored()

    def reread(self, entries: Iterable[Entry]) -> None:
        """What the older journal has."""
        self.shaken.hear(entries)

    def _changed(self, name: str, state: OrderState) -> None:
        """An order that was given up may neither be there already nor come later.

        Of what an older journal knew, only this life's try may be meant: the broker may have the one of before.
        """
        if name in self._lost:
            return
        if state is not OrderState.NEVER_SENT:
            if name in self._given_up:
                self._complain(f"B5: {name} was called never sent, and is {state}")
            return
        self._given_up.add(name)
        if any(order.client_order_id == name for order in self._venue().state.orders.values()):
            self._complain(f"B5: {name} is called never sent, and the broker has it")

    def asked(self, method: str, path: str, body: bytes) -> None:
        """A request arrives; what came of those before is the venue's by now."""
        self._pace.look()
        self.shaken.look()
        if method == "PATCH":
            self._complain("S22: a PATCH")
        if method == "POST" and path == "/v2/orders":
            self._order_arrives(msgspec.json.decode(body, type=Sent))

    def _order_arrives(self, sent: Sent) -> None:
        name = sent.client_order_id
        self._arrived[name] += 1
        if self._arrived[name] > 1:
            self._complain(f"B3: {name} arrives {self._arrived[name]} times")
        if name in self._given_up:
            self._complain(f"B5: {name} arrives, and was called never sent")
        intent = self._intents.get(name)
        if intent is None:
            self._complain(f"B1: {name} has no durable intent")
            return
        told = (intent.symbol, intent.side.lower(), intent.quantity)
        if told != (sent.symbol, sent.side, Decimal(sent.qty)):
            self._complain(f"C17: {name} was approved as {told}, sent as {sent}")
        if name in self._lost:
            self._lost_order_arrives(name)
        elif intent.purpose in ENTRY_PURPOSES:
            self._entry_arrives(intent)
        else:
            self._exit_arrives(intent)

    def _lost_order_arrives(self, name: str) -> None:
        """A3: what stands between the same decision and a second order is that the broker has seen its id."""
        known = [
            order for order in self._venue().state.orders.values() if order.client_order_id == name
        ]
        if len(known) > 1:
            self._complain(f"A3: the broker has {len(known)} orders of {name}")

    def _entry_arrives(self, intent: Order) -> None:
        """A1 and A2, over the venue's own books."""
        live = [
            order.client_order_id
            for order in self._venue().state.orders.values()
            if order.is_open
            and order.symbol == intent.symbol
            and order.side is Side.BUY
            and order.client_order_id in self._intents.keys() - self._lost
        ]
        if live:
            self._complain(f"A1: {intent.client_order_id} arrives while {live} live")
        if not self._could_be_known(intent) or intent.purpose is not Purpose.ENTER:
            return
        if held := self._account().quantity(intent.symbol):
            self._complain(f"A2: {intent.client_order_id} arrives while {held} are held")

    def _exit_arrives(self, intent: Order) -> None:
        """A10."""
        if not self._could_be_known(intent):
            return
        selling = sum(
            (
                order.quantity_leaves
                for order in self._venue().state.orders.values()
                if order.is_open and order.symbol == intent.symbol and order.side is Side.SELL
            ),
            ZERO,
        )
        held = self._account().quantity(intent.symbol)
        if selling + intent.quantity > held:
            self._complain(
                f"A10: {intent.client_order_id} sells {intent.quantity} of {held}, {selling} live"
            )

    def _could_be_known(self, intent: Order) -> bool:
        """What the venue holds by now, when this was decided."""
        return self.shaken.is_sound(intent.symbol, self._relies[intent.client_order_id])


def unsettled(state: ExecutionState, venue: Venue, account: VenueAccount) -> list[str]:
    """B6 and D9: what is not as it has to be when nothing goes wrong any more; empty when all is well."""
    found = [
        f"B6: {order.client_order_id} is {order.state}"
        for order in state.orders.values()
        if order.state in (OrderState.UNKNOWN, OrderState.SENT, OrderState.INTENT)
    ]
    if not state.agrees:
        found.append("D9: the last statement did not agree")
    if state.phase is Phase.REGULAR:
        found += [
            f"C14: {symbol} has to go, and waits for {waits_for(state, symbol) or 'nobody'}"
            for symbol in state.reductions
        ]
    # After the close nobody quotes any more: that gate opens with the next session.
    found += [
        f"A9: gate {gate}: {why}"
        for gate, why in state.gates_closed
        if gate is not Gate.MARKET_DATA or state.phase is Phase.REGULAR
    ]
    if state.cash_at_broker != account.cash:
        found.append(f"D9: cash {state.cash_at_broker}, the broker's {account.cash}")
    for symbol in sorted({*state.positions, *account.positions}):
        ours, theirs = state.position(symbol).quantity, account.quantity(symbol)
        if ours != theirs:
            found.append(f"D9: {symbol} {ours}, the broker's {theirs}")
    ours_open = {
        order.client_order_id for order in state.orders.values() if order.state not in FINAL_STATES
    }
    theirs_open = {
        order.client_order_id
        for order in venue.state.orders.values()
        if order.is_open and order.client_order_id in state.used
    }
    found += [f"D9: {name} is open on one side" for name in sorted(ours_open ^ theirs_open)]
    return sorted(found)

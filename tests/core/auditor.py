"""An auditor who knows only sums: adds up what was told and decided, and holds each committed state against it.

It shares no code with the program. It believes what the inputs say and what the events say was decided, never what the
events say of money: that it computes itself, in whole cents.
"""

from collections import Counter
from collections.abc import Iterator
from decimal import Decimal

from msgspec.structs import replace

from tests.core.truth import DAYS, TEN_NS, Fill, dollars, fee_cents
from trader.accounting import postings_of
from trader.messages import (
    Activity,
    Adoption,
    BooksMoved,
    Boot,
    Clock,
    Command,
    DenyReason,
    DuplicateBlocked,
    Entry,
    Event,
    ExecutionBooked,
    ExecutionCorrected,
    Gate,
    GateMoved,
    GateReport,
    Input,
    OrderChanged,
    OrderReport,
    OrderRequest,
    ReductionBegan,
    ReductionEnded,
    RequestAccepted,
    RequestDenied,
    Resolution,
    Statement,
    StatementCompared,
)
from trader.model import (
    ENTRY_PURPOSES,
    FINAL_STATES,
    MINUTE_NS,
    ClientOrderId,
    Execution,
    Order,
    OrderState,
    Purpose,
    RequestId,
    Side,
    Symbol,
)
from trader.state import ExecutionState

DEPOSITS = {"CSD", "CSW"}
GATES_OF_A_START = {Gate.RECONCILED, Gate.TRADING_STREAM, Gate.MARKET_DATA}
# What an order may become, besides what it is: the table of docs/safety.md.
S = OrderState
OPEN: set[OrderState | None] = {S.PENDING_NEW, S.NEW, S.PARTIALLY_FILLED, S.PENDING_CANCEL}
ENDED: set[OrderState | None] = {S.FILLED, S.CANCELED, S.EXPIRED, S.REJECTED}
MAY_BECOME: dict[OrderState, set[OrderState | None]] = {
    S.INTENT: OPEN | ENDED | {S.SENT, S.UNKNOWN, S.NEVER_SENT},
    S.SENT: OPEN | ENDED | {S.UNKNOWN, S.NEVER_SENT},
    S.UNKNOWN: OPEN | ENDED | {S.NEVER_SENT},
    S.PENDING_NEW: (OPEN | ENDED) - {S.PENDING_NEW},
    S.NEW: ENDED | {S.PARTIALLY_FILLED, S.PENDING_CANCEL},
    S.PARTIALLY_FILLED: {S.PENDING_CANCEL, S.FILLED, S.CANCELED, S.EXPIRED},
    S.PENDING_CANCEL: ENDED | {S.NEW, S.PARTIALLY_FILLED},
    S.FILLED: set(),
    S.CANCELED: {S.FILLED},
    S.EXPIRED: {S.FILLED},
    # Called back to life, it may end in the same turn: one report can bring an execution and an end.
    S.REJECTED: (OPEN | ENDED) - {S.REJECTED, S.PENDING_CANCEL},
    S.NEVER_SENT: (OPEN | ENDED) - {S.REJECTED, S.PENDING_CANCEL},
}


class Followed:
    """One intent, as far as the events tell its state and the executions its sums."""

    def __init__(self, order: Order) -> None:
        self.order = order
        self.state = order.state
        self.quantity = int(order.quantity)
        self.filled = 0
        self.reserve_cents = int(order.reserve_price * 100) if order.side is Side.BUY else 0

    @property
    def leaves(self) -> int:
        return self.quantity - self.filled


class Auditor:
    """Told every committed batch; what doesn't add up is an AssertionError that says which rule."""

    def __init__(self, cents: int) -> None:
        self.cents = self.opening = cents
        self.other = 0  # cash that moved without an execution, deposits apart
        self.deposits = 0
        self.charged = 0
        self.fee_waiting: Counter[int] = Counter()
        self.orders: dict[ClientOrderId, Followed] = {}
        self.decided: set[str] = set()
        self.live: dict[Symbol, dict[ClientOrderId, Followed]] = {}
        self.heard: dict[tuple[ClientOrderId, int], Fill] = {}
        self.taken_back: set[tuple[ClientOrderId, str]] = set()  # whatever id a list has for it
        self.by_hand: set[str] = set()
        self.known: set[str] = set()
        self.shares: Counter[Symbol] = Counter()
        self.flow: Counter[Symbol] = Counter()  # cash of a symbol's executions, fees taken off
        self.given: Counter[Symbol] = Counter()  # what shares cost that somebody brought
        self.marks: dict[Symbol, int] = {}
        self.booked: set[str] = set()
        self.ledger = Decimal(0)
        self.told: dict[RequestId, OrderRequest] = {}
        self.told_before: dict[RequestId, OrderRequest] = {}
        self.outcomes = [0, 0, 0]
        self.reasons: Counter[DenyReason] = Counter()
        self.session, self.minute = "", 0
        self.shut: set[Gate] = set()
        self.halted = False
        self.wronged: set[Symbol] = (
            set()
        )  # lied about, or with executions that nobody could foresee
        self.must_agree: Statement | None = None
        self.touched: set[Symbol] = set()

    # ------------------------------------------------------------------------------------------ a batch

    def audit(self, batch: list[Input], entries: list[Entry], state: ExecutionState) -> None:
        """The inputs with what was decided on each, and the state that was committed."""
        self.touched = set()
        left = iter(entries)
        entry = next(left, None)
        for heard in batch:
            events: tuple[Event, ...] = ()
            if entry is not None and entry.input is heard:
                events, entry = entry.events, next(left, None)
            self._hear(heard, events)
            for event in events:
                self._event(event)
        assert entry is None, "an entry is of an input, in their order"
        self._check(state)

    def _hear(self, heard: Input, events: tuple[Event, ...]) -> None:
        match heard:
            case OrderRequest():
                self._request(heard, events)
            case OrderReport() if heard.execution is not None:
                self._report(heard, heard.execution)
            case Clock():
                self._clock(heard)
            case Boot():
                self.shut, self.outcomes = set(GATES_OF_A_START), [0, 0, 0]
            case GateReport():
                (self.shut.discard if heard.is_open else self.shut.add)(heard.gate)
            case Command(verb="halt" | "resume"):
                self.halted = heard.verb == "halt"
            case Activity() if heard.activity_id not in self.known:
                self._activity(heard)
            case ExecutionCorrected() if events:
                self._correction(heard, events)
            case Resolution(outcome="filled"):
                self._resolved(heard, events)
            case Adoption() if events:
                cost = int(heard.cost * 100)
                self.shares[heard.symbol] += int(heard.quantity)
                self.given[heard.symbol] += cost
            case Statement() if heard is self.must_agree:
                verdict = [one for one in events if isinstance(one, StatementCompared)]
                assert verdict[0].agrees, (
                    f"D9: everything was heard, and the books differ: {events}"
                )
            case _:
                pass

    # ------------------------------------------------------------------------------------------ requests

    def _request(self, request: OrderRequest, events: tuple[Event, ...]) -> None:
        """A4, A5: one outcome for each telling, and none for the same again."""
        first = self.told.get(request.request_id) or self.told_before.get(request.request_id)
        if request.late:
            request = replace(request, late=False)  # That it came late is not what was told.
        if first is not None and first == request:
            assert not events, f"A4: told again, {request.request_id} has an answer: {events}"
            return
        # What makes a stop way for an exit, or ends with a position that has gone, comes along with an outcome.
        assert all(isinstance(one, ReductionBegan | ReductionEnded) for one in events[1:]), (
            f"A5: {request.request_id} has {len(events)} outcomes"
        )
        match events[0]:
            case RequestAccepted():
                assert first is None, "A4: another content under the same id"
                self._accept(request, events[0].order)
                self.outcomes[0] += 1
            case DuplicateBlocked():
                self.outcomes[1] += 1
            case RequestDenied():
                self.outcomes[2] += 1
                self.reasons[events[0].reason] += 1
                is_conflict = events[0].reason is DenyReason.REQUEST_ID_CONFLICT
                assert is_conflict == (first is not None), f"A4: {events[0]}"
            case _:
                raise AssertionError(f"A5: {events[0]} is no outcome")
        if first is None:
            self.told[request.request_id] = request

    def _accept(self, request: OrderRequest, order: Order) -> None:
        assert order.client_order_id not in self.orders, f"A3: {order.client_order_id} again"
        assert request.decision_key not in self.decided, f"A4: {request.decision_key} again"
        self.decided.add(request.decision_key)
        one = Followed(order)
        live = self.live.setdefault(order.symbol, {})
        if order.purpose in ENTRY_PURPOSES:
            self._may_enter(one, live)
        else:
            selling = sum(other.leaves for other in live.values() if other.order.side is Side.SELL)
            held = self.shares[order.symbol]
            assert selling + one.quantity <= held, f"A10: {order} beside {selling} of {held}"
        assert order.side is (Side.BUY if order.purpose in ENTRY_PURPOSES else Side.SELL)
        assert order.state is S.INTENT
        self.orders[order.client_order_id] = live[order.client_order_id] = one
        self.touched.add(order.symbol)

    def _may_enter(self, one: Followed, live: dict[ClientOrderId, Followed]) -> None:
        order = one.order
        beside = [other for other in live.values() if other.order.side is Side.BUY]
        assert not beside, f"A1: {order.client_order_id} beside {beside[0].order.client_order_id}"
        if order.purpose is Purpose.ENTER:
            assert self.shares[order.symbol] == 0, f"A2: {order.client_order_id} on a position"
        assert not self.shut, f"A9: {order.client_order_id} while {self.shut} are shut"
        assert not self.halted, f"A9: {order.client_order_id} while halted"
        free = self.cents - sum(self.fee_waiting.values()) - self._reserved()
        assert one.quantity * one.reserve_cents <= free, f"D4: {order.client_order_id} of {free}"

    def _reserved(self) -> int:
        return sum(
            one.leaves * one.reserve_cents
            for live in self.live.values()
            for one in live.values()
            if one.reserve_cents
        )

    # ------------------------------------------------------------------------------------------ sums

    def _report(self, told: OrderReport, execution: Execution) -> None:
        if execution.execution_id.startswith("nonsense"):
            return  # It can't be: nothing may come of it.
        name = told.client_order_id
        if name in self.orders:
            minute = (execution.at_ns - TEN_NS) // MINUTE_NS
            self._fill(name, execution, minute)
        elif name not in self.by_hand:
            self.by_hand.add(name)
            quantity = int(execution.quantity) * (1 if told.side is Side.BUY else -1)
            cents = quantity * int(execution.price * 100)
            self.shares[told.symbol] += quantity
            self.flow[told.symbol] -= cents
            self.cents -= cents
            self.touched.add(told.symbol)

    def _fill(self, name: ClientOrderId, execution: Execution, minute: int) -> None:
        cumulative = int(execution.quantity_cumulative)
        version = execution.execution_id.rpartition("/")[2]
        if (name, cumulative) in self.heard or (name, version) in self.taken_back:
            return
        fill = Fill(cumulative, int(execution.quantity), int(execution.price * 100), minute, 0, 0)
        self.heard[name, cumulative] = fill
        self._put(name, fill, 1)
        self.marks[self.orders[name].order.symbol] = fill.cents * 100

    def _put(self, name: ClientOrderId, fill: Fill, times: int) -> None:
        one = self.orders[name]
        symbol, side = one.order.symbol, one.order.side
        quantity = times * (fill.quantity if side is Side.BUY else -fill.quantity)
        fee = times * fee_cents(side, fill.quantity, fill.cents)
        one.filled += times * fill.quantity
        self.shares[symbol] += quantity
        self.cents -= quantity * fill.cents
        self.flow[symbol] -= quantity * fill.cents + fee
        self.fee_waiting[fill.minute // 1_440] += fee
        self.touched.add(symbol)

    def _correction(self, told: ExecutionCorrected, events: tuple[Event, ...]) -> None:
        if not isinstance(events[0], BooksMoved):
            return
        name = told.client_order_id
        (at,) = [
            at
            for (of, at), fill in self.heard.items()
            if of == name and str(at) == told.execution_id.split("/")[2]
        ]
        self._put(name, self.heard.pop((name, at)), -1)
        self.taken_back.add((name, told.execution_id.rpartition("/")[2]))
        if told.replacement is not None:
            minute = (told.replacement.at_ns - TEN_NS) // MINUTE_NS
            self._fill(name, told.replacement, minute)

    def _resolved(self, told: Resolution, events: tuple[Event, ...]) -> None:
        for event in events:
            if isinstance(event, ExecutionBooked):
                assert event.execution.quantity == told.quantity
                self._fill(told.client_order_id, event.execution, self.minute)

    def _activity(self, told: Activity) -> None:
        self.known.add(told.activity_id)
        cents = int(told.amount * 100)
        self.cents += cents
        if told.kind == "FEE":
            self.other += cents + self.fee_waiting.pop(DAYS.index(told.session), 0)
            self.charged -= cents
        elif told.kind in DEPOSITS:
            self.deposits += cents
        else:
            self.other += cents

    def _clock(self, told: Clock) -> None:
        self.minute = (told.at_ns - TEN_NS) // MINUTE_NS
        for symbol, mark in told.marks.items():
            self.marks[symbol] = mark
            self.touched.add(symbol)
        if told.session != self.session:
            self.session, self.told_before, self.told = told.session, self.told, {}

    # ------------------------------------------------------------------------------------------ events

    def _event(self, event: Event) -> None:
        match event:
            case OrderChanged():
                one = self.orders[event.client_order_id]
                if event.state is not one.state:
                    allowed = MAY_BECOME[one.state]
                    if one.state not in FINAL_STATES:
                        allowed = allowed | {event.final_reported}  # claimed before, in effect now
                    assert event.state in allowed, f"H: {one.state} became {event.state}"
                    self._moves(one, event.state)
            case ExecutionBooked():
                name = event.execution.execution_id
                assert name not in self.booked, f"C1: {name} is booked again"
                self.booked.add(name)
                self._posted(event)
            case RequestAccepted():
                self._posted(event)
            case BooksMoved():
                self._posted(event)
                if event.client_order_id is not None:
                    one = self.orders[event.client_order_id]
                    if one.state is S.FILLED and one.leaves > 0:
                        self._moves(one, S.PARTIALLY_FILLED if one.filled else S.NEW)
            case GateMoved() if event.gate is Gate.RECONCILED:
                (self.shut.discard if event.is_open else self.shut.add)(event.gate)
            case _:
                pass

    def _moves(self, one: Followed, state: OrderState) -> None:
        one.state = state
        live = self.live.setdefault(one.order.symbol, {})
        if state in FINAL_STATES:
            live.pop(one.order.client_order_id, None)
        else:
            live[one.order.client_order_id] = one
        self.touched.add(one.order.symbol)

    def _posted(self, event: Event) -> None:
        """D7: each event's postings sum to zero in every instrument."""
        sums: dict[str, Decimal] = {}
        for posting in postings_of(event):
            sums[posting.instrument] = sums.get(posting.instrument, Decimal(0)) + posting.amount
            if posting.account in {"cash", "cash:reserved"}:
                self.ledger += posting.amount
        assert not any(sums.values()), f"D7: {event} is off by {sums}"

    # ------------------------------------------------------------------------------------------ checks

    def _check(self, state: ExecutionState) -> None:
        books, waiting = state.books, sum(self.fee_waiting.values())
        assert books.cash == dollars(self.cents - waiting), f"D2: {books.cash}, not {self.cents}"
        assert state.cash_at_broker == dollars(self.cents), f"D2: {state.cash_at_broker}"
        assert books.fees == dollars(waiting + self.charged), f"D2: fees {books.fees}"
        assert books.reserved == dollars(self._reserved()), f"D3: reserved {books.reserved}"
        assert books.opening + self.ledger == books.cash, f"D7: the ledger's cash {self.ledger}"
        cost = realized = Decimal(0)
        for position in state.positions.values():
            cost += position.cost
            realized += position.realized
        given = self.opening + self.deposits + sum(self.given.values())
        assert books.cash + cost == dollars(given) + books.realized, "D6: cash, cost and profit"
        assert books.realized == realized + dollars(self.other), "D6: profit"
        for symbol in self.touched:
            self._check_symbol(state, symbol)
        counts = state.counts
        assert [counts.accepted, counts.blocked, counts.denied] == self.outcomes, "A5: counts"
        assert counts.requests == sum(self.outcomes), "A5: requests are outcomes"

    def _check_symbol(self, state: ExecutionState, symbol: Symbol) -> None:
        position, held = state.position(symbol), self.shares[symbol]
        assert position.quantity == held, f"D1: {symbol} {position.quantity}, not {held}"
        profit = dollars(self.flow[symbol] - self.given[symbol]) + position.cost
        assert position.realized == profit, f"D6: {symbol} realized {position.realized}"
        assert position.cost == 0 or held, f"D6: {symbol} is flat and cost {position.cost}"
        if position.mark:
            value = held * self.marks.get(symbol, 0)
            assert position.value * 10_000 == value, f"D5: {symbol} is worth {position.value}"
        live = self.live.get(symbol, {})
        for name in live:
            self._check_order(state.orders[name], live[name])
        named = (*position.entries, *position.exits)
        assert sorted(named) == sorted(live), f"A1, A10: {symbol} has {named}, not {list(live)}"
        if symbol not in self.wronged:
            assert len(position.entries) <= 1, f"A1: {symbol} has {position.entries}"
            assert 0 <= position.quantity_pending_sell <= held, f"A10: {symbol} sells too much"

    def _check_order(self, order: Order, one: Followed) -> None:
        name = order.client_order_id
        assert order.state is one.state, f"H: {name} is {order.state}, not {one.state}"
        assert order.quantity_filled == one.filled, f"C4: {name} has {order.quantity_filled}"
        assert order.quantity_leaves == one.leaves, f"C5: {name} leaves {order.quantity_leaves}"
        if order.symbol not in self.wronged:
            assert 0 <= one.filled <= one.quantity, f"C4: {name} has {one.filled}"

    def check_everything(self, state: ExecutionState) -> Iterator[str]:
        """At the end: the sums over everything, and every order there still is, ended ones too."""
        value = sum((one.value for one in state.positions.values()), Decimal(0))
        if state.equity != state.books.cash + value:
            yield f"D5: equity {state.equity}"
        for name, order in state.orders.items():
            one = self.orders[name]
            if order.state is not one.state or order.quantity_filled != one.filled:
                yield f"H: {name} is {order.state} with {order.quantity_filled}"
            if order.state in FINAL_STATES and (order.reserved or order.quantity_leaves):
                yield f"D3, C5: {name} ended with {order.reserved}"
        if set(state.used) != set(self.orders):
            yield "A3: the ids that were used"

"""Plays: what the executor hears on one side, what it must decide on the other.

    play >> buy("JD", 62, "31.95") << accepted("JD", 62)
    play >> filled(62, "31.92") << (booked(62), moved("FILLED")) >> again << None

`>>` tells one input. `<<` states everything that follows from it, in order; None: nothing, and the state is as it was.
A line of a play may be a function of the play: reports speak of its last order unless they say which.
"""

from collections.abc import Callable
from decimal import Decimal
from typing import NamedTuple, Self

from msgspec import Struct
from msgspec.structs import replace

from trader.config import Fees
from trader.executor import decided, effect_of
from trader.limits import Limits
from trader.messages import (
    Acceptance,
    Activity,
    Adoption,
    Alarmed,
    Blocking,
    BooksMoved,
    Boot,
    Brake,
    BrakeTripped,
    CancelOutcome,
    CancelRequested,
    Claim,
    Clock,
    ClockMoved,
    Command,
    DenyReason,
    DuplicateBlocked,
    Effect,
    Entry,
    Event,
    ExecutionBooked,
    ExecutionCorrected,
    Gate,
    GateReport,
    Halted,
    Input,
    LimitChanged,
    LookupMissed,
    LookupWanted,
    Opening,
    OrderChanged,
    OrderReport,
    OrderRequest,
    Promoted,
    Quarantined,
    Released,
    RequestAccepted,
    RequestDenied,
    Resolution,
    SendOutcome,
    SendStarted,
    SessionBegan,
    Statement,
    Submit,
    WorkerReport,
)
from trader.model import (
    MINUTE_NS,
    AccountId,
    BrokerOrderId,
    ClientOrderId,
    DecisionKey,
    Execution,
    ExecutionId,
    Order,
    OrderState,
    OrderType,
    Phase,
    Purpose,
    Quote,
    RequestId,
    Side,
    Size,
    StrategyName,
    Symbol,
    TimeInForce,
)
from trader.positions import Position, traded
from trader.state import ExecutionState

TEN_NS = 1_769_439_600_000_000_000  # 2026-01-26 10:00 in New York
SESSION = "2026-01-26"
PRICES = {"JD": 319_200, "GS": 9_000_000, "T": 224_700, "TRIP": 184_400}  # middles, in price ticks
SYMBOLS = tuple(map(Symbol, PRICES))
OPENING = Decimal(250_000)
ROOMY = Limits(  # for plays that are about something else
    order_notional_max=Decimal(100_000),
    position_notional_max=Decimal(100_000),
    entries_per_minute_max=10_000,
    entries_per_symbol_per_day_max=10_000,
    entries_notional_per_day_max=Decimal(10**9),
    executions_repeated_max=10_000,
)


class Play:
    """A state, and everything decided on the way to it."""

    def __init__(self, state: ExecutionState | None = None) -> None:
        self.state = state or ExecutionState()
        self.before = self.state
        self.heard: Input | None = None
        self.entries: list[Entry] = []
        self.events: tuple[Event, ...] = ()
        self.effects: list[Effect] = []
        self.orders: list[ClientOrderId] = []
        self.requests = 1_000  # apart from those that a test numbers itself

    def __rshift__(self, line: "Line") -> Self:
        self.heard = line(self) if callable(line) else line
        self.before = self.state
        self.state, entries = decided(self.before, [self.heard])
        self.entries += entries
        self.events = entries[0].events if entries else ()
        for event in self.events:
            if isinstance(event, RequestAccepted):
                self.orders.append(event.order.client_order_id)
            effect = effect_of(event, self.state)
            if effect is not None:
                self.effects.append(effect)
        return self

    def __lshift__(self, expected: "Expected | tuple[Expected, ...] | None") -> Self:
        wanted = () if expected is None else expected if _is_several(expected) else (expected,)
        told = "\n  ".join(map(repr, self.events)) or "nothing"
        assert len(wanted) == len(self.events), f"expected {wanted}, decided:\n  {told}"
        for one, event in zip(wanted, self.events, strict=True):
            assert isinstance(one, Expected)
            wrong = one.differs(event)
            assert not wrong, f"{wrong}; decided:\n  {told}"
        if expected is None:
            assert self.state == self.before, "nothing was decided, so nothing may change"
        return self

    def order(self, of: int = -1) -> Order:
        """An order of this play as it stands, by its place among the accepted ones."""
        return self.state.orders[self.orders[of]]

    def submitted(self) -> list[ClientOrderId]:
        """What the broker was ever asked to do, order by order."""
        return [one.order.client_order_id for one in self.effects if isinstance(one, Submit)]


Line = Input | Callable[[Play], Input]


class Expected(NamedTuple):
    """A kind of event, and what some of its fields must be; `execution__price` reaches into a field."""

    kind: type[Struct]
    fields: dict[str, object]

    def differs(self, event: Event) -> str:
        """What is wrong with the event, empty when nothing is."""
        if type(event) is not self.kind:
            return f"a {self.kind.__name__} was expected, not a {type(event).__name__}"
        for path, wanted in self.fields.items():
            value: object = event
            for name in path.split("__"):
                value = getattr(value, name)
            if value != wanted:
                return f"{self.kind.__name__}.{path} is {value!r}, not {wanted!r}"
        return ""


def _is_several(expected: "Expected | tuple[Expected, ...]") -> bool:
    return not isinstance(expected, Expected)


def booted(
    *, limits: Limits = ROOMY, fees: Fees | None = None, cash: Decimal = OPENING
) -> ExecutionState:
    """A morning on which all is well: 10:00, agreed with the broker, nothing held, entries open."""
    play = Play()
    play >> boot(limits=limits, fees=fees or Fees())
    play >> gate(Gate.TRADING_STREAM, True) >> gate(Gate.MARKET_DATA, True)
    play >> statement(cash=cash) >> clock()
    assert not play.state.gates_closed
    return play.state


def opened(*, limits: Limits = ROOMY, fees: Fees | None = None, cash: Decimal = OPENING) -> Play:
    """A play that begins on a morning on which all is well."""
    return Play(booted(limits=limits, fees=fees, cash=cash))


# ------------------------------------------------------------------------------------ what is heard


def quote(symbol: str, *, at_ns: int = TEN_NS, bid: int = 0, ask: int = 0) -> Quote:
    middle = PRICES.get(symbol, 1_000_000)
    return Quote(
        symbol=Symbol(symbol),
        at_ns=at_ns,
        bid=bid or middle - 100,
        bid_size=100,
        ask=ask or middle + 100,
        ask_size=100,
    )


def request(
    number: int,
    symbol: str = "JD",
    shares: int | str | Size = 10,
    price: str | None = "31.95",
    **changes: object,
) -> OrderRequest:
    """A wish to enter, unless the changes say otherwise; each number is a decision of its own, told once."""
    size = shares if isinstance(shares, Size) else Size(unit="shares", amount=Decimal(shares))
    wish = OrderRequest(
        request_id=RequestId(f"{symbol}/1/{number:08d}"),
        decision_key=DecisionKey(f"{number:024x}"),
        at_ns=TEN_NS,
        symbol=Symbol(symbol),
        strategy=StrategyName("crossover"),
        side=Side.BUY,
        purpose=Purpose.ENTER,
        size=size,
        limit_price=None if price is None else Decimal(price),
        quote=quote(symbol),
        reason="the averages crossed",
    )
    return replace(wish, **changes)


def buy(symbol: str, shares: int | str | Size, price: str | None, **changes: object) -> Line:
    """A new wish to enter, or with purpose=ADD to add; it is told at the play's time."""

    def told(play: Play) -> Input:
        play.requests += 1
        now = play.state.at_ns
        fresh: dict[str, object] = {"at_ns": now, "quote": quote(symbol, at_ns=now)}
        return request(play.requests, symbol, shares, price, **(fresh | changes))

    return told


def sell(symbol: str, shares: int | str | Size, price: str | None, **changes: object) -> Line:
    """A new wish to exit."""
    way: dict[str, object] = {"side": Side.SELL, "purpose": Purpose.EXIT}
    return buy(symbol, shares, price, **(way | changes))


def stop(shares: int, price: str | None = "31.28", **changes: object) -> Line:
    """A protective stop of JD, as the protector tells it."""
    kind: dict[str, object] = {
        "purpose": Purpose.STOP,
        "order_type": OrderType.STOP,
        "time_in_force": TimeInForce.GTC,
        "stop_price": None if price is None else Decimal(price),
    }
    return sell("JD", shares, None, **(kind | changes))


def again(play: Play) -> Input:
    """The same input once more."""
    assert play.heard is not None
    return play.heard


def report(
    claim: Claim,
    cumulative: int | str | Decimal = 0,
    execution: Execution | None = None,
    *,
    of: int = -1,
    **changes: object,
) -> Line:
    """What the broker claims of an order, on the stream unless the changes say otherwise."""

    def told(play: Play) -> Input:
        order = play.order(of)
        heard = OrderReport(
            client_order_id=order.client_order_id,
            broker_order_id=BrokerOrderId(f"B-{order.client_order_id}"),
            symbol=order.symbol,
            side=order.side,
            claim=claim,
            quantity=order.quantity,
            quantity_cumulative=Decimal(cumulative),
            execution=execution,
            at_ns=play.state.at_ns,
            source="stream",
        )
        return replace(heard, **changes)

    return told


def executed(
    quantity: int | str, price: str, cumulative: int | str, name: str = "", *, at_ns: int = TEN_NS
) -> Execution:
    """One execution; its id says the cumulative quantity unless it is named."""
    return Execution(
        execution_id=ExecutionId(name or f"x{cumulative}"),
        quantity=Decimal(quantity),
        price=Decimal(price),
        quantity_cumulative=Decimal(cumulative),
        at_ns=at_ns,
    )


def filled(quantity: int | str, price: str, *, of: int = -1, **changes: object) -> Line:
    """The next execution of an order, as the stream tells it."""

    def told(play: Play) -> Input:
        order = play.order(of)
        total = order.quantity_filled + Decimal(quantity)
        claim = Claim.FILLED if total >= order.quantity else Claim.PARTIALLY_FILLED
        name = f"{order.client_order_id}/{total}"
        execution = executed(quantity, price, str(total), name, at_ns=play.state.at_ns)
        line = report(claim, total, execution, of=of, **changes)
        assert callable(line)
        return line(play)

    return told


def sent(of: int = -1) -> Line:
    return lambda play: SendStarted(client_order_id=play.orders[of])


def send_ended(outcome: str, *, of: int = -1, reason: str = "") -> Line:
    return lambda play: SendOutcome(client_order_id=play.orders[of], outcome=outcome, reason=reason)


def cancel_ended(outcome: str, *, of: int = -1) -> Line:
    return lambda play: CancelOutcome(client_order_id=play.orders[of], outcome=outcome)


def missed(*, of: int = -1) -> Line:
    return lambda play: LookupMissed(
        client_order_id=play.orders[of], attempts=play.order(of).lookups
    )


def clock(
    minutes: int = 0, *, session: str = SESSION, phase: Phase = Phase.REGULAR, **marks: int
) -> Clock:
    """So many market minutes after ten o'clock."""
    return Clock(
        at_ns=TEN_NS + minutes * MINUTE_NS,
        session=session,
        phase=phase,
        marks={Symbol(symbol): mark for symbol, mark in marks.items()},
    )


def gate(which: Gate, is_open: bool, reason: str = "") -> GateReport:
    return GateReport(gate=which, is_open=is_open, reason=reason)


def worker(symbol: str, *, ready: bool, name: str = "", reason: str = "") -> WorkerReport:
    return WorkerReport(worker=name or symbol, symbol=Symbol(symbol), ready=ready, reason=reason)


def activity(
    kind: str, amount: str, symbol: str | None = None, quantity: str = "0", *, name: str = "a1"
) -> Activity:
    """Of this session, unless it is changed."""
    return Activity(
        activity_id=name,
        kind=kind,
        at_ns=TEN_NS,
        session=SESSION,
        amount=Decimal(amount),
        symbol=None if symbol is None else Symbol(symbol),
        quantity=Decimal(quantity),
    )


def opened_from_older(cash: Decimal | str = OPENING, *, at_ns: int = TEN_NS - 1) -> Opening:
    """Somebody opens new books with what older ones end with."""
    return Opening(
        command_id="audit 12ab cash",
        cash=Decimal(cash),
        at_ns=at_ns,
        who="ada",
        reason="audit 12ab of old.db",
    )


def adopted(
    symbol: str, quantity: int, cost: str, *, treatment: str = "trade", name: str = "adopt-1"
) -> Adoption:
    """Somebody takes what was there before us into the books."""
    return Adoption(
        command_id=name,
        symbol=Symbol(symbol),
        treatment=treatment,
        quantity=Decimal(quantity),
        cost=Decimal(cost),
        strategy=StrategyName("crossover") if treatment == "trade" else None,
        who="ada",
        reason="I said so",
    )


def taken_side(side: str, told: Statement, *, name: str = "accept-1") -> Acceptance:
    """Somebody takes the broker's side, or ours, of every difference with this statement."""
    return Acceptance(command_id=name, side=side, statement=told, who="ada", reason="I looked")


def corrected(
    execution: str, replacement: Execution | None = None, *, of: int = -1
) -> Callable[[Play], Input]:
    """An execution of an order is taken back, or replaced."""
    return lambda play: ExecutionCorrected(
        client_order_id=play.orders[of],
        symbol=play.order(of).symbol,
        execution_id=ExecutionId(execution),
        replacement=replacement,
        at_ns=TEN_NS,
    )


def resolved(
    outcome: str, quantity: int | None = None, price: str | None = None, *, of: int = -1
) -> Callable[[Play], Input]:
    """Somebody says what became of an order."""
    return lambda play: Resolution(
        command_id="r1",
        client_order_id=play.orders[of],
        outcome=outcome,
        quantity=None if quantity is None else Decimal(quantity),
        price=None if price is None else Decimal(price),
        who="ada",
        reason="I called them",
    )


def command(verb: str, subject: str = "") -> Command:
    return Command(command_id="c1", verb=verb, subject=subject, who="ada", reason="I said so")


def asked(verb: str, subject: str = "", *, name: str = "a1", reason: str = "why not") -> Command:
    """The command of somebody who waits for the answer."""
    return Command(
        command_id=name, verb=verb, subject=subject, who="ada", reason=reason, wants_answer=True
    )


def boot(
    epoch: int = 1,
    *,
    limits: Limits = ROOMY,
    fees: Fees | None = None,
    symbols: tuple[Symbol, ...] = SYMBOLS,
    at_ns: int = TEN_NS,
    configured: str = "c0ffee",
) -> Boot:
    """A new life; `configured` is how its one strategy is."""
    return Boot(
        epoch=epoch,
        build="3f9a1c2",
        pid=4_000 + epoch,
        version="0.1.0",
        broker="simulated",
        account=AccountId("simulated:1"),
        symbols=symbols,
        limits=limits,
        fees=fees or Fees(),
        at_ns=at_ns,
        strategies={StrategyName("crossover"): configured},
    )


def reboot(play: Play) -> Input:
    """The program was killed and starts again, with the same configuration."""
    state = play.state
    return boot(
        state.epoch + 1,
        limits=state.limits,
        fees=state.fees,
        symbols=tuple(sorted(state.symbols)),
        at_ns=state.at_ns,
    )


def statement(
    *,
    cash: Decimal | str = OPENING,
    positions: dict[str, int] | None = None,
    open_orders: tuple[str, ...] = (),
    attempts: int = 1,
) -> Statement:
    return Statement(
        at_ns=TEN_NS,
        account=AccountId("simulated:1"),
        cash=Decimal(cash),
        positions={Symbol(symbol): Decimal(held) for symbol, held in (positions or {}).items()},
        open_orders=dict.fromkeys(map(ClientOrderId, open_orders), Symbol("JD")),
        attempts=attempts,
    )


def agreement(play: Play) -> Input:
    """A statement that says what we believe."""
    state = play.state
    held = {symbol: one.quantity for symbol, one in state.positions.items() if one.quantity}
    live = {
        one: state.orders[one].symbol
        for position in state.positions.values()
        for one in (*position.entries, *position.exits)
    }
    return replace(statement(cash=state.cash_at_broker), positions=held, open_orders=live)


# --------------------------------------------------------------------- values for the floor below plays


def some_order(state: OrderState = OrderState.NEW, **changes: object) -> Order:
    """A buy of 62 JD at 31.95 that nothing has happened to, in any state."""
    order = Order(
        client_order_id=ClientOrderId("trd-JD-B-1"),
        decision_key=DecisionKey("1"),
        decision_id=1,
        request_id="w/1/1",
        strategy=StrategyName("crossover"),
        symbol=Symbol("JD"),
        side=Side.BUY,
        purpose=Purpose.ENTER,
        order_type=OrderType.LIMIT,
        time_in_force=TimeInForce.DAY,
        quantity=Decimal(62),
        limit_price=Decimal("31.95"),
        reserve_price=Decimal("31.95"),
        reserved=Decimal("1980.9"),
        created_ns=TEN_NS,
        reason="",
        epoch=1,
        build="b",
        state=state,
    )
    return replace(order, **changes)


def as_booked(
    position: Position, side: Side, quantity: int, price: Decimal, fees: Decimal
) -> ExecutionBooked:
    """The event of an execution on a position."""
    trade = traded(position, side, Decimal(quantity), quantity * price, fees)
    return ExecutionBooked(
        client_order_id=ClientOrderId("trd-JD-B-1"),
        symbol=position.symbol,
        side=side,
        strategy=StrategyName("crossover"),
        execution=executed(quantity, str(price), quantity),
        notional=quantity * price,
        fees=fees,
        cost=trade.cost,
        realized=trade.realized,
        released=Decimal(0),
    )


# --------------------------------------------------------------------------------- what is expected


def accepted(symbol: str, quantity: int | str, **fields: object) -> Expected:
    wanted = {"order__symbol": symbol, "order__quantity": Decimal(quantity)}
    return Expected(RequestAccepted, wanted | fields)


def blocked(blocking: Blocking, **fields: object) -> Expected:
    return Expected(DuplicateBlocked, {"blocking": blocking} | fields)


def denied(reason: DenyReason, **numbers: str) -> Expected:
    """For this reason; and, where numbers are given, having seen exactly these."""
    fields: dict[str, object] = {"reason": reason}
    return Expected(RequestDenied, fields | ({"numbers": numbers} if numbers else {}))


def moved(state: str, **fields: object) -> Expected:
    return Expected(OrderChanged, {"state": OrderState(state)} | fields)


def booked(quantity: int | str, **fields: object) -> Expected:
    return Expected(ExecutionBooked, {"execution__quantity": Decimal(quantity)} | fields)


def looked_up(attempts: int = 0) -> Expected:
    return Expected(LookupWanted, {"attempts": attempts})


def cancel_wanted(order: ClientOrderId) -> Expected:
    return Expected(CancelRequested, {"client_order_id": order})


def shifted(kind: str, **fields: object) -> Expected:
    return Expected(BooksMoved, {"kind": kind} | fields)


def released(symbol: str | None) -> Expected:
    return Expected(Released, {"symbol": symbol})


def quarantined(symbol: str | None) -> Expected:
    return Expected(Quarantined, {"symbol": symbol})


def alarmed(alarm: str) -> Expected:
    return Expected(Alarmed, {"alarm": alarm})


def halted(who: str) -> Expected:
    return Expected(Halted, {"who": who})


def promoted(strategy: str) -> Expected:
    return Expected(Promoted, {"strategy": strategy})


def limit_changed(limit: str, before: str, after: str, **fields: object) -> Expected:
    return Expected(LimitChanged, {"limit": limit, "before": before, "after": after, **fields})


def tripped(brake: Brake) -> Expected:
    return Expected(BrakeTripped, {"brake": brake})


def clock_moved() -> Expected:
    return Expected(ClockMoved, {})


def session_began(session: str) -> Expected:
    return Expected(SessionBegan, {"session": session})

"""Plays for the journal's tests: a row of small numbers becomes a trading day, decided by the real rules.

Each number picks what the world does next, as far as the state allows it: so every list of numbers is a legal play,
and Hypothesis can shrink it.
"""

import itertools
from collections.abc import Iterable, Iterator, Sequence
from decimal import Decimal

from trader import reducing
from trader.config import Fees
from trader.execution import ExecutionState, decide, evolve_entry
from trader.limits import Limits
from trader.messages import (
    Boot,
    CancelOutcome,
    Claim,
    Clock,
    Command,
    Entry,
    Gate,
    GateReport,
    Input,
    LifeEnd,
    OrderReport,
    OrderRequest,
    SendOutcome,
    SendStarted,
    Statement,
    WorkerReport,
)
from trader.model import (
    FINAL_STATES,
    MINUTE_NS,
    AccountId,
    BrokerOrderId,
    DecisionKey,
    Execution,
    ExecutionId,
    Order,
    Phase,
    Purpose,
    Quote,
    RequestId,
    Side,
    Size,
    StrategyName,
    Symbol,
)
from trader.ports import Batch

OPEN_NS = 1_769_437_800_000_000_000  # 2026-01-26 09:30 in New York
DAY_NS = 86_400_000_000_000
SYMBOLS = (Symbol("GS"), Symbol("JD"), Symbol("T"))
PRICES = {"GS": 9_000_000, "JD": 319_200, "T": 224_700}
LIMITS = Limits(
    order_notional_max=Decimal(50_000),
    position_notional_max=Decimal(50_000),
    entries_per_minute_max=1_000,
    entries_per_symbol_per_day_max=1_000,
    entries_notional_per_day_max=Decimal(10**9),
    executions_repeated_max=1_000,
)
OPENING = Decimal(250_000)


def boot(epoch: int, at_ns: int = OPEN_NS) -> Boot:
    return Boot(
        epoch=epoch,
        build="3f9a1c2",
        pid=4_000 + epoch,
        version="0.1.0",
        broker="simulated",
        account=AccountId("simulated:1"),
        symbols=SYMBOLS,
        limits=LIMITS,
        fees=Fees(),
        at_ns=at_ns,
    )


def clock(at_ns: int, session: str = "2026-01-26", marks: dict[str, int] | None = None) -> Clock:
    priced = {Symbol(symbol): mark for symbol, mark in (marks or {}).items()}
    return Clock(at_ns=at_ns, session=session, phase=Phase.REGULAR, marks=priced)


def opening(epoch: int = 1) -> list[Input]:
    """A life begins, every gate opens, the broker states its cash, the workers are warm."""
    return [
        boot(epoch),
        clock(OPEN_NS),
        *(GateReport(gate=gate, is_open=True, reason="") for gate in reversed(Gate)),
        Statement(
            at_ns=OPEN_NS,
            account=AccountId("simulated:1"),
            cash=OPENING,
            positions={},
            open_orders={},
        ),
        *(WorkerReport(worker=f"{symbol}-1", symbol=symbol, ready=True) for symbol in SYMBOLS),
    ]


def request(
    symbol: str,
    *,
    key: str,
    telling: str | None = None,
    side: Side = Side.BUY,
    shares: int = 10,
    price: str | None = None,
    at_ns: int = OPEN_NS,
    reason: str = "10-bar average rose above 30-bar",
) -> OrderRequest:
    ticks = PRICES[symbol]
    return OrderRequest(
        request_id=RequestId(telling or f"r-{key}"),
        decision_key=DecisionKey(f"{key}x".ljust(24, "0")),
        at_ns=at_ns,
        symbol=Symbol(symbol),
        strategy=StrategyName("sma-crossover"),
        side=side,
        purpose=Purpose.ENTER if side is Side.BUY else Purpose.EXIT,
        size=Size(unit="shares", amount=Decimal(shares)),
        limit_price=Decimal(price) if price else Decimal(ticks) / 10_000,
        quote=Quote(
            symbol=Symbol(symbol),
            at_ns=at_ns,
            bid=ticks - 100,
            bid_size=100,
            ask=ticks + 100,
            ask_size=100,
        ),
        reason=reason,
    )


def report(order: Order, claim: Claim, at_ns: int, reason: str = "") -> OrderReport:
    return OrderReport(
        client_order_id=order.client_order_id,
        broker_order_id=BrokerOrderId(f"b-{order.decision_id}"),
        symbol=order.symbol,
        side=order.side,
        claim=claim,
        quantity=order.quantity,
        quantity_cumulative=order.quantity_filled,
        at_ns=at_ns,
        source="stream",
        reason=reason,
    )


def fill(order: Order, quantity: Decimal, at_ns: int, off: int = 0) -> OrderReport:
    cumulative = order.quantity_filled + quantity
    price = order.limit_price or Decimal("31.92")  # of a market order
    execution = Execution(
        execution_id=ExecutionId(f"x-{order.decision_id}-{cumulative}"),
        quantity=quantity,
        price=price + Decimal(off) / 100,
        quantity_cumulative=cumulative,
        at_ns=at_ns,
    )
    done = cumulative >= order.quantity
    return OrderReport(
        client_order_id=order.client_order_id,
        broker_order_id=BrokerOrderId(f"b-{order.decision_id}"),
        symbol=order.symbol,
        side=order.side,
        claim=Claim.FILLED if done else Claim.PARTIALLY_FILLED,
        quantity=order.quantity,
        quantity_cumulative=cumulative,
        execution=execution,
        at_ns=at_ns,
        source="stream",
    )


class Play:
    """Decides inputs and keeps the entries, each with the state that it led to."""

    def __init__(self) -> None:
        self.state = ExecutionState()
        self.entries: list[Entry] = []
        self.states: list[ExecutionState] = []

    def hear(self, *inputs: Input) -> "Play":
        for heard in inputs:
            if events := decide(self.state, heard):
                entry = Entry(
                    sequence=self.state.sequence + 1,
                    epoch=self.state.epoch,
                    at_ns=self.state.at_ns,
                    session=self.state.session,
                    input=heard,
                    events=events,
                )
                self.state = evolve_entry(self.state, entry)
                self.entries.append(entry)
                self.states.append(self.state)
        return self

    def batches(self, *, cuts: Iterable[int] = (), after: int = 0) -> Iterator[Batch]:
        """The entries beyond `after`, cut before each of these indexes, and where a life begins."""
        lives = [i for i, entry in enumerate(self.entries) if isinstance(entry.input, Boot)]
        inner = {cut for cut in (*cuts, *lives) if after < cut < len(self.entries)}
        edges = sorted({after, len(self.entries), *inner})
        for first, last in itertools.pairwise(edges):
            yield Batch(entries=tuple(self.entries[first:last]), after=self.states[last - 1])

    def each(self, after: int = 0) -> Iterator[Batch]:
        """One batch for each entry."""
        return self.batches(cuts=range(len(self.entries)), after=after)

    def live(self) -> list[Order]:
        orders = self.state.orders.values()
        live = (order for order in orders if order.state not in FINAL_STATES)
        return sorted(live, key=lambda order: order.decision_id)


def opened() -> Play:
    return Play().hear(*opening())


def day(numbers: Sequence[int]) -> Play:
    """A play of what the numbers say."""
    play, at_ns = opened(), OPEN_NS
    for step, number in enumerate(numbers):
        move, detail = number % 16, number // 16
        at_ns = max(at_ns, play.state.at_ns)  # Market time doesn't go back.
        if move == 0:
            at_ns += MINUTE_NS * (1 + detail % 3)
        play.hear(*_moves(play, move, detail, step, at_ns))
    return play


def _moves(play: Play, move: int, detail: int, step: int, at_ns: int) -> list[Input]:
    state = play.state
    symbol = SYMBOLS[detail % len(SYMBOLS)]
    live = play.live()
    order = live[detail % len(live)] if live else None
    match move:
        case 0:
            marks = {name: PRICES[name] + (detail - 8) * 100 for name in PRICES}
            return [clock(at_ns, marks=marks)]
        case 1 | 2 | 3:
            return [request(symbol, key=f"k{step}", at_ns=state.at_ns, shares=1 + detail)]
        case 4:
            return [
                request(symbol, key=f"k{step}", telling=f"r{step}-{i}", at_ns=state.at_ns)
                for i in range(3)
            ]
        case 5:
            held = int(state.position(symbol).quantity)
            return [
                request(
                    symbol,
                    key=f"k{step}",
                    side=Side.SELL,
                    shares=max(1, held - detail % 2),
                    at_ns=state.at_ns,
                )
            ]
        case 6:
            return [request(symbol, key=f"k{step}", price="1.50", at_ns=state.at_ns)]
        case 7 if order is not None:
            return [SendStarted(client_order_id=order.client_order_id)]
        case 8 if order is not None:
            return [report(order, Claim.NEW, at_ns)]
        case 9 | 10 if order is not None:
            return [fill(order, order.quantity - order.quantity_filled, at_ns, off=detail % 5 - 2)]
        case 11 if order is not None:
            return [fill(order, Decimal(1), at_ns, off=detail % 3)]
        case 12 if order is not None:
            claims = (Claim.CANCELED, Claim.REJECTED, Claim.EXPIRED, Claim.PENDING_CANCEL)
            return [report(order, claims[detail % 4], at_ns, "said the broker")]
        case 13 if order is not None:
            outcomes = ("unknown", "never_sent", "rejected")
            return [
                SendOutcome(
                    client_order_id=order.client_order_id,
                    outcome=outcomes[detail % 3],
                    reason="504",
                )
            ]
        case 14:
            return _rare(state, detail, order)
        case 15 if detail == 1:
            return [clock(at_ns + DAY_NS, "2026-01-27"), clock(at_ns + 2 * DAY_NS, "2026-01-28")]
        case _:
            return []


def _rare(state: ExecutionState, detail: int, order: Order | None) -> list[Input]:
    symbol = SYMBOLS[detail % len(SYMBOLS)]
    match detail % 6:
        case 0:
            how = ("", "cancel", "flatten")[detail // 6 % 3]
            return [Command(command_id="c", verb="halt", subject=how, who="ana", reason="lunch")]
        case 1 if state.reductions and detail % 4:
            return [step.wants for step in reducing.due(state)]
        case 1:
            return [Command(command_id="c", verb="resume", who="ana", reason="fed")]
        case 2:
            return [
                WorkerReport(worker=f"{symbol}-1", symbol=symbol, ready=False, reason="Traceback")
            ]
        case 3:
            return [WorkerReport(worker=f"{symbol}-1", symbol=symbol, ready=True)]
        case 4:
            end = LifeEnd(at_ns=state.at_ns, exit_code=0)
            gates = (GateReport(gate=gate, is_open=True, reason="") for gate in reversed(Gate))
            return [end, boot(state.epoch + 1, state.at_ns), *gates]
        case _ if order is not None:
            cancel = Command(
                command_id="c",
                verb="cancel",
                subject=order.client_order_id,
                who="ana",
                reason="why not",
            )
            return [cancel, CancelOutcome(client_order_id=order.client_order_id, outcome="unknown")]
        case _:
            return []

"""The self-test of every start: eight tasks want the same share in the same instant, and one order comes out.

It drives the loaded code itself (inbox, executor, rules, lanes, a venue in memory), because the mistake it guards
against is a fix that was written but is not what runs.
"""

import hashlib
from decimal import Decimal

import trio
from msgspec import Struct

from trader.brokers.direct import DirectBroker
from trader.calendar import session_on
from trader.clock import FreePace
from trader.config import Fees
from trader.execution import ExecutionState
from trader.executor import Executor
from trader.exits import StartRefused
from trader.inbox import Inbox
from trader.journal.memory import MemoryJournal
from trader.limits import Limits
from trader.messages import Boot, Clock, Gate, GateReport, OrderRequest
from trader.model import (
    AccountId,
    DecisionKey,
    Phase,
    Purpose,
    Quote,
    RequestId,
    Side,
    Size,
    StrategyName,
    Symbol,
)
from trader.outbox import Outbox
from trader.strategies.base import Fill, SymbolView

TASKS = 8
SYMBOL = Symbol("JD")
BID, ASK = 319_000, 319_200  # price ticks
PATIENCE_S = 10.0  # machine time; a start that hangs is a start that failed


class SelfTest(Struct, frozen=True, kw_only=True):
    """What came out."""

    orders: int
    blocked: int

    def __str__(self) -> str:
        return (
            f"{TASKS} tasks wanted {SYMBOL} in the same instant: "
            f"{self.orders} order, {self.blocked} blocked. Safe to start."
        )


class _Nobody:
    def publish(self, symbol: Symbol, view: SymbolView, fills: list[Fill]) -> None:
        """No worker listens in here."""


async def self_test() -> SelfTest:
    """Run it; raises StartRefused unless exactly one order reached the venue and the others were blocked."""
    session = session_on("2026-01-26")
    assert session is not None, "the day of the incident was a trading day"
    at_ns = session.open_ns
    broker = DirectBroker([SYMBOL], cash=Decimal(10_000), at_ns=at_ns, seed=0)
    broker.advance(at_ns, quotes=[_quote(at_ns)])
    inbox, pace = Inbox(), FreePace(lambda: at_ns)
    outbox = Outbox(broker=broker, inbox=inbox, pace=pace, capacity=2 * TASKS)
    executor = Executor(
        ExecutionState(),
        inbox=inbox,
        journal=MemoryJournal(),
        put=outbox.put,
        publisher=_Nobody(),
        pace=pace,
    )
    with trio.move_on_after(PATIENCE_S):
        async with trio.open_nursery() as nursery:
            await _prepare(inbox, broker, at_ns)
            async with trio.open_nursery() as tasks:
                for number in range(TASKS):
                    tasks.start_soon(inbox.tell, _wish(number, at_ns))
            nursery.start_soon(outbox.run)
            await nursery.start(broker.follow, inbox.tell)
            nursery.start_soon(executor.run)
            await executor.wait_until(lambda state: state.position(SYMBOL).quantity > 0)
            nursery.cancel_scope.cancel()
    counts = executor.state.counts
    found = SelfTest(orders=len(broker.venue.state.orders), blocked=counts.blocked)
    if found.orders != 1 or found.blocked != TASKS - 1:
        raise StartRefused(
            f"self-test failed: {TASKS} tasks wanted {SYMBOL} in the same instant, "
            f"orders sent: {found.orders}, blocked: {found.blocked}",
            remedy="this code must not trade; check it out anew",
        )
    return found


def _quote(at_ns: int) -> Quote:
    return Quote(symbol=SYMBOL, at_ns=at_ns, bid=BID, bid_size=1_000, ask=ASK, ask_size=1_000)


async def _prepare(inbox: Inbox, broker: DirectBroker, at_ns: int) -> None:
    account = await broker.identify()
    await inbox.tell(
        Boot(
            epoch=1,
            build="self-test",
            pid=0,
            version="",
            broker="direct",
            account=AccountId(account),
            symbols=(SYMBOL,),
            limits=Limits(),
            fees=Fees(),
            at_ns=at_ns,
        )
    )
    await inbox.tell(GateReport(gate=Gate.TRADING_STREAM, is_open=True, reason="self-test"))
    await inbox.tell(GateReport(gate=Gate.MARKET_DATA, is_open=True, reason="self-test"))
    for heard in await broker.statement(0):
        await inbox.tell(heard)
    await inbox.tell(Clock(at_ns=at_ns, session="2026-01-26", phase=Phase.REGULAR, marks={}))


def _wish(number: int, at_ns: int) -> OrderRequest:
    decision = hashlib.sha256(f"self-test {number}".encode()).hexdigest()
    return OrderRequest(
        request_id=RequestId(f"self-test-{number}/0/00000000"),
        decision_key=DecisionKey(decision),
        at_ns=at_ns,
        symbol=SYMBOL,
        strategy=StrategyName("self-test"),
        side=Side.BUY,
        purpose=Purpose.ENTER,
        size=Size(unit="shares", amount=Decimal(33)),
        limit_price=Decimal("31.95"),
        quote=_quote(at_ns),
        reason="self-test",
    )

"""Between statements the broker is looked at every few seconds; whatever has moved is asked for whole."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from decimal import Decimal

import pytest
import trio
from msgspec.structs import replace
from trio.testing import MockClock, wait_all_tasks_blocked

from tests.rig import OPEN_NS, Rig, plan
from trader.brokers.direct import DirectBroker
from trader.messages import (
    Alarmed,
    Claim,
    Gate,
    GateReport,
    Input,
    OrderReport,
    SendOutcome,
    Statement,
)
from trader.model import (
    Bar,
    ClientOrderId,
    Execution,
    ExecutionId,
    Order,
    OrderState,
    OrderType,
    Purpose,
    Side,
    Size,
    StrategyName,
    Symbol,
)
from trader.ports import BrokerRefused, BrokerUnavailable
from trader.reconciler import POLL_S, STATEMENT_PAUSE_S
from trader.strategies.base import NoParameters, Strategy, SymbolView, Wish

JD, GS = Symbol("JD"), Symbol("GS")
TEN_SHARES = Size(unit="shares", amount=Decimal(10))
BELOW = Wish(
    side=Side.BUY,
    purpose=Purpose.ENTER,
    size=TEN_SHARES,
    order_type=OrderType.LIMIT,
    limit_offset=Decimal("-0.01"),
    reason="rests",
)


class Patient(Strategy):
    """Bids below the market at its nth bar."""

    def __init__(self, nth: int) -> None:
        super().__init__(StrategyName("patient"), TEN_SHARES, NoParameters())
        self._left = nth

    def on_bar(self, bar: Bar, view: SymbolView) -> Sequence[Wish]:
        self._left -= 1
        return () if self._left else (BELOW,)


class Watched(DirectBroker):
    """A venue that says of each look what the test wants it to; `asked` is what it was asked."""

    def __init__(self) -> None:
        super().__init__([JD, GS], cash=Decimal(250_000), at_ns=OPEN_NS, seed=0)
        self.asked: list[str] = []
        self.told: list[Statement] = []
        self.has_moved = False
        self.hides_orders = False
        self.failures: list[Exception] = []
        self.is_silent = False
        self.statement_s = 0.0
        self.extra: dict[Symbol, Decimal] = {}

    async def submit(self, order: Order) -> OrderReport | SendOutcome:
        if self.is_silent:
            await trio.sleep_forever()
        return await super().submit(order)

    async def statement(self, since_ns: int) -> list[Input]:
        self.asked.append("statement")
        await trio.sleep(self.statement_s)
        *told, last = await super().statement(since_ns)
        assert isinstance(last, Statement)
        last = replace(last, positions=last.positions | self.extra)
        self.told.append(last)
        return [*told, last]

    async def look(self, since: Statement) -> frozenset[ClientOrderId] | None:
        self.asked.append("look")
        assert replace(since, attempts=1) == self.told[-1]
        await trio.lowlevel.checkpoint()
        if self.failures:
            raise self.failures.pop(0)
        if self.has_moved:
            return None
        return frozenset(() if self.hides_orders else since.open_orders)


@asynccontextmanager
async def polled() -> AsyncIterator[tuple[Rig, Watched]]:
    """A life with a bid that rests at the venue, all agreed, polled by the clock."""
    venue = Watched()
    rig = Rig(
        ["JD", "GS"],
        [plan("JD/w", "JD", lambda: Patient(1)), plan("GS/w", "GS", lambda: Patient(2))],
        venue=venue,
    )
    async with rig.running(), trio.open_nursery() as nursery:
        await rig.minute()
        await rig.supervisor.reconciler.compare()
        assert [order.state for order in rig.state.orders.values()] == [OrderState.NEW]
        nursery.start_soon(rig.supervisor.reconciler.keep_polling)
        await wait_all_tasks_blocked()
        venue.asked.clear()
        yield rig, venue
        nursery.cancel_scope.cancel()


async def test_where_nothing_has_moved_a_look_is_enough_and_leaves_no_row(
    autojump_clock: MockClock,
) -> None:
    async with polled() as (rig, venue):
        rows = rig.state.sequence
        await trio.sleep(10.5 * POLL_S)
        assert venue.asked == ["look"] * 10
        assert rig.state.sequence == rows


async def test_what_has_moved_at_the_broker_is_asked_for_whole(autojump_clock: MockClock) -> None:
    async with polled() as (rig, venue):
        venue.has_moved, told = True, rig.state.statements
        await trio.sleep(1.5 * POLL_S)
        assert venue.asked == ["look", "statement"]
        assert rig.state.statements == told + 1


async def test_an_order_of_ours_that_is_not_among_the_open_ones_is_asked_for_whole(
    autojump_clock: MockClock,
) -> None:
    async with polled() as (_, venue):
        venue.hides_orders = True
        await trio.sleep(1.5 * POLL_S)
        assert venue.asked == ["look", "statement"]


async def test_books_that_moved_since_the_statement_are_compared_anew(
    autojump_clock: MockClock,
) -> None:
    async with polled() as (rig, venue):
        (order,) = rig.state.orders.values()
        told = await venue.lookup(order, 1)
        assert isinstance(told, list)
        assert isinstance(told[-1], OrderReport)
        one = Execution(
            execution_id=ExecutionId("only the stream knows it"),
            quantity=Decimal(1),
            price=Decimal(31),
            quantity_cumulative=Decimal(1),
            at_ns=rig.market_ns(),
        )
        filled = replace(told[-1], claim=Claim.PARTIALLY_FILLED, quantity_cumulative=Decimal(1))
        await rig.parts.inbox.tell(replace(filled, execution=one, source="stream"))
        await wait_all_tasks_blocked()
        assert rig.state.position(JD).quantity == 1
        await trio.sleep(1.5 * POLL_S)
        assert venue.asked[0] == "statement", (
            "no look could have found this: the venue hasn't moved"
        )


async def test_a_look_without_an_answer_is_made_once_more_and_then_all_is_asked_for(
    autojump_clock: MockClock,
) -> None:
    async with polled() as (_, venue):
        venue.failures = [BrokerUnavailable("504")]
        await trio.sleep(1.5 * POLL_S)
        assert venue.asked == ["look", "look"]
        venue.failures = [BrokerUnavailable("504"), BrokerUnavailable("504")]
        await trio.sleep(POLL_S)
        assert venue.asked[2:] == ["look", "look", "statement"]
        venue.failures = [BrokerRefused("401")]
        await trio.sleep(POLL_S)
        assert venue.asked[5:] == ["look", "statement"]
    assert STATEMENT_PAUSE_S < POLL_S / 2


async def test_an_order_in_doubt_is_asked_for_whole(autojump_clock: MockClock) -> None:
    async with polled() as (rig, venue):
        venue.is_silent = True
        await rig.minute()
        states = {one.symbol: one.state for one in rig.state.orders.values()}
        assert states == {JD: OrderState.NEW, GS: OrderState.SENT}
        venue.asked.clear()
        await trio.sleep(1.5 * POLL_S)
        assert venue.asked == ["look", "statement"]


async def test_an_order_that_stays_in_doubt_is_asked_for_whole_more_and_more_seldom(
    autojump_clock: MockClock,
) -> None:
    """Its own lookups go on; as long as nothing moves, a statement tells no more of it than the one before."""
    async with polled() as (rig, venue):
        venue.is_silent = True
        await rig.minute()
        venue.asked.clear()
        await trio.sleep(28.5 * POLL_S)
        looks = (1, 1, 2, 4, 6, 6, 6)
        asked = [one for some in looks for one in [*["look"] * some, "statement"]]
        assert venue.asked == [*asked, "look", "look"]
        venue.has_moved = True
        venue.asked.clear()
        await trio.sleep(POLL_S)
        assert venue.asked == ["look", "statement"], "what has moved is asked for at once"


@pytest.mark.parametrize("statement_s", [0.1, 1.0, 2.5, 4.0])
async def test_a_slow_broker_is_not_stormed_and_a_difference_is_called_after_three_looks(
    statement_s: float, autojump_clock: MockClock
) -> None:
    async with polled() as (rig, venue):
        venue.statement_s, venue.extra = statement_s, {GS: Decimal(7)}
        venue.told.clear()
        rig.supervisor.reconciler.want_statement()
        await trio.sleep(3 * statement_s + 2 * STATEMENT_PAUSE_S + 0.1)
        assert [one.attempts for one in rig.kept.inputs(Statement)[-3:]] == [1, 2, 3]
        assert [one.alarm for one in rig.kept.events(Alarmed)] == ["books_differ"]
        assert list(rig.state.quarantined) == [GS]
        assert rig.state.gates_closed == ()
        await trio.sleep(600)
        assert len(venue.told) <= 3 + 600 / POLL_S, "one at a time, and no more than polls"


@pytest.mark.parametrize("statement_s", [0.1, 2.5])
async def test_wanting_a_statement_again_begins_no_new_count(
    statement_s: float, autojump_clock: MockClock
) -> None:
    async with polled() as (rig, venue):
        venue.statement_s, venue.extra = statement_s, {GS: Decimal(7)}
        for _ in range(40):
            rig.supervisor.reconciler.want_statement()
            await trio.sleep(0.5)
        assert list(rig.state.quarantined) == [GS]


async def test_a_new_connection_is_no_time_for_a_look(autojump_clock: MockClock) -> None:
    async with polled() as (rig, venue):
        gate = GateReport(gate=Gate.TRADING_STREAM, is_open=True, reason="listening")
        await rig.supervisor._hear(gate)
        await wait_all_tasks_blocked()
        assert venue.asked == ["statement"]

"""The nursery: workers that fail come back warm, and alone; what fails at the centre ends the whole program."""

from collections.abc import Iterable, Sequence
from decimal import Decimal
from itertools import pairwise

import pytest
import trio
from msgspec.structs import replace
from trio.testing import MockClock, wait_all_tasks_blocked

from tests.plays import (
    Line,
    agreement,
    buy,
    clock,
    filled,
    opened,
    send_ended,
    sent,
)
from tests.plays import report as told_of
from tests.rig import OPEN_NS, KeptJournal, Rig, bar_ending, plan
from trader.brokers.direct import DirectBroker, DirectFeed
from trader.evolve import fold
from trader.exits import Exit, JournalBroken
from trader.inbox import Inbox
from trader.messages import (
    Alarmed,
    AlarmReport,
    Claim,
    DenyReason,
    DifferenceFound,
    Gate,
    GateReport,
    Input,
    LifeEnd,
    OrderReport,
    OrderRequest,
    RequestAccepted,
    RequestDenied,
    SendOutcome,
    Statement,
    WorkerReport,
)
from trader.model import (
    MINUTE_NS,
    Bar,
    ClientOrderId,
    Order,
    OrderState,
    Purpose,
    Side,
    Size,
    StrategyName,
    Symbol,
)
from trader.ports import Batch, BrokerRefused, BrokerUnavailable
from trader.reconciler import (
    STATEMENT_MISSED_S_MAX,
    STATEMENT_PAUSE_MAX_S,
    STATEMENT_PAUSE_S,
    STATEMENT_SPAN_NS,
)
from trader.state import ALL_SYMBOLS, ExecutionState
from trader.strategies.base import NoParameters, Strategy, SymbolView, Wish, exit_all
from trader.supervisor import (
    HISTORIES_FAILED_MAX,
    WORKER_PAUSE_FIRST_S,
    WORKER_PAUSE_MAX_S,
)

JD, GS = Symbol("JD"), Symbol("GS")
TEN_SHARES = Size(unit="shares", amount=Decimal(10))
BUY = Wish(side=Side.BUY, purpose=Purpose.ENTER, size=TEN_SHARES, reason="wants it")


class Trouble(Exception):
    """What the strategies of these tests fail with."""


class Buyer(Strategy):
    """Wants in at every bar; notes every bar that it was told."""

    def __init__(self, name: str = "buyer", *, bars_needed: int = 0) -> None:
        super().__init__(StrategyName(name), TEN_SHARES, NoParameters())
        self.bars_needed = bars_needed
        self.bars: list[Bar] = []
        self.views: list[SymbolView] = []

    def on_bar(self, bar: Bar, view: SymbolView) -> Sequence[Wish]:
        self.bars.append(bar)
        self.views.append(view)
        return (BUY,)


class Idle(Buyer):
    """Wants nothing."""

    def on_bar(self, bar: Bar, view: SymbolView) -> Sequence[Wish]:
        super().on_bar(bar, view)
        return ()


class Once(Buyer):
    """Wants in at its first bar and out at its third."""

    def on_bar(self, bar: Bar, view: SymbolView) -> Sequence[Wish]:
        super().on_bar(bar, view)
        if len(self.bars) == 1:
            return (BUY,)
        return exit_all("enough") if len(self.bars) == 3 else ()


class Makes:
    """Makes one strategy after the other, so that tests can look into each incarnation."""

    def __init__(self, *made: Strategy) -> None:
        self._left = list(made)
        self.count = 0

    def __call__(self) -> Strategy:
        self.count += 1
        return self._left.pop(0) if len(self._left) > 1 else self._left[0]


class Fails(Idle):
    """Fails at every bar that isn't history."""

    def on_bar(self, bar: Bar, view: SymbolView) -> Sequence[Wish]:
        raise Trouble(f"no use for the bar of {bar.start_ns}")


def denials(rig: Rig) -> list[tuple[str, DenyReason]]:
    return [
        (event.symbol, event.reason)
        for entry in rig.kept.committed
        for event in entry.events
        if isinstance(event, RequestDenied)
    ]


def reports(rig: Rig, name: str) -> list[WorkerReport]:
    return [heard for heard in rig.kept.inputs(WorkerReport) if heard.worker == name]


# ------------------------------------------------------------------------------------------- workers


async def test_a_day_of_one_worker_ends_with_equal_books_on_both_sides() -> None:
    once = Once()
    rig = Rig(["JD"], [plan("JD/once", "JD", Makes(once))])
    async with rig.running():
        for _ in range(5):
            await rig.minute()
        assert [view.quantity for view in once.views] == [0, 10, 10, 0, 0]
    assert rig.buys() == ["JD", "JD"], "one buy and one sale"
    account = rig.venue.venue.account("direct")
    assert rig.state.position(JD).quantity == 0
    assert rig.state.books.cash == account.cash - account.accrued_fees
    assert fold(ExecutionState(), rig.kept.entries()) == rig.state


async def test_a_failure_is_journaled_with_its_traceback_and_the_others_go_on(
    autojump_clock: MockClock,
) -> None:
    calm = Idle()
    rig = Rig(
        ["JD", "GS"],
        [plan("JD/fails", "JD", Makes(Fails(), Idle())), plan("GS/calm", "GS", Makes(calm))],
    )
    async with rig.running():
        await rig.minute()
        await trio.sleep(2 * WORKER_PAUSE_FIRST_S)
        await rig.minute()
    assert [one.ready for one in reports(rig, "JD/fails")] == [False, True, False, True]
    failed = reports(rig, "JD/fails")[2]
    assert "Traceback (most recent call last)" in failed.reason
    assert "Trouble: no use for the bar of" in failed.reason
    assert len(calm.bars) == 2
    assert rig.supervisor.restarts == {"JD/fails": 1}


async def test_a_symbol_with_a_failed_worker_takes_no_entries_and_the_others_do() -> None:
    class Second(Buyer):
        """Wants in from its second bar on."""

        def on_bar(self, bar: Bar, view: SymbolView) -> Sequence[Wish]:
            wishes = super().on_bar(bar, view)
            return wishes if len(self.bars) > 1 else ()

    rig = Rig(
        ["JD", "GS"],
        [
            plan("JD/buyer", "JD", Makes(Second())),
            plan("JD/fails", "JD", Makes(Fails())),
            plan("GS/buyer", "GS", Makes(Second())),
        ],
    )
    async with rig.running():
        await rig.minute()
        assert rig.state.workers_cold.get(JD) == ("JD/fails",)
        await rig.minute()
    assert denials(rig) == [("JD", DenyReason.WARMING_UP)]
    assert rig.buys() == ["GS"]


async def test_a_worker_that_fails_on_its_history_is_set_aside_and_the_day_begins(
    autojump_clock: MockClock,
) -> None:
    made = Makes(Fails(bars_needed=1))
    rig = Rig(
        ["JD"],
        [plan("JD/fails", "JD", made), plan("JD/buyer", "JD", Makes(Buyer()))],
        feed=DirectFeed([bar_ending("JD", OPEN_NS)]),
    )
    async with rig.running():
        assert rig.state.workers_cold.get(JD) == ()
        await rig.minute()
        await trio.sleep(10 * WORKER_PAUSE_MAX_S)
    assert made.count == HISTORIES_FAILED_MAX
    told = reports(rig, "JD/fails")
    assert [one.ready for one in told] == [False, *[False] * HISTORIES_FAILED_MAX, True]
    assert told[-1].reason == "set aside for this life: it fails on its history"
    assert rig.buys() == ["JD"]


async def test_a_worker_that_fails_later_than_on_its_history_is_never_set_aside(
    autojump_clock: MockClock,
) -> None:
    class FailsLive(Idle):
        def on_bar(self, bar: Bar, view: SymbolView) -> Sequence[Wish]:
            if bar.start_ns >= OPEN_NS:
                raise Trouble("live")
            return ()

    history = [bar_ending("JD", OPEN_NS)]
    made = Makes(FailsLive(bars_needed=1))
    rig = Rig(["JD"], [plan("JD/fails", "JD", made)], feed=DirectFeed(history))
    async with rig.running():
        for _ in range(HISTORIES_FAILED_MAX + 2):
            await rig.minute()
            await trio.sleep(10 * WORKER_PAUSE_MAX_S)
    assert made.count == HISTORIES_FAILED_MAX + 3


class NoHistory(DirectFeed):
    """A feed whose history is down."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[float] = []

    async def history(self, symbol: Symbol, before_ns: int, count: int) -> list[Bar]:
        await trio.lowlevel.checkpoint()
        self.asked.append(trio.current_time())
        raise BrokerUnavailable("no history to be had")


async def test_the_pause_before_a_restart_doubles_up_to_its_bound(
    autojump_clock: MockClock,
) -> None:
    feed = NoHistory()
    rig = Rig(["JD"], [plan("JD/w", "JD", Makes(Idle(bars_needed=1)))], feed=feed)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(rig.supervisor.run)
        await trio.sleep(10 * WORKER_PAUSE_MAX_S)
        nursery.cancel_scope.cancel()
    pauses = [later - sooner for sooner, later in pairwise(feed.asked)]
    expected = [min(WORKER_PAUSE_FIRST_S * 2**n, WORKER_PAUSE_MAX_S) for n in range(len(pauses))]
    assert pauses == pytest.approx(expected)
    assert pauses[-1] == pytest.approx(WORKER_PAUSE_MAX_S)
    assert rig.state.workers_cold.get(JD) == ("JD/w",)


async def test_a_worker_starts_and_restarts_with_history_and_its_wishes_about_it_are_nobodys(
    autojump_clock: MockClock,
) -> None:
    history = [bar_ending("JD", OPEN_NS - n * MINUTE_NS) for n in (3, 2, 1, 0)]

    class Breaks(Buyer):
        def on_bar(self, bar: Bar, view: SymbolView) -> Sequence[Wish]:
            if bar.start_ns >= OPEN_NS:
                raise Trouble
            return super().on_bar(bar, view)

    first, second = Breaks(bars_needed=3), Buyer(bars_needed=3)
    rig = Rig(["JD"], [plan("JD/w", "JD", Makes(first, second))], feed=DirectFeed(history))
    async with rig.running():
        assert first.bars == history[1:]
        assert rig.state.counts.requests == 0
        await rig.minute()
        await trio.sleep(2 * WORKER_PAUSE_FIRST_S)
        assert second.bars == history[1:]
        assert rig.state.counts.requests == 0
        await rig.minute()
        assert len(second.bars) == 4
        assert (rig.state.counts.requests, rig.buys()) == (1, ["JD"])


async def test_a_bar_that_history_and_the_stream_both_tell_is_told_once() -> None:
    told = Idle(bars_needed=2)
    rig = Rig(
        ["JD"], [plan("JD/w", "JD", Makes(told))], feed=DirectFeed([bar_ending("JD", OPEN_NS)])
    )
    async with rig.running():
        rig.feed.give([bar_ending("JD", OPEN_NS)])
        await wait_all_tasks_blocked()
        await rig.minute()
    starts = [bar.start_ns for bar in told.bars]
    assert starts == sorted(set(starts))
    assert len(starts) == 2


# -------------------------------------------------------------------------------------- the centre


class Broken(KeptJournal):
    """A journal whose disk breaks at the first request."""

    async def commit(self, batch: Batch) -> None:
        if any(isinstance(entry.input, OrderRequest) for entry in batch.entries):
            await trio.lowlevel.checkpoint()
            raise JournalBroken("fsync failed")
        await super().commit(batch)


async def test_an_executor_that_fails_ends_the_program_and_not_half_of_it() -> None:
    rig = Rig(["JD"], [plan("JD/w", "JD", Makes(Buyer()))], journal=Broken())

    async def live() -> None:
        async with rig.running():
            await rig.minute()
            pytest.fail("the program went on without its executor")

    with pytest.raises(ExceptionGroup) as group:
        await live()
    assert group.group_contains(JournalBroken)
    assert rig.buys() == []


class Unsteady(DirectBroker):
    """A venue whose statements can be made to fail, or to lie."""

    def __init__(self, symbols: Iterable[Symbol]) -> None:
        super().__init__(symbols, cash=Decimal(250_000), at_ns=OPEN_NS, seed=0)
        self.failures = 0
        self.refusals = 0
        self.extra_shares: dict[Symbol, Decimal] = {}
        self.extra_cash = Decimal(0)
        self.statement_s = 0.0
        self.asked: list[float] = []
        self.asked_since_ns: list[int] = []

    async def statement(self, since_ns: int) -> list[Input]:
        self.asked.append(trio.current_time())
        self.asked_since_ns.append(since_ns)
        *reports, last = await super().statement(since_ns)
        if self.statement_s:
            await trio.sleep(self.statement_s)
        if self.refusals:
            self.refusals -= 1
            raise BrokerRefused("HTTP 401: unauthorized. (check the keys)")
        if self.failures:
            self.failures -= 1
            raise BrokerUnavailable("504")
        assert isinstance(last, Statement)
        lie = replace(
            last, positions=last.positions | self.extra_shares, cash=last.cash + self.extra_cash
        )
        return [*reports, lie]


async def test_a_statement_that_cannot_be_had_is_not_an_empty_account(
    autojump_clock: MockClock,
) -> None:
    venue = Unsteady([JD])
    venue.failures = 5
    rig = Rig(["JD"], [plan("JD/w", "JD", Makes(Buyer()))], venue=venue)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(rig.supervisor.run)
        await trio.sleep(STATEMENT_PAUSE_S / 2)
        rig.quotes()
        await rig.minute()
        assert Gate.RECONCILED in dict(rig.state.gates_closed)
        assert not rig.state.is_opened
        assert denials(rig) == [("JD", DenyReason.NOT_READY)]
        with trio.fail_after(1_000):
            await rig.parts.executor.wait_until(lambda state: not state.gates_closed)
        await rig.minute()
        nursery.cancel_scope.cancel()
    pauses = [later - sooner for sooner, later in pairwise(venue.asked)]
    assert pauses == sorted(pauses)
    assert len(pauses) == 5
    assert rig.state.books.opening == 250_000
    assert rig.buys() == ["JD"]


async def test_where_no_statement_comes_for_two_minutes_entries_wait_and_a_person_is_told_once(
    autojump_clock: MockClock,
) -> None:
    venue = Unsteady([JD])
    rig = Rig(["JD"], [plan("JD/w", "JD", Makes(Idle()))], venue=venue)
    async with rig.running():
        for _ in range(2):
            venue.failures = 10**9
            rig.supervisor.reconciler.want_statement()
            await trio.sleep(STATEMENT_MISSED_S_MAX - 1)
            assert not rig.state.gates_closed, "it may be a hiccup"
            await trio.sleep(2)
            why = f"no statement for {STATEMENT_MISSED_S_MAX:.0f} s: 504"
            assert rig.state.gates_closed == ((Gate.RECONCILED, why),)
            await trio.sleep(3_600)
            venue.failures = 0
            await trio.sleep(STATEMENT_PAUSE_MAX_S + 1)
            assert not rig.state.gates_closed
    alarms = [(one.alarm, one.message) for one in rig.kept.events(Alarmed)]
    assert alarms == [("no_statement", why)] * 2


async def test_a_statement_that_hangs_is_missed_too(autojump_clock: MockClock) -> None:
    class Hangs(DirectBroker):
        hangs = False

        async def statement(self, since_ns: int) -> list[Input]:
            if self.hangs:
                await trio.sleep_forever()
            return await super().statement(since_ns)

    venue = Hangs([JD], cash=Decimal(250_000), at_ns=OPEN_NS, seed=0)
    rig = Rig(["JD"], [plan("JD/w", "JD", Makes(Idle()))], venue=venue)
    async with rig.running():
        venue.hangs = True
        rig.supervisor.reconciler.want_statement()
        await trio.sleep(STATEMENT_MISSED_S_MAX + 1)
        [alarm] = rig.kept.events(Alarmed)
        assert alarm.message == "no statement for 120 s: no answer yet"
        assert Gate.RECONCILED in dict(rig.state.gates_closed)


async def test_after_a_week_of_sleep_all_is_asked_for_since_the_last_statement(
    autojump_clock: MockClock,
) -> None:
    venue = Unsteady([JD])
    rig = Rig(["JD"], [plan("JD/w", "JD", Makes(Idle()))], venue=venue)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(rig.supervisor.run)
        await rig.parts.executor.wait_until(lambda state: state.statements > 0)
        told_ns = rig.state.told_ns
        rig.move(7 * 24 * 60)
        await rig.supervisor.reconciler.compare()
        nursery.cancel_scope.cancel()
    assert venue.asked_since_ns[-1] == told_ns - STATEMENT_SPAN_NS


async def test_after_minutes_in_which_the_program_was_stopped_the_broker_is_asked_at_once(
    autojump_clock: MockClock,
) -> None:
    venue = Unsteady([JD])
    rig = Rig(["JD"], [plan("JD/w", "JD", Makes(Idle()))], venue=venue)
    async with rig.running():
        minute_ns = 41 * MINUTE_NS + OPEN_NS  # Of five, no fifth: by itself it asks for nothing.
        await rig.supervisor.tick(minute_ns)
        await trio.sleep(1)
        asked = len(venue.asked_since_ns)
        await rig.supervisor.tick(minute_ns + MINUTE_NS)
        await trio.sleep(1)
        assert len(venue.asked_since_ns) == asked
        await rig.supervisor.tick(minute_ns + 12 * MINUTE_NS)
        await trio.sleep(1)
        assert len(venue.asked_since_ns) == asked + 1


DAY_NS = 24 * 60 * MINUTE_NS


@pytest.mark.parametrize(
    ("lines", "is_doubted"),
    [
        ([sent(), told_of(Claim.NEW)], False),
        ([sent(), told_of(Claim.NEW), filled(20, "31.92")], False),
        ([sent(), told_of(Claim.NEW), told_of(Claim.PENDING_CANCEL)], False),
        ([], True),
        ([sent()], True),
        ([sent(), send_ended("unknown")], True),
        ([sent(), told_of(Claim.PARTIALLY_FILLED, 20)], True),
    ],
)
async def test_how_far_back_is_asked_goes_by_orders_in_doubt_and_not_by_those_that_rest(
    lines: list[Line], is_doubted: bool
) -> None:
    """A stop that has rested for two months would have all orders and fills of two months walked, each time."""
    play = opened() >> buy("JD", 62, "31.95")
    for line in lines:
        play >> line
    [began_ns] = [order.created_ns for order in play.state.orders.values()]
    for day in range(1, 61):
        play >> clock(day * 24 * 60, session=f"day {day}")
    play >> agreement
    venue = Unsteady([JD])
    venue.advance(play.state.at_ns)
    rig = Rig(["JD"], state=play.state, venue=venue)
    since_ns = rig.supervisor.reconciler._since_ns()
    assert since_ns == (began_ns if is_doubted else began_ns + 60 * DAY_NS - STATEMENT_SPAN_NS)


async def test_keys_that_fail_at_the_start_refuse_it_and_in_mid_day_close_entries(
    autojump_clock: MockClock,
) -> None:
    venue = Unsteady([JD])
    venue.refusals = 1
    rig = Rig(["JD"], [plan("JD/w", "JD", Makes(Buyer()))], venue=venue)
    with pytest.RaisesGroup(BrokerRefused, flatten_subgroups=True):
        async with rig.running():
            pytest.fail("it started")
    venue = Unsteady([JD])
    rig = Rig(["JD"], [plan("JD/w", "JD", Makes(Buyer()))], venue=venue)
    async with rig.running():
        venue.refusals, asked = 2, len(venue.asked)
        with trio.move_on_after(STATEMENT_PAUSE_S):
            await rig.supervisor.reconciler.compare()
        assert "check the keys" in dict(rig.state.gates_closed)[Gate.RECONCILED]
        await rig.minute()
        assert denials(rig) == [("JD", DenyReason.NOT_READY)]
        await rig.parts.executor.wait_until(lambda state: not state.gates_closed)
        told = "HTTP 401: unauthorized. (check the keys)"
        alarms = [(one.alarm, one.message) for one in rig.kept.events(Alarmed)]
        assert alarms == [("account_refused", told)], "once"
        pauses = [later - sooner for sooner, later in pairwise(venue.asked[asked:])]
        assert pauses[:2] == [STATEMENT_PAUSE_MAX_S] * 2, "no storm of retries"
        await rig.minute()
    assert rig.buys() == ["JD"]


async def test_a_holding_that_stays_different_closes_its_symbol_and_no_other(
    autojump_clock: MockClock,
) -> None:
    venue = Unsteady([JD, GS])
    venue.extra_shares = {JD: Decimal(7)}
    rig = Rig(
        ["JD", "GS"],
        [plan(f"{one}/w", one, Makes(Buyer())) for one in ("JD", "GS")],
        venue=venue,
    )
    async with rig.running():
        assert len(venue.asked) >= 3, "a fill may come between the questions: it looks again"
        await trio.sleep(10 * STATEMENT_PAUSE_S)  # It also asks at the open, once more.
        await rig.minute()
    found, *_ = rig.kept.events(DifferenceFound)
    assert (found.symbol, found.ours, found.theirs) == (JD, "0", "7")
    assert list(rig.state.quarantined) == [JD]
    assert denials(rig) == [("JD", DenyReason.QUARANTINED)]
    assert rig.buys() == ["GS"]
    assert rig.state.position(JD).quantity == 0, "nothing is overwritten"


async def test_cash_that_stays_different_closes_every_symbol(autojump_clock: MockClock) -> None:
    venue = Unsteady([JD])
    rig = Rig(["JD"], [plan("JD/w", "JD", Makes(Buyer()))], venue=venue)
    async with rig.running():
        venue.extra_cash = Decimal("0.01")
        await rig.supervisor.reconciler.compare()
        assert list(rig.state.quarantined) == [ALL_SYMBOLS]
        await rig.minute()
    assert denials(rig) == [("JD", DenyReason.QUARANTINED)]


async def test_a_stream_that_was_lost_closes_entries_until_the_books_agree_again() -> None:
    venue = Unsteady([JD])
    rig = Rig(["JD"], [plan("JD/w", "JD", Makes(Buyer()))], venue=venue)
    async with rig.running():
        asked = len(venue.asked)
        lost = GateReport(gate=Gate.TRADING_STREAM, is_open=False, reason="connection lost")
        await rig.supervisor._hear(lost)
        await rig.minute()
        assert denials(rig) == [("JD", DenyReason.NOT_READY)]
        await rig.supervisor._hear(replace(lost, is_open=True))
        await wait_all_tasks_blocked()
        assert rig.state.gates_closed == ()
        assert len(venue.asked) > asked
        await rig.minute()
    assert rig.buys() == ["JD"]


async def test_what_a_broken_line_has_agreed_on_opens_no_entries_when_it_is_back(
    autojump_clock: MockClock,
) -> None:
    venue = Unsteady([JD])
    rig = Rig(["JD"], [plan("JD/w", "JD", Makes(Idle()))], venue=venue)
    async with rig.running():
        lost = GateReport(gate=Gate.TRADING_STREAM, is_open=False, reason="connection lost")
        await rig.supervisor._hear(lost)
        rig.supervisor.reconciler.want_statement()
        await wait_all_tasks_blocked()
        assert list(dict(rig.state.gates_closed)) == [Gate.TRADING_STREAM], "a poll has agreed"
        venue.statement_s = 2.5
        rig.supervisor.reconciler.want_statement()
        await trio.sleep(1)
        told = rig.state.statements
        await rig.supervisor._hear(replace(lost, is_open=True, reason="listening"))
        await trio.sleep(2)
        assert rig.state.statements == told, "its questions were older than the new line"
        why = "the trading stream: listening"
        assert rig.state.gates_closed == ((Gate.RECONCILED, why),)
        await trio.sleep(2.5)
        assert rig.state.statements == told + 1
        assert not rig.state.gates_closed


async def test_the_clock_is_told_once_a_market_minute_with_the_marks_of_what_is_held() -> None:
    rig = Rig(["JD", "GS"], [plan("JD/w", "JD", Makes(Buyer()))])
    async with rig.running():
        await rig.minute()
        before = rig.state.sequence
        await rig.supervisor.tick(rig.market_ns() + 1)
        await wait_all_tasks_blocked()
        assert rig.state.sequence == before
        await rig.minute()
        state = rig.state
    assert state.position(JD).mark == 319_100
    assert state.equity == state.books.cash + 10 * Decimal("31.91")


# ---------------------------------------------------------------------------------------- shutting down


def code_for(unproved: list[ClientOrderId]) -> int:
    return Exit.DIFFERENCES if unproved else Exit.WELL


class Silent(DirectBroker):
    """A venue whose answers to orders never come."""

    async def submit(self, order: Order) -> OrderReport | SendOutcome:
        await trio.sleep_forever()
        raise AssertionError


async def test_shutting_down_closes_the_gate_and_ends_with_the_last_row() -> None:
    rig = Rig(["JD"], [plan("JD/w", "JD", Makes(Buyer()))])
    async with rig.running():
        code, unproved = await rig.supervisor.shut_down(code_for)
        await rig.minute()
    assert (code, unproved) == (Exit.WELL, [])
    assert Gate.SHUTDOWN in dict(rig.state.gates_closed)
    assert denials(rig) == [("JD", DenyReason.NOT_READY)]
    assert [one.exit_code for one in rig.kept.inputs(LifeEnd)] == [0]


class Slow(KeptJournal):
    """A journal on a busy disk."""

    async def commit(self, batch: Batch) -> None:
        await trio.sleep(0.5)
        await super().commit(batch)


async def test_the_last_words_of_a_life_are_waited_for_though_others_were_told_before(
    autojump_clock: MockClock,
) -> None:
    # Whether the last word or the turn before it comes first is the scheduler's throw of a coin: throw it often.
    for _ in range(16):
        journal = Slow()
        rig = Rig(["JD"], [plan("JD/w", "JD", Makes(Idle()))], journal=journal)
        async with rig.running(), trio.open_nursery() as others:
            others.start_soon(tell_more, rig.parts.inbox)
            await rig.supervisor.shut_down(code_for)
            assert [one.exit_code for one in journal.inputs(LifeEnd)] == [0]


async def tell_more(inbox: Inbox) -> None:
    for number in range(20):
        await inbox.tell(AlarmReport(alarm="one more", message=str(number)))
        await trio.sleep(0.1)


async def test_an_entry_that_rests_at_the_broker_is_canceled_and_an_exit_stays() -> None:
    class Rests(Idle):
        """Bids far below the market at its first bar."""

        def on_bar(self, bar: Bar, view: SymbolView) -> Sequence[Wish]:
            super().on_bar(bar, view)
            return (replace(BUY, limit_offset=Decimal("-0.02")),) if len(self.bars) == 1 else ()

    rig = Rig(["JD"], [plan("JD/w", "JD", Makes(Rests()))])
    async with rig.running():
        await rig.minute()
        [resting] = rig.state.position(JD).entries
        assert rig.state.orders[resting].state is OrderState.NEW
        code, unproved = await rig.supervisor.shut_down(code_for)
    assert (code, unproved) == (Exit.WELL, [])
    assert rig.state.orders[resting].state is OrderState.CANCELED
    assert rig.state.books.reserved == 0


async def test_what_nobody_could_prove_in_time_is_listed_and_decides_the_code(
    autojump_clock: MockClock,
) -> None:
    venue = Silent([JD], cash=Decimal(250_000), at_ns=OPEN_NS, seed=0)
    rig = Rig(["JD"], [plan("JD/w", "JD", Makes(Buyer()))], venue=venue)
    async with rig.running():
        await rig.minute()
        [order] = rig.state.position(JD).entries
        assert rig.state.orders[order].state is OrderState.SENT
        code, unproved = await rig.supervisor.shut_down(code_for)
    assert (code, unproved) == (Exit.DIFFERENCES, [order])


async def test_the_next_life_finds_what_the_last_one_left_in_doubt_and_sends_nothing_twice(
    autojump_clock: MockClock,
) -> None:
    venue = Silent([JD], cash=Decimal(250_000), at_ns=OPEN_NS, seed=0)
    rig = Rig(["JD"], [plan("JD/w", "JD", Makes(Buyer()))], venue=venue)
    async with rig.running():
        await rig.minute()
    [order] = rig.state.position(JD).entries

    state = fold(ExecutionState(), rig.kept.entries())
    honest = DirectBroker([JD], cash=Decimal(250_000), at_ns=rig.market_ns(), seed=0)
    later = Rig(
        ["JD"],
        [plan("JD/w", "JD", Makes(Idle()))],
        venue=honest,
        state=state,
        journal=rig.kept,
        epoch=2,
    )
    async with later.running():
        assert later.state.orders[order].state is OrderState.UNKNOWN
        assert later.state.books.reserved > 0, "it keeps its cash"
        await later.minute()
        # It reaches the broker after all, from somewhere in the network.
        await DirectBroker.submit(honest, later.state.orders[order])
        await later.minute()
        await trio.sleep(60)
    assert later.state.orders[order].state is OrderState.FILLED
    assert later.state.position(JD).quantity == 10
    assert [type(one) for one in rig.kept.events(RequestAccepted)] == [RequestAccepted]
    assert later.buys() == ["JD"]

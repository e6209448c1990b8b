"""The lanes to the broker: each order leaves once, what is not known is called unknown, questions are repeated."""

from collections.abc import Callable
from itertools import pairwise

import pytest
import trio
from immutables import Map
from msgspec.structs import replace
from trio.testing import MockClock, wait_all_tasks_blocked

from tests.plays import TEN_NS, some_order
from trader.clock import FreePace
from trader.inbox import INBOX_MAX, Inbox
from trader.limits import Limits
from trader.messages import (
    Cancel,
    CancelOutcome,
    Claim,
    Clock,
    Input,
    Lookup,
    LookupMissed,
    OrderReport,
    SendOutcome,
    SendStarted,
    Statement,
    Submit,
)
from trader.model import (
    AccountId,
    ClientOrderId,
    Order,
    OrderState,
    Phase,
    Purpose,
    Side,
    Symbol,
)
from trader.outbox import (
    INTENT_AGE_MAX_S,
    LOOKUP_PAUSE_FIRST_S,
    LOOKUP_PAUSE_MAX_S,
    Outbox,
    lanes_needed,
)
from trader.ports import BrokerUnavailable, Hear
from trader.positions import Position
from trader.risk import EXITS_LIVE_MAX
from trader.state import ExecutionState

LIMITS = Limits(entries_open_max=2)


class Desk:
    """A broker that notes what it is asked, and answers when it is let."""

    def __init__(self) -> None:
        self.submitted: list[ClientOrderId] = []
        self.asked: list[tuple[float, int]] = []  # machine time and number of each lookup
        self.may_answer = trio.Event()
        self.answers: list[list[Input] | Exception | None] = []

    async def identify(self) -> AccountId:
        return AccountId("desk:1")

    async def submit(self, order: Order) -> OrderReport | SendOutcome:
        self.submitted.append(order.client_order_id)
        await self.may_answer.wait()
        return acknowledged(order)

    async def cancel(self, order: Order) -> CancelOutcome:
        await self.may_answer.wait()
        return CancelOutcome(client_order_id=order.client_order_id, outcome="accepted")

    async def lookup(self, order: Order, attempts: int) -> list[Input] | LookupMissed:
        await trio.lowlevel.checkpoint()
        self.asked.append((trio.current_time(), attempts))
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        if answer is None:
            return LookupMissed(client_order_id=order.client_order_id, attempts=attempts)
        return answer

    async def is_absent(self, order: Order) -> bool:
        return False

    async def look(self, since: Statement) -> frozenset[ClientOrderId] | None:
        return None

    async def statement(self, since_ns: int) -> list[Input]:
        return []

    async def follow(
        self, hear: Hear, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED
    ) -> None:
        task_status.started()


def acknowledged(order: Order) -> OrderReport:
    return OrderReport(
        client_order_id=order.client_order_id,
        broker_order_id=None,
        symbol=order.symbol,
        side=order.side,
        claim=Claim.NEW,
        quantity=order.quantity,
        quantity_cumulative=order.quantity_filled,
        at_ns=TEN_NS,
        source="reply",
    )


class Bench:
    def __init__(
        self, last_check: Callable[[Order], str] = lambda order: "", *, senders: int = 1
    ) -> None:
        self.broker = Desk()
        self.inbox = Inbox()
        self.outbox = Outbox(
            broker=self.broker,
            inbox=self.inbox,
            pace=FreePace(lambda: TEN_NS),
            capacity=lanes_needed(ExecutionState(), LIMITS, 1),
            last_check=last_check,
            senders=senders,
        )


def order_named(name: str) -> Order:
    return some_order(OrderState.INTENT, client_order_id=ClientOrderId(name))


def outcomes(inbox: Inbox) -> list[str]:
    return [one.outcome for one in inbox.drain() if isinstance(one, SendOutcome)]


async def test_orders_leave_one_after_the_other_in_the_order_in_which_they_were_put() -> None:
    bench = Bench()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(bench.outbox.run)
        for name in ("one", "two", "three"):
            bench.outbox.put(Submit(order=order_named(name)))
        await wait_all_tasks_blocked()
        assert bench.broker.submitted == ["one"]
        assert bench.inbox.drain() == [SendStarted(client_order_id=ClientOrderId("one"))]
        bench.broker.may_answer.set()
        await wait_all_tasks_blocked()
        nursery.cancel_scope.cancel()
    assert bench.broker.submitted == ["one", "two", "three"]
    assert not bench.outbox.has_orders()


async def test_one_question_about_an_order_is_under_way_at_a_time(
    autojump_clock: MockClock,
) -> None:
    bench = Bench()
    order = order_named("one")
    bench.broker.answers = [None, BrokerUnavailable("later"), None]
    async with trio.open_nursery() as nursery:
        nursery.start_soon(bench.outbox.run)
        for _ in range(100):  # more than the lane holds
            bench.outbox.put(Lookup(order=order, attempts=0))
        await trio.sleep(LOOKUP_PAUSE_MAX_S)
        assert len(bench.broker.asked) == 1
        assert bench.inbox.drain() == [
            LookupMissed(client_order_id=order.client_order_id, attempts=1)
        ]
        for _ in range(100):
            bench.outbox.put(Lookup(order=order, attempts=1))
        await trio.sleep(2 * LOOKUP_PAUSE_MAX_S)
        assert len(bench.broker.asked) == 3, "one that failed, asked again, and its answer"
        nursery.cancel_scope.cancel()


async def test_a_send_that_is_cancelled_on_the_way_is_unknown() -> None:
    bench = Bench()
    order = order_named("one")
    async with trio.open_nursery() as nursery:
        nursery.start_soon(bench.outbox.run)
        bench.outbox.put(Submit(order=order))
        await wait_all_tasks_blocked()
        nursery.cancel_scope.cancel()
    told = bench.inbox.drain()
    assert told == [
        SendStarted(client_order_id=order.client_order_id),
        SendOutcome(
            client_order_id=order.client_order_id,
            outcome="unknown",
            reason="we stopped while it was being sent",
        ),
    ]
    assert bench.broker.submitted == ["one"]


async def test_a_cancelled_send_stays_a_cancellation_when_nobody_can_be_told() -> None:
    bench = Bench()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(bench.outbox.run)
        bench.outbox.put(Submit(order=order_named("one")))
        await wait_all_tasks_blocked()
        for minute in range(INBOX_MAX - 1):
            bench.inbox.tell_nowait(Clock(at_ns=minute, session="", phase=Phase.REGULAR, marks={}))
        with pytest.raises(trio.WouldBlock):
            bench.inbox.tell_nowait(Clock(at_ns=0, session="", phase=Phase.REGULAR, marks={}))
        nursery.cancel_scope.cancel()


async def test_an_order_that_waited_to_be_sent_before_the_cancellation_never_leaves() -> None:
    bench = Bench()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(bench.outbox.run)
        for name in ("one", "two"):
            bench.outbox.put(Submit(order=order_named(name)))
        await wait_all_tasks_blocked()
        nursery.cancel_scope.cancel()
    assert bench.broker.submitted == ["one"]
    assert outcomes(bench.inbox) == ["unknown"]


async def test_the_last_check_before_the_bytes_can_refuse() -> None:
    bench = Bench(last_check=lambda order: "the database isn't ours any more")
    async with trio.open_nursery() as nursery:
        nursery.start_soon(bench.outbox.run)
        bench.outbox.put(Submit(order=order_named("one")))
        await wait_all_tasks_blocked()
        nursery.cancel_scope.cancel()
    assert bench.broker.submitted == []
    assert bench.inbox.drain() == [
        SendOutcome(
            client_order_id=ClientOrderId("one"),
            outcome="never_sent",
            reason="the database isn't ours any more",
        )
    ]


async def test_an_intent_that_grew_too_old_in_the_lane_is_not_sent(
    autojump_clock: MockClock,
) -> None:
    bench = Bench()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(bench.outbox.run)
        bench.outbox.put(Submit(order=order_named("one")))
        bench.outbox.put(Submit(order=order_named("two")))
        await trio.sleep(INTENT_AGE_MAX_S + 1)
        bench.broker.may_answer.set()
        await wait_all_tasks_blocked()
        nursery.cancel_scope.cancel()
    assert bench.broker.submitted == ["one"]
    assert outcomes(bench.inbox) == ["never_sent"]


async def test_a_lookup_is_asked_after_a_pause_that_grows_with_the_attempts(
    autojump_clock: MockClock,
) -> None:
    order = order_named("one")
    for attempts in (0, 1, 4, 50):
        bench = Bench()
        bench.broker.answers = [[acknowledged(order)]]
        async with trio.open_nursery() as nursery:
            nursery.start_soon(bench.outbox.run)
            began = trio.current_time()
            bench.outbox.put(Lookup(order=order, attempts=attempts))
            await bench.inbox.wait()
            nursery.cancel_scope.cancel()
        [(asked, number)] = bench.broker.asked
        pause = min(LOOKUP_PAUSE_FIRST_S * 2**attempts, LOOKUP_PAUSE_MAX_S)
        assert asked - began == pytest.approx(pause)
        assert number == attempts + 1
        assert bench.inbox.drain() == [acknowledged(order)]


async def test_a_question_that_fails_says_nothing_and_is_asked_again_later_each_time(
    autojump_clock: MockClock,
) -> None:
    order = order_named("one")
    bench = Bench()
    bench.broker.answers = [*[BrokerUnavailable("504")] * 12, None]
    async with trio.open_nursery() as nursery:
        nursery.start_soon(bench.outbox.run)
        bench.outbox.put(Lookup(order=order, attempts=0))
        with trio.fail_after(1_000):
            await bench.inbox.wait()
        nursery.cancel_scope.cancel()
    assert bench.inbox.drain() == [LookupMissed(client_order_id=order.client_order_id, attempts=13)]
    times = [at for at, _ in bench.broker.asked]
    pauses = [later - sooner for sooner, later in pairwise(times)]
    assert pauses == sorted(pauses)
    assert pauses[-1] == pytest.approx(LOOKUP_PAUSE_MAX_S)


async def test_a_slow_question_about_one_order_holds_up_no_other(autojump_clock: MockClock) -> None:
    slow, quick = order_named("slow"), order_named("quick")
    bench = Bench()
    bench.broker.answers = [[acknowledged(quick)]]
    async with trio.open_nursery() as nursery:
        nursery.start_soon(bench.outbox.run)
        bench.outbox.put(Lookup(order=slow, attempts=10))
        bench.outbox.put(Lookup(order=quick, attempts=0))
        await bench.inbox.wait()
        nursery.cancel_scope.cancel()
    assert bench.inbox.drain() == [acknowledged(quick)]


async def test_cancels_have_a_lane_of_their_own() -> None:
    bench = Bench()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(bench.outbox.run)
        bench.outbox.put(Submit(order=order_named("one")))
        await wait_all_tasks_blocked()
        bench.outbox.put(Cancel(order=order_named("two")))
        bench.broker.may_answer.set()
        await wait_all_tasks_blocked()
        nursery.cancel_scope.cancel()
    assert CancelOutcome(client_order_id=ClientOrderId("two"), outcome="accepted") in (
        bench.inbox.drain()
    )


async def test_entries_without_an_answer_hold_up_no_exit() -> None:
    bench = Bench(senders=2)
    exits = [
        replace(order_named(name), side=Side.SELL, purpose=Purpose.EXIT) for name in ("x1", "x2")
    ]
    async with trio.open_nursery() as nursery:
        nursery.start_soon(bench.outbox.run)
        for name in ("e1", "e2", "e3"):
            bench.outbox.put(Submit(order=order_named(name)))
        await wait_all_tasks_blocked()
        assert sorted(bench.broker.submitted) == ["e1", "e2"]
        for order in exits:
            bench.outbox.put(Submit(order=order))
        await wait_all_tasks_blocked()
        assert sorted(bench.broker.submitted) == ["e1", "e2", "x1", "x2"]
        nursery.cancel_scope.cancel()


async def test_a_cancel_that_is_under_way_is_not_asked_for_twice() -> None:
    bench = Bench()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(bench.outbox.run)
        for _ in range(3):
            bench.outbox.put(Cancel(order=order_named("one")))
            await wait_all_tasks_blocked()
        bench.broker.may_answer.set()
        await wait_all_tasks_blocked()
        assert len(bench.inbox.drain()) == 1
        bench.outbox.put(Cancel(order=order_named("one")))
        await wait_all_tasks_blocked()
        assert len(bench.inbox.drain()) == 1, "answered, it may be asked for again"
        nursery.cancel_scope.cancel()


def test_the_lanes_have_room_for_what_a_life_with_wider_limits_left_alive() -> None:
    left = Position(
        symbol=Symbol("JD"), entries=tuple(map(ClientOrderId, "abc")), exits=(ClientOrderId("d"),)
    )
    state = ExecutionState(positions=Map({left.symbol: left}))
    assert lanes_needed(state, LIMITS, 1) == lanes_needed(ExecutionState(), LIMITS, 1) + 4


async def test_every_order_that_the_rules_allow_alive_finds_room_in_each_lane() -> None:
    bench = Bench()
    most = 2 + EXITS_LIVE_MAX
    for number in range(most):
        order = order_named(str(number))
        for effect in (Submit(order=order), Cancel(order=order), Lookup(order=order, attempts=0)):
            bench.outbox.put(effect)

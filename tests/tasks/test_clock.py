"""The two paces: the free one runs with the machine's clock; the settled one gives turns, one thing at a time."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from trader.clock import SETTLE_HOLD_MAX_S, FreePace, RunningClock, SettledPace
from trader.model import MINUTE_NS, SECOND_NS


async def test_running_time_follows_the_machine_so_many_times_as_fast(
    mock_clock: MockClock,
) -> None:
    market_ns = RunningClock(1_000, speed=60.0)
    assert market_ns() == 1_000
    mock_clock.jump(2.0)
    assert market_ns() == pytest.approx(1_000 + 120 * SECOND_NS, abs=SECOND_NS / 1_000)


async def test_at_a_free_pace_nobody_waits_for_a_turn(autojump_clock: MockClock) -> None:
    pace = FreePace(RunningClock(0, speed=60.0), speed=60.0)
    pace.began("anything")
    async with pace.executor_turn(), pace.sender_turn():
        pass
    began = trio.current_time()
    await pace.sleep_until(MINUTE_NS)
    assert trio.current_time() - began == pytest.approx(1.0)
    await pace.sleep_until(0)


class Day:
    """A conducted market: it notes what happens in which order, and moves a minute with each advance."""

    def __init__(
        self,
        *,
        instants: int = 3,
        speed: float | None = None,
        is_paced: Callable[[int], bool] = lambda at_ns: True,
    ) -> None:
        self.now_ns = 0
        self.happened: list[str] = []
        self.wants_executor = False
        self.wants_sender = False
        self.on_instant: Callable[[int], Awaitable[None]] | None = None
        self._instants = instants
        self.pace = SettledPace(lambda: self.now_ns, speed=speed, is_paced=is_paced)

    async def advance(self) -> bool:
        await trio.lowlevel.checkpoint()
        if self.now_ns // MINUTE_NS == self._instants:
            return False
        self.now_ns += MINUTE_NS
        self.happened.append(f"minute {self.now_ns // MINUTE_NS}")
        return True

    async def _on_instant(self, at_ns: int) -> None:
        if self.on_instant is not None:
            await self.on_instant(at_ns)

    @asynccontextmanager
    async def conducted(self) -> AsyncIterator[trio.Nursery]:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(
                lambda: self.pace.conduct(
                    self.advance,
                    on_instant=self._on_instant,
                    wants_executor=lambda: self.wants_executor,
                    wants_sender=lambda: self.wants_sender,
                )
            )
            await wait_all_tasks_blocked()
            yield nursery
            nursery.cancel_scope.cancel()

    async def execute(self, turns: int = 1, work: trio.Event | None = None) -> None:
        for _ in range(turns):
            async with self.pace.executor_turn():
                self.wants_executor = False
                self.happened.append("executor")
                if work is not None:
                    await work.wait()

    async def send(self, work: trio.Event | None = None) -> None:
        async with self.pace.sender_turn():
            self.wants_sender = False
            self.happened.append("sender")
            if work is not None:
                await work.wait()
                self.happened.append("sent")


async def test_the_market_stands_still_until_it_may_begin_and_says_when_it_is_over() -> None:
    day = Day()
    async with day.conducted():
        assert day.happened == []
        day.pace.begin()
        await day.pace.session_over.wait()
        await wait_all_tasks_blocked()
    assert day.happened == ["minute 1", "minute 2", "minute 3"]


async def test_turns_go_on_while_the_market_stands_and_after_the_session() -> None:
    day = Day(instants=0)
    async with day.conducted() as nursery:
        day.wants_executor = True
        nursery.start_soon(day.execute)
        await wait_all_tasks_blocked()
        assert day.happened == ["executor"]
        day.pace.begin()
        await day.pace.session_over.wait()
        day.wants_executor = True
        nursery.start_soon(day.execute)
        await wait_all_tasks_blocked()
    assert day.happened == ["executor", "executor"]


async def test_no_turn_is_given_and_no_market_moves_while_anything_is_under_way() -> None:
    day = Day(instants=1)
    day.wants_executor = True
    day.pace.began("a worker reads")
    day.pace.frame_put("trading", 2)
    async with day.conducted() as nursery:
        day.pace.begin()
        nursery.start_soon(day.execute)
        await wait_all_tasks_blocked()
        day.pace.ended("a worker reads")
        await wait_all_tasks_blocked()
        day.pace.frame_taken("trading")
        await wait_all_tasks_blocked()
        assert day.happened == []
        day.pace.frame_taken("trading")
        await day.pace.session_over.wait()
    assert day.happened == ["executor", "minute 1"]
    assert day.pace.holds == 0


async def test_the_executor_goes_before_the_sender_and_orders_leave_one_at_a_time() -> None:
    day = Day(instants=1)
    first, second = trio.Event(), trio.Event()
    day.wants_executor = day.wants_sender = True
    async with day.conducted() as nursery:
        nursery.start_soon(day.execute)
        nursery.start_soon(day.send, first)
        await wait_all_tasks_blocked()
        assert day.happened == ["executor", "sender"]
        day.pace.begin()
        day.wants_sender = True
        await wait_all_tasks_blocked()
        assert day.happened == ["executor", "sender"], "the market waits for the send's outcome"
        first.set()
        await wait_all_tasks_blocked()
        nursery.start_soon(day.send, second)
        await wait_all_tasks_blocked()
        assert day.happened[2:] == ["sent", "sender"]
        second.set()
        await day.pace.session_over.wait()
    assert day.happened[4:] == ["sent", "minute 1"]


async def test_what_an_instant_leads_to_comes_before_the_next_instant() -> None:
    day = Day(instants=2)

    async def on_instant(at_ns: int) -> None:
        day.happened.append("tick")
        day.wants_executor = True
        day.pace.began("mail")
        await trio.lowlevel.checkpoint()
        day.pace.ended("mail")

    day.on_instant = on_instant
    async with day.conducted() as nursery:
        nursery.start_soon(day.execute, 10)
        day.pace.begin()
        await day.pace.session_over.wait()
        await wait_all_tasks_blocked()
    assert day.happened[:6] == ["minute 1", "tick", "executor", "minute 2", "tick", "executor"]


async def test_what_never_settles_is_excused_after_a_while_and_the_day_goes_on(
    autojump_clock: MockClock,
) -> None:
    day = Day(instants=2)
    day.pace.began("a query without an answer")
    day.pace.frame_put("market", 1)
    async with day.conducted():
        day.pace.begin()
        began = trio.current_time()
        await day.pace.session_over.wait()
        assert trio.current_time() - began == pytest.approx(SETTLE_HOLD_MAX_S)
    assert day.happened == ["minute 1", "minute 2"]
    assert day.pace.holds == 1
    day.pace.ended("a query without an answer")  # late, and harmless


async def test_a_send_that_hangs_keeps_the_executor_from_nothing(autojump_clock: MockClock) -> None:
    day = Day(instants=1)
    hanging = trio.Event()
    async with day.conducted() as nursery:
        day.wants_sender = True
        nursery.start_soon(day.send, hanging)
        await wait_all_tasks_blocked()
        day.wants_sender = True  # the next order waits behind it
        await trio.sleep(SETTLE_HOLD_MAX_S + 1)
        day.wants_executor = True
        nursery.start_soon(day.execute)
        await trio.sleep(2 * SETTLE_HOLD_MAX_S)
        assert day.happened == ["sender", "executor"]


async def test_a_stream_that_came_or_went_leaves_no_frames_to_wait_for() -> None:
    day = Day(instants=1)
    day.pace.frame_put("market", 7)
    async with day.conducted():
        day.pace.begin()
        await wait_all_tasks_blocked()
        assert day.happened == []
        day.pace.stream_moved("market", connected=False)
        await day.pace.session_over.wait()
    day.pace.frame_taken("market")  # one more than was put: harmless
    day.pace.frame_put("market", 1)
    assert day.happened == ["minute 1"]


async def test_at_a_speed_the_market_takes_its_time(autojump_clock: MockClock) -> None:
    day = Day(instants=10, speed=120.0)
    async with day.conducted():
        began = trio.current_time()
        day.pace.begin()
        await day.pace.session_over.wait()
        # An instant may come as soon as the machine has caught up with the one before it.
        assert trio.current_time() - began == pytest.approx(10 * 0.5)


async def test_time_that_is_not_paced_passes_as_fast_as_it_settles(
    autojump_clock: MockClock,
) -> None:
    day = Day(instants=10, speed=120.0, is_paced=lambda at_ns: at_ns >= 6 * MINUTE_NS)
    async with day.conducted():
        began = trio.current_time()
        day.pace.begin()
        await day.pace.session_over.wait()
        assert trio.current_time() - began == pytest.approx(5 * 0.5, abs=0.51)


async def test_a_pause_stops_the_market_also_in_the_middle_of_its_wait(
    autojump_clock: MockClock,
) -> None:
    day = Day(instants=10, speed=60.0)
    async with day.conducted() as nursery:
        day.pace.begin()
        await trio.sleep(2.5)
        before = list(day.happened)
        day.pace.pause()
        await trio.sleep(30)
        assert day.happened == before
        day.wants_executor = True
        nursery.start_soon(day.execute)
        await wait_all_tasks_blocked()
        assert day.happened == [*before, "executor"]
        day.pace.begin()
        await day.pace.session_over.wait()
    assert day.happened[-1] == "minute 10"


async def test_cancelling_who_waits_for_a_turn_gives_the_turn_back() -> None:
    day = Day(instants=1)
    async with day.conducted() as nursery:
        with trio.CancelScope() as scope:
            scope.cancel()
            await day.execute()
        day.wants_executor = True
        nursery.start_soon(day.execute)
        day.pace.begin()
        await day.pace.session_over.wait()
    assert day.happened == ["executor", "minute 1"]

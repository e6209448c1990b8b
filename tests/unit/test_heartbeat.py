"""Who is silent for too long is named once; who waits for mail owes nothing."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import trio
import trio.testing

from trader.clock import FreePace
from trader.heartbeat import SILENT_S_MAX, BeatingPace, Heart, watch


class Wall:
    """A clock that is moved by hand."""

    now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


def test_a_task_that_rests_is_never_silent() -> None:
    wall = Wall()
    heart = Heart(wall)
    with heart.at_work("executor"):
        pass
    wall.now_s = 1_000
    assert heart.silent() == {}


def test_a_task_with_something_in_hand_is_silent_after_its_bound() -> None:
    wall = Wall()
    heart = Heart(wall)
    heart.beat("executor", 15)
    heart.beat("sender", 30)
    wall.now_s = 15
    assert heart.silent() == {}
    wall.now_s = 16
    assert heart.silent() == {"executor": 16}
    heart.beat("executor", 15)
    assert heart.silent() == {}


class Watched:
    """A heart under watch: what was alarmed, and how often all was well."""

    def __init__(self) -> None:
        self.heart = Heart()
        self.alarms: list[str] = []
        self.well = 0

    async def alarm(self, message: str) -> None:
        self.alarms.append(message)

    def is_well(self) -> None:
        self.well += 1

    @asynccontextmanager
    async def watched(self) -> AsyncIterator[None]:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(lambda: watch(self.heart, self.alarm, well=self.is_well))
            yield
            nursery.cancel_scope.cancel()


async def test_a_silent_task_is_named_once_and_so_is_its_return(
    autojump_clock: trio.testing.MockClock,
) -> None:
    one = Watched()
    async with one.watched():
        one.heart.beat("executor", 10)
        await trio.sleep(60)
        fed = one.well
        one.heart.beat("executor", 1_000)
        await trio.sleep(60)
    assert one.alarms == ["executor: no sign of life for 11 s", "executor: lives again"]
    assert fed <= 10, "systemd isn't fed while somebody is silent"
    assert one.well > fed


async def test_a_turn_that_hangs_is_the_executors_silence(
    autojump_clock: trio.testing.MockClock,
) -> None:
    one = Watched()
    pace = BeatingPace(FreePace(lambda: 0), one.heart)
    async with one.watched():
        async with pace.executor_turn():
            await trio.sleep(2 * SILENT_S_MAX)
        async with pace.sender_turn():
            await trio.sleep(SILENT_S_MAX)  # within the broker's deadlines
        await trio.sleep(100)
    assert [alarm.split(":")[0] for alarm in one.alarms] == ["executor", "executor"]
    assert one.heart.silent() == {}


STOOD_STILL = (
    "everything stood still for 29 s: a handler that computes, or this process was stopped"
)


async def test_a_loop_that_stood_still_is_alarmed_and_no_task_that_could_not_be_heard(
    mock_clock: trio.testing.MockClock,
) -> None:
    one = Watched()
    one.heart.beat("freshness", 10)
    async with one.watched():
        await trio.testing.wait_all_tasks_blocked()
        mock_clock.jump(30)
        await trio.testing.wait_all_tasks_blocked()
        assert one.alarms == [STOOD_STILL]
        one.heart.rest("freshness")
    assert one.alarms == [STOOD_STILL]

"""Takes chance out of a run: virtual time, and Trio's scheduler seeded. The only place that touches Trio's inside.

Trio shuffles the tasks that are ready in each step, so that nobody relies on an order. The names used here are
private; a canary test fails when a newer Trio no longer listens to them.
"""

import itertools
import math
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from heapq import heappop, heappush
from typing import TypeVar

import trio
import trio._core._run as scheduler
from trio.testing import MockClock

T = TypeVar("T")
_SWITCH = "_ALLOW_DETERMINISTIC_SCHEDULING"


def run_seeded(main: Callable[[], Awaitable[T]], seed: int, *instruments: trio.abc.Instrument) -> T:
    """Run to the end in virtual time, every choice of the scheduler drawn from the seed; restores what it changed."""
    was = getattr(scheduler, _SWITCH)
    setattr(scheduler, _SWITCH, True)
    state = scheduler._r.getstate()
    scheduler._r.seed(seed)
    time = VirtualTime()
    try:
        with time.slept():
            return trio.run(main, clock=time.clock, instruments=list(instruments))
    finally:
        setattr(scheduler, _SWITCH, was)
        scheduler._r.setstate(state)


class VirtualTime:
    """A MockClock that jumps as soon as nobody can run, and sleeps that wait for it without a timeout each.

    Most of what a simulated world does is sleeping. Trio's own sleep is a cancel scope whose deadline raises an
    exception; here a task is woken when the clock comes by, as in a calendar. To be cancelled it stays as before.
    """

    def __init__(self) -> None:
        self.clock = MockClock(autojump_threshold=0)
        self._now_s = self.clock.current_time()
        self._asleep: list[_Sleeper] = []
        self._numbers = itertools.count()
        # MockClock is final: no class of ours can say this.
        setattr(self.clock, "current_time", lambda: self._now_s)  # noqa: B010
        setattr(self.clock, "_autojump", self._jump)  # noqa: B010

    @contextmanager
    def slept(self) -> Iterator[None]:
        """While inside, `trio.sleep` and `trio.sleep_until` are ours."""
        was = trio.sleep, trio.sleep_until
        trio.sleep, trio.sleep_until = self.sleep, self.sleep_until
        try:
            yield
        finally:
            trio.sleep, trio.sleep_until = was

    async def sleep(self, seconds: float) -> None:
        """See trio.sleep."""
        if not seconds >= 0:
            raise ValueError("`seconds` must be non-negative")
        await self.sleep_until(self._now_s + seconds)

    async def sleep_until(self, deadline: float) -> None:
        """See trio.sleep_until."""
        if deadline <= self._now_s:
            await trio.lowlevel.checkpoint()
            return
        sleeper = _Sleeper(deadline, next(self._numbers))
        heappush(self._asleep, sleeper)
        await trio.lowlevel.wait_task_rescheduled(sleeper.roused)

    def _jump(self) -> None:
        """Nobody can run: on to the next instant at which somebody can."""
        asleep = self._asleep
        while asleep and asleep[0].task is None:
            heappop(asleep)
        due_s = scheduler.GLOBAL_RUN_CONTEXT.runner.deadlines.next_deadline()
        if asleep:
            due_s = min(due_s, asleep[0].due_s)
        if due_s < math.inf:
            self._now_s = max(self._now_s, due_s)
        while asleep and asleep[0].due_s <= self._now_s:
            sleeper = heappop(asleep)
            if sleeper.task is not None:
                trio.lowlevel.reschedule(sleeper.task)


class _Sleeper:
    """A task until it is woken or cancelled."""

    __slots__ = ("due_s", "number", "task")

    def __init__(self, due_s: float, number: int) -> None:
        self.due_s = due_s
        self.number = number
        self.task: trio.lowlevel.Task | None = trio.lowlevel.current_task()

    def __lt__(self, other: "_Sleeper") -> bool:
        return (self.due_s, self.number) < (other.due_s, other.number)

    def roused(self, _: object) -> trio.lowlevel.Abort:
        self.task = None
        return trio.lowlevel.Abort.SUCCEEDED


class StepBudget(trio.abc.Instrument):
    """Counts the steps of all tasks: a livelock makes no virtual time pass, so no virtual deadline ends it.

    Nothing may be raised in an instrument: beyond the budget it cancels.
    """

    def __init__(self, steps_max: int) -> None:
        self.steps = 0
        self.is_spent = False
        self.scope: trio.CancelScope | None = None
        self._steps_max = steps_max

    def before_task_step(self, task: trio.lowlevel.Task) -> None:
        self.steps += 1
        if self.steps > self._steps_max and not self.is_spent and self.scope is not None:
            self.is_spent = True
            self.scope.cancel()

"""Takes chance out of a run: virtual time, and Trio's scheduler seeded. The only place that touches Trio's inside.

Trio shuffles the tasks that are ready in each step, so that nobody relies on an order. The names used here are
private; a canary test fails when a newer Trio no longer listens to them.
"""

import itertools
import math
import sys
from collections.abc import Awaitable, Callable, Iterator, MutableSequence
from contextlib import contextmanager
from heapq import heappop, heappush
from random import Random
from typing import Any, TypeVar

import trio
import trio._core._run as scheduler
from trio.testing import MockClock

T = TypeVar("T")
Events = Any  # of one platform or another
_SWITCH = "_ALLOW_DETERMINISTIC_SCHEDULING"
_MANAGER = "TheIOManager"
LOOK_EVERY = 64  # turns of the scheduler


def run_seeded(
    main: Callable[[], Awaitable[T]],
    seed: int,
    budget: "StepBudget | None" = None,
    time: "VirtualTime | None" = None,
) -> T:
    """Run to the end in virtual time, every choice of the scheduler drawn from the seed; restores what it changed."""
    time, manager = time or VirtualTime(), getattr(scheduler, _MANAGER)
    with (
        _put(scheduler, _SWITCH, True),
        _put(scheduler, "_r", _Shuffling(seed, budget or StepBudget(sys.maxsize))),
        _put(scheduler, "Instruments", _NoInstruments),
        _put(manager, "get_events", _seldom(manager.get_events)),
        _put(trio, "sleep", time.sleep),
        _put(trio, "sleep_until", time.sleep_until),
    ):
        return trio.run(main, clock=time.clock)


@contextmanager
def _put(place: object, name: str, value: object) -> Iterator[None]:
    was = getattr(place, name)
    setattr(place, name, value)
    try:
        yield
    finally:
        setattr(place, name, was)


def _seldom(look: Callable[[object, float], Events]) -> Callable[[object, float], Events]:
    """Nothing ever comes from outside, but for Ctrl-C, which has the time: so that is looked for now and then."""
    turns = itertools.count()

    def get_events(manager: object, timeout: float) -> Events:
        return look(manager, timeout) if timeout or not next(turns) % LOOK_EVERY else []

    return get_events


class _NoInstruments(dict[str, object]):
    """The scheduler asks at each of its steps whether anybody wants to be told of it: nobody does."""

    def __init__(self, _: object) -> None:
        super().__init__()


class StepBudget:
    """Counts the steps of all tasks: a livelock makes no virtual time pass, so no virtual deadline ends it.

    Nothing may be raised in the midst of the scheduler: beyond the budget it cancels.
    """

    def __init__(self, steps_max: int) -> None:
        self.steps = 0
        self.is_spent = False
        self.scope: trio.CancelScope | None = None
        self._steps_max = steps_max

    def spend(self, steps: int) -> None:
        """So many are about to be made."""
        self.steps += steps
        if self.steps > self._steps_max and not self.is_spent and self.scope is not None:
            self.is_spent = True
            self.scope.cancel()


class _Shuffling(Random):
    """What Trio shuffles the tasks with that are ready: it does so once a turn, and with all that will run in it."""

    def __init__(self, seed: int, budget: StepBudget) -> None:
        super().__init__(seed)
        self._budget = budget

    def shuffle(self, batch: MutableSequence[Any]) -> None:
        steps = len(batch)
        if steps > 1:
            super().shuffle(batch)
        self._budget.spend(steps)


class VirtualTime:
    """A MockClock that jumps as soon as nobody can run, and a calendar of what is to be done then.

    Most of what a simulated world does is sleeping. Trio's own sleep is a cancel scope whose deadline raises an
    exception; here a task is woken when the clock comes by. To be cancelled it stays as before.
    """

    def __init__(self) -> None:
        self.clock = MockClock(autojump_threshold=0)
        self._now_s = self.clock.current_time()
        self._coming: list[tuple[float, int, _Due | _Sleeper]] = []
        self._numbers = itertools.count()
        # MockClock is final: no class of ours can say this.
        setattr(self.clock, "current_time", lambda: self._now_s)  # noqa: B010
        setattr(self.clock, "_autojump", self._jump)  # noqa: B010

    async def sleep(self, seconds: float) -> None:
        """See trio.sleep."""
        if not seconds >= 0:
            raise ValueError("`seconds` must be non-negative")
        deadline = self._now_s + seconds
        if deadline <= self._now_s:
            await trio.lowlevel.checkpoint()
        else:
            await trio.lowlevel.wait_task_rescheduled(self._sleeper(deadline))

    async def sleep_until(self, deadline: float) -> None:
        """See trio.sleep_until."""
        if deadline <= self._now_s:
            await trio.lowlevel.checkpoint()
            return
        await trio.lowlevel.wait_task_rescheduled(self._sleeper(deadline))

    def _sleeper(self, deadline: float) -> Callable[[Any], trio.lowlevel.Abort]:
        sleeper = _Sleeper(trio.lowlevel.current_task())
        heappush(self._coming, (deadline, next(self._numbers), sleeper))
        return sleeper.roused

    def at(self, due_s: float, deed: Callable[[], None]) -> Callable[[], None]:
        """Do it when nobody can run before that instant, in no task: it may not raise. Returns what takes it back."""
        due = _Due(deed)
        heappush(self._coming, (due_s, next(self._numbers), due))
        return due.take_back

    def _jump(self) -> None:
        """Nobody can run: on to the next instant at which somebody can."""
        coming = self._coming
        while coming and coming[0][2].is_off:
            heappop(coming)
        due_s = scheduler.GLOBAL_RUN_CONTEXT.runner.deadlines.next_deadline()
        if coming:
            due_s = min(due_s, coming[0][0])
        if due_s < math.inf:
            self._now_s = max(self._now_s, due_s)
        while coming and coming[0][0] <= self._now_s:
            due = heappop(coming)[2]
            if not due.is_off:
                due.come()


class _Due:
    """Something to be done, unless it is taken back."""

    __slots__ = ("come", "is_off")

    def __init__(self, deed: Callable[[], None]) -> None:
        self.come = deed
        self.is_off = False

    def take_back(self) -> None:
        self.is_off = True


class _Sleeper:
    """A task to be woken, unless it is cancelled before."""

    __slots__ = ("is_off", "task")

    def __init__(self, task: trio.lowlevel.Task) -> None:
        self.task = task
        self.is_off = False

    def come(self) -> None:
        trio.lowlevel.reschedule(self.task)

    def roused(self, _: object) -> trio.lowlevel.Abort:
        """It is cancelled."""
        self.is_off = True
        return trio.lowlevel.Abort.SUCCEEDED

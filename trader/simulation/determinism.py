"""Takes chance out of a run: virtual time, and Trio's scheduler seeded. The only place that touches Trio's inside.

Trio shuffles the tasks that are ready in each step, so that nobody relies on an order. The names used here are
private; a canary test fails when a newer Trio no longer listens to them.
"""

from collections.abc import Awaitable, Callable
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
    try:
        return trio.run(main, clock=MockClock(autojump_threshold=0), instruments=list(instruments))
    finally:
        setattr(scheduler, _SWITCH, was)
        scheduler._r.setstate(state)


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

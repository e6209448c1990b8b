"""Holds the market clock of a long run against the broker's: sessions, deadlines and the age of quotes hang on it.

A machine that was suspended (a lid, a paused virtual machine) wakes with a clock that stood still. Where neither the
system nor the wall's clock is asked, the program would trade by yesterday's evening all day: take every price for one
of the future, and sell nothing because the market is closed. What the system tells of a sleep is in the clock already
(clock.py). Where it tells nothing, two have to agree: the broker's clock, and this machine's own on the wall, that
they have gone on by as much. One of them alone may be wrong, and then a person is told.
"""

import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import trio

from trader.clock import RunningClock
from trader.doctor import CLOCK_SKEW_S_MAX
from trader.messages import AlarmReport
from trader.model import SECOND_NS
from trader.ports import BrokerRefused, BrokerUnavailable, Hear

logger = logging.getLogger("trader.clock")
COMPARE_EVERY_S = 300.0
LOOK_S = 5.0  # at this machine's own clocks, which costs nothing
ALARM_S = 30.0


@asynccontextmanager
async def clock_compared(
    skew_ns: Callable[[], Awaitable[int]], hear: Hear, clock: RunningClock
) -> AsyncIterator[None]:
    """While inside, compare every few minutes of machine time; the start has compared already."""
    async with trio.open_nursery() as nursery:
        nursery.start_soon(ClockCheck(skew_ns, hear, clock).run, name="clock check")
        yield
        nursery.cancel_scope.cancel()


class ClockCheck:
    """A word in the log for seconds, an alarm, once until it is well again, for more."""

    def __init__(
        self,
        skew_ns: Callable[[], Awaitable[int]],
        hear: Hear,
        clock: RunningClock,
        wall_ns: Callable[[], int] = time.time_ns,
    ) -> None:
        self._skew_ns = skew_ns
        self._hear = hear
        self._clock = clock
        self._wall_ns = wall_ns
        self._ahead_ns = wall_ns() - clock()  # the wall's, when this began
        self._seen_s = 0.0  # by how much it had left ours at the last comparison
        self._told_ns = 0  # of what was slept
        self._is_alarmed = False

    async def run(self) -> None:
        """For ever."""
        while True:
            await self._wait()
            await self._compare()

    def _left_s(self) -> float:
        """How much further the wall's clock has come than ours since this began."""
        return (self._wall_ns() - self._clock() - self._ahead_ns) / SECOND_NS

    async def _wait(self) -> None:
        """Some minutes; no longer than until the wall's clock has left ours: the machine may have slept."""
        due_s = trio.current_time() + COMPARE_EVERY_S
        while trio.current_time() < due_s:
            await trio.sleep(LOOK_S)
            await self._tell_of_sleep()
            if abs(self._left_s() - self._seen_s) > ALARM_S:
                return

    async def _compare(self) -> None:
        try:
            apart_s = await self._skew_ns() / SECOND_NS
        except (BrokerUnavailable, BrokerRefused):
            return  # Its other questions tell that better.
        if apart_s > ALARM_S and abs(apart_s - self._left_s()) <= ALARM_S:
            self._clock.set_forward(int(apart_s * SECOND_NS))
            await self._tell_of_sleep()
            apart_s = 0.0
        self._seen_s = self._left_s()
        message = f"the broker's clock is {apart_s:+.1f} s from ours: timedatectl set-ntp true"
        if abs(apart_s) > CLOCK_SKEW_S_MAX:
            logger.warning("%s", message)
        if abs(apart_s) > ALARM_S and not self._is_alarmed:
            await self._hear(AlarmReport(alarm="clock_skew", message=message))
        self._is_alarmed = abs(apart_s) > ALARM_S

    async def _tell_of_sleep(self) -> None:
        slept_s = (self._clock.slept_ns - self._told_ns) / SECOND_NS
        self._told_ns = self._clock.slept_ns
        message = (
            f"the machine was suspended for {slept_s:,.0f} s: nothing was heard or sent meanwhile"
        )
        if slept_s > CLOCK_SKEW_S_MAX:
            logger.warning("%s", message)
        if slept_s > ALARM_S:
            await self._hear(AlarmReport(alarm="machine_slept", message=message))

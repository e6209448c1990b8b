"""Holds the market clock of a long run against the broker's: sessions, deadlines and the age of quotes hang on it."""

import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import trio

from trader.doctor import CLOCK_SKEW_S_MAX
from trader.messages import AlarmReport
from trader.model import SECOND_NS
from trader.ports import BrokerRefused, BrokerUnavailable, Hear

logger = logging.getLogger("trader.clock")
COMPARE_EVERY_S = 300.0
ALARM_S = 30.0


@asynccontextmanager
async def clock_compared(
    skew_ns: Callable[[], Awaitable[int]], hear: Hear, every_s: float = COMPARE_EVERY_S
) -> AsyncIterator[None]:
    """While inside, compare every few minutes of machine time; the start has compared already."""
    async with trio.open_nursery() as nursery:
        nursery.start_soon(compare_clocks, skew_ns, hear, every_s, name="clock check")
        yield
        nursery.cancel_scope.cancel()


async def compare_clocks(skew_ns: Callable[[], Awaitable[int]], hear: Hear, every_s: float) -> None:
    """For ever: a word in the log for seconds, an alarm, once until it is well again, for more."""
    is_alarmed = False
    while True:
        await trio.sleep(every_s)
        try:
            apart_s = await skew_ns() / SECOND_NS
        except (BrokerUnavailable, BrokerRefused):
            continue  # Its other questions tell that better.
        message = f"the broker's clock is {apart_s:+.1f} s from ours: timedatectl set-ntp true"
        if abs(apart_s) > CLOCK_SKEW_S_MAX:
            logger.warning("%s", message)
        if abs(apart_s) > ALARM_S and not is_alarmed:
            await hear(AlarmReport(alarm="clock_skew", message=message))
        is_alarmed = abs(apart_s) > ALARM_S

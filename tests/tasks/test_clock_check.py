"""Our clock against the broker's, every few minutes: a word for seconds, an alarm for more, once."""

from collections.abc import Sequence

import pytest
import trio
from trio.testing import MockClock

from trader.live.clock_check import compare_clocks
from trader.messages import AlarmReport, Input
from trader.model import SECOND_NS
from trader.ports import BrokerUnavailable

EVERY_S = 300.0


async def alarms(apart_s: Sequence[float | None]) -> list[str]:
    """What is told over looks that find these; None is a broker that doesn't answer."""
    told: list[str] = []
    left = list(apart_s)
    is_over = trio.Event()

    async def skew_ns() -> int:
        if not left:
            is_over.set()
            await trio.sleep_forever()
        found = left.pop(0)
        if found is None:
            raise BrokerUnavailable("GET /v2/clock: HTTP 500")
        return int(found * SECOND_NS)

    async def hear(heard: Input) -> None:
        assert isinstance(heard, AlarmReport)
        told.append(f"{heard.alarm} {heard.message}")

    async with trio.open_nursery() as nursery:
        nursery.start_soon(compare_clocks, skew_ns, hear, EVERY_S)
        await is_over.wait()
        nursery.cancel_scope.cancel()
    assert trio.current_time() == pytest.approx(EVERY_S * (len(apart_s) + 1))
    return told


async def test_clocks_that_agree_are_not_worth_a_word(
    autojump_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    assert await alarms([0.1, -1.9, None, 2.0]) == []
    assert caplog.messages == []


async def test_seconds_are_logged_each_time_and_half_a_minute_is_an_alarm_once(
    autojump_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    assert await alarms([3, 31, None, 45, 1, -40]) == [
        "clock_skew the broker's clock is +31.0 s from ours: timedatectl set-ntp true",
        "clock_skew the broker's clock is -40.0 s from ours: timedatectl set-ntp true",
    ]
    assert len(caplog.messages) == 4

"""Our clock against the broker's, every few minutes; and what becomes of it when the machine has slept."""

from collections.abc import Sequence

import pytest
import trio
from trio.testing import MockClock

from trader.clock import FreePace, RunningClock, machine_asleep_ns
from trader.live.clock_check import COMPARE_EVERY_S, LOOK_S, ClockCheck
from trader.messages import AlarmReport, Input
from trader.model import SECOND_NS
from trader.ports import BrokerUnavailable

START_NS = 1_769_439_600 * SECOND_NS
HOUR_S = 3_600.0


class Machine:
    """Its clocks: how long it has slept, how far its wall's clock is off, and whether the system tells of a sleep."""

    def __init__(self, *, tells: bool) -> None:
        self.slept_s = 0.0
        self.wall_off_s = 0.0
        self._tells = tells
        self._began_s = trio.current_time()
        self.clock = RunningClock(START_NS, asleep_ns=self._asleep_ns)

    def _asleep_ns(self) -> int:
        return int(self.slept_s * SECOND_NS) if self._tells else 0

    def true_ns(self) -> int:
        """What the broker's clock says."""
        ran_s = trio.current_time() - self._began_s + self.slept_s
        return START_NS + int(ran_s * SECOND_NS)

    def wall_ns(self) -> int:
        return self.true_ns() + int(self.wall_off_s * SECOND_NS)

    async def skew_ns(self) -> int:
        return self.true_ns() - self.clock()


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

    machine = Machine(tells=True)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(ClockCheck(skew_ns, hear, machine.clock, machine.wall_ns).run)
        await is_over.wait()
        nursery.cancel_scope.cancel()
    assert trio.current_time() == pytest.approx(COMPARE_EVERY_S * (len(apart_s) + 1))
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


async def told_by(machine: Machine, *slept: tuple[float, float]) -> list[str]:
    """The alarms, while the machine sleeps for so long and its wall's clock is then so far off, again and again."""
    told: list[str] = []

    async def hear(heard: Input) -> None:
        assert isinstance(heard, AlarmReport)
        told.append(heard.alarm)

    check = ClockCheck(machine.skew_ns, hear, machine.clock, machine.wall_ns)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(check.run)
        for slept_s, off_s in slept:
            await trio.sleep(7)
            machine.slept_s += slept_s
            machine.wall_off_s = off_s
            await trio.sleep(2 * LOOK_S)
        nursery.cancel_scope.cancel()
    return told


@pytest.mark.parametrize("tells", [True, False])
async def test_a_machine_that_slept_has_the_markets_time_within_seconds_and_says_so_once(
    autojump_clock: MockClock, tells: bool
) -> None:
    machine = Machine(tells=tells)
    assert await told_by(machine, (2 * HOUR_S, 0), (0, 0), (15 * HOUR_S, 0)) == 2 * [
        "machine_slept"
    ]
    assert abs(machine.true_ns() - machine.clock()) < SECOND_NS


async def test_what_the_system_tells_of_a_sleep_is_in_the_clock_at_once(
    autojump_clock: MockClock,
) -> None:
    machine = Machine(tells=True)
    machine.slept_s = HOUR_S
    assert machine.clock() == machine.true_ns()
    machine.slept_s += 0.5  # Less than that is what it takes to read two clocks.
    assert machine.true_ns() - machine.clock() == SECOND_NS // 2
    machine.slept_s -= 2  # And what is read too early is no step back.
    assert machine.clock() == START_NS + int(HOUR_S) * SECOND_NS


async def test_a_wrong_clock_on_the_wall_alone_moves_nothing(autojump_clock: MockClock) -> None:
    machine = Machine(tells=False)
    assert await told_by(machine, (0, HOUR_S), (0, -HOUR_S)) == []
    assert machine.clock() == machine.true_ns()


async def test_the_brokers_clock_alone_is_not_followed_until_the_wall_says_the_same(
    autojump_clock: MockClock,
) -> None:
    machine = Machine(tells=False)
    slept = (HOUR_S, -HOUR_S)  # Its wall's clock stood still, too.
    wrong = [(0.0, -HOUR_S)] * 20
    assert await told_by(machine, slept, *wrong) == ["clock_skew"]
    assert machine.true_ns() - machine.clock() == int(HOUR_S) * SECOND_NS
    # A person, or the network, sets it right.
    machine = Machine(tells=False)
    assert await told_by(machine, slept, *wrong, (0, 0)) == ["clock_skew", "machine_slept"]
    assert machine.clock() == machine.true_ns()


async def test_who_sleeps_until_a_minute_wakes_when_the_clock_is_set_forward(
    autojump_clock: MockClock,
) -> None:
    machine = Machine(tells=True)
    pace = FreePace(machine.clock)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(pace.sleep_until, START_NS + 60 * SECOND_NS)
        await trio.sleep(2.5)
        machine.slept_s = HOUR_S
    assert trio.current_time() == pytest.approx(3)


def test_this_machine_tells_how_long_it_slept_or_nothing() -> None:
    assert machine_asleep_ns() >= -SECOND_NS

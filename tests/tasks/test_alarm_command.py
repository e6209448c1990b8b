"""Alarms are given to a command at once, folded, bounded; by the clock of the machine, which is virtual here."""

from collections import Counter

import msgspec
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from trader.alarm_command import (
    BESIDE_MAX,
    FOLD_S,
    HELD_UP_S,
    LAST_S,
    OWN_ALARM,
    RUNNING_MAX,
    SECONDS_MAX,
    WAITING_MAX,
    Alarm,
    AlarmCommand,
)


def alarm(name: str = "books_differ", symbol: str | None = "JD") -> Alarm:
    return Alarm(
        alarm=name,
        symbol=symbol,
        message="ours 33, the broker's 0",
        remedy="bin/trade reconcile",
        timestamp="2026-01-26T15:00:00.000Z",
        database="trading_data.db",
    )


class Bench:
    """A command that takes `seconds` and then answers with `answer`."""

    def __init__(self, seconds: float = 0.0, answer: str = "") -> None:
        self.seconds = seconds
        self.answer = answer
        self.calls: list[tuple[float, Alarm]] = []
        self.failures: list[str] = []
        self.running = 0
        self.running_max = 0
        self.command = AlarmCommand(self._run, self.failures.append)

    async def _run(self, data: bytes) -> str:
        assert data.endswith(b"}\n")
        assert data.count(b"\n") == 1
        self.calls.append((trio.current_time(), msgspec.json.decode(data, type=Alarm)))
        self.running += 1
        self.running_max = max(self.running_max, self.running)
        try:
            await trio.sleep(self.seconds)
        finally:
            self.running -= 1
        return self.answer

    def counts(self) -> list[tuple[str, str | None, int]]:
        return [(one.alarm, one.symbol, one.count) for _, one in self.calls]


async def test_an_alarm_is_told_at_once_and_its_repeats_once_with_their_count(
    autojump_clock: MockClock,
) -> None:
    bench = Bench()
    async with bench.command.running():
        began = trio.current_time()
        bench.command.sound(alarm())
        await wait_all_tasks_blocked()
        assert bench.counts() == [("books_differ", "JD", 1)]
        for _ in range(7):
            bench.command.sound(alarm())
        bench.command.sound(alarm(symbol="GS"))
        await wait_all_tasks_blocked()
        assert bench.counts()[1:] == [("books_differ", "GS", 1)], "another symbol is another alarm"
        await trio.sleep(FOLD_S + 1)
        assert bench.counts()[2:] == [("books_differ", "JD", 7)]
        assert bench.calls[2][0] == began + FOLD_S
        await trio.sleep(FOLD_S)
        bench.command.sound(alarm())
        await wait_all_tasks_blocked()
        assert bench.counts()[3:] == [("books_differ", "JD", 1)], "it was quiet for long enough"


async def test_what_waits_is_told_when_the_program_ends_even_by_a_failure(
    autojump_clock: MockClock,
) -> None:
    bench = Bench()
    with trio.CancelScope() as scope:
        async with bench.command.running():
            bench.command.sound(alarm())
            await wait_all_tasks_blocked()
            bench.command.sound(alarm())
            bench.command.sound(alarm("silent_task", None))
            scope.cancel()
            await trio.sleep_forever()
    assert Counter(bench.counts()) == {
        ("books_differ", "JD", 1): 2,
        ("silent_task", None, 1): 1,
    }


async def test_a_command_that_hangs_holds_nobody_up(autojump_clock: MockClock) -> None:
    bench = Bench(seconds=1e9)
    began = trio.current_time()
    async with bench.command.running():
        for number in range(3 * WAITING_MAX):
            bench.command.sound(alarm(symbol=f"A{number}"))
        await wait_all_tasks_blocked()
        assert trio.current_time() == began
    assert trio.current_time() == began + LAST_S, "nor the end of the program"
    assert bench.running_max == len(bench.calls) <= RUNNING_MAX + BESIDE_MAX


async def test_calls_that_hang_hold_no_other_alarm_up_for_five_seconds(
    autojump_clock: MockClock,
) -> None:
    bench = Bench(seconds=SECONDS_MAX)
    began = trio.current_time()
    async with bench.command.running():
        for number in range(RUNNING_MAX + 1):
            bench.command.sound(alarm(symbol=f"A{number}"))
        await wait_all_tasks_blocked()
        assert len(bench.calls) == RUNNING_MAX, "a few at a time, while they go well"
        await trio.sleep(1)
        for number in range(WAITING_MAX // 2):
            bench.command.sound(alarm(symbol=f"B{number}"))
        await trio.sleep(HELD_UP_S)
    told = {one.symbol: at - began for at, one in bench.calls}
    assert told["A4"] == HELD_UP_S
    assert {told[f"B{number}"] for number in range(WAITING_MAX // 2)} == {1 + HELD_UP_S}


async def test_a_call_that_ends_soon_makes_place_for_the_next(autojump_clock: MockClock) -> None:
    bench = Bench(seconds=1)
    began = trio.current_time()
    async with bench.command.running():
        for number in range(2 * RUNNING_MAX):
            bench.command.sound(alarm(symbol=f"A{number}"))
        await trio.sleep(HELD_UP_S)
    assert [at - began for at, _ in bench.calls] == [0] * RUNNING_MAX + [1] * RUNNING_MAX
    assert bench.running_max == RUNNING_MAX


async def test_a_flood_of_different_alarms_is_bounded_and_says_so(
    autojump_clock: MockClock,
) -> None:
    bench = Bench()
    async with bench.command.running():
        for number in range(10 * WAITING_MAX):
            bench.command.sound(alarm(symbol=f"A{number}"))
        await wait_all_tasks_blocked()
        told = bench.counts()
    assert len(told) == WAITING_MAX + 1
    assert ("more_alarms", None, 9 * WAITING_MAX) in told
    assert bench.running_max <= RUNNING_MAX


async def test_a_command_that_fails_is_told_of_once_until_it_has_gone_well_again(
    autojump_clock: MockClock,
) -> None:
    bench = Bench(answer="mail: exit code 1")
    async with bench.command.running():

        async def sound(symbol: str) -> None:
            bench.command.sound(alarm(symbol=symbol))
            await wait_all_tasks_blocked()

        await sound("JD")
        await sound("GS")
        assert bench.failures == ["mail: exit code 1, for books_differ JD"]
        bench.answer = ""
        await sound("T")
        bench.answer = "mail: exit code 1"
        await sound("TRIP")
        assert bench.failures[1:] == ["mail: exit code 1, for books_differ TRIP"]


async def test_that_the_command_fails_is_no_reason_to_run_it(autojump_clock: MockClock) -> None:
    bench = Bench()
    async with bench.command.running():
        bench.command.sound(alarm(OWN_ALARM, None))
    assert bench.calls == []

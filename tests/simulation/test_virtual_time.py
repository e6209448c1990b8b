"""Sleep in virtual time: as Trio's own sleeps, without the cost of a timeout for each."""

from collections.abc import Callable

import pytest
import trio

from trader.simulation.determinism import VirtualTime, run_seeded

Woken = list[tuple[str, float]]
NOTHING_S = 0.0


def test_sleepers_and_timeouts_wake_in_the_order_of_their_instants() -> None:
    woken: Woken = []

    async def sleep(name: str, seconds: float) -> None:
        await trio.sleep(seconds)
        woken.append((name, trio.current_time()))

    async def time_out(seconds: float) -> None:
        with trio.move_on_after(seconds):
            await trio.sleep_forever()
        woken.append(("timeout", trio.current_time()))

    async def main() -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(sleep, "last", 3.5)
            nursery.start_soon(sleep, "first", 0.25)
            nursery.start_soon(time_out, 2.0)
            nursery.start_soon(sleep, "second", 1.0)

    run_seeded(main, 1)
    assert woken == [("first", 0.25), ("second", 1.0), ("timeout", 2.0), ("last", 3.5)]


def test_a_sleep_that_is_cancelled_ends_at_once_and_holds_no_time_back() -> None:
    async def main() -> float:
        with trio.move_on_after(1.0) as scope:
            await trio.sleep(2.0)
        assert scope.cancelled_caught
        assert trio.current_time() == 1.0
        await trio.sleep(5.0)  # past the instant at which nobody sleeps any more
        return trio.current_time()

    assert run_seeded(main, 1) == 6.0


def test_a_sleep_of_nothing_lets_others_run_and_can_be_cancelled() -> None:
    ran: list[str] = []

    async def other() -> None:
        ran.append("other")

    async def main() -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(other)
            await trio.sleep(NOTHING_S)
            await trio.sleep_until(trio.current_time() - 1)
        with trio.CancelScope() as scope:
            scope.cancel()
            await trio.sleep(NOTHING_S)
        assert scope.cancelled_caught
        with trio.CancelScope() as scope:
            scope.cancel()
            await trio.sleep(1)
        assert scope.cancelled_caught
        assert trio.current_time() == 0.0

    run_seeded(main, 1)
    assert ran == ["other"]


@pytest.mark.parametrize("seconds", [-1.0, float("nan")])
def test_time_that_is_none_is_refused(seconds: float) -> None:
    async def main() -> None:
        with pytest.raises(ValueError, match="non-negative"):
            await trio.sleep(seconds)

    run_seeded(main, 1)


def test_a_run_takes_nothing_with_it_of_trios_own_sleep() -> None:
    before = trio.sleep, trio.sleep_until

    async def fail() -> None:
        assert trio.sleep is not before[0]
        raise KeyError("on purpose")

    with pytest.raises(KeyError):
        run_seeded(fail, 1)
    assert (trio.sleep, trio.sleep_until) == before


def test_what_is_to_be_done_at_an_instant_is_done_then_unless_it_was_taken_back() -> None:
    time, done = VirtualTime(), Woken()

    def do(name: str) -> Callable[[], None]:
        return lambda: done.append((name, trio.current_time()))

    async def main() -> None:
        time.at(2.0, do("second"))
        time.at(1.0, do("first"))
        never = time.at(1.5, do("never"))
        never()
        await trio.sleep(3.0)
        time.at(2.5, do("late"))  # Its instant has gone by: at the next chance.
        await trio.sleep(1.0)

    run_seeded(main, 1, None, time)
    assert done == [("first", 1.0), ("second", 2.0), ("late", 3.0)]

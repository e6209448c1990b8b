"""The account's requests of a minute: what is waited for, and never for ever."""

import pytest
import trio
from trio.testing import MockClock

from trader.brokers.alpaca.budget import BACK_OFF_S_MAX, RequestBudget


def left(remaining: int, limit: int = 200) -> dict[str, str]:
    return {"x-ratelimit-limit": str(limit), "x-ratelimit-remaining": str(remaining)}


def asked(budget: RequestBudget, status: int = 200, **headers: str) -> None:
    """One request, from its bytes to its reply."""
    budget.spent()
    budget.told(status, {name.replace("_", "-").lower(): value for name, value in headers.items()})
    budget.ended()


async def waited(budget: RequestBudget) -> float:
    began_s = trio.current_time()
    with trio.fail_after(10_000):
        await budget.wait_for_query()
    return trio.current_time() - began_s


async def test_nothing_waits_while_no_limit_is_known(autojump_clock: MockClock) -> None:
    budget = RequestBudget()
    for _ in range(1_000):
        asked(budget, 429, Retry_After="60")
    assert await waited(budget) == 0
    assert budget.refusal(is_entry=True) == ""


async def test_a_header_names_a_limit_where_none_was_known(autojump_clock: MockClock) -> None:
    budget = RequestBudget()
    budget.spent()
    budget.told(200, left(0))
    budget.ended()
    assert budget.refusal(is_entry=True) == "rate limit: 0 left, kept for cancels"


async def test_a_query_waits_for_more_than_orders_do_and_time_gives_back(
    autojump_clock: MockClock,
) -> None:
    budget = RequestBudget(200)
    for _ in range(165):
        asked(budget)
    assert budget.refusal(is_entry=True) == ""
    # 35 left, 41 wanted: six of two hundred a minute.
    assert await waited(budget) == pytest.approx(6 * 60 / 200)
    await trio.sleep(60)
    assert await waited(budget) == 0


async def test_requests_still_on_their_way_are_not_in_the_brokers_count(
    autojump_clock: MockClock,
) -> None:
    budget = RequestBudget(200)
    for _ in range(10):
        budget.spent()
    budget.told(200, left(30))
    assert budget.refusal(is_entry=True) == ""
    budget.told(200, left(29))
    assert budget.refusal(is_entry=True) == "rate limit: 20 left, kept for cancels"


@pytest.mark.parametrize("nonsense", ["-1", "0", "1000000000", "9" * 5_000, "soon", "", "٣"])
async def test_a_wait_that_the_broker_names_is_neither_nothing_nor_endless(
    autojump_clock: MockClock, nonsense: str
) -> None:
    budget = RequestBudget(200)
    asked(budget, 429, Retry_After=nonsense)
    first_s = await waited(budget)
    assert 1 <= first_s <= BACK_OFF_S_MAX
    for _ in range(30):
        asked(budget, 429, Retry_After=nonsense)
    last_s = await waited(budget)
    assert last_s == pytest.approx(BACK_OFF_S_MAX)
    asked(budget, 200)
    asked(budget, 429, Retry_After=nonsense)
    assert await waited(budget) == pytest.approx(first_s)


@pytest.mark.parametrize("limit", ["0", "-5", "x", "9" * 30])
async def test_a_limit_that_is_none_changes_nothing(autojump_clock: MockClock, limit: str) -> None:
    budget = RequestBudget(200)
    asked(budget, X_RateLimit_Limit=limit, X_RateLimit_Remaining=limit)
    assert await waited(budget) < 60

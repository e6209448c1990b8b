"""The stampede: however many tasks want a symbol in the same instant, in whatever order, it is bought once."""

from collections import Counter

import pytest
import trio
from msgspec import Struct
from trio._core import _run as trio_run

from tests.rig import Rig, plan
from trader.calendar import session_on
from trader.messages import (
    DuplicateBlocked,
    OrderRequest,
    RequestAccepted,
    RequestDenied,
    WorkerReport,
)
from trader.scenarios.stampede import FAILS_EVERY, TASKS, Stampede
from trader.strategies.base import Strategy
from trader.supervisor import WorkerPlan

SYMBOLS = ("JD", "GS", "T")


class Outcome(Struct, frozen=True, kw_only=True):
    """What a stampede came to, as far as it may not depend on the scheduler."""

    bought: dict[str, int]
    requests: int
    accepted: int
    blocked: int
    decisions: tuple[tuple[str, str], ...]
    restarts: int


def cast(symbols: tuple[str, ...], tasks: int) -> list[WorkerPlan]:
    """The play's own workers, so many for each symbol; none needs history."""
    session = session_on("2026-01-26")
    assert session is not None

    def no_strategy() -> Strategy:
        raise AssertionError("the play replaces the configured workers")

    whole = Stampede().cast([plan("", symbol, no_strategy) for symbol in symbols], session)
    of_symbol = {symbol: [one for one in whole if one.symbol == symbol] for symbol in symbols}
    return [
        WorkerPlan(name=f"{symbol}/{n}", symbol=one.symbol, make=one.make)
        for symbol in symbols
        for n in range(tasks)
        for one in [of_symbol[symbol][n % TASKS]]
    ]


async def stampede(symbols: tuple[str, ...], tasks: int, minutes: int) -> tuple[Rig, Outcome]:
    rig = Rig(symbols, cast(symbols, tasks), settled=True)
    async with rig.conducted(minutes):
        pass
    decisions = [
        (event.request_id, type(event).__name__)
        for entry in rig.kept.committed
        for event in entry.events
        if isinstance(event, DuplicateBlocked | RequestDenied | RequestAccepted)
    ]
    counts = rig.state.counts
    return rig, Outcome(
        bought=dict(Counter(rig.buys())),
        requests=counts.requests,
        accepted=counts.accepted,
        blocked=counts.blocked,
        decisions=tuple(decisions),
        restarts=sum(rig.supervisor.restarts.values()),
    )


async def test_eight_tasks_for_each_symbol_buy_it_once() -> None:
    rig, outcome = await stampede(SYMBOLS, TASKS, minutes=40)
    assert outcome.bought == dict.fromkeys(SYMBOLS, 1)
    assert outcome.accepted == len(SYMBOLS)
    assert outcome.blocked == outcome.requests - outcome.accepted
    assert outcome.requests > 39 * TASKS * len(SYMBOLS)
    held = {symbol: rig.state.position(symbol).quantity for symbol in rig.symbols}
    account = rig.venue.venue.account("direct")
    assert held == {symbol: account.positions[symbol].quantity for symbol in rig.symbols}
    assert account.cash == rig.state.books.cash


async def test_all_eight_requests_are_in_the_inbox_before_the_executor_takes_its_turn() -> None:
    rig, _ = await stampede(SYMBOLS, TASKS, minutes=1)
    told = [
        [entry.input.symbol for entry in batch.entries if isinstance(entry.input, OrderRequest)]
        for batch in rig.kept.batches
    ]
    first = next(symbols for symbols in told if symbols)
    assert Counter(first) == dict.fromkeys(rig.symbols, TASKS)


async def test_workers_that_fail_on_the_way_are_started_again_and_buy_nothing_twice() -> None:
    rig, outcome = await stampede(("JD",), TASKS, minutes=3 * FAILS_EVERY)
    failed = [one for one in rig.kept.inputs(WorkerReport) if one.reason]
    assert len(failed) == outcome.restarts == 2
    assert all("StagedFailure" in one.reason for one in failed)
    assert outcome.bought == {"JD": 1}
    incarnations = {name.split("/")[2] for name, _ in outcome.decisions}
    assert incarnations == {"1.0", "1.1"}, "the second incarnations asked, too"


@pytest.mark.parametrize("tasks", [2, 3, 5, 13, 34, 100])
async def test_any_number_of_tasks_buys_once(tasks: int) -> None:
    _, outcome = await stampede(("JD", "GS"), tasks, minutes=3)
    assert outcome.bought == {"JD": 1, "GS": 1}
    assert (outcome.accepted, outcome.blocked) == (2, 2 * 3 * tasks - 2)


def seeded(monkeypatch: pytest.MonkeyPatch, seed: int) -> Outcome:
    """One stampede in a Trio of its own, whose scheduler shuffles by this seed."""
    monkeypatch.setattr(trio_run, "_ALLOW_DETERMINISTIC_SCHEDULING", True)
    trio_run._r.seed(seed)
    _, outcome = trio.run(stampede, ("JD", "GS"), TASKS, FAILS_EVERY + 5)
    return outcome


def test_every_order_of_tasks_comes_to_the_same_decisions(monkeypatch: pytest.MonkeyPatch) -> None:
    first = seeded(monkeypatch, 0)
    assert first.bought == {"JD": 1, "GS": 1}
    assert first.restarts == 2
    for seed in range(1, 25):
        assert seeded(monkeypatch, seed) == first, f"seed {seed}"

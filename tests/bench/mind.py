"""Decisions a second of `decide` and `evolve` alone: no task, no journal."""

from collections.abc import Iterator
from pathlib import Path

from tests.bench.measure import Sample, Stopwatch
from tests.bench.morning import clock, opened, symbols_of, wish
from trader.execution import ExecutionState
from trader.executor import decided
from trader.messages import Input, SendOutcome
from trader.model import OrderState, Symbol

WORK = 20_000  # requests for each figure
WORK_TINY = 16
CROWD = 8  # workers beside each other on one symbol in a stampede
GOAL_STAMPEDE, GOAL_ACCEPTED = 100_000, 50_000
CASES = {
    "stampede, 8 workers": (8, 1, GOAL_STAMPEDE),
    "stampede, 500 workers": (500, 63, GOAL_STAMPEDE),
    "all accepted, 8 workers": (8, 8, GOAL_ACCEPTED),
    "all accepted, 500 workers": (500, 500, GOAL_ACCEPTED),
}


def once(work: int, folder: Path) -> list[Sample]:
    """One figure for each mix and number of workers."""
    return [
        Sample(
            name=f"decisions, {name}",
            value=decisions_a_second(workers, symbols_of(symbols), work),
            unit="1/s",
            goal=goal,
        )
        for name, (workers, symbols, goal) in CASES.items()
    ]


def decisions_a_second(workers: int, symbols: tuple[Symbol, ...], work: int) -> float:
    """Of CPU time; the clock and the orders' ends are not counted, nor is their time."""
    state, watch, told = opened(symbols), Stopwatch(), 0
    for batch in instants(workers, symbols, work):
        with watch:
            state, entries = decided(state, batch)
        told += len(entries)
        state, _ = decided(state, [*ends(state), clock(told // workers)])
    assert state.counts.requests == told
    return told / watch.cpu_s


def instants(workers: int, symbols: tuple[Symbol, ...], work: int) -> Iterator[list[Input]]:
    """What the workers want, market minute after market minute."""
    for minute in range(max(1, work // workers)):
        at_ns = clock(minute).at_ns
        yield [
            wish(symbols[worker % len(symbols)], minute * workers + worker, at_ns)
            for worker in range(workers)
        ]


def ends(state: ExecutionState) -> list[Input]:
    """The broker rejects every order, so that its symbol is free again."""
    return [
        SendOutcome(client_order_id=name, outcome="rejected", reason="bench")
        for position in state.positions.values()
        for name in position.entries
        if state.orders[name].state is not OrderState.REJECTED
    ]

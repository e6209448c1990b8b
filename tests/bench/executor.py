"""Decisions a second through the executor: inbox, its order, turns, effects and publishing, with nothing committed."""

from pathlib import Path

import trio

from tests.bench.measure import Sample, Stopwatch
from tests.bench.mind import CASES, WORK, WORK_TINY, ends, instants
from tests.bench.morning import clock, symbols_of
from tests.bench.rig import ForgetfulJournal, Rig, running
from trader.messages import Input
from trader.model import Symbol

__all__ = ["WORK", "WORK_TINY", "once"]


def once(work: int, folder: Path) -> list[Sample]:
    """One figure for each mix and number of workers."""
    return [
        Sample(
            name=f"decisions through the executor, {name}",
            value=trio.run(decisions_a_second, workers, symbols_of(symbols), work),
            unit="1/s",
            goal=goal,
        )
        for name, (workers, symbols, goal) in CASES.items()
    ]


async def decisions_a_second(workers: int, symbols: tuple[Symbol, ...], work: int) -> float:
    """Of CPU time, from the tellings of an instant to their last turn's end."""
    watch, told = Stopwatch(), 0
    async with running(symbols, ForgetfulJournal(), None) as rig:
        for batch in instants(workers, symbols, work):
            with watch:
                await decided(rig, batch)
            told += len(batch)
            await decided(rig, [*ends(rig.executor.state), clock(told // workers)])
        assert rig.executor.state.counts.requests == told
    return told / watch.cpu_s


async def decided(rig: Rig, batch: list[Input]) -> None:
    """Tell all of it in one go, and wait."""
    last = rig.executor.state.sequence + len(batch)
    for heard in batch:
        rig.inbox.tell_nowait(heard)
    await rig.executor.wait_until(lambda state: state.sequence >= last)

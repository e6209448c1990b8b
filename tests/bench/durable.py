"""Durable orders a second: executor, journal on disk with every commit synced, lanes, and a venue in memory."""

from pathlib import Path

import trio

from tests.bench.measure import Sample, Stopwatch
from tests.bench.morning import symbols_of
from tests.bench.rig import WatchedJournal, direct_broker, durable_journal, running, traded
from trader.ports import Batch

WORK = 5_000  # orders
WORK_TINY = 4
SYMBOLS = 500
GOAL = 5_000


class CountedCommits(WatchedJournal):
    """How often it was asked to commit."""

    commits = 0

    async def commit(self, batch: Batch) -> None:
        self.commits += 1
        await super().commit(batch)


def once(work: int, folder: Path) -> list[Sample]:
    """Each order is four entries and all of their rows: request, send, acknowledgement, fill."""
    watch, commits, size = trio.run(_measured, work, folder)
    return [
        Sample(name="durable orders", value=work / watch.wall_s, unit="1/s", goal=GOAL),
        Sample(name="CPU of a durable order", value=1e6 * watch.cpu_s / work, unit="µs"),
        Sample(name="orders in a commit, on average", value=work / commits, unit=""),
        Sample(name="database for each order", value=size / work, unit="bytes"),
    ]


async def _measured(work: int, folder: Path) -> tuple[Stopwatch, int, int]:
    symbols = symbols_of(min(SYMBOLS, work))
    journal, watch = durable_journal(folder), Stopwatch()
    counted = CountedCommits(journal)
    async with running(symbols, counted, direct_broker(symbols)) as rig:
        before = counted.commits
        with watch:
            for number in range(work // len(symbols)):
                await traded(rig, symbols, number)
    journal.close()
    return watch, counted.commits - before, journal.path.stat().st_size

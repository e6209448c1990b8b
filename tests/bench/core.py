"""Turns a second of the core simulation: a batch decided and folded, with all checks, in a world of faults."""

from pathlib import Path

from tests.bench.measure import Sample, Stopwatch
from tests.core.campaign import lived

WORK = 8_000  # turns
WORK_TINY = 40
WORLDS = 8  # that share them
GOAL = 5_000


def once(work: int, folder: Path) -> list[Sample]:
    """All of a world is counted: its deeds, its deaths, the rows written and read back, and its end."""
    watch, turns, rows = Stopwatch(), 0, 0
    for seed in range(1, WORLDS + 1):
        with watch:
            world = lived(seed, work // WORLDS)
        turns += world.turns
        rows += world.seen["entries"]
    return [
        Sample(
            name="turns of the core simulation", value=turns / watch.cpu_s, unit="1/s", goal=GOAL
        ),
        Sample(name="rows written by them", value=rows / watch.cpu_s, unit="1/s"),
    ]

"""How fast a database is proved from its journal's bytes."""

import gc
from contextlib import closing
from pathlib import Path

from tests.bench.measure import Sample, Stopwatch
from tests.bench.recovery import written
from trader.cli.options import quiet_interpreter
from trader.journal.comparing import tables_that_differ
from trader.journal.sqlite import reading_connection
from trader.verification.verify import Wanted, proved

WORK = 3_000  # symbols: each has one order filled, and one open at the end
WORK_TINY = 3
GOAL = 60_000


def once(work: int, folder: Path) -> list[Sample]:
    """All of `trade verify`, each prefix proved; with each thousandth; with decisions; and the tables alone."""
    path = folder.resolve() / "bench.db"
    count = len(written(work, path))
    quiet_interpreter()
    cases = {
        "entries proved, at every prefix": Wanted(),
        "entries proved, at each 1,000th prefix": Wanted(every=1_000),
        "entries proved, their decisions taken again": Wanted(decisions="bench"),
    }
    samples = []
    with closing(reading_connection(path)) as reader:
        for name, wanted in cases.items():
            with Stopwatch() as watch:
                verification = proved(reader, wanted).verification
            assert verification.first_difference is None
            goal = None if wanted.decisions else GOAL
            samples.append(Sample(name=name, value=count / watch.cpu_s, unit="1/s", goal=goal))
            gc.collect()
        with Stopwatch() as watch:
            assert tables_that_differ(reader) == []
        rate = count / watch.cpu_s
        return [
            *samples,
            Sample(name="entries folded and held against the tables", value=rate, unit="1/s"),
        ]

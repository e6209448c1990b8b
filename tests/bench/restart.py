"""From kill -9 to entries open again: the whole program, its broker in another process, many orders open."""

import signal
import time
from pathlib import Path

from tests.bench.measure import Sample, cpu_s_of
from tests.crowded import crowd, is_open

WORK = 1_000  # open orders
WORK_TINY = 8


def once(work: int, folder: Path) -> list[Sample]:
    """Started, killed when all of them are open, started again."""
    with crowd(folder.resolve(), work) as crowded:
        crowded.crowded()
        began_s = time.perf_counter()
        with crowded.account.trading() as running:
            ready = running.wait_line(is_open)
            wall_s, cpu_s = time.perf_counter() - began_s, cpu_s_of(running.process.pid)
            running.end(signal.SIGKILL)
    assert f"{work} open orders" in ready
    return [
        Sample(
            name=f"start to entries open with {WORK:,} open orders, after kill -9",
            value=wall_s,
            unit="s",
            goal=2.0,
            is_ceiling=True,
        ),
        Sample(name="start to entries open: CPU", value=cpu_s, unit="s"),
    ]

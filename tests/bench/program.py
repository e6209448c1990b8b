"""The program as a person starts it: seconds until help is there, and what a whole default run needs."""

import os
import time
from pathlib import Path

from msgspec import Struct

from tests.bench.measure import ROOT, Sample, quantile

WORK = 10  # starts
WORK_TINY = 1
KIB_A_MB = 1_000_000 / 1_024
LAUNCHER = str(ROOT / "bin" / "trade")


class Ended(Struct, frozen=True, kw_only=True):
    """What one process used."""

    wall_s: float
    cpu_s: float
    peak_mb: float


def once(work: int, folder: Path) -> list[Sample]:
    """The environment is set up before: by the first start, which does not count."""
    ran("version", folder)
    starts = [ran("--help", folder) for _ in range(work)]
    day = ran("run --speed max", folder)
    return [
        Sample(
            name="`bin/trade --help`",
            value=quantile([one.wall_s for one in starts], 0.5),
            unit="s",
            goal=0.3,
            is_ceiling=True,
        ),
        Sample(
            name="`bin/trade --help`: CPU",
            value=quantile([one.cpu_s for one in starts], 0.5),
            unit="s",
        ),
        Sample(name="`bin/trade run --speed max`", value=day.wall_s, unit="s"),
        Sample(name="`bin/trade run --speed max`: CPU", value=day.cpu_s, unit="s"),
        Sample(
            name="`bin/trade run --speed max`: peak memory",
            value=day.peak_mb,
            unit="MB",
            goal=150,
            is_ceiling=True,
        ),
    ]


def ran(arguments: str, folder: Path) -> Ended:
    """To its end, which is a good one."""
    began_s = time.perf_counter()
    pid = os.fork()
    if not pid:
        os.chdir(folder)
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        os.execv(LAUNCHER, [LAUNCHER, *arguments.split()])
    _, status, used = os.wait4(pid, 0)
    assert os.waitstatus_to_exitcode(status) == 0, f"bin/trade {arguments}"
    return Ended(
        wall_s=time.perf_counter() - began_s,
        cpu_s=used.ru_utime + used.ru_stime,
        peak_mb=used.ru_maxrss / KIB_A_MB,
    )

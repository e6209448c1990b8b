"""The program as a person starts it: seconds until help is there, what a whole default run needs, and a backtest."""

from pathlib import Path

from tests.bench.measure import ROOT, Ended, Sample, ended, quantile
from tests.bench.whole_process import samples

WORK = 10  # starts
WORK_TINY = 1
BARS, BARS_TINY = 10_000, 60  # of each of ten symbols
LAUNCHER = str(ROOT / "bin" / "trade")


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
        *samples([LAUNCHER], BARS if work >= WORK else BARS_TINY, folder),
    ]


def ran(arguments: str, folder: Path) -> Ended:
    """The launcher with these arguments, to a good end."""
    return ended([LAUNCHER, *arguments.split()], folder)

"""`bin/trade backtest` as a person types it: a process from its start to the last byte of its report.

A hundred thousand bars of ten symbols, averages of 10 and 30 closes, around the clock, nothing that binds: the work of
`backtest`, out of a file of CSV. The strategy is a file of one's own, told bar by bar, then asked for its columns. With
Python's start, the imports, reading, deciding, journal, books and report.
"""

import inspect
from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec

from tests.bench.backtest import AboveSlow, random_bars
from tests.bench.measure import Sample, ended
from tests.bench.morning import LIMITS
from trader.calendar import iso
from trader.feeds.columns import Columns
from trader.limits import Limits
from trader.money import canonical, price_of

GOAL_CPU_S = 1.8
CONFIGURED_MAX = 10**11  # of any limit in a file
IMPORTS = """\
from collections.abc import Iterable

from trader.model import Bar, OrderType, Purpose, Side, Size, StrategyName
from trader.strategies import by_column
from trader.strategies.base import NoParameters, Strategy, SymbolView, Wish
from trader.strategies.indicators import MovingSum
from trader.strategies.signals import BarColumns, Signals


"""
CONFIG = """\
[fees]
sell_notional_rate = 0
sell_share_rate = 0
[limits]
"""
HEARD = {"off": "in blocks while flat", "on": "by column"}  # by --columns
ASKED = (
    "backtest --config trader.toml --data bars.csv --strategy above-slow --size shares=100 --cash 900000000"
    " --spread 0 --participation 100 --always --json"
)


def samples(command: Sequence[str], bars: int, folder: Path) -> list[Sample]:
    """bars: of each symbol; the command begins the program."""
    write_work(folder, random_bars(10, bars, 1))
    found = []
    for columns, how in (("off", "bar by bar"), ("on", "by column")):
        out = f"out-{columns}"
        asked = [*command, *ASKED.split(), "--columns", columns, "--out", out]
        used = ended(asked, folder)
        summary = msgspec.json.decode((folder / out / "summary.json").read_bytes())
        assert (summary["bars"], summary["heard"]) == (10 * bars, HEARD[columns])
        name = f"backtest of {10 * bars:,} bars, whole process, {how}"
        found += [
            Sample(
                name=f"{name}: CPU", value=used.cpu_s, unit="s", goal=GOAL_CPU_S, is_ceiling=True
            ),
            Sample(name=f"{name}: peak memory", value=used.peak_mb, unit="MB"),
        ]
    return found


def write_work(folder: Path, histories: Sequence[Columns]) -> None:
    """The file of bars, the strategy, and a configuration in which no limit binds."""
    with (folder / "bars.csv").open("w", encoding="utf-8") as file:
        file.write("timestamp,symbol,open,high,low,close,volume\n")
        for history in histories:
            for bar in history.bars():
                prices = (bar.open, bar.high, bar.low, bar.close)
                told = ",".join(canonical(price_of(one)) for one in prices)
                file.write(f"{iso(bar.start_ns)},{bar.symbol},{told},{bar.volume}\n")
    (folder / "trader.toml").write_text(CONFIG + "".join(_limits()))
    (folder / "strategies").mkdir()
    (folder / "strategies" / "above_slow.py").write_text(IMPORTS + inspect.getsource(AboveSlow))


def _limits() -> Iterator[str]:
    usual = msgspec.structs.asdict(Limits())
    for name, value in msgspec.structs.asdict(LIMITS).items():
        if value != usual[name]:
            yield f"{name} = {min(value, CONFIGURED_MAX)}\n"

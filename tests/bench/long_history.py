"""What a backtest takes for how much history: `python -m tests.bench.long_history`, each line in a process of its own.

Symbols with random bars around the clock, their numbers in a file from so many bars on, as `bin/trade backtest` reads
them. Given SYMBOLS BARS WINDOW it takes that one: breakouts of so many bars are traded, fewer orders with more of them.
"""

import resource
import subprocess
import sys
from pathlib import Path

from msgspec.structs import replace

from tests.bench.backtest import BUILD, asked, random_bars
from tests.bench.measure import Stopwatch
from tests.bench.morning import symbols_of
from trader.backtest.run import backtested
from trader.cli.options import quiet_interpreter
from trader.config import StrategyConfig
from trader.feeds.columns import Columns
from trader.feeds.history import IN_MEMORY_MAX, data_identity
from trader.feeds.shelf import Shelf
from trader.model import StrategyName, Symbol
from trader.money import use_exact_context

ROOT = Path(__file__).resolve().parents[2]
POINTS = (
    (10, 10_000, 5_000),
    (10, 100_000, 5_000),
    (100, 10_000, 5_000),
    (100, 100_000, 5_000),
    (10, 100_000, 500),
    (10, 100_000, 50),
)


def main(arguments: list[str]) -> None:
    if arguments:
        symbols, bars, window = map(int, arguments)
        print(row(symbols, bars, window))
        return
    print("| Symbols | Bars | Orders | CPU, all of it | CPU, bars going by | Most memory |")
    print("|---:|---:|---:|---:|---:|---:|", flush=True)
    for point in POINTS:
        command = [sys.executable, "-P", "-m", "tests.bench.long_history", *map(str, point)]
        subprocess.run(command, check=True, cwd=ROOT)


def row(symbols: int, bars: int, window: int) -> str:
    """One line of the table."""
    use_exact_context()
    histories = kept(symbols, bars)
    request = asked(symbols, 1, 1, trades=False)
    params: dict[str, object] = {"entry": window, "exit": window}
    (name, strategy) = next(iter(request.config.strategies.items()))
    strategies: dict[StrategyName, StrategyConfig] = {name: replace(strategy, params=params)}
    request = replace(
        request,
        config=replace(request.config, strategies=strategies),
        histories=list(histories.values()),
    )
    quiet_interpreter()
    data_identity(histories)
    with Stopwatch() as watch:
        found = backtested(request, BUILD, data="")
    usage = resource.getrusage(resource.RUSAGE_SELF)
    megabytes = usage.ru_maxrss / (1024 if sys.platform == "linux" else 1024**2)
    whole_s = usage.ru_utime + usage.ru_stime
    return (
        f"| {symbols} | {found.bars:,} | {found.orders:,} | {whole_s:.1f} s | {watch.cpu_s:.1f} s"
        f" | {megabytes:,.0f} MB |"
    )


def kept(symbols: int, bars: int) -> dict[Symbol, Columns]:
    """One symbol after the other, so that no more than one is in memory unless they all are."""
    shelf = Shelf(IN_MEMORY_MAX)
    numbers: dict[Symbol, list[int]] = {}
    for seed, symbol in enumerate(symbols_of(symbols)):
        (columns,) = random_bars(1, bars, seed)
        numbers[symbol] = [shelf.put(replace(columns, symbol=symbol))]
    return shelf.take(numbers)


if __name__ == "__main__":
    main(sys.argv[1:])

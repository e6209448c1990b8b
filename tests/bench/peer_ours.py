"""The work that peers are given, in our own engine: started as they are, in a process of its own."""

import sys

import msgspec

from tests.bench.backtest import AboveSlow, asked, measured
from tests.bench.measure import PeerRun
from trader.cli.options import quiet_interpreter
from trader.money import use_exact_context
from trader.strategies import STRATEGIES


def main(symbols: int, bars: int) -> None:
    """Prints what came of it."""
    use_exact_context()
    STRATEGIES["above-slow"] = AboveSlow
    quiet_interpreter()
    asked(symbols, 1, 1)  # What is imported late is imported now.
    found, cpu_s = measured(symbols, bars, 1)
    run = PeerRun(
        bars=found.bars,
        orders=found.orders,
        fills=len(found.fills),
        profit=float(found.equity[-1].equity - found.opening_cash),
        cpu_s=cpu_s,
    )
    print(msgspec.json.encode(run).decode())


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))

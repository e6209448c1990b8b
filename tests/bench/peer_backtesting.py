"""The work of the benches in backtesting.py, a symbol after the other; run by the Python of an environment with it."""

import json
import sys
import time

import backtesting
import numpy
import pandas

CASH = 90_000_000
COLUMNS = ("Open", "High", "Low", "Close", "Volume")


class AboveSlow(backtesting.Strategy):  # type: ignore[misc]
    """In while the average of 10 closes is above that of 30, out while it is below; a hundred shares at the market."""

    def init(self) -> None:
        self.asked = 0
        closes = pandas.Series(self.data.Close)
        self.fast = self.I(lambda: closes.rolling(10).mean())
        self.slow = self.I(lambda: closes.rolling(30).mean())

    def next(self) -> None:
        above = self.fast[-1] - self.slow[-1]
        if above > 0 and not self.position:
            self.buy(size=100)
        elif above < 0 and self.position:
            self.position.close()
        else:
            return
        self.asked += 1


def main(path: str) -> None:
    """Prints what came of it; only the runs themselves are timed."""
    history = numpy.load(path)
    moments = pandas.to_datetime(history["ends_ns"])
    symbols, bars = history["close"].shape
    orders = fills = 0
    profit = cpu_s = 0.0
    for place in range(symbols):
        frame = pandas.DataFrame(
            {name: history[name.lower()][place] for name in COLUMNS}, index=moments
        )
        engine = backtesting.Backtest(frame, AboveSlow, cash=CASH, finalize_trades=False)
        began_s = time.process_time()
        found = engine.run()
        cpu_s += time.process_time() - began_s
        strategy = found["_strategy"]
        orders += strategy.asked
        fills += 2 * len(strategy.closed_trades) + len(strategy.trades)
        profit += found["Equity Final [$]"] - CASH
    run = {
        "bars": symbols * bars,
        "orders": orders,
        "fills": fills,
        "profit": profit,
        "cpu_s": cpu_s,
    }
    print(json.dumps(run))


if __name__ == "__main__":
    main(sys.argv[1])

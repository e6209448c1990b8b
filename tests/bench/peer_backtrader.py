"""The work of the benches in backtrader; run by the Python of an environment that has it, and has nothing of ours."""

import json
import sys
import time
from typing import Any

import backtrader
import numpy
import pandas

CASH = 900_000_000
COLUMNS = ("open", "high", "low", "close", "volume")


class AboveSlow(backtrader.Strategy):  # type: ignore[misc]
    """In while the average of 10 closes is above that of 30, out while it is below; a hundred shares at the market."""

    def __init__(self) -> None:
        self.asked = self.filled = 0
        average = backtrader.indicators.SimpleMovingAverage
        self.watched = [
            (data, average(data.close, period=10), average(data.close, period=30))
            for data in self.datas
        ]

    def notify_order(self, order: Any) -> None:  # noqa: ANN401
        self.filled += order.status == order.Completed

    def next(self) -> None:
        for data, fast, slow in self.watched:
            above, held = fast[0] - slow[0], self.getposition(data).size
            if above > 0 and not held:
                self.buy(data=data, size=100)
            elif above < 0 and held:
                self.sell(data=data, size=100)
            else:
                continue
            self.asked += 1


def main(path: str) -> None:
    """Prints what came of it; only the run itself is timed."""
    history = numpy.load(path)
    moments = pandas.to_datetime(history["ends_ns"])
    engine = backtrader.Cerebro(stdstats=False)
    engine.broker.setcash(CASH)
    engine.addstrategy(AboveSlow)
    symbols, bars = history["close"].shape
    for place in range(symbols):
        frame = pandas.DataFrame({name: history[name][place] for name in COLUMNS}, index=moments)
        feed = backtrader.feeds.PandasData(dataname=frame, timeframe=backtrader.TimeFrame.Minutes)
        engine.adddata(feed, name=f"S{place}")
    began_s = time.process_time()
    [strategy] = engine.run()
    run = {
        "bars": symbols * bars,
        "orders": strategy.asked,
        "fills": strategy.filled,
        "profit": engine.broker.getvalue() - CASH,
        "cpu_s": time.process_time() - began_s,
    }
    print(json.dumps(run))


if __name__ == "__main__":
    main(sys.argv[1])

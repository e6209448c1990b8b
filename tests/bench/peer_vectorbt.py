"""The work of the benches in vectorbt, by a function that is called at each bar and compiled; run where there is one.

The signals are made by column before, of sums of price ticks; the compiled function says buy or sell at the next open.
It is run once before over the same arrays, so that compiling it is not counted.
"""

import json
import sys
import time
from typing import Any

import numba
import numpy
import pandas
import vectorbt
from vectorbt.portfolio import nb

CASH = 90_000_000.0


@numba.njit  # type: ignore[untyped-decorator]
def decide(context: Any, side: Any) -> Any:  # noqa: ANN401
    """Filled at this bar's open, decided at the close before."""
    if context.i:
        wanted = side[context.i - 1, context.col]
        if wanted > 0 and context.position_now == 0:
            return nb.order_nb(size=100.0, price=numpy.inf)
        if wanted < 0 and context.position_now > 0:
            return nb.order_nb(size=-100.0, price=numpy.inf)
    return nb.order_nothing_nb()


def sides(close: Any) -> Any:  # noqa: ANN401
    """1 where the average of 10 closes is above that of 30, -1 where it is below."""
    ticks = numpy.rint(close * 10_000).astype(numpy.int64)
    total = numpy.vstack([numpy.zeros((1, ticks.shape[1]), numpy.int64), ticks.cumsum(axis=0)])
    found = numpy.zeros(ticks.shape, numpy.int8)
    fast, slow = total[30:] - total[20:-10], total[30:] - total[:-30]
    found[29:] = numpy.sign(3 * fast - slow)
    return found


def run(opened: Any, close: Any) -> Any:  # noqa: ANN401
    return vectorbt.Portfolio.from_order_func(
        opened, decide, sides(close), init_cash=CASH, freq="1min"
    )


def main(path: str) -> None:
    """Prints what came of it; only the second run is timed."""
    history = numpy.load(path)
    moments = pandas.to_datetime(history["ends_ns"])
    opened = pandas.DataFrame(history["open"].T, index=moments)
    close = history["close"].T
    run(opened, close)
    began_s = time.process_time()
    records = run(opened, close).orders.records
    cpu_s = time.process_time() - began_s
    bought = numpy.where(records["side"] == 0, 1, -1) * records["size"]
    held = numpy.bincount(records["col"], weights=bought, minlength=close.shape[1])
    profit = held @ close[-1] - (bought * records["price"]).sum()
    said = {
        "bars": close.size,
        "orders": len(records),
        "fills": len(records),
        "profit": float(profit),
        "cpu_s": cpu_s,
    }
    print(json.dumps(said))


if __name__ == "__main__":
    main(sys.argv[1])

"""The indicators, calculated by TA-Lib, in an environment of its own."""

import json
import subprocess

import numpy as np
import pytest

from tests.official_clients import python_with
from trader.feeds.random_walk import random_walk
from trader.strategies import by_column
from trader.strategies.by_column import Floats, Integers

TALIB = "TA-Lib==0.6.8"
PERIODS = (2, 3, 14, 200)
CALCULATE = """
import json, sys
import numpy as np, talib
asked = json.load(sys.stdin)
high, low, close = (np.array(asked[name], dtype=float) for name in ("high", "low", "close"))
found = {}
for period in asked["periods"]:
    upper, mean, lower = talib.BBANDS(close, period, 2.0, 2.0, 0)
    found[period] = {
        "SMA": talib.SMA(close, period), "EMA": talib.EMA(close, period), "RSI": talib.RSI(close, period),
        "ATR": talib.ATR(high, low, close, period), "MAX": talib.MAX(high, period),
        "MIN": talib.MIN(low, period), "upper": upper, "mean": mean, "lower": lower,
    }
print(json.dumps(found, default=lambda column: column.tolist()))
"""


def answers() -> dict[str, dict[str, list[float]]]:
    python = python_with(TALIB, "import talib")
    bars = random_walk(11, 3_000)
    asked = {
        "periods": PERIODS,
        "high": bars.high.tolist(),
        "low": bars.low.tolist(),
        "close": bars.close.tolist(),
    }
    ended = subprocess.run(
        [python, "-W", "ignore", "-c", CALCULATE],
        input=json.dumps(asked),
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert ended.returncode == 0, ended.stderr
    return dict(json.loads(ended.stdout))


def ours(period: int) -> dict[str, Integers | Floats]:
    bars = random_walk(11, 3_000)
    mean = by_column.sums(bars.close, period) / period
    deviation = np.sqrt(by_column.variations(bars.close, period)) / period
    return {
        "SMA": mean,
        "EMA": by_column.exponential_means(bars.close, period),
        "RSI": by_column.relative_strengths(bars.close, period),
        "ATR": by_column.average_true_ranges(bars.high, bars.low, bars.close, period),
        "MAX": by_column.highest(bars.high, period),
        "MIN": by_column.lowest(bars.low, period),
        "upper": mean + 2 * deviation,
        "mean": mean,
        "lower": mean - 2 * deviation,
    }


@pytest.mark.slow
def test_talib_has_the_same_values() -> None:
    for text, theirs in answers().items():
        period = int(text)
        for name, column in ours(period).items():
            their = np.array(theirs[name], dtype=float)
            known = ~np.isnan(their)
            first = period if name in ("RSI", "ATR") else period - 1
            assert known.tolist() == [False] * first + [True] * (3_000 - first), (name, period)
            if name in ("EMA", "RSI", "ATR", "MAX", "MIN"):
                assert np.array_equal(column[known], their[known]), (name, period)
            else:  # It adds prices up from bar to bar, and takes roots of differences of squares.
                tolerance = 1e-12 if name in ("SMA", "mean") else 1e-6
                np.testing.assert_allclose(column[known], their[known], rtol=tolerance)

"""Returns and risks of random curves, reckoned by empyrical-reloaded in an environment of its own."""

import json
import math
from datetime import date
from pathlib import Path
from random import Random
from typing import Any

import pytest

from tests.official_clients import printed_by, python_with
from tests.outcomes import outcome
from trader.backtest.outcome import Outcome
from trader.backtest.statistics import statistics_of

EMPYRICAL = "empyrical-reloaded==0.7.1"
CURVES = 40
PROGRAM = """
import json, sys, warnings
warnings.simplefilter("ignore")
import empyrical, pandas
told = []
for sessions, values in json.load(open(sys.argv[1])):
    returns = empyrical.simple_returns(pandas.Series(values, dtype=float))
    returns.index = pandas.DatetimeIndex(sessions)
    months = empyrical.aggregate_returns(returns, "monthly")
    years = empyrical.aggregate_returns(returns, "yearly")
    told.append({
        "total_return": empyrical.cum_returns_final(returns),
        "cagr": empyrical.annual_return(returns),
        "volatility": empyrical.annual_volatility(returns),
        "sharpe": empyrical.sharpe_ratio(returns),
        "sortino": empyrical.sortino_ratio(returns),
        "calmar": empyrical.calmar_ratio(returns),
        "max_drawdown": empyrical.max_drawdown(returns),
        "months": {f"{year}-{month:02}": value for (year, month), value in months.items()},
        "years": {str(year): value for year, value in years.items()},
    })
print(json.dumps(told))
"""


def random_curve(random: Random) -> Outcome:
    """From two days to some five years, calm or wild, rising or falling; dollars and cents."""
    cents, values = 10_000_000, []
    drift, swing = random.uniform(-0.002, 0.002), random.choice([0.0005, 0.01, 0.05])
    for _ in range(random.choice([2, 3, 30, 252, 1_300])):
        cents = max(100, round(cents * (1 + random.gauss(drift, swing))))
        values.append(f"{cents // 100}.{cents % 100:02}")
    first = date(random.randint(1999, 2020), random.randint(1, 12), random.randint(1, 28))
    return outcome(*values, opening=100_000, first=first)


@pytest.mark.slow
def test_statistics_of_random_curves_are_those_of_empyrical(tmp_path: Path) -> None:
    random = Random(8)
    curves = [random_curve(random) for _ in range(CURVES)]
    asked = [
        [
            [point.session for point in one.equity],
            [str(value) for value in (one.opening_cash, *(point.equity for point in one.equity))],
        ]
        for one in curves
    ]
    path = tmp_path / "curves.json"
    path.write_text(json.dumps([[days, [float(v) for v in values]] for days, values in asked]))
    python = python_with(EMPYRICAL, "import empyrical")
    answers = json.loads(printed_by(python, PROGRAM, str(path)))
    compared = 0
    for curve, answer in zip(curves, answers, strict=True):
        compared += sum(_agree(curve, answer))
    assert compared > CURVES * 8, "nearly every figure of every curve has a value"


def _agree(curve: Outcome, answer: dict[str, Any]) -> list[bool]:
    """Whether each has a value; where empyrical has none (or infinity), ours is None."""
    said = statistics_of(curve)
    assert said.max_drawdown is not None
    ours = {name: getattr(said, name) for name in answer} | {
        "max_drawdown": said.max_drawdown.depth
    }
    for name, theirs in answer.items():
        if isinstance(theirs, dict) or math.isfinite(theirs):
            assert ours[name] == pytest.approx(theirs, rel=1e-9, abs=1e-9), name
        else:
            assert ours[name] is None, name
    return [value is not None for value in ours.values()]

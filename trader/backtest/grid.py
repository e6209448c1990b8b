"""A grid of parameters, and what each of its points came to."""

from collections.abc import Mapping, Sequence
from itertools import product

from msgspec import Struct

from trader.backtest.outcome import Outcome
from trader.backtest.statistics import Statistics, statistics_of
from trader.exits import Mistake

POINTS_MAX = 100_000
MEASURES = ("sharpe", "sortino", "calmar", "total_return", "profit_factor")


class Trial(Struct, frozen=True, kw_only=True):
    """One run of a sweep: fractions as in Statistics, None where undefined; `run` is a hash of all that it depends on.

    impossible: why there can be no such run; then all else is nothing.
    """

    run: str
    params: dict[str, str]
    impossible: str = ""
    orders: int = 0
    trades: int = 0
    final_equity: str = ""
    total_return: float | None = None
    sharpe: float | None = None
    sortino: float | None = None
    calmar: float | None = None
    profit_factor: float | None = None
    max_drawdown: float | None = None

    def measure(self, name: str) -> float:
        """To sort by: what is undefined comes last."""
        value = getattr(self, name)
        return float("-inf") if value is None else float(value)


def axis(text: str) -> tuple[str, list[str]]:
    """`fast=5..20`, `slow=20..60:5` or `mode=a,b` as a name and its values; raises Mistake."""
    name, equals, values = text.partition("=")
    span, colon, step = values.partition(":")
    first, dots, last = span.partition("..")
    if not name or not equals or not values:
        raise Mistake(f"not NAME=FROM..TO[:STEP] or NAME=A,B: {text!r}", where="--grid")
    if not dots:
        return name, values.split(",")
    numbers = [first, last, step] if colon else [first, last, "1"]
    if not all(_is_whole(one) for one in numbers):
        raise Mistake(f"whole numbers are wanted: {text!r}", where="--grid")
    low, high, by = (int(one) for one in numbers)
    if by <= 0 or high < low:
        raise Mistake(f"goes nowhere: {text!r}", where="--grid")
    return name, [str(one) for one in range(low, high + 1, by)]


def _is_whole(text: str) -> bool:
    return text.removeprefix("-").isascii() and text.removeprefix("-").isdigit() and len(text) < 10


def points(axes: Mapping[str, Sequence[str]]) -> list[dict[str, str]]:
    """Every combination, the last axis changing fastest; raises Mistake."""
    count = 1
    for values in axes.values():
        count *= len(values)
    if count > POINTS_MAX:
        raise Mistake(f"{count:,} runs; at most {POINTS_MAX:,}", where="--grid")
    return [dict(zip(axes, values, strict=True)) for values in product(*axes.values())]


def trial_of(outcome: Outcome, run: str, params: dict[str, str]) -> Trial:
    """What a run came to."""
    statistics = statistics_of(outcome)
    return Trial(
        run=run,
        params=params,
        orders=outcome.orders,
        trades=statistics.trades,
        final_equity=str(statistics.final_equity),
        total_return=statistics.total_return,
        sharpe=statistics.sharpe,
        sortino=statistics.sortino,
        calmar=statistics.calmar,
        profit_factor=statistics.profit_factor,
        max_drawdown=_depth(statistics),
    )


def _depth(statistics: Statistics) -> float | None:
    drawdown = statistics.max_drawdown
    return None if drawdown is None else drawdown.depth

"""The indicators for a whole column of whole price ticks at once, each place equal to what `indicators` has there.

The only module of strategies that needs NumPy: a strategy imports it where it makes signals, not when it is loaded.
Sums are int64. They wrap where they grow too long, and a difference of two wrapped sums is right again as long as it
fits itself; where even that could be too long, `exact` gives Python's integers in place of NumPy's.
"""

from collections.abc import Callable
from itertools import accumulate
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from trader.strategies.indicators import NOTHING

Integers: TypeAlias = NDArray[Any]  # int64, or Python's own integers from `exact`
Floats: TypeAlias = NDArray[np.float64]
Flags: TypeAlias = NDArray[np.bool_]

FITS = 2**62


def sums(column: Integers, window: int) -> Integers:
    """MovingSum: of the `window` numbers up to each place, of fewer before there are as many."""
    total: Integers = np.cumsum(column)
    total[window:] -= total[:-window].copy()
    return total


def exact(column: Integers, factor: int) -> Integers:
    """The column in numbers in which `factor` times the square of its span can be calculated."""
    span = int(column.max()) - int(column.min()) if len(column) else 0
    wide: Integers = column if factor * span * span < FITS else column.astype(object)
    return wide


def variations(column: Integers, window: int) -> Integers:
    """MovingSquares.variation, right from place window - 1 on, for a column that is `exact` by window²."""
    total = sums(column, window)
    found: Integers = window * sums(column * column, window) - total * total
    return found


def highest(column: Integers, window: int) -> Integers:
    """Highest: in two passes over blocks of `window`, whatever its length (van Herk, Gil and Werman)."""
    count = len(column)
    low = column.min() if count else 0
    padded = np.full((count // window + 2) * window, low, dtype=column.dtype)
    padded[window - 1 : window - 1 + count] = column
    blocks = padded.reshape(-1, window)
    from_start = np.maximum.accumulate(blocks, axis=1).ravel()
    from_end = np.maximum.accumulate(blocks[:, ::-1], axis=1)[:, ::-1].ravel()
    return np.maximum(from_end[:count], from_start[window - 1 : window - 1 + count])


def lowest(column: Integers, window: int) -> Integers:
    """Lowest."""
    return -highest(-column, window)


def exponential_means(column: Integers, period: int) -> Floats:
    """ExponentialMean, NaN before place period - 1."""
    factor = 2.0 / (period + 1)
    return _recursive(column, period, lambda mean, number: (number - mean) * factor + mean)


def wilder_means(column: Integers, period: int) -> Floats:
    """WilderMean, NaN before place period - 1."""
    rest = period - 1
    return _recursive(column, period, lambda mean, number: (mean * rest + number) / period)


def _recursive(column: Integers, period: int, after: Callable[[float, int], float]) -> Floats:
    # Each value needs the one before it, rounded: a loop in Python is what keeps it bit by bit the same.
    means = np.full(len(column), np.nan)
    numbers: list[int] = column.tolist()
    if len(numbers) >= period:
        first = sum(numbers[:period]) / period
        means[period - 1 :] = list(accumulate(numbers[period:], after, initial=first))
    return means


def relative_strengths(close: Integers, period: int) -> Floats:
    """RelativeStrength, NaN before place period."""
    moves = np.diff(close)
    rise = wilder_means(np.maximum(moves, 0), period)
    fall = wilder_means(np.maximum(-moves, 0), period)
    moved = rise + fall
    with np.errstate(invalid="ignore", divide="ignore"):
        strength = np.where(moved < NOTHING, 50.0, 100.0 * (rise / moved))
    return _after_first(strength, close)


def average_true_ranges(high: Integers, low: Integers, close: Integers, period: int) -> Floats:
    """AverageTrueRange, NaN before place period."""
    before = close[:-1]
    ranges = np.maximum(high[1:], before) - np.minimum(low[1:], before)
    return _after_first(wilder_means(ranges, period), close)


def _after_first(values: Floats, close: Integers) -> Floats:
    """What needs the close of the bar before has nothing at the first place."""
    return np.concatenate((np.full(min(1, len(close)), np.nan), values))


def begins(holds: Flags, first: int) -> Flags:
    """Where a condition holds and didn't one place before; before place `first` it isn't known, at it it's no news."""
    news = np.zeros(len(holds), dtype=np.bool_)
    news[first + 1 :] = holds[first + 1 :] & ~holds[first:-1]
    return news


def since(holds: Flags, first: int) -> Flags:
    """The condition, from place `first` on."""
    known = np.zeros(len(holds), dtype=np.bool_)
    known[first:] = holds[first:]
    return known

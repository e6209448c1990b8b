"""Indicators: what they are by definition, and bar by bar the same as by column, bit by bit."""

import math
import subprocess
import sys
from collections.abc import Callable
from statistics import pvariance

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trader.feeds.columns import Columns
from trader.feeds.random_walk import random_walk
from trader.strategies import by_column
from trader.strategies.indicators import (
    AverageTrueRange,
    ExponentialMean,
    Highest,
    Lowest,
    MovingSquares,
    MovingSum,
    RelativeStrength,
    WilderMean,
    mean_text,
)

WINDOWS = st.integers(1, 20)
TICKS = st.lists(st.integers(1, 10**10), max_size=80)
FEW = st.lists(st.integers(1, 6), max_size=80)  # with many that are the same
WALKS = st.builds(random_walk, st.integers(0, 10**6), st.integers(0, 120))


def column(numbers: list[int]) -> by_column.Integers:
    return np.array(numbers, dtype=np.int64)


def same(ours: list[float], theirs: by_column.Floats) -> None:
    assert np.array_equal(np.array(ours, dtype=np.float64), theirs, equal_nan=True)


@given(WINDOWS, TICKS)
def test_a_moving_sum_is_the_sum_of_the_last_numbers(window: int, numbers: list[int]) -> None:
    moving = MovingSum(window)
    totals = by_column.sums(column(numbers), window)
    for count, number in enumerate(numbers, start=1):
        moving.add(number)
        assert moving.total == sum(numbers[max(0, count - window) : count]) == totals[count - 1]
        assert moving.is_full() == (count >= window)


@given(WINDOWS, TICKS)
def test_a_variation_is_the_variance_times_the_window_squared(
    window: int, numbers: list[int]
) -> None:
    moving = MovingSquares(window)
    exact = by_column.exact(column(numbers), window * window)
    variations = by_column.variations(exact, window)
    for count, number in enumerate(numbers, start=1):
        moving.add(number)
        if moving.is_full():
            last = numbers[count - window : count]
            assert moving.variation == variations[count - 1]
            # pvariance is a float of an exact fraction.
            assert moving.variation / window**2 == pytest.approx(pvariance(last), rel=1e-12)


def test_a_variation_too_long_for_64_bits_is_calculated_in_longer_numbers() -> None:
    numbers = [1, 7 * 10**9] * 300
    assert by_column.exact(column(numbers), 500**2).dtype == object
    assert by_column.exact(column([3_200_000, 3_300_000]), 20**2).dtype == np.int64
    moving = MovingSquares(500)
    for number in numbers:
        moving.add(number)
    exact = by_column.exact(column(numbers), 500**2)
    assert by_column.variations(exact, 500)[-1] == moving.variation > 2**63


def test_sums_that_wrap_on_the_way_are_right_in_their_difference() -> None:
    numbers = [
        3_037_000_500
    ] * 4  # squares of 2**63: their running sum wraps, each window's spread is 0
    squares = column(numbers) * column(numbers)
    assert np.cumsum(squares)[-1] != 4 * 3_037_000_500**2
    assert by_column.variations(column(numbers), 2)[1:].tolist() == [0, 0, 0]


@pytest.mark.parametrize(
    ("make", "by_all", "extreme"),
    [(Highest, by_column.highest, max), (Lowest, by_column.lowest, min)],
)
def test_extremes_are_those_of_the_last_numbers(
    make: Callable[[int], Highest | Lowest],
    by_all: Callable[[by_column.Integers, int], by_column.Integers],
    extreme: Callable[[list[int]], int],
) -> None:
    @given(WINDOWS, TICKS | FEW)
    def holds(window: int, numbers: list[int]) -> None:
        moving, extremes = make(window), by_all(column(numbers), window)
        assert moving.value is None
        assert len(extremes) == len(numbers)
        for count, number in enumerate(numbers, start=1):
            moving.add(number)
            expected = extreme(numbers[max(0, count - window) : count])
            assert moving.value == expected == extremes[count - 1]
            assert moving.is_full() == (count >= window)

    holds()


@pytest.mark.parametrize(
    ("make", "by_all"),
    [
        (ExponentialMean, by_column.exponential_means),
        (WilderMean, by_column.wilder_means),
        (RelativeStrength, by_column.relative_strengths),
    ],
)
def test_recursive_ones_are_bit_by_bit_the_same_in_both_forms(
    make: Callable[[int], ExponentialMean | WilderMean | RelativeStrength],
    by_all: Callable[[by_column.Integers, int], by_column.Floats],
) -> None:
    @given(WINDOWS, TICKS | FEW)
    def holds(period: int, numbers: list[int]) -> None:
        one, ours = make(period), list[float]()
        for number in numbers:
            one.add(number)
            assert one.is_ready() is not math.isnan(one.value)
            ours.append(one.value)
        same(ours, by_all(column(numbers), period))

    holds()


@given(WINDOWS, WALKS)
def test_the_average_true_range_is_the_same_in_both_forms(period: int, bars: Columns) -> None:
    one, ours = AverageTrueRange(period), list[float]()
    for bar in bars.bars():
        one.add(bar)
        assert one.is_ready() is not math.isnan(one.value)
        ours.append(one.value)
    same(ours, by_column.average_true_ranges(bars.high, bars.low, bars.close, period))


def test_means_by_hand() -> None:
    exponential, wilder = ExponentialMean(3), WilderMean(3)
    for number in (1, 2, 6, 7):
        exponential.add(number)
        wilder.add(number)
    assert exponential.value == 3 + (7 - 3) * 0.5
    assert wilder.value == (3 * 2 + 7) / 3


def test_a_strength_by_hand_and_of_what_never_moved() -> None:
    strength, still = RelativeStrength(2), RelativeStrength(2)
    for close in (10, 13, 12):
        strength.add(close)
        still.add(10)
    assert strength.value == 75.0  # rises of 3, falls of 1
    assert still.value == 50.0


def test_a_true_range_has_the_gap_in_it() -> None:
    bars = random_walk(1, 2)
    first, second = bars.bars()
    gap = AverageTrueRange(1)
    gap.add(first)
    gap.add(second)
    assert gap.value == max(second.high, first.close) - min(second.low, first.close)


def test_a_condition_that_begins_is_news_once_it_can_be_known() -> None:
    holds = np.array([True, False, True, True, False, True])
    assert by_column.begins(holds, 0).tolist() == [False, False, True, False, False, True]
    assert by_column.begins(holds, 2).tolist() == [False, False, False, False, False, True]
    assert by_column.begins(holds, 9).tolist() == [False] * 6
    assert by_column.since(holds, 3).tolist() == [False, False, False, True, False, True]


def test_a_mean_is_shown_rounded_half_up() -> None:
    assert mean_text(319_050, 1, 2) == "31.91"
    assert mean_text(319_049, 1, 2) == "31.90"
    assert mean_text(957_050, 3, 4) == "31.9017"


def test_strategies_are_loaded_without_numpy() -> None:
    program = "import sys, trader.strategies; print('numpy' in sys.modules, 'trader.strategies.rsi' in sys.modules)"
    printed = subprocess.run(
        [sys.executable, "-P", "-c", program], capture_output=True, text=True, check=True
    )
    assert printed.stdout.split() == ["False", "True"]


def test_a_random_walk_is_the_same_for_the_same_seed_and_its_bars_make_sense() -> None:
    one, other = random_walk(3, 500, cents=3), random_walk(3, 500, cents=3)
    assert list(one.bars()) == list(other.bars())
    assert list(one.bars()) != list(random_walk(4, 500, cents=3).bars())
    for bar in one.bars():
        assert 100 <= bar.low <= min(bar.open, bar.close) <= max(bar.open, bar.close) <= bar.high
    assert len(random_walk(3, 0)) == 0

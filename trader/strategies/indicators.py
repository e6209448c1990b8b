"""Indicators bar by bar, on whole price ticks: sums, means, ranges and extremes of what was added last.

`by_column` has the same for a whole column, and decisions by either are the same. Where no division is needed there is
none: sums and squares are integers. The recursive ones (exponential and Wilder's means, and what is made of them)
can't do without; they are binary floats in both forms, calculated by the same operations in the same order, which is
the order of TA-Lib, so they are the same bit by bit.
"""

import math
from collections import deque

from trader.model import Bar
from trader.money import PRICE_TICKS_PER_DOLLAR

WINDOW_MAX = 10_000
NOTHING = 1e-14  # of moves: what TA-Lib takes for none
# After this many periods what a recursive mean began with weighs less than a ten-thousandth.
PERIODS_EXPONENTIAL, PERIODS_WILDER = 5, 10


class MovingSum:
    """The sum of the last `window` numbers."""

    def __init__(self, window: int) -> None:
        self.window = window
        self.total = 0
        self._numbers: deque[int] = deque()

    def add(self, number: int) -> None:
        self._numbers.append(number)
        self.total += number
        if len(self._numbers) > self.window:
            self.total -= self._numbers.popleft()

    def is_full(self) -> bool:
        return len(self._numbers) == self.window


class MovingSquares:
    """Sum and sum of squares of the last `window` numbers; `variation` is window² times their variance."""

    def __init__(self, window: int) -> None:
        self.window = window
        self.total = 0
        self._squares = 0
        self._numbers: deque[int] = deque()

    def add(self, number: int) -> None:
        self._numbers.append(number)
        self.total += number
        self._squares += number * number
        if len(self._numbers) > self.window:
            gone = self._numbers.popleft()
            self.total -= gone
            self._squares -= gone * gone

    def is_full(self) -> bool:
        return len(self._numbers) == self.window

    @property
    def variation(self) -> int:
        """Of the population, as Bollinger's bands want it: window x the sum of squares - the square of the sum."""
        return self.window * self._squares - self.total * self.total


class Highest:
    """The greatest of the last `window` numbers; None before there is one."""

    def __init__(self, window: int) -> None:
        self.window = window
        self._count = 0
        self._falling: deque[tuple[int, int]] = (
            deque()
        )  # place and number: none that a later one tops

    def add(self, number: int) -> None:
        falling = self._falling
        while falling and falling[-1][1] <= number:
            falling.pop()
        falling.append((self._count, number))
        self._count += 1
        if falling[0][0] < self._count - self.window:
            falling.popleft()

    def is_full(self) -> bool:
        return self._count >= self.window

    @property
    def value(self) -> int | None:
        return self._falling[0][1] if self._falling else None


class Lowest:
    """The least of the last `window` numbers; None before there is one."""

    def __init__(self, window: int) -> None:
        self._highest = Highest(window)

    def add(self, number: int) -> None:
        self._highest.add(-number)

    def is_full(self) -> bool:
        return self._highest.is_full()

    @property
    def value(self) -> int | None:
        highest = self._highest.value
        return None if highest is None else -highest


class ExponentialMean:
    """The newest number weighs 2 / (period + 1); begins with the mean of the first `period`. NaN until then."""

    def __init__(self, period: int) -> None:
        self.period = period
        self.value = math.nan
        self._factor = 2.0 / (period + 1)
        self._first = MovingSum(period)

    def add(self, number: int) -> None:
        if self._first.is_full():
            self.value = (number - self.value) * self._factor + self.value
            return
        self._first.add(number)
        if self._first.is_full():
            self.value = self._first.total / self.period

    def is_ready(self) -> bool:
        return self._first.is_full()


class WilderMean:
    """The newest number weighs 1 / period; begins with the mean of the first `period`. NaN until then."""

    def __init__(self, period: int) -> None:
        self.period = period
        self.value = math.nan
        self._first = MovingSum(period)

    def add(self, number: int) -> None:
        if self._first.is_full():
            self.value = (self.value * (self.period - 1) + number) / self.period
            return
        self._first.add(number)
        if self._first.is_full():
            self.value = self._first.total / self.period

    def is_ready(self) -> bool:
        return self._first.is_full()


class RelativeStrength:
    """Wilder's RSI, 0 to 100: the share of rises in the mean move. NaN before `period` moves.

    Where nothing has moved at all it is 50; TA-Lib says 0 there, which would be a reason to buy what nobody trades.
    """

    def __init__(self, period: int) -> None:
        self._rise, self._fall = WilderMean(period), WilderMean(period)
        self._before: int | None = None

    def add(self, close: int) -> None:
        if self._before is not None:
            move = close - self._before
            self._rise.add(max(move, 0))
            self._fall.add(max(-move, 0))
        self._before = close

    def is_ready(self) -> bool:
        return self._rise.is_ready()

    @property
    def value(self) -> float:
        return strength_of(self._rise.value, self._fall.value)


def strength_of(rise: float, fall: float) -> float:
    """The RSI of a mean rise and a mean fall."""
    moved = rise + fall
    return 50.0 if moved < NOTHING else 100.0 * (rise / moved)


class AverageTrueRange:
    """Wilder's ATR in price ticks: how far a bar reaches, the gap to the close before it included. NaN before."""

    def __init__(self, period: int) -> None:
        self._mean = WilderMean(period)
        self._before: int | None = None

    def add(self, bar: Bar) -> None:
        if self._before is not None:
            self._mean.add(max(bar.high, self._before) - min(bar.low, self._before))
        self._before = bar.close

    def is_ready(self) -> bool:
        return self._mean.is_ready()

    @property
    def value(self) -> float:
        return self._mean.value


def mean_text(total: int, window: int, decimals: int) -> str:
    """The mean of a sum of price ticks, in dollars, rounded half up."""
    unit = 10**decimals
    divisor = window * PRICE_TICKS_PER_DOLLAR
    dollars, rest = divmod((2 * total * unit + divisor) // (2 * divisor), unit)
    return f"{dollars}.{rest:0{decimals}}"


def dollars_text(ticks: float, decimals: int = 2) -> str:
    """Price ticks, whole or not, in dollars."""
    return f"{ticks / PRICE_TICKS_PER_DOLLAR:.{decimals}f}"

"""SMA crossover: in when the fast average of closes rises above the slow one, out while it is below.

An entry is wished for at the crossing only, an exit at every bar on which the fast average is below. Sums are whole
price ticks and are compared without a division, so neither rounding nor the order of additions decides a trade.
"""

from typing import Annotated, ClassVar

from msgspec import Meta, Struct

from trader.model import Bar, Side, Size, StrategyName
from trader.strategies.base import StrategyError
from trader.strategies.by_bars import BarStrategy
from trader.strategies.indicators import WINDOW_MAX, MovingSum, mean_text
from trader.strategies.signals import BarColumns, Signals
from trader.strategies.sizing import SizedParameters


class SmaCrossoverParameters(SizedParameters, frozen=True, kw_only=True):
    """fast, slow: how many bars each average is taken over; fast must be the smaller."""

    fast: Annotated[int, Meta(ge=1, le=WINDOW_MAX)] = 10
    slow: Annotated[int, Meta(ge=2, le=WINDOW_MAX)] = 30


class SmaCrossover(BarStrategy):
    """Holds a position from the crossing up to the first bar with the fast average below the slow one."""

    Parameters: ClassVar[type[Struct]] = SmaCrossoverParameters

    def __init__(self, name: StrategyName, size: Size, parameters: SmaCrossoverParameters) -> None:
        super().__init__(name, size, parameters)
        fast, slow = parameters.fast, parameters.slow
        check_windows(fast, slow)
        self.bars_needed = max(self.bars_needed, slow + 1)
        self._fast = MovingSum(fast)
        self._slow = MovingSum(slow)
        self._was_above = True  # until both averages exist there is no crossing

    def side_of(self, bar: Bar) -> Side | None:
        fast, slow = self._fast, self._slow
        fast.add(bar.close)
        slow.add(bar.close)
        if not slow.is_full():
            return None
        difference = fast.total * slow.window - slow.total * fast.window
        crossed_up = difference > 0 and not self._was_above
        self._was_above = difference > 0
        return Side.BUY if crossed_up else Side.SELL if difference < 0 else None

    def words(self, side: Side) -> str:
        return self._words(side, self._fast.total, self._slow.total)

    def signals(self, columns: BarColumns) -> Signals:
        from trader.strategies import by_column

        fast = by_column.sums(columns.close, self._fast.window)
        slow = by_column.sums(columns.close, self._slow.window)
        difference = fast * self._slow.window - slow * self._fast.window
        first = self._slow.window - 1
        signals = Signals(
            enter=by_column.begins(difference > 0, first),
            leave=by_column.since(difference < 0, first),
            words=lambda place, side: self._words(side, int(fast[place]), int(slow[place])),
        )
        return self.sized(columns, signals)

    def _words(self, side: Side, fast_total: int, slow_total: int) -> str:
        fast, slow = self._fast.window, self._slow.window
        decimals = 2
        if mean_text(fast_total, fast, 2) == mean_text(slow_total, slow, 2):
            decimals = 4
        return (
            f"{fast}-bar average {mean_text(fast_total, fast, decimals)} {VERBS[side]} "
            f"{slow}-bar {mean_text(slow_total, slow, decimals)}"
        )


VERBS = {Side.BUY: "rose above", Side.SELL: "fell below"}


def check_windows(fast: int, slow: int) -> None:
    """Raises StrategyError where the fast one isn't."""
    if fast >= slow:
        raise StrategyError(f"fast ({fast}) must be smaller than slow ({slow})")

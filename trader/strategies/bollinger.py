"""Mean reversion by Bollinger's bands: in when the close falls below the lower band, out from the mean on.

A close is below mean - width x deviation exactly where window x mean - window x close, squared, is more than width²
times window² times the variance: both are whole numbers, so no root and no rounding decides a trade.
"""

import math
from decimal import Decimal
from typing import Annotated, ClassVar

from msgspec import Meta, Struct

from trader.model import Bar, Side, Size, StrategyName
from trader.strategies.by_bars import BarStrategy
from trader.strategies.indicators import WINDOW_MAX, MovingSquares, dollars_text
from trader.strategies.signals import BarColumns, Signals
from trader.strategies.sizing import SizedParameters, number_between

WIDTH_MAX = Decimal(100)


class BollingerParameters(SizedParameters, frozen=True, kw_only=True):
    """bars: of how many closes mean and deviation are taken; width: how many deviations below the band lies."""

    bars: Annotated[int, Meta(ge=2, le=WINDOW_MAX)] = 20
    width: Decimal = Decimal(2)


class Bollinger(BarStrategy):
    """Enters at the first close below the lower band, leaves at every close at or above the mean."""

    Parameters: ClassVar[type[Struct]] = BollingerParameters

    def __init__(self, name: StrategyName, size: Size, parameters: BollingerParameters) -> None:
        super().__init__(name, size, parameters)
        width = number_between("width", parameters.width, Decimal(0), WIDTH_MAX)
        self._over, self._under = width.as_integer_ratio()
        self.bars_needed = max(self.bars_needed, parameters.bars + 1)
        self._closes = MovingSquares(parameters.bars)
        self._close = 0
        self._was_below = True  # until there is a band nothing falls below it

    def side_of(self, bar: Bar) -> Side | None:
        closes = self._closes
        closes.add(bar.close)
        self._close = bar.close
        if not closes.is_full():
            return None
        depth = closes.total - closes.window * bar.close
        is_below = depth > 0 and (
            depth * depth * self._under * self._under > self._over * self._over * closes.variation
        )
        fell = is_below and not self._was_below
        self._was_below = is_below
        return Side.BUY if fell else Side.SELL if depth <= 0 else None

    def words(self, side: Side) -> str:
        return self._words(side, self._close, self._closes.total, self._closes.variation)

    def signals(self, columns: BarColumns) -> Signals:
        from trader.strategies import by_column

        window, over, under = self._closes.window, self._over, self._under
        close = by_column.exact(columns.close, (window * max(over, under)) ** 2)
        total = by_column.sums(close, window)
        variation = by_column.variations(close, window)
        depth = total - window * close
        is_below = (depth > 0) & (depth * depth * (under * under) > variation * (over * over))
        signals = Signals(
            enter=by_column.begins(is_below.astype(bool), window - 1),
            leave=by_column.since((depth <= 0).astype(bool), window - 1),
            words=lambda place, side: self._words(
                side, int(close[place]), int(total[place]), int(variation[place])
            ),
        )
        return self.sized(columns, signals)

    def _words(self, side: Side, close: int, total: int, variation: int) -> str:
        window = self._closes.window
        mean = total / window
        if side is Side.SELL:
            return f"{dollars_text(close)} back at the {window}-bar average {dollars_text(mean, 4)}"
        band = mean - self._over / self._under * math.sqrt(variation) / window
        return f"{dollars_text(close)} fell below the {window}-bar band {dollars_text(band, 4)}"

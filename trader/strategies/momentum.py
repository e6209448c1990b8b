"""Momentum: in when the price has risen by so much over the last bars, out while it is below where it was."""

from collections import deque
from typing import Annotated, ClassVar

from msgspec import Meta, Struct

from trader.model import Bar, Side, Size, StrategyName
from trader.strategies.by_bars import BarStrategy
from trader.strategies.indicators import WINDOW_MAX, dollars_text
from trader.strategies.signals import BarColumns, Signals
from trader.strategies.sizing import SizedParameters

WHOLE = 10_000  # basis points


class MomentumParameters(SizedParameters, frozen=True, kw_only=True):
    """bars: how far back the close is compared; rise_bp: the rise that is bought, in hundredths of a percent."""

    bars: Annotated[int, Meta(ge=1, le=WINDOW_MAX)] = 60
    rise_bp: Annotated[int, Meta(ge=0, le=WHOLE)] = 50


class Momentum(BarStrategy):
    """Enters at the first bar with the rise, holds until the close is below the one so many bars ago."""

    Parameters: ClassVar[type[Struct]] = MomentumParameters

    def __init__(self, name: StrategyName, size: Size, parameters: MomentumParameters) -> None:
        super().__init__(name, size, parameters)
        self._bars = parameters.bars
        self._factor = WHOLE + parameters.rise_bp
        self.bars_needed = max(self.bars_needed, self._bars + 2)
        self._closes: deque[int] = deque(maxlen=self._bars + 1)
        self._had_risen = (
            True  # until there is a close to compare with, there is no rise that began
        )

    def side_of(self, bar: Bar) -> Side | None:
        closes = self._closes
        closes.append(bar.close)
        if len(closes) <= self._bars:
            return None
        past = closes[0]
        has_risen = bar.close * WHOLE > past * self._factor
        began = has_risen and not self._had_risen
        self._had_risen = has_risen
        return Side.BUY if began else Side.SELL if bar.close < past else None

    def words(self, side: Side) -> str:
        return self._words(side, self._closes[-1], self._closes[0])

    def signals(self, columns: BarColumns) -> Signals:
        from trader.strategies import by_column

        close = columns.close
        past = close.copy()  # before there is a past nothing has risen
        past[self._bars :] = close[: -self._bars]
        signals = Signals(
            enter=by_column.begins(close * WHOLE > past * self._factor, self._bars),
            leave=by_column.since(close < past, self._bars),
            words=lambda place, side: self._words(side, int(close[place]), int(past[place])),
        )
        return self.sized(columns, signals)

    def _words(self, side: Side, close: int, past: int) -> str:
        verb = "rose" if side is Side.BUY else "fell"
        return f"{verb} in {self._bars} bars from {dollars_text(past)} to {dollars_text(close)}"

"""Mean reversion by RSI: in when the relative strength falls below a level, out while it is above another one."""

from typing import Annotated, ClassVar

from msgspec import Meta, Struct

from trader.model import Bar, Side, Size, StrategyName
from trader.strategies.base import StrategyError
from trader.strategies.by_bars import BarStrategy
from trader.strategies.indicators import PERIODS_WILDER, RelativeStrength
from trader.strategies.signals import BarColumns, Signals
from trader.strategies.sizing import SizedParameters


class RsiParameters(SizedParameters, frozen=True, kw_only=True):
    """bars: Wilder's period; low: it is bought when the RSI falls below; high: sold while it is above."""

    bars: Annotated[int, Meta(ge=2, le=1_000)] = 14
    low: Annotated[int, Meta(ge=1, le=99)] = 30
    high: Annotated[int, Meta(ge=1, le=99)] = 50


class Rsi(BarStrategy):
    """Enters at the first bar below the lower level, holds up to the first above the higher one."""

    Parameters: ClassVar[type[Struct]] = RsiParameters

    def __init__(self, name: StrategyName, size: Size, parameters: RsiParameters) -> None:
        super().__init__(name, size, parameters)
        self._bars, self._low, self._high = parameters.bars, parameters.low, parameters.high
        if self._low > self._high:
            raise StrategyError(f"low ({self._low}) must not be above high ({self._high})")
        self.bars_needed = max(self.bars_needed, PERIODS_WILDER * self._bars)
        self._strength = RelativeStrength(self._bars)
        self._was_low = True  # until there is a strength it doesn't fall

    def side_of(self, bar: Bar) -> Side | None:
        self._strength.add(bar.close)
        if not self._strength.is_ready():
            return None
        strength = self._strength.value
        fell = strength < self._low and not self._was_low
        self._was_low = strength < self._low
        return Side.BUY if fell else Side.SELL if strength > self._high else None

    def words(self, side: Side) -> str:
        return self._words(side, self._strength.value)

    def signals(self, columns: BarColumns) -> Signals:
        from trader.strategies import by_column

        strength = by_column.relative_strengths(columns.close, self._bars)
        signals = Signals(
            enter=by_column.begins(strength < self._low, self._bars),
            leave=by_column.since(strength > self._high, self._bars),
            words=lambda place, side: self._words(side, float(strength[place])),
        )
        return self.sized(columns, signals)

    def _words(self, side: Side, strength: float) -> str:
        verb = f"fell below {self._low}" if side is Side.BUY else f"is above {self._high}"
        return f"{self._bars}-bar RSI {strength:.2f} {verb}"

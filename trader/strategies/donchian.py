"""Donchian breakout: in when the close breaks above the highest high of the bars before, out below the lowest low."""

from typing import Annotated, ClassVar

from msgspec import Meta, Struct

from trader.model import Bar, Side, Size, StrategyName
from trader.strategies.by_bars import BarStrategy
from trader.strategies.indicators import WINDOW_MAX, Highest, Lowest, dollars_text
from trader.strategies.signals import BarColumns, Signals
from trader.strategies.sizing import SizedParameters


class DonchianParameters(SizedParameters, frozen=True, kw_only=True):
    """entry, exit: of how many bars before this one the highest high and the lowest low are taken."""

    entry: Annotated[int, Meta(ge=1, le=WINDOW_MAX)] = 20
    exit: Annotated[int, Meta(ge=1, le=WINDOW_MAX)] = 10


class Donchian(BarStrategy):
    """Enters at the first close above the channel, leaves at every close below the lower one."""

    Parameters: ClassVar[type[Struct]] = DonchianParameters

    def __init__(self, name: StrategyName, size: Size, parameters: DonchianParameters) -> None:
        super().__init__(name, size, parameters)
        self._entry, self._exit = parameters.entry, parameters.exit
        self.bars_needed = max(self.bars_needed, max(self._entry, self._exit) + 2)
        self._high, self._low = Highest(self._entry), Lowest(self._exit)
        self._was_above = True  # until there is a channel nothing breaks out of it
        self._last = (0, 0, 0)  # close, channel's top and bottom

    def side_of(self, bar: Bar) -> Side | None:
        top = self._high.value if self._high.is_full() else None
        bottom = self._low.value if self._low.is_full() else None
        self._high.add(bar.high)
        self._low.add(bar.low)
        self._last = (bar.close, top or 0, bottom or 0)
        if top is not None:
            is_above = bar.close > top
            broke_out = is_above and not self._was_above
            self._was_above = is_above
            if broke_out:
                return Side.BUY
        return Side.SELL if bottom is not None and bar.close < bottom else None

    def words(self, side: Side) -> str:
        return self._words(side, *self._last)

    def signals(self, columns: BarColumns) -> Signals:
        from trader.strategies import by_column

        close = columns.close
        top, bottom = close.copy(), close.copy()  # of the bars before: nothing is beyond itself
        top[1:] = by_column.highest(columns.high, self._entry)[:-1]
        bottom[1:] = by_column.lowest(columns.low, self._exit)[:-1]
        signals = Signals(
            enter=by_column.begins(close > top, self._entry),
            leave=by_column.since(close < bottom, self._exit),
            words=lambda place, side: self._words(
                side, int(close[place]), int(top[place]), int(bottom[place])
            ),
        )
        return self.sized(columns, signals)

    def _words(self, side: Side, close: int, top: int, bottom: int) -> str:
        if side is Side.BUY:
            return f"{dollars_text(close)} above {dollars_text(top)}, highest of {self._entry} bars"
        return f"{dollars_text(close)} below {dollars_text(bottom)}, lowest of {self._exit} bars"

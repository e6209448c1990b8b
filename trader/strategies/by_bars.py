"""The frame of a strategy whose wishes follow from the bars alone: it says of each bar which side it is on."""

from abc import abstractmethod
from collections.abc import Iterable
from typing import ClassVar

from msgspec import Struct
from msgspec.structs import replace

from trader.model import Bar, Purpose, Side, Size, StrategyName
from trader.strategies.base import Strategy, SymbolView, Wish, exit_all
from trader.strategies.indicators import PERIODS_WILDER
from trader.strategies.signals import BarColumns, Signals
from trader.strategies.sizing import SizedParameters, volatility_size


class BarStrategy(Strategy):
    """Enters where `side_of` says BUY and the symbol is idle; leaves at every bar of which it says SELL.

    An exit is wished again as long as the position is there with no sale working, because a sale can be canceled,
    rejected or denied; it is the same wish again, not another one.
    """

    Parameters: ClassVar[type[Struct]] = SizedParameters
    bars_alone: ClassVar[bool] = True
    sizes_by_volatility = True

    def __init__(self, name: StrategyName, size: Size, parameters: SizedParameters) -> None:
        super().__init__(name, size, parameters)
        self._atr_bars = parameters.atr_bars
        self._volatility = volatility_size(parameters, size)
        if self._volatility is not None:
            self.bars_needed = PERIODS_WILDER * parameters.atr_bars

    @abstractmethod
    def side_of(self, bar: Bar) -> Side | None:
        """Told each bar once: BUY where it would enter, SELL where it would leave, None where neither."""

    @abstractmethod
    def words(self, side: Side) -> str:
        """Why, at the last bar told."""

    def on_bar(self, bar: Bar, view: SymbolView) -> Iterable[Wish]:
        if self._volatility is not None:
            self._volatility.add(bar)
        return self.wishes(self.side_of(bar), view)

    def wishes(self, side: Side | None, view: SymbolView) -> Iterable[Wish]:
        """What being on that side leads to."""
        if side is None:
            return ()
        if side is Side.BUY:
            return self._enter() if view.is_idle() else ()
        if view.held_by(self.name) and not view.working:
            return exit_all(self.words(side))
        return ()

    def _enter(self) -> Iterable[Wish]:
        size = self.size if self._volatility is None else self._volatility.size()
        if size is None:
            return ()
        return (Wish(side=Side.BUY, purpose=Purpose.ENTER, size=size, reason=self.words(Side.BUY)),)

    def sized(self, columns: BarColumns, signals: Signals) -> Signals:
        """The signals, each entry sized by volatility where that was asked for."""
        volatility = self._volatility
        if volatility is None:
            return signals
        from trader.strategies import by_column

        ranges = by_column.average_true_ranges(
            columns.high, columns.low, columns.close, self._atr_bars
        )
        sizes = {
            place: size
            for place in signals.enter.nonzero()[0].tolist()
            if (size := volatility.size_at(float(ranges[place]))) is not None
        }
        enter = signals.enter & False
        enter[list(sizes)] = True
        return replace(signals, enter=enter, size=sizes.__getitem__)

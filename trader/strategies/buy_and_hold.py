"""Buy and hold: in as soon as it may, and never out by itself; what everything else is measured against."""

from trader.model import Bar, Side
from trader.strategies.by_bars import BarStrategy
from trader.strategies.signals import BarColumns, Signals


class BuyAndHold(BarStrategy):
    """Wishes to be in at every bar while it is not, so a denied entry is not the last; a stop would be bought back."""

    def side_of(self, bar: Bar) -> Side | None:
        return Side.BUY

    def words(self, side: Side) -> str:
        return "nothing is held"

    def signals(self, columns: BarColumns) -> Signals:
        never = columns.close < 0
        signals = Signals(enter=~never, leave=never, words=lambda _place, side: self.words(side))
        return self.sized(columns, signals)

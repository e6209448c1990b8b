"""EMA crossover: in when the fast exponential average of closes rises above the slow one, out while it is below."""

from typing import Annotated, ClassVar

from msgspec import Meta, Struct

from trader.model import Bar, Side, Size, StrategyName
from trader.strategies.by_bars import BarStrategy
from trader.strategies.indicators import PERIODS_EXPONENTIAL, ExponentialMean, dollars_text
from trader.strategies.signals import BarColumns, Signals
from trader.strategies.sizing import SizedParameters
from trader.strategies.sma_crossover import VERBS, check_windows

PERIOD_MAX = 2_000


class EmaCrossoverParameters(SizedParameters, frozen=True, kw_only=True):
    """fast, slow: the periods; the newest close weighs 2 / (period + 1). fast must be the smaller."""

    fast: Annotated[int, Meta(ge=1, le=PERIOD_MAX)] = 12
    slow: Annotated[int, Meta(ge=2, le=PERIOD_MAX)] = 26


class EmaCrossover(BarStrategy):
    """Holds from the crossing up to the first bar with the fast average below; history lets the first closes fade."""

    Parameters: ClassVar[type[Struct]] = EmaCrossoverParameters

    def __init__(self, name: StrategyName, size: Size, parameters: EmaCrossoverParameters) -> None:
        super().__init__(name, size, parameters)
        check_windows(parameters.fast, parameters.slow)
        self.bars_needed = max(self.bars_needed, PERIODS_EXPONENTIAL * parameters.slow)
        self._fast = ExponentialMean(parameters.fast)
        self._slow = ExponentialMean(parameters.slow)
        self._was_above = True  # until both averages exist there is no crossing

    def side_of(self, bar: Bar) -> Side | None:
        self._fast.add(bar.close)
        self._slow.add(bar.close)
        if not self._slow.is_ready():
            return None
        fast, slow = self._fast.value, self._slow.value
        crossed_up = fast > slow and not self._was_above
        self._was_above = fast > slow
        return Side.BUY if crossed_up else Side.SELL if fast < slow else None

    def words(self, side: Side) -> str:
        return self._words(side, self._fast.value, self._slow.value)

    def signals(self, columns: BarColumns) -> Signals:
        from trader.strategies import by_column

        fast = by_column.exponential_means(columns.close, self._fast.period)
        slow = by_column.exponential_means(columns.close, self._slow.period)
        first = self._slow.period - 1
        signals = Signals(
            enter=by_column.begins(fast > slow, first),
            leave=by_column.since(fast < slow, first),
            words=lambda place, side: self._words(side, float(fast[place]), float(slow[place])),
        )
        return self.sized(columns, signals)

    def _words(self, side: Side, fast: float, slow: float) -> str:
        return (
            f"{self._fast.period}-bar exponential average {dollars_text(fast, 4)} {VERBS[side]} "
            f"{self._slow.period}-bar {dollars_text(slow, 4)}"
        )

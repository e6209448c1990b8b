"""Opening range: in at the first close above what the session's first minutes reached, out below it or at the end."""

from collections.abc import Iterable
from typing import Annotated, ClassVar

from msgspec import Meta, Struct

from trader.calendar import Session, session_of
from trader.model import MINUTE_NS, Bar, Quote, Side, Size, StrategyName
from trader.strategies.base import SymbolView, Wish, exit_all
from trader.strategies.by_bars import BarStrategy
from trader.strategies.indicators import dollars_text
from trader.strategies.sizing import SizedParameters

DAY_MINUTES = 960  # 04:00 to 20:00: history that has this morning in it


class OpeningRangeParameters(SizedParameters, frozen=True, kw_only=True):
    """range_minutes: how long the range is formed from 09:30 on; exit_minutes: how long before the close it sells."""

    range_minutes: Annotated[int, Meta(ge=1, le=180)] = 30
    exit_minutes: Annotated[int, Meta(ge=1, le=180)] = 5


class OpeningRange(BarStrategy):
    """One entry a session at most, at the first close above the range; needs bars shorter than the range."""

    Parameters: ClassVar[type[Struct]] = OpeningRangeParameters

    def __init__(self, name: StrategyName, size: Size, parameters: OpeningRangeParameters) -> None:
        super().__init__(name, size, parameters)
        self.bars_needed = max(self.bars_needed, DAY_MINUTES)
        self._range_ns = parameters.range_minutes * MINUTE_NS
        self._exit_ns = parameters.exit_minutes * MINUTE_NS
        self._session: Session | None = None
        self._high = self._low = self._close = 0
        self._is_late = self._has_broken_out = False

    def side_of(self, bar: Bar) -> Side | None:
        session = session_of(bar.start_ns)
        if session is None or not session.open_ns <= bar.start_ns < session.close_ns:
            return None
        ends_ns = bar.start_ns + bar.span_ns
        if session != self._session:
            self._session, self._has_broken_out = session, False
            self._high = self._low = 0
        self._close = bar.close
        self._is_late = ends_ns >= session.close_ns - self._exit_ns
        if self._is_late:
            return Side.SELL
        if ends_ns <= session.open_ns + self._range_ns:
            self._high = max(self._high, bar.high)
            self._low = min(self._low or bar.low, bar.low)
            return None
        return self._beyond()

    def _beyond(self) -> Side | None:
        if not self._high:
            return None  # Nothing was traded in the range's minutes.
        if self._close > self._high and not self._has_broken_out:
            self._has_broken_out = True
            return Side.BUY
        return Side.SELL if self._close < self._low else None

    def words(self, side: Side) -> str:
        if self._is_late:
            return f"{self._exit_ns // MINUTE_NS} minutes or less to the close"
        minutes = self._range_ns // MINUTE_NS
        verb, edge = ("above", self._high) if side is Side.BUY else ("below", self._low)
        reached = f"{dollars_text(self._close)} {verb} {dollars_text(edge)}"
        return f"{reached}, the range of the first {minutes} minutes"

    def on_quote(self, quote: Quote, view: SymbolView) -> Iterable[Wish]:
        """A share that nobody trades near the close has quotes, but no bars."""
        if not view.held_by(self.name) or view.working:
            return ()
        session = session_of(quote.at_ns)
        if session is None or not 0 < session.close_ns - quote.at_ns <= self._exit_ns:
            return ()
        return exit_all(f"{self._exit_ns // MINUTE_NS} minutes or less to the close")

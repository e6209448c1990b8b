"""Quotes and trades of the past, looked up in the market's sessions; trades are made of bars where none are told."""

from bisect import bisect_left, bisect_right
from collections import OrderedDict, defaultdict
from collections.abc import Iterator
from typing import Generic, TypeVar

from trader.calendar import previous_session, session_of, session_on
from trader.feeds.market import MarketTrade
from trader.model import Quote, Symbol
from trader.simulator.market_tape import trades_of
from trader.simulator.reshaped import ReshapedMarket
from trader.simulator.window import Window

V = TypeVar("V", Quote, MarketTrade)
SESSIONS_KEPT = 4
SESSIONS_MAX = 400  # looked at for one query


class Series(Generic[V]):
    """One symbol's in a session, and when each became known: a made trade, as late as its bar."""

    def __init__(self) -> None:
        self._ticks: list[V] = []
        self._known_ns: list[int] = []

    def add(self, tick: V, known_ns: int) -> None:
        self._ticks.append(tick)
        self._known_ns.append(known_ns)

    def between(self, window: Window) -> list[V]:
        first = bisect_left(self._ticks, window.start_ns, key=_at_ns)
        end = bisect_right(self._ticks, window.end_ns, key=_at_ns)
        return self._ticks[first : min(end, bisect_right(self._known_ns, window.now_ns))]


Ticks = tuple[dict[Symbol, Series[Quote]], dict[Symbol, Series[MarketTrade]]]


class TickHistory:
    """Keeps the sessions that were asked for last."""

    def __init__(self, market: ReshapedMarket) -> None:
        self._market = market
        self._kept: OrderedDict[tuple[str, int], Ticks] = OrderedDict()

    def quotes(self, symbol: Symbol, window: Window) -> list[Quote]:
        sessions = (self._ticks(date)[0].get(symbol) for date in self._dates(window))
        return [quote for one in sessions if one for quote in one.between(window)]

    def trades(self, symbol: Symbol, window: Window) -> list[MarketTrade]:
        sessions = (self._ticks(date)[1].get(symbol) for date in self._dates(window))
        return [trade for one in sessions if one for trade in one.between(window)]

    def _dates(self, window: Window) -> list[str]:
        """Oldest first."""
        return list(self._dates_back(window))[::-1]

    def _dates_back(self, window: Window) -> Iterator[str]:
        listed = self._market.session_dates()
        try:
            session = session_of(window.end_ns) or previous_session(window.end_ns)
            for _ in range(SESSIONS_MAX):
                if session.post_close_ns < window.start_ns:
                    return
                if listed is None or session.date in listed:
                    yield session.date
                session = previous_session(session.date)
        except ValueError:
            return  # The calendar begins there.

    def _ticks(self, session_date: str) -> Ticks:
        key = (session_date, self._market.version)
        if key not in self._kept:
            self._kept[key] = self._read(session_date)
        self._kept.move_to_end(key)
        while len(self._kept) > SESSIONS_KEPT:
            self._kept.popitem(last=False)
        return self._kept[key]

    def _read(self, session_date: str) -> Ticks:
        quotes: dict[Symbol, Series[Quote]] = defaultdict(Series)
        trades: dict[Symbol, Series[MarketTrade]] = defaultdict(Series)
        made: dict[Symbol, Series[MarketTrade]] = defaultdict(Series)
        assert session_on(session_date) is not None, "a session's date"
        try:
            for instant in self._market.instants(session_date):
                for quote in instant.quotes:
                    quotes[quote.symbol].add(quote, instant.at_ns)
                for trade in instant.trades:
                    trades[trade.symbol].add(trade, instant.at_ns)
                for bar in instant.bars:
                    for trade in trades_of(bar):
                        made[bar.symbol].add(trade, instant.at_ns)
        except ValueError:
            pass  # It lies before the market's first session.
        return quotes, made | trades


def _at_ns(tick: Quote | MarketTrade) -> int:
    return tick.at_ns

"""A market whose prices and volumes are as after the splits that were scheduled, each from its own time on."""

from collections.abc import Iterator, Sequence
from decimal import Decimal

import msgspec

from trader.feeds.market import Instant, Market
from trader.model import Bar, Quote, Symbol
from trader.money import CENT, ONE, PRICE_TICKS_PER_DOLLAR, price_of, ratio, rounded, ticks_of

TICKS_PER_CENT = PRICE_TICKS_PER_DOLLAR // 100


class SplitMarket:
    """What was known before a split stays as it was then: history is unadjusted, as Alpaca's `raw` is."""

    def __init__(self, market: Market) -> None:
        self._market = market
        self._splits: dict[Symbol, list[tuple[int, Decimal]]] = {}

    def split(self, symbol: Symbol, at_ns: int, factor: Decimal) -> None:
        """From then on a share is worth 1/factor of what it was."""
        self._splits.setdefault(symbol, []).append((at_ns, factor))

    @property
    def symbols(self) -> Sequence[Symbol]:
        return self._market.symbols

    def session_dates(self) -> Sequence[str] | None:
        return self._market.session_dates()

    def instants(self, session_date: str) -> Iterator[Instant]:
        for instant in self._market.instants(session_date):
            # Asked anew each time: a split may be scheduled in the middle of a session.
            yield self._adjusted(instant) if self._splits else instant

    def history(self, symbol: Symbol, before_ns: int, count: int) -> list[Bar]:
        return [self._bar(bar) for bar in self._market.history(symbol, before_ns, count)]

    def _adjusted(self, instant: Instant) -> Instant:
        return Instant(
            at_ns=instant.at_ns,
            bars=tuple(map(self._bar, instant.bars)),
            quotes=tuple(map(self._quote, instant.quotes)),
        )

    def _factor(self, symbol: Symbol, at_ns: int) -> Decimal:
        factor = ONE
        for split_ns, one in self._splits.get(symbol, ()):
            factor *= one if split_ns <= at_ns else ONE
        return factor

    def _bar(self, bar: Bar) -> Bar:
        factor = self._factor(bar.symbol, bar.start_ns + bar.span_ns)
        if factor == ONE:
            return bar
        return msgspec.structs.replace(
            bar,
            open=_price(bar.open, factor),
            high=_price(bar.high, factor),
            low=_price(bar.low, factor),
            close=_price(bar.close, factor),
            volume=int(bar.volume * factor),
        )

    def _quote(self, quote: Quote) -> Quote:
        factor = self._factor(quote.symbol, quote.at_ns)
        if factor == ONE:
            return quote
        bid = _price(quote.bid, factor)
        # Two prices may fall on the same cent; they must not cross because of it.
        ask = max(_price(quote.ask, factor), bid + TICKS_PER_CENT) if quote.ask else 0
        return msgspec.structs.replace(quote, bid=bid, ask=ask)


def _price(ticks: int, factor: Decimal) -> int:
    """Whole cents, at least one; a missing price stays missing."""
    if not ticks:
        return 0
    return ticks_of(max(rounded(ratio(price_of(ticks), factor), CENT), CENT))

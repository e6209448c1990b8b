"""A market as scheduled events have left it: split, gapped, silent while a symbol is halted; each from its time on."""

from collections.abc import Iterator, Sequence
from decimal import Decimal
from typing import TypeVar

import msgspec
from msgspec import Struct

from trader.feeds.market import Instant, Market, MarketTrade
from trader.model import Bar, Quote, Symbol
from trader.money import CENT, ONE, PRICE_TICKS_PER_DOLLAR, price_of, ratio, rounded, ticks_of
from trader.simulator.ahead import Ahead

V = TypeVar("V", Bar, Quote, MarketTrade)
TICKS_PER_CENT = PRICE_TICKS_PER_DOLLAR // 100


class _Step(Struct, frozen=True, kw_only=True):
    """From `at_ns` on prices are divided by `divisor`, volumes multiplied by `multiplier`."""

    at_ns: int
    divisor: Decimal
    multiplier: Decimal


class ReshapedMarket:
    """What was known before an event stays as it was then: history is unadjusted, as Alpaca's `raw` is."""

    def __init__(self, market: Market) -> None:
        self._market = market
        self._steps: dict[Symbol, list[_Step]] = {}
        self._halts: dict[Symbol, list[tuple[int, int | None]]] = {}
        self._dividends: dict[Symbol, list[tuple[int, Decimal]]] = {}
        self.version = 0  # grows with each event

    def split(self, symbol: Symbol, at_ns: int, factor: Decimal) -> None:
        """From then on a share is worth 1/factor of what it was."""
        self._step(symbol, _Step(at_ns=at_ns, divisor=factor, multiplier=factor))

    def gap(self, symbol: Symbol, at_ns: int, factor: Decimal) -> None:
        """From then on a share is worth `factor` times what it would have been."""
        self._step(symbol, _Step(at_ns=at_ns, divisor=ratio(ONE, factor), multiplier=ONE))

    def dividend(self, symbol: Symbol, at_ns: int, amount: Decimal) -> None:
        """It changes no price; adjusted history asks for it."""
        self._dividends.setdefault(symbol, []).append((at_ns, amount))

    def dividends(self, symbol: Symbol) -> list[tuple[int, Decimal]]:
        """(when, dollars a share)."""
        return self._dividends.get(symbol, [])

    def halt(self, symbol: Symbol, at_ns: int, until_ns: int | None = None) -> None:
        """Nothing is traded or quoted from then on."""
        self._halts.setdefault(symbol, []).append((at_ns, until_ns))
        self.version += 1

    def resume(self, symbol: Symbol, at_ns: int) -> None:
        """The end of the halts that have none."""
        halts = self._halts.get(symbol, [])
        self._halts[symbol] = [(start, at_ns if end is None else end) for start, end in halts]
        self.version += 1

    def halted(self, at_ns: int) -> list[Symbol]:
        """Symbols that do not trade then."""
        return [
            symbol
            for symbol, halts in self._halts.items()
            if any(start <= at_ns and (end is None or at_ns < end) for start, end in halts)
        ]

    def splits(self, symbol: Symbol) -> list[tuple[int, Decimal]]:
        """(when, new shares for each old one)."""
        steps = self._steps.get(symbol, ())
        return [(step.at_ns, step.multiplier) for step in steps if step.multiplier != ONE]

    @property
    def symbols(self) -> Sequence[Symbol]:
        return self._market.symbols

    def session_dates(self) -> Sequence[str] | None:
        return self._market.session_dates()

    def instants(self, session_date: str) -> Iterator[Instant]:
        return map(self.reshaped, self._market.instants(session_date))

    def ahead(self, session_date: str) -> Ahead:
        """The same, each as what is scheduled by the time that it is taken leaves it."""
        return Ahead(self._market.instants(session_date), self.reshaped)

    def reshaped(self, instant: Instant) -> Instant:
        # Asked anew each time: an event may be scheduled in the middle of a session.
        return self._reshaped(instant) if self.version else instant

    def history(self, symbol: Symbol, before_ns: int, count: int) -> list[Bar]:
        bars = self._market.history(symbol, before_ns, count)
        if symbol in self._halts:
            bars = [bar for bar in bars if not self._is_silent(bar)]
        return [self._bar(bar) for bar in bars] if symbol in self._steps else bars

    def _step(self, symbol: Symbol, step: _Step) -> None:
        self._steps.setdefault(symbol, []).append(step)
        self.version += 1

    def _reshaped(self, instant: Instant) -> Instant:
        return Instant(
            at_ns=instant.at_ns,
            bars=tuple(map(self._bar, self._heard(instant.bars))),
            quotes=tuple(map(self._quote, self._heard(instant.quotes))),
            trades=tuple(map(self._trade, self._heard(instant.trades))),
        )

    def _heard(self, told: Sequence[V]) -> Sequence[V]:
        return [one for one in told if not self._is_silent(one)] if self._halts else told

    def _is_silent(self, told: Bar | Quote | MarketTrade) -> bool:
        """A bar is, if it overlaps a halt: what was traded outside of it can't be told from the rest."""
        if isinstance(told, Bar):
            first_ns, end_ns = told.start_ns, told.start_ns + told.span_ns
        else:
            first_ns, end_ns = told.at_ns, told.at_ns + 1
        return any(
            halt_ns < end_ns and (until_ns is None or first_ns < until_ns)
            for halt_ns, until_ns in self._halts.get(told.symbol, ())
        )

    def _factors(self, symbol: Symbol, at_ns: int) -> tuple[Decimal, Decimal]:
        divisor = multiplier = ONE
        for step in self._steps.get(symbol, ()):
            if step.at_ns <= at_ns:
                divisor, multiplier = divisor * step.divisor, multiplier * step.multiplier
        return divisor, multiplier

    def _bar(self, bar: Bar) -> Bar:
        divisor, multiplier = self._factors(bar.symbol, bar.start_ns + bar.span_ns)
        return bar if divisor == multiplier == ONE else divided(bar, divisor, multiplier)

    def _quote(self, quote: Quote) -> Quote:
        divisor, _ = self._factors(quote.symbol, quote.at_ns)
        if divisor == ONE:
            return quote
        bid = _price(quote.bid, divisor)
        # Two prices may fall on the same cent; they must not cross because of it.
        ask = max(_price(quote.ask, divisor), bid + TICKS_PER_CENT) if quote.ask else 0
        return msgspec.structs.replace(quote, bid=bid, ask=ask)

    def _trade(self, trade: MarketTrade) -> MarketTrade:
        divisor, multiplier = self._factors(trade.symbol, trade.at_ns)
        size = max(1, int(trade.size * multiplier))
        return msgspec.structs.replace(trade, price=_price(trade.price, divisor), size=size)


def divided(bar: Bar, divisor: Decimal, multiplier: Decimal) -> Bar:
    """The bar with its prices divided and its volume multiplied."""
    return msgspec.structs.replace(
        bar,
        open=_price(bar.open, divisor),
        high=_price(bar.high, divisor),
        low=_price(bar.low, divisor),
        close=_price(bar.close, divisor),
        volume=int(bar.volume * multiplier),
    )


def _price(ticks: int, divisor: Decimal) -> int:
    """Whole cents, at least one; a missing price stays missing."""
    if not ticks:
        return 0
    return ticks_of(max(rounded(ratio(price_of(ticks), divisor), CENT), CENT))

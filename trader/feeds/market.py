"""What every market looks like, recorded or synthetic: sessions, made of instants, made of bars, quotes and trades."""

from collections.abc import Iterator, Sequence
from typing import Protocol

from msgspec import Struct

from trader.model import Bar, Quote, Symbol


class MarketTrade(Struct, frozen=True, kw_only=True):
    """A trade between others, as the tape shows it: price in price ticks, size in shares."""

    symbol: Symbol
    at_ns: int
    price: int
    size: int
    number: int  # of the symbol's trades, increasing
    exchange: str = "V"


class Instant(Struct, frozen=True, kw_only=True):
    """Everything that becomes known at one moment: bars at the moment when they end, quotes and trades at theirs.

    All are in order of symbol; a bar's close and a quote of the same instant describe the same moment.
    """

    at_ns: int
    bars: tuple[Bar, ...] = ()
    quotes: tuple[Quote, ...] = ()
    trades: tuple[MarketTrade, ...] = ()


class Market(Protocol):
    """A pure source: the same market gives the same instants, whatever was asked of it before."""

    @property
    def symbols(self) -> Sequence[Symbol]: ...

    def session_dates(self) -> Sequence[str] | None:
        """The sessions it can serve, oldest first; None where every session of the calendar can be had."""
        ...

    def instants(self, session_date: str) -> Iterator[Instant]:
        """From 20:00 of the evening before to 20:00, in strictly increasing time; ValueError: no such session here."""
        ...

    def history(self, symbol: Symbol, before_ns: int, count: int) -> list[Bar]:
        """The last `count` bars that had ended at or before `before_ns`, oldest first; fewer where there are none."""
        ...

"""Bars as columns: the form in which years of them are read, kept and gone through."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Protocol, SupportsIndex, TypeAlias, overload

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from trader.model import Bar, Symbol

Column: TypeAlias = NDArray[np.int64]
Flags: TypeAlias = NDArray[np.bool_]
NUMBERS = ("start_ns", "ends_ns", "open", "high", "low", "close", "volume")


class View(Protocol):
    """A column by its places; part of one as something that gives a list."""

    def __len__(self) -> int: ...
    @overload
    def __getitem__(self, place: SupportsIndex) -> int: ...
    @overload
    def __getitem__(self, place: slice) -> "Listed": ...


class Listed(Protocol):
    def tolist(self) -> list[int]: ...


class Columns(Struct, frozen=True, kw_only=True):
    """All bars of one symbol, in order of time, none overlapping: one number a bar in each column.

    start_ns and ends_ns are nanoseconds since 1970 (UTC); prices are price ticks, volume is shares. Numbers
    that aren't kept in memory have a class of their own (shelf.py).
    """

    symbol: Symbol
    start_ns: Column
    ends_ns: Column
    open: Column
    high: Column
    low: Column
    close: Column
    volume: Column

    def __len__(self) -> int:
        return len(self.start_ns)

    def bar(self, place: int) -> Bar:
        """The bar at that place."""
        return bar_of(self.symbol, [int(getattr(self, name)[place]) for name in NUMBERS])

    @property
    def are_in_memory(self) -> bool:
        return True

    def rest(self) -> None:
        """Numbers of a file leave memory until they are asked for again."""

    def views(self) -> Sequence[View]:
        """Each column by place, in the order of NUMBERS; Python's integers, several times as fast as NumPy's."""
        return [memoryview(getattr(self, name)) for name in NUMBERS]

    def bars(self) -> Iterator[Bar]:
        """One after the other."""
        return (self.bar(place) for place in range(len(self)))


def bar_of(symbol: Symbol, numbers: Iterable[int]) -> Bar:
    """Its numbers in the order of NUMBERS."""
    start_ns, ends_ns, opened, high, low, close, volume = numbers
    return Bar(
        symbol=symbol,
        start_ns=start_ns,
        span_ns=ends_ns - start_ns,
        open=opened,
        high=high,
        low=low,
        close=close,
        volume=volume,
    )


def columns_of(symbol: Symbol, bars: Iterable[Bar]) -> Columns:
    """Of bars in order of time, none overlapping."""
    rows = [(one.start_ns, one.start_ns + one.span_ns, *_prices(one), one.volume) for one in bars]
    numbers = np.array(rows, np.int64).reshape(-1, 7).T
    return Columns(
        symbol=symbol, **dict(zip(NUMBERS, map(np.ascontiguousarray, numbers), strict=True))
    )


def _prices(bar: Bar) -> tuple[int, int, int, int]:
    return bar.open, bar.high, bar.low, bar.close


def between(columns: Columns, first_ns: int, last_ns: int) -> Columns:
    """Those bars that begin at or after the one moment and end at or before the other."""
    first = int(np.searchsorted(columns.start_ns, first_ns, side="left"))
    last = int(np.searchsorted(columns.ends_ns, last_ns, side="right"))
    return _each(columns, lambda name: getattr(columns, name)[first:last])


def joined(parts: Iterable[Columns]) -> Columns:
    """One after the other, of one symbol: at least one."""
    several = list(parts)
    if len(several) == 1:
        return several[0]
    return _each(several[0], lambda name: np.concatenate([getattr(one, name) for one in several]))


def from_place(columns: Columns, first: int) -> Columns:
    """Without those before that place."""
    return _each(columns, lambda name: getattr(columns, name)[first:])


def until_place(columns: Columns, end: int) -> Columns:
    """Without those from that place on."""
    return _each(columns, lambda name: getattr(columns, name)[:end])


def _each(columns: Columns, column: Callable[[str], Column]) -> Columns:
    return Columns(symbol=columns.symbol, **{name: column(name) for name in NUMBERS})


def chosen(columns: Columns, flags: Flags) -> Columns:
    """Those bars whose flag is set."""
    return _each(columns, lambda name: getattr(columns, name)[flags])

"""Bars as columns: the form in which years of them are read, kept and gone through."""

from collections.abc import Iterable, Iterator
from typing import TypeAlias

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from trader.model import Bar, Symbol

Column: TypeAlias = NDArray[np.int64]
Flags: TypeAlias = NDArray[np.bool_]
NAMES = ("start_ns", "ends_ns", "open", "high", "low", "close", "volume")


class Columns(Struct, frozen=True, kw_only=True):
    """All bars of one symbol, in order of time, none overlapping: one number a bar in each column.

    start_ns and ends_ns are nanoseconds since 1970 (UTC); prices are price ticks, volume is shares.
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
        start_ns = int(self.start_ns[place])
        return Bar(
            symbol=self.symbol,
            start_ns=start_ns,
            span_ns=int(self.ends_ns[place]) - start_ns,
            open=int(self.open[place]),
            high=int(self.high[place]),
            low=int(self.low[place]),
            close=int(self.close[place]),
            volume=int(self.volume[place]),
        )

    def bars(self) -> Iterator[Bar]:
        """One after the other."""
        return (self.bar(place) for place in range(len(self)))


def columns_of(symbol: Symbol, bars: Iterable[Bar]) -> Columns:
    """Of bars in order of time, none overlapping."""
    rows = [(one.start_ns, one.start_ns + one.span_ns, *_prices(one), one.volume) for one in bars]
    numbers = np.array(rows, np.int64).reshape(-1, 7).T
    return Columns(
        symbol=symbol, **dict(zip(NAMES, map(np.ascontiguousarray, numbers), strict=True))
    )


def _prices(bar: Bar) -> tuple[int, int, int, int]:
    return bar.open, bar.high, bar.low, bar.close


def between(columns: Columns, first_ns: int, last_ns: int) -> Columns:
    """Those bars that begin at or after the one moment and end at or before the other."""
    first = int(np.searchsorted(columns.start_ns, first_ns, side="left"))
    last = int(np.searchsorted(columns.ends_ns, last_ns, side="right"))
    return Columns(
        symbol=columns.symbol, **{name: getattr(columns, name)[first:last] for name in NAMES}
    )


def chosen(columns: Columns, flags: Flags) -> Columns:
    """Those bars whose flag is set."""
    return Columns(symbol=columns.symbol, **{name: getattr(columns, name)[flags] for name in NAMES})

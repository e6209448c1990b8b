"""One file of history: whose bars, trades or quotes it has, checked; trades leave it as bars."""

from collections.abc import Collection, Iterator
from pathlib import Path

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from trader.calendar import new_york_date
from trader.feeds.columns import Columns
from trader.feeds.csv_columns import CsvColumns
from trader.feeds.csv_rows import MarketDataError
from trader.feeds.gathering import SPAN_NS, bars_of_trades
from trader.feeds.headings import Kind, symbol_named
from trader.feeds.parquet_columns import ParquetColumns
from trader.feeds.quotes import Quotes, known_ns, quotes_of
from trader.feeds.spans import with_ends
from trader.feeds.table import (
    ASK,
    ASK_SIZE,
    BID,
    BID_SIZE,
    CLOSE,
    END,
    HIGH,
    LINE,
    LOW,
    OPEN,
    PRICE,
    SIZE,
    START,
    SUSPICIOUS,
    VOLUME,
    Table,
    Wrong,
    check,
    check_ticks,
    part_of,
    sorted_by_symbol,
)
from trader.model import Symbol

NOUNS = {Kind.BARS: "bar", Kind.TRADES: "trade", Kind.QUOTES: "quote"}


class Piece(Struct, frozen=True, kw_only=True):
    """What a file has of one symbol: its bars, made of trades where `kind` says so, or its quotes.

    suspicious: trades that are marked so, and left out. are_of_minutes: each quote is the last of a minute.
    """

    kind: Kind
    told: Columns | Quotes
    suspicious: int = 0
    are_of_minutes: bool = False

    @property
    def first_ns(self) -> int:
        return int(self.told.at_ns[0] if isinstance(self.told, Quotes) else self.told.start_ns[0])

    @property
    def last_ns(self) -> int:
        return int(self.told.at_ns[-1] if isinstance(self.told, Quotes) else self.told.ends_ns[-1])


def pieces_of(
    path: Path,
    symbols: Collection[Symbol] | None = None,
    *,
    span_ns: int | None = None,
    is_given: bool = False,
) -> Iterator[Piece]:
    """Those of these symbols; span_ns: where it isn't None, bars that are there are not taken.

    is_given: the file was named itself, so that it is wrong where it has nothing to take. Raises MarketDataError.
    """
    file = ParquetColumns(path) if path.suffix == ".parquet" else CsvColumns(path)
    if span_ns is not None and file.kind is Kind.BARS:
        if is_given:
            raise MarketDataError(path, 1, "bars, where bars are to be made: leave --bars out")
        return
    named = symbol_named(path)
    blocks: list[NDArray[np.int64]] = []
    for block in file.blocks():
        blocks.append(block)
        # One that is named after its symbol has no others.
        if symbols is not None and file.symbols == [named] and named not in symbols:
            return
    table = Table(symbols=tuple(file.symbols), numbers=np.concatenate(blocks, axis=1))
    blocks.clear()
    table = sorted_by_symbol(table)
    try:
        _check(file.kind, table)
    except Wrong as wrong:
        raise MarketDataError(path, wrong.line, wrong.what) from None
    for code, name in enumerate(table.symbols):
        if symbols is None or name in symbols:
            numbers = part_of(table, code)
            if file.kind is Kind.BARS:
                yield Piece(kind=file.kind, told=_bars(path, Symbol(name), numbers))
            elif file.kind is Kind.QUOTES:
                yield _quotes(Symbol(name), numbers)
            else:
                yield from _trades(Symbol(name), numbers, span_ns or SPAN_NS)


def _check(kind: Kind, table: Table) -> None:
    times = table.numbers[START]
    for place in (int(times.argmin()), int(times.argmax())):
        try:
            new_york_date(int(times[place]))
        except ValueError as error:
            raise Wrong(int(table.numbers[LINE, place]), str(error)) from None
    if kind is Kind.BARS:
        check(table)
    else:
        check_ticks(table, NOUNS[kind], prices=(PRICE,) if kind is Kind.TRADES else ())


def _bars(path: Path, symbol: Symbol, numbers: NDArray[np.int64]) -> Columns:
    try:
        starts, ends = with_ends(numbers[START], numbers[END], path.resolve().parent.name)
    except ValueError as error:
        raise MarketDataError(path, 0, str(error)) from None
    kinds = (OPEN, HIGH, LOW, CLOSE, VOLUME)
    # Copied, so that one symbol of many doesn't keep the numbers of all.
    opened, high, low, close, volume = (numbers[kind].copy() for kind in kinds)
    return Columns(
        symbol=symbol,
        start_ns=starts,
        ends_ns=ends,
        open=opened,
        high=high,
        low=low,
        close=close,
        volume=volume,
    )


def _trades(symbol: Symbol, numbers: NDArray[np.int64], span_ns: int) -> Iterator[Piece]:
    """Without those that are marked as suspicious, and without those of no shares."""
    suspicious = numbers[SUSPICIOUS] != 0
    fit = numbers[:, ~suspicious & (numbers[SIZE] > 0)]
    if fit.shape[1]:
        bars = bars_of_trades(symbol, fit[START], fit[PRICE], fit[SIZE], span_ns)
        yield Piece(kind=Kind.TRADES, told=bars, suspicious=int(suspicious.sum()))


def _quotes(symbol: Symbol, numbers: NDArray[np.int64]) -> Piece:
    """A side without shares, or without a price, is none."""
    stamps = numbers[START]
    at_ns, sides = known_ns(stamps), []
    for price, size in ((BID, BID_SIZE), (ASK, ASK_SIZE)):
        is_there = (numbers[price] > 0) & (numbers[size] > 0)
        sides += [np.where(is_there, numbers[one], 0) for one in (price, size)]
    return Piece(
        kind=Kind.QUOTES,
        told=quotes_of(symbol, (at_ns, *sides)),
        are_of_minutes=at_ns is not stamps,
    )

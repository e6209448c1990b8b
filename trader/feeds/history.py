"""History out of files, as columns: what a backtest goes through.

A file is CSV, gzipped or not, or Parquet; it has bars of one symbol or of several, and a column that names them or a
name that does, as SPY.csv.gz. A bar without a date for its time lasts as long as the folder says (`minute`, `second`)
or as the file's times tell (`spans.py`). Nothing is left out for the hour at which it was: sessions are for who reads.
"""

import hashlib
from collections.abc import Collection, Iterator, Mapping, Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from trader.calendar import DAY_NS, iso, new_york_ns, parse_iso
from trader.exits import Mistake
from trader.feeds.columns import NUMBERS, Columns
from trader.feeds.csv_columns import CsvColumns
from trader.feeds.csv_rows import MarketDataError
from trader.feeds.headings import SUFFIXES, symbol_named
from trader.feeds.parquet_columns import ParquetColumns
from trader.feeds.shelf import Shelf
from trader.feeds.spans import with_ends
from trader.feeds.table import (
    CLOSE,
    END,
    HIGH,
    LOW,
    OPEN,
    START,
    VOLUME,
    Table,
    Wrong,
    check,
    part_of,
    sorted_by_symbol,
)
from trader.model import Symbol

FOLDERS = ("minute", "second", "daily")  # the first that is there
IN_MEMORY_MAX = 1_000_000  # bars: 56 MB


class Bounds(Struct, frozen=True, kw_only=True):
    """The moments between which bars begin, the second one not included."""

    start_ns: int
    end_ns: int


class Part(Struct, frozen=True, kw_only=True):
    """What one file has of one symbol: from when until when, and by which number it is on the shelf."""

    path: Path
    first_ns: int
    last_ns: int
    number: int


def read_history(
    paths: Sequence[Path],
    symbols: Collection[Symbol] | None = None,
    start: str | None = None,
    end: str | None = None,
    in_memory_max: int = IN_MEMORY_MAX,
) -> dict[Symbol, Columns]:
    """All bars by symbol, in order of the symbols' names.

    paths: files, or folders of them; a folder without any may have them in `minute`, `second` or `daily`. symbols:
    which to take, all by default. start, end: dates in New York, both included. in_memory_max: of more bars than that
    the numbers stay in a file (shelf.py), but for those of what is being read. Raises MarketDataError for files, and
    Mistake for dates, for Parquet where nothing can read it, or where that file finds no room.
    """
    bounds, shelf = _bounds(start, end), Shelf(in_memory_max)
    parts: dict[Symbol, list[Part]] = {}
    for path, is_given in _files(paths):
        for columns in _read(path, is_given, symbols):
            part = Part(
                path=path,
                first_ns=int(columns.start_ns[0]),
                last_ns=int(columns.ends_ns[-1]),
                number=shelf.put(_cut(columns, bounds)),
            )
            parts.setdefault(columns.symbol, []).append(part)
    whole = paths[0] if paths else Path()
    for symbol in symbols or ():
        if symbol not in parts:
            raise MarketDataError(whole, 0, f"there are no bars of {symbol}")
    if not parts:
        raise MarketDataError(whole, 0, "there are no bars")
    history = shelf.take({symbol: _in_order(symbol, parts[symbol]) for symbol in sorted(parts)})
    for symbol, columns in history.items():
        if not len(columns) and symbols is not None:
            raise MarketDataError(whole, 0, f"there are no bars of {symbol}{_within(start, end)}")
    kept = {symbol: columns for symbol, columns in history.items() if len(columns)}
    if not kept:
        raise MarketDataError(whole, 0, f"there are no bars{_within(start, end)}")
    return kept


def data_identity(history: Mapping[Symbol, Columns]) -> str:
    """SHA-256 of every number in it, by symbol: the same for the same bars, whatever files they came in."""
    digest = hashlib.sha256()
    for symbol in sorted(history):
        columns = history[symbol]
        digest.update(f"{symbol} {len(columns)}\n".encode())
        for name in NUMBERS:
            digest.update(np.ascontiguousarray(getattr(columns, name), dtype="<i8").data)
        columns.rest()
    return digest.hexdigest()


# --- which files


def _files(paths: Sequence[Path]) -> Iterator[tuple[Path, bool]]:
    """Each file, and whether it was named itself rather than found in a folder."""
    for given in paths:
        if not given.exists():
            raise MarketDataError(given, 0, "there is no such file or folder")
        if given.is_dir():
            yield from ((path, False) for path in _files_of_folder(given))
        elif given.is_file():
            yield given, True
        else:
            raise MarketDataError(given, 0, "neither a file nor a folder")


def _files_of_folder(folder: Path) -> list[Path]:
    for place in (folder, *(folder / name for name in FOLDERS)):
        if found := sorted(path for path in place.glob("*") if path.name.endswith(SUFFIXES)):
            return found
    raise MarketDataError(folder, 0, "there are no .csv, .csv.gz or .parquet files in the folder")


# --- one file


def _read(path: Path, is_given: bool, symbols: Collection[Symbol] | None) -> Iterator[Columns]:
    file = ParquetColumns(path) if path.suffix == ".parquet" else CsvColumns(path)
    if file.is_of_something_else:
        if is_given:
            raise MarketDataError(path, 1, "quotes or trades, where bars are wanted")
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
        check(table)
    except Wrong as wrong:
        raise MarketDataError(path, wrong.line, wrong.what) from None
    for code, name in enumerate(table.symbols):
        if symbols is None or name in symbols:
            yield _columns(path, Symbol(name), part_of(table, code))


def _columns(path: Path, symbol: Symbol, numbers: NDArray[np.int64]) -> Columns:
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


# --- several files


def _in_order(symbol: Symbol, parts: list[Part]) -> list[int]:
    """By their numbers; files of one symbol may follow each other, not overlap."""
    parts.sort(key=lambda part: part.first_ns)
    for before, after in pairwise(parts):
        if after.first_ns < before.last_ns:
            what = f"bars of {symbol} that overlap those of {before.path}, at {iso(after.first_ns)}"
            raise MarketDataError(after.path, 0, what)
    return [part.number for part in parts]


def _cut(columns: Columns, bounds: Bounds | None) -> Columns:
    if bounds is None:
        return columns
    first, end = np.searchsorted(columns.start_ns, [bounds.start_ns, bounds.end_ns])
    # Copied, so that a day of a file doesn't keep all of it.
    cut = {name: getattr(columns, name)[first:end].copy() for name in NUMBERS}
    return Columns(symbol=columns.symbol, **cut)


# --- dates


def _bounds(start: str | None, end: str | None) -> Bounds | None:
    if start is None and end is None:
        return None
    start_ns = 0 if start is None else _midnight_ns(start, "--start")
    end_ns = 2**63 - 1 if end is None else _midnight_ns(end, "--end", days_later=1)
    if end_ns <= start_ns:
        raise Mistake(f"before --start {start}", where=f"--end {end}")
    return Bounds(start_ns=start_ns, end_ns=end_ns)


def _midnight_ns(date: str, option: str, days_later: int = 0) -> int:
    try:
        new_york_ns(date, 0)
        later = iso(parse_iso(f"{date}T00:00:00Z") + days_later * DAY_NS)[:10]
        return new_york_ns(later, 0)
    except ValueError as error:
        raise Mistake(str(error), where=f"{option} {date}") from None


def _within(start: str | None, end: str | None) -> str:
    return (f" from {start}" if start else "") + (f" until {end}" if end else "")

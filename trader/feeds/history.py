"""History out of files, as columns: what a backtest goes through.

A file is CSV, gzipped or not, or Parquet; it has bars, trades or quotes of one symbol or of several, and a column that
names them or a name that does, as SPY.csv.gz. A bar without a date for its time lasts as long as the folder says
(`minute`, `second`) or as the file's times tell (`spans.py`). Where a symbol has no bars, they are gathered of its
trades, else of its quotes. Nothing is left out for the hour at which it was: sessions are for who reads.
"""

import hashlib
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from itertools import pairwise
from pathlib import Path

import numpy as np
from msgspec import Struct

from trader.calendar import DAY_NS, iso, new_york_ns
from trader.exits import Mistake
from trader.feeds import quotes as of_quotes
from trader.feeds.columns import NUMBERS, Columns
from trader.feeds.csv_rows import MarketDataError
from trader.feeds.gathering import SPAN_NS, bars_of_quotes, span_told
from trader.feeds.headings import SUFFIXES, Kind
from trader.feeds.history_file import NOUNS, Piece, pieces_of
from trader.feeds.quotes import Quotes, fit_quotes
from trader.feeds.shelf import Shelf
from trader.model import Symbol

FOLDERS = ("minute", "second", "daily")  # the first that is there
TRADES_FOLDER, QUOTES_FOLDER = "tick", "quote"
IN_MEMORY_MAX = 1_000_000  # bars: 56 MB


class Wanted(Struct, frozen=True, kw_only=True):
    """What is taken of files; start and end are dates in New York, both included.

    quotes: whether they are wanted where bars are made of something else. span_ns: bars of this length are made of
    trades or quotes, even where there are bars. in_memory_max: of more bars than that the numbers stay in a file
    (shelf.py), but for those of what is being read.
    """

    symbols: Collection[Symbol] | None = None
    start: str | None = None
    end: str | None = None
    quotes: bool = False
    span_ns: int | None = None
    in_memory_max: int = IN_MEMORY_MAX


class History(Struct, frozen=True, kw_only=True):
    """By symbol, in order of their names; `quotes` of those that have any.

    without_volume: whose bars are made of quotes. told: sentences about what was made of what. left_out: a line for
    each quote that isn't fit.
    """

    bars: dict[Symbol, Columns]
    quotes: dict[Symbol, Quotes]
    without_volume: tuple[Symbol, ...] = ()
    told: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()


class Bounds(Struct, frozen=True, kw_only=True):
    """The moments between which bars begin, the second one not included."""

    start_ns: int
    end_ns: int


class Part(Struct, frozen=True, kw_only=True):
    """What one file has of one symbol: from when until when, and its number, that on the shelf where it is of bars."""

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
    """The bars: see `read_all`."""
    wanted = Wanted(symbols=symbols, start=start, end=end, in_memory_max=in_memory_max)
    return read_all(paths, wanted).bars


def read_all(paths: Sequence[Path], wanted: Wanted) -> History:
    """paths: files, or folders of them; a folder without any may have them in others, named for what they have.

    Raises MarketDataError for files, and Mistake for dates, for Parquet where nothing can read it, or where the numbers
    find no room.
    """
    reading = _Reading(wanted)
    for path, is_given in _files(paths, wanted):
        for piece in pieces_of(path, wanted.symbols, span_ns=wanted.span_ns, is_given=is_given):
            reading.take(path, piece)
    return reading.history(paths[0] if paths else Path())


class _Reading:
    """What was read so far."""

    def __init__(self, wanted: Wanted) -> None:
        self._wanted = wanted
        self._bounds = _bounds(wanted.start, wanted.end)
        self._shelf = Shelf(wanted.in_memory_max)
        self._quotes: list[Quotes] = []
        self._parts: dict[Kind, dict[Symbol, list[Part]]] = {kind: {} for kind in Kind}
        self._of_minutes: set[Symbol] = set()
        self._suspicious: Counter[Symbol] = Counter()

    def take(self, path: Path, piece: Piece) -> None:
        """A piece more."""
        told = piece.told
        if isinstance(told, Quotes):
            number = len(self._quotes)
            self._quotes.append(_cut_quotes(told, self._bounds))
        else:
            number = self._shelf.put(_cut(told, self._bounds))
        part = Part(path=path, first_ns=piece.first_ns, last_ns=piece.last_ns, number=number)
        self._parts[piece.kind].setdefault(told.symbol, []).append(part)
        if piece.are_of_minutes:
            self._of_minutes.add(told.symbol)
        self._suspicious[told.symbol] += piece.suspicious

    def history(self, whole: Path) -> History:
        """All of it: bars as they are, else of trades, else of quotes."""
        quotes, left_out = self._fit_quotes()
        bars, trades = self._parts[Kind.BARS], self._parts[Kind.TRADES]
        numbers = {
            symbol: _in_order(kind, symbol, of[symbol])
            for kind, of in ((Kind.TRADES, trades), (Kind.BARS, bars))
            for symbol in of
        }
        made = sorted(quotes.keys() - numbers.keys())
        for symbol in made:
            gathered = bars_of_quotes(quotes[symbol], self._wanted.span_ns or SPAN_NS)
            numbers[symbol] = [self._shelf.put(gathered)]
        self._check_any(whole, numbers)
        kept = self._kept(whole, {symbol: numbers[symbol] for symbol in sorted(numbers)})
        told = {symbol: of for symbol, of in quotes.items() if symbol in kept and len(of)}
        of_trades = kept.keys() & (trades.keys() - bars.keys())
        return History(
            bars=kept,
            quotes=told if self._wanted.quotes else {},
            without_volume=tuple(symbol for symbol in made if symbol in kept),
            told=tuple(self._told(of_trades, kept.keys() & {*made}, told)),
            left_out=tuple(left_out),
        )

    def _fit_quotes(self) -> tuple[dict[Symbol, Quotes], list[str]]:
        quotes, left_out = {}, []
        for symbol, parts in sorted(self._parts[Kind.QUOTES].items()):
            several = [self._quotes[one] for one in _in_order(Kind.QUOTES, symbol, parts)]
            quotes[symbol], lines = fit_quotes(of_quotes.joined(several))
            left_out += lines
        self._quotes.clear()
        return quotes, left_out

    def _check_any(self, whole: Path, numbers: Mapping[Symbol, object]) -> None:
        what = "bars" if self._wanted.span_ns is None else "trades or quotes"
        for symbol in self._wanted.symbols or ():
            if symbol not in numbers:
                raise MarketDataError(whole, 0, f"there are no {what} of {symbol}")
        if not numbers:
            raise MarketDataError(whole, 0, f"there are no {what}")

    def _kept(self, whole: Path, numbers: Mapping[Symbol, Sequence[int]]) -> dict[Symbol, Columns]:
        """Of what is left between the dates; where symbols were named, each has to have something."""
        history = self._shelf.take(numbers)
        within = _within(self._wanted.start, self._wanted.end)
        for symbol, columns in history.items():
            if not len(columns) and self._wanted.symbols is not None:
                raise MarketDataError(whole, 0, f"there are no bars of {symbol}{within}")
        kept = {symbol: columns for symbol, columns in history.items() if len(columns)}
        if not kept:
            raise MarketDataError(whole, 0, f"there are no bars{within}")
        return kept

    def _told(
        self, of_trades: AbstractSet[Symbol], made: AbstractSet[Symbol], quoted: Collection[Symbol]
    ) -> Iterator[str]:
        span = span_told(self._wanted.span_ns or SPAN_NS)
        for symbols, what in (
            (of_trades, f"bars of {{}} are {span} long, made of trades"),
            (made, f"bars of {{}} are {span} long, made of the middles of bid and ask: no volume"),
            (
                self._of_minutes & {*quoted},
                "quotes of {} are the last of their minutes, known when these are over",
            ),
        ):
            if symbols:
                yield what.format(", ".join(sorted(symbols)))
        for symbol in sorted(of_trades):
            if count := self._suspicious[symbol]:
                yield f"trades of {symbol} that are marked as suspicious, left out: {count:,}"


def data_identity(
    history: Mapping[Symbol, Columns], quotes: Mapping[Symbol, Quotes] | None = None
) -> str:
    """SHA-256 of every number in it, by symbol: the same for the same history, whatever files it came in."""
    digest = hashlib.sha256()
    for symbol in sorted(history):
        columns = history[symbol]
        digest.update(f"{symbol} {len(columns)}\n".encode())
        for name in NUMBERS:
            digest.update(np.ascontiguousarray(getattr(columns, name), dtype="<i8").data)
        columns.rest()
    for symbol, of in sorted((quotes or {}).items()):
        digest.update(f"quotes of {symbol} {len(of)}\n".encode())
        for name in of_quotes.NUMBERS:
            digest.update(np.ascontiguousarray(getattr(of, name), dtype="<i8").data)
    return digest.hexdigest()


# --- which files


def _files(paths: Sequence[Path], wanted: Wanted) -> Iterator[tuple[Path, bool]]:
    """Each file, and whether it was named itself rather than found in a folder."""
    for given in paths:
        if not given.exists():
            raise MarketDataError(given, 0, "there is no such file or folder")
        if given.is_dir():
            yield from ((path, False) for path in _files_of_folder(given, wanted))
        elif given.is_file():
            yield given, True
        else:
            raise MarketDataError(given, 0, "neither a file nor a folder")


def _files_of_folder(folder: Path, wanted: Wanted) -> list[Path]:
    """Its own or, where it has none, those of its folder of bars, else of trades; and of quotes, where they matter."""
    if own := _tables(folder):
        return own
    names = FOLDERS if wanted.span_ns is None else ()
    bars = next((found for name in names if (found := _tables(folder / name))), [])
    found = bars or _tables(folder / TRADES_FOLDER)
    if wanted.quotes or not bars:
        found += _tables(folder / QUOTES_FOLDER)
    if not found:
        where = "the folder"
        if wanted.span_ns is not None:
            where = f"it, nor in {TRADES_FOLDER} or {QUOTES_FOLDER}, to make bars of"
        what = f"there are no .csv, .csv.gz or .parquet files in {where}"
        raise MarketDataError(folder, 0, what)
    return found


def _tables(folder: Path) -> list[Path]:
    return sorted(path for path in folder.glob("*") if path.name.endswith(SUFFIXES))


# --- several files


def _in_order(kind: Kind, symbol: Symbol, parts: list[Part]) -> list[int]:
    """By their numbers; files of one symbol may follow each other, not overlap."""
    parts.sort(key=lambda part: part.first_ns)
    for before, after in pairwise(parts):
        if after.first_ns < before.last_ns:
            at = f"those of {before.path}, at {iso(after.first_ns)}"
            what = f"{NOUNS[kind]}s of {symbol} that overlap {at}"
            raise MarketDataError(after.path, 0, what)
    return [part.number for part in parts]


def _cut(columns: Columns, bounds: Bounds | None) -> Columns:
    if bounds is None:
        return columns
    first, end = np.searchsorted(columns.start_ns, [bounds.start_ns, bounds.end_ns])
    # Copied, so that a day of a file doesn't keep all of it.
    cut = {name: getattr(columns, name)[first:end].copy() for name in NUMBERS}
    return Columns(symbol=columns.symbol, **cut)


def _cut_quotes(quotes: Quotes, bounds: Bounds | None) -> Quotes:
    """Those that are known when bars may end."""
    return quotes if bounds is None else of_quotes.between(quotes, bounds.start_ns, bounds.end_ns)


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
        # By New York's clock: a day on which it is changed is an hour longer or shorter.
        return new_york_ns(date, days_later * DAY_NS)
    except ValueError as error:
        raise Mistake(str(error), where=f"{option} {date}") from None


def _within(start: str | None, end: str | None) -> str:
    return (f" from {start}" if start else "") + (f" until {end}" if end else "")

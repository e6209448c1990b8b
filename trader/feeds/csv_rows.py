"""Bars, quotes and trades out of one CSV file, gzipped or not, with every defect named by file and line.

A file holds one symbol and one kind of row, told by the columns of its header: `timestamp,symbol,open,high,low,
close,volume`, `timestamp,symbol,bid,bid_size,ask,ask_size` (an empty side is no side) or, where `everything` is wanted,
`timestamp,symbol,price,size,exchange,suspicious`, in any order and among others. Timestamps carry a zone or, where
everything is wanted, are dates: those of bars of whole sessions. Prices are dollars as decimal text and become whole
price ticks, half-even.
"""

import csv
import gzip
import re
import zlib
from collections.abc import Collection, Iterator
from decimal import Decimal
from functools import lru_cache
from pathlib import Path
from typing import TextIO

from trader.calendar import parse_iso, session_on
from trader.model import Symbol
from trader.money import ticks_of

BAR_COLUMNS = ("timestamp", "symbol", "open", "high", "low", "close", "volume")
QUOTE_COLUMNS = ("timestamp", "symbol", "bid", "bid_size", "ask", "ask_size")
TRADE_COLUMNS = ("timestamp", "symbol", "price", "size", "exchange", "suspicious")

NAMED_MAX = 8  # of the symbols that there are, where one is missing

_PRICE = re.compile(r"[0-9]{1,7}(\.[0-9]{1,20})?", re.ASCII)
_SHARES = re.compile(r"[0-9]{1,12}", re.ASCII)
_EXCHANGE = re.compile(r"[A-Z0-9]", re.ASCII)
_DATE = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
_SYMBOL = re.compile(r"[A-Z][A-Z0-9.]{0,11}", re.ASCII)

BarRow = tuple[int, int, int, int, int, int]  # start_ns, open, high, low, close, volume
QuoteRow = tuple[int, int, int, int, int]  # stamp_ns, bid, bid_size, ask, ask_size
TradeRow = tuple[int, int, int, str]  # at_ns, price, size, exchange


class MarketDataError(Exception):
    """A file of market data that can't be used; line 0 is the file as a whole."""

    def __init__(self, file: Path, line: int, what: str) -> None:
        super().__init__(f"{file}:{line}: {what}" if line else f"{file}: {what}")
        self.file = file
        self.line = line
        self.what = what


class NoBars(MarketDataError):
    """Of a symbol that was asked for. `symbols`: of which there are any."""

    def __init__(self, file: Path, symbol: Symbol, symbols: Collection[Symbol]) -> None:
        self.symbols = tuple(sorted(symbols))
        more = f" and {len(symbols) - NAMED_MAX} more" if len(symbols) > NAMED_MAX else ""
        there = f", but of {', '.join(self.symbols[:NAMED_MAX])}{more}" if symbols else ""
        super().__init__(file, 0, f"there are no bars of {symbol}{there}")


class CsvFile:
    """One file, opened for its header; `rows` reads the rest."""

    def __init__(self, path: Path, *, everything: bool = False) -> None:
        self.path = path
        self.line = 0
        cells = next(self._cells(), None)
        if cells is None:
            raise self.error("the file is empty")
        self.is_quotes = "bid" in cells or "ask" in cells
        self.is_trades = everything and "price" in cells
        columns = QUOTE_COLUMNS if self.is_quotes else BAR_COLUMNS
        if self.is_trades:
            columns = TRADE_COLUMNS
        for column in columns:
            if cells.count(column) != 1:
                what = "missing" if column not in cells else "there twice"
                if ";" in cells[0]:
                    raise self.error("separated by ';': commas are wanted")
                raise self.error(
                    f"the column {column!r} is {what}; it has {','.join(cells)[:120]!r}"
                )
        self._width = len(cells)
        self._indexes = [cells.index(column) for column in columns]
        stamp, self.symbol = self._first_row()
        self.is_daily = everything and _DATE.fullmatch(stamp) is not None

    def bars(self) -> Iterator[BarRow]:
        """In order of time; raises MarketDataError. Of a session's bar the time is that of its opening."""
        last_ns = -1
        for stamp, _, *texts, volume in self._rows():
            start_ns = self._opening(stamp) if self.is_daily else self._time(stamp)
            if start_ns <= last_ns:
                kind = "a second bar of" if start_ns == last_ns else "not in order of time:"
                raise self.error(f"{kind} {stamp}")
            last_ns = start_ns
            opened, high, low, close = (self._price(text) for text in texts)
            if high < low:
                raise self.error(f"high {texts[1]} is below low {texts[2]}")
            if not low <= min(opened, close) <= max(opened, close) <= high:
                raise self.error(f"open {texts[0]} or close {texts[3]} is outside low to high")
            yield start_ns, opened, high, low, close, self._shares(volume)

    def quotes(self) -> Iterator[QuoteRow]:
        """In order of time, 0 where there is no side; raises MarketDataError."""
        last_ns = -1
        for stamp, _, bid, bid_size, ask, ask_size in self._rows():
            at_ns = self._time(stamp)
            if at_ns < last_ns:
                raise self.error(f"not in order of time: {stamp}")
            last_ns = at_ns
            yield at_ns, *self._side(bid, bid_size), *self._side(ask, ask_size)

    def trades(self) -> Iterator[TradeRow]:
        """In order of time, without those that are marked as suspicious; raises MarketDataError."""
        last_ns = -1
        for stamp, _, price, size, exchange, suspicious in self._rows():
            at_ns = self._time(stamp)
            if at_ns < last_ns:
                raise self.error(f"not in order of time: {stamp}")
            last_ns = at_ns
            if not _EXCHANGE.fullmatch(exchange):
                raise self.error(f"not the letter of an exchange: {exchange[:40]!r}")
            if suspicious != "1" and (shares := self._shares(size)):
                yield at_ns, self._price(price), shares, exchange

    def error(self, what: str) -> MarketDataError:
        return MarketDataError(self.path, self.line, what)

    def _first_row(self) -> tuple[str, Symbol]:
        """Its time stamp, and the symbol."""
        for cells in self._rows(any_symbol=True):
            if not _SYMBOL.fullmatch(cells[1]):
                raise self.error(f"not a symbol: {cells[1][:40]!r}")
            return cells[0], Symbol(cells[1])
        raise self.error("there is a header and nothing else")

    def _rows(self, any_symbol: bool = False) -> Iterator[list[str]]:
        """The wanted cells of each row after the header, in the order of the columns."""
        reader = self._cells()
        next(reader, None)
        for cells in reader:
            if len(cells) != self._width:
                raise self.error(f"{len(cells)} cells where the header has {self._width}")
            wanted = [cells[index] for index in self._indexes]
            if not any_symbol and wanted[1] != self.symbol:
                raise self.error(
                    f"{wanted[1][:40]!r} in a file of {self.symbol}: one symbol a file"
                )
            yield wanted

    def _cells(self) -> Iterator[list[str]]:
        """The rows as they are, blank lines left out; what reading can meet becomes a MarketDataError."""
        self.line = 0
        try:
            with _opened(self.path) as text:
                reader = csv.reader(text, strict=True)
                for cells in reader:
                    self.line = reader.line_num
                    if cells:
                        yield cells
        except EOFError:
            raise self.error("the gzip file is cut short after this line") from None
        except (gzip.BadGzipFile, zlib.error) as error:
            raise self.error(f"not a sound gzip file: {error}") from None
        except UnicodeDecodeError:
            self.line = _line_of_no_text(self.path)
            raise self.error("not a text in UTF-8") from None
        except csv.Error as error:
            self.line += 1  # the row that begins there
            raise self.error(f"not a CSV file: {error}") from None
        except OSError as error:
            raise self.error(f"can't be read: {error.strerror or error}") from None

    def _time(self, text: str) -> int:
        try:
            return parse_iso(text)
        except ValueError as error:
            raise self.error(str(error)) from None

    def _opening(self, date: str) -> int:
        try:
            session = session_on(date)
        except ValueError as error:
            raise self.error(str(error)) from None
        if session is None:
            raise self.error(f"the exchange had no session on {date}")
        return session.open_ns

    def _price(self, text: str) -> int:
        ticks = _price_ticks(text)
        if ticks <= 0:
            raise self.error(f"not a price above zero: {text[:40]!r}")
        return ticks

    def _shares(self, text: str) -> int:
        if not _SHARES.fullmatch(text):
            raise self.error(f"not a whole number of shares: {text[:40]!r}")
        return int(text)

    def _side(self, price: str, size: str) -> tuple[int, int]:
        if not price and size in ("", "0"):
            return 0, 0
        return self._price(price), self._shares(size)


@lru_cache(maxsize=65_536)
def _price_ticks(text: str) -> int:
    """Whole price ticks, or -1 where the text is no plain number."""
    return ticks_of(Decimal(text)) if _PRICE.fullmatch(text) else -1


def _line_of_no_text(path: Path) -> int:
    """A reader decodes far ahead of the line that it gives."""
    with gzip.open(path, "rb") if path.suffix == ".gz" else path.open("rb") as file:
        return next(
            (
                number
                for number, line in enumerate(file, 1)
                if "\ufffd" in line.decode(errors="replace")
            ),
            0,
        )


def _opened(path: Path) -> TextIO:
    if path.suffix == ".gz":
        return gzip.open(path, "rt", encoding="utf-8-sig", newline="")
    return path.open("rt", encoding="utf-8-sig", newline="")

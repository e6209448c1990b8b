"""Bars, trades or quotes out of one CSV file, gzipped or not, as columns, with every defect named by file and line.

A block of plain lines is read a column at a time (`digits.py`). One in which anything is not quite plain is read again,
row by row: that is what decides what a row says, and what is wrong with it.
"""

import csv
import re
from collections.abc import Iterator
from decimal import Decimal
from functools import lru_cache
from itertools import chain
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from trader.feeds.columns import Column
from trader.feeds.csv_rows import MarketDataError
from trader.feeds.digits import (
    Cells,
    cells_of,
    days_of_cells,
    integers_of_cells,
    shares_of_cells,
    ticks_of_cells,
    times_of_cells,
    unquoted,
)
from trader.feeds.headings import Of, layout_of, symbol_named, symbol_of
from trader.feeds.lines import Lines, blocks_of_lines
from trader.feeds.stamps import Form, bounds_of, form_of, session_hours, start_of
from trader.feeds.table import CODE, END, LINE, OPEN, START, empty
from trader.money import ticks_of

Block = NDArray[np.int64]
SYMBOL_BYTES_MAX = 12
_PRICE = re.compile(r"[0-9]{1,7}(\.[0-9]{1,20})?", re.ASCII)
_SHARES = re.compile(r"([0-9]{1,12})(\.0+)?", re.ASCII)


class CsvColumns:
    """One file: its header is read when it is made, the rest by `blocks`."""

    def __init__(self, path: Path) -> None:
        """Raises MarketDataError."""
        self.path = path
        self.symbols: list[str] = []  # by their codes, as far as was read
        self._codes: dict[str, int] = {}
        self._form: Form | None = None
        self._blocks = blocks_of_lines(path)
        self._lines = next(self._blocks, None)
        if self._lines is None:
            raise self._error(0, "the file is empty")
        line = self._lines.first
        names = self._split(line, self._lines.head())
        try:
            self._layout = layout_of(names)
        except ValueError as error:
            raise self._error(line, str(error)) from None
        self.kind = self._layout.kind
        if self._layout.symbol is None:
            named = symbol_named(path)
            if named is None:
                what = "there is no column 'symbol', and the file is not named after one, as SPY.csv is"
                raise self._error(line, what)
            self._code(named)

    def blocks(self) -> Iterator[Block]:
        """Each [KINDS, rows], as `table.py` has them; raises MarketDataError."""
        assert self._lines is not None, "the header is in them"
        lines = self._lines.rest() or next(self._blocks, None)
        if lines is None:
            raise self._error(self._lines.first, "there is a header and nothing else")
        self._form = self._first_form(lines)
        for one in chain([lines], self._blocks):
            yield self._block(one)

    # --- the plain way

    def _block(self, lines: Lines) -> Block:
        block = self._plain(lines)
        return self._careful(lines) if block is None else block

    def _plain(self, lines: Lines) -> Block | None:
        layout = self._layout
        data = unquoted(lines.data) if b'"' in lines.data else lines.data
        cells = None if data is None else cells_of(data, layout.width)
        if cells is None:
            return None
        stamp, *places = layout.wanted
        block = empty(len(cells.starts))
        block[LINE] = np.arange(lines.first, lines.first + len(cells.starts))
        hours = self._hours(cells, stamp)
        codes = self._codes_of(cells, layout.symbol)
        if hours is None or codes is None:
            return None
        block[START], block[END] = hours
        block[CODE] = codes
        for row, (place, of) in enumerate(zip(places, layout.meanings, strict=True), OPEN):
            is_price = of in (Of.PRICE, Of.BID_OR_ASK)
            numbers = (ticks_of_cells if is_price else shares_of_cells)(cells, place)
            if numbers is None or (of is Of.PRICE and numbers.min() <= 0):
                return None
            block[row] = numbers
        return block

    def _hours(self, cells: Cells, place: int) -> tuple[Column, Column] | None:
        """When each bar begins and, of dates, ends, else 0."""
        assert self._form is not None, "known since the first row"
        if self._form is Form.DATE:
            days = days_of_cells(cells, place)
            return None if days is None else _hours_of_days(days)
        if self._form is Form.ZONED:
            times = times_of_cells(cells, place)
            return None if times is None else (times, np.zeros_like(times))
        numbers = integers_of_cells(cells, place)
        least, most = bounds_of(self._form)
        if numbers is None or numbers.min() < least or numbers.max() >= most:
            return None
        assert isinstance(self._form.value, int), "of numbers"
        return numbers * self._form.value, np.zeros_like(numbers)

    def _codes_of(self, cells: Cells, place: int | None) -> Column | None:
        count = len(cells.starts)
        if place is None:
            return np.zeros(count, dtype=np.int64)
        square = cells.square(place)
        if square is not None and (square == square[0]).all():
            code = self._code(square[0].tobytes().decode())
            return None if code is None else np.full(count, code, dtype=np.int64)
        return self._mixed_codes(cells, place)

    def _mixed_codes(self, cells: Cells, place: int) -> Column | None:
        """Names padded with zeros to one width are two numbers each, and those are sorted fast."""
        starts, lengths = cells.column(place)
        if lengths.min() < 1 or lengths.max() > SYMBOL_BYTES_MAX:
            return None
        steps = np.arange(SYMBOL_BYTES_MAX)
        padded = cells.raw[np.minimum(starts[:, None] + steps, len(cells.raw) - 1)]
        padded = np.where(steps < lengths[:, None], padded, 0).astype(np.uint8)
        names = np.ascontiguousarray(padded).view(f"S{SYMBOL_BYTES_MAX}").ravel()
        known, places = np.unique(names, return_inverse=True)
        codes = [self._code(bytes(name).decode("latin-1")) for name in known]
        if any(code is None for code in codes):
            return None
        found: Column = np.array(codes, dtype=np.int64)[places]
        return found

    def _code(self, text: str) -> int | None:
        """The number that stands for a symbol in this file; None where it is none."""
        code = self._codes.get(text)
        if code is None and symbol_of(text) is not None:
            code = self._codes[text] = len(self.symbols)
            self.symbols.append(text)
        return code

    # --- the careful way

    def _first_form(self, lines: Lines) -> Form:
        stamp = self._wanted(lines.first, lines.head())[1][0]
        try:
            return form_of(stamp)
        except ValueError as error:
            raise self._error(lines.first, str(error)) from None

    def _careful(self, lines: Lines) -> Block:
        rows = []
        for number, text in enumerate(lines.data.decode().split("\n"), lines.first):
            if text:
                rows.append((number, *self._row(number, text)))
        line_numbers, codes, starts, ends, *rest = zip(*rows, strict=True)
        block = empty(len(rows))
        block[LINE], block[CODE], block[START], block[END] = line_numbers, codes, starts, ends
        block[OPEN : OPEN + len(rest)] = rest
        return block

    def _row(self, line: int, text: str) -> tuple[int, ...]:
        """Code of the symbol, start, end, and the numbers of the kind."""
        symbol, (stamp, *cells) = self._wanted(line, text)
        code = 0 if symbol is None else self._code(symbol)
        if code is None:
            raise self._error(line, f"not a symbol: {symbol!r:.42}")
        assert self._form is not None, "known since the first row"
        try:
            start_ns, end_ns = start_of(stamp, self._form)
        except ValueError as error:
            raise self._error(line, str(error)) from None
        numbers = (
            self._number(line, cell, of)
            for cell, of in zip(cells, self._layout.meanings, strict=True)
        )
        return code, start_ns, end_ns, *numbers

    def _number(self, line: int, cell: str, of: Of) -> int:
        if of in (Of.BID_OR_ASK, Of.ITS_SIZE) and not cell:
            return 0
        if of in (Of.PRICE, Of.BID_OR_ASK):
            ticks = _price_ticks(cell)
            if ticks < 0 or (of is Of.PRICE and not ticks):
                above = " above zero" if of is Of.PRICE else ""
                raise self._error(line, f"not a price{above}: {cell[:40]!r}")
            return ticks
        shares = _SHARES.fullmatch(cell)
        if shares is None:
            raise self._error(line, f"not a whole number of shares: {cell[:40]!r}")
        return int(shares[1])

    def _wanted(self, line: int, text: str) -> tuple[str | None, list[str]]:
        """The symbol, where there is a column of it, and the other wanted cells in their order."""
        cells, layout = self._split(line, text), self._layout
        if len(cells) != layout.width:
            raise self._error(line, f"{len(cells)} cells where the header has {layout.width}")
        symbol = None if layout.symbol is None else cells[layout.symbol]
        return symbol, [cells[place] for place in layout.wanted]

    def _split(self, line: int, text: str) -> list[str]:
        try:
            return next(csv.reader([text], strict=True), [])
        except csv.Error as error:
            raise self._error(line, f"not a CSV file: {error}") from None

    def _error(self, line: int, what: str) -> MarketDataError:
        return MarketDataError(self.path, line, what)


def _hours_of_days(days: Column) -> tuple[Column, Column] | None:
    known, places = np.unique(days, return_inverse=True)
    hours = [session_hours(int(day)) for day in known]
    if any(one is None for one in hours):
        return None
    starts, ends = np.array(hours, dtype=np.int64)[places].T
    return starts, ends


@lru_cache(maxsize=65_536)
def _price_ticks(text: str) -> int:
    """Whole price ticks, or -1 where the text is no plain number."""
    return ticks_of(Decimal(text)) if _PRICE.fullmatch(text) else -1

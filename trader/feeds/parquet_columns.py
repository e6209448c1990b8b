"""Bars, trades or quotes out of one Parquet file as columns, which takes pyarrow: the extra `parquet` brings it.

Rows have no lines: where a defect is named by file and line, it is the number of the row.
"""

import sys
from collections.abc import Callable, Iterator
from decimal import Decimal
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trader.calendar import DAY_NS, iso
from trader.exits import Mistake
from trader.feeds.columns import Column
from trader.feeds.csv_rows import MarketDataError
from trader.feeds.headings import Of, layout_of, symbol_named, symbol_of
from trader.feeds.stamps import (
    Form,
    bounds_of,
    form_of,
    form_of_number,
    no_zone,
    session_hours,
    session_hours_of_date,
    start_of,
)
from trader.feeds.table import CODE, END, LINE, OPEN, START, empty
from trader.model import SECOND_NS
from trader.money import PRICE_TICKS_PER_DOLLAR, ticks_of

Block = NDArray[np.int64]
Array = Any  # pyarrow has no types
ROWS = 65_536
ABOVE_ZERO = "not a price above zero"
PRICE_MAX = 10**7
SHARES_MAX = 10**12
UNITS_NS = {"s": SECOND_NS, "ms": 10**6, "us": 10**3, "ns": 1}


class ParquetColumns:
    """One file: its schema is read when it is made, the rest by `blocks`."""

    def __init__(self, path: Path) -> None:
        """Raises MarketDataError; Mistake where pyarrow isn't installed."""
        self.path = path
        self.symbols: list[str] = []
        self._codes: dict[str, int] = {}
        self._form: Form | None = None
        self._arrow = _pyarrow()
        self._file = self._sound(lambda: self._arrow.parquet.ParquetFile(path))
        names = self._file.schema_arrow.names
        try:
            layout = layout_of(names)
        except ValueError as error:
            raise self._error(0, str(error)) from None
        self.kind = layout.kind
        self._wanted = [names[place] for place in layout.wanted]
        self._meanings = layout.meanings
        self._symbol = None if layout.symbol is None else names[layout.symbol]
        if self._symbol is None:
            named = symbol_named(path)
            if named is None:
                what = "there is no column 'symbol', and the file is not named after one, as SPY.parquet"
                raise self._error(0, what)
            self._code(0, named)

    def blocks(self) -> Iterator[Block]:
        """Each [KINDS, rows], as `table.py` has them; raises MarketDataError."""
        columns = [*self._wanted, *([self._symbol] if self._symbol else [])]
        batches = self._file.iter_batches(batch_size=ROWS, columns=columns)
        row = 1
        while (batch := self._sound(lambda: next(batches, None))) is not None:
            if batch.num_rows:
                yield self._block(row, batch)
                row += batch.num_rows
        if row == 1:
            raise self._error(0, "there are columns and no rows")

    def _block(self, row: int, batch: Array) -> Block:
        stamp, *told = (batch.column(batch.schema.names.index(one)) for one in self._wanted)
        block = empty(batch.num_rows)
        block[LINE] = np.arange(row, row + batch.num_rows)
        block[START], block[END] = self._hours(row, stamp)
        if self._symbol is not None:
            block[CODE] = self._codes_of(row, batch.column(batch.schema.names.index(self._symbol)))
        for kind, (values, of) in enumerate(zip(told, self._meanings, strict=True), OPEN):
            block[kind] = self._numbers(row, values, of)
        return block

    # --- times

    def _hours(self, row: int, stamps: Array) -> tuple[Column, Column]:
        """When each bar begins and, of dates, ends, else 0."""
        types, kind = self._arrow.types, stamps.type
        self._check_whole(row, stamps, "time")
        if types.is_date(kind):
            days = stamps.cast(self._arrow.date32()).cast(self._arrow.int32())
            return self._hours_of_days(row, days.to_numpy().astype(np.int64))
        if types.is_timestamp(kind):
            times = stamps.cast(self._arrow.int64()).to_numpy() * UNITS_NS[kind.unit]
            return (
                (times, np.zeros_like(times)) if kind.tz else self._hours_without_zone(row, times)
            )
        if types.is_integer(kind):
            return self._hours_of_numbers(row, stamps.cast(self._arrow.int64()).to_numpy())
        return self._hours_of_texts(row, stamps.to_pylist())

    def _hours_without_zone(self, row: int, times: Column) -> tuple[Column, Column]:
        """Midnights alone are dates; anything else could be anywhere's."""
        if not (times % DAY_NS).any():
            return self._hours_of_days(row, times // DAY_NS)
        place = int(np.flatnonzero(times % DAY_NS)[0])
        text = iso(int(times[place]))
        what = no_zone(text[:19], text[:10], int(text[11:13]), int(text[14:16]), text[17:19])
        raise self._error(row + place, what)

    def _hours_of_days(self, row: int, days: Column) -> tuple[Column, Column]:
        hours = [session_hours(int(day)) for day in days]
        if None in hours:
            place = hours.index(None)
            try:
                session_hours_of_date(iso(int(days[place]) * DAY_NS)[:10])
            except (ValueError, OverflowError) as error:
                raise self._error(row + place, str(error)) from None
        starts, ends = np.array(hours, dtype=np.int64).T
        return starts, ends

    def _hours_of_numbers(self, row: int, numbers: Column) -> tuple[Column, Column]:
        try:
            self._form = self._form or form_of_number(int(numbers[0]))
        except ValueError as error:
            raise self._error(row, str(error)) from None
        least, most = bounds_of(self._form)
        odd = (numbers < least) | (numbers >= most)
        if odd.any():
            place = int(np.flatnonzero(odd)[0])
            what = f"not a number of {self._form.name.lower()} like those before: {numbers[place]}"
            raise self._error(row + place, what)
        assert isinstance(self._form.value, int), "of numbers"
        return numbers * self._form.value, np.zeros_like(numbers)

    def _hours_of_texts(self, row: int, texts: list[object]) -> tuple[Column, Column]:
        hours = []
        for place, text in enumerate(texts):
            try:
                self._form = self._form or form_of(str(text))
                hours.append(start_of(str(text), self._form))
            except ValueError as error:
                raise self._error(row + place, str(error)) from None
        starts, ends = np.array(hours, dtype=np.int64).T
        return starts, ends

    # --- symbols and numbers

    def _codes_of(self, row: int, names: Array) -> Column:
        self._check_whole(row, names, "symbol")
        if not self._arrow.types.is_dictionary(names.type):
            names = names.dictionary_encode()
        places = names.indices.to_numpy().astype(np.int64)
        used = {
            int(place): str(names.dictionary[int(place)].as_py()) for place in np.unique(places)
        }
        codes = np.zeros(len(names.dictionary), dtype=np.int64)
        for place, name in used.items():
            codes[place] = self._code(row + int(np.flatnonzero(places == place)[0]), name)
        found: Column = codes[places]
        return found

    def _code(self, row: int, name: str) -> int:
        if name not in self._codes:
            if symbol_of(name) is None:
                raise self._error(row, f"not a symbol: {name[:40]!r}")
            self._codes[name] = len(self.symbols)
            self.symbols.append(name)
        return self._codes[name]

    def _numbers(self, row: int, values: Array, of: Of) -> Column:
        if of is Of.PRICE:
            return self._ticks(row, values)
        if of is Of.SHARES:
            return self._shares(row, values)
        if self._arrow.types.is_floating(values.type):
            # What isn't there is NaN where another program made a table of it.
            compute = self._arrow.compute
            values = compute.if_else(compute.is_nan(values), 0.0, values)
        values = values.fill_null(0)
        return (
            self._ticks(row, values, "not a price")
            if of is Of.BID_OR_ASK
            else self._shares(row, values)
        )

    def _ticks(self, row: int, prices: Array, wrong: str = ABOVE_ZERO) -> Column:
        """Zero is none where only something above it is right."""
        self._check_whole(row, prices, "price")
        if not self._arrow.types.is_floating(prices.type):
            return self._exact(row, prices, "price", lambda number: ticks_of(number), PRICE_MAX)
        numbers = prices.to_numpy()
        is_low = numbers <= 0 if wrong == ABOVE_ZERO else numbers < 0
        odd = is_low | ~(numbers < PRICE_MAX)  # so that NaN is odd
        if odd.any():
            place = int(np.flatnonzero(odd)[0])
            raise self._error(row + place, f"{wrong}: {numbers[place]}")
        return ticks_of_floats(numbers)

    def _shares(self, row: int, volumes: Array) -> Column:
        self._check_whole(row, volumes, "volume")
        types = self._arrow.types
        if not (types.is_integer(volumes.type) or types.is_floating(volumes.type)):
            return self._exact(row, volumes, "number of shares", _whole, SHARES_MAX)
        numbers = volumes.to_numpy()
        odd = ~((numbers >= 0) & (numbers < SHARES_MAX) & (numbers == np.floor(numbers)))
        if odd.any():
            place = int(np.flatnonzero(odd)[0])
            raise self._error(row + place, f"not a whole number of shares: {numbers[place]}")
        shares: Column = numbers.astype(np.int64)
        return shares

    def _exact(
        self, row: int, values: Array, what: str, read: Callable[[Decimal], int], most: int
    ) -> Column:
        """Of decimals and whole numbers; a text is none, whatever it says."""
        found = []
        for place, value in enumerate(values.to_pylist()):
            is_number = isinstance(value, int | Decimal) and not isinstance(value, bool)
            if not is_number or not 0 <= value < most:
                raise self._error(row + place, f"not a {what}: {str(value)[:40]!r}")
            try:
                found.append(read(Decimal(value)))
            except ValueError:
                raise self._error(row + place, f"not a whole {what}: {value}") from None
        return np.array(found, dtype=np.int64)

    # --- defects

    def _check_whole(self, row: int, values: Array, what: str) -> None:
        if values.null_count:
            place = int(np.flatnonzero(values.is_null().to_numpy(zero_copy_only=False))[0])
            raise self._error(row + place, f"there is no {what}")

    def _sound(self, read: Callable[[], Array]) -> Array:
        """What pyarrow reads; a file that it can't read is one line."""
        try:
            return read()
        except (self._arrow.ArrowException, OSError) as error:
            why = str(error).partition("\n")[0][:200]
            raise self._error(0, f"not a whole Parquet file: {why}") from None

    def _error(self, row: int, what: str) -> MarketDataError:
        return MarketDataError(self.path, row, what)


def ticks_of_floats(prices: NDArray[Any]) -> Column:
    """Whole price ticks, half-even, of the shortest decimals that are these floats."""
    scaled = prices.astype(np.float64) * PRICE_TICKS_PER_DOLLAR
    ticks: Column = np.rint(scaled).astype(np.int64)
    # What lies close to the middle of two ticks may be the middle, as text, and lie beside it only as a float.
    slack = scaled * np.finfo(prices.dtype).eps * 4
    for place in np.flatnonzero(np.abs(scaled - np.floor(scaled) - 0.5) <= slack):
        ticks[place] = ticks_of(Decimal(str(prices[place])))
    return ticks


def _whole(number: Decimal) -> int:
    if number != int(number):
        raise ValueError(number)
    return int(number)


def _pyarrow() -> Array:
    try:
        import pyarrow
        import pyarrow.compute
        import pyarrow.parquet
    except ImportError:
        pip = f"{sys.executable} -m pip install"
        if find_spec("pip") is None:
            pip = f"uv pip install --python {sys.executable}"
        raise Mistake(
            "Parquet needs pyarrow, which is not installed",
            where="--data",
            remedy=f"{pip} pyarrow",
        ) from None
    return pyarrow

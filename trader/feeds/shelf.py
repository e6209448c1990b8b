"""Where columns wait until all files are read, and stay: in memory, or from so many bars on in a file without a name.

So only what is being read is in memory; and the file is gone with the process that made it.
It lies in TMPDIR where that is set, else in /var/tmp: /tmp often is memory itself.
"""

import os
import tempfile
import weakref
from collections.abc import Mapping, Sequence
from mmap import ACCESS_READ, MADV_DONTNEED, mmap
from pathlib import Path
from typing import SupportsIndex, TypeAlias, overload

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from trader.exits import Mistake
from trader.feeds.columns import NUMBERS, Columns, Listed, View, joined
from trader.model import Symbol

ON_DISK = Path("/var/tmp")  # nobody can be waiting there for a file without a name
BYTES = 8  # of a number
BLOCK = 512  # bars that are read at a time

Rows: TypeAlias = NDArray[np.int64]  # a bar each


class Shelf:
    """in_memory_max: bars, of 56 bytes each. Raises Mistake where the file finds no room."""

    def __init__(self, in_memory_max: int) -> None:
        self._in_memory_max = in_memory_max
        self._bars = 0
        self._waiting: list[Columns] = []  # in memory
        self._places: list[_Place] = []  # in the file, which has those that came first
        self._file: _File | None = None

    def put(self, columns: Columns) -> int:
        """The number by which it is taken."""
        self._waiting.append(columns)
        self._bars += len(columns)
        if self._bars > self._in_memory_max:
            self._file = self._file or _File()
            self._places += map(self._file.put, self._waiting)
            self._waiting.clear()
        return len(self._places) + len(self._waiting) - 1

    def take(self, wanted: Mapping[Symbol, Sequence[int]]) -> dict[Symbol, Columns]:
        """Of each symbol those of these numbers, one after the other."""
        file = self._file
        if file is None:
            return {
                symbol: joined([self._waiting[number] for number in numbers])
                for symbol, numbers in wanted.items()
            }
        assert not self._waiting, "once there is a file, all goes there"
        parts, places = _Mapped(file), {}
        for symbol, numbers in wanted.items():
            several = [self._places[number] for number in numbers]
            places[symbol] = (
                several[0] if len(several) == 1 else file.put(joined(map(parts.columns, several)))
            )
        whole = _Mapped(file)
        return {symbol: whole.columns(place) for symbol, place in places.items()}


class _Place(Struct, frozen=True, kw_only=True):
    """Behind how many numbers of the file the bars of a symbol are, and how many."""

    symbol: Symbol
    behind: int
    bars: int


class _File:
    """Bar after bar: who goes through a symbol is at one place of the file, not at one for each column."""

    def __init__(self) -> None:
        self.numbers = 0
        self._folder = os.environ.get("TMPDIR") or (str(ON_DISK) if ON_DISK.is_dir() else None)
        try:
            self._file = tempfile.TemporaryFile(dir=self._folder)  # noqa: SIM115  # as long as this
        except OSError as error:
            raise self._mistake(error) from None
        weakref.finalize(self, self._file.close)

    def put(self, columns: Columns) -> _Place:
        place = _Place(symbol=columns.symbol, behind=self.numbers, bars=len(columns))
        try:
            rows = np.stack([getattr(columns, name) for name in NUMBERS], axis=1)
            self._file.write(np.ascontiguousarray(rows, np.int64).data)
            self._file.flush()
        except OSError as error:
            raise self._mistake(error) from None
        self.numbers += place.bars * len(NUMBERS)
        return place

    def fileno(self) -> int:
        return self._file.fileno()

    def mapped(self) -> mmap:
        return mmap(self._file.fileno(), self.numbers * BYTES, access=ACCESS_READ)

    def _mistake(self, error: OSError) -> Mistake:
        return Mistake(
            f"history finds no room there: {error.strerror}",
            where=self._folder or tempfile.gettempdir(),
            remedy="name another folder in TMPDIR",
        )


class _Mapped:
    """All that is in the file by now."""

    def __init__(self, file: _File) -> None:
        self.file = file
        self.mapped = file.mapped()
        self._numbers = np.frombuffer(self.mapped, np.int64)

    def columns(self, place: _Place) -> Columns:
        end = place.behind + place.bars * len(NUMBERS)
        rows = self._numbers[place.behind : end].reshape(place.bars, len(NUMBERS))
        numbers = dict(zip(NUMBERS, rows.T, strict=True))
        return _FiledColumns(symbol=place.symbol, **numbers, file=_InFile(self, place))


class _FiledColumns(Columns, frozen=True, kw_only=True):
    file: "_InFile"

    @property
    def are_in_memory(self) -> bool:
        return False

    def rest(self) -> None:
        self.file.rest()

    def views(self) -> Sequence[View]:
        return [_View(self.file, number) for number in range(len(NUMBERS))]


class _InFile:
    """What is read by place is read from the file: of what is mapped a system may keep far more in memory."""

    def __init__(self, mapped: _Mapped, place: _Place) -> None:
        self._mapped = mapped
        self._place = place
        self._first = 0
        self._rows = np.zeros((0, len(NUMBERS)), np.int64)

    def rest(self) -> None:
        self._mapped.mapped.madvise(MADV_DONTNEED)

    def __len__(self) -> int:
        return self._place.bars

    def at(self, place: int, number: int) -> int:
        if not self._first <= place < self._first + len(self._rows):
            self._first, self._rows = place, self.read(place, place + BLOCK)
        return int(self._rows[place - self._first, number])

    def read(self, first: int, last: int) -> Rows:
        """Those bars, as far as there are any."""
        width = len(NUMBERS) * BYTES
        behind = self._place.behind * BYTES + first * width
        count = max(0, min(last, self._place.bars) - first)
        data = os.pread(self._mapped.file.fileno(), count * width, behind)
        return np.frombuffer(data, np.int64).reshape(count, len(NUMBERS))


class _View:
    """One column of it."""

    def __init__(self, rows: _InFile, number: int) -> None:
        self._rows = rows
        self._number = number

    def __len__(self) -> int:
        return len(self._rows)

    @overload
    def __getitem__(self, place: SupportsIndex) -> int: ...
    @overload
    def __getitem__(self, place: slice) -> Listed: ...
    def __getitem__(self, place: SupportsIndex | slice) -> int | Listed:
        if isinstance(place, slice):
            first, last, _ = place.indices(len(self))
            return self._rows.read(first, last)[:, self._number]
        return self._rows.at(int(place), self._number)

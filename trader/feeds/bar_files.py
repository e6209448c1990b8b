"""Files of bars as `feeds/history.py` reads them, each read back under another name before it gets its own."""

import gzip
import os
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import msgspec
from msgspec import Struct

from trader.calendar import iso, new_york_date
from trader.feeds.columns import Columns
from trader.feeds.history import read_history
from trader.model import Bar, Symbol
from trader.money import canonical, price_of

HEADER = "timestamp,symbol,open,high,low,close,volume\n"
DRAFTS = ".drafts"


class BarFile(Struct, frozen=True, kw_only=True):
    """One symbol's file in a folder. Beside it stands what was asked for, so that no other question finds it."""

    folder: Path
    symbol: Symbol
    is_daily: bool

    @property
    def path(self) -> Path:
        return self.folder / f"{self.symbol}.csv.gz"

    def asked(self) -> dict[str, str] | None:
        """What a whole file is the answer to; None where there is none, or not from here."""
        try:
            return msgspec.json.decode(self._note.read_bytes(), type=dict[str, str])
        except (OSError, msgspec.MsgspecError):
            return None

    def draft(self) -> "Draft":
        """A new one; whatever was left of an earlier one is gone. Raises OSError."""
        folder = self.folder / DRAFTS
        folder.mkdir(parents=True, exist_ok=True)
        return Draft(self, folder / self.path.name)

    def name(self, draft: Path, asked: dict[str, str]) -> None:
        """Give the draft its name, and say first what it is."""
        note = draft.with_name(self._note.name)
        note.write_bytes(msgspec.json.encode(asked))
        note.replace(self._note)
        draft.replace(self.path)

    @property
    def _note(self) -> Path:
        return self.folder / f"{self.symbol}.asked.json"


class Draft:
    """A file on its way."""

    def __init__(self, file: BarFile, path: Path) -> None:
        self._file = file
        self._path = path
        self.count = 0
        self._bytes = path.open("wb")
        # Without the moment of writing: the same bars are the same bytes.
        self._text = gzip.GzipFile(fileobj=self._bytes, mode="wb", filename="", mtime=0)
        self._text.write(HEADER.encode())

    def add(self, bars: Sequence[Bar]) -> None:
        """Rows more."""
        self._text.write("".join(self._row(bar) for bar in bars).encode())
        self.count += len(bars)

    def finish(self, asked: dict[str, str]) -> Columns:
        """Read it back, and give it its name. Raises MarketDataError where no reader would take what is in it."""
        self._text.close()
        self._bytes.flush()
        os.fsync(self._bytes.fileno())
        self._bytes.close()
        (columns,) = read_history([self._path]).values()
        self._file.name(self._path, asked)
        return columns

    def discard(self) -> None:
        """Leave nothing behind; nothing happens to a file that has its name."""
        self._text.close()
        self._bytes.close()
        self._path.unlink(missing_ok=True)
        with suppress(OSError):  # Another one's draft is in it.
            self._path.parent.rmdir()

    def _row(self, bar: Bar) -> str:
        stamp = new_york_date(bar.start_ns) if self._file.is_daily else iso(bar.start_ns)
        prices = (bar.open, bar.high, bar.low, bar.close)
        texts = ",".join(canonical(price_of(price)) for price in prices)
        return f"{stamp},{bar.symbol},{texts},{bar.volume}\n"

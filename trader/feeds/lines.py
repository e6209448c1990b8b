"""The lines of a file of text, gzipped or not, a block of whole ones at a time."""

import gzip
import io
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from trader.feeds.csv_rows import MarketDataError

BLOCK_BYTES = 2**20
LINE_BYTES_MAX = 2**16
# Programs end their lines, so that a long file whose last line has no end was cut; people write small ones by hand.
BY_HAND_BYTES_MAX = 2**16
BYTE_ORDER_MARK = b"\xef\xbb\xbf"


class Lines(NamedTuple):
    """Whole lines in UTF-8, each ended by a line feed, the first and the last not blank; `first` counts from 1."""

    first: int
    data: bytes

    def head(self) -> str:
        """The first of them."""
        return self.data[: self.data.index(b"\n")].decode()

    def rest(self) -> "Lines | None":
        """Without the first."""
        return lines_of(self.first + 1, self.data.partition(b"\n")[2])


def lines_of(first: int, data: bytes) -> Lines | None:
    """Without blank lines around them; None where all are blank."""
    text = data.lstrip(b"\n")
    first += len(data) - len(text)
    text = text.rstrip(b"\n")
    return Lines(first, text + b"\n") if text else None


def blocks_of_lines(path: Path) -> Iterator[Lines]:
    """All of a file; raises MarketDataError where it can't be read to its end."""
    first, size, left = 1, 0, bytearray()
    try:
        with _opened(path) as file:
            while data := file.read1(BLOCK_BYTES):
                size += len(data)
                left += data
                if len(left) >= BLOCK_BYTES:
                    whole = _whole_lines(path, first, left)
                    yield from _checked(path, first, whole)
                    first += whole.count(b"\n")
    except EOFError:
        line = first + left.count(b"\n") - 1
        raise MarketDataError(path, line, "the gzip file is cut short after this line") from None
    except (gzip.BadGzipFile, zlib.error) as error:
        raise MarketDataError(path, 0, f"not a sound gzip file: {error}") from None
    except OSError as error:
        raise MarketDataError(path, 0, f"can't be read: {error.strerror or error}") from None
    if left and not left.endswith(b"\n"):
        if path.suffix != ".gz" and size > BY_HAND_BYTES_MAX:
            line = first + left.count(b"\n")
            what = "the file was cut in this line: it doesn't end with a line break"
            raise MarketDataError(path, line, what)
        left += b"\n"
    yield from _checked(path, first, bytes(left))


def _whole_lines(path: Path, first: int, left: bytearray) -> bytes:
    """Taken from what is left to read."""
    end = left.rfind(b"\n") + 1
    if len(left) - end > LINE_BYTES_MAX:
        line = first + left.count(b"\n")
        raise MarketDataError(path, line, "a line that is too long for a CSV file")
    whole = bytes(left[:end])
    del left[:end]
    return whole


def _checked(path: Path, first: int, data: bytes) -> Iterator[Lines]:
    if first == 1:
        data = data.removeprefix(BYTE_ORDER_MARK)
    if b"\r" in data:
        data = data.replace(b"\r\n", b"\n")
    place = data.find(0)
    if not data.isascii():
        try:
            data.decode("utf-8")
        except UnicodeDecodeError as error:
            place = error.start
    if place >= 0:
        raise MarketDataError(path, first + data.count(b"\n", 0, place), "not a text in UTF-8")
    lines = lines_of(first, data)
    if lines is not None:
        yield lines


def _opened(path: Path) -> gzip.GzipFile | io.BufferedReader:
    return gzip.open(path, "rb") if path.suffix == ".gz" else path.open("rb")

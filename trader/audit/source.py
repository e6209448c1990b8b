"""Opens somebody's database so that nothing in it, and nothing beside it, can change; says in a line why it can't."""

import hashlib
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

from trader.exits import Mistake, StartRefused
from trader.journal.place import APPLICATION_ID

HEADER_BYTES = 100
CHUNK_BYTES = 1 << 20
BUSY_MS_MAX = 2_000
_COPY = "sqlite3 {} '.backup copy.db' makes a copy to look at"


class OtherEncoding(StartRefused):
    """A text of the file isn't UTF-8."""


@contextmanager
def looking_at(path: Path, *, is_lenient: bool = False) -> Iterator[sqlite3.Connection]:
    """One consistent view of the file, read-only. Lenient: bytes that are no text are no printable one.

    Raises Mistake where it is no SQLite database, StartRefused where it is locked, or half of it is in another file;
    OtherEncoding where not lenient.
    """
    header = checked_header(path)
    check_beside(path)
    # A file in WAL mode could not be read without making two more beside it; its own log is empty, so nothing in it
    # can be missed, and whoever writes meanwhile is noticed at the end.
    is_wal = header[18] == 2
    mode = "mode=ro&immutable=1" if is_wal else "mode=ro"
    before = _stamp(path)
    connection = sqlite3.connect(f"file:{quote(str(path))}?{mode}", uri=True, isolation_level=None)
    try:
        connection.execute(f"PRAGMA busy_timeout = {BUSY_MS_MAX}")
        connection.execute("PRAGMA query_only = ON")
        if is_lenient:
            connection.text_factory = lambda data: data.decode("utf-8", "surrogateescape")
        connection.execute("BEGIN")
        connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
        yield connection
    except sqlite3.DatabaseError as error:
        raise _unreadable(path, error) from None
    finally:
        connection.close()
    if is_wal and _stamp(path) != before:
        raise StartRefused(
            "was written to meanwhile", where=str(path), remedy=_COPY.format(path.name)
        )


def checked_header(path: Path) -> bytes:
    """The file's first bytes; raises Mistake unless they are those of somebody else's SQLite database."""
    if not path.exists():
        raise Mistake("there is no such file", where=str(path))
    try:
        with path.open("rb") as file:
            header = file.read(HEADER_BYTES)
    except OSError as error:
        raise Mistake(f"can't be read: {error.strerror}", where=str(path)) from None
    if not header:
        raise Mistake("empty", where=str(path))
    if len(header) < HEADER_BYTES or not header.startswith(b"SQLite format 3\0"):
        raise Mistake("not an SQLite database", where=str(path))
    if int.from_bytes(header[68:72], "big") == APPLICATION_ID:
        raise Mistake(
            "this program's own books, which prove themselves",
            where=str(path),
            remedy="bin/trade verify",
        )
    return header


def check_beside(path: Path) -> None:
    """Raise StartRefused where part of the database is in a log or a journal beside it."""
    for suffix, what, remedy in (
        ("-wal", "a log with changes", "PRAGMA wal_checkpoint(TRUNCATE)"),
        ("-journal", "a transaction, unfinished", "PRAGMA quick_check"),
    ):
        beside = path.with_name(path.name + suffix)
        if _is_hot(beside):
            raise StartRefused(
                f"{what} is in {beside.name}, not yet in the file",
                where=str(path),
                remedy=f"end the program that writes it, then: sqlite3 {path.name} '{remedy}'",
            )


def _is_hot(beside: Path) -> bool:
    """A journal that begins with a zero byte was never begun, or is done with; so SQLite sees it, too."""
    try:
        with beside.open("rb") as file:
            return file.read(1) not in (b"", b"\0")
    except FileNotFoundError:
        return False


def _unreadable(path: Path, error: sqlite3.DatabaseError) -> StartRefused:
    if "locked" in str(error) or "busy" in str(error):
        return StartRefused(
            "locked by another program", where=str(path), remedy="end it, or look at a copy"
        )
    if "decode to UTF-8" in str(error):
        return OtherEncoding("a text in it isn't UTF-8", where=str(path))
    return StartRefused(f"can't be read: {error}", where=str(path), remedy="restore a backup")


def _stamp(path: Path) -> tuple[int, int]:
    found = path.stat()
    return found.st_mtime_ns, found.st_size


def file_digest(path: Path) -> str:
    """SHA-256 of the file's bytes."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(CHUNK_BYTES):
            digest.update(chunk)
    return digest.hexdigest()


def quoted(name: str) -> str:
    """A table's or column's name as SQL."""
    return '"' + name.replace('"', '""') + '"'

"""A whole copy of a journal while it is written, and a copy put back in its place; neither overwrites anything.

SQLite's own online backup makes the copy in one step: of one moment, the write-ahead log included, without keeping
the writer waiting. It is made under another name, made durable, and named last: a copy is whole or isn't there.
"""

import os
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

from trader.journal.failures import JournalUnusable
from trader.journal.sqlite import reading_connection

UNREADABLE = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)  # of what is copied, not of the copy
ENDINGS = ("", "-wal", "-shm", "-journal")


def copied(source: Path, target: Path) -> None:
    """Copy the journal at `source` to a new file; raises JournalUnusable where one is there or it can't be made."""
    if target.exists():
        raise JournalUnusable(target, "is there already", "give a new name, or move it away")
    try:
        os.close(os.open(target, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
        with closing(reading_connection(source)) as reader, closing(_opened(target)) as writer:
            reader.backup(writer)
        standing_alone(target)
    except (OSError, sqlite3.Error) as error:
        remove(target)
        if isinstance(error, sqlite3.Error) and error.sqlite_errorcode in UNREADABLE:
            what = f"can't be read ({error})"
            raise JournalUnusable(source, what, "restore a backup") from error
        raise JournalUnusable(
            target, f"can't be written ({error})", "df -h; nothing was changed"
        ) from error


def standing_alone(file: Path) -> None:
    """One whole file on the disk: whoever copies it on needs no second one. Raises OSError or sqlite3.Error."""
    with closing(_opened(file)) as writer:
        writer.execute("PRAGMA journal_mode = DELETE")
    _synced(file)
    _synced(file.parent)


def remove(file: Path) -> None:
    """A copy that is not to be, with what SQLite has put beside it."""
    for path in _beside(file):
        path.unlink(missing_ok=True)


def moved_aside(database: Path, folder: Path) -> Sequence[str]:
    """Move a database with its logs into a new folder; returns their names. Raises JournalUnusable."""
    found = _beside(database)
    try:
        folder.mkdir(parents=True, exist_ok=False)
        for path in found:
            path.rename(folder / path.name)
        _synced(folder)
    except OSError as error:
        raise JournalUnusable(
            folder, f"can't be moved to ({error.strerror})", "look at the folder"
        ) from error
    return [path.name for path in found]


def named(draft: Path, path: Path) -> None:
    """Give a whole copy its name, durably."""
    draft.rename(path)
    _synced(path.parent)


def head_of(path: Path) -> tuple[int, str, str] | None:
    """The last row's number and time, and the account; None where the file can't tell."""
    try:
        with closing(reading_connection(path)) as reader:
            row = reader.execute("SELECT sequence, timestamp, account FROM account_row").fetchone()
            return (int(row[0]), str(row[1]), str(row[2])) if row else (0, "", "")
    except (sqlite3.Error, ValueError, TypeError):
        return None


def _beside(file: Path) -> list[Path]:
    every = [file.with_name(file.name + ending) for ending in ENDINGS]
    return [path for path in every if path.exists()]


def _opened(target: Path) -> sqlite3.Connection:
    return sqlite3.connect(target, isolation_level=None)


def _synced(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)

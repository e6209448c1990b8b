"""Before a foreign database is touched: who has it open, what is in it, a backup, and a rehearsal of its restore."""

import hashlib
import os
import shutil
import sqlite3
import tempfile
from collections.abc import Iterator
from pathlib import Path

from trader.audit.source import quoted
from trader.exits import StartRefused
from trader.journal.lock import writer_of

OURS = frozenset({"repairs", "repair_voids", "repair_adjustments", "effective_trades"})


def check_alone(path: Path) -> None:
    """Raise StartRefused while a trader of ours, or any other process, has the database open."""
    holder = writer_of(path)
    if holder is not None:
        raise StartRefused(
            f"a trader holds it (process {holder[0]})", where=str(path), remedy="stop it first"
        )
    for process in _processes_with(path):
        raise StartRefused(
            f"process {process} has it open", where=str(path), remedy="end that program first"
        )


def _processes_with(path: Path) -> Iterator[int]:
    """Where the system tells (Linux): processes but this one with the file open."""
    wanted = path.stat()
    for folder in Path("/proc").glob("[0-9]*/fd"):
        process = int(folder.parent.name)
        if process == os.getpid():
            continue
        try:
            for descriptor in folder.iterdir():
                found = descriptor.stat()
                if (found.st_ino, found.st_dev) == (wanted.st_ino, wanted.st_dev):
                    yield process
                    break
        except OSError:
            continue  # It ended meanwhile, or is another user's.


def originals_digest(database: sqlite3.Connection) -> str:
    """SHA-256 of everything in the database but what repairs have put there: definitions, and all rows in order."""
    digest = hashlib.sha256()
    defined = database.execute(
        "SELECT type, name, tbl_name, sql FROM sqlite_master ORDER BY type, name"
    ).fetchall()
    for row in defined:
        if row[1] not in OURS and row[2] not in OURS:
            digest.update(repr(row).encode())
    for kind, name, _, sql in defined:
        if kind != "table" or name in OURS:
            continue
        has_rowid = "without rowid" not in str(sql).lower()
        order = "rowid" if has_rowid else "1"
        columns = "rowid, *" if has_rowid else "*"
        digest.update(f"\n{name}\n".encode())
        for row in database.execute(f"SELECT {columns} FROM {quoted(name)} ORDER BY {order}"):
            digest.update(repr(row).encode())
    return digest.hexdigest()


def digest_of_file(path: Path) -> str:
    """The same of a database that nobody has open."""
    database = sqlite3.connect(path, isolation_level=None)
    try:
        database.execute("PRAGMA query_only = ON")
        return originals_digest(database)
    finally:
        database.close()


def back_up(path: Path, to: Path) -> None:
    """Copy the database with SQLite's backup, and restore the copy elsewhere to see that it is the same.

    A backup that is there already is kept if it is of these very books; raises StartRefused if it is of others.
    """
    wanted = digest_of_file(path)
    if to.exists():
        if _digest_or_nothing(to) != wanted:
            raise StartRefused(
                "is there already, and is no backup of these books",
                where=str(to),
                remedy="move it away, or give another --backup",
            )
    else:
        _copy(path, to)
    with tempfile.TemporaryDirectory(prefix="rehearsal-", dir=to.parent) as folder:
        restored = Path(folder) / path.name
        shutil.copyfile(to, restored)
        database = sqlite3.connect(restored, isolation_level=None)
        try:
            whole = database.execute("PRAGMA integrity_check").fetchone()[0]
            if whole != "ok" or originals_digest(database) != wanted:
                raise StartRefused("the backup could not be restored", where=str(to))
        except sqlite3.DatabaseError as error:
            raise StartRefused(f"the backup can't be restored: {error}", where=str(to)) from None
        finally:
            database.close()


def _copy(path: Path, to: Path) -> None:
    """Written aside and renamed: whoever is killed meanwhile leaves no half of a backup under its name."""
    aside = to.with_name(f"{to.name}.part")
    aside.unlink(missing_ok=True)
    source = sqlite3.connect(path, isolation_level=None)
    target = sqlite3.connect(aside, isolation_level=None)
    try:
        source.execute("PRAGMA query_only = ON")
        source.backup(target)
    except sqlite3.Error as error:
        raise StartRefused(f"no backup could be written: {error}", where=str(to)) from None
    finally:
        target.close()
        source.close()
    descriptor = os.open(aside, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    aside.rename(to)


def _digest_or_nothing(path: Path) -> str:
    try:
        return digest_of_file(path)
    except sqlite3.Error:
        return ""

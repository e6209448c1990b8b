"""Is the write-ahead log beside a database the database's own? SQLite doesn't ask: it lays any whole log over any file.

A log that was left by another database, after a copy or a restore that took one file and not the other, would turn
these books into those, and the next checkpoint would write them over ours. What the database ends with by itself must
be there with the log, too: the journal only grows.
"""

import sqlite3
from pathlib import Path
from urllib.parse import quote

from trader.journal.failures import JournalUnusable

HEX = frozenset("0123456789abcdef")


def check_log(path: Path, noted: int) -> None:
    """Raise JournalUnusable if the log beside the database is another's, or if a row that was noted is gone.

    Changes neither, and needs the lock. `noted`: lock.rows_noted, from before anything of the database was read.
    """
    _check_own(path)
    if noted:
        _check_noted(path, noted)


def _check_noted(path: Path, noted: int) -> None:
    """A process that was killed leaves its last commits in the log; without it the file is whole, and of before."""
    try:
        found = _row(f"file:{quote(str(path))}?mode=ro", "SELECT max(sequence) FROM journal")
    except sqlite3.Error:
        return  # As above.
    last = found[0] if found is not None and isinstance(found[0], int) else 0
    if last < noted:
        raise JournalUnusable(
            path,
            f"the journal ends with row {last}, and row {noted} was committed: its write-ahead log is gone or cut off",
            f"bring {path.name}-wal back, or restore a backup; to go on without: sqlite3 {path.name} '.backup part.db',"
            " then bin/trade restore part.db",
        )


def _check_own(path: Path) -> None:
    log = path.with_name(path.name + "-wal")
    if not log.exists() or not log.stat().st_size:
        return
    last = "SELECT sequence, hash FROM journal ORDER BY sequence DESC LIMIT 1"
    same = "SELECT sequence, hash FROM journal WHERE sequence = ?"
    try:
        alone = _row(f"file:{quote(str(path))}?immutable=1", last)
        if alone is None or not _is_hash(alone[1]):
            return
        together = _row(f"file:{quote(str(path))}?mode=ro", same, alone[0])
    except sqlite3.Error:
        # A checkpoint that a crash cut off leaves a file that says nothing without its log: that is no proof. Whether
        # both together can be read is looked at next, by who opens them.
        return
    if together != alone:
        raise JournalUnusable(
            log,
            f"the write-ahead log of another database: without it the journal ends with row {alone[0]}, which it lacks",
            "restore both files from one backup, or bring back the log that belongs here",
        )


def _row(uri: str, question: str, *values: object) -> tuple[object, ...] | None:
    connection = sqlite3.connect(uri, uri=True, isolation_level=None)
    try:
        row: tuple[object, ...] | None = connection.execute(question, values).fetchone()
    finally:
        connection.close()
    return row


def _is_hash(value: object) -> bool:
    return isinstance(value, str) and len(value) == 64 and HEX.issuperset(value)

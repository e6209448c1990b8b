"""The durable journal: one SQLite file, one writer, one transaction for each batch of the executor.

The writing connection is used by one thread at a time: a worker thread in production, so that a sick disk stops the
executor but not the feed; inline in simulation, because threads break virtual time. Readers have a connection of
their own that can't write. What fails is told apart: JournalFailed means that certainly nothing was written and the
next commit may go well; JournalBroken that nobody can know, and this life must end.
"""

import os
import sqlite3
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

import trio

from trader import steps
from trader.evolve import fold
from trader.exits import JournalBroken
from trader.journal.chain import GENESIS, Link, Row, checked, decoded
from trader.journal.failures import MENDS, JournalDamaged, JournalFenced, JournalUnusable
from trader.journal.ledger import Ledger, restored
from trader.journal.lock import Holder, ProcessLock
from trader.journal.place import check_file, check_place
from trader.journal.projection import Draft, Projection
from trader.journal.schema import ENTRY_VERSION, FENCED, changes_of_schema, migrate
from trader.journal.write_ahead import check_log
from trader.messages import Entry
from trader.ports import Batch, JournalFailed
from trader.state import ExecutionState

NOT_WRITTEN = frozenset({sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR_WRITE})
BUSY_MS_MAX = 5_000  # how long a commit waits for somebody who holds the file's lock


class SqliteJournal:
    """Opened by `open_journal`; holds the process lock until `close`."""

    def __init__(
        self, path: Path, lock: ProcessLock, *, inline: bool, busy_ms: int, take_over: bool = False
    ) -> None:
        self.path = path
        self._lock = lock
        self._inline = inline
        self._broken = ""
        self._limiter = trio.CapacityLimiter(
            1
        )  # the reader's connection serves one reader at a time
        self._writer = _writing_connection(path, busy_ms)
        try:
            if take_over:
                # The old life may still be writing: nothing comes between what we read here and our first commit.
                self._writer.execute("BEGIN IMMEDIATE")
            self._identity = _identity(path)
            self._reader = reading_connection(path)
            self._fence = reading_connection(path)
            head, head_hash = self._head_on_disk()
            self._check_schema()
            self._projection = Projection(
                head=head,
                head_hash=head_hash,
                ledger=self._restored(),
                past=lambda: fold(ExecutionState(), self.entries()),
            )
        except BaseException:
            self._writer.close()
            raise

    @property
    def head(self) -> int:
        """Sequence number of the last committed entry, 0 when there is none."""
        return self._projection.head

    @property
    def head_hash(self) -> str:
        """The hash of that entry: it stands for the whole journal up to it."""
        return self._projection.head_hash

    def begin_life(self) -> int:
        """The epoch of a new life; it begins, and every older one ends, when its LifeBegan is committed."""
        row = self._writer.execute("SELECT ifnull(max(epoch), 0) + 1 FROM life_rows").fetchone()
        assert isinstance(row[0], int)
        return row[0]

    def still_ours(self) -> bool:
        """The lock is held and the files on disk are those that were opened: nothing was removed or replaced."""
        return self._lock.still_ours() and _identity(self.path) == self._identity

    @property
    def taken_from(self) -> Holder | None:
        """Whose place we took: a process that held the journal, and may still be there."""
        return self._lock.taken_from

    def is_current(self, epoch: int) -> bool:
        """No newer life has begun, as far as the disk shows now; asked right before bytes leave."""
        try:
            row = self._fence.execute("SELECT max(epoch) FROM life_rows").fetchone()
        except sqlite3.Error:
            return False
        return bool(row[0] == epoch)

    async def commit(self, batch: Batch) -> None:
        """All of the batch in one durable transaction; raises JournalFailed, JournalFenced or JournalBroken."""
        if not batch.entries:
            return
        draft = self._projection.draft(batch)
        with trio.CancelScope(shield=True):
            if self._inline:
                await trio.lowlevel.checkpoint()
                self._write(draft)
            else:
                await trio.to_thread.run_sync(self._write, draft)
        self._projection.adopt(draft)

    def write(self, batch: Batch, links: Sequence[Link] = ()) -> None:
        """The same for a program without tasks; `links` as Projection.draft takes them."""
        if batch.entries:
            draft = self._projection.draft(batch, links)
            self._write(draft)
            self._projection.adopt(draft)

    async def read(self, after: int, limit: int) -> list[Entry]:
        """Committed entries with a sequence number above `after`, oldest first; raises JournalFailed."""
        if self._inline:
            await trio.lowlevel.checkpoint()
            return self._read(after, limit)
        return await trio.to_thread.run_sync(self._read, after, limit, limiter=self._limiter)

    def entries(self, after: int = 0) -> Iterator[Entry]:
        """All committed entries, in order; raises JournalDamaged at the first that is not what was written."""
        yield from entries_of(self._reader, after, where=str(self.path))

    def close(self) -> None:
        """Close both connections and let go of the lock."""
        self._fence.close()
        self._reader.close()
        self._writer.close()
        self._lock.close()

    def _read(self, after: int, limit: int) -> list[Entry]:
        question = (
            "SELECT sequence, entry FROM journal WHERE sequence > ? ORDER BY sequence LIMIT ?"
        )
        try:
            rows = self._reader.execute(question, (after, limit)).fetchall()
        except sqlite3.Error as error:
            raise JournalFailed(f"{self.path}: {error}") from error
        return [decoded(sequence, data.encode()) for sequence, data in rows]

    def _head_on_disk(self) -> tuple[int, str]:
        """The last entry; raises JournalDamaged unless the account's row was written with it."""
        found = "SELECT sequence, hash FROM {} ORDER BY sequence DESC LIMIT 1"
        head = self._writer.execute(found.format("journal")).fetchone() or (0, GENESIS)
        account = self._writer.execute(found.format("account_row")).fetchone() or (0, GENESIS)
        if head != account:
            raise JournalDamaged(
                f"the journal ends here, the tables at {account[0]}", head[0], str(self.path)
            )
        return head

    def _check_schema(self) -> None:
        """A trigger that is gone guards nothing; one that isn't ours can do anything."""
        for change in changes_of_schema(self._writer):
            raise JournalUnusable(self.path, f"the schema was changed: {change}", MENDS)

    def _restored(self) -> Ledger:
        try:
            return restored(self._writer)
        except (ArithmeticError, TypeError, ValueError) as error:
            what = f"the tables hold what was never written ({error})"
            raise JournalDamaged(what, self._head_on_disk()[0], str(self.path)) from error

    # ------------------------------------------------------------------------------------------ writing

    def _write(self, draft: Draft) -> None:
        if self._broken:
            raise JournalBroken(self._broken)
        self._check_ours()
        try:
            if not self._writer.in_transaction:  # as it is only for who takes over
                self._writer.execute("BEGIN IMMEDIATE")
            for statement, rows in draft.statements:
                if rows:
                    self._writer.executemany(statement, rows)
        except sqlite3.Error as error:
            self._roll_back(error)
            raise self._failure(error) from error
        steps.reach("rows written")
        try:
            self._writer.execute("COMMIT")
        except sqlite3.Error as error:
            # Certain is what SQLite kept the transaction open for, and what it could not write: without its last
            # page a transaction is none. After anything else (a failed fsync) it may be on the disk or not.
            is_certain = self._writer.in_transaction or error.sqlite_errorcode in NOT_WRITTEN
            self._roll_back(error)
            if is_certain:
                raise self._failure(error) from error
            raise self._break(f"COMMIT failed: {error}") from error
        steps.reach("rows durable")
        self._check_ours()
        self._lock.note(draft.head)

    def _check_ours(self) -> None:
        if not self.still_ours():
            raise self._break(f"{self.path} or its lock file was removed or replaced")

    def _roll_back(self, cause: sqlite3.Error) -> None:
        """Leave no open transaction; SQLite has rolled back by itself where it had to."""
        try:
            if self._writer.in_transaction:
                self._writer.execute("ROLLBACK")
        except sqlite3.Error as error:
            raise self._break(f"{cause}, and ROLLBACK failed: {error}") from error

    def _failure(self, error: sqlite3.Error) -> Exception:
        text = str(error)
        if text.startswith(FENCED) or text.endswith("life_rows.epoch"):
            self._broken = text
            return JournalFenced("another life has begun on this journal", where=str(self.path))
        if isinstance(error, sqlite3.IntegrityError):
            # A row that contradicts others is wrong for ever: a bug, not a sick disk.
            self._broken = text
            return error
        return JournalFailed(f"{self.path}: {text}")

    def _break(self, why: str) -> JournalBroken:
        self._broken = why
        return JournalBroken(why)


def open_journal(
    path: Path,
    *,
    create: bool,
    since: str,
    inline: bool = False,
    busy_ms: int = BUSY_MS_MAX,
    take_over: bool = False,
    pid: int | None = None,
) -> SqliteJournal:
    """The journal at an absolute path, locked for this process; `since` tells others when that was, `pid` by whom.

    `create` allows a new file where there is none. `take_over` passes by a process that holds it and hangs: then
    nobody else can write until the first commit, which has to begin a life.
    Raises JournalUnusable, JournalHeld or JournalDamaged.
    """
    check_place(path)
    if path.exists():
        check_file(path)
    elif not create:
        raise JournalUnusable(path, "there is no database", "bin/trade run makes one")
    lock = ProcessLock(path, since, take_over=take_over, pid=pid)
    is_late = take_over and lock.taken_from is not None
    try:
        if not path.exists():
            _create(path)
            lock.settle(0)
        if not is_late:  # Who hangs may be in the middle of a checkpoint.
            check_log(path, lock.rows_noted)
        journal = SqliteJournal(path, lock, inline=inline, busy_ms=busy_ms, take_over=is_late)
        if not is_late:
            lock.settle(journal.head)
        return journal
    except sqlite3.Error as error:
        lock.close()
        raise JournalUnusable(path, f"SQLite says: {error}", _remedy(error, lock)) from error
    except BaseException:
        lock.close()
        raise


def _remedy(error: sqlite3.Error, lock: ProcessLock) -> str:
    if getattr(error, "sqlite_errorcode", 0) & 0xFF != sqlite3.SQLITE_BUSY:  # without the why
        return "restore a backup, or give another --database"
    if lock.taken_from is None:
        return "close the program that is writing to it"
    return f"process {lock.taken_from[0]} hangs in the middle of a commit: kill -9 it"


def _create(path: Path) -> None:
    """Build the new database under another name: there is a whole one at `path`, or none, at every instant."""
    for end in ("-wal", "-journal"):
        leftover = path.with_name(path.name + end)
        if leftover.exists() and leftover.stat().st_size:
            raise JournalUnusable(
                leftover, "left over without its database", "restore a backup, or remove it"
            )
    draft = path.with_name(path.name + ".new")
    for stale in (
        draft,
        draft.with_name(draft.name + "-wal"),
        draft.with_name(draft.name + "-shm"),
    ):
        stale.unlink(missing_ok=True)
    os.close(os.open(draft, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    _writing_connection(draft, 0).close()
    os.rename(draft, path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _writing_connection(path: Path, busy_ms: int) -> sqlite3.Connection:
    """A connection that makes every commit durable, its schema up to date; raises JournalUnusable or sqlite3.Error."""
    connection = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
    try:
        connection.execute(f"PRAGMA busy_timeout = {busy_ms}")
        wanted = [
            ("journal_mode", "WAL", "wal"),
            ("synchronous", "FULL", 2),
            ("foreign_keys", "ON", 1),
        ]
        # macOS: fsync alone does not reach the platter. Elsewhere these do nothing.
        wanted += [("fullfsync", "ON", 1), ("checkpoint_fullfsync", "ON", 1)]
        for name, value, answer in wanted:
            connection.execute(f"PRAGMA {name} = {value}")
            got = connection.execute(f"PRAGMA {name}").fetchone()[0]
            if got != answer:
                raise JournalUnusable(
                    path, f"SQLite won't set {name} = {value} (it says {got})", "use a local disk"
                )
        connection.execute("BEGIN IMMEDIATE")
        connection.execute("ROLLBACK")
        migrate(connection)
    except BaseException:
        connection.close()
        raise
    return connection


def reading_connection(path: Path) -> sqlite3.Connection:
    """A connection that can't change anything, whatever it is asked; raises sqlite3.OperationalError without a file."""
    connection = sqlite3.connect(
        f"file:{quote(str(path))}?mode=ro", uri=True, check_same_thread=False, isolation_level=None
    )
    connection.execute("PRAGMA query_only = ON")
    connection.execute(f"PRAGMA busy_timeout = {BUSY_MS_MAX}")
    return connection


def entries_of(reader: sqlite3.Connection, after: int = 0, where: str = "") -> Iterator[Entry]:
    """The entries of any connection to a journal, their chain of hashes checked from row `after` on."""
    return (link.entry for link in links_of(reader, after, where))


def links_of(reader: sqlite3.Connection, after: int = 0, where: str = "") -> Iterator[Link]:
    """The same with the bytes and the hash that each entry is stored with."""
    previous = GENESIS
    if after:
        row = reader.execute("SELECT hash FROM journal WHERE sequence = ?", (after,)).fetchone()
        if row is None:
            raise JournalDamaged("there is no such row", after, where)
        previous = row[0]
    rows = reader.execute("SELECT * FROM journal WHERE sequence > ? ORDER BY sequence", (after,))
    yield from checked(_of_known_version(rows, where), after, previous, where)


def _of_known_version(
    rows: Iterator[tuple[Any, ...]], where: str
) -> Iterator[tuple[int, bytes, str, Row]]:
    """Rows of the whole table; of what is read back, nothing is known yet."""
    sequence = 0
    try:
        for row in rows:
            sequence, version, *_, data, entry_hash = row
            if version != ENTRY_VERSION:
                raise JournalDamaged(f"an entry of the unknown version {version}", sequence, where)
            if not isinstance(data, str):
                raise JournalDamaged("an entry that isn't text", sequence, where)
            yield sequence, data.encode(), entry_hash, row
    except sqlite3.Error as error:  # a page that is gone, or a row that isn't UTF-8
        raise JournalDamaged(f"can't be read ({error})", sequence + 1, where) from error


def _identity(path: Path) -> tuple[int, int]:
    """Which file this is; (0, 0) when it is gone."""
    try:
        found = os.stat(path)
    except OSError:
        return (0, 0)
    return (found.st_ino, found.st_dev)

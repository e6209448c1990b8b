"""The disk of a simulated machine: real SQLite files, and what a power cut leaves of them.

A crash is not a cancellation: the files are copied as the next start will find them before any task is told to end.
What was not flushed may be gone, wholly or in part, so the tail of the write-ahead log is cut anywhere beyond the
last size that was promised to be durable.
"""

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random

import trio

from trader.journal.sqlite import SqliteJournal
from trader.messages import Entry
from trader.ports import Batch
from trader.simulation.link import Port

DATABASE = "trading_data.db"
WAL_HEADER_BYTES = 32
FULL = 2  # PRAGMA synchronous
PAGES_UNBOUNDED = 1_073_741_823
STATEMENTS_INTERRUPTED = 40  # virtual machine steps of SQLite until a failing commit stops


class Disk:
    """Folders of one machine, the newest last: each power cut leaves its files in a new one."""

    def __init__(self, root: Path, random: Random) -> None:
        self._root = root
        self._random = random
        self._number = 0
        self.torn_tails = 0
        self.held_by = 0  # the number of the process that opened the journal last, while it lives
        self.folder = self._next()

    @property
    def database(self) -> Path:
        """Where the next start finds its journal."""
        return self.folder / DATABASE

    def _next(self) -> Path:
        self._number += 1
        folder = self._root / f"{self._number:03d}"
        folder.mkdir()
        return folder

    def lose_power(self, wal_durable: int) -> None:
        """From now on the disk is what a cut at this instant leaves; wal_durable bytes are certain to be there."""
        before, self.folder = self.folder, self._next()
        source = before / DATABASE
        if not source.exists():
            return
        shutil.copy(source, self.database)
        log = _wal(source)
        if not log.exists():
            return
        data = log.read_bytes()
        if len(data) > wal_durable:
            self.torn_tails += 1
            data = data[: self._random.randint(wal_durable, len(data))]
        _wal(self.database).write_bytes(data)

    def back_up(self) -> None:
        """A copy of the journal as it is now, as a tool of SQLite's makes it: whole."""
        folder = self._root / "backup"
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(self.folder, folder)

    def restore(self) -> None:
        """The copy takes the place of everything since; nobody may be writing."""
        self.folder = self._next()
        shutil.rmtree(self.folder)
        shutil.copytree(self._root / "backup", self.folder)


def _wal(database: Path) -> Path:
    return database.with_name(database.name + "-wal")


class SimulatedJournal:
    """The real journal, as slow, as full and as mortal as the machine that it is on."""

    def __init__(
        self,
        inner: SqliteJournal,
        port: Port,
        random: Random,
        slow_s: tuple[float, float],
        committed: Callable[[Batch], None],
    ) -> None:
        """`committed` sees each batch when its commit is about to return."""
        self._inner = inner
        self._port = port
        self._random = random
        self._slow_s = slow_s
        self._committed = committed
        self._writer = inner._writer
        self._log = str(_wal(inner.path))
        self._writer.execute("PRAGMA wal_autocheckpoint = 0")
        self._is_synchronous = self._writer.execute("PRAGMA synchronous").fetchone()[0] == FULL
        self.wal_durable = self._wal_bytes() if self._is_synchronous else WAL_HEADER_BYTES
        self.acknowledged: Batch | None = None
        self.attempted: Batch | None = None
        self.is_full = False
        self.fails_next = False
        self.tears_next = False

    @property
    def head(self) -> int:
        """See ports.Journal."""
        return self._inner.head

    async def commit(self, batch: Batch) -> None:
        """See ports.Journal: durable at some instant between two waits, and known to be only after the second."""
        with trio.CancelScope(shield=True):
            await trio.sleep(self._random.uniform(*self._slow_s))
            await self._port.pass_through("before commit")
            self.attempted = batch
            await self._commit(batch)
            await self._port.pass_through("torn" if self.tears_next else "written")
            if self._is_synchronous:
                self.wal_durable = self._wal_bytes()
            self.acknowledged = batch
            await trio.sleep(self._random.uniform(*self._slow_s))
            await self._port.pass_through("after commit")
            self._committed(batch)

    async def _commit(self, batch: Batch) -> None:
        if not self.fails_next:
            await self._inner.commit(batch)
            return
        self.fails_next = False
        self._writer.set_progress_handler(lambda: 1, STATEMENTS_INTERRUPTED)
        try:
            await self._inner.commit(batch)
        finally:
            self._writer.set_progress_handler(None, 0)

    def fill_up(self) -> None:
        """No page more."""
        self.is_full = True
        pages = self._writer.execute("PRAGMA page_count").fetchone()[0]
        self._writer.execute(f"PRAGMA max_page_count = {pages}")

    def make_room(self) -> None:
        """As many as ever."""
        self.is_full = False
        self._writer.execute(f"PRAGMA max_page_count = {PAGES_UNBOUNDED}")

    async def read(self, after: int, limit: int) -> list[Entry]:
        """See ports.Journal."""
        return await self._inner.read(after, limit)

    def entries(self, after: int = 0) -> Iterator[Entry]:
        """See ports.Journal."""
        return self._inner.entries(after)

    def _wal_bytes(self) -> int:
        try:
            return os.stat(self._log).st_size
        except FileNotFoundError:
            return 0


def memory() -> str | None:
    """A folder in memory where there is one: nothing here depends on how fast a disk is."""
    shared = Path("/dev/shm")
    return str(shared) if shared.is_dir() else None

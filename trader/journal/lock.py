"""The kernel's lock on a journal: one process writes it, and the lock dies with that process, never before.

The lock is on a file beside the database that is never removed: whoever recreates a removed lock file would lock
another inode, and two processes would both be sure to be alone. flock, not lockf: POSIX locks are lost when any
other descriptor of the file is closed.

A process that hangs keeps its lock, and nobody can take it away. So there are two files: an ordinary start holds
the first and makes sure that nobody holds the second; whoever takes over holds either. That two processes hold one
each is then possible, and the journal's epoch decides between them: see take_over.py.

In the file stand who holds it and, in a line of its own, the last row that was committed, until the holder has ended
well. After a kill the database must have that row: else its write-ahead log, or the file itself, is not what it was.
"""

import contextlib
import fcntl
import os
import time
from pathlib import Path

from trader.journal.failures import JournalHeld, JournalUnusable

HOLDER_BYTES_MAX = 200
ATTEMPTS_MAX = 3  # those who only look whether it is held hold it for an instant
ATTEMPT_PAUSE_S = 0.02

Holder = tuple[int, str]  # pid and since when, as that process wrote them down


class ProcessLock:
    """Held from construction to `close`. Raises JournalHeld when another process has it.

    `take_over` is for one that has it and hangs: held is then whichever file is free.
    """

    def __init__(
        self, database: Path, since: str, *, take_over: bool = False, pid: int | None = None
    ) -> None:
        first, second = _files(database)
        # Asked first: once we hold a file ourselves, the answer would be us.
        self.taken_from = writer_of(database)
        self.path, descriptor = first, _locked(first)
        if take_over and descriptor is None:
            self.path, descriptor = second, _locked(second)
        elif not take_over and descriptor is not None and _holder_of(second) is not None:
            os.close(descriptor)
            descriptor = None
        if descriptor is None:
            raise JournalHeld(database, *(writer_of(database) or self.taken_from or (0, "")))
        self._descriptor = descriptor
        if not self.still_ours():
            os.close(self._descriptor)
            raise JournalHeld(database, 0, "")
        self._head = f"{os.getpid() if pid is None else pid} {since}\n"
        self._others = [file for file in (first, second) if file != self.path]
        # Until the database is known to have it, the row that a killed process has left noted stays noted.
        self.rows_noted = rows_noted(database)
        self._write(f"{self._head}{self.rows_noted or ''}")

    def note(self, row: int) -> None:
        """This row is durable; whoever opens the journal after our death asks for it."""
        with contextlib.suppress(OSError):  # A courtesy, too: no commit fails for it.
            os.pwrite(self._descriptor, f"{self._head}{row}".encode(), 0)

    def settle(self, row: int) -> None:
        """What was noted before is in the database, or no longer wanted there: its last row is this one."""
        self.rows_noted = 0
        self._write(f"{self._head}{row or ''}")
        if self.taken_from is None:  # Else its holder may be alive.
            for file in self._others:
                with contextlib.suppress(OSError):
                    os.truncate(file, 0)

    def still_ours(self) -> bool:
        """The lock file on disk is the one that we have locked: nobody has removed or replaced it."""
        try:
            on_disk = os.stat(self.path)
        except OSError:
            return False
        held = os.fstat(self._descriptor)
        return (on_disk.st_ino, on_disk.st_dev) == (held.st_ino, held.st_dev)

    def close(self) -> None:
        """Let go; the file stays, empty but for a row that is still asked for, so that nobody takes us for alive."""
        self._write(f"\n{self.rows_noted}" if self.rows_noted else "")
        os.close(self._descriptor)

    def _write(self, text: str) -> None:
        try:
            os.ftruncate(self._descriptor, 0)
            os.pwrite(self._descriptor, text.encode(), 0)
        except OSError:
            pass  # Who holds the lock is a courtesy to the reader; the lock itself stands.


def writer_of(database: Path) -> Holder | None:
    """The process that holds the journal now; a killed one does not, whatever it left written.

    Of two, the later: the other one was taken over, and may write nothing more.
    """
    holders = [holder for file in _files(database) if (holder := _holder_of(file)) is not None]
    return max(holders, key=lambda holder: holder[1], default=None)


def rows_noted(database: Path) -> int:
    """The last row that a process has committed which was killed since; 0 where none was."""
    found = 0
    for file in _files(database):
        try:
            with file.open("rb") as opened:
                text = opened.read(HOLDER_BYTES_MAX).decode("ascii", "replace")
        except OSError:
            continue
        row = text.partition("\n")[2].strip()
        if row.isdecimal():
            found = max(found, int(row))
    return found


def _files(database: Path) -> tuple[Path, Path]:
    return (
        database.with_name(database.name + ".lock"),
        database.with_name(database.name + ".take-over.lock"),
    )


def _holder_of(file: Path) -> Holder | None:
    try:
        descriptor = os.open(file, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        # Shared, for an instant: a writer that starts just now tries again.
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        return None
    except BlockingIOError:
        return _holder(os.pread(descriptor, HOLDER_BYTES_MAX, 0))
    finally:
        os.close(descriptor)


def _locked(file: Path) -> int | None:
    """The descriptor that holds the lock, None when another process does; raises JournalUnusable."""
    try:
        descriptor = os.open(file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    except OSError as error:
        raise JournalUnusable(
            file, f"can't be opened ({error.strerror})", "look at the folder's permissions"
        ) from None
    for attempt in range(ATTEMPTS_MAX):
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return descriptor
        except BlockingIOError:
            if attempt + 1 < ATTEMPTS_MAX:
                time.sleep(ATTEMPT_PAUSE_S)
    os.close(descriptor)
    return None


def _holder(data: bytes) -> Holder:
    line = data.decode("ascii", "replace").partition("\n")[0]
    pid, _, since = line.strip().partition(" ")
    return (int(pid), since) if pid.isdecimal() and len(pid) < 12 else (0, "")

"""The kernel's lock on a journal: one process writes it, and the lock dies with that process, never before.

The lock is on `<database>.lock`, a file that is never removed: whoever recreates a removed lock file would lock
another inode, and two processes would both be sure to be alone. flock, not lockf: POSIX locks are lost when any
other descriptor of the file is closed.
"""

import fcntl
import os
import time
from pathlib import Path

from trader.journal.failures import JournalHeld, JournalUnusable

HOLDER_BYTES_MAX = 200
ATTEMPTS_MAX = 3  # those who only look whether it is held hold it for an instant
ATTEMPT_PAUSE_S = 0.02


class ProcessLock:
    """Held from construction to `close`. Raises JournalHeld when another process has it."""

    def __init__(self, database: Path, since: str) -> None:
        self.path = database.with_name(database.name + ".lock")
        try:
            self._descriptor = os.open(
                self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600
            )
        except OSError as error:
            raise JournalUnusable(
                self.path, f"can't be opened ({error.strerror})", "look at the folder's permissions"
            ) from None
        if not _locked(self._descriptor):
            pid, started = _holder(os.pread(self._descriptor, HOLDER_BYTES_MAX, 0))
            os.close(self._descriptor)
            raise JournalHeld(database, pid, started)
        if not self.still_ours():
            os.close(self._descriptor)
            raise JournalHeld(database, 0, "")
        self._write(f"{os.getpid()} {since}\n")

    def still_ours(self) -> bool:
        """The lock file on disk is the one that we have locked: nobody has removed or replaced it."""
        try:
            on_disk = os.stat(self.path)
        except OSError:
            return False
        held = os.fstat(self._descriptor)
        return (on_disk.st_ino, on_disk.st_dev) == (held.st_ino, held.st_dev)

    def close(self) -> None:
        """Let go; the file stays, empty, so that nobody takes us for alive."""
        self._write("")
        os.close(self._descriptor)

    def _write(self, text: str) -> None:
        try:
            os.ftruncate(self._descriptor, 0)
            os.pwrite(self._descriptor, text.encode(), 0)
        except OSError:
            pass  # Who holds the lock is a courtesy to the reader; the lock itself stands.


def writer_of(database: Path) -> tuple[int, str] | None:
    """The process (pid, since) that holds the journal now; a killed one does not, whatever it left written."""
    try:
        descriptor = os.open(
            database.with_name(database.name + ".lock"), os.O_RDONLY | os.O_CLOEXEC
        )
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


def _locked(descriptor: int) -> bool:
    for attempt in range(ATTEMPTS_MAX):
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
        except BlockingIOError:
            if attempt + 1 < ATTEMPTS_MAX:
                time.sleep(ATTEMPT_PAUSE_S)
    return False


def _holder(data: bytes) -> tuple[int, str]:
    pid, _, since = data.decode("ascii", "replace").strip().partition(" ")
    return (int(pid), since) if pid.isdecimal() and len(pid) < 12 else (0, "")

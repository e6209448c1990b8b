"""The kernel's lock on a journal: one process writes it, and the lock dies with that process, never before.

The lock is on `<database>.lock`, a file that is never removed: whoever recreates a removed lock file would lock
another inode, and two processes would both be sure to be alone. flock, not lockf: POSIX locks are lost when any
other descriptor of the file is closed.
"""

import fcntl
import os
from pathlib import Path

from trader.journal.failures import JournalHeld, JournalUnusable

HOLDER_BYTES_MAX = 200


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
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            pid, started = _holder(os.pread(self._descriptor, HOLDER_BYTES_MAX, 0))
            os.close(self._descriptor)
            raise JournalHeld(database, pid, started) from None
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
    """The process (pid, since) that holds the journal now, as far as can be seen without taking its lock."""
    try:
        data = database.with_name(database.name + ".lock").read_bytes()[:HOLDER_BYTES_MAX]
    except OSError:
        return None
    pid, since = _holder(data)
    return (pid, since) if pid and _is_alive(pid) else None


def _holder(data: bytes) -> tuple[int, str]:
    pid, _, since = data.decode("ascii", "replace").strip().partition(" ")
    return (int(pid), since) if pid.isdecimal() and len(pid) < 12 else (0, "")


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True

"""Is this file fit to be our journal? Looked at from outside, before SQLite touches it."""

import os
import stat
from pathlib import Path

from trader.journal.failures import JournalUnusable

APPLICATION_ID = 0x74726164  # "trad"
SCHEMA_VERSION = 2
SQLITE = b"SQLite format 3\0"  # how such a file begins
HEADER_BYTES = 100
NETWORK_FILE_SYSTEMS = frozenset({"nfs", "nfs4", "cifs", "smb3", "smbfs", "fuse.sshfs"})
_ANOTHER = "give another --database"


def check_place(path: Path) -> None:
    """Raise JournalUnusable unless `path` is absolute and names a file, existing or not, where one can be kept."""
    text = str(path)
    if not path.is_absolute() or not text.isprintable() or text.startswith("file:"):
        raise JournalUnusable(Path(repr(text)), "not a path for a database", _ANOTHER)
    if not path.parent.is_dir():
        raise JournalUnusable(path, "there is no such folder", f"mkdir -p {path.parent}")
    if not os.access(path.parent, os.W_OK):
        raise JournalUnusable(
            path.parent, "the folder is read-only", "SQLite writes beside the database"
        )
    file_system = _file_system_of(path.parent, _mounts())
    if file_system in NETWORK_FILE_SYSTEMS:
        raise JournalUnusable(
            path,
            f"on a network file system ({file_system}), where locks can't be trusted",
            _ANOTHER,
        )


def check_file(path: Path) -> None:
    """Raise JournalUnusable unless the existing file is a journal of this program, whole as far as its header tells."""
    _check_access(path)
    _check_whole(path, check_header(path))


def check_header(path: Path) -> bytes:
    """The file's first bytes; raises JournalUnusable unless they are those of a journal that this program can read."""
    with path.open("rb") as file:
        header = file.read(HEADER_BYTES)
    if not header:
        raise JournalUnusable(path, "empty", "remove it, or give another --database")
    if len(header) < HEADER_BYTES or not header.startswith(SQLITE):
        raise JournalUnusable(path, "not an SQLite database", _ANOTHER)
    if _number(header, 68) != APPLICATION_ID:
        raise JournalUnusable(path, "another program's database", _ANOTHER)
    version = _number(header, 60)
    if version > SCHEMA_VERSION:
        raise JournalUnusable(
            path,
            f"written by a newer trader (schema {version}, this one knows {SCHEMA_VERSION})",
            "run the newer trader, or give another --database",
        )
    return header


def check_no_rollback(path: Path) -> None:
    """Raise JournalUnusable if a transaction of somebody else's was cut off here: nobody can read around it."""
    beside = path.with_name(path.name + "-journal")
    if beside.exists() and beside.stat().st_size:
        raise JournalUnusable(
            beside, "a rollback journal, which this program never writes", "restore a backup"
        )


def _check_access(path: Path) -> None:
    found = path.lstat()
    if not stat.S_ISREG(found.st_mode):
        raise JournalUnusable(path, "not a plain file", _ANOTHER)
    if found.st_uid != os.geteuid():
        raise JournalUnusable(path, "belongs to another user", f"run as that user, or {_ANOTHER}")
    if found.st_nlink != 1:
        what = f"has {found.st_nlink} names (hard links), and each would have a lock and a log of its own"
        raise JournalUnusable(path, what, "keep one name; a copy of the file is another file")
    if not os.access(path, os.R_OK | os.W_OK) or not found.st_mode & stat.S_IWUSR:
        raise JournalUnusable(path, "read-only", f"chmod u+rw {path.name}")


def _check_whole(path: Path, header: bytes) -> None:
    """The header counts the pages; while a WAL holds frames, the file itself may lag behind."""
    check_no_rollback(path)
    wal = path.with_name(path.name + "-wal")
    if wal.exists() and wal.stat().st_size:
        return
    page_size = int.from_bytes(header[16:18], "big")
    wanted = (65_536 if page_size == 1 else page_size) * _number(header, 28)
    if path.stat().st_size < wanted:
        raise JournalUnusable(
            path, f"cut off: {path.stat().st_size:,} of {wanted:,} bytes", "restore a backup"
        )


def _number(header: bytes, offset: int) -> int:
    return int.from_bytes(header[offset : offset + 4], "big")


def _mounts() -> str:
    try:
        return Path("/proc/self/mounts").read_text(errors="replace")
    except OSError:
        return ""


def _file_system_of(folder: Path, mounts: str) -> str:
    """The type of the file system that a folder is on, from the text of /proc/self/mounts; '' where unknown."""
    inside = {str(folder), *(str(parent) for parent in folder.parents)}
    found = ("", "")
    for line in mounts.splitlines():
        _, point, kind, *_ = line.split(" ")
        point = point.replace("\\040", " ")
        if point in inside and len(point) >= len(found[0]):
            found = (point, kind)
    return found[1]

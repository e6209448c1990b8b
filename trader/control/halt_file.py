"""A file HALT beside the database: the stop button that needs nothing but a file system."""

import os
import stat
from pathlib import Path

NAME = "HALT"
REASON_BYTES_MAX = 1_000
REASON_CHARACTERS_MAX = 200


def halt_file(database: Path) -> Path:
    """Where it is looked for."""
    return database.with_name(NAME)


def wanted(database: Path) -> str | None:
    """The reason to halt: the file's first line where it has one. None while there is no such file, for certain.

    Whatever it is (a folder, a link, a pipe, unreadable), that it is there is enough.
    """
    path = halt_file(database)
    try:
        kind = path.lstat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        return f"whether the file {NAME} is there can't be told: {error.strerror}"
    return (_first_line(path) if stat.S_ISREG(kind) else "") or f"the file {NAME} is there"


def _first_line(path: Path) -> str:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:
        return ""
    try:
        text = os.read(descriptor, REASON_BYTES_MAX).decode(errors="replace")
    except OSError:
        return ""
    finally:
        os.close(descriptor)
    line = (text.strip().splitlines() or [""])[0].strip()
    return "".join(one if one.isprintable() else "?" for one in line)[:REASON_CHARACTERS_MAX]

"""The file: appends lines, and whatever happens to the disk never raises into trading; it counts what was lost."""

import logging
import os
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from trader import calendar
from trader.log.events import Adapter, Event, Level, Library, LogLost, line_of
from trader.log.words import outside

SECRET_CHARACTERS_MIN = 6
MESSAGE_CHARACTERS_MAX = 4_000
ADAPTER_LOGGER = "trader.adapter"
_LEVELS: dict[int, Level] = {
    logging.DEBUG: "debug",
    logging.INFO: "info",
    logging.WARNING: "warning",
    logging.ERROR: "error",
}


class LogWriter:
    """Opens the file at the first write, and again when it was removed or the disk had refused.

    `secrets` never reach the file, whoever lets them slip into a text.
    """

    def __init__(self, path: Path, *, secrets: Sequence[str] = ()) -> None:
        self.path = path
        self.lost = 0  # lines that could not be written since the last one that could
        self._secrets = [one.encode() for one in secrets if len(one) >= SECRET_CHARACTERS_MIN]
        self._descriptor = -1
        self._is_torn = False  # the file ends within a line
        self._guard = threading.Lock()  # Libraries may log from threads.

    def write(self, events: Sequence[Event]) -> str | None:
        """Append the events; what a person should be told when the log begins to have a gap, else None."""
        if not events:
            return None
        lines = [self.without_secrets(line_of(event)) for event in events]
        with self._guard:
            gap = [self._gap_line(events[0].timestamp)] if self.lost else []
            written, error = self._put(gap + lines)
            if written >= len(gap):
                self.lost = len(gap) + len(lines) - written
            else:
                self.lost += len(lines)
        if error is None or gap:
            return None
        return f"{self.path}: {error.strerror}; trading goes on, the log will have a gap"

    def close(self) -> None:
        """Close the file."""
        with self._guard:
            self._close()

    def without_secrets(self, line: bytes) -> bytes:
        """What may leave the process."""
        for secret in self._secrets:
            line = line.replace(secret, b"***")
        return line

    def _put(self, lines: list[bytes]) -> tuple[int, OSError | None]:
        """How many lines are whole in the file, and what stopped the others."""
        done, data, start = 0, b"", 0
        try:
            self._open()
            start = int(self._is_torn)
            data = b"\n" * start + b"".join(lines)
            while done < len(data):
                done += os.write(self._descriptor, data[done:])
        except OSError as error:
            self._close()
            return max(0, data[:done].count(b"\n") - start), error
        self._is_torn = False
        return len(lines), None

    def _open(self) -> None:
        """Have the file of this name open, whichever it is now."""
        if self._descriptor >= 0:
            try:
                found, held = os.stat(self.path), os.fstat(self._descriptor)
                if (found.st_ino, found.st_dev) == (held.st_ino, held.st_dev):
                    return
            except FileNotFoundError:
                pass
            self._close()
        flags = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC
        self._descriptor = os.open(self.path, flags, 0o600)
        size = os.fstat(self._descriptor).st_size
        self._is_torn = size > 0 and os.pread(self._descriptor, 1, size - 1) != b"\n"

    def _close(self) -> None:
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def _gap_line(self, timestamp: str) -> bytes:
        message = f"{self.lost} lines are missing here"
        return line_of(
            LogLost(timestamp=timestamp, level="error", message=message, count=self.lost)
        )


class LogBridge(logging.Handler):
    """Turns the standard library's log records into events: the adapter's own, and warnings of the libraries."""

    def __init__(self, writer: LogWriter) -> None:
        super().__init__()
        self._writer = writer

    def emit(self, record: logging.LogRecord) -> None:
        """Write one record; a broken one is written as far as it can be read."""
        try:
            message = record.getMessage()
        except (TypeError, ValueError, KeyError):  # arguments that don't fit are the caller's bug
            message = f"{record.msg!r} {record.args!r}"
        if record.exc_info:
            message += "\n" + logging.Formatter().formatException(record.exc_info)
        kind = Adapter if record.name.startswith(ADAPTER_LOGGER) else Library
        event = kind(
            timestamp=calendar.iso(int(record.created * 1_000) * 1_000_000),
            level=_LEVELS.get(record.levelno, "error"),
            message=outside(message, MESSAGE_CHARACTERS_MAX),
            logger=outside(record.name),
        )
        self._writer.write([event])


@contextmanager
def bridged_logging(writer: LogWriter) -> Iterator[None]:
    """While inside, the standard library's log records go to the log: all of the adapter's, warnings of the rest."""
    root, adapter = logging.getLogger(), logging.getLogger(ADAPTER_LOGGER)
    bridge, before = LogBridge(writer), adapter.level
    root.addHandler(bridge)
    adapter.setLevel(logging.DEBUG)
    try:
        yield
    finally:
        root.removeHandler(bridge)
        adapter.setLevel(before)

"""How far a log has come: read from its end, so that after a kill no line is lost and none is told twice."""

from collections.abc import Iterator
from pathlib import Path

import msgspec
from msgspec import Struct

from trader import calendar
from trader.log.events import DuplicateBlocked, Event, RequestDenied, event_of
from trader.log.fold import Key, key_of
from trader.model import MINUTE_NS

BLOCK_BYTES = 65_536


class Position(Struct, frozen=True, kw_only=True):
    """The last entry told, its lines, and of the last minute how many repeats are told (see fold.py)."""

    sequence: int = 0
    messages: tuple[str, ...] = ()
    minute: int = 0
    counts: dict[Key, int] = {}


def position_in(path: Path) -> Position:
    """Where the log at `path` stands; the beginning when there is none, or nothing in it that we know."""
    sequence, minute = 0, 0
    messages: list[str] = []
    counts: dict[Key, int] = {}
    for event in _told_backwards(path):
        assert event.sequence is not None
        this_minute = calendar.parse_iso(event.timestamp) // MINUTE_NS
        minute = max(minute, this_minute)
        if isinstance(event, DuplicateBlocked | RequestDenied):
            if this_minute == minute:
                counts[key_of(event)] = counts.get(key_of(event), 0) + event.count
            continue
        sequence = max(sequence, event.sequence)
        if event.sequence == sequence:
            messages.insert(0, event.message)
        elif this_minute < minute:
            break
    return Position(sequence=sequence, messages=tuple(messages), minute=minute, counts=counts)


def _told_backwards(path: Path) -> Iterator[Event]:
    """The events that were told from a journal, last first; lines that are something else are passed over."""
    for line in _lines_backwards(path):
        try:
            event = event_of(line)
            calendar.parse_iso(event.timestamp)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, ValueError):
            continue
        if event.sequence is not None:
            yield event


def _lines_backwards(path: Path) -> Iterator[bytes]:
    try:
        file = path.open("rb")
    except OSError:
        return
    with file:
        end, rest = file.seek(0, 2), b""
        while end > 0:
            start = max(0, end - BLOCK_BYTES)
            file.seek(start)
            first, *others = (file.read(end - start) + rest).split(b"\n")
            yield from reversed(others)
            end, rest = start, first
        yield rest

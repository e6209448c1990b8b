"""The chain of hashes that makes every change to a committed entry visible: sha256(previous hash + entry bytes)."""

from collections.abc import Iterable, Iterator
from hashlib import sha256
from typing import NamedTuple

import msgspec

from trader.journal.failures import JournalDamaged
from trader.messages import Entry, decode_entry

GENESIS = "0" * 64
Cell = str | int | None
Row = tuple[Cell, ...]


class Link(NamedTuple):
    """An entry as it stands in the journal: what it says, its bytes, the hash that follows from them, and its row."""

    entry: Entry
    data: bytes
    hash: str
    row: Row  # of the table, whole; empty where there is no table


def chained(previous: str, data: bytes) -> str:
    """The hash (hex) of an entry's canonical bytes that follows an entry with the hash `previous`."""
    return sha256(previous.encode() + data).hexdigest()


def checked(
    rows: Iterable[tuple[int, bytes, str, Row]], after: int, previous: str, where: str = ""
) -> Iterator[Link]:
    """The links of (sequence, bytes, hash, row) that follow row `after` with the hash `previous`.

    Raises JournalDamaged at the first row that is out of sequence, does not fit its hash, or can't be read.
    """
    expected = after + 1
    for sequence, data, stored, row in rows:
        if sequence != expected:
            raise JournalDamaged(f"row {expected} is missing", sequence, where)
        previous = chained(previous, data)
        if previous != stored:
            raise JournalDamaged("the chain of hashes is broken", sequence, where)
        yield Link(decoded(sequence, data, where), data, stored, row)
        expected += 1


def decoded(sequence: int, data: bytes, where: str = "") -> Entry:
    """The entry in these bytes; raises JournalDamaged when it isn't one, or isn't entry number `sequence`."""
    try:
        entry = decode_entry(data)
    # Invalid UTF-8 and deep nesting are not msgspec errors.
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise JournalDamaged(f"unreadable entry ({error})", sequence, where) from None
    if entry.sequence != sequence:
        raise JournalDamaged(f"the entry says it is number {entry.sequence}", sequence, where)
    return entry

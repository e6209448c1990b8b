"""Bytes from outside that make no sense: one exception for all the ways to be broken, and how to show such bytes."""

from collections.abc import Generator
from contextlib import contextmanager

import msgspec

SHOWN_CHARACTERS_MAX = 200


class Unreadable(Exception):
    """What was received can't be what it should be; the message says why and is safe to print."""


# Invalid UTF-8 is a ValueError and deep nesting a RecursionError: neither is msgspec's own. An absurd number may
# trap in the decimal context (ArithmeticError) before its bounds are looked at.
_TROUBLES = (msgspec.MsgspecError, ValueError, ArithmeticError, RecursionError)


@contextmanager
def reading(what: str) -> Generator[None]:
    """Translate everything that decoding foreign bytes can raise into Unreadable."""
    try:
        yield
    except _TROUBLES as trouble:
        kind = type(trouble).__name__
        raise Unreadable(f"unreadable {what}: {kind}: {shown(str(trouble))}") from None


def shown(raw: str | bytes, characters_max: int = SHOWN_CHARACTERS_MAX) -> str:
    """Foreign text on one line of plain ASCII, escaped and cut: it can neither forge a log line nor flood one."""
    # Cut first, too: escaping a megabyte to show 200 characters of it would be the attacker's choice, not ours.
    start = raw[:characters_max]
    text = start.decode("latin-1") if isinstance(start, bytes) else start
    escaped = text.encode("unicode_escape").decode("ascii")
    return escaped[:characters_max]

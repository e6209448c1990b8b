"""Bytes from outside that make no sense: one exception for all the ways to be broken, and how to show such bytes."""

from contextlib import AbstractContextManager
from functools import cache
from types import TracebackType

import msgspec

SHOWN_CHARACTERS_MAX = 200


class Unreadable(Exception):
    """What was received can't be what it should be; the message says why and is safe to print."""


# Invalid UTF-8 is a ValueError and deep nesting a RecursionError: neither is msgspec's own. An absurd number may
# trap in the decimal context (ArithmeticError) before its bounds are looked at.
_TROUBLES = (msgspec.MsgspecError, ValueError, ArithmeticError, RecursionError)


@cache
def reading(what: str) -> AbstractContextManager[None]:
    """Translate everything that decoding foreign bytes can raise into Unreadable."""
    return _Reading(what)


class _Reading(AbstractContextManager[None]):
    """No generator: it is entered for each report. It keeps nothing, so one is enough for all that are read at once."""

    def __init__(self, what: str) -> None:
        self._what = what

    def __enter__(self) -> None:
        pass

    def __exit__(
        self,
        kind: type[BaseException] | None,
        trouble: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if isinstance(trouble, _TROUBLES):
            name = type(trouble).__name__
            raise Unreadable(f"unreadable {self._what}: {name}: {shown(str(trouble))}") from None


def shown(raw: str | bytes, characters_max: int = SHOWN_CHARACTERS_MAX) -> str:
    """Foreign text on one line of plain ASCII, escaped and cut: it can neither forge a log line nor flood one."""
    # Cut first, too: escaping a megabyte to show 200 characters of it would be the attacker's choice, not ours.
    start = raw[:characters_max]
    text = start.decode("latin-1") if isinstance(start, bytes) else start
    escaped = text.encode("unicode_escape").decode("ascii")
    return escaped[:characters_max]

"""An exception in words for the journal: its kind, its message, and the modules it came through, with no path in them.

The journal is the same wherever the program lies, so that a world can be lived through again somewhere else, and so
that nobody learns from a row whose machine it was. A traceback of Python's own names the files.
"""

import traceback
from collections.abc import Iterator
from types import FrameType

FRAMES_MAX = 30  # of one exception: the outermost half and the innermost
CHAIN_MAX = 8  # exceptions that led to it, and those that a group holds


def failure_text(error: BaseException) -> str:
    """As a traceback, the last call last; what led to it comes first."""
    return "\n".join(_lines(error, CHAIN_MAX))


def leaves_of(error: BaseException) -> Iterator[BaseException]:
    """The exceptions in a group, however deep; one alone is itself."""
    if isinstance(error, BaseExceptionGroup):
        for inner in error.exceptions:
            yield from leaves_of(inner)
    else:
        yield error


def _lines(error: BaseException, left: int) -> Iterator[str]:
    earlier = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    if earlier is not None and left:
        yield from _lines(earlier, left - 1)
        yield "which led to:" if error.__cause__ else "and while that was dealt with:"
    yield "Traceback (most recent call last):"
    frames = [f"  {_place(frame, line)}" for frame, line in traceback.walk_tb(error.__traceback__)]
    if len(frames) > FRAMES_MAX:
        half = FRAMES_MAX // 2
        frames[half:-half] = [f"  ... {len(frames) - FRAMES_MAX} more ..."]
    yield from frames
    yield f"{_name(type(error))}: {error}"
    yield from getattr(error, "__notes__", ())
    if isinstance(error, BaseExceptionGroup) and left:
        for number, one in enumerate(error.exceptions[:CHAIN_MAX], start=1):
            yield f"{number} of {len(error.exceptions)}:"
            yield from _lines(one, left - 1)


def _place(frame: FrameType, line: int) -> str:
    return f"{frame.f_globals.get('__name__', '?')}, line {line}, in {frame.f_code.co_name}"


def _name(kind: type[BaseException]) -> str:
    return (
        kind.__qualname__
        if kind.__module__ == "builtins"
        else f"{kind.__module__}.{kind.__qualname__}"
    )

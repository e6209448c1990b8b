"""Market times as a person writes them: New York's clock or a zone, on a date or on any."""

import re

from trader.calendar import HOUR_NS, new_york_ns, parse_iso
from trader.model import MINUTE_NS, SECOND_NS

LIKE = "like 10:30, 2026-01-26T10:30:00 or 2026-01-26T15:30:00Z"

_CLOCK = re.compile(r"(\d\d):(\d\d)(?::(\d\d)(?:\.(\d{1,9}))?)?", re.ASCII)
_LOCAL = re.compile(r"(\d{4}-\d\d-\d\d)[T ]([\d:.]+)", re.ASCII)


def moment_ns(written: object, day: str) -> int:
    """Nanoseconds UTC; a clock alone is New York's on that day. ValueError: no such time.

    `written` is a text, or one of TOML's own dates and times, whose text it is.
    """
    clock_ns = clock_of(written)
    if clock_ns is not None:
        return new_york_ns(day, clock_ns)
    text = str(written)
    if local := _LOCAL.fullmatch(text):
        clock_ns = clock_of(local[2])
        if clock_ns is not None:
            return new_york_ns(local[1], clock_ns)
    try:
        return parse_iso(text)
    except ValueError:
        raise ValueError(f"no time {LIKE}: {text[:40]!r}") from None


def clock_of(written: object) -> int | None:
    """Since New York's midnight, where it is a time of day alone; ValueError: there is no such time of day."""
    found = _CLOCK.fullmatch(str(written))
    if found is None:
        return None
    hour, minute, second = (int(part or 0) for part in found.groups()[:3])
    if hour > 23 or minute > 59 or second > 59:
        raise ValueError(f"no such time of day: {written}")
    decimals = int((found[4] or "").ljust(9, "0"))
    return hour * HOUR_NS + minute * MINUTE_NS + second * SECOND_NS + decimals

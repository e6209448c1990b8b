"""When a bar begins, as files write it: times with a zone, dates of sessions, or numbers since 1970."""

import re
from enum import Enum
from functools import lru_cache

from trader.calendar import (
    DAY_NS,
    HOUR_NS,
    iso,
    new_york_clock_ns,
    new_york_date,
    new_york_ns,
    parse_iso,
    session_on,
)
from trader.model import MINUTE_NS, SECOND_NS

_DATE = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
_DIGITS = re.compile(r"[0-9]{9,19}", re.ASCII)
_NO_ZONE = re.compile(r"(\d{4}-\d\d-\d\d)[T ](\d\d):(\d\d)(?::(\d\d)(?:\.\d{1,9})?)?", re.ASCII)
SECONDS_MIN, SECONDS_MAX = 10**8, 7_258_118_400  # 1973, and the end of 2199


class Form(Enum):
    """How a file writes its times; of numbers the value is how many nanoseconds one of them is."""

    ZONED = "times with a zone"
    DATE = "dates"
    SECONDS = SECOND_NS
    MILLISECONDS = SECOND_NS // 10**3
    MICROSECONDS = SECOND_NS // 10**6
    NANOSECONDS = 1


NUMBERS = (Form.SECONDS, Form.MILLISECONDS, Form.MICROSECONDS, Form.NANOSECONDS)


def form_of(text: str) -> Form:
    """What the first time of a file tells of all of them; raises ValueError, with what to write instead."""
    if _DATE.fullmatch(text):
        return Form.DATE
    if _DIGITS.fullmatch(text):
        return form_of_number(int(text))
    _zoned_ns(text)
    return Form.ZONED


def form_of_number(number: int) -> Form:
    """Seconds, milliseconds, microseconds or nanoseconds: no two of them are as large within these years."""
    for form in NUMBERS:
        least, most = bounds_of(form)
        if least <= number < most:
            return form
    raise ValueError(f"not a number of seconds since 1970, nor of ms, µs or ns: {number}")


def bounds_of(form: Form) -> tuple[int, int]:
    """The least number that is a time in this form, and the first that isn't."""
    assert isinstance(form.value, int), "of numbers"
    of_a_second = SECOND_NS // form.value
    return SECONDS_MIN * of_a_second, SECONDS_MAX * of_a_second


def start_of(text: str, form: Form) -> tuple[int, int]:
    """When the bar begins and, of a date, when its session ends, else 0; ns. Raises ValueError."""
    if form is Form.DATE:
        if not _DATE.fullmatch(text):
            raise ValueError(f"not a date like those before: {text[:40]!r}")
        return session_hours_of_date(text)
    if form is Form.ZONED:
        if _DATE.fullmatch(text) or _DIGITS.fullmatch(text):
            raise ValueError(f"not a time with a zone like those before: {text[:40]!r}")
        return _zoned_ns(text), 0
    number = int(text) if _DIGITS.fullmatch(text) else -1
    least, most = bounds_of(form)
    if not least <= number < most:
        raise ValueError(f"not a number of {form.name.lower()} like those before: {text[:40]!r}")
    assert isinstance(form.value, int), "of numbers"
    return number * form.value, 0


def session_hours_of_date(date: str) -> tuple[int, int]:
    """When the session of a date opens and closes; ValueError where there was none."""
    session = session_on(date)
    if session is None:
        raise ValueError(f"the exchange had no session on {date}")
    return session.open_ns, session.close_ns


@lru_cache(
    maxsize=32_768
)  # More days than the calendar has: files of years are read one after the other.
def session_hours(day_number: int) -> tuple[int, int] | None:
    """The same of the day so many days after 1970-01-01; None where there was no session, or is no calendar."""
    try:
        return session_hours_of_date(iso(day_number * DAY_NS)[:10])
    except ValueError:
        return None


def midnight_day(at_ns: int) -> int | None:
    """The day, counted from 1970-01-01, that begins at that moment in New York, else in UTC; None: no midnight."""
    if at_ns % HOUR_NS:
        return None
    try:
        if new_york_clock_ns(at_ns) == 0:
            return parse_iso(f"{new_york_date(at_ns)}T00:00:00Z") // DAY_NS
    except ValueError:
        pass
    return at_ns // DAY_NS if at_ns % DAY_NS == 0 else None


def _zoned_ns(text: str) -> int:
    try:
        return parse_iso(text)
    except ValueError:
        match = _NO_ZONE.fullmatch(text)
        if match is None:
            raise
    raise ValueError(no_zone(text, match[1], int(match[2]), int(match[3]), match[4] or "00"))


def no_zone(text: str, date: str, hour: int, minute: int, second: str) -> str:
    """What to say of a time that could be anywhere's."""
    clock = f"{date}T{hour:02}:{minute:02}:{second}"
    told = f"a time without a zone: {text[:40]!r}"
    try:
        local_ns = hour * HOUR_NS + minute * MINUTE_NS
        at_ns = new_york_ns(date, local_ns)
    except ValueError:
        return f"{told} (write {clock}Z where it is UTC)"
    midnight_ns = parse_iso(f"{date}T00:00:00Z")
    offset = (midnight_ns + local_ns - at_ns) // HOUR_NS
    return f"{told} (write {clock}{offset:+03}:00 where it is New York's, {clock}Z where it is UTC)"

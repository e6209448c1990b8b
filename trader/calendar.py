"""The exchange's sessions and clock: when New York trades, which day it is there, and times as text.

Regular sessions run from 09:30 to 16:00 New York time, or to 13:00 on the days of EARLY_CLOSES; orders for extended
hours trade from 04:00 and until 20:00. New York's offset is computed by the rule of the Energy Policy Act (second
Sunday of March to first Sunday of November, since 2007) and its predecessor (first Sunday of April to last Sunday
of October), so that this module reads no time-zone file.
"""

import re
from bisect import bisect_left, bisect_right
from datetime import date, timedelta
from functools import lru_cache

from msgspec import Struct

from trader.calendar_table import EARLY_CLOSES, FIRST_YEAR, HOLIDAYS, LAST_YEAR
from trader.model import MINUTE_NS, SECOND_NS, Phase

HOUR_NS = 60 * MINUTE_NS
DAY_NS = 24 * HOUR_NS
NIGHT_NS = 8 * HOUR_NS
UNTIL_MIDNIGHT_NS = 4 * HOUR_NS  # from the beginning of a night
EPOCH_ORDINAL = date(1970, 1, 1).toordinal()
FIRST_NS = (date(FIRST_YEAR, 1, 1).toordinal() - EPOCH_ORDINAL) * DAY_NS  # of the table, in UTC
TEXT_YEAR_MAX = 2199  # a time beyond is somebody's mistake


class Session(Struct, frozen=True, kw_only=True):
    """One trading day; `date` is New York's, as '2026-01-26'."""

    date: str
    pre_open_ns: int
    open_ns: int
    close_ns: int
    post_close_ns: int


# --- sessions


@lru_cache(maxsize=4096)
def session_on(day: str) -> Session | None:
    """The session of a New York date, None on weekends and holidays; ValueError outside the table."""
    when = _date_in_table(day)
    if when.weekday() >= 5 or _listed(when, HOLIDAYS):
        return None
    midnight = (when.toordinal() - EPOCH_ORDINAL) * DAY_NS
    # Clocks change on Sundays: the offset at noon UTC holds for the whole session.
    midnight -= _new_york_offset_ns(midnight + 12 * HOUR_NS)
    return Session(
        date=day,
        pre_open_ns=midnight + 4 * HOUR_NS,
        open_ns=midnight + 9 * HOUR_NS + 30 * MINUTE_NS,
        close_ns=midnight + (13 if _listed(when, EARLY_CLOSES) else 16) * HOUR_NS,
        post_close_ns=midnight + 20 * HOUR_NS,
    )


def session_of(at_ns: int) -> Session | None:
    """The session whose 04:00 to 20:00 contains the moment, both ends included; ValueError outside the table."""
    session = session_on(new_york_date(at_ns))
    if session is None or not session.pre_open_ns <= at_ns <= session.post_close_ns:
        return None
    return session


def night_begins_ns(session: Session) -> int:
    """20:00 of the evening before, when the overnight session of that trading day begins; it ends at 04:00.

    So there is one before each session, from Sunday evening on, half days too, and none before a holiday.
    Source: https://docs.alpaca.markets/us/docs/245-trading
    """
    return session.pre_open_ns - NIGHT_NS


def night_of(at_ns: int) -> Session | None:
    """The session in whose overnight session the moment lies, its first moment included, its last not."""
    session = session_on(new_york_date(at_ns + UNTIL_MIDNIGHT_NS))
    if session is None or not night_begins_ns(session) <= at_ns < session.pre_open_ns:
        return None
    return session


def next_session(after: int | str) -> Session:
    """The first session of a later date or, given a time, the first that opens (09:30) after it."""
    days = _session_dates()
    if isinstance(after, str):
        _date_in_table(after)
        return _session_at(bisect_right(days, after), after)
    day = new_york_date(after)
    found = _session_at(bisect_left(days, day), day)
    return found if found.open_ns > after else _session_at(bisect_right(days, day), day)


def previous_session(before: int | str) -> Session:
    """The last session of an earlier date or, given a time, the last that had closed (16:00) by then."""
    days = _session_dates()
    if isinstance(before, str):
        _date_in_table(before)
        return _session_at(bisect_left(days, before) - 1, before)
    day = new_york_date(before)
    found = _session_at(bisect_right(days, day) - 1, day)
    return found if found.close_ns <= before else _session_at(bisect_left(days, day) - 1, day)


def phase(at_ns: int, always: bool = False) -> Phase:
    """Where the moment lies in the trading day; `always` is the phase of what trades around the clock."""
    if always:
        return Phase.REGULAR
    session = session_of(at_ns)
    if session is None or at_ns >= session.post_close_ns:
        return Phase.CLOSED
    if at_ns < session.open_ns:
        return Phase.PRE
    return Phase.REGULAR if at_ns < session.close_ns else Phase.POST


@lru_cache(maxsize=1)
def _session_dates() -> list[str]:
    first, last = date(FIRST_YEAR, 1, 1).toordinal(), date(LAST_YEAR, 12, 31).toordinal()
    days = (date.fromordinal(ordinal) for ordinal in range(first, last + 1))
    return [str(day) for day in days if day.weekday() < 5 and not _listed(day, HOLIDAYS)]


def _session_at(index: int, sought: str) -> Session:
    days = _session_dates()
    if not 0 <= index < len(days):
        raise ValueError(
            f"the calendar, {days[0]} to {days[-1]}, ends before that session: {sought}"
        )
    session = session_on(days[index])
    assert session is not None, "listed dates are sessions"
    return session


def _date_in_table(day: str) -> date:
    if not re.fullmatch(r"\d{4}-\d\d-\d\d", day, re.ASCII):
        raise ValueError(f"not a date like 2026-01-26: {day[:40]!r}")
    when = date.fromisoformat(day)
    if not FIRST_YEAR <= when.year <= LAST_YEAR:
        raise ValueError(f"the calendar covers {FIRST_YEAR} to {LAST_YEAR}, not {day}")
    return when


def _listed(day: date, table: dict[int, str]) -> bool:
    return f"{day.month:02}-{day.day:02}" in table[day.year]


# --- New York's clock


def new_york_date(at_ns: int) -> str:
    """The date in New York at that moment; ValueError outside the table's years."""
    return _date_text((at_ns + _new_york_offset_ns(at_ns)) // DAY_NS)


def clock_text(at_ns: int) -> str:
    """New York's clock as '09:46', rounded down."""
    minutes = (at_ns + _new_york_offset_ns(at_ns)) // MINUTE_NS % (24 * 60)
    return f"{minutes // 60:02}:{minutes % 60:02}"


def new_york_clock_ns(at_ns: int) -> int:
    """What New York's clock shows, since its midnight."""
    return (at_ns + _new_york_offset_ns(at_ns)) % DAY_NS


def new_york_ns(day: str, clock_ns: int) -> int:
    """The moment at which New York's clock shows that, on a date; ValueError outside the table's years."""
    local_ns = (_date_in_table(day).toordinal() - EPOCH_ORDINAL) * DAY_NS + clock_ns
    # The offset is looked up where winter time would put it; in the hour that is there twice, the second is meant.
    return local_ns - _new_york_offset_ns(local_ns + 5 * HOUR_NS)


def _new_york_offset_ns(at_ns: int) -> int:
    year = _year_of(at_ns // DAY_NS)
    start_ns, end_ns = _daylight_saving(year)
    return -4 * HOUR_NS if start_ns <= at_ns < end_ns else -5 * HOUR_NS


@lru_cache(maxsize=256)
def _year_of(day_number: int) -> int:
    first, last = date(FIRST_YEAR, 1, 1).toordinal(), date(LAST_YEAR + 1, 1, 1).toordinal()
    # The last New York evening of the table is already the next year's first UTC morning.
    if not first <= day_number + EPOCH_ORDINAL <= last:
        raise ValueError(f"the calendar covers {FIRST_YEAR} to {LAST_YEAR}, not {_far(day_number)}")
    return date.fromordinal(day_number + EPOCH_ORDINAL).year


def _far(day_number: int) -> str:
    ordinal = day_number + EPOCH_ORDINAL
    in_reach = date.min.toordinal() <= ordinal <= date.max.toordinal()
    return str(date.fromordinal(ordinal)) if in_reach else f"day {day_number}"


@lru_cache(maxsize=64)
def _daylight_saving(year: int) -> tuple[int, int]:
    """Summer time starts at 02:00 EST (07:00 UTC) and ends at 02:00 EDT (06:00 UTC)."""
    if year >= 2007:
        start, end = _sunday_from(date(year, 3, 8)), _sunday_from(date(year, 11, 1))
    else:
        start, end = _sunday_from(date(year, 4, 1)), _sunday_from(date(year, 10, 25))
    return (
        (start.toordinal() - EPOCH_ORDINAL) * DAY_NS + 7 * HOUR_NS,
        (end.toordinal() - EPOCH_ORDINAL) * DAY_NS + 6 * HOUR_NS,
    )


def _sunday_from(day: date) -> date:
    return day + timedelta(days=6 - day.weekday())


# --- times as text

_ISO = re.compile(
    r"(\d{4}-\d\d-\d\d)[T ](\d\d):(\d\d):(\d\d)(?:\.(\d{1,9}))?(?:Z|([+-])(\d\d):(\d\d))",
    re.ASCII,
)


@lru_cache(maxsize=4096)
def iso(at_ns: int) -> str:
    """UTC as '2026-01-26T14:46:00.123Z', with six or nine decimals where three would lose something."""
    seconds, fraction = divmod(at_ns, SECOND_NS)
    day, second = divmod(seconds, 86_400)
    clock = f"{second // 3600:02}:{second // 60 % 60:02}:{second % 60:02}"
    decimals = f"{fraction:09}"
    if decimals.endswith("000000"):
        decimals = decimals[:3]
    elif decimals.endswith("000"):
        decimals = decimals[:6]
    return f"{_date_text(day)}T{clock}.{decimals}Z"


@lru_cache(maxsize=4096)
def parse_iso(text: str) -> int:
    """Nanoseconds UTC of an ISO 8601 / RFC 3339 time.

    ValueError: not such a time, no zone, more than nine decimals, a leap second, before 1970 or after 2199.
    """
    match = _ISO.fullmatch(text)
    if match is None:
        raise ValueError(f"not a time with a zone, like 2026-01-26T14:46:00.123Z: {text[:40]!r}")
    day, hours, minutes, seconds, decimals, sign, zone_hours, zone_minutes = match.groups()
    hour, minute, second = int(hours), int(minutes), int(seconds)
    if hour > 23 or minute > 59 or second > 59:
        raise ValueError(f"no such time of day: {text!r}")
    at_ns = _midnight_ns(day) + hour * HOUR_NS + minute * MINUTE_NS + second * SECOND_NS
    if decimals:
        at_ns += int(decimals.ljust(9, "0"))
    if sign:
        if int(zone_hours) > 23 or int(zone_minutes) > 59:
            raise ValueError(f"no such zone: {text!r}")
        offset_ns = int(zone_hours) * HOUR_NS + int(zone_minutes) * MINUTE_NS
        at_ns += offset_ns if sign == "-" else -offset_ns
    return at_ns


@lru_cache(maxsize=4096)
def _midnight_ns(day: str) -> int:
    when = date.fromisoformat(day)
    if not 1970 <= when.year <= TEXT_YEAR_MAX:
        raise ValueError(f"the year is off: {day}")
    return (when.toordinal() - EPOCH_ORDINAL) * DAY_NS


@lru_cache(maxsize=4096)
def _date_text(day_number: int) -> str:
    return str(date.fromordinal(day_number + EPOCH_ORDINAL))

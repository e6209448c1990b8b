"""When trades settle: one, two or three business days after their session, by the rule of its time.

SEC Rule 15c6-1: on the third business day until 2017-09-04, the second until 2024-05-27, then the first. On Columbus
Day and Veterans Day the exchange trades and the banks are shut, so nothing settles (NASD Notices to Members 95-77,
99-83). Days on which the exchange alone was shut, by a storm or in mourning, are taken as days of no settlement, too.
"""

from bisect import bisect_right
from datetime import date, timedelta
from functools import lru_cache

from trader.calendar import session_on
from trader.calendar_table import FIRST_YEAR, LAST_YEAR

CYCLES = (("2024-05-28", 1), ("2017-09-05", 2), ("", 3))  # from which session on, business days
DAYS_MAX = 14  # of the calendar, between a session and its settlement
DAY = timedelta(days=1)


def settlement_date(day: str) -> str:
    """Of the trades of that session."""
    after = next(days for since, days in CYCLES if day >= since)
    settling = _settling_days()
    return settling[bisect_right(settling, day) + after - 1]


@lru_cache(maxsize=1)
def _settling_days() -> list[str]:
    """Those of the calendar's table, and the first ones beyond it."""
    first, last = date(FIRST_YEAR, 1, 1), date(LAST_YEAR + 1, 1, 1) + DAYS_MAX * DAY
    days = (first + count * DAY for count in range((last - first).days))
    return [str(day) for day in days if _settles(day)]


def _settles(day: date) -> bool:
    if _is_bank_holiday(day):
        return False
    return day.weekday() < 5 if day.year > LAST_YEAR else session_on(str(day)) is not None


def _is_bank_holiday(day: date) -> bool:
    """Where the exchange may trade, or is beyond its table."""
    is_monday = day.weekday() == 0
    match day.month:
        case 1:
            return day.day == 1 or (day.day == 2 and is_monday)
        case 10:
            return is_monday and 8 <= day.day <= 14
        case 11:
            return day.day == 11 or (day.day == 12 and is_monday)
        case _:
            return False

"""How long bars last that don't say it themselves.

Wrong by a little this would show the future: a bar that seems to end early is known before it was. So of two answers
the longer one is taken, and no bar reaches into the next.
"""

import numpy as np

from trader.calendar import DAY_NS, HOUR_NS
from trader.feeds.columns import Column
from trader.feeds.stamps import midnight_day, session_hours
from trader.model import MINUTE_NS, SECOND_NS

DAILY = "daily"
NAMED = {"second": SECOND_NS, "minute": MINUTE_NS}
GAPS_TELLING = 3  # so many gaps between bars tell a span


def with_ends(starts: Column, ends: Column, folder: str) -> tuple[Column, Column]:
    """When bars of one symbol begin and end; `ends` has 0 where they don't say. Raises ValueError.

    Bars that all begin at midnight are those of sessions where there was a session each day, and begin with it.
    """
    if ends[0]:
        return starts.copy(), ends.copy()
    if folder not in NAMED and (hours := _hours_of_midnights(starts, folder == DAILY)) is not None:
        return hours
    span_ns = _span_ns(starts, folder)
    told = starts + span_ns
    told[:-1] = np.minimum(told[:-1], starts[1:])
    return starts.copy(), told


def _hours_of_midnights(starts: Column, is_wanted: bool) -> tuple[Column, Column] | None:
    days = None if (starts % HOUR_NS).any() else [midnight_day(int(one)) for one in starts]
    if days is None or None in days:
        if is_wanted:
            raise ValueError(
                f"in a folder named {DAILY}, a bar that doesn't begin at midnight: dates, please"
            )
        return None
    hours = [session_hours(day) for day in days if day is not None]
    if None in hours:
        if is_wanted:
            raise ValueError("a bar of a day on which the exchange had no session")
        return None
    opened, closed = np.array(hours, dtype=np.int64).T
    return opened.copy(), closed.copy()


def _span_ns(starts: Column, folder: str) -> int:
    """As the folder says; else as long as more than half of the gaps; else what all gaps are multiples of."""
    named = NAMED.get(folder)
    if (starts % SECOND_NS).any():
        raise ValueError("a bar begins within a second: minutes or seconds, please")
    is_on_minutes = not (starts % MINUTE_NS).any()
    if named == MINUTE_NS and not is_on_minutes:
        raise ValueError("a bar in a folder named minute begins within a minute")
    if named is not None:
        return named
    least_ns = MINUTE_NS if is_on_minutes else SECOND_NS
    gaps = np.diff(starts)
    if len(gaps) < GAPS_TELLING:
        return least_ns
    known, counts = np.unique(gaps, return_counts=True)
    most = int(counts.argmax())
    told_ns = int(known[most]) if 2 * counts[most] > len(gaps) else int(np.gcd.reduce(known))
    return min(max(told_ns, least_ns), DAY_NS)

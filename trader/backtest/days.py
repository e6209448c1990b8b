"""The days of a backtest: the exchange's sessions, or around the clock."""

from datetime import UTC, datetime
from typing import Protocol

from msgspec import Struct

from trader.calendar import DAY_NS, phase, session_of
from trader.model import SECOND_NS, Phase


class Day(Struct, frozen=True, kw_only=True):
    """A trading day: bars that end in (begins_ns, ends_ns] are of it; regular hours close at closes_ns, 0 for never."""

    date: str
    begins_ns: int
    closes_ns: int
    ends_ns: int


class Days(Protocol):
    """Where a moment lies."""

    is_always_open: bool

    def day_of(self, at_ns: int) -> Day | None:
        """The day of what happens then; None where nothing can."""
        ...

    def phase(self, at_ns: int) -> Phase: ...


class Sessions:
    """The exchange's, from 04:00 to 20:00."""

    is_always_open = False

    def day_of(self, at_ns: int) -> Day | None:
        """Raises ValueError outside of the calendar's table."""
        session = session_of(at_ns)
        if session is None:
            return None
        return Day(
            date=session.date,
            begins_ns=session.pre_open_ns,
            closes_ns=session.close_ns,
            ends_ns=session.post_close_ns,
        )

    def phase(self, at_ns: int) -> Phase:
        return phase(at_ns)


class RoundTheClock:
    """Days of UTC, all alike."""

    is_always_open = True

    def day_of(self, at_ns: int) -> Day | None:
        """Every moment has one; midnight belongs to the day that it ends."""
        begins_ns = (at_ns - 1) // DAY_NS * DAY_NS
        when = datetime.fromtimestamp(begins_ns // SECOND_NS, UTC)
        return Day(
            date=when.date().isoformat(),
            begins_ns=begins_ns,
            closes_ns=0,
            ends_ns=begins_ns + DAY_NS,
        )

    def phase(self, at_ns: int) -> Phase:
        return phase(at_ns, always=True)

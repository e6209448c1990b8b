"""When an order works and when it ends: sessions, auctions, what waits for the next day, and when it grows too old."""

from functools import lru_cache

from trader.calendar import (
    DAY_NS,
    HOUR_NS,
    Session,
    new_york_date,
    next_session,
    night_begins_ns,
    night_of,
    phase,
    session_of,
    session_on,
)
from trader.model import MINUTE_NS, Phase, TimeInForce
from trader.venue.words import VenueOrder

GTC_DAYS = 90
GTC_END_AFTER_OPEN_NS = 6 * HOUR_NS + 45 * MINUTE_NS  # 16:15
OPG_SHUT_BEFORE_OPEN_NS = 2 * MINUTE_NS  # from 09:28
CLS_SHUT_BEFORE_CLOSE_NS = 10 * MINUTE_NS  # from 15:50
AUCTIONS_TAKEN_AFTER_OPEN_NS = 9 * HOUR_NS + 30 * MINUTE_NS  # from 19:00, for the next day
AUCTIONS = frozenset({TimeInForce.OPG, TimeInForce.CLS})


def works(order: VenueOrder, at: Phase) -> bool:
    if at is Phase.REGULAR or not order.extended_hours:
        return at is Phase.REGULAR
    return at is not Phase.CLOSED and (order.nights or at is not Phase.NIGHT)


def auction_is_shut(time_in_force: TimeInForce, at_ns: int) -> bool:
    """Whether it is too late for the session's auction and too early for the next one's."""
    if time_in_force not in AUCTIONS:
        return False
    session = session_of(at_ns)
    if session is None:
        return False
    if at_ns >= session.open_ns + AUCTIONS_TAKEN_AFTER_OPEN_NS:
        return False
    if time_in_force is TimeInForce.OPG:
        return at_ns >= session.open_ns - OPG_SHUT_BEFORE_OPEN_NS
    return at_ns >= session.close_ns - CLS_SHUT_BEFORE_CLOSE_NS


def starts_ns(order: VenueOrder, at_ns: int) -> int:
    """When an order that has to wait begins to work."""
    today = session_of(at_ns)
    for session in (today, next_session(at_ns)):
        if session is not None and at_ns < (begins_ns := _begins_ns(order, session)):
            return begins_ns
    return at_ns  # It is time.


def _begins_ns(order: VenueOrder, session: Session) -> int:
    if not order.extended_hours:
        return session.open_ns
    return night_begins_ns(session) if order.nights else session.pre_open_ns


def expires_ns(time_in_force: TimeInForce, extended_hours: bool, at_ns: int) -> int:
    """The end of the session that the order is good for: today's while it lasts, else the next one's.

    Orders that are good till canceled are good for so many days, and end in the evening.
    """
    if time_in_force is TimeInForce.GTC:
        return _old_age_ns(new_york_date(at_ns + GTC_DAYS * DAY_NS))
    session = session_of(at_ns)
    if session is not None:
        end_ns = session.post_close_ns if extended_hours else session.close_ns
        if at_ns < end_ns:
            return end_ns
    session = next_session(at_ns)
    return session.post_close_ns if extended_hours else session.close_ns


@lru_cache(maxsize=64)
def _old_age_ns(day: str) -> int:
    last = session_on(day) or next_session(day)
    return last.open_ns + GTC_END_AFTER_OPEN_NS


def is_closing(bar_end_ns: int) -> bool:
    """Whether a bar that ends then is the regular session's last."""
    session = session_of(bar_end_ns)
    return session is not None and bar_end_ns == session.close_ns


class Hours:
    """When a market trades: those of the exchange, by its calendar, and of the night before each session."""

    def phase(self, at_ns: int) -> Phase:
        at = phase(at_ns)
        return Phase.NIGHT if at is Phase.CLOSED and night_of(at_ns) is not None else at

    def starts_ns(self, order: VenueOrder, at_ns: int) -> int:
        return starts_ns(order, at_ns)

    def expires_ns(self, time_in_force: TimeInForce, extended_hours: bool, at_ns: int) -> int:
        return expires_ns(time_in_force, extended_hours, at_ns)

    def is_closing(self, bar_end_ns: int) -> bool:
        return is_closing(bar_end_ns)


class AlwaysOpen(Hours):
    """A market that never closes: a day is as long as any other, from the moment that an order is taken."""

    def phase(self, at_ns: int) -> Phase:
        return phase(at_ns, always=True)

    def starts_ns(self, order: VenueOrder, at_ns: int) -> int:
        return at_ns

    def expires_ns(self, time_in_force: TimeInForce, extended_hours: bool, at_ns: int) -> int:
        return at_ns + (GTC_DAYS if time_in_force is TimeInForce.GTC else 1) * DAY_NS

    def is_closing(self, bar_end_ns: int) -> bool:
        return False

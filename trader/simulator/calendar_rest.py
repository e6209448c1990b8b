"""The trading service's endpoints for time: the clock and the calendar, in the old form and in the newer one."""

from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from starlette.requests import Request
from starlette.responses import Response

from trader.calendar import (
    Session,
    clock_text,
    next_session,
    parse_iso,
    phase,
    session_of,
    session_on,
)
from trader.calendar_table import FIRST_YEAR, LAST_YEAR
from trader.model import SECOND_NS, Phase
from trader.simulator import shapes
from trader.simulator.desk import Desk, Endpoints
from trader.simulator.replies import BadRequest, json_reply
from trader.simulator.requests import refused
from trader.simulator.settlement import DAYS_MAX, settlement_date

NEW_YORK = ZoneInfo("America/New_York")
FIRST_DAY, LAST_DAY = date(FIRST_YEAR, 1, 1), date(LAST_YEAR, 12, 31)
TRADING, SETTLEMENT = "TRADING", "SETTLEMENT"
WEEK = timedelta(days=7)
SETTLES_WITHIN = timedelta(days=DAYS_MAX)
PHASES = {Phase.CLOSED: "closed", Phase.PRE: "pre", Phase.REGULAR: "core", Phase.POST: "post"}
MARKETS: dict[str, shapes.Shape] = {
    "NYSE": {
        "mic": "XNYS",
        "acronym": "NYSE",
        "name": "New York Stock Exchange",
        "timezone": "America/New_York",
    },
    "NASDAQ": {
        "mic": "XNAS",
        "acronym": "NASDAQ",
        "name": "Nasdaq",
        "timezone": "America/New_York",
    },
}


class CalendarRest(Desk):
    """See the module."""

    def endpoints(self) -> Endpoints:
        return [
            ("GET", "/v2/clock", self._get_clock),
            ("GET", "/v2/calendar", self._get_calendar),
            ("GET", "/v3/clock", self._get_clocks),
            ("GET", "/v3/calendar/{market}", self._get_market_calendar),
        ]

    async def _get_clock(self, request: Request, account_id: str) -> Response:
        now_ns = self._broker.now_ns
        coming = next_session(now_ns)
        return json_reply(
            {
                "timestamp": _new_york_text(self._broker.told_clock.told_ns(now_ns)),
                "is_open": phase(now_ns) is Phase.REGULAR,
                "next_open": _new_york_text(coming.open_ns),
                "next_close": _new_york_text(_next_close_ns(now_ns)),
            }
        )

    async def _get_calendar(self, request: Request, account_id: str) -> Response:
        """Sessions from start to end, both included, as far as the calendar knows them; or those that settle then."""
        first, last = _date(request, "start") or FIRST_DAY, _date(request, "end") or LAST_DAY
        kind = (request.query_params.get("date_type") or TRADING).upper()
        if kind not in (TRADING, SETTLEMENT):
            raise BadRequest(refused("invalid date_type", status=400))
        sessions = _sessions(first, last) if kind == TRADING else _settling(first, last)
        return json_reply([_calendar_day(session) for session in sessions])

    async def _get_clocks(self, request: Request, account_id: str) -> Response:
        """One for each market asked for, at a `time` of its own if there is one."""
        names = (request.query_params.get("markets") or "NYSE").split(",")
        text = request.query_params.get("time")
        try:
            at_ns = parse_iso(text.replace(" ", "+")) if text else self._broker.now_ns
            told_ns = at_ns if text else self._broker.told_clock.told_ns(at_ns)
            return json_reply({"clocks": [_clock(_market(name), at_ns, told_ns) for name in names]})
        except ValueError:
            raise BadRequest(refused("invalid time", status=400)) from None

    async def _get_market_calendar(self, request: Request, account_id: str) -> Response:
        """A week from today on, unless told otherwise."""
        market = _market(request.path_params["market"])
        today = datetime.fromtimestamp(self._broker.now_ns // SECOND_NS, NEW_YORK).date()
        first = _date(request, "start") or today
        last = _date(request, "end") or min(first, LAST_DAY - WEEK) + WEEK
        days: list[shapes.Json] = [_long_day(session) for session in _sessions(first, last)]
        return json_reply({"market": market, "calendar": days})


def _market(name: str) -> shapes.Shape:
    for acronym, market in MARKETS.items():
        if name.upper() in (acronym, market["mic"]):
            return market
    raise BadRequest(refused(f"invalid market: {name[:20]}", status=400))


def _clock(market: shapes.Shape, at_ns: int, told_ns: int) -> shapes.Shape:
    now, coming = phase(at_ns), next_session(at_ns)
    today = session_of(at_ns)
    until_ns = {
        Phase.CLOSED: coming.pre_open_ns,
        Phase.PRE: coming.open_ns,
        Phase.REGULAR: _next_close_ns(at_ns),
        Phase.POST: coming.pre_open_ns if today is None else today.post_close_ns,
    }[now]
    return {
        "market": market,
        "timestamp": _new_york_text(told_ns),
        "is_market_day": today is not None,
        "next_market_open": _new_york_text(coming.open_ns),
        "next_market_close": _new_york_text(_next_close_ns(at_ns)),
        "phase": PHASES[now],
        "phase_until": _new_york_text(until_ns),
    }


def _next_close_ns(at_ns: int) -> int:
    today = session_of(at_ns)
    is_ahead = today is not None and at_ns < today.close_ns
    return today.close_ns if today is not None and is_ahead else next_session(at_ns).close_ns


def _date(request: Request, name: str) -> date | None:
    text = request.query_params.get(name)
    if text is None:
        return None
    try:
        return date.fromisoformat(text[:10])
    except ValueError:
        raise BadRequest(refused(f"invalid {name}", status=400)) from None


def _sessions(first: date, last: date) -> list[Session]:
    first, last = max(first, FIRST_DAY), min(last, LAST_DAY)
    days = (str(first + timedelta(days=count)) for count in range((last - first).days + 1))
    return [session for day in days if (session := session_on(day)) is not None]


def _settling(first: date, last: date) -> list[Session]:
    """Sessions whose trades settle from first to last."""
    earliest = max(first, FIRST_DAY + SETTLES_WITHIN) - SETTLES_WITHIN
    sessions = _sessions(earliest, last)
    return [one for one in sessions if str(first) <= settlement_date(one.date) <= str(last)]


def _calendar_day(session: Session) -> shapes.Shape:
    return {
        "date": session.date,
        "open": clock_text(session.open_ns),
        "close": clock_text(session.close_ns),
        "session_open": clock_text(session.pre_open_ns).replace(":", ""),
        "session_close": clock_text(session.post_close_ns).replace(":", ""),
        "settlement_date": settlement_date(session.date),
    }


def _long_day(session: Session) -> shapes.Shape:
    return {
        "date": session.date,
        "pre_start": _new_york_text(session.pre_open_ns),
        "pre_end": _new_york_text(session.open_ns),
        "core_start": _new_york_text(session.open_ns),
        "core_end": _new_york_text(session.close_ns),
        "post_start": _new_york_text(session.close_ns),
        "post_end": _new_york_text(session.post_close_ns),
        "settlement_date": settlement_date(session.date),
    }


def _new_york_text(at_ns: int) -> str:
    """With New York's offset, as the clock has it."""
    return datetime.fromtimestamp(at_ns // SECOND_NS, NEW_YORK).isoformat()

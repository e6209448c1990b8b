"""Bars that a query asks for: any timeframe from a minute to months, adjusted or as they were."""

import re
from datetime import date, timedelta
from decimal import Decimal

from msgspec import Struct
from starlette.requests import Request

from trader.calendar import DAY_NS, new_york_date, parse_iso, session_on
from trader.model import MINUTE_NS, Bar, Symbol
from trader.money import ONE, price_of, ratio
from trader.simulator.market_tape import day_start_ns, merged
from trader.simulator.parameters import one_of
from trader.simulator.replies import BadRequest
from trader.simulator.requests import refused
from trader.simulator.reshaped import ReshapedMarket, divided
from trader.simulator.window import Window

HISTORY_MAX = 200_000  # minutes looked at for one symbol
HISTORY_CHUNK = 2_000  # at most so many at a time
TIMEFRAME = re.compile(r"([1-9]\d?)(T|Min|H|Hour|D|Day|W|Week|M|Month)\Z", re.ASCII)
UNITS = {"Min": "T", "Hour": "H", "Day": "D", "Week": "W", "Month": "M"}
COUNTS = {  # Alpaca's own
    "T": range(1, 60),
    "H": range(1, 24),
    "D": (1,),
    "W": (1,),
    "M": (1, 2, 3, 4, 6, 12),
}
ADJUSTMENTS = ("raw", "split", "dividend", "spin-off", "all")


class Timeframe(Struct, frozen=True, kw_only=True):
    count: int
    unit: str  # T minutes, H hours, D days, W weeks, M months

    @property
    def span_ns(self) -> int:
        """How long a bar is; of weeks and months, about."""
        days = {"D": 1, "W": 7, "M": 30}
        minutes = {"T": 1, "H": 60}.get(self.unit)
        return self.count * (minutes * MINUTE_NS if minutes else days[self.unit] * DAY_NS)

    def start_ns(self, at_ns: int) -> int:
        """Of the bar that the moment belongs to; days, weeks and months begin at New York's midnight."""
        if self.unit in ("T", "H"):
            return at_ns // self.span_ns * self.span_ns
        if self.unit == "D":
            return day_start_ns(at_ns)
        return _midnight_ns(self._first_day(date.fromisoformat(new_york_date(at_ns))))

    def _first_day(self, day: date) -> date:
        if self.unit == "W":
            return day - timedelta(days=day.weekday())
        months = (day.month - 1) // self.count * self.count
        return day.replace(month=months + 1, day=1)


def bars_between(
    market: ReshapedMarket, symbol: Symbol, window: Window, now_ns: int, request: Request
) -> list[Bar]:
    """Those that start within the window and are over by now, but for the last one of a longer timeframe."""
    timeframe, adjustment = timeframe_of(request), one_of(request, "adjustment", ADJUSTMENTS)
    known = market.history
    parts: list[list[Bar]] = []
    count = 0
    first_ns = timeframe.start_ns(window.start_ns)
    before_ns = min(now_ns, window.end_ns + 2 * timeframe.span_ns)
    chunk = min(HISTORY_CHUNK, max(before_ns - first_ns, 0) // MINUTE_NS + 1)
    while count < HISTORY_MAX:
        part = known(symbol, before_ns, chunk)
        parts.append(part)
        count += len(part)
        if len(part) < chunk or part[0].start_ns <= first_ns:
            break
        before_ns = part[0].start_ns
    bars = [bar for part in reversed(parts) for bar in part if bar.start_ns >= first_ns]
    adjusted = _adjusted(market, symbol, bars, now_ns, adjustment)
    return [
        bar
        for bar in aggregated(adjusted, timeframe)
        if window.start_ns <= bar.start_ns <= window.end_ns
    ]


def aggregated(bars: list[Bar], timeframe: Timeframe) -> list[Bar]:
    """Bars of a longer span, the last of them perhaps unfinished."""
    span_ns = timeframe.span_ns
    if all(span_ns <= bar.span_ns for bar in bars):
        return bars
    groups: dict[int, list[Bar]] = {}
    for bar in bars:
        groups.setdefault(timeframe.start_ns(bar.start_ns), []).append(bar)
    return [
        group[0] if span_ns <= group[0].span_ns else merged(group, start_ns, span_ns)
        for start_ns, group in groups.items()
    ]


def timeframe_of(request: Request) -> Timeframe:
    match = TIMEFRAME.match(request.query_params.get("timeframe", "1Min"))
    if match is not None:
        count, unit = int(match[1]), UNITS.get(match[2], match[2])
        if count in COUNTS[unit]:
            return Timeframe(count=count, unit=unit)
    raise BadRequest(refused("invalid timeframe", status=400))


def _adjusted(
    market: ReshapedMarket, symbol: Symbol, bars: list[Bar], now_ns: int, adjustment: str
) -> list[Bar]:
    """As seen from today: what has happened to a share since takes part in its price of then."""
    changes: list[tuple[int, Decimal, Decimal]] = []
    if adjustment in ("split", "all"):
        changes += [(at_ns, factor, factor) for at_ns, factor in market.splits(symbol)]
    if adjustment in ("dividend", "all"):
        for at_ns, amount in market.dividends(symbol):
            before = market.history(symbol, at_ns, 1)
            if before and (close := price_of(before[-1].close)) > amount:
                changes.append((at_ns, ratio(close, close - amount), ONE))
    for at_ns, divisor, multiplier in changes:
        if at_ns <= now_ns:
            bars = [
                divided(bar, divisor, multiplier) if bar.start_ns + bar.span_ns < at_ns else bar
                for bar in bars
            ]
    return bars


def _midnight_ns(day: date) -> int:
    """New York's, of a day that need not have a session: its neighbours tell the offset."""
    for distance in (0, 1, 2, 3, 4):
        session = session_on(str(day + timedelta(days=distance)))
        if session is not None:
            return day_start_ns(session.open_ns) - distance * DAY_NS
    return parse_iso(f"{day}T05:00:00Z")

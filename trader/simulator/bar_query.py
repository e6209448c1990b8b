"""Bars that a query asks for: any timeframe made of minutes, a limit shared by all symbols, pages."""

import base64
import binascii
import re
from collections.abc import Iterable

from starlette.requests import Request

from trader.calendar import DAY_NS, new_york_date, session_on
from trader.feeds.market import Market
from trader.model import MINUTE_NS, Bar, Symbol
from trader.simulator.parameters import count_parameter, one_of, time_parameter
from trader.simulator.replies import BadRequest
from trader.simulator.requests import refused

LIMIT_DEFAULT, LIMIT_MAX = 1_000, 10_000
HISTORY_MAX = 200_000  # minutes looked at for one symbol
HISTORY_CHUNK = 500
TIMEFRAME = re.compile(r"([1-9]\d?)(T|Min|H|Hour|D|Day)\Z", re.ASCII)
SPANS_NS = {"T": MINUTE_NS, "H": 60 * MINUTE_NS, "D": DAY_NS}
Page = tuple[dict[Symbol, list[Bar]], str | None]


def bars_page(market: Market, symbols: list[Symbol], now_ns: int, request: Request) -> Page:
    """The bars that had ended by now_ns, by symbol, and the token of the next page, None when there is none.

    Without `start` only the current day. Symbols come one after the other, in order of their names.
    """
    span_ns = _span_ns(request)
    end_ns = min(time_parameter(request, "end") or now_ns, now_ns)
    start_ns = time_parameter(request, "start")
    if start_ns is None:
        start_ns = _day_start_ns(now_ns)
    limit = count_parameter(request, "limit", LIMIT_DEFAULT, LIMIT_MAX)
    newest_first = one_of(request, "sort", ("asc", "desc")) == "desc"
    skip = _page_start(request)
    rows: list[Bar] = []
    for symbol in sorted(symbols):
        bars = _bars_between(market, symbol, start_ns, end_ns, now_ns, span_ns)
        rows.extend(reversed(bars) if newest_first else bars)
        if len(rows) > skip + limit:
            break
    page: dict[Symbol, list[Bar]] = {}
    for bar in rows[skip : skip + limit]:
        page.setdefault(bar.symbol, []).append(bar)
    return page, _token(skip + limit) if len(rows) > skip + limit else None


def _bars_between(
    market: Market, symbol: Symbol, start_ns: int, end_ns: int, now_ns: int, span_ns: int
) -> list[Bar]:
    """Bars that start in [start_ns, end_ns] and had ended by now_ns."""
    minutes: list[Bar] = []
    before_ns = min(now_ns, end_ns + DAY_NS)
    while len(minutes) < HISTORY_MAX:
        part = market.history(symbol, before_ns, HISTORY_CHUNK)
        minutes = part + minutes
        if len(part) < HISTORY_CHUNK or part[0].start_ns <= start_ns:
            break
        before_ns = part[0].start_ns
    wanted = (bar for bar in minutes if start_ns <= bar.start_ns <= end_ns)
    return aggregated(wanted, span_ns)


def aggregated(bars: Iterable[Bar], span_ns: int) -> list[Bar]:
    """Bars of a longer span, the last of them perhaps unfinished; days are New York's."""
    groups: dict[int, list[Bar]] = {}
    for bar in bars:
        groups.setdefault(_group_start_ns(bar, span_ns), []).append(bar)
    return [
        group[0] if span_ns <= group[0].span_ns else _merged(group, start_ns, span_ns)
        for start_ns, group in groups.items()
    ]


def _merged(group: list[Bar], start_ns: int, span_ns: int) -> Bar:
    return Bar(
        symbol=group[0].symbol,
        start_ns=start_ns,
        span_ns=span_ns,
        open=group[0].open,
        high=max(bar.high for bar in group),
        low=min(bar.low for bar in group),
        close=group[-1].close,
        volume=sum(bar.volume for bar in group),
    )


def _group_start_ns(bar: Bar, span_ns: int) -> int:
    if span_ns < DAY_NS:
        return bar.start_ns // span_ns * span_ns
    return _day_start_ns(bar.start_ns)


def _day_start_ns(at_ns: int) -> int:
    """New York's midnight."""
    session = session_on(new_york_date(at_ns))
    return at_ns // DAY_NS * DAY_NS if session is None else session.pre_open_ns - 240 * MINUTE_NS


def _span_ns(request: Request) -> int:
    match = TIMEFRAME.match(request.query_params.get("timeframe", "1Min"))
    if match is None:
        raise BadRequest(refused("invalid timeframe", status=400))
    return int(match[1]) * SPANS_NS[match[2][0].replace("M", "T")]


def _page_start(request: Request) -> int:
    token = request.query_params.get("page_token")
    if not token:
        return 0
    try:
        return int(base64.urlsafe_b64decode(token).decode("ascii"))
    except (ValueError, binascii.Error):
        raise BadRequest(refused("invalid page_token", status=400)) from None


def _token(start: int) -> str:
    return base64.urlsafe_b64encode(str(start).encode()).decode()

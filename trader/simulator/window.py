"""Which part of the past a query asks for, and which page of it; the limit is shared by all symbols."""

import base64
import binascii
from collections.abc import Callable, Iterable
from typing import TypeVar

from msgspec import Struct
from starlette.requests import Request

from trader.model import MINUTE_NS, Symbol
from trader.simulator.market_tape import day_start_ns
from trader.simulator.parameters import count_parameter, one_of, time_parameter
from trader.simulator.replies import BadRequest
from trader.simulator.requests import refused

V = TypeVar("V")
LIMIT_DEFAULT, LIMIT_MAX = 1_000, 10_000
RECENT_NS = 15 * MINUTE_NS


class Window(Struct, frozen=True, kw_only=True):
    """Both ends belong to it. `skip` and `limit` count what all symbols have, one symbol after the other."""

    start_ns: int
    end_ns: int
    newest_first: bool
    skip: int
    limit: int
    now_ns: int
    is_recent: bool  # does it reach into the last quarter of an hour?


def window_of(request: Request, now_ns: int) -> Window:
    """Without `start` only the current day; nobody sees the future."""
    start_ns, end_ns = time_parameter(request, "start"), time_parameter(request, "end")
    if start_ns is not None and end_ns is not None and end_ns < start_ns:
        raise BadRequest(refused("end should not be before start", status=400))
    return Window(
        start_ns=day_start_ns(now_ns) if start_ns is None else start_ns,
        end_ns=now_ns if end_ns is None else min(end_ns, now_ns),
        newest_first=one_of(request, "sort", ("asc", "desc")) == "desc",
        skip=_page_start(request),
        limit=count_parameter(request, "limit", LIMIT_DEFAULT, LIMIT_MAX),
        now_ns=now_ns,
        is_recent=end_ns is None or end_ns > now_ns - RECENT_NS,
    )


def paged(
    symbols: Iterable[Symbol], window: Window, found: Callable[[Symbol], list[V]]
) -> tuple[dict[Symbol, list[V]], str | None]:
    """What is found by symbol, in order of their names, and the token of the next page; None: there is none."""
    page: dict[Symbol, list[V]] = {}
    passed, last = 0, window.skip + window.limit
    for symbol in sorted(symbols):
        values = found(symbol)
        if window.newest_first:
            values.reverse()
        part = values[max(0, window.skip - passed) : max(0, last - passed)]
        if part:
            page[symbol] = part
        passed += len(values)
        if passed > last:
            return page, _token(last)
    return page, None


def _page_start(request: Request) -> int:
    token = request.query_params.get("page_token")
    if not token:
        return 0
    try:
        start = int(base64.urlsafe_b64decode(token).decode("ascii"))
    except (ValueError, binascii.Error):
        start = -1
    if start < 0:
        raise BadRequest(refused("invalid page_token", status=400))
    return start


def _token(start: int) -> str:
    return base64.urlsafe_b64encode(str(start).encode()).decode()

"""Years of bars, from Alpaca's market-data REST, page by page: what a download writes down."""

from collections.abc import Callable, Sequence
from urllib.parse import urlencode

import trio
from msgspec import Struct

from trader.brokers.alpaca.rest import get, relied_on
from trader.brokers.alpaca.transport import HttpDeadlines, HttpLink
from trader.calendar import DAY_NS, iso, new_york_ns, parse_iso, session_on
from trader.model import MINUTE_NS, Bar, Symbol
from trader.ports import BrokerUnavailable
from trader.wire.alpaca_data import BarsPage, bar_of, decode_bars, download_query
from trader.wire.unreadable import reading

DEADLINES = HttpDeadlines(read=30.0, whole=60.0)  # a page is a megabyte
PAGES_MAX = 2_000  # twenty million bars
ATTEMPTS = 4
PAUSE_SECONDS = 0.5  # doubled each time; where the broker says how long, the link waits by itself


class Wanted(Struct, frozen=True, kw_only=True):
    """Which bars; start and end are dates in New York, both included."""

    timeframe: str
    start: str
    end: str
    feed: str
    adjustment: str


async def download(
    link: HttpLink, symbol: Symbol, wanted: Wanted, take: Callable[[Sequence[Bar]], None]
) -> None:
    """Hand over the bars of each page, oldest first. Raises BrokerRefused, BrokerUnavailable."""
    query = download_query(
        symbol,
        wanted.timeframe,
        new_york_ns(wanted.start, 0),
        end_ns_of(wanted.end) - MINUTE_NS,
        wanted.feed,
        wanted.adjustment,
    )
    for _ in range(PAGES_MAX):
        page = await _page(link, query)
        with relied_on(), reading("bar"):
            take([bar_of(symbol, message) for message in (page.bars or {}).get(symbol, [])])
        if page.next_page_token is None:
            return
        query = query | {"page_token": page.next_page_token}
    raise BrokerUnavailable("the broker's list of bars has no end")


def end_ns_of(date: str) -> int:
    """New York's midnight after a date; ValueError where it is none, or lies outside the calendar."""
    new_york_ns(date, 0)
    return new_york_ns(iso(parse_iso(f"{date}T00:00:00Z") + DAY_NS)[:10], 0)


def over_ns_of(date: str) -> int:
    """When a date has all of its bars: after trading in the evening, or at its end where there is none."""
    session = session_on(date)
    return end_ns_of(date) if session is None else session.post_close_ns


async def _page(link: HttpLink, query: dict[str, str]) -> BarsPage:
    """A question changes nothing, so it may be asked again."""
    target = f"/v2/stocks/bars?{urlencode(query)}"
    for attempt in range(ATTEMPTS):
        try:
            page = await get(link, target, decode_bars)
        except BrokerUnavailable:
            if attempt + 1 == ATTEMPTS:
                raise
            await trio.sleep(PAUSE_SECONDS * 2**attempt)
        else:
            if page is None:
                break
            return page
    raise BrokerUnavailable("GET /v2/stocks/bars: not found")

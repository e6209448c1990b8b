"""Bars of the past, from Alpaca's market-data REST."""

from urllib.parse import urlencode

from trader.brokers.alpaca.rest import PAGES_MAX, get, relied_on
from trader.brokers.alpaca.transport import HttpLink
from trader.model import Bar, Symbol
from trader.ports import BrokerRefused, BrokerUnavailable
from trader.wire.alpaca_data import HISTORY_DAYS, BarsPage, bar_of, bars_query, decode_bars
from trader.wire.unreadable import reading


async def bars_before(
    link: HttpLink, feed: str, symbol: Symbol, before_ns: int, count: int
) -> list[Bar]:
    """The last `count` one-minute bars that ended at or before, oldest first. Raises BrokerUnavailable."""
    bars: list[Bar] = []
    for days in HISTORY_DAYS:
        query = bars_query(symbol, feed, before_ns, days, count)
        bars = await _newest(link, query, symbol, before_ns, count)
        if len(bars) == count:
            break
    return bars


async def _newest(
    link: HttpLink, query: dict[str, str], symbol: Symbol, before_ns: int, count: int
) -> list[Bar]:
    bars: dict[int, Bar] = {}
    for _ in range(PAGES_MAX):
        page = await _page(link, query)
        with relied_on(), reading("bar"):
            for message in (page.bars or {}).get(symbol, []):
                bar = bar_of(symbol, message)
                if bar.start_ns + bar.span_ns <= before_ns:
                    bars[bar.start_ns] = bar
        if page.next_page_token is None or len(bars) >= count:
            return [bars[start_ns] for start_ns in sorted(bars)[-count:]]
        query = query | {"page_token": page.next_page_token}
    raise BrokerUnavailable("the broker's list of bars has no end")


async def _page(link: HttpLink, query: dict[str, str]) -> BarsPage:
    try:
        page = await get(link, f"/v2/stocks/bars?{urlencode(query)}", decode_bars)
    except BrokerRefused as refused:
        raise BrokerUnavailable(str(refused)) from None
    if page is None:
        raise BrokerUnavailable("GET /v2/stocks/bars: not found")
    return page

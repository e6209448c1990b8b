"""Bars of the past, from Alpaca's market-data REST."""

from collections.abc import Mapping
from urllib.parse import urlencode

from trader.brokers.alpaca.rest import PAGES_MAX, get, relied_on
from trader.brokers.alpaca.transport import HttpLink
from trader.model import MINUTE_NS, Bar, Symbol
from trader.ports import BrokerRefused, BrokerUnavailable
from trader.wire.alpaca_data import (
    HISTORY_DAYS,
    BarsPage,
    bar_of,
    bars_query,
    decode_bars,
    gap_query,
)
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


async def bars_between(
    link: HttpLink, feed: str, last_ns: Mapping[Symbol, int], before_ns: int
) -> list[Bar]:
    """The bars after each symbol's last one that have ended, in the order in which they ended.

    `last_ns` is the start of that bar. Raises BrokerUnavailable.
    """
    behind = {one: at for one, at in last_ns.items() if at + 2 * MINUTE_NS <= before_ns}
    if not behind:
        return []
    query = gap_query(sorted(behind), feed, min(behind.values()) + MINUTE_NS, before_ns)
    bars: list[Bar] = []
    for _ in range(PAGES_MAX):
        page = await _page(link, query)
        with relied_on(), reading("bar"):
            found = [
                bar_of(symbol, message)
                for symbol in behind
                for message in (page.bars or {}).get(symbol, [])
            ]
        bars += [
            bar
            for bar in found
            if bar.start_ns > behind[bar.symbol] and bar.start_ns + bar.span_ns <= before_ns
        ]
        if page.next_page_token is None:
            return sorted(bars, key=lambda bar: (bar.start_ns, bar.symbol))
        query = query | {"page_token": page.next_page_token}
    raise BrokerUnavailable("the broker's list of bars has no end")


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

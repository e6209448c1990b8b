"""Bars of one length, gathered from trades or from the middles of quotes: each has what was known when it ended.

A trade belongs to the bar in which it was, and one at the very end of a bar to the next. A quote at the end of a bar
is its close. A time without any has no bar.
"""

import re

import numpy as np

from trader.exits import Mistake
from trader.feeds.columns import Column, Columns
from trader.feeds.quotes import Quotes
from trader.model import MINUTE_NS, SECOND_NS, Symbol

SPAN_NS = MINUTE_NS
# Both ends of a session lie on half hours: what divides them lies across neither.
HALF_HOUR_NS = 30 * MINUTE_NS
UNITS_NS = {"s": SECOND_NS, "m": MINUTE_NS}


def span_of(text: str) -> int:
    """'30s', '1m' in nanoseconds; raises Mistake."""
    match = re.fullmatch(r"([0-9]{1,4})([sm])", text, re.ASCII)
    span_ns = int(match[1]) * UNITS_NS[match[2]] if match else 0
    if span_ns <= 0 or HALF_HOUR_NS % span_ns:
        raise Mistake(
            "not the length of a bar: seconds or minutes that divide half an hour",
            where=f"--bars {text[:40]}",
            remedy="1s, 10s, 30s, 1m, 5m, 15m, 30m",
        )
    return span_ns


def span_told(span_ns: int) -> str:
    """As `span_of` reads it."""
    minutes, seconds = divmod(span_ns // SECOND_NS, 60)
    return f"{minutes * 60 + seconds}s" if seconds else f"{minutes}m"


def bars_of_trades(
    symbol: Symbol, at_ns: Column, prices: Column, sizes: Column, span_ns: int
) -> Columns:
    """In order of time; prices in ticks, sizes in shares."""
    return _gathered(symbol, at_ns // span_ns, prices, sizes, span_ns)


def bars_of_quotes(quotes: Quotes, span_ns: int) -> Columns:
    """Of those with both sides: the middle of bid and ask, half-even where it lies between two ticks; no volume."""
    both = (quotes.bid > 0) & (quotes.ask > 0)
    total = (quotes.bid + quotes.ask)[both]
    middles = total // 2
    middles += (total % 2) & (middles % 2)
    # The bar ends no earlier than the quote is known.
    slots = (quotes.at_ns[both] - 1) // span_ns
    return _gathered(quotes.symbol, slots, middles, np.zeros_like(middles), span_ns)


def _gathered(
    symbol: Symbol, slots: Column, prices: Column, sizes: Column, span_ns: int
) -> Columns:
    """slots: the number of the bar, in order."""
    if not len(slots):
        none = np.zeros(0, np.int64)
        numbers = dict.fromkeys(
            ("start_ns", "ends_ns", "open", "high", "low", "close", "volume"), none
        )
        return Columns(symbol=symbol, **numbers)
    firsts = np.flatnonzero(np.append(True, slots[1:] != slots[:-1]))
    lasts = np.append(firsts[1:], len(slots)) - 1
    starts: Column = slots[firsts] * span_ns
    return Columns(
        symbol=symbol,
        start_ns=starts,
        ends_ns=starts + span_ns,
        open=prices[firsts],
        high=np.maximum.reduceat(prices, firsts),
        low=np.minimum.reduceat(prices, firsts),
        close=prices[lasts],
        volume=np.add.reduceat(sizes, firsts),
    )

"""Histories as a person would write them down, and a backtest over them."""

from collections.abc import Sequence
from decimal import Decimal

import numpy as np
from msgspec.structs import replace

from trader.backtest.outcome import Outcome
from trader.backtest.request import BacktestRequest, Fills
from trader.backtest.run import backtested
from trader.build import Build
from trader.calendar import session_on
from trader.config import Config, parse_config
from trader.feeds.columns import Columns
from trader.feeds.quotes import Quotes, quotes_of
from trader.journal.memory import MemoryJournal
from trader.model import MINUTE_NS, SECOND_NS, Symbol
from trader.simulator.scheduled import ScheduledEvent
from trader.venue import VenueTerms

CENT_TICKS = 100
BUILD = Build(version="0", identity="test", python="3", lock="")
JD, GS = Symbol("JD"), Symbol("GS")
MONDAY = "2026-01-26"
# In when a close is above the one before, out when it is below.
RISING = """
symbols = ["GS", "JD"]
[limits]
entries_per_symbol_per_day_max = 100
[strategies.rising]
kind = "sma-crossover"
params = { fast = 1, slow = 2 }
size = { shares = 10 }
"""
FREE = "[fees]\nsell_notional_rate = 0\nsell_share_rate = 0\nsell_share_cap = 1\n"


def minutes(
    symbol: Symbol,
    *closes: float,
    opens: Sequence[float] = (),
    lows: Sequence[float] = (),
    day: str = MONDAY,
    first: int = 0,
    span: int = 1,
    volume: int = 100_000,
) -> Columns:
    """Bars of so many minutes from the opening on, `first` of them left out; each opens where the one before closed.

    Before them comes one in which nothing moves: what rises in the first bar has risen over something.
    """
    session = session_on(day)
    assert session is not None
    still = closes[:1]
    closes, opens, lows = still + closes, opens and [*still, *opens], lows and [*still, *lows]
    starts = session.open_ns + (first - 1 + np.arange(len(closes))) * span * MINUTE_NS
    return _columns(symbol, starts, starts + span * MINUTE_NS, closes, opens, lows, volume)


def days(
    symbol: Symbol, dates: Sequence[str], *closes: float, opens: Sequence[float] = ()
) -> Columns:
    """A bar for each session."""
    sessions = [session for date in dates if (session := session_on(date)) is not None]
    starts = np.array([one.open_ns for one in sessions])
    ends = np.array([one.close_ns for one in sessions])
    return _columns(symbol, starts, ends, closes, opens, (), 100_000)


def quotes(symbol: Symbol, *told: tuple[float, ...], day: str = MONDAY) -> Quotes:
    """Each so many seconds after the opening: (seconds, bid, ask) or with the sizes of both, else 1,000 and 2,000."""
    session = session_on(day)
    assert session is not None
    rows = [(*one, 1_000, 2_000)[:5] for one in told]
    seconds, bids, asks, bid_sizes, ask_sizes = np.array(rows).T
    at_ns = session.open_ns + np.rint(seconds * 1_000).astype(np.int64) * (SECOND_NS // 1_000)
    bid, ask = (np.rint(one * 100).astype(np.int64) * CENT_TICKS for one in (bids, asks))
    sizes = (one.astype(np.int64) for one in (bid_sizes, ask_sizes))
    bid_size, ask_size = sizes
    return quotes_of(symbol, (at_ns, bid, bid_size, ask, ask_size))


def after(*parts: Columns) -> Columns:
    """One after the other, of one symbol."""
    names = ("start_ns", "ends_ns", "open", "high", "low", "close", "volume")
    joined = {name: np.concatenate([getattr(one, name) for one in parts]) for name in names}
    return Columns(symbol=parts[0].symbol, **joined)


def _columns(
    symbol: Symbol,
    starts: "np.typing.NDArray[np.int64]",
    ends: "np.typing.NDArray[np.int64]",
    closes: Sequence[float],
    opens: Sequence[float],
    lows: Sequence[float],
    volume: int,
) -> Columns:
    close = np.rint(np.array(closes) * 100).astype(np.int64) * CENT_TICKS
    opened = np.concatenate([close[:1], close[:-1]])
    if opens:
        opened = np.rint(np.array(opens) * 100).astype(np.int64) * CENT_TICKS
    low = np.minimum(opened, close)
    if lows:
        low = np.rint(np.array(lows) * 100).astype(np.int64) * CENT_TICKS
    return Columns(
        symbol=symbol,
        start_ns=starts.astype(np.int64),
        ends_ns=ends.astype(np.int64),
        open=opened,
        high=np.maximum(opened, close),
        low=low,
        close=close,
        volume=np.full(len(close), volume, np.int64),
    )


def outcome_of(
    *histories: Columns,
    config: Config | str = RISING + FREE,
    events: Sequence[ScheduledEvent] = (),
    journal: MemoryJournal | None = None,
    **more: object,
) -> Outcome:
    """Without a spread, unless `terms` has one."""
    read = parse_config(config) if isinstance(config, str) else config
    ordered = sorted(histories, key=lambda one: one.symbol)
    limited = replace(read, symbols=tuple(one.symbol for one in ordered))
    wanted: dict[str, object] = {
        "config": limited,
        "histories": ordered,
        "fills": Fills.OPEN,
        "terms": VenueTerms(spread_rate=Decimal(0)),
        "events": events,
    }
    request = BacktestRequest(**(wanted | more))  # type: ignore[arg-type]
    return backtested(request, BUILD, data="test", journal=journal)

"""A market that never was: seeded one-minute bars and quotes of ten well-known symbols, the same for the same seed.

Each symbol's day is a function of (seed, session, symbol) and of where the session before closed. Closes step from
session to session since BASE_DATE and are pulled towards the listed price, so they stay plausible; finding one costs
one random step a session. Within the day the minutes go through regimes (a rise, a fall, a drift sideways) of 10 to
40 minutes, are more volatile and busier towards both ends of the session, and end exactly on the day's close.
Only additions, multiplications and divisions of floats decide a price before it is rounded to cents: no logarithms
or exponentials, whose last digit differs between machines.
"""

from bisect import bisect_right
from collections.abc import Collection, Iterator
from functools import lru_cache
from random import Random

from msgspec import Struct

from trader.calendar import Session, new_york_date, next_session, session_on
from trader.feeds.market import Instant
from trader.model import MINUTE_NS, Bar, Quote, Symbol

BASE_DATE = "2026-01-02"  # the first session; there is no history before it
FIRST_SESSION = "2026-01-26"  # where a new account starts to trade
CENT_TICKS = 100
DAY_MOVE = 0.010  # typical, of a symbol with volatility 1
DAY_PULL = 0.2  # part of the distance to the listed price that a session takes back
GAP_MOVE = 0.002
MINUTE_MOVE = 0.0006
REGIME_DRIFT = 0.00018  # a minute; with these a 10/30 crossover trades often, and about breaks even
REGIME_MINUTES = (10, 40)
SESSIONS_CACHED = 64


class Listing(Struct, frozen=True, kw_only=True):
    """How a symbol trades: price and spread in cents, shares a day, and its moves relative to the others'."""

    price: int
    spread: int
    volume: int
    volatility: float


LISTINGS = {
    Symbol("AAPL"): Listing(price=25_800, spread=2, volume=45_000_000, volatility=0.9),
    Symbol("JD"): Listing(price=3_190, spread=1, volume=9_000_000, volatility=1.1),
    Symbol("TERN"): Listing(price=4_020, spread=4, volume=1_200_000, volatility=1.6),
    Symbol("TRIP"): Listing(price=1_840, spread=2, volume=2_500_000, volatility=1.2),
    Symbol("SNDK"): Listing(price=47_600, spread=24, volume=8_000_000, volatility=1.8),
    Symbol("CYBR"): Listing(price=44_500, spread=20, volume=900_000, volatility=0.8),
    Symbol("GS"): Listing(price=61_200, spread=18, volume=2_000_000, volatility=0.9),
    Symbol("T"): Listing(price=2_250, spread=1, volume=35_000_000, volatility=0.7),
    Symbol("SPY"): Listing(price=69_000, spread=1, volume=60_000_000, volatility=0.5),
    Symbol("IBM"): Listing(price=29_400, spread=6, volume=4_000_000, volatility=0.8),
}
DEFAULT_SYMBOLS = tuple(LISTINGS)[:8]  # SPY and IBM can be had too


class SyntheticMarket:
    """Every session of the calendar from BASE_DATE on; symbols: any of LISTINGS (ValueError: another)."""

    def __init__(self, seed: int, symbols: Collection[Symbol] = DEFAULT_SYMBOLS) -> None:
        unknown = sorted(set(symbols) - LISTINGS.keys())
        if unknown:
            known = ", ".join(LISTINGS)
            raise ValueError(f"the synthetic market has no {', '.join(unknown)}; it has {known}")
        self.seed = seed
        self.symbols = tuple(sorted(set(symbols)))

    def session_dates(self) -> None:
        """Not to be listed: every session of the calendar since BASE_DATE."""

    def instants(self, session_date: str) -> Iterator[Instant]:
        """09:30 with quotes alone, then each minute's bars with the quotes of its end."""
        session = _session(session_date)
        days = [_day(self.seed, session_date, symbol) for symbol in self.symbols]
        opening = tuple(day.opening for day in days)
        yield Instant(at_ns=session.open_ns, quotes=opening)
        for minute in range(len(days[0].bars) if days else 0):
            yield Instant(
                at_ns=session.open_ns + (minute + 1) * MINUTE_NS,
                bars=tuple(day.bars[minute] for day in days),
                quotes=tuple(day.quotes[minute] for day in days),
            )

    def history(self, symbol: Symbol, before_ns: int, count: int) -> list[Bar]:
        if symbol not in self.symbols or count <= 0:
            return []
        found: list[Bar] = []
        dates = _session_dates(new_york_date(before_ns))
        for session_date in reversed(dates):
            bars = _day(self.seed, session_date, symbol).bars
            known = bisect_right(bars, before_ns, key=_end_ns)
            found = [*bars[:known], *found]
            if len(found) >= count:
                break
        return found[-count:]


def _end_ns(bar: Bar) -> int:
    return bar.start_ns + bar.span_ns


class _Day(Struct, frozen=True, kw_only=True):
    opening: Quote
    bars: tuple[Bar, ...]
    quotes: tuple[Quote, ...]


def _session(session_date: str) -> Session:
    session = session_on(session_date)
    if session is None or session_date < BASE_DATE:
        raise ValueError(f"no session of {session_date} in a market that began on {BASE_DATE}")
    return session


@lru_cache(maxsize=SESSIONS_CACHED)
def _session_dates(last: str) -> tuple[str, ...]:
    """Sessions from BASE_DATE up to and including a date."""
    dates = []
    session_date = BASE_DATE
    while session_date <= last:
        dates.append(session_date)
        session_date = next_session(session_date).date
    return tuple(dates)


@lru_cache(maxsize=SESSIONS_CACHED)
def _closes(seed: int, session_date: str, symbol: Symbol) -> tuple[int, int]:
    """The close in cents of the session before this one, and of this one."""
    listing = LISTINGS[symbol]
    close = previous = listing.price
    for date in _session_dates(session_date):
        generator = _generator(seed, date, symbol)
        pull = DAY_PULL * (listing.price - close) / close
        step = pull + DAY_MOVE * listing.volatility * _bell(generator)
        previous, close = close, max(1, round(close * (1 + step)))
    return previous, close


@lru_cache(maxsize=SESSIONS_CACHED)
def _day(seed: int, session_date: str, symbol: Symbol) -> _Day:
    session, listing = _session(session_date), LISTINGS[symbol]
    previous, close = _closes(seed, session_date, symbol)
    generator = _generator(seed, session_date, symbol)
    _bell(generator)  # the day's step, taken by _closes
    opened = max(1, round(previous * (1 + GAP_MOVE * listing.volatility * _bell(generator))))
    minutes = (session.close_ns - session.open_ns) // MINUTE_NS
    path = _path(generator, opened, close, minutes, listing.volatility)
    opening = _quote(generator, symbol, session.open_ns, opened, listing.spread * 2)
    bars, quotes = [], []
    for minute, bar_close in enumerate(path):
        busy = _busy(minute, minutes)
        start_ns = session.open_ns + minute * MINUTE_NS
        bar_open = path[minute - 1] if minute else opened
        bars.append(_bar(generator, symbol, start_ns, bar_open, bar_close, busy, minutes))
        spread = listing.spread * 2 if minute < 5 else listing.spread
        quotes.append(_quote(generator, symbol, start_ns + MINUTE_NS, bar_close, spread))
    return _Day(opening=opening, bars=tuple(bars), quotes=tuple(quotes))


def _path(generator: Random, opened: int, close: int, minutes: int, volatility: float) -> list[int]:
    """The close of each minute in cents: noise around regimes, tilted so that the last one is the day's close."""
    wander, drift, left = 0.0, 0.0, 0
    offsets = []
    for minute in range(minutes):
        if not left:
            drift = _next_drift(generator, drift)
            left = generator.randint(*REGIME_MINUTES)
        left -= 1
        noise = MINUTE_MOVE * (0.6 + 0.4 * _busy(minute, minutes)) * _bell(generator)
        # Sideways, a minute takes back part of where the regime before has led.
        pull = -0.02 * wander if not drift else 0.0
        wander += volatility * (drift + noise) + pull
        offsets.append(wander)
    tilt = (close / opened - 1 - wander) / minutes
    return [
        max(1, round(opened * (1 + offset + tilt * (minute + 1))))
        for minute, offset in enumerate(offsets)
    ]


def _next_drift(generator: Random, drift: float) -> float:
    """Another regime than the last."""
    others = [choice for choice in (-REGIME_DRIFT, 0.0, REGIME_DRIFT) if choice != drift]
    return others[int(generator.random() * len(others))]


def _bar(
    generator: Random,
    symbol: Symbol,
    start_ns: int,
    opened: int,
    close: int,
    busy: float,
    minutes: int,
) -> Bar:
    listing = LISTINGS[symbol]
    reach = max(opened, close) * MINUTE_MOVE * listing.volatility * busy
    high = max(opened, close) + int(reach * generator.random())
    low = max(1, min(opened, close) - int(reach * generator.random()))
    volume = int(listing.volume / minutes * busy * (0.5 + generator.random()))
    return Bar(
        symbol=symbol,
        start_ns=start_ns,
        open=opened * CENT_TICKS,
        high=high * CENT_TICKS,
        low=low * CENT_TICKS,
        close=close * CENT_TICKS,
        volume=volume,
    )


def _quote(generator: Random, symbol: Symbol, at_ns: int, price: int, spread: int) -> Quote:
    """bid <= price <= ask: the last trade was at the bid, at the ask, or between."""
    bid = max(1, price - _below(generator, spread + 1))
    return Quote(
        symbol=symbol,
        at_ns=at_ns,
        bid=bid * CENT_TICKS,
        bid_size=(1 + _below(generator, 40)) * 100,
        ask=(bid + spread) * CENT_TICKS,
        ask_size=(1 + _below(generator, 40)) * 100,
    )


def _busy(minute: int, minutes: int) -> float:
    """The U of a trading day: 0.6 at noon, 1.8 at its ends, about 1 on average."""
    from_noon = 2 * (minute + 0.5) / minutes - 1
    return 0.6 + 1.2 * from_noon * from_noon


def _bell(generator: Random) -> float:
    """Roughly normal, mean 0, deviation 1, never beyond 3.5."""
    draw = generator.random
    return (draw() + draw() + draw() + draw() - 2) * 1.732


def _below(generator: Random, bound: int) -> int:
    """As Random.randrange draws it, without its looks at what it is given: a day takes a thousand."""
    bits = bound.bit_length()
    drawn = generator.getrandbits(bits)
    while drawn >= bound:
        drawn = generator.getrandbits(bits)
    return drawn


def _generator(seed: int, session_date: str, symbol: Symbol) -> Random:
    return Random(f"{seed}/{session_date}/{symbol}")

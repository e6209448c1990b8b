import subprocess
import sys
from decimal import Decimal
from itertools import pairwise
from statistics import fmean

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trader.calendar import iso, next_session, session_on
from trader.feeds import synthetic
from trader.feeds.market import Instant, Market
from trader.feeds.synthetic import BASE_DATE, DEFAULT_SYMBOLS, FIRST_SESSION, LISTINGS
from trader.market_guard import Guard
from trader.model import Bar, Quote, Side, Size, StrategyName, Symbol
from trader.strategies import build
from trader.strategies.base import SymbolView

SECOND_SESSION = next_session(FIRST_SESSION).date
JD = Symbol("JD")


def market(seed: int = 7, *symbols: str) -> synthetic.SyntheticMarket:
    return synthetic.SyntheticMarket(seed, [Symbol(name) for name in symbols] or DEFAULT_SYMBOLS)


def day(of: Market, date: str = FIRST_SESSION) -> list[Instant]:
    return list(of.instants(date))


def bars(instants: list[Instant], symbol: Symbol) -> list[Bar]:
    return [bar for instant in instants for bar in instant.bars if bar.symbol == symbol]


def quotes(instants: list[Instant], symbol: Symbol) -> list[Quote]:
    return [quote for instant in instants for quote in instant.quotes if quote.symbol == symbol]


def forget() -> None:
    """What a new process would start with."""
    for cached in (synthetic._day, synthetic._closes, synthetic._session_dates):
        cached.cache_clear()


def test_a_session_has_its_opening_quotes_and_three_hundred_and_ninety_minutes() -> None:
    instants = day(market())
    session = session_on(FIRST_SESSION)
    assert session is not None
    assert len(instants) == 391
    assert (instants[0].at_ns, instants[-1].at_ns) == (session.open_ns, session.close_ns)
    assert instants[0].bars == ()
    for instant in instants:
        assert [quote.symbol for quote in instant.quotes] == sorted(DEFAULT_SYMBOLS)
        assert all(quote.at_ns == instant.at_ns for quote in instant.quotes)
    for instant in instants[1:]:
        assert [bar.symbol for bar in instant.bars] == sorted(DEFAULT_SYMBOLS)
        assert all(bar.start_ns + bar.span_ns == instant.at_ns for bar in instant.bars)
    assert all(before.at_ns < after.at_ns for before, after in pairwise(instants))


def test_half_a_session_has_two_hundred_and_ten_minutes() -> None:
    assert len(day(market(7, "JD"), "2026-11-27")) == 211


def test_the_eight_symbols_of_the_program_are_there_and_two_more_can_be_had() -> None:
    assert set(DEFAULT_SYMBOLS) == {"AAPL", "JD", "TERN", "TRIP", "SNDK", "CYBR", "GS", "T"}
    assert market(7, "SPY", "IBM").symbols == ("IBM", "SPY")
    with pytest.raises(ValueError, match="has no XYZ; it has AAPL"):
        market(7, "XYZ")


@pytest.mark.parametrize("symbol", LISTINGS)
def test_every_tick_is_sound_and_the_quote_holds_the_close(symbol: Symbol) -> None:
    instants = [*day(market(3, symbol)), *day(market(3, symbol), SECOND_SESSION)]
    guard = Guard(symbol)
    for instant in instants:
        (quote,) = instant.quotes
        assert 0 < quote.bid < quote.ask
        assert min(quote.bid_size, quote.ask_size) >= 100
        assert guard.judge_quote(quote, instant.at_ns) is None
        for bar in instant.bars:
            assert quote.bid <= bar.close <= quote.ask
            assert bar.volume > 0
            assert guard.judge_bar(bar, instant.at_ns) is None


def test_prices_are_plausible_on_the_first_day_of_any_seed() -> None:
    for seed in range(1, 6):
        instants = day(market(seed, *LISTINGS))
        for symbol, listing in LISTINGS.items():
            average = fmean(bar.close for bar in bars(instants, symbol)) / 100
            assert abs(average / listing.price - 1) < 0.10, (seed, symbol)


def test_a_session_starts_near_the_close_of_the_one_before() -> None:
    for seed in range(1, 6):
        today, tomorrow = day(market(seed)), day(market(seed), SECOND_SESSION)
        for symbol in DEFAULT_SYMBOLS:
            close, opened = bars(today, symbol)[-1].close, bars(tomorrow, symbol)[0].open
            assert abs(opened / close - 1) < 0.02


def test_the_ends_of_the_day_are_busier_and_wilder_than_noon() -> None:
    ends, noon, ends_moves, noon_moves = [], [], [], []
    for symbol in DEFAULT_SYMBOLS:
        of_day = bars(day(market()), symbol)
        for minute, bar in enumerate(of_day):
            if not 30 <= minute < 360:
                ends.append(bar.volume / LISTINGS[symbol].volume)
                ends_moves.append((bar.high - bar.low) / bar.close)
            elif 150 <= minute < 240:
                noon.append(bar.volume / LISTINGS[symbol].volume)
                noon_moves.append((bar.high - bar.low) / bar.close)
    assert fmean(ends) > 2 * fmean(noon)
    assert fmean(ends_moves) > 1.2 * fmean(noon_moves)


def test_a_crossover_has_something_to_do_in_every_symbol() -> None:
    for seed in (1, 7):
        of = market(seed)
        instants = day(of)
        for symbol in DEFAULT_SYMBOLS:
            entries = crossings(of, instants, symbol)
            assert 2 <= entries <= 20, (seed, symbol, entries)


def crossings(of: Market, instants: list[Instant], symbol: Symbol) -> int:
    """How often the default crossover enters in the day, each wish being filled at once."""
    name = StrategyName("sma-crossover")
    strategy = build(name, name, {}, Size(unit="shares", amount=Decimal(1)))
    flat = SymbolView(symbol=symbol)
    held = SymbolView(symbol=symbol, quantity=Decimal(1), strategy=name)
    for bar in of.history(symbol, instants[0].at_ns, strategy.bars_needed):
        strategy.on_bar(bar, flat)
    view, entries = flat, 0
    for bar in bars(instants, symbol):
        for wish in strategy.on_bar(bar, view):
            view = held if wish.side is Side.BUY else flat
            entries += wish.side is Side.BUY
    return entries


@settings(max_examples=20)
@given(
    st.integers(-(2**64), 2**64),
    st.permutations([FIRST_SESSION, SECOND_SESSION, BASE_DATE]),
    st.sampled_from(DEFAULT_SYMBOLS),
)
def test_what_was_asked_before_and_who_else_trades_changes_nothing(
    seed: int, dates: list[str], symbol: Symbol
) -> None:
    forget()
    alone = {date: day(market(seed, symbol), date) for date in sorted(dates)}
    forget()
    with_another = {date: day(market(seed, "SPY", symbol), date) for date in dates}
    for date in dates:
        assert bars(alone[date], symbol) == bars(with_another[date], symbol)
        assert quotes(alone[date], symbol) == quotes(with_another[date], symbol)


def test_another_seed_is_another_market() -> None:
    assert bars(day(market(1)), JD) != bars(day(market(2)), JD)


def test_the_hash_seed_of_the_process_changes_nothing() -> None:
    program = (
        "from trader.feeds.synthetic import SyntheticMarket\n"
        "import hashlib\n"
        f"days = list(SyntheticMarket(7).instants({FIRST_SESSION!r}))\n"
        "print(hashlib.sha256(repr(days).encode()).hexdigest())\n"
    )
    printed = {
        subprocess.run(
            [sys.executable, "-c", program],
            env={"PYTHONHASHSEED": hash_seed},
            capture_output=True,
            check=True,
        ).stdout
        for hash_seed in ("0", "1")
    }
    assert len(printed) == 1


def test_history_before_the_open_is_the_session_before() -> None:
    of = market()
    session = session_on(FIRST_SESSION)
    assert session is not None
    history = of.history(JD, session.open_ns, 31)
    assert len(history) == 31
    assert iso(history[-1].start_ns) == "2026-01-23T20:59:00.000Z"
    assert history == bars(day(of, "2026-01-23"), JD)[-31:]


def test_history_reaches_over_sessions_and_never_into_the_future() -> None:
    of = market()
    instants = day(of)
    at_ns = instants[100].at_ns
    history = of.history(JD, at_ns, 500)
    assert len(history) == 500
    assert history[-100:] == bars(instants, JD)[:100]
    assert history[:-100] == bars(day(of, "2026-01-22"), JD)[-10:] + bars(day(of, "2026-01-23"), JD)
    assert of.history(JD, at_ns - 1, 1) == [history[-2]]
    assert of.history(JD, at_ns, 0) == []
    assert of.history(Symbol("SPY"), at_ns, 5) == []


def test_there_is_nothing_before_the_first_session_of_all() -> None:
    session = session_on(BASE_DATE)
    assert session is not None
    assert market().history(JD, session.open_ns, 31) == []
    for date in ("2025-12-31", "2026-01-24"):
        with pytest.raises(ValueError, match=f"no session of {date}"):
            day(market(), date)

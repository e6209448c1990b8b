"""The recorded market on real files: four shares, six sessions of October 2013, as they are."""

from itertools import pairwise
from pathlib import Path
from statistics import fmean

import pytest

from trader.calendar import iso, phase, session_on
from trader.feeds.recorded import MarketDataError, RecordedMarket
from trader.market_guard import Guard
from trader.model import SECOND_NS, Phase, Symbol

DATA = Path(__file__).parents[2].parent / "shared" / "market-data"
pytestmark = pytest.mark.skipif(
    not DATA.is_dir(), reason="there is no ../shared/market-data beside the project"
)
SYMBOLS = tuple(Symbol(name) for name in ("AIG", "BAC", "IBM", "SPY"))
DATES = ["2013-10-04", "2013-10-07", "2013-10-08", "2013-10-09", "2013-10-10", "2013-10-11"]


def test_the_minutes_of_four_shares_are_six_sessions_with_their_pre_market() -> None:
    market = RecordedMarket([DATA / "minute"], SYMBOLS)
    assert market.symbols == SYMBOLS
    assert market.session_dates() == DATES
    for date in DATES:
        session = session_on(date)
        assert session is not None
        instants = list(market.instants(date))
        assert all(before.at_ns < after.at_ns for before, after in pairwise(instants))
        phases = [phase(bar.start_ns) for instant in instants for bar in instant.bars]
        assert set(phases) == {Phase.PRE, Phase.REGULAR, Phase.POST}
        assert phases.count(Phase.REGULAR) >= 4 * 385
        assert market.symbols_without_quotes(date) == SYMBOLS
        assert all(len(instant.bars) == len(instant.quotes) for instant in instants)


def test_quotes_lie_beside_their_bars_and_are_never_early() -> None:
    """If a quote came a minute before it was known, it would be nearer to the bar that follows."""
    market = RecordedMarket([DATA / "minute", DATA / "quote"])
    assert market.symbols_without_quotes("2013-10-04") == SYMBOLS
    assert market.symbols_without_quotes("2013-10-07") == ()
    closes, middles = {}, {}
    for instant in market.instants("2013-10-07"):
        for bar in instant.bars:
            if bar.symbol == "SPY":
                closes[instant.at_ns] = bar.close
        for quote in instant.quotes:
            if quote.symbol == "SPY" and quote.bid and quote.ask:
                middles[instant.at_ns] = (quote.bid + quote.ask) / 2

    def distance(minutes: int) -> float:
        shift_ns = minutes * 60 * SECOND_NS
        both = [at_ns for at_ns in middles if at_ns + shift_ns in closes]
        return fmean(abs(closes[at_ns + shift_ns] - middles[at_ns]) for at_ns in both)

    assert distance(0) < min(distance(-1), distance(1)) / 2


@pytest.mark.parametrize("folder", ["minute", "second", "."])
def test_the_guard_finds_nothing_wrong_with_real_prices(folder: str) -> None:
    market = RecordedMarket([DATA / folder])
    guards = {symbol: Guard(symbol) for symbol in market.symbols}
    for date in market.session_dates():
        for instant in market.instants(date):
            for bar in instant.bars:
                assert guards[bar.symbol].judge_bar(bar, instant.at_ns) is None
            for quote in instant.quotes:
                assert guards[quote.symbol].judge_quote(quote, instant.at_ns) is None


def test_bars_of_a_second_are_served_a_second_after_their_start() -> None:
    market = RecordedMarket([DATA / "second"], [Symbol("IBM")])
    assert market.session_dates() == ["2013-10-08"]
    first = next(market.instants("2013-10-08"))
    assert first.bars[0].span_ns == SECOND_NS
    assert first.at_ns - first.bars[0].start_ns == SECOND_NS


def test_the_history_before_a_session_is_the_evening_before() -> None:
    market = RecordedMarket([DATA / "minute"])
    session = session_on("2013-10-07")
    assert session is not None
    history = market.history(Symbol("IBM"), session.pre_open_ns, 31)
    assert len(history) == 31
    assert all(iso(bar.start_ns).startswith("2013-10-04") for bar in history)


@pytest.mark.parametrize(("folder", "said"), [("tick", "'open' is missing"), ("daily", "zone")])
def test_folders_of_another_kind_are_refused_in_one_line(folder: str, said: str) -> None:
    with pytest.raises(MarketDataError, match=said) as caught:
        RecordedMarket([DATA / folder])
    assert "\n" not in str(caught.value)

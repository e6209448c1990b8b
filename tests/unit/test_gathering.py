"""Bars gathered of trades and of quotes: each of what was known when it ended, and of nothing else."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.histories import JD
from trader.exits import Mistake
from trader.feeds.columns import Columns
from trader.feeds.gathering import bars_of_quotes, bars_of_trades, span_of, span_told
from trader.feeds.market import MarketTrade
from trader.feeds.quotes import quotes_of
from trader.feeds.recorded import minutes_of
from trader.model import MINUTE_NS, SECOND_NS

TRADES = st.lists(
    st.tuples(st.integers(0, 10 * MINUTE_NS), st.integers(1, 10**6), st.integers(1, 10**6))
).map(sorted)


def gathered(trades: list[tuple[int, int, int]], span_ns: int = MINUTE_NS) -> Columns:
    at_ns, prices, sizes = np.array(trades, np.int64).reshape(-1, 3).T
    return bars_of_trades(JD, at_ns, prices, sizes, span_ns)


def middles(*quotes: tuple[int, int, int], span_ns: int = MINUTE_NS) -> Columns:
    at_ns, bid, ask = np.array(quotes, np.int64).reshape(-1, 3).T
    return bars_of_quotes(quotes_of(JD, (at_ns, bid, bid, ask, ask)), span_ns)


@given(TRADES)
def test_minutes_of_trades_are_those_of_the_simulated_broker(
    trades: list[tuple[int, int, int]],
) -> None:
    told = [
        MarketTrade(symbol=JD, at_ns=at_ns, price=price, size=size, number=number)
        for number, (at_ns, price, size) in enumerate(trades, 1)
    ]
    assert [*gathered(trades).bars()] == [*minutes_of(told)]


@given(TRADES, st.sampled_from([SECOND_NS, 30 * SECOND_NS, 5 * MINUTE_NS]))
def test_no_bar_has_anything_of_later_and_what_is_cut_off_changes_none_before(
    trades: list[tuple[int, int, int]], span_ns: int
) -> None:
    bars = [*gathered(trades, span_ns).bars()]
    for bar in bars:
        ends_ns = bar.start_ns + bar.span_ns
        known = [one for one in trades if one[0] < ends_ns]
        assert [*gathered(known, span_ns).bars()][-1] == bar
    assert sum(bar.volume for bar in bars) == sum(size for _, _, size in trades)


@given(
    st.lists(
        st.tuples(st.integers(1, 9 * MINUTE_NS), st.integers(0, 99), st.integers(0, 99)), min_size=1
    )
)
def test_a_bar_of_quotes_closes_with_the_last_that_is_known_when_it_ends(
    quotes: list[tuple[int, int, int]],
) -> None:
    quotes = sorted({at_ns: (at_ns, bid, bid + ask) for at_ns, bid, ask in quotes}.values())
    for bar in middles(*quotes).bars():
        ends_ns = bar.start_ns + bar.span_ns
        _, bid, ask = max(one for one in quotes if one[0] <= ends_ns and one[1])
        assert abs(2 * bar.close - (bid + ask)) <= 1
        assert bar.low <= min(bar.open, bar.close) <= max(bar.open, bar.close) <= bar.high
        assert bar.volume == 0


def test_a_middle_between_two_ticks_is_the_even_one() -> None:
    assert [bar.close for bar in middles((1, 10, 13), (MINUTE_NS + 1, 11, 14)).bars()] == [12, 12]


def test_a_quote_at_the_end_of_a_bar_is_its_close_and_a_trade_there_is_of_the_next() -> None:
    [bar] = middles((1, 10, 10), (MINUTE_NS, 20, 20)).bars()
    assert (bar.start_ns, bar.open, bar.close) == (0, 10, 20)
    first, second = gathered([(1, 10, 1), (MINUTE_NS, 20, 1)]).bars()
    assert (first.close, second.start_ns, second.open) == (10, MINUTE_NS, 20)


def test_quotes_with_one_side_have_no_middle() -> None:
    assert len(middles((1, 10, 0), (2, 0, 10))) == 0


@pytest.mark.parametrize(
    ("text", "seconds"), [("1s", 1), ("90s", 90), ("1m", 60), ("5m", 300), ("30m", 1800)]
)
def test_a_length_is_read_and_told(text: str, seconds: int) -> None:
    assert span_of(text) == seconds * SECOND_NS
    assert span_of(span_told(span_of(text))) == span_of(text)


@pytest.mark.parametrize("text", ["", "0s", "1", "m", "7m", "1h", "60m", "1.5m", "-1m", "99999s"])
def test_other_lengths_are_a_mistake(text: str) -> None:
    with pytest.raises(Mistake, match="divide half an hour"):
        span_of(text)

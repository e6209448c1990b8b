"""A backtest over quotes that were told: what trades with which of them, and that none is seen before its time."""

from collections.abc import Sequence
from decimal import Decimal
from itertools import accumulate
from random import Random

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.histories import FREE, GS, JD, RISING, after, minutes, outcome_of, quotes
from trader.backtest.outcome import Outcome
from trader.backtest.request import Fills
from trader.calendar import iso
from trader.feeds.columns import Columns, between
from trader.feeds.quotes import Quotes
from trader.feeds.quotes import between as quotes_between
from trader.journal.memory import MemoryJournal
from trader.messages import OrderRequest
from trader.model import SECOND_NS, Side
from trader.money import price_of
from trader.venue import VenueTerms

TUESDAY = "2026-01-27"
# What rises at 09:32 is bought, what falls at 09:34 is sold.
HILL = minutes(JD, 30, 31, 31, 30, 30, 30)


def filled(*told: Quotes, history: Columns = HILL, **more: object) -> Outcome:
    return outcome_of(history, fills=Fills.NEXT_QUOTE, quotes=told, **more)  # type: ignore[arg-type]


def fills(outcome: Outcome) -> list[tuple[str, str, int, str]]:
    return [
        (iso(one.at_ns)[11:19], one.side.value, int(one.quantity), str(one.price))
        for one in outcome.fills
    ]


def test_buys_trade_at_the_ask_and_sales_at_the_bid_of_the_next_quote() -> None:
    told = quotes(JD, (119, 30.98, 31), (121, 31.01, 31.05), (239, 30.2, 30.3), (250, 30.1, 30.2))
    assert fills(filled(told)) == [
        ("14:32:01", "BUY", 10, "31.05"),
        ("14:34:10", "SELL", 10, "30.1"),
    ]


def test_a_quote_of_the_moment_of_a_decision_is_one_that_it_was_decided_on() -> None:
    told = quotes(JD, (60, 29.99, 30), (120, 30.98, 31), (180, 31.1, 31.12))
    assert fills(filled(told)) == [("14:33:00", "BUY", 10, "31.12")]


def test_a_second_order_does_not_meet_the_quote_that_the_first_one_waits_for() -> None:
    """A stop rests since 09:32, and waits for the quote of 09:34, at which the exit is decided."""
    config = RISING + "protection = { stop = 0.2 }\n" + FREE
    told = quotes(
        JD,
        (119, 30.98, 31),
        (121, 30.98, 31),
        (240, 30.3, 30.4),
        (241, 30.2, 30.3),
        (299, 30.2, 30.3),
    )
    assert fills(filled(told, config=config))[-1] == ("14:34:01", "SELL", 10, "30.2")


def test_an_order_under_way_meets_no_quote() -> None:
    told = quotes(JD, (119, 30.9, 31), (121, 31, 31.02), (124.5, 31, 31.04), (126, 31, 31.06))
    terms = VenueTerms(latency_ns=5 * SECOND_NS)
    assert fills(filled(told, terms=terms)) == [("14:32:06", "BUY", 10, "31.06")]


def test_no_more_trades_than_is_quoted_and_the_rest_with_the_next() -> None:
    told = quotes(JD, (119, 30.9, 31), (121, 31, 31.02, 100, 4), (122, 31, 31.03, 100, 5))
    found = filled(told, quotes(GS, (1, 1, 2)))
    assert fills(found) == [("14:32:01", "BUY", 4, "31.02"), ("14:32:02", "BUY", 5, "31.03")]


def test_a_side_that_is_not_there_is_none_to_trade_with() -> None:
    told = quotes(JD, (119, 30.9, 31), (121, 31, 0, 100, 0), (122, 31, 31.03))
    assert fills(filled(told)) == [("14:32:02", "BUY", 10, "31.03")]


def test_a_bar_that_goes_through_a_limit_fills_nothing_where_there_are_quotes() -> None:
    """Half a percent above the ask is the limit: 31.16 here. Bars come to it, quotes don't."""
    history = minutes(JD, 30, 31, 31, 31, 31, 31)
    told = quotes(JD, (119, 30.98, 31), (121, 31.4, 31.5), (181, 31.4, 31.5), (241, 31, 31.1))
    assert fills(filled(told, history=history)) == [("14:34:01", "BUY", 10, "31.1")]


def test_a_stop_sells_with_the_quote_after_it_was_touched() -> None:
    config = RISING + "protection = { stop = 0.05 }\n" + FREE
    history = minutes(JD, 30, 31, 31, 31, 31.1, 31.2, lows=(30, 30, 31, 29, 31, 31))
    told = quotes(JD, (119, 30.98, 31), (121, 30.98, 31), (239, 30.9, 31), (245, 28.8, 28.9))
    sold = filled(told, history=history, config=config).fills[-1]
    assert (sold.side, sold.purpose.value, sold.price) == (Side.SELL, "stop", Decimal("28.8"))
    assert sold.at_ns == int(told.at_ns[-1])


def test_a_symbol_without_quotes_trades_at_the_next_open_and_the_report_says_both() -> None:
    other = minutes(GS, 20, 21, 21, 20, 20, opens=(20, 20, 21.1, 21, 19.9))
    told = quotes(JD, (119, 30.98, 31), (121, 31.01, 31.05))
    found = outcome_of(HILL, other, fills=Fills.NEXT_QUOTE, quotes=[told])
    assert {(one.symbol, str(one.price)) for one in found.fills} == {
        (JD, "31.05"), (GS, "21.1"), (GS, "19.9"),
    }  # fmt: skip
    assert found.assumed[0].startswith("buys trade at the ask, sales at the bid of the next quote")
    assert found.assumed[1] == (
        "GS had no quotes: orders trade at the open of the next bar, 0 basis points worse"
    )


def test_days_without_quotes_are_named_and_nothing_trades_on_them() -> None:
    history = after(HILL, minutes(JD, 30, 31, 31, 30, 30, 30, day=TUESDAY))
    found = filled(
        quotes(JD, (119, 30.98, 31), (121, 31.01, 31.05), (241, 29, 30)), history=history
    )
    assert {one.session for one in found.fills} == {"2026-01-26"}
    assert "JD had no quotes on 2026-01-27: nothing of it trades then" in found.assumed


def test_what_is_decided_after_a_days_last_quote_trades_with_none() -> None:
    """Quotes of a Saturday are nobody's, and an order for the day expires with it."""
    history = after(minutes(JD, 30, 31), minutes(JD, 31, 31, day="2026-02-02"))
    saturday = 86_400 * 5
    told = quotes(JD, (119, 30.98, 31), (saturday, 30.9, 31), (saturday + 9, 30.9, 31.01))
    found = filled(told, history=history)
    assert (found.orders, found.fills, found.unfilled) == (1, (), 0)


def test_the_request_carries_the_quote_that_stood() -> None:
    journal = MemoryJournal()
    told = quotes(JD, (100, 30.5, 30.6), (119, 30.98, 31), (121, 31.01, 31.05))
    filled(told, journal=journal)
    first = decided(journal)[0]
    assert first.quote == told.quote(1)


def test_without_being_asked_for_quotes_mean_nothing() -> None:
    told = quotes(JD, (119, 30.98, 31), (121, 31.01, 31.05))
    assert outcome_of(HILL, quotes=[told]) == outcome_of(HILL)


def test_what_was_left_out_and_made_is_in_the_outcome() -> None:
    found = outcome_of(HILL, told=["bars are made"], left_out=["a quote was crossed"])
    assert "bars are made" in found.assumed
    assert found.unfit == ("a quote was crossed",)


# --- whatever the market does


def decided(journal: MemoryJournal) -> list[OrderRequest]:
    return [one.input for one in journal.entries() if isinstance(one.input, OrderRequest)]


@st.composite
def markets(draw: st.DrawFn) -> tuple[Columns, Quotes]:
    """Bars of minutes, and quotes around them at any moment: also at the very end of a bar, wide ones and one-sided."""
    random = Random(draw(st.integers(0, 2**32)))
    closes = list(
        accumulate(random.choices((-0.04, -0.01, 0, 0.01, 0.04), k=random.randint(4, 40)))
    )
    closes = [round(30 + one, 2) for one in closes]
    told: list[tuple[float, ...]] = []
    seconds = 0.0
    while seconds < 60 * len(closes):
        close, size = closes[int(seconds / 60)], random.choice((0, 3, 500))
        ask = close + random.choice((0.01, 0.02, 0.3)) if size else 0
        told.append((seconds, close, ask, 500, size))
        seconds += random.choice((0.5, 7, 29.5, 60 - seconds % 60))
    return minutes(JD, *closes), quotes(JD, *told)


@settings(max_examples=60)
@given(markets(), st.sampled_from([0, 1, 45]))
def test_nothing_trades_better_than_the_quote_that_stood_nor_with_one_of_before_it_was_decided(
    market: tuple[Columns, Quotes], latency_s: int
) -> None:
    history, told = market
    journal = MemoryJournal()
    terms = VenueTerms(latency_ns=latency_s * SECOND_NS)
    found = filled(told, history=history, terms=terms, journal=journal)
    asked_ns = {one.at_ns for one in decided(journal)}
    for one in found.fills:
        stood = told.standing(one.at_ns)
        assert stood is not None
        is_buy = one.side is Side.BUY
        side, size = (stood.ask, stood.ask_size) if is_buy else (stood.bid, stood.bid_size)
        assert (one.price >= price_of(side)) if is_buy else (one.price <= price_of(side))
        assert one.quantity <= size
        assert stood.at_ns == one.at_ns
        assert any(at_ns + terms.latency_ns <= one.at_ns != at_ns for at_ns in asked_ns)


@settings(max_examples=40)
@given(markets(), st.data())
def test_without_what_comes_later_the_same_is_decided_and_trades(
    market: tuple[Columns, Quotes], data: st.DataObject
) -> None:
    history, told = market
    cut_ns = int(data.draw(st.sampled_from(history.ends_ns.tolist())))
    whole, part = MemoryJournal(), MemoryJournal()
    all_of_it = filled(told, history=history, journal=whole)
    shorter = filled(
        quotes_between(told, 0, cut_ns), history=between(history, 0, cut_ns), journal=part
    )
    assert until(cut_ns, decided(whole)) == decided(part)
    assert [one for one in all_of_it.fills if one.at_ns <= cut_ns] == [*shorter.fills]


def until(cut_ns: int, requests: Sequence[OrderRequest]) -> list[OrderRequest]:
    return [one for one in requests if one.at_ns <= cut_ns]


def test_the_same_request_gives_the_same_journal() -> None:
    told = quotes(
        JD, *((second, 30 + np.sin(second), 30.02 + np.sin(second)) for second in range(360))
    )
    heads = set()
    for _ in range(2):
        journal = MemoryJournal()
        filled(told, journal=journal)
        heads.add(journal.head_hash)
    assert len(heads) == 1

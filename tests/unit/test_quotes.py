"""Quotes as columns: which one stands, and which are left out as a run's guard would leave them out."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.histories import JD, quotes
from trader.feeds.quotes import (
    Quotes,
    between,
    chosen,
    dates_of,
    fit_quotes,
    joined,
    known_ns,
    quotes_of,
)
from trader.market_guard import Guard
from trader.model import MINUTE_NS, SECOND_NS

CALM = quotes(JD, (0, 30, 30.02), (1, 30, 30.01), (2, 30.01, 30.02), (3, 30, 30.02))
OPEN_NS = int(CALM.at_ns[0])


def test_the_last_that_is_known_stands() -> None:
    first_ns = int(CALM.at_ns[0])
    assert CALM.standing(first_ns - 1) is None
    assert CALM.standing(first_ns) == CALM.quote(0)
    assert CALM.standing(first_ns + SECOND_NS - 1) == CALM.quote(0)
    assert CALM.standing(first_ns + SECOND_NS) == CALM.quote(1)
    assert CALM.place_after(first_ns + SECOND_NS) == 2


def test_of_several_of_one_moment_the_last_stands() -> None:
    told = quotes(JD, (0, 30, 30.02), (0, 31, 31.02), (1, 30, 30.02), (1, 30, 30.02))
    assert [told.quote(place).bid for place in range(len(told))] == [310_000, 300_000]


def test_parts_are_put_together_and_cut() -> None:
    assert same(
        joined([between(CALM, 0, int(CALM.at_ns[1])), chosen(CALM, CALM.at_ns > CALM.at_ns[1])]),
        CALM,
    )
    assert len(between(CALM, int(CALM.at_ns[0]), int(CALM.at_ns[2]))) == 2
    assert len(joined([CALM, CALM])) == 8


def test_stamps_of_whole_minutes_are_known_a_minute_later() -> None:
    minutes = np.array([0, 1, 5]) * MINUTE_NS
    assert (known_ns(minutes) == minutes + MINUTE_NS).all()
    seconds = minutes + np.array([0, 0, SECOND_NS])
    assert (known_ns(seconds) == seconds).all()


def test_days_are_new_yorks() -> None:
    assert dates_of(CALM.at_ns) == {"2026-01-26"}


# --- which are fit


def same(one: Quotes, other: Quotes) -> bool:
    return [*map(one.quote, range(len(one)))] == [*map(other.quote, range(len(other)))]


def test_fit_quotes_are_left_alone() -> None:
    assert fit_quotes(CALM) == (CALM, [])
    none = chosen(CALM, CALM.at_ns < 0)
    assert fit_quotes(none) == (none, [])


UNFIT = {
    "crossed: bid 30.03, ask 30.02, after 30.005": (1.5, 30.03, 30.02),
    "non positive: bid none, ask none, after 30.005": (1.5, 0, 0),
    "far from last: bid 3, ask 3.01, after 30.005": (1.5, 3, 3.01),
    "far from last: bid 20, ask 40, after 30.005": (1.5, 20, 40),
    "far from last: bid none, ask 199999.99, after 30.005": (1.5, 0, 199_999.99),
}


@pytest.mark.parametrize("why", UNFIT)
def test_one_that_a_run_would_not_have_decided_on_is_left_out_and_named(why: str) -> None:
    told = joined(
        [
            between(CALM, 0, int(CALM.at_ns[1])),
            quotes(JD, UNFIT[why]),
            quotes(JD, (2, 30.01, 30.02)),
        ]
    )
    fit, lines = fit_quotes(told)
    assert same(fit, chosen(told, np.array([True, True, False, True])))
    assert lines == [f"JD 2026-01-26T14:30:01.500Z quote {why}"]


def test_what_is_said_four_times_was_the_market() -> None:
    far = [(place, 40, 40.02) for place in range(2, 8)]
    fit, lines = fit_quotes(quotes(JD, (0, 30, 30.02), (1, 30, 30.02), *far))
    assert len(lines) == 3
    assert len(fit) == 5


def test_each_day_begins_anew() -> None:
    next_day = quotes(JD, (0, 15, 15.02), (1, 15, 15.01), day="2026-01-27")
    assert fit_quotes(joined([CALM, next_day]))[1] == []


SIDES = st.sampled_from([0, 1, 20, 27, 30, 33, 36, 300])


@given(st.lists(st.tuples(SIDES, SIDES, st.sampled_from([-1, 0, 5])), max_size=30))
def test_it_is_what_the_guard_says_of_each_one_after_the_other(
    sides: list[tuple[int, int, int]],
) -> None:
    rows = [
        (OPEN_NS + place, bid * 100, 100, ask * 100 + width, 100)
        for place, (bid, ask, width) in enumerate(sides)
        if ask or width >= 0
    ]
    told = quotes_of(JD, np.array(rows, np.int64).reshape(-1, 5).T)
    guard = Guard(JD)
    judged = [guard.judge_quote(told.quote(place), OPEN_NS + place) for place in range(len(told))]
    fit, lines = fit_quotes(told)
    assert same(fit, chosen(told, np.array([one is None for one in judged], np.bool_)))
    assert len(lines) == sum(one is not None for one in judged)

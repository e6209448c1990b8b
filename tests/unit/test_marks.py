"""Marks: what two witnesses of different moments have confirmed, whatever else is told in between."""

from hypothesis import given
from hypothesis import strategies as st

from trader.marks import Mark, confirmed
from trader.model import SECOND_NS, Quote, Symbol

PRICE = 320_000


def seen(*prices: int, mark: Mark | None = None, from_second: int = 0) -> Mark:
    """A quote a second, at these prices."""
    mark = mark or Mark()
    for second, price in enumerate(prices, start=from_second):
        quote = Quote(
            symbol=Symbol("JD"),
            at_ns=second * SECOND_NS,
            bid=price,
            bid_size=1,
            ask=price,
            ask_size=1,
        )
        mark.see(quote)
    return mark


def test_the_first_two_witnesses_have_to_agree() -> None:
    assert seen(PRICE).price is None
    assert seen(PRICE, PRICE * 2).price is None
    assert seen(PRICE, PRICE * 2, PRICE).price is None
    assert seen(PRICE, PRICE + 100).price == PRICE + 100


def test_what_is_late_says_nothing_about_now() -> None:
    mark = seen(PRICE, PRICE, PRICE, from_second=1_000)
    assert seen(PRICE // 2, PRICE // 2, mark=mark, from_second=100).price == PRICE


near = st.integers(PRICE - 1_000, PRICE + 1_000)
anything = st.integers(1, 10**9)


@given(st.lists(near, min_size=2), anything, st.lists(near, min_size=1))
def test_one_wrong_tick_anywhere_leaves_every_mark_among_the_right_ones(
    before: list[int], wrong: int, after: list[int]
) -> None:
    mark = seen(*before)
    assert mark.price is not None
    for number, price in enumerate([wrong, *after], start=len(before)):
        seen(price, mark=mark, from_second=number)
        assert mark.price is not None
        assert min(before + after) <= mark.price <= max(before + after)


@given(anything, anything, anything)
def test_a_mark_lies_where_it_was_or_where_two_witnesses_lead_it(
    mark: int, before: int, price: int
) -> None:
    moved = confirmed(mark, before, price)
    assert moved is not None
    assert min(before, price) <= moved <= max(before, price) or moved == mark
    assert (moved - mark) * (price - mark) >= 0
    assert (moved - mark) * (before - mark) >= 0

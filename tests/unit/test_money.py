"""Amounts are exact, finite and bounded, and each has one text."""

from decimal import Decimal, Inexact, getcontext

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trader.money import (
    EXACT,
    MILL,
    MONEY_MAX,
    NANO,
    AmountError,
    amount,
    bounded,
    canonical,
    plain,
    price_of,
    ratio,
    rounded,
    rounded_down,
    rounded_up,
    share,
    ticks_of,
    use_exact_context,
)

amounts = st.decimals(
    min_value=-(10**15), max_value=10**15, places=9, allow_nan=False, allow_infinity=False
)


@pytest.mark.parametrize(
    ("written", "text"),
    [
        ("33", "33"),
        ("33.0", "33"),
        ("3.3E+1", "33"),
        ("1E+2", "100"),
        ("1.50", "1.5"),
        ("0.5", "0.5"),
        ("-0", "0"),
        ("-0.000", "0"),
        ("0E+7", "0"),
        ("1E-9", "0.000000001"),
        ("-1.10", "-1.1"),
    ],
)
def test_an_amount_has_one_text(written: str, text: str) -> None:
    assert canonical(Decimal(written)) == text
    assert str(plain(Decimal(written))) == (text if text != "0.000000001" else "1E-9")


@given(amounts)
def test_the_text_of_an_amount_reads_back_as_the_same_amount(value: Decimal) -> None:
    assert amount(canonical(value)) == value
    assert canonical(amount(canonical(value))) == canonical(value)


@given(amounts)
def test_plain_form_changes_neither_value_nor_itself(value: Decimal) -> None:
    once = plain(value)
    assert once == value
    assert plain(once).as_tuple() == once.as_tuple()


@pytest.mark.parametrize(
    "text",
    [
        "",
        " 1",
        "1\n",
        "1_0",
        "١٢",
        "NaN",
        "sNaN",
        "Infinity",
        "-Infinity",
        "1e999",
        "1e999999",
        "1e9999999",
        "-1e9999999",
        "0x10",
        "1,5",
        "1.0000000001",
        "1e-400",
        "123456789012345.00000000000000000000000000000000000000001",
        "1000000000000001",
    ],
)
def test_a_text_that_is_not_an_amount_is_refused_as_one(text: str) -> None:
    with pytest.raises(AmountError):
        amount(text)


def test_the_largest_amount_is_still_one() -> None:
    assert amount(str(MONEY_MAX)) == MONEY_MAX
    assert bounded(-MONEY_MAX) == -MONEY_MAX
    with pytest.raises(AmountError):
        bounded(MONEY_MAX + NANO)


def test_whole_numbers_are_amounts() -> None:
    assert amount(5) == 5
    assert amount(Decimal("1E+2")) == 100
    with pytest.raises(AmountError):
        amount(2**64)


def test_the_program_computes_exactly_or_not_at_all() -> None:
    use_exact_context()
    assert getcontext().prec == EXACT.prec
    with pytest.raises(Inexact):
        Decimal(1) / Decimal(3)
    with pytest.raises(Inexact):
        MONEY_MAX * MONEY_MAX + Decimal("1E-40")


@given(amounts, amounts)
def test_a_product_of_two_admitted_amounts_is_exact(one: Decimal, other: Decimal) -> None:
    product = one * other
    if other:
        assert EXACT.divide(product, other) == one


def test_halves_are_rounded_to_the_even_billionth() -> None:
    assert rounded(Decimal("0.0000000005")) == 0
    assert rounded(Decimal("0.0000000015")) == Decimal("0.000000002")
    assert rounded(Decimal("-0.0000000015")) == Decimal("-0.000000002")


@given(amounts)
def test_rounding_up_and_down_encloses_the_amount_within_a_cent(value: Decimal) -> None:
    low, high = rounded_down(value), rounded_up(value)
    assert low <= value <= high
    assert high - low in {0, Decimal("0.01")}


def test_a_ratio_is_rounded_once() -> None:
    assert ratio(Decimal(2), Decimal(3)) == Decimal("0.666666667")
    assert share(Decimal(100), Decimal(1), Decimal(3)) == Decimal("33.333333333")
    # Dividing first and multiplying then would give 66.6666667.
    assert share(Decimal(100), Decimal(2), Decimal(3)) == Decimal("66.666666667")
    # More digits in the product than any amount has.
    held = Decimal("123456789.123456789")
    cost = Decimal("999999999999999.123456789123456789")
    assert share(cost, held, held) == rounded(cost)


@given(amounts, st.integers(1, 10**6), st.integers(1, 10**6))
def test_a_share_is_within_half_a_billionth_of_the_truth(
    total: Decimal, part: int, rest: int
) -> None:
    whole = Decimal(part + rest)
    off = share(total, Decimal(part), whole) * whole - total * part
    assert abs(off) * 2 <= NANO * whole


@given(st.integers(0, 10**11))
def test_price_ticks_and_dollars_are_the_same_price(ticks: int) -> None:
    assert ticks_of(price_of(ticks)) == ticks
    assert price_of(ticks) % MILL == 0


def test_a_price_finer_than_a_tick_goes_to_the_nearest_even_tick() -> None:
    assert ticks_of(Decimal("31.92005")) == 319_200
    assert ticks_of(Decimal("31.92015")) == 319_202

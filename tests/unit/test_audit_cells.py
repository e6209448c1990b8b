"""What cells of foreign tables say: amounts, times in all usual forms, sides, symbols; and what says nothing."""

from datetime import UTC
from decimal import Decimal

import pytest

from trader.audit.cells import Amounts, Moments, cents, is_buy, symbol_of, zone_named
from trader.audit.words import Cell
from trader.calendar import iso
from trader.exits import Mistake


@pytest.mark.parametrize(
    ("cell", "amount"),
    [
        (33, "33"),
        (29.6, "29.6"),
        (0.1 + 0.2, "0.3"),
        (1 / 3, "0.333333333"),
        (-4869963.71, "-4869963.71"),
        ("1,234.50", "1234.5"),
        ("$12.5", "12.5"),
        (" 7 ", "7"),
    ],
)
def test_an_amount_is_what_was_written(cell: Cell, amount: str) -> None:
    assert Amounts().read(cell) == Decimal(amount)


@pytest.mark.parametrize(
    "cell",
    [None, b"12", "", "twelve", "NaN", "Infinity", "1_0", "١٢", float("nan"), float("inf"), "1e30"],
)
def test_what_is_no_amount_is_none(cell: Cell) -> None:
    assert Amounts().read(cell) is None


def test_numbers_that_were_computed_are_counted_as_dust() -> None:
    amounts = Amounts()
    for cell in (29.6, 0.1 + 0.2, 0.1 + 0.2, 5):
        amounts.read(cell)
    assert (amounts.floats, amounts.dust) == (2, 1)


def test_cents_are_rounded_half_even() -> None:
    assert [str(cents(Decimal(one))) for one in ("0.125", "0.135", "-0.005")] == [
        "0.12",
        "0.14",
        "0",
    ]


INCIDENT = "2026-01-26T23:19:00.000Z"


@pytest.mark.parametrize(
    "cell",
    [
        "2026-01-26T18:19:00-05:00",
        "2026-01-26T23:19:00Z",
        "2026-01-26 18:19:00",
        "2026-01-26 18:19",
        "2026-01-26 18:19:00 EST",
        "2026-01-26 18:19:00 ET",
        "2026-01-26 23:19:00 UTC",
        "01/26/2026 18:19:00",
        "01/26/2026 06:19:00 PM",
        "2026/01/26 18:19:00",
        "Jan 26, 2026 18:19:00",
        "Mon, 26 Jan 2026 18:19:00 -0500",
        1769469540,
        1769469540.0,
        "1769469540",
        1769469540000,
        1769469540000000,
        1769469540000000000,
    ],
)
def test_a_time_in_any_usual_form_is_the_same_moment(cell: Cell) -> None:
    at_ns = Moments(zone_named("ET"), "ET").read(cell)
    assert at_ns is not None
    assert iso(at_ns) == INCIDENT


def test_a_zone_is_used_where_the_time_has_none_and_only_there() -> None:
    moments = Moments(zone_named("UTC"), "UTC")
    naive, with_offset = (
        moments.read(one) for one in ("2026-01-26 18:19:00", "2026-01-26T18:19:00-05:00")
    )
    assert naive is not None
    assert with_offset is not None
    assert with_offset - naive == 5 * 3600 * 10**9
    assert dict(moments.forms) == {"ISO without zone": 1, "ISO with offset": 1}


def test_an_hour_is_looked_up_once_and_means_the_same_on_both_sides_of_the_change_of_clocks() -> (
    None
):
    moments = Moments(zone_named("ET"), "ET")
    read = [moments.read(f"2026-03-08 0{hour}:30:00.250") for hour in (1, 3, 1, 3)]
    told = [iso(one) for one in read if one is not None]
    assert told == ["2026-03-08T06:30:00.250Z", "2026-03-08T07:30:00.250Z"] * 2


@pytest.mark.parametrize("cell", [None, "", "yesterday", 0, -5, 12, float("nan"), b"2026", "26.1."])
def test_what_is_no_time_is_none(cell: Cell) -> None:
    assert Moments(zone_named("ET"), "ET").read(cell) is None


@pytest.mark.parametrize(
    "cell", ["9999-12-31T23:59:59-05:00", "2200-01-02", "0001-01-01T00:00:00+14:00", 10**20 - 1]
)
def test_a_time_that_no_calendar_of_ours_has_is_none(cell: Cell) -> None:
    assert Moments(UTC, "UTC").read(cell) is None
    assert Moments(zone_named("ET"), "ET").read(cell) is None


def test_an_unknown_zone_is_a_mistake() -> None:
    for name in ("Mars/Olympus", "../etc/passwd", ""):
        with pytest.raises(Mistake, match="no such time zone"):
            zone_named(name)


def test_sides_and_symbols_are_read_in_any_case() -> None:
    assert [is_buy(one) for one in ("BUY", "buy", " Buy ", "b", "buy to cover", "SELL", "sld")] == [
        True,
        True,
        True,
        True,
        True,
        False,
        False,
    ]
    assert [is_buy(one) for one in ("", None, 1, "hold")] == [None] * 4
    assert [symbol_of(one) for one in (" jd ", "BRK.B", "J\nD", None, 7)] == [
        "JD",
        "BRK.B",
        "",
        "",
        "",
    ]

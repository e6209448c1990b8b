"""The three-way match: each line is in one row, whatever the order; what one side lacks or tells otherwise is found."""

import random
import sqlite3
from collections import Counter
from contextlib import closing
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from tests.eventful import written
from tests.journal_plays import day
from trader.exits import Mistake
from trader.statements.columns import columns_of, told_columns
from trader.statements.lines import FILL, Line
from trader.statements.matching import Row, matched
from trader.statements.statement import number_of
from trader.statements.told import journal_of


def execution(
    name: str = "",
    quantity: str = "5",
    price: str = "10",
    at_ns: int | None = None,
    day: str = "d1",
) -> Line:
    shares, paid = Decimal(quantity), Decimal(price)
    return Line(
        kind=FILL,
        id=name,
        symbol="JD",
        quantity=shares,
        price=paid,
        amount=-shares * paid,
        day=day,
        at_ns=at_ns,
        where=name,
    )


def differing(rows: list[Row]) -> list[Row]:
    return [row for row in rows if not row.agrees]


amounts = st.integers(1, 3).map(str)
lines = st.lists(st.builds(execution, quantity=amounts, price=amounts), max_size=8)


@given(lines, st.randoms(use_true_random=False), st.booleans())
def test_the_same_lines_in_any_order_agree_and_one_less_or_another_is_found(
    told: list[Line], chance: random.Random, has_ids: bool
) -> None:
    ours = [replace(one, id=f"x{place}" if has_ids else "") for place, one in enumerate(told)]
    theirs, paper = list(ours), list(ours)
    chance.shuffle(theirs)
    chance.shuffle(paper)
    assert differing(matched(ours, theirs, paper)) == []
    if not paper:
        return
    gone = paper.pop()
    [row] = differing(matched(ours, theirs, paper))
    assert (row.statement, row.told.quantity) == (None, gone.quantity)
    [row] = differing(matched(ours, paper, ours))
    assert row.broker is None
    assert differing(matched(paper, ours, ours))[0].journal is None
    changed = replace(gone, price=Decimal(99), amount=None)
    [row] = differing(matched(ours, theirs, [*paper, changed]))
    assert row.statement == changed
    assert row.journal is not None


@given(lines, lines, lines)
def test_each_line_is_in_exactly_one_row(
    one: list[Line], two: list[Line], three: list[Line]
) -> None:
    """Where parts became a whole, shares are neither lost nor doubled."""
    rows = matched(one, two, three)
    for place, side in enumerate((one, two, three)):
        found = [row.sides[place] for row in rows]
        shares = [line.quantity or 0 for line in found if line is not None]
        assert sum(shares) == sum(line.quantity or 0 for line in side)
    assert Counter(row.statement for row in rows)[None] == len(rows) - len(three)


@settings(max_examples=30)
@given(st.lists(st.integers(0, 10_000), max_size=40))
def test_what_the_broker_told_is_booked_whatever_the_day_was(
    tmp_path_factory: pytest.TempPathFactory, numbers: list[int]
) -> None:
    """Each execution that we booked was told by the broker, once; statements of it agree."""
    path = written(day(numbers), tmp_path_factory.mktemp("day") / "trading_data.db")
    with closing(sqlite3.connect(path)) as reader:
        journal = journal_of(reader)
        [count] = reader.execute(
            "SELECT count(*) FROM execution_rows WHERE NOT EXISTS"
            " (SELECT 1 FROM movement_rows WHERE kind = 'bust' AND reference = execution_id)"
        ).fetchone()
    rows = matched(journal.booked, journal.heard, journal.heard)
    assert [row for row in differing(rows) if row.journal is not None] == []
    hand = Counter(line.kind for line in journal.booked)[FILL]
    assert hand >= count, "each that stands, and what others did by hand"


def test_the_nearest_in_time_is_taken_first() -> None:
    early, late = execution(at_ns=1), execution(at_ns=100)
    rows = matched([early, late], [late, early], [replace(late, at_ns=99)])
    assert [row.statement is not None for row in rows] == [False, True]


def test_one_day_is_not_another() -> None:
    rows = matched([execution()], [execution()], [execution(day="d2")])
    assert len(differing(rows)) == 2


def test_an_amount_stands_for_a_price_to_the_cent() -> None:
    ours = execution(quantity="3", price="3.3333")
    paper = replace(ours, price=None, amount=Decimal("-10.00"))
    assert differing(matched([ours], [ours], [paper])) == []
    [row] = differing(matched([ours], [ours], [replace(paper, amount=Decimal("-10.01"))]))
    assert row.journal == ours


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1,234.50", "1234.5"),
        ("$1,234,567.00", "1234567"),
        ("-$0.02", "-0.02"),
        ("$-0.02", "-0.02"),
        ("(12.34)", "-12.34"),
        ("+5", "5"),
        (".5", "0.5"),
    ],
)
def test_amounts_are_read_as_people_write_them(text: str, value: str) -> None:
    assert str(number_of(text, "here")) == value


@pytest.mark.parametrize(
    "text",
    ["1,23", "12,34.5", "1.234,5", "(-1)", "--1", "1-", "1 000", "0x1", "1_0", "", "()", "$"],
)
def test_what_may_mean_two_things_is_no_amount(text: str) -> None:
    with pytest.raises(Mistake, match="here"):
        number_of(text, "here")


def test_columns_are_found_by_their_usual_names_or_told() -> None:
    found = columns_of(["Run Date", "Action", "Symbol", "Quantity", "Price ($)", "Memo"], {}, "s")
    assert found.by_role == {
        "time": "Run Date",
        "kind": "Action",
        "symbol": "Symbol",
        "quantity": "Quantity",
        "price": "Price ($)",
    }
    assert found.unread == ("Memo",)
    with pytest.raises(Mistake, match="which column is the price: exec_price or avg_price"):
        columns_of(["date", "symbol", "qty", "exec_price", "avg_price"], {}, "s")
    told = told_columns(["price=avg_price"])
    names = ["date", "symbol", "qty", "exec_price", "avg_price"]
    assert columns_of(names, told, "s").by_role["price"] == "avg_price"

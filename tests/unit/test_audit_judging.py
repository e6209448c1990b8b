"""Which recorded trades happened: plays of one symbol, and a property over random sound histories with duplicates."""

from collections.abc import Sequence
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from trader.audit.judging import judged
from trader.audit.ledger import added_up, first_in_first_out
from trader.audit.repeats import gaps_of, in_windows, same_second
from trader.audit.words import Evidence, Execution, Judged, Ledger, Position, Statement, Trades

SECOND_NS = 1_000_000_000
DAY_NS = 86_400 * SECOND_NS
Told = tuple[int, int, str]  # second, signed shares, price


def trades(*told: Told) -> Trades:
    return Trades(
        symbol="JD",
        ids=list(range(1, len(told) + 1)),
        is_buy=[shares > 0 for _, shares, _ in told],
        quantities=[Decimal(abs(shares)) for _, shares, _ in told],
        prices=[Decimal(price) for _, _, price in told],
        fees=[Decimal(0)] * len(told),
        at_ns=[second * SECOND_NS for second, _, _ in told],
        orders=[],
        profit=None,
        unreadable=0,
    )


def held(quantity: int, cost: str | None = None) -> Position:
    return Position(
        quantity=Decimal(quantity), cost=None if cost is None else Decimal(cost), value=None
    )


def judge(recorded: Position | None, *told: Told) -> Judged:
    return judged(trades(*told), recorded, None, can_tell=True)


def test_what_the_position_accounts_for_is_real() -> None:
    one = judge(held(33, "990"), (0, 33, "30"))
    assert (one.phantom_buys, one.is_sure, one.evidence) == (0, True, Evidence.COST)


def test_of_a_group_that_the_position_knows_nothing_of_the_first_is_real() -> None:
    one = judge(held(33, "990"), (0, 33, "30"), (1, 171, "30"), (70, 175, "30"))
    assert one.phantom_ids == (2, 3)
    assert one.phantom_notional == Decimal(346 * 30)
    assert one.phantom_flow == Decimal(346 * 30)
    assert one.is_sure


def test_a_second_round_trip_in_the_same_hour_is_no_repeat() -> None:
    one = judge(held(0), (0, 10, "5"), (480, -10, "6"), (720, 10, "5"), (1200, -10, "6"))
    assert one.windows == (0, 0, 0, 0)
    assert (one.phantom_buys, one.is_sure) == (0, True)


def test_a_buy_that_was_added_and_is_held_is_real_and_still_counted_as_close() -> None:
    one = judge(held(20, "101"), (0, 10, "5"), (30, 10, "5.10"))
    assert (one.phantom_buys, one.unproved) == (0, 0)
    assert one.windows == (0, 0, 1, 1)


def test_an_added_buy_that_was_sold_is_real_while_its_phantoms_are_not() -> None:
    one = judge(held(0), (0, 10, "5"), (20, 7, "5"), (25, 9, "5"), (600, -17, "6"))
    assert one.phantom_ids == (3,)
    assert one.is_sure


@pytest.mark.parametrize("first", [((0, 10, "5"),), ((0, 14, "5"), (60, -4, "6"))])
def test_a_buy_long_after_another_is_no_phantom_though_the_position_denies_it(
    first: Sequence[Told],
) -> None:
    one = judge(held(10, "50"), *first, (90_000, 11, "5"))
    assert (one.phantom_ids, one.is_sure, one.evidence) == ((), False, Evidence.NONE)
    assert one.why == "trades leave 21, recorded are 10"


def test_a_buy_soon_after_one_of_which_some_is_left_is_a_phantom_if_the_position_denies_it() -> (
    None
):
    one = judge(held(6, "30"), (0, 10, "5"), (60, -4, "6"), (120, 11, "5"))
    assert (one.phantom_ids, one.is_sure) == ((3,), True)


def test_one_choice_that_explains_the_position_is_taken_and_several_are_not() -> None:
    only = judge(held(15, "75"), (0, 10, "5"), (10, 3, "5"), (20, 5, "5"), (30, 9, "5"))
    assert only.phantom_ids == (2, 4)
    several = judge(held(22), (0, 10, "5"), (10, 5, "5"), (20, 3, "5"), (30, 8, "6"), (40, 4, "5"))
    assert (several.is_sure, several.phantom_buys, several.unproved) == (False, 0, 4)


def test_the_price_decides_between_buys_of_as_many_shares() -> None:
    one = judge(held(10, "51"), (0, 10, "5"), (1, 10, "5.10"), (2, 10, "5.20"))
    assert one.phantom_ids == (1, 3)
    assert one.evidence is Evidence.COST


def test_a_cost_that_no_choice_explains_leaves_the_repeats_unproved() -> None:
    one = judge(held(10, "77"), (0, 10, "5"), (1, 10, "5"))
    assert (one.phantom_buys, one.unproved, one.is_sure) == (0, 1, False)
    assert one.explained == one.told


def test_a_position_that_nothing_explains_is_said_with_both_numbers() -> None:
    one = judge(held(7), (0, 10, "5"))
    assert not one.is_sure
    assert one.why == "trades leave 10, recorded are 7"


def test_a_sale_of_what_was_not_there_is_a_phantom_if_the_position_denies_it() -> None:
    one = judge(held(0), (0, 10, "5"), (60, -10, "6"), (61, -10, "6"))
    assert (one.phantom_sales, one.phantom_ids, one.oversold) == (1, (3,), 1)


def test_without_positions_or_with_deleted_rows_nothing_is_sure() -> None:
    told: Sequence[Told] = ((0, 10, "5"), (1, 10, "5"))
    assert judge(None, *told).unproved == 1
    deleted = judged(trades(*told), held(10), None, can_tell=False)
    assert (deleted.is_sure, deleted.unproved, deleted.phantom_buys) == (False, 1, 0)


# ------------------------------------------------------------------------------------- with a statement


def statement(*fills: tuple[int, int, str]) -> Statement:
    executions = [
        Execution(
            order_id=f"order-{number}",
            symbol="JD",
            is_buy=shares > 0,
            quantity=Decimal(abs(shares)),
            notional=abs(shares) * Decimal(price),
            first_ns=second * SECOND_NS,
            last_ns=second * SECOND_NS,
        )
        for number, (second, shares, price) in enumerate(fills, start=1)
    ]
    return Statement(executions={"JD": executions}, flows=(), begins_ns=0, ends_ns=DAY_NS)


def test_the_statement_says_which_buy_was_real_whatever_the_position_says() -> None:
    told: Sequence[Told] = ((0, 33, "30"), (1, 171, "30"), (70, 175, "30"))
    one = judged(trades(*told), held(33), statement((3, 171, "30.004")), can_tell=True)
    assert one.phantom_ids == (1, 3)
    assert (one.evidence, one.is_sure) == (Evidence.STATEMENT, True)


def test_an_execution_stands_behind_one_row_only_and_may_be_recorded_nowhere() -> None:
    told: Sequence[Told] = ((0, 10, "5"), (1, 10, "5"))
    one = judged(trades(*told), None, statement((0, 10, "5"), (9000, 4, "5")), can_tell=True)
    assert one.phantom_ids == (2,)
    assert [missing.order_id for missing in one.missing] == ["order-2"]


def test_a_row_is_not_an_execution_of_another_price_side_or_hour() -> None:
    for second, shares, price in ((0, 10, "5.02"), (0, -10, "5"), (400, 10, "5"), (0, 11, "5")):
        one = judged(trades((0, 10, "5")), None, statement((second, shares, price)), can_tell=True)
        assert one.phantom_ids == (1,)


def test_rows_outside_the_statement_need_the_position() -> None:
    told: Sequence[Told] = ((0, 10, "5"), (200_000, 5, "5"))
    agreed = judged(trades(*told), held(15), statement((0, 10, "5")), can_tell=True)
    assert agreed.is_sure
    denied = judged(trades(*told), held(10), statement((0, 10, "5")), can_tell=True)
    assert not denied.is_sure


def test_by_order_id_a_row_is_real_whenever_it_says_it_was() -> None:
    told = replace(trades((80_000, 10, "5"), (0, 10, "5")), orders=["order-1", "nobody's"])
    one = judged(told, None, statement((0, 10, "5")), can_tell=True)
    assert one.phantom_ids == (2,)


# ------------------------------------------------------------------------------------------ arithmetic


def test_windows_and_seconds_count_buys_by_what_came_before() -> None:
    told = trades(
        (0, 1, "1"), (0, 1, "1"), (4, 1, "1"), (60, 1, "1"), (3000, 1, "1"), (9000, 1, "1")
    )
    assert in_windows(gaps_of(told)) == (1, 2, 3, 4)
    assert same_second(told) == (1, 2)


@pytest.mark.parametrize(
    ("told", "ledger"),
    [
        (((0, 10, "5"), (1, -4, "6")), (6, "30", "4", "-26")),
        (((0, 10, "5"), (1, 10, "7"), (2, -20, "6")), (0, "0", "0", "0")),
        (((0, -5, "10"), (1, 5, "8")), (0, "0", "10", "10")),
        (((0, 5, "10"), (1, -8, "11")), (-3, "-33", "5", "38")),
    ],
)
def test_trades_add_up_at_average_cost(
    told: Sequence[Told], ledger: tuple[int, str, str, str]
) -> None:
    quantity, *amounts = ledger
    cost, realized, cash = map(Decimal, amounts)
    expected = Ledger(quantity=Decimal(quantity), cost=cost, realized=realized, cash=cash)
    assert added_up(trades(*told)) == expected


# ------------------------------------------------------------------------------------------- a property


@st.composite
def history_with_duplicates(draw: st.DrawFn) -> tuple[list[Told], set[int], int, Decimal]:
    """Round trips, each bought once and sold whole or in two, the last perhaps still open; duplicates of any buy.

    Gives the rows, the numbers of the duplicates among them, and the position that the sound program recorded.
    """
    told: list[Told] = []
    duplicates: set[int] = set()
    second = 0
    shares, cost = 0, Decimal(0)
    trips = draw(st.integers(1, 6))
    for trip in range(trips):
        second += draw(st.integers(60, 90_000))
        shares, price = draw(st.integers(2, 400)), draw(st.integers(100, 99_999))
        cost = shares * Decimal(price) / 100
        told.append((second, shares, str(Decimal(price) / 100)))
        for _ in range(draw(st.integers(0, 5))):
            second += draw(st.sampled_from([0, 0, 1, 4, 30, 900, 3600]))
            again = draw(st.integers(1, 400))
            moved = draw(st.integers(-50, 50))
            told.append((second, again, str(Decimal(price + moved) / 100)))
            duplicates.add(len(told))
        if trip == trips - 1 and draw(st.booleans()):
            break
        second += draw(st.integers(1, 200_000))
        part = draw(st.integers(0, shares - 1))
        for sold in filter(None, (part, shares - part)):
            told.append((second, -sold, "7.77"))
            second += 1
        shares, cost = 0, Decimal(0)
    return told, duplicates, shares, cost


@given(history_with_duplicates())
def test_of_a_sound_history_with_duplicates_exactly_the_duplicates_are_found(
    drawn: tuple[list[Told], set[int], int, Decimal],
) -> None:
    told, duplicates, shares, cost = drawn
    one = judge(Position(quantity=Decimal(shares), cost=cost, value=None), *told)
    assert one.is_sure
    assert set(one.phantom_ids) == duplicates
    sound = [trade for number, trade in enumerate(told, start=1) if number not in duplicates]
    assert one.explained == added_up(trades(*sound))


# ---------------------------------------------------------------------------------------------- FIFO cost


def test_books_at_fifo_cost_are_recognized_and_their_profit_is_fifos() -> None:
    told: Sequence[Told] = ((0, 10, "5"), (90_000, 10, "7"), (180_000, -12, "8"))
    one = judge(held(8, "56"), *told)  # Of the second lot alone; 48 at average.
    assert (one.is_fifo, one.is_sure, one.evidence) == (True, True, Evidence.COST)
    assert one.explained.realized == Decimal(32)  # 10 x 3 + 2 x 1
    assert "FIFO" in one.why
    assert not judge(held(8, "48"), *told).is_fifo


def test_a_phantom_in_books_at_fifo_cost_is_found() -> None:
    told = ((0, 10, "5"), (90_000, 10, "7"), (90_001, 9, "7"), (180_000, -12, "8"))
    one = judge(held(8, "56"), *told)
    assert (one.phantom_ids, one.is_fifo, one.is_sure) == ((3,), True, True)


def test_a_cost_that_is_neither_is_not_sure() -> None:
    told = ((0, 10, "5"), (90_000, 10, "7"), (90_001, 9, "7"), (180_000, -12, "8"))
    one = judge(held(8, "55"), *told)
    assert (one.is_sure, one.is_fifo, one.phantom_buys) == (False, False, 0)
    assert "neither the average's nor FIFO's" in one.why


@given(history_with_duplicates(), st.integers(1, 50), st.integers(100, 9_999))
def test_of_a_sound_history_at_fifo_cost_exactly_the_duplicates_are_found(
    drawn: tuple[list[Told], set[int], int, Decimal], more: int, price: int
) -> None:
    """Before it a buy that was kept, hours earlier, of which the sales took first; each trip adds to it."""
    told, duplicates, shares, _ = drawn
    early: Told = (-200_000, more, str(Decimal(price) / 100))
    rows = [early, *told]
    moved = {number + 1 for number in duplicates}
    sound = trades(*(row for number, row in enumerate(rows, 1) if number not in moved))
    lots = first_in_first_out(sound)
    assert lots is not None
    assert lots.quantity == shares + more
    one = judge(Position(quantity=lots.quantity, cost=lots.cost, value=None), *rows)
    if one.is_sure:
        assert set(one.phantom_ids) == moved
        expected = lots if one.is_fifo else added_up(sound)
        assert one.explained.cost == expected.cost
    else:
        assert one.phantom_buys == 0, "who isn't sure leaves everything alone"


@given(st.lists(st.tuples(st.integers(-9, 9).filter(bool), st.integers(1, 999)), max_size=12))
def test_fifo_and_average_agree_on_shares_and_cash_and_on_profit_where_nothing_is_held(
    drawn: list[tuple[int, int]],
) -> None:
    told = trades(*((at, shares, str(price)) for at, (shares, price) in enumerate(drawn)))
    average, lots = added_up(told), first_in_first_out(told)
    if lots is None:
        return  # It sells what isn't there.
    assert (lots.quantity, lots.cash) == (average.quantity, average.cash)
    assert lots.cost - lots.realized == -lots.cash
    if not lots.quantity:
        assert (lots.cost, lots.realized) == (Decimal(0), average.realized)

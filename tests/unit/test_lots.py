"""FIFO lots: worked by hand, and held against the books' average cost."""

from contextlib import closing
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.eventful import eventful, written
from tests.journal_plays import day
from trader.cli.pnl import deals_of
from trader.journal.sqlite import reading_connection
from trader.lots import ClosedLot, Deal, Tally, tallied, without_busts
from trader.model import Side, Symbol
from trader.money import NANO
from trader.positions import Position, Trade, traded

D = Decimal
JD = Symbol("JD")


def deal(
    number: int,
    quantity: str,
    flow: str,
    fees: str = "0",
    *,
    busts: str = "",
    name: str = "",
    is_split: bool = False,
) -> Deal:
    return Deal(
        symbol=JD,
        reference=name or f"x{number}",
        sequence=number,
        at_ns=number,
        session="2026-01-26",
        strategy="sma",
        quantity=D(quantity),
        flow=D(flow),
        fees=D(fees),
        order="o1",
        busts=busts,
        is_split=is_split,
    )


def closes(tally: Tally) -> list[tuple[str, ...]]:
    return [
        (one.opened, one.closed, *map(str, (one.quantity, one.cost, one.proceeds, one.realized)))
        for one in tally.closed
    ]


def opens(tally: Tally) -> list[tuple[str, str, str]]:
    return [(one.reference, str(one.quantity), str(one.cost)) for one in tally.open]


def test_the_oldest_shares_are_sold_first() -> None:
    tally = tallied(
        [deal(1, "100", "-1000"), deal(2, "100", "-1200"), deal(3, "-150", "1950", "0.10")]
    )
    assert closes(tally) == [
        ("x1", "x3", "100", "1000", "1300", "300"),
        ("x2", "x3", "50", "600", "650", "50"),
    ]
    assert opens(tally) == [("x2", "50", "600")]
    # Fees are realized with their execution: 300 + 50 - 0.10. At average cost it were 1950 - 1650 - 0.10.
    assert tally.realized(JD) == D("349.90")
    assert tally.cost(JD) - tally.realized(JD) == D(550) - (D(1950) - D(1650) - D("0.10"))


def test_a_split_keeps_the_cost_and_the_age_of_each_lot() -> None:
    tally = tallied(
        [
            deal(1, "10", "-300"),
            deal(2, "5", "-200"),
            deal(3, "30", "0", name="split 3:1", is_split=True),
            deal(4, "-30", "450"),
        ]
    )
    assert closes(tally) == [("x1", "x4", "30", "300", "450", "150")]
    assert opens(tally) == [("x2", "15", "200")]


def test_a_reverse_split_gives_what_rounding_leaves_to_the_last_lot() -> None:
    tally = tallied(
        [deal(1, "10", "-300"), deal(2, "5", "-200"), deal(3, "-10", "0", is_split=True)]
    )
    assert opens(tally) == [("x1", "3.333333333", "300"), ("x2", "1.666666667", "200")]
    assert tally.quantity(JD) == 5


def test_shares_that_are_transferred_in_are_a_lot_that_cost_nothing() -> None:
    tally = tallied([deal(1, "10", "-300"), deal(2, "10", "0"), deal(3, "-15", "450")])
    assert closes(tally) == [
        ("x1", "x3", "10", "300", "300", "0"),
        ("x2", "x3", "5", "0", "150", "150"),
    ]
    assert opens(tally) == [("x2", "5", "0")]


def test_shares_that_become_worthless_are_lost_at_their_cost() -> None:
    tally = tallied([deal(1, "10", "-300"), deal(2, "-10", "0")])
    assert closes(tally) == [("x1", "x2", "10", "300", "0", "-300")]


def test_a_bust_never_was_and_its_correction_was_always_so() -> None:
    """10 at 32 are sold against first, though the correction to 31 came after the second buy."""
    deals = [
        deal(1, "10", "-320"),
        deal(2, "10", "-330"),
        deal(3, "-5", "170"),
        deal(4, "-10", "320", busts="x1", name="x1"),
        deal(4, "10", "-310", name="x4"),
    ]
    tally = tallied(deals)
    assert closes(tally) == [("x4", "x3", "5", "155", "170", "15")]
    assert opens(tally) == [("x4", "5", "155"), ("x2", "10", "330")]
    alone = tallied(deals[:4])
    assert closes(alone) == [("x2", "x3", "5", "165", "170", "5")]
    with pytest.raises(AssertionError, match="never booked"):
        without_busts(deals[3:])


def test_a_sale_beyond_what_is_held_opens_a_lot_of_the_other_side() -> None:
    tally = tallied([deal(1, "10", "-300"), deal(2, "-15", "480"), deal(3, "5", "-150")])
    assert closes(tally) == [
        ("x1", "x2", "10", "300", "320", "20"),
        ("x2", "x3", "-5", "-160", "-150", "10"),
    ]
    assert opens(tally) == []


def test_income_and_holdings_that_came_in_kind_are_in_the_tally() -> None:
    tally = tallied(
        [deal(1, "10", "-300", name="adopted"), deal(2, "0", "4.20"), deal(3, "-10", "310")]
    )
    assert tally.income == {JD: D("4.20")}
    assert tally.realized(JD) == D("14.20")


def test_a_lot_knows_since_when_and_by_whom() -> None:
    (closed,) = tallied([deal(1, "1", "-3"), deal(7, "-1", "4")]).closed
    assert isinstance(closed, ClosedLot)
    assert (closed.opened_ns, closed.closed_ns, closed.strategy) == (1, 7, "sma")


trades = st.lists(
    st.tuples(
        st.sampled_from([Side.BUY, Side.SELL]),
        st.integers(1, 100),
        st.integers(1, 10**7).map(lambda ticks: D(ticks).scaleb(-4)),
        st.integers(0, 500).map(lambda cents: D(cents).scaleb(-2)),
    ),
    max_size=14,
)


@given(trades)
def test_lots_and_average_cost_agree_when_flat_and_on_cost_less_profit_in_between(
    done: list[tuple[Side, int, Decimal, Decimal]],
) -> None:
    position, cost, realized, deals = Position(symbol=JD), D(0), D(0), []
    for number, (side, shares, price, fees) in enumerate(done):
        sign, notional = (1 if side is Side.BUY else -1), shares * price
        made: Trade = traded(position, side, D(shares), notional, fees)
        cost, realized = cost + made.cost, realized + made.realized
        position = Position(symbol=JD, quantity=position.quantity + sign * shares, cost=cost)
        deals.append(deal(number, str(sign * shares), str(-sign * notional), str(fees)))
        tally = tallied(deals)
        assert tally.quantity(JD) == position.quantity
        assert tally.cost(JD) - tally.realized(JD) == cost - realized
        if not position.quantity:
            assert tally.realized(JD) == realized
            assert not tally.open
        for lot in tally.open:
            assert lot.quantity * position.quantity > 0
            assert lot.cost * lot.quantity > -NANO


@settings(max_examples=30)
@given(numbers=st.lists(st.integers(0, 255), max_size=50))
def test_lots_of_any_day_agree_with_the_books(
    tmp_path_factory: pytest.TempPathFactory, numbers: list[int]
) -> None:
    path = tmp_path_factory.mktemp("lots") / "trading_data.db"
    play = day(numbers) if len(numbers) % 10 else eventful()
    with closing(reading_connection(written(play, path))) as reader:
        tally = tallied(one.deal for one in deals_of(reader))
    for symbol, position in play.state.positions.items():
        assert tally.quantity(symbol) == position.quantity
        assert tally.cost(symbol) - tally.realized(symbol) == position.cost - position.realized
        if not position.quantity:
            assert tally.realized(symbol) == position.realized

"""The arithmetic of positions, against sums and nothing but sums."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from tests.plays import as_booked, some_order
from trader.model import ClientOrderId, OrderState, Purpose, Side, StrategyName, Symbol
from trader.money import NANO
from trader.positions import (
    Position,
    Trade,
    booked,
    mark_of,
    released_when_flat,
    traded,
    with_order,
)

FLAT = Position(symbol=Symbol("JD"))
D = Decimal


def held(quantity: int, cost: str) -> Position:
    return Position(symbol=Symbol("JD"), quantity=D(quantity), cost=D(cost))


def after(position: Position, side: Side, quantity: int, price: str, fees: str = "0") -> Position:
    return booked(position, as_booked(position, side, quantity, D(price), D(fees)))


@pytest.mark.parametrize(
    ("position", "side", "quantity", "notional", "fees", "cost", "realized"),
    [
        (FLAT, Side.BUY, 62, "1979.04", "0", "1979.04", "0"),
        (FLAT, Side.BUY, 62, "1979.04", "0.5", "1979.04", "-0.5"),
        (held(62, "1979.04"), Side.BUY, 38, "1200", "0", "1200", "0"),
        # Sold whole: the whole cost goes, profit is the rest.
        (held(62, "1979.04"), Side.SELL, 62, "2000", "0.06", "-1979.04", "20.9"),
        # Sold in part: cost x sold / held.
        (held(4, "10"), Side.SELL, 1, "3", "0", "-2.5", "0.5"),
        (held(3, "10"), Side.SELL, 1, "3", "0", "-3.333333333", "-0.333333333"),
        # Sold short, bought back, and through zero both ways: it should not happen, but if it did it is booked.
        (FLAT, Side.SELL, 10, "300", "0.01", "-300", "-0.01"),
        (held(-10, "-300"), Side.SELL, 10, "200", "0", "-200", "0"),
        (held(-10, "-300"), Side.BUY, 10, "250", "0", "300", "50"),
        (held(-10, "-300"), Side.BUY, 4, "100", "0", "120", "20"),
        (held(10, "300"), Side.SELL, 15, "600", "0", "-500", "100"),
        (held(-10, "-300"), Side.BUY, 15, "600", "0", "500", "-100"),
    ],
)
def test_a_trade_adds_cost_or_realizes_profit(
    position: Position,
    side: Side,
    quantity: int,
    notional: str,
    fees: str,
    cost: str,
    realized: str,
) -> None:
    assert traded(position, side, D(quantity), D(notional), D(fees)) == Trade(
        cost=D(cost), realized=D(realized)
    )


def test_the_last_sale_removes_the_rest_of_the_cost() -> None:
    position = after(FLAT, Side.BUY, 3, "3.34")
    for _ in range(3):
        position = after(position, Side.SELL, 1, "3.34")
    assert position.quantity == position.cost == position.realized == 0


trades = st.lists(
    st.tuples(
        st.sampled_from([Side.BUY, Side.SELL]),
        st.integers(1, 100),
        st.integers(1, 10**7).map(lambda ticks: Decimal(ticks).scaleb(-4)),
        st.integers(0, 500).map(lambda cents: Decimal(cents).scaleb(-2)),
    ),
    max_size=12,
)


@given(trades)
def test_cash_and_cost_are_what_was_put_in_and_what_was_realized(
    done: list[tuple[Side, int, Decimal, Decimal]],
) -> None:
    position, cash, shares = FLAT, D(0), 0
    for side, quantity, price, fees in done:
        position = booked(position, as_booked(position, side, quantity, price, fees))
        sign = 1 if side is Side.BUY else -1
        cash -= sign * quantity * price + fees
        shares += sign * quantity
        assert position.quantity == shares
        assert cash + position.cost == position.realized
        if not shares:
            assert position.cost == 0
        else:
            assert (position.cost > 0) == (shares > 0) or abs(position.cost) < NANO * 100


@given(st.integers(2, 1000), st.integers(1, 10**7), st.data())
def test_selling_in_parts_realizes_what_selling_at_once_does(
    shares: int, ticks: int, data: st.DataObject
) -> None:
    bought = after(FLAT, Side.BUY, shares, str(Decimal(ticks).scaleb(-4)))
    at_once = after(bought, Side.SELL, shares, "31.9")
    in_parts, left = bought, shares
    while left:
        part = data.draw(st.integers(1, left))
        in_parts, left = after(in_parts, Side.SELL, part, "31.9"), left - part
    assert in_parts.quantity == in_parts.cost == 0
    assert in_parts.realized == at_once.realized


def test_average_cost_is_derived() -> None:
    assert held(3, "10").avg_cost == D("3.333333333")
    assert FLAT.avg_cost == 0


def test_a_position_is_worth_its_mark_or_its_cost_while_it_has_none() -> None:
    assert replace(held(10, "300"), mark=319_200).value == D("319.2")
    assert held(10, "300").value == 300


def test_a_fill_is_a_price() -> None:
    event = as_booked(FLAT, Side.BUY, 1, D("31.92"), D(0))
    assert mark_of(event) == 319_200


# -------------------------------------------------------------------------------- orders on their way


def test_an_entry_is_pending_until_it_is_filled_or_over() -> None:
    intent = some_order(OrderState.INTENT)
    position = with_order(FLAT, None, intent)
    assert position.entries == ("trd-JD-B-1",)
    assert position.quantity_pending_buy == 62
    part = replace(intent, state=OrderState.PARTIALLY_FILLED, quantity_filled=D(20))
    position = with_order(position, intent, part)
    assert position.entries == ("trd-JD-B-1",)
    assert position.quantity_pending_buy == 42
    position = with_order(position, part, replace(part, state=OrderState.CANCELED))
    assert position.entries == ()
    assert position.quantity_pending_buy == 0


def test_an_exit_takes_its_shares_from_what_can_be_sold() -> None:
    wanted = some_order(OrderState.UNKNOWN, side=Side.SELL, purpose=Purpose.EXIT, quantity=D(40))
    position = with_order(held(62, "1979.04"), None, wanted)
    assert position.exits == ("trd-JD-B-1",)
    assert position.quantity_sellable == 22
    assert position.quantity_pending_buy == 0
    over = with_order(position, wanted, replace(wanted, state=OrderState.CANCELED))
    assert over == held(62, "1979.04")


def test_an_order_that_comes_back_to_life_is_pending_again() -> None:
    dead = some_order(OrderState.NEVER_SENT)
    position = with_order(FLAT, dead, replace(dead, state=OrderState.NEW))
    assert position.entries == ("trd-JD-B-1",)
    assert position.quantity_pending_buy == 62


def test_another_order_of_the_symbol_stays_when_one_ends() -> None:
    one = some_order(OrderState.NEW, side=Side.SELL, purpose=Purpose.EXIT, quantity=D(10))
    other = replace(one, client_order_id=ClientOrderId("trd-JD-S-2"))
    position = with_order(with_order(held(62, "1979.04"), None, one), None, other)
    position = with_order(position, one, replace(one, state=OrderState.EXPIRED))
    assert position.exits == ("trd-JD-S-2",)
    assert position.quantity_pending_sell == 10


def test_a_flat_symbol_belongs_to_nobody() -> None:
    owned = replace(FLAT, strategy=StrategyName("crossover"))
    assert released_when_flat(owned).strategy is None
    assert released_when_flat(FLAT) is FLAT


@pytest.mark.parametrize(
    "position",
    [
        replace(held(1, "31"), strategy=StrategyName("crossover")),
        replace(FLAT, entries=(ClientOrderId("o"),), strategy=StrategyName("crossover")),
        replace(FLAT, exits=(ClientOrderId("o"),), strategy=StrategyName("crossover")),
    ],
)
def test_a_symbol_that_holds_or_awaits_something_keeps_its_owner(position: Position) -> None:
    assert released_when_flat(position) is position
    assert not position.is_flat

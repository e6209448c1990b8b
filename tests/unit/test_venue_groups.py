"""Brackets, OCO and OTO orders as plays: the end of one is the end of the others, and shares are held once."""

from decimal import Decimal

import pytest
from msgspec.structs import replace

from tests.venue_play import CASH, TAKEN, Play, limit, market, monday
from trader.model import SECOND_NS, Side, TimeInForce
from trader.venue import NewOrder, OrderClass, OrderType, StopLoss, VenueTerms

SELL = Side.SELL


def bracket(quantity: int = 50, price: str | None = "20.05", **changes: object) -> NewOrder:
    entry = market(quantity) if price is None else limit(quantity, price)
    return replace(
        entry,
        order_class=OrderClass.BRACKET,
        take_profit=Decimal(21),
        stop_loss=StopLoss(stop_price=Decimal(19)),
        **changes,
    )


def oco(quantity: int = 50, profit: str = "21", loss: str = "19") -> NewOrder:
    return replace(
        limit(quantity, profit, SELL),
        order_class=OrderClass.OCO,
        take_profit=Decimal(profit),
        stop_loss=StopLoss(stop_price=Decimal(loss)),
    )


def holding(quantity: int = 100) -> Play:
    play = Play()
    play.send(limit(quantity, "20.02"))
    play.quote("20.00", "20.02", after_ns=SECOND_NS)
    return play


# --- brackets


def test_the_exits_of_a_bracket_are_held_until_it_is_completely_filled() -> None:
    play = Play()
    assert play.send(bracket(150)) == [*TAKEN, "partial_fill"]
    assert play.statuses() == ["partially_filled", "held", "held"]
    assert play.account.held == {}
    assert play.quote("20.00", "20.02", after_ns=SECOND_NS) == ["fill", "new", "new"]
    assert play.statuses() == ["filled", "new", "new"]
    assert play.account.held_for_orders(play.last().symbol) == 150
    assert play.account.available(play.last().symbol) == 0


def test_the_exits_are_what_was_asked_for_on_the_other_side() -> None:
    play = Play()
    play.send(
        replace(bracket(), stop_loss=StopLoss(stop_price=Decimal(19), limit_price=Decimal(18)))
    )
    profit, loss = play.order(2), play.order(3)
    assert (profit.side, profit.order_type, profit.limit_price) == (
        SELL,
        OrderType.LIMIT,
        Decimal(21),
    )
    assert (loss.order_type, loss.stop_price, loss.limit_price) == (
        OrderType.STOP_LIMIT,
        Decimal(19),
        Decimal(18),
    )
    assert profit.parent_id == loss.parent_id == play.order(1).order_id


def test_a_profit_taken_ends_the_stop() -> None:
    play = Play()
    play.send(bracket())
    assert play.quote("21.10", "21.20", after_ns=SECOND_NS) == ["fill", "canceled"]
    assert play.statuses() == ["filled", "filled", "canceled"]
    assert not play.held()
    assert not play.account.held


def test_a_stop_that_is_triggered_ends_the_profit_before_it_sells() -> None:
    play = Play()
    play.send(bracket())
    assert play.quote("18.90", "19.00", after_ns=SECOND_NS) == ["canceled", "fill"]
    assert play.statuses() == ["filled", "canceled", "filled"]
    assert not play.held()
    assert not play.account.held


def test_a_stop_that_fills_in_parts_holds_the_rest() -> None:
    play = Play()
    play.send(bracket())
    assert play.quote("18.90", "19.00", size=20, after_ns=SECOND_NS) == ["canceled", "partial_fill"]
    assert play.account.held_for_orders(play.last().symbol) == 30
    assert play.quote("18.80", "19.00", after_ns=SECOND_NS) == ["fill"]
    assert play.account.held == {}


def test_a_part_of_the_profit_shrinks_the_stop() -> None:
    play = Play()
    play.send(bracket())
    assert play.quote("21.00", "21.10", size=20, after_ns=SECOND_NS) == ["partial_fill"]
    assert play.order(3).quantity == 30
    assert play.account.held_for_orders(play.last().symbol) == 30
    assert play.quote("18.90", "19.00", after_ns=SECOND_NS) == ["canceled", "fill"]
    assert play.held() == 0


@pytest.mark.parametrize("number", [2, 3])
def test_canceling_one_exit_cancels_the_other(number: int) -> None:
    play = Play()
    play.send(bracket())
    assert play.cancel(play.order(number)) == ["pending_cancel", "canceled", "canceled"]
    assert play.statuses() == ["filled", "canceled", "canceled"]
    assert play.account.held == {}


@pytest.mark.parametrize("number", [1, 2, 3])
def test_before_the_entry_is_filled_canceling_any_cancels_all(number: int) -> None:
    play = Play()
    play.send(bracket(price="19.50"))
    play.cancel(play.order(number))
    assert play.statuses() == ["canceled"] * 3
    assert play.account.reserved == 0


def test_an_entry_that_expires_takes_its_exits_along() -> None:
    play = Play()
    play.send(bracket(price="19.50"))
    assert play.at(monday().close_ns) == ["expired", "canceled", "canceled"]


def test_an_entry_that_the_venue_rejects_takes_its_exits_along() -> None:
    play = Play()
    play.send(bracket(price="19.50"))
    play.venue.back_office.reject(play.order(1).order_id)
    assert play.statuses() == ["rejected", "canceled", "canceled"]


def test_exits_sell_no_more_than_what_is_left_of_the_entry() -> None:
    play = Play()
    play.send(bracket(150))
    play.send(limit(60, "20.00", SELL))
    assert play.quote("20.00", "20.02", after_ns=SECOND_NS) == ["fill", "new", "new"]
    assert {play.held(), play.order(2).quantity, play.order(3).quantity} == {Decimal(90)}
    assert play.account.available(play.last().symbol) == 0


def test_exits_of_which_nothing_is_left_are_canceled() -> None:
    play = Play()
    play.send(bracket(150))
    play.send(limit(100, "20.00", SELL))
    play.venue.back_office.transfer_in(play.account, play.last().symbol, Decimal(-50), Decimal(20))
    assert play.quote("19.90", "20.02", after_ns=SECOND_NS) == ["fill", "canceled", "canceled"]


def test_a_bracket_can_sell_short_and_buy_back() -> None:
    play = Play(multiplier=2)
    entry = replace(
        limit(50, "20.00", SELL),
        order_class=OrderClass.BRACKET,
        take_profit=Decimal(19),
        stop_loss=StopLoss(stop_price=Decimal(21)),
    )
    assert play.send(entry) == [*TAKEN, "fill", "new", "new"]
    assert play.held() == -50
    assert play.quote("18.90", "19.00", after_ns=SECOND_NS) == ["fill", "canceled"]
    assert play.held() == 0
    assert play.cash() == CASH + 50 * Decimal(1)


# --- OCO, OTO


def test_an_oco_order_holds_its_shares_once() -> None:
    play = holding()
    assert play.send(oco(100)) == [*TAKEN, "new"]
    assert play.account.held_for_orders(play.last().symbol) == 100
    assert play.quote("21.00", "21.10", after_ns=SECOND_NS) == ["fill", "canceled"]
    assert play.held() == 0


def test_the_stop_of_an_oco_order_cancels_its_profit() -> None:
    play = holding()
    play.send(oco(100))
    assert play.quote("18.90", "19.00", after_ns=SECOND_NS) == ["canceled", "fill"]
    assert play.held() == 0


def test_an_oco_order_of_the_evening_waits_with_its_stop() -> None:
    play = holding()
    play.at(monday().close_ns)
    play.send(oco(100))
    assert play.statuses()[1:] == ["accepted", "held"]


def test_an_oto_order_brings_one_exit() -> None:
    play = Play()
    new = replace(
        limit(50, "20.05"), order_class=OrderClass.OTO, stop_loss=StopLoss(stop_price=Decimal(19))
    )
    assert play.send(new) == [*TAKEN, "fill", "new"]
    assert play.account.held_for_orders(new.symbol) == 50
    assert play.quote("18.90", "19.00", after_ns=SECOND_NS) == ["fill"]
    assert play.held() == 0


# --- refusals


@pytest.mark.parametrize(
    ("new", "words"),
    [
        (replace(bracket(), take_profit=None), "require take_profit and stop_loss"),
        (replace(bracket(), time_in_force=TimeInForce.IOC), "must be DAY or GTC"),
        (replace(bracket(), extended_hours=True), "extended hours"),
        (replace(bracket(), take_profit=Decimal("20.05")), ">= base_price + 0.01"),
        (replace(bracket(price=None), take_profit=Decimal("20.02")), ">= base_price + 0.01"),
        (
            replace(bracket(), stop_loss=StopLoss(stop_price=Decimal("20.05"))),
            "stop_loss.stop_price must be <= base_price - 0.01",
        ),
        (replace(bracket(), take_profit=Decimal("21.001")), "take_profit.limit_price 21.001"),
        (replace(bracket(), take_profit=Decimal(19)), ">= stop_loss.stop_price + 0.01"),
        (replace(limit(1, "20"), take_profit=Decimal(21)), "simple orders must not"),
        (replace(bracket(), order_class=OrderClass.OTO), "require one of"),
        (replace(oco(), side=Side.BUY, limit_price=Decimal(18)), "must be exit orders"),
        (replace(oco(), limit_price=None, order_type=OrderType.MARKET), "must be limit orders"),
    ],
)
def test_groups_that_make_no_sense(new: NewOrder, words: str) -> None:
    refusal = Play().refusal(new)
    assert (refusal.status, refusal.code) == (422, 42210000)
    assert words in refusal.message


def test_a_bracket_enters_and_an_oco_order_exits() -> None:
    play = holding()
    entry = replace(
        bracket(), side=SELL, take_profit=Decimal(19), stop_loss=StopLoss(stop_price=Decimal(21))
    )
    assert "must be entry orders" in play.refusal(entry).message
    assert "insufficient qty available" in play.refusal(oco(101)).message


# --- with replacements and slow cancels


def test_an_exit_may_be_replaced_and_still_ends_the_other() -> None:
    play = Play()
    play.send(bracket())
    assert play.change(play.order(2), limit_price=Decimal("20.50")) == [
        "pending_replace",
        "pending_new",
        "replaced",
        "new",
    ]
    assert play.account.held_for_orders(play.last().symbol) == 50
    assert play.quote("20.50", "20.60", after_ns=SECOND_NS) == ["fill", "canceled"]
    assert play.statuses() == ["filled", "replaced", "canceled", "filled"]


def test_an_exit_may_be_replaced_while_it_is_held() -> None:
    play = Play()
    play.send(bracket(price="19.50"))
    assert play.change(play.order(3), stop_price=Decimal(18)) == [
        "pending_replace",
        "pending_new",
        "replaced",
    ]
    assert play.statuses() == ["new", "held", "replaced", "held"]
    assert play.quote("19.40", "19.45", after_ns=SECOND_NS) == ["fill", "new", "new"]
    assert play.quote("17.90", "18.10", after_ns=SECOND_NS) == ["canceled", "fill"]
    assert not play.held()
    assert not play.account.held


def test_an_entry_that_is_replaced_hands_its_exits_on() -> None:
    play = Play()
    play.send(bracket(price="19.50"))
    play.change(play.order(1), limit_price=Decimal("20.05"))
    assert play.statuses() == ["replaced", "new", "new", "filled"]
    assert [leg.order_id for leg in play.venue.legs(play.last().order_id)] == [
        play.order(2).order_id,
        play.order(3).order_id,
    ]
    assert play.quote("21.10", "21.20", after_ns=SECOND_NS) == ["fill", "canceled"]


def test_an_exit_whose_cancel_is_slow_may_still_sell() -> None:
    play = Play(VenueTerms(cancel_latency_ns=5 * SECOND_NS))
    play.send(bracket())
    assert play.cancel(play.order(2)) == ["pending_cancel"]
    assert play.quote("21.10", "21.20", after_ns=SECOND_NS) == ["fill", "canceled"]
    assert not play.held()
    assert not play.account.held


def test_an_entry_is_replaced_after_one_of_its_exits_was() -> None:
    play = Play()
    play.send(bracket(price="19.50"))
    play.change(play.order(3), stop_price=Decimal(18))
    play.change(play.order(1), limit_price=Decimal("20.05"))
    assert play.statuses() == ["replaced", "new", "replaced", "new", "filled"]
    assert len(play.venue.legs(play.last().order_id)) == 2


def test_a_stop_that_is_replaced_while_it_sells_sells_no_more_than_the_entry() -> None:
    play = Play(VenueTerms(replace_latency_ns=5 * SECOND_NS))
    play.send(bracket())
    play.quote("18.90", "19.00", size=20, after_ns=SECOND_NS)
    play.change(play.order(3), stop_price=Decimal("18.50"))
    assert play.quote("18.90", "19.00", size=10, after_ns=SECOND_NS) == ["partial_fill"]
    assert play.quote("18.90", "19.00", size=100, after_ns=SECOND_NS) == ["fill"]
    assert play.quote("18.90", "19.00", after_ns=5 * SECOND_NS) == ["rejected"]
    assert not play.held()
    assert not play.last().quantity_filled


def test_an_exit_that_is_held_is_canceled_at_once_however_slow_cancels_are() -> None:
    play = Play(VenueTerms(cancel_latency_ns=5 * SECOND_NS))
    play.send(bracket(price="19.50"))
    assert play.cancel(play.order(3)) == ["canceled", "canceled", "canceled"]

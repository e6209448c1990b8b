"""One order in place of another, as plays."""

from decimal import Decimal

import pytest
from msgspec.structs import replace

from tests.venue_play import CASH, OPEN, Play, limit, market, monday
from trader.calendar import HOUR_NS
from trader.model import SECOND_NS, Side, TimeInForce
from trader.venue import NewOrder, OrderClass, OrderType, Refusal, StopLoss, VenueTerms

REPLACED = ["pending_replace", "pending_new", "replaced", "new"]
SELL = Side.SELL


def test_a_replacement_is_a_new_order_that_names_the_old_one() -> None:
    play = Play()
    play.send(limit(10, "19.00", client_order_id="a"))
    assert play.change(play.last(), limit_price="19.50", client_order_id="b") == REPLACED
    old, new = play.order(1), play.order(2)
    assert (old.replaced_by, new.replaces) == (new.order_id, old.order_id)
    assert (new.client_order_id, new.limit_price, new.quantity) == (
        "b",
        Decimal("19.5"),
        Decimal(10),
    )
    assert play.account.reserved == 195
    assert old.replaced_ns == OPEN


def test_a_replacement_may_trade_at_once_and_be_replaced_in_turn() -> None:
    play = Play()
    play.send(limit(10, "19.00"))
    play.change(play.last(), quantity=20)
    assert play.change(play.last(), limit_price="20.05") == [*REPLACED, "fill"]
    assert play.statuses() == ["replaced", "replaced", "filled"]
    assert play.cash() == CASH - 20 * Decimal("20.02")


def test_what_the_old_order_has_traded_counts() -> None:
    play = Play()
    play.send(limit(150, "20.02"))
    assert play.change(play.last(), quantity=120, limit_price="20.01") == REPLACED
    assert (play.order(1).quantity_filled, play.order(2).quantity) == (Decimal(100), Decimal(20))
    assert play.account.reserved == 20 * Decimal("20.01")


def test_until_it_arrives_the_larger_of_both_is_held() -> None:
    play = Play(VenueTerms(replace_latency_ns=SECOND_NS))
    play.send(limit(10, "19.00"))
    assert play.change(play.last(), quantity=30) == ["pending_replace", "pending_new"]
    assert play.account.reserved == 30 * 19
    assert play.at(OPEN + SECOND_NS) == ["replaced", "new"]
    assert play.account.reserved == 30 * 19
    play.change(play.last(), quantity=5)
    assert play.account.reserved == 30 * 19
    play.at(OPEN + 2 * SECOND_NS)
    assert play.account.reserved == 5 * 19


def test_a_replacement_of_an_order_that_fills_first_is_rejected() -> None:
    play = Play(VenueTerms(replace_latency_ns=SECOND_NS))
    play.send(limit(10, "19.90"))
    play.change(play.last(), limit_price="19.00")
    assert play.quote("19.80", "19.85", after_ns=1) == ["fill"]
    assert play.at(OPEN + SECOND_NS) == ["rejected"]
    assert play.statuses() == ["filled", "rejected"]
    assert play.account.reserved == 0


def test_a_part_that_trades_meanwhile_is_taken_off_the_replacement() -> None:
    play = Play(VenueTerms(replace_latency_ns=SECOND_NS))
    play.send(limit(50, "19.90"))
    play.change(play.last(), quantity=40)
    assert play.quote("19.80", "19.85", size=10, after_ns=1) == ["partial_fill"]
    play.at(OPEN + SECOND_NS)
    assert play.statuses() == ["replaced", "new"]
    assert play.last().quantity == 30


def test_where_nothing_would_be_left_the_old_order_lives_on() -> None:
    play = Play(VenueTerms(replace_latency_ns=SECOND_NS))
    play.send(limit(50, "19.90"))
    play.change(play.last(), quantity=10)
    play.quote("19.80", "19.85", size=10, after_ns=1)
    assert play.at(OPEN + SECOND_NS) == ["order_replace_rejected", "rejected"]
    assert play.statuses() == ["partially_filled", "rejected"]
    assert play.account.reserved == 40 * Decimal("19.9")


def test_an_order_under_replacement_may_be_canceled_but_not_its_replacement() -> None:
    play = Play(VenueTerms(replace_latency_ns=SECOND_NS))
    play.send(limit(50, "19.90"))
    play.change(play.last(), quantity=10)
    assert isinstance(play.cancel(play.order(2)), Refusal)
    play.cancel(play.order(1))
    assert play.at(OPEN + SECOND_NS) == ["rejected"]
    assert play.statuses() == ["canceled", "rejected"]


def test_a_sale_may_be_replaced_within_what_is_held() -> None:
    play = Play()
    play.send(limit(100, "20.02"))
    play.send(limit(60, "21", SELL))
    assert play.change(play.last(), quantity=100) == REPLACED
    assert play.account.available(play.last().symbol) == 0
    refusal = play.change(play.last(), quantity=101)
    assert isinstance(refusal, Refusal)
    assert refusal.extra["available"] == "100"


def test_a_trail_may_be_replaced_behind_the_same_best_price() -> None:
    play = Play()
    play.send(limit(100, "20.02"))
    play.send(
        replace(market(10, SELL), order_type=OrderType.TRAILING_STOP, trail_price=Decimal("0.50"))
    )
    play.quote("20.40", "20.50", after_ns=SECOND_NS)
    assert play.change(play.last(), trail="0.30") == REPLACED
    assert (play.last().hwm, play.last().stop_price) == (Decimal("20.4"), Decimal("20.1"))


def test_a_replacement_may_be_good_for_longer() -> None:
    play = Play()
    play.send(limit(10, "19.00"))
    play.change(play.last(), time_in_force="gtc")
    assert play.last().time_in_force is TimeInForce.GTC
    assert play.at(monday().close_ns + HOUR_NS) == []


STOP = replace(market(10), order_type=OrderType.STOP, stop_price=Decimal(21))


@pytest.mark.parametrize(
    ("new", "changes", "status", "words"),
    [
        (limit(10, "19"), {}, 422, "not changed"),
        (limit(10, "19"), {"quantity": 0}, 422, "qty must be"),
        (limit(10, "19"), {"quantity": Decimal("1.5")}, 422, "whole shares"),
        (limit(10, "19"), {"quantity": 1000}, 403, "insufficient buying power"),
        (limit(10, "19"), {"limit_price": "19.001"}, 422, "sub-penny"),
        (limit(10, "19"), {"stop_price": "19"}, 422, "stop_price of a limit order"),
        (limit(10, "19"), {"trail": "1"}, 422, "trail of a limit order"),
        (limit(10, "19"), {"client_order_id": "x" * 129}, 422, "client_order_id"),
        (limit(10, "19", client_order_id="a"), {"client_order_id": "a"}, 422, "must be unique"),
        (limit(10, "19"), {"time_in_force": "opg"}, 422, "this time of day"),
        (STOP, {"stop_price": "20.00"}, 422, "greater than current price"),
        (STOP, {"limit_price": "22"}, 422, "limit_price of a stop order"),
        (limit(150, "20.02"), {"quantity": 100}, 422, "qty must be > filled_qty"),
        (limit(10, "20.02"), {"quantity": 5}, 422, "order is not open"),
        (
            replace(limit(10, "19"), order_class=OrderClass.OTO, take_profit=Decimal(22)),
            {"limit_price": "18"},
            422,
            "oto orders cannot be replaced",
        ),
        (
            replace(
                limit(10, "19"),
                order_class=OrderClass.BRACKET,
                take_profit=Decimal(22),
                stop_loss=StopLoss(stop_price=Decimal(18)),
            ),
            {"quantity": 5},
            422,
            "qty of complex orders",
        ),
    ],
)
def test_what_may_not_be_replaced(
    new: NewOrder, changes: dict[str, object], status: int, words: str
) -> None:
    play = Play()
    play.bar("20.00", "20.02", "20.00", "20.01")
    play.send(new)
    before = play.venue.to_bytes()
    refusal = play.change(play.order(1), **changes)
    assert isinstance(refusal, Refusal)
    assert refusal.status == status
    assert words in refusal.message
    assert play.venue.to_bytes() == before


def test_an_order_that_waits_for_its_session_may_not_be_replaced() -> None:
    play = Play()
    play.at(monday().close_ns)
    play.send(limit(10, "19"))
    refusal = play.change(play.last(), quantity=5)
    assert isinstance(refusal, Refusal)
    assert (refusal.code, refusal.message) == (42210000, "cannot replace order in accepted status")


def test_a_replacement_in_dollars_there_is_none() -> None:
    play = Play()
    play.send(replace(market(0), notional=Decimal(4000)))
    refusal = play.change(play.last(), quantity=5)
    assert isinstance(refusal, Refusal)
    assert refusal.message == "notional orders cannot be replaced"

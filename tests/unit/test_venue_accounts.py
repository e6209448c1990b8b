"""What an account may do: buying power at margins of 1, 2 and 4, short sales, wash trades, its owner's settings."""

from decimal import Decimal

import pytest
from msgspec.structs import replace

from tests.venue_play import CASH, JD, TAKEN, Play, limit, market, monday
from trader.calendar import HOUR_NS
from trader.model import SECOND_NS, Side, TimeInForce
from trader.venue import (
    ActivityKind,
    Configuration,
    NewOrder,
    OrderClass,
    OrderType,
    Refusal,
    StopLoss,
    VenueAsset,
    margin,
)

SELL = Side.SELL


def refused(play: Play, new: NewOrder) -> str:
    return play.refusal(new).message


# --- buying power


@pytest.mark.parametrize(("multiplier", "power"), [(1, 10_000), (2, 20_000), (4, 40_000)])
def test_a_margin_account_may_buy_for_more_than_it_has(multiplier: int, power: int) -> None:
    play = Play(multiplier=multiplier)
    assert play.venue.buying_power(play.account) == power
    quantity = power // 10
    refusal = play.refusal(limit(quantity + 1, "10"))
    assert refusal.extra == {"buying_power": str(power), "cost_basis": str(power + 10)}
    play.send(limit(quantity, "10"))
    assert play.venue.buying_power(play.account) == 0


def test_what_is_carried_is_taken_off_at_its_mark() -> None:
    play = Play(multiplier=2)
    play.send(limit(100, "20.02"))
    play.bar("20.02", "20.02", "20.02", "20.02")
    assert play.venue.buying_power(play.account) == 20_000 - 2002
    play.bar("22.02", "22.02", "22.02", "22.02")
    # Equity is 200 more, so twice that; and the position is worth 200 more.
    assert play.venue.buying_power(play.account) == 20_000 - 2002 + 400 - 200


def test_a_market_order_is_valued_at_the_far_side_of_the_quote() -> None:
    play = Play()
    assert refused(play, market(500)) == "insufficient buying power"
    play.send(market(499))
    assert play.account.reserved == 399 * Decimal("20.02")


@pytest.mark.parametrize(
    ("after_close_ns", "price"),
    [(0, "20.01"), (5 * HOUR_NS, "19")],  # between the quotes out of hours; the last trade by night
)
def test_out_of_hours_it_is_valued_between_the_quotes_or_at_the_last_trade(
    after_close_ns: int, price: str
) -> None:
    play = Play()
    play.bar("19", "19", "19", "19")
    play.at(monday().close_ns + after_close_ns)
    play.send(market(10))
    assert play.account.reserved == 10 * Decimal(price)


def test_sales_bring_buying_power_only_when_they_trade() -> None:
    play = Play()
    play.send(limit(100, "20.02"))
    play.send(limit(100, "25", SELL))
    assert play.venue.buying_power(play.account) == CASH - 2002
    play.quote("25", "25.10", after_ns=SECOND_NS)
    assert play.venue.buying_power(play.account) == CASH - 2002 + 2500 - play.account.accrued_fees


def test_the_owner_may_forgo_margin() -> None:
    play = Play(multiplier=4)
    play.account.configuration = Configuration(max_margin_multiplier=1)
    assert play.venue.buying_power(play.account) == CASH
    assert refused(play, limit(1, "20", SELL)) == "account is not allowed to short"


# --- short sales


def test_a_short_sale_is_valued_at_three_percent_above_the_ask_or_at_its_limit() -> None:
    play = Play(multiplier=2)
    play.send(limit(100, "20.50", SELL))
    assert play.account.reserved == 100 * Decimal("20.6206")
    play.send(limit(10, "22", SELL))
    assert play.account.reserved == 100 * Decimal("20.6206") + 220
    assert refused(play, market(1000, SELL)) == "insufficient buying power"


def test_shares_sold_short_are_owed_and_bought_back() -> None:
    play = Play(multiplier=2)
    assert play.send(market(100, SELL)) == [*TAKEN, "fill"]
    assert play.held() == -100
    assert play.cash() == CASH + 2000
    worth = margin.worth(play.account, play.venue.books)
    assert worth.short == -2000
    assert worth.long == 0
    assert worth.equity == CASH
    assert play.send(limit(60, "20.02")) == [*TAKEN, "fill"]
    assert play.held() == -40
    assert play.account.positions[JD].avg_entry_price == 20
    message = refused(play, limit(41, "19"))
    assert message == "insufficient qty available for order (requested: 41, available: 40)"
    play.send(limit(40, "19"))
    assert play.account.reserved == 0
    assert play.account.available(JD) == 0


def test_one_order_does_not_turn_a_long_position_short() -> None:
    play = Play(multiplier=2)
    play.send(limit(10, "20.02"))
    assert "requested: 11, available: 10" in refused(play, market(11, SELL))


@pytest.mark.parametrize(
    ("asset", "new", "words"),
    [
        (VenueAsset(is_shortable=False), market(1, SELL), 'asset "JD" cannot be sold short'),
        (VenueAsset(), replace(market(0, SELL), quantity=Decimal("0.5")), "fractional orders"),
        (VenueAsset(), replace(market(0, SELL), notional=Decimal(5)), "fractional orders"),
        (VenueAsset(), replace(market(1, SELL), position_intent="sell_to_close"), "mismatch"),
    ],
)
def test_short_sales_that_are_refused(asset: VenueAsset, new: NewOrder, words: str) -> None:
    assert words in refused(Play(multiplier=2, asset=asset), new)


@pytest.mark.parametrize("changes", [{"no_shorting": True}, {"max_margin_multiplier": 1}])
def test_an_account_that_may_not_short_is_told_so(changes: dict[str, object]) -> None:
    play = Play(multiplier=2)
    play.account.configuration = replace(Configuration(), **changes)
    refusal = play.refusal(market(1, SELL))
    assert (refusal.status, refusal.code) == (403, 40310000)
    assert refusal.message == "account is not allowed to short"


def test_at_the_end_of_the_day_debts_cost_something() -> None:
    play = Play(multiplier=4)
    play.send(market(100, SELL))
    play.bar("20", "20", "20", "20")
    play.venue.back_office.move_cash(play.account, ActivityKind.WITHDRAWAL, Decimal(20_000))
    play.venue.end_session("2026-01-26", monday().post_close_ns)
    kinds = [(one.kind, one.net_amount) for one in play.venue.state.activities[1:]]
    assert kinds == [
        (ActivityKind.FEE, Decimal("-0.08")),  # of the sale
        (ActivityKind.INTEREST, Decimal("-1.39")),  # 8,000.08 owed x 0.0625 / 360, rounded up
        (ActivityKind.FEE, Decimal("-0.02")),  # 2,000 lent x 0.003 / 360
    ]
    assert play.cash() == Decimal(10_000 + 2_000 - 20_000) - Decimal("1.49")


def test_a_position_that_turns_costs_what_its_other_side_brought() -> None:
    account = Play(multiplier=2).account
    account.put_in(JD, Decimal(10), Decimal("20.01"))
    account.put_in(JD, Decimal(-15), Decimal(30))
    position = account.positions[JD]
    assert (position.quantity, position.cost) == (Decimal(-5), Decimal(-150))
    account.put_in(JD, Decimal(5), Decimal(29))
    assert not account.positions


# --- the owner, the venue


@pytest.mark.parametrize(
    ("flag", "words"),
    [
        ("trading_blocked", "account is not authorized to trade"),
        ("account_blocked", "account is not authorized to trade"),
        ("is_restricted_to_liquidation", "account is restricted to liquidation only"),
    ],
)
def test_a_blocked_account_is_told_why(flag: str, words: str) -> None:
    play = Play()
    play.send(limit(10, "20.02"))
    setattr(play.account, flag, True)
    refusal = play.refusal(limit(1, "20"))
    assert (refusal.status, refusal.code, refusal.message) == (403, 40310000, words)
    if flag == "is_restricted_to_liquidation":
        play.send(limit(10, "21", SELL))


def test_the_owner_may_suspend_trading_and_fractions() -> None:
    play = Play()
    play.account.configuration = Configuration(fractional_trading=False)
    assert "fractional" in refused(play, replace(market(0), quantity=Decimal("0.5")))
    play.account.configuration = Configuration(suspend_trade=True)
    assert "user request" in refused(play, market(1))


# --- wash trades

MARKET, LIMIT, STOP, STOP_LIMIT = (
    OrderType.MARKET,
    OrderType.LIMIT,
    OrderType.STOP,
    OrderType.STOP_LIMIT,
)


def resting(order_type: OrderType, side: Side, limit_price: str) -> NewOrder:
    """Far from the market, or waiting for tomorrow: it doesn't trade."""
    stop_price = Decimal(21) if side is Side.BUY else Decimal(19)
    return replace(
        market(5, side),
        order_type=order_type,
        limit_price=Decimal(limit_price) if order_type in (LIMIT, STOP_LIMIT) else None,
        stop_price=stop_price if order_type in (STOP, STOP_LIMIT) else None,
        time_in_force=TimeInForce.DAY,
    )


@pytest.mark.parametrize("standing", [MARKET, LIMIT, STOP, STOP_LIMIT])
@pytest.mark.parametrize("new", [MARKET, LIMIT, STOP, STOP_LIMIT])
@pytest.mark.parametrize("side", list(Side))
@pytest.mark.parametrize("crosses", [True, False])
def test_the_table_of_wash_trades(
    standing: OrderType, new: OrderType, side: Side, crosses: bool
) -> None:
    """By night, so that nothing trades; the account has shares and money."""
    play = Play()
    play.venue.back_office.transfer_in(play.account, JD, Decimal(50), Decimal(20))
    play.bar("20", "20", "20", "20")
    play.at(monday().close_ns + 5 * HOUR_NS)
    other = SELL if side is Side.BUY else Side.BUY
    # The buyer pays 20.50, the seller wants 20.40 or 20.60.
    prices = {Side.BUY: "20.50", SELL: "20.40" if crosses else "20.60"}
    play.send(resting(standing, side, prices[side]))
    outcome = play.venue.submit("account-1", resting(new, other, prices[other]))
    both_limited = {standing, new} <= {LIMIT, STOP_LIMIT}
    if both_limited and not crosses:
        assert not isinstance(outcome, Refusal)
        return
    assert isinstance(outcome, Refusal)
    assert (outcome.status, outcome.code) == (403, 40310000)
    assert outcome.message == "potential wash trade detected. use complex orders"
    kind = "limit" if both_limited else "market/stop"
    assert outcome.extra == {
        "existing_order_id": play.order(1).order_id,
        "reject_reason": f"opposite side {kind} order exists",
    }


def test_groups_and_trailing_stops_are_exempt_from_it() -> None:
    play = Play()
    play.send(limit(100, "20.02"))
    play.quote("20.00", "20.02", after_ns=SECOND_NS)
    play.send(limit(10, "19.00"))
    trailing = replace(market(10, SELL), order_type=OrderType.TRAILING_STOP, trail_price=Decimal(1))
    play.send(trailing)
    play.send(
        replace(
            limit(10, "21", SELL),
            order_class=OrderClass.OCO,
            take_profit=Decimal(21),
            stop_loss=StopLoss(stop_price=Decimal("18.50")),
        )
    )
    assert play.send(limit(10, "19.50")) == TAKEN

"""The venue as plays: orders, quotes and bars go in, the kinds of its events come out."""

from decimal import Decimal
from random import Random

import msgspec
import pytest

from tests.venue_play import (
    ACCOUNT,
    CASH,
    GS,
    JD,
    OPEN,
    TAKEN,
    Play,
    limit,
    market,
    monday,
    ticks,
)
from trader.calendar import iso, next_session, night_begins_ns, parse_iso, session_on
from trader.model import MINUTE_NS, SECOND_NS, Bar, Quote, Side, Symbol, TimeInForce
from trader.venue import (
    Configuration,
    EventKind,
    NewOrder,
    OrderStatus,
    OrderType,
    Refusal,
    Venue,
    VenueTerms,
)

# --- trading


def test_a_marketable_limit_fills_at_the_quote_and_not_at_its_limit() -> None:
    play = Play()
    assert play.send(limit(33, "20.50")) == [*TAKEN, "fill"]
    assert play.last().avg_price == Decimal("20.02")
    assert play.cash() == CASH - 33 * Decimal("20.02")
    assert play.held() == 33


def test_an_order_beyond_the_quoted_size_fills_in_parts_with_the_next_quotes() -> None:
    play = Play()
    assert play.send(limit(250, "20.05")) == [*TAKEN, "partial_fill"]
    assert play.quote("20.01", "20.03", after_ns=SECOND_NS) == ["partial_fill"]
    assert play.quote("20.01", "20.06", after_ns=SECOND_NS) == []
    assert play.quote("20.01", "20.05", after_ns=SECOND_NS) == ["fill"]
    cost = 100 * Decimal("20.02") + 100 * Decimal("20.03") + 50 * Decimal("20.05")
    assert play.cash() == CASH - cost


def test_what_one_order_took_of_a_quote_the_next_one_cannot_have() -> None:
    play = Play()
    play.send(limit(80, "20.02"))
    assert play.send(limit(80, "20.02")) == [*TAKEN, "partial_fill"]
    assert play.last().quantity_filled == 20


def test_a_resting_limit_fills_when_a_quote_comes_to_it() -> None:
    play = Play()
    assert play.send(limit(10, "19.90")) == TAKEN
    assert play.quote("19.80", "19.85", after_ns=SECOND_NS) == ["fill"]
    assert play.last().avg_price == Decimal("19.85")


@pytest.mark.parametrize(
    ("bar", "events", "price"),
    [
        (("19.95", "19.99", "19.90", "19.91"), [], None),  # touched, not traded through
        (("19.95", "19.99", "19.89", "19.95"), ["fill"], "19.9"),
        (("19.80", "19.99", "19.75", "19.95"), ["fill"], "19.8"),  # it opened beyond the limit
    ],
)
def test_a_bar_fills_a_resting_limit_only_when_it_traded_through(
    bar: tuple[str, str, str, str], events: list[str], price: str | None
) -> None:
    play = Play()
    play.send(limit(10, "19.90"))
    assert play.bar(*bar) == events
    assert play.last().avg_price == (None if price is None else Decimal(price))


def test_a_bar_gives_a_tenth_of_its_volume_and_no_more() -> None:
    play = Play()
    play.send(limit(10, "19.90"))
    assert play.bar("19.95", "19.99", "19.80", "19.95", volume=49) == ["partial_fill"]
    assert play.last().quantity_filled == 4


def test_what_one_order_took_of_a_bar_the_next_one_cannot_have() -> None:
    play = Play()
    play.send(limit(3, "19.90"))
    play.send(limit(3, "19.90"))
    assert play.bar("19.95", "19.99", "19.80", "19.95", volume=49) == ["fill", "partial_fill"]
    assert play.held() == 4


def test_an_order_sent_within_a_bar_does_not_trade_with_it() -> None:
    play = Play()
    play.at(OPEN + 30 * SECOND_NS)
    play.send(limit(10, "19.90"))
    bar = Bar(
        symbol=JD,
        start_ns=OPEN,
        open=ticks("19.95"),
        high=ticks("19.95"),
        low=ticks("19.70"),
        close=ticks("19.95"),
        volume=10_000,
    )
    assert play.venue.advance(OPEN + MINUTE_NS, bars=[bar]) == []


def test_better_limits_trade_first_and_equal_ones_in_order_of_arrival() -> None:
    play = Play()
    for client_order_id, price in (("worse", "19.90"), ("best", "19.95"), ("later", "19.95")):
        play.send(limit(60, price, client_order_id=client_order_id))
    play.quote("19.70", "19.80", size=130, after_ns=SECOND_NS)
    filled = {
        order.client_order_id: int(order.quantity_filled)
        for order in play.venue.state.orders.values()
    }
    assert filled == {"best": 60, "later": 60, "worse": 10}


def test_ioc_takes_what_is_there_and_fok_all_or_nothing() -> None:
    play = Play()
    assert play.send(limit(150, "20.02", time_in_force=TimeInForce.FOK)) == [*TAKEN, "canceled"]
    assert play.held() == 0
    assert play.send(limit(150, "20.02", time_in_force=TimeInForce.IOC)) == [
        *TAKEN,
        "partial_fill",
        "canceled",
    ]
    assert play.held() == 100


def test_a_market_order_never_spends_what_its_account_does_not_have() -> None:
    play = Play()
    assert play.send(market(499)) == [*TAKEN, "partial_fill"]
    assert play.quote("24.00", "25.00", size=1_000, after_ns=SECOND_NS) == [
        "partial_fill",
        "canceled",
    ]
    assert play.held() == 100 + (CASH - 2002) // 25
    assert 0 <= play.cash() < 25


def test_a_market_order_whose_fill_costs_more_than_was_held_loses_its_rest() -> None:
    play = Play()
    assert play.send(market(400)) == [*TAKEN, "partial_fill"]
    assert play.quote("29.00", "30.00", size=200, after_ns=SECOND_NS) == [
        "partial_fill",
        "canceled",
    ]
    assert play.cash() == CASH - 2002 - 6000
    assert play.venue.account(ACCOUNT).free == play.cash()


# --- the clock


def test_a_day_order_expires_at_the_close_and_a_gtc_order_does_not() -> None:
    play = Play()
    play.send(limit(10, "19.00"))
    play.send(limit(10, "19.00", time_in_force=TimeInForce.GTC))
    assert play.at(monday().close_ns - 1) == []
    assert play.at(monday().close_ns) == ["expired"]
    assert [order.time_in_force for order in play.venue.open_orders()] == [TimeInForce.GTC]


def test_the_last_bar_of_the_day_still_fills_what_expires_with_it() -> None:
    play = Play()
    play.at(monday().close_ns - MINUTE_NS)
    play.send(limit(10, "19.90"))
    assert play.bar("19.95", "19.99", "19.80", "19.95") == ["fill"]


def test_an_order_after_the_close_waits_for_the_next_session() -> None:
    play = Play()
    play.at(monday().close_ns)
    play.venue.end_session("2026-01-26", monday().post_close_ns)
    assert play.send(limit(10, "20.05")) == ["accepted"]
    tuesday = next_session("2026-01-26")
    assert play.at(tuesday.open_ns - 1) == []
    assert play.at(tuesday.open_ns) == ["new"]
    assert play.quote("20.00", "20.04") == ["fill"]


def test_only_an_order_for_extended_hours_trades_in_them() -> None:
    play = Play()
    play.at(monday().close_ns)
    assert play.send(limit(10, "20.05")) == ["accepted"]
    assert play.send(limit(10, "20.05", extended_hours=True)) == [*TAKEN, "fill"]


def evening_before(day: str) -> int:
    """20:00."""
    session = session_on(day)
    assert session is not None
    return night_begins_ns(session)


def test_an_order_for_extended_hours_trades_in_the_night_before_a_session_too() -> None:
    play = Play()
    play.at(evening_before("2026-01-27"))
    assert play.send(limit(10, "20.05")) == ["accepted"]
    assert play.send(limit(10, "20.05", extended_hours=True)) == [*TAKEN, "fill"]
    assert play.send(limit(10, "19.00", extended_hours=True)) == TAKEN
    assert iso(play.last().expires_ns) == "2026-01-28T01:00:00.000Z", (
        "for all of the day that follows"
    )
    tuesday = session_on("2026-01-27")
    assert tuesday is not None
    assert play.at(tuesday.pre_open_ns) == []
    assert play.at(tuesday.open_ns) == ["new"], "the one for regular hours"


@pytest.mark.parametrize(
    ("sent", "begins"),
    [
        ("2026-01-31T01:00:00Z", "2026-02-02T01:00:00Z"),  # a Friday at 20:00; Sunday at 20:00
        ("2026-11-26T02:00:00Z", "2026-11-27T01:00:00Z"),  # before Thanksgiving; its evening
    ],
)
def test_before_a_weekend_or_a_holiday_there_is_no_night(sent: str, begins: str) -> None:
    play = Play()
    play.at(parse_iso(sent))
    assert play.send(limit(10, "20.05", extended_hours=True)) == ["accepted"]
    assert play.at(parse_iso(begins) - 1) == []
    assert play.at(parse_iso(begins)) == ["new"]


def test_whose_account_does_not_trade_by_night_waits_until_four() -> None:
    play = Play()
    play.account.configuration = Configuration(disable_overnight_trading=True)
    play.at(evening_before("2026-01-27"))
    assert play.send(limit(10, "20.05", extended_hours=True)) == ["accepted"]
    tuesday = session_on("2026-01-27")
    assert tuesday is not None
    assert play.at(tuesday.pre_open_ns - 1) == []
    assert play.at(tuesday.pre_open_ns) == ["new"]
    assert play.quote("20.00", "20.02") == ["fill"]


def test_a_quote_does_not_outlive_its_session() -> None:
    play = Play()
    play.at(monday().close_ns)
    play.venue.end_session("2026-01-26", monday().post_close_ns)
    play.at(next_session("2026-01-26").open_ns)
    assert play.send(limit(10, "20.05")) == TAKEN


# --- cancels


def test_a_cancel_is_pending_before_it_is_done() -> None:
    play = Play()
    play.send(limit(10, "19.00"))
    assert play.cancel(play.last()) == ["pending_cancel", "canceled"]
    assert play.venue.account(ACCOUNT).reserved == 0


def test_an_order_may_fill_while_its_cancel_is_under_way() -> None:
    play = Play(VenueTerms(cancel_latency_ns=SECOND_NS))
    play.send(limit(10, "19.90"))
    order = play.last()
    assert play.cancel(order) == ["pending_cancel"]
    assert play.cancel(order) == []
    assert play.quote("19.80", "19.85", after_ns=1) == ["fill"]
    assert play.at(OPEN + 2 * SECOND_NS) == []


def test_a_cancel_under_way_is_done_when_its_time_has_come() -> None:
    play = Play(VenueTerms(cancel_latency_ns=SECOND_NS))
    play.send(limit(10, "19.90"))
    play.cancel(play.last())
    assert play.at(OPEN + SECOND_NS - 1) == []
    assert play.at(OPEN + SECOND_NS) == ["canceled"]


def test_a_filled_order_cannot_be_canceled_and_a_canceled_one_silently_can() -> None:
    play = Play()
    play.send(limit(10, "20.02"))
    refusal = play.cancel(play.last())
    assert isinstance(refusal, Refusal)
    assert (refusal.status, refusal.code) == (422, 42210000)
    play.send(limit(10, "19.00"))
    play.cancel(play.last())
    assert play.cancel(play.last()) == []


def test_an_order_of_another_account_is_not_found() -> None:
    play = Play()
    play.send(limit(10, "19.00"))
    play.venue.open_account("account-2", "PA2", CASH)
    outcome = play.venue.cancel("account-2", play.last().order_id)
    assert isinstance(outcome, Refusal)
    assert outcome.status == 404


# --- refusals


@pytest.mark.parametrize(
    ("new", "status", "code", "words"),
    [
        (limit(500, "20.01"), 403, 40310000, "insufficient buying power"),
        (limit(1, "20.001"), 422, 42210000, "sub-penny"),
        (limit(1, "-1"), 422, 40010001, "limit_price must be > 0"),
        (limit(0, "20"), 422, 40010001, "qty must be > 0"),
        (limit(-5, "20"), 422, 40010001, "qty must be > 0"),
        (limit(2**64, "20"), 422, 40010001, "qty must be > 0"),
        (limit(1, "20", side=Side.SELL), 403, 40310000, "not allowed to short"),
        (limit(1, "20", time_in_force=TimeInForce.OPG), 422, 42210000, "this time of day"),
        (limit(1, "20", client_order_id="x" * 129), 422, 40010001, "client_order_id"),
        (
            limit(1, "20", time_in_force=TimeInForce.IOC, extended_hours=True),
            422,
            42210000,
            "extended hours",
        ),
        (msgspec.structs.replace(market(1), limit_price=Decimal(1)), 422, 40010001, "limit_price"),
        (msgspec.structs.replace(market(1), symbol=Symbol("X")), 422, 42210000, "not found"),
        (msgspec.structs.replace(market(1), symbol=GS), 422, 42210000, "no price is known"),
        (
            msgspec.structs.replace(market(1), order_type=OrderType.STOP),
            422,
            40010001,
            "require a stop price",
        ),
        (
            msgspec.structs.replace(market(1), order_type=OrderType.LIMIT),
            422,
            40010001,
            "limit orders require a limit price",
        ),
    ],
)
def test_a_refused_order_leaves_no_trace(new: NewOrder, status: int, code: int, words: str) -> None:
    refusal = Play().refusal(new)
    assert (refusal.status, refusal.code) == (status, code)
    assert words in refusal.message


def test_a_client_order_id_is_used_up_for_ever_but_not_by_a_refusal() -> None:
    play = Play()
    play.refusal(limit(500, "20.01", client_order_id="a"))
    play.send(limit(1, "19", client_order_id="a"))
    play.cancel(play.last())
    refusal = play.refusal(limit(1, "19", client_order_id="a"))
    assert (refusal.status, refusal.code) == (422, 40010001)
    assert refusal.message == "client_order_id must be unique"


def test_two_buys_of_the_same_symbol_are_both_accepted() -> None:
    play = Play()
    play.send(limit(33, "20.02"))
    play.send(limit(33, "20.02"))
    assert play.held() == 66


def test_open_buys_hold_buying_power_until_they_end() -> None:
    play = Play()
    play.send(limit(400, "19.00"))
    refusal = play.refusal(limit(400, "19.00"))
    assert refusal.extra == {"buying_power": "2400", "cost_basis": "7600"}
    play.cancel(play.last())
    play.send(limit(400, "19.00"))


def test_open_sells_hold_their_shares_until_they_end() -> None:
    play = Play()
    play.send(limit(100, "20.02"))
    play.send(limit(60, "21", side=Side.SELL))
    holder = play.last().order_id
    refusal = play.refusal(limit(60, "21", side=Side.SELL))
    assert refusal.extra == {
        "symbol": "JD",
        "existing_qty": "100",
        "held_for_orders": "60",
        "available": "40",
        "related_orders": [holder],
    }
    play.send(limit(40, "21", side=Side.SELL))


@pytest.mark.parametrize(
    ("sell", "met"),
    [
        (limit(10, "19.00", side=Side.SELL), True),
        (limit(10, "19.01", side=Side.SELL), False),
        (market(10, Side.SELL), True),
    ],
)
def test_an_order_that_could_trade_with_our_own_is_a_wash_trade(sell: NewOrder, met: bool) -> None:
    play = Play()
    play.send(limit(100, "20.02"))
    play.send(limit(10, "19.00"))
    if not met:
        play.send(sell)
        return
    refusal = play.refusal(sell)
    assert (refusal.status, refusal.code) == (403, 40310000)
    assert refusal.extra["existing_order_id"] == play.last().order_id


# --- money


def test_fees_are_on_sells_rounded_up_by_execution_and_charged_once_at_the_end() -> None:
    play = Play()
    play.send(limit(100, "20.02"))
    for _ in range(2):
        play.send(limit(50, "20.00", side=Side.SELL))
    # 1,000 x 0.0000278 + 50 x 0.000166 = 0.0361, so 0.04 each time; not 0.0722, rounded once.
    before_fees = CASH - 2002 + 2000
    account = play.venue.account(ACCOUNT)
    assert (account.cash, account.accrued_fees) == (before_fees, Decimal("0.08"))
    assert play.venue.buying_power(account) == before_fees - Decimal("0.08")
    play.venue.end_session("2026-01-26", monday().post_close_ns)
    assert (account.cash, account.accrued_fees) == (before_fees - Decimal("0.08"), Decimal(0))
    assert [fee.net_amount for fee in play.venue.state.activities] == [Decimal("-0.08")]
    play.venue.end_session("2026-01-27", monday().post_close_ns)
    assert len(play.venue.state.activities) == 1


def test_the_fee_on_shares_is_capped() -> None:
    assert VenueTerms().sell_fee(Decimal(100_000), Decimal(1)) == Decimal("11.08")


def test_a_venue_read_back_from_bytes_goes_on_as_if_nothing_had_happened() -> None:
    play = Play()
    play.send(limit(250, "20.05", client_order_id="a"))
    saved = play.venue.to_bytes()
    again = Venue.from_bytes(saved, [JD, GS], random=Random(2))
    assert again.to_bytes() == saved
    assert again.open_orders() == play.venue.open_orders()
    assert again.order_by_client_id(ACCOUNT, "a") == play.last()
    quote = Quote(symbol=JD, at_ns=OPEN + 1, bid=199_000, bid_size=500, ask=200_000, ask_size=500)
    events = again.advance(OPEN + 1, quotes=[quote])
    assert [(event.kind, event.order.status) for event in events] == [
        (EventKind.FILL, OrderStatus.FILLED)
    ]

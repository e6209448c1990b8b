"""Order types and times in force, as plays: stops, trailing stops, auctions, fractions, halts, latency, made quotes."""

from decimal import Decimal

import pytest
from msgspec.structs import replace

from tests.venue_play import (
    ACCOUNT,
    CASH,
    GS,
    JD,
    OPEN,
    TAKEN,
    Play,
    kinds,
    limit,
    market,
    monday,
    ticks,
)
from trader.calendar import DAY_NS, HOUR_NS, next_session, session_on
from trader.model import MINUTE_NS, SECOND_NS, Bar, Quote, Side, TimeInForce
from trader.venue import NewOrder, OrderType, VenueAsset, VenueTerms

SELL = Side.SELL


def stop(
    quantity: int, price: str, side: Side = Side.BUY, limit_price: str | None = None
) -> NewOrder:
    return replace(
        market(quantity, side),
        order_type=OrderType.STOP if limit_price is None else OrderType.STOP_LIMIT,
        stop_price=Decimal(price),
        limit_price=None if limit_price is None else Decimal(limit_price),
    )


def trailing(
    quantity: int, *, price: str | None = None, percent: str | None = None, side: Side = SELL
) -> NewOrder:
    return replace(
        market(quantity, side),
        order_type=OrderType.TRAILING_STOP,
        trail_price=None if price is None else Decimal(price),
        trail_percent=None if percent is None else Decimal(percent),
    )


def holding(terms: VenueTerms | None = None) -> Play:
    """100 JD, bought at 20.02, and a fresh quote."""
    play = Play(terms)
    play.send(limit(100, "20.02"))
    play.quote("20.00", "20.02", after_ns=SECOND_NS)
    return play


# --- stops


def test_a_stop_waits_for_the_bid_and_then_sells_at_the_market() -> None:
    play = holding()
    assert play.send(stop(10, "19.50", SELL)) == TAKEN
    assert play.quote("19.51", "19.60", after_ns=SECOND_NS) == []
    assert play.quote("19.40", "19.60", after_ns=SECOND_NS) == ["fill"]
    assert play.last().avg_price == Decimal("19.4")


def test_a_stop_limit_that_was_triggered_waits_for_its_limit() -> None:
    play = holding()
    play.send(stop(10, "19.50", SELL, "19.45"))
    assert play.quote("19.40", "19.60", after_ns=SECOND_NS) == []
    assert play.last().is_triggered
    assert play.quote("19.55", "19.60", after_ns=SECOND_NS) == ["fill"]
    assert play.last().avg_price == Decimal("19.55")


@pytest.mark.parametrize(("stop_price", "guard"), [("20.50", "21.32"), ("60", "61.5")])
def test_a_stop_bought_at_the_market_pays_no_more_than_its_guard(
    stop_price: str, guard: str
) -> None:
    play = Play()
    play.send(stop(10, stop_price))
    assert play.last().guard_price == Decimal(guard)
    assert play.account.reserved == 10 * Decimal(guard)
    beyond = str(Decimal(guard) + Decimal("0.01"))
    assert play.quote("20.00", beyond, after_ns=SECOND_NS) == []
    assert play.last().is_triggered
    assert play.quote("20.00", guard, after_ns=SECOND_NS) == ["fill"]


def test_a_bar_that_touched_a_stop_triggers_it_for_the_next_quote() -> None:
    play = holding()
    play.send(stop(10, "19.50", SELL))
    assert play.bar("20.00", "20.00", "19.50", "20.00") == []
    assert play.last().is_triggered
    assert play.quote("20.10", "20.12") == ["fill"]


def test_a_stop_beyond_the_market_is_refused_with_both_prices() -> None:
    play = holding()
    play.bar("20.01", "20.01", "20.01", "20.01")
    refusal = play.refusal(stop(10, "20.01", SELL))
    assert (refusal.status, refusal.code) == (422, 42210000)
    assert refusal.message == "stop price must be less than current price"
    assert refusal.extra == {"market_price": "20.01", "stop_price": "20.01"}
    assert "greater" in play.refusal(stop(10, "20.01")).message


def test_a_stop_is_not_triggered_outside_regular_hours() -> None:
    play = holding()
    play.send(replace(stop(10, "19.50", SELL), time_in_force=TimeInForce.GTC))
    play.send(replace(trailing(10, price="1"), time_in_force=TimeInForce.GTC))
    play.at(monday().close_ns)
    assert play.quote("18.00", "18.10") == []
    assert [order.is_triggered for order in play.venue.open_orders()] == [False, False]


def test_a_trailing_stop_follows_the_best_bid_and_never_goes_back() -> None:
    play = holding()
    play.send(trailing(10, price="0.50"))
    assert (play.last().hwm, play.last().stop_price) == (Decimal(20), Decimal("19.5"))
    play.quote("20.40", "20.50", after_ns=SECOND_NS)
    play.quote("20.10", "20.50", after_ns=SECOND_NS)
    assert (play.last().hwm, play.last().stop_price) == (Decimal("20.4"), Decimal("19.9"))
    assert play.quote("19.90", "20.00", after_ns=SECOND_NS) == ["fill"]


def test_a_trailing_buy_follows_the_best_ask_by_percent() -> None:
    play = Play()
    play.send(trailing(10, percent="5", side=Side.BUY))
    assert play.last().stop_price == Decimal("21.021")
    play.quote("18.00", "19.00", after_ns=SECOND_NS)
    assert play.last().stop_price == Decimal("19.95")
    assert play.quote("19.90", "19.95", after_ns=SECOND_NS) == ["fill"]


def test_a_stop_that_trails_for_long_is_not_written_down_for_the_clock_each_time() -> None:
    play = holding()
    play.send(trailing(10, price="5"))
    for cents in range(1, 50):
        play.quote(f"20.{cents:02}", "21.00", after_ns=SECOND_NS)
    assert play.last().hwm == Decimal("20.49")
    assert len(play.venue._due) < 10


# --- auctions, days, years


def before_open(minutes: int) -> Play:
    return Play(start_ns=OPEN - minutes * MINUTE_NS, is_quoted=False)


def test_an_order_for_the_opening_trades_with_the_first_quote_or_not_at_all() -> None:
    play = before_open(30)
    opening = TimeInForce.OPG
    assert play.send(limit(150, "20.05", time_in_force=opening)) == ["accepted"]
    assert play.send(limit(10, "19.00", time_in_force=opening)) == ["accepted"]
    assert play.quote("19.00", "19.50") == []
    assert play.at(OPEN) == ["new", "new"]
    assert play.quote("20.00", "20.02") == ["partial_fill", "canceled", "canceled"]
    assert play.held() == 100


@pytest.mark.parametrize("is_quoted", [False, True], ids=["bar alone", "bar and quote"])
@pytest.mark.parametrize(
    ("new", "kind"),
    [
        (limit(10, "20.00"), "fill"),
        (limit(10, "20.05"), "fill"),
        (limit(10, "19.99"), "canceled"),
        (limit(10, "20.00", SELL), "fill"),
        (limit(10, "20.01", SELL), "canceled"),
        (market(10), "fill"),
    ],
    ids=["at it", "above it", "below it", "sale at it", "sale above it", "market"],
)
def test_where_a_bar_comes_first_its_open_is_the_opening(
    new: NewOrder, kind: str, is_quoted: bool
) -> None:
    """The bar trades through each of the limits, and ends far from its open: neither is the auction's."""
    play = Play(
        VenueTerms(spread_rate=Decimal("0.01")),
        start_ns=OPEN - 30 * MINUTE_NS,
        is_quoted=False,
        multiplier=2,
    )
    play.venue.books[JD].last = Decimal(20)
    assert play.send(replace(new, time_in_force=TimeInForce.OPG)) == ["accepted"]
    assert play.at(OPEN) == ["new"]
    bar = Bar(
        symbol=JD,
        start_ns=OPEN,
        open=ticks("20.00"),
        high=ticks("21.00"),
        low=ticks("19.00"),
        close=ticks("19.50"),
        volume=10_000,
    )
    at_ns = OPEN + MINUTE_NS
    quote = Quote(
        symbol=JD,
        at_ns=at_ns,
        bid=ticks("20.40"),
        bid_size=100,
        ask=ticks("20.41"),
        ask_size=100,
    )
    quotes = [quote] if is_quoted else []
    assert kinds(play.venue.advance(at_ns, bars=[bar], quotes=quotes)) == [kind]
    assert play.last().avg_price == (Decimal(20) if kind == "fill" else None)
    assert play.bar("20.00", "21.00", "19.00", "20.00") == [], "it is held once"


def test_the_opening_comes_before_all_else_that_a_bar_brings() -> None:
    """Of a hundred shares that may be taken, what is left of the auction is there for a better limit that rests."""
    play = before_open(30)
    play.send(limit(60, "20.05", time_in_force=TimeInForce.OPG))
    play.send(limit(60, "20.50"))
    play.send(limit(60, "20.01", time_in_force=TimeInForce.OPG))
    play.at(OPEN)
    assert play.bar("20.00", "21.00", "19.00", "20.00", volume=1_000) == [
        "fill",
        "partial_fill",
        "canceled",
    ]
    assert play.statuses() == ["filled", "new", "canceled"]


def test_an_opening_that_was_halted_is_held_at_the_open_of_the_first_bar_after_it() -> None:
    play = before_open(30)
    play.send(limit(10, "20.05", time_in_force=TimeInForce.OPG))
    play.at(OPEN)
    play.venue.back_office.halt(JD)
    assert play.bar("20.00", "21.00", "19.00", "20.00") == []
    play.venue.back_office.resume(JD)
    assert play.bar("20.04", "21.00", "19.00", "20.00") == ["fill"]
    assert play.last().avg_price == Decimal("20.04")


def test_an_order_for_the_close_trades_at_the_close_of_the_last_bar() -> None:
    play = holding()
    closing = TimeInForce.CLS
    assert play.send(replace(market(10, SELL), time_in_force=closing)) == TAKEN
    assert play.send(limit(10, "20.60", SELL, closing)) == TAKEN
    assert play.quote("20.70", "20.72", after_ns=SECOND_NS) == []
    play.at(monday().close_ns - MINUTE_NS)
    assert play.bar("20.00", "20.70", "20.00", "20.50") == ["fill", "expired"]
    assert play.order(2).avg_price == Decimal("20.5")


def test_an_order_for_the_close_trades_with_the_last_quote_where_no_bar_comes() -> None:
    play = holding()
    play.send(replace(market(10, SELL), time_in_force=TimeInForce.CLS))
    assert play.at(monday().close_ns) == ["fill"]
    assert play.last().avg_price == Decimal(20)


@pytest.mark.parametrize(
    ("time_in_force", "at_ns", "taken"),
    [
        (TimeInForce.OPG, OPEN - 2 * MINUTE_NS - 1, True),
        (TimeInForce.OPG, OPEN - 2 * MINUTE_NS, False),
        (TimeInForce.OPG, OPEN + 9 * HOUR_NS, False),
        (TimeInForce.OPG, OPEN + 9 * HOUR_NS + 30 * MINUTE_NS, True),
        (TimeInForce.CLS, OPEN, True),
        (TimeInForce.CLS, monday().close_ns - 10 * MINUTE_NS - 1, True),
        (TimeInForce.CLS, monday().close_ns - 10 * MINUTE_NS, False),
        (TimeInForce.CLS, monday().close_ns + 3 * HOUR_NS, True),
    ],
)
def test_auctions_are_shut_for_a_while(time_in_force: TimeInForce, at_ns: int, taken: bool) -> None:
    play = Play(start_ns=at_ns, is_quoted=False)
    new = limit(1, "20", time_in_force=time_in_force)
    if taken:
        play.send(new)
    else:
        assert (play.refusal(new).status, play.refusal(new).code) == (422, 42210000)


def test_on_a_half_day_orders_for_the_close_are_shut_ten_minutes_before_it() -> None:
    half = session_on("2026-11-27")
    assert half is not None
    assert half.close_ns - half.open_ns == 3 * HOUR_NS + 30 * MINUTE_NS
    play = Play(start_ns=half.close_ns - 10 * MINUTE_NS, is_quoted=False)
    assert play.refusal(limit(1, "20", time_in_force=TimeInForce.CLS)).status == 422
    play.send(limit(1, "20"))
    assert play.at(half.close_ns) == ["expired"]


def test_an_order_of_the_evening_waits_for_the_next_day_and_expires_with_it() -> None:
    play = Play(start_ns=monday().close_ns + HOUR_NS, is_quoted=False)
    assert play.send(limit(1, "20")) == ["accepted"]
    tuesday = next_session("2026-01-26")
    assert play.at(tuesday.open_ns) == ["new"]
    assert play.at(tuesday.close_ns) == ["expired"]


@pytest.mark.parametrize(
    "start_ns",
    [
        OPEN,  # ninety days later is a Sunday
        next_session("2026-01-26").open_ns,
    ],
)
def test_an_order_that_is_good_till_canceled_is_so_for_ninety_days(start_ns: int) -> None:
    play = Play(start_ns=start_ns)
    play.send(limit(1, "10", time_in_force=TimeInForce.GTC))
    assert play.last().expires_ns == 1_777_320_900 * SECOND_NS  # 2026-04-27, 16:15 in New York
    assert play.at(OPEN + 90 * DAY_NS) == []
    assert play.at(play.last().expires_ns) == ["canceled"]


# --- fractions and dollars


def test_dollars_buy_as_many_shares_as_they_pay_for() -> None:
    play = Play()
    assert play.send(replace(market(0), notional=Decimal(100))) == [*TAKEN, "fill"]
    order = play.last()
    assert order.quantity_filled == Decimal("4.995004995")
    assert play.cash() == CASH - Decimal("4.995004995") * Decimal("20.02")
    assert play.account.reserved == 0


def test_dollars_beyond_the_quoted_size_are_spent_in_parts() -> None:
    play = Play()
    assert play.send(replace(market(0), notional=Decimal(4000))) == [*TAKEN, "partial_fill"]
    assert play.account.reserved == Decimal(4000) - 2002
    assert play.quote("24.00", "25.00", after_ns=SECOND_NS) == ["fill"]
    assert play.last().quantity_filled == 100 + Decimal("79.92")
    assert play.cash() == CASH - 4000


def test_dollars_sell_out_of_a_position() -> None:
    play = holding()
    assert play.send(replace(market(0, SELL), notional=Decimal(50))) == [*TAKEN, "fill"]
    assert play.held() == Decimal("97.5")
    assert play.refusal(replace(market(0, SELL), notional=Decimal(5000))).status == 403


def test_a_fraction_of_a_share_is_bought_and_sold() -> None:
    play = Play()
    play.send(replace(market(0), quantity=Decimal("1.5")))
    assert play.held() == Decimal("1.5")
    play.send(replace(market(0, SELL), quantity=Decimal("0.25")))
    assert play.held() == Decimal("1.25")


HALF = replace(market(0), quantity=Decimal("0.5"))


@pytest.mark.parametrize(
    ("new", "status", "words"),
    [
        (replace(HALF, time_in_force=TimeInForce.GTC), 422, "fractional orders must be DAY"),
        (replace(limit(1, "20", SELL), quantity=Decimal("0.5")), 403, "not allowed to short"),
        (
            replace(trailing(1, price="1", side=Side.BUY), quantity=Decimal("0.5")),
            422,
            "fractional orders must be market",
        ),
        (replace(market(0), notional=Decimal("0.99")), 422, "notional must be >= 1.00"),
        (replace(market(0), notional=Decimal("1.001")), 422, "2 decimal places"),
        (replace(limit(0, "20"), notional=Decimal(10)), 422, "DAY market"),
        (replace(market(0), notional=Decimal(20_000)), 403, "insufficient buying power"),
        (replace(market(0), symbol=GS, notional=Decimal(20)), 422, "no price is known"),
    ],
)
def test_what_fractions_and_dollars_may_not_do(new: NewOrder, status: int, words: str) -> None:
    refusal = Play().refusal(new)
    assert refusal.status == status
    assert words in refusal.message


def test_an_asset_may_forbid_fractions_or_all_trading() -> None:
    refusal = Play(asset=VenueAsset(is_fractionable=False)).refusal(HALF)
    assert (refusal.status, refusal.code) == (403, 40310000)
    assert refusal.message == 'asset "JD" is not fractionable'
    assert "not tradable" in Play(asset=VenueAsset(is_tradable=False)).refusal(market(1)).message


# --- prices


@pytest.mark.parametrize(
    ("new", "words"),
    [
        (stop(1, "20.501"), "invalid stop_price 20.501. sub-penny"),
        (stop(1, "21", limit_price="21.001"), "invalid limit_price 21.001. sub-penny"),
        (stop(1, "0"), "stop_price must be > 0"),
        (trailing(1, side=Side.BUY), "one of trail_price or trail_percent"),
        (trailing(1, price="1", percent="1", side=Side.BUY), "one of trail_price or trail_percent"),
        (trailing(1, price="1.001", side=Side.BUY), "sub-penny"),
        (trailing(1, percent="100", side=Side.BUY), "trail_percent must be"),
        (replace(market(1), trail_price=Decimal(1)), "must not have trail_price"),
        (replace(stop(1, "21"), time_in_force=TimeInForce.IOC), "must be market or limit"),
        (replace(stop(1, "21"), time_in_force=TimeInForce.OPG), "must be market or limit"),
        (replace(stop(1, "21"), extended_hours=True), "extended hours"),
    ],
)
def test_prices_and_times_that_make_no_order(new: NewOrder, words: str) -> None:
    refusal = Play().refusal(new)
    assert refusal.status == 422
    assert words in refusal.message


def test_below_a_dollar_prices_have_four_decimals() -> None:
    play = Play()
    play.send(limit(1, "0.1234"))
    assert "sub-penny" in play.refusal(limit(1, "0.12345")).message


# --- halts, latency, chance, slippage


def test_during_a_halt_nothing_trades_and_cancels_work() -> None:
    play = Play()
    play.venue.back_office.halt(JD)
    assert play.send(limit(10, "20.05")) == TAKEN
    assert play.quote("19.00", "19.01", after_ns=SECOND_NS) == []
    assert play.bar("18.00", "18.00", "17.00", "18.00") == []
    play.send(limit(10, "20.05"))
    assert play.cancel(play.last()) == ["pending_cancel", "canceled"]
    play.venue.back_office.resume(JD)
    assert play.quote("19.00", "19.01", after_ns=SECOND_NS) == ["fill"]


def test_an_order_trades_when_it_has_arrived_and_not_before() -> None:
    play = Play(VenueTerms(latency_ns=2 * SECOND_NS))
    assert play.send(limit(10, "20.05")) == ["pending_new"]
    assert play.venue.next_due_ns() == OPEN + 2 * SECOND_NS
    assert play.quote("20.00", "20.01", after_ns=SECOND_NS) == []
    assert play.at(OPEN + 2 * SECOND_NS) == ["new", "fill"]


def test_how_long_an_order_is_under_way_depends_on_the_seed_alone() -> None:
    def arrivals(seed: int) -> list[int | None]:
        play = Play(VenueTerms(latency_jitter_ns=SECOND_NS, seed=seed))
        for _ in range(5):
            play.send(limit(1, "10"))
        return [order.arrives_ns for order in play.venue.open_orders()]

    assert arrivals(1) == arrivals(1) != arrivals(2)


def test_by_chance_an_order_gets_a_part_first() -> None:
    play = Play(VenueTerms(partial_probability=1.0))
    assert play.send(limit(50, "20.05")) == [*TAKEN, "partial_fill"]
    assert 0 < play.last().quantity_filled < 50
    assert play.send(limit(20, "20.05", time_in_force=TimeInForce.FOK))[-1] == "fill"


def test_an_order_without_a_limit_slips() -> None:
    play = Play(VenueTerms(slippage_rate=Decimal("0.001")))
    play.send(market(10))
    assert play.last().avg_price == Decimal("20.0401")  # 20.02 x 1.001, rounded up
    play.send(limit(10, "20.02"))
    assert play.last().avg_price == Decimal("20.02")


def test_only_the_stated_part_of_a_quoted_size_is_there() -> None:
    play = Play(VenueTerms(quote_participation=Decimal("0.25")))
    play.send(limit(50, "20.05"))
    assert play.last().quantity_filled == 25


# --- no quotes


def test_without_quotes_a_bar_makes_one_around_its_close() -> None:
    play = Play(is_quoted=False)
    play.send(limit(1, "10"))
    play.bar("20.00", "20.10", "19.90", "20.00", volume=500)
    book = play.venue.books[JD]
    assert (book.bid.price, book.ask.price) == (Decimal("19.99"), Decimal("20.01"))
    assert play.send(market(80)) == [*TAKEN, "partial_fill"]
    assert (play.last().quantity_filled, play.last().avg_price) == (
        Decimal(50),
        Decimal("20.01"),
    )


def test_without_quotes_a_stop_that_a_bar_triggers_trades_at_the_worse_of_stop_and_open() -> None:
    play = Play(is_quoted=False)
    play.venue.back_office.transfer_in(play.account, JD, Decimal(100), Decimal(20))
    play.bar("20.00", "20.00", "20.00", "20.00")
    for price in ("19.50", "19.20"):
        play.send(stop(10, price, SELL))
    assert play.bar("19.40", "19.60", "19.10", "19.50") == ["fill", "fill"]
    # Half of a basis point worse than the open, and than the stop.
    assert play.order(1).avg_price == Decimal("19.3990")
    assert play.order(2).avg_price == Decimal("19.1990")


def test_a_told_quote_takes_the_place_of_a_made_one() -> None:
    play = Play()
    play.bar("30.00", "30.00", "30.00", "30.00")
    assert play.venue.books[JD].ask.price == Decimal("20.02")


def test_commission_is_taken_on_both_sides() -> None:
    play = Play(VenueTerms(commission_share_rate=Decimal("0.005")))
    play.send(limit(100, "20.02"))
    assert play.account.accrued_fees == Decimal("0.50")
    assert play.venue.account(ACCOUNT).cash == CASH - 2002

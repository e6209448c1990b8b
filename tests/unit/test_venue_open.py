"""A venue whose terms say so makes no quotes of bars: what is ordered waits for the open of the next bar."""

from decimal import Decimal
from random import Random

import pytest
from msgspec.structs import replace

from trader.calendar import session_on
from trader.model import MINUTE_NS, SECOND_NS, Bar, Quote, Side, Symbol, TimeInForce
from trader.venue import NewOrder, OrderEvent, Refusal, Venue, VenueTerms
from trader.venue.words import OrderStatus, OrderType, StopLoss

JD = Symbol("JD")
AT_NS = 1_769_439_600_000_000_000  # 2026-01-26 10:00 in New York
FREE = VenueTerms(
    sell_notional_rate=Decimal(0),
    sell_share_rate=Decimal(0),
    spread_rate=Decimal(0),
    trades_at_open=True,
)


def bar(minute: int, opened: int, low: int, high: int, close: int, volume: int = 10_000) -> Bar:
    """Prices in cents."""
    return Bar(
        symbol=JD,
        start_ns=AT_NS + minute * MINUTE_NS,
        open=opened * 100,
        low=low * 100,
        high=high * 100,
        close=close * 100,
        volume=volume,
    )


def venue(terms: VenueTerms = FREE) -> Venue:
    made = Venue([JD], random=Random(1), terms=terms)
    made.advance(AT_NS)
    made.open_account("a", "A", Decimal(100_000))
    made.advance(AT_NS + MINUTE_NS, [bar(0, 3000, 2990, 3010, 3000)])
    return made


def order(side: Side = Side.BUY, shares: int = 10, **terms: object) -> NewOrder:
    wanted = {
        "symbol": JD,
        "side": side,
        "order_type": OrderType.LIMIT if "limit_price" in terms else OrderType.MARKET,
        "time_in_force": TimeInForce.DAY,
        "quantity": Decimal(shares),
    }
    return NewOrder(**(wanted | terms))  # type: ignore[arg-type]


def sent(to: Venue, new: NewOrder) -> str:
    told = to.submit("a", new)
    assert not isinstance(told, Refusal)
    return told[0].order.order_id


def fills(told: list[OrderEvent]) -> list[tuple[Decimal, Decimal]]:
    return [
        (one.execution.quantity, one.execution.price) for one in told if one.execution is not None
    ]


def played(to: Venue, minute: int, *prices: int) -> list[OrderEvent]:
    """The bar opens, and ends."""
    opened, low, high, close = prices
    told = bar(minute, opened, low, high, close)
    return [
        *to.advance(told.start_ns),
        *to.open_bar(told),
        *to.advance(told.start_ns + told.span_ns, [told]),
    ]


def test_a_market_order_trades_at_the_next_open_and_not_before() -> None:
    there = venue()
    sent(there, order())
    assert fills(played(there, 1, 3005, 2900, 3100, 3050)) == [(Decimal(10), Decimal("30.05"))]


def test_half_the_spread_is_paid_at_the_open() -> None:
    there = venue(VenueTerms(spread_rate=Decimal("0.002"), trades_at_open=True))
    sent(there, order())
    assert fills(played(there, 1, 3000, 2990, 3010, 3000)) == [(Decimal(10), Decimal("30.03"))]


def test_a_limit_that_admits_the_open_pays_the_open_and_another_rests() -> None:
    there = venue()
    sent(there, order(limit_price=Decimal("30.10")))
    sent(there, order(limit_price=Decimal("29.50")))
    told = played(there, 1, 3005, 2960, 3100, 3050)
    assert fills(told) == [(Decimal(10), Decimal("30.05"))]
    # Through its limit in the next bar, not merely touched.
    assert fills(played(there, 2, 3050, 2950, 3060, 3000)) == []
    assert fills(played(there, 3, 3000, 2949, 3060, 3000)) == [(Decimal(10), Decimal("29.5"))]


def test_no_more_is_had_at_the_open_than_a_part_of_the_bar_and_the_rest_waits_for_the_next() -> (
    None
):
    there = venue()
    sent(there, order(shares=1_500))
    assert fills(played(there, 1, 3000, 2990, 3010, 3005)) == [(Decimal(1_000), Decimal(30))]
    assert fills(played(there, 2, 3020, 2990, 3030, 3005)) == [(Decimal(500), Decimal("30.2"))]


def test_what_traded_at_the_open_is_gone_for_those_who_rest() -> None:
    there = venue()
    sent(there, order(shares=900))
    sent(there, order(shares=900, limit_price=Decimal("29.50")))
    told = played(there, 1, 3000, 2900, 3010, 3005)
    assert fills(told) == [(Decimal(900), Decimal(30)), (Decimal(100), Decimal("29.5"))]


def test_an_order_that_needs_time_to_arrive_misses_the_open() -> None:
    late = VenueTerms(spread_rate=Decimal(0), trades_at_open=True, latency_ns=1_000_000_000)
    there = venue(late)
    sent(there, order())
    assert fills(played(there, 1, 3000, 2990, 3010, 3005)) == []
    assert fills(played(there, 2, 3020, 2990, 3030, 3005)) == [(Decimal(10), Decimal("30.2"))]


def test_an_order_of_the_middle_of_a_bar_has_nothing_of_its_open() -> None:
    there = venue()
    begun = bar(1, 3000, 2990, 3010, 3005)
    there.advance(begun.start_ns + 1)
    sent(there, order())
    assert fills(there.open_bar(begun)) == []


def test_a_stop_within_a_bar_trades_at_its_price_and_one_that_the_open_jumped_over_at_the_open() -> (
    None
):
    there = venue()
    sent(there, order(shares=20))
    played(there, 1, 3000, 2990, 3010, 3005)
    stop = order(Side.SELL, order_type=OrderType.STOP, stop_price=Decimal("29.80"))
    sent(there, stop)
    assert fills(played(there, 2, 3000, 2970, 3010, 2990)) == [(Decimal(10), Decimal("29.8"))]
    sent(there, stop)
    assert fills(played(there, 3, 2900, 2890, 2910, 2900)) == [(Decimal(10), Decimal(29))]


def test_nothing_trades_in_a_halt() -> None:
    there = venue()
    sent(there, order())
    there.back_office.halt(JD)
    assert fills(played(there, 1, 3000, 2990, 3010, 3005)) == []
    there.back_office.resume(JD)
    assert fills(played(there, 2, 3020, 2990, 3030, 3005)) == [(Decimal(10), Decimal("30.2"))]


SUNDAY_NS = 1_769_299_200_000_000_000  # 2026-01-25 00:00 UTC


@pytest.mark.parametrize("is_always_open", [True, False])
def test_a_market_that_never_closes_has_no_sundays(is_always_open: bool) -> None:
    there = Venue(
        [JD],
        random=Random(1),
        terms=VenueTerms(trades_at_open=True, is_always_open=is_always_open),
    )
    there.advance(SUNDAY_NS)
    there.open_account("a", "A", Decimal(100_000))
    first = Bar(
        symbol=JD,
        start_ns=SUNDAY_NS,
        open=300_000,
        low=300_000,
        high=300_000,
        close=300_000,
        volume=10_000,
    )
    there.advance(SUNDAY_NS + MINUTE_NS, [first])
    taken = there.submit("a", order())
    assert not isinstance(taken, Refusal)
    wanted = OrderStatus.PENDING_NEW if is_always_open else OrderStatus.ACCEPTED
    assert taken[0].order.status is wanted
    second = Bar(
        symbol=JD,
        start_ns=SUNDAY_NS + MINUTE_NS,
        open=300_000,
        low=300_000,
        high=300_000,
        close=300_000,
        volume=10_000,
    )
    assert bool(fills(there.open_bar(second))) is is_always_open


def test_a_stop_that_comes_with_an_entry_is_held_until_the_open_filled_it() -> None:
    there = venue()
    bracket = order(
        order_class="oto", stop_loss=StopLoss(stop_price=Decimal("29.00"), limit_price=None)
    )
    sent(there, bracket)
    assert len(fills(played(there, 1, 3000, 2950, 3010, 3005))) == 1
    assert fills(played(there, 2, 2950, 2890, 2960, 2900)) == [(Decimal(10), Decimal(29))]


# --- symbols that trade with told quotes alone


def quoted_venue(latency_ns: int = 0) -> Venue:
    return venue(replace(FREE, quoted=frozenset({JD}), latency_ns=latency_ns))


def quote(seconds: int, bid: int, ask: int, size: int = 1_000) -> Quote:
    """So long after the first bar has ended; prices in cents."""
    at_ns = AT_NS + MINUTE_NS + seconds * SECOND_NS
    return Quote(symbol=JD, at_ns=at_ns, bid=bid * 100, bid_size=size, ask=ask * 100, ask_size=size)


def told(to: Venue, one: Quote) -> list[OrderEvent]:
    return to.advance(one.at_ns, quotes=[one])


def test_an_order_meets_the_quotes_after_it_and_not_the_one_that_stands() -> None:
    there = quoted_venue()
    told(there, quote(0, 2999, 3000))
    new = there.submit("a", order())
    assert not isinstance(new, Refusal)
    assert fills(new) == []
    assert fills(told(there, quote(1, 3001, 3002))) == [(Decimal(10), Decimal("30.02"))]


def test_quotes_while_it_is_under_way_are_none() -> None:
    there = quoted_venue(latency_ns=2 * SECOND_NS)
    sent(there, order())
    assert fills(told(there, quote(1, 2999, 3000))) == []
    assert fills(told(there, quote(2, 3001, 3002))) == [(Decimal(10), Decimal("30.02"))]


def test_no_bar_fills_a_limit_where_quotes_do() -> None:
    there = quoted_venue()
    sent(there, order(limit_price=Decimal("29.50")))
    sent(there, order(limit_price=Decimal("29.50"), shares=7))
    ended = bar(1, 3000, 2900, 3010, 3000)
    assert fills(there.advance(ended.start_ns + ended.span_ns, [ended])) == []
    found = told(there, quote(61, 2948, 2949, size=12))
    assert fills(found) == [(Decimal(10), Decimal("29.49")), (Decimal(2), Decimal("29.49"))]


def test_a_bar_triggers_a_stop_and_the_next_quote_fills_it() -> None:
    there = quoted_venue()
    sent(there, order())
    told(there, quote(0, 2999, 3000))
    stop = order(Side.SELL, order_type=OrderType.STOP, stop_price=Decimal("29.50"))
    sent(there, stop)
    ended = bar(1, 3000, 2900, 3010, 3000)
    assert fills(there.advance(ended.start_ns + ended.span_ns, [ended])) == []
    assert fills(told(there, quote(61, 2990, 3000))) == [(Decimal(10), Decimal("29.9"))]


@pytest.mark.parametrize("volume", [0, 10_000])
def test_a_closing_auction_without_a_volume_was_none_and_the_last_quote_is_met(volume: int) -> None:
    there = quoted_venue()
    session = session_on("2026-01-26")
    assert session is not None
    sent(there, order(order_type=OrderType.MARKET, time_in_force=TimeInForce.CLS))
    before_ns = session.close_ns - MINUTE_NS
    minutes = (before_ns - AT_NS) // MINUTE_NS
    ended = bar(minutes, 3000, 2990, 3010, 3001, volume)
    there.advance(before_ns, quotes=[replace(quote(0, 3005, 3007), at_ns=before_ns)])
    price = Decimal("30.01") if volume else Decimal("30.07")
    assert fills(there.advance(session.close_ns, [ended])) == [(Decimal(10), price)]

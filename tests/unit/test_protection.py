"""What guards a position: its prices, whom it needs to hear of, what covers what, and when a level counts as met."""

from decimal import Decimal

import pytest
from msgspec.structs import replace

from tests.plays import (
    ROOMY,
    TEN_NS,
    Play,
    accepted,
    activity,
    blocked,
    buy,
    clock,
    corrected,
    denied,
    executed,
    filled,
    opened,
    quote,
    report,
    sell,
    send_ended,
    sent,
    stop,
)
from trader.messages import Blocking, Claim, DenyReason
from trader.model import (
    SECOND_NS,
    AccountId,
    Bar,
    Distances,
    OrderState,
    OrderType,
    Phase,
    Protection,
    Size,
    Symbol,
)
from trader.positions import Position
from trader.protection import (
    Confirmation,
    Cover,
    Leg,
    cover_of,
    legs_met,
    protection_at,
    stop_key,
    stop_level,
    wants_stop,
)
from trader.wire.alpaca import submit_body

D = Decimal
JD = Symbol("JD")
STOP = Protection(stop_price=D("31.28"))
ACCOUNT = AccountId("a")


def guarded(protection: Protection | None = STOP, shares: int = 62) -> Play:
    return opened() >> buy("JD", shares, "31.95", protection=protection) >> sent()


def held(protection: Protection | None = STOP, shares: int = 62) -> Play:
    return guarded(protection, shares) >> filled(shares, "31.92")


def position_of(play: Play) -> Position:
    return play.state.position(JD)


def cover(play: Play) -> Cover:
    return cover_of(position_of(play), play.state.orders)


def lacking(play: Play) -> tuple[int, int, int]:
    """Shares that no live order sells, that none which is proven sells, and that stops guard."""
    now = cover(play)
    return int(now.missing), int(now.unproven), int(now.guarded)


# ------------------------------------------------------------------------------------------- prices


def test_prices_are_reckoned_from_the_entrys_and_lie_on_the_tick() -> None:
    distances = Distances(stop=D("0.02"), take_profit=D("0.05"), exit_after=90)
    assert protection_at(distances, D("31.95"), TEN_NS) == Protection(
        stop_price=D("31.31"), take_profit=D("33.55"), exit_ns=TEN_NS + 90 * SECOND_NS
    )
    assert protection_at(Distances(stop=D("0.5")), D("0.5055"), 0) == Protection(
        stop_price=D("0.2527")
    )
    assert protection_at(Distances(trail=D("0.03")), D("31.95"), 0) == Protection(trail=D("0.03"))


@pytest.mark.parametrize(
    ("distances", "price"), [(None, D(1)), (Distances(), D(1)), (Distances(stop=D("0.1")), None)]
)
def test_without_a_distance_or_a_price_nothing_guards(
    distances: Distances | None, price: Decimal | None
) -> None:
    assert protection_at(distances, price, 0) is None


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"protection": Protection(stop_price=D("31.911"))}, DenyReason.PRICE_TICK),
        ({"protection": Protection(stop_price=D("31.91"))}, DenyReason.PRICE_COLLAR),
        ({"protection": Protection(take_profit=D("31.93"))}, DenyReason.PRICE_COLLAR),
        ({"protection": Protection(take_profit=D("33.001"))}, DenyReason.PRICE_TICK),
        ({"protection": Protection(stop_price=D("NaN"))}, DenyReason.PRICE_TICK),
        ({"protection": Protection(trail=D("1"))}, DenyReason.PRICE_TICK),
        ({"stop_price": D("31")}, DenyReason.PRICE_TICK),
        ({"order_type": OrderType.STOP, "stop_price": D("31")}, DenyReason.PRICE_TICK),
    ],
)
def test_an_entry_whose_protection_makes_no_sense_is_denied(
    changes: dict[str, object], reason: DenyReason
) -> None:
    opened() >> buy("JD", 10, "31.95", **changes) << denied(reason)


def test_an_entry_with_a_stop_is_allowed_where_one_is_required() -> None:
    strict = replace(ROOMY, stop_required=True)
    opened(limits=strict) >> buy("JD", 62, "31.95", protection=STOP) << accepted("JD", 62)
    (
        opened(limits=strict)
        >> buy("JD", 62, "31.95", protection=Protection(take_profit=D(40)))
        << denied(DenyReason.STOP_REQUIRED, protection="without a stop")
    )


# -------------------------------------------------------------------------------- the position's own


def test_a_protection_belongs_to_the_position_from_the_first_fill_until_it_is_flat() -> None:
    play = guarded()
    assert position_of(play).protection is None
    play >> filled(20, "31.92")
    assert position_of(play).protection == STOP
    assert position_of(play).guarded_by == play.order().decision_key
    play >> filled(42, "31.92") >> sell("JD", 62, "31.9") >> filled(62, "31.9")
    assert position_of(play).protection is None
    assert position_of(play).guarded_by == ""


def test_a_late_fill_brings_its_protection_along() -> None:
    play = guarded() >> report(Claim.CANCELED)
    assert position_of(play).is_flat
    play >> filled(20, "31.92")
    assert position_of(play).protection == STOP


def test_the_highest_mark_of_a_holding_is_remembered_and_forgotten() -> None:
    play = held(Protection(trail=D("0.1"))) >> clock(1, JD=330_000) >> clock(2, JD=325_000)
    assert position_of(play).high == 330_000
    assert stop_level(position_of(play)) == D("29.7")
    play >> sell("JD", 62, "31.9") >> filled(62, "31.9")
    assert position_of(play).high == 0


def test_over_a_split_prices_move_against_shares() -> None:
    both = Protection(stop_price=D("31.28"), take_profit=D("35.01"))
    play = held(both) >> clock(1, JD=330_000) >> activity("SPLIT", "0", "JD", "186")
    assert position_of(play).quantity == 248
    assert position_of(play).protection == Protection(stop_price=D("7.82"), take_profit=D("8.76"))
    assert position_of(play).high == 82_500
    play = held(both) >> activity("DIV", "12.50", "JD")
    assert position_of(play).protection == both


@pytest.mark.parametrize("kind", ["ACATS", "JNLS", "REORG"])
def test_shares_that_are_transferred_in_leave_a_stop_at_its_price(kind: str) -> None:
    both = Protection(stop_price=D("31.28"), take_profit=D("35.01"))
    play = held(both) >> clock(1, JD=330_000) >> activity(kind, "0", "JD", "62")
    after = position_of(play)
    assert (after.quantity, after.protection, after.high) == (D(124), both, 330_000)


def fractional(left: str) -> Play:
    """33 shares, of which a reverse split leaves so many."""
    play = held(shares=33) >> activity("SPLIT", "0", "JD", str(D(left) - 33))
    return play >> clock(1, JD=6_384_000)


def test_of_a_fraction_the_whole_shares_are_guarded_and_no_more_is_missed() -> None:
    play = fractional("1.65")
    assert lacking(play) == (1, 1, 0)
    play >> stop(1, "625.60", size=Size(unit="shares", amount=cover(play).missing), quote=None)
    play << accepted("JD", 1)
    play >> sent() >> report(Claim.NEW)
    assert lacking(play) == (0, 0, 1)
    assert cover(play).excess == 0
    play = fractional("0.65")
    assert lacking(play) == (0, 0, 0)
    assert cover(play).held == 0


def test_who_wants_all_of_a_fraction_sold_sells_the_whole_shares() -> None:
    wanted = Size(unit="target", amount=D(0))
    play = fractional("1.65")
    play >> sell("JD", wanted, None, order_type=OrderType.MARKET, quote=None)
    play << accepted("JD", 1)
    play = fractional("0.65")
    play >> sell("JD", wanted, None, order_type=OrderType.MARKET, quote=None)
    play << denied(DenyReason.QUANTITY)


def test_an_exit_of_the_whole_shares_beside_a_fraction_makes_their_stop_go_first() -> None:
    play = fractional("1.65")
    play >> stop(1, "625.60", quote=None) >> sent() >> report(Claim.NEW)
    play >> sell("JD", 1, None, order_type=OrderType.MARKET, quote=None)
    assert JD in play.state.reductions


# ------------------------------------------------------------------------------------ the stop's order


def test_a_stop_is_an_order_like_any_other_and_waits_for_the_session() -> None:
    play = held() >> clock(1, phase=Phase.CLOSED)
    play >> stop(62) << accepted("JD", 62)
    order = play.order()
    assert (order.order_type, order.stop_price, order.limit_price) == (
        OrderType.STOP,
        D("31.28"),
        None,
    )
    assert order.reserve_price == D("31.28")
    body = submit_body(order)
    assert b'"type":"stop","time_in_force":"gtc","stop_price":"31.28"' in body
    assert b"limit_price" not in body


def test_a_trailing_stop_leaves_as_percent() -> None:
    play = held(Protection(trail=D("0.025")))
    play >> stop(62, order_type=OrderType.TRAILING_STOP, stop_price=None, trail=D("0.025"))
    assert b'"type":"trailing_stop"' in submit_body(play.order())
    assert b'"trail_percent":"2.5"' in submit_body(play.order())


def test_no_stop_sells_more_than_is_proven_and_free() -> None:
    play = guarded() >> filled(20, "31.92") >> report(Claim.CANCELED, 20)
    play >> stop(21) << denied(DenyReason.WOULD_OVERSELL)
    play >> stop(20) << accepted("JD", 20)
    play >> sell("JD", 1, "31.9") << denied(DenyReason.WOULD_OVERSELL)


def test_no_stop_rests_beside_an_entry_that_it_could_meet() -> None:
    guarded() >> filled(20, "31.92") >> stop(20) << denied(DenyReason.SELF_TRADE)


def test_a_stop_that_is_triggered_is_booked_like_every_sale() -> None:
    play = held() >> stop(62) >> sent() >> report(Claim.NEW) >> filled(62, "31.2")
    assert play.order().state is OrderState.FILLED
    assert position_of(play).is_flat
    assert position_of(play).realized < 0


# ------------------------------------------------------------------------------------------ what covers


def test_only_what_the_broker_is_known_to_have_covers() -> None:
    play = held()
    assert lacking(play) == (62, 62, 0)
    play >> stop(62)
    assert lacking(play) == (0, 62, 0)
    play >> sent() >> send_ended("unknown")
    assert lacking(play) == (0, 62, 0)
    play >> report(Claim.NEW)
    assert lacking(play) == (0, 0, 62)
    play >> report(Claim.EXPIRED)
    assert lacking(play) == (62, 62, 0)


def test_of_an_entry_in_doubt_only_what_is_proven_counts() -> None:
    play = guarded() >> send_ended("unknown") >> filled(20, "31.92", source="query")
    assert cover(play).missing == 20


def test_shares_on_their_way_out_need_no_stop() -> None:
    play = held() >> sell("JD", 40, "31.9") >> sent() >> report(Claim.NEW)
    assert lacking(play) == (22, 22, 0)
    assert [one.quantity_leaves for one in cover(play).others] == [40]


def test_a_stop_for_more_than_is_left_is_seen() -> None:
    play = held() >> stop(62) >> sent() >> report(Claim.NEW)
    assert cover(play).excess == 0
    play >> corrected(f"{play.orders[0]}/62", of=0)
    assert cover(play).excess == 62
    assert cover_of(position_of(held()), {}, D(22)).held == 40


@pytest.mark.parametrize("required", [False, True])
def test_who_wants_a_stop(required: bool) -> None:
    assert wants_stop(position_of(held()), required)
    assert wants_stop(position_of(held(None)), required) is required
    assert not wants_stop(Position(symbol=JD, quantity=D(5), is_hands_off=True), required)


# ------------------------------------------------------------------------------------------------ keys


def test_the_same_state_wants_the_same_stop_and_a_renewed_one_is_another() -> None:
    play = held()
    first = stop_key(ACCOUNT, position_of(play), D(62))
    assert first == stop_key(ACCOUNT, position_of(held()), D(62))
    assert first != stop_key(ACCOUNT, position_of(play), D(61))
    play >> stop(62, decision_key=first) << accepted("JD", 62)
    renewed = stop_key(ACCOUNT, position_of(play), D(62))
    assert renewed != first
    play >> send_ended("rejected") >> stop(62, decision_key=first) << blocked(Blocking.DECISION)
    assert stop_key(ACCOUNT, position_of(play), D(62)) == renewed


def test_a_position_that_comes_again_does_not_use_the_ids_of_the_one_before() -> None:
    play = held() >> stop(62) >> sent() >> filled(62, "31.2")
    again = replace(position_of(play), protection=STOP, strategy=play.order(0).strategy)
    assert stop_key(ACCOUNT, again, D(62)) != stop_key(ACCOUNT, position_of(held()), D(62))


# ---------------------------------------------------------------------------------- what is held by us


def bar(close: int) -> Bar:
    return Bar(
        symbol=JD, start_ns=TEN_NS, open=close, high=close, low=close, close=close, volume=100
    )


def test_which_levels_a_tick_meets() -> None:
    position = position_of(held(Protection(stop_price=D("31"), take_profit=D("33"))))

    def met(bid: int, ask: int, *, is_covered: bool = False) -> frozenset[Leg]:
        return legs_met(position, quote("JD", bid=bid, ask=ask), is_covered=is_covered)

    assert met(309_900, 310_100) == {Leg.STOP}
    assert met(309_900, 310_102) == set()
    assert met(200_000, 420_002) == set()  # a bid that somebody took away
    assert met(309_900, 310_100, is_covered=True) == set()
    assert met(330_000, 330_200) == {Leg.TAKE_PROFIT}
    assert met(329_999, 330_200) == set()
    assert met(154_900, 155_100) == set(), "half of the stop's price: two new shares for an old one"
    assert met(659_900, 660_300) == {Leg.TAKE_PROFIT}
    assert met(660_000, 660_300) == set()
    assert legs_met(position, bar(310_000), is_covered=False) == {Leg.STOP}
    assert legs_met(position, replace(quote("JD"), ask=0), is_covered=False) == set()


def test_one_tick_confirms_nothing() -> None:
    stop_met, nothing = frozenset({Leg.STOP}), frozenset[Leg]()
    heard = Confirmation()
    assert heard.hear(stop_met, 10) == nothing
    assert heard.hear(stop_met, 10) == nothing  # the same moment told once more
    assert heard.hear(nothing, 11) == nothing
    assert heard.hear(stop_met, 12) == nothing  # the one in between starts it over
    assert heard.hear(stop_met, 13) == stop_met
    assert heard.hear(stop_met | {Leg.TAKE_PROFIT}, 14) == stop_met


# -------------------------------------------------------------------------------------- what is brought back


def test_shares_that_a_bust_brings_back_are_guarded_as_they_were() -> None:
    play = guarded() >> filled(62, "31.92") >> stop(62) >> sent() >> report(Claim.NEW)
    before = play.state.position(JD)
    play >> report(Claim.FILLED, 62, executed(62, "31.2", 62, "y1"))
    assert play.state.position(JD).protection is None
    play >> corrected("y1")
    now = play.state.position(JD)
    assert (now.quantity, now.protection) == (D(62), STOP)
    assert now.guarded_by == before.guarded_by
    assert wants_stop(now, is_required=False)
    play >> report(Claim.CANCELED)
    assert lacking(play) == (62, 62, 0)


def test_shares_that_nothing_guarded_come_back_as_they_were_and_a_new_entrys_guard_stays() -> None:
    play = guarded(None) >> filled(62, "31.92") >> sell("JD", 62, "31.9") >> sent()
    play >> report(Claim.FILLED, 62, executed(62, "31.9", 62, "y1"))
    play >> buy("JD", 10, "31.95", protection=STOP) >> filled(10, "31.92")
    play >> corrected("y1", of=1)
    assert play.state.position(JD).protection == STOP
    play = guarded(None) >> filled(62, "31.92") >> sell("JD", 62, "31.9") >> sent()
    play >> report(Claim.FILLED, 62, executed(62, "31.9", 62, "y1")) >> corrected("y1")
    assert play.state.position(JD).protection is None

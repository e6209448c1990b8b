"""A position that has to go: what is denied, canceled, awaited and sold meanwhile, and when it is over."""

from collections.abc import Callable
from decimal import Decimal

import pytest

from tests.plays import (
    TEN_NS,
    Expected,
    Line,
    Play,
    activity,
    adopted,
    agreement,
    blocked,
    booked,
    buy,
    cancel_ended,
    cancel_wanted,
    clock,
    command,
    denied,
    filled,
    gate,
    moved,
    opened,
    reboot,
    report,
    resolved,
    sell,
    send_ended,
    sent,
    shifted,
    statement,
)
from trader import reducing
from trader.executor import entry_refusal
from trader.inquiry import client_order_id, question_of
from trader.messages import (
    Blocking,
    Claim,
    Command,
    DenyReason,
    Gate,
    Input,
    Noted,
    OrderRequest,
    ReductionBegan,
    ReductionEnded,
    RequestAccepted,
)
from trader.model import OrderType, Phase, Symbol
from trader.published import symbol_view
from trader.risk import halted

JD, GS, T = map(Symbol, ("JD", "GS", "T"))
BEGAN = Expected(ReductionBegan, {"symbol": "JD", "who": "ada", "reason": "I said so"})
ENDED = Expected(ReductionEnded, {"symbol": "JD"})
FLATTEN = command("flatten", "JD")


def held(quantity: int = 62) -> Play:
    """A play that holds JD."""
    return opened() >> buy("JD", quantity, "31.95") >> filled(quantity, "31.92")


def due(play: Play) -> list[Input]:
    return [step.wants for step in reducing.due(play.state)]


def next_of(kind: type[Command] | type[OrderRequest], place: int = 0) -> Callable[[Play], Input]:
    """What is due now, as the reducer tells it."""

    def told(play: Play) -> Input:
        found = [one for one in due(play) if isinstance(one, kind)]
        assert found, f"nothing is due: {reducing.waits_for(play.state, JD)}"
        return found[place]

    return told


EXIT, CANCEL = next_of(OrderRequest), next_of(Command)


def test_what_is_held_is_sold_whole_at_the_market_and_then_it_is_over() -> None:
    play = held() >> FLATTEN << BEGAN
    play >> EXIT << Expected(RequestAccepted, {"order__quantity": Decimal(62)})
    assert play.order().order_type is OrderType.MARKET
    (
        play
        >> filled(62, "31.9")
        << (
            booked(62),
            moved("FILLED"),
            Expected(ReductionEnded, {"exits": 1}),
        )
    )
    assert not play.state.reductions


def test_while_it_goes_nobody_enters_and_the_words_say_why() -> None:
    play = held() >> FLATTEN >> buy("JD", 5, "31.95") << blocked(Blocking.POSITION)
    play = opened() >> buy("JD", 62, "31.95") >> sent() >> report(Claim.NEW) >> FLATTEN << BEGAN
    play >> CANCEL >> report(Claim.CANCELED)
    assert not play.state.reductions, "nothing was held: the entry's end is the end"
    play = held() >> sell("JD", 62, "31.9") >> report(Claim.NEW) >> FLATTEN
    question = "JD is being reduced (flatten) by ada: I said so"
    assert play.state.position(JD).quantity
    assert not symbol_view(play.state, JD).entries_open
    order = opened() >> buy("JD", 5, "31.95")
    assert entry_refusal(play.state, order.order()) == question
    assert not entry_refusal(play.state, (opened() >> buy("GS", 5, "901")).order())


def test_an_add_is_denied_by_the_reduction_in_its_own_words() -> None:
    play = held() >> FLATTEN
    request = buy("JD", 5, "31.95")
    assert callable(request)
    wish = request(play)
    assert isinstance(wish, OrderRequest)
    denial = halted(question_of(play.state, wish))
    assert denial is not None
    assert denial.numbers == {"why": "JD is being reduced (flatten) by ada: I said so"}
    play >> buy("GS", 1, "901") << Expected(RequestAccepted, {})


def test_an_entry_in_flight_is_canceled_once_the_broker_has_shown_it() -> None:
    play = opened() >> buy("JD", 62, "31.95") >> sent() >> FLATTEN << BEGAN
    assert due(play) == []
    assert "SENT" in reducing.waits_for(play.state, JD)
    play >> report(Claim.NEW) >> CANCEL << cancel_wanted(play.orders[0])
    assert due(play) == [], "asked once"
    play >> cancel_ended("accepted") >> filled(20, "31.92")
    assert due(play) == [], "it may still be filled"
    play >> report(Claim.CANCELED, 20)
    play >> EXIT << Expected(RequestAccepted, {"order__quantity": Decimal(20)})


def test_an_entry_in_doubt_is_waited_for() -> None:
    play = opened() >> buy("JD", 62, "31.95") >> send_ended("unknown") >> FLATTEN << BEGAN
    assert due(play) == []
    assert "UNKNOWN" in reducing.waits_for(play.state, JD)
    play >> send_ended("never_sent") << (moved("NEVER_SENT"), ENDED)


def test_an_exit_that_holds_the_shares_is_canceled_and_proven_gone_first() -> None:
    play = held() >> sell("JD", 62, "32.5") >> sent() >> report(Claim.NEW) >> FLATTEN
    play >> CANCEL << cancel_wanted(play.orders[1])
    assert due(play) == []
    play >> report(Claim.CANCELED)
    play >> EXIT << Expected(RequestAccepted, {"order__quantity": Decimal(62)})


def denied_entry() -> Play:
    """An entry of which 20 were executed, and of which the broker then says that it never took it."""
    play = opened() >> buy("JD", 62, "31.95") >> sent() >> filled(20, "31.92")
    return play >> report(Claim.REJECTED, 20)


def test_what_an_entry_bought_that_the_broker_calls_rejected_can_be_sold() -> None:
    play = denied_entry() >> sell("JD", 20, None, order_type=OrderType.MARKET)
    play << Expected(RequestAccepted, {"order__quantity": Decimal(20)})
    # Never more than what is proven, whatever the rest of the entry still comes to.
    play = denied_entry() >> sell("JD", 62, None, order_type=OrderType.MARKET)
    play << denied(DenyReason.WOULD_OVERSELL)
    play = denied_entry() >> FLATTEN << BEGAN
    play >> EXIT << Expected(RequestAccepted, {"order__quantity": Decimal(20)})
    play >> filled(20, "31.9")
    assert play.state.position(JD).quantity == 0
    entry = play.orders[0]
    assert reducing.waits_for(play.state, JD) == (
        f"a person's word on {entry}, executed and then rejected: bin/trade resolve"
    )
    play >> resolved("canceled", of=0)
    assert JD not in play.state.reductions


def test_an_entry_that_the_broker_has_not_called_rejected_is_still_waited_for() -> None:
    play = opened() >> buy("JD", 62, "31.95") >> sent() >> filled(20, "31.92")
    play >> sell("JD", 20, None, order_type=OrderType.MARKET) << denied(DenyReason.SELF_TRADE)
    play >> FLATTEN
    assert reducing.waits_for(play.state, JD).startswith("the end of trd-JD-B-")


def test_an_exit_in_doubt_is_never_followed_by_a_second_one() -> None:
    play = held() >> FLATTEN >> EXIT >> send_ended("unknown")
    for minute in range(1, 5):
        play >> clock(minute)
        assert due(play) == []
    play >> filled(62, "31.9")
    assert not play.state.reductions


def test_an_exit_that_is_told_while_one_is_in_doubt_is_blocked() -> None:
    play = held() >> FLATTEN
    exit_ = due(play)[0]
    assert isinstance(exit_, OrderRequest)
    play >> exit_ >> send_ended("unknown")
    play >> sell("JD", 10, "31.9") << blocked(Blocking.UNKNOWN_ORDER, blocked_by=play.orders[-1])
    play >> exit_ << None


def test_nobody_else_sells_what_goes_already() -> None:
    play = held() >> FLATTEN >> sell("JD", 62, "31.9") << blocked(Blocking.REDUCTION)
    play >> EXIT << Expected(RequestAccepted, {})


@pytest.mark.parametrize(
    ("ends", "state"),
    [
        (report(Claim.REJECTED), "REJECTED"),
        (report(Claim.EXPIRED), "EXPIRED"),
        (send_ended("rejected"), "REJECTED"),
        (send_ended("never_sent"), "NEVER_SENT"),
    ],
)
def test_an_exit_that_failed_is_followed_by_another_a_minute_later(ends: Line, state: str) -> None:
    play = held() >> FLATTEN >> EXIT >> ends << moved(state)
    assert due(play) == []
    assert state in reducing.waits_for(play.state, JD)
    play >> clock(1) >> EXIT << Expected(RequestAccepted, {})
    assert play.orders[-1] != play.orders[-2]
    assert play.state.reductions[JD].exits == 2


def test_a_part_that_was_sold_is_not_sold_again() -> None:
    play = held() >> FLATTEN >> EXIT >> filled(40, "31.9") >> report(Claim.CANCELED, 40)
    play >> clock(1) >> EXIT << Expected(RequestAccepted, {"order__quantity": Decimal(22)})


def test_the_exits_name_is_the_same_after_a_crash_and_so_is_the_intention() -> None:
    play = held() >> FLATTEN
    before = due(play)[0]
    play >> reboot
    assert due(play) == [], "what is held is not proven yet"
    assert reducing.waits_for(play.state, JD) == "the broker's statement"
    play >> agreement
    assert due(play) == [], "nor what part of the day it is"
    play >> clock()
    after = due(play)[0]
    assert isinstance(before, OrderRequest)
    assert isinstance(after, OrderRequest)
    assert client_order_id(before) == client_order_id(after)
    play >> before << Expected(RequestAccepted, {})
    play >> after << blocked(Blocking.DECISION)


def test_a_crash_after_the_exit_was_decided_sells_nothing_twice() -> None:
    play = held() >> FLATTEN >> EXIT >> reboot >> agreement >> clock()
    assert play.order().state.value == "UNKNOWN"
    assert due(play) == []


def test_cancels_that_a_life_had_asked_for_are_asked_for_again_by_the_next() -> None:
    play = held() >> sell("JD", 62, "32.5") >> sent() >> report(Claim.NEW) >> FLATTEN >> CANCEL
    play >> reboot >> agreement >> clock() >> CANCEL << cancel_wanted(play.orders[1])


@pytest.mark.parametrize("phase", [Phase.CLOSED, Phase.PRE, Phase.POST])
def test_out_of_regular_hours_it_waits_and_says_so(phase: Phase) -> None:
    play = held() >> FLATTEN >> clock(600, phase=phase)
    assert due(play) == []
    assert reducing.waits_for(play.state, JD) == f"regular hours (the market is {phase.value})"
    play >> clock(1440, session="2026-01-27")
    play >> EXIT << Expected(RequestAccepted, {})


def test_out_of_regular_hours_what_protects_stays_and_entries_are_canceled() -> None:
    play = held() >> sell("JD", 62, "32.5") >> sent() >> report(Claim.NEW)
    play >> buy("GS", 5, "901") >> sent() >> report(Claim.NEW) >> clock(600, phase=Phase.CLOSED)
    play >> command("flatten", "*") >> CANCEL << cancel_wanted(play.orders[2])
    play >> report(Claim.CANCELED)
    assert due(play) == []
    play >> clock(1440, session="2026-01-27") >> CANCEL << cancel_wanted(play.orders[1])


def test_a_program_that_stops_begins_no_exit_any_more() -> None:
    play = held() >> FLATTEN >> gate(Gate.SHUTDOWN, False, "shutting down")
    assert due(play) == []
    assert reducing.waits_for(play.state, JD) == "the next start"


def test_where_both_sides_differ_the_smaller_holding_goes() -> None:
    play = held() >> statement(cash="248020.96", positions={"JD": 20}, attempts=3)
    play >> FLATTEN >> EXIT << Expected(RequestAccepted, {"order__quantity": Decimal(20)})


def test_nothing_goes_where_the_broker_holds_nothing() -> None:
    play = held() >> statement(cash="248020.96", positions={}, attempts=3) >> FLATTEN
    assert due(play) == []
    assert "both sides agree" in reducing.waits_for(play.state, JD)


def test_what_is_hands_off_is_never_flattened() -> None:
    play = opened() >> adopted("JD", 5, "150", treatment="hands-off")
    play >> FLATTEN << Expected(Noted, {}) >> command("flatten", "*") << Expected(Noted, {})


def test_what_is_not_there_or_goes_already_begins_nothing() -> None:
    (
        opened()
        >> FLATTEN
        << Expected(Noted, {"message": "nothing to flatten: JD is neither held nor on its way"})
    )
    held() >> FLATTEN << BEGAN >> FLATTEN << Expected(Noted, {})


def test_all_means_all_that_are_held_or_may_be() -> None:
    play = held() >> buy("GS", 5, "901") >> sent() >> command("flatten", "*")
    assert sorted(play.state.reductions) == ["GS", "JD"]


def test_the_dearest_position_is_the_most_urgent() -> None:
    play = held() >> buy("GS", 5, "901") >> filled(5, "900") >> buy("T", 10, "22.5")
    play >> filled(10, "22.4") >> command("flatten", "*")
    urgencies = {one.symbol: one.urgency for one in due(play) if isinstance(one, OrderRequest)}
    assert urgencies == {"GS": 4500, "JD": 1979, "T": 224}


def test_what_holds_the_dearest_position_is_canceled_first() -> None:
    play = opened()
    for symbol, shares, low, high in (
        ("GS", 5, "901", "905"),
        ("JD", 62, "31.95", "32.5"),
        ("T", 400, "22.5", "22.9"),
    ):
        play >> buy(symbol, shares, low) >> filled(shares, low)
        play >> sell(symbol, shares, high) >> sent() >> report(Claim.NEW)
    play >> command("flatten", "*")
    resting = [play.orders[place] for place in (5, 1, 3)]
    assert [one.subject for one in due(play) if isinstance(one, Command)] == resting


def test_a_cancel_of_what_has_rested_for_long_is_asked_for_once_and_not_in_the_next_minute() -> (
    None
):
    play = held() >> sell("JD", 62, "32.5") >> sent() >> report(Claim.NEW) >> clock(30) >> FLATTEN
    play >> CANCEL << cancel_wanted(play.orders[1])
    play >> clock(31)
    assert due(play) == []
    play >> clock(32)
    assert [one.subject for one in due(play) if isinstance(one, Command)] == [play.orders[1]]


def test_a_reduction_that_has_its_reference_from_an_older_one_gets_new_names() -> None:
    play = held() >> FLATTEN >> EXIT >> filled(62, "31.9")
    play >> buy("JD", 10, "31.95") >> filled(10, "31.92") >> FLATTEN << BEGAN
    play >> EXIT << Expected(RequestAccepted, {"order__quantity": Decimal(10)})
    assert len(set(play.orders)) == len(play.orders)


def test_a_late_fill_of_an_exit_elsewhere_ends_it_too() -> None:
    play = held() >> sell("JD", 62, "31.9") >> report(Claim.NEW) >> FLATTEN >> CANCEL
    play >> filled(62, "31.9", of=1)
    assert not play.state.reductions


def test_time_of_the_beginning_is_kept() -> None:
    play = held() >> clock(3) >> FLATTEN
    assert play.state.reductions[JD].began_ns == TEN_NS + 3 * 60 * 1_000_000_000


@pytest.mark.parametrize("mark", [1, 31_920_000, 319_200], ids=["a crash", "a spike", "frozen"])
def test_no_price_keeps_a_position_from_going(mark: int) -> None:
    play = held() >> clock(1, JD=mark) >> FLATTEN
    [step] = reducing.due(play.state)
    assert isinstance(step.wants, OrderRequest)
    assert (step.wants.quote, step.wants.limit_price) == (None, None)
    play >> step.wants << Expected(RequestAccepted, {"order__quantity": Decimal(62)})


def test_what_goes_is_gone_with_its_last_whole_share() -> None:
    play = held() >> activity("SPLIT", "0", "JD", "-60.35") >> clock(1, JD=12_000_000) >> FLATTEN
    play >> EXIT << Expected(RequestAccepted, {"order__quantity": Decimal(1)})
    play >> sent() >> filled(1, "1200")
    assert play.state.position(JD).quantity == Decimal("0.65")
    assert not play.state.reductions, (
        "the symbol is not blocked for a fraction that nobody here sells"
    )
    play >> FLATTEN
    assert not play.state.reductions


def test_a_split_while_it_goes_is_sold_whole_and_begins_nothing() -> None:
    play = held() >> FLATTEN >> clock(600, phase=Phase.CLOSED)
    play >> activity("SPLIT", "0", "JD", "558") << shifted("split", quantity=Decimal(558))
    play >> clock(1440, session="2026-01-27", JD=31_920)
    play >> EXIT << Expected(RequestAccepted, {"order__quantity": Decimal(620)})
    assert not play.state.brakes, "no loss"

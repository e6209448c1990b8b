"""The last minutes of a session: who leaves the market, who enters no more, and who stays as he is."""

import pytest
from msgspec.structs import replace

from tests.plays import (
    TEN_NS,
    Play,
    agreement,
    boot,
    buy,
    cancel_ended,
    clock,
    filled,
    gate,
    opened,
    report,
    sell,
    sent,
)
from trader import reducing
from trader.config import AtClose, Closing
from trader.messages import (
    Alarmed,
    CancelRequested,
    Claim,
    Clock,
    ClockMoved,
    Command,
    DenyReason,
    Gate,
    OrderRequest,
    ReductionBegan,
    ReductionKind,
    RequestAccepted,
    RequestDenied,
)
from trader.model import MINUTE_NS, Phase, StrategyName, Symbol, TimeInForce

JD = Symbol("JD")
CLOSES = 360  # minutes after ten o'clock: 16:00
HALF_DAY = 180  # 13:00
CROSSOVER = StrategyName("crossover")


def at(minutes: int, closes: int = CLOSES, phase: Phase = Phase.REGULAR) -> Clock:
    return replace(clock(minutes, phase=phase), closes_ns=TEN_NS + closes * MINUTE_NS)


def day(at_close: AtClose, minutes: int = 5) -> Play:
    """A morning on which all is well, of a program whose crossover does that at the close."""
    rule = Closing(at_close=at_close, minutes_before_close=minutes)
    state = opened().state
    return Play(replace(state, closings=state.closings.set(CROSSOVER, rule)))


def holding(at_close: AtClose, minutes: int = 5) -> Play:
    play = day(at_close, minutes)
    play >> buy("JD", 10, "31.95") >> sent() >> filled(10, "31.92")
    return play


@pytest.mark.parametrize("closes", [CLOSES, HALF_DAY])
@pytest.mark.parametrize("minutes", [1, 5, 30])
def test_what_is_held_goes_so_long_before_the_close_of_that_day(closes: int, minutes: int) -> None:
    play = holding(AtClose.FLATTEN, minutes)
    play >> at(closes - minutes - 1, closes)
    assert not play.state.reductions
    play >> at(closes - minutes, closes)
    [began] = [one for one in play.events if isinstance(one, ReductionBegan)]
    assert (began.symbol, began.kind, began.who) == (JD, ReductionKind.SESSION, CROSSOVER)
    assert began.reference == "session|2026-01-26"
    play >> at(closes - minutes + 1, closes)
    assert not [one for one in play.events if isinstance(one, ReductionBegan)], "one is enough"


@pytest.mark.parametrize("at_close", [AtClose.KEEP, AtClose.CANCEL])
def test_what_is_held_stays_otherwise(at_close: AtClose) -> None:
    play = holding(at_close)
    play >> at(CLOSES - 1) >> at(CLOSES, phase=Phase.POST)
    assert not play.state.reductions


def test_of_another_strategy_nothing_goes() -> None:
    play = day(AtClose.FLATTEN)
    play >> buy("JD", 10, "31.95", strategy=StrategyName("other")) >> sent() >> filled(10, "31.92")
    play >> buy("GS", 1, "901", strategy=StrategyName("other")) >> sent() >> report(Claim.NEW)
    play >> at(CLOSES - 1)
    assert not play.state.reductions
    assert not [one for one in play.events if isinstance(one, CancelRequested)]


@pytest.mark.parametrize(
    ("at_close", "cancels"), [("keep", 0), ("cancel", 1), ("flatten", 1), ("auction", 1)]
)
def test_its_working_entries_go_and_silence_is_asked_again(at_close: str, cancels: int) -> None:
    play = day(AtClose(at_close))
    play >> buy("JD", 10, "31") >> sent() >> report(Claim.NEW) >> at(CLOSES - 5)
    assert sum(isinstance(one, CancelRequested) for one in play.events) == cancels
    play >> at(CLOSES - 4)
    assert not [one for one in play.events if isinstance(one, CancelRequested)], "it has just been"
    play >> at(CLOSES - 3)
    assert sum(isinstance(one, CancelRequested) for one in play.events) == cancels
    if cancels:
        play >> cancel_ended("unknown") >> at(CLOSES - 2)
        assert [one for one in play.events if isinstance(one, CancelRequested)], "asked again"


def test_an_entry_that_is_filled_after_all_goes_too() -> None:
    play = day(AtClose.FLATTEN)
    play >> buy("JD", 10, "31.95") >> sent() >> report(Claim.NEW) >> at(CLOSES - 5)
    assert JD in play.state.reductions, "its entry is live"
    play >> filled(10, "31.92") >> at(CLOSES - 4)
    assert JD in play.state.reductions


@pytest.mark.parametrize("at_close", [AtClose.CANCEL, AtClose.FLATTEN, AtClose.AUCTION])
def test_nobody_enters_who_is_about_to_leave(at_close: AtClose) -> None:
    play = day(at_close)
    play >> at(CLOSES - 6) >> buy("JD", 10, "31.95")
    assert isinstance(play.events[0], RequestAccepted)
    play >> at(CLOSES - 5) >> buy("GS", 1, "901")
    [denied] = play.events
    assert isinstance(denied, RequestDenied)
    assert denied.reason is DenyReason.MARKET_CLOSED
    assert denied.numbers == {
        "at_close": at_close.value,
        "minutes_left": "5",
        "minutes_before_close": "5",
    }
    play >> buy("GS", 1, "901", strategy=StrategyName("other"))
    assert isinstance(play.events[0], RequestAccepted), "others may"


@pytest.mark.parametrize("at_close", [AtClose.CANCEL, AtClose.FLATTEN, AtClose.AUCTION])
@pytest.mark.parametrize("closes", [CLOSES, HALF_DAY])
def test_who_has_left_enters_nothing_in_extended_hours_either(
    at_close: AtClose, closes: int
) -> None:
    play = day(at_close)
    for minutes in (closes, closes + 1, 599):  # 600: 20:00
        play >> at(minutes, closes, Phase.POST) >> buy("GS", 1, "901", extended_hours=True)
        [denied] = play.events
        assert isinstance(denied, RequestDenied)
        assert denied.reason is DenyReason.MARKET_CLOSED
        assert denied.numbers["at_close"] == at_close.value
        assert denied.numbers["minutes_left"] == "0"
    play >> buy("GS", 1, "901", extended_hours=True, strategy=StrategyName("other"))
    assert isinstance(play.events[0], RequestAccepted), "others may"


def test_the_next_session_takes_entries_again_from_its_first_minute() -> None:
    play = day(AtClose.FLATTEN)
    play >> at(CLOSES + 1, phase=Phase.POST)
    tomorrow = replace(
        at(18 * 60, CLOSES + 24 * 60, Phase.PRE), session="2026-01-27"
    )  # 04:00 of the next day
    play >> tomorrow >> buy("GS", 1, "901", extended_hours=True)
    assert isinstance(play.events[0], RequestAccepted)


def test_an_entry_that_works_in_extended_hours_is_asked_to_go_after_the_close_too() -> None:
    play = day(AtClose.CANCEL)
    play >> buy("JD", 10, "31", extended_hours=True) >> sent() >> report(Claim.NEW)
    play >> at(CLOSES - 5) >> cancel_ended("unknown") >> at(CLOSES, phase=Phase.POST)
    assert [one for one in play.events if isinstance(one, CancelRequested)]


def test_an_exit_is_no_entry() -> None:
    play = holding(AtClose.CANCEL)
    play >> at(CLOSES - 1) >> sell("JD", 10, "31.9")
    assert isinstance(play.events[0], RequestAccepted)


def test_what_is_still_there_when_the_session_has_closed_is_an_alarm_once() -> None:
    play = holding(AtClose.FLATTEN)
    play >> at(CLOSES - 5) >> at(CLOSES, phase=Phase.POST)
    [alarm] = [one for one in play.events if isinstance(one, Alarmed)]
    assert (alarm.alarm, alarm.symbol) == ("not_flat", JD)
    play >> at(CLOSES + 1, phase=Phase.POST)
    assert not [one for one in play.events if isinstance(one, Alarmed)]
    assert JD in play.state.reductions, "and it goes with the next session's open"


def test_a_session_whose_close_nobody_told_has_no_last_minutes() -> None:
    play = holding(AtClose.FLATTEN)
    play >> clock(CLOSES - 1)
    assert not play.state.reductions


def test_each_life_goes_by_its_own_configuration() -> None:
    play = holding(AtClose.FLATTEN)
    play >> boot(play.state.epoch + 1)
    assert not play.state.closings


# --- over a restart

NIGHT = 18 * 60  # minutes after ten o'clock: 4:00 of the next day


def test_at_a_start_nobody_knows_the_part_of_the_day_before_the_first_clock() -> None:
    """A life that ended in mid-session, and the next one begins at night: nothing of that day is true any more."""
    play = holding(AtClose.KEEP) >> at(60)
    play >> boot(2, at_ns=TEN_NS + NIGHT * MINUTE_NS)
    play >> gate(Gate.TRADING_STREAM, True) >> gate(Gate.MARKET_DATA, True) >> agreement
    assert (play.state.phase, play.state.session_closes_ns) == (Phase.CLOSED, 0)
    play >> Command(command_id="f", verb="flatten", subject="JD", who="ada", reason="out")
    assert list(reducing.due(play.state)) == []
    assert reducing.waits_for(play.state, JD) == "regular hours (the market is closed)"
    play >> buy("GS", 1, "901")
    [no] = play.events
    assert isinstance(no, RequestDenied)
    assert no.reason is DenyReason.MARKET_CLOSED
    play >> replace(at(24 * 60, CLOSES + 24 * 60), session="2026-01-27")
    assert [step.name for step in reducing.due(play.state)], "the morning's clock has come"


def test_a_first_life_and_one_after_a_quiet_night_begin_with_no_word_on_the_day() -> None:
    play = Play() >> boot()
    assert not [one for one in play.events if isinstance(one, ClockMoved)]
    play >> clock(NIGHT, phase=Phase.CLOSED) >> boot(2)
    assert not [one for one in play.events if isinstance(one, ClockMoved)]


@pytest.mark.parametrize(("minutes", "told"), [(CLOSES - 1, []), (CLOSES, ["not_flat"])])
def test_what_is_still_there_after_a_close_that_nobody_lived_to_see_is_an_alarm(
    minutes: int, told: list[str]
) -> None:
    play = holding(AtClose.FLATTEN) >> at(CLOSES - 5)
    play >> boot(2, at_ns=TEN_NS + minutes * MINUTE_NS)
    assert [one.alarm for one in play.events if isinstance(one, Alarmed)] == told
    play >> at(CLOSES + 1, phase=Phase.POST)
    assert not [one for one in play.events if isinstance(one, Alarmed)]


# --- the closing auction


def exit_due(play: Play) -> OrderRequest:
    [step] = reducing.due(play.state)
    assert isinstance(step.wants, OrderRequest)
    return step.wants


def test_the_closing_auction_sells_what_is_held_and_the_market_what_comes_too_late_for_it() -> None:
    play = holding(AtClose.AUCTION, 15)
    play >> at(CLOSES - 15)
    assert play.state.reductions[JD].is_for_auction("2026-01-26")
    assert exit_due(play).time_in_force is TimeInForce.CLS
    play >> at(CLOSES - 11)
    assert exit_due(play).time_in_force is TimeInForce.CLS
    play >> at(CLOSES - 10)
    assert exit_due(play).time_in_force is TimeInForce.DAY


def test_an_order_for_the_auction_is_waited_for_and_one_that_is_refused_is_followed_by_another() -> (
    None
):
    play = holding(AtClose.AUCTION, 15)
    play >> at(CLOSES - 15)
    play >> exit_due(play) >> sent() >> report(Claim.NEW) >> at(CLOSES - 12)
    assert list(reducing.due(play.state)) == []
    play >> report(Claim.REJECTED)
    assert exit_due(play).time_in_force is TimeInForce.CLS
    play >> at(CLOSES - 9)
    assert exit_due(play).time_in_force is TimeInForce.DAY


def test_who_wants_out_at_once_does_not_wait_for_the_auction() -> None:
    play = holding(AtClose.AUCTION, 15)
    play >> at(CLOSES - 15)
    play >> exit_due(play) >> sent() >> report(Claim.NEW)
    for_auction = play.order().client_order_id
    play >> Command(command_id="c", verb="flatten", subject="JD", who="ana", reason="out")
    assert play.state.reductions[JD].who == "ana"
    [step] = reducing.due(play.state)
    assert isinstance(step.wants, Command)
    assert (step.wants.verb, step.wants.subject) == ("cancel", for_auction)
    play >> report(Claim.CANCELED) >> at(CLOSES - 14)
    assert exit_due(play).time_in_force is TimeInForce.DAY
    play >> Command(command_id="d", verb="flatten", subject="JD", who="bob", reason="out, too")
    assert play.state.reductions[JD].who == "ana", "it goes already"

"""A symbol whose trading halts takes no entries; a price that jumps over a night waits for a person to look."""

import pytest
from msgspec.structs import replace

from tests.plays import (
    TEN_NS,
    Play,
    activity,
    buy,
    clock,
    command,
    filled,
    opened,
    quote,
    reboot,
    sell,
    sent,
)
from trader.market_guard import LIMIT_STATE
from trader.messages import (
    Alarmed,
    BrakeTripped,
    DenyReason,
    PriceJumped,
    Quarantined,
    RequestAccepted,
    RequestDenied,
    SecurityStatus,
)
from trader.model import MINUTE_NS, OPERATOR, Phase, Symbol

JD = Symbol("JD")
MORNING = 24 * 60  # minutes after ten o'clock: the same time of the next day
NEXT = "2026-01-27"


def holding() -> Play:
    """Ten JD, bought and marked at about 31.92."""
    play = opened()
    play >> buy("JD", 10, "31.95") >> sent() >> filled(10, "31.92") >> clock(1, JD=319_200)
    return play


def halt(minute: int = 0, reason: str = "H Trading Halt T1", symbol: str = "JD") -> SecurityStatus:
    at_ns = TEN_NS + minute * MINUTE_NS
    return SecurityStatus(symbol=Symbol(symbol), is_halted=True, reason=reason, at_ns=at_ns)


def resumption(minute: int = 0, symbol: str = "JD") -> SecurityStatus:
    at_ns = TEN_NS + minute * MINUTE_NS
    return SecurityStatus(symbol=Symbol(symbol), is_halted=False, reason="T", at_ns=at_ns)


# ------------------------------------------------------------------------------------------------- halts


def test_while_trading_halts_a_symbol_takes_no_entries_and_the_others_do() -> None:
    play = opened()
    play >> halt() >> buy("JD", 10, "31.95")
    [denied] = play.events
    assert isinstance(denied, RequestDenied)
    assert denied.reason is DenyReason.MARKET_CLOSED
    assert denied.numbers == {"phase": "regular", "trading_halt": "H Trading Halt T1"}
    play >> buy("GS", 1, "901")
    assert isinstance(play.events[0], RequestAccepted)
    play >> resumption(1) >> buy("JD", 10, "31.95")
    assert isinstance(play.events[0], RequestAccepted)


def test_a_limit_state_takes_no_entries_and_is_not_confused_with_the_exchanges_halt() -> None:
    play = opened() >> halt(reason=LIMIT_STATE) >> buy("JD", 10, "31.95")
    [denied] = play.events
    assert isinstance(denied, RequestDenied)
    assert denied.numbers == {"phase": "regular", "trading_halt": LIMIT_STATE}
    play >> halt(2)
    assert dict(play.state.halts) == {JD: ("H Trading Halt T1", TEN_NS + 2 * MINUTE_NS)}
    play >> halt(3, reason=LIMIT_STATE)
    assert not play.events, "it halts already"
    play >> resumption(1)
    assert play.state.halts, "quotes of before the halt don't end it"


def test_an_exit_may_wait_at_the_exchange_while_trading_halts() -> None:
    play = holding()
    play >> halt() >> sell("JD", 10, "31.9")
    assert isinstance(play.events[0], RequestAccepted)


def test_a_halt_outlives_the_program_and_the_session() -> None:
    play = opened()
    play >> halt() >> reboot >> clock(MORNING, session=NEXT)
    assert dict(play.state.halts) == {JD: ("H Trading Halt T1", TEN_NS)}
    play >> resumption(MORNING)
    assert not play.state.halts


@pytest.mark.parametrize(
    "told",
    [
        pytest.param([resumption()], id="it trades already"),
        pytest.param([halt(0, symbol="XYZ")], id="not a symbol of ours"),
        pytest.param([halt(), halt(1)], id="the same again"),
        pytest.param([halt(5), resumption(4)], id="a resumption from before it"),
    ],
)
def test_what_is_no_news_writes_no_row(told: list[SecurityStatus]) -> None:
    play = opened()
    for one in told[:-1]:
        play >> one
    before = play.state
    play >> told[-1]
    assert play.state == before
    assert play.events == ()


# ------------------------------------------------------------------------------------------------ nights


def test_the_mark_of_a_split_that_is_not_booked_yet_is_not_taken_and_no_brake_trips() -> None:
    play = holding()
    equity = play.state.equity
    play >> clock(MORNING, session=NEXT, JD=319_200 // 7)
    assert play.state.position(JD).mark == 319_200
    assert play.state.equity == equity
    kinds = [type(one) for one in play.events]
    assert kinds.count(Quarantined) == kinds.count(Alarmed) == 1
    assert BrakeTripped not in kinds
    [alarm] = [one for one in play.events if isinstance(one, Alarmed)]
    assert (alarm.alarm, alarm.symbol) == ("price_jump", JD)
    play >> clock(MORNING + 1, session=NEXT, JD=319_200 // 7)
    assert play.state.position(JD).mark == 319_200, "nor a minute later"
    assert not [one for one in play.events if isinstance(one, Alarmed)], "and said once"


def test_nobody_sells_on_a_price_that_jumped_over_a_night() -> None:
    play = holding()
    play >> clock(MORNING, session=NEXT)
    far = replace(quote("JD", at_ns=play.state.at_ns), bid=45_500, ask=45_700)
    exits = sell("JD", 10, "4.55", quote=far)
    play >> exits
    [denied] = play.events
    assert isinstance(denied, RequestDenied)
    assert denied.reason is DenyReason.QUARANTINED
    assert denied.numbers == {"quote": "4.56", "mark": "31.92"}
    before = play.state
    play >> sell("JD", 10, "4.55", quote=far, strategy=OPERATOR)
    assert isinstance(play.events[0], RequestAccepted), "a person may"
    play.state = before
    play >> activity("SPLIT", "0", "JD", "60") >> exits
    assert isinstance(play.events[0], RequestDenied), (
        "what is wished now is of the shares before it"
    )
    play >> clock(MORNING + 1, session=NEXT, JD=45_600) >> exits
    assert isinstance(play.events[0], RequestAccepted), "a price of today has confirmed the mark"


def test_once_the_split_is_booked_there_is_no_jump() -> None:
    play = holding()
    play >> activity("SPLIT", "0", "JD", "60")
    play >> clock(MORNING, session=NEXT, JD=45_600)
    assert play.state.position(JD).mark == 45_600
    assert not play.state.quarantined


def test_a_split_that_is_booked_late_lets_the_mark_go_on() -> None:
    play = holding()
    play >> clock(MORNING, session=NEXT, JD=45_600)
    play >> activity("SPLIT", "0", "JD", "60") >> clock(MORNING + 1, session=NEXT, JD=45_600)
    assert play.state.position(JD).mark == 45_600
    assert JD in play.state.quarantined, "which only a person ends"


def test_a_person_who_has_looked_lets_the_loss_be_one() -> None:
    play = holding()
    play >> clock(MORNING, session=NEXT, JD=159_000)
    play >> command("release", "JD") >> clock(MORNING + 1, session=NEXT, JD=159_000)
    assert play.state.position(JD).mark == 159_000
    assert not play.state.quarantined


@pytest.mark.parametrize("mark", [319_200 * 61 // 100, 319_200 * 139 // 100])
def test_less_than_forty_percent_is_an_ordinary_night(mark: int) -> None:
    play = holding()
    play >> clock(MORNING, session=NEXT, JD=mark)
    assert play.state.position(JD).mark == mark
    assert not play.state.quarantined


def test_within_a_session_a_crash_is_one() -> None:
    play = holding()
    play >> clock(2, JD=100_000)
    assert play.state.position(JD).mark == 100_000
    assert not play.state.quarantined


def test_a_jump_of_what_is_not_held_quarantines_it_once() -> None:
    play = opened()
    jumped = PriceJumped(symbol=JD, before=319_200, after=45_600, at_ns=TEN_NS)
    play >> jumped
    assert [type(one) for one in play.events] == [Quarantined, Alarmed]
    before = play.state
    play >> jumped
    assert play.state == before
    play >> buy("JD", 10, "4.57")
    [denied] = play.events
    assert isinstance(denied, RequestDenied)
    assert denied.reason is DenyReason.QUARANTINED
    play >> clock(1, phase=Phase.REGULAR)

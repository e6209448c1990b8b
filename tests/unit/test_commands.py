"""The kill switch in its three modes, and what a person who waits is answered: once, whatever is told twice."""

from decimal import Decimal

import pytest

from tests.plays import (
    TEN_NS,
    Expected,
    Line,
    Play,
    accepted,
    adopted,
    agreement,
    asked,
    blocked,
    booked,
    buy,
    cancel_ended,
    cancel_wanted,
    clock,
    clock_moved,
    command,
    denied,
    filled,
    moved,
    opened,
    promoted,
    reboot,
    report,
    sell,
    send_ended,
    sent,
    stop,
)
from trader import reducing
from trader.messages import (
    Alarmed,
    Blocking,
    Cancel,
    CancelRequested,
    Claim,
    Command,
    CommandAnswered,
    DenyReason,
    Halted,
    LifeBegan,
    Mode,
    Noted,
    OrderRequest,
    ReductionBegan,
    ReductionEnded,
    RequestAccepted,
    Resumed,
)
from trader.model import Protection, StrategyName, Symbol
from trader.state import ANSWERS_MAX

JD, GS = Symbol("JD"), Symbol("GS")


def answered(outcome: str, **fields: object) -> Expected:
    return Expected(CommandAnswered, {"outcome": outcome} | fields)


def message(play: Play) -> str:
    [answer] = [one for one in play.events if isinstance(one, CommandAnswered)]
    return answer.message


def mode_of(play: Play) -> Mode:
    return play.state.mode


def held() -> Play:
    return opened() >> buy("JD", 62, "31.95") >> filled(62, "31.92")


# ---------------------------------------------------------------------------------------------- modes


def test_halted_there_are_no_entries_and_exits_go_on() -> None:
    play = (
        held()
        >> asked("halt")
        << (
            Expected(Halted, {"who": "ada", "reason": "why not", "at_ns": TEN_NS}),
            answered("done", message="halted"),
        )
    )
    assert mode_of(play) is Mode.HALTED
    play >> buy("GS", 5, "901") << denied(DenyReason.HALTED, why="ada: why not")
    play >> sell("JD", 62, "31.9") << Expected(RequestAccepted, {})
    assert play.state.halt is not None
    assert play.state.halt.at_ns == TEN_NS


@pytest.mark.parametrize("subject", ["", "cancel", "flatten"])
def test_a_halt_stands_over_a_crash_in_its_mode(subject: str) -> None:
    play = held() >> asked("halt", subject)
    mode, halt = play.state.mode, play.state.halt
    (
        play
        >> reboot
        << (
            Expected(LifeBegan, {}),
            clock_moved(),
            Expected(Alarmed, {"alarm": "halted"}),
        )
    )
    assert (play.state.mode, play.state.halt) == (mode, halt)


def test_halt_and_cancel_takes_back_what_works_and_what_the_broker_shows_later() -> None:
    play = opened() >> buy("JD", 62, "31.95") >> sent() >> report(Claim.NEW)
    play >> buy("GS", 5, "901") >> sent() >> asked("halt", "cancel")
    assert message(play) == "halted; entries are canceled, 2 live"
    [first] = reducing.due(play.state)
    assert isinstance(first.wants, Command)
    play >> first.wants << cancel_wanted(play.orders[0])
    assert list(reducing.due(play.state)) == []
    play >> report(Claim.NEW, of=1)
    [second] = reducing.due(play.state)
    assert second.wants.subject == play.orders[1] if isinstance(second.wants, Command) else False


def test_a_plain_halt_leaves_what_works() -> None:
    play = opened() >> buy("JD", 62, "31.95") >> sent() >> report(Claim.NEW) >> asked("halt")
    assert list(reducing.due(play.state)) == []
    assert not reducing.wants_anything(play.state)


def test_halt_and_flatten_begins_with_everything_that_is_there_or_may_be() -> None:
    play = (
        held()
        >> buy("GS", 5, "901")
        >> asked("halt", "flatten")
        << (
            Expected(Halted, {"flattens": True, "cancels": True}),
            answered("done"),
            Expected(ReductionBegan, {"symbol": "GS"}),
            Expected(ReductionBegan, {"symbol": "JD", "reference": "a1"}),
        )
    )
    assert mode_of(play) is Mode.REDUCING


def test_while_reducing_what_turns_up_later_goes_too() -> None:
    play = held() >> buy("GS", 5, "901") >> sent() >> send_ended("never_sent")
    play >> asked("halt", "flatten")
    assert sorted(play.state.reductions) == ["JD"]
    play >> filled(5, "900", of=1)
    assert sorted(play.state.reductions) == ["GS", "JD"], "it had reached the broker after all"
    assert mode_of(play) is Mode.REDUCING


def test_while_reducing_nothing_that_is_hands_off_goes() -> None:
    play = opened() >> adopted("JD", 5, "150", treatment="hands-off") >> asked("halt", "flatten")
    assert not play.state.reductions


def test_a_second_halt_wants_more_or_as_much_and_never_less() -> None:
    play = held() >> asked("halt", "flatten") >> asked("halt", name="a2")
    assert message(play).startswith("halted; was halted by ada: why not already")
    assert mode_of(play) is Mode.REDUCING


def test_resuming_is_the_only_way_out_and_what_goes_still_goes() -> None:
    play = (
        held()
        >> asked("halt", "flatten")
        >> asked("resume", name="a2")
        << (
            Expected(Resumed, {}),
            answered("done", message="resumed; was halted by ada: why not; still going: JD"),
        )
    )
    assert mode_of(play) is Mode.ACTIVE
    play >> buy("JD", 5, "31.9") << blocked(Blocking.POSITION)
    [step] = reducing.due(play.state)
    (
        play
        >> step.wants
        >> filled(62, "31.9")
        << (
            booked(62),
            moved("FILLED"),
            Expected(ReductionEnded, {}),
        )
    )
    play >> buy("JD", 5, "31.9") << Expected(RequestAccepted, {})


# ----------------------------------------------------------------------------------- told twice, refused


def test_the_same_command_again_changes_nothing_and_writes_nothing() -> None:
    play = held() >> asked("halt") >> asked("resume", name="a2")
    play >> asked("halt") << None
    assert mode_of(play) is Mode.ACTIVE
    play >> asked("halt", name="a3") >> asked("resume", name="a2") << None
    assert mode_of(play) is Mode.HALTED, "an old resume, told again, resumes nothing"


def test_resuming_twice_has_one_effect_and_both_are_kept() -> None:
    play = held() >> asked("halt") >> asked("resume", name="a2")
    (
        play
        >> asked("resume", name="a3")
        << answered("nothing", message="nothing was halted; nothing to resume")
    )


def test_nobody_resumes_while_an_order_is_in_doubt() -> None:
    play = opened() >> buy("JD", 62, "31.95") >> send_ended("unknown") >> asked("halt")
    play >> asked("resume", name="a2") << answered("refused")
    assert play.orders[0] in message(play)
    assert mode_of(play) is Mode.HALTED
    play >> send_ended("never_sent") >> asked("resume", name="a3")
    assert mode_of(play) is Mode.ACTIVE


def test_without_somebody_who_waits_what_was_not_done_is_noted() -> None:
    opened() >> command("resume") << Expected(Noted, {"subject": "resume"})


def test_answers_are_kept_for_as_many_commands_as_can_be_waited_for() -> None:
    play = opened()
    for number in range(ANSWERS_MAX + 1):
        play >> asked("stop", name=f"n{number}")
    assert len(play.state.answers) == ANSWERS_MAX
    assert play.state.answer("n0") is None
    assert play.state.answer("n1") is not None


# ------------------------------------------------------------------------------------- orders, positions


def test_a_cancel_that_came_to_nothing_is_asked_for_again_a_minute_later() -> None:
    play = held() >> sell("JD", 62, "32.5") >> sent() >> report(Claim.NEW) >> asked("flatten", "*")
    [step] = reducing.due(play.state)
    play >> step.wants << cancel_wanted(play.orders[1])
    play >> cancel_ended("accepted", of=1) << moved("PENDING_CANCEL")
    assert list(reducing.due(play.state)) == []
    play >> clock(1)
    assert list(reducing.due(play.state)) == [], "the next minute may be a second away"
    play >> clock(2)
    [step] = reducing.due(play.state)
    play >> step.wants << cancel_wanted(play.orders[1])


def test_an_order_is_canceled_by_its_name() -> None:
    play = opened() >> buy("JD", 62, "31.95") >> sent() >> report(Claim.NEW)
    name = play.orders[0]
    play >> asked("cancel", name) << (cancel_wanted(name), answered("done"))
    play >> asked("cancel", name, name="a2") << answered("nothing")
    play >> report(Claim.CANCELED) >> asked("cancel", name, name="a3") << answered("nothing")
    assert message(play) == f"{name} is over: CANCELED"


def later(subject: str, name: str = "a1") -> Line:
    """What the verb cancel tells the database of a program that doesn't run."""
    return Command(
        command_id=name,
        verb="cancel_later",
        subject=subject,
        who="ada",
        reason="by hand",
        wants_answer=True,
    )


def test_what_is_to_be_canceled_while_nothing_runs_is_asked_for_after_the_next_agreement() -> None:
    play = opened() >> buy("JD", 62, "31.95") >> sent() >> report(Claim.NEW)
    name = play.orders[0]
    asked_later = Expected(CancelRequested, {"client_order_id": name, "is_later": True})
    play >> later(name) << (asked_later, answered("done"))
    assert play.effects[-1:] != [Cancel(order=play.order())], "nobody is asked by a verb"
    play >> later("*", "a2") << answered("nothing")
    play >> reboot
    assert reducing.wants_anything(play.state)
    assert list(reducing.due(play.state)) == [], "what the broker has is not known yet"
    play >> agreement
    [step] = reducing.due(play.state)
    play >> step.wants << Expected(CancelRequested, {"reason": "ada: by hand", "is_later": False})
    assert play.effects[-1] == Cancel(order=play.order())
    play >> report(Claim.CANCELED)
    assert not play.state.cancels
    assert not reducing.wants_anything(play.state)


def test_an_order_in_doubt_is_canceled_later_once_the_broker_has_shown_it() -> None:
    play = opened() >> buy("JD", 62, "31.95") >> sent() >> later("*")
    assert message(play) == f"to be canceled: {play.orders[0]}"
    assert list(reducing.due(play.state)) == []
    play >> report(Claim.NEW)
    assert [step.name for step in reducing.due(play.state)] == [play.orders[0]]
    play >> filled(62, "31.92")
    assert not play.state.cancels


def test_what_is_over_or_unknown_is_not_canceled_later() -> None:
    play = opened() >> buy("JD", 62, "31.95") >> filled(62, "31.92")
    play >> later(play.orders[0]) << answered("nothing")
    assert message(play) == f"{play.orders[0]} is over: FILLED"
    play >> later("*", "a2") << answered("nothing")
    play >> later("nonsense", "a3") << answered("refused")


def test_an_order_that_nobody_has_seen_at_the_broker_is_not_canceled_yet() -> None:
    play = opened() >> buy("JD", 62, "31.95") >> sent()
    play >> asked("cancel", play.orders[0]) << answered("refused")
    assert "SENT" in message(play)
    play >> asked("cancel", "nonsense", name="a2") << answered("refused")


def test_all_orders_are_canceled_exits_too_and_those_in_flight_are_named() -> None:
    play = held() >> sell("JD", 62, "32.5") >> sent() >> report(Claim.NEW)
    (
        play
        >> buy("GS", 5, "901")
        >> sent()
        >> asked("cancel", "*")
        << (
            cancel_wanted(play.orders[1]),
            answered("done"),
        )
    )
    assert message(play).endswith("; 1 that it has not shown yet stay")


def test_flatten_says_what_goes_goes_already_or_is_not_there() -> None:
    play = (
        held()
        >> asked("flatten", "*")
        << (
            Expected(ReductionBegan, {}),
            answered("done", message="has to go: JD"),
        )
    )
    play >> asked("flatten", "JD", name="a2") << answered("nothing", message="goes already: JD")
    play >> asked("flatten", "GS", name="a3") << answered("nothing")
    play = opened() >> adopted("JD", 5, "150", treatment="hands-off")
    play >> asked("flatten", "JD") << answered("refused", message="JD is hands-off")


def test_a_halted_program_reduces() -> None:
    play = held() >> asked("halt") >> asked("flatten", "JD", name="a2") >> agreement >> clock(1)
    [step] = reducing.due(play.state)
    assert isinstance(step.wants, OrderRequest)
    play >> step.wants << Expected(RequestAccepted, {"order__quantity": Decimal(62)})


# ------------------------------------------------------------------------------------ the shut last line


SHUT = Command(command_id="last-line-x", verb="shut", who="the last line", reason="86 of 62 leave")


def test_while_the_last_line_is_shut_nothing_is_wanted_that_would_come_back() -> None:
    play = held() >> SHUT << Expected(Halted, {"who": "the last line", "shuts": True})
    play >> sell("JD", 62, "31.9") << denied(DenyReason.HALTED)
    play >> buy("GS", 1, "900.5") << denied(DenyReason.HALTED)
    play >> asked("flatten", "JD")
    assert "once somebody resumes: the last line before the socket is shut" in message(play)
    assert list(reducing.due(play.state)) == []
    assert reducing.waits_for(play.state, Symbol("JD")).startswith("a person: the last line")
    assert mode_of(play) is Mode.HALTED


def test_while_it_is_shut_stops_rest_on_and_entries_are_canceled() -> None:
    guard = Protection(stop_price=Decimal("31.28"))
    play = opened() >> buy("JD", 62, "31.95", protection=guard) >> filled(62, "31.92")
    play >> stop(62) >> sent() >> report(Claim.NEW)
    play >> buy("GS", 1, "900.5") >> sent() >> report(Claim.NEW)
    play >> SHUT >> asked("halt", "flatten")
    assert "nothing is sold before somebody resumes" in message(play)
    assert mode_of(play) is Mode.HALTED, "REDUCING would promise that something is sold"
    entry, guarding = play.order().client_order_id, play.order(-2).client_order_id
    assert [one.name for one in reducing.due(play.state)] == [entry]
    play >> asked("resume", name="a2")
    assert {one.name for one in reducing.due(play.state)} == {entry, guarding}


@pytest.mark.parametrize("later", [asked("halt"), asked("halt", "cancel"), reboot])
def test_only_resuming_opens_it_again(later: Line) -> None:
    play = held() >> SHUT >> later
    assert play.state.is_shut
    play >> clock() >> command("resume") >> sell("JD", 62, "31.9") << accepted("JD", 62)
    assert not play.state.is_shut


# ------------------------------------------------------------------------------------------- promotion


def test_a_strategy_is_promoted_once_and_only_one_that_there_is() -> None:
    play = opened() >> asked("promote", "momentum") << answered("refused")
    assert message(play) == "no such strategy: momentum; there are: crossover"
    play >> asked("promote", "crossover", name="a2") << (promoted("crossover"), answered("done"))
    assert play.state.is_promoted(StrategyName("crossover"))
    play >> asked("promote", "crossover", name="a3") << answered("nothing")

"""A session's dollars, a canary's smaller limits until a person promotes it, and changes of limits as events."""

from collections.abc import Callable
from decimal import Decimal

import pytest
from msgspec.structs import replace

from tests.plays import (
    ROOMY,
    SESSION,
    Line,
    Play,
    accepted,
    boot,
    buy,
    clock,
    command,
    denied,
    filled,
    limit_changed,
    opened,
    promoted,
    reboot,
    request,
    sell,
    send_ended,
    sent,
)
from trader.evolve import fold
from trader.limits import CanaryLimits, Limits, Why
from trader.messages import (
    DenyReason,
    LifeBegan,
    LimitChanged,
    Noted,
    RequestAccepted,
    RequestDenied,
    decode_entry,
    encode,
)
from trader.model import Purpose, RequestId, StrategyName
from trader.state import ExecutionState

D = Decimal
SMALL = CanaryLimits(
    order_notional_max=D(1_000), position_notional_max=D(1_200), entries_per_day_max=2
)


def canary(**limits: object) -> Play:
    return opened(limits=replace(ROOMY, canary=replace(SMALL, **limits)))


def out_again(play: Play) -> Play:
    """Ten shares of JD in, and out."""
    play >> buy("JD", 10, "31.95") << accepted("JD", 10) >> sent() >> filled(10, "31.92")
    return play >> sell("JD", 10, "31.9") << accepted("JD", 10) >> filled(10, "31.9")


# ------------------------------------------------------------------------------------------ a session's dollars


def test_entries_count_at_their_worst_price_whatever_became_of_them_and_exits_do_not() -> None:
    play = out_again(opened(limits=replace(ROOMY, entries_notional_per_day_max=D("958.5"))))
    assert play.state.entries_notional == D("319.5")
    play >> buy("GS", 1, "901") << denied(DenyReason.NOTIONAL_PER_DAY)
    play >> buy("JD", 10, "31.95") << accepted("JD", 10) >> send_ended("rejected")
    play >> buy("JD", 10, "31.95") << accepted("JD", 10) >> send_ended("unknown")
    (
        play
        >> buy("T", 1, "22.47")
        << denied(DenyReason.NOTIONAL_PER_DAY, notional="980.97", notional_max="958.5")
    )


def test_the_next_session_begins_at_nothing() -> None:
    play = opened(limits=replace(ROOMY, entries_notional_per_day_max=D(320)))
    out_again(play) >> buy("JD", 10, "31.95") << denied(DenyReason.NOTIONAL_PER_DAY)
    play >> clock(24 * 60, session="2026-01-27") >> buy("JD", 10, "31.95") << accepted("JD", 10)


def test_a_new_life_of_the_same_session_goes_on_counting() -> None:
    play = out_again(opened())
    folded = fold(ExecutionState(), (play >> reboot).entries[:0])
    assert folded.entries_notional == 0
    assert play.state.entries_notional == D("319.5")
    assert play.state.session == SESSION


# ----------------------------------------------------------------------------------------------------- canary

BEYOND: list[tuple[str, Callable[[], tuple[Play, Line]]]] = [
    ("order_notional_max", lambda: (canary(), request(1, shares=32))),
    (
        "position_notional_max",
        lambda: (
            opened(
                limits=replace(ROOMY, adds_max=1, canary=replace(SMALL, order_notional_max=D(990)))
            )
            >> buy("JD", 30, "31.95")
            >> sent()
            >> filled(30, "31.92"),
            buy("JD", 8, "31.95", purpose=Purpose.ADD),
        ),
    ),
    (
        "entries_per_day_max",
        lambda: (out_again(out_again(canary())), buy("T", 1, "22.47")),
    ),
]


@pytest.mark.parametrize(("limit", "made"), BEYOND, ids=[one for one, _ in BEYOND])
def test_a_strategy_that_nobody_has_promoted_has_smaller_limits(
    limit: str, made: Callable[[], tuple[Play, Line]]
) -> None:
    play, line = made()
    play >> line
    [event] = play.events
    assert isinstance(event, RequestDenied)
    assert (event.reason, event.numbers["limit"]) == (DenyReason.CANARY, limit)
    play >> command("promote", "crossover") << promoted("crossover")
    play >> (line if callable(line) else replace(line, request_id=RequestId("another")))
    assert isinstance(play.events[0], RequestAccepted)


def test_a_canary_gets_out_whatever_its_limits() -> None:
    play = canary() >> buy("JD", 31, "31.95") >> sent() >> filled(31, "31.92")
    play >> boot(2, limits=replace(ROOMY, canary=replace(SMALL, order_notional_max=D(1))))
    play >> clock() >> sell("JD", 31, "31.9") << accepted("JD", 31)


def test_without_a_canary_table_a_new_strategy_is_like_any_other() -> None:
    opened() >> request(1, shares=62) << accepted("JD", 62)


def test_another_strategy_is_not_promoted_with_it() -> None:
    play = canary() >> command("promote", "crossover")
    other = StrategyName("momentum")
    play >> request(1, shares=62, strategy=other) << denied(DenyReason.CANARY)
    play >> request(2, shares=62) << accepted("JD", 62)


def test_what_no_life_has_traded_is_not_promoted() -> None:
    play = canary() >> command("promote", "momentum")
    assert play.state.promoted.get(StrategyName("momentum")) is None
    assert isinstance(play.events[0], Noted)


def test_a_promotion_holds_over_lives_until_the_strategy_is_configured_otherwise() -> None:
    play = canary() >> command("promote", "crossover")
    limits = play.state.limits
    play >> boot(2, limits=limits)
    assert play.state.is_promoted(StrategyName("crossover"))
    play >> boot(3, limits=limits, configured="decaf")
    assert not play.state.is_promoted(StrategyName("crossover"))
    play >> boot(4, limits=limits)
    assert play.state.is_promoted(StrategyName("crossover"))


# ---------------------------------------------------------------------------------------------- limits that change


def test_a_limit_that_is_another_one_in_the_next_life_is_an_event() -> None:
    why = {"adds_max": Why(reason="we want to add")}
    after = replace(ROOMY, adds_max=2, owner="ada", reason="more cash", why=why, canary=SMALL)
    play = opened() >> boot(2, limits=after)
    changed = [one for one in play.events if isinstance(one, LimitChanged)]
    assert [one.limit for one in changed] == [
        "adds_max",
        "canary.order_notional_max",
        "canary.position_notional_max",
        "canary.entries_per_day_max",
    ]
    wanted = limit_changed("adds_max", "0", "2", owner="ada", reason="we want to add")
    assert wanted.differs(changed[0]) == ""
    assert limit_changed("canary.order_notional_max", "", "1000").differs(changed[1]) == ""
    play >> boot(3, limits=after)
    assert not [one for one in play.events if isinstance(one, LimitChanged)]


def test_the_first_life_changes_nothing() -> None:
    play = Play() >> boot(limits=Limits(adds_max=3))
    assert [type(one) for one in play.events] == [LifeBegan]


def test_a_journal_of_before_these_limits_is_read_with_their_defaults() -> None:
    [row] = (Play() >> boot()).entries
    text = encode(row).decode()
    for word in (
        '"entries_notional_per_day_max":"1000000000",',
        '"canary":null,',
        '"owner":"",',
        '"reason":"",',
        '"why":{}',
        ',"strategies":{"crossover":"c0ffee"}',
    ):
        assert word in text
        text = text.replace(word, "")
    text = text.replace(",}", "}")
    old = decode_entry(text.encode())
    [began] = old.events
    assert isinstance(began, LifeBegan)
    assert began.limits.canary is None
    assert began.limits.entries_notional_per_day_max == Limits().entries_notional_per_day_max
    assert began.strategies == {}
    assert not fold(ExecutionState(), [old]).strategies

"""A split that the broker tells in two legs is the same as one that it tells in one: in any order, however it comes."""

from decimal import Decimal

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st
from msgspec.structs import replace

from tests.plays import (
    Play,
    activity,
    again,
    asked,
    boot,
    buy,
    clock,
    filled,
    opened,
    quote,
    sent,
    shifted,
    statement,
    taken_side,
)
from trader.evolve import evolve_entry
from trader.journal.ledger import ledger_of
from trader.messages import Activity, Alarmed, BooksMoved, OrderRequest, Quarantined, ReductionEnded
from trader.model import Phase, Protection, Symbol
from trader.protection import legs_met
from trader.reducing import due
from trader.splits import joined
from trader.statements.matching import is_same
from trader.statements.told import Booked, Heard

D = Decimal
JD = Symbol("JD")
GUARD = Protection(stop_price=D("31.28"), take_profit=D("40"))
DAY_MINUTES = 24 * 60


def holding(shares: int = 62) -> Play:
    play = opened() >> buy("JD", shares, "31.95", protection=GUARD)
    return play >> sent() >> filled(shares, "31.92") >> clock(1, JD=319_200)


def legs(before: int, after: Decimal | str) -> tuple[Activity, Activity]:
    removed = activity("SPLIT", "0", "JD", f"-{before}", name="removed")
    return removed, activity("SPLIT", "0", "JD", str(after), name="added")


def told(play: Play, *activities: Activity, held: Decimal | str = "93") -> Play:
    """As a statement tells them, at which the broker holds so much."""
    for one in joined(activities, {JD: D(held)}):
        before = play.state.equity
        play >> one
        if not play.state.position(JD).is_adjusted:
            assert play.state.equity == before, "what waits moves nothing"
        assert_the_tables_follow(play)
    return play


def assert_the_tables_follow(play: Play) -> None:
    ledger = ledger_of(play.before)
    for event in play.events:
        if isinstance(event, BooksMoved):
            ledger.move(event)
    after = ledger_of(play.state)
    assert (ledger.held, ledger.value) == (after.held, after.value)


def assert_is_as_if_told_in_one(play: Play, before: int, after: Decimal) -> None:
    whole = holding(before) >> activity("SPLIT", "0", "JD", str(after - before), name="whole")
    assert play.state.position(JD) == whole.state.position(JD)
    assert play.state.equity == whole.state.equity
    assert play.state.books == whole.state.books


ways = st.sampled_from(["together", "removed first", "added first"])


@given(
    before=st.integers(1, 3_000),
    after=st.decimals(D("0.01"), D(50_000), places=9, allow_nan=False),
    way=ways,
    is_turned=st.booleans(),
)
@example(before=62, after=D(93), way="together", is_turned=False)
@example(before=33, after=D("1.65"), way="removed first", is_turned=True)
def test_a_split_in_two_legs_is_the_split_in_one(
    before: int, after: Decimal, way: str, is_turned: bool
) -> None:
    assume(after != before)
    removed, added = legs(before, after)
    both = (added, removed) if is_turned else (removed, added)
    play = holding(before)
    if way != "together":
        first = removed if way == "removed first" else added
        waiting = play.state.position(JD)
        told(play, first, held=after)
        assert play.events == ()
        assert play.state.position(JD) == waiting
    told(play, *both, held=after)
    assert_is_as_if_told_in_one(play, before, after)
    for again_told in (both, both[:1], both[1:]):
        position = play.state.position(JD)
        told(play, *again_told, held=after)
        assert play.state.position(JD) == position, "each leg is booked once"


def test_a_stop_and_a_mark_follow_a_split_in_two_legs() -> None:
    play = told(holding(), *legs(62, "93"))
    play << (shifted("split", reference="removed", quantity=D(31)), shifted("split_leg"))
    position = play.state.position(JD)
    assert (position.quantity, position.mark) == (D(93), 212_800)
    assert position.protection == Protection(stop_price=D("20.85"), take_profit=D("26.67"))
    assert not legs_met(position, quote("JD", bid=212_700, ask=212_900), is_covered=False)
    play >> clock(2, JD=212_800)
    assert not play.state.brakes


@pytest.mark.parametrize("apart", [False, True])
def test_a_flatten_survives_a_split_in_two_legs(apart: bool) -> None:
    play = holding() >> clock(360, phase=Phase.POST) >> asked("flatten", "JD")
    both = legs(62, "93")
    for some in (both[:1], both) if apart else (both,):
        told(play, *some)
        assert not [one for one in play.events if isinstance(one, ReductionEnded)]
    assert list(play.state.reductions) == [JD]
    play >> clock(DAY_MINUTES, session="2026-01-27", JD=212_800)
    [sale] = [step.wants for step in due(play.state)]
    assert isinstance(sale, OrderRequest)
    assert sale.size.amount == 93


def test_legs_of_two_days_or_two_symbols_are_two_splits() -> None:
    removed, added = legs(62, "93")
    other = activity("SPLIT", "0", "GS", "5", name="other")
    dividend = activity("DIV", "3", "JD", name="dividend")
    later = replace(added, activity_id="later", session="2026-01-27")
    found = joined([removed, other, dividend, added, later], {JD: D(93)})
    assert [(one.activity_id, one.quantity, len(one.legs)) for one in found] == [
        ("removed", D(31), 2),
        ("other", D(5), 0),
        ("dividend", D(0), 0),
        ("later", D(93), 0),
    ]
    assert (found[0].held, found[1].held, found[2].held) == (D(93), D(0), None)


def wait(play: Play, days: int) -> Play:
    date = f"2026-01-{26 + days}"
    return play >> clock(days * DAY_MINUTES, session=date, phase=Phase.PRE, JD=319_200)


def test_half_a_split_waits_until_the_day_after_its_own_is_over_and_is_told() -> None:
    removed, added = legs(62, "93")
    play = told(holding(), removed, held="0")
    told(wait(play, 1), removed, held="0")
    assert play.events == ()
    assert play.state.position(JD).quantity == 62
    play = wait(play, 2)
    for one in joined([removed], {}):
        play >> one
    assert [type(one) for one in play.events[-2:]] == [Quarantined, Alarmed]
    assert play.state.position(JD).quantity == 0
    play >> again
    assert play.events == ()
    for one in joined([removed, added], {JD: D(93)}):
        play >> one
    position = play.state.position(JD)
    assert (position.quantity, position.mark, position.value) == (D(93), 0, position.cost)
    assert position.protection is None, "its prices are of other shares"
    assert position.is_adjusted, "no strategy sells before there is a price"
    assert_the_tables_follow(play)


def test_half_a_split_of_which_a_person_has_taken_the_brokers_side_sells_nothing_short() -> None:
    removed, added = legs(62, "93")
    play = told(holding(), removed, held="0")
    gone = statement(cash=play.state.cash_at_broker, attempts=3)
    play >> gone >> taken_side("broker", gone)
    assert play.state.position(JD).quantity == 0
    told(play, removed, held="0")
    assert play.events == ()
    play = wait(play, 2) >> removed
    assert play.state.position(JD).quantity == 0
    play >> again << None
    for one in joined([removed, added], {JD: D(93)}):
        play >> one
    assert play.state.position(JD).quantity == 93


@pytest.mark.parametrize("quantity", ["-31.35", "31"])
def test_a_split_of_one_leg_waits_for_nothing(quantity: str) -> None:
    play = told(holding(), activity("SPLIT", "0", "JD", quantity), held=62 + D(quantity))
    assert play.state.position(JD).quantity == 62 + D(quantity)
    assert not play.state.quarantined


def test_of_what_our_books_open_with_each_leg_is_known_and_none_is_booked() -> None:
    play = Play() >> boot()
    told(play, *legs(62, "93"))
    play << (shifted("before_opening", reference="removed"), shifted("before_opening"))
    assert play.state.position(JD).quantity == 0
    play >> again << None


@pytest.mark.parametrize("apart", [False, True])
def test_a_statement_has_both_legs_and_so_have_our_books(apart: bool) -> None:
    play, both = holding(), legs(62, "93")
    for some in (both[:1], both) if apart else (both,):
        told(play, *some)
    state, booked, heard = opened().state, Booked(), Heard()
    for entry in play.entries:
        heard.hear(entry.input, entry.session, "here")
        booked.take(state, entry)
        state = evolve_entry(state, entry)
    quantities = {name: line.quantity for name, line in booked.lines.items()}
    assert (quantities["removed"], quantities["added"]) == (D(-62), D(93))
    for name in ("removed", "added"):
        assert is_same(booked.lines[name], heard.lines[name])

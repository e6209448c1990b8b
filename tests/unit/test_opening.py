"""Books that go on from older ones: what they open with, and that nothing the older ones knew is booked again."""

from decimal import Decimal

import pytest
from msgspec.structs import replace

from tests.plays import (
    TEN_NS,
    Expected,
    Play,
    activity,
    adopted,
    again,
    boot,
    executed,
    opened_from_older,
    shifted,
    statement,
)
from trader.accounting import cash_explained
from trader.calendar import session_on
from trader.cli.adopt import closed_lines
from trader.evolve import fold
from trader.messages import Claim, OpeningBooked, OrderReport
from trader.model import ClientOrderId, Side, Symbol
from trader.state import ExecutionState

GS = Symbol("GS")
CASH = Decimal("106426.19")
BEFORE_NS, AFTER_NS = TEN_NS, TEN_NS + 2
D0 = Decimal(0)


def gone_on(treatment: str = "trade") -> Play:
    play = Play() >> boot() >> opened_from_older(CASH, at_ns=TEN_NS + 1)
    play << Expected(
        OpeningBooked,
        {"cash": CASH, "at_ns": TEN_NS + 1, "description": "opened by ada: audit 12ab of old.db"},
    )
    return play >> adopted("GS", 5, "4000", treatment=treatment)


def balanced(state: ExecutionState) -> None:
    assert cash_explained(state.books) == state.books.cash


def fill(at_ns: int, *, claim: Claim = Claim.FILLED, is_told: bool = True) -> OrderReport:
    """An execution of an order that is not ours; or the order alone."""
    return OrderReport(
        client_order_id=ClientOrderId("old-7"),
        broker_order_id=None,
        symbol=GS,
        side=Side.BUY,
        claim=claim,
        quantity=Decimal(5),
        quantity_cumulative=Decimal(5),
        execution=executed(5, "800", 5, "x7", at_ns=at_ns) if is_told else None,
        at_ns=at_ns,
        source="query",
    )


def test_books_open_once_with_the_cash_and_the_name_of_the_audit() -> None:
    play = gone_on() >> opened_from_older("1") << None
    assert play.state.books.cash == CASH
    assert play.state.equity == CASH + 4000
    balanced(play.state)
    assert fold(ExecutionState(), play.entries) == play.state
    play >> statement(cash=CASH, positions={"GS": 5})
    assert play.state.agrees


@pytest.mark.parametrize("treatment", ["trade", "hands-off"])
def test_an_execution_that_the_older_books_had_is_known_and_not_booked_again(
    treatment: str,
) -> None:
    play = gone_on(treatment)
    held = play.state.position(GS)
    for told in (fill(BEFORE_NS), fill(BEFORE_NS, is_told=False)):
        play >> told
        assert (play.state.position(GS), play.state.books.cash) == (held, CASH)
        assert not play.state.quarantined
        play >> again << None


def test_one_after_their_last_word_is_booked_or_closes_the_symbol() -> None:
    play = gone_on("hands-off") >> fill(AFTER_NS)
    play << shifted("hand_trade", symbol="GS", quantity=Decimal(5), cash=Decimal(-4000))
    play = gone_on() >> fill(AFTER_NS)
    assert GS in play.state.quarantined


def test_an_old_order_that_still_works_is_a_foreign_one() -> None:
    play = gone_on() >> fill(BEFORE_NS, claim=Claim.NEW, is_told=False)
    assert GS in play.state.quarantined


def test_activities_of_days_before_are_known_and_those_since_are_booked() -> None:
    play = gone_on() >> replace(activity("DIV", "7", name="d0"), at_ns=0, session="2026-01-25")
    play << shifted("before_opening", reference="d0", cash=Decimal(0))
    play >> replace(activity("DIV", "7", name="d1"), at_ns=0)
    play << shifted("activity", reference="d1", cash=Decimal(7))
    assert play.state.books.cash == CASH + 7
    balanced(play.state)


def opened_by_the_broker() -> Play:
    """New books of an account that has been used before: its own statement opens them."""
    return Play() >> boot() >> fill(BEFORE_NS - 1) >> statement(cash=CASH)


def test_books_may_open_in_the_first_days_that_the_calendar_knows() -> None:
    session = session_on("1998-01-02")
    assert session is not None
    play = Play() >> boot() >> replace(statement(cash=CASH), at_ns=session.close_ns)
    play >> replace(activity("DIV", "1.00", "GS"), at_ns=session.close_ns, session=session.date)
    assert play.state.books.cash == CASH + 1


def test_what_was_over_before_the_broker_opened_our_books_alarms_nobody() -> None:
    play = opened_by_the_broker()
    assert not play.state.quarantined
    # Each statement of the next days tells of it again, and of what was canceled.
    gone = replace(fill(BEFORE_NS - 1, claim=Claim.CANCELED, is_told=False), quantity_cumulative=D0)
    for told in (fill(BEFORE_NS - 1), fill(BEFORE_NS - 1, is_told=False), gone):
        play >> told << None
    assert not play.state.quarantined
    play >> statement(cash=CASH)
    assert play.state.agrees
    assert fold(ExecutionState(), play.entries) == play.state


def test_what_works_at_the_opening_or_ends_after_it_closes_its_symbol() -> None:
    play = opened_by_the_broker() >> fill(BEFORE_NS - 1, claim=Claim.NEW, is_told=False)
    assert GS in play.state.quarantined
    play = opened_by_the_broker() >> fill(TEN_NS + 1)
    assert GS in play.state.quarantined


def test_who_adopts_hears_which_symbols_what_works_at_the_broker_keeps_closed() -> None:
    play = opened_by_the_broker()
    assert list(closed_lines(play.state)) == []
    play >> fill(BEFORE_NS - 1, claim=Claim.NEW, is_told=False)
    assert list(closed_lines(play.state)) == [
        "GS takes no entries: an order that this program did not send: old-7, BUY 5"
        " (bin/trade doctor says what ends it)"
    ]


def test_an_activity_of_long_before_the_broker_opened_our_books_is_in_their_cash() -> None:
    play = opened_by_the_broker()
    play >> replace(activity("CSD", "10000", name="c0"), at_ns=0, session="2026-01-18")
    play << shifted("before_opening", reference="c0", cash=D0, deposit=D0)
    assert play.state.books.cash == CASH
    # One of yesterday that was not there when the broker told its cash has come since.
    play >> replace(activity("DIV", "7", name="d1"), at_ns=0, session="2026-01-25")
    play << shifted("activity", reference="d1", cash=Decimal(7))
    balanced(play.state)

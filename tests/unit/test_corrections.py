"""Executions taken back or replaced, and orders whose fate a person tells: as if only the truth had come."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.plays import (
    OPENING,
    TEN_NS,
    Expected,
    Play,
    accepted,
    again,
    alarmed,
    booked,
    buy,
    clock,
    command,
    corrected,
    denied,
    executed,
    filled,
    looked_up,
    moved,
    opened,
    quarantined,
    report,
    request,
    resolved,
    sell,
    send_ended,
    sent,
    shifted,
)
from trader.accounting import cash_explained
from trader.evolve import fold
from trader.messages import (
    CancelRequested,
    Claim,
    DenyReason,
    ExecutionCorrected,
    Noted,
    decode_entry,
    encode,
)
from trader.model import (
    MINUTE_NS,
    ClientOrderId,
    Execution,
    ExecutionId,
    OrderState,
    Side,
    Symbol,
)
from trader.state import ExecutionState

D = Decimal
JD = Symbol("JD")


def working() -> Play:
    return opened() >> buy("JD", 62, "31.95") >> sent() >> report(Claim.NEW)


def told(quantity: int, price: str, cumulative: int, name: str) -> Execution:
    return executed(quantity, price, cumulative, name)


def holding(name: str = "x1", price: str = "31.92") -> Play:
    return working() >> report(Claim.FILLED, 62, told(62, price, 62, name))


def selling() -> Play:
    return holding() >> sell("JD", 30, "31.9") >> sent()


def balanced(play: Play) -> None:
    """The identities of the books, and the same again from the journal's bytes."""
    state = play.state
    books, held = state.books, state.positions.values()
    assert books.cash + sum((one.cost for one in held), D(0)) == (
        books.opening + books.deposits + books.realized
    )
    assert cash_explained(books) == books.cash
    live = [one for one in state.orders.values() if one.side is Side.BUY]
    assert books.reserved == sum((one.quantity_leaves * one.reserve_price for one in live), D(0))
    assert state.positions_value == sum((one.value for one in held), D(0))
    read = [decode_entry(encode(entry)) for entry in play.entries]
    assert fold(opened().state, read) == state


def essence(state: ExecutionState, name: ClientOrderId) -> dict[str, object]:
    """What must not tell whether something was corrected on the way."""
    order, position = state.orders[name], state.position(JD)
    return {
        "cash": state.books.cash,
        "realized": state.books.realized,
        "reserved": state.books.reserved,
        "fees": state.books.fees,
        "held": (position.quantity, position.cost, position.mark, position.strategy),
        "profit": position.realized,
        "live": (position.entries, position.exits),
        "pending": (position.quantity_pending_buy, position.quantity_pending_sell),
        "order": (order.state, order.quantity_filled, order.notional_filled, order.fees),
        "order reserved": order.reserved,
        "equity": state.equity,
    }


# ---------------------------------------------------------------------------------------------- busts


def test_a_bust_of_a_whole_buy_takes_everything_back_and_asks_what_became_of_the_order() -> None:
    play = holding() >> corrected("x1")
    play << (
        shifted(
            "bust",
            reference="x1",
            cash=D("1979.04"),
            quantity=D(-62),
            cost=D("-1979.04"),
            realized=D(0),
            client_order_id=play.orders[0],
            reserved=D("1980.9"),
        ),
        alarmed("execution_busted"),
        looked_up(),
    )
    play >> again << None
    order = play.order()
    assert (order.state, order.quantity_filled, order.quantity_leaves) == (
        OrderState.NEW,
        D(0),
        D(62),
    )
    assert (play.state.books.cash, play.state.books.reserved) == (OPENING, D("1980.9"))
    assert play.state.position(JD).quantity == 0
    assert play.state.entries_open == 1
    balanced(play)
    play >> report(Claim.CANCELED) << moved("CANCELED")
    assert play.state.books.reserved == 0
    assert play.state.position(JD).is_flat
    balanced(play)


def test_a_bust_of_one_of_two_executions_leaves_the_other() -> None:
    play = working() >> report(Claim.PARTIALLY_FILLED, 20, told(20, "31.9", 20, "x1"))
    play >> report(Claim.FILLED, 62, told(42, "31.92", 62, "x2")) >> corrected("x1")
    assert play.order().state is OrderState.PARTIALLY_FILLED
    assert (play.order().quantity_filled, play.order().quantity_leaves) == (D(42), D(20))
    assert play.state.books.reserved == 20 * D("31.95")
    balanced(play)


def test_a_bust_of_a_part_of_a_live_order_counts_on_its_whole_cost_again() -> None:
    play = working() >> report(Claim.PARTIALLY_FILLED, 20, told(20, "31.9", 20, "x1"))
    play >> corrected("x1")
    assert play.state.books.reserved == 62 * D("31.95")
    balanced(play)
    play >> filled(62, "31.92") << (booked(62), moved("FILLED"))
    assert play.state.books.reserved == 0
    balanced(play)


def test_a_bust_of_an_order_that_has_ended_does_not_bring_it_back() -> None:
    play = working() >> report(Claim.PARTIALLY_FILLED, 20, told(20, "31.9", 20, "x1"))
    play >> report(Claim.CANCELED, 20) >> corrected("x1")
    assert (play.order().state, play.order().quantity_filled) == (OrderState.CANCELED, D(0))
    assert play.state.books.reserved == 0
    assert play.state.position(JD).is_flat
    balanced(play)


def test_a_bust_of_a_sale_takes_back_its_profit_and_its_fee() -> None:
    before = selling()
    play = selling() >> report(Claim.FILLED, 30, told(30, "31.98", 30, "y1"))
    assert play.state.books.realized == 30 * D("0.06") - D("0.04")
    play >> corrected("y1")
    play << (
        shifted("bust", quantity=D(30), realized=-play.before.books.realized, fees=D("-0.04")),
        alarmed("execution_busted"),
        looked_up(),
    )
    assert play.state.books.realized == play.state.books.fees == 0
    assert play.state.position(JD).cost == before.state.position(JD).cost
    assert play.state.position(JD).quantity_pending_sell == 30
    assert play.state.cash_at_broker == play.state.books.cash, "no fee is waited for any more"
    balanced(play)


def test_shares_that_a_bust_brings_back_belong_to_who_sold_them() -> None:
    play = holding() >> sell("JD", 62, "31.9") >> sent()
    play >> report(Claim.FILLED, 62, told(62, "31.98", 62, "y1"))
    assert play.state.position(JD).strategy is None
    play >> corrected("y1")
    assert play.state.position(JD).strategy == "crossover"
    balanced(play)


def test_an_exit_of_shares_that_a_bust_takes_back_is_canceled() -> None:
    play = holding() >> sell("JD", 62, "31.9") >> sent() >> report(Claim.NEW)
    play >> corrected("x1", of=0)
    play << (
        shifted("bust"),
        alarmed("execution_busted"),
        looked_up(),
        Expected(CancelRequested, {"client_order_id": play.orders[1]}),
    )
    balanced(play)


def test_an_exit_of_shares_that_are_left_goes_on_after_a_bust() -> None:
    play = working() >> report(Claim.PARTIALLY_FILLED, 20, told(20, "31.9", 20, "x1"))
    play >> report(Claim.FILLED, 62, told(42, "31.9", 62, "x2"))
    play >> sell("JD", 42, "31.9") >> sent() >> report(Claim.NEW)
    play >> corrected("x1", of=0) << (shifted("bust"), alarmed("execution_busted"), looked_up())


def test_a_bust_that_leaves_nothing_leaves_no_cost_either() -> None:
    """20 at 30 and 42 at 31.9, of which 20 are sold at average cost: the 42 that are left aren't the 42 that came."""
    play = working() >> report(Claim.PARTIALLY_FILLED, 20, told(20, "30", 20, "x1"))
    play >> report(Claim.FILLED, 62, told(42, "31.9", 62, "x2"))
    play >> sell("JD", 20, "31.9") >> filled(20, "31.9") >> corrected("x2", of=0)
    position = play.state.position(JD)
    assert (position.quantity, position.cost) == (D(0), D(0))
    assert play.state.books.realized == 20 * D("1.9") - play.state.books.fees
    balanced(play)


def test_a_busted_execution_that_is_told_again_stays_taken_back() -> None:
    play = holding() >> corrected("x1")
    books = play.state.books
    play >> report(Claim.FILLED, 62, told(62, "31.92", 62, "x1"))
    assert play.state.books == books
    assert play.state.position(JD).quantity == 0


def test_an_order_whose_only_execution_was_busted_ends_though_lists_of_fills_go_on_showing_it() -> (
    None
):
    play = holding() >> corrected("x1")
    play >> report(Claim.FILLED, 62, told(62, "31.92", 62, "x1"), source="activity") << None
    play >> report(Claim.CANCELED, 0, source="query") << moved("CANCELED")
    assert play.state.position(JD).is_flat
    balanced(play)


def test_a_stale_answer_after_a_bust_does_not_keep_the_order_in_doubt_for_ever() -> None:
    play = holding() >> corrected("x1")
    play >> report(Claim.FILLED, 62, source="query")
    assert play.order().quantity_reported == 62
    play >> report(Claim.CANCELED, 0, source="query") << moved("CANCELED")
    assert play.state.position(JD).is_flat
    balanced(play)


def test_a_busted_execution_stays_taken_back_under_the_id_that_a_list_of_fills_has_for_it() -> None:
    """The core simulation's seed 46: a bust, and then the same execution out of the list, booked once more."""
    play = holding() >> corrected("x1")
    listed = told(62, "31.92", 62, "activity 7")
    play >> report(Claim.FILLED, 62, listed, source="activity") << None
    assert play.state.position(JD).quantity == 0
    later = executed(62, "31.92", 62, "x2", at_ns=TEN_NS + MINUTE_NS)
    play >> report(Claim.FILLED, 62, later) << (booked(62), moved("FILLED"))
    balanced(play)


def test_a_bust_of_what_was_executed_beyond_the_order_leaves_it_filled() -> None:
    """The core simulation's seed 12: it was called partially filled, with nothing left to fill, and lived for ever."""
    play = holding() >> report(Claim.FILLED, 64, told(2, "31.92", 64, "x2"))
    play >> corrected("x2") << (shifted("bust"), alarmed("execution_busted"), moved("FILLED"))
    assert play.state.position(JD).entries == ()
    assert play.state.position(JD).quantity == 62
    assert play.state.entries_open == 0
    play >> sell("JD", 62, "31.9") << accepted("JD", 62)
    balanced(play)


def test_what_is_busted_can_be_executed_anew() -> None:
    play = holding() >> corrected("x1") >> report(Claim.FILLED, 62, told(62, "31.9", 62, "x2"))
    play << (booked(62), moved("FILLED"))
    assert essence(play.state, play.orders[0]) == essence(
        (only := holding("x2", "31.9")).state, only.orders[0]
    )


def test_what_fills_the_gap_of_a_bust_may_end_where_a_later_execution_ended() -> None:
    play = working() >> report(Claim.PARTIALLY_FILLED, 20, told(20, "31.9", 20, "x1"))
    play >> report(Claim.PARTIALLY_FILLED, 30, told(10, "31.9", 30, "x2")) >> corrected("x1")
    play >> report(
        Claim.PARTIALLY_FILLED, 30, told(10, "31.9", 30, "activity 2"), source="activity"
    )
    assert play.order().quantity_filled == 10, "the list of fills tells of x2"
    refill = executed(20, "31.9", 30, "x3", at_ns=TEN_NS + MINUTE_NS)
    play >> report(Claim.PARTIALLY_FILLED, 30, refill) << booked(20)
    assert play.order().quantity_filled == 30
    play >> report(Claim.PARTIALLY_FILLED, 30, refill) << None
    balanced(play)


def test_a_correction_of_what_is_not_in_the_books_stops_the_symbol() -> None:
    play = holding() >> corrected("x9") << (quarantined("JD"), alarmed("quarantined"))
    assert play.state.books == holding().state.books
    play >> request(1, "GS", 1, "901") << accepted("GS", 1)
    play = opened() >> ExecutionCorrected(
        client_order_id=ClientOrderId("by-hand"),
        symbol=JD,
        execution_id=ExecutionId("x1"),
        replacement=None,
        at_ns=0,
    )
    play << (quarantined("JD"), alarmed("quarantined"))
    play >> request(2) << denied(DenyReason.QUARANTINED)


def test_a_correction_that_can_not_be_booked_stops_the_symbol_once() -> None:
    """Each statement tells it again: what a person has looked at and released would be closed for ever."""
    for wrong in (corrected("x9"), corrected("x1", told(62, "319.2", 62, "x2"))):
        play = holding() >> wrong << (quarantined("JD"), alarmed("quarantined"))
        play >> command("release", "JD") >> wrong << None
        assert not play.state.quarantined
    play >> corrected("x9") << (quarantined("JD"), alarmed("quarantined"))  # Another one is news.


def test_a_bust_that_overtook_its_execution_is_booked_when_it_is_told_again() -> None:
    play = working() >> corrected("x1") << (quarantined("JD"), alarmed("quarantined"))
    play >> report(Claim.FILLED, 62, told(62, "31.92", 62, "x1")) >> corrected("x1")
    assert play.state.position(JD).quantity == 0
    balanced(play)


# ----------------------------------------------------------------------------------------- corrections


def test_a_correction_of_a_price_books_the_difference_and_the_order_stays_filled() -> None:
    play = holding() >> corrected("x1", told(62, "31.9", 62, "x2"))
    play << (shifted("bust"), alarmed("execution_busted"), booked(62), moved("FILLED"))
    play >> again << None
    only = holding("x2", "31.9")
    assert essence(play.state, play.orders[0]) == essence(only.state, only.orders[0])
    balanced(play)
    play >> report(Claim.FILLED, 62, told(62, "31.9", 62, "x2")) << None


def test_a_correction_whose_replacement_was_heard_already_books_it_once() -> None:
    play = working() >> report(Claim.PARTIALLY_FILLED, 20, told(20, "31.9", 20, "x1"))
    play >> report(Claim.PARTIALLY_FILLED, 15, told(15, "31.9", 15, "x2"), source="activity")
    play >> corrected("x1", told(15, "31.9", 15, "x2"))
    assert play.order().quantity_filled == 15
    balanced(play)


def test_a_correction_after_everything_was_sold_changes_the_profit_alone() -> None:
    play = holding() >> sell("JD", 62, "31.9") >> sent()
    play >> report(Claim.FILLED, 62, told(62, "31.98", 62, "y1"))
    profit = play.state.books.realized
    play >> corrected("x1", told(62, "31.9", 62, "x2"), of=0)
    assert play.state.position(JD).quantity == 0
    assert play.state.position(JD).cost == 0
    assert play.state.books.realized == profit + 62 * D("0.02")
    balanced(play)


parts = st.tuples(st.integers(1, 62), st.integers(3_100, 3_195))


@given(wrong=parts, right=parts, is_sale=st.booleans(), ended=st.booleans())
def test_the_books_are_as_if_only_the_corrected_execution_had_come(
    wrong: tuple[int, int], right: tuple[int, int], is_sale: bool, ended: bool
) -> None:
    name = "z" if wrong != right else "x"
    plays = []
    for heard, is_corrected in ((wrong, True), (right, False)):
        play = holding("first") >> sell("JD", 62, "31") if is_sale else opened()
        play = play >> sent() if is_sale else play >> buy("JD", 62, "31.95") >> sent()
        quantity, cents = heard
        first = told(quantity, str(D(cents).scaleb(-2)), quantity, "x" if is_corrected else name)
        whole = quantity == 62
        play >> report(Claim.FILLED if whole else Claim.PARTIALLY_FILLED, quantity, first)
        if is_corrected:
            quantity, cents = right
            play >> corrected("x", told(quantity, str(D(cents).scaleb(-2)), quantity, "z"))
        if ended:
            play >> report(Claim.CANCELED, play.order().quantity_filled)
        balanced_without_replay(play)
        plays.append(play)
    one, other = (essence(play.state, play.orders[-1]) for play in plays)
    assert one == other


def balanced_without_replay(play: Play) -> None:
    books, held = play.state.books, play.state.positions.values()
    cost = sum((one.cost for one in held), D(0))
    assert books.cash + cost == books.opening + books.deposits + books.realized
    assert cash_explained(books) == books.cash


# ----------------------------------------------------------------------------------------- resolutions


def in_doubt() -> Play:
    return opened() >> buy("JD", 62, "31.95") >> sent() >> send_ended("unknown")


@pytest.mark.parametrize(
    ("outcome", "state"),
    [("never-sent", "NEVER_SENT"), ("canceled", "CANCELED"), ("rejected", "REJECTED")],
)
def test_a_person_can_say_that_nothing_came_of_an_order(outcome: str, state: str) -> None:
    play = in_doubt() >> resolved(outcome) << moved(state, reason="resolved by ada: I called them")
    assert play.state.books == opened().state.books
    assert play.state.position(JD).is_flat
    balanced(play)
    play >> again << noted()
    play >> request(1) << accepted("JD", 10)


@pytest.mark.parametrize(("quantity", "state"), [(62, "FILLED"), (20, "CANCELED")])
def test_a_person_can_say_that_an_order_was_filled(quantity: int, state: str) -> None:
    play = in_doubt() >> resolved("filled", quantity, "31.9")
    play << (booked(quantity, execution__execution_id="resolved r1"), moved(state))
    assert play.state.position(JD).quantity == quantity
    assert play.state.books.cash == OPENING - quantity * D("31.9")
    assert play.state.books.reserved == 0
    balanced(play)
    play >> again << noted()


def test_what_a_person_said_and_the_broker_says_later_is_booked_once() -> None:
    play = in_doubt() >> resolved("filled", 62, "31.92")
    books = play.state.books
    play >> report(Claim.FILLED, 62, told(62, "31.92", 62, "x1"))
    assert play.state.books == books


def test_a_claim_that_nothing_was_brought_for_yields_to_a_person() -> None:
    """The broker says that 20 were filled, and no list has them: the order can't end by itself."""
    play = working() >> report(Claim.CANCELED, 20) >> resolved("canceled")
    play << moved("CANCELED", reason="resolved by ada: I called them")
    assert play.order().quantity_filled == 0
    assert play.state.books.reserved == 0
    balanced(play)


def test_a_person_who_was_wrong_is_overruled_by_a_fill_and_the_symbol_stops() -> None:
    play = in_doubt() >> resolved("never-sent") >> filled(62, "31.92")
    play << (booked(62), moved("FILLED"), alarmed("order_surprise"), quarantined("JD"))
    assert play.state.position(JD).quantity == 62
    play >> sell("JD", 62, "31.9") << accepted("JD", 62) >> filled(62, "31.9")
    play >> command("resume") >> clock(1)
    play >> buy("JD", 1, "31.95") << denied(DenyReason.QUARANTINED)
    play >> command("release", "JD")
    play >> buy("JD", 1, "31.95") << accepted("JD", 1)


@pytest.mark.parametrize(
    ("outcome", "quantity"), [("filled", None), ("dunno", None), ("dunno", 62)]
)
def test_a_word_that_says_nothing_changes_nothing(outcome: str, quantity: int | None) -> None:
    play = in_doubt() >> resolved(outcome, quantity, None) << noted()
    assert play.order().state is OrderState.UNKNOWN


def test_an_order_that_has_ended_is_not_in_question() -> None:
    play = holding() >> resolved("never-sent") << noted()
    assert play.state.position(JD).quantity == 62


def noted() -> Expected:
    return Expected(Noted, {"subject": "resolve"})


def test_a_correction_to_a_price_that_can_not_be_takes_nothing_back() -> None:
    play = holding()
    before = play.state
    (
        play
        >> corrected("x1", told(62, "319.2", 62, "x2"))
        << (
            quarantined("JD"),
            alarmed("quarantined"),
        )
    )
    assert (play.state.books, play.state.orders) == (before.books, before.orders)


def test_a_correction_of_another_symbol_takes_nothing_back() -> None:
    play = holding()
    before = play.state
    wrong = ExecutionCorrected(
        client_order_id=play.orders[-1],
        symbol=Symbol("GS"),
        execution_id=ExecutionId("x1"),
        replacement=None,
        at_ns=0,
    )
    play >> wrong << (quarantined("GS"), alarmed("quarantined"))
    assert (play.state.books, play.state.orders) == (before.books, before.orders)


def test_a_correction_to_more_than_was_ordered_is_booked_and_stops_the_symbol() -> None:
    play = holding() >> corrected("x1", told(99, "31.92", 99, "x2"))
    assert play.state.position(JD).quantity == 99
    balanced(play)
    play >> sell("JD", 99, "31.9") >> sent() >> filled(99, "31.9")
    play >> request(3) << denied(DenyReason.QUARANTINED)

"""What the broker says, late, twice, lost, in any order or wrong: the books end where the executions say."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from tests.plays import (
    OPENING,
    Expected,
    Line,
    Play,
    accepted,
    activity,
    again,
    agreement,
    alarmed,
    blocked,
    booked,
    buy,
    cancel_ended,
    clock,
    command,
    corrected,
    denied,
    executed,
    filled,
    gate,
    looked_up,
    missed,
    moved,
    opened,
    quarantined,
    reboot,
    report,
    request,
    resolved,
    sell,
    send_ended,
    sent,
    shifted,
    statement,
)
from trader.accounting import Books
from trader.executor import decided
from trader.messages import (
    Alarmed,
    Blocking,
    Claim,
    DenyReason,
    DifferenceFound,
    Gate,
    GateMoved,
    Input,
    LookupMissed,
    LookupWanted,
    OpeningBooked,
    OrderReport,
    Quarantined,
    Statement,
    StatementCompared,
)
from trader.model import (
    FINAL_STATES,
    BrokerOrderId,
    ClientOrderId,
    Execution,
    Order,
    OrderState,
    Purpose,
    Side,
    Symbol,
)
from trader.money import NANO
from trader.positions import Position

D = Decimal
JD = Symbol("JD")


def entered() -> Play:
    return opened() >> buy("JD", 62, "31.95") << accepted("JD", 62)


def working() -> Play:
    return entered() >> sent() >> report(Claim.NEW)


def holding() -> Play:
    return working() >> filled(62, "31.92")


# ---------------------------------------------------------------------------------- an order's life


def test_an_order_is_acknowledged_filled_in_parts_and_booked_once() -> None:
    play = entered() >> sent() << moved("SENT") >> again << None
    play >> report(Claim.NEW) << moved("NEW") >> again << None
    (
        play
        >> filled(20, "31.92")
        << (
            booked(20, notional=D("638.4"), fees=D(0), released=D(639), cost=D("638.4")),
            moved("PARTIALLY_FILLED"),
        )
    )
    play >> again << None
    play >> filled(42, "31.93") << (booked(42, released=D("1341.9")), moved("FILLED"))
    play >> again << None
    position = play.state.position(JD)
    assert (position.quantity, position.cost) == (D(62), D("1979.46"))
    assert play.state.books.cash == OPENING - D("1979.46")
    assert play.state.books.reserved == 0
    assert play.state.entries_open == 0


CLAIMS: dict[Claim, tuple[Line, tuple[Expected, ...]]] = {
    Claim.PENDING_NEW: (report(Claim.PENDING_NEW), (moved("PENDING_NEW"),)),
    Claim.NEW: (report(Claim.NEW), (moved("NEW"),)),
    Claim.PARTIALLY_FILLED: (
        report(Claim.PARTIALLY_FILLED, 20),
        (moved("NEW", quantity_reported=D(20)), looked_up()),
    ),
    Claim.FILLED: (
        report(Claim.FILLED, 62),
        (moved("NEW", quantity_reported=D(62)), looked_up()),
    ),
    Claim.PENDING_CANCEL: (report(Claim.PENDING_CANCEL), (moved("PENDING_CANCEL"),)),
    Claim.CANCELED: (report(Claim.CANCELED), (moved("CANCELED"),)),
    Claim.EXPIRED: (report(Claim.EXPIRED), (moved("EXPIRED"),)),
    Claim.REJECTED: (report(Claim.REJECTED, reason="no"), (moved("REJECTED", reason="no"),)),
    Claim.CANCEL_REJECTED: (report(Claim.CANCEL_REJECTED), (moved("SENT"),)),
    Claim.FOREIGN_CHANGE: (
        report(Claim.FOREIGN_CHANGE, reason="replaced"),
        (quarantined("JD"), alarmed("quarantined")),
    ),
}


def test_the_list_here_has_every_claim() -> None:
    assert set(CLAIMS) == set(Claim)


@pytest.mark.parametrize("claim", CLAIMS)
def test_each_claim_about_a_sent_order_is_heard_once(claim: Claim) -> None:
    line, expected = CLAIMS[claim]
    entered() >> sent() >> line << expected >> again << None


@pytest.mark.parametrize("claim", CLAIMS)
def test_no_claim_by_itself_books_anything(claim: Claim) -> None:
    play = entered() >> sent() >> CLAIMS[claim][0]
    assert play.state.books.cash == OPENING
    assert play.state.position(JD).quantity == 0


def test_a_fill_may_overtake_everything() -> None:
    play = entered() >> filled(62, "31.92") << (booked(62), moved("FILLED"))
    play >> sent() << None >> report(Claim.NEW) << None
    play >> report(Claim.PARTIALLY_FILLED, 20) << None


def test_a_claimed_fill_without_its_execution_is_asked_about_until_it_is_found() -> None:
    play = working() >> report(Claim.CANCELED, 20)
    play << (moved("NEW", final_reported=OrderState.CANCELED), looked_up(0))
    play >> report(Claim.CANCELED, 20) << None  # It is being asked.
    play >> report(Claim.CANCELED, 20, source="query") << (moved("NEW"), looked_up(1))
    found = report(Claim.PARTIALLY_FILLED, 20, executed(20, "31.9", 20), source="activity")
    play >> found << (booked(20), moved("CANCELED"))
    assert play.state.books.reserved == 0
    assert play.state.position(JD).quantity == 20


def test_what_an_activity_and_the_stream_both_tell_is_booked_once() -> None:
    play = working() >> report(Claim.PARTIALLY_FILLED, 20, executed(20, "31.9", 20, "s-1"))
    activity = executed(20, "31.9", 20, "20260126::1")
    play >> report(Claim.PARTIALLY_FILLED, 20, activity, source="activity") << None


def test_an_execution_is_booked_once_however_often_in_however_many_lives_and_days_it_is_told() -> (
    None
):
    play = working() >> filled(20, "31.92")
    books, told = play.state.books, play.entries[-1].input
    for _ in range(10):
        play >> told << None
    play >> reboot >> told << None
    play >> clock(1440, session="2026-01-27") >> told << None
    assert play.order().quantity_filled == play.state.position(JD).quantity == 20
    assert play.state.books == books


# ------------------------------------------------------------------------------------ sends and doubt


def test_a_lost_reply_leaves_the_order_in_doubt_until_it_is_found() -> None:
    play = entered() >> sent() >> send_ended("unknown", reason="504")
    play << (moved("UNKNOWN", reason="504"), looked_up(0))
    assert play.state.books.reserved == D("1980.9")
    play >> missed() << looked_up(1) >> missed() << looked_up(2)
    play >> report(Claim.NEW, source="query")
    play << moved("NEW", reason="found at the broker by its id")
    assert play.order().lookup_open is False
    assert play.submitted() == play.orders


def test_a_lost_reply_may_be_found_filled() -> None:
    play = entered() >> sent() >> send_ended("unknown")
    play >> report(Claim.FILLED, 62, executed(62, "31.92", 62), source="query")
    play << (booked(62), moved("FILLED"))


@pytest.mark.parametrize("outcome", ["unknown", "", "timeout", "accepted?"])
def test_an_outcome_that_proves_nothing_is_doubt(outcome: str) -> None:
    play = entered() >> sent() >> send_ended(outcome) << (moved("UNKNOWN"), looked_up())
    assert play.order().state is OrderState.UNKNOWN


def test_a_report_that_overtook_the_lost_reply_leaves_no_doubt() -> None:
    working() >> send_ended("unknown") << None
    entered() >> sent() >> filled(62, "31.92") >> send_ended("unknown") << None


@pytest.mark.parametrize("outcome", ["never_sent", "rejected"])
def test_proof_that_nothing_lives_gives_cash_and_symbol_free(outcome: str) -> None:
    play = entered() >> sent() >> send_ended(outcome, reason="refused")
    play << moved({"never_sent": "NEVER_SENT", "rejected": "REJECTED"}[outcome], reason="refused")
    assert play.state.books == opened().state.books
    assert play.state.position(JD).is_flat
    assert play.state.entries_open == 0


def test_never_sent_contradicts_an_acknowledgement() -> None:
    play = working() >> send_ended("never_sent") << (alarmed("order_surprise"), quarantined("JD"))
    assert play.order().state is OrderState.NEW


def test_a_rejection_of_a_part_filled_order_is_an_alarm() -> None:
    play = (
        working()
        >> filled(20, "31.9")
        >> send_ended("rejected")
        << (alarmed("order_surprise"), looked_up())
    )
    assert play.order().quantity_leaves == 42


def test_a_missed_lookup_of_what_is_over_or_unknown_asks_no_more() -> None:
    play = working() >> report(Claim.CANCELED) >> missed() << None
    play >> LookupMissed(client_order_id=ClientOrderId("no-such-order"), attempts=0) << None


# ------------------------------------------------------------------------------------------- cancels


def asked_again() -> Expected:
    return Expected(LookupWanted, {})


def test_an_acknowledged_order_that_is_proven_absent_stays_alive_and_is_asked_about() -> None:
    play = working() >> statement()  # which does not list it
    assert play.order().lookup_open
    (
        play
        >> send_ended("never_sent")
        << (alarmed("order_surprise"), quarantined("JD"), asked_again())
    )
    assert play.order().state is OrderState.NEW
    play >> again << (alarmed("order_surprise"), quarantined("JD"), asked_again())


def test_an_answer_that_can_not_be_about_the_order_leaves_it_asked_about() -> None:
    play = entered() >> sent() >> send_ended("unknown")
    play >> report(Claim.NEW, source="query", quantity=D(5))
    play << (quarantined("JD"), alarmed("quarantined"), asked_again())
    play >> again << asked_again()


def test_filled_with_less_than_its_quantity_is_quarantined() -> None:
    play = working() >> report(Claim.FILLED, 0, source="query")
    play << (quarantined("JD"), alarmed("quarantined"))
    assert play.order().state is OrderState.NEW
    assert play.state.position(JD).quantity == 0


def test_a_cancel_is_proven_by_the_broker_only() -> None:
    play = working() >> command("cancel", "entries") >> cancel_ended("accepted")
    play << moved("PENDING_CANCEL")
    play >> request(1) << blocked(Blocking.LIVE_ORDER)
    play >> report(Claim.CANCELED) << moved("CANCELED")
    play >> request(2) << accepted("JD", 10)


def test_a_cancel_may_lose_the_race() -> None:
    play = working() >> command("cancel", "entries") >> cancel_ended("accepted")
    play >> filled(20, "31.9") << (booked(20), moved("PENDING_CANCEL", quantity_reported=D(20)))
    play >> filled(42, "31.9") << (booked(42), moved("FILLED"))
    play >> report(Claim.CANCELED, 62) << None


@pytest.mark.parametrize("outcome", ["rejected", "unknown"])
def test_a_cancel_without_success_asks_what_became_of_the_order(outcome: str) -> None:
    play = working() >> command("cancel", "entries") >> cancel_ended(outcome)
    play << (moved("NEW"), looked_up())
    play >> again << None
    assert play.order().lookup_open
    play >> report(Claim.NEW, source="query")
    assert not play.order().lookup_open, "nothing has changed, and that is the answer"


def test_a_cancel_without_success_of_what_is_over_asks_nothing() -> None:
    play = working() >> command("cancel", "entries") >> report(Claim.CANCELED)
    play >> cancel_ended("rejected") << None >> cancel_ended("accepted") << None


def test_a_rejected_cancel_leaves_the_order_working() -> None:
    play = working() >> filled(20, "31.9") >> report(Claim.PENDING_CANCEL, 20)
    play >> report(Claim.CANCEL_REJECTED, 20) << moved("PARTIALLY_FILLED")


# ------------------------------------------------------------------------------------------ surprises


@pytest.mark.parametrize("claim", [Claim.CANCELED, Claim.EXPIRED])
def test_a_late_fill_is_booked_and_somebody_hears_of_it(claim: Claim) -> None:
    play = working() >> report(claim)
    play >> report(claim, 20, executed(20, "31.9", 20))
    play << (
        booked(20, released=D(0)),
        moved(claim.name, quantity_reported=D(20)),
        alarmed("order_surprise"),
    )
    assert play.state.position(JD).quantity == 20
    play >> report(Claim.FILLED, 62, executed(42, "31.9", 62))
    play << (booked(42), moved("FILLED"), alarmed("order_surprise"))
    assert not play.state.quarantined
    assert play.state.books.reserved == 0
    play >> request(1) << blocked(Blocking.POSITION)


def test_what_a_late_fill_bought_belongs_to_the_strategy_that_wanted_it() -> None:
    play = working() >> report(Claim.CANCELED) >> report(Claim.FILLED, 62, executed(62, "31.9", 62))
    assert play.state.position(JD).strategy == "crossover"
    play >> sell("JD", 62, "31.9", strategy="momentum") << denied(DenyReason.NOT_OWNER)


def test_that_something_executed_was_rejected_is_one_alarm_however_often_it_is_told() -> None:
    play = working() >> filled(20, "31.9") >> report(Claim.REJECTED, 20)
    play << (moved("PARTIALLY_FILLED", is_denied=True), alarmed("order_surprise"))
    play >> report(Claim.REJECTED, 20) << None >> report(Claim.REJECTED, 20) << None
    play >> filled(42, "31.9") << (booked(42), moved("FILLED", is_denied=True))
    play >> report(Claim.REJECTED, 62) << None
    whole = working() >> filled(62, "31.92") >> report(Claim.REJECTED, 62)
    whole << (moved("FILLED", is_denied=True), alarmed("order_surprise"))
    whole >> report(Claim.REJECTED, 62) << None


def test_a_rejection_that_executions_come_after_is_one_alarm_too() -> None:
    play = working() >> report(Claim.REJECTED, 20) << (moved("NEW"), looked_up())
    play >> report(Claim.REJECTED, 20, executed(20, "31.9", 20))
    play << (
        booked(20),
        moved("PARTIALLY_FILLED", is_denied=True),
        alarmed("order_surprise"),
    )
    play >> report(Claim.REJECTED, 20) << None


def test_an_order_that_the_broker_denies_is_not_asked_about_with_each_statement() -> None:
    """It lives until a person says what became of it: the statement itself has the broker's answer."""

    def closed(play: Play) -> Input:
        told = agreement(play)
        assert isinstance(told, Statement)
        return replace(told, open_orders={})

    working() >> filled(20, "31.9") >> closed << (looked_up(), compared(agrees=True))
    play = working() >> filled(20, "31.9") >> report(Claim.REJECTED, 20)
    play >> closed << compared(agrees=True)
    play >> resolved("canceled") << moved("CANCELED")


@pytest.mark.parametrize("outcome", ["never_sent", "rejected"])
def test_a_sign_of_life_of_a_dead_order_is_adopted_and_stops_the_symbol(outcome: str) -> None:
    play = entered() >> sent() >> send_ended(outcome)
    play >> report(Claim.NEW) << (moved("NEW"), alarmed("order_surprise"), quarantined("JD"))
    assert play.state.entries_open == 1
    play >> request(1) << blocked(Blocking.LIVE_ORDER)
    play >> filled(62, "31.92") << (booked(62), moved("FILLED"))
    play >> request(2) << blocked(Blocking.POSITION)
    play >> sell("JD", 62, "31.9") << accepted("JD", 62) >> filled(62, "31.9")
    play >> request(3) << denied(DenyReason.QUARANTINED)


@pytest.mark.parametrize("outcome", ["never_sent", "rejected"])
def test_an_order_that_came_back_to_life_reserves_its_cash_again(outcome: str) -> None:
    play = entered() >> sent() >> send_ended(outcome) >> report(Claim.NEW)
    assert play.state.books.reserved == 62 * D("31.95")
    play >> report(Claim.CANCELED)
    assert play.state.books.reserved == 0


@pytest.mark.parametrize("outcome", ["never_sent", "rejected"])
def test_a_fill_of_a_dead_order_is_booked_and_stops_the_symbol(outcome: str) -> None:
    play = entered() >> sent() >> send_ended(outcome) >> filled(62, "31.92")
    play << (booked(62), moved("FILLED"), alarmed("order_surprise"), quarantined("JD"))


def test_more_than_was_ordered_is_booked_and_stops_the_symbol() -> None:
    play = holding() >> report(Claim.FILLED, 72, executed(10, "31.92", 72))
    play << (
        booked(10),
        moved("FILLED", quantity_reported=D(72)),
        alarmed("order_surprise"),
        quarantined("JD"),
    )
    assert play.state.position(JD).quantity == 72
    play = working() >> report(Claim.FILLED, 80, executed(80, "31.92", 80))
    play << (booked(80), moved("FILLED"), alarmed("order_surprise"), quarantined("JD"))
    position = play.state.position(JD)
    assert (position.quantity, position.quantity_pending_buy) == (D(80), D(0))
    assert play.state.books.reserved == 0


def test_a_fill_that_costs_more_than_was_reserved_is_booked_and_somebody_hears_of_it() -> None:
    play = working() >> report(Claim.FILLED, 62, executed(62, "33", 62))
    assert play.state.books.cash == OPENING - 62 * 33
    assert play.state.books.reserved == 0
    assert not play.state.quarantined, "entries stop when free cash falls below zero, not before"
    assert any(isinstance(event, Alarmed) for event in play.events)


# ------------------------------------------------------------------- reports that don't fit: quarantine

MISFITS: dict[str, Line] = {
    "another symbol": report(Claim.NEW, symbol=Symbol("GS")),
    "the other side": report(Claim.NEW, side=Side.SELL),
    "another quantity": report(Claim.NEW, quantity=D(63)),
    "another order at the broker": report(Claim.NEW, broker_order_id=BrokerOrderId("B-2")),
    "nothing executed": report(Claim.FILLED, 62, executed(0, "31.9", 62)),
    "less than nothing executed": report(Claim.FILLED, 62, executed(-5, "31.9", 62)),
    "executed for nothing": report(Claim.FILLED, 62, executed(62, "0", 62)),
    "executed for less than nothing": report(Claim.FILLED, 62, executed(62, "-1", 62)),
}


@pytest.mark.parametrize("how", MISFITS)
def test_a_report_that_does_not_fit_its_order_books_nothing_and_stops_the_symbol(how: str) -> None:
    play = working()
    before = play.state
    play >> MISFITS[how] << (quarantined("JD"), alarmed("quarantined")) >> again << None
    quarantine = play.state.quarantined
    assert play.state == replace(before, sequence=before.sequence + 1, quarantined=quarantine)
    play >> command("cancel", "entries") >> report(Claim.CANCELED)
    play >> request(1) << denied(DenyReason.QUARANTINED)
    play >> request(2, "GS", 1, "901") << accepted("GS", 1)


def test_an_execution_told_twice_but_differently_is_quarantined() -> None:
    play = working() >> report(Claim.PARTIALLY_FILLED, 20, executed(20, "31.9", 20, "s-1"))
    play >> report(Claim.PARTIALLY_FILLED, 30, executed(20, "31.9", 30, "s-1"))
    play << (quarantined("JD"), alarmed("quarantined"))
    assert play.state.position(JD).quantity == 20


@pytest.mark.parametrize(
    "other", [executed(20, "31.8", 20, "s-1"), executed(10, "31.9", 20, "s-1")]
)
def test_an_execution_told_again_with_other_numbers_is_quarantined(other: Execution) -> None:
    play = working() >> report(Claim.PARTIALLY_FILLED, 20, executed(20, "31.9", 20, "s-1"))
    play >> report(Claim.PARTIALLY_FILLED, 20, other)
    play << (quarantined("JD"), alarmed("quarantined"))


def test_an_execution_of_one_order_told_of_another_is_quarantined() -> None:
    """An execution changes the books once, whatever it is said to be about: its id is the account's."""
    play = working() >> report(Claim.FILLED, 62, executed(62, "31.9", 62, "s-1"))
    play >> buy("GS", 5, "901") >> report(Claim.NEW)
    play >> report(Claim.FILLED, 5, executed(5, "900", 5, "s-1"))
    play << (quarantined("GS"), alarmed("quarantined"))
    assert play.state.position(Symbol("GS")).quantity == 0


def test_every_foreign_order_of_a_symbol_is_recorded() -> None:
    play = opened() >> foreign() >> foreign("by-hand-too")
    assert play.events, "never dropped silently"
    assert play.entries[-1].input == play.heard


def foreign(name: str = "by-hand", **changes: object) -> OrderReport:
    heard = OrderReport(
        client_order_id=ClientOrderId(name),
        broker_order_id=None,
        symbol=JD,
        side=Side.BUY,
        claim=Claim.FILLED,
        quantity=D(5),
        quantity_cumulative=D(5),
        execution=executed(5, "31.9", 5),
        at_ns=0,
        source="stream",
    )
    return replace(heard, **changes)


def test_an_order_that_is_not_ours_is_recorded_and_never_adopted() -> None:
    play = opened() >> foreign()
    play << (quarantined("JD"), alarmed("foreign_order"), shifted("before_opening", cash=D(0)))
    play >> again << None
    assert play.state.position(JD).quantity == 0
    assert play.state.books.cash == OPENING
    assert not play.state.orders
    play >> request(1) << denied(DenyReason.QUARANTINED)
    play >> request(2, "GS", 1, "901") << accepted("GS", 1)


def test_an_order_that_the_broker_has_told_of_is_not_proven_never_sent() -> None:
    """Books from a backup lack a sale; it is told of, decided anew under its id, and finds no connection."""
    bought = working() >> report(Claim.FILLED, 62, executed(62, "31.9", 62))
    anew = request(9, "JD", 62, "31.8", side=Side.SELL, purpose=Purpose.EXIT)
    name = (Play(bought.state) >> anew).order().client_order_id
    told = foreign(name, side=Side.SELL, claim=Claim.NEW, execution=None, quantity_cumulative=D(0))
    play = Play(bought.state) >> told >> anew >> sent()
    assert play.order().client_order_id == name
    play >> send_ended("never_sent", reason="refused") << (moved("UNKNOWN"), looked_up())
    play >> report(Claim.NEW, source="query")
    assert play.order().state is OrderState.NEW


def test_what_was_heard_is_kept_but_not_without_end() -> None:
    play = opened() >> foreign(reason="x" * 1_000_000)
    quarantine = play.events[0]
    assert "by-hand" in quarantine.raw  # type: ignore[union-attr]
    assert len(quarantine.raw) <= 2_000  # type: ignore[union-attr]


def test_a_report_of_ours_from_days_ago_says_nothing_new() -> None:
    play = working() >> report(Claim.CANCELED)
    heard = report(Claim.CANCELED)
    assert callable(heard)
    old = heard(play)
    play >> clock(1440, session="2026-01-27") >> clock(2880, session="2026-01-28")
    assert not play.state.orders
    play >> old << None
    assert not play.state.quarantined


# -------------------------------------------------------------------------- any order, any duplication

Told = list[OrderReport]
Result = tuple[Books, Position, Order]


def told_of(order: Order, parts: list[tuple[int, int]], final: Claim | None) -> Told:
    """Everything that four sources say of one order's life, in the order in which it happened."""
    base = OrderReport(
        client_order_id=order.client_order_id,
        broker_order_id=BrokerOrderId("B"),
        symbol=order.symbol,
        side=order.side,
        claim=Claim.NEW,
        quantity=order.quantity,
        quantity_cumulative=D(0),
        at_ns=0,
        source="stream",
    )
    told, total = [replace(base, source="reply")], 0
    for quantity, cents in parts:
        total += quantity
        claim = Claim.FILLED if total == order.quantity else Claim.PARTIALLY_FILLED
        price = str(D(cents).scaleb(-2))
        for source, name in (("stream", f"s{total}"), ("activity", f"a{total}")):
            execution = executed(quantity, price, total, name)
            told.append(
                replace(
                    base,
                    claim=claim,
                    quantity=None if source == "activity" else order.quantity,
                    quantity_cumulative=D(total),
                    execution=execution,
                    source=source,
                )
            )
    last = Claim.FILLED if total == order.quantity else final
    if last is not None:
        query = replace(base, claim=last, quantity_cumulative=D(total), source="query")
        told.append(query)
    return told


def ended(play: Play, told: list[OrderReport]) -> Result:
    state, _ = decided(play.state, list(told))
    order = state.orders[play.orders[-1]]
    position = state.position(order.symbol)
    return state.books, position, order


def essence(result: Result) -> dict[str, object]:
    """What must not depend on the order of arrival: money, shares, what is booked, how it ended."""
    books, position, order = result
    return {
        "cash": books.cash,
        "reserved": books.reserved,
        "bought": books.bought,
        "sold": books.sold,
        "fees": books.fees,
        "quantity": position.quantity,
        "pending": (position.quantity_pending_buy, position.quantity_pending_sell),
        "live": (position.entries, position.exits),
        "filled": order.quantity_filled,
        "reported": order.quantity_reported,
        "notional": order.notional_filled,
        "order fees": order.fees,
        "order reserved": order.reserved,
        "state": order.state,
        "executions": len(order.executions),
    }


@st.composite
def parts_of(draw: st.DrawFn, shares: int, *, most: int) -> list[tuple[int, int]]:
    """Up to `most` executions, of all the shares or of some."""
    ends = draw(st.sets(st.integers(1, shares), min_size=0, max_size=most).map(sorted))
    quantities = [end - start for start, end in zip([0, *ends], ends, strict=False)]
    return [(quantity, draw(st.integers(3_100, 3_195))) for quantity in quantities]


finals = st.sampled_from([Claim.CANCELED, Claim.EXPIRED, None])


@given(st.data())
def test_reports_of_a_buy_in_any_order_and_any_number_end_in_the_same_books(
    data: st.DataObject,
) -> None:
    play = entered() >> sent()
    told = told_of(play.order(), data.draw(parts_of(62, most=2)), data.draw(finals))
    in_order = ended(play, told)
    twice = data.draw(st.lists(st.sampled_from(told), max_size=3))
    mixed = ended(play, data.draw(st.permutations([*told, *twice])))
    assert essence(mixed) == essence(in_order)
    assert mixed[1].cost == in_order[1].cost
    assert mixed[1].realized == in_order[1].realized == 0


@given(st.data())
def test_reports_of_a_sale_in_any_order_end_in_the_same_books(data: st.DataObject) -> None:
    """Cost is rounded once for each execution: its order may move a billionth between cost and profit, no more."""
    play = holding() >> sell("JD", data.draw(st.integers(1, 62)), "31") >> sent()
    shares = int(play.order().quantity)
    told = told_of(play.order(), data.draw(parts_of(shares, most=2)), data.draw(finals))
    in_order = ended(play, told)
    twice = data.draw(st.lists(st.sampled_from(told), max_size=3))
    mixed = ended(play, data.draw(st.permutations([*told, *twice])))
    assert essence(mixed) == essence(in_order)
    assert abs(mixed[1].cost - in_order[1].cost) <= 2 * NANO
    for books, position, _ in (mixed, in_order):
        assert books.cash + position.cost == books.opening + books.realized


@given(st.data())
def test_reports_of_two_orders_interleaved_end_in_the_same_books(data: st.DataObject) -> None:
    play = entered() >> sent() >> buy("GS", 5, "901") >> sent()
    jd = told_of(play.order(0), data.draw(parts_of(62, most=1)), data.draw(finals))
    gs = told_of(play.order(1), data.draw(parts_of(5, most=1)), data.draw(finals))
    in_order, _ = decided(play.state, [*jd, *gs])
    mixed, _ = decided(play.state, list(data.draw(st.permutations([*jd, *gs]))))
    assert mixed.books == in_order.books
    assert mixed.entries_open == in_order.entries_open
    assert mixed.positions_value - in_order.positions_value == sum(
        (one.value - in_order.position(one.symbol).value for one in mixed.positions.values()), D(0)
    )


@given(st.data(), st.sampled_from(["unknown", "never"]))
def test_a_lost_reply_changes_nothing_in_the_end(data: st.DataObject, when: str) -> None:
    """Doubt may come anywhere among the reports, and crashes too."""
    play = entered() >> sent()
    told = told_of(play.order(), data.draw(parts_of(62, most=2)), data.draw(finals))
    in_order = ended(play, told)
    doubted = entered() >> sent()
    at = data.draw(st.integers(0, len(told)))
    for number, one in enumerate(data.draw(st.permutations(told))):
        if number == at:
            doubted >> (send_ended("unknown") if when == "unknown" else reboot)
        doubted >> one
    mixed = (doubted.state.books, doubted.state.position(JD), doubted.order())
    assert essence(mixed) == essence(in_order)


@given(st.data())
def test_a_final_claim_that_overtakes_its_executions_waits_for_them(data: st.DataObject) -> None:
    play = entered() >> sent()
    parts = data.draw(parts_of(61, most=3).filter(bool))
    told = told_of(play.order(), parts, Claim.CANCELED)
    *before, canceled = told
    play >> canceled
    for one in before[:-2]:
        assert play.order().state not in FINAL_STATES
        play >> one
    for one in before[-2:]:
        play >> one
    assert play.order().state is OrderState.CANCELED


# ------------------------------------------------------------------------------------------ statements


def compared(agrees: bool) -> Expected:
    return Expected(StatementCompared, {"agrees": agrees})


def difference(subject: str, symbol: str | None, ours: str, theirs: str) -> Expected:
    fields: dict[str, object] = {
        "subject": subject,
        "symbol": symbol,
        "ours": ours,
        "theirs": theirs,
    }
    return Expected(DifferenceFound, fields)


def test_the_first_statement_is_the_opening() -> None:
    play = Play() >> statement(cash="1000.50")
    play << (Expected(OpeningBooked, {"cash": D("1000.5")}), compared(True))
    assert play.state.books.cash_free == D("1000.5")
    assert play.state.equity_peak == D("1000.5")


def test_agreement_opens_the_gate_once() -> None:
    play = opened() >> gate(Gate.RECONCILED, False, "asked") >> agreement
    play << (compared(True), Expected(GateMoved, {"gate": Gate.RECONCILED, "is_open": True}))
    play >> again << compared(True)


def test_a_difference_is_looked_at_again_before_it_is_called_one() -> None:
    play = holding() >> reboot
    for attempts in (1, 2):
        play >> statement(cash=play.state.books.cash, attempts=attempts) << compared(False)
        assert not play.state.quarantined
        assert Gate.RECONCILED in dict(play.state.gates_closed)
    play >> statement(cash=play.state.books.cash, attempts=3)
    play << (
        compared(False),
        difference("position", "JD", "62", "0"),
        quarantined("JD"),
        alarmed("books_differ"),
        Expected(GateMoved, {"gate": Gate.RECONCILED}),
    )
    assert play.state.position(JD).quantity == 62, "nothing is overwritten"
    assert play.state.books.cash == OPENING - D("1979.04")


def test_a_difference_of_cash_stops_all_entries_and_no_exit() -> None:
    play = holding() >> statement(cash="1", positions={"JD": 62}, attempts=3)
    play << (
        compared(False),
        difference("cash", None, "248020.96", "1"),
        quarantined(None),
        alarmed("books_differ"),
    )
    play >> again << compared(False)
    play >> request(1, "GS", 1, "901") << denied(DenyReason.QUARANTINED)
    play >> sell("JD", 62, "31.9") << accepted("JD", 62)


def test_a_holding_that_we_do_not_know_stops_its_symbol_only() -> None:
    play = opened() >> statement(positions={"GS": 5}, attempts=3)
    play << (
        compared(False),
        difference("position", "GS", "0", "5"),
        *(quarantined("GS"), alarmed("books_differ")),
    )
    play >> request(1, "GS", 1, "901") << denied(DenyReason.QUARANTINED)
    play >> request(2) << accepted("JD", 10)


def test_an_empty_statement_is_not_flat() -> None:
    play = holding() >> statement(cash="0", attempts=3)
    assert play.state.position(JD).quantity == 62
    assert set(play.state.quarantined) == {"JD", "*"}


def test_an_account_that_owes_money_buys_nothing_until_a_person_has_looked() -> None:
    """Bad input 48: negative cash, though our books say the same: a fee, or somebody else, has moved it."""
    why = "the broker's cash is -1: the account owes money"
    play = opened() >> activity("INT", "-250001") >> statement(cash="-1")
    play << (
        compared(True),
        Expected(Quarantined, {"symbol": None, "reason": why}),
        alarmed("account_in_debt"),
    )
    play >> again << compared(True)
    play >> request(1) << denied(DenyReason.QUARANTINED)
    play >> command("release", "*") >> statement(cash="-1")
    assert play.state.quarantined, "as long as it owes"


def test_an_account_that_the_broker_refuses_in_mid_day_takes_no_entry_and_exits_go_on() -> None:
    play = holding() >> gate(Gate.RECONCILED, False, "the account is kept in EUR")
    play << Expected(GateMoved, {"is_open": False})
    play >> again << None
    play >> request(1, "GS", 1, "901") << denied(DenyReason.NOT_READY)
    play >> sell("JD", 62, "31.9") << accepted("JD", 62)


@pytest.mark.parametrize("look", [1, 2, 3])
def test_exits_sell_no_more_than_the_smaller_of_both_holdings(
    look: int,
) -> None:
    cash = holding().state.books.cash
    play = holding() >> statement(cash=cash, positions={"JD": 30}, attempts=look)
    play >> sell("JD", 31, "31.9") << denied(DenyReason.WOULD_OVERSELL)
    play >> sell("JD", 30, "31.9") << accepted("JD", 30)


def test_the_smaller_holding_stays_the_smaller_one_after_a_sale() -> None:
    play = holding() >> statement(cash=holding().state.books.cash, positions={"JD": 30}, attempts=3)
    play >> sell("JD", 30, "31.9") << accepted("JD", 30) >> filled(30, "31.9")
    play >> sell("JD", 1, "31.9") << denied(DenyReason.WOULD_OVERSELL)


def test_a_difference_that_is_gone_no_longer_binds_an_exit() -> None:
    play = holding() >> statement(cash=holding().state.books.cash, positions={"JD": 30}, attempts=3)
    play >> agreement >> sell("JD", 62, "31.9") << accepted("JD", 62)


def test_a_live_order_that_the_broker_does_not_list_is_asked_about() -> None:
    working() >> statement() << (looked_up(), compared(True)) >> again << compared(True)


@pytest.mark.parametrize("lines", [[], [sent()]], ids=["intent", "sent"])
def test_an_order_on_its_way_need_not_be_listed_yet(lines: list[Line]) -> None:
    play = entered()
    for line in lines:
        play >> line
    play >> statement() << compared(True)


def test_a_listed_order_is_not_asked_about() -> None:
    play = working()
    play >> statement(open_orders=(play.orders[0],)) << compared(True)


# ------------------------------------------------------------- the price of an execution (invariant C10)


@pytest.mark.parametrize("price", ["15.97", "63.91", "0.32", "3195", "0.01"])
def test_an_execution_far_from_every_known_price_is_quarantined_and_nothing_is_booked(
    price: str,
) -> None:
    play = working()
    before = play.state
    play >> filled(62, price) << (quarantined("JD"), alarmed("quarantined"))
    after = play.state
    assert (after.books, after.positions, after.orders) == (
        before.books,
        before.positions,
        before.orders,
    )
    assert "far from an order at 31.95" in after.quarantined[JD]
    play >> again << None


@pytest.mark.parametrize("price", ["15.98", "31.95", "63.9"])
def test_an_execution_within_a_factor_of_two_of_the_orders_price_is_booked(price: str) -> None:
    play = working() >> filled(62, price)
    assert play.state.position(JD).quantity == 62
    assert JD not in play.state.quarantined


def test_the_mark_of_what_is_held_is_a_price_that_we_know() -> None:
    """The market has run away from a sale that rests: what it brings is real."""
    play = holding() >> sell("JD", 62, "31.85") << accepted("JD", 62) >> sent()
    ran = play >> clock(1, JD=1_200_000)
    ran >> filled(62, "118.5")
    assert ran.state.position(JD).quantity == 0
    assert JD not in ran.state.quarantined


def test_a_mark_of_the_time_when_it_was_held_is_none_any_more() -> None:
    play = holding() >> clock(1, JD=1_200_000)
    play >> sell("JD", 62, "31.85") >> sent() >> filled(62, "118.5")
    play >> buy("JD", 10, "31.95") >> sent() >> report(Claim.NEW)
    play >> filled(10, "118.5") << (quarantined("JD"), alarmed("quarantined"))


def test_an_execution_that_is_in_the_books_is_no_surprise_whatever_the_market_does_later() -> None:
    play = holding() >> clock(1, JD=20_000)
    play >> report(Claim.FILLED, 62, play.order().executions[0].execution) << None
    assert JD not in play.state.quarantined


def test_a_fill_of_an_order_that_ended_days_ago_stops_the_symbol_and_is_told_once() -> None:
    play = opened() >> buy("JD", 62, "31.95") >> sent() >> report(Claim.CANCELED)
    late = filled(62, "31.92")
    said = late(play) if callable(late) else late
    play >> clock(1440, session="2026-01-27") >> clock(2880, session="2026-01-28")
    assert not play.state.orders
    before = play.state.books
    play >> said << (quarantined("JD"), alarmed("order_surprise"))
    play >> said << None
    assert play.state.books == before
    play >> buy("JD", 62, "31.95") << denied(DenyReason.QUARANTINED)


@pytest.mark.parametrize("claim", [Claim.PENDING_NEW, Claim.NEW, Claim.PENDING_CANCEL])
def test_a_reply_that_rejects_what_the_stream_has_proven_alive_frees_nothing(claim: Claim) -> None:
    play = opened() >> buy("JD", 62, "31.95") >> sent() >> report(claim)
    before = play.order().state
    play >> send_ended("rejected", reason="HTTP 429") << (alarmed("order_surprise"), looked_up())
    assert play.order().state is before
    assert play.state.books.reserved
    play >> buy("JD", 62, "31.95") << blocked(Blocking.LIVE_ORDER)


def test_a_fill_that_is_booked_is_nothing_new_days_later_under_another_id() -> None:
    play = opened() >> buy("JD", 62, "31.95") >> sent() >> filled(62, "31.92")
    again_told = report(Claim.FILLED, 62, executed(62, "31.92", 62, "of-the-list"))
    assert callable(again_told)
    told = again_told(play)
    play >> clock(1440, session="2026-01-27") >> clock(2880, session="2026-01-28")
    assert not play.state.orders
    play >> told << None


def test_a_claim_of_before_that_comes_after_a_bust_ends_no_order_early() -> None:
    play = opened() >> buy("JD", 62, "31.95") >> sent() >> report(Claim.NEW)
    play >> filled(10, "31.9")
    play >> corrected(play.order().executions[0].execution.execution_id)
    assert not play.order().quantity_filled
    (
        play
        >> report(Claim.CANCELED, 30)
        >> report(Claim.PARTIALLY_FILLED, 10, executed(10, "31.8", 10, "y"))
    )
    assert play.order().state is not OrderState.CANCELED
    play >> report(Claim.PARTIALLY_FILLED, 30, executed(20, "31.9", 30, "z"))
    assert play.order().state is OrderState.CANCELED
    assert play.order().quantity_filled == 30


def test_a_refusal_that_overtakes_the_reply_to_a_cancel_stands() -> None:
    play = working() >> command("cancel", "entries") >> report(Claim.PENDING_CANCEL)
    play >> report(Claim.CANCEL_REJECTED) << moved("NEW", cancel_requested=False)
    play >> cancel_ended("accepted") << None
    play >> command("cancel", "entries")
    assert play.order().cancel_requested


def test_a_cancel_whose_refusal_nobody_heard_is_not_pending_for_ever() -> None:
    play = working() >> command("cancel", "entries") >> cancel_ended("accepted")
    play >> report(Claim.NEW, source="query") << None
    play >> clock(1) >> report(Claim.NEW) << None
    play >> report(Claim.PENDING_CANCEL, source="query") << None
    play >> report(Claim.NEW, source="query") << moved("NEW", cancel_requested=False)
    play >> command("cancel", "entries")
    assert play.order().cancel_requested

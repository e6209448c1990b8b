"""What moves the books without an order of ours: booked once, balanced, and the broker's statement agrees with it."""

from decimal import Decimal

import pytest
from msgspec.structs import replace

from tests.plays import (
    OPENING,
    SESSION,
    Expected,
    Line,
    Play,
    accepted,
    activity,
    adopted,
    again,
    agreement,
    alarmed,
    blocked,
    boot,
    buy,
    clock,
    command,
    denied,
    executed,
    filled,
    gate,
    opened,
    quarantined,
    reboot,
    released,
    report,
    request,
    sell,
    sent,
    shifted,
    statement,
    taken_side,
)
from trader.accounting import cash_explained
from trader.evolve import fold
from trader.journal.ledger import ledger_of
from trader.messages import (
    Blocking,
    BooksMoved,
    Brake,
    BrakeTripped,
    Claim,
    DenyReason,
    DifferenceFound,
    ExecutionCorrected,
    Gate,
    GateMoved,
    OpeningBooked,
    OrderReport,
    StatementCompared,
    decode_entry,
    encode,
)
from trader.model import ClientOrderId, ExecutionId, Protection, Side, Symbol
from trader.state import ExecutionState

D = Decimal
JD, GS = Symbol("JD"), Symbol("GS")


def holding() -> Play:
    return opened() >> buy("JD", 62, "31.95") >> sent() >> filled(62, "31.92")


def sold() -> Play:
    """62 JD bought and sold: 7 cents of fees accrued, which the broker hasn't charged."""
    return holding() >> sell("JD", 62, "31.9") >> filled(62, "31.9")


def balanced(state: ExecutionState) -> None:
    """The identities of the books."""
    books, held = state.books, state.positions.values()
    cost = sum((one.cost for one in held), D(0))
    assert books.cash + cost == books.opening + books.deposits + books.realized
    assert cash_explained(books) == books.cash
    assert state.positions_value == sum((one.value for one in held), D(0))


def compared(agrees: bool) -> Expected:
    return Expected(StatementCompared, {"agrees": agrees})


def replayed(play: Play, start: ExecutionState) -> None:
    """The journal's bytes lead to the same state."""
    read = [decode_entry(encode(entry)) for entry in play.entries]
    assert fold(start, read) == play.state


# ------------------------------------------------------------------------------------------ activities


def assert_the_tables_follow(play: Play) -> None:
    """The sums that the tables are written from are those of the state."""
    ledger = ledger_of(play.before)
    for event in play.events:
        if isinstance(event, BooksMoved):
            ledger.move(event)
    after = ledger_of(play.state)
    assert (ledger.held, ledger.value, ledger.cash) == (after.held, after.value, after.cash)


@pytest.mark.parametrize("kind", ["ACATS", "JNLS", "REORG", "SSO"])
def test_shares_that_are_transferred_in_cost_nothing_and_leave_the_price_where_it_is(
    kind: str,
) -> None:
    play = holding() >> clock(1, JD=320_000)
    before = play.state.position(JD)
    equity, books = play.state.equity, play.state.books
    play >> activity(kind, "0", "JD", "62")
    play << shifted("activity", symbol="JD", quantity=D(62), cost=D(0), cash=D(0), realized=D(0))
    after = play.state.position(JD)
    assert (after.quantity, after.cost, after.mark) == (D(124), before.cost, 320_000)
    assert not after.is_adjusted
    assert play.state.equity == equity + 62 * 32, "they are there to be sold"
    assert play.state.books == books, "and nothing was paid or realized"
    assert_the_tables_follow(play)
    balanced(play.state)
    replayed(play, opened().state)


ACTIVITIES: dict[str, tuple[Line, dict[str, object]]] = {
    "a dividend": (activity("DIV", "12.34", "JD"), {"cash": "12.34", "realized": "12.34"}),
    "interest": (activity("INT", "-1.5"), {"cash": "-1.5", "realized": "-1.5"}),
    "a deposit": (activity("CSD", "5000"), {"cash": "5000", "deposit": "5000"}),
    "a withdrawal": (activity("CSW", "-700"), {"cash": "-700", "deposit": "-700"}),
    "a word nobody knows": (activity("NEWKIND", "-0.01"), {"cash": "-0.01", "realized": "-0.01"}),
}


@pytest.mark.parametrize("what", ACTIVITIES)
def test_an_activity_is_booked_once_and_the_broker_agrees(what: str) -> None:
    line, amounts = ACTIVITIES[what]
    play = holding()
    before = play.state
    nothing = dict.fromkeys(("cash", "quantity", "cost", "realized", "fees", "deposit"), D(0))
    wanted = nothing | {name: D(str(amount)) for name, amount in amounts.items()}
    play >> line << shifted("activity", reference="a1", **wanted) >> again << None
    assert play.state.books.cash == before.books.cash + wanted["cash"]
    assert play.state.positions == before.positions
    balanced(play.state)
    play >> agreement << compared(True)
    replayed(play, opened().state)


def test_the_same_activity_told_with_other_words_is_the_same_activity() -> None:
    opened() >> activity("DIV", "3") >> activity("DIV", "3.01") << None


def test_a_life_later_an_activity_is_still_known() -> None:
    opened() >> activity("DIV", "3") >> reboot >> activity("DIV", "3") << None


@pytest.mark.parametrize(
    ("charged", "wrong_by"), [("0.07", "0"), ("0.09", "-0.02"), ("0.01", "0.06")]
)
def test_a_fee_that_was_accrued_at_the_fill_is_trued_up_when_it_is_charged(
    charged: str, wrong_by: str
) -> None:
    play = sold()
    assert play.state.fees_accrued[SESSION] == D("0.07")
    cash = play.state.books.cash
    assert play.state.cash_at_broker == cash + D("0.07")
    play >> activity("FEE", f"-{charged}")
    play << shifted(
        "activity",
        cash=D(wrong_by),
        realized=D(wrong_by),
        fees=-D(wrong_by),
        deposit=D(0),
        charged=SESSION,
    )
    assert not play.state.fees_accrued
    assert play.state.cash_at_broker == play.state.books.cash == cash + D(wrong_by)
    assert play.state.books.fees == D(charged)
    balanced(play.state)
    play >> statement(cash=cash + D("0.07") - D(charged)) << compared(True)


def test_a_second_fee_of_a_day_is_charged_whole() -> None:
    play = sold() >> activity("FEE", "-0.05", name="a1") >> activity("FEE", "-0.02", name="a2")
    assert play.state.books.fees == D("0.07")
    assert play.state.cash_at_broker == sold().state.books.cash
    balanced(play.state)


def test_a_fee_of_a_day_without_sales_is_booked_whole() -> None:
    play = opened() >> activity("FEE", "-0.4")
    play << shifted("activity", cash=D("-0.4"), realized=D("-0.4"), fees=D("0.4"))
    balanced(play.state)
    play >> agreement << compared(True)


def test_a_fee_belongs_to_the_day_of_the_execution_and_not_to_the_day_it_was_heard() -> None:
    play = holding() >> sell("JD", 62, "31.9")
    late = executed(62, "31.9", 62)
    play >> clock(1440, session="2026-01-27") >> report(Claim.FILLED, 62, late)
    assert dict(play.state.fees_accrued) == {SESSION: D("0.07")}
    play >> activity("FEE", "-0.07")
    assert not play.state.fees_accrued
    play >> agreement << compared(True)


def test_a_time_that_the_broker_made_up_breaks_nothing() -> None:
    play = holding() >> sell("JD", 62, "31.9")
    play >> report(Claim.FILLED, 62, executed(62, "31.9", 62, at_ns=-(10**19)))
    assert dict(play.state.fees_accrued) == {SESSION: D("0.07")}


def test_the_charge_of_one_day_leaves_the_accruals_of_another() -> None:
    play = sold() >> clock(1440, session="2026-01-27")
    play >> buy("JD", 62, "31.95") >> filled(62, "31.92") >> sell("JD", 62, "31.9")
    play >> filled(62, "31.9")
    assert dict(play.state.fees_accrued) == {SESSION: D("0.07"), "2026-01-27": D("0.07")}
    play >> activity("FEE", "-0.07")
    assert dict(play.state.fees_accrued) == {"2026-01-27": D("0.07")}
    play >> agreement << compared(True)


def test_a_deposit_is_no_profit_and_a_withdrawal_no_loss_to_the_brakes() -> None:
    play = opened() >> activity("CSD", "50000")
    assert (play.state.equity_session, play.state.equity_peak) == (OPENING + 50_000,) * 2
    play >> activity("CSW", "-200000", name="a2") >> clock(1)
    assert not [one for one in play.events if isinstance(one, BrakeTripped)]
    assert (play.state.equity_session, play.state.equity_peak) == (D(100_000),) * 2


def test_a_dividend_does_not_move_the_base_of_the_brakes() -> None:
    play = opened() >> activity("DIV", "-20000") >> clock(1)
    tripped = {one.brake for one in play.events if isinstance(one, BrakeTripped)}
    assert Brake.LOSS_DAY in tripped


def test_a_split_keeps_cost_and_value_and_moves_the_shares() -> None:
    play = holding() >> clock(1, JD=320_000)
    before = play.state
    play >> activity("SPLIT", "0", "JD", "62")
    play << shifted("split", symbol="JD", quantity=D(62), cost=D(0), cash=D(0), realized=D(0))
    after, held = play.state.position(JD), before.position(JD)
    assert (after.quantity, after.cost, after.mark) == (D(124), held.cost, 160_000)
    assert (play.state.equity, play.state.books) == (before.equity, before.books)
    assert_the_tables_follow(play)
    balanced(play.state)
    play >> clock(2, JD=160_000) >> sell("JD", 124, "16", quote=None) << accepted("JD", 124)


@pytest.mark.parametrize("more", ["-41", "31", "124", "1"])
def test_a_split_into_any_number_of_shares_is_booked(more: str) -> None:
    play = holding() >> activity("SPLIT", "0", "JD", more)
    assert play.state.position(JD).quantity == 62 + D(more)
    assert abs(play.state.equity - holding().state.equity) < D("0.05"), "a mark is whole ticks"
    balanced(play.state)
    play >> agreement << compared(True)


def test_what_happened_before_the_books_were_opened_is_known_and_not_booked() -> None:
    play = Play() >> boot() >> activity("CSD", "250000")
    play << shifted("before_opening", reference="a1", cash=D(0), deposit=D(0)) >> again << None
    play >> statement()
    play << (Expected(OpeningBooked, {"cash": OPENING}), compared(True), gate_opened())
    play >> activity("CSD", "250000") << None
    assert play.state.books.cash == OPENING
    balanced(play.state)


def gate_opened() -> Expected:
    return Expected(GateMoved, {"gate": Gate.RECONCILED, "is_open": True})


# ------------------------------------------------------------------------------------------- adoptions


def with_holding() -> Play:
    """The broker holds 5 GS that we know nothing of, and says so until it is called a difference."""
    return opened() >> statement(positions={"GS": 5}, attempts=3)


def theirs(play: Play, **positions: int) -> Line:
    return statement(cash=play.state.cash_at_broker, positions=positions, attempts=3)


def test_a_holding_that_is_adopted_to_trade_is_an_ordinary_position() -> None:
    play = with_holding() >> request(1, "GS", 1, "901") << denied(DenyReason.QUARANTINED)
    play >> adopted("GS", 5, "4000")
    play << (
        shifted("adoption", symbol="GS", quantity=D(5), cost=D(4000), deposit=D(4000), cash=D(0)),
        released("GS"),
    )
    play >> again << None
    assert (play.state.books.cash, play.state.equity) == (OPENING, OPENING + 4_000)
    assert play.state.position(GS).strategy == "crossover"
    balanced(play.state)
    play >> theirs(play, GS=5) << compared(True)
    play >> request(2, "GS", 1, "901") << blocked(Blocking.POSITION)
    play >> sell("GS", 5, "899") << accepted("GS", 5) >> filled(5, "900")
    assert play.state.books.realized == 500 - play.state.books.fees
    balanced(play.state)
    replayed(play, opened().state)


def test_a_hands_off_holding_counts_and_is_never_touched() -> None:
    play = with_holding() >> adopted("GS", 5, "4000", treatment="hands-off")
    play << (shifted("hands_off", quantity=D(5), cost=D(4000), deposit=D(4000)), released("GS"))
    assert play.state.equity == OPENING + 4_000
    assert play.state.positions_value == 4_000, "and so it counts in exposure"
    play >> request(1, "GS", 1, "901") << denied(DenyReason.HANDS_OFF)
    play >> sell("GS", 5, "899") << denied(DenyReason.HANDS_OFF)
    balanced(play.state)
    play >> theirs(play, GS=5) << compared(True)
    play >> reboot >> theirs(play, GS=5) << (compared(True), gate_opened())
    assert play.state.position(GS).is_hands_off, "and for ever"


def test_what_is_hands_off_counts_in_the_exposure() -> None:
    limited = replace(opened().state.limits, exposure_max=D("0.02"))
    play = opened(limits=limited) >> adopted("GS", 6, "4900", treatment="hands-off")
    play >> request(1, "JD", 62) << denied(DenyReason.EXPOSURE)
    opened(limits=limited) >> request(1, "JD", 62) << accepted("JD", 62)


def test_what_is_in_the_books_already_is_not_adopted() -> None:
    holding() >> adopted("JD", 62, "2000") << None


def by_hand(side: Side, quantity: int, price: str, name: str, **changes: object) -> OrderReport:
    heard = OrderReport(
        client_order_id=ClientOrderId(f"hand-{name}"),
        broker_order_id=None,
        symbol=GS,
        side=side,
        claim=Claim.FILLED,
        quantity=D(quantity),
        quantity_cumulative=D(quantity),
        execution=executed(quantity, price, quantity, name),
        at_ns=0,
        source="stream",
    )
    return replace(heard, **changes)


def test_a_trade_by_hand_in_a_hands_off_symbol_is_booked_without_alarm_and_cash_agrees() -> None:
    play = opened() >> adopted("GS", 5, "4000", treatment="hands-off")
    play >> by_hand(Side.BUY, 3, "910", "h1")
    play << shifted("hand_trade", symbol="GS", cash=D(-2730), quantity=D(3), cost=D(2730))
    play >> again << None
    play >> by_hand(Side.SELL, 4, "900", "h2")
    play << shifted("hand_trade", cash=D(3600), quantity=D(-4), cost=D(-3365), realized=D(235))
    assert play.state.position(GS).quantity == 4
    assert play.state.books.cash == OPENING - 2730 + 3600
    balanced(play.state)
    play >> theirs(play, GS=4) << compared(True)
    assert not play.state.quarantined
    replayed(play, opened().state)


def test_a_hand_trade_that_the_stream_and_an_activity_tell_is_booked_once() -> None:
    play = opened() >> adopted("GS", 5, "4000", treatment="hands-off")
    told = by_hand(Side.BUY, 3, "910", "s-1")
    play >> told
    play >> replace(told, source="activity", execution=executed(3, "910", 3, "20260126::7")) << None
    assert play.state.books.cash == OPENING - 2730


def test_a_trade_by_hand_before_the_adoption_is_not_booked_after_it() -> None:
    play = Play() >> boot()
    early = by_hand(Side.BUY, 5, "900", "h0", source="activity")
    (
        play
        >> early
        >> statement(positions={"GS": 5})
        >> adopted("GS", 5, "4500", treatment="hands-off")
    )
    play >> early << None
    assert play.state.books.cash == OPENING


def test_the_fills_of_a_foreign_order_that_led_to_an_adoption_are_not_booked_after_it() -> None:
    play = opened() >> by_hand(Side.BUY, 5, "900", "h0")
    play >> adopted("GS", 5, "4500", treatment="hands-off")
    play >> by_hand(Side.BUY, 5, "900", "h0", source="activity") << None
    assert play.state.books.cash == OPENING


# ------------------------------------------------------------------------------------------ acceptance


def differing() -> Play:
    """Ours: 62 JD and nothing else. The broker's: 30 JD, 5 GS, and 100 dollars less."""
    play = holding()
    return play >> disputed(play)


def disputed(play: Play, attempts: int = 3) -> Line:
    cash = play.state.cash_at_broker - (100 if play.state.books.deposits == 0 else 0)
    told = statement(cash=cash, positions={"JD": 30, "GS": 5}, attempts=attempts)
    return replace(told, costs={GS: D(4000)})


def test_taking_the_brokers_side_writes_adjusting_entries_and_the_next_statement_agrees() -> None:
    play = differing()
    assert set(play.state.quarantined) == {"*", "JD", "GS"}
    told = play.heard
    play >> taken_side("broker", told)  # type: ignore[arg-type]
    cost = D("957.677419355")  # 32/62 of 1,979.04 are gone; what is left costs its share
    play << (
        shifted("adjustment", symbol=None, cash=D(-100), deposit=D(-100)),
        released(None),
        shifted("adjustment", symbol="GS", quantity=D(5), cost=D(4000), deposit=D(4000)),
        released("GS"),
        shifted("adjustment", symbol="JD", quantity=D(-32)),
        released("JD"),
    )
    assert abs(play.state.position(JD).cost - cost) < D("0.1")
    assert play.state.books.realized == 0, "it is the owner's money, neither profit nor loss"
    assert not play.state.quarantined
    balanced(play.state)
    told = replace(told, attempts=1)  # type: ignore[type-var]
    play >> told << compared(True)  # type: ignore[operator]
    play >> sell("JD", 30, "31.9") << accepted("JD", 30)
    replayed(play, opened().state)


def test_what_is_emptied_by_a_persons_word_belongs_to_nobody() -> None:
    trail = Protection(trail=D("0.05"))
    play = opened() >> buy("JD", 62, "31.95", protection=trail) >> filled(62, "31.92")
    play >> clock(1, JD=400_000)
    assert (play.state.position(JD).strategy, play.state.position(JD).high) != (None, 0)
    told = statement(cash=play.state.cash_at_broker, positions={}, attempts=3)
    play >> told >> taken_side("broker", told)
    held = play.state.position(JD)
    assert (held.quantity, held.strategy, held.protection, held.high) == (D(0), None, None, 0)


def test_what_is_transferred_away_belongs_to_nobody() -> None:
    play = holding() >> activity("ACATS", "0", "JD", "-62")
    assert play.state.position(JD).quantity == 0
    assert play.state.position(JD).strategy is None


def test_shares_that_a_later_statement_has_again_may_be_sold_while_cash_differs() -> None:
    play = holding()
    cash = play.state.cash_at_broker - D("0.01")
    play >> statement(cash=cash, positions={}) >> sell("JD", 62, "31.9")
    play << denied(DenyReason.WOULD_OVERSELL)
    for attempts in (2, 3, 1):
        play >> statement(cash=cash, positions={"JD": 62}, attempts=attempts)
        assert dict(play.state.differing) == {}
    assert set(play.state.quarantined) == {"*"}
    play >> sell("JD", 62, "31.9") << accepted("JD", 62)


def test_an_acceptance_told_twice_adjusts_once() -> None:
    play = differing()
    heard = taken_side("broker", play.heard)  # type: ignore[arg-type]
    play >> heard >> heard << None
    balanced(play.state)


def test_taking_our_side_releases_and_writes_nothing() -> None:
    play = differing()
    books = play.state.books
    play >> taken_side("ours", play.heard)  # type: ignore[arg-type]
    play << (released(None), released("GS"), released("JD"))
    assert play.state.books == books
    assert not play.state.quarantined


def test_a_difference_that_a_person_knows_of_does_not_stop_the_other_symbols_after_a_restart() -> (
    None
):
    play = opened() >> statement(positions={"GS": 5}, attempts=3) >> reboot >> clock()
    play >> gate(Gate.TRADING_STREAM, True) >> gate(Gate.MARKET_DATA, True)
    for attempts in (1, 2, 3):
        play >> statement(positions={"GS": 5}, attempts=attempts)
    play >> request(1) << accepted("JD", 10)
    play >> request(2, "GS", 1, "901") << denied(DenyReason.QUARANTINED)


def test_a_difference_that_changes_is_called_anew() -> None:
    play = opened() >> statement(positions={"GS": 5}, attempts=3)
    play >> statement(positions={"GS": 6}, attempts=3)
    play << (
        compared(False),
        Expected(DifferenceFound, {"symbol": "GS", "theirs": "6"}),
        quarantined("GS"),
        alarmed("books_differ"),
    )


# --------------------------------------------------------------------------------------------- release


@pytest.mark.parametrize("symbol", ["GS", "*"])
def test_a_quarantine_ends_when_a_person_says_so(symbol: str) -> None:
    told = statement(positions={"GS": 5}) if symbol == "GS" else statement(cash="1")
    play = opened() >> replace(told, attempts=3)
    play >> request(1, "GS", 1, "901") << denied(DenyReason.QUARANTINED)
    play >> command("release", symbol) << released(None if symbol == "*" else symbol)
    assert not play.state.quarantined
    play >> request(2, "GS", 1, "901") << accepted("GS", 1)
    play >> command("release", symbol)
    assert play.state.quarantined == play.before.quarantined, "there is nothing to release"


def test_a_release_of_one_symbol_releases_no_other() -> None:
    play = opened() >> statement(positions={"GS": 5, "T": 1}, attempts=3)
    play >> command("release", "GS") << released("GS")
    assert list(play.state.quarantined) == ["T"]


def test_shares_that_move_without_a_symbol_book_nothing_and_stop_everything_once() -> None:
    play = opened() >> activity("SPLIT", "0", None, "62")
    play << (quarantined(None), alarmed("quarantined"))
    play >> again << None
    play >> request(1) << denied(DenyReason.QUARANTINED)


def test_a_trade_by_hand_that_is_taken_back_is_a_difference_for_a_person() -> None:
    """Seed 4015: of what was never an order of ours nothing more is told, and the shares stayed in the books."""
    play = opened() >> adopted("GS", 8, "7200", treatment="hands-off")
    bust = ExecutionCorrected(
        client_order_id=ClientOrderId("by hand"),
        symbol=GS,
        execution_id=ExecutionId("h1"),
        replacement=None,
        at_ns=0,
    )
    play >> bust << (quarantined("GS"), alarmed("quarantined"))
    for attempts in (1, 2, 3):
        play >> statement(positions={"GS": 4}, attempts=attempts)
        assert play.state.position(GS).quantity == 8, "nothing is overwritten"
    assert play.state.quarantined[GS] == "position: ours 8, the broker's 4"
    play >> taken_side("broker", statement(positions={"GS": 4}))
    held = play.state.position(GS)
    assert (held.quantity, held.cost, held.is_hands_off) == (D(4), D(3600), True)
    assert not play.state.quarantined
    balanced(play.state)
    play >> statement(positions={"GS": 4}) << compared(True)
    replayed(play, opened().state)

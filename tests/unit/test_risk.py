"""Each reason to deny is reached by a play, at its very limit, in the house's order; and exits stay possible."""

from collections.abc import Callable
from decimal import Decimal
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from tests.plays import (
    OPENING,
    ROOMY,
    TEN_NS,
    Line,
    Play,
    accepted,
    adopted,
    agreement,
    blocked,
    booked,
    boot,
    buy,
    clock,
    clock_moved,
    command,
    denied,
    filled,
    gate,
    moved,
    opened,
    quote,
    reboot,
    report,
    request,
    sell,
    send_ended,
    sent,
    some_order,
    statement,
    tripped,
    worker,
)
from trader import allowance, brakes, risk
from trader.config import AtClose, Closing
from trader.limits import CanaryLimits, Limits
from trader.messages import Blocking, Brake, Claim, DenyReason, Gate, OrderReport
from trader.model import (
    MINUTE_NS,
    SECOND_NS,
    ClientOrderId,
    OrderType,
    Phase,
    Protection,
    Purpose,
    Side,
    Size,
    StrategyName,
    Symbol,
)
from trader.money import CENT, MILL, ONE, price_of
from trader.positions import Position
from trader.question import Question, Standing

D = Decimal
MOMENTUM = StrategyName("momentum")


def limited(**limits: object) -> Play:
    return opened(limits=replace(ROOMY, **limits))


def bought(play: Play | None = None, shares: int = 62) -> Play:
    play = play or opened()
    return play >> buy("JD", shares, "31.95") >> sent() >> filled(shares, "31.92")


def stranger(symbol: str = "JD") -> OrderReport:
    return OrderReport(
        client_order_id=ClientOrderId("by-hand"),
        broker_order_id=None,
        symbol=Symbol(symbol),
        side=Side.BUY,
        claim=Claim.NEW,
        quantity=D(1),
        quantity_cumulative=D(0),
        at_ns=TEN_NS,
        source="stream",
    )


def thrice() -> Play:
    """Three entries of one symbol filled within ten minutes."""
    play = limited(executions_repeated_max=3)
    for _ in range(3):
        play >> buy("JD", 10, "31.95") >> sent() >> filled(10, "31.92")
        play >> sell("JD", 10, "31.9") >> filled(10, "31.9")
    return play


def lost(**limits: object) -> Play:
    """31,920 dollars of JD fell by a fifth: 6,384 of 250,000 are gone."""
    play = bought(limited(**limits), 1000)
    return play >> clock(1, JD=255_360)


# ------------------------------------------------------------------------ every reason, by a play

REACHED: dict[DenyReason, Callable[[], tuple[Play, Line, dict[str, str]]]] = {
    DenyReason.REQUEST_ID_CONFLICT: lambda: (
        opened() >> request(1, shares=0),
        request(1, shares=11),
        {},
    ),
    DenyReason.EXPIRED: lambda: (
        opened() >> clock(2),
        request(1),
        {"age_s": "120", "age_max_s": "60"},
    ),
    DenyReason.NOT_READY: lambda: (
        opened() >> gate(Gate.MARKET_DATA, False, "stream lost"),
        request(1),
        {"gate": "market_data", "why": "stream lost"},
    ),
    DenyReason.WARMING_UP: lambda: (opened() >> worker("JD", ready=False), request(1), {}),
    DenyReason.MARKET_CLOSED: lambda: (
        opened() >> clock(phase=Phase.POST),
        request(1),
        {"phase": "post", "order_type": "limit", "takes": "limit orders with extended_hours"},
    ),
    DenyReason.HALTED: lambda: (
        opened() >> command("halt"),
        request(1),
        {"why": "ada: I said so"},
    ),
    DenyReason.STALE_CODE: lambda: (
        opened() >> gate(Gate.FRESH_CODE, False, "risk.py changed"),
        request(1),
        {"why": "risk.py changed"},
    ),
    DenyReason.QUARANTINED: lambda: (
        opened() >> stranger(),
        request(1),
        {"why": "an order that this program did not send: by-hand, BUY 1"},
    ),
    DenyReason.UNKNOWN_SYMBOL: lambda: (opened(), request(1, "IBM"), {}),
    DenyReason.NOT_OWNER: lambda: (
        bought(),
        sell("JD", 62, "31.9", strategy=MOMENTUM),
        {"owner": "crossover"},
    ),
    DenyReason.HANDS_OFF: lambda: (
        opened() >> adopted("JD", 62, "1980", treatment="hands-off"),
        request(1),
        {},
    ),
    DenyReason.QUANTITY: lambda: (opened(), request(1, shares=0), {"quantity": "0"}),
    DenyReason.PRICE_TICK: lambda: (
        opened(),
        request(1, price="31.951"),
        {"price": "31.951", "tick": "0.01"},
    ),
    DenyReason.PRICE_COLLAR: lambda: (
        opened(),
        request(1, "T", 10, "44.1"),
        {"price": "44.1", "quote": "22.47", "deviation": "0.962616822", "deviation_max": "0.03"},
    ),
    DenyReason.NO_QUOTE: lambda: (opened(), request(1, quote=None), {}),
    DenyReason.STALE_QUOTE: lambda: (
        opened(),
        request(1, quote=quote("JD", at_ns=TEN_NS - 100 * SECOND_NS)),
        {"age_s": "100", "age_max_s": "90"},
    ),
    DenyReason.ORDER_NOTIONAL: lambda: (
        limited(order_notional_max=D("1980.89")),
        request(1, shares=62),
        {"notional": "1980.9", "notional_max": "1980.89"},
    ),
    DenyReason.POSITION_NOTIONAL: lambda: (
        limited(position_notional_max=D("1980.89")),
        request(1, shares=62),
        {"notional": "1980.9", "notional_max": "1980.89"},
    ),
    DenyReason.EXPOSURE: lambda: (
        limited(exposure_max=D("0.0079235")),
        request(1, shares=62),
        {"exposure": "1980.9", "exposure_max": "1980.875"},
    ),
    DenyReason.ENTRIES_OPEN: lambda: (
        limited(entries_open_max=1) >> request(1, "GS", 1, "901"),
        request(2),
        {"open": "1", "open_max": "1"},
    ),
    DenyReason.ENTRIES_PER_MINUTE: lambda: (
        limited(entries_per_minute_max=1) >> request(1, "GS", 1, "901"),
        request(2),
        {"entries": "1", "entries_max": "1"},
    ),
    DenyReason.ENTRIES_PER_DAY: lambda: (
        limited(entries_per_symbol_per_day_max=1) >> request(1) >> send_ended("rejected"),
        request(2),
        {"entries": "1", "entries_max": "1"},
    ),
    DenyReason.NOTIONAL_PER_DAY: lambda: (
        limited(entries_notional_per_day_max=D("3961.79"))
        >> request(1, shares=62)
        >> send_ended("rejected"),
        request(2, shares=62),
        {"notional": "3961.8", "notional_max": "3961.79"},
    ),
    DenyReason.CANARY: lambda: (
        limited(canary=CanaryLimits(order_notional_max=D("1980.89"))),
        request(1, shares=62),
        {
            "limit": "order_notional_max",
            "wanted": "1980.9",
            "max": "1980.89",
            "strategy": "crossover",
        },
    ),
    DenyReason.REPEATED_EXECUTIONS: lambda: (
        thrice(),
        request(99),
        {"brake": "repeated_executions"},
    ),
    DenyReason.LOSS_DAY: lambda: (
        lost(loss_day_max=D("0.02"), drawdown_max=D("0.5")),
        request(99, "GS", 1, "901"),
        {"brake": "loss_day"},
    ),
    DenyReason.DRAWDOWN: lambda: (
        lost(loss_day_max=D("0.5"), drawdown_max=D("0.02")),
        request(99, "GS", 1, "901"),
        {"brake": "drawdown"},
    ),
    DenyReason.BUYING_POWER: lambda: (
        opened(limits=replace(ROOMY, exposure_max=D(4)), cash=D("1980.89")),
        request(1, shares=62),
        {"cost": "1980.9", "cash_free": "1980.89"},
    ),
    DenyReason.WOULD_OVERSELL: lambda: (
        bought(),
        sell("JD", 63, "31.9"),
        {"wanted": "63", "held": "62", "in_exits": "0"},
    ),
    DenyReason.SELF_TRADE: lambda: (
        opened() >> buy("JD", 62, "31.95") >> sent() >> filled(20, "31.92"),
        sell("JD", 20, "31.95"),
        {},
    ),
    DenyReason.STOP_REQUIRED: lambda: (
        limited(stop_required=True),
        request(1),
        {"protection": "none"},
    ),
}
# The shell says journal_unavailable, not a rule.
NOT_BY_A_RULE = {DenyReason.JOURNAL_UNAVAILABLE}


def test_every_reason_is_reached_by_a_play_or_is_no_rules() -> None:
    assert set(REACHED) | NOT_BY_A_RULE == set(DenyReason)
    assert not set(REACHED) & NOT_BY_A_RULE


@pytest.mark.parametrize("reason", REACHED)
def test_each_reason_denies_and_changes_nothing_but_the_count(reason: DenyReason) -> None:
    play, line, numbers = REACHED[reason]()
    before = play.state
    play >> line << denied(reason, **numbers)
    heard = replace(
        before,
        sequence=play.state.sequence,
        counts=play.state.counts,
        tellings=play.state.tellings,
    )
    assert play.state == heard
    assert play.state.counts.denied == before.counts.denied + 1
    assert play.state.counts.requests == before.counts.requests + 1


# --------------------------------------------------------------------------------- the house's order


def all_wrong() -> Question:
    """A wish to which every rule for entries objects, except those that an earlier objection makes moot."""
    brakes = tuple(sorted(Brake))
    standing = Standing(
        at_ns=TEN_NS,
        phase=Phase.CLOSED,
        gates_closed=((Gate.FRESH_CODE, "edited"), (Gate.RECONCILED, "starting")),
        is_tradable=False,
        is_warming_up=True,
        halted="ada: stop",
        is_shut=False,
        quarantined="unexplained",
        trading_halt="",
        session_began_ns=0,
        session_closes_ns=TEN_NS + MINUTE_NS,
        closing=Closing(at_close=AtClose.CANCEL),
        brakes=brakes,
    )
    return Question(
        request=request(1, "JD", 0, "44.101", late=True, side=Side.SELL, quote=None),
        quantity=D(0),
        reserve_price=D("44.101"),
        position=Position(
            symbol=Symbol("JD"), strategy=MOMENTUM, entries_session=3, is_hands_off=True
        ),
        live_entry=None,
        decision_known=False,
        standing=standing,
        limits=Limits(
            order_notional_max=D(1),
            order_quantity_max=61,
            position_notional_max=D(1),
            stop_required=True,
        ),
        cash_free=D(0),
        equity=D(0),
        exposure=D(0),
        entries_open=20,
        entries_minute=10,
        notional_session=D(97_266),
        entries_strategy=20,
        canary=CanaryLimits(),
        equity_session=D(0),
        equity_peak=D(0),
        opposite_orders=(some_order(side=Side.SELL, limit_price=D("31.9")),),
        quantity_sellable=D(0),
    )


@pytest.mark.parametrize(
    ("most", "denied"), [(D("300"), False), (D("299.99"), True)], ids=["just enough", "a cent less"]
)
def test_a_canarys_position_is_what_it_holds_what_is_on_its_way_and_what_it_wants(
    most: Decimal, denied: bool
) -> None:
    """Ten shares at 12, eight pending and two wanted at 18."""
    position = Position(
        symbol=Symbol("JD"), quantity=D(10), mark=120_000, quantity_pending_buy=D(8)
    )
    question = replace(
        all_wrong(),
        position=position,
        quantity=D(2),
        reserve_price=D(18),
        entries_strategy=0,
        canary=CanaryLimits(order_notional_max=D(36), position_notional_max=most),
    )
    denial = allowance.canary(question)
    assert (denial is not None) == denied
    if denial is not None:
        assert denial.numbers["limit"] == "position_notional_max"
        assert denial.numbers["wanted"] == "300"


Mend = Callable[[Question], Question]


def _request(**changes: object) -> Mend:
    return lambda now: replace(now, request=replace(now.request, **changes))


def _standing(**changes: object) -> Mend:
    return lambda now: replace(now, standing=replace(now.standing, **changes))


def _limits(**changes: object) -> Mend:
    return lambda now: replace(now, limits=replace(now.limits, **changes))


def _self(**changes: object) -> Mend:
    return lambda now: replace(now, **changes)


OLD = quote("JD", at_ns=TEN_NS - 100 * SECOND_NS)
IN_ORDER: list[tuple[DenyReason, Mend]] = [
    (DenyReason.EXPIRED, _request(late=False)),
    (DenyReason.NOT_READY, _standing(gates_closed=((Gate.FRESH_CODE, "edited"),))),
    (DenyReason.WARMING_UP, _standing(is_warming_up=False)),
    (DenyReason.MARKET_CLOSED, _standing(phase=Phase.REGULAR)),
    (DenyReason.MARKET_CLOSED, _standing(closing=None)),
    (DenyReason.HALTED, _standing(halted="")),
    (DenyReason.STALE_CODE, _standing(gates_closed=())),
    (DenyReason.QUARANTINED, _standing(quarantined="")),
    (DenyReason.UNKNOWN_SYMBOL, _standing(is_tradable=True)),
    (DenyReason.NOT_OWNER, _request(strategy=MOMENTUM)),
    (
        DenyReason.HANDS_OFF,
        _self(position=Position(symbol=Symbol("JD"), strategy=MOMENTUM, entries_session=3)),
    ),
    (DenyReason.QUANTITY, _request(side=Side.BUY)),
    (DenyReason.QUANTITY, _self(quantity=D(62))),
    (DenyReason.QUANTITY, _limits(order_quantity_max=62)),
    (DenyReason.NO_QUOTE, _request(quote=OLD)),
    (DenyReason.STALE_QUOTE, _request(quote=quote("JD"))),
    (DenyReason.PRICE_TICK, _request(limit_price=D("44.1"))),
    (DenyReason.PRICE_COLLAR, _request(limit_price=D("31.95"))),
    (DenyReason.STOP_REQUIRED, _request(protection=Protection(stop_price=D("31.92")))),
    (DenyReason.PRICE_COLLAR, _request(protection=Protection(stop_price=D("31.90")))),
    (DenyReason.ORDER_NOTIONAL, _limits(order_notional_max=D(5_000))),
    (DenyReason.POSITION_NOTIONAL, _limits(position_notional_max=D(12_500))),
    (DenyReason.EXPOSURE, _self(equity=OPENING)),
    (DenyReason.ENTRIES_OPEN, _self(entries_open=19)),
    (DenyReason.ENTRIES_PER_MINUTE, _self(entries_minute=9)),
    (
        DenyReason.ENTRIES_PER_DAY,
        _self(position=Position(symbol=Symbol("JD"), strategy=MOMENTUM, entries_session=2)),
    ),
    (DenyReason.NOTIONAL_PER_DAY, _self(notional_session=D(97_265))),
    (DenyReason.CANARY, _self(canary=None)),
    (DenyReason.REPEATED_EXECUTIONS, _standing(brakes=(Brake.DRAWDOWN, Brake.LOSS_DAY))),
    (DenyReason.LOSS_DAY, _standing(brakes=(Brake.DRAWDOWN,))),
    (DenyReason.DRAWDOWN, _standing(brakes=())),
    (DenyReason.BUYING_POWER, _self(cash_free=OPENING)),
    (DenyReason.SELF_TRADE, _self(opposite_orders=())),
]


def test_the_first_rule_that_objects_decides_and_gates_come_before_limits() -> None:
    question = all_wrong()
    for reason, mend in IN_ORDER:
        denial = risk.first_denial(question)
        assert denial is not None
        assert denial.reason is reason
        question = mend(question)
    assert risk.first_denial(question) is None


def test_the_list_here_names_every_rule_for_entries() -> None:
    assert len(IN_ORDER) == len(risk.ENTRY_RULES)


def test_identity_comes_before_duplicates_and_duplicates_before_gates() -> None:
    play = opened() >> request(1) >> command("halt")
    play >> request(1, shares=11) << denied(DenyReason.REQUEST_ID_CONFLICT)
    play >> request(2) << blocked(Blocking.LIVE_ORDER)
    play >> request(3, "GS", 1, "901") << denied(DenyReason.HALTED)


# ------------------------------------------------------------------------------------------- gates


def _shut(play: Play, shut: tuple[bool, ...]) -> Play:
    lines: tuple[Line, ...] = (
        gate(Gate.RECONCILED, False, "x"),
        gate(Gate.TRADING_STREAM, False, "x"),
        gate(Gate.MARKET_DATA, False, "x"),
        gate(Gate.FRESH_CODE, False, "x"),
        gate(Gate.SHUTDOWN, False, "x"),
        command("halt"),
        worker("JD", ready=False),
        stranger(),
    )
    for line, is_shut in zip(lines, shut, strict=True):
        if is_shut:
            play >> line
    return play


@pytest.mark.parametrize("shut", [*product([False, True], repeat=8)])
def test_entries_need_every_gate_open_and_exits_none(shut: tuple[bool, ...]) -> None:
    play = _shut(bought(), shut)
    play >> sell("JD", 62, "31.9") << accepted("JD", 62) >> filled(62, "31.9")
    play >> buy("JD", 62, "31.95")
    assert (play.state.counts.denied == 0) == (not any(shut))


@pytest.mark.parametrize("which", [Gate.RECONCILED, Gate.MARKET_DATA, Gate.SHUTDOWN])
def test_a_gate_that_opens_again_lets_entries_through(which: Gate) -> None:
    play = opened() >> gate(which, False, "x") >> request(1) << denied(DenyReason.NOT_READY)
    play >> gate(which, True) >> request(2) << accepted("JD", 10)


def test_the_loss_of_the_trading_stream_asks_for_agreement_anew() -> None:
    play = opened() >> gate(Gate.TRADING_STREAM, False, "x") >> gate(Gate.TRADING_STREAM, True)
    play >> request(1) << denied(DenyReason.NOT_READY)
    play >> agreement >> request(2) << accepted("JD", 10)


def test_another_symbol_with_a_cold_worker_does_not_matter() -> None:
    play = opened() >> worker("GS", ready=False) >> request(1) << accepted("JD", 10)
    play >> request(2, "GS", 1, "901") << denied(DenyReason.WARMING_UP)


def test_every_worker_of_a_symbol_must_be_warm() -> None:
    play = opened() >> worker("JD", ready=False, name="a") >> worker("JD", ready=False, name="b")
    play >> worker("JD", ready=True, name="a") >> request(1) << denied(DenyReason.WARMING_UP)
    play >> worker("JD", ready=True, name="b") >> request(2) << accepted("JD", 10)


@pytest.mark.parametrize("phase", [Phase.PRE, Phase.POST])
def test_outside_regular_hours_only_orders_that_say_so(phase: Phase) -> None:
    play = bought() >> clock(phase=phase)
    play >> buy("GS", 1, "901") << denied(DenyReason.MARKET_CLOSED)
    play >> sell("JD", 1, "31.9") << denied(DenyReason.MARKET_CLOSED)
    play >> buy("GS", 1, "901", extended_hours=True) << accepted("GS", 1)
    play >> sell("JD", 1, "31.9", extended_hours=True) << accepted("JD", 1)


@pytest.mark.parametrize("phase", [Phase.PRE, Phase.POST])
def test_a_market_order_outside_regular_hours_is_denied_however_it_is_marked(phase: Phase) -> None:
    play = bought() >> clock(phase=phase)
    why = {
        "phase": phase.value,
        "order_type": "market",
        "takes": "limit orders with extended_hours",
    }
    for is_marked in (True, False):
        said = {"order_type": OrderType.MARKET, "extended_hours": is_marked}
        play >> buy("GS", 1, None, **said) << denied(DenyReason.MARKET_CLOSED, **why)
        play >> sell("JD", 1, None, **said) << denied(DenyReason.MARKET_CLOSED, **why)


def test_nothing_trades_while_the_exchange_is_closed() -> None:
    play = bought() >> clock(499, phase=Phase.CLOSED)  # 18:19
    play >> buy("GS", 1, "901", extended_hours=True) << denied(DenyReason.MARKET_CLOSED)
    play >> sell("JD", 1, "31.9", extended_hours=True) << denied(DenyReason.MARKET_CLOSED)


def test_a_request_is_for_a_minute_and_not_longer() -> None:
    on_time = request(1, at_ns=TEN_NS, quote=quote("JD", at_ns=TEN_NS))
    opened() >> clock(1) >> on_time << accepted("JD", 10)
    late = replace(on_time, at_ns=TEN_NS - 1)
    opened() >> clock(1) >> late << denied(DenyReason.EXPIRED)


def test_a_late_exit_is_not_executed_either() -> None:
    bought() >> sell("JD", 62, "31.9", late=True) << denied(DenyReason.EXPIRED)


# ------------------------------------------------------------------------------------- ownership


def test_only_the_owner_and_an_operator_may_reduce_a_position() -> None:
    bought() >> sell("JD", 62, "31.9", strategy=MOMENTUM) << denied(DenyReason.NOT_OWNER)
    bought() >> sell("JD", 62, "31.9") << accepted("JD", 62)
    play = bought() >> sell("JD", 62, "31.9", strategy=risk.OPERATOR) << accepted("JD", 62)
    assert play.order().strategy == "crossover", "the trade belongs to the position's strategy"


def test_a_flat_symbol_may_be_opened_by_anybody() -> None:
    play = bought() >> sell("JD", 62, "31.9") >> filled(62, "31.9")
    play >> buy("JD", 62, "31.95", strategy=MOMENTUM) << accepted("JD", 62)
    assert play.state.position(Symbol("JD")).strategy == MOMENTUM


def test_an_add_of_another_strategy_is_denied() -> None:
    play = bought(limited(adds_max=1))
    play >> buy("JD", 1, "31.95", purpose=Purpose.ADD, strategy=MOMENTUM)
    play << denied(DenyReason.NOT_OWNER, owner="crossover")
    play >> buy("JD", 1, "31.95", purpose=Purpose.ADD) << accepted("JD", 1)


def test_a_protective_stop_of_the_owner_may_reduce_too() -> None:
    play = bought() >> sell("JD", 62, "31.9", purpose=Purpose.STOP) << accepted("JD", 62)
    assert play.order().purpose is Purpose.STOP


# ----------------------------------------------------------------------------------------- limits

PASSES = {
    "order_notional_max": D("1980.9"),
    "order_quantity_max": 62,
    "position_notional_max": D("1980.9"),
    "exposure_max": D("0.0079236"),
    "entries_open_max": 1,
    "entries_per_minute_max": 1,
    "entries_per_symbol_per_day_max": 1,
}


def test_an_entry_of_more_shares_than_one_order_may_have_is_denied_and_an_exit_is_not() -> None:
    play = limited(order_quantity_max=62) >> request(1, shares=63)
    play << denied(DenyReason.QUANTITY, quantity="63", quantity_max="62")
    play = bought() >> boot(2, limits=replace(ROOMY, order_quantity_max=1))
    play >> clock() >> gate(Gate.TRADING_STREAM, True) >> gate(Gate.MARKET_DATA, True) >> agreement
    play >> sell("JD", 62, "31.9") << accepted("JD", 62)


@pytest.mark.parametrize("limit", PASSES)
def test_an_entry_exactly_at_a_limit_passes(limit: str) -> None:
    limited(**{limit: PASSES[limit]}) >> request(1, shares=62) << accepted("JD", 62)


def test_an_entry_may_cost_all_free_cash_and_no_cent_more() -> None:
    limits = replace(ROOMY, exposure_max=D(4))
    play = opened(limits=limits, cash=D("1980.9")) >> request(1, shares=62) << accepted("JD", 62)
    assert play.state.books.cash_free == 0
    (
        play
        >> request(2, "T", 1, "22.5")
        << denied(DenyReason.BUYING_POWER, cost="22.5", cash_free="0")
    )


def test_of_two_buys_for_most_of_the_cash_one_is_accepted() -> None:
    play = limited(
        exposure_max=D(4), order_notional_max=D(200_000), position_notional_max=D(200_000)
    )
    play >> request(1, "GS", 166, "901") << accepted("GS", 166)
    play >> request(2, "JD", 4_700, "31.95") << denied(DenyReason.BUYING_POWER)


def test_what_is_in_flight_counts_as_exposure() -> None:
    play = limited(exposure_max=D("0.01")) >> request(1, "GS", 2, "901") << accepted("GS", 2)
    (
        play
        >> request(2, shares=30)
        << denied(DenyReason.EXPOSURE, exposure="2760.5", exposure_max="2500")
    )
    play >> request(3, shares=21) << accepted("JD", 21)


def test_what_is_held_counts_as_exposure_at_its_mark() -> None:
    play = bought(limited(exposure_max=D("0.01"))) >> clock(1, JD=400_000)
    (
        play
        >> buy("GS", 1, "901")
        << denied(DenyReason.EXPOSURE, exposure="3381", exposure_max="2505.0096")
    )


def test_entries_alive_at_once_are_counted_until_they_are_over() -> None:
    play = limited(entries_open_max=1) >> request(1, "GS", 2, "901") >> sent() >> filled(1, "900")
    play >> request(2) << denied(DenyReason.ENTRIES_OPEN)
    play >> filled(1, "900") >> request(3) << accepted("JD", 10)


comings = st.lists(st.tuples(st.sampled_from(["JD", "GS", "T", "TRIP"]), st.booleans()))


@given(st.integers(1, 3), comings)
def test_never_more_entries_live_than_the_limit_whoever_comes_and_goes(
    limit: int, comings: list[tuple[str, bool]]
) -> None:
    play = limited(entries_open_max=limit)
    live: dict[str, int] = {}
    for symbol, comes in comings:
        if comes and symbol not in live:
            play >> buy(symbol, 1, None, order_type=OrderType.MARKET)
            if len(live) < limit:
                play << accepted(symbol, 1)
                live[symbol] = len(play.orders) - 1
            else:
                play << denied(DenyReason.ENTRIES_OPEN)
        elif not comes and symbol in live:
            play >> send_ended("rejected", of=live.pop(symbol))


def test_an_entry_in_doubt_is_alive() -> None:
    play = limited(entries_open_max=1) >> request(1, "GS", 2, "901") >> send_ended("unknown")
    play >> request(2) << denied(DenyReason.ENTRIES_OPEN)


def test_entries_of_a_minute_are_forgotten_after_it() -> None:
    play = limited(entries_per_minute_max=2)
    play >> request(1, "GS", 1, "901") >> request(2, "T", 1, "22.5")
    play >> request(3) << denied(DenyReason.ENTRIES_PER_MINUTE)
    almost = replace(clock(), at_ns=TEN_NS + MINUTE_NS - 1)
    play >> almost >> buy("JD", 10, "31.95") << denied(DenyReason.ENTRIES_PER_MINUTE)
    play >> clock(1) >> buy("JD", 10, "31.95") << accepted("JD", 10)


def test_a_clock_that_is_set_back_forgets_no_entry_of_the_minute_and_keeps_none_of_another() -> (
    None
):
    play = limited(entries_per_minute_max=2) >> clock(1)
    play >> buy("GS", 1, "901") >> replace(clock(), at_ns=TEN_NS + MINUTE_NS // 2)
    play >> buy("T", 1, "22.5") << accepted("T", 1)
    play >> buy("JD", 10, "31.95") << denied(DenyReason.ENTRIES_PER_MINUTE)
    play >> clock(-1) >> buy("JD", 10, "31.95") << accepted("JD", 10)


def test_a_thousand_requests_in_a_second_are_limited_and_nothing_halts() -> None:
    play = opened(limits=replace(ROOMY, entries_per_minute_max=2))
    for number in range(1_000):
        play >> request(number, ("JD", "GS", "T", "TRIP")[number % 4], 1, price=None)
    assert play.state.counts.accepted == 0, "a limit order without a price"
    for number in range(1_000, 2_000):
        symbol = ("JD", "GS", "T", "TRIP")[number % 4]
        play >> request(number, symbol, 1, price=None, order_type=OrderType.MARKET)
    counts = play.state.counts
    assert (counts.accepted, counts.blocked, counts.denied) == (2, 498, 1_500)
    assert not play.state.halted
    assert counts.requests == 2_000


def test_exits_are_not_counted_and_not_limited() -> None:
    play = bought(shares=1000)
    tight = Limits(
        order_notional_max=D(1),
        position_notional_max=D(1),
        exposure_max=D("0.000001"),
        entries_open_max=1,
        entries_per_minute_max=1,
        entries_per_symbol_per_day_max=1,
        price_deviation_max=D("0.01"),
    )
    play >> boot(2, limits=tight) >> clock()
    for _ in range(8):
        play >> sell("JD", 100, "31.9") << accepted("JD", 100)


def test_a_symbol_has_so_many_entries_a_session_and_new_ones_the_next() -> None:
    play = limited(entries_per_symbol_per_day_max=2)
    for _ in range(2):
        play >> buy("JD", 10, "31.95") << accepted("JD", 10) >> send_ended("rejected")
    play >> buy("JD", 10, "31.95") << denied(DenyReason.ENTRIES_PER_DAY)
    play >> buy("GS", 1, "901") << accepted("GS", 1)
    play >> clock(24 * 60, session="2026-01-27") >> buy("JD", 10, "31.95") << accepted("JD", 10)


# ------------------------------------------------------------------------------------------ adding


def test_adding_is_off() -> None:
    (
        bought()
        >> buy("JD", 1, "31.95", purpose=Purpose.ADD)
        << blocked(Blocking.POSITION, blocked_by="62")
    )


def test_adding_is_off_the_next_day_too() -> None:
    play = bought() >> clock(24 * 60, session="2026-01-27", JD=319_200)
    play >> buy("JD", 1, "31.95", purpose=Purpose.ADD) << blocked(Blocking.POSITION)


def test_adding_is_possible_as_often_as_allowed_and_never_beside_a_live_entry() -> None:
    play = bought(limited(adds_max=1))
    play >> buy("JD", 1, "31.95") << blocked(Blocking.POSITION)  # an entry is not an add
    play >> buy("JD", 1, "31.95", purpose=Purpose.ADD) << accepted("JD", 1)
    play >> buy("JD", 1, "31.95", purpose=Purpose.ADD) << blocked(Blocking.LIVE_ORDER)
    play >> filled(1, "31.92")
    play >> buy("JD", 1, "31.95", purpose=Purpose.ADD) << blocked(Blocking.POSITION)


def test_adds_count_toward_the_position_limit() -> None:
    play = bought(limited(adds_max=1, position_notional_max=D("2010.99")))
    play >> buy("JD", 1, "31.95", purpose=Purpose.ADD) << accepted("JD", 1)
    play = bought(limited(adds_max=1, position_notional_max=D("2010.98")))
    (
        play
        >> buy("JD", 1, "31.95", purpose=Purpose.ADD)
        << denied(DenyReason.POSITION_NOTIONAL, notional="2010.99", notional_max="2010.98")
    )


# --------------------------------------------------------------------------------- quotes and prices


@pytest.mark.parametrize(
    "broken",
    [
        quote("GS"),
        replace(quote("JD"), bid=0),
        replace(quote("JD"), ask=0),
        replace(quote("JD"), bid=-319_100),
        quote("JD", bid=319_300, ask=319_200),
    ],
)
def test_an_entry_needs_both_sides_of_a_price_of_its_own_symbol(broken: object) -> None:
    opened() >> request(1, quote=broken) << denied(DenyReason.NO_QUOTE)


@pytest.mark.parametrize("bid", [0, 319_100])
@pytest.mark.parametrize("ask", [0, 1, 319_300])
def test_a_broken_quote_does_not_keep_anybody_in(bid: int, ask: int) -> None:
    """Without a usable quote an exit is judged as one without any: getting out comes first."""
    one_sided = replace(quote("JD"), bid=bid, ask=ask)
    bought() >> sell("JD", 62, "31.9", quote=one_sided) << accepted("JD", 62)


def test_a_quote_is_fresh_for_ninety_seconds() -> None:
    age = 90 * SECOND_NS
    opened() >> request(1, quote=quote("JD", at_ns=TEN_NS - age)) << accepted("JD", 10)
    (
        opened()
        >> request(1, quote=quote("JD", at_ns=TEN_NS - age - 1))
        << denied(DenyReason.STALE_QUOTE)
    )


@pytest.mark.parametrize(
    ("price", "passes"),
    [("32.96", True), ("32.97", False), ("31.04", True), ("31.03", False), ("0.01", False)],
)
def test_a_price_lies_within_three_percent_of_the_quotes_middle(price: str, passes: bool) -> None:
    line = request(1, price=price, quote=quote("JD", bid=319_900, ask=320_100))
    opened() >> line << (accepted("JD", 10) if passes else denied(DenyReason.PRICE_COLLAR))


def test_an_exit_priced_by_another_symbols_tick_is_denied() -> None:
    bought() >> sell("JD", 62, "901", quote=quote("JD")) << denied(DenyReason.PRICE_COLLAR)


@pytest.mark.parametrize(
    ("price", "passes"),
    [
        ("1", True),
        ("1.01", True),
        ("1.001", False),
        ("1.0001", False),
        ("0.9999", True),
        ("0.999", True),
        ("0.99995", False),
    ],
)
def test_prices_move_in_cents_and_below_a_dollar_in_hundredths(price: str, passes: bool) -> None:
    line = request(1, price=price, quote=quote("JD", bid=9_999, ask=10_001))
    opened() >> line << (accepted("JD", 10) if passes else denied(DenyReason.PRICE_TICK))


def test_a_limit_order_needs_a_price_and_a_market_order_none() -> None:
    opened() >> request(1, price=None) << denied(DenyReason.PRICE_TICK, price="none")
    play = opened() >> request(1, price=None, order_type=OrderType.MARKET) << accepted("JD", 10)
    # It reserves the ask at the end of the collar: 31.93 x 1.03, up to the cent.
    assert play.order().reserve_price == D("32.89")
    assert play.state.books.reserved == D("328.9")


# ------------------------------------------------------------------------------------- exits


def test_an_exit_sells_no_more_than_is_held() -> None:
    bought() >> sell("JD", 62, "31.9") << accepted("JD", 62)
    bought() >> sell("JD", 63, "31.9") << denied(DenyReason.WOULD_OVERSELL)
    opened() >> sell("JD", 1, "31.9") << denied(DenyReason.WOULD_OVERSELL)


def test_live_exits_and_the_new_one_together_sell_no_more_than_is_held() -> None:
    play = bought() >> sell("JD", 40, "31.9") << accepted("JD", 40)
    (
        play
        >> sell("JD", 23, "31.9")
        << denied(DenyReason.WOULD_OVERSELL, wanted="23", held="62", in_exits="40")
    )
    play >> sell("JD", 22, "31.9") << accepted("JD", 22)


def test_an_exit_in_doubt_still_holds_all_that_it_has_left() -> None:
    play = bought() >> sell("JD", 62, "31.9") >> send_ended("unknown")
    play >> sell("JD", 1, "31.9") << denied(DenyReason.WOULD_OVERSELL)
    (
        play
        >> reboot
        >> clock()
        >> agreement
        >> sell("JD", 1, "31.9")
        << denied(DenyReason.WOULD_OVERSELL)
    )


def test_of_an_entry_in_doubt_only_what_is_proven_can_be_sold() -> None:
    play = opened() >> buy("JD", 62, "31.95") >> send_ended("unknown")
    play >> sell("JD", 1, "32") << denied(DenyReason.WOULD_OVERSELL)
    play >> filled(20, "31.92") >> sell("JD", 21, "32") << denied(DenyReason.WOULD_OVERSELL)
    play >> sell("JD", 20, "32") << accepted("JD", 20)


def test_what_a_canceled_exit_left_can_be_sold_again() -> None:
    play = bought() >> sell("JD", 62, "31.9") >> filled(20, "31.9")
    (
        play
        >> report(Claim.CANCELED, 20)
        >> sell("JD", 43, "31.9")
        << denied(DenyReason.WOULD_OVERSELL)
    )
    play >> sell("JD", 42, "31.9") << accepted("JD", 42)


def test_an_exit_to_a_target_sells_what_no_other_exit_sells() -> None:
    target = Size(unit="target", amount=D(0))
    play = bought() >> sell("JD", 40, "31.9") >> sell("JD", target, "31.9") << accepted("JD", 22)
    play >> sell("JD", target, "31.9") << denied(DenyReason.WOULD_OVERSELL)


def test_a_target_beyond_flat_is_no_way_to_sell_short() -> None:
    target = Size(unit="target", amount=D(-5))
    bought() >> sell("JD", target, "31.9") << denied(DenyReason.WOULD_OVERSELL)


def test_exits_of_a_symbol_are_bounded() -> None:
    play = bought()
    for _ in range(risk.EXITS_LIVE_MAX):
        play >> sell("JD", 1, "31.9") << accepted("JD", 1)
    (
        play
        >> sell("JD", 1, "31.9")
        << denied(DenyReason.WOULD_OVERSELL, exits_live="8", exits_live_max="8")
    )


@pytest.mark.parametrize("shares", ["0", "0.5"])
def test_an_exit_sells_whole_shares(shares: str) -> None:
    size = Size(unit="shares", amount=D(shares))
    bought() >> sell("JD", size, "31.9") << denied(DenyReason.QUANTITY, quantity=shares)


def test_an_exit_is_priced_on_the_tick_too() -> None:
    play = bought() >> sell("JD", 62, "31.901")
    play << denied(DenyReason.PRICE_TICK, price="31.901", tick="0.01")


def test_what_is_held_of_a_symbol_that_left_the_universe_can_be_sold() -> None:
    play = bought() >> boot(2, symbols=(Symbol("GS"),)) >> clock()
    play >> buy("JD", 1, "31.95") << blocked(Blocking.POSITION)
    play >> sell("JD", 62, "31.9") << accepted("JD", 62)


@pytest.mark.parametrize(
    ("side", "purpose"),
    [
        (Side.SELL, Purpose.ENTER),
        (Side.SELL, Purpose.ADD),
        (Side.BUY, Purpose.EXIT),
        (Side.BUY, Purpose.STOP),
    ],
)
def test_entries_buy_and_exits_sell(side: Side, purpose: Purpose) -> None:
    (
        opened()
        >> request(1, side=side, purpose=purpose)
        << denied(
            DenyReason.QUANTITY,
            side=side.value,
            wanted="BUY" if purpose in {Purpose.ENTER, Purpose.ADD} else "SELL",
        )
    )


# ----------------------------------------------------------------------------------- self-trade


def test_an_exit_above_our_own_bid_may_rest() -> None:
    play = opened() >> buy("JD", 62, "31.95") >> sent() >> filled(20, "31.92")
    play >> sell("JD", 20, "31.95") << denied(DenyReason.SELF_TRADE, order=play.orders[0])
    play >> sell("JD", 20, None, order_type=OrderType.MARKET) << denied(DenyReason.SELF_TRADE)
    play >> sell("JD", 20, "31.96") << accepted("JD", 20)


def test_an_add_meets_none_of_our_exits() -> None:
    play = bought(limited(adds_max=1)) >> sell("JD", 10, "32.2") >> sell("JD", 10, "31.96")
    (
        play
        >> buy("JD", 1, "31.96", purpose=Purpose.ADD)
        << denied(DenyReason.SELF_TRADE, order=play.orders[2])
    )
    play >> buy("JD", 1, "31.95", purpose=Purpose.ADD) << accepted("JD", 1)


# ----------------------------------------------------------------------------------------- brakes


def test_the_third_filled_entry_of_a_symbol_in_ten_minutes_stops_it() -> None:
    play = limited(executions_repeated_max=3)
    for _ in range(2):
        play >> buy("JD", 10, "31.95") >> sent() >> filled(10, "31.92")
        play >> sell("JD", 10, "31.9") >> filled(10, "31.9")
    play >> buy("JD", 10, "31.95") >> sent()
    (
        play
        >> filled(5, "31.92")
        << (
            booked(5),
            moved("PARTIALLY_FILLED"),
            tripped(Brake.REPEATED_EXECUTIONS),
        )
    )
    play >> filled(5, "31.92") << (booked(5), moved("FILLED"))  # a brake trips once
    play >> sell("JD", 10, "31.9") << accepted("JD", 10) >> filled(10, "31.9")
    play >> buy("JD", 10, "31.95") << denied(DenyReason.REPEATED_EXECUTIONS)
    play >> buy("GS", 1, "901") << accepted("GS", 1) >> sent() >> filled(1, "900")
    play >> reboot >> gate(Gate.TRADING_STREAM, True) >> gate(Gate.MARKET_DATA, True)
    play >> agreement >> clock()
    play >> buy("JD", 10, "31.95") << denied(DenyReason.REPEATED_EXECUTIONS)
    play >> command("resume") >> buy("JD", 10, "31.95") << accepted("JD", 10)


def test_filled_entries_apart_from_each_other_stop_nothing() -> None:
    play = limited(executions_repeated_max=3)
    for number in range(4):
        play >> clock(6 * number) >> buy("JD", 10, "31.95") >> sent() >> filled(10, "31.92")
        play >> sell("JD", 10, "31.9") >> filled(10, "31.9")
    assert not play.state.brakes


def test_ten_minutes_are_over_after_ten_minutes() -> None:
    span = 10 * MINUTE_NS
    limits = Limits(executions_repeated_max=2)
    assert brakes.tripped_by_fills((TEN_NS, TEN_NS + span), TEN_NS + span, limits)
    assert not brakes.tripped_by_fills((TEN_NS, TEN_NS + span + 1), TEN_NS + span + 1, limits)


def test_a_loss_beyond_the_days_limit_stops_entries_until_somebody_resumes() -> None:
    play = bought(limited(loss_day_max=D("0.02"), drawdown_max=D("0.5")), 1000)
    play >> clock(1, JD=269_200) << clock_moved()  # 5,000 of 250,000 are exactly the limit
    play >> clock(2, JD=269_199) << (clock_moved(), tripped(Brake.LOSS_DAY))
    play >> clock(3, JD=269_199) << clock_moved()  # it is tripped already
    play >> clock(4, JD=319_200) >> buy("GS", 1, "901") << denied(DenyReason.LOSS_DAY)
    play >> clock(24 * 60, session="2026-01-27", JD=319_200)
    play >> buy("GS", 1, "901") << denied(DenyReason.LOSS_DAY)
    play >> command("resume") >> buy("GS", 1, "901") << accepted("GS", 1)


def test_a_drawdown_is_counted_from_the_highest_equity() -> None:
    play = bought(limited(loss_day_max=D("0.5"), drawdown_max=D("0.02")), 1000)
    play >> clock(1, JD=419_200)
    assert play.state.equity_peak == D(260_000)
    play >> clock(2, JD=367_200) << clock_moved()  # 5,200 of 260,000 are exactly the limit
    play >> clock(3, JD=367_199) << (clock_moved(), tripped(Brake.DRAWDOWN))


@pytest.mark.parametrize("brake", [Brake.LOSS_DAY, Brake.DRAWDOWN])
def test_whoever_resumes_accepts_the_loss_so_far(brake: Brake) -> None:
    """Otherwise the next clock trips the brake again, and resuming does nothing at all."""
    wide = {"loss_day_max": D("0.5"), "drawdown_max": D("0.5")}
    play = bought(limited(**(wide | {f"{brake.value}_max": D("0.02")})), 1000)
    play >> clock(1, JD=219_200) << (clock_moved(), tripped(brake))
    play >> command("resume") >> clock(2, JD=219_200) << clock_moved()


def test_the_days_loss_counts_from_the_opening_also_when_the_clock_was_first() -> None:
    play = Play() >> boot() >> clock() >> statement()
    assert play.state.equity_session == OPENING


# ------------------------------------------------------------------------------------ limit prices


@given(
    st.sampled_from([Side.BUY, Side.SELL]),
    st.integers(1, 10**8),
    st.integers(0, 500).map(lambda basis: D(basis).scaleb(-4)),
)
def test_a_marketable_limit_is_on_its_tick_and_through_the_far_side(
    side: Side, far: int, through: Decimal
) -> None:
    price = risk.limit_price(side, far, far, through)
    assert price is not None
    exact = price_of(far) * (ONE + through if side is Side.BUY else ONE - through)
    assert price % (CENT if exact >= 1 else MILL) == 0
    assert price >= exact if side is Side.BUY else price <= exact
    assert abs(price - exact) < CENT


def test_there_is_no_limit_price_without_a_far_side() -> None:
    assert risk.limit_price(Side.BUY, 319_100, 0, D(0)) is None
    assert risk.limit_price(Side.SELL, 0, 319_300, D(0)) is None

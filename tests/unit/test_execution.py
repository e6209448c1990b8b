"""One decision becomes at most one order, whoever tells it, however often, in whatever order, over restarts."""

import random
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from tests.plays import (
    OPENING,
    ROOMY,
    SYMBOLS,
    TEN_NS,
    Expected,
    Line,
    Play,
    accepted,
    again,
    agreement,
    alarmed,
    blocked,
    boot,
    booted,
    buy,
    cancel_wanted,
    clock,
    clock_moved,
    command,
    denied,
    executed,
    filled,
    gate,
    looked_up,
    missed,
    moved,
    opened,
    quote,
    reboot,
    report,
    request,
    sell,
    send_ended,
    sent,
    session_began,
    worker,
)
from trader.execution import decide
from trader.executor import decided
from trader.inquiry import client_order_id
from trader.messages import (
    Blocking,
    Claim,
    DenyReason,
    Gate,
    GateMoved,
    Halted,
    LifeBegan,
    LifeEnd,
    LifeEnded,
    Noted,
    OrderRequest,
    RequestAccepted,
    Resumed,
    WorkerMoved,
)
from trader.model import (
    MINUTE_NS,
    OrderState,
    OrderType,
    Phase,
    Purpose,
    Side,
    Size,
    StrategyName,
    Symbol,
)
from trader.state import ExecutionState

D = Decimal
JD = Symbol("JD")
MORNING = booted()


# ------------------------------------------------------------------------------- the race, 2026-01-26


def outcomes(state: ExecutionState) -> tuple[int, int, int]:
    return state.counts.accepted, state.counts.blocked, state.counts.denied


@pytest.mark.parametrize("workers", range(2, 101))
def test_of_n_workers_that_want_a_flat_symbol_in_the_same_instant_one_gets_it(workers: int) -> None:
    wishes = [request(n, strategy=StrategyName(f"worker-{n}")) for n in range(workers)]
    random.Random(workers).shuffle(wishes)
    state, entries = decided(MORNING, list(wishes))
    assert outcomes(state) == (1, workers - 1, 0)
    (event,) = entries[0].events
    assert isinstance(event, RequestAccepted), "the first that is heard"
    assert event.request_id == wishes[0].request_id
    assert state.position(JD).entries == (event.order.client_order_id,)


@given(st.permutations(range(8)), st.lists(st.integers(1, 8), max_size=8))
def test_eight_workers_get_one_order_in_any_order_and_over_any_batches(
    order: list[int], cuts: list[int]
) -> None:
    wishes = [request(n, strategy=StrategyName(f"worker-{n}")) for n in order]
    state = MORNING
    while wishes:
        size = cuts.pop() if cuts else 1
        batch, wishes = wishes[:size], wishes[size:]
        state, _ = decided(state, list(batch))
    assert outcomes(state) == (1, 7, 0)


def test_eight_tellings_of_one_decision_are_one_order_and_seven_duplicates() -> None:
    one = request(1)
    play = opened()
    for n in range(8):
        play >> replace(one, request_id=f"worker-{n}/1/1")
    assert outcomes(play.state) == (1, 7, 0)
    assert len(play.submitted()) == 1


def test_each_symbol_has_its_own_race() -> None:
    wishes = [request(n, ("JD", "GS")[n % 2], 1, ("31.95", "901")[n % 2]) for n in range(8)]
    state, _ = decided(MORNING, list(wishes))
    assert outcomes(state) == (2, 6, 0)


# -------------------------------------------------------------------------- what a duplicate runs into

LATER: dict[str, tuple[list[Line], Blocking]] = {
    "before it is sent": ([], Blocking.LIVE_ORDER),
    "while it is sent": ([sent()], Blocking.LIVE_ORDER),
    "acknowledged": ([sent(), report(Claim.NEW)], Blocking.LIVE_ORDER),
    "after a time-out": ([sent(), send_ended("unknown")], Blocking.UNKNOWN_ORDER),
    "after a time-out and a miss": (
        [sent(), send_ended("unknown"), missed(), missed()],
        Blocking.UNKNOWN_ORDER,
    ),
    "after a crash": ([sent(), reboot, agreement], Blocking.UNKNOWN_ORDER),
    "after a crash before it was sent": ([reboot, agreement], Blocking.UNKNOWN_ORDER),
    "after two crashes": ([reboot, reboot, agreement], Blocking.UNKNOWN_ORDER),
    "while it is canceled": ([report(Claim.PENDING_CANCEL)], Blocking.LIVE_ORDER),
    "half filled": ([sent(), filled(20, "31.92")], Blocking.LIVE_ORDER),
    "claimed canceled, an execution missing": (
        [report(Claim.NEW), report(Claim.CANCELED, 20)],
        Blocking.LIVE_ORDER,
    ),
    "filled": ([sent(), filled(62, "31.92")], Blocking.POSITION),
    "canceled after a part": (
        [sent(), filled(20, "31.92"), report(Claim.CANCELED, 20)],
        Blocking.POSITION,
    ),
    "filled, after a crash": ([sent(), filled(62, "31.92"), reboot], Blocking.POSITION),
    "being sold": (
        [sent(), filled(62, "31.92"), sell("JD", 62, "31.9")],
        Blocking.POSITION,
    ),
    "the next day": (
        [sent(), filled(62, "31.92"), clock(1440, session="2026-01-27")],
        Blocking.POSITION,
    ),
    "in doubt, the next day": (
        [sent(), send_ended("unknown"), clock(1440, session="2026-01-27")],
        Blocking.UNKNOWN_ORDER,
    ),
}


@pytest.mark.parametrize("when", LATER)
def test_a_second_entry_is_blocked(when: str) -> None:
    lines, blocking = LATER[when]
    play = opened() >> buy("JD", 62, "31.95") << accepted("JD", 62)
    for line in lines:
        play >> line
    play >> buy("JD", 62, "31.95") << blocked(blocking)
    entries = [one for one in play.submitted() if "-B-" in one]
    assert len(entries) == 1


@pytest.mark.parametrize("when", LATER)
def test_the_same_decision_told_anew_is_blocked_by_itself(when: str) -> None:
    lines, _ = LATER[when]
    play = opened() >> request(1, shares=62) << accepted("JD", 62)
    for line in lines:
        play >> line
    anew = request(1, shares=62, request_id="another-worker/9/1")
    play >> anew << blocked(Blocking.DECISION, blocked_by=anew.decision_key)


FINAL: dict[str, list[Line]] = {
    "canceled": [report(Claim.NEW), report(Claim.CANCELED)],
    "expired": [report(Claim.NEW), report(Claim.EXPIRED)],
    "rejected by report": [report(Claim.REJECTED)],
    "rejected by reply": [sent(), send_ended("rejected")],
    "never sent": [sent(), send_ended("never_sent")],
    "filled and sold": [filled(62, "31.92"), sell("JD", 62, "31.9"), filled(62, "31.9")],
}


@pytest.mark.parametrize("how", FINAL)
def test_only_a_final_state_gives_the_symbol_free(how: str) -> None:
    play = opened() >> request(1, shares=62) << accepted("JD", 62)
    for line in FINAL[how]:
        play >> line
    play >> request(1, shares=62, request_id="anew") << blocked(Blocking.DECISION)
    play >> request(2, shares=62) << accepted("JD", 62)
    assert play.state.books.reserved == 62 * D("31.95")


KEEPERS: list[Line] = [
    send_ended("unknown"),
    missed(),
    missed(),
    reboot,
    clock(1),
    clock(600, phase=Phase.CLOSED),
    clock(1440, session="2026-01-27"),
    gate(Gate.TRADING_STREAM, False, "lost"),
    gate(Gate.TRADING_STREAM, True),
    agreement,
    worker("JD", ready=False, reason="ValueError"),
    worker("JD", ready=True),
    command("halt"),
    command("resume"),
    LifeEnd(at_ns=TEN_NS, exit_code=0),
    report(Claim.CANCEL_REJECTED),
    report(Claim.PENDING_NEW),
    report(Claim.NEW),
    sent(),
]


@given(st.lists(st.sampled_from(KEEPERS), max_size=12))
def test_nothing_but_a_final_state_gives_the_symbol_free(lines: list[Line]) -> None:
    play = opened() >> request(1, shares=62)
    for line in lines:
        play >> line
        play >> replace(request(2, shares=62), request_id=f"w/{play.state.sequence}")
        assert outcomes(play.state)[0] <= 1
        assert play.state.books.reserved == 62 * D("31.95")
        assert play.state.position(JD).entries == (play.orders[0],)
    assert play.submitted() == play.orders[:1]


# ---------------------------------------------------------------------------------------- identity


def test_the_same_telling_again_writes_nothing() -> None:
    play = opened() >> request(1) << accepted("JD", 10) >> again << None
    play >> request(2) << blocked(Blocking.LIVE_ORDER) >> again << None
    play >> request(3, shares=0, symbol="GS", price="901") << denied(DenyReason.QUANTITY)
    play >> again << None


def test_the_same_telling_that_came_late_is_still_the_same() -> None:
    opened() >> request(1) << accepted("JD", 10) >> request(1, late=True) << None


def test_the_same_telling_is_known_after_a_crash_and_the_next_day() -> None:
    play = opened() >> request(1) << accepted("JD", 10) >> reboot
    play >> request(1) << None
    play >> clock(1440, session="2026-01-27") >> request(1) << None


@pytest.mark.parametrize(
    "other",
    [
        {"shares": 11},
        {"price": "31.94"},
        {"side": Side.SELL},
        {"reason": "other words"},
        {"at_ns": TEN_NS - 1},
        {"strategy": "momentum"},
        {"decision_key": "f" * 24},
    ],
)
def test_a_telling_with_other_content_is_a_conflict_and_the_first_stands(
    other: dict[str, object],
) -> None:
    play = opened() >> request(1) << accepted("JD", 10)
    play >> request(1, **other) << denied(DenyReason.REQUEST_ID_CONFLICT)  # type: ignore[arg-type]
    play >> request(1) << None


def test_a_denial_does_not_use_the_decision_up() -> None:
    play = opened() >> command("halt") >> request(1) << denied(DenyReason.HALTED)
    play >> command("resume") >> request(1) << None
    play >> request(1, request_id="anew") << accepted("JD", 10)


def test_a_block_does_not_use_the_decision_up() -> None:
    play = opened() >> request(1) >> request(2) << blocked(Blocking.LIVE_ORDER)
    play >> send_ended("never_sent", of=0)
    play >> request(2, request_id="anew") << accepted("JD", 10)


tellings = st.lists(
    st.one_of(
        st.tuples(st.integers(1, 4), st.integers(1, 3)),  # a decision, and the telling of it
        st.sampled_from(["reboot", "never_sent", "filled"]),
    ),
    max_size=25,
)


@given(tellings)
def test_however_often_it_is_told_a_decision_has_one_order_at_most(
    told: list[tuple[int, int] | str],
) -> None:
    play = opened()
    first: dict[str, int] = {}
    for one in told:
        if isinstance(one, tuple):
            number, telling = one
            wish = request(number, ("JD", "GS")[number % 2], 1, ("31.95", "901")[number % 2])
            before = outcomes(play.state)
            play >> replace(wish, request_id=f"{number}/{telling}")
            name = f"{number}/{telling}"
            if name in first:
                assert not play.events
                assert outcomes(play.state) == before
            first[name] = 1
        elif one == "reboot":
            play >> reboot >> gate(Gate.TRADING_STREAM, True)
            play >> gate(Gate.MARKET_DATA, True) >> agreement
        elif play.orders and play.order().state in {OrderState.INTENT, OrderState.UNKNOWN}:
            play >> (filled(1, "31.9") if one == "filled" else send_ended("never_sent"))
    assert len(set(play.submitted())) == len(play.submitted()) <= 4


def test_the_id_of_an_order_is_a_function_of_the_decision_alone() -> None:
    one = request(7)
    other = replace(
        one,
        request_id="other/2/9",
        at_ns=1,
        size=Size(unit="notional", amount=D(1)),
        limit_price=None,
        quote=None,
        reason="",
        late=True,
    )
    assert client_order_id(one) == client_order_id(other) == "trd-JD-B-000000000000000000000007"


def test_other_decisions_have_other_ids() -> None:
    ids = {client_order_id(request(n)) for n in range(1_000)}
    assert len(ids) == 1_000
    assert client_order_id(request(1)) != client_order_id(request(1, "GS"))
    assert client_order_id(request(1)) != client_order_id(request(1, side=Side.SELL))


def test_an_id_is_short_enough_and_plain_enough_for_the_broker() -> None:
    longest = client_order_id(request(1, "ABCDEF.PRA", decision_key="f" * 64))
    assert len(longest) <= 48
    assert longest.replace("-", "").replace(".", "").isalnum()


# ------------------------------------------------------------------------------------- the intent


def test_the_intent_says_everything_about_its_order() -> None:
    play = opened() >> clock(3) >> buy("JD", 62, "31.950", reason="rose") << accepted("JD", 62)
    order = play.order()
    assert order.state is OrderState.INTENT
    assert str(order.limit_price) == "31.95"
    assert order.reserved == D("1980.9") == play.state.books.reserved
    assert order.decision_id == play.state.sequence == play.entries[-1].sequence
    assert (order.epoch, order.build) == (1, "3f9a1c2")
    assert order.created_ns == TEN_NS + 3 * MINUTE_NS
    assert order.reason == "rose"
    assert play.state.position(JD).strategy == "crossover"


@pytest.mark.parametrize(
    ("size", "shares"),
    [
        (Size(unit="shares", amount=D(62)), 62),
        (Size(unit="notional", amount=D(2_000)), 62),  # 62.6 at 31.95
        (Size(unit="notional", amount=D("31.95")), 1),
        (Size(unit="equity", amount=D("0.008")), 62),
        (Size(unit="per_equity", amount=D("0.000251999")), 62),  # 62.99975 at 250,000
        (Size(unit="target", amount=D(62)), 62),
    ],
)
def test_a_size_becomes_whole_shares_at_the_worst_price(size: Size, shares: int) -> None:
    opened() >> buy("JD", size, "31.95") << accepted("JD", shares)


@pytest.mark.parametrize(
    "size",
    [
        Size(unit="notional", amount=D("31.94")),
        Size(unit="equity", amount=D("0.0001")),
        Size(unit="per_equity", amount=D("0.000003999")),
        Size(unit="volatility", amount=D("0.01")),  # a setting, and nothing to ask for
        Size(unit="target", amount=D(0)),
        Size(unit="bushels", amount=D(5)),
        Size(unit="", amount=D(5)),
    ],
)
def test_a_size_of_less_than_a_share_is_denied(size: Size) -> None:
    opened() >> buy("JD", size, "31.95") << denied(DenyReason.QUANTITY)


def test_an_add_to_a_target_buys_the_difference_only() -> None:
    play = opened(limits=replace(ROOMY, adds_max=1)) >> buy("JD", 62, "31.95") >> filled(62, "31.9")
    target = Size(unit="target", amount=D(100))
    play >> buy("JD", target, "31.95", purpose=Purpose.ADD) << accepted("JD", 38)


def test_an_exit_by_notional_and_by_equity_is_possible() -> None:
    play = opened() >> buy("JD", 62, "31.95") >> filled(62, "31.9")
    play >> sell("JD", Size(unit="notional", amount=D(640)), "31.9") << accepted("JD", 20)
    play >> sell("JD", Size(unit="equity", amount=D("0.001")), "31.9") << accepted("JD", 7)


def test_without_a_price_dollars_are_no_shares() -> None:
    market = buy(
        "JD", Size(unit="notional", amount=D(2_000)), None, order_type=OrderType.MARKET, quote=None
    )
    opened() >> market << denied(DenyReason.QUANTITY)


# ------------------------------------------------------------------------------------- bad input

AMOUNTS = {
    "zero": "0",
    "minus zero": "-0",
    "negative": "-5",
    "half a share": "1.5",
    "2**63": str(2**63),
    "2**64": str(2**64),
    "10**30": str(10**30),
    "NaN": "NaN",
    "signaling NaN": "sNaN",
    "Infinity": "Infinity",
    "minus Infinity": "-Infinity",
    "beyond any context": "1e9999999",
    "beyond any sense": "1e999999",
    "below any sense": "1e-999999",
    "10 million and one": "10000001",
    "fifty-five digits": str(D(0.1)),
    "sixty digits": "1." + "1" * 60,
}


@pytest.mark.parametrize("unit", ["shares", "target"])
@pytest.mark.parametrize("amount", AMOUNTS.values(), ids=AMOUNTS.keys())
def test_a_quantity_that_is_no_quantity_is_denied(unit: str, amount: str) -> None:
    size = Size(unit=unit, amount=D(amount))
    opened() >> request(1, shares=size) << denied(DenyReason.QUANTITY)


@pytest.mark.parametrize("unit", ["notional", "equity"])
@pytest.mark.parametrize(
    "amount",
    [name for name in AMOUNTS if name not in {"half a share", "10 million and one"}],
)
def test_an_amount_that_is_no_amount_is_denied(unit: str, amount: str) -> None:
    play = opened()
    size = Size(unit=unit, amount=D(AMOUNTS[amount]))
    play >> request(1, shares=size)
    assert play.state.counts.requests == 1, "every telling gets an outcome"
    assert play.state.counts.accepted == 0 or amount in {"fifty-five digits", "sixty digits"}


def test_ten_as_a_thousandth_power_is_the_same_quantity() -> None:
    opened() >> request(1, shares="1e1") << accepted("JD", 10)


PRICES = {
    "zero": "0",
    "negative": "-1",
    "minus zero": "-0.0",
    "1e-320": "1e-320",
    "1e-40": "1e-40",
    "1e15": "1e15",
    "NaN": "NaN",
    "signaling NaN": "sNaN",
    "Infinity": "Infinity",
    "1e999999": "1e999999",
    "beyond any context": "1e9999999",
    "a float's digits": str(D(31.95)),
    "sixty digits": "31." + "1" * 60,
    "off tick": "31.951",
}


@pytest.mark.parametrize("price", PRICES.values(), ids=PRICES.keys())
@pytest.mark.parametrize("unit", ["shares", "notional", "equity"])
def test_a_price_that_is_no_price_is_denied(price: str, unit: str) -> None:
    size = Size(unit=unit, amount=D("0.01") if unit == "equity" else D(2_000))
    opened() >> request(1, shares=size, price=price) << denied(DenyReason.PRICE_TICK)


def test_quantity_times_price_beyond_all_money_is_denied_before_it_is_stored() -> None:
    line = request(1, shares=10_000_000, price="9999999", quote=quote("JD", bid=10**11, ask=10**11))
    opened() >> line << denied(DenyReason.ORDER_NOTIONAL)


SYMBOLS_OF_NOBODY = [
    "",
    " JD",
    "jd",
    "JD ",
    "JD\n",
    "JD\0",
    "J" * 1_000,
    "🚀",
    "АAPL",  # noqa: RUF001
    "\u202eJD",
    "../../etc/passwd",
    "'; DROP TABLE trades;--",
    "BRK.B",
    "BRK/B",
    "*",
]


@pytest.mark.parametrize("symbol", SYMBOLS_OF_NOBODY, ids=ascii)
def test_a_symbol_outside_the_universe_is_denied(symbol: str) -> None:
    play = opened() >> request(1, symbol) << denied(DenyReason.UNKNOWN_SYMBOL)
    assert not play.state.positions.get(Symbol(symbol))


def test_a_request_during_boot_is_denied() -> None:
    play = Play() >> boot() >> request(1) << denied(DenyReason.NOT_READY)
    play >> gate(Gate.TRADING_STREAM, True) >> gate(Gate.MARKET_DATA, True)
    play >> request(2) << denied(DenyReason.NOT_READY, gate="reconciled", why="starting")


def test_a_request_before_any_life_is_denied() -> None:
    play = Play() >> request(1)
    assert play.state.counts.denied == 1


def test_a_request_that_waited_too_long_is_denied() -> None:
    opened() >> request(1, late=True) << denied(DenyReason.EXPIRED)


@given(
    st.builds(
        request,
        number=st.integers(0, 3),
        symbol=st.sampled_from(["JD", "GS", "XX", "*"]),
        shares=st.builds(
            Size,
            unit=st.sampled_from(["shares", "notional", "equity", "target", "?"]),
            amount=st.decimals(allow_nan=True, allow_infinity=True),
        ),
        price=st.one_of(
            st.none(),
            st.decimals(min_value=D("0.0001"), max_value=D(10**7)).map(str),
            st.just("32"),
        ),
        side=st.sampled_from(Side),
        purpose=st.sampled_from(Purpose),
        order_type=st.sampled_from(OrderType),
        quote=st.one_of(
            st.none(),
            st.builds(
                quote,
                symbol=st.sampled_from(["JD", "GS"]),
                bid=st.integers(-1, 10**9),
                ask=st.integers(-1, 10**9),
            ),
        ),
        at_ns=st.integers(-(2**63), 2**63),
        late=st.booleans(),
    )
)
def test_any_request_whatsoever_gets_one_outcome(wish: OrderRequest) -> None:
    for state in (MORNING, HOLDING):
        assert len(decide(state, wish)) == 1


HOLDING = (opened() >> buy("JD", 62, "31.95") >> filled(62, "31.9")).state


# ------------------------------------------------------------------------------------ a life begins


def life(epoch: int) -> Expected:
    return Expected(LifeBegan, {"epoch": epoch})


def test_a_life_begins_with_its_gates_shut() -> None:
    play = Play() >> boot() << life(1)
    assert {one for one, _ in play.state.gates_closed} == {
        Gate.RECONCILED,
        Gate.TRADING_STREAM,
        Gate.MARKET_DATA,
    }
    assert play.state.symbols == set(SYMBOLS)


@pytest.mark.parametrize(
    "lines",
    [[], [sent()], [sent(), send_ended("unknown")]],
    ids=["intent", "sent", "unknown"],
)
def test_an_intent_without_an_answer_is_in_doubt_after_a_crash_and_never_sent_again(
    lines: list[Line],
) -> None:
    play = opened() >> buy("JD", 62, "31.95") << accepted("JD", 62)
    for line in lines:
        play >> line
    already = play.order().state is OrderState.UNKNOWN
    began = (life(2), clock_moved())
    (
        play
        >> reboot
        << ((*began, looked_up(1)) if already else (*began, moved("UNKNOWN"), looked_up(0)))
    )
    play >> reboot >> reboot
    assert play.order().state is OrderState.UNKNOWN
    assert play.order().lookups >= 3
    assert play.submitted() == play.orders
    assert play.state.books.reserved == D("1980.9")


@pytest.mark.parametrize(
    "line", [report(Claim.NEW), report(Claim.PENDING_NEW), filled(20, "31.9"), filled(62, "31.9")]
)
def test_an_order_that_was_answered_stays_what_it_is_over_a_crash(line: Line) -> None:
    play = opened() >> buy("JD", 62, "31.95") >> sent() >> line
    before = play.order()
    play >> reboot << (life(2), clock_moved())
    assert play.order() == before


def test_a_lookup_that_a_crash_cut_off_is_asked_again() -> None:
    """Its answer never comes: while it counts as open, nobody would ever ask about the order again."""
    play = opened() >> buy("JD", 62, "31.95") >> report(Claim.PARTIALLY_FILLED, 20)
    assert play.order().lookup_open
    play >> reboot
    play >> replace_open_orders(play)
    assert len([one for one in play.effects if type(one).__name__ == "Lookup"]) >= 2


def replace_open_orders(play: Play) -> Line:
    """A statement in which our order is missing."""
    heard = agreement(play)
    return replace(heard, open_orders={})


def test_a_cancel_that_a_crash_cut_off_can_be_asked_for_again() -> None:
    play = opened() >> buy("JD", 62, "31.95") >> report(Claim.NEW)
    play >> command("cancel", play.orders[0]) << cancel_wanted(play.orders[0])
    play >> reboot
    play >> command("cancel", play.orders[0]) << cancel_wanted(play.orders[0])


def test_a_cancel_that_the_broker_refused_can_be_asked_for_again() -> None:
    play = opened() >> buy("JD", 62, "31.95") >> report(Claim.NEW)
    play >> command("cancel", play.orders[0]) << cancel_wanted(play.orders[0])
    play >> report(Claim.PENDING_CANCEL) >> report(Claim.CANCEL_REJECTED)
    play >> command("cancel", play.orders[0]) << cancel_wanted(play.orders[0])


def test_a_halt_survives_a_crash_and_says_so() -> None:
    play = opened() >> command("halt") >> reboot << (life(2), clock_moved(), alarmed("halted"))
    play >> gate(Gate.TRADING_STREAM, True) >> gate(Gate.MARKET_DATA, True) >> agreement
    play >> clock()
    play >> request(1) << denied(DenyReason.HALTED)


def test_a_life_counts_its_own_requests() -> None:
    play = opened() >> request(1) >> request(2)
    assert play.state.counts.requests == 2
    play >> reboot
    assert play.state.counts.requests == 0


def test_new_limits_come_with_a_new_life() -> None:
    play = opened() >> boot(2, limits=replace(ROOMY, order_notional_max=D(1)))
    assert play.state.limits.order_notional_max == 1


@pytest.mark.parametrize("epoch", [0, 1])
def test_an_epoch_is_taken_once(epoch: int) -> None:
    with pytest.raises(AssertionError):
        opened() >> boot(epoch)


def test_the_books_of_one_account_are_not_used_for_another() -> None:
    with pytest.raises(AssertionError):
        opened() >> replace_account()


def replace_account() -> Line:
    return replace(boot(2), account="simulated:2")


def test_a_life_that_ends_in_order_says_so() -> None:
    play = opened() >> LifeEnd(at_ns=TEN_NS, exit_code=4)
    play << Expected(LifeEnded, {"exit_code": 4})


# ------------------------------------------------------------------------- clock, gates, workers


def test_a_new_session_begins_with_the_equity_it_finds() -> None:
    play = opened() >> buy("JD", 100, "31.95") >> filled(100, "31.92")
    play >> clock(1440, session="2026-01-27", JD=329_200)
    play << (clock_moved(), session_began("2026-01-27"))
    assert play.state.equity_session == OPENING + 100
    play >> clock(1441, session="2026-01-27", JD=329_200) << clock_moved()


def test_a_clock_without_a_session_begins_none() -> None:
    opened() >> clock(600, session="", phase=Phase.CLOSED) << clock_moved()


def test_a_clock_that_jumps_back_changes_nothing_else() -> None:
    play = opened() >> clock(-1440, session="2026-01-26") << clock_moved()
    assert play.state.books.cash == OPENING


def test_what_is_not_news_is_not_written() -> None:
    play = opened() >> gate(Gate.MARKET_DATA, True) << None
    play >> gate(Gate.MARKET_DATA, False, "lost") << Expected(GateMoved, {"is_open": False})
    play >> again << None
    play >> gate(Gate.MARKET_DATA, False, "lost again") << Expected(GateMoved, {})
    play >> worker("JD", ready=True) << None
    play >> worker("JD", ready=False) << Expected(WorkerMoved, {"ready": False}) >> again << None
    failed = worker("JD", ready=False, reason="ValueError")
    play >> failed << Expected(WorkerMoved, {"reason": "ValueError"})
    play >> worker("JD", ready=True) << Expected(WorkerMoved, {"ready": True})


def test_a_lost_trading_stream_ends_the_agreement() -> None:
    play = opened() >> gate(Gate.TRADING_STREAM, False, "reset")
    play << (
        Expected(GateMoved, {"gate": Gate.TRADING_STREAM}),
        Expected(GateMoved, {"gate": Gate.RECONCILED, "is_open": False}),
    )
    play >> again << None


def test_what_was_agreed_while_the_trading_stream_was_down_ends_when_it_is_back() -> None:
    play = opened() >> gate(Gate.TRADING_STREAM, False, "reset") >> agreement
    assert list(dict(play.state.gates_closed)) == [Gate.TRADING_STREAM]
    play >> gate(Gate.TRADING_STREAM, True, "listening")
    play << (
        Expected(GateMoved, {"gate": Gate.TRADING_STREAM, "is_open": True}),
        Expected(GateMoved, {"gate": Gate.RECONCILED, "is_open": False}),
    )
    play >> again << None
    play >> request(1) << denied(DenyReason.NOT_READY)
    play >> agreement >> request(2) << accepted("JD", 10)


# --------------------------------------------------------------------------------------- commands


def test_a_person_can_halt_and_resume() -> None:
    play = opened() >> command("halt") << Expected(Halted, {"who": "ada"})
    play >> command("resume") << Expected(Resumed, {"reason": "I said so"})
    play >> request(1) << accepted("JD", 10)


def test_canceling_all_entries_leaves_exits_and_what_is_in_doubt() -> None:
    play = opened() >> buy("JD", 62, "31.95") >> filled(62, "31.92") >> sell("JD", 62, "32.5")
    play >> report(Claim.NEW) >> buy("GS", 1, "901") >> report(Claim.NEW)
    play >> buy("T", 1, "22.5") >> send_ended("unknown") >> buy("TRIP", 1, "18.45")
    play >> command("cancel", "entries") << cancel_wanted(play.orders[2]) >> again << None
    assert play.order(2).state is OrderState.NEW, "until the broker proves otherwise"


def test_one_order_can_be_canceled_by_its_id() -> None:
    play = opened() >> buy("JD", 62, "31.95") >> report(Claim.NEW)
    play >> command("cancel", play.orders[0]) << cancel_wanted(play.orders[0])
    play >> report(Claim.CANCELED) << moved("CANCELED")
    play >> command("cancel", play.orders[0]) << None


@pytest.mark.parametrize("line", [command("cancel", "no-such-order"), command("dance")])
def test_a_command_that_means_nothing_is_kept_for_the_record(line: Line) -> None:
    opened() >> line << Expected(Noted, {})


def test_executions_are_of_the_order_not_of_the_symbol() -> None:
    play = opened() >> buy("JD", 62, "31.95") >> filled(62, "31.92")
    play >> sell("JD", 62, "31.9") >> report(Claim.FILLED, 62, executed(62, "31.9", 62, "s1"))
    assert play.order(0).quantity_filled == play.order(1).quantity_filled == 62
    assert play.state.position(JD).quantity == 0

"""The life of one order: every state and everything that can happen, against a table written down here."""

from collections.abc import Iterator
from decimal import Decimal
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.plays import executed, some_order
from trader import orders, recognition
from trader.messages import Claim
from trader.model import (
    FINAL_STATES,
    BookedExecution,
    BrokerOrderId,
    Execution,
    Order,
    OrderState,
)
from trader.orders import TRANSITIONS, Notice, Row, Trigger

# Table H of the invariants, a line for each state: what comes of it, "-" nothing, "!" somebody must look, "!!" and the
# symbol takes no entries.
# U unknown, P pending new, N new, F filled, part partially filled, pc pending cancel, C canceled, E expired,
# R rejected, 0 never sent.
COLUMNS = """
             ack-pending ack  part   fill  reject canceled expired pending-cancel cancel-reject doubt never-sent send
"""
TABLE = """
INTENT           P       N    part   F     R      C        E       pc             -             U     0          S
SENT             P       N    part   F     R      C        E       pc             -             U     0          -
UNKNOWN          P       N    part   F     R      C        E       pc             -             -     0          -
PENDING_NEW      -       N    part   F     R      C        E       pc             -             -     -!!        -
NEW              -       -    part   F     R      C        E       pc             -             -     -!!        -
PARTIALLY_FILLED -       -    -      F     -!     C        E       pc             -             -     -!!        -
PENDING_CANCEL   -       -    -      F     R      C        E       -              N             -     -!!        -
FILLED           -       -    -!!    -!!   -!     -        -       -              -             -     -!         -
CANCELED         -       -    -!     F!    -      -        -       -              -             -     -!         -
EXPIRED          -       -    -!     F!    -      -        -       -              -             -     -!         -
REJECTED         P!!     N!!  part!! F!!   -      -        -       -              -             -     -          -
NEVER_SENT       P!!     N!!  part!! F!!   -      -        -       -              -             -     -          -
"""
TRIGGERS = {
    "ack-pending": Trigger.ACK_PENDING,
    "ack": Trigger.ACK_NEW,
    "part": Trigger.FILL_PART,
    "fill": Trigger.FILL_ALL,
    "reject": Trigger.REJECTED,
    "canceled": Trigger.CANCELED,
    "expired": Trigger.EXPIRED,
    "pending-cancel": Trigger.CANCEL_PENDING,
    "cancel-reject": Trigger.CANCEL_REJECTED,
    "doubt": Trigger.DOUBT,
    "never-sent": Trigger.PROVEN_NEVER_SENT,
    "send": Trigger.SEND_STARTED,
}
STATES = {
    "S": OrderState.SENT,
    "U": OrderState.UNKNOWN,
    "P": OrderState.PENDING_NEW,
    "N": OrderState.NEW,
    "part": OrderState.PARTIALLY_FILLED,
    "pc": OrderState.PENDING_CANCEL,
    "F": OrderState.FILLED,
    "C": OrderState.CANCELED,
    "E": OrderState.EXPIRED,
    "R": OrderState.REJECTED,
    "0": OrderState.NEVER_SENT,
}
NOTICES = {"": Notice.QUIET, "!": Notice.ALARM, "!!": Notice.HALT}


def with_execution(order: Order, execution: Execution, released: Decimal = Decimal(0)) -> Order:
    """The order with this execution of a buy in its books."""
    notional = execution.quantity * execution.price
    done = BookedExecution(
        execution=execution, notional=notional, fees=Decimal(0), cost=notional, realized=Decimal(0)
    )
    return orders.booked(order, done, released)


def cells() -> list[tuple[OrderState, Trigger, str]]:
    found = []
    for line in TABLE.strip().splitlines():
        name, *row = line.split()
        for column, cell in zip(COLUMNS.split(), row, strict=True):
            found.append((OrderState[name], TRIGGERS[column], cell))
    return found


def test_the_table_here_has_every_pair() -> None:
    pairs = [(state, trigger) for state, trigger, _ in cells()]
    assert sorted(pairs) == sorted(product(OrderState, Trigger))


def test_the_program_knows_every_pair_and_no_other() -> None:
    assert set(TRANSITIONS) == set(product(OrderState, Trigger))


@pytest.mark.parametrize(("state", "trigger", "cell"), cells())
def test_each_pair_does_what_the_table_says(state: OrderState, trigger: Trigger, cell: str) -> None:
    name = cell.rstrip("!")
    wanted = state if name == "-" else STATES[name]
    assert TRANSITIONS[state, trigger] == (wanted, NOTICES[cell[len(name) :]])
    assert orders.after(some_order(state), trigger) == (
        some_order(wanted),
        NOTICES[cell[len(name) :]],
    )


def disagreements(rows: dict[tuple[OrderState, Trigger], Row]) -> set[tuple[OrderState, Trigger]]:
    """Where a table of the program differs from the one written down here."""
    return {
        (state, trigger)
        for state, trigger, cell in cells()
        if rows[state, trigger]
        != (
            state if (name := cell.rstrip("!")) == "-" else STATES[name],
            NOTICES[cell[len(name) :]],
        )
    }


def wrong_cells() -> Iterator[tuple[tuple[OrderState, Trigger], str]]:
    """The source of the program's table with one cell wrong: each other state and each other notice, of every cell."""
    for part in orders._TABLE.strip("\n").split("\n\n"):
        head, *lines = part.splitlines()
        for line in lines:
            trigger, *row = line.split()
            for column, (state, cell) in enumerate(zip(head.split(), row, strict=True)):
                name = cell.rstrip("!")
                others = [
                    f"{one.name}{cell[len(name) :]}" for one in OrderState if one.name != state
                ]
                others += [name + marks for marks in NOTICES] + [f".{cell[len(name) :]}"]
                for other in others:
                    wrong = " ".join((trigger, *row[:column], other, *row[column + 1 :]))
                    place = (OrderState[state], Trigger[trigger])
                    if other != cell:
                        yield place, orders._TABLE.replace(line, wrong, 1)


def test_a_wrong_cell_anywhere_in_the_programs_table_is_found() -> None:
    assert disagreements(TRANSITIONS) == set()
    found = [(place, disagreements(orders._read(text))) for place, text in wrong_cells()]
    assert len(found) == 144 * (11 + 2)
    assert [place for place, differing in found if differing != {place}] == []


@pytest.mark.parametrize("state", [OrderState.PENDING_CANCEL, OrderState.UNKNOWN, OrderState.SENT])
def test_an_order_with_fills_is_never_called_new(state: OrderState) -> None:
    filled = some_order(state, quantity_filled=Decimal(20))
    trigger = Trigger.CANCEL_REJECTED if state is OrderState.PENDING_CANCEL else Trigger.ACK_NEW
    assert orders.after(filled, trigger)[0].state is OrderState.PARTIALLY_FILLED


@given(st.lists(st.sampled_from(sorted(Trigger))))
def test_a_final_state_is_left_only_by_an_execution_or_by_proof_of_life(
    happening: list[Trigger],
) -> None:
    now = some_order(OrderState.INTENT)
    for trigger in happening:
        before, (now, notice) = now, orders.after(now, trigger)
        if before.state in FINAL_STATES and now.state is not before.state:
            assert notice is not Notice.QUIET
        if before.state is OrderState.FILLED:
            assert now.state is OrderState.FILLED


@given(st.lists(st.sampled_from(sorted(Trigger))))
def test_doubt_never_ends_an_order(happening: list[Trigger]) -> None:
    now = some_order(OrderState.INTENT)
    for trigger in happening:
        now, _ = orders.after(now, trigger)
        assert orders.is_live(orders.after(now, Trigger.DOUBT)[0]) == orders.is_live(now)


@pytest.mark.parametrize("state", OrderState)
@pytest.mark.parametrize("claim", sorted(set(Claim) - {Claim.FOREIGN_CHANGE}))
def test_every_claim_about_every_state_is_understood(state: OrderState, claim: Claim) -> None:
    now, _ = orders.after_claim(some_order(state), claim, Decimal(0), BrokerOrderId("B"))
    assert now.broker_order_id == "B"
    assert now.quantity_filled == 0, "a claim is not an execution"


def test_the_claims_high_water_mark_never_falls() -> None:
    high, _ = orders.after_claim(some_order(), Claim.PARTIALLY_FILLED, Decimal(40), None)
    low, _ = orders.after_claim(high, Claim.NEW, Decimal(0), None)
    assert low.quantity_reported == 40


def test_the_brokers_id_is_the_first_it_told() -> None:
    once, _ = orders.after_claim(some_order(), Claim.NEW, Decimal(0), BrokerOrderId("B1"))
    assert orders.after_claim(once, Claim.NEW, Decimal(0), None)[0].broker_order_id == "B1"


@pytest.mark.parametrize("claim", [Claim.CANCELED, Claim.EXPIRED, Claim.REJECTED])
def test_an_order_does_not_end_while_executions_are_missing(claim: Claim) -> None:
    now, notice = orders.after_claim(some_order(), claim, Decimal(20), None)
    assert orders.is_live(now)
    assert orders.is_unexplained(now)
    assert notice is Notice.QUIET


def test_an_order_ends_once_the_missing_execution_is_booked() -> None:
    waiting, _ = orders.after_claim(some_order(), Claim.CANCELED, Decimal(20), None)
    found = with_execution(waiting, executed(20, "31.9", 20), Decimal(639))
    now, notice = orders.after_execution(found)
    assert now.state is OrderState.CANCELED
    assert notice is Notice.QUIET


def test_a_second_final_claim_can_still_end_an_order_that_ignored_the_first() -> None:
    """A reject after a fill is nonsense and ends nothing; the cancel that follows is not, and must."""
    part = some_order(
        OrderState.PARTIALLY_FILLED, quantity_filled=Decimal(20), quantity_reported=Decimal(20)
    )
    odd, notice = orders.after_claim(part, Claim.REJECTED, Decimal(20), None)
    assert (odd.state, notice) == (OrderState.PARTIALLY_FILLED, Notice.ALARM)
    now, _ = orders.after_claim(odd, Claim.CANCELED, Decimal(20), None)
    assert now.state is OrderState.CANCELED


def test_an_execution_is_known_by_its_id_or_by_where_it_ends() -> None:
    once = with_execution(some_order(), executed(20, "31.9", 20, "s1"))
    assert recognition.knows(once, executed(20, "31.9", 20, "s1"))
    assert recognition.knows(once, executed(20, "31.9", 20, "activity-7")), (
        "the activity of the same"
    )
    assert recognition.knows(once, executed(20, "31.9", 40, "s1"))
    assert not recognition.knows(once, executed(20, "31.9", 40, "s2"))


def test_the_same_execution_ending_elsewhere_is_a_contradiction() -> None:
    once = with_execution(some_order(), executed(20, "31.9", 20, "s1"))
    assert recognition.contradicts(once, executed(20, "31.9", 30, "s1"))
    assert not recognition.contradicts(once, executed(20, "31.9", 20, "s1"))
    assert not recognition.contradicts(once, executed(10, "31.9", 30, "s2"))


@pytest.mark.parametrize(
    ("quantity", "state", "notice"),
    [
        (20, OrderState.PARTIALLY_FILLED, Notice.QUIET),
        (62, OrderState.FILLED, Notice.QUIET),
        (80, OrderState.FILLED, Notice.HALT),
    ],
)
def test_what_is_filled_says_the_state(quantity: int, state: OrderState, notice: Notice) -> None:
    execution = executed(quantity, "31.9", quantity)
    now, heard = orders.after_execution(with_execution(some_order(), execution))
    assert (now.state, heard) == (state, notice)


executions = st.lists(
    st.tuples(st.integers(1, 30), st.integers(3_100, 3_200)), min_size=1, max_size=6
)


@given(executions)
def test_the_reserve_shrinks_with_what_is_left_and_is_gone_with_the_last_share(
    parts: list[tuple[int, int]],
) -> None:
    now = some_order()
    total = 0
    for quantity, cents in parts:
        total += quantity
        execution: Execution = executed(quantity, str(Decimal(cents).scaleb(-2)), total)
        now = with_execution(now, execution, orders.released_by(now, execution))
        left = max(62 - total, 0)
        assert now.reserved == left * Decimal("31.95")
    assert now.quantity_filled == total
    assert now.avg_price is not None
    assert min(cents for _, cents in parts) <= now.avg_price * 100 <= max(c for _, c in parts)


def test_a_final_order_holds_no_cash() -> None:
    live = some_order(OrderState.NEW)
    assert orders.with_reserve(live, some_order(OrderState.CANCELED)).reserved == 0
    nothing = some_order(OrderState.CANCELED, reserved=Decimal(0))
    assert orders.with_reserve(live, nothing) is nothing
    assert orders.with_reserve(live, live) is live


@pytest.mark.parametrize("state", OrderState)
def test_what_is_left_of_an_order_is_nothing_once_it_is_over(state: OrderState) -> None:
    part = some_order(state, quantity_filled=Decimal(20))
    assert part.quantity_leaves == (0 if state in FINAL_STATES else 42)

"""In which order a batch is decided: commands and fences, reports, the clock, then requests by their moment."""

from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from tests.plays import TEN_NS, boot, clock, command, executed, gate, request, statement, worker
from trader.inbox import in_order
from trader.messages import (
    CancelOutcome,
    Claim,
    Gate,
    Input,
    LifeEnd,
    LookupMissed,
    OrderReport,
    SendOutcome,
    SendStarted,
)
from trader.model import ClientOrderId, Side, Symbol

D = Decimal
A, B = ClientOrderId("trd-A"), ClientOrderId("trd-B")


def told(order: ClientOrderId, claim: Claim, cumulative: int | str) -> OrderReport:
    return OrderReport(
        client_order_id=order,
        broker_order_id=None,
        symbol=Symbol("JD"),
        side=Side.BUY,
        claim=claim,
        quantity=None,
        quantity_cumulative=D(cumulative),
        execution=executed(1, "31.9", cumulative) if D(cumulative) else None,
        at_ns=0,
        source="stream",
    )


# No two of these stand on the same step, so a batch of them has one order.
LADDER: list[Input] = [
    boot(),
    command("halt"),
    SendStarted(client_order_id=A),
    told(A, Claim.NEW, 0),
    SendOutcome(client_order_id=A, outcome="unknown", reason=""),
    told(A, Claim.PARTIALLY_FILLED, 20),
    told(A, Claim.FILLED, 62),
    SendStarted(client_order_id=B),
    told(B, Claim.NEW, 0),
    CancelOutcome(client_order_id=B, outcome="accepted"),
    told(B, Claim.CANCELED, 3),
    statement(),
    clock(1),
    clock(2),
    request(9, "GS", at_ns=TEN_NS),
    request(1, at_ns=TEN_NS),
    request(2, at_ns=TEN_NS),
    request(3, "T", at_ns=TEN_NS),
    request(0, "GS", at_ns=TEN_NS + 1),
    LifeEnd(at_ns=0, exit_code=0),
]


@given(st.permutations(LADDER))
def test_the_order_of_a_batch_does_not_depend_on_the_order_of_arrival(batch: list[Input]) -> None:
    assert in_order(batch) == LADDER


@given(st.permutations(range(8)))
def test_what_a_person_or_a_gate_says_is_decided_as_it_came(order: list[int]) -> None:
    said: list[Input] = [
        command("halt"),
        command("resume"),
        command("cancel", "entries"),
        gate(Gate.MARKET_DATA, False, "x"),
        gate(Gate.MARKET_DATA, True),
        gate(Gate.TRADING_STREAM, True),
        worker("JD", ready=False),
        worker("JD", ready=True),
    ]
    batch = [said[number] for number in order]
    assert in_order([request(1), *batch, clock()]) == [*batch, clock(), request(1)]


def test_a_halt_comes_before_the_requests_that_came_with_it() -> None:
    assert in_order([request(1), command("halt")]) == [command("halt"), request(1)]


def test_a_fill_comes_before_the_exit_that_wants_to_sell_it() -> None:
    fill = told(A, Claim.FILLED, 62)
    assert in_order([request(1), fill]) == [fill, request(1)]


def test_a_missed_lookup_comes_after_the_acknowledgement_that_it_missed() -> None:
    miss = LookupMissed(client_order_id=A, attempts=0)
    found = told(A, Claim.NEW, 0)
    assert in_order([miss, found]) == [found, miss]


def test_an_empty_batch_stays_empty() -> None:
    assert in_order([]) == []


@given(st.lists(st.sampled_from([*LADDER, told(A, Claim.NEW, "0.5")]), max_size=30))
def test_nothing_is_lost_and_nothing_added(batch: list[Input]) -> None:
    ordered = in_order(batch)
    assert sorted(map(id, ordered)) == sorted(map(id, batch))
    assert in_order(ordered) == ordered


def test_late_requests_keep_their_place() -> None:
    late = replace(request(1), late=True)
    assert in_order([request(2), late]) == [late, request(2)]

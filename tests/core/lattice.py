"""All orders in which a set of reports can be heard, repeats among them, without walking each: what was heard, merged.

Every permutation of a multiset is a path through its sub-multisets. States that the same sub-multiset leads to and
that differ in nothing that matters are one from there on, so a handful stand for thousands of paths, none left out.
"""

from collections.abc import Iterator
from decimal import Decimal
from itertools import product
from typing import NamedTuple

from msgspec.structs import replace

from tests.core.auditor import MAY_BECOME
from tests.core.truth import TEN_NS, dollars
from tests.plays import Play, buy, filled, opened, report, sell, send_ended, sent
from trader.executor import decided
from trader.messages import Claim, Input, OrderReport
from trader.model import (
    BrokerOrderId,
    Execution,
    ExecutionId,
    Order,
    OrderState,
    Side,
    Symbol,
)
from trader.state import ExecutionState

JD = Symbol("JD")
SHARES = 3
PRICES = (3_190, 3_192, 3_187)  # in cents, of the first, second and third share of a buy

# What can be told of an order of three shares, by a letter; a final claim says with a digit how much was executed.
LIVES = (
    "p n 1 2 3",
    "n 1 2 3 u",
    "n 1 2 c2 u",
    "n 1 u 2 e2",
    "p n 1 c1 u",
    "p n 1 e1 x",
    "p n x 1 2",
    "p n u c0",
    "p n x e0",
    "p n r0",
)
WORDS = ("p", "n", "1", "2", "3", "u", "x", "c0", "c1", "c2", "e0", "e1", "e2", "r0")
CLAIMS = {
    "p": Claim.PENDING_NEW,
    "n": Claim.NEW,
    "u": Claim.PENDING_CANCEL,
    "x": Claim.CANCEL_REJECTED,
    "c": Claim.CANCELED,
    "e": Claim.EXPIRED,
    "r": Claim.REJECTED,
}


def told(order: Order, word: str, source: str = "stream") -> OrderReport:
    """The report that a word stands for."""
    number, execution = int(word[-1]) if word[-1].isdigit() else 0, None
    if word.isdigit():
        claim = Claim.FILLED if number == SHARES else Claim.PARTIALLY_FILLED
        cents = PRICES[number - 1] - (0 if order.side is Side.BUY else 150)
        execution = Execution(
            execution_id=ExecutionId(f"{order.client_order_id}/{number}"),
            quantity=Decimal(1),
            price=dollars(cents),
            quantity_cumulative=Decimal(number),
            at_ns=TEN_NS,
        )
    else:
        claim = CLAIMS[word[0]]
    return OrderReport(
        client_order_id=order.client_order_id,
        broker_order_id=BrokerOrderId(f"B-{order.client_order_id}"),
        symbol=order.symbol,
        side=order.side,
        claim=claim,
        quantity=order.quantity,
        quantity_cumulative=Decimal(number),
        execution=execution,
        at_ns=TEN_NS,
        source=source,
    )


def begun(state: OrderState, side: Side) -> Play:
    """A play whose last order is in this state, by the shortest way."""
    play = opened()
    if side is Side.SELL:
        play = play >> buy("JD", SHARES, "31.95") >> sent() >> filled(SHARES, "31.92")
        play = play >> sell("JD", SHARES, "31.5")
    else:
        play = play >> buy("JD", SHARES, "31.95")
    if state is OrderState.INTENT:
        return play
    play = play >> sent()
    match state:
        case OrderState.UNKNOWN:
            play = play >> send_ended("unknown")
        case OrderState.NEVER_SENT:
            play = play >> send_ended("never_sent")
        case OrderState.PARTIALLY_FILLED:
            play = play >> told(play.order(), "1")
        case OrderState.FILLED:
            for word in "123":
                play = play >> told(play.order(), word)
        case OrderState.SENT:
            pass
        case _:
            play = play >> report(Claim(state.value.lower()))
    assert play.order().state is state
    return play


class Essence(NamedTuple):
    """What must not tell in which order the reports came: everything but the last price and what is asked."""

    order: Order
    held: tuple[Decimal, Decimal, Decimal, int, int]
    money: tuple[Decimal, ...]


def essence(state: ExecutionState, name: str) -> Essence:
    """Of the one order."""
    order = next(one for one in state.orders.values() if one.client_order_id == name)
    executions = sorted(order.executions, key=lambda one: one.execution.execution_id)
    same = [replace(one, cost=Decimal(0), realized=Decimal(0)) for one in executions]
    order = replace(
        order,
        executions=tuple(same),
        state_reason="",
        state_ns=0,
        lookups=0,
        lookup_open=False,
    )
    held, books = state.position(order.symbol), state.books
    return Essence(
        order,
        (held.quantity, held.cost, held.realized, len(held.entries), len(held.exits)),
        (books.cash, books.reserved, books.bought, books.sold, books.fees, books.realized),
    )


Told = tuple[int, ...]  # how often each report has been told


def walked(
    start: ExecutionState, reports: list[OrderReport], duplicates: int
) -> Iterator[tuple[Told, dict[Essence, ExecutionState]]]:
    """Every multiset of them with up to so many repeats in all, and the endings of its permutations."""
    name = reports[0].client_order_id
    nothing = (0,) * len(reports)
    found: dict[Told, dict[tuple[Essence, bool], ExecutionState]] = {
        nothing: {(essence(start, name), False): start}
    }
    for told_so_far in sorted(product(range(3), repeat=len(reports)), key=sum):
        if sum(times - 1 for times in told_so_far if times) > duplicates:
            continue
        here: dict[tuple[Essence, bool], ExecutionState] = found.setdefault(told_so_far, {})
        for at, times in enumerate(told_so_far):
            if times:
                less = (*told_so_far[:at], times - 1, *told_so_far[at + 1 :])
                for before in found[less].values():
                    after = heard(before, reports[at])
                    order = after.orders[name]
                    here[essence(after, name), order.lookup_open] = after
        yield told_so_far, {one: state for (one, _), state in here.items()}


def heard(state: ExecutionState, report: Input) -> ExecutionState:
    """One more; the table is obeyed, and the reserve follows."""
    assert isinstance(report, OrderReport)
    name = report.client_order_id
    before = state.orders[name]
    state, _ = decided(state, [report])
    order, held = state.orders[name], state.position(report.symbol)
    # An end that was claimed before, and had to wait, may take effect now.
    may_be = {before.state, before.final_reported} | MAY_BECOME[before.state]
    is_in_the_table = order.state in may_be
    assert is_in_the_table, f"H: {before} heard {report} and became {order}"
    due = order.quantity_leaves * order.reserve_price if order.side is Side.BUY else Decimal(0)
    assert order.reserved == due == state.books.reserved
    given = state.books.opening + state.books.realized
    assert state.books.cash + held.cost == given
    return state

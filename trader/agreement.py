"""The broker's statement against our books: agree, or say on what we differ. Nothing is ever overwritten.

A first difference is looked at again, because a fill may have come between two questions; one that stays closes the
symbols concerned (a difference in cash: all) until a person takes a side.
"""

from decimal import Decimal

from trader import movements, orders
from trader.evolve import evolve
from trader.messages import (
    Acceptance,
    Alarmed,
    DifferenceFound,
    Event,
    Gate,
    GateMoved,
    Quarantined,
    Released,
    Statement,
    StatementCompared,
)
from trader.model import OrderState, Symbol
from trader.money import ZERO, plain
from trader.reports import lookup_wanted
from trader.state import ALL_SYMBOLS, ExecutionState

STATEMENT_ATTEMPTS_MAX = 3  # looks at a difference before it is called one


def on_statement(state: ExecutionState, statement: Statement) -> tuple[Event, ...]:
    """Agree with the broker, or say on what we differ. Nothing is overwritten."""
    events: list[Event] = []
    if not state.is_opened:
        events.append(movements.opening_at(statement))
        state = evolve(state, events[0])
    events.extend(_lost_orders(state, statement))
    differences = _differences(state, statement)
    compared = StatementCompared(
        agrees=not differences,
        cash=plain(statement.cash),
        positions=sum(1 for quantity in statement.positions.values() if quantity),
        open_orders=len(statement.open_orders),
        surplus=_surplus(differences),
    )
    events.append(compared)
    events.extend(_in_debt(state, statement.cash))
    if not differences:
        return (*events, *_opened(state))
    if all(_is_called(state, one) for one in differences):
        # A person knows of it; the symbols concerned are closed already.
        return (*events, *_opened(state))
    if statement.attempts < STATEMENT_ATTEMPTS_MAX:
        # A fill may have come between the questions: look again, and enter nothing meanwhile.
        return (*events, *_closed(state))
    return (*events, *_called(state, differences), *_opened(state))


def holds(state: ExecutionState, statement: Statement) -> bool:
    """Whether our books are still what this statement said, to the cent and the share."""
    return not _differences(state, statement)


def on_acceptance(state: ExecutionState, acceptance: Acceptance) -> tuple[Event, ...]:
    """A person takes one side of every difference: adjusting entries, or none; and the quarantines end."""
    events: list[Event] = []
    for one in _differences(state, acceptance.statement):
        if acceptance.side == "broker":
            events.append(movements.adjustment(state, one, acceptance))
        events.append(Released(symbol=one.symbol, who=acceptance.who, reason=acceptance.reason))
    return tuple(events)


def _differences(state: ExecutionState, statement: Statement) -> list[DifferenceFound]:
    found: list[DifferenceFound] = []
    if state.cash_at_broker != statement.cash:
        found.append(_difference("cash", None, state.cash_at_broker, statement.cash))
    for symbol in sorted({*state.positions.keys(), *statement.positions}):
        ours = state.position(symbol).quantity
        theirs = statement.positions.get(symbol, ZERO)
        if ours != theirs:
            found.append(_difference("position", symbol, ours, theirs))
    return found


def _difference(
    subject: str, symbol: Symbol | None, ours: object, theirs: object
) -> DifferenceFound:
    return DifferenceFound(subject=subject, symbol=symbol, ours=str(ours), theirs=str(theirs))


def _called(state: ExecutionState, differences: list[DifferenceFound]) -> list[Event]:
    """A difference that stayed: rows with both values, and no entries where it is."""
    events: list[Event] = list(differences)
    for one in differences:
        if not _is_called(state, one):
            why = _words(one)
            events.append(Quarantined(symbol=one.symbol, reason=why, raw=""))
            events.append(Alarmed(alarm="books_differ", symbol=one.symbol, message=why))
    return events


def _in_debt(state: ExecutionState, cash: Decimal) -> list[Event]:
    """This program buys with what is there. An account that owes money was moved by somebody else, or by a bug."""
    if cash >= 0 or ALL_SYMBOLS in state.quarantined:
        return []
    why = f"the broker's cash is {plain(cash)}: the account owes money"
    return [
        Quarantined(symbol=None, reason=why, raw=""),
        Alarmed(alarm="account_in_debt", symbol=None, message=why),
    ]


def _surplus(differences: list[DifferenceFound]) -> dict[Symbol, Decimal] | None:
    """Exits go by the smaller holding from the first look on: whatever comes of it, those shares may not be there.

    Empty where only cash differs: all shares are there again.
    """
    if not differences:
        return None
    return {
        one.symbol: plain(Decimal(one.ours) - Decimal(one.theirs))
        for one in differences
        if one.symbol is not None
    }


def _words(one: DifferenceFound) -> str:
    return f"{one.subject}: ours {one.ours}, the broker's {one.theirs}"


def _is_called(state: ExecutionState, one: DifferenceFound) -> bool:
    return state.quarantined.get(one.symbol or ALL_SYMBOLS) == _words(one)


def _opened(state: ExecutionState) -> list[Event]:
    if any(gate is Gate.RECONCILED for gate, _ in state.gates_closed):
        return [GateMoved(gate=Gate.RECONCILED, is_open=True, reason="agreed with the broker")]
    return []


def _closed(state: ExecutionState) -> list[Event]:
    if any(gate is Gate.RECONCILED for gate, _ in state.gates_closed):
        return []
    return [GateMoved(gate=Gate.RECONCILED, is_open=False, reason="books differ from the broker's")]


def _lost_orders(state: ExecutionState, statement: Statement) -> list[Event]:
    """Orders that live with us but not in the statement: ask for each by its id."""
    lost = sorted(
        order.client_order_id
        for order in state.orders.values()
        if orders.is_live(order)
        and order.client_order_id not in statement.open_orders
        and order.state not in {OrderState.INTENT, OrderState.SENT}
        and not order.lookup_open
        and not order.is_denied  # It is in the statement, and the broker's answer is known.
    )
    return [lookup_wanted(state.orders[one], "not among the broker's open orders") for one in lost]

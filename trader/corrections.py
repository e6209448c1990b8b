"""An execution that the broker takes back or replaces; an order whose fate a person has to tell.

A bust books the exact reverse of what was booked, under the execution's own id, so it happens once; a correction books
what takes its place like any execution. A person's word counts only for an order that is alive and in question.
"""

from collections.abc import Iterator
from decimal import Decimal

from trader import orders, recognition, reports
from trader.evolve import evolve
from trader.messages import (
    Alarmed,
    CancelRequested,
    Claim,
    Event,
    ExecutionCorrected,
    Noted,
    OrderReport,
    Quarantined,
    Resolution,
    raw_text,
    worst_cost,
)
from trader.model import AT_BROKER, BookedExecution, Execution, ExecutionId, Order, Side, Symbol
from trader.money import ZERO, plain
from trader.movements import movement
from trader.orders import Notice, Trigger
from trader.state import ExecutionState


def on_correction(state: ExecutionState, told: ExecutionCorrected) -> tuple[Event, ...]:
    """Take back exactly what was booked for an execution, once, and book what takes its place."""
    order = state.orders.get(told.client_order_id)
    booked = None if order is None else _booked_in(order, told.execution_id)
    if order is None or booked is None:
        why = f"execution {told.execution_id} was corrected, and is not in the books"
        return _objection(state, told, why)
    if booked.is_busted:
        return ()
    if why := _misfit(state, order, told):
        return _objection(state, told, why)
    bust = _bust(state, order, booked, told)
    what = f"execution {told.execution_id} of {order.client_order_id} was taken back"
    events: list[Event] = [
        bust,
        Alarmed(alarm="execution_busted", symbol=order.symbol, message=what),
    ]
    after = evolve(state, bust)
    now = after.orders[order.client_order_id]
    if told.replacement is None or recognition.knows(now, told.replacement):
        if orders.is_live(now) and now.quantity_filled >= now.quantity:
            # What was taken back was more than the order: nothing is left of it that could live.
            whole, _ = orders.after(now, Trigger.FILL_ALL)
            events.append(reports.order_changed(after, whole, "still filled after the bust"))
        elif orders.is_live(now) and not now.lookup_open:
            events.append(reports.lookup_wanted(now, "an execution was taken back"))
        return (*events, *_exits_too_many(after, order.symbol))
    replaced = reports.execution_booked(after, now, told.replacement)
    events.append(replaced)
    after = evolve(after, replaced)
    filled, notice = orders.after_execution(after.orders[order.client_order_id])
    if filled.state is not now.state:
        events.append(reports.order_changed(state, filled, "corrected by the broker"))
    if notice is Notice.HALT:
        more = (
            f"{order.client_order_id} was corrected to {filled.quantity_filled} of {order.quantity}"
        )
        events.extend(_quarantine(told, more))
    return (*events, *_exits_too_many(after, order.symbol))


def _objection(state: ExecutionState, told: ExecutionCorrected, why: str) -> tuple[Event, ...]:
    """Stop the symbol for a person to look, once: lists of fills go on telling what nothing was booked of."""
    reference = f"corrected {told.execution_id}"
    if told.replacement is not None:
        reference += f" to {told.replacement.execution_id}"
    return () if reference in state.booked else _quarantine(told, why, reference)


def _exits_too_many(state: ExecutionState, symbol: Symbol) -> Iterator[Event]:
    """Shares that were never ours may be on their way out: the last exits that go beyond what is left are canceled."""
    held = state.position(symbol)
    beyond = sum((state.orders[one].quantity_leaves for one in held.exits), ZERO) - held.quantity
    for name in reversed(held.exits):
        order = state.orders[name]
        can_be = order.state in AT_BROKER and not order.cancel_requested
        if beyond > 0 and order.side is Side.SELL and can_be:
            beyond -= order.quantity_leaves
            yield CancelRequested(
                client_order_id=name, symbol=symbol, reason="what it sells was taken back"
            )


def _misfit(state: ExecutionState, order: Order, told: ExecutionCorrected) -> str:
    """Why this can't be what took the place of an execution of this order; empty when it can."""
    if told.symbol != order.symbol:
        return f"a correction of {order.client_order_id} says {told.symbol}"
    new = told.replacement
    if new is None or _booked_in(order, new.execution_id) is not None:
        return ""
    if new.quantity <= 0 or new.price <= 0:
        return f"execution of {new.quantity} at {new.price}"
    if state.executed.get(new.execution_id, order.client_order_id) != order.client_order_id:
        return f"execution {new.execution_id} belongs to another order"
    return reports.implausible(state, order, new)


def _booked_in(order: Order, execution_id: str) -> BookedExecution | None:
    return next(
        (one for one in order.executions if one.execution.execution_id == execution_id), None
    )


def _quarantine(told: ExecutionCorrected, why: str, reference: str = "") -> tuple[Event, ...]:
    raw = raw_text(told)
    return (
        Quarantined(symbol=told.symbol, reason=why, raw=raw, reference=reference),
        Alarmed(alarm="quarantined", symbol=told.symbol, message=f"{told.symbol}: {why}"),
    )


def _bust(
    state: ExecutionState, order: Order, booked: BookedExecution, told: ExecutionCorrected
) -> Event:
    sign = 1 if order.side is Side.BUY else -1
    held = state.position(order.symbol)
    quantity = plain(-sign * booked.execution.quantity)
    cash = plain(sign * booked.notional + booked.fees)
    # Shares sold meanwhile left at average cost: what is flat costs nothing, and the rest was profit or loss.
    cost = -held.cost if held.quantity + quantity == 0 else -booked.cost
    after = orders.after_bust(orders.busted(order, told.execution_id))
    return movement(
        "bust",
        told.execution_id,
        told.reason or "taken back by the broker",
        symbol=order.symbol,
        cash=cash,
        quantity=quantity,
        cost=plain(cost),
        realized=plain(cash + cost),
        fees=plain(-booked.fees),
        # Shares that come back may find the symbol ownerless.
        strategy=held.strategy or order.strategy,
        client_order_id=order.client_order_id,
        reserved=plain(worst_cost(after)),
    )


def on_resolution(state: ExecutionState, told: Resolution) -> tuple[Event, ...]:
    """A person's word on an order that is alive: booked like the broker's, and on record as theirs."""
    order = state.orders.get(told.client_order_id)
    if order is None or not orders.is_live(order):
        return (Noted(subject="resolve", message=f"{told.client_order_id} isn't in question"),)
    why = f"resolved by {told.who}: {told.reason}"
    match told.outcome:
        case "never-sent":
            return reports.triggered(state, order, Trigger.PROVEN_NEVER_SENT, why)
        case "rejected":
            return reports.on_report(state, _as_report(order, Claim.REJECTED, why))
        case "canceled":
            return reports.on_report(state, _as_report(order, Claim.CANCELED, why))
        case "filled" if told.quantity is not None and told.price is not None:
            execution = Execution(
                execution_id=ExecutionId(f"resolved {told.command_id}"),
                quantity=plain(told.quantity),
                price=plain(told.price),
                quantity_cumulative=plain(order.quantity_filled + told.quantity),
                at_ns=state.at_ns,
            )
            is_whole = execution.quantity_cumulative == order.quantity
            claim = Claim.FILLED if is_whole else Claim.CANCELED
            return reports.on_report(state, _as_report(order, claim, why, execution))
        case _:
            return (Noted(subject="resolve", message=f"no such outcome: {told.outcome}"),)


def _as_report(
    order: Order, claim: Claim, reason: str, execution: Execution | None = None
) -> OrderReport:
    cumulative: Decimal = (
        order.quantity_filled if execution is None else execution.quantity_cumulative
    )
    return OrderReport(
        client_order_id=order.client_order_id,
        broker_order_id=order.broker_order_id,
        symbol=order.symbol,
        side=order.side,
        claim=claim,
        quantity=order.quantity,
        quantity_cumulative=cumulative,
        execution=execution,
        at_ns=0 if execution is None else execution.at_ns,
        source="person",
        reason=reason,
    )

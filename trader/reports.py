"""What the broker says, decided: reports of orders, outcomes of sends, and its statement against our books.

A report is checked against the intent it claims to be about before anything is booked; what doesn't fit is
quarantined with what was heard. Evidence moves an order, silence never does.
"""

from msgspec.structs import replace

from trader import accounting, brakes, movements, orders, positions, recognition
from trader.evolve import evolve
from trader.messages import (
    Alarmed,
    Brake,
    BrakeTripped,
    CancelOutcome,
    Claim,
    Event,
    ExecutionBooked,
    LookupMissed,
    LookupWanted,
    OrderChanged,
    OrderReport,
    Quarantined,
    SendOutcome,
    SendStarted,
    raw_text,
)
from trader.model import AT_BROKER, ENTRY_PURPOSES, Execution, Order, OrderState, Side, Symbol
from trader.money import canonical, plain, price_of
from trader.orders import Notice, Trigger
from trader.state import ExecutionState

OVER = frozenset({Claim.FILLED, Claim.CANCELED, Claim.EXPIRED, Claim.REJECTED})


# ------------------------------------------------------------------------------------------ order reports


def on_report(state: ExecutionState, report: OrderReport) -> tuple[Event, ...]:
    """Book a new execution, then let the claim move the order."""
    order = state.orders.get(report.client_order_id)
    if order is None:
        return _of_no_order(state, report)
    misfit = _misfit(state, order, report)
    if misfit:
        known = _quarantine(state, order.symbol, misfit, report)
        is_answer = report.source == "query" and order.lookup_open and orders.is_live(order)
        return (*known, lookup_wanted(order, misfit)) if is_answer else known
    if report.execution is not None and recognition.was_busted(order, report.execution):
        return ()  # Lists of fills go on showing it; what it claims of the order is taken back, too.
    events: list[Event] = []
    booked: ExecutionBooked | None = None
    now, notice = order, Notice.QUIET
    if report.execution is not None and not recognition.knows(order, report.execution):
        booked = execution_booked(state, order, report.execution)
        events.append(booked)
        now = evolve(state, booked).orders[order.client_order_id]
        now, notice = orders.after_execution(now)
    if report.claim is Claim.FOREIGN_CHANGE:
        events.extend(
            _quarantine(state, order.symbol, f"changed by others: {report.reason}", report)
        )
    else:
        now, heard = orders.after_claim(
            _open_to_less(now, report),
            orders.claim_meant(order, report.claim, report.source, state.at_ns),
            report.quantity_cumulative,
            report.broker_order_id,
        )
        now, settled = orders.settled(now)
        if heard is not Notice.QUIET or settled is not Notice.QUIET:
            notice = max(notice, heard, settled)
    if recognition.denies(now, report.claim):
        if order.is_denied and not events:
            notice = Notice.QUIET  # Each statement says it again.
        now = replace(now, is_denied=True)
    if now is order and notice is Notice.QUIET and not (events or order.lookup_open):
        return tuple(_still_unexplained(order, now, report))  # As most of what a statement tells.
    events.extend(_changes(state, order, now, report))
    events.extend(_notices(order, report, notice))
    if booked is not None:
        events.extend(_beyond_reserve(order, booked))
        events.extend(_brakes(state, order, booked))
    events.extend(_still_unexplained(order, now, report))
    return tuple(events)


def _open_to_less(order: Order, report: OrderReport) -> Order:
    """What is claimed only grows, unless something was taken back: then a claim of before may have come after.

    So the latest answer to a question is believed; what was told unasked may be older than what it overtook. And a
    person who says what became of the order has looked: no claim that nothing was brought for outweighs that.
    """
    is_latest = report.source == "query" and recognition.has_bust(order)
    if report.source == "person" or is_latest:
        return replace(order, quantity_reported=order.quantity_filled)
    return order


def _misfit(state: ExecutionState, order: Order, report: OrderReport) -> str:
    """Why a report can't be about this order; empty when it can."""
    if report.symbol != order.symbol or report.side is not order.side:
        return f"report says {report.side.value} {report.symbol}"
    if report.quantity is not None and report.quantity != order.quantity:
        return f"report says quantity {report.quantity}, the order {order.quantity}"
    if order.broker_order_id and report.broker_order_id not in {None, order.broker_order_id}:
        return f"two orders at the broker under one id: {order.broker_order_id}, {report.broker_order_id}"
    execution = report.execution
    if execution is None:
        return _of_too_little(order, report)
    if execution.quantity <= 0 or execution.price <= 0:
        return f"execution of {execution.quantity} at {execution.price}"
    if state.executed.get(execution.execution_id, order.client_order_id) != order.client_order_id:
        return f"execution {execution.execution_id} belongs to another order"
    if recognition.contradicts(order, execution):
        return f"execution {execution.execution_id} told twice, differently"
    # What is in the books stays there, wherever the market goes.
    return "" if recognition.knows(order, execution) else implausible(state, order, execution)


def _of_too_little(order: Order, report: OrderReport) -> str:
    """Filled means all of it, unless an execution was taken back since."""
    is_whole = report.claim is not Claim.FILLED or report.quantity_cumulative >= order.quantity
    if is_whole or recognition.has_bust(order):
        return ""
    return f"report says filled, and {report.quantity_cumulative} of {order.quantity}"


def implausible(state: ExecutionState, order: Order, execution: Execution) -> str:
    """Why the price of an execution can't be right; empty where it may be."""
    held = state.position(order.symbol)
    # Of what is not held nobody brings the mark up to date.
    mark = held.mark if held.quantity else 0
    if recognition.is_plausible(order, execution, mark):
        return ""
    near = f"an order at {order.reserve_price}" + (f", mark {price_of(mark)}" if mark else "")
    return f"execution {execution.execution_id} at {execution.price}, far from {near}"


def execution_booked(state: ExecutionState, order: Order, execution: Execution) -> ExecutionBooked:
    """What an execution does to the books."""
    notional = plain(execution.quantity * execution.price)
    fees = accounting.fee_of(order.side, execution.quantity, notional, state.fees)
    trade = positions.traded(
        state.position(order.symbol), order.side, execution.quantity, notional, fees
    )
    return ExecutionBooked(
        client_order_id=order.client_order_id,
        symbol=order.symbol,
        side=order.side,
        strategy=order.strategy,
        execution=execution,
        notional=notional,
        fees=fees,
        cost=trade.cost,
        realized=trade.realized,
        released=orders.released_by(order, execution),
    )


def _changes(
    state: ExecutionState, before: Order, now: Order, report: OrderReport
) -> list[OrderChanged]:
    """One event if anything but the booked amounts moved; a settled order answers the question about it."""
    answered = before.lookup_open and report.source == "query"
    if (
        now.state is before.state
        and now.broker_order_id == before.broker_order_id
        and now.quantity_reported == before.quantity_reported
        and now.final_reported is before.final_reported
        and now.is_denied is before.is_denied
        and now.cancel_requested is before.cancel_requested
        and not answered
    ):
        return []
    return [order_changed(state, now, _found(before, report))]


def order_changed(state: ExecutionState, now: Order, reason: str) -> OrderChanged:
    """The event that makes an order what `now` is."""
    now = orders.with_reserve(state.orders[now.client_order_id], now)
    return OrderChanged(
        client_order_id=now.client_order_id,
        symbol=now.symbol,
        state=now.state,
        broker_order_id=now.broker_order_id,
        quantity_reported=plain(now.quantity_reported),
        final_reported=now.final_reported,
        is_denied=now.is_denied,
        cancel_requested=now.cancel_requested,
        reserved=now.reserved,
        reason=reason,
        at_ns=state.at_ns,
    )


def _found(before: Order, report: OrderReport) -> str:
    if before.state is not OrderState.UNKNOWN or report.reason:
        return report.reason
    return "the stream told of it" if report.source == "stream" else "found at the broker by its id"


def _notices(order: Order, report: OrderReport, notice: Notice) -> list[Event]:
    if notice is Notice.QUIET:
        return []
    what = f"{order.client_order_id} was {order.state.value}, the broker says {report.claim.value}"
    events: list[Event] = [Alarmed(alarm="order_surprise", symbol=order.symbol, message=what)]
    if notice is Notice.HALT:
        events.append(_quarantined(order.symbol, what, report))
    return events


def _beyond_reserve(order: Order, booked: ExecutionBooked) -> list[Event]:
    """A fill that costs more than was counted on is real, and somebody hears of it."""
    price = booked.execution.price
    if order.side is not Side.BUY or price <= order.reserve_price:
        return []
    what = f"{order.client_order_id} filled at {price}, reserved at {order.reserve_price}"
    return [Alarmed(alarm="beyond_reserve", symbol=order.symbol, message=what)]


def _brakes(state: ExecutionState, order: Order, booked: ExecutionBooked) -> list[Event]:
    """Three filled entries of one symbol in ten minutes stop the symbol until a person resumes."""
    brake = Brake.REPEATED_EXECUTIONS
    if order.purpose not in ENTRY_PURPOSES or (brake, order.symbol) in state.brakes:
        return []
    at_ns = booked.execution.at_ns
    held = positions.with_entry_filled(state.position(order.symbol), order, at_ns)
    filled = held.entries_filled_ns
    if not brakes.tripped_by_fills(filled, at_ns, state.limits):
        return []
    numbers = {"entries_filled": str(len(filled))}
    return [BrakeTripped(brake=brake, symbol=order.symbol, numbers=numbers)]


def _still_unexplained(before: Order, now: Order, report: OrderReport) -> list[Event]:
    """Ask (again) while an order is in doubt or more is claimed of it than is booked."""
    if report.source == "activity" or not (
        now.state is OrderState.UNKNOWN or orders.is_unexplained(now)
    ):
        return []
    if before.lookup_open and report.source != "query":
        return []
    return [lookup_wanted(now, "the broker claims executions that have not reached us")]


def lookup_wanted(order: Order, reason: str) -> LookupWanted:
    """Ask the broker about it."""
    return LookupWanted(
        client_order_id=order.client_order_id,
        symbol=order.symbol,
        attempts=order.lookups,
        reason=reason,
    )


def _of_no_order(state: ExecutionState, report: OrderReport) -> tuple[Event, ...]:
    if report.client_order_id in state.used:
        return _of_a_forgotten_order(state, report)
    known = movements.before_adoption(state, report)
    is_over = report.claim in OVER or report.execution is not None
    if is_over and state.has_opened_since((report.execution or report).at_ns):
        return known  # It was over before we came; the opening balance has it in it.
    if state.position(report.symbol).is_hands_off:
        return movements.on_hand_trade(state, report)
    reference = _foreign(report.client_order_id)
    if reference in state.booked:
        return known
    shares = report.quantity if report.execution is None else report.execution.quantity
    what = report.side.value if shares is None else f"{report.side} {canonical(shares)}"
    why = f"an order that this program did not send: {report.client_order_id}, {what}"
    raw = raw_text(report)
    return (
        Quarantined(symbol=report.symbol, reason=why, raw=raw, reference=reference),
        Alarmed(alarm="foreign_order", symbol=report.symbol, message=f"{report.symbol}: {why}"),
        *known,
    )


def _foreign(name: str) -> str:
    """By which it is remembered that the broker has an order of this id, and the books had none."""
    return f"foreign {name}"


def _of_a_forgotten_order(state: ExecutionState, report: OrderReport) -> tuple[Event, ...]:
    """One of ours that ended days ago: nothing is new, unless it was executed after all."""
    execution = report.execution
    if execution is None or execution.quantity_cumulative <= state.used[report.client_order_id]:
        return ()
    reference = f"late {execution.execution_id}"
    if reference in state.booked:
        return ()
    why = f"{report.client_order_id} ended days ago, and {execution.quantity} of it were executed after all"
    raw = raw_text(report)
    return (
        Quarantined(symbol=report.symbol, reason=why, raw=raw, reference=reference),
        Alarmed(alarm="order_surprise", symbol=report.symbol, message=why),
    )


def _quarantine(
    state: ExecutionState, symbol: Symbol, why: str, report: OrderReport
) -> tuple[Event, ...]:
    if state.quarantined.get(symbol) == why:
        return ()
    return (
        _quarantined(symbol, why, report),
        Alarmed(alarm="quarantined", symbol=symbol, message=f"{symbol}: {why}"),
    )


def _quarantined(symbol: Symbol, why: str, report: OrderReport) -> Quarantined:
    return Quarantined(symbol=symbol, reason=why, raw=raw_text(report))


# ------------------------------------------------------------------------------------------------- sends


def on_send_started(state: ExecutionState, started: SendStarted) -> tuple[Event, ...]:
    """Bytes are about to leave."""
    order = state.orders[started.client_order_id]
    return triggered(state, order, Trigger.SEND_STARTED, "")


def on_send_outcome(state: ExecutionState, outcome: SendOutcome) -> tuple[Event, ...]:
    """The send ended without an acknowledgement."""
    order = state.orders[outcome.client_order_id]
    match outcome.outcome:
        case "never_sent" if _foreign(order.client_order_id) in state.booked:
            # The books are older than the order: this try came to nothing, and the one before did not.
            return doubted(state, order, f"the broker told of it before this try: {outcome.reason}")
        case "never_sent":
            events = triggered(state, order, Trigger.PROVEN_NEVER_SENT, outcome.reason)
            # What the broker has acknowledged stays alive, and is asked about.
            is_asked = order.state in AT_BROKER and order.lookup_open
            return (*events, lookup_wanted(order, outcome.reason)) if is_asked else events
        case "rejected" if order.state in AT_BROKER:
            return _rejected_yet_alive(order, outcome.reason)
        case "rejected":
            return triggered(state, order, Trigger.REJECTED, outcome.reason)
        case _:
            return doubted(state, order, outcome.reason)


def _rejected_yet_alive(order: Order, reason: str) -> tuple[Event, ...]:
    """A reply says no to what the broker itself has acknowledged: a gateway that sent twice. The order lives: ask."""
    why = f"a reply rejects {order.client_order_id}, which the broker has acknowledged: {reason}"
    surprise = Alarmed(alarm="order_surprise", symbol=order.symbol, message=why)
    return (surprise,) if order.lookup_open else (surprise, lookup_wanted(order, why))


def doubted(state: ExecutionState, order: Order, reason: str) -> tuple[Event, ...]:
    """Nobody knows whether the broker has it: it stays reserved and its symbol closed until there is evidence."""
    moved = triggered(state, order, Trigger.DOUBT, reason)
    now, _ = orders.after(order, Trigger.DOUBT)
    if now.state is not OrderState.UNKNOWN:
        return moved
    return (*moved, lookup_wanted(order, reason))


def on_cancel_outcome(state: ExecutionState, outcome: CancelOutcome) -> tuple[Event, ...]:
    """The broker will try, says no, or did not answer; in the last two cases ask what became of the order."""
    order = state.orders[outcome.client_order_id]
    if outcome.outcome == "accepted" and order.cancel_requested:
        return triggered(state, order, Trigger.CANCEL_PENDING, outcome.reason)
    if outcome.outcome == "accepted" or not orders.is_live(order):
        return ()  # A refusal has overtaken the reply, or it is over.
    why = f"cancel {outcome.outcome}: {outcome.reason}"
    again = replace(order, cancel_requested=False)  # It may be asked for again.
    events: list[Event] = [order_changed(state, again, why)] if order.cancel_requested else []
    return (*events, lookup_wanted(order, why)) if not order.lookup_open else tuple(events)


def on_lookup_missed(state: ExecutionState, missed: LookupMissed) -> tuple[Event, ...]:
    """Not found is not proof of absence: ask again, later and later."""
    order = state.orders.get(missed.client_order_id)
    if order is None or not orders.is_live(order):
        return ()
    return (lookup_wanted(order, "the broker does not know it, or not yet"),)


def triggered(
    state: ExecutionState, order: Order, trigger: Trigger, reason: str
) -> tuple[Event, ...]:
    """What follows from the order table, and who has to hear of it."""
    now, notice = orders.after(order, trigger)
    if now.state is order.state and notice is Notice.QUIET:
        return ()
    events: list[Event] = []
    if now.state is not order.state:
        events.append(order_changed(state, now, reason))
    if notice is not Notice.QUIET:
        what = f"{order.client_order_id} was {order.state.value}, now {trigger.value}: {reason}"
        events.append(Alarmed(alarm="order_surprise", symbol=order.symbol, message=what))
        if notice is Notice.HALT:
            events.append(Quarantined(symbol=order.symbol, reason=what, raw=""))
    return tuple(events)

"""`evolve`: what the journal's events add up to, with no rule in it, so that a changed rule breaks no old journal."""

from collections import deque
from collections.abc import Iterable
from decimal import Decimal
from typing import assert_never

from immutables import Map
from msgspec.structs import replace

from trader import (
    accounting,
    calendar,
    conditions,
    orders,
    positions,
    protection,
    reductions,
    tally,
)
from trader.messages import (
    Alarmed,
    BooksMoved,
    BrakeTripped,
    CancelRequested,
    ClockMoved,
    CommandAnswered,
    DifferenceFound,
    DuplicateBlocked,
    Entry,
    Event,
    ExecutionBooked,
    GateMoved,
    Halted,
    LifeBegan,
    LifeEnded,
    LimitChanged,
    LookupWanted,
    Noted,
    OpeningBooked,
    OrderChanged,
    Promoted,
    Quarantined,
    ReductionBegan,
    ReductionEnded,
    Released,
    RequestAccepted,
    RequestDenied,
    Resumed,
    SecurityStatusMoved,
    SessionBegan,
    StatementCompared,
    WorkerMoved,
)
from trader.model import (
    ENTRY_PURPOSES,
    BookedExecution,
    ClientOrderId,
    Order,
    Symbol,
)
from trader.money import ZERO, plain
from trader.positions import Position
from trader.state import ALL_SYMBOLS, ANSWERS_MAX, ExecutionState, Halt


def fold(state: ExecutionState, entries: Iterable[Entry]) -> ExecutionState:
    """The state after these entries."""
    for entry in entries:
        state = evolve_entry(state, entry)
    return state


def evolve_entry(state: ExecutionState, entry: Entry) -> ExecutionState:
    """The state after one journal row."""
    assert entry.sequence == state.sequence + 1, "the journal has no gaps"
    for event in entry.events:
        state = _after(state, event)
    return replace(state, sequence=entry.sequence)


# What was folded last. Deciding folds an event to see what follows from it, the check of the books folds it again, and
# what was decided is folded for good: the very same values each time, and a function of them.
_latest: deque[tuple[ExecutionState, Event, ExecutionState]] = deque(maxlen=4)


def evolve(state: ExecutionState, event: Event) -> ExecutionState:
    """The state after one event."""
    for before, known, after in _latest:
        if known is event and before is state:
            return after
    after = _after(state, event)
    _latest.appendleft((state, event, after))
    return after


def _after(state: ExecutionState, event: Event) -> ExecutionState:
    match event:
        case DuplicateBlocked():
            return tally.told(state, event, blocked=1)
        case OrderChanged():
            return _order_changed(state, event)
        case RequestAccepted():
            return _accepted(state, event)
        case ExecutionBooked():
            return _execution_booked(state, event)
        case ClockMoved():
            return conditions.clock_moved(state, event)
        case RequestDenied():
            return tally.told(state, event, denied=1)
        case SessionBegan():
            return conditions.session_began(state, event)
        case LifeBegan():
            return conditions.life_began(state, event)
        case CancelRequested(is_later=True):
            return replace(state, cancels=state.cancels.set(event.client_order_id, event.reason))
        case CancelRequested() | LookupWanted():
            return _asked(state, event)
        case OpeningBooked():
            return _opened(state, event)
        case BooksMoved():
            return _books_moved(state, event)
        case Released():
            return conditions.released(state, event)
        case SecurityStatusMoved():
            return conditions.security_status_moved(state, event)
        case Quarantined():
            return _quarantined(state, event)
        case BrakeTripped():
            tripped = (event.brake, event.symbol or ALL_SYMBOLS)
            return replace(state, brakes=state.brakes | {tripped})
        case GateMoved():
            return conditions.gate_moved(state, event)
        case WorkerMoved():
            return conditions.worker_moved(state, event)
        case Halted():
            return replace(state, halt=_halt(event))
        case CommandAnswered():
            return replace(state, answers=(*state.answers, event)[-ANSWERS_MAX:])
        case Resumed():
            return _resumed(state)
        case StatementCompared():
            differing = state.differing if event.surplus is None else Map(event.surplus)
            return replace(
                state,
                statements=state.statements + 1,
                told_ns=state.at_ns,
                agrees=event.agrees,
                differing=Map() if event.agrees else differing,
            )
        case DifferenceFound() if event.symbol is not None and event.subject == "position":
            surplus = Decimal(event.ours) - Decimal(event.theirs)
            return replace(state, differing=state.differing.set(event.symbol, surplus))
        case Promoted():
            return replace(state, promoted=state.promoted.set(event.strategy, event.configured))
        case ReductionBegan() | ReductionEnded():
            return replace(state, reductions=reductions.moved(state.reductions, event))
        case LifeEnded():
            return replace(state, is_ended=True)
        case LimitChanged() | DifferenceFound() | Alarmed() | Noted():
            return state
        case _:
            assert_never(event)


def _asked(state: ExecutionState, event: CancelRequested | LookupWanted) -> ExecutionState:
    order = state.orders[event.client_order_id]
    if isinstance(event, CancelRequested):
        order = replace(order, cancel_requested=True, cancel_asked_ns=state.at_ns)
    else:
        order = replace(order, lookups=event.attempts + 1, lookup_open=True)
    return replace(state, orders=state.orders.set(event.client_order_id, order))


def _opened(state: ExecutionState, event: OpeningBooked) -> ExecutionState:
    opened = replace(
        state,
        books=accounting.opened(state.books, event.cash),
        is_opened=True,
        opened_ns=event.at_ns,
        opened_activities_ns=event.activities_ns or event.at_ns,
        equity_session=plain(state.equity_session + event.cash),
    )
    return replace(opened, equity_peak=conditions.peak_of(opened, plain(opened.equity)))


def _halt(event: Halted) -> Halt:
    return Halt(
        who=event.who,
        reason=event.reason,
        command_id=event.command_id,
        at_ns=event.at_ns,
        cancels=event.cancels,
        flattens=event.flattens,
        shuts=event.shuts,
    )


def _resumed(state: ExecutionState) -> ExecutionState:
    """Whoever resumes accepts the loss so far: the brakes start over from here."""
    equity = plain(state.equity)
    return replace(state, halt=None, brakes=frozenset(), equity_session=equity, equity_peak=equity)


# ---------------------------------------------------------------------------------------------- requests


def _accepted(state: ExecutionState, event: RequestAccepted) -> ExecutionState:
    order = event.order
    position = positions.with_order(state.position(order.symbol), None, order)
    is_entry = order.purpose in ENTRY_PURPOSES
    if is_entry:
        position = replace(
            position, strategy=order.strategy, entries_session=position.entries_session + 1
        )
        state = tally.entered(state, order)
    return replace(
        state,
        counts=tally.counted(state.counts, accepted=1),
        tellings=state.tellings.set(event.request_id, event.digest),
        used=state.used.set(order.client_order_id, ZERO),
        orders=state.orders.set(order.client_order_id, order),
        positions=state.positions.set(order.symbol, position),
        reductions=reductions.with_order(state.reductions, order),
        books=accounting.reserved(state.books, order.reserved),
    )


# ------------------------------------------------------------------------------------------------ orders


def _order_changed(state: ExecutionState, event: OrderChanged) -> ExecutionState:
    before = state.orders[event.client_order_id]
    now = replace(
        before,
        state=event.state,
        broker_order_id=event.broker_order_id,
        quantity_reported=event.quantity_reported,
        final_reported=event.final_reported,
        is_denied=event.is_denied,
        cancel_requested=event.cancel_requested,
        reserved=event.reserved,
        state_reason=event.reason,
        state_ns=event.at_ns,
        lookup_open=False,
    )
    books = accounting.reserved(state.books, now.reserved - before.reserved)
    return _with_order(state, before, now, state.position(now.symbol), books=books)


def _with_order(
    state: ExecutionState, before: Order, now: Order, held: Position, **moved: object
) -> ExecutionState:
    """The state with an order, and what else has moved with it, in one copy: it is a large value."""
    position = positions.released_when_flat(positions.with_order(held, before, now))
    lives = orders.is_live(now) - orders.is_live(before)
    known = state.positions.get(now.symbol)
    return replace(
        state,
        **moved,
        orders=state.orders.set(now.client_order_id, now),
        positions=state.positions
        if position is known
        else state.positions.set(now.symbol, position),
        cancels=_to_cancel(state, now),
        entries_open=state.entries_open + (lives if now.purpose in ENTRY_PURPOSES else 0),
    )


def _to_cancel(state: ExecutionState, order: Order) -> Map[ClientOrderId, str]:
    name = order.client_order_id
    is_over = name in state.cancels and not orders.is_live(order)
    return state.cancels.delete(name) if is_over else state.cancels


def _execution_booked(state: ExecutionState, event: ExecutionBooked) -> ExecutionState:
    before = state.orders[event.client_order_id]
    held = protection.guarded(state.position(event.symbol), before)
    position = protection.marked(
        positions.booked(held, event), positions.mark_of(event), state.at_ns
    )
    position = positions.with_entry_filled(position, before, event.execution.at_ns)
    done = BookedExecution(
        execution=event.execution,
        notional=event.notional,
        fees=event.fees,
        cost=event.cost,
        realized=event.realized,
    )
    return _with_order(
        state,
        before,
        orders.booked(before, done, event.released),
        position,
        executed=state.executed.set(event.execution.execution_id, event.client_order_id),
        brought=_brought(state, event),
        fees_accrued=_accruing(state, event.execution.at_ns, event.fees),
        books=accounting.booked(state.books, event),
        positions_value=plain(state.positions_value - held.value + position.value),
    )


def _brought(state: ExecutionState, event: ExecutionBooked | BooksMoved) -> Map[Symbol, Decimal]:
    shares = accounting.brought_by(event)
    if event.symbol is None or not shares:
        return state.brought
    so_far = state.brought.get(event.symbol, ZERO)
    return state.brought.set(event.symbol, plain(so_far + shares))


def _accruing(state: ExecutionState, at_ns: int, fees: Decimal) -> Map[str, Decimal]:
    """Fees are charged for the day of the execution, whenever we heard of it; a bust takes them back from that day."""
    if not fees:
        return state.fees_accrued
    try:
        day = calendar.new_york_date(at_ns)
    except ValueError:  # a time that the broker made up
        day = state.session
    so_far = state.fees_accrued.get(day, ZERO)
    return state.fees_accrued.set(day, plain(so_far + fees))


def _quarantined(state: ExecutionState, event: Quarantined) -> ExecutionState:
    booked = state.booked.set(event.reference, None) if event.reference else state.booked
    symbol = event.symbol or ALL_SYMBOLS
    return replace(state, booked=booked, quarantined=state.quarantined.set(symbol, event.reason))


def _books_moved(state: ExecutionState, event: BooksMoved) -> ExecutionState:
    accrued = state.fees_accrued
    if event.charged in accrued:
        accrued = accrued.delete(event.charged)
    held, value = state.positions, state.positions_value
    if event.symbol is not None:
        before = state.position(event.symbol)
        after = protection.after_split(before, positions.moved(before, event), event)
        after = protection.brought_back(after, event, state.orders)
        if event.kind not in {"split", "bust"}:  # Half a split may leave nothing for a while.
            after = positions.released_when_flat(after)
        held, value = held.set(event.symbol, after), value - before.value + after.value
    # What the owner brings or takes is neither profit nor loss.
    state = replace(
        state,
        booked=state.booked.set(event.reference, None),
        brought=_brought(state, event),
        fees_accrued=accrued,
        books=accounting.moved(state.books, event),
        positions=held,
        positions_value=plain(value),
        equity_session=plain(state.equity_session + event.deposit),
        equity_peak=plain(state.equity_peak + event.deposit),
    )
    if event.client_order_id is None:
        return state
    order = state.orders[event.client_order_id]
    now = orders.after_bust(orders.busted(order, event.reference))
    now = replace(now, reserved=event.reserved)
    books = accounting.reserved(state.books, now.reserved - order.reserved)
    taken = next(
        one.execution for one in order.executions if one.execution.execution_id == event.reference
    )
    accrued = _accruing(state, taken.at_ns, event.fees)
    return _with_order(
        state, order, now, state.position(now.symbol), books=books, fees_accrued=accrued
    )

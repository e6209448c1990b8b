"""`evolve`: what the journal's events add up to, with no rule in it, so that a changed rule breaks no old journal."""

from collections.abc import Iterable
from decimal import Decimal
from typing import assert_never

from immutables import Map
from msgspec.structs import replace

from trader import accounting, calendar, orders, positions, tally
from trader.messages import (
    Alarmed,
    BooksMoved,
    BrakeTripped,
    CancelRequested,
    ClockMoved,
    DifferenceFound,
    DuplicateBlocked,
    Entry,
    Event,
    ExecutionBooked,
    Gate,
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
    Released,
    RequestAccepted,
    RequestDenied,
    Resumed,
    SessionBegan,
    StatementCompared,
    WorkerMoved,
)
from trader.model import (
    ENTRY_PURPOSES,
    BookedExecution,
    Order,
)
from trader.money import ZERO, plain
from trader.state import ALL_SYMBOLS, Counts, ExecutionState


def fold(state: ExecutionState, entries: Iterable[Entry]) -> ExecutionState:
    """The state after these entries."""
    for entry in entries:
        state = evolve_entry(state, entry)
    return state


def evolve_entry(state: ExecutionState, entry: Entry) -> ExecutionState:
    """The state after one journal row."""
    assert entry.sequence == state.sequence + 1, "the journal has no gaps"
    for event in entry.events:
        state = evolve(state, event)
    return replace(state, sequence=entry.sequence)


def evolve(state: ExecutionState, event: Event) -> ExecutionState:
    """The state after one event."""
    match event:
        case DuplicateBlocked():
            return tally.told(state, event, blocked=1)
        case RequestDenied():
            return tally.told(state, event, denied=1)
        case RequestAccepted():
            return _accepted(state, event)
        case OrderChanged():
            return _order_changed(state, event)
        case ExecutionBooked():
            return _execution_booked(state, event)
        case ClockMoved():
            return _clock_moved(state, event)
        case SessionBegan():
            return _session_began(state, event)
        case LifeBegan():
            return _life_began(state, event)
        case CancelRequested() | LookupWanted():
            return _asked(state, event)
        case OpeningBooked():
            return _opened(state, event)
        case BooksMoved():
            return _books_moved(state, event)
        case Released():
            left = state.quarantined
            if (event.symbol or ALL_SYMBOLS) in left:
                left = left.delete(event.symbol or ALL_SYMBOLS)
            return replace(state, quarantined=left)
        case Quarantined():
            return _quarantined(state, event)
        case BrakeTripped():
            tripped = (event.brake, event.symbol or ALL_SYMBOLS)
            return replace(state, brakes=state.brakes | {tripped})
        case GateMoved():
            return _gate_moved(state, event)
        case WorkerMoved():
            return _worker_moved(state, event)
        case Halted():
            return replace(state, halted=f"{event.who}: {event.reason}")
        case Resumed():
            return _resumed(state)
        case StatementCompared():
            return replace(
                state,
                statements=state.statements + 1,
                told_ns=state.at_ns,
                agrees=event.agrees,
                differing=Map() if event.agrees else Map(event.surplus or state.differing),
            )
        case DifferenceFound() if event.symbol is not None and event.subject == "position":
            surplus = Decimal(event.ours) - Decimal(event.theirs)
            return replace(state, differing=state.differing.set(event.symbol, surplus))
        case Promoted():
            return replace(state, promoted=state.promoted.set(event.strategy, event.configured))
        case LifeEnded() | LimitChanged() | DifferenceFound() | Alarmed() | Noted():
            return state
        case _:
            assert_never(event)


def _asked(state: ExecutionState, event: CancelRequested | LookupWanted) -> ExecutionState:
    order = state.orders[event.client_order_id]
    if isinstance(event, CancelRequested):
        order = replace(order, cancel_requested=True)
    else:
        order = replace(order, lookups=event.attempts + 1, lookup_open=True)
    return replace(state, orders=state.orders.set(event.client_order_id, order))


def _opened(state: ExecutionState, event: OpeningBooked) -> ExecutionState:
    return _at_new_peak(
        replace(
            state,
            books=accounting.opened(state.books, event.cash),
            is_opened=True,
            equity_session=plain(state.equity_session + event.cash),
        )
    )


def _resumed(state: ExecutionState) -> ExecutionState:
    """Whoever resumes accepts the loss so far: the brakes start over from here."""
    equity = plain(state.equity)
    return replace(state, halted="", brakes=frozenset(), equity_session=equity, equity_peak=equity)


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
        cancel_requested=event.cancel_requested,
        reserved=event.reserved,
        state_reason=event.reason,
        state_ns=event.at_ns,
        lookup_open=False,
    )
    books = accounting.reserved(state.books, plain(now.reserved - before.reserved))
    return replace(_with_order(state, before, now), books=books)


def _with_order(state: ExecutionState, before: Order, now: Order) -> ExecutionState:
    position = positions.with_order(state.position(now.symbol), before, now)
    lives = orders.is_live(now) - orders.is_live(before)
    return replace(
        state,
        orders=state.orders.set(now.client_order_id, now),
        positions=state.positions.set(now.symbol, positions.released_when_flat(position)),
        entries_open=state.entries_open + (lives if now.purpose in ENTRY_PURPOSES else 0),
    )


def _execution_booked(state: ExecutionState, event: ExecutionBooked) -> ExecutionState:
    before = state.orders[event.client_order_id]
    held = state.position(event.symbol)
    position = replace(positions.booked(held, event), mark=positions.mark_of(event))
    position = positions.with_entry_filled(position, before, event.execution.at_ns)
    state = replace(
        state,
        executed=state.executed.set(event.execution.execution_id, event.client_order_id),
        fees_accrued=_accruing(state, event.execution.at_ns, event.fees),
        books=accounting.booked(state.books, event),
        positions=state.positions.set(event.symbol, position),
        positions_value=plain(state.positions_value - held.value + position.value),
    )
    done = BookedExecution(
        execution=event.execution,
        notional=event.notional,
        fees=event.fees,
        cost=event.cost,
        realized=event.realized,
    )
    return _with_order(state, before, orders.booked(before, done, event.released))


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
        after = positions.moved(before, event)
        held, value = held.set(event.symbol, after), value - before.value + after.value
    # What the owner brings or takes is neither profit nor loss.
    state = replace(
        state,
        booked=state.booked.set(event.reference, None),
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
    books = accounting.reserved(state.books, plain(now.reserved - order.reserved))
    taken = next(
        one.execution for one in order.executions if one.execution.execution_id == event.reference
    )
    accrued = _accruing(state, taken.at_ns, event.fees)
    return _with_order(replace(state, books=books, fees_accrued=accrued), order, now)


# ------------------------------------------------------------------------------------- clock and conditions


def _clock_moved(state: ExecutionState, event: ClockMoved) -> ExecutionState:
    held, value = state.positions, state.positions_value
    for symbol, mark in event.marks.items():
        position = held.get(symbol)
        if position is not None and position.mark != mark:
            marked = replace(position, mark=mark)
            value += marked.value - position.value
            held = held.set(symbol, marked)
    return _at_new_peak(
        replace(
            state,
            at_ns=event.at_ns,
            phase=event.phase,
            positions=held,
            positions_value=plain(value),
        )
    )


def _at_new_peak(state: ExecutionState) -> ExecutionState:
    equity = plain(state.equity)
    if not state.is_opened or equity <= state.equity_peak:
        return state
    return replace(state, equity_peak=equity)


def _session_began(state: ExecutionState, event: SessionBegan) -> ExecutionState:
    """A new day: counters start over; of what ended before the day that ends now only id and filled quantity stay."""
    kept = {
        name: order
        for name, order in state.orders.items()
        if orders.is_live(order) or order.state_ns >= state.session_began_ns
    }
    filled = {name: one.quantity_filled for name, one in state.orders.items() if name not in kept}
    fresh = {
        symbol: replace(position, entries_session=0, entries_filled_ns=())
        for symbol, position in state.positions.items()
    }
    return replace(
        tally.session_began(state),
        session=event.session,
        session_began_ns=state.at_ns,
        equity_session=event.equity,
        orders=Map(kept),
        used=state.used.update(filled),
        positions=Map(fresh),
        tellings=Map(),
        tellings_before=state.tellings,
    )


def _life_began(state: ExecutionState, event: LifeBegan) -> ExecutionState:
    return replace(
        state,
        epoch=event.epoch,
        build=event.build,
        account=event.account,
        symbols=frozenset(event.symbols),
        limits=event.limits,
        fees=event.fees,
        strategies=Map(event.strategies),
        at_ns=max(state.at_ns, event.at_ns),
        # Questions and cancels of the life before are answered to nobody.
        orders=Map(
            {
                name: replace(order, lookup_open=False, cancel_requested=False)
                for name, order in state.orders.items()
            }
        ),
        gates_closed=tuple((gate, "starting") for gate in GATES_AT_START),
        workers_cold=Map(),
        counts=Counts(),
        statements=0,
    )


GATES_AT_START = (Gate.RECONCILED, Gate.TRADING_STREAM, Gate.MARKET_DATA)


def _gate_moved(state: ExecutionState, event: GateMoved) -> ExecutionState:
    others = tuple(one for one in state.gates_closed if one[0] is not event.gate)
    closed = others if event.is_open else (*others, (event.gate, event.reason))
    return replace(state, gates_closed=closed)


def _worker_moved(state: ExecutionState, event: WorkerMoved) -> ExecutionState:
    others = tuple(one for one in state.workers_cold.get(event.symbol, ()) if one != event.worker)
    cold = others if event.ready else (*others, event.worker)
    return replace(state, workers_cold=state.workers_cold.set(event.symbol, cold))

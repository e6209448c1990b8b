"""What the clock, a session, a life, gates and workers move in the state: a part of `evolve`, with no rule in it."""

from decimal import Decimal

from immutables import Map
from msgspec.structs import replace

from trader import orders, protection, tally
from trader.messages import (
    ClockMoved,
    Gate,
    GateMoved,
    LifeBegan,
    Released,
    SecurityStatusMoved,
    SessionBegan,
    WorkerMoved,
)
from trader.model import Symbol
from trader.money import plain
from trader.positions import Position
from trader.state import ALL_SYMBOLS, Counts, ExecutionState

GATES_AT_START = (Gate.RECONCILED, Gate.TRADING_STREAM, Gate.MARKET_DATA)


def clock_moved(state: ExecutionState, event: ClockMoved) -> ExecutionState:
    """Market time, and new marks of what is held."""
    held, value = state.positions, state.positions_value
    marked: dict[Symbol, Position] = {}
    for symbol, mark in event.marks.items():
        position = held.get(symbol)
        if position is not None and (position.mark != mark or position.is_adjusted):
            now = marked[symbol] = protection.marked(position, mark, event.at_ns)
            value += now.value - position.value
    return replace(
        state,
        at_ns=event.at_ns,
        phase=event.phase,
        session_closes_ns=event.closes_ns,
        positions=held.update(marked) if marked else held,
        positions_value=plain(value),
        equity_peak=peak_of(state, plain(state.books.cash + value)),
    )


def peak_of(state: ExecutionState, equity: Decimal) -> Decimal:
    """The highest equity so far is what a drawdown is measured from."""
    return max(state.equity_peak, equity) if state.is_opened else state.equity_peak


def session_began(state: ExecutionState, event: SessionBegan) -> ExecutionState:
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


def life_began(state: ExecutionState, event: LifeBegan) -> ExecutionState:
    """Who it is and by which limits; gates are shut, workers are cold, and nobody has agreed with the broker."""
    return replace(
        state,
        epoch=event.epoch,
        build=event.build,
        account=event.account,
        symbols=frozenset(event.symbols),
        limits=event.limits,
        fees=event.fees,
        closings=Map(event.closings),
        strategies=Map(event.strategies),
        at_ns=max(state.at_ns, event.at_ns),
        # Questions and cancels of the life before are answered to nobody.
        orders=Map(
            {
                name: replace(order, lookup_open=False, cancel_requested=False, cancel_asked_ns=0)
                for name, order in state.orders.items()
            }
        ),
        gates_closed=tuple((gate, "starting") for gate in GATES_AT_START),
        workers_cold=Map(),
        counts=Counts(),
        statements=0,
        is_ended=False,
    )


def security_status_moved(state: ExecutionState, event: SecurityStatusMoved) -> ExecutionState:
    """Trading halts, or goes on."""
    halts = state.halts
    if event.is_halted:
        halts = halts.set(event.symbol, (event.reason, event.at_ns))
    elif event.symbol in halts:
        halts = halts.delete(event.symbol)
    return replace(state, halts=halts)


def released(state: ExecutionState, event: Released) -> ExecutionState:
    """A person has looked: what is quarantined no more may have a new price, too, however far from the old one."""
    symbol = event.symbol or ALL_SYMBOLS
    if symbol in state.quarantined:
        state = replace(state, quarantined=state.quarantined.delete(symbol))
    if symbol in state.positions:
        looked_at = replace(state.position(symbol), marked_ns=state.at_ns)
        state = replace(state, positions=state.positions.set(symbol, looked_at))
    return state


def gate_moved(state: ExecutionState, event: GateMoved) -> ExecutionState:
    """Open, or closed for this reason."""
    others = tuple(one for one in state.gates_closed if one[0] is not event.gate)
    closed = others if event.is_open else (*others, (event.gate, event.reason))
    return replace(state, gates_closed=closed)


def worker_moved(state: ExecutionState, event: WorkerMoved) -> ExecutionState:
    """Ready, or cold."""
    others = tuple(one for one in state.workers_cold.get(event.symbol, ()) if one != event.worker)
    cold = others if event.ready else (*others, event.worker)
    return replace(state, workers_cold=state.workers_cold.set(event.symbol, cold))

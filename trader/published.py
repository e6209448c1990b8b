"""What the executor shows of a symbol to its workers: its state as of the last commit, and nothing else's."""

from trader.model import FINAL_STATES, OrderState, Symbol
from trader.protection import is_resting_stop
from trader.state import ALL_SYMBOLS, ExecutionState
from trader.strategies.base import SymbolView, WorkingOrder


def symbol_view(state: ExecutionState, symbol: Symbol) -> SymbolView:
    """What workers may know of their symbol."""
    position = state.position(symbol)
    working: list[WorkingOrder] = []
    in_doubt = False
    for name in (*position.entries, *position.exits):
        order = state.orders[name]
        in_doubt = in_doubt or order.state is OrderState.UNKNOWN
        if order.state not in FINAL_STATES and not is_resting_stop(order):
            working.append(WorkingOrder(side=order.side, quantity_leaves=order.quantity_leaves))
    return SymbolView(
        symbol=symbol,
        quantity=position.quantity,
        strategy=position.strategy,
        cost=position.cost,
        working=tuple(working),
        entries_open=not (
            in_doubt
            or state.halted
            or state.gates_closed
            or state.workers_cold.get(symbol)
            or symbol in state.quarantined
            or symbol in state.halts
            or symbol in state.reductions
            or ALL_SYMBOLS in state.quarantined
        ),
    )

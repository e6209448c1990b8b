"""What the executor shows of a symbol to its workers: its state as of the last commit, and nothing else's."""

from trader.model import FINAL_STATES, OrderState, Symbol
from trader.protection import is_resting_stop
from trader.state import ALL_SYMBOLS, ExecutionState
from trader.strategies.base import SymbolView, WorkingOrder


def symbol_view(state: ExecutionState, symbol: Symbol) -> SymbolView:
    """What workers may know of their symbol."""
    position = state.position(symbol)
    live = [state.orders[one] for one in (*position.entries, *position.exits)]
    in_doubt = OrderState.UNKNOWN in [order.state for order in live]
    return SymbolView(
        symbol=symbol,
        quantity=position.quantity,
        strategy=position.strategy,
        cost=position.cost,
        working=tuple(
            [
                WorkingOrder(side=order.side, quantity_leaves=order.quantity_leaves)
                for order in live
                if order.state not in FINAL_STATES and not is_resting_stop(order)
            ]
        )
        if live
        else (),
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

"""What a person's command leads to: halt, resume, cancel, flatten, release; and what is only kept for the record."""

from trader import reducing
from trader.messages import (
    CancelRequested,
    Command,
    Event,
    Halted,
    Noted,
    ReductionKind,
    Released,
    Resumed,
)
from trader.model import ENTRY_PURPOSES, ClientOrderId, Order, Symbol
from trader.reducing import can_cancel
from trader.state import ALL_SYMBOLS, ExecutionState


def on_command(state: ExecutionState, command: Command) -> tuple[Event, ...]:
    """The events of a command; a note where there is nothing that it could be about."""
    match command.verb:
        case "halt":
            return (Halted(who=command.who, reason=command.reason),)
        case "resume":
            return (Resumed(who=command.who, reason=command.reason),)
        case "cancel" if command.subject == "entries":
            live = sorted(
                order.client_order_id
                for order in state.orders.values()
                if order.purpose in ENTRY_PURPOSES and can_cancel(order)
            )
            return tuple(_cancel(state.orders[one], command.reason) for one in live)
        case "cancel" if (order := state.orders.get(ClientOrderId(command.subject))) is not None:
            return (_cancel(order, command.reason),) if can_cancel(order) else ()
        case "flatten":
            return _flatten(state, command)
        case "release" if command.subject in state.quarantined:
            symbol = None if command.subject == ALL_SYMBOLS else Symbol(command.subject)
            return (Released(symbol=symbol, who=command.who, reason=command.reason),)
        case "bypass" | "take_over":
            return (Noted(subject=command.verb, message=f"{command.subject}: {command.reason}"),)
        case _:
            return (Noted(subject=command.verb, message=f"no such thing: {command.subject}"),)


def _cancel(order: Order, reason: str) -> CancelRequested:
    return CancelRequested(
        client_order_id=order.client_order_id, symbol=order.symbol, reason=reason
    )


def _flatten(state: ExecutionState, command: Command) -> tuple[Event, ...]:
    is_all = command.subject == ALL_SYMBOLS
    symbols = sorted(state.positions) if is_all else [Symbol(command.subject)]
    events = [
        event
        for symbol in symbols
        for event in reducing.began(
            state,
            symbol,
            ReductionKind.FLATTEN,
            reference=command.command_id,
            who=command.who,
            reason=command.reason,
        )
    ]
    nothing = Noted(subject="flatten", message=f"nothing to flatten: {command.subject}")
    return tuple(events) or (nothing,)

"""What a person's command leads to (halt, resume, flatten, cancel, stop, promote ...), and the answer to who waits."""

from typing import NamedTuple

from trader import reducing
from trader.messages import (
    CancelRequested,
    Command,
    CommandAnswered,
    Event,
    Halted,
    Noted,
    Promoted,
    ReductionKind,
    Released,
    Resumed,
)
from trader.model import (
    ENTRY_PURPOSES,
    FINAL_STATES,
    ClientOrderId,
    Order,
    OrderState,
    StrategyName,
    Symbol,
)
from trader.orders import is_live
from trader.reducing import SHUT, can_cancel
from trader.state import ALL_SYMBOLS, ExecutionState

NAMES_TOLD_MAX = 5


class Done(NamedTuple):
    """What comes of a command: 'done', 'nothing' where it is so already, 'refused' where it can't be."""

    outcome: str
    message: str
    events: tuple[Event, ...] = ()


def on_command(state: ExecutionState, command: Command) -> tuple[Event, ...]:
    """Its events, and the answer where one is wanted; nothing at all where it was answered before."""
    if state.answer(command.command_id) is not None:
        return ()
    done = _done(state, command)
    if not command.wants_answer:
        return done.events
    answered = CommandAnswered(
        command_id=command.command_id,
        verb=command.verb,
        subject=command.subject,
        who=command.who,
        outcome=done.outcome,
        message=done.message,
    )
    return (*done.events, answered)


def _done(state: ExecutionState, command: Command) -> Done:
    match command.verb:
        case "halt" | "shut":
            return _halt(state, command)
        case "resume":
            return _resume(state, command)
        case "flatten":
            return _flatten(state, command)
        case "cancel":
            return _cancel(state, command)
        case "cancel_later":
            return _cancel_later(state, command)
        case "stop":
            return Done("done", "the program ends; positions stay")
        case "release" if command.subject in state.quarantined:
            symbol = None if command.subject == ALL_SYMBOLS else Symbol(command.subject)
            released = Released(symbol=symbol, who=command.who, reason=command.reason)
            return Done("done", f"the quarantine of {command.subject} is over", (released,))
        case "promote":
            return _promote(state, command)
        case "release":
            return _nothing(command, f"{command.subject} isn't quarantined")
        case "bypass" | "take_over":
            return _noted("done", command, f"{command.subject}: {command.reason}")
        case _:
            return _noted("refused", command, f"no such thing: {command.subject}")


def _nothing(command: Command, message: str) -> Done:
    return _noted("nothing", command, message)


def _promote(state: ExecutionState, command: Command) -> Done:
    """As it is configured in this life, or was in the last one; what no life has had is a slip of the pen."""
    strategy = StrategyName(command.subject)
    configured = state.strategies.get(strategy)
    if configured is None:
        known = ", ".join(sorted(state.strategies)) or "none"
        return _noted("refused", command, f"no such strategy: {strategy}; there are: {known}")
    if state.is_promoted(strategy):
        return _nothing(command, f"{strategy} is promoted already, as it is configured")
    promoted = Promoted(
        strategy=strategy, configured=configured, who=command.who, reason=command.reason
    )
    what = "from now on [limits] hold for it, and no canary's"
    return Done("done", f"{strategy} is promoted as it is configured: {what}", (promoted,))


def _noted(outcome: str, command: Command, message: str) -> Done:
    """A row of its own where no answer is written."""
    note = Noted(subject=command.verb, message=message)
    return Done(outcome, message, () if command.wants_answer else (note,))


# ------------------------------------------------------------------------------------- the kill switch


def _halt(state: ExecutionState, command: Command) -> Done:
    """A second halt may want more than the first, never less: only resuming loosens."""
    before = state.halt
    flattens = command.subject == "flatten" or (before is not None and before.flattens)
    cancels = command.subject == "cancel" or flattens or (before is not None and before.cancels)
    halted = Halted(
        who=command.who,
        reason=command.reason,
        command_id=command.command_id,
        at_ns=state.at_ns,
        cancels=cancels,
        flattens=flattens,
        shuts=command.verb == "shut" or state.is_shut,
    )
    said = ["halted"]
    if before is not None:
        said.append(f"was halted by {state.halted} already")
    if flattens:
        said.append(f"everything goes, {len(_there(state))} symbols held or on their way")
    elif cancels:
        said.append(f"entries are canceled, {state.entries_open} live")
    if state.is_shut:
        said.append(f"nothing is sold before somebody resumes: {SHUT}")
    return Done("done", "; ".join(said), (halted,))


def _resume(state: ExecutionState, command: Command) -> Done:
    unknown = sorted(
        name for name, order in state.orders.items() if order.state is OrderState.UNKNOWN
    )
    was = [f"halted by {state.halted}"] if state.halted else []
    was += sorted(
        f"brake {brake.value} ({'all' if symbol == ALL_SYMBOLS else symbol})"
        for brake, symbol in state.brakes
    )
    if not was:
        return _nothing(command, "nothing was halted; nothing to resume")
    if unknown:
        names = ", ".join(unknown[:NAMES_TOLD_MAX])
        return _noted("refused", command, f"{len(unknown)} orders are UNKNOWN: {names}")
    going = sorted(state.reductions)
    still = f"; still going: {', '.join(going)}" if going else ""
    still += "".join(
        f"; still closed: {'every symbol' if symbol == ALL_SYMBOLS else symbol}, quarantined: {why}"
        for symbol, why in sorted(state.quarantined.items())
    )
    resumed = Resumed(who=command.who, reason=command.reason)
    return Done("done", f"resumed; was {', '.join(was)}{still}", (resumed,))


# ---------------------------------------------------------------------------------- positions and orders


def _there(state: ExecutionState) -> list[Symbol]:
    """Symbols that could be flattened: held, or about to be."""
    return sorted(
        symbol
        for symbol, position in state.positions.items()
        if not (position.is_flat or position.is_hands_off)
    )


def _flatten(state: ExecutionState, command: Command) -> Done:
    symbols = _there(state) if command.subject == ALL_SYMBOLS else [Symbol(command.subject)]
    events = tuple(
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
    )
    if events:
        going = ", ".join(event.symbol for event in events)
        later = f", once somebody resumes: {SHUT}" if state.is_shut else ""
        return Done("done", f"has to go: {going}{later}", events)
    if state.position(Symbol(command.subject)).is_hands_off:
        return _noted("refused", command, f"{command.subject} is hands-off")
    if any(symbol in state.reductions for symbol in symbols):
        return _nothing(command, f"goes already: {', '.join(symbols)}")
    if command.subject == ALL_SYMBOLS:
        return _nothing(command, "nothing to flatten: nothing is held, or on its way")
    what = f"{command.subject} is neither held nor on its way"
    return _nothing(command, f"nothing to flatten: {what}")


def _cancel(state: ExecutionState, command: Command) -> Done:
    if command.subject in {ALL_SYMBOLS, "entries"}:
        return _cancel_all(state, command)
    order = state.orders.get(ClientOrderId(command.subject))
    if order is None:
        return _noted("refused", command, f"no such order: {command.subject}")
    name = order.client_order_id
    if can_cancel(order, state.at_ns):
        return Done("done", f"asked the broker to cancel {name}", (_asked(order, command),))
    if not command.wants_answer:
        return Done("nothing", "")
    if order.state in FINAL_STATES:
        return Done("nothing", f"{name} is over: {order.state.value}")
    if order.cancel_requested or order.state is OrderState.PENDING_CANCEL:
        return Done("nothing", f"the broker was asked to cancel {name} already")
    what = f"{name} is {order.state.value}: the broker has not shown it yet"
    return Done("refused", f"{what}; flatten {order.symbol} waits for that and cancels it")


def _cancel_later(state: ExecutionState, command: Command) -> Done:
    """Nothing runs that could ask the broker: what may be alive there goes as soon as something does."""
    is_all = command.subject == ALL_SYMBOLS
    order = state.orders.get(ClientOrderId(command.subject))
    if order is None and not is_all:
        return _noted("refused", command, f"no such order: {command.subject}")
    wanted = sorted(state.orders) if order is None else [order.client_order_id]
    live = [one for one in wanted if is_live(state.orders[one])]
    if order is not None and not live:
        return Done("nothing", f"{command.subject} is over: {order.state.value}")
    events = tuple(
        CancelRequested(
            client_order_id=one,
            symbol=state.orders[one].symbol,
            reason=f"{command.who}: {command.reason}",
            is_later=True,
        )
        for one in live
        if one not in state.cancels
    )
    if not events:
        return Done("nothing", "they have to go already" if live else "no order is alive")
    return Done(
        "done", f"to be canceled: {', '.join(one.client_order_id for one in events)}", events
    )


def _cancel_all(state: ExecutionState, command: Command) -> Done:
    live = sorted(
        order.client_order_id
        for order in state.orders.values()
        if can_cancel(order, state.at_ns)
        and (command.subject == ALL_SYMBOLS or order.purpose in ENTRY_PURPOSES)
    )
    events = tuple(_asked(state.orders[one], command) for one in live)
    not_shown = {OrderState.INTENT, OrderState.SENT, OrderState.UNKNOWN}
    others = sum(order.state in not_shown for order in state.orders.values())
    more = f"; {others} that it has not shown yet stay" if others else ""
    what = f"asked the broker to cancel {len(events)} orders{more}"
    return Done("done" if events else "nothing", what, events)


def _asked(order: Order, command: Command) -> CancelRequested:
    return CancelRequested(
        client_order_id=order.client_order_id, symbol=order.symbol, reason=command.reason
    )

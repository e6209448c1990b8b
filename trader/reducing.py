"""What a standing reduction leads to: its symbol's orders go, proof is awaited, what is held is sold; until it is flat.

Nothing here sends anything. `due` says what has to be told now, from the committed state alone, so that a life that
ends anywhere is followed by one that goes on; the executor decides it like everything else.

Exits are market orders in regular hours: they need no quote and don't rest. The next one waits for the next market
minute, so that a broker that refuses them is not stormed; and for every order of the symbol to be over, the doubtful
ones, too, because they may hold or sell the same shares.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from trader.config import AUCTION_SHUT_MINUTES
from trader.evolve import evolve
from trader.inquiry import entries_that_work, exit_key, shares_to_go
from trader.messages import (
    Command,
    DenyReason,
    Event,
    Gate,
    Halted,
    Mode,
    OrderRequest,
    ReductionBegan,
    ReductionEnded,
    ReductionKind,
    RequestAccepted,
)
from trader.model import (
    MINUTE_NS,
    STOP_TYPES,
    Order,
    OrderState,
    OrderType,
    Phase,
    Purpose,
    RequestId,
    Side,
    Size,
    Symbol,
    TimeInForce,
)
from trader.money import ONE, ZERO, rounded_down
from trader.positions import Position
from trader.protection import is_resting_stop
from trader.question import Denial, Question
from trader.reductions import Reduction
from trader.risk import OPERATOR
from trader.state import ExecutionState

SHUT = "the last line before the socket is shut"
CANCELABLE = frozenset({OrderState.PENDING_NEW, OrderState.NEW, OrderState.PARTIALLY_FILLED})


class Step(NamedTuple):
    """What is to be told now; `name` is the same for the same thing, which may be told again in a later minute."""

    name: str
    wants: Command | OrderRequest


# -------------------------------------------------------------------------------------------- in `decide`


def began(
    state: ExecutionState,
    symbol: Symbol,
    kind: ReductionKind,
    *,
    reference: str,
    who: str,
    reason: str,
) -> tuple[ReductionBegan, ...]:
    """The event that begins it; none where nothing is there to go, it goes already, or nobody may touch it.

    What waits for the closing auction does not go yet: whoever wants it gone at once takes its place.
    """
    position, standing = state.position(symbol), state.reductions.get(symbol)
    is_going = standing is not None and (
        kind is not ReductionKind.FLATTEN or not standing.is_for_auction(state.session)
    )
    if _is_gone(position) or position.is_hands_off or is_going:
        return ()
    return (
        ReductionBegan(
            symbol=symbol,
            kind=kind,
            reference=reference,
            who=who,
            reason=reason,
            at_ns=state.at_ns,
        ),
    )


def freed(state: ExecutionState, question: Question, denial: Denial) -> tuple[Event, ...]:
    """What frees the shares of an exit that was denied because other orders hold them; none where it stays denied.

    A protective stop makes way for its strategy's exit, and every exit for one that protects. Only for all of a
    position: a part of it would leave the rest without its stop.
    """
    request, position = question.request, question.position
    holders = [state.orders[name] for name in position.exits]
    is_protection = request.purpose is Purpose.STOP
    makes_way = bool(holders) and (is_protection or any(map(is_resting_stop, holders)))
    is_whole = request.size == Size(unit="target", amount=ZERO) or (
        request.size.unit == "shares"
        and request.size.amount >= rounded_down(position.quantity, ONE)
    )
    if (
        denial.reason is not DenyReason.WOULD_OVERSELL
        or state.phase is not Phase.REGULAR
        or request.order_type in STOP_TYPES
        or not (makes_way and is_whole)
    ):
        return ()
    return began(
        state,
        request.symbol,
        ReductionKind.PROTECTION if is_protection else ReductionKind.EXIT,
        reference=request.decision_key,
        who=request.strategy,
        reason=request.reason,
    )


def followed(state: ExecutionState, events: Sequence[Event]) -> tuple[Event, ...]:
    """What follows once these have happened: ends where a symbol is flat; in REDUCING, beginnings where it isn't."""
    is_reducing = state.reductions or (state.halt is not None and state.mode is Mode.REDUCING)
    if not (is_reducing or _flattens(events)):
        return ()
    for event in events:
        state = evolve(state, event)
    symbols = _touched(state, events)
    ends = [
        ReductionEnded(symbol=symbol, reference=one.reference, exits=one.exits)
        for symbol in symbols
        if (one := state.reductions.get(symbol)) and _is_gone(state.position(symbol))
    ]
    return (*ends, *_began_by_halt(state, symbols))


def _flattens(events: Sequence[Event]) -> bool:
    return Halted in map(type, events) and any(
        isinstance(event, Halted) and event.flattens for event in events
    )


def _touched(state: ExecutionState, events: Sequence[Event]) -> list[Symbol]:
    """Whose shares or orders these may have moved. What isn't about one symbol, such as a halt, may be about all."""
    found: set[Symbol] = set()
    for event in events:
        symbol = event.order.symbol if isinstance(event, RequestAccepted) else _symbol_of(event)
        if symbol is None:
            return sorted(state.positions)
        found.add(symbol)
    return sorted(found)


def _symbol_of(event: Event) -> Symbol | None:
    return getattr(event, "symbol", None)


def _is_gone(position: Position) -> bool:
    """Nothing is left to sell, and nothing is live.

    What the broker has sold short is for a person to buy back, and a fraction of a share for a person to sell.
    """
    return position.quantity < ONE and not (position.entries or position.exits)


def _began_by_halt(state: ExecutionState, symbols: Sequence[Symbol]) -> Iterator[Event]:
    halt = state.halt
    if halt is None or not halt.flattens:
        return
    for symbol in symbols:
        yield from began(
            state,
            symbol,
            ReductionKind.FLATTEN,
            reference=halt.command_id,
            who=halt.who,
            reason=halt.reason,
        )


# ---------------------------------------------------------------------------------------- what comes next


def due(state: ExecutionState) -> Iterator[Step]:
    """What has to be told now: cancels first, then exits, the most urgent first."""
    if not state.statements or _is_stopping(state):
        return  # Before the first agreement of a life, what is held is not proven.
    yield from _wanted_cancels(state)
    yield from _cancels(state)
    exits = [
        _exit(state, symbol, reduction)
        for symbol, reduction in sorted(state.reductions.items())
        if not waits_for(state, symbol)
    ]
    for request in sorted(exits, key=lambda one: -one.urgency):
        yield Step(request.decision_key, request)


def wants_anything(state: ExecutionState) -> bool:
    """There is something that `due` could be about; cheap, for it is asked after each commit."""
    cancels = state.entries_open and state.halt and state.halt.cancels
    return bool(state.reductions or state.cancels or cancels)


def can_cancel(order: Order, at_ns: int) -> bool:
    """The broker has shown that it has the order, and was not asked yet; or has done nothing about it for a minute.

    A cancel may be asked for as often as one likes, unlike an order. The answer to one, that the broker will try, may
    be heard after the news that it could not. Market time moves once a minute: the next one may be a second away.
    """
    if order.state in CANCELABLE and not order.cancel_requested:
        return True
    was_asked = order.cancel_requested or order.state is OrderState.PENDING_CANCEL
    is_known = order.state in CANCELABLE or order.state is OrderState.PENDING_CANCEL
    since_ns = max(order.cancel_asked_ns, order.state_ns)
    return was_asked and is_known and at_ns // MINUTE_NS - since_ns // MINUTE_NS > 1


def waits_for(state: ExecutionState, symbol: Symbol) -> str:
    """What the next exit of a symbol's reduction waits for, in words; empty when it is due."""
    live = _live(state, symbol)
    if _is_stopping(state):
        return "the next start"
    if state.is_shut:
        return f"a person: {SHUT}"
    if not state.statements:
        return "the broker's statement"
    if state.phase is not Phase.REGULAR:
        return f"regular hours (the market is {state.phase.value})"
    if live:
        return "; ".join(f"the end of {one.client_order_id}, {one.state.value}" for one in live)
    if shares_to_go(state, symbol) < ONE and (denied := state.position(symbol).entries):
        return f"a person's word on {denied[0]}, executed and then rejected: bin/trade resolve"
    if shares_to_go(state, symbol) < ONE:
        return "a whole share that both sides agree on: look at bin/trade reconcile"
    last = _last_exit(state, symbol)
    if last is not None and last.created_ns == state.at_ns:
        return f"the next minute (its last exit: {last.state.value} {last.state_reason})".rstrip()
    return ""


def _is_stopping(state: ExecutionState) -> bool:
    return any(gate is Gate.SHUTDOWN for gate, _ in state.gates_closed)


def _live(state: ExecutionState, symbol: Symbol) -> list[Order]:
    """What may still change what is held."""
    position = state.position(symbol)
    return [*entries_that_work(state, position), *(state.orders[one] for one in position.exits)]


def _last_exit(state: ExecutionState, symbol: Symbol) -> Order | None:
    name = state.reductions[symbol].exit
    return state.orders.get(name) if name is not None else None


def _wanted_cancels(state: ExecutionState) -> Iterator[Step]:
    """Of what a person wanted gone while nothing ran; once the broker has shown it."""
    for name, why in sorted(state.cancels.items()):
        if can_cancel(state.orders[name], state.at_ns):
            yield _cancel(state, state.orders[name], OPERATOR, why)


def _cancels(state: ExecutionState) -> Iterator[Step]:
    """Of what holds or may change what goes, the most urgent first; and of entries, where a halt wants them gone.

    Out of regular hours, and while nothing can be sold, exits stay: what protects a position protects it until then.
    """
    can_sell = state.phase is Phase.REGULAR and not state.is_shut
    dearest_first = sorted(
        state.reductions.items(), key=lambda one: (-_urgency(state, one[0]), one[0])
    )
    for symbol, reduction in dearest_first:
        position = state.position(symbol)
        exits = position.exits if can_sell else ()
        for name in (*position.entries, *exits):
            if name != reduction.exit and can_cancel(state.orders[name], state.at_ns):
                why = f"{symbol} is {reduction.words}"
                yield _cancel(state, state.orders[name], reduction.who, why)
    if (halt := state.halt) is None or not halt.cancels:
        return
    for symbol, position in sorted(state.positions.items()):
        for name in position.entries:
            if symbol not in state.reductions and can_cancel(state.orders[name], state.at_ns):
                yield _cancel(state, state.orders[name], halt.who, f"halted: {halt.reason}")


def _cancel(state: ExecutionState, order: Order, who: str, reason: str) -> Step:
    command = Command(
        command_id=f"cancel-{order.client_order_id}-{state.sequence}",
        verb="cancel",
        subject=order.client_order_id,
        who=who,
        reason=reason,
    )
    return Step(order.client_order_id, command)


def _exit(state: ExecutionState, symbol: Symbol, reduction: Reduction) -> OrderRequest:
    """Its next exit."""
    key = exit_key(state, symbol, reduction)
    return OrderRequest(
        request_id=RequestId(f"reduce/{symbol}/{key[:24]}/{state.sequence}"),
        decision_key=key,
        at_ns=state.at_ns,
        symbol=symbol,
        strategy=OPERATOR,
        side=Side.SELL,
        purpose=Purpose.EXIT,
        order_type=OrderType.MARKET,
        time_in_force=_time_in_force(state, reduction),
        size=Size(unit="shares", amount=shares_to_go(state, symbol)),
        limit_price=None,
        quote=None,
        reason=f"{reduction.kind.value} by {reduction.who}: {reduction.reason}",
        urgency=_urgency(state, symbol),
    )


def _urgency(state: ExecutionState, symbol: Symbol) -> int:
    """The dearest position is the most urgent one."""
    return max(0, int(state.position(symbol).value))


def _time_in_force(state: ExecutionState, reduction: Reduction) -> TimeInForce:
    """The closing auction's, while that takes orders; what comes too late for it is sold at once."""
    left_ns = state.session_closes_ns - state.at_ns
    is_taken = left_ns > AUCTION_SHUT_MINUTES * MINUTE_NS
    meets = is_taken and reduction.is_for_auction(state.session)
    return TimeInForce.CLS if meets else TimeInForce.DAY

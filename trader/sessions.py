"""What the last minutes of a session lead to: working entries go, and what a strategy holds does, if it says so.

Each position that has to go is one lasting reduction, named by its session and symbol; so a program that is started
again in these minutes finds it standing, or done, and sells nothing twice. What the last life believed of the day is
worth nothing in the next one: until its first Clock the market is closed.
"""

from collections.abc import Iterator

from trader import closing, reducing
from trader.config import AtClose, Closing
from trader.evolve import evolve
from trader.messages import Alarmed, CancelRequested, ClockMoved, Event, ReductionKind
from trader.model import ENTRY_PURPOSES, Phase, StrategyName
from trader.reductions import auction_of
from trader.state import ExecutionState

LEAVES = frozenset({AtClose.FLATTEN, AtClose.AUCTION})


def closed_by(state: ExecutionState) -> tuple[Event, ...]:
    """What the clock of now leads to; the state has it already."""
    events: list[Event] = []
    for strategy, rule in sorted(state.closings.items()):
        if closing.has_begun(rule, state.at_ns, state.session_closes_ns):
            events += _cancels(state, strategy, rule)
            if _is_due(state, rule) and rule.at_close in LEAVES:
                events += _reductions(state, strategy, rule)
    return tuple(events)


def of_before(state: ExecutionState, at_ns: int) -> tuple[Event, ...]:
    """At a start: only this life's first Clock can say what part of the day it is; and what the last close has left."""
    if state.phase is Phase.CLOSED and not state.session_closes_ns:
        return ()
    unknown = ClockMoved(at_ns=max(state.at_ns, at_ns), phase=Phase.CLOSED, marks={})
    has_closed = 0 < state.session_closes_ns <= at_ns
    return (unknown, *(not_flat(state, evolve(state, unknown)) if has_closed else ()))


def not_flat(before: ExecutionState, state: ExecutionState) -> Iterator[Event]:
    """The session has closed, and what should have gone with it is still there."""
    if before.phase is not Phase.REGULAR or state.phase is Phase.REGULAR:
        return
    for symbol, reduction in sorted(state.reductions.items()):
        if reduction.kind is ReductionKind.SESSION:
            held = state.position(symbol).quantity
            why = f"{symbol}: the session has closed with {held} shares that should have gone"
            yield Alarmed(alarm="not_flat", symbol=symbol, message=why)


def _cancels(
    state: ExecutionState, strategy: StrategyName, rule: Closing
) -> Iterator[CancelRequested]:
    """Its working entries; after the close those that work on. Exits stay: they only make a position smaller."""
    is_due = _is_due(state, rule)
    for name, order in sorted(state.orders.items()):
        is_its = order.strategy == strategy and order.purpose in ENTRY_PURPOSES
        works = is_due or order.extended_hours
        if is_its and works and reducing.can_cancel(order, state.at_ns):
            yield CancelRequested(client_order_id=name, symbol=order.symbol, reason=_words(rule))


def _reductions(state: ExecutionState, strategy: StrategyName, rule: Closing) -> Iterator[Event]:
    is_auction = rule.at_close is AtClose.AUCTION
    reference = auction_of(state.session) if is_auction else f"session|{state.session}"
    for symbol, position in sorted(state.positions.items()):
        if position.strategy == strategy:
            yield from reducing.began(
                state,
                symbol,
                ReductionKind.SESSION,
                reference=reference,
                who=strategy,
                reason=_words(rule),
            )


def _is_due(state: ExecutionState, rule: Closing) -> bool:
    is_open = state.phase is Phase.REGULAR
    return is_open and closing.is_due(rule, state.at_ns, state.session_closes_ns)


def _words(rule: Closing) -> str:
    minutes = rule.minutes_before_close
    return f"{rule.at_close.value} {minutes} minute{'s' if minutes != 1 else ''} before the close"

"""What follows from a market that is disrupted: a symbol whose trading halts, and a price that jumps over a night.

A jump beyond any ordinary night is more often a split that nobody has booked yet than a loss. So the mark of what is
held is not taken, no brake trips on it, and a person has to look. Once the split is booked, the old mark has moved
against its shares, and there is no jump left.
"""

from trader import nights
from trader.market_guard import LIMIT_STATE
from trader.messages import (
    Alarmed,
    Clock,
    ClockMoved,
    Event,
    PriceJumped,
    Quarantined,
    SecurityStatus,
    SecurityStatusMoved,
    raw_text,
)
from trader.model import Symbol
from trader.money import price_of
from trader.state import ExecutionState


def on_security_status(state: ExecutionState, told: SecurityStatus) -> tuple[Event, ...]:
    """Only of our symbols, and only what is news; the exchange's halt takes the place of a limit state."""
    halt = state.halts.get(told.symbol)
    if told.is_halted:
        is_news = halt is None or (halt[0] == LIMIT_STATE and told.reason != LIMIT_STATE)
    else:
        is_news = halt is not None and told.at_ns >= halt[1]
    if told.symbol not in state.symbols or not is_news:
        return ()
    return (
        SecurityStatusMoved(
            symbol=told.symbol,
            is_halted=told.is_halted,
            reason=told.reason,
            at_ns=told.at_ns,
        ),
    )


def on_price_jump(state: ExecutionState, told: PriceJumped) -> tuple[Event, ...]:
    """Several ticks agree on it, and the broker knows of no split."""
    return _quarantined(state, told.symbol, told.before, told.after, raw_text(told))


def clock_moved(state: ExecutionState, clock: Clock) -> tuple[Event, ...]:
    """Time, with the marks that can be believed; what is wrong with the others."""
    began_ns = state.session_began_ns
    if clock.session and clock.session != state.session:
        began_ns = clock.at_ns
    jumps = {
        symbol: (position.mark, mark)
        for symbol, mark in clock.marks.items()
        if (position := state.positions.get(symbol)) and nights.is_jump(position, mark, began_ns)
    }
    marks = clock.marks
    if jumps:
        marks = {symbol: mark for symbol, mark in marks.items() if symbol not in jumps}
    events: list[Event] = [
        ClockMoved(at_ns=clock.at_ns, phase=clock.phase, marks=marks, closes_ns=clock.closes_ns)
    ]
    for symbol, (before, after) in sorted(jumps.items()):
        events += _quarantined(state, symbol, before, after, "")
    return tuple(events)


def _quarantined(
    state: ExecutionState, symbol: Symbol, before: int, after: int, raw: str
) -> tuple[Event, ...]:
    if symbol in state.quarantined:
        return ()
    why = f"its price went from {price_of(before)} to {price_of(after)} over a night, and no split is known"
    return (
        Quarantined(symbol=symbol, reason=why, raw=raw),
        Alarmed(alarm="price_jump", symbol=symbol, message=f"{symbol}: {why}"),
    )

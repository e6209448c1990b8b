"""When a symbol may be traded: in which part of the day, by which orders, and not while its trading halts."""

from trader.messages import DenyReason
from trader.model import ENTRY_PURPOSES, STOP_TYPES, OrderType, Phase
from trader.question import Denial, Question, deny

EXTENDED = frozenset({Phase.PRE, Phase.POST})
TAKEN = "limit orders with extended_hours"


def market_closed(question: Question) -> Denial | None:
    """Regular hours; before and after them only limit orders that say so. No entry while its trading halts."""
    request, phase = question.request, question.standing.phase
    halt = question.standing.trading_halt
    if halt and request.purpose in ENTRY_PURPOSES:
        return deny(DenyReason.MARKET_CLOSED, phase=phase.value, trading_halt=halt)
    if phase is Phase.REGULAR or request.order_type in STOP_TYPES:
        return None  # A stop waits for the session.
    if phase not in EXTENDED:
        return deny(DenyReason.MARKET_CLOSED, phase=phase.value)
    if request.extended_hours and request.order_type is OrderType.LIMIT:
        return None
    return deny(
        DenyReason.MARKET_CLOSED, phase=phase.value, order_type=request.order_type, takes=TAKEN
    )

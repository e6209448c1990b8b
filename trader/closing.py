"""The end of a session: who has to be out of the market by then, how long before, and that nobody enters any more.

Half days close at 13:00; the calendar knows, and the clock's input says it.
"""

from trader.config import AtClose, Closing
from trader.messages import DenyReason
from trader.model import MINUTE_NS
from trader.question import Denial, Question, deny


def is_due(closing: Closing, at_ns: int, closes_ns: int) -> bool:
    """So near to the close of the regular session that what the strategy has in the market goes."""
    if closing.at_close is AtClose.KEEP:
        return False
    return closes_ns - closing.minutes_before_close * MINUTE_NS <= at_ns < closes_ns


def session_closing(question: Question) -> Denial | None:
    """No entry of a strategy that is about to leave the market for the day."""
    standing = question.standing
    if standing.closing is None or not is_due(
        standing.closing, standing.at_ns, standing.session_closes_ns
    ):
        return None
    left_ns = standing.session_closes_ns - standing.at_ns
    return deny(
        DenyReason.MARKET_CLOSED,
        at_close=standing.closing.at_close.value,
        minutes_left=left_ns // MINUTE_NS,
        minutes_before_close=standing.closing.minutes_before_close,
    )

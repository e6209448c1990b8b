"""The end of a session: who has to be out of the market by then, how long before, and that nobody enters any more.

Half days close at 13:00; the calendar knows, and the clock's input says it.
"""

from trader.config import AtClose, Closing
from trader.messages import DenyReason
from trader.model import MINUTE_NS
from trader.question import Denial, Question, deny


def is_due(closing: Closing, at_ns: int, closes_ns: int) -> bool:
    """So near to the close of the regular session that what the strategy has in the market goes."""
    return has_begun(closing, at_ns, closes_ns) and at_ns < closes_ns


def has_begun(closing: Closing, at_ns: int, closes_ns: int) -> bool:
    """The strategy is leaving, or has left: until the next session, which has a close of its own, it enters nothing.

    closes_ns 0: nobody has told when the session closes, or there is none.
    """
    if closing.at_close is AtClose.KEEP or not closes_ns:
        return False
    return at_ns >= closes_ns - closing.minutes_before_close * MINUTE_NS


def session_closing(question: Question) -> Denial | None:
    """No entry of a strategy that leaves the market for the day: in extended hours neither, when it has left."""
    standing = question.standing
    if standing.closing is None or not has_begun(
        standing.closing, standing.at_ns, standing.session_closes_ns
    ):
        return None
    return deny(
        DenyReason.MARKET_CLOSED,
        at_close=standing.closing.at_close.value,
        minutes_left=minutes_left(question),
        minutes_before_close=standing.closing.minutes_before_close,
    )


def minutes_left(question: Question) -> int:
    """Of the regular session; 0 once it is over."""
    left_ns = question.standing.session_closes_ns - question.standing.at_ns
    return max(0, left_ns // MINUTE_NS)

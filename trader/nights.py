"""A price that jumps over a night: more often a split that nobody has booked yet than a loss; so nobody sells on it.

The mark of what is held is of the day before, as long as today's is not taken. A booked split moves it against its
shares, and a person who releases the symbol's quarantine says that the price is real: then there is no jump any more.
What was decided while a split was being booked was decided on other shares: so no strategy sells before a price of
today has confirmed the mark.
"""

from trader.messages import DenyReason
from trader.model import OPERATOR
from trader.money import price_of
from trader.positions import Position
from trader.question import Denial, Question, deny

JUMP_PER_MILLE_MAX = 400  # beyond any ordinary night


def is_jump(position: Position, price: int, session_began_ns: int) -> bool:
    """From the last price of an earlier session to this one of today, in price ticks."""
    is_of_before = bool(position.mark) and position.marked_ns < session_began_ns
    return is_of_before and is_far(position.mark, price)


def is_far(before: int, after: int) -> bool:
    """Beyond any ordinary night, either way."""
    return abs(after - before) * 1000 > before * JUMP_PER_MILLE_MAX


def price_jump(question: Question) -> Denial | None:
    """No strategy sells on a price that jumped over a night, nor on what a position was before it was split."""
    quote, position = question.request.quote, question.position
    if not position.quantity or question.request.strategy == OPERATOR:
        return None
    middle = (quote.bid + quote.ask) // 2 if quote is not None and quote.bid and quote.ask else 0
    has_jumped = middle and is_jump(position, middle, question.standing.session_began_ns)
    if not (has_jumped or position.is_adjusted):
        return None
    return deny(DenyReason.QUARANTINED, quote=price_of(middle), mark=price_of(position.mark))

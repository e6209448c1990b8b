"""What, once hit, stays hit until a person resumes: a day's loss, a drawdown, repeated buys; the shut last line."""

from decimal import Decimal

from trader.limits import Limits
from trader.messages import Brake, DenyReason
from trader.model import MINUTE_NS
from trader.money import ZERO, canonical
from trader.question import Denial, Question, deny

REPEATED_SPAN_NS = 10 * MINUTE_NS


def tripped_by_loss(
    equity: Decimal, session: Decimal, peak: Decimal, limits: Limits
) -> list[tuple[Brake, dict[str, str]]]:
    """The brakes that this equity (dollars) trips, against the session's first and the highest equity so far."""
    found: list[tuple[Brake, dict[str, str]]] = []
    for brake, base, limit in (
        (Brake.LOSS_DAY, session, limits.loss_day_max),
        (Brake.DRAWDOWN, peak, limits.drawdown_max),
    ):
        if base > ZERO and base - equity > limit * base:
            numbers = {
                "equity": canonical(equity),
                "from": canonical(base),
                "max": canonical(limit),
            }
            found.append((brake, numbers))
    return found


def tripped_by_fills(filled_ns: tuple[int, ...], at_ns: int, limits: Limits) -> bool:
    """This many filled entries of one symbol within ten minutes are a program gone wrong, not a strategy."""
    most = limits.executions_repeated_max
    if len(filled_ns) < most:
        return False
    return len([one for one in filled_ns if at_ns - one <= REPEATED_SPAN_NS]) >= most


def line_shut(question: Question) -> Denial | None:
    """What is sent to a shut last line only comes back: exits and stops aren't even wanted."""
    standing = question.standing
    return deny(DenyReason.HALTED, why=standing.halted) if standing.is_shut else None

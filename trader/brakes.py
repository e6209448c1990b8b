"""Limits that, once hit, stay hit until a person resumes: a day's loss, a drawdown, a symbol bought again and again."""

from decimal import Decimal

from trader.limits import Limits
from trader.messages import Brake
from trader.model import MINUTE_NS
from trader.money import ZERO, canonical

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
    recent = [one for one in filled_ns if at_ns - one <= REPEATED_SPAN_NS]
    return len(recent) >= limits.executions_repeated_max

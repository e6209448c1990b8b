"""How many shares an entry may have, what may still be entered today, and how little by a strategy that nobody has
promoted: three rules of risk.py's list.

A strategy is new until a person promotes it (`bin/trade promote`): not by its name alone, but as it is configured. One
of which anything is set otherwise today than when it was promoted is new again. Its code isn't looked at: each update
of the program would make everything new.
"""

from decimal import Decimal

from trader.limits import CanaryLimits
from trader.messages import DenyReason
from trader.question import Denial, Question, deny


def order_quantity(question: Question) -> Denial | None:
    """Shares of one entry; whoever wants out gets out whole."""
    limit = question.limits.order_quantity_max
    if question.quantity <= limit:
        return None
    return deny(DenyReason.QUANTITY, quantity=question.quantity, quantity_max=limit)


def notional_per_day(question: Question) -> Denial | None:
    """Dollars of all entries of one session, each at its worst price, whatever became of them."""
    limit = question.limits.entries_notional_per_day_max
    total = question.notional_session + question.cost
    if total <= limit:
        return None
    return deny(DenyReason.NOTIONAL_PER_DAY, notional=total, notional_max=limit)


def canary(question: Question) -> Denial | None:
    """A strategy that nobody has promoted has smaller limits."""
    limits = question.canary
    if limits is None:
        return None
    for limit, wanted, most in canary_sums(question, limits):
        if wanted > most:
            return deny(
                DenyReason.CANARY,
                limit=limit,
                wanted=wanted,
                max=most,
                strategy=question.request.strategy,
            )
    return None


def canary_sums(
    question: Question, limits: CanaryLimits
) -> tuple[tuple[str, Decimal | int, Decimal | int], ...]:
    """Each limit's name, what it would come to with this entry, and what it may."""
    held = question.position
    on_its_way = held.quantity_pending_buy * question.reserve_price
    return (
        ("order_notional_max", question.cost, limits.order_notional_max),
        (
            "position_notional_max",
            held.value + on_its_way + question.cost,
            limits.position_notional_max,
        ),
        ("entries_per_day_max", question.entries_strategy + 1, limits.entries_per_day_max),
    )

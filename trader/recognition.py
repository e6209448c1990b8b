"""Is an execution that is told one that the books have, one that was taken back, or one that can't be true?

The stream, a lookup and the list of fills may each give the same execution another id. So what it is goes by its id,
by where it ends (the cumulative quantity), and by what was executed when.
"""

from trader.messages import Claim
from trader.model import Execution, Order, OrderState
from trader.money import price_of
from trader.orders import is_unexplained

PRICE_FACTOR_MAX = 2  # between the price of an execution and one that we know
EXECUTED = frozenset({OrderState.PARTIALLY_FILLED, OrderState.FILLED})
MILLISECOND_NS = 1_000_000  # the least that two accounts of one moment agree on


def knows(order: Order, execution: Execution) -> bool:
    """This execution is booked: by its id, or by the cumulative quantity that it ends at.

    Only one can end there, until one is taken back: what fills the gap may end there again.
    """
    if not order.executions:
        return False
    for known in order.executions:
        if known.execution.execution_id == execution.execution_id:
            return True
    has_gap = has_bust(order)
    return any(
        not known.is_busted
        and known.execution.quantity_cumulative == execution.quantity_cumulative
        and (not has_gap or _is_same(known.execution, execution))
        for known in order.executions
    )


def has_bust(order: Order) -> bool:
    """Something that was executed of it has been taken back."""
    for known in order.executions:  # noqa: SIM110 - Of each order that a statement tells of, once and again.
        if known.is_busted:
            return True
    return False


def is_plausible(order: Order, execution: Execution, mark: int) -> bool:
    """Its price is near one that we know: the order's own, held against the quote of its decision; or the mark.

    Near is wide, a factor of two: a market that runs away is booked, a slipped decimal point or another share's price
    is not. With neither of the two known (0) there is nothing to hold it against, and what is told is believed.
    """
    known = [price for price in (order.reserve_price, price_of(mark)) if price]
    told, factor = execution.price, PRICE_FACTOR_MAX
    for price in known:
        if price <= told * factor and told <= price * factor:
            return True
    return not known


def was_busted(order: Order, execution: Execution) -> bool:
    """The broker has taken this execution back; its list of executions may have another id for it."""
    return has_bust(order) and any(
        known.is_busted and _is_same(known.execution, execution) for known in order.executions
    )


def _is_same(known: Execution, told: Execution) -> bool:
    """By the id, or by what was executed when, to the millisecond: what comes in its place comes later."""
    return known.execution_id == told.execution_id or (
        (known.quantity, known.price, known.quantity_cumulative)
        == (told.quantity, told.price, told.quantity_cumulative)
        and known.at_ns // MILLISECOND_NS == told.at_ns // MILLISECOND_NS
    )


def contradicts(order: Order, execution: Execution) -> bool:
    """The same execution was booked with other numbers."""
    for one in order.executions:
        known = one.execution
        if known.execution_id == execution.execution_id and (
            known.quantity,
            known.price,
            known.quantity_cumulative,
        ) != (execution.quantity, execution.price, execution.quantity_cumulative):
            return True
    return False


def denies(order: Order, claim: Claim) -> bool:
    """The broker says that it never took what it has executed: no state, but something that a person must see."""
    is_rejected = claim is Claim.REJECTED or order.final_reported is OrderState.REJECTED
    return is_rejected and order.state in EXECUTED and not is_unexplained(order)

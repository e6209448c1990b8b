"""The life of one order, as a table of transitions.

Problem: reports of one order come from four sources (the reply to the POST, the stream, a query, the list of
executions), late, twice, or not at all, and in any order. Choice: one table says, for every state and everything
that can happen, what the state is afterwards and whether a person must hear of it. A pair that the table lacks is
a bug, not a default; a test walks through all of them. Rejected: letting each source set the state it believes in.

What the table cannot say with states alone: the broker may *claim* more than we have *booked* (a fill whose
execution has not reached us). Such an order stays live; its claim is kept beside it (quantity_reported,
final_reported) and takes effect when the missing executions are booked. So the order of arrival doesn't matter.

Source: the FIX 4.4 order state matrices, and table H of the project's invariants (docs/safety.md).
"""

from decimal import Decimal
from enum import IntEnum, StrEnum

from msgspec.structs import replace

from trader.messages import Claim
from trader.model import (
    FINAL_STATES,
    MINUTE_NS,
    BookedExecution,
    BrokerOrderId,
    Execution,
    Order,
    OrderState,
    Side,
)
from trader.money import ZERO, plain


class Trigger(StrEnum):
    """What can happen to an order, in as few words as the table needs."""

    SEND_STARTED = "send_started"
    DOUBT = "doubt"  # a send or cancel without an answer, or a life that ended before it
    PROVEN_NEVER_SENT = "proven_never_sent"
    ACK_PENDING = "ack_pending"
    ACK_NEW = "ack_new"
    FILL_PART = "fill_part"
    FILL_ALL = "fill_all"
    CANCEL_PENDING = "cancel_pending"
    CANCEL_REJECTED = "cancel_rejected"
    CANCELED = "canceled"
    EXPIRED = "expired"
    REJECTED = "rejected"


CANCEL_PENDING_NS_MAX = MINUTE_NS  # that an answer may be older than the cancel


class Notice(IntEnum):
    """Who has to hear of a transition: nobody, a person, or a person while the symbol takes no entries."""

    QUIET = 0
    ALARM = 1
    HALT = 2


Row = tuple[OrderState, Notice]

# Rows: the state before. Cells: the state after; "." the same. "!" tells a person, "!!" also stops the symbol.
_TABLE = """
                  INTENT      SENT        UNKNOWN     PENDING_NEW   NEW           PARTIALLY_FILLED
SEND_STARTED      SENT        .           .           .             .             .
DOUBT             UNKNOWN     UNKNOWN     .           .             .             .
PROVEN_NEVER_SENT NEVER_SENT  NEVER_SENT  NEVER_SENT  .!!           .!!           .!!
ACK_PENDING       PENDING_NEW PENDING_NEW PENDING_NEW .             .             .
ACK_NEW           NEW         NEW         NEW         NEW           .             .
FILL_PART         PARTIALLY_FILLED PARTIALLY_FILLED PARTIALLY_FILLED PARTIALLY_FILLED PARTIALLY_FILLED .
FILL_ALL          FILLED      FILLED      FILLED      FILLED        FILLED        FILLED
CANCEL_PENDING    PENDING_CANCEL PENDING_CANCEL PENDING_CANCEL PENDING_CANCEL PENDING_CANCEL PENDING_CANCEL
CANCEL_REJECTED   .           .           .           .             .             .
CANCELED          CANCELED    CANCELED    CANCELED    CANCELED      CANCELED      CANCELED
EXPIRED           EXPIRED     EXPIRED     EXPIRED     EXPIRED       EXPIRED       EXPIRED
REJECTED          REJECTED    REJECTED    REJECTED    REJECTED      REJECTED      .!

                  PENDING_CANCEL FILLED   CANCELED    EXPIRED       REJECTED      NEVER_SENT
SEND_STARTED      .           .           .           .             .             .
DOUBT             .           .           .           .             .             .
PROVEN_NEVER_SENT .!!         .!          .!          .!            .             .
ACK_PENDING       .           .           .           .             PENDING_NEW!! PENDING_NEW!!
ACK_NEW           .           .           .           .             NEW!!         NEW!!
FILL_PART         .           .!!         .!          .!            PARTIALLY_FILLED!! PARTIALLY_FILLED!!
FILL_ALL          FILLED      .!!         FILLED!     FILLED!       FILLED!!      FILLED!!
CANCEL_PENDING    .           .           .           .             .             .
CANCEL_REJECTED   NEW         .           .           .             .             .
CANCELED          CANCELED    .           .           .             .             .
EXPIRED           EXPIRED     .           .           .             .             .
REJECTED          REJECTED    .!          .           .             .             .
"""
# Why, where it isn't plain. DOUBT on an acknowledged order is about a cancel: the order itself is proven, and asked
# about. A fill may overtake the acknowledgement, and a cancel may lose the race against it. FIX allows a late reject
# before fills only. What was final stays so, but an execution is real: it is booked and shown, and somebody must
# look. Any sign of life from an order that was rejected or never sent means that we were wrong.


def _read(table: str) -> dict[tuple[OrderState, Trigger], Row]:
    """The table as (state, trigger) -> row; a name that is neither is a KeyError at import."""
    rows: dict[tuple[OrderState, Trigger], Row] = {}
    for part in table.strip("\n").split("\n\n"):
        head, *lines = part.splitlines()
        states = [OrderState[name] for name in head.split()]
        for line in lines:
            trigger, *cells = line.split()
            for state, cell in zip(states, cells, strict=True):
                name = cell.rstrip("!")
                after = state if name == "." else OrderState[name]
                rows[state, Trigger[trigger]] = (after, Notice(len(cell) - len(name)))
    return rows


TRANSITIONS = _read(_TABLE)

_S = OrderState
_T = Trigger
_TRIGGER_OF_CLAIM = {
    Claim.PENDING_NEW: _T.ACK_PENDING,
    Claim.NEW: _T.ACK_NEW,
    Claim.PARTIALLY_FILLED: _T.ACK_NEW,  # Its executions move the state; the claim proves that it lives.
    Claim.FILLED: _T.ACK_NEW,
    Claim.PENDING_CANCEL: _T.CANCEL_PENDING,
    Claim.CANCEL_REJECTED: _T.CANCEL_REJECTED,
}
_FINAL_OF_CLAIM = {
    Claim.CANCELED: (_S.CANCELED, _T.CANCELED),
    Claim.EXPIRED: (_S.EXPIRED, _T.EXPIRED),
    Claim.REJECTED: (_S.REJECTED, _T.REJECTED),
}
_TRIGGER_OF_FINAL = dict(_FINAL_OF_CLAIM.values())


def after(order: Order, trigger: Trigger) -> tuple[Order, Notice]:
    """The order once `trigger` has happened to it, and who has to hear of it."""
    state, notice = TRANSITIONS[order.state, trigger]
    if state is _S.NEW and order.quantity_filled:
        state = _S.PARTIALLY_FILLED
    if state is order.state:
        return order, notice
    if order.state in FINAL_STATES and state not in FINAL_STATES:
        order = replace(order, final_reported=None)  # It lives: what was said of its end was wrong.
    return replace(order, state=state), notice


def is_live(order: Order) -> bool:
    """It may still be executed, or we can't rule it out."""
    return order.state not in FINAL_STATES


def after_claim(
    order: Order, claim: Claim, cumulative: Decimal, broker_order_id: BrokerOrderId | None
) -> tuple[Order, Notice]:
    """The order once the broker has claimed something of it that is not itself an execution."""
    known_as = order.broker_order_id or broker_order_id
    if known_as != order.broker_order_id or cumulative > order.quantity_reported:
        order = replace(
            order,
            broker_order_id=known_as,
            quantity_reported=max(order.quantity_reported, cumulative),
        )
    if claim in _FINAL_OF_CLAIM:
        final, trigger = _FINAL_OF_CLAIM[claim]
        moved, notice = after(order, trigger)
        if order.state in FINAL_STATES or moved.state not in FINAL_STATES:
            return moved, notice
        order = replace(order, final_reported=order.final_reported or final)
        return settled(order)
    if claim is Claim.CANCEL_REJECTED and order.cancel_requested:
        order = replace(order, cancel_requested=False)
    return after(order, _TRIGGER_OF_CLAIM[claim])


def claim_meant(order: Order, claim: Claim, source: str, at_ns: int) -> Claim:
    """What the broker claims at this market time. A cancel that it doesn't speak of any more was refused.

    That it was may have been told while nobody heard. Taken for pending, an order that lives for months could never
    be canceled again.
    """
    is_forgotten = (
        order.state is _S.PENDING_CANCEL
        and source == "query"
        and claim in {Claim.NEW, Claim.PARTIALLY_FILLED}
        and at_ns - order.state_ns >= CANCEL_PENDING_NS_MAX
    )
    return Claim.CANCEL_REJECTED if is_forgotten else claim


def settled(order: Order) -> tuple[Order, Notice]:
    """The order in its reported final state, if every execution that the broker claims is booked."""
    if order.final_reported is None or is_unexplained(order) or order.state in FINAL_STATES:
        return order, Notice.QUIET
    return after(order, _TRIGGER_OF_FINAL[order.final_reported])


def is_unexplained(order: Order) -> bool:
    """The broker claims executions that nobody has brought yet."""
    return order.quantity_filled < order.quantity_reported


def booked(order: Order, done: BookedExecution, released: Decimal) -> Order:
    """The order's amounts with one more execution in them; its state is after_execution's to say."""
    execution = done.execution
    filled = plain(order.quantity_filled + execution.quantity)
    return replace(
        order,
        quantity_filled=filled,
        notional_filled=plain(order.notional_filled + done.notional),
        fees=plain(order.fees + done.fees),
        reserved=plain(order.reserved - released),
        quantity_reported=max(order.quantity_reported, filled, execution.quantity_cumulative),
        executions=(*order.executions, done),
    )


def busted(order: Order, execution_id: str) -> Order:
    """The order's amounts without an execution that was taken back; it stays on record, so it can't come again."""
    taken = next(one for one in order.executions if one.execution.execution_id == execution_id)
    filled = plain(order.quantity_filled - taken.execution.quantity)
    return replace(
        order,
        quantity_filled=filled,
        quantity_reported=filled,
        notional_filled=plain(order.notional_filled - taken.notional),
        fees=plain(order.fees - taken.fees),
        executions=tuple(
            replace(one, is_busted=True) if one is taken else one for one in order.executions
        ),
    )


def after_bust(order: Order) -> Order:
    """The state by what is left filled: a filled order may trade again, one that had ended stays ended."""
    if order.state is not OrderState.FILLED:
        return order
    state = OrderState.PARTIALLY_FILLED if order.quantity_filled else OrderState.NEW
    return replace(order, state=state)


def after_execution(order: Order) -> tuple[Order, Notice]:
    """The state of an order in which an execution was just booked."""
    trigger = _T.FILL_ALL if order.quantity_filled >= order.quantity else _T.FILL_PART
    moved, notice = after(order, trigger)
    if order.quantity_filled > order.quantity:
        notice = Notice.HALT
    final, later = settled(moved)
    return final, max(notice, later)


def released_by(order: Order, execution: Execution) -> Decimal:
    """How much of the order's reserve an execution uses up: its share, or the rest when it is the last."""
    if order.quantity_filled + execution.quantity >= order.quantity:
        return order.reserved
    return plain(min(order.reserved, execution.quantity * order.reserve_price))


def with_reserve(before: Order, now: Order) -> Order:
    """A final order holds no cash; one that came back to life holds what it may still cost."""
    if now.state in FINAL_STATES:
        return replace(now, reserved=ZERO) if now.reserved else now
    if before.state in FINAL_STATES and now.side is Side.BUY:
        return replace(now, reserved=plain(now.quantity_leaves * now.reserve_price))
    return now

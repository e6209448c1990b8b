"""What an HTTP reply of Alpaca proves about a send or a cancel, and what it doesn't."""

from msgspec import Struct

from trader.messages import CancelOutcome, OrderReport, SendOutcome
from trader.model import ClientOrderId, Order
from trader.wire.alpaca import decode_error, decode_order, order_report, refusal_text
from trader.wire.unreadable import Unreadable, shown


class AlreadySubmitted(Struct, frozen=True, kw_only=True):
    """The broker has an order under this id: ours, from before. Look it up and adopt it."""

    client_order_id: ClientOrderId


UNIQUE_CODE = 40010001
UNIQUE_WORDS = "client_order_id must be unique"
_REFUSALS = frozenset({400, 401, 403, 422})


def submit_answer(
    order: Order, status: int, body: bytes
) -> OrderReport | SendOutcome | AlreadySubmitted:
    """What a reply to the POST proves. A refusal counts only in the broker's own words; the rest is unknown."""
    if status == 200:
        return _acknowledgement(order, body)
    error = decode_error(body)
    if status == 429 or (status in _REFUSALS and error is not None):
        if error and error.code == UNIQUE_CODE and UNIQUE_WORDS in error.message:
            return AlreadySubmitted(client_order_id=order.client_order_id)
        return _outcome(order, "rejected", refusal_text(status, body))
    return _outcome(order, "unknown", refusal_text(status, body))


def _acknowledgement(order: Order, body: bytes) -> OrderReport | SendOutcome:
    try:
        report = order_report(decode_order(body), "reply")
    except Unreadable as trouble:
        return _outcome(order, "unknown", str(trouble))
    if report.client_order_id != order.client_order_id:
        named = shown(report.client_order_id, 128)
        return _outcome(order, "unknown", f"the reply is about another order: {named}")
    return report


def _outcome(order: Order, outcome: str, reason: str) -> SendOutcome:
    return SendOutcome(client_order_id=order.client_order_id, outcome=outcome, reason=reason)


def cancel_answer(order: Order, status: int, body: bytes) -> CancelOutcome:
    """204: the broker will try. A refusal in its own words: it won't. Anything else: ask again."""
    if status == 204:
        outcome, reason = "accepted", ""
    elif status == 429 or (status in _REFUSALS | {404} and decode_error(body) is not None):
        outcome, reason = "rejected", refusal_text(status, body)
    else:
        outcome, reason = "unknown", refusal_text(status, body)
    return CancelOutcome(client_order_id=order.client_order_id, outcome=outcome, reason=reason)

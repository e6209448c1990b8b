"""What Alpaca's words for an order's state mean in ours: two closed tables, and a suspicion for every other word."""

from trader.messages import Claim
from trader.wire.unreadable import shown

# Status of an order, as replies and queries tell it. An open order that is in some state of its own (stopped,
# suspended, calculated ...) is alive: that is all we have to know. We never replace an order, so a replacement
# is somebody else's doing.
CLAIM_OF_STATUS = {
    "accepted": Claim.PENDING_NEW,
    "accepted_for_bidding": Claim.PENDING_NEW,
    "pending_new": Claim.PENDING_NEW,
    "pending_review": Claim.PENDING_NEW,
    "held": Claim.PENDING_NEW,
    "new": Claim.NEW,
    "stopped": Claim.NEW,
    "suspended": Claim.NEW,
    "calculated": Claim.NEW,
    "partially_filled": Claim.PARTIALLY_FILLED,
    "filled": Claim.FILLED,
    "pending_cancel": Claim.PENDING_CANCEL,
    "canceled": Claim.CANCELED,
    "done_for_day": Claim.EXPIRED,
    "expired": Claim.EXPIRED,
    "rejected": Claim.REJECTED,
    "pending_replace": Claim.FOREIGN_CHANGE,
    "replaced": Claim.FOREIGN_CHANGE,
}

# Event of a trade update. Most are called as the status that they lead to.
CLAIM_OF_EVENT = {
    **{
        word: claim
        for word, claim in CLAIM_OF_STATUS.items()
        if word not in {"partially_filled", "filled"}
    },
    "partial_fill": Claim.PARTIALLY_FILLED,
    "fill": Claim.FILLED,
    "order_cancel_rejected": Claim.CANCEL_REJECTED,
    "order_replace_rejected": Claim.FOREIGN_CHANGE,
    "restated": Claim.FOREIGN_CHANGE,
    "trade_bust": Claim.FOREIGN_CHANGE,
    "trade_correct": Claim.FOREIGN_CHANGE,
}

FINAL_CLAIMS = frozenset({Claim.FILLED, Claim.CANCELED, Claim.EXPIRED, Claim.REJECTED})
_PLAIN = frozenset({str(claim) for claim in Claim} | {"partial_fill", "fill"})


def claim_of_status(status: str, time_in_force: str) -> tuple[Claim, str]:
    """Our claim, and a reason where the broker's word says more, or is one that nobody told us of."""
    return _claim(CLAIM_OF_STATUS, status, time_in_force)


def claim_of_event(event: str, time_in_force: str) -> tuple[Claim, str]:
    """The same for the event of a trade update."""
    return _claim(CLAIM_OF_EVENT, event, time_in_force)


def _claim(table: dict[str, Claim], word: str, time_in_force: str) -> tuple[Claim, str]:
    claim = table.get(word)
    if claim is None:
        return Claim.FOREIGN_CHANGE, f"a word unknown to us: {shown(word, 40)}"
    if claim is Claim.FOREIGN_CHANGE:
        return claim, f"{word}, which we never ask for"
    if word == "done_for_day" and time_in_force != "day":
        claim = Claim.NEW  # It comes back with the next session.
    return claim, "" if word in _PLAIN else word

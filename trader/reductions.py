"""Positions that have to go: the standing intentions, symbol by symbol, and the names of the exits that they take.

A reduction outlives orders, sessions and lives of the program. It ends when the symbol is flat and nothing is live.
"""

import hashlib
from decimal import Decimal

from immutables import Map
from msgspec import Struct
from msgspec.structs import replace

from trader.messages import ReductionBegan, ReductionEnded, ReductionKind
from trader.model import ENTRY_PURPOSES, AccountId, ClientOrderId, DecisionKey, Order, Symbol
from trader.money import canonical


class Reduction(Struct, frozen=True, kw_only=True):
    """Who or what wants a position gone, and how far it is."""

    kind: ReductionKind
    reference: str
    who: str
    reason: str
    began_ns: int
    exits: int = 0  # orders so far
    exit: ClientOrderId | None = None  # the last of them

    def is_for_auction(self, session: str) -> bool:
        """It sells with the closing auction of this session, the only one that it was begun for."""
        return self.reference == auction_of(session)

    @property
    def words(self) -> str:
        """For people: why the symbol takes no entries."""
        return f"being reduced ({self.kind.value}) by {self.who}: {self.reason}"


ReductionMap = Map[Symbol, Reduction]


def auction_of(session: str) -> str:
    """The reference of what a session's closing auction is to sell."""
    return f"auction|{session}"


def moved(reductions: ReductionMap, event: ReductionBegan | ReductionEnded) -> ReductionMap:
    """The map after one began or ended."""
    if isinstance(event, ReductionEnded):
        return reductions.delete(event.symbol)
    began = Reduction(
        kind=event.kind,
        reference=event.reference,
        who=event.who,
        reason=event.reason,
        began_ns=event.at_ns,
    )
    return reductions.set(event.symbol, began)


def with_order(reductions: ReductionMap, order: Order) -> ReductionMap:
    """An exit that is accepted while its symbol is reduced is the reduction's own: no other one is accepted then."""
    reduction = reductions.get(order.symbol)
    if reduction is None or order.purpose in ENTRY_PURPOSES:
        return reductions
    mine = replace(reduction, exits=reduction.exits + 1, exit=order.client_order_id)
    return reductions.set(order.symbol, mine)


def decision_key(
    account: AccountId, reference: str, symbol: Symbol, attempt: int, shares: Decimal
) -> DecisionKey:
    """Of the n-th exit of a reduction: the same after a crash, and in whichever process asks.

    How much it sells is part of it: a journal from a backup may hold more or less than was sold under its name.
    """
    decision = "|".join((account, reference, symbol, str(attempt), canonical(shares)))
    return DecisionKey(hashlib.sha256(decision.encode()).hexdigest())

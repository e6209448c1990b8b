"""The simulated venue's own books and matching: pure, synchronous, and independent of the trader's."""

from trader.venue.accounts import VenueAccount, VenuePosition
from trader.venue.ledger import VenueState
from trader.venue.matching import Book
from trader.venue.terms import VenueTerms
from trader.venue.venue import Venue
from trader.venue.words import (
    EventKind,
    Fee,
    NewOrder,
    OrderEvent,
    OrderStatus,
    OrderType,
    Refusal,
    VenueExecution,
    VenueOrder,
)

__all__ = [
    "Book",
    "EventKind",
    "Fee",
    "NewOrder",
    "OrderEvent",
    "OrderStatus",
    "OrderType",
    "Refusal",
    "Venue",
    "VenueAccount",
    "VenueExecution",
    "VenueOrder",
    "VenuePosition",
    "VenueState",
    "VenueTerms",
]

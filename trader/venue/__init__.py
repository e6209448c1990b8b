"""The simulated venue's own books and matching: pure, synchronous, and independent of the trader's."""

from trader.venue.accounts import VenueAccount, VenuePosition
from trader.venue.back_office import BackOffice
from trader.venue.ledger import VenueState
from trader.venue.matching import Book
from trader.venue.terms import VenueTerms
from trader.venue.venue import Venue
from trader.venue.words import (
    Activity,
    ActivityKind,
    EventKind,
    ExecutionKind,
    NewOrder,
    OrderEvent,
    OrderStatus,
    OrderType,
    Refusal,
    VenueExecution,
    VenueOrder,
)

__all__ = [
    "Activity",
    "ActivityKind",
    "BackOffice",
    "Book",
    "EventKind",
    "ExecutionKind",
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

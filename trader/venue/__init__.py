"""The simulated venue's own books and matching: pure, synchronous, and independent of the trader's."""

from trader.venue.accounts import Configuration, VenueAccount, VenuePosition
from trader.venue.assets import VenueAsset
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
    Leg,
    NewOrder,
    OrderClass,
    OrderEvent,
    OrderStatus,
    OrderType,
    Refusal,
    Replacement,
    StopLoss,
    VenueExecution,
    VenueOrder,
)

__all__ = [
    "Activity",
    "ActivityKind",
    "BackOffice",
    "Book",
    "Configuration",
    "EventKind",
    "ExecutionKind",
    "Leg",
    "NewOrder",
    "OrderClass",
    "OrderEvent",
    "OrderStatus",
    "OrderType",
    "Refusal",
    "Replacement",
    "StopLoss",
    "Venue",
    "VenueAccount",
    "VenueAsset",
    "VenueExecution",
    "VenueOrder",
    "VenuePosition",
    "VenueState",
    "VenueTerms",
]

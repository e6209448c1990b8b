"""What a resting or arriving order can trade against: the quote of the moment, or the bar that has just ended.

Orders fill at the far side of the latest quote and never for more than the size quoted there; what is taken is gone
until the next quote, so a large order fills in parts. Where a bar ended without a quote having met the limit, a limit
that the bar traded *through* (not merely touched) fills too: at the limit or, when the bar opened beyond it, at its
open, and for no more than a part of its volume.
"""

from decimal import Decimal

from msgspec import Struct

from trader.model import Bar, Quote, Side
from trader.money import ONE, ZERO, price_of, rounded_down
from trader.venue.words import OrderType, VenueOrder


class Liquidity(Struct, kw_only=True):
    """One side of a symbol's market: a price in dollars and the shares left at it."""

    price: Decimal = ZERO
    quantity: Decimal = ZERO


class Book(Struct, kw_only=True):
    """What is known of a symbol's market; `last` is the latest trade's price, ZERO before any."""

    ask: Liquidity
    bid: Liquidity
    last: Decimal = ZERO

    def far_side(self, side: Side) -> Liquidity:
        """What an order of that side trades against."""
        return self.ask if side is Side.BUY else self.bid

    def take_quote(self, quote: Quote) -> None:
        self.ask = Liquidity(price=price_of(quote.ask), quantity=Decimal(quote.ask_size))
        self.bid = Liquidity(price=price_of(quote.bid), quantity=Decimal(quote.bid_size))

    def forget_quote(self) -> None:
        """A quote does not outlive its session."""
        self.ask, self.bid = Liquidity(), Liquidity()

    def buy_price(self) -> Decimal:
        """What a share bought at the market is valued at: the ask, else the last trade; ZERO: nothing is known."""
        return self.ask.price or self.last

    def mark(self) -> Decimal:
        """What a held share is worth: the last trade, else the bid."""
        return self.last or self.bid.price


def empty_book() -> Book:
    return Book(ask=Liquidity(), bid=Liquidity())


def quoted_match(order: VenueOrder, book: Book) -> tuple[Decimal, Decimal]:
    """(quantity, price) that the quote gives the order now; quantity ZERO when it gives nothing."""
    far = book.far_side(order.side)
    if not far.price or not far.quantity or not _admits(order, far.price):
        return ZERO, ZERO
    return min(order.quantity_leaves, far.quantity), far.price


def bar_match(order: VenueOrder, bar: Bar, volume_left: Decimal) -> tuple[Decimal, Decimal]:
    """(quantity, price) for a limit order that rested during the whole bar."""
    limit = order.limit_price
    if (
        order.order_type is not OrderType.LIMIT
        or limit is None
        or order.submitted_ns > bar.start_ns
    ):
        return ZERO, ZERO
    opening = price_of(bar.open)
    if order.side is Side.BUY:
        traded_through, price = price_of(bar.low) < limit, min(limit, opening)
    else:
        traded_through, price = price_of(bar.high) > limit, max(limit, opening)
    if not traded_through:
        return ZERO, ZERO
    return min(order.quantity_leaves, volume_left), price


def takeable_volume(bar: Bar, participation: Decimal) -> Decimal:
    """Whole shares of the bar that all resting orders together may take."""
    return rounded_down(bar.volume * participation, ONE)


def _admits(order: VenueOrder, price: Decimal) -> bool:
    if order.limit_price is None:
        return True
    return price <= order.limit_price if order.side is Side.BUY else price >= order.limit_price

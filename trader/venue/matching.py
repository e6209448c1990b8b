"""What a resting or arriving order can trade against: the quote of the moment, or the bar that has just ended.

Orders fill at the far side of the latest quote and never for more than the size quoted there; what is taken is gone
until the next quote, so a large order fills in parts. Where a bar ended without a quote having met the limit, a limit
that the bar traded *through* (not merely touched) fills too: at the limit or, when the bar opened beyond it, at its
open, and for no more than a part of its volume.

A symbol without quotes gets one made of each bar: its close, half the stated spread to each side, and as many shares
as may be taken of the bar. A stop is triggered by the side of the quote that it would trade against, or by a bar that
touched it.
"""

from decimal import Decimal

from msgspec import Struct, field

from trader.model import Bar, Phase, Quote, Side, TimeInForce
from trader.money import (
    CENT,
    MILL,
    ONE,
    QUANTITY_DECIMALS,
    ZERO,
    plain,
    price_of,
    rounded_down,
    rounded_up,
)
from trader.venue.terms import VenueTerms
from trader.venue.words import LIMITED, OrderType, VenueOrder

SHORT_MARKUP = Decimal("1.03")  # a short sale is valued at no less than this much of the ask
HUNDRED = Decimal(100)
NANOS = Decimal(10**QUANTITY_DECIMALS)


class Liquidity(Struct, kw_only=True):
    """One side of a symbol's market: a price in dollars and the shares left at it."""

    price: Decimal = ZERO
    quantity: Decimal = ZERO


class Book(Struct, kw_only=True):
    """What is known of a symbol's market; `last` is the latest trade's price, ZERO before any.

    `is_quoted`: the quote was told, not made of a bar. `closed_ns`: the close whose auction has been held.
    Most quotes are followed by the next before anybody looks at them: their sides are made for the first who does.
    """

    last: Decimal = ZERO
    is_quoted: bool = False
    is_halted: bool = False
    closed_ns: int = 0
    taken: Decimal = ZERO  # at the open of the bar under way
    _ask: Liquidity = field(default_factory=Liquidity)
    _bid: Liquidity = field(default_factory=Liquidity)
    _quote: Quote | None = None  # whose sides are not made yet
    _participation: Decimal = ONE

    @property
    def ask(self) -> Liquidity:
        self._make_sides()
        return self._ask

    @property
    def bid(self) -> Liquidity:
        self._make_sides()
        return self._bid

    def far_side(self, side: Side) -> Liquidity:
        """What an order of that side trades against."""
        return self.ask if side is Side.BUY else self.bid

    def take_quote(self, quote: Quote, participation: Decimal = ONE) -> None:
        self._quote, self._participation = quote, participation
        self.is_quoted = True

    def make_quote(self, bar: Bar, quantity: Decimal, half_spread_rate: Decimal) -> None:
        """Around the bar's close; at least a cent wide."""
        close = price_of(bar.close)
        half = close * half_spread_rate
        bid = rounded_down(close - half)
        ask = max(rounded_up(close + half), bid + CENT)
        self._quote = None
        self._bid = Liquidity(price=bid, quantity=quantity)
        self._ask = Liquidity(price=ask, quantity=quantity)

    def forget_quote(self) -> None:
        """A quote does not outlive its session."""
        self._quote = None
        self._ask, self._bid = Liquidity(), Liquidity()
        self.is_quoted = False

    def buy_price(self, at: Phase = Phase.REGULAR) -> Decimal:
        """What a share bought at the market is valued at; ZERO: nothing is known.

        The ask, else the last trade; between the quotes out of hours; the last trade while the exchange is closed.
        """
        if at in (Phase.CLOSED, Phase.NIGHT):
            return self.last or self.ask.price
        if at is not Phase.REGULAR and self.ask.price and self.bid.price:
            return (self.ask.price + self.bid.price) / 2
        return self.ask.price or self.last

    def mark(self) -> Decimal:
        """What a held share is worth: the last trade, else the bid."""
        return self.last or self.bid.price

    def _make_sides(self) -> None:
        quote, part = self._quote, self._participation
        if quote is not None:
            self._quote = None
            self._ask = Liquidity(price=price_of(quote.ask), quantity=_part(quote.ask_size, part))
            self._bid = Liquidity(price=price_of(quote.bid), quantity=_part(quote.bid_size, part))


# --- quotes


def quoted_match(order: VenueOrder, book: Book, terms: VenueTerms) -> tuple[Decimal, Decimal]:
    """(quantity, price) that the quote gives the order now; quantity ZERO when it gives nothing."""
    far = book.far_side(order.side)
    if not far.price or not far.quantity or order.is_resting_stop or book.is_halted:
        return ZERO, ZERO
    price = far.price
    if terms.slippage_rate and order.order_type not in LIMITED:
        price = slipped(order.side, price, terms.slippage_rate)
    if not _admits(order, price):
        return ZERO, ZERO
    return min(wanted(order, price), far.quantity), price


def may_concern(order: VenueOrder, book: Book) -> bool:
    """Cheap: most orders rest at limits that the quote is not near. Stops and auctions always look themselves."""
    if order.is_resting_stop or order.time_in_force is TimeInForce.OPG:
        return True
    return _admits(order, book.far_side(order.side).price)


def wanted(order: VenueOrder, price: Decimal) -> Decimal:
    """How much the order takes at that price, if it can have all it wants."""
    if order.notional is None:
        return order.quantity_leaves
    worth = nano_shares(order.notional - order.notional_filled, price)
    return worth if order.is_opening else min(worth, order.quantity_leaves)


def nano_shares(dollars: Decimal, price: Decimal) -> Decimal:
    """How many shares the dollars pay for, rounded down; none where no price is known."""
    return plain((dollars * NANOS // price).scaleb(-QUANTITY_DECIMALS)) if price else ZERO


def slipped(side: Side, price: Decimal, rate: Decimal) -> Decimal:
    """A price that much worse, on the ticks of prices."""
    if side is Side.BUY:
        return rounded_up(price + price * rate, MILL)
    return max(rounded_down(price - price * rate, MILL), MILL)


def value_price(order: VenueOrder, book: Book, at: Phase) -> Decimal:
    """What each share of an opening order holds of buying power; ZERO: no price is known.

    A buy its limit, or the market; a short sale the more of its limit and 1.03 of the ask.
    """
    market, worst = book.buy_price(at), order.worst_price
    if not market and worst is None:
        return ZERO
    if order.side is Side.BUY:
        return worst if worst is not None else max(market, order.stop_price or ZERO)
    return max(order.limit_price or ZERO, rounded_up(market * SHORT_MARKUP, MILL))


# --- stops


def is_triggered_by_quote(order: VenueOrder, book: Book) -> bool:
    far, stop = book.far_side(order.side).price, order.stop_price
    if not far or stop is None or book.is_halted:
        return False
    return far >= stop if order.side is Side.BUY else far <= stop


def is_triggered_by_bar(order: VenueOrder, bar: Bar) -> bool:
    """Only a stop that rested during the whole bar knows that it was touched."""
    stop = order.stop_price
    if stop is None or order.working_ns > bar.start_ns:
        return False
    return price_of(bar.high) >= stop if order.side is Side.BUY else price_of(bar.low) <= stop


def trailed(order: VenueOrder, book: Book) -> tuple[Decimal, Decimal] | None:
    """(best price so far, stop price) of a trailing stop, where the quote takes it along; None: it does not."""
    far = book.far_side(order.side).price
    if order.order_type is not OrderType.TRAILING_STOP or not far or book.is_halted:
        return None
    if order.hwm is not None and (far >= order.hwm if order.side is Side.BUY else far <= order.hwm):
        return None
    return far, trailing_stop_price(order.side, far, order.trail_price, order.trail_percent)


def trailing_stop_price(
    side: Side, best: Decimal, trail_price: Decimal | None, trail_percent: Decimal | None
) -> Decimal:
    """So far behind the best price, on whole ticks away from it."""
    trail = trail_price if trail_price is not None else best * (trail_percent or ZERO) / HUNDRED
    if side is Side.BUY:
        return rounded_up(best + trail, MILL)
    return max(rounded_down(best - trail, MILL), MILL)


# --- bars


def opening_match(
    order: VenueOrder, bar: Bar, volume_left: Decimal, *, half_spread_rate: Decimal
) -> tuple[Decimal, Decimal]:
    """(quantity, price) at a bar's open, half the spread worse, for an order that was there when it opened."""
    is_late = order.working_ns > bar.start_ns
    if is_late or order.is_resting_stop or order.time_in_force is TimeInForce.CLS:
        return ZERO, ZERO
    price = slipped(order.side, price_of(bar.open), half_spread_rate)
    if not _admits(order, price):
        return ZERO, ZERO
    return max(min(wanted(order, price), volume_left), ZERO), price


def auction_match(order: VenueOrder, ticks: int, volume_left: Decimal) -> tuple[Decimal, Decimal]:
    """(quantity, price) at the price of an auction, a bar's open or close, for an order that takes part in it."""
    price, limit = price_of(ticks), order.limit_price
    if limit is not None and (price > limit if order.side is Side.BUY else price < limit):
        return ZERO, ZERO
    return max(min(order.quantity_leaves, volume_left), ZERO), price


def bar_match(
    order: VenueOrder, bar: Bar, volume_left: Decimal, *, is_quoted: bool, half_spread_rate: Decimal
) -> tuple[Decimal, Decimal]:
    """(quantity, price) for an order that rested during the whole bar.

    Without quotes a stop that the bar triggered trades in it, too: at its stop price or, when the bar opened beyond
    it, at the open, and worse by half the spread.
    """
    limit = order.limit_price
    if order.working_ns > bar.start_ns or order.is_resting_stop:
        return ZERO, ZERO
    opening = price_of(bar.open)
    if order.order_type in LIMITED and limit is not None:
        if order.side is Side.BUY:
            traded_through, price = price_of(bar.low) < limit, min(limit, opening)
        else:
            traded_through, price = price_of(bar.high) > limit, max(limit, opening)
        if order.order_type is OrderType.STOP_LIMIT:
            price = (
                limit  # What came first within the bar, the stop or a better price, is not known.
            )
        return (min(order.quantity_leaves, volume_left), price) if traded_through else (ZERO, ZERO)
    if is_quoted:
        return ZERO, ZERO
    stop = order.stop_price
    worst = opening if stop is None else (max if order.side is Side.BUY else min)(stop, opening)
    price = slipped(order.side, worst, half_spread_rate)
    if not _admits(order, price):
        return ZERO, ZERO
    return min(wanted(order, price), volume_left), price


def takeable_volume(bar: Bar, participation: Decimal) -> Decimal:
    """Whole shares of the bar that all resting orders together may take."""
    return _part(bar.volume, participation)


def _part(size: int, participation: Decimal) -> Decimal:
    return Decimal(size) if participation == ONE else rounded_down(size * participation, ONE)


def _admits(order: VenueOrder, price: Decimal) -> bool:
    worst = order.worst_price
    if worst is None:
        return True
    return price <= worst if order.side is Side.BUY else price >= worst

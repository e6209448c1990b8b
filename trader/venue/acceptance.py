"""Is this an order at all? The venue's rules of form, in Alpaca's words and codes; the first that objects answers.

Nothing here looks at the account. Two buys of the same symbol are accepted: a venue is no protection against a
duplicate.
"""

from decimal import Decimal

from trader.model import Side, TimeInForce
from trader.money import CENT, MILL, ONE, ZERO, canonical
from trader.venue.assets import VenueAsset
from trader.venue.hours import auction_is_shut
from trader.venue.matching import Book
from trader.venue.refusals import (
    NOT_FOUND,
    forbidden,
    invalid,
    order_not_found,
    unprocessable,
)
from trader.venue.words import LIMITED, NewOrder, OrderClass, OrderType, Refusal

__all__ = ["NOT_FOUND", "form_objection", "market_objection", "order_not_found", "price_objection"]

CLIENT_ORDER_ID_MAX = 128
QUANTITY_MAX = Decimal(1_000_000_000)
NOTIONAL_MAX = Decimal(1_000_000_000)
PRICE_MAX = Decimal(1_000_000)
PERCENT_MAX = Decimal(100)
FRACTIONAL_TYPES = frozenset(
    {OrderType.MARKET, OrderType.LIMIT, OrderType.STOP, OrderType.STOP_LIMIT}
)
LASTING = frozenset({TimeInForce.DAY, TimeInForce.GTC})
AUCTION_TYPES = frozenset({OrderType.MARKET, OrderType.LIMIT})
GROUP_TYPES = frozenset({OrderType.MARKET, OrderType.LIMIT})


def form_objection(new: NewOrder, asset: VenueAsset) -> Refusal | None:
    """Looks at nothing but the order and what the asset allows."""
    return (
        id_objection(new.client_order_id)
        or _size_objection(new)
        or _prices_objection(new)
        or _time_objection(new)
        or _fraction_objection(new, asset)
        or _class_objection(new)
    )


def id_objection(client_order_id: str | None) -> Refusal | None:
    if client_order_id is not None and len(client_order_id) > CLIENT_ORDER_ID_MAX:
        return invalid(f"client_order_id must be no more than {CLIENT_ORDER_ID_MAX} characters")
    return None


def _size_objection(new: NewOrder) -> Refusal | None:
    if new.notional is None:
        return quantity_objection(new.quantity)
    if not ONE <= new.notional <= NOTIONAL_MAX:
        return invalid("notional must be >= 1.00")
    if new.notional % CENT:
        return unprocessable("notional value must be limited to 2 decimal places")
    if new.order_type is not OrderType.MARKET or new.time_in_force is not TimeInForce.DAY:
        return unprocessable("notional orders must be DAY market orders")
    return None


def quantity_objection(quantity: Decimal) -> Refusal | None:
    if not ZERO < quantity <= QUANTITY_MAX:
        return invalid(f"qty must be > 0 and <= {QUANTITY_MAX}")
    return None


# --- prices


def _prices_objection(new: NewOrder) -> Refusal | None:
    return (
        _limit_objection(new)
        or _stop_objection(new)
        or _trail_objection(new.order_type, new.trail_price, new.trail_percent)
    )


def _limit_objection(new: NewOrder) -> Refusal | None:
    if new.order_type not in LIMITED:
        if new.limit_price is not None:
            return invalid(f"{_kind(new)} orders must not have limit_price")
        return None
    if new.limit_price is None:
        return invalid(f"{_kind(new)} orders require a limit price")
    return price_objection("limit_price", new.limit_price)


def _stop_objection(new: NewOrder) -> Refusal | None:
    if new.order_type not in (OrderType.STOP, OrderType.STOP_LIMIT):
        if new.stop_price is not None:
            return invalid(f"{_kind(new)} orders must not have stop_price")
        return None
    if new.stop_price is None:
        return invalid(f"{_kind(new)} orders require a stop price")
    return price_objection("stop_price", new.stop_price)


def _kind(new: NewOrder) -> str:
    return new.order_type.replace("_", " ")


def _trail_objection(
    order_type: OrderType, price: Decimal | None, percent: Decimal | None
) -> Refusal | None:
    if order_type is not OrderType.TRAILING_STOP:
        if price is not None or percent is not None:
            kind = order_type.replace("_", " ")
            return invalid(f"{kind} orders must not have trail_price or trail_percent")
        return None
    if (price is None) == (percent is None):
        return invalid("trailing stop orders must specify one of trail_price or trail_percent")
    if percent is not None and not ZERO < percent < PERCENT_MAX:
        return invalid("trail_percent must be > 0 and < 100")
    return None if price is None else price_objection("trail_price", price)


def price_objection(name: str, price: Decimal) -> Refusal | None:
    """Cents from one dollar on, hundredths of a cent below."""
    if not ZERO < price <= PRICE_MAX:
        return invalid(f"{name} must be > 0")
    step = CENT if price >= ONE else MILL
    if price % step:
        return unprocessable(
            f"invalid {name} {canonical(price)}."
            " sub-penny increment does not fulfill minimum pricing criteria"
        )
    return None


# --- time in force, fractions, groups


def _time_objection(new: NewOrder) -> Refusal | None:
    if new.time_in_force in (TimeInForce.OPG, TimeInForce.CLS):
        if new.order_type not in AUCTION_TYPES:
            return unprocessable(f"{new.time_in_force} orders must be market or limit orders")
    elif new.time_in_force not in LASTING and new.order_type not in AUCTION_TYPES:
        return unprocessable(f"{new.time_in_force} orders must be market or limit orders")
    if not new.extended_hours:
        return None
    if new.order_type is OrderType.LIMIT and new.time_in_force in LASTING:
        return None
    return unprocessable("extended hours order must be DAY or GTC limit orders")


def _fraction_objection(new: NewOrder, asset: VenueAsset) -> Refusal | None:
    if new.notional is None and not new.quantity % 1:
        return None
    if not asset.is_fractionable:
        return forbidden(f'asset "{new.symbol}" is not fractionable')
    if new.order_type not in FRACTIONAL_TYPES:
        return unprocessable("fractional orders must be market, limit, stop or stop limit orders")
    if new.time_in_force is not TimeInForce.DAY:
        return unprocessable("fractional orders must be DAY orders")
    if new.order_class is not OrderClass.SIMPLE:
        return unprocessable("fractional orders must be simple orders")
    return None


def _class_objection(new: NewOrder) -> Refusal | None:
    has_profit, has_loss = new.take_profit is not None, new.stop_loss is not None
    match new.order_class:
        case OrderClass.SIMPLE:
            if has_profit or has_loss:
                return unprocessable("simple orders must not have take_profit or stop_loss")
            return None
        case OrderClass.BRACKET:
            if not (has_profit and has_loss):
                return unprocessable("bracket orders require take_profit and stop_loss")
        case OrderClass.OCO:
            if not (has_profit and has_loss):
                return unprocessable("oco orders require take_profit and stop_loss")
            if new.order_type is not OrderType.LIMIT:
                return unprocessable("oco orders must be limit orders")
        case OrderClass.OTO:
            if has_profit == has_loss:
                return unprocessable("oto orders require one of take_profit or stop_loss")
    if new.order_type not in GROUP_TYPES:
        return unprocessable(
            f"{new.order_class} orders must be entered with market or limit orders"
        )
    if new.time_in_force not in LASTING:
        return unprocessable(f"{new.order_class} orders must be DAY or GTC")
    if new.extended_hours:
        return unprocessable(f"{new.order_class} orders are not allowed in extended hours")
    return _legs_objection(new)


def _legs_objection(new: NewOrder) -> Refusal | None:
    """The form of the exits' prices; whether they lie right to the entry's is another rule."""
    prices = {"take_profit.limit_price": new.take_profit}
    if new.stop_loss is not None:
        prices["stop_loss.stop_price"] = new.stop_loss.stop_price
        prices["stop_loss.limit_price"] = new.stop_loss.limit_price
    for name, price in prices.items():
        objection = None if price is None else price_objection(name, price)
        if objection is not None:
            return objection
    return None


# --- the market at that moment


def market_objection(new: NewOrder, asset: VenueAsset, book: Book, at_ns: int) -> Refusal | None:
    """Is this the time for it, and do its prices make sense beside the market's?"""
    if not asset.is_tradable:
        return unprocessable(f'asset "{new.symbol}" is not tradable')
    if auction_is_shut(new.time_in_force, at_ns):
        return unprocessable(f"{new.time_in_force} orders are not accepted at this time of day")
    return _beside_market_objection(new, book) or _legs_apart_objection(new, book)


def _beside_market_objection(new: NewOrder, book: Book) -> Refusal | None:
    market = book.mark()
    if new.stop_price is None or not market:
        return None
    is_buy = new.side is Side.BUY
    if new.stop_price > market if is_buy else new.stop_price < market:
        return None
    return unprocessable(
        f"stop price must be {'greater' if is_buy else 'less'} than current price",
        market_price=canonical(market),
        stop_price=canonical(new.stop_price),
    )


def _legs_apart_objection(new: NewOrder, book: Book) -> Refusal | None:
    """A profit lies beyond the entry's price, a loss before it, both by a cent at least.

    Of an OCO order there is no entry: its two prices lie to either side of each other.
    """
    if new.order_class is OrderClass.SIMPLE:
        return None
    loss = None if new.stop_loss is None else new.stop_loss.stop_price
    is_long = (new.side is Side.BUY) is not (new.order_class is OrderClass.OCO)
    if new.order_class is OrderClass.OCO:
        base, profit = None, new.limit_price
    else:
        base, profit = new.limit_price or book.buy_price() or None, new.take_profit
    sign = 1 if is_long else -1
    if profit is not None and loss is not None and sign * (profit - loss) < CENT:
        return _too_near("take_profit.limit_price", is_long, "stop_loss.stop_price", loss)
    if base is not None and profit is not None and sign * (profit - base) < CENT:
        return _too_near("take_profit.limit_price", is_long, "base_price", base)
    if base is not None and loss is not None and sign * (base - loss) < CENT:
        return _too_near("stop_loss.stop_price", not is_long, "base_price", base)
    return None


def _too_near(name: str, is_above: bool, other: str, price: Decimal) -> Refusal:
    bound = ">= {} + 0.01" if is_above else "<= {} - 0.01"
    return unprocessable(f"{name} must be {bound.format(other)}", base_price=canonical(price))

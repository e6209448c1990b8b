"""May this order be taken? The venue's own rules, in Alpaca's words and codes; the first that objects answers.

Two buys of the same symbol are accepted: a venue is no protection against a duplicate.
"""

from collections.abc import Iterable
from decimal import Decimal

from trader.model import Side, Symbol, TimeInForce
from trader.money import CENT, MILL, ONE, ZERO, canonical
from trader.venue.accounts import VenueAccount
from trader.venue.matching import Book
from trader.venue.words import NewOrder, OrderType, Refusal, VenueOrder

CLIENT_ORDER_ID_MAX = 128
QUANTITY_MAX = Decimal(1_000_000_000)
PRICE_MAX = Decimal(1_000_000)
INVALID, UNPROCESSABLE, FORBIDDEN, NOT_FOUND = 40010001, 42210000, 40310000, 40410000
WORKED_TYPES = frozenset({OrderType.MARKET, OrderType.LIMIT})
WORKED_TIMES = frozenset({TimeInForce.DAY, TimeInForce.GTC, TimeInForce.IOC, TimeInForce.FOK})


def form_objection(new: NewOrder) -> Refusal | None:
    """Is it an order at all? Looks at nothing but the order."""
    if new.order_type not in WORKED_TYPES:
        return unprocessable(f"{new.order_type} orders are not simulated")
    if new.time_in_force not in WORKED_TIMES:
        return invalid("invalid time_in_force")
    if new.client_order_id is not None and len(new.client_order_id) > CLIENT_ORDER_ID_MAX:
        return invalid(f"client_order_id must be no more than {CLIENT_ORDER_ID_MAX} characters")
    if not ZERO < new.quantity <= QUANTITY_MAX:
        return invalid(f"qty must be > 0 and <= {QUANTITY_MAX}")
    return _limit_objection(new) or _extended_objection(new)


def _limit_objection(new: NewOrder) -> Refusal | None:
    if new.order_type is OrderType.MARKET:
        if new.limit_price is not None:
            return invalid("market orders must not have limit_price")
        return None
    if new.limit_price is None:
        return invalid("limit orders require a limit price")
    if not ZERO < new.limit_price <= PRICE_MAX:
        return invalid("limit_price must be > 0")
    step = CENT if new.limit_price >= ONE else MILL
    if new.limit_price % step:
        return unprocessable(
            f"invalid limit_price {canonical(new.limit_price)}."
            " sub-penny increment does not fulfill minimum pricing criteria"
        )
    return None


def _extended_objection(new: NewOrder) -> Refusal | None:
    if not new.extended_hours:
        return None
    if new.order_type is OrderType.LIMIT and new.time_in_force in (
        TimeInForce.DAY,
        TimeInForce.GTC,
    ):
        return None
    return unprocessable("extended hours order must be DAY or GTC limit orders")


def whole_shares_objection(new: NewOrder) -> Refusal | None:
    if new.quantity % 1:
        return forbidden(f'asset "{new.symbol}" is not fractionable')
    return None


def wash_trade_objection(new: NewOrder, open_orders: Iterable[VenueOrder]) -> Refusal | None:
    """An order that could trade with the account's own; orders whose cancel is pending still count."""
    for standing in open_orders:
        if standing.side is not new.side and _could_meet(new, standing):
            return forbidden(
                "potential wash trade detected. use complex orders",
                existing_order_id=standing.order_id,
                reject_reason="opposite side limit order exists"
                if new.limit_price is not None and standing.limit_price is not None
                else "opposite side market/stop order exists",
            )
    return None


def _could_meet(new: NewOrder, standing: VenueOrder) -> bool:
    if new.limit_price is None or standing.limit_price is None:
        return True
    if new.side is Side.BUY:
        return new.limit_price >= standing.limit_price
    return standing.limit_price >= new.limit_price


def funds_objection(account: VenueAccount, cost: Decimal) -> Refusal | None:
    if cost <= account.buying_power:
        return None
    return forbidden(
        "insufficient buying power",
        buying_power=canonical(account.buying_power),
        cost_basis=canonical(cost),
    )


def shares_objection(
    account: VenueAccount, new: NewOrder, holders: Iterable[VenueOrder]
) -> Refusal | None:
    """A sell needs shares that no other open sell holds."""
    existing, available = account.quantity(new.symbol), account.available(new.symbol)
    if new.quantity <= available:
        return None
    if not existing:
        return short_sale()
    return forbidden(
        "insufficient qty available for order"
        f" (requested: {canonical(new.quantity)}, available: {canonical(available)})",
        symbol=new.symbol,
        existing_qty=canonical(existing),
        held_for_orders=canonical(existing - available),
        available=canonical(available),
        related_orders=[order.order_id for order in holders if order.side is Side.SELL],
    )


def short_sale() -> Refusal:
    return forbidden("account is not allowed to short")


def price_unknown(symbol: Symbol) -> Refusal:
    return unprocessable(f'no price is known for "{symbol}": a market order cannot be valued')


def reserve_price(new: NewOrder, book: Book) -> Decimal:
    """What each share of a buy holds: its limit, else the far side of the quote; ZERO: no price is known."""
    return new.limit_price if new.limit_price is not None else book.buy_price()


def forbidden(message: str, **extra: str | list[str]) -> Refusal:
    return Refusal(status=403, code=FORBIDDEN, message=message, extra=extra)


def invalid(message: str) -> Refusal:
    return Refusal(status=422, code=INVALID, message=message)


def unprocessable(message: str) -> Refusal:
    return Refusal(status=422, code=UNPROCESSABLE, message=message)


def order_not_found(order_id: str) -> Refusal:
    return Refusal(status=404, code=NOT_FOUND, message=f"order not found for {order_id}")

"""May this account send that order? Its permission, buying power and shares, and whether it would trade with itself."""

from collections.abc import Iterable
from decimal import Decimal

from trader.model import Side, Symbol
from trader.money import ZERO, canonical
from trader.venue.accounts import VenueAccount
from trader.venue.assets import VenueAsset
from trader.venue.refusals import forbidden, short_sale, unprocessable
from trader.venue.words import LIMITED, NewOrder, OrderClass, OrderType, Refusal, VenueOrder

UNWASHED_CLASSES = frozenset({OrderClass.BRACKET, OrderClass.OCO})


def permission_objection(account: VenueAccount, new: NewOrder) -> Refusal | None:
    if account.trading_blocked or account.account_blocked:
        return forbidden("account is not authorized to trade")
    if account.configuration.suspend_trade:
        return forbidden("new orders are rejected by user request")
    is_fraction = new.notional is not None or bool(new.quantity % 1)
    if is_fraction and not account.configuration.fractional_trading:
        return forbidden("fractional trading is not enabled for this account")
    if account.is_restricted_to_liquidation and not account.reduces(new.symbol, new.side):
        return forbidden("account is restricted to liquidation only")
    return None


# --- the account's own orders


def wash_trade_objection(new: NewOrder, open_orders: Iterable[VenueOrder]) -> Refusal | None:
    """An order that could trade with the account's own; orders whose cancel is pending still count."""
    if is_unwashed(new.order_type, new.order_class):
        return None
    for standing in open_orders:
        if (
            standing.side is not new.side
            and not is_unwashed(standing.order_type, standing.order_class)
            and _could_meet(new, standing)
        ):
            are_limits = new.order_type in LIMITED and standing.order_type in LIMITED
            return forbidden(
                "potential wash trade detected. use complex orders",
                existing_order_id=standing.order_id,
                reject_reason="opposite side limit order exists"
                if are_limits
                else "opposite side market/stop order exists",
            )
    return None


def is_unwashed(order_type: OrderType, order_class: OrderClass) -> bool:
    return order_type is OrderType.TRAILING_STOP or order_class in UNWASHED_CLASSES


def _could_meet(new: NewOrder, standing: VenueOrder) -> bool:
    if new.limit_price is None or standing.limit_price is None:
        return True
    if new.side is Side.BUY:
        return new.limit_price >= standing.limit_price
    return standing.limit_price >= new.limit_price


# --- money and shares


def funds_objection(power: Decimal, cost: Decimal) -> Refusal | None:
    if cost <= power:
        return None
    return forbidden(
        "insufficient buying power",
        buying_power=canonical(max(power, ZERO)),
        cost_basis=canonical(cost),
    )


def shares_objection(
    account: VenueAccount,
    symbol: Symbol,
    quantity: Decimal,
    holders: Iterable[VenueOrder],
    own: Decimal = ZERO,
) -> Refusal | None:
    """What reduces a position needs shares that no other open order holds; `own` are held for this one already."""
    existing, available = account.quantity(symbol), account.available(symbol) + own
    if quantity <= available:
        return None
    return forbidden(
        "insufficient qty available for order"
        f" (requested: {canonical(quantity)}, available: {canonical(available)})",
        symbol=symbol,
        existing_qty=canonical(existing),
        held_for_orders=canonical(account.held_for_orders(symbol)),
        available=canonical(available),
        related_orders=[order.order_id for order in holders if order.shares_held],
    )


def short_objection(account: VenueAccount, new: NewOrder, asset: VenueAsset) -> Refusal | None:
    """A sale of shares that are not there."""
    if not account.may_short:
        return short_sale()
    if not asset.is_shortable:
        return unprocessable(f'asset "{new.symbol}" cannot be sold short')
    if new.notional is not None or new.quantity % 1:
        return unprocessable("fractional orders cannot be sold short")
    return None


def intent_objection(new: NewOrder, is_opening: bool) -> Refusal | None:
    """The client's own word for what the order does; no word is as good as the right one."""
    inferred = intent_of(new.side, is_opening)
    if new.position_intent in (None, inferred):
        return None
    return unprocessable(
        f"position intent mismatch, inferred: {inferred}, specified: {new.position_intent}"
    )


def intent_of(side: Side, is_opening: bool) -> str:
    return f"{'buy' if side is Side.BUY else 'sell'}_to_{'open' if is_opening else 'close'}"

"""The venue's values as Alpaca's JSON objects of the trading service: decimals are strings, times RFC 3339."""

from collections.abc import Sequence
from decimal import Decimal
from functools import lru_cache
from uuid import NAMESPACE_URL, uuid5

from trader.calendar import iso
from trader.model import Side, Symbol
from trader.money import ONE, ZERO, canonical, ratio, rounded
from trader.venue import (
    Activity,
    ActivityKind,
    ExecutionKind,
    OrderClass,
    OrderEvent,
    Refusal,
    Venue,
    VenueAccount,
    VenueAsset,
    VenueExecution,
    VenueOrder,
    margin,
)
from trader.venue.cover import intent_of

Json = str | bool | int | None | list["Json"] | dict[str, "Json"]
Shape = dict[str, Json]
_ONLY_DIGITS = str.maketrans("", "", "-T:.")


EXCHANGE = "NASDAQ"


@lru_cache(maxsize=4096)
def asset_id(symbol: Symbol) -> str:
    """The same for ever, as everything that was ever written down about a symbol needs it."""
    return str(uuid5(NAMESPACE_URL, f"asset:{symbol}"))


def asset_shape(symbol: Symbol, asset: VenueAsset) -> Shape:
    return {
        "id": asset_id(symbol),
        "class": "us_equity",
        "exchange": EXCHANGE,
        "symbol": symbol,
        "name": f"{symbol} common stock",
        "status": "active",
        "tradable": asset.is_tradable,
        "marginable": asset.is_marginable,
        "maintenance_margin_requirement": 30,
        "shortable": asset.is_shortable,
        "easy_to_borrow": asset.is_easy_to_borrow,
        "borrow_status": "easy_to_borrow" if asset.is_easy_to_borrow else "hard_to_borrow",
        "fractionable": asset.is_fractionable,
        "margin_requirement_long": "30",
        "margin_requirement_short": "30",
        "attributes": _attributes(asset),
    }


def _attributes(asset: VenueAsset) -> list[Json]:
    return [*(["fractional_eh_enabled"] if asset.is_fractionable else []), "overnight_tradable"]


def refusal_shape(refusal: Refusal) -> Shape:
    extra: Shape = {
        key: value if isinstance(value, str) else list(value)
        for key, value in refusal.extra.items()
    }
    return {"code": refusal.code, "message": refusal.message, **extra}


def order_shape(order: VenueOrder, legs: Sequence[VenueOrder] = ()) -> Shape:
    """`legs` are shown within their entry, where somebody asks for it."""
    return {
        "id": order.order_id,
        "client_order_id": order.client_order_id,
        "created_at": iso(order.submitted_ns),
        "updated_at": iso(order.updated_ns),
        "submitted_at": iso(order.submitted_ns),
        "filled_at": _time(order.filled_ns),
        "expired_at": _time(order.expired_ns),
        "expires_at": iso(order.expires_ns),
        "cancel_requested_at": _time(order.cancel_requested_ns),
        "canceled_at": _time(order.canceled_ns),
        "failed_at": _time(order.failed_ns),
        "replaced_at": _time(order.replaced_ns),
        "replaced_by": order.replaced_by,
        "replaces": order.replaces,
        "asset_id": asset_id(order.symbol),
        "symbol": order.symbol,
        "asset_class": "us_equity",
        "notional": _decimal(order.notional),
        "qty": canonical(order.quantity) if order.notional is None else None,
        "filled_qty": canonical(order.quantity_filled),
        "filled_avg_price": _decimal(order.avg_price),
        "order_class": "" if order.order_class is OrderClass.SIMPLE else order.order_class,
        "order_type": order.order_type,
        "type": order.order_type,
        "side": side_word(order.side),
        "time_in_force": order.time_in_force,
        "limit_price": _decimal(order.limit_price),
        "stop_price": _decimal(order.stop_price),
        "trail_price": _decimal(order.trail_price),
        "trail_percent": _decimal(order.trail_percent),
        "hwm": _decimal(order.hwm),
        "status": order.status,
        "extended_hours": order.extended_hours,
        "legs": [order_shape(leg) for leg in legs] or None,
        "position_intent": order.position_intent or intent_of(order.side, order.is_opening),
        "ratio_qty": None,
        "subtag": None,
        "source": None,
    }


def trade_update(event: OrderEvent, word: str = "") -> Shape:
    """The frame of the trading stream; `order` is the state after the event. `word` instead of the event's own."""
    data: Shape = {
        "event": word or event.kind,
        "timestamp": iso(event.at_ns),
        "order": order_shape(event.order),
    }
    if event.execution is not None:
        data |= {
            "execution_id": event.execution.execution_id,
            "price": canonical(event.execution.price),
            "qty": canonical(event.execution.quantity),
            "position_qty": canonical(event.execution.position_quantity),
        }
        if event.execution.corrects is not None:
            data["previous_execution_id"] = event.execution.corrects
    if event.reason:
        data["reason"] = event.reason
    return {"stream": "trade_updates", "data": data}


def account_shape(venue: Venue, account: VenueAccount) -> Shape:
    worth = margin.worth(account, venue.books)
    equity, configuration = canonical(worth.equity), account.configuration
    return {
        "id": account.account_id,
        "account_number": account.number,
        "status": "ACTIVE",
        "crypto_status": "INACTIVE",
        "currency": "USD",
        "cash": canonical(account.cash),
        "equity": equity,
        "portfolio_value": equity,
        "last_equity": canonical(account.last_equity),
        "buying_power": _floored(worth.power),
        "regt_buying_power": _floored(worth.power_overnight),
        "non_marginable_buying_power": _floored(worth.power_cash),
        "options_buying_power": "0",
        "multiplier": str(account.margin),
        "long_market_value": canonical(worth.long),
        "short_market_value": canonical(worth.short),
        "position_market_value": canonical(worth.long + worth.short),
        "initial_margin": canonical(worth.initial_margin),
        "maintenance_margin": canonical(worth.maintenance_margin),
        "last_maintenance_margin": canonical(account.last_maintenance_margin),
        "sma": "0",
        "accrued_fees": canonical(account.accrued_fees),
        "pending_reg_taf_fees": "0",
        "pending_transfer_in": "0",
        "pending_transfer_out": "0",
        "intraday_adjustments": "0",
        "balance_asof": iso(venue.now_ns)[:10],
        "trading_blocked": account.trading_blocked,
        "account_blocked": account.account_blocked,
        "transfers_blocked": False,
        "trade_suspended_by_user": configuration.suspend_trade,
        "shorting_enabled": account.may_short,
        "created_at": iso(account.created_ns),
    }


def configurations_shape(account: VenueAccount) -> Shape:
    """As they work out: a cash account sells nothing short, whatever its owner has set."""
    configuration = account.configuration
    return {
        "dtbp_check": configuration.dtbp_check,
        "fractional_trading": configuration.fractional_trading,
        "max_margin_multiplier": str(account.margin),
        "no_shorting": not account.may_short,
        "pdt_check": configuration.pdt_check,
        "ptp_no_exception_entry": configuration.ptp_no_exception_entry,
        "suspend_trade": configuration.suspend_trade,
        "trade_confirm_email": configuration.trade_confirm_email,
        "disable_overnight_trading": configuration.disable_overnight_trading,
        "max_options_trading_level": 0,
    }


def position_shape(
    venue: Venue, account: VenueAccount, symbol: Symbol, lastday_price: Decimal
) -> Shape:
    """`lastday_price` is the close of the session before, ZERO where it isn't known.

    What is short has a negative quantity, worth and cost; its fractions of profit are of what was sold.
    """
    position = account.positions[symbol]
    price = margin.mark(venue.books, symbol, position)
    return {
        "asset_id": asset_id(symbol),
        "symbol": symbol,
        "exchange": EXCHANGE,
        "asset_class": "us_equity",
        "asset_marginable": venue.asset(symbol).is_marginable,
        "avg_entry_price": canonical(position.avg_entry_price),
        "qty": canonical(position.quantity),
        "qty_available": canonical(
            account.available(symbol) * (1 if position.quantity > ZERO else -1)
        ),
        **_worth(position.quantity, position.cost, price, lastday_price or price),
    }


@lru_cache(maxsize=512)  # Prices move once a minute, and who polls asks every few seconds.
def _worth(quantity: Decimal, cost: Decimal, price: Decimal, day_price: Decimal) -> Shape:
    profit = quantity * price - cost
    intraday = quantity * (price - day_price)
    return {
        "side": "long" if quantity > ZERO else "short",
        "market_value": canonical(quantity * price),
        "cost_basis": canonical(cost),
        "unrealized_pl": canonical(rounded(profit)),
        "unrealized_plpc": canonical(_fraction(profit, cost)),
        "unrealized_intraday_pl": canonical(rounded(intraday)),
        "unrealized_intraday_plpc": canonical(_fraction(intraday, quantity * day_price)),
        "current_price": canonical(price),
        "lastday_price": canonical(day_price),
        "change_today": canonical(ratio(price - day_price, day_price)),
    }


def fill_shape(execution: VenueExecution) -> Shape:
    """Of a bust or a correction `type` says so, and `previous_id` is the execution that it is about."""
    filled = not execution.quantity_leaves
    word = "fill" if filled else "partial_fill"
    shape: Shape = {
        "id": activity_id(execution.at_ns, execution.execution_id),
        "activity_type": "FILL",
        "transaction_time": iso(execution.at_ns),
        "type": word if execution.kind is ExecutionKind.TRADE else execution.kind,
        "price": canonical(execution.price),
        "qty": canonical(execution.quantity),
        "side": side_word(execution.side),
        "symbol": execution.symbol,
        "leaves_qty": canonical(execution.quantity_leaves),
        "cum_qty": canonical(execution.quantity_cumulative),
        "order_id": execution.order_id,
        "order_status": "filled" if filled else "partially_filled",
    }
    if execution.corrects is not None:
        shape["previous_id"] = execution.corrects
    return shape


def activity_shape(activity: Activity) -> Shape:
    """What an activity has nothing to say about is left out."""
    shape: Shape = {
        "id": activity_id(activity.at_ns, activity.activity_id),
        "activity_type": activity.kind,
        "date": activity.date,
        "created_at": iso(activity.at_ns),
        "net_amount": canonical(activity.net_amount),
        "description": activity.description,
        "status": "executed",
        "currency": "USD",
    }
    if subtype := activity_subtype(activity):
        shape["activity_sub_type"] = subtype
    if activity.symbol is not None:
        shape["symbol"] = activity.symbol
    amounts = {
        "qty": activity.quantity,
        "price": activity.price,
        "per_share_amount": activity.per_share_amount,
    }
    shape |= {key: canonical(value) for key, value in amounts.items() if value is not None}
    return shape


def activity_subtype(activity: Activity) -> str:
    """Of those that Alpaca's file lists; a day's fees are of several of them, and have none."""
    match activity.kind:
        case ActivityKind.DIVIDEND:
            return "CDIV"
        case ActivityKind.SPLIT:
            return "FSPLIT" if (activity.factor or ONE) > ONE else "RSPLIT"
        case ActivityKind.INTEREST:
            return "MGN" if activity.net_amount < ZERO else "CDT"
        case _:
            return ""


def activity_id(at_ns: int, identifier: str) -> str:
    """'YYYYMMDDhhmmssmmm::uuid', sortable by time to the millisecond."""
    digits = iso(at_ns)[:23].translate(_ONLY_DIGITS)
    return f"{digits}::{identifier}"


def side_word(side: Side) -> str:
    return "buy" if side is Side.BUY else "sell"


def _fraction(profit: Decimal, of: Decimal) -> Decimal:
    return ratio(profit, abs(of)) if of else ZERO


def _floored(amount: Decimal) -> str:
    return canonical(max(amount, ZERO))


def _time(at_ns: int | None) -> str | None:
    return None if at_ns is None else iso(at_ns)


def _decimal(amount: Decimal | None) -> str | None:
    return None if amount is None else canonical(amount)

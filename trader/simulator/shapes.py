"""The venue's values as Alpaca's JSON objects of the trading service: decimals are strings, times RFC 3339."""

from decimal import Decimal
from functools import lru_cache
from uuid import NAMESPACE_URL, uuid5

from trader.calendar import iso
from trader.model import Side, Symbol
from trader.money import ZERO, canonical, ratio, rounded
from trader.venue import (
    Activity,
    ExecutionKind,
    OrderEvent,
    Refusal,
    Venue,
    VenueAccount,
    VenueExecution,
    VenueOrder,
    VenuePosition,
)

Json = str | bool | int | None | list["Json"] | dict[str, "Json"]
Shape = dict[str, Json]
_ONLY_DIGITS = str.maketrans("", "", "-T:.")


@lru_cache(maxsize=1024)
def asset_id(symbol: Symbol) -> str:
    """The same for ever, as everything that was ever written down about a symbol needs it."""
    return str(uuid5(NAMESPACE_URL, f"asset:{symbol}"))


def asset_shape(symbol: Symbol) -> Shape:
    return {
        "id": asset_id(symbol),
        "class": "us_equity",
        "exchange": "NASDAQ",
        "symbol": symbol,
        "name": f"{symbol} common stock",
        "status": "active",
        "tradable": True,
        "marginable": False,
        "shortable": False,
        "easy_to_borrow": False,
        "borrow_status": "not_available",
        "fractionable": False,
        "margin_requirement_long": "100",
        "margin_requirement_short": "100",
        "attributes": [],
    }


def refusal_shape(refusal: Refusal) -> Shape:
    extra: Shape = {
        key: value if isinstance(value, str) else list(value)
        for key, value in refusal.extra.items()
    }
    return {"code": refusal.code, "message": refusal.message, **extra}


def order_shape(order: VenueOrder) -> Shape:
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
        "replaced_at": None,
        "replaced_by": None,
        "replaces": None,
        "asset_id": asset_id(order.symbol),
        "symbol": order.symbol,
        "asset_class": "us_equity",
        "notional": None,
        "qty": canonical(order.quantity),
        "filled_qty": canonical(order.quantity_filled),
        "filled_avg_price": _decimal(order.avg_price),
        "order_class": "",
        "order_type": order.order_type,
        "type": order.order_type,
        "side": side_word(order.side),
        "time_in_force": order.time_in_force,
        "limit_price": _decimal(order.limit_price),
        "stop_price": _decimal(order.stop_price),
        "trail_price": None,
        "trail_percent": None,
        "hwm": None,
        "status": order.status,
        "extended_hours": order.extended_hours,
        "legs": None,
        "position_intent": order.position_intent or _intent(order.side),
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
    """A cash account, so that buying power of every kind is what cash allows."""
    value = canonical(venue.market_value(account))
    equity = canonical(venue.equity(account))
    buying_power = canonical(account.buying_power)
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
        "buying_power": buying_power,
        "regt_buying_power": buying_power,
        "non_marginable_buying_power": buying_power,
        "options_buying_power": "0",
        "multiplier": "1",
        "long_market_value": value,
        "short_market_value": "0",
        "position_market_value": value,
        "initial_margin": value,
        "maintenance_margin": value,
        "last_maintenance_margin": "0",
        "sma": "0",
        "accrued_fees": canonical(account.accrued_fees),
        "pending_reg_taf_fees": "0",
        "pending_transfer_in": "0",
        "pending_transfer_out": "0",
        "intraday_adjustments": "0",
        "balance_asof": iso(venue.now_ns)[:10],
        "trading_blocked": False,
        "account_blocked": False,
        "transfers_blocked": False,
        "trade_suspended_by_user": False,
        "shorting_enabled": False,
        "created_at": iso(account.created_ns),
    }


def configurations_shape() -> Shape:
    return {
        "dtbp_check": "entry",
        "fractional_trading": False,
        "max_margin_multiplier": "1",
        "no_shorting": True,
        "pdt_check": "entry",
        "ptp_no_exception_entry": False,
        "suspend_trade": False,
        "trade_confirm_email": "none",
        "disable_overnight_trading": False,
    }


def position_shape(
    venue: Venue, account: VenueAccount, symbol: Symbol, lastday_price: Decimal
) -> Shape:
    """`lastday_price` is the close of the session before, ZERO where it isn't known."""
    position = account.positions[symbol]
    price = venue.books[symbol].mark() or position.avg_entry_price
    day_price = lastday_price or price
    profit = position.quantity * price - position.cost
    return {
        "asset_id": asset_id(symbol),
        "symbol": symbol,
        "exchange": "NASDAQ",
        "asset_class": "us_equity",
        "asset_marginable": False,
        "avg_entry_price": canonical(position.avg_entry_price),
        "qty": canonical(position.quantity),
        "qty_available": canonical(account.available(symbol)),
        "side": "long",
        "market_value": canonical(position.quantity * price),
        "cost_basis": canonical(position.cost),
        "unrealized_pl": canonical(rounded(profit)),
        "unrealized_plpc": canonical(_fraction(profit, position)),
        "unrealized_intraday_pl": canonical(rounded(position.quantity * (price - day_price))),
        "unrealized_intraday_plpc": canonical(ratio(price - day_price, day_price)),
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
    }
    if activity.symbol is not None:
        shape["symbol"] = activity.symbol
    amounts = {
        "qty": activity.quantity,
        "price": activity.price,
        "per_share_amount": activity.per_share_amount,
    }
    shape |= {key: canonical(value) for key, value in amounts.items() if value is not None}
    return shape


def activity_id(at_ns: int, identifier: str) -> str:
    """'YYYYMMDDhhmmssmmm::uuid', sortable by time to the millisecond."""
    digits = iso(at_ns)[:23].translate(_ONLY_DIGITS)
    return f"{digits}::{identifier}"


def side_word(side: Side) -> str:
    return "buy" if side is Side.BUY else "sell"


def _intent(side: Side) -> str:
    """Long only: a buy opens, a sell closes."""
    return "buy_to_open" if side is Side.BUY else "sell_to_close"


def _fraction(profit: Decimal, position: VenuePosition) -> Decimal:
    return ratio(profit, position.cost) if position.cost else ZERO


def _time(at_ns: int | None) -> str | None:
    return None if at_ns is None else iso(at_ns)


def _decimal(amount: Decimal | None) -> str | None:
    return None if amount is None else canonical(amount)

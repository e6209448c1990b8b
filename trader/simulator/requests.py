"""What clients send, decoded into exact types: an order's body and the parameters of a query.

Whatever is wrong with a request ends in a Refusal with a 4xx status, never in an exception that reaches the server.
"""

from decimal import Decimal
from typing import Literal

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from trader.model import Side, Symbol, TimeInForce
from trader.money import ZERO, AmountError, amount
from trader.venue import (
    Configuration,
    NewOrder,
    OrderClass,
    OrderType,
    Refusal,
    Replacement,
    StopLoss,
)

MALFORMED = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)
INVALID = 40010001
CLASSES = tuple(OrderClass)
Number = str | int | float | None


class TakeProfitBody(Struct, frozen=True, kw_only=True):
    limit_price: Number = None


class StopLossBody(Struct, frozen=True, kw_only=True):
    stop_price: Number = None
    limit_price: Number = None


class OrderBody(Struct, frozen=True, kw_only=True):
    """The body of POST /v2/orders. Clients send amounts as strings or as numbers; unknown keys are overlooked."""

    symbol: str = ""
    qty: Number = None
    notional: Number = None
    side: str = ""
    type: str = ""
    time_in_force: str = ""
    limit_price: Number = None
    stop_price: Number = None
    trail_price: Number = None
    trail_percent: Number = None
    extended_hours: bool | None = None
    client_order_id: str | None = None
    order_class: str | None = None
    take_profit: TakeProfitBody | None = None
    stop_loss: StopLossBody | None = None
    position_intent: str | None = None


class ReplacementBody(Struct, frozen=True, kw_only=True):
    """The body of PATCH /v2/orders/{id}."""

    qty: Number = None
    limit_price: Number = None
    stop_price: Number = None
    trail: Number = None
    time_in_force: str | None = None
    client_order_id: str | None = None


class ConfigurationBody(Struct, frozen=True, kw_only=True):
    """The body of PATCH /v2/account/configurations: what is not there stays as it is."""

    dtbp_check: Literal["both", "entry", "exit"] | None = None
    fractional_trading: bool | None = None
    max_margin_multiplier: str | int | None = None
    no_shorting: bool | None = None
    pdt_check: Literal["both", "entry", "exit"] | None = None
    ptp_no_exception_entry: bool | None = None
    suspend_trade: bool | None = None
    trade_confirm_email: Literal["all", "none"] | None = None
    disable_overnight_trading: bool | None = None


def refused(message: str, *, status: int = 422, code: int = INVALID) -> Refusal:
    return Refusal(status=status, code=code, message=message)


def decode_order(body: bytes) -> NewOrder | Refusal:
    try:
        order = msgspec.json.decode(body, type=OrderBody)
        return _size_refused(order) or _new_order(order)
    except MALFORMED as error:
        return refused(f"request body format is invalid: {error}")
    except AmountError as error:
        return refused(str(error))


def decode_replacement(body: bytes) -> Replacement | Refusal:
    try:
        wish = msgspec.json.decode(body or b"{}", type=ReplacementBody)
        time_in_force = wish.time_in_force
        return Replacement(
            quantity=_amount(wish.qty, "qty"),
            limit_price=_amount(wish.limit_price, "limit_price"),
            stop_price=_amount(wish.stop_price, "stop_price"),
            trail=_amount(wish.trail, "trail"),
            time_in_force=None if time_in_force is None else _time_in_force(time_in_force),
            client_order_id=_identifier(wish.client_order_id),
        )
    except MALFORMED as error:
        return refused(f"request body format is invalid: {error}")
    except AmountError as error:
        return refused(str(error))


def decode_configuration(body: bytes, now: Configuration) -> Configuration | Refusal:
    """What is set now, with the changes."""
    try:
        wish = msgspec.json.decode(body or b"{}", type=ConfigurationBody)
    except MALFORMED as error:
        return refused(f"request body format is invalid: {error}")
    changes = {
        name: value
        for name in ConfigurationBody.__struct_fields__
        if (value := getattr(wish, name)) is not None
    }
    if "max_margin_multiplier" in changes:
        multiplier = str(changes["max_margin_multiplier"])
        if multiplier not in ("1", "2", "4"):
            return refused("invalid max_margin_multiplier")
        changes["max_margin_multiplier"] = int(multiplier)
    return replace(now, **changes)


def _size_refused(order: OrderBody) -> Refusal | None:
    if order.qty is not None and order.notional is not None:
        return refused("only one of qty or notional is accepted")
    if order.qty is None and order.notional is None:
        return refused("qty or notional is required")
    return None


def _new_order(order: OrderBody) -> NewOrder:
    order_class = OrderClass(_word(order.order_class or "simple", "order_class", CLASSES))
    profit = None if order.take_profit is None else order.take_profit.limit_price
    limit_price = order.limit_price
    if order_class is OrderClass.OCO and limit_price is None:
        limit_price = profit
    return NewOrder(
        symbol=Symbol(order.symbol),
        side=Side(_word(order.side, "side", ("buy", "sell")).upper()),
        order_type=OrderType(_word(order.type, "type", tuple(OrderType))),
        time_in_force=_time_in_force(order.time_in_force),
        quantity=_amount(order.qty, "qty") or ZERO,
        notional=_amount(order.notional, "notional"),
        limit_price=_amount(limit_price, "limit_price"),
        stop_price=_amount(order.stop_price, "stop_price"),
        trail_price=_amount(order.trail_price, "trail_price"),
        trail_percent=_amount(order.trail_percent, "trail_percent"),
        extended_hours=bool(order.extended_hours),
        client_order_id=_identifier(order.client_order_id),
        position_intent=_intent(order),
        order_class=order_class,
        take_profit=None
        if order.take_profit is None
        else _required(profit, "take_profit.limit_price"),
        stop_loss=None if order.stop_loss is None else _stop_loss(order.stop_loss),
    )


def _stop_loss(loss: StopLossBody) -> StopLoss:
    return StopLoss(
        stop_price=_required(loss.stop_price, "stop_loss.stop_price"),
        limit_price=_amount(loss.limit_price, "stop_loss.limit_price"),
    )


def _time_in_force(word: str) -> TimeInForce:
    return TimeInForce(_word(word, "time_in_force", tuple(TimeInForce)))


def _word(word: str, name: str, known: tuple[str, ...]) -> str:
    if word not in known:
        raise AmountError(f"invalid {name}")
    return word


def _intent(order: OrderBody) -> str | None:
    if order.position_intent is None:
        return None
    known = (f"{order.side}_to_open", f"{order.side}_to_close")
    return _word(order.position_intent, "position_intent", known)


def _identifier(text: str | None) -> str | None:
    if text is not None and not text.isprintable():
        raise AmountError("invalid client_order_id")
    return text or None


def _required(number: Number, name: str) -> Decimal:
    value = _amount(number, name)
    if value is None:
        raise AmountError(f"{name} is required")
    return value


def _amount(number: Number, name: str) -> Decimal | None:
    if number is None:
        return None
    try:
        return amount(str(number))
    except AmountError:
        raise AmountError(f"invalid {name}") from None

"""What clients send, decoded into exact types: an order's body and the parameters of a query.

Whatever is wrong with a request ends in a Refusal with a 4xx status, never in an exception that reaches the server.
"""

from decimal import Decimal

import msgspec
from msgspec import Struct

from trader.model import Side, Symbol, TimeInForce
from trader.money import AmountError, amount
from trader.venue import NewOrder, OrderType, Refusal

MALFORMED = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)
INVALID = 40010001
Number = str | int | float | None


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
    position_intent: str | None = None


def refused(message: str, *, status: int = 422, code: int = INVALID) -> Refusal:
    return Refusal(status=status, code=code, message=message)


def decode_order(body: bytes) -> NewOrder | Refusal:
    try:
        order = msgspec.json.decode(body, type=OrderBody)
    except MALFORMED as error:
        return refused(f"request body format is invalid: {error}")
    return _unsupported(order) or _new_order(order)


def _unsupported(order: OrderBody) -> Refusal | None:
    if order.order_class not in (None, "", "simple"):
        return refused(f"order_class {order.order_class[:20]} is not simulated")
    if order.qty is not None and order.notional is not None:
        return refused("only one of qty or notional is accepted")
    if order.notional is not None:
        return refused(
            f'asset "{order.symbol[:20]}" is not fractionable', status=403, code=40310000
        )
    if order.qty is None:
        return refused("qty or notional is required")
    return None


def _new_order(order: OrderBody) -> NewOrder | Refusal:
    try:
        return NewOrder(
            symbol=Symbol(order.symbol),
            side=Side(_word(order.side, "side", ("buy", "sell")).upper()),
            order_type=OrderType(_word(order.type, "type", tuple(OrderType))),
            time_in_force=TimeInForce(
                _word(order.time_in_force, "time_in_force", tuple(TimeInForce))
            ),
            quantity=_required(order.qty, "qty"),
            limit_price=_amount(order.limit_price, "limit_price"),
            stop_price=_amount(order.stop_price, "stop_price"),
            extended_hours=bool(order.extended_hours),
            client_order_id=_identifier(order.client_order_id),
            position_intent=_intent(order),
        )
    except AmountError as error:
        return refused(str(error))


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

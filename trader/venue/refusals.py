"""The venue's refusals in Alpaca's words: HTTP status, code and message of the reply's body, and its further keys."""

from trader.model import Symbol
from trader.venue.words import Refusal

INVALID, UNPROCESSABLE, FORBIDDEN, NOT_FOUND = 40010001, 42210000, 40310000, 40410000


def forbidden(message: str, **extra: str | list[str]) -> Refusal:
    return Refusal(status=403, code=FORBIDDEN, message=message, extra=extra)


def invalid(message: str) -> Refusal:
    return Refusal(status=422, code=INVALID, message=message)


def unprocessable(message: str, **extra: str | list[str]) -> Refusal:
    return Refusal(status=422, code=UNPROCESSABLE, message=message, extra=extra)


def not_found(message: str) -> Refusal:
    return Refusal(status=404, code=NOT_FOUND, message=message)


def order_not_found(order_id: str) -> Refusal:
    return not_found(f"order not found for {order_id}")


def price_unknown(symbol: Symbol) -> Refusal:
    return unprocessable(f'no price is known for "{symbol}": a market order cannot be valued')


def short_sale() -> Refusal:
    return forbidden("account is not allowed to short")

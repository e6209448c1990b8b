"""Reads the body of a POST back, right before its first byte leaves, for the last line to judge what it would do."""

from decimal import Decimal
from typing import Annotated

import msgspec
from msgspec import Meta, Struct

from trader.conservation import Conservation, Leaving
from trader.model import Side
from trader.money import AmountError, amount

Number = Annotated[str, Meta(max_length=40)]
SIDES = {"buy": Side.BUY, "sell": Side.SELL}


class _Body(Struct, frozen=True, kw_only=True):
    """By the broker's names, and by nothing of those who wrote it."""

    client_order_id: str
    symbol: str
    side: str
    qty: Number
    type: str
    limit_price: Number | None = None
    stop_price: Number | None = None
    trail_percent: Number | None = None


def judged(conservation: Conservation, body: bytes, now_ns: int | None = None) -> str:
    """Why these bytes must not leave, or nothing. now_ns: see Conservation.refusal."""
    try:
        told = msgspec.json.decode(body, type=_Body)
        leaving = Leaving(
            client_order_id=told.client_order_id,
            symbol=told.symbol,
            side=SIDES[told.side],
            quantity=amount(told.qty),
            order_type=told.type,
            limit_price=_price(told.limit_price),
            stop_price=_price(told.stop_price),
            trail_percent=_price(told.trail_percent),
        )
    except (msgspec.MsgspecError, UnicodeDecodeError, KeyError, AmountError) as error:
        return conservation.unreadable(f"an order that can't be read ({type(error).__name__})")
    return conservation.refusal(leaving, now_ns)


def _price(text: str | None) -> Decimal | None:
    return None if text is None else amount(text)

"""What a wish is asked at: a limit through the quote that it was decided on, or the market where no quote tells."""

from decimal import Decimal

from trader import risk
from trader.calendar import new_york_date, phase
from trader.model import ENTRY_PURPOSES, SECOND_NS, OrderType, Phase, Quote
from trader.money import ZERO
from trader.strategies.base import Wish

PRICE_THROUGH = Decimal("0.005")  # how far through the far side a marketable limit goes
QUOTE_AGE_MAX_NS = 90 * SECOND_NS  # as old as an entry's may be, where nobody has set that limit


def priced(wish: Wish, quote: Quote | None, at_ns: int) -> tuple[OrderType, Decimal | None]:
    """The order's type, and its limit in dollars, which a market order has none of; `at_ns` is the event's time."""
    if wish.order_type is OrderType.MARKET or _is_blind(wish, quote, at_ns):
        return OrderType.MARKET, None
    if quote is None:
        return wish.order_type, None
    through = PRICE_THROUGH if wish.limit_offset is None else wish.limit_offset
    return wish.order_type, risk.limit_price(wish.side, quote.bid, quote.ask, through)


def _is_blind(wish: Wish, quote: Quote | None, at_ns: int) -> bool:
    """An exit that wants out now, and no quote says where now is: its limit could rest all day, above the market.

    Outside regular hours no exchange takes a market order. A quote of another day is no reason: what has become of the
    share over a night is found out first (overnight.py).
    """
    if quote is None or wish.purpose in ENTRY_PURPOSES or (wish.limit_offset or ZERO) < 0:
        return False
    is_old = at_ns - quote.at_ns > QUOTE_AGE_MAX_NS
    is_of_today = new_york_date(quote.at_ns) == new_york_date(at_ns)
    return is_old and is_of_today and phase(at_ns) is Phase.REGULAR

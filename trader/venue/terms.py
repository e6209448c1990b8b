"""The venue's terms: what trading costs, how much of a bar or quote one may take, how long things need."""

from decimal import Decimal
from random import Random

from msgspec import Struct

from trader.model import Side, Symbol
from trader.money import ONE, ZERO, rounded_up


class VenueTerms(Struct, frozen=True, kw_only=True):
    """Parameters of the model; rates are fractions of one.

    Fees are modelled on the regulatory ones that brokers pass on: a rate of what a sale brings (the SEC's) and one
    for each share sold, with a cap (FINRA's trading activity fee); a commission for each share, of buys too, is off
    unless set. Interest is charged a session on cash owed and on the worth of shares owed, a year having 360 days.

    `is_always_open`: there is no calendar. `trades_at_open`: where a bar brings no quote, none is made of it; an order
    waits for the open of the next bar, half the spread worse. `quoted`: symbols that trade with quotes that are told
    once an order has arrived, and beside auctions with nothing else.

    `bar_participation` and `quote_participation` are the parts of a bar's volume and of a quoted size that may be
    taken; `slippage_rate` makes prices of orders without a limit worse than the quote; `spread_rate` is the whole
    width of a quote made of a bar. An order reaches the book `latency_ns` after it was taken, and a part of
    `latency_jitter_ns` later; an order meets a random part of the quoted size with `partial_probability`. What is
    random is drawn from `seed`.
    """

    sell_notional_rate: Decimal = Decimal("0.0000278")
    sell_share_rate: Decimal = Decimal("0.000166")
    sell_share_fee_max: Decimal = Decimal("8.30")
    commission_share_rate: Decimal = ZERO
    margin_rate: Decimal = Decimal("0.0625")
    borrow_rate: Decimal = Decimal("0.003")
    bar_participation: Decimal = Decimal("0.1")
    quote_participation: Decimal = ONE
    spread_rate: Decimal = Decimal("0.0001")
    slippage_rate: Decimal = ZERO
    latency_ns: int = 0
    latency_jitter_ns: int = 0
    cancel_latency_ns: int = 0
    replace_latency_ns: int = 0
    partial_probability: float = 0.0
    seed: int = 0
    is_always_open: bool = False
    trades_at_open: bool = False
    quoted: frozenset[Symbol] = frozenset()

    def sell_fee(self, quantity: Decimal, price: Decimal) -> Decimal:
        """Of one execution, rounded up to the cent once, after adding."""
        assert quantity > ZERO, "an execution trades something"
        shares = min(quantity * self.sell_share_rate, self.sell_share_fee_max)
        return rounded_up(quantity * price * self.sell_notional_rate + shares)

    def fee(self, side: Side, quantity: Decimal, price: Decimal) -> Decimal:
        """All that one execution costs beside its price."""
        rate = self.commission_share_rate
        commission = rounded_up(quantity * rate) if rate else ZERO
        return commission + (self.sell_fee(quantity, price) if side is Side.SELL else ZERO)

    def arrival_delay_ns(self, delays: Random) -> int:
        """How long the next order needs to reach the book."""
        jitter_ns = delays.randrange(self.latency_jitter_ns + 1) if self.latency_jitter_ns else 0
        return self.latency_ns + jitter_ns

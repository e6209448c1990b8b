"""The venue's terms: what trading costs, how much of a bar or quote one may take, how long a cancel needs."""

from decimal import Decimal

from msgspec import Struct

from trader.money import ZERO, rounded_up


class VenueTerms(Struct, frozen=True, kw_only=True):
    """Parameters of the model. `bar_participation` is the part of a bar's volume that resting orders may take.

    Fees are modelled on the regulatory ones that brokers pass on: a rate of what a sale brings (the SEC's) and one
    for each share sold, with a cap (FINRA's trading activity fee); buys cost nothing.
    """

    sell_notional_rate: Decimal = Decimal("0.0000278")
    sell_share_rate: Decimal = Decimal("0.000166")
    sell_share_fee_max: Decimal = Decimal("8.30")
    bar_participation: Decimal = Decimal("0.1")
    cancel_latency_ns: int = 0

    def sell_fee(self, quantity: Decimal, price: Decimal) -> Decimal:
        """Of one execution, rounded up to the cent once, after adding."""
        assert quantity > ZERO, "an execution trades something"
        shares = min(quantity * self.sell_share_rate, self.sell_share_fee_max)
        return rounded_up(quantity * price * self.sell_notional_rate + shares)

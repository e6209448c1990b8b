"""A broker that knows only sums: what it was asked, what it executed, what that did to cash and shares, in whole cents.

It has no rule of the program in it and reads none of its books: what it holds is the truth that the program hears of.
"""

from collections import Counter
from collections.abc import Iterator
from decimal import Decimal
from typing import NamedTuple

from trader.messages import Claim, OrderReport
from trader.model import (
    MINUTE_NS,
    SECOND_NS,
    BrokerOrderId,
    ClientOrderId,
    Execution,
    ExecutionId,
    Order,
    Side,
    Symbol,
)

TEN_NS = 1_769_439_600_000_000_000  # 2026-01-26 10:00 in New York
DAYS = ("2026-01-26", "2026-01-27", "2026-01-28", "2026-01-29", "2026-01-30")


def dollars(cents: int) -> Decimal:
    """As the program counts them."""
    return Decimal(cents).scaleb(-2)


def fee_cents(side: Side, quantity: int, cents: int) -> int:
    """Of one execution: 27.8 millionths of a sale and 0.0166 cents a share, at most 8.30 dollars, up to the cent."""
    if side is Side.BUY:
        return 0
    return -(-(quantity * cents * 278 + min(quantity * 166_000, 8_300_000_000)) // 10_000_000)


class Fill(NamedTuple):
    """One execution as the broker made it, and the quantity of its order after it."""

    cumulative: int
    quantity: int
    cents: int
    minute: int
    second: int
    version: int  # of what is said of it: a corrected one has another id


class Held:
    """One order that arrived, and what became of it."""

    def __init__(self, order: Order) -> None:
        self.order = order
        self.quantity = int(order.quantity)
        self.fills: list[Fill] = []
        self.final: Claim | None = None

    @property
    def cumulative(self) -> int:
        return self.fills[-1].cumulative if self.fills else 0

    @property
    def leaves(self) -> int:
        return 0 if self.final else self.quantity - self.cumulative

    @property
    def claim(self) -> Claim:
        if self.final:
            return self.final
        return Claim.PARTIALLY_FILLED if self.fills else Claim.NEW

    def told(self, claim: Claim, source: str, fill: Fill | None = None) -> OrderReport:
        """What the broker says of it now, with one of its executions perhaps."""
        order = self.order
        cumulative = self.cumulative if fill is None else fill.cumulative
        return OrderReport(
            client_order_id=order.client_order_id,
            broker_order_id=BrokerOrderId(f"B-{order.client_order_id}"),
            symbol=order.symbol,
            side=order.side,
            claim=claim,
            quantity=order.quantity,
            quantity_cumulative=Decimal(cumulative),
            execution=None if fill is None else execution_of(order, fill, source),
            at_ns=0,
            source=source,
        )

    def retold(self) -> Iterator[OrderReport]:
        """All of it, as a query for its executions and for itself brings it."""
        for fill in self.fills:
            claim = Claim.FILLED if fill.cumulative >= self.quantity else Claim.PARTIALLY_FILLED
            yield self.told(claim, "activity", fill)
        yield self.told(self.claim, "query")


def execution_of(order: Order, fill: Fill, source: str) -> Execution:
    """The stream and the list of executions have an id each for the same one."""
    name = f"{source}/{order.client_order_id}/{fill.cumulative}/{fill.version}"
    return Execution(
        execution_id=ExecutionId(name),
        quantity=Decimal(fill.quantity),
        price=dollars(fill.cents),
        quantity_cumulative=Decimal(fill.cumulative),
        at_ns=TEN_NS + fill.minute * MINUTE_NS + fill.second * SECOND_NS,
    )


class Truth:
    """The account at the broker."""

    def __init__(self, cents: int) -> None:
        self.cents = cents
        self.shares: Counter[Symbol] = Counter()
        self.orders: dict[ClientOrderId, Held] = {}
        self.changed: dict[ClientOrderId, Held] = {}  # since somebody last heard of everything
        self.fees_due: Counter[int] = Counter()  # by day
        self._versions = 0

    def takes(self, order: Order) -> Held:
        """It arrives."""
        one = Held(order)
        self.orders[order.client_order_id] = self.changed[order.client_order_id] = one
        return one

    def executes(self, one: Held, quantity: int, cents: int, minute: int) -> Fill:
        """So much of it, whatever it was called before; an order that is whole is filled."""
        self._versions += 1
        total, second = one.cumulative + quantity, self._versions % 60
        fill = Fill(total, quantity, cents, minute, second, self._versions)
        self._put(one, fill, 1)
        if fill.cumulative >= one.quantity:
            one.final = Claim.FILLED
        return fill

    def ends(self, one: Held, claim: Claim) -> None:
        """Canceled, or expired."""
        one.final = claim
        self.changed[one.order.client_order_id] = one

    def takes_back(self, one: Held) -> Fill:
        """The last execution never was; an order that was filled may trade again."""
        fill = one.fills[-1]
        self._put(one, fill, -1)
        if one.final is Claim.FILLED and one.cumulative < one.quantity:
            one.final = None
        return fill

    def corrects(self, one: Held, cents: int) -> tuple[Fill, Fill]:
        """The last execution was at another price."""
        self._versions += 1
        before = one.fills[-1]
        now = before._replace(cents=cents, version=self._versions)
        self._put(one, before, -1)
        self._put(one, now, 1)
        return before, now

    def _put(self, one: Held, fill: Fill, times: int) -> None:
        order = one.order
        sign = times if order.side is Side.BUY else -times
        self.cents -= sign * fill.quantity * fill.cents
        self.shares[order.symbol] += sign * fill.quantity
        fee = fee_cents(order.side, fill.quantity, fill.cents)
        self.fees_due[fill.minute // 1_440] += times * fee
        self.changed[order.client_order_id] = one
        if times > 0:
            one.fills.append(fill)
        else:
            one.fills.remove(fill)

    def live(self) -> list[Held]:
        """What may still be executed."""
        return [one for one in self.changed.values() if one.leaves > 0]

    def all_heard(self) -> None:
        """Whoever asked knows everything; only what lives can change."""
        self.changed = {name: one for name, one in self.changed.items() if one.leaves > 0}

"""A venue to play with: orders, quotes and bars go in, the kinds of its events come out."""

from decimal import Decimal
from random import Random

import msgspec

from trader.calendar import Session, session_on
from trader.model import MINUTE_NS, Bar, Quote, Side, Symbol, TimeInForce
from trader.venue import (
    NewOrder,
    OrderEvent,
    OrderType,
    Refusal,
    Replacement,
    Venue,
    VenueAsset,
    VenueOrder,
    VenueTerms,
)

JD, GS = Symbol("JD"), Symbol("GS")
CASH = Decimal(10_000)


def monday() -> Session:
    session = session_on("2026-01-26")
    assert session is not None
    return session


OPEN = monday().open_ns
ACCOUNT = "account-1"


class Play:
    """A venue with one account, standing at 09:30 with a quote of JD: 100 shares at 20.00, 100 at 20.02."""

    def __init__(
        self,
        terms: VenueTerms | None = None,
        *,
        multiplier: int = 1,
        asset: VenueAsset | None = None,
        start_ns: int = OPEN,
        is_quoted: bool = True,
    ) -> None:
        assets = {} if asset is None else {JD: asset}
        self.venue = Venue([JD, GS], random=Random(1), terms=terms, assets=assets)
        self.account = self.venue.open_account(ACCOUNT, "PA1", CASH, multiplier=multiplier)
        self.at(start_ns)
        if is_quoted:
            self.quote("20.00", "20.02")

    def at(self, at_ns: int) -> list[str]:
        return kinds(self.venue.advance(at_ns))

    def quote(self, bid: str, ask: str, size: int = 100, after_ns: int = 0) -> list[str]:
        quote = Quote(
            symbol=JD,
            at_ns=self.venue.now_ns + after_ns,
            bid=ticks(bid),
            bid_size=size,
            ask=ticks(ask),
            ask_size=size,
        )
        return kinds(self.venue.advance(quote.at_ns, quotes=[quote]))

    def bar(self, opened: str, high: str, low: str, close: str, volume: int = 10_000) -> list[str]:
        """The next minute, quoteless."""
        bar = Bar(
            symbol=JD,
            start_ns=self.venue.now_ns,
            open=ticks(opened),
            high=ticks(high),
            low=ticks(low),
            close=ticks(close),
            volume=volume,
        )
        return kinds(self.venue.advance(self.venue.now_ns + MINUTE_NS, bars=[bar]))

    def send(self, new: NewOrder) -> list[str]:
        outcome = self.venue.submit(ACCOUNT, new)
        assert not isinstance(outcome, Refusal), outcome
        return kinds(outcome)

    def refusal(self, new: NewOrder) -> Refusal:
        before = self.venue.to_bytes()
        outcome = self.venue.submit(ACCOUNT, new)
        assert isinstance(outcome, Refusal)
        assert self.venue.to_bytes() == before, "a refusal leaves no trace"
        return outcome

    def cancel(self, order: VenueOrder) -> list[str] | Refusal:
        outcome = self.venue.cancel(ACCOUNT, order.order_id)
        return outcome if isinstance(outcome, Refusal) else kinds(outcome)

    def change(self, order: VenueOrder, **changes: object) -> list[str] | Refusal:
        wish = msgspec.convert(changes, Replacement, strict=False)
        outcome = self.venue.replace(ACCOUNT, order.order_id, wish)
        return outcome if isinstance(outcome, Refusal) else kinds(outcome)

    def order(self, number: int) -> VenueOrder:
        """By its number, which counts from 1."""
        return list(self.venue.state.orders.values())[number - 1]

    def statuses(self) -> list[str]:
        """Of all orders, as they were accepted."""
        return [order.status.value for order in self.venue.state.orders.values()]

    def last(self) -> VenueOrder:
        return list(self.venue.state.orders.values())[-1]

    def cash(self) -> Decimal:
        return self.venue.account(ACCOUNT).cash

    def held(self) -> Decimal:
        return self.venue.account(ACCOUNT).quantity(JD)


def kinds(events: list[OrderEvent]) -> list[str]:
    return [event.kind.value for event in events]


def ticks(price: str) -> int:
    return int(Decimal(price) * 10_000)


def limit(
    quantity: int,
    price: str,
    side: Side = Side.BUY,
    time_in_force: TimeInForce = TimeInForce.DAY,
    client_order_id: str | None = None,
    extended_hours: bool = False,
) -> NewOrder:
    return NewOrder(
        symbol=JD,
        side=side,
        order_type=OrderType.LIMIT,
        time_in_force=time_in_force,
        quantity=Decimal(quantity),
        limit_price=Decimal(price),
        client_order_id=client_order_id,
        extended_hours=extended_hours,
    )


def market(quantity: int, side: Side = Side.BUY) -> NewOrder:
    return NewOrder(
        symbol=JD,
        side=side,
        order_type=OrderType.MARKET,
        time_in_force=TimeInForce.DAY,
        quantity=Decimal(quantity),
    )


TAKEN = ["pending_new", "new"]

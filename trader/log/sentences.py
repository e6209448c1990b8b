"""The words of requests and orders in the log, with what came from outside made harmless."""

from decimal import Decimal

from trader import messages
from trader.log import events as log
from trader.log.events import Event
from trader.log.notices import Notices
from trader.log.words import because, outside
from trader.messages import OrderRequest
from trader.model import SECOND_NS, Order, OrderState
from trader.money import canonical, ratio
from trader.protection import stop_words


class Known:
    """An order as far as it was told."""

    __slots__ = ("doubted_ns", "filled", "notional", "order", "sessions_ended", "state")

    def __init__(self, order: Order) -> None:
        self.order = order
        self.state = order.state
        self.filled = order.quantity_filled
        self.notional = order.notional_filled
        self.doubted_ns = 0
        self.sessions_ended = 0

    @property
    def price(self) -> str | None:
        """What was paid for a share, or else the limit, or the stop's price."""
        order = self.order
        asked = order.stop_price if order.limit_price is None else order.limit_price
        return amount(ratio(self.notional, self.filled) if self.filled else asked)

    @property
    def reserved(self) -> Decimal:
        """Dollars that a buy still holds back."""
        left = self.order.quantity - self.filled
        return left * self.order.reserve_price if self.order.reserved else self.order.reserved

    def wish(self) -> str:
        """'BUY 33 JD @ 31.92'."""
        return order_words(self.order)


def order_words(order: Order) -> str:
    """'BUY 33 JD @ 31.92', 'SELL 33 JD stop 31.28', 'SELL 33 JD trailing 2 %'."""
    if stop := stop_words(order.stop_price, order.trail):
        return f"{order.side.value} {canonical(order.quantity)} {outside(order.symbol)} {stop}"
    return wish(order.side.value, order.quantity, order.symbol, order.limit_price)


def wish(side: str, quantity: Decimal, symbol: str, limit_price: Decimal | None) -> str:
    """'BUY 33 JD @ 31.92'."""
    price = amount(limit_price)
    return f"{side} {canonical(quantity)} {outside(symbol)} @ {price or 'market'}"


def amount(value: Decimal | None) -> str | None:
    """Canonical text, None for none."""
    return None if value is None else canonical(value)


class Said(Notices):
    """What happened in one entry, in words."""

    # --- requests

    def accepted(self, event: messages.RequestAccepted) -> Event:
        order, reason = event.order, outside(event.order.reason)
        words = order_words(order)
        return log.RequestAccepted(
            timestamp=self.timestamp,
            sequence=self.sequence,
            symbol=outside(order.symbol),
            message=f"accepted {words}: {outside(order.strategy)}: {reason}",
            request_id=outside(event.request_id),
            client_order_id=outside(order.client_order_id),
            strategy=outside(order.strategy),
            side=order.side.value,
            purpose=order.purpose.value,
            quantity=canonical(order.quantity),
            limit_price=amount(order.limit_price),
            reason=reason,
        )

    def blocked(self, event: messages.DuplicateBlocked, heard: messages.Input) -> Event:
        symbol, by = outside(event.symbol), outside(event.blocked_by)
        return log.DuplicateBlocked(
            timestamp=self.timestamp,
            level="warning",
            sequence=self.sequence,
            symbol=symbol,
            message=f"DUPLICATE {event.side.value} BLOCKED: {symbol} by {event.blocking.value} {by}",
            request_id=outside(event.request_id),
            strategy=outside(event.strategy),
            side=event.side.value,
            blocking=event.blocking.value,
            blocked_by=by,
            reason=outside(heard.reason) if isinstance(heard, OrderRequest) else "",
            count=1,
        )

    def denied(self, event: messages.RequestDenied) -> Event:
        words = wish(event.side.value, event.quantity, event.symbol, event.limit_price)
        numbers = {outside(name): outside(value) for name, value in event.numbers.items()}
        listed = ", ".join(f"{name} {value}" for name, value in numbers.items())
        return log.RequestDenied(
            timestamp=self.timestamp,
            level="warning",
            sequence=self.sequence,
            symbol=outside(event.symbol),
            message=f"DENIED {words}: {event.reason.value}" + (f" ({listed})" if listed else ""),
            request_id=outside(event.request_id),
            strategy=outside(event.strategy),
            side=event.side.value,
            quantity=canonical(event.quantity),
            limit_price=amount(event.limit_price),
            reason=event.reason.value,
            numbers=numbers,
            count=1,
        )

    # --- orders

    def sent(self, known: Known) -> Event:
        order = known.order
        return log.OrderSent(
            timestamp=self.timestamp,
            sequence=self.sequence,
            symbol=outside(order.symbol),
            message=f"sent {known.wish()}",
            client_order_id=outside(order.client_order_id),
            side=order.side.value,
            quantity=canonical(order.quantity),
            limit_price=amount(order.limit_price),
        )

    def acknowledged(self, event: messages.OrderChanged) -> Event:
        return log.OrderAcknowledged(
            timestamp=self.timestamp,
            sequence=self.sequence,
            symbol=outside(event.symbol),
            message=f"{event.state.value} at the broker" + because(event.reason),
            client_order_id=outside(event.client_order_id),
            broker_order_id=outside(event.broker_order_id) if event.broker_order_id else None,
            state=event.state.value,
        )

    def filled(self, event: messages.ExecutionBooked, filled: Decimal, ordered: Decimal) -> Event:
        execution, symbol = event.execution, outside(event.symbol)
        price = canonical(execution.price)
        return log.OrderFilled(
            timestamp=self.timestamp,
            sequence=self.sequence,
            symbol=symbol,
            message=f"filled {event.side.value} {canonical(execution.quantity)} {symbol} @ {price}",
            client_order_id=outside(event.client_order_id),
            execution_id=outside(execution.execution_id),
            side=event.side.value,
            quantity=canonical(execution.quantity),
            price=price,
            fees=canonical(event.fees),
            realized_pnl=canonical(event.realized),
            quantity_filled=canonical(filled),
            quantity_ordered=canonical(ordered),
        )

    def unknown(self, known: Known, reason: str) -> Event:
        order, why = known.order, outside(reason)
        stays = f"{known.reserved:,.2f} stays reserved" if known.reserved else "it counts as live"
        return log.OrderUnknown(
            timestamp=self.timestamp,
            level="warning",
            sequence=self.sequence,
            symbol=outside(order.symbol),
            message=f"UNKNOWN {known.wish()}: {why}; {stays}, {outside(order.symbol)} closed",
            client_order_id=outside(order.client_order_id),
            side=order.side.value,
            quantity=canonical(order.quantity),
            limit_price=amount(order.limit_price),
            reserved=canonical(known.reserved),
            reason=why,
        )

    def resolved(self, known: Known, event: messages.OrderChanged) -> Event:
        order = known.order
        seconds = max(0, event.at_ns - known.doubted_ns) / SECOND_NS
        if event.state in {OrderState.NEVER_SENT, OrderState.REJECTED}:
            found = "the broker does not have it" + because(event.reason)
        else:
            after = f" after {seconds:.1f} s" if seconds else ""
            found = f"found at the broker by its id{after}; nothing was sent twice"
        return log.OrderResolved(
            timestamp=self.timestamp,
            sequence=self.sequence,
            symbol=outside(order.symbol),
            message=f"{event.state.value} {known.wish()}: {found}",
            client_order_id=outside(order.client_order_id),
            side=order.side.value,
            quantity=canonical(order.quantity),
            price=known.price,
            state=event.state.value,
            seconds=seconds,
            reason=found,
        )

    def ended(self, known: Known, event: messages.OrderChanged, *, was_unknown: bool) -> Event:
        order = known.order
        is_filled = event.state is OrderState.FILLED
        own_words = f"{outside(order.strategy)}: {outside(order.reason)}"
        of = f", {canonical(known.filled)} filled" if known.filled and not is_filled else ""
        return log.OrderEnded(
            timestamp=self.timestamp,
            level="info" if is_filled else "warning",
            sequence=self.sequence,
            symbol=outside(order.symbol),
            message=f"{event.state.value} {known.wish()}{of}" + because(event.reason),
            client_order_id=outside(order.client_order_id),
            strategy=outside(order.strategy),
            side=order.side.value,
            quantity=canonical(order.quantity),
            quantity_filled=canonical(known.filled),
            price=known.price,
            state=event.state.value,
            reason=own_words if is_filled else outside(event.reason),
            was_unknown=was_unknown,
        )

"""A broker without a wire: the simulated venue behind the Broker port, in memory, for self-test, tests and benches.

It speaks no protocol and holds no keys; what crosses the wire is the Alpaca adapter's business. Reports of what the
venue does arrive as they would from a stream: after the reply, in order, once.
"""

from collections.abc import Iterable
from decimal import Decimal
from random import Random

import trio

from trader.messages import (
    CancelOutcome,
    Claim,
    Gate,
    GateReport,
    Input,
    LookupMissed,
    OrderReport,
    SendOutcome,
    Statement,
)
from trader.model import (
    AccountId,
    Bar,
    BrokerOrderId,
    ClientOrderId,
    Execution,
    ExecutionId,
    Order,
    Quote,
    Symbol,
)
from trader.ports import Deliver, Hear
from trader.venue import NewOrder, OrderEvent, Refusal, Venue
from trader.venue.words import OrderStatus, OrderType, VenueExecution, VenueOrder

ACCOUNT = "direct"
EVENTS_MAX = 10_000  # reports that may wait for the listener

_CLAIMS = {
    OrderStatus.ACCEPTED: Claim.PENDING_NEW,
    OrderStatus.PENDING_NEW: Claim.PENDING_NEW,
    OrderStatus.NEW: Claim.NEW,
    OrderStatus.PARTIALLY_FILLED: Claim.PARTIALLY_FILLED,
    OrderStatus.PENDING_CANCEL: Claim.PENDING_CANCEL,
    OrderStatus.FILLED: Claim.FILLED,
    OrderStatus.CANCELED: Claim.CANCELED,
    OrderStatus.EXPIRED: Claim.EXPIRED,
    OrderStatus.REJECTED: Claim.REJECTED,
}
_ORDER_TYPES = {one.value: one for one in OrderType}  # by our words, which are the same


class DirectBroker:
    """One account at one venue; `advance` moves its market."""

    def __init__(self, symbols: Iterable[Symbol], *, cash: Decimal, at_ns: int, seed: int) -> None:
        self.venue = Venue(symbols, random=Random(seed))
        self.venue.advance(at_ns)
        self.venue.open_account(ACCOUNT, ACCOUNT, cash)
        self._tell, self._told = trio.open_memory_channel[OrderEvent](EVENTS_MAX)

    async def identify(self) -> AccountId:
        """The one account there is."""
        await trio.lowlevel.checkpoint()
        return AccountId(f"direct:{ACCOUNT}")

    async def submit(self, order: Order) -> OrderReport | SendOutcome:
        """The venue's answer; what happens to the order after that is told by `follow`."""
        await trio.lowlevel.checkpoint()
        outcome = self.venue.submit(ACCOUNT, new_order_of(order))
        if isinstance(outcome, Refusal):
            return SendOutcome(
                client_order_id=order.client_order_id, outcome="rejected", reason=outcome.message
            )
        self._queue(outcome)
        return report_of(outcome[0].order, None, "reply")

    async def cancel(self, order: Order) -> CancelOutcome:
        """Ask the venue."""
        await trio.lowlevel.checkpoint()
        known = self.venue.order_by_client_id(ACCOUNT, order.client_order_id)
        outcome = self.venue.cancel(ACCOUNT, known.order_id if known else "")
        if isinstance(outcome, Refusal):
            return CancelOutcome(
                client_order_id=order.client_order_id, outcome="rejected", reason=outcome.message
            )
        self._queue(outcome)
        return CancelOutcome(client_order_id=order.client_order_id, outcome="accepted")

    async def lookup(self, order: Order, attempts: int) -> list[Input] | LookupMissed:
        """The order with its executions, as the venue has them."""
        await trio.lowlevel.checkpoint()
        known = self.venue.order_by_client_id(ACCOUNT, order.client_order_id)
        if known is None:
            return LookupMissed(client_order_id=order.client_order_id, attempts=attempts)
        executions = [
            report_of(known, one, "activity")
            for one in self.venue.state.executions
            if one.order_id == known.order_id
        ]
        return [*executions, report_of(known, None, "query")]

    async def is_absent(self, order: Order) -> bool:
        """The venue knows all its orders."""
        await trio.lowlevel.checkpoint()
        return self.venue.order_by_client_id(ACCOUNT, order.client_order_id) is None

    async def look(self, since: Statement) -> frozenset[ClientOrderId] | None:
        """A statement costs nothing here."""
        await trio.lowlevel.checkpoint()
        return None

    async def statement(self, since_ns: int) -> list[Input]:
        """Everything: the venue forgets nothing."""
        await trio.lowlevel.checkpoint()
        orders = self.venue.state.orders
        account = self.venue.account(ACCOUNT)
        told: list[Input] = [
            report_of(orders[one.order_id], one, "activity") for one in self.venue.state.executions
        ]
        told.extend(report_of(order, None, "query") for order in orders.values())
        told.append(
            Statement(
                at_ns=self.venue.now_ns,
                account=AccountId(f"direct:{ACCOUNT}"),
                cash=account.cash,
                positions={symbol: one.quantity for symbol, one in account.positions.items()},
                open_orders={
                    ClientOrderId(order.client_order_id): order.symbol
                    for order in self.venue.open_orders()
                },
            )
        )
        return told

    async def follow(
        self, hear: Hear, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED
    ) -> None:
        """Tell every event, for ever."""
        await hear(GateReport(gate=Gate.TRADING_STREAM, is_open=True, reason="listening"))
        task_status.started()
        async for event in self._told:
            await hear(report_of(event.order, event.execution, "stream"))

    def advance(self, at_ns: int, bars: Iterable[Bar] = (), quotes: Iterable[Quote] = ()) -> None:
        """Move the market."""
        self._queue(self.venue.advance(at_ns, tuple(bars), tuple(quotes)))

    def _queue(self, events: list[OrderEvent]) -> None:
        for event in events:
            self._tell.send_nowait(event)


def new_order_of(order: Order) -> NewOrder:
    """The order, as the venue takes it."""
    return NewOrder(
        symbol=order.symbol,
        side=order.side,
        order_type=_ORDER_TYPES[order.order_type],
        time_in_force=order.time_in_force,
        quantity=order.quantity,
        limit_price=order.limit_price,
        stop_price=order.stop_price,
        trail_percent=None if order.trail is None else order.trail * 100,
        extended_hours=order.extended_hours,
        client_order_id=order.client_order_id,
    )


def report_of(order: VenueOrder, execution: VenueExecution | None, source: str) -> OrderReport:
    """What the venue says of the order, as a reply, a stream, a query or an activity would tell it."""
    cumulative = order.quantity_filled if execution is None else execution.quantity_cumulative
    return OrderReport(
        client_order_id=ClientOrderId(order.client_order_id),
        broker_order_id=BrokerOrderId(order.order_id),
        symbol=order.symbol,
        side=order.side,
        claim=Claim.PARTIALLY_FILLED if source == "activity" else _CLAIMS[order.status],
        quantity=order.quantity,
        quantity_cumulative=cumulative,
        execution=None if execution is None else _execution(execution),
        at_ns=order.updated_ns,
        source=source,
    )


def _execution(told: VenueExecution) -> Execution:
    return Execution(
        execution_id=ExecutionId(told.execution_id),
        quantity=told.quantity,
        price=told.price,
        quantity_cumulative=told.quantity_cumulative,
        at_ns=told.at_ns,
    )


class DirectFeed:
    """Market data handed over by whoever moves the market."""

    def __init__(self, history: Iterable[Bar] = ()) -> None:
        self._history = list(history)
        self._deliver: Deliver | None = None

    def give(self, ticks: Iterable[Bar | Quote]) -> None:
        """Deliver now."""
        assert self._deliver is not None, "run has started"
        for tick in ticks:
            self._deliver(tick)

    async def run(
        self,
        deliver: Deliver,
        hear: Hear,
        *,
        task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED,
    ) -> None:
        """Nothing to wait for."""
        self._deliver = deliver
        await hear(GateReport(gate=Gate.MARKET_DATA, is_open=True, reason="direct"))
        task_status.started()
        await trio.sleep_forever()

    async def history(self, symbol: Symbol, before_ns: int, count: int) -> list[Bar]:
        """Of what was given at the start."""
        await trio.lowlevel.checkpoint()
        known = [
            bar
            for bar in self._history
            if bar.symbol == symbol and bar.start_ns + bar.span_ns <= before_ns
        ]
        return known[-count:]

"""A12 and the brakes over the venue's own books: what is held and on its way, in dollars, in orders and in executions.

The limits are the world's, all quantities and executions are the venue's. A decision was made with a price that was
known then, and that no order carries: so what is held is worth the lowest that the last half hour has seen, and equity
the highest; where a loss has to stand for minutes, that of the last ones. What exceeds a limit even then was beyond it.
"""

from collections import defaultdict
from collections.abc import Callable
from decimal import Decimal
from typing import NamedTuple

from trader.messages import Clock, RequestAccepted, Resumed
from trader.model import ENTRY_PURPOSES, MINUTE_NS, Order, Side, Symbol
from trader.money import ZERO, price_of
from trader.ports import Batch
from trader.simulation.draw import Setting
from trader.simulation.fault import MOVES_MONEY, UNSOUND_CLOCKS
from trader.simulation.shaken import Shaken
from trader.simulator.broker import SimulatedBroker
from trader.venue import VenueExecution, VenueOrder

REPEATED_SPAN_NS = (
    9 * MINUTE_NS
)  # the brake's are ten; the clock that it knows stands still for a minute
SPAN_BARS, LOSS_BARS = 30, 6
CLOCKS_MIN = 3  # clock inputs after one another at which a loss stood: the marks are of now
SLACK = Decimal(
    500
)  # dollars of interest, fees and withdrawals that may lie between a decision and this look


class Span(NamedTuple):
    """Dollars a share, the lowest and the highest of some minutes."""

    low: Decimal
    high: Decimal


class AmountCheck:
    """Looks at each entry that the venue has accepted, and at each that is approved."""

    def __init__(
        self,
        setting: Setting,
        broker: SimulatedBroker,
        shaken: Shaken,
        complain: Callable[[str], None],
    ) -> None:
        self._limits = setting.limits
        self._broker = broker
        self._shaken = shaken
        self._complain = complain
        self._base = setting.cash  # at least so much the day's loss is measured from
        self._clocks = 0  # after one another at which more than may be was lost
        self._resumed_ns = 0
        self._is_restored = False
        self._is_clock_sound = not (UNSOUND_CLOCKS & setting.rates.keys())
        self._is_money_still = not (MOVES_MONEY & setting.rates.keys())

    def restored(self) -> None:
        """An older journal can't know what is open, nor what was lost."""
        self._is_restored = True

    # --------------------------------------------------------------------------------- what was approved

    def committed(self, batch: Batch) -> None:
        """The brakes: what was known when an entry was approved."""
        for entry in batch.entries:
            for event in entry.events:
                if isinstance(event, Resumed):
                    self._resumed_ns, self._clocks = self._broker.venue.now_ns, 0
                    self._base = self._equity(at_most=False)
                elif isinstance(event, RequestAccepted) and event.order.purpose in ENTRY_PURPOSES:
                    self._approved(event.order)
            if isinstance(entry.input, Clock):
                self._clock_moved(entry.input)

    def _approved(self, order: Order) -> None:
        if self._limits.stop_required and (
            order.protection is None or not order.protection.has_stop
        ):
            self._complain(f"A12: {order.client_order_id} is approved without a stop")
        if not self._is_clock_sound or self._is_restored:
            return
        if self._clocks >= CLOCKS_MIN:
            self._complain(f"A12: {order.client_order_id} is approved after too great a loss")
        most = self._limits.executions_repeated_max
        filled = self._filled_ns(order.symbol)
        for first_ns, last_ns in zip(filled, filled[most - 1 :], strict=False):
            if last_ns - first_ns <= REPEATED_SPAN_NS:
                what = f"{most} filled entries of {order.symbol} within ten minutes"
                self._complain(f"A12: {order.client_order_id} is approved after {what}")
                return

    def _filled_ns(self, symbol: Symbol) -> list[int]:
        """First executions of entries that our books have, since somebody resumed; none where any was taken back."""
        if self._shaken.since(symbol) != 0:
            return []
        orders = self._broker.venue.state.orders
        first: dict[str, VenueExecution] = {}
        for record in self._broker.venue.state.executions:
            order = orders[record.order_id]
            if (order.symbol, order.side) == (symbol, Side.BUY):
                first.setdefault(record.order_id, record)
        known = (one for one in first.values() if self._shaken.is_heard(one))
        return sorted(one.at_ns for one in known if one.at_ns > self._resumed_ns)

    def _clock_moved(self, clock: Clock) -> None:
        held = {symbol for symbol, one in self._broker.account.positions.items() if one.quantity}
        limit = min(self._limits.loss_day_max, self._limits.drawdown_max)
        is_lost = self._equity(at_most=True, bars=LOSS_BARS) < self._base * (1 - limit)
        is_judged = self._is_money_still and held <= clock.marks.keys()
        self._clocks = self._clocks + 1 if is_lost and is_judged else 0

    def _equity(self, *, at_most: bool, bars: int = SPAN_BARS) -> Decimal:
        account = self._broker.account
        worth = ZERO
        for symbol, one in account.positions.items():
            span = self._span(symbol, bars)
            worth += one.quantity * (span.high if at_most else span.low)
        return account.cash + worth

    # ---------------------------------------------------------------------------------- what was accepted

    def entered(
        self, order: VenueOrder, intent: Order, intents: Callable[[str], Order | None]
    ) -> None:
        """The venue has accepted an entry of ours; `intents` are those by client order id."""
        if self._is_restored:
            return
        before = [
            one
            for one in self._broker.venue.open_orders()
            if one.side is Side.BUY
            and (its := intents(one.client_order_id)) is not None
            and its.decision_id <= intent.decision_id
        ]
        self._at_most(Decimal(len(before)), Decimal(self._limits.entries_open_max), "open", order)
        if self._shaken.since(order.symbol) is not None:
            held = self._broker.account.quantity(order.symbol) - order.quantity_filled
            span = self._span(order.symbol, SPAN_BARS)
            total = order.quantity * (order.limit_price or span.low) + held * span.low
            self._at_most(total, self._limits.position_notional_max, "dollars of a symbol", order)
            if (canary := self._limits.canary) is not None:
                most = canary.position_notional_max
                self._at_most(total, most, "dollars of a canary's symbol", order)
        self._exposed(order, intent, before, intents)

    def _exposed(
        self,
        order: VenueOrder,
        intent: Order,
        before: list[VenueOrder],
        intents: Callable[[str], Order | None],
    ) -> None:
        """What others have brought since it was approved does not count."""
        later: defaultdict[Symbol, Decimal] = defaultdict(Decimal)
        for one in self._broker.venue.state.orders.values():
            its = intents(one.client_order_id)
            if one.side is Side.BUY and its is not None and its.decision_id > intent.decision_id:
                later[one.symbol] += one.quantity_filled
        total = ZERO
        for symbol, position in self._broker.account.positions.items():
            if self._shaken.since(symbol) is None:
                return
            total += (
                max(position.quantity - later[symbol], ZERO) * self._span(symbol, SPAN_BARS).low
            )
        for one in before:
            total += one.quantity_leaves * (
                one.limit_price or self._span(one.symbol, SPAN_BARS).low
            )
        most = self._limits.exposure_max * (self._equity(at_most=True) + SLACK)
        self._at_most(total, most, "dollars exposed", order)

    def _at_most(self, found: Decimal, most: Decimal, what: str, order: VenueOrder) -> None:
        if found > most:
            self._complain(f"A12: {found:.2f} {what}, {most:.2f} may: {order.client_order_id}")

    def _span(self, symbol: Symbol, count: int) -> Span:
        """What its last bars have seen, and the quote of now."""
        bars = self._broker.market.history(symbol, self._broker.now_ns, count)
        book = self._broker.venue.books[symbol]
        quoted = [one for one in (book.last, book.bid.price, book.ask.price) if one]
        lows = [price_of(bar.low) for bar in bars]
        highs = [price_of(bar.high) for bar in bars]
        return Span(min([*lows, *quoted]), max([*highs, *quoted]))

"""A state machine against the venue: whatever is sent, canceled and quoted, its books balance after each step."""

from decimal import Decimal
from random import Random

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from trader.calendar import next_session, session_on
from trader.model import MINUTE_NS, Bar, Quote, Side, Symbol, TimeInForce
from trader.money import ZERO
from trader.venue import (
    ActivityKind,
    NewOrder,
    OrderEvent,
    OrderType,
    Refusal,
    Venue,
    VenueOrder,
    VenueTerms,
)
from trader.venue.back_office import Undone

SYMBOLS = [Symbol("JD"), Symbol("GS")]
CASH = Decimal(3_000)
ACCOUNT = "account-1"
CENT = 100
CASH_KINDS = {
    ActivityKind.FEE: -1,
    ActivityKind.WITHDRAWAL: -1,
    ActivityKind.DEPOSIT: 1,
    ActivityKind.INTEREST: 1,
}

prices = st.integers(980, 1_020)  # cents
sizes = st.integers(0, 300)


class VenueBooks(RuleBasedStateMachine):
    """The model is sums over what the venue has told; it knows nothing of how the venue keeps its books."""

    @initialize(latency_ns=st.sampled_from([0, MINUTE_NS]))
    def open_venue(self, latency_ns: int) -> None:
        terms = VenueTerms(cancel_latency_ns=latency_ns)
        self.venue = Venue(SYMBOLS, random=Random(1), terms=terms)
        self.venue.open_account(ACCOUNT, "PA1", CASH)
        self.session = session_on("2026-01-26")
        assert self.session is not None
        self.states: dict[str, VenueOrder] = {}
        self.cash = CASH
        self.shares = dict.fromkeys(SYMBOLS, Decimal(0))
        self.fees = Decimal(0)
        self.is_amiss = False
        self.hear(self.venue.advance(self.session.open_ns))
        for symbol in SYMBOLS:
            self.quote(symbol, 999, 2, 100, 100)

    def hear(self, events: list[OrderEvent]) -> None:
        for event in events:
            before = self.states.get(event.order.order_id)
            if before is not None:
                assert before.is_open, "terminal states absorb"
                assert event.order.quantity_filled >= before.quantity_filled
            self.states[event.order.order_id] = event.order
            if event.execution is not None:
                self.book(event)

    def book(self, event: OrderEvent) -> None:
        execution = event.execution
        assert execution is not None
        sign = 1 if execution.side is Side.BUY else -1
        self.cash -= sign * execution.quantity * execution.price
        self.shares[execution.symbol] += sign * execution.quantity
        self.fees += execution.fee
        assert execution.position_quantity == self.shares[execution.symbol]
        assert execution.quantity_cumulative == event.order.quantity_filled
        worst = event.order.limit_price
        if worst is not None:
            assert sign * execution.price <= sign * worst, "never worse than the limit"

    @rule(
        symbol=st.sampled_from(SYMBOLS),
        side=st.sampled_from(Side),
        cents=st.none() | prices,
        quantity=st.sampled_from([1, 10, 30, 100, 300]),
        time_in_force=st.sampled_from(
            [TimeInForce.DAY, TimeInForce.GTC, TimeInForce.IOC, TimeInForce.FOK]
        ),
    )
    def send(
        self,
        symbol: Symbol,
        side: Side,
        cents: int | None,
        quantity: int,
        time_in_force: TimeInForce,
    ) -> None:
        new = NewOrder(
            symbol=symbol,
            side=side,
            order_type=OrderType.MARKET if cents is None else OrderType.LIMIT,
            time_in_force=time_in_force,
            quantity=Decimal(quantity),
            limit_price=None if cents is None else Decimal(cents).scaleb(-2),
        )
        saved = self.venue.to_bytes()
        outcome = self.venue.submit(ACCOUNT, new)
        if isinstance(outcome, Refusal):
            assert self.venue.to_bytes() == saved
        else:
            self.hear(outcome)

    @precondition(lambda self: self.states)
    @rule(data=st.data())
    def cancel(self, data: st.DataObject) -> None:
        order_id = data.draw(st.sampled_from(sorted(self.states)))
        outcome = self.venue.cancel(ACCOUNT, order_id)
        if not isinstance(outcome, Refusal):
            self.hear(outcome)

    @rule(
        symbol=st.sampled_from(SYMBOLS),
        bid=prices,
        spread=st.integers(1, 9),
        bid_size=sizes,
        ask_size=sizes,
    )
    def quote(self, symbol: Symbol, bid: int, spread: int, bid_size: int, ask_size: int) -> None:
        quote = Quote(
            symbol=symbol,
            at_ns=self.venue.now_ns + 1,
            bid=bid * CENT,
            bid_size=bid_size,
            ask=(bid + spread) * CENT,
            ask_size=ask_size,
        )
        self.hear(self.venue.advance(quote.at_ns, quotes=[quote]))

    @rule(
        symbol=st.sampled_from(SYMBOLS),
        cents=st.lists(prices, min_size=4, max_size=4).map(sorted),
        volume=st.integers(0, 3_000),
    )
    def bar(self, symbol: Symbol, cents: list[int], volume: int) -> None:
        low, opened, close, high = (price * CENT for price in cents)
        bar = Bar(
            symbol=symbol,
            start_ns=self.venue.now_ns,
            open=opened,
            high=high,
            low=low,
            close=close,
            volume=volume,
        )
        self.hear(self.venue.advance(self.venue.now_ns + MINUTE_NS, bars=[bar]))

    @precondition(lambda self: self.venue.state.executions)
    @rule(data=st.data(), cents=st.none() | prices)
    def amend(self, data: st.DataObject, cents: int | None) -> None:
        """A bust, or a correction of the price; what can't be done changes nothing."""
        trades = [one for one in self.venue.state.executions if one.corrects is None]
        trade = data.draw(st.sampled_from(trades))
        stands = [
            one
            for one in self.venue.state.executions
            if trade.execution_id in (one.execution_id, one.corrects)
        ][-1]
        office, saved = self.venue.back_office, self.venue.to_bytes()
        try:
            if cents is None:
                events = office.bust(trade.execution_id)
            else:
                price = Decimal(cents).scaleb(-2)
                events = office.correct(trade.execution_id, price=price)
        except Undone:
            assert self.venue.to_bytes() == saved
            return
        self.is_amiss = True
        (event,) = events
        record = event.execution
        assert record is not None
        sign = 1 if trade.side is Side.BUY else -1
        old, new = stands.price, ZERO if cents is None else record.price
        self.cash += sign * trade.quantity * (old - new)
        self.fees += (ZERO if cents is None else record.fee) - stands.fee
        if cents is None:
            self.shares[trade.symbol] -= sign * trade.quantity
        assert record.corrects == trade.execution_id
        assert record.position_quantity == self.shares[trade.symbol]
        self.states[event.order.order_id] = event.order

    @precondition(lambda self: self.states)
    @rule(data=st.data())
    def fill_late(self, data: st.DataObject) -> None:
        order_id = data.draw(st.sampled_from(sorted(self.states)))
        try:
            events = self.venue.back_office.fill(order_id)
        except Undone:
            return
        self.is_amiss = True
        (event,) = events
        assert event.order.quantity_filled == event.order.quantity
        self.book(event)
        self.states[order_id] = event.order

    @rule(kind=st.sampled_from(list(CASH_KINDS)), cents=st.integers(1, 10_000))
    def move_cash(self, kind: ActivityKind, cents: int) -> None:
        amount = Decimal(cents).scaleb(-2)
        self.venue.back_office.move_cash(self.venue.account(ACCOUNT), kind, amount)
        self.cash += CASH_KINDS[kind] * amount
        self.is_amiss = True

    @rule(symbol=st.sampled_from(SYMBOLS), factor=st.sampled_from(["2", "7", "0.5", "1.5"]))
    def split(self, symbol: Symbol, factor: str) -> None:
        account = self.venue.account(ACCOUNT)
        before, shares = len(self.venue.state.activities), account.quantity(symbol)
        self.hear(self.venue.back_office.split(symbol, Decimal(factor)))
        assert not self.venue.open_orders(symbol)
        for activity in self.venue.state.activities[before:]:
            assert activity.quantity is not None
            self.cash += activity.net_amount
            self.shares[symbol] += activity.quantity
        assert 0 <= shares * Decimal(factor) - account.quantity(symbol) < 1

    @rule()
    def end_session(self) -> None:
        assert self.session is not None
        self.hear(self.venue.advance(max(self.venue.now_ns, self.session.close_ns)))
        self.hear(self.venue.end_session(self.session.date, self.session.post_close_ns))
        charged = [fee for fee in self.venue.state.activities if fee.description.startswith("Reg")]
        charged = [fee for fee in charged if fee.date == self.session.date]
        assert -sum(fee.net_amount for fee in charged) == self.fees
        self.cash -= self.fees
        self.fees = Decimal(0)
        self.session = next_session(self.session.date)
        self.hear(self.venue.advance(self.session.open_ns))

    @invariant()
    def cash_and_shares_are_what_the_executions_say(self) -> None:
        account = self.venue.account(ACCOUNT)
        assert account.cash == self.cash
        assert account.accrued_fees == self.fees
        for symbol in SYMBOLS:
            assert account.quantity(symbol) == self.shares[symbol] >= 0

    @invariant()
    def what_is_held_is_what_open_orders_need(self) -> None:
        account = self.venue.account(ACCOUNT)
        open_orders = [order for order in self.states.values() if order.is_open]
        assert open_orders == self.venue.open_orders()
        buys = [order for order in open_orders if order.side is Side.BUY]
        assert account.reserved == sum(
            (order.quantity - order.quantity_filled) * order.reserve_price for order in buys
        )
        for symbol in SYMBOLS:
            held = sum(
                order.quantity - order.quantity_filled
                for order in open_orders
                if order.side is Side.SELL and order.symbol == symbol
            )
            assert account.held_for_orders(symbol) == held <= account.quantity(symbol)

    @invariant()
    def nobody_spends_what_they_do_not_have(self) -> None:
        account = self.venue.account(ACCOUNT)
        if self.is_amiss:
            return
        assert account.cash - account.accrued_fees >= account.reserved
        assert account.cash >= account.accrued_fees >= 0

    @invariant()
    def the_ground_truth_is_what_was_told(self) -> None:
        assert dict(self.venue.state.orders) == self.states

    @invariant()
    def the_books_survive_a_restart(self) -> None:
        saved = self.venue.to_bytes()
        assert Venue.from_bytes(saved, SYMBOLS, random=Random(2)).to_bytes() == saved


VenueBooks.TestCase.settings = settings(max_examples=200, stateful_step_count=50, deadline=None)
TestVenueBooks = VenueBooks.TestCase

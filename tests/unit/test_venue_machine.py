"""A state machine over every kind of order, group and replacement, at each margin: the venue's books balance."""

from decimal import Decimal
from random import Random

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from trader.calendar import next_session, session_on
from trader.model import MINUTE_NS, SECOND_NS, Bar, Quote, Side, Symbol, TimeInForce
from trader.money import ZERO
from trader.venue import (
    Leg,
    NewOrder,
    OrderClass,
    OrderEvent,
    OrderStatus,
    OrderType,
    Refusal,
    Replacement,
    StopLoss,
    Venue,
    VenueOrder,
    VenueTerms,
)

SYMBOLS = [Symbol("JD"), Symbol("GS")]
CASH = Decimal(5_000)
ACCOUNT = "account-1"
CENT = 100
UNPLACED = frozenset({OrderStatus.ACCEPTED, OrderStatus.PENDING_NEW, OrderStatus.HELD})

cents = st.integers(960, 1_040)
sizes = st.integers(0, 300)
symbols = st.sampled_from(SYMBOLS)
seeds = st.integers(0, 2**32 - 1)


def dollars(price: int) -> Decimal:
    return Decimal(price).scaleb(-2)


QUANTITIES = [Decimal(text) for text in ("1", "10", "10", "30", "30", "100", "0.5", "2.25")]


def drawn_order(random: Random, symbol: Symbol, price: int) -> NewOrder:
    """Near the market, which is at `price` cents; most of them make some sense."""
    order_type = random.choice([OrderType.LIMIT, OrderType.LIMIT, OrderType.MARKET, *OrderType])
    side = random.choice(list(Side))
    order_class = random.choice([OrderClass.SIMPLE] * 3 + list(OrderClass))
    near = random.randint(1, 9)
    up = near if side is Side.BUY else -near
    price += random.randint(-4, 4)
    is_limited = order_type in (OrderType.LIMIT, OrderType.STOP_LIMIT)
    is_stop = order_type in (OrderType.STOP, OrderType.STOP_LIMIT)
    in_dollars = order_type is OrderType.MARKET and not random.randrange(3)
    has_legs = order_class is not OrderClass.SIMPLE
    if order_class is OrderClass.OCO:
        profit, loss = price, price + up
    else:
        profit, loss = price + up, price - up
    lasting = [TimeInForce.DAY] * 4 + [TimeInForce.GTC] * 3
    return NewOrder(
        symbol=symbol,
        side=side,
        order_type=order_type,
        time_in_force=random.choice([*lasting, *TimeInForce]),
        quantity=ZERO if in_dollars else random.choice(QUANTITIES),
        notional=dollars(random.randint(90, 90_000)) if in_dollars else None,
        limit_price=dollars(price) if is_limited else None,
        stop_price=dollars(price + up) if is_stop else None,
        trail_price=dollars(near) if order_type is OrderType.TRAILING_STOP else None,
        extended_hours=not random.randrange(8),
        order_class=order_class,
        take_profit=dollars(profit) if has_legs else None,
        stop_loss=StopLoss(stop_price=dollars(loss))
        if order_class in (OrderClass.BRACKET, OrderClass.OCO)
        else None,
    )


class VenueMachine(RuleBasedStateMachine):
    """The model is sums over what the venue has told; it knows nothing of how the venue keeps its books."""

    @initialize(
        latency_ns=st.sampled_from([0, 0, MINUTE_NS]),
        multiplier=st.sampled_from([1, 2, 4]),
        chance=st.sampled_from([0.0, 0.5]),
    )
    def open_venue(self, latency_ns: int, multiplier: int, chance: float) -> None:
        terms = VenueTerms(
            cancel_latency_ns=latency_ns,
            replace_latency_ns=latency_ns,
            latency_ns=latency_ns // 2,
            partial_probability=chance,
        )
        self.venue = Venue(SYMBOLS, random=Random(1), terms=terms)
        self.account = self.venue.open_account(ACCOUNT, "PA1", CASH, multiplier=multiplier)
        session = session_on("2026-01-26")
        assert session is not None
        self.session = session
        self.states: dict[str, VenueOrder] = {}
        self.cash, self.fees = CASH, ZERO
        self.shares = dict.fromkeys(SYMBOLS, ZERO)
        self.hear(self.venue.advance(session.open_ns))
        for symbol in SYMBOLS:
            self.quote(symbol, 999, 2, 100, 100)

    def hear(self, events: list[OrderEvent]) -> None:
        for event in events:
            execution = event.execution
            if execution is None:
                continue
            sign = 1 if execution.side is Side.BUY else -1
            self.cash -= sign * execution.quantity * execution.price
            self.shares[execution.symbol] += sign * execution.quantity
            self.fees += execution.fee
            assert execution.quantity > 0
            assert execution.position_quantity == self.shares[execution.symbol]
            assert execution.quantity_cumulative == event.order.quantity_filled
            order = event.order
            worst = order.limit_price if order.limit_price is not None else order.guard_price
            if worst is not None:
                assert sign * execution.price <= sign * worst, "never worse than the limit"
            if order.notional is not None and order.side is Side.BUY:
                assert order.notional_filled <= order.notional

    # --- what clients do

    @rule(symbol=symbols, seed=seeds)
    def send(self, symbol: Symbol, seed: int) -> None:
        """What the numbers of a seed make: strategies would draw the simplest order again and again."""
        book = self.venue.books[symbol]
        price = int((book.bid.price or book.mark() or 10) * 100)
        new = drawn_order(Random(f"{seed}"), symbol, price)
        saved, power = self.venue.to_bytes(), self.power()
        outcome = self.venue.submit(ACCOUNT, new)
        if isinstance(outcome, Refusal):
            assert self.venue.to_bytes() == saved, "a refusal leaves no trace"
            assert outcome.status in (403, 422)
            return
        assert outcome[0].order.reserved <= power, "buying power is never exceeded"
        self.hear(outcome)

    @precondition(lambda self: self.states)
    @rule(data=st.data())
    def cancel(self, data: st.DataObject) -> None:
        order_id = data.draw(st.sampled_from(sorted(self.states)))
        outcome = self.venue.cancel(ACCOUNT, order_id)
        if not isinstance(outcome, Refusal):
            self.hear(outcome)

    @precondition(lambda self: self.venue.open_orders())
    @rule(
        data=st.data(),
        quantity=st.none() | st.sampled_from(QUANTITIES),
        price=st.none() | cents,
        time_in_force=st.sampled_from([None, None, TimeInForce.GTC]),
    )
    def replace(
        self,
        data: st.DataObject,
        quantity: Decimal | None,
        price: int | None,
        time_in_force: TimeInForce | None,
    ) -> None:
        order = data.draw(st.sampled_from(self.venue.open_orders()))
        is_stop = order.order_type is OrderType.STOP
        changed = None if price is None else dollars(price)
        wish = Replacement(
            quantity=quantity,
            limit_price=None if is_stop else changed,
            stop_price=changed if is_stop else None,
            time_in_force=time_in_force,
        )
        saved = self.venue.to_bytes()
        outcome = self.venue.replace(ACCOUNT, order.order_id, wish)
        if isinstance(outcome, Refusal):
            assert self.venue.to_bytes() == saved
            return
        (new,) = {e.order.order_id for e in outcome if e.order.replaces == order.order_id}
        assert self.venue.state.orders[new].quantity + order.quantity_filled == (
            quantity or order.quantity
        )
        self.hear(outcome)

    # --- what the market does

    @rule(seed=seeds)
    def minutes(self, seed: int) -> None:
        """Some quotes of both symbols, each a few cents from the one before."""
        random = Random(f"{seed}")
        for symbol in SYMBOLS * random.randint(1, 4):
            bid = int((self.venue.books[symbol].bid.price or 10) * 100)
            size = random.choice([5, 20, 100])
            self.quote(symbol, bid + random.randint(-4, 4), random.randint(1, 3), size, size)

    @rule(symbol=symbols, bid=cents, spread=st.integers(1, 9), bid_size=sizes, ask_size=sizes)
    def quote(self, symbol: Symbol, bid: int, spread: int, bid_size: int, ask_size: int) -> None:
        quote = Quote(
            symbol=symbol,
            at_ns=self.venue.now_ns + SECOND_NS,
            bid=bid * CENT,
            bid_size=bid_size,
            ask=(bid + spread) * CENT,
            ask_size=ask_size,
        )
        self.hear(self.venue.advance(quote.at_ns, quotes=[quote]))

    @rule(
        symbol=symbols, prices=st.lists(cents, min_size=4, max_size=4), volume=st.integers(0, 3_000)
    )
    def bar(self, symbol: Symbol, prices: list[int], volume: int) -> None:
        low, opened, close, high = (price * CENT for price in sorted(prices))
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

    @rule(symbol=symbols, is_halted=st.booleans())
    def halt(self, symbol: Symbol, is_halted: bool) -> None:
        office = self.venue.back_office
        self.hear(office.halt(symbol) if is_halted else office.resume(symbol))

    @precondition(lambda self: len(self.states) > 3)
    @rule(stays_closed=st.booleans())
    def end_session(self, stays_closed: bool) -> None:
        self.hear(self.venue.advance(max(self.venue.now_ns, self.session.close_ns)))
        before = len(self.venue.state.activities)
        self.hear(self.venue.end_session(self.session.date, self.session.post_close_ns))
        self.cash += sum((one.net_amount for one in self.venue.state.activities[before:]), ZERO)
        self.fees = ZERO
        self.session = next_session(self.session.date)
        if stays_closed:
            return
        self.hear(self.venue.advance(self.session.open_ns))
        for symbol in SYMBOLS:
            self.quote(symbol, 999, 2, 100, 100)

    # --- what must hold

    @invariant()
    def orders_only_go_forward(self) -> None:
        for order_id, before in self.states.items():
            after = self.venue.state.orders[order_id]
            assert before.is_open or after == before, "terminal states absorb"
            assert after.quantity_filled >= before.quantity_filled
            assert before.status in UNPLACED or after.status not in UNPLACED
        self.states = dict(self.venue.state.orders)

    @invariant()
    def cash_and_shares_are_what_the_executions_say(self) -> None:
        assert self.account.cash == self.cash
        assert self.account.accrued_fees == self.fees
        for symbol in SYMBOLS:
            assert self.account.quantity(symbol) == self.shares[symbol]
            assert self.shares[symbol] >= 0 or self.account.multiplier > 1

    @invariant()
    def what_is_held_is_what_open_orders_need(self) -> None:
        reserved, held = ZERO, dict.fromkeys(SYMBOLS, ZERO)
        for order in self.venue.open_orders():
            if order.status is OrderStatus.HELD or self.is_under_way(order):
                continue
            if order.leg is Leg.STOP_LOSS and self.has_profit(order):
                continue
            if order.is_opening:
                left = order.quantity_leaves * order.reserve_price
                if order.notional is not None:
                    left = order.notional - order.notional_filled
                reserved += left + order.extra
            else:
                held[order.symbol] += order.quantity_leaves + order.extra
        assert self.account.reserved == reserved
        for symbol in SYMBOLS:
            assert self.account.held_for_orders(symbol) == held[symbol]
            if self.account.multiplier == 1:
                assert held[symbol] <= self.shares[symbol]

    def is_under_way(self, order: VenueOrder) -> bool:
        """A replacement that has not arrived: what it needs is held by the order that it is to replace."""
        return order.replaces is not None and order.status is OrderStatus.PENDING_NEW

    def has_profit(self, stop: VenueOrder) -> bool:
        """Whether a take-profit of the same group is open, which holds for both."""
        group = {stop.parent_id} | {leg.order_id for leg in self.venue.legs(stop.parent_id or "")}
        return any(
            order.leg is Leg.TAKE_PROFIT and order.order_id in group
            for order in self.venue.open_orders()
        )

    def power(self) -> Decimal:
        """What may still be opened: free cash, or so many times the equity less what is carried and held."""
        free, times = self.cash - self.fees, self.account.multiplier
        if times > 1:
            worth = [self.shares[one] * self.mark(one) for one in SYMBOLS]
            free = times * (free + sum(worth, ZERO)) - sum(map(abs, worth), ZERO)
        return max(free - self.account.reserved, ZERO)

    def mark(self, symbol: Symbol) -> Decimal:
        """At what it cost where nothing was told of it since the morning."""
        position = self.account.positions.get(symbol)
        return self.venue.books[symbol].mark() or (position.avg_entry_price if position else ZERO)

    @invariant()
    def buying_power_is_what_the_sums_say(self) -> None:
        assert self.venue.buying_power(self.account) == self.power()

    @invariant()
    def a_cash_account_spends_only_what_it_has(self) -> None:
        if self.account.multiplier == 1:
            assert self.account.cash - self.account.accrued_fees >= self.account.reserved

    @invariant()
    def the_exits_of_a_group_never_trade_more_than_their_entry(self) -> None:
        for order in self.venue.state.orders.values():
            legs = self.venue.legs(order.order_id)
            if legs and order.order_class is not OrderClass.OCO:
                assert sum(leg.quantity_filled for leg in legs) <= order.quantity_filled
            if legs and not order.is_open and order.status is not OrderStatus.FILLED:
                assert not any(leg.is_open for leg in legs) or order.order_class is OrderClass.OCO

    @invariant()
    def the_books_survive_a_restart(self) -> None:
        saved = self.venue.to_bytes()
        again = Venue.from_bytes(saved, SYMBOLS, random=Random(2), terms=self.venue.terms)
        assert again.to_bytes() == saved
        assert (again.next_due_ns() is None) is (not again.open_orders())


VenueMachine.TestCase.settings = settings(max_examples=150, stateful_step_count=50, deadline=None)
TestVenueMachine = VenueMachine.TestCase

"""The simulated venue: takes orders, trades them against quotes and bars, keeps accounts; pure and synchronous.

Everything happens at `now_ns`, which only `advance` moves. What happens is returned as events, in order; the first
event of an accepted order carries the state that its reply tells. `state.orders` keeps every order ever accepted, in
order of acceptance: the ground truth that other ledgers are compared with.
"""

from collections.abc import Iterable, Sequence
from decimal import Decimal
from random import Random

import msgspec

from trader.calendar import DAY_NS, next_session, phase, session_of
from trader.model import Bar, Phase, Quote, Side, Symbol, TimeInForce
from trader.money import ZERO, price_of
from trader.venue import acceptance
from trader.venue.accounts import VenueAccount
from trader.venue.back_office import BackOffice
from trader.venue.ledger import Ledger, VenueState
from trader.venue.matching import Book, bar_match, empty_book, quoted_match, takeable_volume
from trader.venue.terms import VenueTerms
from trader.venue.words import (
    EXECUTABLE,
    EventKind,
    NewOrder,
    OrderEvent,
    OrderStatus,
    Refusal,
    VenueOrder,
)

GTC_NS = 90 * DAY_NS
AT_ONCE = frozenset({TimeInForce.IOC, TimeInForce.FOK})


class Venue:
    """See the module."""

    def __init__(
        self,
        symbols: Iterable[Symbol],
        *,
        random: Random,
        terms: VenueTerms | None = None,
        state: VenueState | None = None,
    ) -> None:
        self.terms = terms or VenueTerms()
        self.state = state or VenueState()
        self.books: dict[Symbol, Book] = {symbol: empty_book() for symbol in symbols}
        self._ledger = Ledger(self.state, random)
        self.back_office = BackOffice(self._ledger, self.books, self.terms)

    def as_it_stood(self, state: VenueState) -> "Venue":
        """This venue's books of an earlier moment, to be looked at only."""
        view = Venue((), random=Random(0), terms=self.terms, state=state)
        view.books.update(self.books)
        return view

    @classmethod
    def from_bytes(
        cls,
        saved: bytes,
        symbols: Iterable[Symbol],
        *,
        random: Random,
        terms: VenueTerms | None = None,
    ) -> "Venue":
        state = msgspec.msgpack.decode(saved, type=VenueState)
        return cls(symbols, random=random, terms=terms, state=state)

    def to_bytes(self) -> bytes:
        return msgspec.msgpack.encode(self.state)

    @property
    def now_ns(self) -> int:
        return self.state.now_ns

    # --- accounts

    def open_account(self, account_id: str, number: str, cash: Decimal) -> VenueAccount:
        assert account_id not in self.state.accounts, "an account is opened once"
        account = VenueAccount(
            account_id=account_id,
            number=number,
            created_ns=self.now_ns,
            opening_cash=cash,
            cash=cash,
            last_equity=cash,
        )
        self.state.accounts[account_id] = account
        return account

    def account(self, account_id: str) -> VenueAccount:
        return self._ledger.account(account_id)

    def equity(self, account: VenueAccount) -> Decimal:
        return account.cash + self.market_value(account)

    def market_value(self, account: VenueAccount) -> Decimal:
        """Shares at the last trade; at what they cost where none is known."""
        worth = (
            position.quantity * (self.books[symbol].mark() or position.avg_entry_price)
            for symbol, position in account.positions.items()
        )
        return sum(worth, ZERO)

    # --- orders

    def submit(
        self, account_id: str, new: NewOrder, *, routed: bool = True
    ) -> Refusal | list[OrderEvent]:
        """Take the order or say why not; a refused order leaves no trace, its client order id stays unused.

        An order that is not `routed` stays pending_new, until the back office rejects it or its session ends.
        """
        account = self.account(account_id)
        objection = self._objection(account, new)
        if objection is not None:
            return objection
        order = self._accepted(account, new)
        if self._works(order, phase(self.now_ns)):
            self._ledger.add(order, EventKind.PENDING_NEW)
            if not routed:
                return self._ledger.take_told()
            self._ledger.change(order.order_id, EventKind.NEW, status=OrderStatus.NEW)
            self._match_arrival(order.order_id)
        else:
            order = msgspec.structs.replace(order, status=OrderStatus.ACCEPTED)
            self._ledger.add(order, EventKind.ACCEPTED)
        if order.time_in_force in AT_ONCE:
            self._cancel_rest(order.order_id)
        return self._ledger.take_told()

    def cancel(
        self, account_id: str, order_id: str, *, at_once: bool = True
    ) -> Refusal | list[OrderEvent]:
        """Ask for an order's end; no events: there is nothing to do.

        The order may still trade until `cancel_latency_ns` has passed, and at least until the clock moves where the
        end is not to come `at_once`.
        """
        order = self.order(account_id, order_id)
        if order is None:
            return acceptance.order_not_found(order_id)
        if order.status in (OrderStatus.CANCELED, OrderStatus.PENDING_CANCEL):
            return []
        if not order.is_open:
            return acceptance.unprocessable(f'order is already in "{order.status}" state')
        self._ledger.change(
            order_id,
            EventKind.PENDING_CANCEL,
            status=OrderStatus.PENDING_CANCEL,
            cancel_requested_ns=self.now_ns,
        )
        if at_once:
            self._cancel_due(order_id)
        return self._ledger.take_told()

    def order(self, account_id: str, order_id: str) -> VenueOrder | None:
        order = self.state.orders.get(order_id)
        return order if order is not None and order.account_id == account_id else None

    def order_by_client_id(self, account_id: str, client_order_id: str) -> VenueOrder | None:
        return self._ledger.order_by_client_id(account_id, client_order_id)

    def open_orders(self, symbol: Symbol | None = None) -> list[VenueOrder]:
        """In order of acceptance, of all accounts."""
        return self._ledger.open_orders(symbol)

    # --- time

    def advance(
        self, at_ns: int, bars: Sequence[Bar] = (), quotes: Sequence[Quote] = ()
    ) -> list[OrderEvent]:
        """Move on to `at_ns`: bars that have just ended first, they lie before it; then the clock; then quotes."""
        assert at_ns >= self.now_ns, "time does not go back"
        self.state.now_ns = at_ns
        for bar in bars:
            self._take_bar(bar)
        for order in self.open_orders():
            self._pass_time(order)
        for quote in quotes:
            self.books[quote.symbol].take_quote(quote)
            self._match_quote(quote.symbol)
        return self._ledger.take_told()

    def end_session(self, session_date: str, end_ns: int) -> list[OrderEvent]:
        """Expire what was good until `end_ns`, charge the session's fees in one amount, forget the quotes."""
        for order in self.open_orders():
            if order.expires_ns <= end_ns:
                self._expire(order.order_id)
        for account in self.state.accounts.values():
            self._ledger.charge_fees(account, session_date)
            account.last_equity = self.equity(account)
        for book in self.books.values():
            book.forget_quote()
        return self._ledger.take_told()

    def _pass_time(self, order: VenueOrder) -> None:
        if order.expires_ns <= self.now_ns:
            self._expire(order.order_id)
        elif order.status is OrderStatus.PENDING_CANCEL:
            self._cancel_due(order.order_id)
        elif order.status is OrderStatus.ACCEPTED and self._works(order, phase(self.now_ns)):
            self._ledger.change(order.order_id, EventKind.NEW, status=OrderStatus.NEW)

    def _expire(self, order_id: str) -> None:
        self._ledger.change(
            order_id, EventKind.EXPIRED, status=OrderStatus.EXPIRED, expired_ns=self.now_ns
        )

    def _cancel_due(self, order_id: str) -> None:
        requested_ns = self.state.orders[order_id].cancel_requested_ns
        assert requested_ns is not None, "asked for before"
        if requested_ns + self.terms.cancel_latency_ns <= self.now_ns:
            self._cancel_rest(order_id)

    def _cancel_rest(self, order_id: str) -> None:
        if self.state.orders[order_id].is_open:
            self._ledger.change(
                order_id, EventKind.CANCELED, status=OrderStatus.CANCELED, canceled_ns=self.now_ns
            )

    # --- taking an order

    def _objection(self, account: VenueAccount, new: NewOrder) -> Refusal | None:
        if new.symbol not in self.books:
            return acceptance.unprocessable(f'asset "{new.symbol}" not found')
        used = new.client_order_id
        if used and self.order_by_client_id(account.account_id, used):
            return acceptance.invalid("client_order_id must be unique")
        everyone = self.open_orders(new.symbol)
        standing = [order for order in everyone if order.account_id == account.account_id]
        return (
            acceptance.form_objection(new)
            or acceptance.whole_shares_objection(new)
            or acceptance.wash_trade_objection(new, standing)
            or self._cover_objection(account, new, standing)
        )

    def _cover_objection(
        self, account: VenueAccount, new: NewOrder, standing: list[VenueOrder]
    ) -> Refusal | None:
        if new.side is Side.SELL:
            if new.position_intent == "sell_to_open":
                return acceptance.short_sale()
            return acceptance.shares_objection(account, new, standing)
        price = acceptance.reserve_price(new, self.books[new.symbol])
        if not price:
            return acceptance.price_unknown(new.symbol)
        return acceptance.funds_objection(account, new.quantity * price)

    def _accepted(self, account: VenueAccount, new: NewOrder) -> VenueOrder:
        is_buy = new.side is Side.BUY
        return VenueOrder(
            number=len(self.state.orders) + 1,
            order_id=self._ledger.identifier(),
            client_order_id=new.client_order_id or self._ledger.identifier(),
            account_id=account.account_id,
            symbol=new.symbol,
            side=new.side,
            order_type=new.order_type,
            time_in_force=new.time_in_force,
            quantity=new.quantity,
            limit_price=new.limit_price,
            stop_price=new.stop_price,
            extended_hours=new.extended_hours,
            position_intent=new.position_intent,
            status=OrderStatus.PENDING_NEW,
            reserve_price=acceptance.reserve_price(new, self.books[new.symbol]) if is_buy else ZERO,
            submitted_ns=self.now_ns,
            updated_ns=self.now_ns,
            expires_ns=self._expires_ns(new),
        )

    def _expires_ns(self, new: NewOrder) -> int:
        """The end of the session that the order is good for: today's while it lasts, else the next one's."""
        if new.time_in_force is TimeInForce.GTC:
            return self.now_ns + GTC_NS
        session = session_of(self.now_ns)
        if session is not None:
            end_ns = session.post_close_ns if new.extended_hours else session.close_ns
            if self.now_ns < end_ns:
                return end_ns
        session = next_session(self.now_ns)
        return session.post_close_ns if new.extended_hours else session.close_ns

    @staticmethod
    def _works(order: VenueOrder, at: Phase) -> bool:
        return at is Phase.REGULAR or (order.extended_hours and at is not Phase.CLOSED)

    # --- trading

    def _match_arrival(self, order_id: str) -> None:
        order = self.state.orders[order_id]
        quantity, price = quoted_match(order, self.books[order.symbol])
        whole = quantity == order.quantity_leaves
        if quantity and (whole or order.time_in_force is not TimeInForce.FOK):
            self._execute_at_quote(order, quantity, price)

    def _match_quote(self, symbol: Symbol) -> None:
        for order in self._by_priority(symbol, phase(self.now_ns)):
            quantity, price = quoted_match(order, self.books[symbol])
            if quantity:
                self._execute_at_quote(order, quantity, price)

    def _execute_at_quote(self, order: VenueOrder, quantity: Decimal, price: Decimal) -> None:
        self.books[order.symbol].far_side(order.side).quantity -= quantity
        self._execute(order, quantity, price)

    def _take_bar(self, bar: Bar) -> None:
        volume_left = takeable_volume(bar, self.terms.bar_participation)
        for order in self._by_priority(bar.symbol, phase(bar.start_ns)):
            quantity, price = bar_match(order, bar, volume_left)
            if quantity:
                volume_left -= quantity
                self._execute(order, quantity, price)
        self.books[bar.symbol].last = price_of(bar.close)

    def _by_priority(self, symbol: Symbol, at: Phase) -> list[VenueOrder]:
        """What may trade then: market orders, then the best limit, then the oldest."""
        executable = (
            order
            for order in self.open_orders(symbol)
            if order.status in EXECUTABLE and self._works(order, at)
        )
        return sorted(executable, key=_priority)

    def _execute(self, order: VenueOrder, quantity: Decimal, price: Decimal) -> None:
        affordable = self._affordable(order, quantity, price)
        if affordable:
            is_sell = order.side is Side.SELL
            fee = self.terms.sell_fee(affordable, price) if is_sell else ZERO
            self._ledger.fill(order.order_id, affordable, price, fee)
        account = self.account(order.account_id)
        if affordable < quantity or (order.side is Side.BUY and account.free < ZERO):
            # Only a market order can get here: the market ran away from what is held for it.
            self._cancel_rest(order.order_id)

    def _affordable(self, order: VenueOrder, quantity: Decimal, price: Decimal) -> Decimal:
        if order.side is Side.SELL:
            return quantity
        spendable = self.account(order.account_id).free + order.reserved
        return min(quantity, max(spendable // price, ZERO))


def _priority(order: VenueOrder) -> tuple[bool, Decimal, int]:
    if order.limit_price is None:
        return (False, ZERO, order.number)
    price = -order.limit_price if order.side is Side.BUY else order.limit_price
    return (True, price, order.number)

"""The simulated venue: takes orders, trades them against quotes and bars, keeps accounts; pure and synchronous.

Everything happens at `now_ns`, which only `advance` moves. What happens is returned as events, in order; the first
event of an accepted order carries the state that its reply tells. `state.orders` keeps every order ever accepted, in
order of acceptance: the ground truth that other ledgers are compared with.
"""

import heapq
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from random import Random

import msgspec
from msgspec.structs import replace

from trader.model import Bar, Quote, Symbol, TimeInForce
from trader.money import ZERO
from trader.venue import margin
from trader.venue.accounts import VenueAccount
from trader.venue.assets import ANY_ASSET, VenueAsset
from trader.venue.back_office import BackOffice
from trader.venue.day_end import charge_day
from trader.venue.groups import Groups
from trader.venue.hours import AlwaysOpen, Hours, works
from trader.venue.intake import Intake
from trader.venue.ledger import Ledger, VenueState
from trader.venue.matching import Book
from trader.venue.refusals import order_not_found, unprocessable
from trader.venue.replacing import Replacing
from trader.venue.terms import VenueTerms
from trader.venue.trading import AT_ONCE, Trading
from trader.venue.words import (
    EventKind,
    NewOrder,
    OrderEvent,
    OrderStatus,
    Refusal,
    Replacement,
    VenueOrder,
)

GONE = (OrderStatus.CANCELED, OrderStatus.PENDING_CANCEL)


class Venue:
    """See the module. `assets` says what is restricted of a symbol; of most nothing is."""

    def __init__(
        self,
        symbols: Iterable[Symbol],
        *,
        random: Random,
        terms: VenueTerms | None = None,
        state: VenueState | None = None,
        assets: Mapping[Symbol, VenueAsset] | None = None,
    ) -> None:
        self.terms = terms or VenueTerms()
        self.state = state or VenueState()
        self.books: dict[Symbol, Book] = {symbol: Book() for symbol in symbols}
        self.assets = dict(assets or {})
        hours = AlwaysOpen() if self.terms.is_always_open else Hours()
        self._ledger = Ledger(self.state, random, hours)
        self._intake = Intake(self._ledger, self.books, self.assets)
        self._trading = Trading(self._ledger, self.books, self.terms)
        self._replacing = Replacing(self._ledger, self.books)
        self.back_office = BackOffice(self._ledger, self.books, self.terms)
        Groups(self._ledger)
        self._delays = Random(f"{self.terms.seed}/delays")
        # (when the clock does something to an order, its number, its id); what no longer holds is overlooked.
        self._due: list[tuple[int, int, str]] = []
        self._noted: dict[str, int] = {}
        for order in self.open_orders():
            self._note_due(order)

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

    def open_account(
        self,
        account_id: str,
        number: str,
        cash: Decimal,
        *,
        multiplier: int = 1,
        may_short: bool = True,
    ) -> VenueAccount:
        assert account_id not in self.state.accounts, "an account is opened once"
        assert multiplier in (1, 2, 4), "there are no other margins"
        account = VenueAccount(
            account_id=account_id,
            number=number,
            created_ns=self.now_ns,
            opening_cash=cash,
            cash=cash,
            last_equity=cash,
            multiplier=multiplier,
            is_shorting_allowed=may_short,
        )
        self.state.accounts[account_id] = account
        return account

    def account(self, account_id: str) -> VenueAccount:
        return self._ledger.account(account_id)

    def asset(self, symbol: Symbol) -> VenueAsset:
        return self.assets.get(symbol, ANY_ASSET)

    def equity(self, account: VenueAccount) -> Decimal:
        return account.cash + self.market_value(account)

    def market_value(self, account: VenueAccount) -> Decimal:
        """Shares at the last trade; at what they cost where none is known. Shares owed count against it."""
        worth = (
            position.quantity * margin.mark(self.books, symbol, position)
            for symbol, position in account.positions.items()
        )
        return sum(worth, ZERO)

    def buying_power(self, account: VenueAccount) -> Decimal:
        return max(margin.power(account, self.books), ZERO)

    # --- orders

    def submit(
        self, account_id: str, new: NewOrder, *, routed: bool = True
    ) -> Refusal | list[OrderEvent]:
        """Take the order or say why not; a refused order leaves no trace, its client order id stays unused.

        An order that is not `routed` stays pending_new, until the back office rejects it or its session ends.
        """
        draft = self._intake.judge(self.account(account_id), new)
        if isinstance(draft, Refusal):
            return draft
        order = self._identified(draft)
        waits = order.status is OrderStatus.ACCEPTED
        delay_ns = self.terms.arrival_delay_ns(self._delays) if routed and not waits else 0
        if delay_ns:
            order = replace(order, arrives_ns=self.now_ns + delay_ns)
        self._ledger.add(order, EventKind.ACCEPTED if waits else EventKind.PENDING_NEW)
        for leg in self._intake.legs_of(order, new):
            self._ledger.add(self._identified(leg, is_named=False), None)
        if routed and not waits and not delay_ns:
            self._arrive(order.order_id)
        if waits and order.time_in_force in AT_ONCE:
            self._ledger.cancel(order.order_id)
        return self._ledger.take_told()

    def replace(
        self, account_id: str, order_id: str, wish: Replacement
    ) -> Refusal | list[OrderEvent]:
        """Put a changed order in an order's place; it is the one among the events that `replaces` it."""
        old = self.order(account_id, order_id)
        if old is None:
            return order_not_found(order_id)
        draft = self._replacing.judge(self.account(account_id), old, wish)
        if isinstance(draft, Refusal):
            return draft
        new = replace(
            self._identified(draft), arrives_ns=self.now_ns + self.terms.replace_latency_ns
        )
        self._replacing.begin(old, new)
        if old.status is OrderStatus.HELD:
            self._replacing.arrive(new.order_id, status=OrderStatus.HELD)
        elif not self.terms.replace_latency_ns:
            self._arrive(new.order_id)
        return self._ledger.take_told()

    def cancel(
        self, account_id: str, order_id: str, *, at_once: bool = True
    ) -> Refusal | list[OrderEvent]:
        """Ask for an order's end; no events: there is nothing to do.

        The order may still trade until `cancel_latency_ns` has passed, and at least until the clock moves where the
        end is not to come `at_once`. One that is held is nowhere yet, and ends now.
        """
        order = self.order(account_id, order_id)
        if order is None:
            return order_not_found(order_id)
        if order.status in GONE:
            return []
        if not order.is_open:
            return unprocessable(f'order is already in "{order.status}" state')
        if order.replaces is not None and order.status is OrderStatus.PENDING_NEW:
            return unprocessable("order is not open yet: it waits to replace another")
        if order.status is OrderStatus.HELD:
            self._ledger.cancel(order_id)
            return self._ledger.take_told()
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

    def has_open(self, symbol: Symbol) -> bool:
        """Of any account."""
        return self._ledger.has_open(symbol)

    def legs(self, order_id: str) -> list[VenueOrder]:
        """The exits that came with an order."""
        return self._ledger.legs(order_id)

    def take_touched(self) -> list[VenueOrder]:
        """Orders that are new, or have changed, since this was last asked: what is to be kept of them."""
        return self._ledger.take_touched()

    def _identified(self, draft: VenueOrder, *, is_named: bool = True) -> VenueOrder:
        return replace(
            draft,
            number=len(self.state.orders) + 1,
            order_id=self._ledger.identifier(),
            client_order_id=(is_named and draft.client_order_id) or self._ledger.identifier(),
        )

    # --- time

    def advance(
        self, at_ns: int, bars: Sequence[Bar] = (), quotes: Sequence[Quote] = ()
    ) -> list[OrderEvent]:
        """Move on to `at_ns`: bars that have just ended first, they lie before it; then the clock; then quotes."""
        assert at_ns >= self.now_ns, "time does not go back"
        self.state.now_ns = at_ns
        quoted = self.terms.quoted.union(quote.symbol for quote in quotes) if bars else ()
        for bar in bars:
            is_quoted = self.books[bar.symbol].is_quoted or bar.symbol in quoted
            self._trading.take_bar(bar, is_quoted=is_quoted)
        self._pass_time()
        for quote in quotes:
            self.books[quote.symbol].take_quote(quote, self.terms.quote_participation)
            self._trading.take_quote(quote.symbol)
        return self._ledger.take_told()

    def open_bar(self, bar: Bar) -> list[OrderEvent]:
        """A bar begins, now or before: what waits for the next price trades at its open, where the terms say so."""
        assert self.terms.trades_at_open
        assert bar.start_ns <= self.now_ns
        self._trading.open_bar(bar)
        return self._ledger.take_told()

    def next_due_ns(self) -> int | None:
        """When the clock alone will do something to an order; it may turn out to be nothing. None: never."""
        for order_id in self._ledger.take_fresh():
            self._note_due(self.state.orders[order_id])
        return self._due[0][0] if self._due else None

    def end_session(self, session_date: str, end_ns: int) -> list[OrderEvent]:
        """Expire what was good until `end_ns`, charge the session's fees, forget the quotes."""
        for order in self.open_orders():
            if order.expires_ns <= end_ns:
                self._expire(order.order_id)
        for account in self.state.accounts.values():
            charge_day(self._ledger, account, self.books, self.terms, session_date)
            account.last_equity = self.equity(account)
            account.last_maintenance_margin = margin.worth(account, self.books).maintenance_margin
        for book in self.books.values():
            book.forget_quote()
        return self._ledger.take_told()

    def _pass_time(self) -> None:
        """What is due, in order of acceptance."""
        due: dict[str, int] = {}
        while (next_ns := self.next_due_ns()) is not None and next_ns <= self.now_ns:
            due_ns, number, order_id = heapq.heappop(self._due)
            due[order_id] = number
            if self._noted.get(order_id) == due_ns:
                del self._noted[order_id]
        for order_id in sorted(due, key=due.__getitem__):
            self._act_on(self.state.orders[order_id])

    def _act_on(self, order: VenueOrder) -> None:
        if not order.is_open:
            return
        if order.expires_ns <= self.now_ns:
            self._expire(order.order_id)
        elif order.status is OrderStatus.PENDING_CANCEL:
            self._cancel_due(order.order_id)
        elif order.status is OrderStatus.ACCEPTED:
            if works(order, self._ledger.hours.phase(self.now_ns)):
                self._ledger.change(order.order_id, EventKind.NEW, status=OrderStatus.NEW)
            else:
                self._note(order, self._ledger.hours.starts_ns(order, self.now_ns))
        elif order.status is OrderStatus.PENDING_NEW and order.arrives_ns is not None:
            self._arrive(order.order_id)

    def _note_due(self, order: VenueOrder) -> None:
        if order.is_open:
            self._note(order, self._due_ns(order))
        else:
            self._noted.pop(order.order_id, None)

    def _note(self, order: VenueOrder, due_ns: int) -> None:
        """Once, however often the order changes without that."""
        if self._noted.get(order.order_id) != due_ns:
            self._noted[order.order_id] = due_ns
            heapq.heappush(self._due, (due_ns, order.number, order.order_id))

    def _due_ns(self, order: VenueOrder) -> int:
        due_ns = order.expires_ns
        if order.status is OrderStatus.PENDING_CANCEL:
            due_ns = (order.cancel_requested_ns or 0) + self.terms.cancel_latency_ns
        elif order.status is OrderStatus.ACCEPTED:
            due_ns = self._ledger.hours.starts_ns(order, order.submitted_ns)
        elif order.status is OrderStatus.PENDING_NEW and order.arrives_ns is not None:
            due_ns = order.arrives_ns
        return min(due_ns, order.expires_ns)

    def _arrive(self, order_id: str) -> None:
        order = self.state.orders[order_id]
        if order.replaces is not None:
            if self._replacing.arrive(order_id):
                self._trading.arrive(order_id)
            return
        self._ledger.change(order_id, EventKind.NEW, status=OrderStatus.NEW)
        self._trading.arrive(order_id)

    def _expire(self, order_id: str) -> None:
        """Of old age an order is canceled; what was good for the day has expired."""
        self._trading.close_auction(self.state.orders[order_id])
        order = self.state.orders[order_id]
        if order.time_in_force is TimeInForce.GTC:
            self._ledger.cancel(order_id, "AGED_ORDER")
        elif order.is_open:
            self._ledger.change(
                order_id,
                EventKind.EXPIRED,
                status=OrderStatus.EXPIRED,
                expired_ns=self.now_ns,
            )

    def _cancel_due(self, order_id: str) -> None:
        requested_ns = self.state.orders[order_id].cancel_requested_ns
        assert requested_ns is not None, "asked for before"
        if requested_ns + self.terms.cancel_latency_ns <= self.now_ns:
            self._ledger.cancel(order_id)

"""Orders trade: against quotes as they come, against bars that have ended, in auctions; and stops are triggered.

Who may trade first: orders without a limit, then the best limit, then the oldest. An order for the opening auction
trades against the session's first quote or, where a bar comes no later, at its open, and ends with it; one for the
closing auction trades at the close of the session's last bar or, where none comes, against the last quote.
"""

from collections.abc import Iterable
from decimal import Decimal
from random import Random

from trader.model import Bar, Phase, Side, Symbol, TimeInForce
from trader.money import ONE, ZERO, price_of
from trader.venue.hours import works
from trader.venue.ledger import Ledger
from trader.venue.margin import power
from trader.venue.matching import (
    Book,
    auction_match,
    bar_match,
    is_triggered_by_bar,
    is_triggered_by_quote,
    may_concern,
    nano_shares,
    opening_match,
    quoted_match,
    takeable_volume,
    trailed,
    wanted,
)
from trader.venue.terms import VenueTerms
from trader.venue.words import EXECUTABLE, OrderType, VenueOrder

AT_ONCE = frozenset({TimeInForce.IOC, TimeInForce.FOK})


class Trading:
    """See the module."""

    def __init__(self, ledger: Ledger, books: dict[Symbol, Book], terms: VenueTerms) -> None:
        self._ledger = ledger
        self._hours = ledger.hours
        self._books = books
        self._terms = terms
        self._half_spread_rate = terms.spread_rate / 2
        self._random = Random(f"{terms.seed}/trading")

    # --- what brings trades about

    def arrive(self, order_id: str) -> None:
        """The order has reached the book."""
        order = self._ledger.state.orders[order_id]
        # The quote that stands is the one that it was decided on.
        if order.time_in_force is not TimeInForce.CLS and order.symbol not in self._terms.quoted:
            self._meet_quote(order)
        if order.time_in_force in AT_ONCE:
            self._ledger.cancel(order_id)

    def take_quote(self, symbol: Symbol) -> None:
        """The book has a new quote."""
        if not self._ledger.has_open(symbol):
            return
        at, book = self._hours.phase(self._now_ns), self._books[symbol]
        for order_id in self._by_priority(symbol, at, book):
            order = self._ledger.state.orders[order_id]
            # What the ones before it did may have ended it.
            if order.status in EXECUTABLE and order.time_in_force is not TimeInForce.CLS:
                self._meet_quote(order)
                is_held = book.far_side(order.side).price and not book.is_halted
                if order.time_in_force is TimeInForce.OPG and is_held:
                    self._ledger.cancel(order_id)

    def open_bar(self, bar: Bar) -> None:
        """Its open is the price that orders have waited for, where no quote is made of the bar before."""
        book = self._books[bar.symbol]
        book.last = price_of(bar.open)
        book.taken = ZERO
        whole = takeable_volume(bar, self._terms.bar_participation)
        if book.is_halted:
            return
        for order_id in self._by_priority(bar.symbol, self._hours.phase(bar.start_ns)):
            order = self._ledger.state.orders[order_id]
            quantity, price = opening_match(
                order, bar, whole - book.taken, half_spread_rate=self._half_spread_rate
            )
            if quantity and order.status in EXECUTABLE:
                self._execute(order, quantity, price)
                book.taken += quantity
            if order.time_in_force is TimeInForce.OPG:
                self._ledger.cancel(order_id)

    def take_bar(self, bar: Bar, *, is_quoted: bool) -> None:
        """`is_quoted`: the symbol has quotes, or one comes with the bar; else the bar makes one."""
        book = self._books[bar.symbol]
        volume_left = takeable_volume(bar, self._terms.bar_participation) - book.taken
        book.taken = ZERO
        if not book.is_halted and self._ledger.has_open(bar.symbol):
            order_ids = self._by_priority(bar.symbol, self._hours.phase(bar.start_ns))
            volume_left -= self._opening_auction(order_ids, bar, volume_left)
            for order_id in order_ids:
                volume_left -= self._meet_bar(order_id, bar, volume_left, is_quoted=is_quoted)
        book.last = price_of(bar.close)
        if self._hours.is_closing(bar.start_ns + bar.span_ns) and bar.volume:
            book.closed_ns = bar.start_ns + bar.span_ns
        if not is_quoted:
            book.make_quote(bar, volume_left, self._half_spread_rate)
            self.take_quote(bar.symbol)

    def _opening_auction(self, order_ids: list[str], bar: Bar, volume_left: Decimal) -> Decimal:
        """It comes before anything else of the bar: who is in it trades at its open, or ends; how much they took."""
        taken = ZERO
        for order_id in order_ids:
            order = self._ledger.state.orders[order_id]
            is_in_it = order.time_in_force is TimeInForce.OPG and order.status in EXECUTABLE
            if is_in_it and order.working_ns <= bar.start_ns:
                quantity, price = auction_match(order, bar.open, volume_left - taken)
                if quantity:
                    self._execute(order, quantity, price)
                    taken += quantity
                self._ledger.cancel(order_id)
        return taken

    def close_auction(self, order: VenueOrder) -> None:
        """Where no bar came with the close."""
        is_held = self._books[order.symbol].closed_ns == order.expires_ns
        if order.time_in_force is TimeInForce.CLS and order.status in EXECUTABLE and not is_held:
            self._meet_quote(order)

    # --- one order

    def _meet_quote(self, order: VenueOrder) -> None:
        book = self._books[order.symbol]
        if order.is_resting_stop:
            order = self._follow_quote(order, book)
        if self._terms.trades_at_open and not book.is_quoted:
            return
        quantity, price = quoted_match(order, book, self._terms)
        is_whole = quantity == wanted(order, price) if quantity else False
        if not quantity or (order.time_in_force is TimeInForce.FOK and not is_whole):
            return
        quantity = self._perhaps_a_part(order, quantity)
        book.far_side(order.side).quantity -= quantity
        self._execute(order, quantity, price)

    def _follow_quote(self, order: VenueOrder, book: Book) -> VenueOrder:
        if is_triggered_by_quote(order, book):
            return self._trigger(order)
        moved = trailed(order, book)
        if moved is not None:
            best, stop_price = moved
            return self._ledger.change(order.order_id, None, hwm=best, stop_price=stop_price)
        return order

    def _trigger(self, order: VenueOrder) -> VenueOrder:
        return self._ledger.change(order.order_id, None, is_triggered=True)

    def _meet_bar(
        self, order_id: str, bar: Bar, volume_left: Decimal, *, is_quoted: bool
    ) -> Decimal:
        """How much of the bar's volume it took."""
        order = self._ledger.state.orders[order_id]
        if order.status not in EXECUTABLE:
            return ZERO
        if order.is_resting_stop and is_triggered_by_bar(order, bar):
            order = self._trigger(order)
        if order.time_in_force is TimeInForce.CLS:
            is_closing = self._hours.is_closing(bar.start_ns + bar.span_ns)
            quantity, price = auction_match(order, bar.close, volume_left if is_closing else ZERO)
        elif order.symbol in self._terms.quoted:
            return ZERO
        else:
            quantity, price = bar_match(
                order,
                bar,
                volume_left,
                is_quoted=is_quoted or self._waits_for_open(order),
                half_spread_rate=self._half_spread_rate,
            )
        if not quantity:
            return ZERO
        self._execute(order, quantity, price)
        return quantity

    def _waits_for_open(self, order: VenueOrder) -> bool:
        return self._terms.trades_at_open and order.order_type is OrderType.MARKET

    def _perhaps_a_part(self, order: VenueOrder, quantity: Decimal) -> Decimal:
        """By chance less than there is, in whole shares; the rest trades with a later quote."""
        chance = self._terms.partial_probability
        if not chance or order.time_in_force is TimeInForce.FOK or quantity % 1 or quantity <= ONE:
            return quantity
        if self._random.random() >= chance:
            return quantity
        return Decimal(self._random.randrange(1, int(quantity)))

    def _execute(self, order: VenueOrder, quantity: Decimal, price: Decimal) -> None:
        traded = self._affordable(order, quantity, price)
        if traded:
            left = None
            if order.notional is not None:
                left = wanted(order, price) - traded
            fee = self._terms.fee(order.side, traded, price)
            self._ledger.fill(order.order_id, traded, price, fee, left=left)
        account = self._ledger.account(order.account_id)
        is_overdrawn = account.margin == 1 and order.side is Side.BUY and account.free < ZERO
        if traded < quantity or is_overdrawn:
            # Only an order without a limit can get here: the market ran away from what is held for it.
            self._ledger.cancel(order.order_id)

    def _affordable(self, order: VenueOrder, quantity: Decimal, price: Decimal) -> Decimal:
        """What the account can pay; what was held for it is its own, whatever the marks say now."""
        account = self._ledger.account(order.account_id)
        if order.side is Side.SELL or (account.margin > 1 and price <= order.reserve_price):
            return quantity
        spendable = max(power(account, self._books) + order.reserved, ZERO)
        if not order.is_opening or quantity * price <= spendable:
            return quantity
        if quantity % 1:
            return min(quantity, nano_shares(spendable, price))
        return min(quantity, spendable // price)

    # --- who is first

    @property
    def _now_ns(self) -> int:
        return self._ledger.state.now_ns

    def _by_priority(self, symbol: Symbol, at: Phase, book: Book | None = None) -> list[str]:
        """With a book, only those to which its quote may mean something."""
        executable: Iterable[VenueOrder] = (
            order
            for order in self._ledger.open_orders(symbol)
            if order.status in EXECUTABLE
            and (book is None or may_concern(order, book))
            and works(order, at)
        )
        return [order.order_id for order in sorted(executable, key=_priority)]


def _priority(order: VenueOrder) -> tuple[bool, Decimal, int]:
    worst = order.worst_price
    if worst is None or order.order_type is OrderType.STOP:
        return (False, ZERO, order.number)
    return (True, -worst if order.side is Side.BUY else worst, order.number)

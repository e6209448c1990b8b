"""The venue's own books: an account's cash, positions, and what open orders hold of both.

They are kept apart from positions.py and accounting.py on purpose: two ledgers that share no code can check each
other.
"""

from decimal import Decimal

from msgspec import Struct
from msgspec.structs import replace

from trader.model import Side, Symbol
from trader.money import ONE, ZERO, ratio, rounded, rounded_down, share
from trader.venue.words import VenueExecution, VenueOrder


class VenuePosition(Struct, kw_only=True):
    """Shares held, never negative, and what they cost in dollars."""

    quantity: Decimal = ZERO
    cost: Decimal = ZERO

    @property
    def avg_entry_price(self) -> Decimal:
        return ratio(self.cost, self.quantity) if self.quantity else ZERO


class VenueAccount(Struct, kw_only=True):
    """A cash account: multiplier 1, no short sales.

    `cash` excludes what is accrued in fees until the session's end; `reserved` and `held` are running totals over the
    open orders, kept by `hold` and `release`.
    """

    account_id: str
    number: str
    created_ns: int
    opening_cash: Decimal
    cash: Decimal
    last_equity: Decimal
    accrued_fees: Decimal = ZERO
    reserved: Decimal = ZERO
    positions: dict[Symbol, VenuePosition] = {}
    held: dict[Symbol, Decimal] = {}

    def copy(self) -> "VenueAccount":
        """As it stands, whatever happens to this one."""
        positions = {symbol: replace(held) for symbol, held in self.positions.items()}
        return replace(self, positions=positions, held=dict(self.held))

    @property
    def free(self) -> Decimal:
        """Cash that nothing has a claim on; a fee above a penny sale's proceeds can take it below zero."""
        return self.cash - self.accrued_fees - self.reserved

    @property
    def buying_power(self) -> Decimal:
        return max(self.free, ZERO)

    def quantity(self, symbol: Symbol) -> Decimal:
        position = self.positions.get(symbol)
        return position.quantity if position else ZERO

    def held_for_orders(self, symbol: Symbol) -> Decimal:
        return self.held.get(symbol, ZERO)

    def available(self, symbol: Symbol) -> Decimal:
        """What may still be sold."""
        return self.quantity(symbol) - self.held_for_orders(symbol)

    def hold(self, order: VenueOrder) -> None:
        """Set aside what the order may still need: cash for a buy, shares for a sell."""
        self._adjust(order, 1)

    def release(self, order: VenueOrder) -> None:
        """Undo hold() of the very same order value."""
        self._adjust(order, -1)

    def _adjust(self, order: VenueOrder, sign: int) -> None:
        if order.side is Side.BUY:
            self.reserved += sign * order.reserved
            return
        held = self.held_for_orders(order.symbol) + sign * order.quantity_leaves
        if held:
            self.held[order.symbol] = held
        else:
            self.held.pop(order.symbol, None)

    def book(self, execution: VenueExecution) -> None:
        """Cash and shares change hands."""
        notional = execution.quantity * execution.price
        if execution.side is Side.BUY:
            self.cash -= notional
            self.put_in(execution.symbol, execution.quantity, execution.price)
        else:
            self.cash += notional
            self._take_out(execution.symbol, execution.quantity)
        self.accrued_fees += execution.fee

    def unbook(self, execution: VenueExecution) -> None:
        """Undo a trade: bought shares leave at the position's average cost, sold ones come back at the sale's price."""
        notional = execution.quantity * execution.price
        if execution.side is Side.BUY:
            self.cash += notional
            self._take_out(execution.symbol, execution.quantity)
        else:
            self.cash -= notional
            self.put_in(execution.symbol, execution.quantity, execution.price)
        self.accrued_fees -= execution.fee

    def reprice(self, execution: VenueExecution, price: Decimal, fee: Decimal) -> None:
        """The trade was at another price; the fee is the one for that."""
        difference = execution.quantity * (price - execution.price)
        if execution.side is Side.SELL:
            self.cash += difference
        else:
            self.cash -= difference
            if execution.symbol in self.positions:
                self.positions[execution.symbol].cost += difference
        self.accrued_fees += fee - execution.fee

    def put_in(self, symbol: Symbol, quantity: Decimal, price: Decimal) -> None:
        """Shares, at what they cost."""
        position = self.positions.setdefault(symbol, VenuePosition())
        position.quantity += quantity
        position.cost += quantity * price

    def split(self, symbol: Symbol, factor: Decimal) -> tuple[Decimal, Decimal]:
        """`factor` new shares for each old one; gives (whole shares more or less, cash for the fraction of one).

        The fraction is paid at its cost: there is no profit in a split.
        """
        position = self.positions[symbol]
        assert not self.held_for_orders(symbol), "orders of the symbol are canceled first"
        exact = position.quantity * factor
        whole = rounded_down(exact, ONE)
        change, cash = (
            whole - position.quantity,
            rounded(share(position.cost, exact - whole, exact)),
        )
        position.quantity, position.cost = whole, position.cost - cash
        self.cash += cash
        if not whole:
            del self.positions[symbol]
        return change, cash

    def _take_out(self, symbol: Symbol, quantity: Decimal) -> None:
        position = self.positions[symbol]
        assert quantity <= position.quantity, "nobody is short"
        position.cost -= share(position.cost, quantity, position.quantity)
        position.quantity -= quantity
        if not position.quantity:
            del self.positions[symbol]

    def charge_fees(self) -> Decimal:
        """Pay what is accrued; returns it. Negative: a busted sale's fee is paid back."""
        amount, self.accrued_fees = self.accrued_fees, ZERO
        self.cash -= amount
        return amount

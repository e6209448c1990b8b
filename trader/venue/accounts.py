"""The venue's own books: an account's cash, positions, and what open orders hold of both.

They are kept apart from positions.py and accounting.py on purpose: two ledgers that share no code can check each
other.
"""

from decimal import Decimal

from msgspec import Struct

from trader.model import Side, Symbol
from trader.money import ZERO, ratio, share
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
        position = self.positions.setdefault(execution.symbol, VenuePosition())
        if execution.side is Side.BUY:
            self.cash -= notional
            position.quantity += execution.quantity
            position.cost += notional
        else:
            assert execution.quantity <= position.quantity, "sells are covered by held shares"
            self.cash += notional
            position.cost -= share(position.cost, execution.quantity, position.quantity)
            position.quantity -= execution.quantity
        self.accrued_fees += execution.fee
        if not position.quantity:
            del self.positions[execution.symbol]

    def charge_fees(self) -> Decimal:
        """Pay what is accrued; returns it."""
        amount, self.accrued_fees = self.accrued_fees, ZERO
        self.cash -= amount
        return amount

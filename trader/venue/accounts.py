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
    """Shares held and what they cost in dollars; both are negative where shares are owed: a short position."""

    quantity: Decimal = ZERO
    cost: Decimal = ZERO

    @property
    def avg_entry_price(self) -> Decimal:
        return ratio(self.cost, self.quantity) if self.quantity else ZERO


class Configuration(Struct, frozen=True, kw_only=True):
    """What the account's owner may set (PATCH /v2/account/configurations)."""

    dtbp_check: str = "entry"
    fractional_trading: bool = True
    max_margin_multiplier: int = 4
    no_shorting: bool = False
    pdt_check: str = "entry"
    ptp_no_exception_entry: bool = False
    suspend_trade: bool = False
    trade_confirm_email: str = "none"
    disable_overnight_trading: bool = False


class VenueAccount(Struct, kw_only=True):
    """`multiplier` 1 is a cash account; 2 and 4 are margin accounts, which may sell short.

    `cash` excludes what is accrued in fees until the session's end; `reserved` and `held` are running totals over the
    open orders, kept by `hold` and `release`. The flags outside of `configuration` are the venue's to set, not the
    owner's.
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
    multiplier: int = 1
    is_shorting_allowed: bool = True
    last_maintenance_margin: Decimal = ZERO
    configuration: Configuration = Configuration()
    trading_blocked: bool = False
    account_blocked: bool = False
    is_restricted_to_liquidation: bool = False

    @property
    def margin(self) -> int:
        """How many dollars of positions each dollar of equity may carry."""
        return min(self.multiplier, self.configuration.max_margin_multiplier)

    @property
    def may_short(self) -> bool:
        is_wanted = not self.configuration.no_shorting
        return self.margin > 1 and self.is_shorting_allowed and is_wanted

    def copy(self) -> "VenueAccount":
        """As it stands, whatever happens to this one."""
        positions = {symbol: replace(held) for symbol, held in self.positions.items()}
        return replace(self, positions=positions, held=dict(self.held))

    @property
    def free(self) -> Decimal:
        """Cash that nothing has a claim on; a fee above a penny sale's proceeds can take it below zero."""
        return self.cash - self.accrued_fees - self.reserved

    def quantity(self, symbol: Symbol) -> Decimal:
        """Negative: short."""
        position = self.positions.get(symbol)
        return position.quantity if position else ZERO

    def held_for_orders(self, symbol: Symbol) -> Decimal:
        """Shares, of a long or a short position, that open orders are to take out of it."""
        return self.held.get(symbol, ZERO)

    def available(self, symbol: Symbol) -> Decimal:
        """What may still be sold of a long position, or bought back of a short one."""
        return max(abs(self.quantity(symbol)) - self.held_for_orders(symbol), ZERO)

    def reduces(self, symbol: Symbol, side: Side) -> bool:
        """Whether an order of that side takes shares out of a position."""
        quantity = self.quantity(symbol)
        return quantity > ZERO if side is Side.SELL else quantity < ZERO

    def hold(self, order: VenueOrder) -> None:
        """Set aside what the order may still need: buying power to open, shares to close."""
        self._adjust(order, 1)

    def release(self, order: VenueOrder) -> None:
        """Undo hold() of the very same order value."""
        self._adjust(order, -1)

    def _adjust(self, order: VenueOrder, sign: int) -> None:
        if order.is_opening:
            self.reserved += sign * order.reserved
            return
        shares = order.shares_held
        if shares:
            held = self.held_for_orders(order.symbol) + sign * shares
            if held:
                self.held[order.symbol] = held
            else:
                self.held.pop(order.symbol, None)

    def book(self, execution: VenueExecution) -> None:
        """Cash and shares change hands."""
        self._trade(execution, 1)
        self.accrued_fees += execution.fee

    def unbook(self, execution: VenueExecution) -> None:
        """Undo a trade: bought shares leave at the position's average cost, sold ones come back at the sale's price."""
        self._trade(execution, -1)
        self.accrued_fees -= execution.fee

    def _trade(self, execution: VenueExecution, sign: int) -> None:
        bought = sign * (execution.quantity if execution.side is Side.BUY else -execution.quantity)
        self.cash -= bought * execution.price
        self.put_in(execution.symbol, bought, execution.price)

    def reprice(self, execution: VenueExecution, price: Decimal, fee: Decimal) -> None:
        """The trade was at another price; the fee is the one for that."""
        bought = execution.quantity if execution.side is Side.BUY else -execution.quantity
        difference = bought * (price - execution.price)
        self.cash -= difference
        position = self.positions.get(execution.symbol)
        if position is not None and position.quantity * bought > ZERO:
            position.cost += difference
        self.accrued_fees += fee - execution.fee

    def put_in(self, symbol: Symbol, quantity: Decimal, price: Decimal) -> None:
        """Shares come at a price or, where the quantity is negative, go: first out of the position, at its average."""
        position = self.positions.setdefault(symbol, VenuePosition())
        if position.quantity * quantity < ZERO:
            gone = quantity if abs(quantity) < abs(position.quantity) else -position.quantity
            is_all = gone == -position.quantity
            position.cost += (
                -position.cost if is_all else share(position.cost, gone, position.quantity)
            )
            position.quantity += gone
            quantity -= gone
        position.quantity += quantity
        position.cost += quantity * price
        if not position.quantity:
            del self.positions[symbol]

    def split(self, symbol: Symbol, factor: Decimal) -> tuple[Decimal, Decimal]:
        """`factor` new shares for each old one; gives (whole shares more or less, cash for the fraction of one).

        The fraction is paid at its cost: there is no profit in a split. Of a short position it is paid by the account.
        """
        position = self.positions[symbol]
        assert not self.held_for_orders(symbol), "orders of the symbol are canceled first"
        exact = position.quantity * factor
        whole = rounded_down(abs(exact), ONE) * (1 if exact > ZERO else -1)
        change, cash = (
            whole - position.quantity,
            rounded(share(position.cost, exact - whole, exact)),
        )
        position.quantity, position.cost = whole, position.cost - cash
        self.cash += cash
        if not whole:
            del self.positions[symbol]
        return change, cash

    def charge_fees(self) -> Decimal:
        """Pay what is accrued; returns it. Negative: a busted sale's fee is paid back."""
        amount, self.accrued_fees = self.accrued_fees, ZERO
        self.cash -= amount
        return amount

"""What an account is worth and what it may still open: equity, margins and buying power, at the books' marks.

An account of multiplier 1 has its free cash. One of 2 or 4 may carry so many dollars of positions, long and short
together, for each dollar of equity: what it may open is that less what it carries less what open orders hold.
"""

from collections.abc import Mapping
from decimal import Decimal

from msgspec import Struct

from trader.model import Symbol
from trader.money import ZERO
from trader.venue.accounts import VenueAccount, VenuePosition
from trader.venue.matching import Book

INITIAL_RATE = Decimal("0.5")
MAINTENANCE_RATE = Decimal("0.3")
Books = Mapping[Symbol, Book]


class Worth(Struct, frozen=True, kw_only=True):
    """Dollars. `short` is negative, or zero; `power` is what may still be opened, negative where too much is."""

    cash: Decimal
    long: Decimal
    short: Decimal
    power: Decimal
    power_overnight: Decimal
    power_cash: Decimal
    initial_margin: Decimal
    maintenance_margin: Decimal

    @property
    def equity(self) -> Decimal:
        return self.cash + self.long + self.short


def worth(account: VenueAccount, books: Books) -> Worth:
    long = short = ZERO
    for symbol, position in account.positions.items():
        value = position.quantity * mark(books, symbol, position)
        if value < ZERO:
            short += value
        else:
            long += value
    gross, is_cash = long - short, account.margin == 1
    equity = account.cash - account.accrued_fees + long + short
    carried = gross + account.reserved
    return Worth(
        cash=account.cash,
        long=long,
        short=short,
        power=account.free if is_cash else account.margin * equity - carried,
        power_overnight=account.free if is_cash else 2 * equity - carried,
        # What a short sale brought is not to be spent.
        power_cash=account.free + 2 * short,
        initial_margin=gross if is_cash else gross * INITIAL_RATE,
        maintenance_margin=gross if is_cash else gross * MAINTENANCE_RATE,
    )


def power(account: VenueAccount, books: Books) -> Decimal:
    """What may still be opened; negative where more is open than the marks allow."""
    return account.free if account.margin == 1 else worth(account, books).power


def mark(books: Books, symbol: Symbol, position: VenuePosition) -> Decimal:
    """A share at the last trade; at what it cost where none is known."""
    return books[symbol].mark() or position.avg_entry_price

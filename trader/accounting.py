"""A fill as a balanced double entry: cash, what is reserved of it, positions at cost, fees and realized profit.

Amounts are dollars where the instrument is USD, shares where it is a symbol. Assets and expenses grow with positive
postings, income and equity with negative ones, so the postings of one event sum to zero in every instrument.
`market:SYMBOL` is where shares come from and go to.
"""

from collections.abc import Sequence
from decimal import Decimal

from msgspec import Struct
from msgspec.structs import replace

from trader.config import Fees
from trader.messages import BooksMoved, Event, ExecutionBooked, OpeningBooked, RequestAccepted
from trader.model import Side
from trader.money import ZERO, plain, rounded_up

USD = "USD"


class Books(Struct, frozen=True, kw_only=True):
    """The account's money: cash includes what is reserved for open buys; realized is net of fees.

    bought and sold are the sums of our executions' notional, other all cash that moved without one (dividends,
    deposits, busts, adjustments): cash = opening - bought + sold - fees + other. deposits are what the account's owner
    brought or took since, in shares too: cash + cost of what is held = opening + deposits + realized.
    """

    opening: Decimal = ZERO
    deposits: Decimal = ZERO
    other: Decimal = ZERO
    cash: Decimal = ZERO
    reserved: Decimal = ZERO
    bought: Decimal = ZERO
    sold: Decimal = ZERO
    fees: Decimal = ZERO
    realized: Decimal = ZERO

    @property
    def cash_free(self) -> Decimal:
        """What a new entry may count on."""
        return self.cash - self.reserved


class Posting(Struct, frozen=True, kw_only=True):
    """One leg of a transaction."""

    account: str
    instrument: str
    amount: Decimal


def fee_of(side: Side, quantity: Decimal, notional: Decimal, fees: Fees) -> Decimal:
    """The regulatory fees of one execution, rounded up to the cent: sales only.

    Source: SEC section 31 (a rate on the notional) and FINRA's trading activity fee (a rate on the shares, capped);
    the rates are configuration because they change every year.
    """
    if side is Side.BUY:
        return ZERO
    by_shares = min(quantity * fees.sell_share_rate, fees.sell_share_cap)
    return rounded_up(notional * fees.sell_notional_rate + by_shares)


def opened(books: Books, cash: Decimal) -> Books:
    """The books with the cash that the account held before our first order."""
    return replace(books, opening=plain(books.opening + cash), cash=plain(books.cash + cash))


def reserved(books: Books, change: Decimal) -> Books:
    """More (or, negative, less) of the cash held back for open buys."""
    return replace(books, reserved=plain(books.reserved + change)) if change else books


def booked(books: Books, event: ExecutionBooked) -> Books:
    """The books after a fill: money moved, its part of the reserve released."""
    is_buy = event.side is Side.BUY
    flow = -event.notional if is_buy else event.notional
    return replace(
        books,
        cash=plain(books.cash + flow - event.fees),
        reserved=plain(books.reserved - event.released),
        bought=plain(books.bought + event.notional) if is_buy else books.bought,
        sold=books.sold if is_buy else plain(books.sold + event.notional),
        fees=plain(books.fees + event.fees),
        realized=plain(books.realized + event.realized),
    )


def moved(books: Books, event: BooksMoved) -> Books:
    """The books after something that was no execution of ours."""
    assert event.cash + event.cost == event.deposit + event.realized, "every movement balances"
    return replace(
        books,
        cash=plain(books.cash + event.cash),
        other=plain(books.other + event.cash + event.fees),
        deposits=plain(books.deposits + event.deposit),
        fees=plain(books.fees + event.fees),
        realized=plain(books.realized + event.realized),
    )


def cash_explained(books: Books) -> Decimal:
    """The cash that follows from everything that moved it; any difference to books.cash is a bug."""
    return plain(books.opening - books.bought + books.sold - books.fees + books.other)


def brought_by(event: ExecutionBooked | BooksMoved) -> Decimal:
    """Shares that came, or, negative, went."""
    if isinstance(event, BooksMoved):
        return event.quantity
    return event.execution.quantity if event.side is Side.BUY else -event.execution.quantity


def postings_of(event: Event) -> Sequence[Posting]:
    """What an event moves between accounts; nothing for one that moves no money and no shares.

    Releasing the rest of a reserve when an order ends is not here: it follows from the order's own row.
    """
    match event:
        case OpeningBooked():
            return _transfer("equity:opening", "cash", USD, event.cash)
        case RequestAccepted() if event.order.reserved:
            return _transfer("cash", "cash:reserved", USD, event.order.reserved)
        case ExecutionBooked():
            return _fill_postings(event)
        case BooksMoved():
            return _movement_postings(event)
        case _:
            return ()


def release_postings(amount: Decimal) -> Sequence[Posting]:
    """What is left of a final order's reserve goes back to free cash."""
    return _transfer("cash:reserved", "cash", USD, amount) if amount else ()


def _transfer(source: str, target: str, instrument: str, amount: Decimal) -> tuple[Posting, ...]:
    return (
        Posting(account=source, instrument=instrument, amount=plain(-amount)),
        Posting(account=target, instrument=instrument, amount=plain(amount)),
    )


def _movement_postings(event: BooksMoved) -> tuple[Posting, ...]:
    legs = [
        ("cash", USD, event.cash),
        (f"position:{event.symbol}", USD, event.cost),
        ("fees", USD, event.fees),
        ("equity:deposits", USD, -event.deposit),
        ("realized", USD, -(event.realized + event.fees)),
        (f"position:{event.symbol}", event.symbol or USD, event.quantity),
        (f"market:{event.symbol}", event.symbol or USD, -event.quantity),
    ]
    return tuple(
        Posting(account=account, instrument=instrument, amount=plain(amount))
        for account, instrument, amount in legs
        if amount
    )


def _fill_postings(event: ExecutionBooked) -> tuple[Posting, ...]:
    is_buy = event.side is Side.BUY
    shares = event.execution.quantity if is_buy else -event.execution.quantity
    flow = -event.notional if is_buy else event.notional
    legs = [
        ("cash", USD, flow - event.fees),
        (f"position:{event.symbol}", USD, event.cost),
        ("fees", USD, event.fees),
        # Realized is net of fees; the fees have an account of their own.
        ("realized", USD, -(event.realized + event.fees)),
        (f"position:{event.symbol}", event.symbol, shares),
        (f"market:{event.symbol}", event.symbol, -shares),
        ("cash:reserved", USD, -event.released),
        ("cash", USD, event.released),
    ]
    return tuple(
        Posting(account=account, instrument=instrument, amount=plain(amount))
        for account, instrument, amount in legs
        if amount
    )

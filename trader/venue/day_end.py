"""What the venue charges when a session ends: fees accrued, interest on cash owed, the loan of shares sold short."""

from decimal import Decimal

from trader.money import ZERO, rounded_up, share
from trader.venue.accounts import VenueAccount
from trader.venue.ledger import Ledger
from trader.venue.margin import Books, mark
from trader.venue.terms import VenueTerms
from trader.venue.words import Activity, ActivityKind

DAYS_OF_A_YEAR = Decimal(360)


def charge_day(
    ledger: Ledger, account: VenueAccount, books: Books, terms: VenueTerms, session_date: str
) -> None:
    """Each kind in one amount; what is nothing is not written down. A cash account borrows nothing."""
    fees = account.charge_fees()
    _note(ledger, account, ActivityKind.FEE, fees, session_date, "Regulatory fees on sales of")
    if account.margin == 1:
        return
    debt = -account.cash if account.cash < ZERO else ZERO
    owed = rounded_up(share(debt, terms.margin_rate, DAYS_OF_A_YEAR))
    account.cash -= owed
    _note(ledger, account, ActivityKind.INTEREST, owed, session_date, "Margin interest of")
    short = sum(
        (
            -position.quantity * mark(books, symbol, position)
            for symbol, position in account.positions.items()
            if position.quantity < ZERO
        ),
        ZERO,
    )
    lent = rounded_up(share(short, terms.borrow_rate, DAYS_OF_A_YEAR))
    account.cash -= lent
    _note(ledger, account, ActivityKind.FEE, lent, session_date, "Loan of shares sold short,")


def _note(
    ledger: Ledger,
    account: VenueAccount,
    kind: ActivityKind,
    amount: Decimal,
    session_date: str,
    words: str,
) -> None:
    if not amount:
        return
    ledger.note(
        Activity(
            activity_id=ledger.identifier(),
            account_id=account.account_id,
            kind=kind,
            date=session_date,
            at_ns=ledger.state.now_ns,
            net_amount=-amount,
            description=f"{words} {session_date}",
        )
    )

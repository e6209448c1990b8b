"""The stored postings added up beside the fold: at each row of the journal, both must say the same of the books.

The fold takes what the events say; the postings are its double entry as it stands in the table. They are summed here
apart from everything else, so that a prefix of the journal is proved by two ways to the same books.
"""

import sqlite3
from collections.abc import Callable, Iterator
from decimal import Decimal
from operator import attrgetter
from typing import Any

from trader.accounting import USD, Books
from trader.journal.chain import Link
from trader.model import Symbol
from trader.money import ZERO, plain
from trader.state import ExecutionState

POSITION, MARKET = "position:", "market:"
ROWS_AT_ONCE = 2_000
Account = tuple[str, str]  # name and instrument


class Sums:
    """A Watch: told each entry, it takes the postings of that row."""

    def __init__(self, reader: sqlite3.Connection, every: int) -> None:
        self.every = every
        self.transactions = 0
        self.postings = 0
        self.prefixes = 0
        self.unbalanced = ""  # the first transaction that doesn't add up to nothing
        self.differing = ""  # the first prefix whose sums aren't the fold's
        self._sums: dict[Account, Decimal] = dict.fromkeys(OF_THE_BOOKS, ZERO)
        self._touched: set[Account] = set()
        self._books: Books | None = None  # as they were at the last prefix
        self._rows = _rows(
            reader,
            "SELECT sequence, account, instrument, amount FROM posting_rows ORDER BY sequence, line",
        )
        self._next = next(self._rows, None)
        self._equity_rows = _rows(
            reader, "SELECT sequence, equity, cash FROM equity_rows ORDER BY sequence, line"
        )
        self._next_equity = next(self._equity_rows, None)

    def __call__(self, before: ExecutionState, link: Link, after: ExecutionState) -> None:
        sequence = after.sequence
        if self._next is not None and self._next[0] <= sequence:
            self._take(sequence)
        equity = None
        if self._next_equity is not None and self._next_equity[0] <= sequence:
            equity = self._equity(sequence)
        if sequence % self.every:
            return
        self.prefixes += 1
        if self.differing:
            return
        touched, books = self._touched, after.books
        if touched or books is not self._books:
            self._hold_books(after, sequence)
            for account in touched - OF_THE_BOOKS.keys():
                self._hold(account, after, sequence)
            touched.clear()
            self._books = books
        if equity is not None and equity != (after.equity, books.cash):
            self.differing = (
                f"row {sequence}: the history's equity {equity[0]} and cash {equity[1]}, "
                f"the fold's {plain(after.equity)} and {books.cash}"
            )

    def end(self, state: ExecutionState) -> None:
        """After the last row: every account there is, on either side."""
        accounts = set(self._sums)
        for symbol in state.positions:
            accounts |= {(f"{POSITION}{symbol}", USD), (f"{POSITION}{symbol}", symbol)}
        for account in sorted(accounts, key=str):
            self._hold(account, state, state.sequence)

    def _take(self, sequence: int) -> None:
        """The transaction of this row: what it moves sums to nothing, in each currency and instrument."""
        totals: dict[str, Decimal] = {}
        sums, rows, following = self._sums, self._rows, self._next
        while following is not None and following[0] <= sequence:
            _, name, instrument, text = following
            amount, account = _amount(text), (name, instrument)
            totals[instrument] = totals.get(instrument, ZERO) + amount
            sums[account] = sums.get(account, ZERO) + amount
            self._touched.add(account)
            self.postings += 1
            following = next(rows, None)
        self._next = following
        self.transactions += 1
        for instrument, total in totals.items():
            if total and not self.unbalanced:
                self.unbalanced = f"row {sequence}: its postings of {instrument} sum to {total}"

    def _equity(self, sequence: int) -> tuple[Decimal, Decimal]:
        """The last that the history says of this row."""
        found = self._next_equity
        while self._next_equity is not None and self._next_equity[0] <= sequence:
            found = self._next_equity
            self._next_equity = next(self._equity_rows, None)
        assert found is not None, "asked only where there is one"
        return _amount(found[1]), _amount(found[2])

    def _hold_books(self, state: ExecutionState, sequence: int) -> None:
        """All accounts of the books at once, which is what nearly every row moves."""
        sums = self._sums
        summed = [sums[account] for account in OF_THE_BOOKS]
        if summed != [folded(state.books) for folded in OF_THE_BOOKS.values()]:
            for account in OF_THE_BOOKS:
                self._hold(account, state, sequence)

    def _hold(self, account: Account, state: ExecutionState, sequence: int) -> None:
        summed, folded = self._sums.get(account, ZERO), folded_of(account, state)
        if summed != folded and not self.differing:
            name = account[0] if account[1] == USD else f"{account[0]} in {account[1]}"
            self.differing = (
                f"row {sequence}: the postings of {name} sum to {summed}, the fold has {folded}"
            )


def _rows(reader: sqlite3.Connection, question: str) -> Iterator[tuple[Any, ...]]:
    cursor = reader.execute(question)
    while some := cursor.fetchmany(ROWS_AT_ONCE):
        yield from some


def _amount(text: str) -> Decimal:
    """What is stored; where bytes were changed it may be no number, and then it equals nothing."""
    try:
        return Decimal(text)
    except (ArithmeticError, TypeError, ValueError):
        return Decimal("NaN")


OF_THE_BOOKS: dict[Account, Callable[[Books], Decimal]] = {
    ("cash", USD): attrgetter("cash_free"),
    ("cash:reserved", USD): attrgetter("reserved"),
    ("fees", USD): attrgetter("fees"),
    ("realized", USD): lambda books: -(books.realized + books.fees),
    ("equity:opening", USD): lambda books: -books.opening,
    ("equity:deposits", USD): lambda books: -books.deposits,
}


def folded_of(account: Account, state: ExecutionState) -> Decimal | None:
    """What the fold has of an account of the double entry; None where there is no such account."""
    if account in OF_THE_BOOKS:
        return OF_THE_BOOKS[account](state.books)
    name, instrument = account
    if name.startswith(POSITION):
        position = state.position(Symbol(name.removeprefix(POSITION)))
        return position.cost if instrument == USD else position.quantity
    if name.startswith(MARKET):
        return -state.brought.get(Symbol(instrument), ZERO)
    return None

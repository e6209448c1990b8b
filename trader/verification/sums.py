"""The stored postings added up beside the fold: at each row of the journal, both must say the same of the books.

The fold takes what the events say; the postings are its double entry as it stands in the table. They are summed here
apart from everything else, so that a prefix of the journal is proved by two ways to the same books.
"""

import sqlite3
from collections.abc import Iterator
from decimal import Decimal

from trader.accounting import USD
from trader.journal.chain import Link
from trader.model import Symbol
from trader.money import ZERO, plain
from trader.state import ExecutionState

POSITION, MARKET = "position:", "market:"
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
        self._sums: dict[Account, Decimal] = {}
        self._touched: set[Account] = set()
        question = (
            "SELECT sequence, account, instrument, amount FROM posting_rows ORDER BY sequence, line"
        )
        self._rows: Iterator[tuple[int, str, str, str]] = iter(reader.execute(question))
        self._next = next(self._rows, None)
        equity = "SELECT sequence, equity, cash FROM equity_rows ORDER BY sequence, line"
        self._equity_rows: Iterator[tuple[int, str, str]] = iter(reader.execute(equity))
        self._next_equity = next(self._equity_rows, None)

    def __call__(self, before: ExecutionState, link: Link, after: ExecutionState) -> None:
        sequence = link.entry.sequence
        if self._next is not None and self._next[0] <= sequence:
            self._take(sequence)
        equity = self._equity(sequence)
        if sequence % self.every:
            return
        self.prefixes += 1
        if self.differing:
            return
        for account in self._touched:
            self._hold(account, after, sequence)
        self._touched.clear()
        if before.books is not after.books:
            for name in OF_THE_BOOKS:
                self._hold((name, USD), after, sequence)
        if equity is not None and equity != (after.equity, after.books.cash):
            self.differing = (
                f"row {sequence}: the history's equity {equity[0]} and cash {equity[1]}, "
                f"the fold's {plain(after.equity)} and {after.books.cash}"
            )

    def end(self, state: ExecutionState) -> None:
        """After the last row: every account there is, on either side."""
        accounts = {(name, USD) for name in OF_THE_BOOKS} | set(self._sums)
        for symbol in state.positions:
            accounts |= {(f"{POSITION}{symbol}", USD), (f"{POSITION}{symbol}", symbol)}
        for account in sorted(accounts, key=str):
            self._hold(account, state, state.sequence)

    def _take(self, sequence: int) -> None:
        """The transaction of this row: what it moves sums to nothing, in each currency and instrument."""
        totals: dict[str, Decimal] = {}
        while self._next is not None and self._next[0] <= sequence:
            _, name, instrument, text = self._next
            amount, account = _amount(text), (name, instrument)
            totals[instrument] = totals.get(instrument, ZERO) + amount
            self._sums[account] = self._sums.get(account, ZERO) + amount
            self._touched.add(account)
            self.postings += 1
            self._next = next(self._rows, None)
        self.transactions += 1
        for instrument, total in totals.items():
            if total and not self.unbalanced:
                self.unbalanced = f"row {sequence}: its postings of {instrument} sum to {total}"

    def _equity(self, sequence: int) -> tuple[Decimal, Decimal] | None:
        """The last that the history says of this row."""
        found = None
        while self._next_equity is not None and self._next_equity[0] <= sequence:
            found = self._next_equity
            self._next_equity = next(self._equity_rows, None)
        return None if found is None else (_amount(found[1]), _amount(found[2]))

    def _hold(self, account: Account, state: ExecutionState, sequence: int) -> None:
        summed, folded = self._sums.get(account, ZERO), folded_of(account, state)
        if summed != folded and not self.differing:
            name = account[0] if account[1] == USD else f"{account[0]} in {account[1]}"
            self.differing = (
                f"row {sequence}: the postings of {name} sum to {summed}, the fold has {folded}"
            )


def _amount(text: str) -> Decimal:
    """What is stored; where bytes were changed it may be no number, and then it equals nothing."""
    try:
        return Decimal(text)
    except (ArithmeticError, TypeError, ValueError):
        return Decimal("NaN")


OF_THE_BOOKS = ("cash", "cash:reserved", "fees", "realized", "equity:opening", "equity:deposits")


def folded_of(account: Account, state: ExecutionState) -> Decimal | None:
    """What the fold has of an account of the double entry; None where there is no such account."""
    name, instrument = account
    books = state.books
    match name:
        case "cash":
            return books.cash_free
        case "cash:reserved":
            return books.reserved
        case "fees":
            return books.fees
        case "realized":
            return -(books.realized + books.fees)
        case "equity:opening":
            return -books.opening
        case "equity:deposits":
            return -books.deposits
        case _ if name.startswith(POSITION):
            position = state.position(Symbol(name.removeprefix(POSITION)))
            return position.cost if instrument == USD else position.quantity
        case _ if name.startswith(MARKET):
            return -state.brought.get(Symbol(instrument), ZERO)
        case _:
            return None

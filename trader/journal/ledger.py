"""The account's running sums after each single entry, kept by the journal itself from the events it writes.

The executor hands over the state after a whole batch; a row of the equity history belongs to one fill within it.
The two are added up apart from each other, and must agree at the end of every batch.
"""

import sqlite3
from collections.abc import Sequence
from decimal import Decimal
from typing import NamedTuple

from immutables import Map

from trader.messages import BooksMoved, ClockMoved, ExecutionBooked, OrderChanged
from trader.model import ENTRY_PURPOSES, ClientOrderId, Order, OrderState, Side, Symbol
from trader.money import PRICE_TICKS_PER_DOLLAR, ZERO, plain, price_of
from trader.splits import split_mark
from trader.state import ExecutionState


class Holding(NamedTuple):
    """Signed shares, their total cost in dollars, and the last price in price ticks (0: none yet)."""

    quantity: Decimal = ZERO
    cost: Decimal = ZERO
    mark: int = 0

    @property
    def value(self) -> Decimal:
        """Dollars at the mark; at cost while there is no mark."""
        return self.quantity * price_of(self.mark) if self.mark else self.cost


NOTHING = Holding()


class Ledger:
    """Changed in place by a batch that is being drafted; `copy` is cheap, so a failed batch leaves nothing behind."""

    __slots__ = (
        "account",
        "cash",
        "doubted",
        "entries",
        "held",
        "opening",
        "realized",
        "reserved",
        "value",
    )

    def __init__(self) -> None:
        self.account = ""
        self.opening = ZERO
        self.cash = ZERO
        self.realized = ZERO
        self.value = ZERO
        self.held: Map[Symbol, Holding] = Map()
        self.reserved: Map[ClientOrderId, Decimal] = Map()
        self.doubted: Map[ClientOrderId, None] = Map()  # the UNKNOWN orders
        self.entries: Map[Symbol, int] = Map()  # each symbol's last entry order, by its decision_id

    def copy(self) -> "Ledger":
        """Another one with the same sums."""
        other = Ledger()
        for name in self.__slots__:
            setattr(other, name, getattr(self, name))
        return other

    @property
    def equity(self) -> Decimal:
        """Cash plus holdings at their marks."""
        return self.cash + self.value

    @property
    def unrealized(self) -> Decimal:
        """The rest of equity: cash + cost of what is held = opening + realized, always."""
        return self.equity - self.opening - self.realized

    def open(self, cash: Decimal) -> None:
        """What the account held before our first order."""
        self.opening += cash
        self.cash += cash

    def accept(self, order: Order) -> int | None:
        """A buy holds its worst cost back; of an entry, the decision_id of the symbol's entry before it."""
        if order.reserved:
            self.reserved = self.reserved.set(order.client_order_id, order.reserved)
        if order.purpose not in ENTRY_PURPOSES:
            return None
        before = self.entries.get(order.symbol)
        self.entries = self.entries.set(order.symbol, order.decision_id)
        return before

    def hold(self, order: ClientOrderId, reserved: Decimal) -> Decimal:
        """From now on the order holds this much back; returns how much less (or, negative, more) that is."""
        before = self.reserved.get(order, ZERO)
        if reserved:
            self.reserved = self.reserved.set(order, reserved)
        elif before:
            self.reserved = self.reserved.delete(order)
        return before - reserved

    def doubt(self, event: OrderChanged) -> bool:
        """Whether the order has come into doubt with this, or out of it."""
        if event.state is OrderState.UNKNOWN:
            self.doubted = self.doubted.set(event.client_order_id, None)
            return True
        if event.client_order_id not in self.doubted:
            return False
        self.doubted = self.doubted.delete(event.client_order_id)
        return True

    def book(self, event: ExecutionBooked) -> None:
        """A fill: money and shares change hands, and its price is the new mark."""
        execution, order = event.execution, event.client_order_id
        is_buy = event.side is Side.BUY
        before = self.held.get(event.symbol, NOTHING)
        after = Holding(
            quantity=before.quantity + (execution.quantity if is_buy else -execution.quantity),
            cost=before.cost + event.cost,
            mark=round(execution.price * PRICE_TICKS_PER_DOLLAR),
        )
        self.cash += (-event.notional if is_buy else event.notional) - event.fees
        self.realized += event.realized
        self.value += after.value - before.value
        self.held = self.held.set(event.symbol, after)
        if event.released:
            self.hold(order, self.reserved.get(order, ZERO) - event.released)

    def move(self, event: BooksMoved) -> None:
        """The books moved without an execution of ours; a split moves the mark against the shares."""
        self.cash += event.cash
        self.realized += event.realized
        self.opening += event.deposit
        if event.symbol is None:
            return
        before = self.held.get(event.symbol, NOTHING)
        quantity, mark = before.quantity + event.quantity, before.mark
        if event.kind == "split" and quantity:
            mark = split_mark(mark, before.quantity, quantity)
        after = Holding(quantity=quantity, cost=before.cost + event.cost, mark=mark)
        self.value += after.value - before.value
        self.held = self.held.set(event.symbol, after)

    def mark(self, event: ClockMoved) -> None:
        """New prices of what is held."""
        for symbol, mark in event.marks.items():
            before = self.held.get(symbol)
            if before is not None and before.mark != mark:
                after = before._replace(mark=mark)
                self.value += after.value - before.value
                self.held = self.held.set(symbol, after)


def ledger_of(state: ExecutionState) -> Ledger:
    """The ledger at a state of the executor, which has the same sums in its own way.

    Which entry order a symbol had last is known only of orders that the state remembers.
    """
    ledger, books = Ledger(), state.books
    ledger.account = state.account
    ledger.opening = plain(books.opening + books.deposits)
    ledger.cash, ledger.realized = books.cash, books.realized
    ledger.value = state.positions_value
    held = state.positions.items()
    ledger.held = Map({symbol: Holding(one.quantity, one.cost, one.mark) for symbol, one in held})
    orders = state.orders.items()
    ledger.reserved = Map({name: one.reserved for name, one in orders if one.reserved})
    doubted = [name for name, one in orders if one.state is OrderState.UNKNOWN]
    ledger.doubted = Map(dict.fromkeys(doubted))
    return ledger


def restored(connection: sqlite3.Connection) -> Ledger:
    """The ledger as the committed tables have it; empty where there is no account yet."""
    ledger = Ledger()
    account: Sequence[tuple[str, str, str, str, str]] = connection.execute(
        "SELECT account, opening, cash, realized_pnl, positions_value FROM account_row"
    ).fetchall()
    for name, opening, cash, realized, value in account:
        ledger.account = name
        ledger.opening, ledger.cash = Decimal(opening), Decimal(cash)
        ledger.realized, ledger.value = Decimal(realized), Decimal(value)
    ledger.held = Map(
        {
            Symbol(symbol): Holding(Decimal(quantity), Decimal(cost), mark)
            for symbol, quantity, cost, mark in connection.execute(
                "SELECT symbol, quantity, cost, mark FROM position_rows"
            )
        }
    )
    ledger.reserved = Map(
        {
            ClientOrderId(order): plain(Decimal(left))
            for order, left in connection.execute(
                "SELECT client_order_id, reserved FROM order_rows WHERE reserved <> '0'"
            )
        }
    )
    doubted = "SELECT client_order_id FROM order_rows WHERE state = 'UNKNOWN'"
    ledger.doubted = Map({ClientOrderId(order): None for (order,) in connection.execute(doubted)})
    entries = "SELECT symbol, max(decision_id) FROM order_rows WHERE purpose IN ('enter', 'add') GROUP BY 1"
    ledger.entries = Map({Symbol(symbol): last for symbol, last in connection.execute(entries)})
    return ledger

"""The identities of the books at the journal's end, each from the stored rows on one side and the fold on the other."""

import sqlite3
from collections import defaultdict
from collections.abc import Iterator
from decimal import Decimal

from msgspec import Struct

from trader import soundness
from trader.messages import worst_cost
from trader.model import Side
from trader.money import ZERO, plain
from trader.state import ExecutionState


class Stored(Struct, frozen=True, kw_only=True):
    """What the rows of executions and movements sum up to."""

    shares: dict[str, Decimal]
    flows: Decimal  # of cash, deposits among them
    deposits: Decimal  # in shares, too
    realized: Decimal
    fees: Decimal


Identity = tuple[str, str, str]  # its name, what it says in numbers, what differs


def stored_sums(reader: sqlite3.Connection) -> Stored:
    """Exact sums over the rows, which SQL can't take."""
    shares: defaultdict[str, Decimal] = defaultdict(lambda: ZERO)
    flows = deposits = realized = fees = ZERO
    executions = "SELECT symbol, side, quantity, notional, fees, realized_pnl FROM execution_rows"
    for symbol, side, quantity, notional, fee, profit in reader.execute(executions):
        sign = 1 if side == Side.BUY else -1
        shares[symbol] += sign * Decimal(quantity)
        flows -= sign * Decimal(notional) + Decimal(fee)
        realized += Decimal(profit)
        fees += Decimal(fee)
    movements = "SELECT symbol, quantity, cash, deposit, realized_pnl, fees FROM movement_rows"
    for symbol, quantity, cash, deposit, profit, fee in reader.execute(movements):
        if symbol is not None:
            shares[symbol] += Decimal(quantity)
        flows += Decimal(cash)
        deposits += Decimal(deposit)
        realized += Decimal(profit)
        fees += Decimal(fee)
    return Stored(shares=dict(shares), flows=flows, deposits=deposits, realized=realized, fees=fees)


def identities(reader: sqlite3.Connection, state: ExecutionState) -> Iterator[Identity]:
    """Each with what it says, and what is wrong with it: nothing in sound books."""
    stored = stored_sums(reader)
    for identity in (_positions, _cash, _reserved, _equity, _realized):
        yield identity(state, stored, reader)


def _positions(state: ExecutionState, stored: Stored, reader: sqlite3.Connection) -> Identity:
    held = [one for one in state.positions.values() if one.quantity]
    wrong = ""
    for symbol in sorted({*state.positions.keys(), *stored.shares}):
        position, moved = state.position(symbol).quantity, stored.shares.get(symbol, ZERO)
        if position != moved:
            wrong = wrong or f"{symbol}: position {position}, its executions and movements {moved}"
    says = f"{len(held)} held, {len(stored.shares)} traded: each the sum of its executions and movements"
    return "positions", says, wrong


def _cash(state: ExecutionState, stored: Stored, reader: sqlite3.Connection) -> Identity:
    books = state.books
    explained = plain(books.opening + stored.flows)
    says = f"{books.cash:,} = opening {books.opening:,} {_signed(stored.flows)} of {_flows(reader)}"
    wrong = "" if books.cash == explained else f"cash {books.cash}, what moved it {explained}"
    return "cash", says, wrong


def _flows(reader: sqlite3.Connection) -> str:
    [executions] = reader.execute("SELECT count(*) FROM execution_rows").fetchone()
    [movements] = reader.execute("SELECT count(*) FROM movement_rows").fetchone()
    return f"{executions:,} executions and {movements:,} movements"


def _reserved(state: ExecutionState, stored: Stored, reader: sqlite3.Connection) -> Identity:
    live = [one for one in state.orders.values() if one.reserved]
    rows = reader.execute("SELECT reserved FROM order_rows WHERE reserved <> '0'")
    told = plain(sum((Decimal(text) for (text,) in rows), ZERO))
    books = state.books.reserved
    wrong = "" if told == books else f"reserved {books}, the orders hold {told}"
    for order in live:
        if order.reserved != worst_cost(order):
            name, worst = order.client_order_id, worst_cost(order)
            wrong = (
                wrong or f"{name}: reserved {order.reserved}, what is left costs {worst} at worst"
            )
    return "reserved", f"{books:,} = what {len(live)} open orders would cost at worst", wrong


def _equity(state: ExecutionState, stored: Stored, reader: sqlite3.Connection) -> Identity:
    rows = reader.execute("SELECT quantity, cost, market_price FROM position_rows")
    value = plain(
        sum(
            (Decimal(cost) if price is None else Decimal(quantity) * Decimal(price))
            for quantity, cost, price in rows
        )
        + ZERO
    )
    equity = plain(state.equity)
    says = f"{equity:,} = cash {state.books.cash:,} + {value:,} held, at its marks"
    wrong = next(soundness.all_differences(state), "")
    if equity != state.books.cash + value:
        wrong = f"equity {equity}, cash and positions {plain(state.books.cash + value)}"
    return "equity", says, wrong


def _realized(state: ExecutionState, stored: Stored, reader: sqlite3.Connection) -> Identity:
    """By two methods: fill by fill; and what cash and open cost are above what the owner has put in."""
    books = state.books
    cost = sum((one.cost for one in state.positions.values()), ZERO)
    above = plain(books.cash + cost - books.opening - stored.deposits)
    summed = plain(stored.realized)
    says = f"{summed:,} fill by fill = cash + open cost {plain(cost):,} - opening - deposits {plain(stored.deposits):,}"
    wrong = ""
    if not summed == above == books.realized:
        wrong = (
            f"fill by fill {summed}, by cash and open cost {above}, in the books {books.realized}"
        )
    return "realized", says, wrong


def _signed(amount: Decimal) -> str:
    amount = plain(amount)
    return f"- {-amount:,}" if amount < 0 else f"+ {amount:,}"

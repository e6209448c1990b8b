"""Reads the books of a foreign database through its mapping: trades by symbol, positions, account, history, flows."""

import re
import sqlite3
from collections import Counter
from collections.abc import Iterator
from decimal import Decimal
from operator import le
from typing import TypeVar

from msgspec.structs import replace

from trader.audit.cells import Amounts, Moments, is_buy, is_outgoing, is_whole_cents, symbol_of
from trader.audit.columns import Mapped, Table
from trader.audit.source import quoted
from trader.audit.words import Account, Cell, Position, Snapshot, Trades
from trader.money import ZERO, rounded

ROW_COLUMNS = ("symbol", "side", "quantity", "price", "time", "fees", "profit", "order")
UNREADABLE_SHOWN_MAX = 10
COMPLAINTS_MAX = 100
ABOUT_ROWS = re.compile(r"(NULL|NUMERIC|TEXT|non-\w+) value in |CHECK constraint failed")
STANDING = "undoes IS NULL AND id NOT IN (SELECT undoes FROM repairs WHERE undoes IS NOT NULL)"
Row = tuple[Cell, ...]
T = TypeVar("T")


class Reading:
    """The open database, and what was noticed while it was read; `count` is called after every thousand rows."""

    def __init__(self, database: sqlite3.Connection, mapped: Mapped, moments: Moments) -> None:
        self.database = database
        self.mapped = mapped
        self.moments = moments
        self.amounts = Amounts()
        self.unreadable: list[tuple[int, str]] = []  # the first few: row and why
        self.unreadable_rows = 0
        self.sides: Counter[str] = Counter()
        self.rows = 0
        self.not_whole_cents = 0
        self.is_whole = True  # False: money moved in rows that are in no symbol's sum
        self.is_repaired = "repairs" in mapped.names and "repair_voids" in mapped.names

    def trades(self) -> Iterator[Trades]:
        """Symbol by symbol, so that only one symbol's rows are in memory."""
        rows: list[Row] = []
        symbol: str | None = None
        known: dict[Cell, str] = {}
        for row in self.database.execute(self._question()):
            raw = row[1]
            if (named := known.get(raw)) is None:
                named = known[raw] = symbol_of(raw)
            if named != symbol:
                if symbol is not None:
                    yield self._trades(symbol, rows)
                symbol, rows = named, []
            rows.append(row)
        if symbol is not None:
            yield self._trades(symbol, rows)

    def _question(self) -> str:
        table = self.mapped.trades
        columns = [
            quoted(table.columns[one]) if one in table.columns else "NULL" for one in ROW_COLUMNS
        ]
        identity = "rowid" if table.has_rowid else "row_number() OVER ()"
        unvoided = f" WHERE rowid NOT IN ({self._voids()})" if self.is_repaired else ""
        return (
            f"SELECT {identity}, {', '.join(columns)} FROM {quoted(table.name)}{unvoided}"
            f" ORDER BY upper(trim({columns[0]})), 1"
        )

    def _voids(self) -> str:
        return f"SELECT trade FROM repair_voids WHERE repair IN (SELECT id FROM repairs WHERE {STANDING})"

    def voided(self) -> int:
        """Rows that repairs have taken out."""
        if not self.is_repaired:
            return 0
        return int(self.database.execute(f"SELECT count(*) FROM ({self._voids()})").fetchone()[0])

    def adjusted(self, subject: str) -> Decimal:
        """By how much repairs have moved cash, equity or profit."""
        if not self.is_repaired:
            return ZERO
        rows = self.database.execute(
            f"SELECT amount FROM repair_adjustments WHERE subject = ? AND repair IN"
            f" (SELECT id FROM repairs WHERE {STANDING})",
            (subject,),
        )
        return sum((Decimal(str(amount)) for (amount,) in rows), ZERO)

    def _trades(self, symbol: str, rows: list[Row]) -> Trades:
        amount, moment = self.amounts.read, self.moments.read
        ids, times = list[int](), list[int]()
        sides, orders = list[bool](), list[str]()
        quantities, prices, fees = list[Decimal](), list[Decimal](), list[Decimal]()
        profit: Decimal | None = None
        sided: dict[Cell, bool | None] = {}
        has_side, unreadable = "side" in self.mapped.trades.columns, 0
        for (
            identity,
            _,
            side,
            raw_quantity,
            raw_price,
            raw_time,
            raw_fees,
            raw_profit,
            order,
        ) in rows:
            assert isinstance(identity, int)
            quantity, price, at_ns = amount(raw_quantity), amount(raw_price), moment(raw_time)
            if not has_side:
                buy = None if quantity is None else quantity > 0
            elif side in sided:
                buy = sided[side]
            else:
                buy = sided[side] = is_buy(side)
                self.sides[str(side)[:20]] += 1
            if quantity is not None and quantity < ZERO and not buy:
                quantity = -quantity  # Books that write sales with a minus.
            fee = ZERO if raw_fees is None else amount(raw_fees)
            if (
                not symbol
                or buy is None
                or fee is None
                or quantity is None
                or quantity <= ZERO
                or price is None
                or price <= ZERO
                or at_ns is None
            ):
                unreadable += 1
                self._note(identity, symbol, buy, quantity, price, fee)
                continue
            ids.append(identity)
            sides.append(buy)
            quantities.append(quantity)
            prices.append(price)
            fees.append(fee)
            times.append(at_ns)
            if order is not None:
                orders.append(str(order))
            if raw_profit is not None:
                profit = (profit or ZERO) + (amount(raw_profit) or ZERO)
        self.rows += len(rows)
        self.unreadable_rows += unreadable
        self.is_whole = self.is_whole and bool(symbol)
        found = Trades(
            symbol=symbol,
            ids=ids,
            is_buy=sides,
            quantities=quantities,
            prices=prices,
            fees=fees,
            at_ns=times,
            orders=orders if len(orders) == len(ids) else [],
            profit=profit,
            unreadable=unreadable,
        )
        return found if all(map(le, times, times[1:])) else _by_time(found)

    def _note(
        self,
        identity: int,
        symbol: str,
        buy: bool | None,
        quantity: Decimal | None,
        price: Decimal | None,
        fee: Decimal | None,
    ) -> None:
        if len(self.unreadable) >= UNREADABLE_SHOWN_MAX:
            return
        why = (
            "no symbol"
            if not symbol
            else "no side"
            if buy is None
            else "no quantity"
            if quantity is None
            else f"quantity {quantity}"
            if quantity <= 0
            else "no price"
            if price is None
            else f"price {price}"
            if price <= 0
            else "no fee"
            if fee is None
            else "no time"
        )
        self.unreadable.append((identity, why))

    # ---------------------------------------------------------------------------------- the small tables

    def _note_row(self, why: str) -> None:
        self.unreadable_rows += 1
        if len(self.unreadable) < UNREADABLE_SHOWN_MAX:
            self.unreadable.append((0, why))

    def positions(self) -> dict[str, Position] | None:
        """What is recorded as held, None where there is no such table; several rows of a symbol are added."""
        table = self.mapped.tables.get("positions")
        if table is None:
            return None
        found: dict[str, Position] = {}
        averages = Amounts()  # computed by nature: their dust means nothing
        for row in self._rows(table, ("symbol", "quantity", "average", "cost", "mark")):
            symbol, quantity = symbol_of(row[0]), self.amounts.read(row[1])
            if not symbol or quantity is None:
                self._note_row(f"a row of {table.name} without symbol or quantity")
                continue
            average, cost, mark = (averages.read(cell) for cell in row[2:])
            if cost is None and average is not None:
                # An average that was computed is off by less than a hundredth of a cent in all.
                cost = rounded(quantity * average, Decimal("0.0001"))
            value = None if mark is None else rounded(quantity * mark, Decimal("0.0001"))
            if symbol in found:
                before = found[symbol]
                quantity += before.quantity
                cost = None if cost is None or before.cost is None else cost + before.cost
                value = None if value is None or before.value is None else value + before.value
            found[symbol] = Position(quantity=quantity, cost=cost, value=value)
        return found

    def accounts(self) -> list[Account]:
        """The rows of the account table; repairs are added to the last one, which counts."""
        table = self.mapped.tables.get("account")
        if table is None:
            return []
        names = ("cash", "equity", "profit", "total", "start")
        found: list[Account] = []
        for row in self._rows(table, names):
            read = {name: self.amounts.read(cell) for name, cell in zip(names, row, strict=True)}
            for name, cell in zip(names, row, strict=True):
                # Other figures may be missing; without the cash there is nothing to hold the trades to.
                must = name == "cash" and name in table.columns
                if read[name] is None and (cell is not None or must):
                    self._note_row(f"{table.name} without a readable {name}")
            found.append(Account(**read))
        return found

    def history(self) -> list[Snapshot]:
        """By time; rows without a readable one are left out, and counted."""
        table = self.mapped.tables.get("history")
        if table is None:
            return []
        found: list[Snapshot] = []
        for row in self._rows(table, ("time", "cash", "equity", "profit")):
            at_ns = self.moments.read(row[0])
            cash, equity, profit = (self.amounts.read(cell) for cell in row[1:])
            if at_ns is None:
                self._note_row(f"a row of {table.name} without a time")
                continue
            found.append(Snapshot(at_ns=at_ns, cash=cash, equity=equity, profit=profit))
        return sorted(found, key=lambda one: one.at_ns)

    def flows(self) -> list[tuple[int, Decimal]]:
        """Cash that came or went without a trade, by time; what can't be read is counted, and missing in the cash."""
        table = self.mapped.tables.get("flows")
        if table is None:
            return []
        found = []
        for at, amount, kind in self._rows(table, ("time", "amount", "kind")):
            at_ns, value = self.moments.read(at), self.amounts.read(amount)
            if at_ns is None or value is None:
                self._note_row(f"a row of {table.name} without a time or an amount")
                self.is_whole = False
                continue
            found.append((at_ns, -abs(value) if is_outgoing(kind) else value))
        return sorted(found)

    def position_profit(self) -> Decimal | None:
        """The sum of the positions' own column of realized profit."""
        table = self.mapped.tables.get("positions")
        if table is None or "profit" not in table.columns:
            return None
        cells = [self.amounts.read(row[0]) for row in self._rows(table, ("profit",))]
        return sum((one for one in cells if one is not None), ZERO)

    def damage(self) -> str:
        """What SQLite finds wrong with the file, so that rows may be missing without a word; '' where it finds nothing.

        A row that breaks a rule of its own table is there all the same.
        """
        found = self.database.execute(f"PRAGMA quick_check({COMPLAINTS_MAX})")
        said = (str(row[0]).replace("\n", " ") for row in found)
        return next((one for one in said if one != "ok" and not ABOUT_ROWS.match(one)), "")

    def duplicate_ids(self) -> int:
        """Rows of trades whose `id` another row has, too."""
        table = self.mapped.trades
        columns = self.database.execute(f"PRAGMA table_info({quoted(table.name)})").fetchall()
        if not any(row[1].lower() == "id" and not row[5] for row in columns):
            return 0
        name = quoted(table.name)
        return int(
            self.database.execute(f"SELECT count(id) - count(DISTINCT id) FROM {name}").fetchone()[
                0
            ]
        )

    def ids_gone(self) -> int:
        """How many ids were given that no row has any more: rows that were deleted. Needs AUTOINCREMENT."""
        table = self.mapped.trades
        has_sequence = self.database.execute(
            "SELECT 1 FROM sqlite_master WHERE name = 'sqlite_sequence'"
        ).fetchone()
        if not has_sequence or not table.has_rowid:
            return 0
        given = self.database.execute(
            "SELECT seq FROM sqlite_sequence WHERE name = ?", (table.name,)
        ).fetchone()
        name = quoted(table.name)
        left = self.database.execute(f"SELECT count(*) FROM {name}").fetchone()[0]
        return int(given[0]) - int(left) if given else 0

    def _rows(self, table: Table, roles: tuple[str, ...]) -> Iterator[Row]:
        columns = [quoted(table.columns[one]) if one in table.columns else "NULL" for one in roles]
        yield from self.database.execute(f"SELECT {', '.join(columns)} FROM {quoted(table.name)}")

    def count_cents(self, trades: Trades) -> None:
        """Notionals that aren't whole cents."""
        # Equal cells are one object: a few prices are looked at instead of every row.
        prices = {id(one): one for one in trades.prices}.values()
        shares = {id(one): one for one in trades.quantities}.values()
        if all(map(is_whole_cents, prices)) and all(one == int(one) for one in shares):
            return
        for quantity, price in zip(trades.quantities, trades.prices, strict=True):
            notional = quantity * price
            if not is_whole_cents(notional):
                self.not_whole_cents += 1


def _by_time(trades: Trades) -> Trades:
    """In the order of their time; at the same time in the order of the file."""
    order = sorted(range(len(trades.ids)), key=trades.at_ns.__getitem__)

    def sorted_column(column: list[T]) -> list[T]:
        return [column[index] for index in order]

    return replace(
        trades,
        ids=sorted_column(trades.ids),
        is_buy=sorted_column(trades.is_buy),
        quantities=sorted_column(trades.quantities),
        prices=sorted_column(trades.prices),
        fees=sorted_column(trades.fees),
        at_ns=sorted_column(trades.at_ns),
        orders=sorted_column(trades.orders) if trades.orders else [],
    )

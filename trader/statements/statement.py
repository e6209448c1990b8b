"""What a statement's rows say: each an execution, or something else that moved cash or shares; no guess, no float."""

import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from pathlib import Path

from msgspec import Struct
from msgspec.structs import replace

from trader.audit.cells import Moments, is_buy, symbol_of
from trader.exits import Mistake
from trader.money import ZERO, AmountError, amount, plain
from trader.statements.columns import DATE, Columns, columns_of, plain_name
from trader.statements.lines import FILL, Line, day_of, short_id
from trader.statements.reading import Rows, rows_of
from trader.wire.alpaca_statement import SHARES_MOVE

# Words of other exports for what Alpaca has a code for.
KINDS = {
    "trade": FILL,
    "execution": FILL,
    "dividend": "DIV",
    "cash_dividend": "DIV",
    "interest": "INT",
    "fees": "FEE",
    "regulatory_fee": "FEE",
    "deposit": "CSD",
    "withdrawal": "CSW",
    "stock_split": "SPLIT",
}
_NUMBER = re.compile(r"[-+]?\$?[-+]?(\d{1,3}(,\d{3})+|\d+)(\.\d+)?|\$?\.\d+")
BUST, CORRECT = "trade_bust", "trade_correct"
UNDONE = frozenset({"canceled", "cancelled"})
FILLED = frozenset({"filled_qty", "filled_quantity"})
FEE_ROLES = ("fees", "commission")


class Read(Struct, frozen=True, kw_only=True):
    """A statement, and how it was read."""

    lines: tuple[Line, ...]
    account: str  # as the statement names it, '' where it doesn't
    columns: Columns
    undone: int  # rows of what was canceled, which count for nothing


def read_statement(path: Path, told: Mapping[str, str], moments: Moments) -> Read:
    """The statement in a file; raises Mistake with the one row, or column, that nobody can be sure of."""
    found = rows_of(path)
    columns = columns_of(found.names, told, f"--statement {path}")
    rows = [row for row in found.rows if not _is_undone(row[1], columns)]
    reader = _Reader(columns, moments, has_dates=DATE in map(plain_name, found.names))
    lines = tuple(reader.net(rows))
    if not lines:
        raise Mistake("nothing in it that moved an account", where=f"--statement {path}")
    return Read(
        lines=lines,
        account=_account(found, columns),
        columns=columns,
        undone=len(found.rows) - len(rows),
    )


def _is_undone(row: Mapping[str, str], columns: Columns) -> bool:
    """Of an order in a list of orders what was filled stands, whatever became of the rest."""
    if plain_name(columns.by_role.get("quantity", "")) in FILLED:
        return not _cell(row, columns, "quantity").strip("0.")
    return _cell(row, columns, "status").lower() in UNDONE


def _account(found: Rows, columns: Columns) -> str:
    names = {name for _, row in found.rows if (name := _cell(row, columns, "account"))}
    if len(names) > 1:
        raise Mistake(
            f"of {len(names)} accounts, {' and '.join(sorted(map(repr, names))[:2])}",
            where=found.rows[0][0],
            remedy="one statement for each account",
        )
    return next(iter(names), "")


def _cell(row: Mapping[str, str], columns: Columns, role: str) -> str:
    return row.get(columns.by_role.get(role, ""), "")


class _Reader:
    """Reads row by row, with the columns of this file."""

    def __init__(self, columns: Columns, moments: Moments, *, has_dates: bool) -> None:
        self._columns = columns
        self._moments = moments
        self._has_dates = has_dates

    def net(self, rows: Sequence[tuple[str, Mapping[str, str]]]) -> Iterator[Line]:
        """What stands: without executions that were taken back, and with what stands in their place."""
        self._is_signed = self._has_signs(rows)
        lines: list[Line] = []
        places: dict[str, str] = {}
        gone: set[str] = set()
        for where, row in rows:
            if (name := _cell(row, self._columns, "id")) in places and name:
                raise Mistake(f"the id {name[:60]!r} again, as in {places[name]}", where=where)
            places[name] = where
            word = plain_name(_cell(row, self._columns, "part"))
            if word in (BUST, CORRECT):
                gone.add(short_id(self._needed(where, row, "previous")))
            if word != BUST:
                lines.append(self._line(where, row))
        return iter(_with_costs([line for line in lines if line.id not in gone or not line.id]))

    def _has_signs(self, rows: Sequence[tuple[str, Mapping[str, str]]]) -> bool:
        """Where no column tells the side, sales that have a minus say that the rest are buys."""
        return "side" not in self._columns.by_role and any(
            _cell(row, self._columns, "quantity").startswith(("-", "(")) for _, row in rows
        )

    def _line(self, where: str, row: Mapping[str, str]) -> Line:
        word = _cell(row, self._columns, "kind")
        kind = KINDS.get(plain_name(word), word.upper()[:40])
        at_ns, day = self._time(where, row)
        line = Line(
            kind=kind,
            id=short_id(_cell(row, self._columns, "id")),
            orders=tuple(filter(None, [_cell(row, self._columns, "order")])),
            symbol=self._symbol(where, row),
            amount=self._number(where, row, "amount"),
            day=day,
            at_ns=at_ns,
            where=where,
        )
        quantity = self._number(where, row, "quantity")
        by_word = is_buy(word)
        is_trade = kind == FILL or by_word is not None or (not word and quantity is not None)
        if is_trade:
            return self._execution(where, row, line, quantity, by_word)
        if line.amount is None and not (kind in SHARES_MOVE and quantity):
            raise Mistake(f"{kind or 'a row'} without an amount", where=where)
        moved = quantity if kind in SHARES_MOVE else None
        return replace(line, quantity=moved, amount=line.amount or ZERO)

    def _execution(
        self,
        where: str,
        row: Mapping[str, str],
        line: Line,
        quantity: Decimal | None,
        by_word: bool | None,
    ) -> Line:
        price = self._number(where, row, "price")
        if not line.symbol or not quantity or (price is None and not line.amount):
            raise Mistake("an execution without symbol, quantity or price", where=where)
        if price is not None and price <= 0:
            raise Mistake(f"an execution at {price}", where=where)
        text = _cell(row, self._columns, "side")
        side = by_word if by_word is not None and not text else is_buy(text)
        if side is None and not text and (quantity < 0 or line.amount or self._is_signed):
            side = quantity > 0 and (line.amount is None or line.amount < 0)
        if side is None or (side and quantity < 0):
            raise Mistake("neither buy nor sell, or both", where=where, remedy="--map side=COLUMN")
        shares = abs(quantity) if side else -abs(quantity)
        cash = None
        if line.amount is not None:
            cash = -abs(line.amount) if side else abs(line.amount)
        fees = [self._number(where, row, role) for role in FEE_ROLES]
        told = [fee for fee in fees if fee is not None]
        return replace(
            line,
            kind=FILL,
            quantity=shares,
            price=price,
            amount=cash if price is None else None,
            net=None if price is None else cash,  # It may have fees in it.
            fee=sum(told, ZERO) if told else None,
        )

    def _needed(self, where: str, row: Mapping[str, str], role: str) -> str:
        if not (found := _cell(row, self._columns, role)):
            raise Mistake(f"no {role}", where=where)
        return found

    def _symbol(self, where: str, row: Mapping[str, str]) -> str:
        text = _cell(row, self._columns, "symbol")
        symbol = symbol_of(text)
        if text and not symbol:
            raise Mistake(f"not a symbol: {text[:40]!r}", where=where)
        return symbol

    def _time(self, where: str, row: Mapping[str, str]) -> tuple[int | None, str]:
        """When, and the day in New York; a row may tell the day alone."""
        text = _cell(row, self._columns, "time")
        if not text and self._has_dates:
            text = next((cell for name, cell in row.items() if plain_name(name) == DATE), "")
        at_ns = self._moments.read(text) if text else None
        if at_ns is None:
            raise Mistake(f"not a time that can be read: {text[:40]!r}", where=where)
        local = datetime.fromtimestamp(at_ns // 1_000_000_000, self._moments.zone)
        if ":" not in text and (local.hour, local.minute, local.second) == (0, 0, 0):
            return None, local.date().isoformat()  # That midnight may be another day in New York.
        return at_ns, day_of(at_ns, local.date().isoformat())

    def _number(self, where: str, row: Mapping[str, str], role: str) -> Decimal | None:
        text = _cell(row, self._columns, role)
        return None if not text else number_of(text, f"{where}: {role}")


def _with_costs(lines: list[Line]) -> list[Line]:
    """Fees are costs; where none is above zero, they were written as the cash that went."""
    if any(line.fee is not None and line.fee > 0 for line in lines):
        return lines
    return [line if line.fee is None else replace(line, fee=-line.fee) for line in lines]


def number_of(text: str, where: str) -> Decimal:
    """An amount as statements write it: 1,234.50, $1,234.50, (12.34); raises Mistake for what may mean two things."""
    inner = text[1:-1] if text.startswith("(") and text.endswith(")") else text
    if not _NUMBER.fullmatch(inner) or (inner is not text and inner[0] in "-+"):
        raise Mistake(f"not a number that can be read for sure: {text[:40]!r}", where=where)
    try:
        found = amount(inner.replace("$", "").replace(",", ""))
    except AmountError as error:
        raise Mistake(str(error), where=where) from None
    return plain(-found if inner is not text else found)

"""A broker's statement from a file: a CSV of executions, or the JSON that Alpaca answers when asked for activities."""

from collections import defaultdict
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path

from msgspec import Struct

from trader.audit.cells import Moments, day_of, is_buy, midnight_ns, symbol_of
from trader.audit.columns import COLUMNS
from trader.audit.words import Execution, Statement
from trader.exits import Mistake
from trader.money import ZERO
from trader.statements.columns import plain_name
from trader.statements.lines import short_id
from trader.statements.reading import rows_of
from trader.statements.statement import BUST, CORRECT, FILLED, UNDONE, number_of

DAY_NS = 86_400 * 1_000_000_000
FILL = "FILL"
FIRST = {"quantity": ("filled_qty", "filled_quantity")}


class Fill(Struct, frozen=True, kw_only=True):
    """One row: part of an order, or all of it."""

    id: str  # the execution's, '' where the row doesn't tell it
    order_id: str
    symbol: str
    is_buy: bool
    quantity: Decimal
    price: Decimal
    at_ns: int


def read_statement(path: Path, moments: Moments) -> Statement:
    """The statement in a file; raises Mistake with the row that makes no sense."""
    fills: list[Fill] = []
    gone: set[str] = set()  # executions that the broker took back, or replaced
    flows: list[tuple[int, Decimal]] = []
    for where, named in rows_of(path).rows:
        row = {plain_name(name): cell for name, cell in named.items()}
        kind = str(row.get("activity_type", FILL)).upper()
        if kind == FILL and _is_undone(row):
            continue
        if kind == FILL:
            word = plain_name(row.get("type", ""))
            if word in (BUST, CORRECT):
                gone.add(short_id(row.get("previous_id", "")))
            if word != BUST:
                fills.append(_fill(where, row, moments))
        elif text := row.get("net_amount"):
            flows.append((_time(where, row, moments), number_of(text, f"{where}: net_amount")))
    fills = [one for one in fills if not one.id or one.id not in gone]
    if not fills:
        raise Mistake("no executions in it", where=f"--statement {path}")
    times = [one.at_ns for one in fills] + [at_ns for at_ns, _ in flows]
    return Statement(
        executions=_executions(fills),
        flows=sorted(flows),
        begins_ns=midnight_ns(day_of(min(times))),
        ends_ns=midnight_ns(day_of(max(times) + DAY_NS)) - 1,
    )


Cells = Mapping[str, str]


def _is_undone(row: Cells) -> bool:
    """Of an order in a list of orders what was filled stands, whatever became of the rest."""
    if filled := [row[name] for name in FILLED if name in row]:
        return not filled[0].strip("0.")
    return row.get("status", "").lower() in UNDONE


def _fill(where: str, row: Cells, moments: Moments) -> Fill:
    symbol = symbol_of(_cell(where, row, "symbol").strip())
    side = is_buy(_cell(where, row, "side"))
    quantity = number_of(_cell(where, row, "quantity"), f"{where}: quantity")
    price = number_of(_cell(where, row, "price"), f"{where}: price")
    if not symbol or side is None or not quantity or price <= 0:
        raise Mistake("no symbol, side, quantity or price", where=where)
    return Fill(
        id=short_id(row.get("id", "")),
        order_id=next(
            (row[one] for one in COLUMNS["trades"]["order"].split() if one in row), where
        ),
        symbol=symbol,
        is_buy=side,
        quantity=abs(quantity),
        price=price,
        at_ns=_time(where, row, moments),
    )


def _time(where: str, row: Cells, moments: Moments) -> int:
    at_ns = moments.read(_cell(where, row, "time").strip())
    if at_ns is None:
        raise Mistake("no time that can be read", where=where)
    return at_ns


def _cell(where: str, row: Cells, role: str) -> str:
    # In a list of orders, which has what was wanted, too.
    usual = [*FIRST.get(role, ()), *COLUMNS["trades"][role].split()]
    found = next((row[one] for one in usual if one in row), None)
    if found is None:
        name = COLUMNS["trades"][role].split()[0]
        raise Mistake(f"no column for the {role}", where=where, remedy=f"call it {name}")
    return found


def _executions(fills: list[Fill]) -> dict[str, list[Execution]]:
    """Of each order all its parts together."""
    orders: dict[tuple[str, str, bool], list[Fill]] = defaultdict(list)
    for one in fills:
        orders[one.order_id, one.symbol, one.is_buy].append(one)
    found: dict[str, list[Execution]] = defaultdict(list)
    for (order_id, symbol, side), parts in orders.items():
        times = [one.at_ns for one in parts]
        found[symbol].append(
            Execution(
                order_id=order_id,
                symbol=symbol,
                is_buy=side,
                quantity=sum((one.quantity for one in parts), ZERO),
                notional=sum((one.quantity * one.price for one in parts), ZERO),
                first_ns=min(times),
                last_ns=max(times),
            )
        )
    for executions in found.values():
        executions.sort(key=lambda one: one.first_ns)
    return dict(found)

"""Which table holds what, and which column says it: found by their usual names, or told; asked for when unsure."""

import sqlite3
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path

from msgspec import Struct

from trader.audit.source import quoted
from trader.exits import Mistake

NOTHING = "-"  # told for a column that is there and isn't meant
_NAMES_SHOWN_MAX = 20

# By table and role, the usual names, the surest first. Where one has the role's surest name, the others are overlooked.
TABLES: dict[str, str] = {
    "trades": "trades trade trade_history trade_log fills executions transactions",
    "positions": "positions position holdings open_positions portfolio portfolio_positions",
    "account": "account accounts account_state portfolio_state balance balances",
    "history": "equity_history equity_curve account_history portfolio_history equity snapshots",
    "flows": "cash_flows cashflows deposits transfers",
}
COLUMNS: dict[str, dict[str, str]] = {
    "trades": {
        "symbol": "symbol ticker instrument asset stock",
        "side": "side action direction trade_type transaction_type type buy_sell",
        "quantity": "quantity qty shares filled_qty filled_quantity size volume units",
        "price": "price fill_price filled_avg_price execution_price exec_price fill_px px avg_price"
        " trade_price",
        "time": "timestamp time executed_at filled_at transaction_time trade_time datetime ts date"
        " trade_date created_at",
        "fees": "fees fee commission commissions",
        "profit": "realized_pnl pnl realised_pnl profit profit_loss pl",
        "order": "broker_order_id order_id alpaca_order_id client_order_id",
    },
    "positions": {
        "symbol": "symbol ticker instrument asset stock",
        "quantity": "quantity qty shares size units",
        "average": "avg_cost average_cost avg_price average_price avg_entry_price entry_price cost_price",
        "cost": "cost cost_basis total_cost",
        "mark": "market_price current_price last_price mark_price",
        "profit": "realized_pnl realised_pnl",
    },
    "account": {
        "cash": "cash cash_balance available_cash cash_available balance",
        "equity": "equity total_equity portfolio_value total_value account_value net_liquidation",
        "profit": "realized_pnl realised_pnl",
        "total": "total_pnl pnl",
        "start": "starting_cash start_cash initial_cash starting_capital initial_capital",
    },
    "history": {
        "time": "timestamp time datetime ts date created_at",
        "cash": "cash cash_balance",
        "equity": "equity total_equity portfolio_value total_value",
        "profit": "realized_pnl realised_pnl",
    },
    "flows": {
        "time": "timestamp time datetime ts date created_at",
        "amount": "amount net_amount",
        "kind": "type kind direction flow_type transaction_type activity_type",
    },
}
REQUIRED = {
    "trades": ("symbol", "quantity", "price", "time"),
    "positions": ("symbol", "quantity"),
    "account": (),
    "history": ("time",),
    "flows": ("time", "amount"),
}


class Table(Struct, frozen=True, kw_only=True):
    """A table of theirs: its name, and the column for each role that it has."""

    name: str
    columns: dict[str, str]
    has_rowid: bool

    def line(self, role: str) -> str:
        """For people: `trades: fills(symbol, price=fill_px)`."""
        said = (
            name if name == column else f"{name}={column}" for name, column in self.columns.items()
        )
        return f"{role}: {self.name}({', '.join(said)})"


class Mapped(Struct, frozen=True, kw_only=True):
    """Their tables by what they hold; at least the trades."""

    tables: dict[str, Table]
    names: tuple[str, ...]  # of all their tables

    @property
    def trades(self) -> Table:
        return self.tables["trades"]


Told = Mapping[str, str]  # 'trades' or 'trades.price' to a table's or column's name


def told_mapping(words: Sequence[str]) -> dict[str, str]:
    """What `--map` says: `trades.price=fill_px`, or the name of a TOML file with [trades] price = "fill_px"."""
    told: dict[str, str] = {}
    for word in words:
        if word.endswith(".toml") and "=" not in word:
            told |= _from_file(Path(word))
            continue
        key, equals, name = word.partition("=")
        if not equals or not name:
            raise Mistake("not ROLE=NAME", where=f"--map {word}", remedy="trades.price=fill_px")
        told[key] = name
    for key in told:
        _check_key(key)
    return told


def _from_file(path: Path) -> dict[str, str]:
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise Mistake(f"can't be read: {error}", where=f"--map {path}") from None
    told: dict[str, str] = {}
    for table, names in content.items():
        if not isinstance(names, dict):
            names = {"table": names}
        for role, name in names.items():
            if not isinstance(name, str):
                raise Mistake("not a name", where=f"{path}: {table}.{role}")
            told[table if role == "table" else f"{table}.{role}"] = name
    return told


def _check_key(key: str) -> None:
    table, dot, role = key.partition(".")
    if table not in COLUMNS or (dot and role not in COLUMNS[table]):
        known = ", ".join(COLUMNS[table]) if table in COLUMNS else ", ".join(COLUMNS)
        raise Mistake(f"no such role: {key}", where="--map", remedy=f"there are {known}")


def mapped(database: sqlite3.Connection, told: Told) -> Mapped:
    """Their tables and columns by role; raises Mistake where one is missing or several could be meant."""
    rows = database.execute(
        "SELECT name, type, sql FROM sqlite_master WHERE type IN ('table', 'view') AND name NOT LIKE 'sqlite_%'"
    ).fetchall()
    kinds = {str(name): (str(kind), str(sql)) for name, kind, sql in rows}
    if not kinds:
        raise Mistake("a database without tables")
    tables: dict[str, Table] = {}
    for role in COLUMNS:
        name = _table_named(role, kinds, told)
        if name is None:
            continue
        table = _table(database, role, name, kinds[name], told)
        if table is not None:
            tables[role] = table
    return Mapped(tables=tables, names=tuple(sorted(kinds)))


def _table_named(role: str, kinds: Mapping[str, tuple[str, str]], told: Told) -> str | None:
    if role in told:
        if told[role] == NOTHING and role != "trades":
            return None
        if told[role] not in kinds:
            raise Mistake(f"no such table: {told[role]}", where=f"--map {role}={told[role]}")
        return told[role]
    found = _among(TABLES[role], kinds)
    if len(found) > 1:
        raise Mistake(
            f"which table holds the {role}: {' or '.join(found)}?",
            remedy=f"--map {role}={found[0]}",
        )
    if not found and role == "trades":
        raise Mistake(
            f"no table looks like trades; there are {_listed(kinds)}", remedy="--map trades=TABLE"
        )
    return found[0] if found else None


def _table(
    database: sqlite3.Connection, role: str, name: str, kind: tuple[str, str], told: Told
) -> Table | None:
    present = [str(row[1]) for row in database.execute(f"PRAGMA table_info({quoted(name)})")]
    columns: dict[str, str] = {}
    for part, usual in COLUMNS[role].items():
        key = f"{role}.{part}"
        if key in told:
            if told[key] == NOTHING:
                continue
            if told[key] not in present:
                raise Mistake(
                    f"{name} has no column {told[key]}; it has {_listed(present)}",
                    where=f"--map {key}",
                )
            columns[part] = told[key]
            continue
        found = _among(usual, present)
        if len(found) > 1 and part in REQUIRED[role]:
            raise Mistake(
                f"which column of {name} is the {part}: {' or '.join(found)}?",
                remedy=f"--map {key}={found[0]}",
            )
        if found:
            columns[part] = found[0]
    for part in REQUIRED[role]:
        if part not in columns:
            if role not in ("trades", "positions") and role not in told:
                return None  # A table that only has the name.
            raise Mistake(
                f"{name} has no column that looks like the {part}; it has {_listed(present)}",
                remedy=f"--map {role}.{part}=COLUMN",
            )
    is_table = kind[0] == "table" and "without rowid" not in kind[1].lower()
    return Table(
        name=name, columns=columns, has_rowid=is_table and not _hides_rowid(database, name)
    )


def _hides_rowid(database: sqlite3.Connection, name: str) -> bool:
    """A column of that name that is no row's number stands before it."""
    columns = database.execute(f"PRAGMA table_info({quoted(name)})")
    return any(
        column.lower() == "rowid" and (kind.upper() != "INTEGER" or key != 1)
        for _, column, kind, _, _, key in columns
    )


def _among(usual: str, present: Sequence[str] | Mapping[str, object]) -> list[str]:
    """Those that are there, by the case they are there in; the surest alone, if it is."""
    by_name = {name.lower(): name for name in present}
    found = [by_name[word] for word in usual.split() if word in by_name]
    surest = usual.split()[0]
    return found[:1] if found and found[0].lower() == surest else found


def _listed(names: Sequence[str] | Mapping[str, object]) -> str:
    shown = list(names)[:_NAMES_SHOWN_MAX]
    return ", ".join(shown) + (", …" if len(names) > len(shown) else "")

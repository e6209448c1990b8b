"""The simulated broker's own file: orders, executions, activities and accounts, saved before a reply leaves.

One transaction for each thing that happened; no fsync (WAL, synchronous=NORMAL): what was acknowledged survives the
death of the process, which is what a trader's own crash looks like to a broker, though not a loss of power.
"""

import sqlite3
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TypeVar

import msgspec
from msgspec import Struct

from trader.exits import StartRefused
from trader.money import canonical
from trader.simulator.keys import Keys, Owner
from trader.simulator.scheduled import ScheduledEvent
from trader.venue import Activity, VenueAccount, VenueExecution, VenueOrder, VenueState

T = TypeVar("T")
APPLICATION_ID = 0x54424B32  # "TBK2"
SCHEMA = """
CREATE TABLE broker (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE accounts (account_id TEXT PRIMARY KEY, account TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE orders (
    number INTEGER PRIMARY KEY,
    client_order_id TEXT NOT NULL,
    symbol TEXT NOT NULL,
    side TEXT NOT NULL,
    quantity TEXT NOT NULL,
    status TEXT NOT NULL,
    "order" TEXT NOT NULL
);
CREATE TABLE executions (number INTEGER PRIMARY KEY, execution TEXT NOT NULL);
CREATE TABLE activities (number INTEGER PRIMARY KEY, activity TEXT NOT NULL);
"""
# A file of before has no such table, and nothing to be in it.
EVENTS = "CREATE TABLE IF NOT EXISTS events (number INTEGER PRIMARY KEY, event TEXT NOT NULL)"

SAVE_ORDER = """
INSERT INTO orders VALUES (?,?,?,?,?,?,?)
ON CONFLICT (number) DO UPDATE SET status = excluded.status, "order" = excluded."order"
"""
SAVE_ACCOUNT = """
INSERT INTO accounts VALUES (?,?) ON CONFLICT (account_id) DO UPDATE SET account = excluded.account
"""
SAVE_VALUE = (
    "INSERT INTO broker VALUES (?,?) ON CONFLICT (key) DO UPDATE SET value = excluded.value"
)


class SessionMark(Struct, frozen=True, kw_only=True):
    """How far the broker has come: the last session begun, and whether it ended."""

    date: str = ""
    ended: bool = True


class BrokerStore:
    """Tables that only grow, but for the state of an order and of an account. Path None: nothing is kept."""

    def __init__(self, path: Path | None) -> None:
        self._path = path
        if path is not None:
            path.touch(mode=0o600)  # Keys may be kept in it.
        self._connection = sqlite3.connect(
            ":memory:" if path is None else str(path), isolation_level=None
        )
        try:
            self._open()
            self._saved_executions = self._count("executions")
            self._saved_activities = self._count("activities")
        except sqlite3.DatabaseError as error:
            self._connection.close()
            raise self._refused(f"not the simulated broker's file: {error}") from None

    def close(self) -> None:
        self._connection.close()

    def load(self) -> tuple[VenueState, SessionMark]:
        """Raises StartRefused where something in it can't be read."""
        state = VenueState(
            accounts={
                one.account_id: one
                for one in self._all(VenueAccount, "account", "accounts", "account_id")
            },
            orders={one.order_id: one for one in self._all(VenueOrder, '"order"', "orders")},
            executions=self._all(VenueExecution, "execution", "executions"),
            activities=self._all(Activity, "activity", "activities"),
        )
        state.now_ns = self._value("now_ns", int) or 0
        return state, self._value("session", SessionMark) or SessionMark()

    def owners(self) -> list[Owner]:
        """In the order in which their accounts were opened."""
        return self._value("owners", list[Owner]) or []

    def save_owners(self, owners: list[Owner]) -> None:
        self._connection.execute(SAVE_VALUE, ("owners", msgspec.json.encode(owners).decode()))

    def events(self) -> list[ScheduledEvent]:
        """What somebody has scheduled while the broker ran, in order; past or to come."""
        return self._all(ScheduledEvent, "event", "events")

    def save_event(self, event: ScheduledEvent) -> None:
        self._connection.execute("INSERT INTO events (event) VALUES (?)", (_text(event),))

    def save(
        self,
        state: VenueState,
        changed: Sequence[VenueOrder],
        mark: SessionMark,
        *,
        is_orders_only: bool = False,
    ) -> None:
        """Everything new in `state`, all of it or nothing; `changed` are the orders that are new or changed.

        With `is_orders_only` no account has changed but theirs.
        """
        accounts: Iterable[VenueAccount] = state.accounts.values()
        if is_orders_only:
            accounts = [state.accounts[one] for one in {order.account_id for order in changed}]
        execute, many = self._connection.execute, self._connection.executemany
        execute("BEGIN IMMEDIATE")
        try:
            many(SAVE_ORDER, map(_order_row, changed))
            many(
                "INSERT INTO executions (execution) VALUES (?)",
                ((_text(one),) for one in state.executions[self._saved_executions :]),
            )
            many(
                "INSERT INTO activities (activity) VALUES (?)",
                ((_text(one),) for one in state.activities[self._saved_activities :]),
            )
            many(
                SAVE_ACCOUNT,
                ((one.account_id, _text(one)) for one in accounts),
            )
            many(
                SAVE_VALUE,
                [("now_ns", str(state.now_ns)), ("session", _text(mark))],
            )
            execute("COMMIT")
        except BaseException:
            execute("ROLLBACK")
            raise
        self._saved_executions = len(state.executions)
        self._saved_activities = len(state.activities)

    def _open(self) -> None:
        execute = self._connection.execute
        execute("PRAGMA journal_mode = WAL")
        execute("PRAGMA synchronous = NORMAL")
        (application_id,) = execute("PRAGMA application_id").fetchone()
        (tables,) = execute("SELECT count(*) FROM sqlite_master").fetchone()
        if not tables and not application_id:
            self._connection.executescript(
                f"BEGIN;{SCHEMA}PRAGMA application_id = {APPLICATION_ID};COMMIT;"
            )
        elif application_id != APPLICATION_ID:
            raise sqlite3.DatabaseError("it belongs to another application, or an older version")
        execute(EVENTS)

    def _count(self, table: str) -> int:
        (count,) = self._connection.execute(f"SELECT count(*) FROM {table}").fetchone()
        assert isinstance(count, int), "count(*) counts"
        return count

    def _value(self, key: str, kind: type[T]) -> T | None:
        texts = self._texts("SELECT value FROM broker WHERE key = ?", key)
        return self._read(texts[0], kind, key) if texts else None

    def _all(self, kind: type[T], column: str, table: str, key: str = "number") -> list[T]:
        texts = self._texts(f"SELECT {column} FROM {table} ORDER BY {key}")
        return [self._read(text, kind, table) for text in texts]

    def _texts(self, statement: str, *parameters: str) -> list[str]:
        try:
            return [text for (text,) in self._connection.execute(statement, parameters)]
        except sqlite3.DatabaseError as error:
            raise self._refused(f"damaged: {error}") from None

    def _read(self, text: str, kind: type[T], what: str) -> T:
        try:
            return msgspec.json.decode(text, type=kind)
        except (msgspec.MsgspecError, TypeError) as error:
            raise self._refused(f"damaged, in {what}: {error}") from None

    def _refused(self, what: str) -> StartRefused:
        remedy = "keep it as it is, and start with another"
        return StartRefused(what, where=str(self._path), remedy=remedy)


def kept_keys(path: Path) -> list[Keys]:
    """The keys in a file, in the order in which their accounts were opened; none where there is no file yet."""
    store = BrokerStore(path)
    keys = [owner.keys for owner in store.owners() if owner.keys is not None]
    store.close()
    return keys


def _order_row(order: VenueOrder) -> tuple[int, str, str, str, str, str, str]:
    return (
        order.number,
        order.client_order_id,
        order.symbol,
        order.side,
        canonical(order.quantity),
        order.status,
        _text(order),
    )


def _text(value: Struct) -> str:
    return msgspec.json.encode(value).decode()

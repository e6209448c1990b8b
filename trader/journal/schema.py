"""The tables on disk and the rules that SQLite itself keeps: types, append-only, one life at a time.

Money and quantities are canonical text (money.canonical), so that what is stored is exact; the views of views.py
turn it into numbers for people. No STRICT tables: one of them makes the whole file unreadable for sqlite3 before
3.37, which people have. The CHECKs say instead what STRICT would.
"""

import sqlite3
from collections.abc import Iterator
from functools import cache

from trader.journal.place import APPLICATION_ID, SCHEMA_VERSION
from trader.journal.sqlite_library import Database, Migrations
from trader.journal.views import VIEWS
from trader.model import OrderState, Purpose, Side

ENTRY_VERSION = 1  # of the entries' encoding; a journal with another one is refused, not guessed at


def _integer(name: str) -> str:
    return f"{name} INTEGER NOT NULL CHECK (typeof({name}) = 'integer')"


def _text(name: str) -> str:
    return f"{name} TEXT NOT NULL CHECK (typeof({name}) = 'text')"


def _amount(name: str) -> str:
    """Text of a finite decimal: 'NaN' and 'Infinity' don't begin like one. Checking each digit would cost too much."""
    return f"{name} TEXT NOT NULL CHECK (typeof({name}) = 'text' AND {name} GLOB '[-0-9]*')"


def _amount_or_null(name: str) -> str:
    return _amount(name).replace(" NOT NULL CHECK (", f" CHECK ({name} IS NULL OR ", 1)


def _one_of(name: str, words: type[OrderState | Purpose | Side]) -> str:
    return (
        f"{name} TEXT NOT NULL CHECK ({name} IN ({', '.join(repr(word.value) for word in words)}))"
    )


_WHEN = [_integer("at_ns"), _text("timestamp"), _text("session")]

TABLES: dict[str, list[str]] = {
    "journal": [
        "sequence INTEGER PRIMARY KEY NOT NULL CHECK (sequence > 0)",
        f"version INTEGER NOT NULL CHECK (version = {ENTRY_VERSION})",
        "epoch INTEGER NOT NULL CHECK (epoch > 0)",
        *_WHEN,
        _text("entry"),
        "hash TEXT NOT NULL CHECK (length(hash) = 64)",
    ],
    "life_rows": [
        "epoch INTEGER PRIMARY KEY NOT NULL CHECK (epoch > 0)",
        _integer("sequence"),
        _integer("pid"),
        _text("build"),
        _text("version"),
        _text("broker"),
        _text("account"),
        _text("started_at"),
        "ended_at TEXT",
        "exit_code INTEGER",
    ],
    "order_rows": [
        # The journal's sequence number: neighbours in time are neighbours on disk.
        "decision_id INTEGER PRIMARY KEY NOT NULL",
        "client_order_id TEXT NOT NULL UNIQUE",
        _text("decision_key"),
        _text("request_id"),
        *_WHEN,
        _text("strategy"),
        _text("symbol"),
        _one_of("side", Side),
        _one_of("purpose", Purpose),
        _text("order_type"),
        _text("time_in_force"),
        _text("reason"),
        _integer("epoch"),
        _text("build"),
        _amount("quantity"),
        _amount_or_null("limit_price"),
        _one_of("state", OrderState),
        "broker_order_id TEXT",
        _amount("quantity_filled"),
        _amount("quantity_leaves"),
        _amount_or_null("avg_price"),
        _amount("fees"),
        _amount("reserved"),
        _text("state_reason"),
        "ended_sequence INTEGER",
        "entry_before INTEGER",  # decision_id of the entry order that the symbol had before this one
    ],
    "execution_rows": [
        "id INTEGER PRIMARY KEY NOT NULL",
        _integer("sequence"),
        *_WHEN,
        _text("account"),
        _text("execution_id"),
        _text("client_order_id"),
        _text("strategy"),
        _text("symbol"),
        _one_of("side", Side),
        _amount("quantity"),
        _amount("price"),
        _amount("notional"),
        _amount("fees"),
        _amount("realized_pnl"),
        "UNIQUE (account, execution_id)",
    ],
    "movement_rows": [
        _integer("sequence"),
        _integer("line"),
        *_WHEN,
        _text("kind"),
        _text("reference"),
        "symbol TEXT",
        _amount("cash"),
        _amount("quantity"),
        _amount("cost"),
        _amount("realized_pnl"),
        _amount("fees"),
        _amount("deposit"),
        _text("description"),
        "client_order_id TEXT",
        "PRIMARY KEY (sequence, line)",
        "UNIQUE (kind, reference)",
    ],
    "position_rows": [
        "symbol TEXT PRIMARY KEY NOT NULL",
        "strategy TEXT",
        _amount("quantity"),
        _amount("cost"),
        _amount("avg_cost"),
        _integer("mark"),
        _amount_or_null("market_price"),
        _amount("unrealized_pnl"),
        _amount("realized_pnl"),
        _amount("quantity_pending_buy"),
        _amount("quantity_pending_sell"),
        _text("closed_reason"),
    ],
    "account_row": [
        "id INTEGER PRIMARY KEY NOT NULL CHECK (id = 1)",
        _integer("sequence"),
        _text("hash"),
        _integer("epoch"),
        *_WHEN,
        _text("account"),
        _text("phase"),
        _amount("opening"),
        _amount("cash"),
        _amount("reserved"),
        _amount("fees"),
        _amount("realized_pnl"),
        _amount("positions_value"),
        _amount("equity"),
        _amount("equity_session"),
        _text("halted"),
        _text("closed_reason"),
        _integer("requests"),
        _integer("accepted"),
        _integer("blocked"),
        _integer("denied"),
    ],
    "mode_row": [
        "id INTEGER PRIMARY KEY NOT NULL CHECK (id = 1)",
        "mode TEXT NOT NULL CHECK (mode IN ('ACTIVE', 'HALTED', 'REDUCING'))",
        _text("since"),
        _text("who"),
        _text("reason"),
    ],
    "reduction_rows": [
        "symbol TEXT PRIMARY KEY NOT NULL",
        _text("kind"),
        _text("since"),
        _text("who"),
        _text("reason"),
        _integer("exits"),
        _text("waits_for"),
        _text("reference"),
    ],
    "equity_rows": [
        _integer("sequence"),
        _integer("line"),
        *_WHEN,
        _amount("equity"),
        _amount("cash"),
        _amount("positions_value"),
        _amount("realized_pnl"),
        _amount("unrealized_pnl"),
        "PRIMARY KEY (sequence, line)",
    ],
    "decision_rows": [
        "sequence INTEGER PRIMARY KEY NOT NULL",
        *_WHEN,
        _text("request_id"),
        _text("decision_key"),
        _text("symbol"),
        _text("strategy"),
        _one_of("side", Side),
        _one_of("purpose", Purpose),
        "outcome TEXT NOT NULL CHECK (outcome IN ('accepted', 'duplicate_blocked', 'denied'))",
        _text("reason"),
        _text("numbers"),
    ],
    "posting_rows": [
        _integer("sequence"),
        _integer("line"),
        _text("account"),
        _text("instrument"),
        _amount("amount"),
        "PRIMARY KEY (sequence, line)",
    ],
    "notice_rows": [
        _integer("sequence"),
        _integer("line"),
        *_WHEN,
        _text("kind"),
        "symbol TEXT",
        _text("message"),
        "PRIMARY KEY (sequence, line)",
    ],
}
ADDED_IN_2 = ("mode_row", "reduction_rows")
WITHOUT_ROWID = ("position_rows", "equity_rows", "movement_rows", "posting_rows", "notice_rows")
APPEND_ONLY = (
    "journal",
    "execution_rows",
    "equity_rows",
    "movement_rows",
    "decision_rows",
    "posting_rows",
    "notice_rows",
)

FENCED = "fenced"  # how the messages begin of what stops a writer whose life is over
_GUARDS = f"""
CREATE TRIGGER journal_is_for_the_current_life BEFORE INSERT ON journal
WHEN NEW.epoch <> (SELECT ifnull(max(epoch), 0) FROM life_rows)
BEGIN SELECT RAISE(ABORT, '{FENCED}: another life has begun'); END;

-- Also what stops INSERT OR REPLACE, which walks past delete triggers.
CREATE TRIGGER journal_has_no_gaps BEFORE INSERT ON journal
WHEN NEW.sequence <> (SELECT ifnull(max(sequence), 0) + 1 FROM journal)
BEGIN SELECT RAISE(ABORT, '{FENCED}: somebody else has written'); END;

CREATE TRIGGER execution_rows_are_never_replaced BEFORE INSERT ON execution_rows
WHEN EXISTS (SELECT 1 FROM execution_rows WHERE account = NEW.account AND execution_id = NEW.execution_id)
BEGIN SELECT RAISE(ABORT, 'this execution is booked already'); END;
"""

migrations = Migrations("trader")


@migrations()
def first_schema(database: Database) -> None:
    """Everything that schema version 1 has."""
    for statement in _statements():
        database.execute(statement)
    database.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    database.execute("PRAGMA user_version = 1")


@migrations()
def kill_switch_and_reductions(database: Database) -> None:
    """Schema version 2: the mode with who, when and why; what has to go, and what each waits for."""
    for name in ADDED_IN_2:
        database.execute(_table(name))
    database.execute("PRAGMA user_version = 2")


def migrate(connection: sqlite3.Connection) -> None:
    """Bring the file's schema up to SCHEMA_VERSION, each step in one transaction."""
    migrations.apply(Database(connection))


def is_older(connection: sqlite3.Connection) -> bool:
    """An older trader wrote this file; the next start brings its schema up to date."""
    [version] = connection.execute("PRAGMA user_version").fetchone()
    return bool(version < SCHEMA_VERSION)


@cache
def _ours() -> dict[tuple[str, str], str]:
    """As a new file would have them."""
    anew = sqlite3.connect(":memory:")
    try:
        migrate(anew)
        return _objects(anew)
    finally:
        anew.close()


def changes_of_schema(connection: sqlite3.Connection) -> Iterator[str]:
    """What of ours is missing or rewritten in this file, and each trigger that isn't ours.

    Tables, views and indexes of other people beside ours change nothing here, and pass.
    """
    ours, theirs = _ours(), _objects(connection)
    for (kind, name), statement in ours.items():
        if (kind, name) not in theirs:
            yield f"{kind} {name} is missing"
        elif theirs[kind, name] != statement:
            yield f"{kind} {name} is not as it was made"
    yield from (
        f"trigger {name} isn't ours"
        for kind, name in theirs
        if kind == "trigger" and (kind, name) not in ours
    )


def _objects(connection: sqlite3.Connection) -> dict[tuple[str, str], str]:
    """By kind and name; SQLite's own are left out, and those of sqlite-utils, whose wording is its own business."""
    rows = connection.execute(
        "SELECT type, name, sql FROM sqlite_master WHERE substr(ltrim(name, '_'), 1, 7) <> 'sqlite_'"
    )
    return {(kind, name): statement for kind, name, statement in rows}


def _table(name: str) -> str:
    rowid = " WITHOUT ROWID" if name in WITHOUT_ROWID else ""
    return f"CREATE TABLE {name} ({', '.join(TABLES[name])}){rowid}"


def _statements() -> list[str]:
    """One DDL statement each of the first schema, tables before triggers before views."""
    tables = [_table(name) for name in TABLES if name not in ADDED_IN_2]
    refusals = [
        f"CREATE TRIGGER {name}_no_{verb.lower()} BEFORE {verb} ON {name} "
        f"BEGIN SELECT RAISE(ABORT, '{name} is append-only'); END"
        for name in APPEND_ONLY
        for verb in ("UPDATE", "DELETE")
    ]
    guards = [text.strip().removesuffix(";") + ";" for text in _GUARDS.split("\n\n")]
    return tables + refusals + guards + list(VIEWS)

"""Carries a plan of repair out, and back: only rows of our own are added, in one transaction, or none is.

The tables of the other program stay as they are, to the byte. Beside them stand `repairs`, one row for each plan that
was carried out or undone; `repair_voids`, the rows of trades that stand for nothing; `repair_adjustments`, what has to
be added to recorded figures; and the view `effective_trades`, the trades that are left. Undoing adds a row, too.
"""

import sqlite3
from pathlib import Path
from urllib.parse import quote

from msgspec import Struct

from trader.audit.auditing import Wanted, audit, audit_of
from trader.audit.cash import TOLERANCE
from trader.audit.columns import mapped
from trader.audit.plan import Plan, plan_of, same_but_for_names
from trader.audit.reading import STANDING
from trader.audit.safekeeping import OURS, back_up, check_alone, digest_of_file, originals_digest
from trader.audit.source import check_beside, checked_header, file_digest, quoted
from trader.audit.words import Audit
from trader.exits import StartRefused

TABLES = {
    "repairs": """CREATE TABLE repairs(
  id INTEGER PRIMARY KEY, plan TEXT NOT NULL, undoes INTEGER, made_at TEXT NOT NULL, who TEXT NOT NULL,
  reason TEXT NOT NULL, originals TEXT NOT NULL)""",
    "repair_voids": """CREATE TABLE repair_voids(
  repair INTEGER NOT NULL, trade INTEGER NOT NULL, symbol TEXT NOT NULL, reason TEXT NOT NULL,
  PRIMARY KEY(repair, trade))""",
    "repair_adjustments": """CREATE TABLE repair_adjustments(
  repair INTEGER NOT NULL, subject TEXT NOT NULL, amount TEXT NOT NULL, recorded TEXT NOT NULL,
  adjusted TEXT NOT NULL, reason TEXT NOT NULL, PRIMARY KEY(repair, subject))""",
}
VIEW = """CREATE VIEW effective_trades AS SELECT * FROM {trades} WHERE rowid NOT IN (
  SELECT trade FROM repair_voids WHERE repair IN (SELECT id FROM repairs WHERE {standing}))"""


class Signed(Struct, frozen=True, kw_only=True):
    """Who repairs, when (UTC), and why."""

    who: str
    at: str
    reason: str


def planned(wanted: Wanted, found: Audit) -> Plan:
    """The plan for what an audit found; raises StartRefused where rows could not be told apart for good."""
    plan = plan_of(found, wanted)
    if plan.voids:
        database = sqlite3.connect(f"file:{quote(str(wanted.path))}?mode=ro", uri=True)
        try:
            _check_numbered(database, wanted)
        finally:
            database.close()
    return plan


def _check_numbered(database: sqlite3.Connection, wanted: Wanted) -> None:
    table = mapped(database, wanted.told).trades
    columns = database.execute(f"PRAGMA table_info({quoted(table.name)})").fetchall()
    keys = [str(column[2]).upper() for column in columns if column[5]]
    if not table.has_rowid or keys != ["INTEGER"]:
        raise StartRefused(
            f"the rows of {table.name} have no lasting number (INTEGER PRIMARY KEY)",
            where=str(wanted.path),
            remedy="copy them into a table that numbers them",
        )


def apply(path: Path, plan: Plan, backup: Path, signed: Signed) -> bool:
    """Carry the plan out; False: it is carried out already. Raises StartRefused and leaves everything as it was."""
    checked_header(path)
    check_beside(path)
    check_alone(path)
    if is_applied(path, plan):
        return False
    if file_digest(path) != plan.sha256:
        raise StartRefused(
            "is not the file that the plan was made for: it has changed since, or is another",
            where=str(path),
            remedy="make a new plan",
        )
    wanted = plan.wanted(path)
    if not same_but_for_names(planned(wanted, audit(wanted)), plan):
        raise StartRefused("the plan is not what the audit of this file gives", where=str(path))
    before = digest_of_file(path)
    back_up(path, backup)
    database = _opened(path)
    try:
        _write(database, wanted, plan, signed, before)
        _verify(database, wanted, plan, before)
        database.execute("COMMIT")
    except sqlite3.Error as error:
        raise StartRefused(f"nothing was changed: {error}", where=str(path)) from None
    finally:
        _closed(database)
    return True


def undo(path: Path, signed: Signed) -> int:
    """Take the last repair that stands back, by a row that says so; gives its number. Raises StartRefused."""
    checked_header(path)
    check_beside(path)
    check_alone(path)
    database = _opened(path)
    try:
        if not _has_repairs(database):
            raise StartRefused("no repair stands, nothing to undo", where=str(path))
        row = database.execute(
            f"SELECT id, plan, originals FROM repairs WHERE {STANDING} ORDER BY id DESC LIMIT 1"
        ).fetchone()
        if row is None:
            raise StartRefused("no repair stands, nothing to undo", where=str(path))
        number, plan, originals = row
        if originals_digest(database) != originals:
            raise StartRefused(
                f"trades or other rows were added or changed since repair {number}:"
                " undone, they would stand beside phantoms that nobody has judged with them",
                where=str(path),
                remedy="audit again, and repair what it finds",
            )
        _sign(database, plan, number, signed, originals)
        if originals_digest(database) != originals:
            raise StartRefused("the original tables would change", where=str(path))
        database.execute("COMMIT")
    except sqlite3.Error as error:
        raise StartRefused(f"nothing was changed: {error}", where=str(path)) from None
    finally:
        _closed(database)
    assert isinstance(number, int)
    return number


def is_applied(path: Path, plan: Plan) -> bool:
    """Whether this very plan is carried out, and stands."""
    database = sqlite3.connect(f"file:{quote(str(path))}?mode=ro", uri=True, isolation_level=None)
    try:
        if not _has_repairs(database):
            return False
        asked = f"SELECT count(*) FROM repairs WHERE plan = ? AND {STANDING}"
        return bool(database.execute(asked, (plan.digest,)).fetchone()[0])
    except sqlite3.Error as error:
        raise StartRefused(f"can't be read: {error}", where=str(path)) from None
    finally:
        database.close()


def _opened(path: Path) -> sqlite3.Connection:
    """For us alone, in a transaction that is durable once it is committed."""
    database = sqlite3.connect(path, isolation_level=None)
    try:
        database.execute("PRAGMA busy_timeout = 0")
        database.execute("PRAGMA synchronous = FULL")
        database.execute("BEGIN EXCLUSIVE")
    except sqlite3.Error as error:
        database.close()
        raise StartRefused(f"can't be had alone: {error}", where=str(path)) from None
    return database


def _closed(database: sqlite3.Connection) -> None:
    if database.in_transaction:
        database.execute("ROLLBACK")
    database.close()


def _has_repairs(database: sqlite3.Connection) -> bool:
    return bool(database.execute("SELECT 1 FROM sqlite_master WHERE name = 'repairs'").fetchone())


def _write(
    database: sqlite3.Connection, wanted: Wanted, plan: Plan, signed: Signed, before: str
) -> None:
    there = dict(
        database.execute(
            f"SELECT name, sql FROM sqlite_master WHERE name IN ({', '.join('?' * len(OURS))})",
            sorted(OURS),
        ).fetchall()
    )
    trades = quoted(mapped(database, wanted.told).trades.name)
    view = VIEW.format(trades=trades, standing=STANDING)
    for name, sql in {**TABLES, "effective_trades": view}.items():
        if name not in there:
            database.execute(sql)
        elif there[name] != sql:
            raise StartRefused(f"has a table {name} that is not ours", where=str(wanted.path))
    number = _sign(database, plan.digest, None, signed, before)
    database.executemany(
        "INSERT INTO repair_voids VALUES (?, ?, ?, ?)",
        [(number, one.trade, one.symbol, one.reason) for one in plan.voids],
    )
    database.executemany(
        "INSERT INTO repair_adjustments VALUES (?, ?, ?, ?, ?, ?)",
        [
            (number, one.subject, one.amount, one.recorded, one.adjusted, one.reason)
            for one in plan.adjustments
        ],
    )


def _sign(
    database: sqlite3.Connection, plan: str, undoes: int | None, signed: Signed, originals: str
) -> int:
    added = database.execute(
        "INSERT INTO repairs(plan, undoes, made_at, who, reason, originals) VALUES (?, ?, ?, ?, ?, ?)",
        (plan, undoes, signed.at, signed.who, signed.reason, originals),
    ).lastrowid
    assert added is not None
    return added


def _verify(database: sqlite3.Connection, wanted: Wanted, plan: Plan, before: str) -> None:
    """Inside the transaction: their tables are untouched, and an audit of what now stands finds what was promised."""

    def failed(what: str) -> StartRefused:
        return StartRefused(f"nothing was changed: {what}", where=str(wanted.path))

    if originals_digest(database) != before:
        raise failed("the original tables would change")
    found = audit_of(database, wanted, digest="")
    if found.phantoms:
        raise failed(f"{found.phantoms} phantoms would be left")
    if found.repaired < len(plan.voids):
        raise failed("rows that are to be left out are not there")
    cash = found.money
    is_adjusted = any(one.subject == "cash" for one in plan.adjustments)
    if is_adjusted and (
        cash.right is None or cash.recorded is None or abs(cash.right - cash.recorded) > TOLERANCE
    ):
        raise failed("cash would still be wrong")

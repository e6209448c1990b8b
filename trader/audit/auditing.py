"""The audit: reads the books once, symbol by symbol, judges them, and gathers what is wrong."""

import sqlite3
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from datetime import tzinfo
from decimal import Decimal
from pathlib import Path

from msgspec import Struct
from msgspec.structs import replace

from trader.audit.cash import cash_findings, cash_judged, profit_findings, profits_of
from trader.audit.cells import Moments
from trader.audit.columns import Mapped, Told, mapped
from trader.audit.findings import findings_of, notes_of, reading_lines, timeline_of
from trader.audit.judging import judged
from trader.audit.reading import Reading
from trader.audit.source import OtherEncoding, file_digest, looking_at, quoted
from trader.audit.statement import read_statement
from trader.audit.timing import Clocked
from trader.audit.traces import gone_since, traces_of
from trader.audit.words import (
    Account,
    Audit,
    Execution,
    Finding,
    Judged,
    Kind,
    Position,
    Statement,
    Trades,
)
from trader.exits import Mistake
from trader.money import ZERO

Progress = Callable[[int], None]  # told how many more rows were read


class Wanted(Struct, frozen=True, kw_only=True):
    """What a person asked for."""

    path: Path
    zone: tzinfo
    zone_name: str
    told: Mapping[str, str] = {}
    statement: Path | None = None
    earlier: Path | None = None
    start: Decimal | None = None


def silent(_rows: int) -> None:
    """No progress is shown."""


def audit(wanted: Wanted, progress: Progress = silent) -> Audit:
    """Everything that can be found; raises Mistake or StartRefused where the file can't be read."""
    try:
        return _audit(wanted, progress, is_lenient=False)
    except OtherEncoding:  # Reading each text leniently takes longer.
        return _audit(wanted, progress, is_lenient=True)


def _audit(wanted: Wanted, progress: Progress, *, is_lenient: bool) -> Audit:
    digest = file_digest(wanted.path) if wanted.path.is_file() else ""
    with looking_at(wanted.path, is_lenient=is_lenient) as database, ExitStack() as stack:
        found = audit_of(database, wanted, digest=digest, progress=progress)
        if wanted.earlier is None:
            return found
        earlier = stack.enter_context(looking_at(wanted.earlier, is_lenient=is_lenient))
        now = _numbered(database, wanted.path, wanted.told)
        then = _numbered(earlier, wanted.earlier, wanted.told)
        gone = gone_since(database, now, earlier, then)
        return replace(found, findings=(*found.findings, *gone))


def _numbered(database: sqlite3.Connection, path: Path, told: Told) -> Mapped:
    """Raises Mistake where rows can't be told apart from one copy to another."""
    names = mapped(database, told)
    if not names.trades.has_rowid:
        what = f"the rows of {names.trades.name} have no numbers to be compared by"
        raise Mistake(what, where=str(path), remedy="leave --earlier out")
    return names


def rows_to_read(path: Path, told: Told) -> int:
    """How many trades there are, for who shows progress."""
    with looking_at(path) as database:
        name = quoted(mapped(database, told).trades.name)
        return int(database.execute(f"SELECT count(*) FROM {name}").fetchone()[0])


def audit_of(
    database: sqlite3.Connection, wanted: Wanted, *, digest: str, progress: Progress = silent
) -> Audit:
    """The same of a database that is open; `digest` names the bytes it has on the disk."""
    names = mapped(database, wanted.told)
    moments = Moments(wanted.zone, wanted.zone_name)
    reading = Reading(database, names, moments)
    positions, history = reading.positions(), reading.history()
    accounts = reading.accounts()
    account = _adjusted(accounts[-1] if accounts else Account(), reading)
    statement = None
    if wanted.statement is not None:
        statement = read_statement(wanted.statement, Moments(wanted.zone, wanted.zone_name))
    traces = traces_of(reading, account, positions)
    can_tell = not traces.is_cleaned_up
    clocked = Clocked(history)
    symbols = _judged(reading, positions, statement, clocked, can_tell, progress)
    flows = sorted((*reading.flows(), *(statement.flows if statement else ())))
    money = cash_judged(account, wanted.start, symbols, flows, history, clocked, can_tell=can_tell)
    damage = reading.damage()
    if damage or not reading.is_whole:
        money = replace(money, is_sure=False, checks=())
    last = history[-1] if history else None
    profits = profits_of(
        account, money, symbols, last, reading.position_profit(), can_tell=can_tell
    )
    bursts = clocked.bursts()
    findings: list[Finding] = [
        *_about_file(damage),
        *traces.findings,
        *findings_of(reading, symbols, accounts, bursts, statement),
        *cash_findings(money, can_tell=can_tell),
        *profit_findings(profits),
    ]
    return Audit(
        path=str(wanted.path),
        sha256=digest,
        reading=reading_lines(reading, statement, positions, accounts, history),
        trades=sum(one.buys + one.sales for one in symbols),
        sales=sum(one.sales for one in symbols),
        first_ns=clocked.first_ns,
        last_ns=clocked.last_ns,
        symbols=tuple(symbols),
        money=money,
        equity=account.equity,
        profits=profits,
        bursts=tuple(bursts),
        minutes=clocked.minutes,
        findings=tuple(findings),
        notes=(*traces.notes, *notes_of(reading, symbols, bursts)),
        timeline=timeline_of(symbols, money, bursts, clocked),
        is_cleaned_up=traces.is_cleaned_up,
        rows_read=reading.rows,
        repaired=reading.voided(),
    )


def _about_file(damage: str) -> list[Finding]:
    if not damage:
        return []
    says = (
        f"SQLite finds the file damaged, so rows may be missing: {damage[:200]}; restore a backup"
    )
    return [Finding(kind=Kind.FILE_DAMAGED, count=1, says=says)]


def _adjusted(account: Account, reading: Reading) -> Account:
    """As recorded and then adjusted by repairs."""

    def with_repairs(amount: Decimal | None, subject: str) -> Decimal | None:
        return None if amount is None else amount + reading.adjusted(subject)

    return Account(
        cash=with_repairs(account.cash, "cash"),
        equity=with_repairs(account.equity, "equity"),
        profit=with_repairs(account.profit, "profit"),
        total=account.total,
        start=account.start,
    )


def _judged(
    reading: Reading,
    positions: Mapping[str, Position] | None,
    statement: Statement | None,
    clocked: Clocked,
    can_tell: bool,
    progress: Progress,
) -> list[Judged]:
    nothing = Position(quantity=ZERO, cost=ZERO, value=ZERO)
    found: list[Judged] = []
    before = 0
    for trades in reading.trades():
        if not trades.symbol:
            continue
        recorded = None if positions is None else positions.get(trades.symbol, nothing)
        reading.count_cents(trades)
        one = judged(trades, recorded, statement, can_tell=can_tell)
        clocked.add(trades, frozenset(one.phantom_ids))
        found.append(one)
        progress(reading.rows - before)
        before = reading.rows
    seen = {one.symbol for one in found}
    told: Mapping[str, Sequence[Execution]] = statement.executions if statement else {}
    for symbol in sorted({*(positions or {}), *told} - seen):
        recorded = None if positions is None else positions.get(symbol, nothing)
        if (recorded is not None and recorded.quantity) or symbol in told:
            found.append(judged(_no_trades(symbol), recorded, statement, can_tell=can_tell))
    return sorted(found, key=lambda one: (-one.phantom_buys - one.phantom_sales, one.symbol))


def _no_trades(symbol: str) -> Trades:
    return Trades(
        symbol=symbol,
        ids=[],
        is_buy=[],
        quantities=[],
        prices=[],
        fees=[],
        at_ns=[],
        orders=[],
        profit=None,
        unreadable=0,
    )

"""`trade status`: the mode first, who runs, what has to go, is held, open or in doubt, and what to look at."""

import sqlite3
from collections.abc import Iterator

import click
import msgspec
from msgspec import Struct
from msgspec.structs import replace

from trader.cli.answers import Row, reading, rows_of, shown, table_lines
from trader.cli.limits_left import Left, limits_left, lines_of
from trader.cli.options import Common, common_options
from trader.config import BrokerName
from trader.control import halt_file
from trader.journal.lock import writer_of
from trader.model import FINAL_STATES
from trader.remedies import remedy
from trader.wire.alpaca_data import IEX_ONLY

_FINAL = ", ".join(f"'{state.value}'" for state in sorted(FINAL_STATES))
_LIFE = "SELECT *, (SELECT max(sequence) FROM life_rows) AS began FROM lives ORDER BY epoch DESC LIMIT 1"
_ACCOUNT = """
SELECT cash, cash_reserved, cash - cash_reserved AS cash_free, equity, daily_pnl, halted, closed_reason FROM account
"""
_MOMENT = "SELECT timestamp, session, phase, requests, accepted, blocked, denied FROM account_row"
_POSITIONS = "SELECT symbol, quantity, avg_cost, market_price, unrealized_pnl FROM positions WHERE quantity <> 0"
_OPEN = f"""
SELECT timestamp, symbol, side, quantity, quantity_filled, limit_price, state, client_order_id FROM orders
WHERE state NOT IN ({_FINAL})
"""
_HAS_MODE = "SELECT 1 FROM sqlite_master WHERE name = 'mode_row'"  # not in an older trader's file
# What the night is, is for who trades it to say.
_OUT_OF_HOURS = {
    "closed": "the market is closed",
    "pre": "before regular hours",
    "post": "after regular hours",
}
_MODE = "SELECT mode, since, who, reason FROM mode_row"
_REDUCTIONS = (
    "SELECT symbol, kind, since, who, reason, exits, waits_for FROM reduction_rows ORDER BY symbol"
)
_CLOSED = "SELECT symbol, closed_reason FROM position_rows WHERE closed_reason <> ''"
_NOTICES = """
SELECT timestamp, kind, symbol, message FROM notice_rows
WHERE sequence >= ? AND kind NOT IN ('resumed', 'released', 'promoted', 'limit_changed')
ORDER BY sequence, line
"""
ALARMS_SHOWN_MAX = 10
BUILD_CHARACTERS = 12


class Status(Struct, frozen=True, kw_only=True):
    """Everything that the verb says."""

    mode: Row
    reductions: list[Row]
    process: str  # 'running', 'ended', 'gone' (without a word), or 'never started'
    pid: int | None
    life: Row
    moment: Row
    account: Row
    entries: str  # 'open' or 'closed'
    closed_reason: str
    symbols_closed: list[Row]
    positions: list[Row]
    orders_open: list[Row]
    orders_unknown: list[Row]
    alarms: list[Row]
    limits: list[Left]


@click.command("status")
@common_options
def command(common: Common) -> None:
    """Show who runs, whether it may enter, and what is open or in doubt."""
    with reading(common) as database:
        status = _status(database, writer_of(common.database))
    if (reason := halt_file.wanted(common.database)) is not None:
        status = _halted_by_file(status, str(halt_file.halt_file(common.database)), reason)
    if common.json:
        click.echo(msgspec.json.encode(status).decode())
        return
    for line in _lines(status):
        click.echo(line)


def _status(database: sqlite3.Connection, writer: tuple[int, str] | None) -> Status:
    life = _one(database, _LIFE)
    account = _one(database, _ACCOUNT)
    orders = rows_of(database, _OPEN)
    reason = str(account.get("closed_reason", "nothing was booked yet"))
    began = life.get("began")
    has_mode = bool(rows_of(database, _HAS_MODE))
    halted = str(account.get("halted", ""))
    return Status(
        mode=(_one(database, _MODE) if has_mode else {})
        or {"mode": "HALTED" if halted else "ACTIVE", "since": "", "who": halted, "reason": ""},
        reductions=rows_of(database, _REDUCTIONS) if has_mode else [],
        process=_process(life, writer),
        pid=writer[0] if writer else None,
        life={name: cell for name, cell in life.items() if name != "began"},
        moment=_one(database, _MOMENT),
        account={name: cell for name, cell in account.items() if name != "closed_reason"},
        entries="closed" if reason or not writer else "open",
        closed_reason=reason if writer or account.get("halted") else "nothing runs",
        symbols_closed=rows_of(database, _CLOSED),
        positions=rows_of(database, _POSITIONS),
        orders_open=orders,
        orders_unknown=[row for row in orders if row["state"] == "UNKNOWN"],
        alarms=[
            {**row, "remedy": remedy(str(row["kind"]), str(row["symbol"] or "") or None)}
            for row in rows_of(database, _NOTICES, (began if isinstance(began, int) else 0,))
        ],
        limits=limits_left(database),
    )


def _halted_by_file(status: Status, path: str, reason: str) -> Status:
    """A file that nobody has heard of yet, because nothing runs, keeps the next start from entering."""
    if status.mode["mode"] != "ACTIVE":
        return status  # The journal says so already, or has gone further.
    mode: Row = {"mode": "HALTED", "since": "", "who": f"the file {path}", "reason": reason}
    return replace(status, mode=mode, entries="closed", closed_reason=f"the file {path} is there")


def _one(database: sqlite3.Connection, question: str) -> Row:
    return next(iter(rows_of(database, question)), {})


def _process(life: Row, writer: tuple[int, str] | None) -> str:
    if writer is not None:
        return "running"
    if not life:
        return "never started"
    return "ended" if life["ended_at"] else "gone"


def _lines(status: Status) -> Iterator[str]:
    life, moment, account = status.life, status.moment, status.account
    yield f"mode      {_mode_words(status.mode)}"
    for row in status.reductions:
        yield f"          {_reduction_words(row)}"
    yield f"process   {_process_words(status)}"
    if not life or not account:
        return
    build = shown(life["build"])[:BUILD_CHARACTERS]
    yield f"life      {life['epoch']}, {life['broker']} {life['account']}, build {build}"
    if life["broker"] != BrokerName.SIMULATED.value:
        yield f"data      {IEX_ONLY}"
    yield f"market    session {moment['session']}, {moment['phase']}, as of {moment['timestamp']}"
    closed = f": {status.closed_reason}" if status.closed_reason else ""
    if status.entries == "open" and moment["phase"] in _OUT_OF_HOURS:
        closed = f"; {_OUT_OF_HOURS[str(moment['phase'])]}"
    yield f"entries   {status.entries}{closed}"
    for row in status.symbols_closed:
        yield f"          {shown(row['symbol'])} closed: {shown(row['closed_reason'])}"
    money = ("cash", "cash_reserved", "cash_free", "equity", "daily_pnl")
    yield "account   " + ", ".join(f"{name} {shown(_dollars(account[name]))}" for name in money)
    counts = ("requests", "accepted", "blocked", "denied")
    yield "requests  " + ", ".join(f"{name} {shown(moment[name])}" for name in counts[1:])
    for title, rows in (("positions", status.positions), ("open orders", status.orders_open)):
        yield ""
        yield f"{len(rows)} {title}" + (
            f", {len(status.orders_unknown)} UNKNOWN" * (title != "positions")
        )
        if rows:
            yield from (f"  {line}" for line in table_lines(rows))
    yield ""
    for number, line in enumerate(lines_of(status.limits)):
        yield ("          " if number else "limits    ") + line
    yield ""
    yield f"{len(status.alarms)} alarms since the start"
    for row in status.alarms[-ALARMS_SHOWN_MAX:]:
        yield f"  {row['timestamp']} {row['kind']} {shown(row['symbol'])} {shown(row['message'])}"
        yield f"    -> {row['remedy']}"


def _dollars(cell: object) -> float:
    return float(cell) if isinstance(cell, int | float) else 0.0


def _mode_words(row: Row) -> str:
    words = [f"{name} {shown(row[name])}" for name in ("since", "who") if row[name]]
    why = f": {shown(row['reason'])}" if row["reason"] else ""
    return ", ".join([shown(row["mode"]), *words]).replace("who ", "by ") + why


def _reduction_words(row: Row) -> str:
    what = f"{shown(row['symbol'])} has to go ({shown(row['kind'])}, since {shown(row['since'])}"
    waits = shown(row["waits_for"]) or "nothing: its next exit is on its way"
    return f"{what}, by {shown(row['who'])}: {shown(row['reason'])}), waits for {waits}"


def _process_words(status: Status) -> str:
    match status.process:
        case "running":
            return f"running, pid {status.pid}"
        case "ended":
            return f"ended at {status.life['ended_at']}, exit code {status.life['exit_code']}"
        case "gone":
            return f"gone without a word (pid {status.life['pid']}): bin/trade run starts it again"
        case _:
            return "never started"

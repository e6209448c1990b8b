"""How long the audit of a large foreign database takes, and how much memory: all of the verb, from start to end."""

import json
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

from tests.bench.measure import ENVIRONMENT, Sample, ended

WORK = 1_000_000  # trades
WORK_TINY = 2_000
SYMBOLS = 500
START = 10_000_000_00  # cents
SCHEMA = """
CREATE TABLE trades(id INTEGER PRIMARY KEY AUTOINCREMENT, symbol TEXT, side TEXT, quantity INTEGER, price REAL,
  commission REAL, timestamp TEXT);
CREATE TABLE positions(symbol TEXT, quantity INTEGER, avg_cost REAL);
CREATE TABLE account(cash REAL, equity REAL, realized_pnl REAL, starting_cash REAL);
CREATE TABLE equity_history(timestamp TEXT, cash REAL, equity REAL);
"""
Row = tuple[str, str, int, float, float, str]


def once(work: int, folder: Path) -> list[Sample]:
    """Sound round trips in 500 symbols over years, every tenth row a buy that never happened; cash is right."""
    path = folder.resolve() / "old.db"
    phantoms = _written(work, path)
    command = [sys.executable, "-P", "-m", "trader", "audit", str(path), "--json"]
    said = subprocess.run(command, env=ENVIRONMENT, stdout=subprocess.PIPE, check=False)
    assert json.loads(said.stdout)["totals"]["phantom_buys"] == phantoms
    used = ended(command, folder, code=1)
    what = f"{WORK:,} trades"
    return [
        Sample(name=f"{what} audited", value=used.wall_s, unit="s", goal=10, is_ceiling=True),
        Sample(name=f"{what} audited: CPU", value=used.cpu_s, unit="s"),
        Sample(
            name=f"{what} audited: peak memory",
            value=used.peak_mb,
            unit="MB",
            goal=500,
            is_ceiling=True,
        ),
    ]


def _written(work: int, path: Path) -> int:
    """Gives the number of phantoms."""
    phantoms, cash = 0, START
    snapshots: list[tuple[str, float, float]] = []

    def rows() -> Iterator[Row]:
        nonlocal phantoms, cash
        at, told, number = datetime(2015, 1, 5, 9, 31), 0, 0  # noqa: DTZ001  # as old programs write it
        while told < work - 5:
            number += 1
            symbol, shares = f"S{number % SYMBOLS:03}", 2 + number * 7 % 300
            price = 10_00 + number * 13 % 400_00
            at += timedelta(seconds=97)
            if at.hour > 14:
                at = at.replace(hour=9, minute=31) + timedelta(days=1)
            yield (symbol, "BUY", shares, price / 100, 0, _text(at))
            told += 1
            if number % 3 == 0:
                phantoms, told = phantoms + 1, told + 1
                yield (symbol, "BUY", shares + 1, price / 100, 0, _text(at + timedelta(seconds=2)))
            half = shares // 2
            for later, sold in ((30, half), (39, shares - half)):
                yield (symbol, "SELL", sold, (price + 5) / 100, 0, _text(at + timedelta(0, later)))
                told += 1
            cash += 5 * shares
            if number % 200 == 0:
                snapshots.append((_text(at + timedelta(seconds=50)), cash / 100, cash / 100))

    books = sqlite3.connect(path)
    books.executescript(SCHEMA)
    books.executemany(
        "INSERT INTO trades(symbol, side, quantity, price, commission, timestamp) VALUES (?, ?, ?, ?, ?, ?)",
        rows(),
    )
    books.executemany("INSERT INTO equity_history VALUES (?, ?, ?)", snapshots)
    account = (cash / 100, cash / 100, (cash - START) / 100, START / 100)
    books.execute("INSERT INTO account VALUES (?, ?, ?, ?)", account)
    books.commit()
    books.close()
    return phantoms


def _text(at: datetime) -> str:
    return at.isoformat(" ", timespec="milliseconds")

"""Another program's books as they are found: any rows you like, or those of the day on which 712 buys were recorded.

That day has the incident's own figures: 47 symbols, 712 buys of which 47 happened, 665 that were only written down, for
4,976,389.90; cash that should be 106,426.19 and is held at 0.00. Prices are invented; everything is the same each time.
"""

import json
import sqlite3
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from trader.__main__ import main
from trader.exits import Exit

STAGES = ("before", "after", "cleaned")
SCHEMA = """
CREATE TABLE trades(id INTEGER PRIMARY KEY AUTOINCREMENT, symbol TEXT, side TEXT, quantity, price, timestamp);
CREATE TABLE positions(symbol TEXT, quantity, avg_cost);
CREATE TABLE account(cash, equity, realized_pnl, starting_cash);
CREATE TABLE equity_history(timestamp TEXT, cash, equity);
"""
# What was run over the damaged books: it meant to keep the first buy of each symbol and hour, and kept nothing else.
CLEAN_UP = """
DELETE FROM trades WHERE id NOT IN
  (SELECT MIN(id) FROM trades WHERE side = 'BUY' GROUP BY symbol, strftime('%Y-%m-%d %H', timestamp));
UPDATE account SET cash = (SELECT starting_cash - SUM(quantity * avg_cost) FROM positions);
"""
NEW_YORK = timezone(timedelta(hours=-5))  # in January

START, LOST, HELD_COST = 250_000_00, 45_000_00, 50_000_00
REAL_COST, PHANTOM_NOTIONAL = 48_573_81, 4_976_389_90
SHARED = Path(__file__).parents[2] / "shared" / "incident" / "make_incident_db.py"


class Named(NamedTuple):
    """Of these the incident's figures are known."""

    buys: int
    shares: int
    price: int
    first: int  # shares of the one buy that happened


NAMED = {
    "JD": Named(52, 8_783, 2960, 33),
    "TERN": Named(35, 5_167, 3510, 29),
    "TRIP": Named(29, 11_136, 1302, 78),
    "SNDK": Named(24, 240, 47800, 2),
    "CYBR": Named(24, 264, 44600, 2),
    "GS": Named(22, 110, 93500, 1),
    "T": Named(21, 4_510, 2345, 43),
}
OTHERS = [f"{first}{second}X" for first in "ABCDE" for second in "ABCDEFGH"]
SYMBOLS = [*NAMED, *OTHERS]
OTHER_BUYS = [13] * 25 + [12] * 15  # 505 over 40 symbols


class Row(NamedTuple):
    """A recorded trade; price in cents."""

    symbol: str
    side: str
    quantity: int
    price: int
    at: datetime


def incident(path: Path, stage: str = "after", *, clamped: bool = True) -> Path:
    """The books at 18:18, at 19:15, or after they were cleaned up."""
    assert stage in STAGES
    rows = list(_history())
    held = {symbol: (10, 1_086_00) for symbol in SYMBOLS if symbol != "JD"}
    held[SYMBOLS[-1]] = (10, HELD_COST - 45 * 1_086_00)
    cash = START - LOST - HELD_COST
    snapshots = [(_at(26, 18, 18), cash, cash + HELD_COST)]
    if stage != "before":
        first: dict[str, Row] = {}
        for row in sorted(_incident(), key=lambda row: row.at):
            cost = row.quantity * row.price
            cash -= min(cost, cash) if clamped else cost
            first.setdefault(row.symbol, row)
            rows.append(row)
        for symbol, row in first.items():
            quantity, paid = held.get(symbol, (0, 0))
            held[symbol] = (quantity + row.quantity, paid + row.quantity * row.price)
        snapshots.append((_at(26, 19, 15), cash, cash + sum(paid for _, paid in held.values())))
    database(
        path,
        trades=[(r.symbol, r.side, r.quantity, r.price / 100, _iso(r.at)) for r in rows],
        positions=[(symbol, q, paid / q / 100) for symbol, (q, paid) in held.items()],
        account=[(cash / 100, snapshots[-1][2] / 100, -LOST / 100, START / 100)],
        history=[(_iso(at), had / 100, equity / 100) for at, had, equity in snapshots],
    )
    if stage == "cleaned":
        with sqlite3.connect(path) as books:
            books.executescript(CLEAN_UP)
        books.close()
    return path


def _history() -> Iterator[Row]:
    """91 sound round trips, of which 90 lose 500.00 each; then the 46 positions that are still open."""
    at = _at(5, 9, 35)
    for number in range(91):
        symbol = SYMBOLS[number % len(SYMBOLS)]
        yield Row(symbol, "BUY", 100, 50_00, at)
        yield Row(symbol, "SELL", 100, 45_00 if number else 50_00, at + timedelta(minutes=20))
        at += timedelta(minutes=50) if at.hour < 14 else timedelta(hours=19)
    for number, symbol in enumerate(SYMBOLS[1:]):
        cost = 1_086_00 if symbol != SYMBOLS[-1] else HELD_COST - 45 * 1_086_00
        yield Row(symbol, "BUY", 10, cost // 10, _at(23, 10, 0) + timedelta(minutes=4 * number))


def _incident() -> Iterator[Row]:
    """712 buys from 18:19 to 19:14; the first of each symbol happened. Three symbols stop before 19:00."""
    real_left = REAL_COST - sum(one.first * one.price for one in NAMED.values())
    phantom_left = PHANTOM_NOTIONAL - sum(
        (one.shares - one.first) * one.price for one in NAMED.values()
    )
    phantoms_left = sum(OTHER_BUYS) - len(OTHERS)
    for number, symbol in enumerate(SYMBOLS):
        one = NAMED.get(symbol)
        is_last = symbol == SYMBOLS[-1]
        buys = one.buys if one else OTHER_BUYS[number - len(NAMED)]
        times = _times(number, buys, minutes=38 if symbol in OTHERS[:3] else 54)
        if one:
            sizes = [one.first, *_split(one.shares - one.first, buys - 1)]
            yield from (
                Row(symbol, "BUY", shares, one.price, at)
                for shares, at in zip(sizes, times, strict=True)
            )
            continue
        price = 10_00 + number * 7_13
        shares = max(1, 1_000_00 // price)
        real_left -= shares * price
        yield Row(
            symbol,
            "BUY",
            1 if is_last else shares,
            real_left + shares * price if is_last else price,
            times[0],
        )
        for at in times[1:]:
            # The last one closes the sum, with one share at whatever is left.
            shares = 1 if phantoms_left == 1 else phantom_left // phantoms_left // price
            paid = phantom_left if phantoms_left == 1 else shares * price
            phantom_left, phantoms_left = phantom_left - paid, phantoms_left - 1
            yield Row(symbol, "BUY", shares, paid // shares, at)


def _times(number: int, buys: int, minutes: int) -> list[datetime]:
    """Spread over the minutes; every fourth in the same second as the one before."""
    step = minutes * 60 / buys
    begins = _at(26, 18, 19) + timedelta(seconds=number)
    places = [place - 1 if place % 4 == 3 else place for place in range(buys)]
    return [
        begins + timedelta(seconds=int(place * step), milliseconds=10 * order)
        for order, place in enumerate(places)
    ]


def _split(total: int, parts: int) -> list[int]:
    return [total // parts + (number < total % parts) for number in range(parts)]


def _at(day: int, hour: int, minute: int) -> datetime:
    return datetime(2026, 1, day, hour, minute, tzinfo=NEW_YORK)


def _iso(at: datetime) -> str:
    return at.isoformat(timespec="milliseconds")


def built_by_shared_script(folder: Path, stage: str, *more: str) -> Path:
    """The same day by the script in the shared folder; skips the test where that folder isn't."""
    if not SHARED.exists():
        pytest.skip(f"the shared folder's {SHARED.name} is not here")
    path = folder / f"shared-{stage}.db"
    command = [sys.executable, "-P", str(SHARED), str(path), "--stage", stage, *more]
    subprocess.run(command, check=True, capture_output=True)
    return path


Cells = Sequence[object]


def database(
    path: Path,
    *,
    trades: Iterable[Cells] = (),
    positions: Iterable[Cells] | None = (),
    account: Iterable[Cells] | None = (),
    history: Iterable[Cells] | None = (),
    schema: str = SCHEMA,
) -> Path:
    """Any books: trades as (symbol, side, quantity, price, timestamp), the others as their tables; None: no table."""
    path.unlink(missing_ok=True)
    books = sqlite3.connect(path)
    books.executescript(schema)
    columns = "symbol, side, quantity, price, timestamp"
    books.executemany(f"INSERT INTO trades({columns}) VALUES (?, ?, ?, ?, ?)", trades)
    others: Mapping[str, Iterable[Cells] | None] = {
        "positions": positions,
        "account": account,
        "equity_history": history,
    }
    for table, rows in others.items():
        if rows is None:
            books.execute(f"DROP TABLE {table}")
            continue
        for row in rows:
            books.execute(f"INSERT INTO {table} VALUES ({', '.join('?' * len(row))})", row)
    books.commit()
    books.close()
    return path


def report(captured: pytest.CaptureFixture[str], *arguments: str) -> dict[str, Any]:
    """What `audit` says of them, its exit code held against it."""
    code = main(["audit", *arguments, "--json"])
    found = json.loads(captured.readouterr().out)
    assert isinstance(found, dict)
    assert code == (Exit.DIFFERENCES if found["findings"] else Exit.WELL)
    return found

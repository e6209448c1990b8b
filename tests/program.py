"""The real program as a person runs it: a subprocess in a folder, its two databases, its log, and its last words."""

import json
import os
import re
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path

from msgspec import Struct

ROOT = Path(__file__).parents[1]
PATIENCE_S = 600  # a run that hangs is a run that failed, also on a slow machine
MARKET_DATA = ROOT.parent / "shared" / "market-data"


class Ended(Struct, frozen=True, kw_only=True):
    """What a run left on the terminal."""

    code: int
    out: str
    err: str

    def line(self, start: str) -> str:
        """The one line that begins like this."""
        [found] = [line for line in self.out.splitlines() if line.startswith(start)]
        return found

    def count(self, what: str) -> int:
        """A number of the last lines, such as 1,234 of '1,234 accepted'."""
        found = re.search(rf"([\d,]+) {what}", self.out)
        assert found is not None, f"{what!r} is not in the summary"
        return int(found[1].replace(",", ""))


class Folder:
    """A folder to run in, with the names of its databases."""

    def __init__(self, path: Path, *, root: Path = ROOT, stem: str = "trading_data") -> None:
        self.path = path
        self.root = root
        self.stem = stem

    def command(self, *arguments: str) -> list[str]:
        return [sys.executable, "-P", "-m", "trader", *arguments]

    def environment(self) -> dict[str, str]:
        return {**os.environ, "PYTHONPATH": str(self.root)}

    def run(self, *arguments: str) -> Ended:
        """`trader run` to its end, as fast as it settles unless told otherwise."""
        paced = arguments if "--speed" in arguments else ("--speed", "max", *arguments)
        ended = subprocess.run(
            self.command("run", *paced),
            cwd=self.path,
            env=self.environment(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=PATIENCE_S,
        )
        return Ended(code=ended.returncode, out=ended.stdout, err=ended.stderr)

    @contextmanager
    def started(self, *arguments: str) -> Iterator["Running"]:
        """The same on its way; killed at the end of the block if it is still there."""
        process = subprocess.Popen(
            self.command("run", *arguments),
            cwd=self.path,
            env=self.environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        try:
            yield Running(process)
        finally:
            if process.poll() is None:
                process.kill()
            process.communicate()

    def ours(self, question: str) -> list[tuple[object, ...]]:
        return asked(self.path / f"{self.stem}.db", question)

    def theirs(self, question: str) -> list[tuple[object, ...]]:
        return asked(self.path / f"{self.stem}.broker.db", question)

    def log(self, name: str = "trader.log") -> list[dict[str, object]]:
        """Every line of the log."""
        lines = (self.path / name).read_text().splitlines()
        return [dict(json.loads(line)) for line in lines]

    def posts(self, name: str = "trader.log") -> list[str]:
        """The client order ids that left in a POST, in order: the adapter's own word."""
        sent = [str(line["message"]) for line in self.log(name) if line["event"] == "adapter"]
        found = [re.match(r"POST /v2/orders client_order_id=(\S+)", one) for one in sent]
        return [one[1] for one in found if one is not None]

    def difference(self) -> str:
        """What the venue's own books say that ours don't; empty when they agree. Recomputed here from its rows."""
        cash, held = self._venue_sums()
        [(ours,)] = self.ours("SELECT cash FROM account_row ORDER BY sequence DESC LIMIT 1")
        mine = {
            str(symbol): Decimal(str(quantity))
            for symbol, quantity in self.ours("SELECT symbol, quantity FROM position_rows")
            if Decimal(str(quantity))
        }
        if (Decimal(str(ours)), mine) == (cash, held):
            return ""
        return f"ours {ours} {mine}, the venue's {cash} {held}"

    def _venue_sums(self) -> tuple[Decimal, dict[str, Decimal]]:
        [(raw,)] = self.theirs("SELECT account FROM accounts")
        account = json.loads(str(raw))
        cash = Decimal(account["opening_cash"])
        held: dict[str, Decimal] = {}
        for (row,) in self.theirs("SELECT execution FROM executions"):
            one = json.loads(str(row))
            sign = 1 if one["side"] == "BUY" else -1
            quantity = sign * Decimal(one["quantity"])
            held[one["symbol"]] = held.get(one["symbol"], Decimal(0)) + quantity
            cash -= quantity * Decimal(one["price"])
        for (row,) in self.theirs("SELECT activity FROM activities"):
            one = json.loads(str(row))
            cash += Decimal(one.get("net_amount", "0"))
            if one["kind"] in ("SPLIT", "ACATS"):  # A dividend's shares are those it was paid on.
                held[one["symbol"]] = held.get(one["symbol"], Decimal(0)) + Decimal(one["quantity"])
        cash -= Decimal(account["accrued_fees"])
        return cash, {symbol: quantity for symbol, quantity in held.items() if quantity}


class Running:
    """A run on its way."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        self.lines: list[str] = []

    def wait_line(self, fits: Callable[[str], bool]) -> str:
        """Read what it says until a line fits."""
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.lines.append(line.rstrip("\n"))
            if fits(line):
                return line
        raise AssertionError(f"it ended without saying so: {self.lines}")

    def end(self, signal: int | None = None) -> Ended:
        """Send a signal, and read the rest."""
        if signal is not None:
            self.process.send_signal(signal)
        out, err = self.process.communicate(timeout=PATIENCE_S)
        whole = "\n".join(self.lines) + "\n" + out
        return Ended(code=self.process.returncode, out=whole, err=err)


def asked(database: Path, question: str) -> list[tuple[object, ...]]:
    connection = sqlite3.connect(f"file:{database}?mode=ro", uri=True)
    try:
        return connection.execute(question).fetchall()
    finally:
        connection.close()

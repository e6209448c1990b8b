"""A simulated broker in a process of its own, which outlives whatever is done to the traders on its account."""

import json
import signal
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any

from tests.program import PATIENCE_S, Ended, Folder, Running

STATE = "trading_data.broker.db"
SPEED = "30"  # a bar in two seconds: nothing is too old for a machine that is busy
STEPS_MAX = 2_000  # until the one that is waited for
OPEN = ("rows durable", "decided OrderReport", "rows written", "rows durable")  # for entries
CONFIG = """
broker = "alpaca-paper"
symbols = ["JD", "T"]
[strategies.insistent]
kind = "insistent"
"""


class Watched(Running):
    """A trader that names its steps, and waits at each."""

    def __init__(self, process: subprocess.Popen[str], watcher: socket.socket) -> None:
        super().__init__(process)
        self._watcher = watcher
        self._names = watcher.makefile("r")

    def hold_at(self, names: Sequence[str]) -> None:
        """Let it go on until it has reached these steps, in this order; it stands at the last one then."""
        for place, name in enumerate(names):
            if place:
                self.let_go()
            for _ in range(STEPS_MAX):
                if (reached := self._names.readline().rstrip("\n")) == name:
                    break
                assert reached, f"it ended before {name!r}: {self.process.communicate()[1]}"
                self.let_go()
            else:
                raise AssertionError(f"it never came to {name!r}")

    def stop_between_commits(self) -> None:
        """SIGSTOP, once it is open for entries: stopped in the middle of a commit, it would have to be killed."""
        self.hold_at(OPEN)
        self.process.send_signal(signal.SIGSTOP)
        self.close()

    def steps_to_its_end(self) -> list[str]:
        """Let it go on until it ends, and say by which steps."""
        self.let_go()
        steps: list[str] = []
        while reached := self._names.readline().rstrip("\n"):
            steps.append(reached)
            self.let_go()
        return steps

    def let_go(self) -> None:
        with suppress(OSError):  # It has ended.
            self._watcher.sendall(b".")

    def close(self) -> None:
        """Nobody watches any more: it goes on by itself."""
        self._names.close()
        self._watcher.close()


class Account(Folder):
    """A folder to trade in, and the broker's word on what happened there."""

    program = "tests.insistent"  # which one trades

    def __init__(self, path: Path, broker: subprocess.Popen[str]) -> None:
        super().__init__(path)
        (path / "trader.toml").write_text(CONFIG)
        assert broker.stdout is not None
        found = dict(broker.stdout.readline().split() for _ in range(3))
        self.address = found["address"]
        self._keys = {"APCA_API_KEY_ID": found["key"], "APCA_API_SECRET_KEY": found["secret"]}

    def environment(self) -> dict[str, str]:
        return {**super().environment(), **self._keys}

    def trader(self, *arguments: str) -> list[str]:
        program = [sys.executable, "-P", "-m", self.program, "run"]
        return [*program, "--address", self.address, "--speed", SPEED, *arguments]

    def tried(self, *arguments: str) -> Ended:
        """A trader that is expected to end by itself."""
        ended = subprocess.run(
            self.trader(*arguments),
            cwd=self.path,
            env=self.environment(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=PATIENCE_S,
        )
        return Ended(code=ended.returncode, out=ended.stdout, err=ended.stderr)

    @contextmanager
    def trading(self, *arguments: str) -> Iterator[Running]:
        """A trader on its way; killed at the end of the block if it is still there."""
        process = self._opened(arguments, self.environment(), ())
        try:
            yield Running(process)
        finally:
            _gone(process)

    @contextmanager
    def watched(self, *arguments: str) -> Iterator[Watched]:
        """The same, held at each of its steps."""
        ours, its = socket.socketpair()
        ours.settimeout(PATIENCE_S)
        environment = {**self.environment(), "TRADER_STEPS_FD": str(its.fileno())}
        process = self._opened(arguments, environment, (its.fileno(),))
        its.close()
        watched = Watched(process, ours)
        try:
            yield watched
        finally:
            _gone(process)
            watched.close()

    def _opened(
        self, arguments: Sequence[str], environment: dict[str, str], descriptors: Sequence[int]
    ) -> subprocess.Popen[str]:
        return subprocess.Popen(
            self.trader(*arguments),
            cwd=self.path,
            env=environment,
            pass_fds=descriptors,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def accepted(self) -> list[dict[str, str]]:
        """Every order that the broker has."""
        orders = self.asked("orders?status=all&limit=500")
        assert isinstance(orders, list)
        return orders

    def difference(self) -> str:
        """What the broker says that our tables don't; empty when they agree. Nothing was sold: no fees are due."""
        account, positions = self.asked("account"), self.asked("positions")
        assert isinstance(account, dict)
        [(ours,)] = self.ours("SELECT cash FROM account_row ORDER BY sequence DESC LIMIT 1")
        held = {str(one["symbol"]): Decimal(one["qty"]) for one in positions}
        mine = {
            str(symbol): Decimal(str(quantity))
            for symbol, quantity in self.ours("SELECT symbol, quantity FROM position_rows")
            if Decimal(str(quantity))
        }
        if (Decimal(str(ours)), mine) == (Decimal(account["cash"]), held):
            return ""
        return f"ours {ours} {mine}, the broker's {account['cash']} {held}"

    def asked(self, what: str) -> Any:  # noqa: ANN401  # whatever JSON it answers
        """The broker's answer over its own REST interface."""
        request = urllib.request.Request(
            f"{self.address}/v2/{what}",
            headers={
                "APCA-API-KEY-ID": self._keys["APCA_API_KEY_ID"],
                "APCA-API-SECRET-KEY": self._keys["APCA_API_SECRET_KEY"],
            },
        )
        with urllib.request.urlopen(request, timeout=PATIENCE_S) as response:
            return json.load(response)


@contextmanager
def standing_broker(path: Path, *more: str) -> Iterator[Account]:
    """An account in this folder, and the broker that keeps it for as long as the block runs."""
    arguments = ("--speed", SPEED, "--state", STATE, *more)
    # Into a file: nobody reads a pipe to its end while the broker runs, and a full one would stop it.
    with (path / "broker.err").open("w") as errors:
        broker = subprocess.Popen(
            [sys.executable, "-P", "-m", "trader", "broker", *arguments],
            cwd=path,
            env=Folder(path).environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
        )
    try:
        yield Account(path, broker)
    finally:
        _gone(broker)


def is_blocked(symbol: str, line: str) -> bool:
    """A worker wanted to buy, and was told that there is an order, or a position."""
    return f"DUPLICATE BUY BLOCKED: {symbol}" in line


def wait_until_it_holds(trader: Running) -> None:
    """Both orders are filled: nothing is on its way."""
    for _ in ("JD", "T"):
        trader.wait_line(lambda line: " BUY " in line and "FILLED" in line)


def wait_until_it_blocks(trader: Running) -> None:
    """Its workers want to buy, and are told that there is an order, or a position."""
    for symbol in ("JD", "T"):
        trader.wait_line(partial(is_blocked, symbol))


def _gone(process: subprocess.Popen[str]) -> None:
    if process.poll() is None:
        process.kill()
    process.communicate()

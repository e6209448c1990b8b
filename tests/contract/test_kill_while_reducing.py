"""kill -9 at each step of a reduction: the next life goes on with it, and each share is sold once."""

import signal
import subprocess
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest

from tests.contract.test_kill_at_each_step import EITHER, NOT_SENT, SENT
from tests.program import PATIENCE_S
from tests.standing_broker import Account, standing_broker, wait_until_it_holds
from trader.exits import Exit

# The exits are the only requests of this life: its strategy sees no reason for any within minutes.
CONFIG = """
broker = "alpaca-paper"
symbols = ["JD", "T"]
[strategies.sma-crossover]
kind = "sma-crossover"
"""
SAMPLE = {("bytes left",), ("reply received",), ("decided OrderReport", "rows written")}
CASES = [
    pytest.param(steps, id=" - ".join(steps), marks=() if steps in SAMPLE else pytest.mark.slow)
    for steps in (*NOT_SENT, *EITHER, *SENT)
]


@pytest.fixture
def account(tmp_path: Path) -> Iterator[Account]:
    """JD and T are held; the program has been halted and told to sell JD, while it didn't run."""
    with standing_broker(tmp_path) as account:
        with account.trading() as running:
            wait_until_it_holds(running)
            assert running.end(signal.SIGTERM).code == 0
        (tmp_path / "trader.toml").write_text(CONFIG)
        account.program = "trader"
        for verb in (("halt", "--reason", "all out"), ("flatten", "JD")):
            subprocess.run(
                account.command(*verb),
                cwd=tmp_path,
                env=account.environment(),
                check=True,
                capture_output=True,
                timeout=PATIENCE_S,
            )
        yield account


def held(account: Account) -> dict[str, Decimal]:
    return {str(one["symbol"]): Decimal(one["qty"]) for one in account.asked("positions")}


@pytest.mark.parametrize("steps", CASES)
def test_killed_at_this_step_it_goes_on_and_sells_each_share_once(
    account: Account, steps: tuple[str, ...]
) -> None:
    before = held(account)
    assert sorted(before) == ["JD", "T"]
    with account.watched() as first:
        first.hold_at(("rows durable", *steps))
        killed = first.end(signal.SIGKILL)
    assert killed.code == -signal.SIGKILL
    with account.trading() as second:
        second.wait_line(lambda line: line.startswith("books = broker"))  # It hears a stop now.
        while "JD" in held(account) or account.ours("SELECT 1 FROM reduction_rows"):
            second.wait_line(lambda line: True)
        ended = second.end(signal.SIGTERM)
    assert (ended.code, ended.err) == (Exit.HALTED, "")
    assert "\nHALTED since " in f"\n{ended.out}"
    sales = [order for order in account.accepted() if order["side"] == "sell"]
    assert {order["symbol"] for order in sales} == {"JD"}
    assert sum(Decimal(order["filled_qty"]) for order in sales) == before["JD"]
    assert held(account) == {"T": before["T"]}
    assert account.ours("SELECT difference FROM proof") == [(0,)]

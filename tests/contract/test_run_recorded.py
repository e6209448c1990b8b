"""`trader run --data` over real bars: the acceptance run, and its repeats."""

import subprocess
import sys
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest

from tests.program import MARKET_DATA, Ended, Folder

BARS = MARKET_DATA / "minute"
ARGUMENTS = ("--symbols", "SPY,IBM,BAC,AIG", "--seed", "1", "--database", "d.db", "--log", "t.log")
SESSIONS = ("2013-10-04", "2013-10-07", "2013-10-08", "2013-10-09", "2013-10-10", "2013-10-11")
DECISIONS = (
    "SELECT sequence, request_id, decision_key, outcome, reason, numbers FROM decision_rows "
    "ORDER BY sequence"
)
FILLS = (
    "SELECT client_order_id, symbol, side, quantity, price, fees, timestamp FROM trades ORDER BY id"
)

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        not BARS.exists(), reason="needs ../shared/market-data/minute beside the checkout"
    ),
]


def traded(path: Path) -> tuple[Folder, Ended]:
    folder = Folder(path, stem="d")
    return folder, folder.run("--data", str(BARS), *ARGUMENTS)


@pytest.fixture(scope="module")
def acceptance(tmp_path_factory: pytest.TempPathFactory) -> tuple[Folder, Ended]:
    return traded(tmp_path_factory.mktemp("acceptance"))


def test_six_recorded_sessions_are_traded_and_everything_adds_up(
    acceptance: tuple[Folder, Ended],
) -> None:
    folder, ended = acceptance
    assert (ended.code, ended.err) == (0, "")
    sessions = folder.ours("SELECT DISTINCT session FROM orders ORDER BY session")
    assert [session for (session,) in sessions] == list(SESSIONS)
    assert ended.count("accepted") > 50
    assert folder.difference() == ""
    assert folder.ours("SELECT difference FROM proof") == [(0,)]


def test_positions_are_the_sum_of_fills_and_cash_is_too(acceptance: tuple[Folder, Ended]) -> None:
    folder, _ = acceptance
    held: dict[str, Decimal] = {}
    cash = Decimal(250_000)
    for symbol, side, quantity, price, fees in folder.ours(
        "SELECT symbol, side, quantity, price, fees FROM execution_rows"
    ):
        signed = Decimal(str(quantity)) * (1 if side == "BUY" else -1)
        held[str(symbol)] = held.get(str(symbol), Decimal(0)) + signed
        cash -= signed * Decimal(str(price)) + Decimal(str(fees))
    ours = {
        str(symbol): Decimal(str(quantity))
        for symbol, quantity in folder.ours("SELECT symbol, quantity FROM position_rows")
    }
    assert {symbol: quantity for symbol, quantity in held.items() if quantity} == {
        symbol: quantity for symbol, quantity in ours.items() if quantity
    }
    [(stated,)] = folder.ours("SELECT cash FROM account_row")
    assert Decimal(str(stated)) == cash


def test_nothing_is_entered_outside_regular_hours(acceptance: tuple[Folder, Ended]) -> None:
    folder, _ = acceptance
    outside = folder.ours(
        "SELECT count(*) FROM orders WHERE substr(timestamp, 12, 5) NOT BETWEEN '13:30' AND '20:00'"
    )
    assert outside == [(0,)]


def test_what_was_posted_is_what_the_venue_accepted(acceptance: tuple[Folder, Ended]) -> None:
    folder, _ = acceptance
    accepted = [name for (name,) in folder.theirs("SELECT client_order_id FROM orders")]
    assert folder.posts("t.log") == accepted
    assert len(set(accepted)) == len(accepted)


@pytest.fixture
def busy_machine() -> Iterator[None]:
    """A process that takes all the time it can get."""
    busy = subprocess.Popen([sys.executable, "-c", "while True: pass"])
    yield
    busy.kill()
    busy.wait()


def test_repeated_runs_decide_the_same(
    acceptance: tuple[Folder, Ended], tmp_path_factory: pytest.TempPathFactory
) -> None:
    first, _ = acceptance
    for _ in range(2):
        again, ended = traded(tmp_path_factory.mktemp("again"))
        assert ended.code == 0
        assert again.ours(DECISIONS) == first.ours(DECISIONS)
        assert again.ours(FILLS) == first.ours(FILLS)


def test_a_run_on_a_busy_machine_decides_the_same(
    acceptance: tuple[Folder, Ended], tmp_path: Path, busy_machine: None
) -> None:
    first, _ = acceptance
    again, ended = traded(tmp_path)
    assert ended.code == 0
    assert again.ours(DECISIONS) == first.ours(DECISIONS)
    assert again.ours(FILLS) == first.ours(FILLS)

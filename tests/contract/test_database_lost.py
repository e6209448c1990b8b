"""The database is taken away under a program that trades, or can't grow: it says so, and orders nothing twice."""

import os
import resource
import shutil
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.standing_broker import (
    Account,
    standing_broker,
    wait_until_it_blocks,
    wait_until_it_holds,
)


@pytest.fixture
def account(tmp_path: Path) -> Iterator[Account]:
    with standing_broker(tmp_path) as account:
        yield account


def replaced(path: Path) -> None:
    copy = path.with_name("copy.db")
    shutil.copy(path, copy)
    copy.replace(path)


LOSSES: dict[str, Callable[[Path], object]] = {
    "the database removed": lambda path: path.rename(path.with_name("gone.db")),
    "the database replaced": replaced,
    "the lock file removed": lambda path: path.with_name(path.name + ".lock").unlink(),
}


@pytest.mark.parametrize("loss", LOSSES)
def test_a_program_whose_files_are_taken_away_ends_with_one_line(
    account: Account, loss: str
) -> None:
    path = account.path / "trading_data.db"
    with account.trading() as trader:
        wait_until_it_holds(trader)
        before = {order["client_order_id"] for order in account.accepted()}
        LOSSES[loss](path)
        ended = trader.end()
    assert ended.code == 70
    assert ended.err.count("\n") == 1
    assert "removed or replaced" in ended.err
    assert "bin/trade doctor" in ended.err
    assert {order["client_order_id"] for order in account.accepted()} == before
    gone = path.with_name("gone.db")
    if gone.exists():
        gone.rename(path)
    if loss == "the database replaced":
        return  # Only the person who did it can know what is in it.
    with account.trading() as trader:
        wait_until_it_blocks(trader)
        assert trader.end(signal.SIGTERM).code == 0
    assert {order["client_order_id"] for order in account.accepted()} == before
    assert account.difference() == ""


def test_files_that_can_not_grow_stop_the_orders_and_nothing_else(account: Account) -> None:
    """The system's own limit on a file's size, set on the running process: the database's log and the log alike."""
    path = account.path / "trading_data.db"
    with account.trading() as trader:
        trader.wait_line(lambda line: line.startswith("books = broker"))
        _, hard = resource.prlimit(trader.process.pid, resource.RLIMIT_FSIZE)
        size = os.stat(path.with_name(path.name + "-wal")).st_size
        resource.prlimit(trader.process.pid, resource.RLIMIT_FSIZE, (size, hard))
        trader.wait_line(lambda line: line.startswith("NOTHING IS SENT"))
        stuck = account.accepted()
        assert len(stuck) < 2, "what was not written down was not sent"
        assert trader.process.poll() is None
        resource.prlimit(trader.process.pid, resource.RLIMIT_FSIZE, (hard, hard))
        wait_until_it_holds(trader)
        assert trader.end(signal.SIGTERM).code == 0
    symbols = [order["symbol"] for order in account.accepted()]
    assert sorted(symbols) == ["JD", "T"]
    assert account.difference() == ""
    assert account.ours("SELECT difference FROM proof") == [(0,)]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_is_made_read_only_changes_nothing_until_the_next_start(
    account: Account,
) -> None:
    with account.trading() as trader:
        trader.wait_line(lambda line: line.startswith("books = broker"))
        account.path.chmod(0o500)
        try:
            wait_until_it_holds(trader)
            assert trader.end(signal.SIGTERM).code == 0
            refused = account.tried()
        finally:
            account.path.chmod(0o700)
    assert refused.code == 3
    assert "the folder is read-only" in refused.err
    assert account.difference() == ""

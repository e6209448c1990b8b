"""Two real processes on one account: one trades, one is refused; and one that was taken over sends nothing more."""

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.program import Ended
from tests.standing_broker import (
    Account,
    standing_broker,
    wait_until_it_blocks,
    wait_until_it_holds,
)

TAKE_OVER = ("--take-over", "--reason", "it hangs")


@pytest.fixture
def account(tmp_path: Path) -> Iterator[Account]:
    with standing_broker(tmp_path) as account:
        yield account


def assert_fenced(ended: Ended) -> None:
    """In one line; where it stood still for seconds, it has said before where its threads were."""
    assert ended.code == 5
    *stood, line = ended.err.splitlines()
    assert line.startswith("trade: ")
    assert "another life has begun" in line
    assert not stood or stood[0].startswith("Timeout (")


def assert_one_order_each(account: Account) -> None:
    accepted = account.accepted()
    assert len({order["symbol"] for order in accepted}) == len(accepted)
    intended = account.ours("SELECT client_order_id FROM orders")
    assert {order["client_order_id"] for order in accepted} <= {name for (name,) in intended}
    assert account.difference() == ""
    assert account.ours("SELECT difference FROM proof") == [(0,)]


def test_of_two_processes_one_trades_and_one_is_refused(account: Account) -> None:
    with account.trading() as first:
        wait_until_it_holds(first)
        refused = account.tried()
        assert refused.code == 3
        assert f"in use by process {first.process.pid}, since 20" in refused.err
        assert refused.err.count("\n") == 1
        assert first.process.poll() is None
        assert first.end(signal.SIGTERM).code == 0
    assert account.ours("SELECT count(*) FROM lives") == [(1,)]
    assert_one_order_each(account)


def test_a_stopped_process_that_was_taken_over_sends_nothing_when_it_wakes(
    account: Account,
) -> None:
    with account.watched() as first:
        first.stop_between_commits()
        before = {order["client_order_id"] for order in account.accepted()}
        assert account.tried().code == 3, "it holds the lock though it is stopped"
        with account.trading(*TAKE_OVER) as second:
            said = second.wait_line(lambda line: line.startswith("took over from"))
            assert f"process {first.process.pid}, since 20" in said
            second.wait_line(lambda line: line.startswith("waiting"))
            assert_fenced(first.end(signal.SIGCONT))
            assert {order["client_order_id"] for order in account.accepted()} == before
            wait_until_it_blocks(second)
            third = account.tried()
            assert third.code == 3
            assert f"process {second.process.pid}" in third.err, "the one that writes is named"
            assert second.end(signal.SIGTERM).code == 0
    assert account.ours("SELECT epoch, exit_code FROM lives") == [(1, None), (2, 0), (3, 0)]
    [(entry,)] = account.ours("SELECT entry FROM journal WHERE entry LIKE '%\"take_over\"%'")
    assert "it hangs" in str(entry)
    assert_one_order_each(account)


@pytest.mark.parametrize(
    ("step", "never"),
    [("taken from the outbox", "last check passed"), ("last check passed", "bytes about to leave")],
)
def test_an_order_on_its_way_out_is_held_back_by_the_last_check(
    account: Account, step: str, never: str
) -> None:
    """Its intent is durable and of the old life; the old process stands right before its last look, and wakes late."""
    with account.watched() as first:
        first.hold_at(("rows durable", step))
        with account.trading(*TAKE_OVER) as second:
            second.wait_line(lambda line: line.startswith("waiting"))
            assert account.accepted() == []
            assert never not in first.steps_to_its_end()
            assert_fenced(first.end())
            assert account.accepted() == []
            wait_until_it_blocks(second)
            ended = second.end(signal.SIGTERM)
    # What the old process had written down was never sent; nobody can prove that within a minute.
    in_doubt = account.ours("SELECT client_order_id, symbol FROM orders WHERE state = 'UNKNOWN'")
    assert in_doubt
    assert ended.code == 1
    for name, symbol in in_doubt:
        assert f"UNPROVED {name}" in ended.out
        assert symbol not in {order["symbol"] for order in account.accepted()}
    assert_one_order_each(account)


def test_without_a_process_to_take_over_it_is_an_ordinary_start(account: Account) -> None:
    with account.trading(*TAKE_OVER) as only:
        wait_until_it_holds(only)
        ended = only.end(signal.SIGTERM)
    assert ended.code == 0
    assert "took over" not in ended.out
    assert account.ours("SELECT count(*) FROM lives") == [(1,)]


@pytest.mark.parametrize("arguments", [("--take-over",), ("--take-over", "--reason", " ")])
def test_it_wants_to_know_why(account: Account, arguments: tuple[str, ...]) -> None:
    ended = account.tried(*arguments)
    assert ended.code == 2
    assert "--reason" in ended.err

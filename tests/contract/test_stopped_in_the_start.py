"""A stop signal that comes before entries are open: a clean and prompt end, nothing sent, and the lock is free."""

import signal
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.program import Ended, Running
from tests.standing_broker import Account, standing_broker

STOPS = [
    pytest.param(signal.SIGTERM, 0, id="SIGTERM"),
    pytest.param(signal.SIGINT, 130, id="SIGINT"),
]
PROMPT_S = 10  # a start that hangs would take its deadlines: minutes
TAKE_OVER = ("--take-over", "--reason", "it hangs")


@pytest.fixture
def account(tmp_path: Path) -> Iterator[Account]:
    with standing_broker(tmp_path) as account:
        yield account


def stopped(running: Running, by: signal.Signals) -> Ended:
    began_s = time.monotonic()
    ended = running.end(by)
    assert time.monotonic() - began_s < PROMPT_S
    return ended


def assert_nothing_was_begun(account: Account, ended: Ended, code: int) -> None:
    assert (ended.code, ended.err) == (code, "")
    assert "stopped before anything was begun; nothing was sent" in ended.out
    assert account.ours("SELECT count(*) FROM journal") == [(0,)]


def assert_it_can_start_again(account: Account) -> None:
    """Nobody holds the lock, and nothing is in the way."""
    with account.trading() as running:
        running.wait_line(lambda line: line.startswith("books = broker"))
        assert running.end(signal.SIGTERM).code == 0


@pytest.mark.parametrize(("by", "code"), STOPS)
def test_stopped_while_it_waits_for_the_brokers_first_answer(
    account: Account, by: signal.Signals, code: int
) -> None:
    real = account.address
    with socket.create_server(("127.0.0.1", 0)) as mute:
        account.address = f"http://127.0.0.1:{mute.getsockname()[1]}"
        with account.trading() as running:
            line, _ = mute.accept()
            with line:
                assert line.recv(1)
                ended = stopped(running, by)
    assert_nothing_was_begun(account, ended, code)
    account.address = real
    assert_it_can_start_again(account)


@pytest.mark.parametrize(("by", "code"), STOPS)
def test_stopped_in_its_self_test(account: Account, by: signal.Signals, code: int) -> None:
    with account.watched() as running:
        running.hold_at(("committed OrderRequest",))
        running.process.send_signal(by)
        running.close()
        ended = stopped(running, by)
    assert_nothing_was_begun(account, ended, code)
    assert account.accepted() == []


# The first row is this life's first, after the self-test, which has steps, too.
@pytest.mark.parametrize("steps", [("rows durable",), ("rows durable", "committed GateReport")])
@pytest.mark.parametrize(("by", "code"), STOPS)
def test_stopped_while_the_books_are_being_agreed(
    account: Account, by: signal.Signals, code: int, steps: tuple[str, ...]
) -> None:
    """A life has begun: it is ended in its own words, before it was open to entries."""
    with account.watched() as running:
        running.hold_at(steps)
        running.process.send_signal(by)
        running.close()
        ended = running.end()
    assert (ended.code, ended.err) == (code, "")
    assert "books = broker" not in ended.out
    assert account.accepted() == []
    assert account.posts() == []
    assert account.ours("SELECT epoch, exit_code, ended_at IS NOT NULL FROM lives") == [(1, 0, 1)]
    assert_it_can_start_again(account)


@pytest.mark.parametrize(("by", "code"), STOPS)
def test_stopped_while_it_waits_out_the_process_that_it_takes_over(
    account: Account, by: signal.Signals, code: int
) -> None:
    with account.watched() as first:
        first.stop_between_commits()
        before = account.accepted()
        with account.trading(*TAKE_OVER) as second:
            second.wait_line(lambda line: line.startswith("waiting"))
            ended = stopped(second, by)
        assert (ended.code, ended.err) == (code, "")
        assert account.accepted() == before
        lives = account.ours("SELECT epoch, exit_code, ended_at IS NOT NULL FROM lives")
        assert lives == [(1, None, 0), (2, 0, 1)]
        assert account.tried().code == 3, "the first one holds its lock on"
        assert first.end(signal.SIGCONT).code == 5
    assert account.accepted() == before

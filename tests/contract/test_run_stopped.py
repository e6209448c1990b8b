"""`trader run` cut off in the middle of a day, by SIGTERM, Ctrl-C and kill -9; and what the next start makes of it."""

import signal
from functools import partial
from pathlib import Path

import pytest

from tests.program import Ended, Folder, Running
from trader.calendar import session_on

DAY = "2026-01-26"
SPEED = ("--speed", "7800")  # a day in three seconds


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(tmp_path)


def is_at_or_after(hour: str, line: str) -> bool:
    return line[:2].isdigit() and line[:2] >= hour


def wait_for_the_rehearsal(running: Running) -> None:
    """Ten o'clock has passed: orders have been sent."""
    running.wait_line(lambda line: "DUPLICATE BUY BLOCKED" in line)


def test_a_clean_stop_ends_well_with_a_summary_and_the_next_run_goes_on(folder: Folder) -> None:
    with folder.started(*SPEED) as running:
        wait_for_the_rehearsal(running)
        ended = running.end(signal.SIGTERM)
    assert (ended.code, ended.err) == (0, "")
    assert ended.line("cash  ").endswith("to the cent")
    assert "the broker's own books agree" in ended.line("proof ")
    assert folder.ours("SELECT exit_code FROM lives") == [(0,)]
    assert folder.difference() == ""
    [(before,)] = folder.ours("SELECT max(timestamp) FROM orders")

    again = folder.run()
    assert (again.code, again.err) == (0, "")
    assert folder.ours(f"SELECT count(*) > 0 FROM orders WHERE timestamp > '{before}'") == [(1,)]
    assert_whole(folder)


def test_ctrl_c_stops_as_cleanly_and_says_interrupted(folder: Folder) -> None:
    with folder.started(*SPEED) as running:
        wait_for_the_rehearsal(running)
        ended = running.end(signal.SIGINT)
    assert (ended.code, ended.err) == (130, "")
    assert "the broker's own books agree" in ended.line("proof ")
    assert folder.ours("SELECT count(*) FROM lives WHERE ended_at IS NOT NULL") == [(1,)]


def test_a_second_signal_while_it_stops_changes_nothing(folder: Folder) -> None:
    with folder.started(*SPEED) as running:
        wait_for_the_rehearsal(running)
        running.process.send_signal(signal.SIGTERM)
        ended = running.end(signal.SIGINT)
    assert ended.code in {0, 130}, "whichever was heard last"
    assert ended.err == ""
    assert "the broker's own books agree" in ended.line("proof ")
    assert folder.ours("SELECT count(*) FROM lives WHERE ended_at IS NOT NULL") == [(1,)]


@pytest.mark.parametrize(
    "moment",
    [
        pytest.param("DUPLICATE BUY BLOCKED", marks=pytest.mark.slow),
        "UNKNOWN",
        pytest.param("11:12 DENIED", marks=pytest.mark.slow),
    ],
)
def test_a_killed_program_finds_its_orders_again_and_sends_none_twice(
    folder: Folder, moment: str
) -> None:
    with folder.started(*SPEED) as running:
        running.wait_line(lambda line: moment in line)
        ended = running.end(signal.SIGKILL)
    assert ended.code == -signal.SIGKILL
    assert folder.ours("SELECT exit_code, ended_at FROM lives") == [(None, None)]

    again = folder.run()
    assert_recovered(folder, again)
    assert folder.ours("SELECT epoch, exit_code FROM lives") == [(1, None), (2, again.code)]
    bought = folder.theirs(
        "SELECT symbol, count(*) FROM orders WHERE symbol IN ('GS', 'TRIP') AND side = 'BUY' "
        "GROUP BY symbol"
    )
    assert all(times == 1 for _, times in bought)


@pytest.mark.slow
def test_a_program_that_is_killed_every_hour_still_ends_its_day_with_equal_books(
    folder: Folder,
) -> None:
    for hour in ("10", "11", "12", "13"):
        with folder.started(*SPEED) as running:
            running.wait_line(partial(is_at_or_after, hour))
            running.end(signal.SIGKILL)
    assert_recovered(folder, folder.run())


def assert_recovered(folder: Folder, again: Ended) -> None:
    """All is well; or what was killed before the venue had it (the venue died with it) is named."""
    assert again.err == ""
    in_doubt = [
        str(name)
        for (name,) in folder.ours("SELECT client_order_id FROM orders WHERE state = 'UNKNOWN'")
    ]
    assert again.code == (1 if in_doubt else 0)
    named = [line.split()[1] for line in again.out.splitlines() if line.startswith("UNPROVED")]
    assert [one.rstrip(":") for one in named] == in_doubt
    accepted = {str(name) for (name,) in folder.theirs("SELECT client_order_id FROM orders")}
    assert not set(in_doubt) & accepted
    assert_whole(folder)


def assert_whole(folder: Folder) -> None:
    """The session was traded to its end, the books are the venue's, and no id left twice."""
    session = session_on(DAY)
    assert session is not None
    assert folder.theirs("SELECT value FROM broker WHERE key = 'now_ns'") == [
        (str(session.close_ns),)
    ]
    assert folder.ours("SELECT DISTINCT session FROM orders") == [(DAY,)]
    assert folder.difference() == ""
    assert folder.ours("SELECT difference FROM proof") == [(0,)]
    assert folder.ours("SELECT * FROM double_entries") == []
    [(orders, ids)] = folder.theirs("SELECT count(*), count(DISTINCT client_order_id) FROM orders")
    assert orders == ids
    posted = folder.posts()
    assert len(posted) == len(set(posted))
    intended = {name for (name,) in folder.ours("SELECT client_order_id FROM orders")}
    accepted = {name for (name,) in folder.theirs("SELECT client_order_id FROM orders")}
    assert accepted <= intended, "no order at the venue without an intent of ours"

"""The stop button on the real program: verbs while it runs and while not, the file HALT, and what a restart says."""

import os
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from tests.program import PATIENCE_S, Ended, Folder, Running
from tests.standing_broker import Account, standing_broker
from trader.control.client import NoAnswer, ask
from trader.control.wire import Answer, Asked, socket_path
from trader.exits import Exit
from trader.live.opening import opened

DAY = (
    "--speed",
    "780",
    "--scenario",
    "none",
)  # half a minute; every test is over long before it is


GUARDED = """
broker = "alpaca-paper"
symbols = ["JD", "T"]
[strategies.insistent]
kind = "insistent"
protection = { stop = 0.2 }
"""
HALT = Asked(command_id="halt-1", verb="halt", who="ada", reason="hello?")


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(tmp_path)


def holds(line: str) -> bool:
    """By then half of the symbols have been bought and not sold."""
    return "10:10" <= line[:5] <= "16:00"


@pytest.fixture
def day(folder: Folder) -> Iterator[Running]:
    """A run in which something is held."""
    with folder.started(*DAY) as running:
        running.wait_line(holds)
        yield running


def verb(folder: Folder, *arguments: str) -> Ended:
    ended = subprocess.run(
        folder.command(*arguments),
        cwd=folder.path,
        env=folder.environment(),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
    )
    return Ended(code=ended.returncode, out=ended.stdout, err=ended.stderr)


def commands(folder: Folder) -> list[tuple[object, ...]]:
    return folder.ours(
        "SELECT json_extract(entry, '$.input.verb'), json_extract(entry, '$.input.reason')"
        " FROM journal WHERE json_extract(entry, '$.input.wants_answer') = 1"
    )


def held(folder: Folder) -> list[tuple[object, ...]]:
    return folder.ours("SELECT symbol FROM positions WHERE quantity > 0")


def test_a_halt_reaches_the_running_program_and_is_durable_when_it_is_answered(
    folder: Folder, day: Running
) -> None:
    said = verb(folder, "halt", "--reason", "prices look odd")
    assert (said.code, said.out, said.err) == (0, "halted\n", "")
    assert commands(folder) == [("halt", "prices look odd")], "in the file, not only in memory"
    day.wait_line(lambda line: "HALTED" in line)
    [(entries,)] = folder.ours("SELECT count(*) FROM orders WHERE side = 'BUY'")
    assert verb(folder, "flatten", "--all").code == 0
    day.wait_line(lambda line: "FLAT " in line)
    ended = day.end(signal.SIGTERM)
    assert (ended.code, ended.err) == (Exit.HALTED, "")
    assert folder.ours("SELECT count(*) FROM orders WHERE side = 'BUY'") == [(entries,)]
    assert folder.difference() == ""

    again = folder.run("--scenario", "none")
    assert again.out.startswith("HALTED since ")
    assert "prices look odd" in again.out.splitlines()[0]
    assert again.code == Exit.HALTED
    assert folder.ours("SELECT count(*) FROM orders WHERE side = 'BUY'") == [(entries,)]
    assert held(folder) == []


def test_halt_and_flatten_leaves_nothing_and_resume_lets_it_trade_again(
    folder: Folder, day: Running
) -> None:
    said = verb(folder, "halt", "--flatten", "--reason", "all out", "--json")
    answer = msgspec.json.decode(said.out)
    assert (answer["outcome"], answer["pid"]) == ("done", day.process.pid)
    day.wait_line(lambda line: "FLAT " in line)
    while held(folder):
        day.wait_line(lambda line: "FLAT " in line)
    assert verb(folder, "resume", "--reason", "it was nothing").code == 0
    assert "nothing to resume" in verb(folder, "resume", "--reason", "twice").out
    day.wait_line(lambda line: " BUY " in line and "FILLED" in line)
    assert day.end(signal.SIGTERM).code == Exit.WELL
    assert folder.difference() == ""


def test_stop_ends_the_program_and_positions_stay(folder: Folder, day: Running) -> None:
    said = verb(folder, "stop", "--reason", "for lunch")
    assert said.code == 0
    assert said.out.endswith(f"process {day.process.pid} has ended\n")
    ended = day.end()
    assert (ended.code, ended.err) == (Exit.WELL, "")
    assert ("stop", "for lunch") in commands(folder)
    assert held(folder)
    assert not (folder.path / "trading_data.db.control").exists()
    assert verb(folder, "stop").out == "nothing runs; nothing to stop\n"


def test_a_file_named_halt_halts_within_a_second_and_while_it_is_there(
    folder: Folder, day: Running
) -> None:
    (folder.path / "HALT").write_text("the roof is on fire\n")
    put_s = time.monotonic()
    day.wait_line(lambda line: "HALTED" in line and "the roof is on fire" in line)
    assert time.monotonic() - put_s < 2, "a second, and a busy machine"
    refused = verb(folder, "resume", "--reason", "no")
    assert (refused.code, refused.out) == (Exit.REFUSED, "")
    assert "HALT: the file is there (remove it)" in refused.err
    (folder.path / "HALT").unlink()
    assert verb(folder, "resume", "--reason", "it is out").code == 0
    day.wait_line(lambda line: "RESUMED" in line)
    assert day.end(signal.SIGTERM).code == Exit.WELL


def test_a_start_with_the_file_there_enters_nothing(folder: Folder) -> None:
    (folder.path / "HALT").touch()
    ended = folder.run("--scenario", "none")
    assert ended.out.startswith("HALTED by the file ")
    assert ended.code == Exit.HALTED
    assert folder.ours("SELECT count(*) FROM orders") == [(0,)]


@pytest.mark.parametrize("arguments", [("halt", "--reason", "wait"), ("flatten", "--all")])
def test_books_that_no_run_has_opened_yet_name_the_file_that_halts_the_first_one(
    folder: Folder, arguments: tuple[str, ...]
) -> None:
    """A first start that was refused leaves such a database."""
    opened(folder.path / "trading_data.db", create=True).journal.close()
    said = verb(folder, *arguments)
    assert (said.code, said.out) == (Exit.REFUSED, "")
    assert said.err.count("\n") == 1
    assert "nothing has run on these books yet" in said.err
    assert f"touch {folder.path / 'HALT'}" in said.err


def test_an_account_that_is_nowhere_is_not_made_by_asking_what_it_holds(folder: Folder) -> None:
    said = verb(folder, "adopt")
    assert (said.code, said.out) == (Exit.REFUSED, "")
    assert said.err.count("\n") == 1
    assert "--broker alpaca-paper" in said.err
    assert list(folder.path.iterdir()) == []


def test_a_program_that_does_not_run_is_told_through_its_database(folder: Folder) -> None:
    with folder.started(*DAY) as running:
        running.wait_line(holds)
        assert running.end(signal.SIGTERM).code == 0
    before = held(folder)
    assert before
    said = verb(folder, "halt", "--flatten", "--reason", "all out")
    assert said.code == 0
    assert said.out.rstrip().endswith("nothing runs: bin/trade run carries it out")
    nothing = verb(folder, "cancel", "--all")
    assert (nothing.code, nothing.err) == (0, "")
    assert nothing.out.startswith("no order is alive")
    refused = verb(folder, "cancel", "trd-JD-B-0")
    assert (refused.code, "no such order" in refused.err) == (Exit.REFUSED, True)
    again = folder.run("--scenario", "none")
    assert again.out.startswith("REDUCING since ")
    assert again.code == Exit.HALTED
    assert held(folder) == []


def test_an_order_that_rests_while_nothing_runs_is_canceled_by_the_next_life(
    tmp_path: Path,
) -> None:
    with standing_broker(tmp_path) as account:
        (tmp_path / "trader.toml").write_text(GUARDED)
        with account.trading() as running:
            while len(open_stops(account)) < 2:
                running.wait_line(lambda line: True)
            assert running.end(signal.SIGTERM).code == 0
        first, second = sorted(open_stops(account))
        said = verb(account, "cancel", first, "--reason", "by hand")
        assert said.code == 0
        assert said.out == f"to be canceled: {first}; nothing runs: bin/trade run carries it out\n"
        assert sorted(open_stops(account)) == [first, second], "nobody has asked the broker yet"
        with account.trading() as running:
            while first in open_stops(account):
                running.wait_line(lambda line: True)
            assert second in open_stops(account)
            running.end(signal.SIGTERM)
        assert [line for line in account.log() if "by hand" in str(line["message"])]


def open_stops(account: Account) -> list[str]:
    found = account.asked("orders?status=open&limit=500")
    return [str(one["client_order_id"]) for one in found if one["type"] == "stop"]


def test_a_stale_socket_of_a_dead_process_is_in_nobodys_way(folder: Folder) -> None:
    with folder.started(*DAY) as running:
        running.wait_line(holds)
        running.end(signal.SIGKILL)
    assert (folder.path / "trading_data.db.control").exists()
    assert verb(folder, "halt", "--reason", "it died").out == "halted\n"
    with folder.started(*DAY) as running:
        running.wait_line(lambda line: line.startswith("books "))
        assert "was halted by" in verb(folder, "halt", "--reason", "again").out
        assert running.end(signal.SIGTERM).code == Exit.HALTED


def test_a_program_that_hangs_hears_of_it_once_it_wakes(folder: Folder, day: Running) -> None:
    os.kill(day.process.pid, signal.SIGSTOP)
    try:
        with pytest.raises(NoAnswer):
            ask(socket_path(folder.path / "trading_data.db"), HALT, wait_s=0.5)
    finally:
        os.kill(day.process.pid, signal.SIGCONT)
    answer = ask(socket_path(folder.path / "trading_data.db"), HALT)
    assert answer == Answer(outcome="done", message="halted")
    assert len(commands(folder)) == 1, "told twice under one id, done once"
    assert day.end(signal.SIGTERM).code == Exit.HALTED


@pytest.mark.parametrize(
    "arguments",
    [
        ["flatten"],
        ["flatten", "JD", "--all"],
        ["cancel"],
        ["cancel", "x", "--all"],
        ["halt"],
        ["halt", "--reason", " "],
        ["flatten", "J\nD"],
        ["flatten", "x" * 65],
        ["stop", "--reason", "a\nb"],
    ],
    ids=" ".join,
)
def test_a_mistake_is_one_line_and_touches_nothing(folder: Folder, arguments: list[str]) -> None:
    said = verb(folder, *arguments)
    assert (said.code, said.out) == (Exit.MISTAKE, "")
    assert said.err.count("\n") == 1
    assert list(folder.path.iterdir()) == []

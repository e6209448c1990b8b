"""A backup is whole and proved, or isn't there; a restore overwrites nothing; running on from an old one is safe."""

import json
import shutil
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from msgspec.structs import replace

from tests.eventful import eventful, written
from tests.journal_plays import Play as Journaled
from tests.journal_plays import boot, opening
from tests.program import PATIENCE_S
from tests.standing_broker import (
    Account,
    standing_broker,
    wait_until_it_blocks,
    wait_until_it_holds,
)
from trader.__main__ import main
from trader.exits import Exit
from trader.journal.sqlite import open_journal
from trader.model import AccountId

Captured = pytest.CaptureFixture[str]


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return written(eventful(), tmp_path / "trading_data.db")


def said(captured: Captured, *arguments: str, code: Exit = Exit.WELL) -> str:
    assert main(arguments) == code
    told = captured.readouterr()
    return told.out if code == Exit.WELL else told.err


def files(folder: Path) -> dict[str, bytes]:
    """All that is there but locks, and what SQLite puts beside a file that it reads."""
    return {
        str(file.relative_to(folder)): data
        for file in folder.rglob("*")
        if file.is_file()
        and not file.name.endswith((".lock", "-shm"))
        and ((data := file.read_bytes()) or not file.name.endswith("-wal"))
    }


def rows(path: Path) -> int:
    with closing(sqlite3.connect(path)) as connection:
        [count] = connection.execute("SELECT count(*) FROM journal").fetchone()
        return int(count)


def spoiled(path: Path) -> None:
    """Another quantity in the tables."""
    with closing(sqlite3.connect(path)) as hand, hand:
        hand.execute("UPDATE position_rows SET quantity = '36' WHERE symbol = 'JD'")


def test_a_backup_of_books_that_are_being_written_is_of_one_moment(
    tmp_path: Path, capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    play = eventful()
    first, *others = play.each()
    journal = open_journal(tmp_path / "trading_data.db", create=True, since="", inline=True)
    journal.write(first)
    for batch in others[:20]:
        journal.write(batch)
    told = json.loads(said(capsys, "backup", "copy.db", "--json"))
    assert told["entries"] == 21
    for batch in others[20:]:
        journal.write(batch)
    journal.close()
    assert "well: " in said(capsys, "verify", "copy.db")
    assert (rows(tmp_path / "copy.db"), rows(tmp_path / "trading_data.db")) == (
        21,
        len(play.entries),
    )
    assert (tmp_path / "copy.db").stat().st_mode & 0o777 == 0o600
    assert not list(tmp_path.glob("copy.db?*")), "it is one file"


def test_a_backup_overwrites_nothing_and_needs_books(path: Path, capsys: Captured) -> None:
    before = files(path.parent)
    assert "is there already" in said(capsys, "backup", path.name, code=Exit.MISTAKE)
    none = ("backup", "copy.db", "--database", "none.db")
    assert "there is no database" in said(capsys, *none, code=Exit.REFUSED)
    assert "no such folder" in said(capsys, "backup", "no/copy.db", code=Exit.MISTAKE)
    assert files(path.parent) == before


def test_books_that_are_not_what_their_journal_says_are_no_backup(
    path: Path, capsys: Captured
) -> None:
    spoiled(path)
    before = files(path.parent)
    told = said(capsys, "backup", "copy.db", code=Exit.REFUSED)
    assert "position_rows, symbol JD, quantity" in told
    assert files(path.parent) == before


def test_what_a_cut_off_backup_has_left_is_in_nobodys_way(path: Path, capsys: Captured) -> None:
    path.with_name("copy.db.part").write_bytes(b"half of it")
    assert "proved" in said(capsys, "backup", "copy.db")
    assert not path.with_name("copy.db.part").exists()


def test_a_restore_moves_the_books_aside_and_says_what_they_lack(
    path: Path, capsys: Captured
) -> None:
    old = written_up_to(30, path.with_name("old.db"))
    before, log = path.read_bytes(), path.with_name("trading_data.db-wal")
    log.write_bytes(b"")
    told = said(capsys, "restore", old.name)
    count = len(eventful().entries)
    assert "journal row 30 of " in told
    assert f"{count - 30} rows after the backup" in told
    (aside,) = path.parent.glob("archive/*/trading_data.db")
    assert aside.read_bytes() == before
    assert aside.with_name(log.name).exists()
    assert not log.exists() or not log.stat().st_size
    assert rows(path) == 30
    assert "well: " in said(capsys, "verify")
    assert old.exists()
    journal = open_journal(path, create=False, since="", inline=True)
    assert journal.head == 30
    journal.close()


def written_up_to(row: int, path: Path) -> Path:
    play = eventful()
    play.entries, play.states = play.entries[:row], play.states[:row]
    return written(play, path)


def test_a_restore_where_no_books_are_puts_them_there(path: Path, capsys: Captured) -> None:
    path.rename(path.with_name("copy.db"))
    assert "aside" not in said(capsys, "restore", "copy.db")
    assert rows(path) == len(eventful().entries)


def test_nothing_is_restored_under_a_process_that_holds_the_books(
    path: Path, capsys: Captured
) -> None:
    shutil.copy(path, path.with_name("copy.db"))
    journal = open_journal(path, create=False, since="2026-01-26", inline=True)
    before = files(path.parent)
    assert "in use by process" in said(capsys, "restore", "copy.db", code=Exit.REFUSED)
    assert files(path.parent) == before
    journal.close()


def test_what_is_no_sound_backup_of_these_books_is_not_restored(
    path: Path, capsys: Captured
) -> None:
    wrong = Path(shutil.copy(path, path.with_name("wrong.db")))
    spoiled(wrong)
    first, *rest = opening()
    assert first == boot(1)
    other = Journaled().hear(replace(boot(1), account=AccountId("simulated:2")), *rest)
    written(other, path.with_name("other.db"))
    path.with_name("text.db").write_bytes(b"text" * 100)
    before = files(path.parent)
    assert "isn't what its journal says" in said(capsys, "restore", "wrong.db", code=Exit.REFUSED)
    assert "holds the books of simulated:2" in said(
        capsys, "restore", "other.db", code=Exit.REFUSED
    )
    assert "not an SQLite database" in said(capsys, "restore", "text.db", code=Exit.REFUSED)
    assert "no such file" in said(capsys, "restore", "none.db", code=Exit.MISTAKE)
    assert "is the database itself" in said(capsys, "restore", path.name, code=Exit.MISTAKE)
    assert files(path.parent) == before


# ------------------------------------------------------------------------------------------ the rehearsal


@pytest.fixture
def account(tmp_path: Path) -> Iterator[Account]:
    with standing_broker(tmp_path) as account:
        yield account


def verb(account: Account, *arguments: str) -> str:
    ended = subprocess.run(
        [sys.executable, "-P", "-m", "trader", *arguments],
        cwd=account.path,
        env=account.environment(),
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
    )
    assert ended.returncode == 0, ended.stderr
    return ended.stdout


def test_orders_that_an_old_backup_has_intended_are_found_by_their_ids(account: Account) -> None:
    """The backup is of the moment between the intent and the sending."""
    with account.watched() as trader:
        trader.hold_at(("rows durable", "committed OrderRequest"))
        verb(account, "backup", "early.db")
        trader.close()
        wait_until_it_holds(trader)
        trader.end(signal.SIGKILL)
    before = sorted(order["client_order_id"] for order in account.accepted())
    assert "rows after the backup" in verb(account, "restore", "early.db")
    with account.trading() as trader:
        for _ in before:
            trader.wait_line(lambda line: "found at the broker by its id" in line)
        wait_until_it_blocks(trader)
        assert trader.end(signal.SIGTERM).code == 0
    assert sorted(order["client_order_id"] for order in account.accepted()) == before
    assert account.difference() == ""


def test_what_an_old_backup_does_not_know_is_not_traded_over(account: Account) -> None:
    """The backup is older than both intents: the broker holds what the books never heard of, and a person decides."""
    with account.watched() as trader:
        trader.hold_at(("rows durable", "committed Statement"))
        verb(account, "backup", "early.db")
        trader.close()
        wait_until_it_holds(trader)
        trader.end(signal.SIGKILL)
    before = sorted(order["client_order_id"] for order in account.accepted())
    verb(account, "restore", "early.db")
    refused = account.tried()
    assert refused.code == Exit.REFUSED
    assert "which the books don't know" in refused.err
    there = ("--broker", "alpaca-paper", "--address", account.address)
    verb(account, "reconcile", "--accept", "broker", "--reason", "restored", *there)
    assert "has the same cash and shares" in verb(account, "verify", *there)
    with account.trading() as trader:
        wait_until_it_blocks(trader)
        assert trader.end(signal.SIGTERM).code == 0
    assert sorted(order["client_order_id"] for order in account.accepted()) == before
    assert account.difference() == ""

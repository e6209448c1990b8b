"""What a killed process has committed is asked for: a write-ahead log that is gone, or cut off, is noticed."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.eventful import eventful
from trader.__main__ import main
from trader.exits import Exit
from trader.journal.failures import JournalUnusable
from trader.journal.lock import ProcessLock, rows_noted
from trader.journal.sqlite import SqliteJournal, open_journal

Captured = pytest.CaptureFixture[str]
NAME = "trading_data.db"


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[SqliteJournal]:
    folder = tmp_path / "alive"
    folder.mkdir()
    found = open_journal(folder / NAME, create=True, since="then", inline=True)
    for batch in eventful().batches():
        found.write(batch)
    yield found
    found.close()


def killed(journal: SqliteJournal, folder: Path, *without: str) -> Path:
    """What is on the disk when its process is killed now."""
    folder.mkdir()
    for file in journal.path.parent.iterdir():
        if not file.name.endswith(("-shm", *without)):
            shutil.copy(file, folder / file.name)
    return folder / NAME


def opened_rows(path: Path) -> int:
    found = open_journal(path, create=False, since="now", inline=True)
    try:
        return found.head
    finally:
        found.close()


def test_a_log_that_a_killed_process_has_left_is_taken_in(
    journal: SqliteJournal, tmp_path: Path
) -> None:
    path = killed(journal, tmp_path / "whole")
    assert rows_noted(path) == journal.head
    assert main(["verify", str(path)]) == Exit.WELL
    assert opened_rows(path) == journal.head
    assert rows_noted(path) == 0, "it ended well"
    path.with_name(f"{NAME}-wal").unlink(missing_ok=True)
    assert opened_rows(path) == journal.head


def test_rows_that_were_committed_and_are_gone_refuse_the_start_and_every_look(
    journal: SqliteJournal, tmp_path: Path, capsys: Captured
) -> None:
    gone = killed(journal, tmp_path / "gone", "-wal")
    cut = killed(journal, tmp_path / "cut")
    log = cut.with_name(f"{NAME}-wal")
    log.write_bytes(log.read_bytes()[: log.stat().st_size // 2])
    for path in (gone, cut):
        for _ in range(2):
            with pytest.raises(JournalUnusable, match=rf"and row {journal.head} was committed"):
                opened_rows(path)
        for verb in (["verify"], ["positions"], ["backup", str(tmp_path / "none.db")]):
            assert main([*verb, "--database", str(path)]) == Exit.REFUSED
            assert "its write-ahead log is gone or cut off (bring " in capsys.readouterr().err
        assert main(["doctor", "--database", str(path)]) != Exit.WELL
        assert "its write-ahead log is gone or cut off" in capsys.readouterr().out


def test_a_person_may_go_on_with_what_is_left(
    journal: SqliteJournal, tmp_path: Path, capsys: Captured
) -> None:
    path = killed(journal, tmp_path / "cut")
    log = path.with_name(f"{NAME}-wal")
    log.write_bytes(log.read_bytes()[:-1])
    part = tmp_path / "part" / NAME
    part.parent.mkdir()
    for file in (path, log):
        shutil.copy(file, part.parent / file.name)
    assert main(["restore", str(part), "--database", str(path)]) == Exit.WELL
    assert 0 < opened_rows(path) < journal.head
    assert main(["verify", str(path)]) == Exit.WELL


def test_who_was_taken_over_asks_nobody_for_rows(journal: SqliteJournal, tmp_path: Path) -> None:
    after = open_journal(journal.path, create=False, since="late", inline=True, take_over=True)
    assert after.taken_from is not None
    after.close()
    assert opened_rows(killed(journal, tmp_path / "killed")) == journal.head


def test_the_row_stands_in_a_line_of_its_own(tmp_path: Path) -> None:
    lock = ProcessLock(tmp_path / "x.db", "then")
    lock.note(9)
    lock.note(10)
    assert lock.path.read_text().splitlines()[1:] == ["10"]
    assert rows_noted(tmp_path / "x.db") == 10
    lock.close()
    assert lock.path.read_text() == ""

"""`trade verify`: its exit codes, its words, and that it writes nothing."""

import json
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from tests.eventful import eventful, written
from trader.__main__ import main
from trader.exits import Exit
from trader.journal.sqlite import open_journal

Captured = pytest.CaptureFixture[str]


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return written(eventful(), tmp_path / "trading_data.db")


def said(captured: Captured, *arguments: str, code: Exit) -> str:
    assert main(["verify", *arguments]) == code
    told = captured.readouterr()
    return told.err if code in (Exit.MISTAKE, Exit.REFUSED) else told.out


def test_sound_books_are_well_and_nothing_is_written(path: Path, capsys: Captured) -> None:
    before = path.read_bytes()
    assert said(capsys, code=Exit.WELL) == said(capsys, str(path), code=Exit.WELL)
    assert said(capsys, "--database", path.name, "--every", "7", code=Exit.WELL).splitlines()[
        -1
    ] == (f"well: {path} says what its journal says")
    assert path.read_bytes() == before


def test_it_proves_books_that_are_being_written(path: Path, capsys: Captured) -> None:
    journal = open_journal(path, create=False, since="", inline=True)
    assert said(capsys, code=Exit.WELL)
    journal.close()


def test_the_first_difference_is_the_last_line_and_in_the_json(
    path: Path, capsys: Captured
) -> None:
    with closing(sqlite3.connect(path)) as hand, hand:
        hand.execute("UPDATE position_rows SET quantity = '36' WHERE symbol = 'JD'")
    last = said(capsys, code=Exit.DIFFERENCES).splitlines()[-1]
    assert last == (
        "first difference: tables: position_rows, symbol JD, quantity: stored '36', follows '35'"
    )
    answer = json.loads(said(capsys, "--json", code=Exit.DIFFERENCES))
    assert answer["is_well"] is False
    assert answer["first_difference"]["name"] == "tables"
    assert last.endswith(answer["first_difference"]["difference"])


def test_what_can_not_be_opened_is_no_proof_of_anything(path: Path, capsys: Captured) -> None:
    assert "there is no database" in said(capsys, "none.db", code=Exit.REFUSED)
    path.write_bytes(b"not a database" * 100)
    assert "not an SQLite database" in said(capsys, code=Exit.REFUSED)
    path.write_bytes(b"")
    assert "empty" in said(capsys, code=Exit.REFUSED)
    assert "no such folder" in said(capsys, "no/such.db", code=Exit.MISTAKE)


def test_an_empty_journal_is_well(tmp_path: Path, capsys: Captured) -> None:
    open_journal(tmp_path / "new.db", create=True, since="", inline=True).close()
    assert "0 entries" in said(capsys, str(tmp_path / "new.db"), code=Exit.WELL)

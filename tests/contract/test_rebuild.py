"""Whatever became of tables and triggers, the entries make them again; and of entries themselves nothing is mended."""

import json
import resource
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from tests.eventful import eventful, written
from trader.__main__ import main
from trader.exits import Exit
from trader.journal.chain import GENESIS, chained
from trader.journal.schema import TABLES
from trader.journal.sqlite import open_journal
from trader.messages import RequestAccepted

Captured = pytest.CaptureFixture[str]
Rows = dict[str, list[tuple[object, ...]]]


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return written(eventful(), tmp_path / "trading_data.db")


def said(captured: Captured, *arguments: str, code: Exit = Exit.WELL) -> str:
    assert main(arguments) == code
    told = captured.readouterr()
    return told.out if code == Exit.WELL else told.err


def tables_of(path: Path) -> Rows:
    with closing(sqlite3.connect(path)) as reader:
        return {
            one: reader.execute(f"SELECT * FROM {one} ORDER BY 1, 2").fetchall() for one in TABLES
        }


def names(folder: Path) -> list[str]:
    """But for what SQLite puts beside a file that it reads."""
    return sorted(
        one.name for one in folder.iterdir() if not one.name.endswith(("-shm", "-wal", ".lock"))
    )


def by_hand(path: Path, *statements: str) -> None:
    """What somebody does who takes the triggers out of the way first."""
    with closing(sqlite3.connect(path)) as hand, hand:
        names = hand.execute("SELECT name FROM sqlite_schema WHERE type = 'trigger'").fetchall()
        for (name,) in names:
            hand.execute(f"DROP TRIGGER {name}")
        for statement in statements:
            hand.execute(statement)


@pytest.mark.parametrize("table", sorted(set(TABLES) - {"journal"}))
def test_a_table_that_was_emptied_is_made_again_row_by_row(
    path: Path, capsys: Captured, table: str
) -> None:
    before = tables_of(path)
    assert before[table], "the day fills every table"
    by_hand(path, f"DELETE FROM {table}")
    damaged = path.read_bytes()
    told = said(capsys, "rebuild", "new.db")
    assert f"{len(before['journal'])} entries" in told
    assert tables_of(path.with_name("new.db")) == before
    assert "well: " in said(capsys, "verify", "new.db")
    assert path.read_bytes() == damaged
    assert not list(path.parent.glob("new.db?*")), "it is one file"


def test_rebuilt_books_are_put_in_place_and_go_on(path: Path, capsys: Captured) -> None:
    by_hand(path, "UPDATE position_rows SET quantity = '36'")
    told = json.loads(said(capsys, "rebuild", "new.db", "--json"))
    assert (told["entries"], told["left_out"]) == (len(eventful().entries), 0)
    said(capsys, "restore", "new.db")
    assert "well: " in said(capsys, "verify")
    journal = open_journal(path, create=False, since="", inline=True)
    assert (journal.head, journal.head_hash) == (told["entries"], told["head_hash"])
    journal.close()


def test_a_damaged_entry_is_named_and_what_is_whole_before_it_can_be_taken_over(
    path: Path, capsys: Captured
) -> None:
    by_hand(path, "UPDATE journal SET entry = replace(entry, ':', ': ') WHERE sequence = 20")
    told = said(capsys, "rebuild", "new.db", code=Exit.REFUSED)
    assert "the chain of hashes is broken, at journal row 20" in told
    assert "--up-to 19" in told
    assert not list(path.parent.glob("new.db*"))
    whole = said(capsys, "rebuild", "new.db", "--up-to", "19")
    assert f"left out  {len(eventful().entries) - 19} entries" in whole
    assert tables_of(path.with_name("new.db")) == tables_of(
        written_up_to(19, path.with_name("x.db"))
    )


def written_up_to(row: int, path: Path) -> Path:
    play = eventful()
    play.entries, play.states = play.entries[:row], play.states[:row]
    return written(play, path)


def test_where_the_first_entry_is_damaged_nothing_is_whole(path: Path, capsys: Captured) -> None:
    by_hand(path, "UPDATE journal SET entry = '{}' WHERE sequence = 1")
    told = said(capsys, "rebuild", "new.db", code=Exit.REFUSED)
    assert "at journal row 1 (restore a backup)" in told


def test_an_entry_that_follows_from_nothing_is_damage_and_no_crash(
    path: Path, capsys: Captured
) -> None:
    accepted = next(
        entry.sequence
        for entry in eventful().entries
        if any(isinstance(event, RequestAccepted) for event in entry.events)
    )
    rewritten(path, drop=accepted)
    told = said(capsys, "rebuild", "new.db", code=Exit.REFUSED)
    assert "can't follow from the entries before it" in told
    assert not list(path.parent.glob("new.db*"))


def test_the_bytes_of_an_older_program_stay_what_they_are(path: Path, capsys: Captured) -> None:
    texts = rewritten(path)
    said(capsys, "rebuild", "new.db")
    with closing(sqlite3.connect("new.db")) as reader:
        found = reader.execute("SELECT entry FROM journal ORDER BY sequence").fetchall()
    assert [text for (text,) in found] == texts
    assert "well: " in said(capsys, "verify", "new.db")


def rewritten(path: Path, drop: int = 0) -> list[str]:
    """Each entry in other bytes that say the same, their chain of hashes right; without the events of row `drop`."""
    by_hand(path)
    texts, previous = [], GENESIS
    with closing(sqlite3.connect(path)) as hand, hand:
        rows = hand.execute("SELECT sequence, entry FROM journal ORDER BY sequence").fetchall()
        for sequence, text in rows:
            said = json.loads(text)
            if sequence == drop:
                said["events"] = []
            text = json.dumps(said)  # With blanks, which ours hasn't.
            previous = chained(previous, text.encode())
            hand.execute(
                "UPDATE journal SET entry = ?, hash = ? WHERE sequence = ?",
                (text, previous, sequence),
            )
            texts.append(text)
    return texts


def test_books_that_are_being_written_are_taken_as_of_one_moment(
    tmp_path: Path, capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    batches = list(eventful().each())
    journal = open_journal(tmp_path / "trading_data.db", create=True, since="", inline=True)
    for batch in batches[:20]:
        journal.write(batch)
    told = json.loads(said(capsys, "rebuild", "new.db", "--json"))
    for batch in batches[20:]:
        journal.write(batch)
    journal.close()
    assert told["entries"] == 20
    assert "well: " in said(capsys, "verify", "new.db")


def test_a_mistake_is_one_line_and_leaves_all_as_it_is(path: Path, capsys: Captured) -> None:
    before = names(path.parent)
    count = len(eventful().entries)
    for arguments, code, says in (
        (("rebuild", path.name), Exit.MISTAKE, "is there already (give a new name)"),
        (("rebuild", "new.db", "--up-to", "9999"), Exit.MISTAKE, f"the journal has {count} rows"),
        (("rebuild", "no/new.db"), Exit.MISTAKE, "no such folder"),
        (("rebuild", "new.db", "--database", "none.db"), Exit.REFUSED, "there is no database"),
    ):
        assert says in said(capsys, *arguments, code=code)
    assert names(path.parent) == before
    path.with_name("new.db.part").write_bytes(b"half of it")
    assert "proved" in said(capsys, "rebuild", "new.db")
    assert not path.with_name("new.db.part").exists()


def test_where_there_is_no_room_one_line_says_so_and_nothing_is_left(
    path: Path, capsys: Captured
) -> None:
    before = names(path.parent)
    was = resource.getrlimit(resource.RLIMIT_FSIZE)
    for room in (100_000, path.stat().st_size // 2):
        try:
            resource.setrlimit(resource.RLIMIT_FSIZE, (room, was[1]))
            told = said(capsys, "rebuild", "new.db", code=Exit.REFUSED)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, was)
        assert told.count("\n") == 1
        assert "new.db.part" in told
        assert names(path.parent) == before

"""`trade repair`: what it adds and never changes, that it is all or nothing, and everything it refuses."""

import json
import os
import sqlite3
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.old_books import built_by_shared_script, database, incident
from tests.program import ROOT
from trader.__main__ import main
from trader.audit.safekeeping import digest_of_file
from trader.exits import Exit
from trader.journal.lock import ProcessLock

Captured = pytest.CaptureFixture[str]
BUYS = [
    ("JD", "BUY", shares, 29.6, f"2026-01-26 18:2{n}:00") for n, shares in enumerate((33, 160, 171))
]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def small(folder: Path, trades: Sequence[Sequence[object]] = BUYS) -> Path:
    """One symbol, one real buy; cash was held at nothing."""
    return database(
        folder / "old.db",
        trades=trades,
        positions=[("JD", 33, 29.6)],
        account=[(0, 976.8, 0, 10_000)],
    )


def did(captured: Captured, *arguments: str, code: int = 0) -> str:
    assert main(arguments) == code
    return captured.readouterr().out


def refused(captured: Captured, *arguments: str, code: Exit = Exit.REFUSED) -> str:
    assert main(["repair", *arguments]) == code
    (line,) = captured.readouterr().err.splitlines()
    return line


def rows(path: Path, question: str) -> list[tuple[object, ...]]:
    books = sqlite3.connect(path)
    found = books.execute(question).fetchall()
    books.close()
    return found


@pytest.mark.parametrize("source", ["own", "shared"])
def test_the_incident_is_repaired_undone_and_its_tables_are_what_they_were(
    folder: Path, capsys: Captured, source: str
) -> None:
    path = incident(folder / "a.db") if source == "own" else built_by_shared_script(folder, "after")
    before = digest_of_file(path)
    told = did(capsys, "repair", str(path), "--plan", "plan.json")
    assert "665 rows of 47 symbols to be left out; none is deleted" in told
    assert "cash 0.00 + 106426.19 = 106426.19" in told
    assert digest_of_file(path) == before
    assert rows(path, "SELECT count(*) FROM sqlite_master WHERE name = 'repairs'") == [(0,)]
    told = did(capsys, "repair", str(path), "--apply", "plan.json")
    assert "665 rows are left out and 2 figures adjusted" in told
    assert "restore rehearsed" in told
    assert digest_of_file(path) == before
    assert rows(path, "SELECT count(*) FROM effective_trades") == [(275,)]
    [backup] = folder.glob("*.before-*")
    assert digest_of_file(backup) == before
    # The next audit finds nothing, and the next repair has nothing to do.
    found = json.loads(did(capsys, "audit", str(path), "--json"))
    assert found["findings"] == []
    assert found["cash"]["recorded"] == found["cash"]["right"] == "106426.19"
    assert found["totals"]["voided"] == 665
    assert "nothing to do" in did(capsys, "repair", str(path), "--plan", "again.json")
    assert not Path("again.json").exists()
    assert "carried out already" in did(capsys, "repair", str(path), "--apply", "plan.json")
    assert "repair 1 is undone" in did(capsys, "repair", str(path), "--undo")
    assert digest_of_file(path) == before
    found = json.loads(did(capsys, "audit", str(path), "--json", code=Exit.DIFFERENCES))
    assert found["totals"]["phantom_buys"] == 665
    assert "nothing to undo" in refused(capsys, str(path), "--undo")


def test_a_repair_that_was_undone_can_be_planned_and_carried_out_again(
    folder: Path, capsys: Captured
) -> None:
    path = small(folder)
    for plan in ("one.json", "two.json"):
        did(capsys, "repair", str(path), "--plan", plan)
        did(capsys, "repair", str(path), "--apply", plan, "--backup", f"{plan}.db")
        if plan == "one.json":
            did(capsys, "repair", str(path), "--undo")
    assert rows(path, "SELECT id, undoes FROM repairs") == [(1, None), (2, 1), (3, None)]
    assert rows(path, "SELECT id FROM effective_trades") == [(1,)]


def test_cleaned_books_are_refused_until_their_backup_is_back(
    folder: Path, capsys: Captured
) -> None:
    path = incident(folder / "cleaned.db", "cleaned")
    line = refused(capsys, str(path), "--plan", "plan.json")
    assert "sales were deleted" in line
    assert "restore the backup from before" in line
    assert not Path("plan.json").exists()


def test_what_cannot_be_proved_is_listed_and_left_alone(folder: Path, capsys: Captured) -> None:
    path = small(folder)
    with sqlite3.connect(path) as old:
        old.executemany(
            "INSERT INTO trades(symbol, side, quantity, price, timestamp) VALUES (?, ?, ?, ?, ?)",
            [
                ("GS", "BUY", 1, 900, "2026-01-26 18:20:00"),
                ("GS", "BUY", 2, 900, "2026-01-26 18:20:01"),
            ],
        )
        old.execute("INSERT INTO positions VALUES ('GS', 7, 900)")
    old.close()
    told = did(capsys, "repair", str(path), "--plan", "plan.json")
    assert "2 rows of 1 symbols to be left out" in told
    assert "left alone: GS: 1 repeated buys; trades leave 3, recorded are 7" in told
    assert "left alone: cash 0.00: what it should be is not proved" in told
    did(capsys, "repair", str(path), "--apply", "plan.json")
    assert rows(path, "SELECT symbol, quantity FROM effective_trades") == [
        ("JD", 33),
        ("GS", 1),
        ("GS", 2),
    ]
    assert rows(path, "SELECT * FROM repair_adjustments") == []
    told = did(capsys, "repair", str(path), "--plan", "again.json", code=Exit.DIFFERENCES)
    assert "nothing that can be proved" in told


# -------------------------------------------------------------------------------------- what is refused


def test_a_plan_is_for_one_file_as_it_was(folder: Path, capsys: Captured) -> None:
    path = small(folder)
    did(capsys, "repair", str(path), "--plan", "plan.json")
    other = database(folder / "other.db", trades=BUYS)
    assert "is not the file" in refused(capsys, str(other), "--apply", "plan.json")
    with sqlite3.connect(path) as old:
        old.execute("INSERT INTO trades(symbol) VALUES ('GS')")
    old.close()
    assert "has changed since" in refused(capsys, str(path), "--apply", "plan.json")
    assert list(folder.glob("*.before-*")) == []


def test_a_plan_that_somebody_changed_is_refused(folder: Path, capsys: Captured) -> None:
    path = small(folder)
    did(capsys, "repair", str(path), "--plan", "plan.json")
    text = Path("plan.json").read_text()
    Path("plan.json").write_text(text.replace('"trade": 3', '"trade": 1'))
    line = refused(capsys, str(path), "--apply", "plan.json")
    assert "the plan is not what the audit of this file gives" in line
    Path("plan.json").write_text("{}")
    assert "not a plan" in refused(capsys, str(path), "--apply", "plan.json", code=Exit.MISTAKE)


def test_it_is_refused_while_a_trader_or_anybody_holds_the_database(
    folder: Path, capsys: Captured
) -> None:
    path = small(folder)
    did(capsys, "repair", str(path), "--plan", "plan.json")
    lock = ProcessLock(path, "2026-01-27T12:00:00Z")
    assert "a trader holds it" in refused(capsys, str(path), "--apply", "plan.json")
    assert "a trader holds it" in refused(capsys, str(path), "--undo")
    lock.close()
    program = (
        "import sqlite3, sys; c = sqlite3.connect(sys.argv[1]); c.execute('SELECT * FROM trades');"
        " print('open', flush=True); sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-P", "-c", program, str(path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as holder:
        assert holder.stdout is not None
        holder.stdout.readline()
        line = refused(capsys, str(path), "--apply", "plan.json")
        assert f"process {holder.pid} has it open" in line
        assert holder.stdin is not None
        holder.stdin.close()
    assert rows(path, "SELECT count(*) FROM sqlite_master WHERE name = 'repairs'") == [(0,)]


def test_a_backup_of_other_books_is_not_taken_for_ours(folder: Path, capsys: Captured) -> None:
    path = small(folder)
    did(capsys, "repair", str(path), "--plan", "plan.json")
    incident(folder / "backup.db", "before")
    (folder / "text.db").write_text("not a database")
    apply = ("--apply", "plan.json", "--backup")
    for name in ("backup.db", "text.db"):
        assert "is no backup of these books" in refused(capsys, str(path), *apply, name)
    # One of these very books will do: whoever was killed after writing it goes on.
    (folder / "good.db").write_bytes(path.read_bytes())
    did(capsys, "repair", str(path), *apply, "good.db")


def test_undoing_is_refused_once_trades_were_added(folder: Path, capsys: Captured) -> None:
    path = small(folder)
    did(capsys, "repair", str(path), "--plan", "plan.json")
    did(capsys, "repair", str(path), "--apply", "plan.json")
    with sqlite3.connect(path) as old:
        old.execute(
            "INSERT INTO trades(symbol, side, quantity, price, timestamp)"
            " VALUES ('JD', 'SELL', 33, 30, '2026-01-27 10:00:00')"
        )
    old.close()
    before = path.read_bytes()
    line = refused(capsys, str(path), "--undo")
    assert "were added or changed since repair 1" in line
    assert "audit again" in line
    assert path.read_bytes() == before


def test_rows_without_a_lasting_number_are_not_voided(folder: Path, capsys: Captured) -> None:
    path = small(folder)
    with sqlite3.connect(path) as old:
        old.executescript(
            "CREATE TABLE copy AS SELECT * FROM trades; DROP TABLE trades; ALTER TABLE copy RENAME TO trades"
        )
    old.close()
    assert "no lasting number" in refused(capsys, str(path), "--plan", "plan.json")


def test_a_statement_that_changed_since_the_plan_is_refused(folder: Path, capsys: Captured) -> None:
    path = small(folder)
    Path("fills.csv").write_text(
        "symbol,side,qty,price,timestamp\nJD,BUY,33,29.60,2026-01-26 18:20:00\n"
    )
    did(capsys, "repair", str(path), "--statement", "fills.csv", "--plan", "plan.json")
    with Path("fills.csv").open("a") as fills:
        fills.write("JD,BUY,160,29.60,2026-01-26 18:21:00\n")
    line = refused(capsys, str(path), "--apply", "plan.json")
    assert "not the statement that the plan was made with" in line


def test_a_plan_replaces_no_file_the_books_least_of_all(folder: Path, capsys: Captured) -> None:
    path = small(folder)
    before = path.read_bytes()
    line = refused(capsys, str(path), "--plan", str(path), code=Exit.MISTAKE)
    assert line == f"trade: --plan {path}: is there already (give a new name)"
    assert path.read_bytes() == before


def test_one_thing_at_a_time(folder: Path, capsys: Captured) -> None:
    path = str(small(folder))
    for arguments in ([], ["--undo", "--plan", "a.json"]):
        line = refused(capsys, path, *arguments, code=Exit.MISTAKE)
        assert "give one of --plan FILE, --apply FILE, --undo" in line


# --------------------------------------------------------------------------------------- all or nothing


def test_whoever_is_killed_at_any_statement_leaves_all_of_it_or_nothing(
    folder: Path, capsys: Captured
) -> None:
    path = small(folder)
    before = digest_of_file(path)
    did(capsys, "repair", str(path), "--plan", "plan.json")
    program = str(ROOT / "tests" / "repair_killed.py")
    (folder / "copies").mkdir()
    ended = subprocess.run(
        [sys.executable, "-P", program, str(path), "plan.json", str(folder / "copies")],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert ended.returncode == 0, ended.stderr
    left = [json.loads(line) for line in ended.stdout.splitlines()]
    *killed, through = left
    assert len(killed) > 50
    assert [one["died"] for one in left] == [True] * len(killed) + [False]
    assert {one["originals"] for one in left} == {before}
    assert {one["whole"] for one in left} == {"ok"}
    assert {tuple(one["counts"]) for one in left} == {(), (1, 2, 2)}
    # Afterwards it is carried out where it had not been, and only there.
    assert all(one["again"] is not bool(one["counts"]) for one in left)
    assert through["counts"] == [1, 2, 2]

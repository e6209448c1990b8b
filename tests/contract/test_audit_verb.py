"""`trade audit` on books of all kinds: what it finds, that it changes nothing, and the one line where it can't look."""

import hashlib
import json
import os
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.old_books import NAMED, STAGES, built_by_shared_script, incident
from trader.__main__ import main
from trader.exits import Exit

Captured = pytest.CaptureFixture[str]
TIMES = [f"2026-01-26 10:0{minute}:00" for minute in range(10)]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def report(captured: Captured, *arguments: str, code: int) -> dict[str, Any]:
    """The whole report as JSON."""
    assert main(["audit", *arguments, "--json"]) == code
    found = json.loads(captured.readouterr().out)
    assert isinstance(found, dict)
    return found


def kinds(found: dict[str, Any]) -> dict[str, int]:
    return {one["kind"]: one["count"] for one in found["findings"]}


def refused(captured: Captured, *arguments: str, code: Exit) -> str:
    assert main(["audit", *arguments]) == code
    (line,) = captured.readouterr().err.splitlines()
    return line


# ------------------------------------------------------------------------------------------ the incident


def books(folder: Path, source: str, stage: str, *more: str) -> str:
    if source == "own":
        return str(incident(folder / f"{stage}.db", stage, clamped="negative" not in more))
    return str(built_by_shared_script(folder, stage, *more))


SOURCES = pytest.mark.parametrize("source", ["own", "shared"])


@SOURCES
def test_the_books_before_the_incident_are_sound(
    folder: Path, capsys: Captured, source: str
) -> None:
    found = report(capsys, books(folder, source, "before"), code=Exit.WELL)
    assert found["findings"] == []
    assert found["cash"]["right"] == found["cash"]["recorded"] == "155000.00"
    assert {one["amount"] for one in found["profits"]} == {"-45000.00"}


@SOURCES
@pytest.mark.parametrize("cash", ["clamp", "negative"])
def test_the_books_after_it_have_665_phantoms_and_their_cash_is_known_to_the_cent(
    folder: Path, capsys: Captured, source: str, cash: str
) -> None:
    found = report(capsys, books(folder, source, "after", "--cash", cash), code=Exit.DIFFERENCES)
    totals, money = found["totals"], found["cash"]
    assert totals["phantom_buys"] == 665
    assert totals["unproved"] == totals["phantom_sales"] == 0
    assert totals["phantom_notional"] == "4976389.90"
    assert money["right"] == "106426.19"
    assert money["is_sure"]
    assert money["recorded"] == ("0.00" if cash == "clamp" else "-4869963.71")
    sum_of_both = "106,426.19 + 98,573.81 of positions = 205,000.00, the equity recorded then"
    assert any(one.startswith(sum_of_both) for one in money["checks"])
    symbols = {one["symbol"]: one for one in found["symbols"]}
    for symbol, named in NAMED.items():
        one = symbols[symbol]
        assert one["phantom_buys"] == named.buys - 1
        assert one["phantom_shares"] == str(named.shares - named.first)
        assert one["evidence"] == "position and cost"
        assert one["position_recorded"] == one["position_explained"]
    wanted = {"repeated_entries": 665, "burst": 712, "cash_unexplained": 1}
    wanted |= {"cash_clamped": 1} if cash == "clamp" else {}
    assert wanted.items() <= kinds(found).items()
    assert ("cash_clamped" in kinds(found)) == (cash == "clamp")


@SOURCES
def test_the_cleaned_books_cannot_be_mended_from_themselves(
    folder: Path, capsys: Captured, source: str
) -> None:
    cleaned = books(folder, source, "cleaned")
    found = report(capsys, cleaned, code=Exit.DIFFERENCES)
    assert found["is_cleaned_up"]
    assert found["cash"]["right"] is None
    assert found["totals"]["sales"] == 0
    assert kinds(found)["repeated_entries"] == found["totals"]["unproved"] == 44
    [says] = [one["says"] for one in found["findings"] if one["kind"] == "cleaned_up"]
    assert "no sale is left" in says
    assert "is the start 250,000.00 to the cent" in says
    assert "can't be mended from themselves: restore the backup from before" in says
    since = report(
        capsys, cleaned, "--earlier", books(folder, source, "after"), code=Exit.DIFFERENCES
    )
    [says] = [one["says"] for one in since["findings"] if one["kind"] == "rows_gone"]
    assert "all 91 sales" in says


@pytest.mark.parametrize("zone", ["utc", "naive"])
def test_the_same_comes_out_whatever_form_the_times_have(
    folder: Path, capsys: Captured, zone: str
) -> None:
    path = built_by_shared_script(folder, "after", "--tz", zone)
    found = report(capsys, str(path), code=Exit.DIFFERENCES)
    assert found["totals"]["phantom_buys"] == 665
    assert found["cash"]["right"] == "106426.19"
    assert found["timeline"][1]["at"] == "2026-01-26T23:18:00.000Z"


def test_a_person_reads_totals_symbols_cash_timeline_and_what_to_do(
    folder: Path, capsys: Captured
) -> None:
    assert main(["audit", str(incident(folder / "after.db"))]) == Exit.DIFFERENCES
    text = capsys.readouterr().out
    for words in (
        "damage: of 849 buys 665 are phantoms, for 4,976,389.90",
        "cash: recorded 0.00, implied by all rows -4,869,963.71, right 106,426.19",
        "price, time=timestamp",
        "without a zone taken as ET",
        "712 buys until 2026-01-26 19:12:00-05:00, 665 of them phantoms",
        "next: bin/trade repair",
    ):
        assert words in text
    assert main(["audit", str(incident(folder / "before.db", "before"))]) == Exit.WELL
    assert "these books are sound" in capsys.readouterr().out


def test_looking_changes_nothing(folder: Path, capsys: Captured) -> None:
    paths = [incident(folder / f"{stage}.db", stage) for stage in STAGES]
    with sqlite3.connect(paths[0]) as old:
        old.execute("PRAGMA journal_mode = WAL")
    old.close()
    before = {one.name: hashlib.sha256(one.read_bytes()).digest() for one in folder.iterdir()}
    for path in paths:
        main(["audit", str(path)])
    after = {one.name: hashlib.sha256(one.read_bytes()).digest() for one in folder.iterdir()}
    assert before == after


# ---------------------------------------------------------------------------------- where it can't look


def spoiled(folder: Path) -> Iterator[tuple[str, str, Exit]]:
    (folder / "empty.db").touch()
    yield "empty.db", "empty", Exit.MISTAKE
    (folder / "text.db").write_text("symbol,side\n" * 40)
    yield "text.db", "not an SQLite database", Exit.MISTAKE
    yield "nowhere.db", "there is no such file", Exit.MISTAKE
    (folder / "a_folder").mkdir()
    yield "a_folder", "not a plain file", Exit.MISTAKE
    whole = incident(folder / "whole.db", "before").read_bytes()
    (folder / "cut.db").write_bytes(whole[: len(whole) // 2])
    yield "cut.db", "can't be read", Exit.REFUSED
    (folder / "hot.db").write_bytes(whole)
    (folder / "hot.db-wal").write_bytes(b"frames")
    yield "hot.db", "hot.db-wal, not yet in the file", Exit.REFUSED
    (folder / "torn.db").write_bytes(whole)
    (folder / "torn.db-journal").write_bytes(b"pages")
    yield "torn.db", "torn.db-journal, not yet in the file", Exit.REFUSED
    with sqlite3.connect(folder / "other.db") as other:
        other.execute("CREATE TABLE notes(text)")
    other.close()
    yield "other.db", "no table looks like trades; there are notes", Exit.MISTAKE


def test_what_cannot_be_read_is_one_line_and_makes_nothing(folder: Path, capsys: Captured) -> None:
    for name, says, code in spoiled(folder):
        before = sorted(os.listdir(folder))
        assert says in refused(capsys, name, code=code), name
        assert sorted(os.listdir(folder)) == before


def test_a_locked_database_is_said_to_be_locked(folder: Path, capsys: Captured) -> None:
    path = incident(folder / "locked.db", "before")
    holder = sqlite3.connect(path, isolation_level=None)
    holder.execute("BEGIN EXCLUSIVE")
    assert "locked by another program" in refused(capsys, str(path), code=Exit.REFUSED)
    holder.close()


def test_our_own_books_are_not_somebody_elses(folder: Path, capsys: Captured) -> None:
    from trader.journal.sqlite import open_journal

    open_journal(folder / "ours.db", create=True, since="", inline=True).close()
    (folder / "copy.db").write_bytes((folder / "ours.db").read_bytes())
    assert "own books" in refused(capsys, "copy.db", code=Exit.MISTAKE)

"""`trade import`: our books begin with what the audit proves, say so, and with nothing else."""

import json
import sqlite3
from pathlib import Path

import pytest

from tests.old_books import built_by_shared_script, database, incident
from trader.__main__ import main
from trader.exits import Exit

Captured = pytest.CaptureFixture[str]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def refused(captured: Captured, *arguments: str, code: Exit = Exit.REFUSED) -> str:
    assert main(["import", *arguments]) == code
    (line,) = captured.readouterr().err.splitlines()
    return line


def asked(captured: Captured, question: str) -> list[dict[str, object]]:
    assert main(["sql", question, "--json"]) == Exit.WELL
    found = json.loads(captured.readouterr().out)
    assert isinstance(found, list)
    return found


@pytest.mark.parametrize("source", ["own", "shared"])
def test_the_books_after_the_incident_open_ours_with_what_is_right(
    folder: Path, capsys: Captured, source: str
) -> None:
    path = incident(folder / "a.db") if source == "own" else built_by_shared_script(folder, "after")
    before = path.read_bytes()
    assert main(["import", str(path), "--json"]) == Exit.WELL
    told = json.loads(capsys.readouterr().out)
    assert (told["cash"], told["positions_cost"]) == ("106426.19", "98573.81")
    assert told["positions"] == 47
    assert path.read_bytes() == before
    [account] = asked(capsys, "SELECT cash, equity FROM account")
    assert account == {"cash": 106426.19, "equity": 205000}
    [proof] = asked(capsys, "SELECT difference FROM proof")
    assert proof["difference"] == 0
    [jd] = asked(capsys, "SELECT quantity, avg_cost FROM positions WHERE symbol = 'JD'")
    assert jd == {"quantity": 33, "avg_cost": 29.6}
    # Every opening entry names the audit; nothing is entered before a broker has said the same.
    name = f"audit {told['audit'][:16]} of {path.name}"
    with sqlite3.connect(folder / "trading_data.db") as books:
        entries = [row[0] for row in books.execute("SELECT entry FROM journal")]
    books.close()
    openings = [one for one in entries if '"opening_booked"' in one or '"books_moved"' in one]
    assert len(openings) == 48
    assert all(name in one for one in openings)
    assert main(["doctor"]) == Exit.WELL


def test_a_repaired_database_opens_the_same_books_as_the_one_before_its_repair(
    folder: Path, capsys: Captured
) -> None:
    path = incident(folder / "old.db")
    assert main(["repair", str(path), "--plan", "plan.json"]) == Exit.WELL
    assert main(["repair", str(path), "--apply", "plan.json"]) == Exit.WELL
    capsys.readouterr()
    assert main(["import", str(path), "--strategy", "sma-crossover"]) == Exit.WELL
    told = capsys.readouterr().out
    assert "cash 106,426.19 + 47 positions at cost 98,573.81 = 205,000.00" in told
    assert "positions are sma-crossover's" in told


def test_books_are_imported_only_into_a_new_database(folder: Path, capsys: Captured) -> None:
    path = incident(folder / "old.db", "before")
    assert main(["import", str(path)]) == Exit.WELL
    before = (folder / "trading_data.db").read_bytes()
    assert "has books already" in refused(capsys, str(path))
    assert (folder / "trading_data.db").read_bytes() == before


def test_what_is_not_proved_opens_nothing(folder: Path, capsys: Captured) -> None:
    cleaned = incident(folder / "cleaned.db", "cleaned")
    assert "not conclusive: cleaned_up" in refused(capsys, str(cleaned))
    buy = ("JD", "BUY", 10, 5, "2026-01-26 10:00:00")
    for name, positions, account, says in (
        ("position", [("JD", 7, 5)], [(950, 1000, 0, 1000)], "position_unexplained"),
        (
            "start",
            [("JD", 10, 5)],
            [(950, None, None, None)],
            "cash is not proved: nowhere recorded",
        ),
        ("none", None, [(950, 1000, 0, 1000)], "JD is not proved: no table of positions"),
    ):
        path = database(folder / f"{name}.db", trades=[buy], positions=positions, account=account)
        assert says in refused(capsys, str(path))
    short = database(
        folder / "short.db",
        trades=[("JD", "SELL", 10, 5, "2026-01-26 10:00:00")],
        positions=[("JD", -10, 5)],
        account=[(1050, 1000, 0, 1000)],
    )
    assert "JD is sold short" in refused(capsys, str(short))
    assert not (folder / "trading_data.db").exists()


def test_a_strategy_that_is_not_configured_is_a_mistake(folder: Path, capsys: Captured) -> None:
    path = str(incident(folder / "old.db", "before"))
    line = refused(capsys, path, "--strategy", "nobody", code=Exit.MISTAKE)
    assert "no such strategy: nobody" in line

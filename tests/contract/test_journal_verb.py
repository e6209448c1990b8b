"""`trade journal` and `trade positions --at`: the ground truth for people and for other programs."""

import csv
import json
from hashlib import sha256
from pathlib import Path

import pytest

from tests.eventful import eventful, written
from trader.__main__ import main
from trader.exits import Exit
from trader.journal.chain import GENESIS
from trader.messages import encode

Captured = pytest.CaptureFixture[str]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return written(eventful(), tmp_path / "trading_data.db")


def said(captured: Captured, path: Path, *arguments: str) -> str:
    assert main([*arguments, "--database", str(path)]) == 0
    return captured.readouterr().out


def refused(captured: Captured, path: Path, *arguments: str) -> str:
    assert main([*arguments, "--database", str(path)]) == Exit.MISTAKE
    return captured.readouterr().err


def test_the_list_has_each_row_with_what_was_decided(path: Path, capsys: Captured) -> None:
    entries = eventful().entries
    rows = json.loads(said(capsys, path, "journal", "list", "--last", "1000", "--json"))
    assert [one["sequence"] for one in rows] == [one.sequence for one in entries]
    assert [one["input"] for one in rows] == [
        str(one.input.__struct_config__.tag) for one in entries
    ]
    some = json.loads(said(capsys, path, "journal", "list", "--input", "request", "--json"))
    assert {one["input"] for one in some} == {"request"}
    assert "request_accepted" in said(capsys, path, "journal", "list", "--session", "2026-01-26")
    assert said(capsys, path, "journal", "list", "--session", "1999-01-01") == "no such row\n"


def test_a_row_is_shown_with_its_postings(path: Path, capsys: Captured) -> None:
    shown = json.loads(said(capsys, path, "journal", "show", "2"))
    assert shown["entry"] == json.loads(encode(eventful().entries[1]))
    place = next(
        entry.sequence
        for entry in eventful().entries
        if "execution_booked" in encode(entry).decode()
    )
    postings = json.loads(said(capsys, path, "journal", "show", str(place), "--json"))["postings"]
    assert {"account": "position:JD", "instrument": "JD", "amount": "10"} in postings
    assert "no such row" in refused(capsys, path, "journal", "show", "100000")


def test_the_exported_journal_is_its_bytes_and_its_chain_of_hashes(
    path: Path, capsys: Captured
) -> None:
    lines = said(capsys, path, "journal", "export", "--format", "jsonl").splitlines()
    last = GENESIS
    for line, entry in zip(lines, eventful().entries, strict=True):
        data = line.partition('"entry":')[2].removesuffix("}").encode()
        assert data == encode(entry)
        last = sha256(last.encode() + data).hexdigest()
        assert json.loads(line)["hash"] == last


def test_the_double_entry_is_exported_as_csv(path: Path, capsys: Captured) -> None:
    rows = list(
        csv.DictReader(said(capsys, path, "journal", "export", "--format", "csv").splitlines())
    )
    assert rows[0] | {"sequence": ""} == {
        "sequence": "",
        "timestamp": "2026-01-26T14:30:00.000Z",
        "session": "2026-01-26",
        "input": "statement",
        "account": "equity:opening",
        "instrument": "USD",
        "amount": "-250000",
    }


@pytest.mark.parametrize("command", [("list", "--last"), ("show",)])
def test_a_number_that_no_row_can_have_is_one_line(
    path: Path, capsys: Captured, command: tuple[str, ...]
) -> None:
    assert "is not in the range" in refused(capsys, path, "journal", *command, "9" * 20)


def test_an_export_overwrites_nothing(path: Path, capsys: Captured) -> None:
    command = ("journal", "export", "--format", "csv", "--output")
    new = path.with_name("postings.csv")
    said(capsys, path, *command, str(new))
    assert new.stat().st_mode & 0o777 == 0o600
    assert "is there already" in refused(capsys, path, *command, str(new))
    assert "is there already" in refused(capsys, path, *command, str(path))


@pytest.mark.parametrize(
    ("moment", "held"),
    [
        ("2026-01-26T14:30", 30),
        ("2026-01-26", 35),
        ("2026-01-25", None),
        ("2027-01-01T00:00:00Z", 35),
    ],
)
def test_positions_as_they_stood_at_a_moment(
    path: Path, capsys: Captured, moment: str, held: int | None
) -> None:
    rows = json.loads(said(capsys, path, "positions", "--at", moment, "--json"))
    assert {one["symbol"]: one["quantity"] for one in rows}.get("JD") == held
    assert all(isinstance(one["quantity"], int) for one in rows), "33, not 33.0"
    told = said(capsys, path, "positions", "--at", moment)
    assert told.startswith("journal row ")
    assert ("nothing was booked before" in told) == (held is None)


def test_a_moment_told_to_the_nanosecond_is_the_same_moment(path: Path, capsys: Captured) -> None:
    question = "SELECT max(timestamp) AS moment FROM trades"
    [last] = json.loads(said(capsys, path, "sql", question, "--json"))
    moment = last["moment"].removesuffix("Z")
    told = {
        said(capsys, path, "positions", "--at", f"{moment}{digits}", "--json")
        for digits in ("", "0Z", "000000", "000000Z")
    }
    assert len(told) == 1


NO_MOMENTS = (
    "noon",
    "2026-13-01",
    "2026-02-30",
    "2026-01-26T25:00",
    "2026-01-26T15:61Z",
    "1900-01",
)


@pytest.mark.parametrize("moment", NO_MOMENTS)
def test_a_moment_that_is_none_is_refused(path: Path, capsys: Captured, moment: str) -> None:
    for verb in (["positions", "--at"], ["logs", "--since"]):
        line = refused(capsys, path, *verb, moment)
        assert line.startswith(f"trade: {verb[1]} {moment}: ")
        assert line.count("\n") == 1


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (("list", "--session", "nix"), "--session nix: not a date like 2026-01-26"),
        (("list", "--session", "2026-02-30"), "--session 2026-02-30: day is out of range"),
        (("list", "--input", "nix"), "'nix' is not one of 'acceptance', "),
        (("export", "--format", "csv", "--json"), "--json with --format csv: is another form"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else None,
)
def test_words_that_no_row_has_are_a_mistake(
    path: Path, capsys: Captured, given: tuple[str, ...], words: str
) -> None:
    assert words in refused(capsys, path, "journal", *given)


def test_the_list_is_asked_for_an_input_of_a_session(path: Path, capsys: Captured) -> None:
    wanted = ("journal", "list", "--input", "request", "--session", "2026-01-26", "--json")
    rows = json.loads(said(capsys, path, *wanted))
    assert {(one["input"], one["session"]) for one in rows} == {("request", "2026-01-26")}

"""The verbs that look: while a program writes and after it, as text and as JSON, and nothing they do can write."""

import os
import sqlite3
import subprocess
import sys
from decimal import Decimal
from pathlib import Path

import msgspec
import pytest

from tests.journal_plays import OPEN_NS, Play, day, fill, opened, request
from trader.__main__ import main
from trader.cli import commands
from trader.exits import Exit
from trader.journal.sqlite import open_journal
from trader.log.narrator import Narrator
from trader.log.writer import LogWriter
from trader.messages import Command, LifeEnd, SendOutcome, SendStarted

VERBS = ("status", "positions", "orders", "trades", "account")
ALL = [[verb] for verb in VERBS] + [["orders", "--open"], ["orders", "--unknown"], ["logs"]]


def play_of_a_day() -> Play:
    """JD is held, GS is in doubt and blocked repeats, T was denied."""
    play = opened().hear(request("JD", key="jd", shares=33))
    play.hear(fill(play.live()[0], Decimal(33), OPEN_NS))
    play.hear(*(request("GS", key=f"gs{i}") for i in range(8)))
    order = play.live()[0].client_order_id
    play.hear(SendStarted(client_order_id=order))
    play.hear(SendOutcome(client_order_id=order, outcome="unknown", reason="504\nlost"))
    return play.hear(request("T", key="t", price="44.10"))


def write(folder: Path, play: Play) -> None:
    journal = open_journal(folder / "trading_data.db", create=True, since="", inline=True)
    for batch in play.batches(after=journal.head):
        journal.write(batch)
    journal.close()
    writer, narrator = LogWriter(folder / "trader.log"), Narrator()
    writer.write(narrator.tell(play.entries) + narrator.close())
    writer.close()


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


Captured = pytest.CaptureFixture[str]


def said(captured: Captured, *arguments: str, code: int = 0) -> str:
    assert main(arguments) == code
    return captured.readouterr().out


def refused(captured: Captured, *arguments: str, code: Exit) -> str:
    """The one line on standard error."""
    assert main(arguments) == code
    (line,) = captured.readouterr().err.splitlines()
    return line


def in_json(captured: Captured, *arguments: str) -> object:
    return msgspec.json.decode(said(captured, *arguments, "--json"))


@pytest.mark.parametrize("verb", [*ALL, ["sql", "SELECT 1"], ["resume", "--reason", "x"]])
def test_without_a_database_each_verb_says_in_one_line_what_to_type(
    folder: Path, capsys: Captured, verb: list[str]
) -> None:
    assert "bin/trade run" in refused(capsys, *verb, code=Exit.REFUSED)
    assert os.listdir(folder) == []


@pytest.mark.parametrize("verb", ALL)
def test_each_verb_answers_people_and_programs(
    folder: Path, capsys: Captured, verb: list[str]
) -> None:
    write(folder, play_of_a_day())
    text = said(capsys, *verb)
    assert text
    assert "Traceback" not in text
    for line in said(capsys, *verb, "--json").splitlines():
        msgspec.json.decode(line)


@pytest.mark.parametrize("verb", ALL[:-1])
def test_each_verb_answers_on_an_empty_account(
    folder: Path, capsys: Captured, verb: list[str]
) -> None:
    write(folder, Play())
    said(capsys, *verb)


def test_positions_are_what_is_held_and_what_is_on_its_way(folder: Path, capsys: Captured) -> None:
    write(folder, play_of_a_day())
    rows = msgspec.convert(in_json(capsys, "positions"), list[dict[str, object]])
    assert [(row["symbol"], row["quantity"], row["quantity_pending_buy"]) for row in rows] == [
        ("GS", 0, 10),
        ("JD", 33, 0),
    ]
    assert rows[0]["entries"] == "closed"
    assert "UNKNOWN order" in str(rows[0]["closed_reason"])
    assert [line.split()[0] for line in said(capsys, "positions", "--all").splitlines()] == [
        "symbol",
        "GS",
        "JD",
        "T",
    ]


def test_tables_are_aligned(folder: Path, capsys: Captured) -> None:
    write(folder, play_of_a_day())
    head, *lines = said(capsys, "trades").splitlines()
    place = head.index("symbol")
    assert all(line[place:].startswith(("JD", "GS")) for line in lines)


def test_orders_can_be_asked_for_what_is_in_doubt(folder: Path, capsys: Captured) -> None:
    write(folder, play_of_a_day())
    (unknown,) = msgspec.convert(in_json(capsys, "orders", "--unknown"), list[dict[str, object]])
    assert unknown["symbol"] == "GS"
    assert in_json(capsys, "orders", "--open") == [unknown]
    assert "504\\nlost" in said(capsys, "orders", "--unknown")


def test_status_tells_what_a_person_has_to_know(folder: Path, capsys: Captured) -> None:
    play = play_of_a_day()
    play.hear(Command(command_id="1", verb="halt", who="ana", reason="lunch"))
    write(folder, play)
    text = said(capsys, "status")
    for words in (
        "gone without a word",
        "halted by ana: lunch",
        "GS closed: UNKNOWN order",
        "1 UNKNOWN",
        "cash 248,946.64",
        "1 positions",
        "blocked 7",
    ):
        assert words in text, words
    assert main(["status", "--json"]) == 0
    answer = msgspec.json.decode(capsys.readouterr().out, type=dict[str, object])
    assert answer["entries"] == "closed"
    assert answer["process"] == "gone"


def test_status_begins_with_the_mode_and_what_has_to_go(folder: Path, capsys: Captured) -> None:
    write(folder, play_of_a_day())
    assert said(capsys, "status").splitlines()[0] == "mode      ACTIVE"
    said(capsys, "halt", "--flatten", "--reason", "storm")
    first, gs, jd, *_ = said(capsys, "status").splitlines()
    assert first.startswith("mode      REDUCING, since 2026-01-26T")
    assert first.endswith(": storm")
    assert gs.startswith("          GS has to go (flatten, since 2026-01-26T")
    assert "waits for the end of trd-GS-B-" in gs
    assert jd.startswith("          JD has to go")
    assert "next exit" in jd
    status = in_json(capsys, "status")
    assert isinstance(status, dict)
    assert status["mode"]["mode"] == "REDUCING"
    assert [one["symbol"] for one in status["reductions"]] == ["GS", "JD"]


def test_status_of_an_ended_life_says_how_it_ended(folder: Path, capsys: Captured) -> None:
    write(folder, opened().hear(LifeEnd(at_ns=OPEN_NS, exit_code=4)))
    assert "ended at 2026-01-26T14:30:00.000Z, exit code 4" in said(capsys, "status")


def test_verbs_look_while_the_program_runs_and_do_not_disturb_it(
    folder: Path, capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(commands, "WAIT_S", 0.0)  # This one will not begin to listen.
    play = day(list(range(60)))
    journal = open_journal(folder / "trading_data.db", create=True, since="12:00", inline=True)
    for batch in play.each():
        journal.write(batch)
        if batch.entries[-1].sequence % 20 == 1:
            for verb in VERBS:
                said(capsys, verb)
    assert f"running, pid {os.getpid()}" in said(capsys, "status")
    assert "in use by process" in refused(capsys, "resume", "--reason", "x", code=Exit.REFUSED)
    journal.close()
    assert "running" not in said(capsys, "status")


@pytest.mark.parametrize(
    "question",
    [
        "DELETE FROM journal",
        "UPDATE life_rows SET pid = 1",
        "DROP VIEW trades",
        "CREATE TABLE x (y)",
        "ATTACH '/tmp/other.db' AS other",
        "PRAGMA query_only = OFF",
        "PRAGMA journal_mode = DELETE",
        "VACUUM INTO '/tmp/copy.db'",
        "SELECT 1; DELETE FROM journal",
        "SELECT load_extension('x')",
        "SELECT no such column",
        "",
        "SELECT '\0'",
    ],
)
def test_sql_only_reads_one_statement(folder: Path, capsys: Captured, question: str) -> None:
    write(folder, opened())
    before = sqlite3.connect("trading_data.db").execute("SELECT count(*) FROM journal").fetchone()
    code = main(["sql", question])
    captured = capsys.readouterr()
    assert code == Exit.MISTAKE or (code == 0 and question == ""), captured
    assert len(captured.err.splitlines()) <= 1
    after = sqlite3.connect("trading_data.db").execute("SELECT count(*) FROM journal").fetchone()
    assert after == before
    assert not Path("/tmp/copy.db").exists()


def test_sql_answers(folder: Path, capsys: Captured) -> None:
    write(folder, play_of_a_day())
    question = "SELECT symbol, quantity, avg_cost FROM positions WHERE quantity > 0"
    assert in_json(capsys, "sql", question) == [{"symbol": "JD", "quantity": 33, "avg_cost": 31.92}]
    assert said(capsys, "sql", question).splitlines() == [
        "symbol  quantity  avg_cost",
        "JD            33     31.92",
    ]
    line = refused(capsys, "sql", "SELECT 1 AS a, 2 AS a", code=Exit.MISTAKE)
    assert line == "trade: sql: two columns are called a: name one with AS"
    assert in_json(capsys, "sql", "SELECT * FROM double_entries") == []
    assert in_json(capsys, "sql", "SELECT difference FROM proof") == [{"difference": 0.0}]


def test_logs_are_filtered(folder: Path, capsys: Captured) -> None:
    write(folder, play_of_a_day())
    (blocked,) = said(capsys, "logs", "--event", "duplicate_blocked").splitlines()
    assert "DUPLICATE BUY BLOCKED: GS" in blocked
    assert "x7" in blocked
    lines = said(capsys, "logs", "--json", "--symbol", "JD").splitlines()
    assert {msgspec.json.decode(line)["symbol"] for line in lines} == {"JD"}
    order = f"trd-GS-B-{'gs0x':0<24}"
    events = [
        msgspec.json.decode(line)["event"]
        for line in said(capsys, "logs", "--json", "--order", order).splitlines()
    ]
    assert {"request_accepted", "duplicate_blocked", "order_sent", "order_unknown"} <= set(events)
    assert said(capsys, "logs", "--since", "2027") == ""
    assert said(capsys, "logs", "--since", "2026-01-26T14:30Z") == said(capsys, "logs")
    assert "info" not in said(capsys, "logs", "--level", "warning")
    for wrong in (["--since", "yesterday"], ["--event", "nonsense"], ["--level", "loud"]):
        refused(capsys, "logs", *wrong, code=Exit.MISTAKE)


def test_logs_pass_over_what_is_not_theirs(folder: Path, capsys: Captured) -> None:
    write(folder, opened())
    whole = said(capsys, "logs")
    with open("trader.log", "ab") as log:
        log.write(b'not json\n[1]\n{"a":1}\n\xff\xfe\n{"timestamp":"20')
    assert said(capsys, "logs") == whole


def test_logs_follow_a_log_that_grows_and_is_replaced(folder: Path) -> None:
    write(folder, opened())
    command = [sys.executable, "-u", "-m", "trader", "logs", "--follow", "--event", "program"]
    source = Path(__file__).parents[2]
    line = (
        '{"timestamp":"2026-01-26T15:00:00.000Z","level":"info","event":"program","message":"%s"}\n'
    )
    with subprocess.Popen(
        command,
        cwd=folder,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(source)},
    ) as follower:
        assert follower.stdout is not None
        with open(folder / "trader.log", "a") as log:
            log.write(line % "first")
        assert follower.stdout.readline().endswith("first\n")
        (folder / "trader.log").rename(folder / "trader.log.1")
        (folder / "trader.log").write_text(line % "second")
        assert follower.stdout.readline().endswith("second\n")
        follower.terminate()


def test_a_halt_is_durable_and_a_resume_ends_it(folder: Path, capsys: Captured) -> None:
    write(folder, opened())
    assert said(capsys, "halt", "--reason", "storm") == "halted\n"
    assert "storm" in said(capsys, "status")
    assert "already" in said(capsys, "halt", "--reason", "storm still")
    assert "storm still" in said(capsys, "resume", "--reason", "sun")
    assert in_json(capsys, "sql", "SELECT halted FROM account") == [{"halted": ""}]
    assert "nothing to resume" in said(capsys, "resume", "--reason", "again")
    kinds = in_json(capsys, "sql", "SELECT kind, message FROM notice_rows")
    assert [row["kind"] for row in msgspec.convert(kinds, list[dict[str, str]])] == [
        "halted",
        "halted",
        "resumed",
    ]


@pytest.mark.parametrize("symbol", ["NIX", "jd", ""])
def test_what_the_books_never_had_is_not_called_flat(
    folder: Path, capsys: Captured, symbol: str
) -> None:
    write(folder, play_of_a_day())
    line = refused(capsys, "flatten", symbol, code=Exit.MISTAKE)
    assert f"SYMBOL {symbol!r}: the books never had such a symbol (" in line
    assert ("near: JD" in line) == (symbol == "jd")


def test_what_is_flat_has_nothing_to_go(folder: Path, capsys: Captured) -> None:
    write(folder, opened().hear(request("T", key="t", price="44.10")))
    flat = "nothing to flatten: T is neither held nor on its way\n"
    assert said(capsys, "flatten", "T") == flat
    flat = "nothing to flatten: nothing is held, or on its way\n"
    assert said(capsys, "flatten", "--all") == flat


def test_the_file_halt_is_seen_while_nothing_runs(folder: Path, capsys: Captured) -> None:
    (folder / "HALT").write_text("the roof is on fire\n")
    path = folder / "HALT"
    assert f"halt          by the file {path}: the roof is on fire  -> remove {path}" in said(
        capsys, "doctor"
    )
    write(folder, play_of_a_day())
    told = said(capsys, "doctor")
    assert f"warn  halt          by the file {path}: the roof is on fire  -> remove {path}" in told
    told = said(capsys, "status")
    assert told.startswith(f"mode      HALTED, by the file {path}: the roof is on fire\n")
    assert f"entries   closed: the file {path} is there" in told
    path.unlink()
    assert said(capsys, "status").startswith("mode      ACTIVE")


def test_nothing_is_stopped_where_there_is_no_database(folder: Path, capsys: Captured) -> None:
    assert "there is no database" in refused(capsys, "stop", code=Exit.REFUSED)


def test_a_resume_waits_until_no_order_is_in_doubt(folder: Path, capsys: Captured) -> None:
    write(folder, play_of_a_day())
    said(capsys, "halt", "--reason", "storm")
    assert "1 orders are UNKNOWN" in refused(capsys, "resume", "--reason", "sun", code=Exit.REFUSED)


@pytest.mark.parametrize("reason", ["", "  ", "a\nb", "x" * 201])
def test_a_reason_must_say_something_in_a_line(folder: Path, capsys: Captured, reason: str) -> None:
    write(folder, opened())
    refused(capsys, "resume", "--reason", reason, code=Exit.MISTAKE)
    refused(capsys, "halt", "--reason", reason, code=Exit.MISTAKE)


@pytest.mark.parametrize(
    ("data", "what"),
    [
        (b"", "empty"),
        (b"x" * 500, "not an SQLite"),
        (b"SQLite format 3\0" + b"\0" * 200, "another program"),
    ],
)
@pytest.mark.parametrize("verb", ["status", "positions", "account"])
def test_a_file_that_is_no_journal_is_refused(
    folder: Path, capsys: Captured, verb: str, data: bytes, what: str
) -> None:
    (folder / "trading_data.db").write_bytes(data)
    assert what in refused(capsys, verb, code=Exit.REFUSED)
    assert (folder / "trading_data.db").read_bytes() == data

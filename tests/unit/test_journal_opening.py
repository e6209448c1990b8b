"""A file that can't be this program's journal is refused, with what to do, and is left as it was."""

import os
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from decimal import Decimal
from pathlib import Path

import pytest
from msgspec.structs import replace

from tests.journal_plays import OPEN_NS, boot, fill, opened, request
from trader.doctor import Verdict, of_books
from trader.evolve import fold
from trader.executor import decided
from trader.exits import Exit
from trader.journal import place
from trader.journal.chain import GENESIS, chained
from trader.journal.comparing import tables_that_differ
from trader.journal.failures import JournalDamaged, JournalHeld, JournalUnusable
from trader.journal.lock import ProcessLock, writer_of
from trader.journal.sqlite import SqliteJournal, open_journal, reading_connection
from trader.live import opening
from trader.messages import ExecutionBooked
from trader.ports import Batch
from trader.state import ExecutionState


def opened_at(path: Path, *, create: bool = False) -> SqliteJournal:
    return open_journal(path, create=create, since="2026-01-26", inline=True, busy_ms=0)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A sound journal with a few entries."""
    path = tmp_path / "trading_data.db"
    journal = opened_at(path, create=True)
    journal.write(next(opened().batches()))
    journal.close()
    return path


def change(path: Path, *statements: str) -> None:
    hand = sqlite3.connect(path, isolation_level=None)
    for statement in statements:
        hand.execute(statement)
    hand.close()


def spoil(path: Path, spoiler: Callable[[bytes], bytes]) -> None:
    path.write_bytes(spoiler(path.read_bytes()))


SPOILERS: dict[str, tuple[Callable[[Path], object], str]] = {
    "empty": (lambda path: spoil(path, lambda _: b""), "empty"),
    "short": (lambda path: spoil(path, lambda data: data[:50]), "not an SQLite database"),
    "text": (lambda path: spoil(path, lambda _: b"x" * 5000), "not an SQLite database"),
    "cut off": (lambda path: spoil(path, lambda data: data[:-5000]), "cut off"),
    "another application": (
        lambda path: change(path, "PRAGMA application_id = 7"),
        "another program",
    ),
    "newer": (lambda path: change(path, "PRAGMA user_version = 99"), "newer trader"),
    "read-only": (lambda path: path.chmod(0o400), "read-only"),
    "rollback journal": (
        lambda path: path.with_name(path.name + "-journal").write_bytes(b"x" * 600),
        "rollback journal",
    ),
    "a trigger gone": (
        lambda path: change(path, "DROP TRIGGER execution_rows_no_delete"),
        "trigger execution_rows_no_delete is missing",
    ),
    "a trigger rewritten": (
        lambda path: change(
            path,
            "DROP TRIGGER journal_no_update",
            "CREATE TRIGGER journal_no_update BEFORE UPDATE ON journal BEGIN SELECT 1; END",
        ),
        "trigger journal_no_update is not as it was made",
    ),
    "a trigger of somebody else": (
        lambda path: change(
            path,
            "CREATE TRIGGER theirs AFTER INSERT ON execution_rows BEGIN DELETE FROM life_rows; END",
        ),
        "trigger theirs isn't ours",
    ),
    "a view gone": (lambda path: change(path, "DROP VIEW proof"), "view proof is missing"),
    "no schema": (lambda path: change(path, "DROP TABLE journal"), "SQLite says"),
    "garbage inside": (
        lambda path: spoil(path, lambda data: data[:4096] + b"\xff" * (len(data) - 4096)),
        "SQLite says",
    ),
}


@pytest.mark.parametrize("spoiler", SPOILERS)
def test_a_spoiled_file_is_refused_and_left_alone(path: Path, spoiler: str) -> None:
    act, what = SPOILERS[spoiler]
    act(path)
    before = path.read_bytes()
    with pytest.raises(JournalUnusable, match=what) as refusal:
        opened_at(path, create=True)
    assert refusal.value.exit_code is Exit.REFUSED
    assert refusal.value.remedy
    assert path.read_bytes() == before


def test_where_no_database_is_none_is_made_unless_asked_for(tmp_path: Path) -> None:
    with pytest.raises(JournalUnusable, match=r"there is no database.*trade run"):
        opened_at(tmp_path / "trading_data.db")
    assert not (tmp_path / "trading_data.db").exists()


def test_a_write_ahead_log_without_its_database_is_refused(tmp_path: Path) -> None:
    (tmp_path / "trading_data.db-wal").write_bytes(b"x")
    with pytest.raises(JournalUnusable, match="left over"):
        opened_at(tmp_path / "trading_data.db", create=True)


def left_open(folder: Path, key: str) -> tuple[Path, bytes]:
    """A journal of some rows in its own file, and what its log held before its last rows got there, too."""
    folder.mkdir()
    path = folder / "trading_data.db"
    play = opened().hear(request("GS", key=key), request("T", key="works"))
    first, second = play.batches(cuts=[len(play.entries) - 1])
    for batch in (first, second):
        journal = opened_at(path, create=True)
        journal.write(batch)
        log = path.with_name(path.name + "-wal").read_bytes()
        journal.close()
    return path, log


def test_a_write_ahead_log_of_another_database_is_refused_and_both_are_left_alone(
    tmp_path: Path,
) -> None:
    path, own = left_open(tmp_path / "a", "one")
    _, others = left_open(tmp_path / "b", "another")
    beside = path.with_name(path.name + "-wal")
    before = path.read_bytes()
    beside.write_bytes(others)
    with pytest.raises(JournalUnusable, match="write-ahead log of another database") as refusal:
        opened_at(path)
    assert refusal.value.remedy
    assert (path.read_bytes(), beside.read_bytes()) == (before, others)
    beside.write_bytes(own)
    journal = opened_at(path)
    assert journal.head == len(list(journal.entries()))
    journal.close()


def test_the_books_of_an_older_program_are_refused_and_left_alone(tmp_path: Path) -> None:
    """Floats, names and times in three forms: nobody can prove what they mean, so nothing of them is taken over."""
    path = tmp_path / "trading_data.db"
    change(
        path,
        "CREATE TABLE trades (id INTEGER, timestamp TEXT, symbol TEXT, side TEXT, price REAL, quantity REAL)",
        "INSERT INTO trades VALUES (1, NULL, 'JD', 'buy', 31.95, -62.0), (1, '26.01.26', 'JD', 'BUY', 31.95, 62)",
        "CREATE TABLE positions (symbol TEXT, quantity REAL)",
    )
    before = path.read_bytes()
    with pytest.raises(JournalUnusable, match="another program's database") as refusal:
        opened_at(path, create=True)
    assert refusal.value.remedy
    assert path.read_bytes() == before


@pytest.mark.parametrize(
    "name",
    [
        ":memory:",
        "file:x.db?mode=memory",
        "relative.db",
        "/dev/full",
        "/dev/null",
        "/etc",
        "/no/such/folder/x.db",
    ],
)
def test_what_is_not_a_file_of_ours_is_refused(name: str) -> None:
    with pytest.raises(JournalUnusable):
        opened_at(Path(name), create=True)


def test_names_that_could_pass_for_another_line_are_refused(tmp_path: Path) -> None:
    with pytest.raises(JournalUnusable) as refusal:
        opened_at(tmp_path / "a\nb.db", create=True)
    assert "\n" not in str(refusal.value)


def test_a_pipe_a_folder_and_a_link_are_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "folder").mkdir()
    (tmp_path / "link").symlink_to("/etc/passwd")
    for name in ("pipe", "folder", "link"):
        with pytest.raises(JournalUnusable, match="not a plain file"):
            opened_at(tmp_path / name, create=True)


def test_a_second_name_of_the_same_file_is_refused(path: Path) -> None:
    """By another name there is another lock, and another write-ahead log: two writers, and a destroyed file."""
    running = opened_at(path)
    other = path.with_name("other.db")
    other.hardlink_to(path)
    with pytest.raises(JournalUnusable, match="hard links"):
        opened_at(other)
    running.close()
    other.unlink()
    opened_at(path).close()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_a_file_of_another_user_is_refused(path: Path) -> None:
    os.chown(path, 12_345, -1)
    with pytest.raises(JournalUnusable, match="another user"):
        opened_at(path)


def test_a_database_that_somebody_is_writing_is_refused(path: Path) -> None:
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(JournalUnusable, match="locked"):
        opened_at(path)
    other.close()
    opened_at(path).close()


def test_a_network_file_system_is_refused(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mounts = f"/dev/sda / ext4 rw 0 0\nserver:/export {path.parent} nfs4 rw 0 0\n"
    monkeypatch.setattr(place, "_mounts", lambda: mounts)
    with pytest.raises(JournalUnusable, match="nfs4"):
        opened_at(path)


def test_a_journal_whose_last_rows_were_cut_away_does_not_open(path: Path) -> None:
    change(path, "DROP TRIGGER journal_no_delete")
    change(path, "DELETE FROM journal WHERE sequence = (SELECT max(sequence) FROM journal)")
    with pytest.raises(JournalDamaged, match="the journal ends here"):
        opened_at(path)


TAMPERED = {
    "account_row": "UPDATE account_row SET cash = '9'",
    "position_rows": "UPDATE position_rows SET quantity = '5' WHERE symbol = 'GS'",
    "order_rows": "UPDATE order_rows SET state = 'CANCELED'",
}


@pytest.fixture
def traded(tmp_path: Path) -> Path:
    """A journal whose last life holds a position and has an order working."""
    path = tmp_path / "trading_data.db"
    play = opened().hear(request("GS", key="held"), request("T", key="works"))
    play.hear(fill(play.live()[0], Decimal(1), OPEN_NS))
    journal = opened_at(path, create=True)
    for batch in play.batches():
        journal.write(batch)
    journal.close()
    return path


@pytest.mark.parametrize("table", TAMPERED)
def test_a_table_that_was_changed_by_hand_refuses_the_start_and_the_doctor_names_it(
    traded: Path, table: str
) -> None:
    books = opening.opened(traded, create=False)
    books.journal.close()
    assert not [one for one in of_books(traded, "") if one.verdict is Verdict.FAIL]
    change(traded, TAMPERED[table])
    with pytest.raises(JournalDamaged, match=f"what the journal says: {table}"):
        opening.opened(traded, create=False)
    (found,) = [one for one in of_books(traded, "") if one.verdict is Verdict.FAIL]
    assert (found.check, found.what) == ("tables", f"{table} doesn't say what the journal says")


def test_an_order_put_into_the_tables_by_hand_refuses_the_start(traded: Path) -> None:
    change(
        traded,
        "CREATE TEMP TABLE copied AS SELECT * FROM order_rows LIMIT 1",
        "UPDATE copied SET client_order_id = 'more', decision_id = 999",
        "INSERT INTO order_rows SELECT * FROM copied",
    )
    with pytest.raises(JournalDamaged, match="order_rows"):
        opening.opened(traded, create=False)


def change_history(path: Path, statement: str, table: str) -> None:
    """By somebody who knows how to get round the triggers."""
    trigger = f"{table}_no_update"
    with closing(reading_connection(path)) as reader:
        question = "SELECT sql FROM sqlite_master WHERE name = ?"
        [made] = reader.execute(question, (trigger,)).fetchone()
    change(path, f"DROP TRIGGER {trigger}", statement, made)


HISTORY = {
    "execution_rows": "UPDATE execution_rows SET price = '1'",
    "posting_rows": "UPDATE posting_rows SET amount = '0' WHERE sequence = (SELECT max(sequence) FROM posting_rows)",
    "decision_rows": "UPDATE decision_rows SET reason = 'none'",
    "equity_rows": "UPDATE equity_rows SET equity = '250001'",
    "journal": "UPDATE journal SET timestamp = 'yesterday'",
}


@pytest.mark.parametrize("table", HISTORY)
def test_rows_of_history_that_were_changed_are_found_by_the_start_and_the_doctor(
    traded: Path, table: str
) -> None:
    change_history(traded, HISTORY[table], table)
    with pytest.raises(JournalDamaged, match=f"what the journal says: {table}, "):
        opening.opened(traded, create=False)
    (found,) = [one for one in of_books(traded, "") if one.verdict is Verdict.FAIL]
    assert found.what == f"{table} doesn't say what the journal says"


def test_a_start_looks_at_the_history_of_the_last_life(traded: Path) -> None:
    """Each start has looked at the life before it, so a change to an older one is for `verify` and the doctor."""
    books = opening.opened(traded, create=False)
    life = boot(2, OPEN_NS)
    state, entries = decided(books.state, [life])
    books.journal.write(Batch(entries=tuple(entries), after=state))
    books.journal.close()
    opening.opened(traded, create=False).journal.close()
    change_history(traded, HISTORY["execution_rows"], "execution_rows")
    opening.opened(traded, create=False).journal.close()
    assert [one for one in of_books(traded, "") if one.verdict is Verdict.FAIL]


def test_entries_in_the_words_of_an_older_program_are_still_what_was_written(
    tmp_path: Path,
) -> None:
    """A field that came later has its default; the bytes stay those of the older program."""
    path = tmp_path / "trading_data.db"
    journal = opened_at(path, create=True)
    journal.write(next(opened().batches()))
    journal.close()
    with closing(reading_connection(path)) as reader:
        rows = reader.execute("SELECT sequence, entry FROM journal").fetchall()
    hand, last = sqlite3.connect(path, isolation_level=None), GENESIS
    [made] = hand.execute(
        "SELECT sql FROM sqlite_master WHERE name = 'journal_no_update'"
    ).fetchone()
    hand.execute("DROP TRIGGER journal_no_update")
    for sequence, entry in rows:
        older = entry.replace(',"python":"","lock":"","commit":"","is_modified":false', "")
        last = chained(last, older.encode())
        change_row = "UPDATE journal SET entry = ?, hash = ? WHERE sequence = ?"
        hand.execute(change_row, (older, last, sequence))
    hand.execute("UPDATE account_row SET hash = ?", (last,))
    hand.execute(made)
    assert hand.execute(
        "SELECT count(*) FROM journal WHERE instr(entry, 'is_modified')"
    ).fetchone() == (0,)
    hand.close()
    opening.opened(path, create=False).journal.close()
    with closing(reading_connection(path)) as reader:
        assert tables_that_differ(reader) == []


def test_books_that_do_not_add_up_refuse_the_start(tmp_path: Path) -> None:
    """A journal that a program with a bug has written: whole, and all tables follow from it."""
    path = tmp_path / "trading_data.db"
    play = opened().hear(request("GS", key="held"))
    play.hear(fill(play.live()[0], Decimal(1), OPEN_NS))
    *entries, last = play.entries
    booked = next(one for one in last.events if isinstance(one, ExecutionBooked))
    wrong = replace(booked, cost=booked.cost + 1)
    events = tuple(wrong if one is booked else one for one in last.events)
    entries.append(replace(last, events=events))
    journal = opened_at(path, create=True)
    after = fold(ExecutionState(), entries)
    after = replace(after, positions_value=play.state.positions_value)
    journal.write(Batch(entries=tuple(entries), after=after))
    journal.close()
    with pytest.raises(JournalDamaged, match=r"don't add up: cash .* is not opening"):
        opening.opened(path, create=False)


def test_amounts_that_are_no_amounts_are_damage_not_a_traceback(traded: Path) -> None:
    change(traded, "UPDATE account_row SET cash = '1x'")
    with pytest.raises(JournalDamaged, match="never written"):
        opened_at(traded)


def test_an_entry_that_is_not_utf_8_is_damage_not_a_traceback(traded: Path) -> None:
    reader = reading_connection(traded)
    [made] = reader.execute(
        "SELECT sql FROM sqlite_master WHERE name = 'journal_no_update'"
    ).fetchone()
    reader.close()
    change(
        traded,
        "DROP TRIGGER journal_no_update",
        "UPDATE journal SET entry = CAST(x'ff' AS TEXT) WHERE sequence = 2",
        made,
    )
    with pytest.raises(JournalDamaged, match="at journal row 2"):
        opening.opened(traded, create=False)
    (found,) = [one for one in of_books(traded, "") if one.verdict is Verdict.FAIL]
    assert found.check == "journal"
    assert "row 2" in found.what


def test_views_and_indexes_of_other_people_are_their_own_business(traded: Path) -> None:
    change(traded, "CREATE VIEW mine AS SELECT 1", "CREATE INDEX fast ON execution_rows (symbol)")
    opened_at(traded).close()


def test_a_second_opening_in_the_same_process_is_refused(path: Path) -> None:
    first = opened_at(path)
    with pytest.raises(JournalHeld, match=rf"process {os.getpid()}, since 2026-01-26") as refusal:
        opened_at(path)
    assert refusal.value.pid == os.getpid()
    first.close()
    opened_at(path).close()


def test_of_many_processes_at_once_one_gets_the_lock(tmp_path: Path) -> None:
    script = (
        "import sys\nfrom pathlib import Path\nfrom trader.journal.lock import ProcessLock\n"
        "lock = ProcessLock(Path(sys.argv[1]), 'now')\nprint('mine', flush=True)\nsys.stdin.read()"
    )
    command = [sys.executable, "-c", script, str(tmp_path / "x.db")]
    many = [
        subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        for _ in range(6)
    ]
    losers: list[subprocess.Popen[bytes]] = []
    while len(losers) < 5:
        losers += [one for one in many if one not in losers and one.poll() is not None]
    (winner,) = [one for one in many if one not in losers]
    assert writer_of(tmp_path / "x.db") == (winner.pid, "now")
    assert winner.communicate()[0] == b"mine\n"
    for loser in losers:
        assert b"JournalHeld" in loser.communicate()[1]


def test_the_lock_notices_that_its_file_was_removed(tmp_path: Path) -> None:
    lock = ProcessLock(tmp_path / "x.db", "now")
    assert lock.still_ours()
    lock.path.unlink()
    assert not lock.still_ours()
    lock.path.touch()
    assert not lock.still_ours(), "another inode of the same name"
    lock.close()


def test_nobody_writes_once_the_writer_has_gone(path: Path) -> None:
    assert writer_of(path) is None
    path.with_name(path.name + ".lock").write_text("1 then\n")  # process 1 is alive, and not ours
    assert writer_of(path) is None
    path.with_name(path.name + ".lock").unlink()
    assert writer_of(path) is None


def test_looking_whether_it_is_held_never_keeps_a_writer_out(path: Path) -> None:
    for _ in range(50):
        lock = ProcessLock(path, "now")
        assert writer_of(path) == (os.getpid(), "now")
        lock.close()


def test_commits_are_made_durable(path: Path) -> None:
    journal = opened_at(path)
    ask = journal._writer.execute
    assert ask("PRAGMA synchronous").fetchone() == (2,)
    assert ask("PRAGMA journal_mode").fetchone() == ("wal",)
    assert ask("PRAGMA fullfsync").fetchone() == (1,)
    journal.close()


def test_a_reader_can_change_nothing(path: Path) -> None:
    reader = reading_connection(path)
    for statement in ("DELETE FROM life_rows", "DROP VIEW trades", "PRAGMA user_version = 7"):
        with pytest.raises(sqlite3.OperationalError, match="readonly"):
            reader.execute(statement)
    reader.close()


def test_a_crash_while_the_database_was_being_made_is_no_obstacle(tmp_path: Path) -> None:
    (tmp_path / "trading_data.db.new").write_bytes(b"half of it")
    opened_at(tmp_path / "trading_data.db", create=True).close()
    assert not (tmp_path / "trading_data.db.new").exists()
    assert (tmp_path / "trading_data.db").stat().st_mode & 0o777 == 0o600


def test_people_with_an_old_sqlite3_can_read_the_file(path: Path) -> None:
    """What sqlite3 before 3.25 can't parse in a schema makes the whole file unreadable for it."""
    reader = reading_connection(path)
    for (text,) in reader.execute("SELECT sql FROM sqlite_master WHERE sql IS NOT NULL").fetchall():
        assert "STRICT" not in text.upper()
        assert " OVER " not in text.upper()
        assert "GENERATED" not in text.upper()
    reader.close()


def test_an_older_traders_journal_is_brought_up_to_date_and_says_the_same(path: Path) -> None:
    change(
        path,
        "DROP TABLE mode_row",
        "DROP TABLE reduction_rows",
        "DELETE FROM _sqlite_migrations WHERE name <> 'first_schema'",
        "PRAGMA user_version = 1",
    )
    [finding] = [one for one in of_books(path, "") if one.check == "tables"]
    assert finding.verdict is Verdict.OK, "nothing is wrong with it"
    books = opening.opened(path, create=False)
    assert books.state.sequence > 0
    books.journal.close()
    reader = reading_connection(path)
    assert reader.execute("PRAGMA user_version").fetchone() == (place.SCHEMA_VERSION,)
    assert reader.execute("SELECT count(*) FROM reduction_rows").fetchone() == (0,)
    reader.close()

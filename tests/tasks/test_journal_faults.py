"""A commit that fails leaves nothing behind; one that was acknowledged survives; whatever was changed later shows."""

import os
import shutil
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest

from tests.journal_plays import OPEN_NS, Play, boot, day, fill, opened, request
from trader.exits import JournalBroken
from trader.journal.failures import JournalDamaged, JournalFenced
from trader.journal.schema import APPEND_ONLY
from trader.journal.sqlite import SqliteJournal, entries_of, open_journal, reading_connection
from trader.messages import Activity, Command
from trader.ports import JournalFailed

NUMBERS = [1, 17, 33, 7, 9, 25, 16, 4, 5, 13, 29, 0, 14, 62, 30, 46]


def opened_at(path: Path) -> SqliteJournal:
    return open_journal(path, create=True, since="", inline=True, busy_ms=0)


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[SqliteJournal]:
    journal = opened_at(tmp_path / "trading_data.db")
    yield journal
    journal.close()


def stop_after(journal: SqliteJournal, instructions: int) -> None:
    """Let SQLite's machine run this many instructions more, then fail the statement it is in, once."""
    left = instructions

    def step() -> int:
        nonlocal left
        left -= 1
        return int(left == -1)

    journal._writer.set_progress_handler(step, 1)


def contents(path: Path) -> list[str]:
    reader = reading_connection(path)
    try:
        return list(reader.iterdump())
    finally:
        reader.close()


def test_a_commit_that_fails_at_any_instruction_leaves_nothing(journal: SqliteJournal) -> None:
    play = day(NUMBERS)
    first, second = play.batches(cuts=[12])
    journal.write(first)
    before, head_hash = contents(journal.path), journal.head_hash
    failures = 0
    for instructions in range(0, 1_000_000, 23):
        stop_after(journal, instructions)
        try:
            journal.write(second)
            break
        except JournalFailed:
            failures += 1
        journal._writer.set_progress_handler(None, 1)
        assert (journal.head, journal.head_hash) == (12, head_hash)
        assert not journal._writer.in_transaction
        if failures % 20 == 0:
            assert contents(journal.path) == before
    assert failures > 100, "every part of the transaction was hit"
    assert [entry.sequence for entry in journal.entries()] == [e.sequence for e in play.entries]


def test_each_single_statement_can_fail_without_a_trace(journal: SqliteJournal) -> None:
    play = day(NUMBERS)
    first, second = play.batches(cuts=[12])
    journal.write(first)
    before = contents(journal.path)
    draft = journal._projection.draft(second)
    for k, (statement, rows) in enumerate(draft.statements):
        broken = [*draft.statements[:k], (statement + " no such syntax", rows or [()])]
        with pytest.raises(JournalFailed):
            journal._write(draft._replace(statements=[*broken, *draft.statements[k + 1 :]]))
        assert contents(journal.path) == before
    journal.write(second)


def test_a_full_disk_is_a_failure_that_ends_when_there_is_room_again(
    journal: SqliteJournal,
) -> None:
    play = day(NUMBERS)
    first, second = play.batches(cuts=[1])
    journal.write(first)
    pages = journal._writer.execute("PRAGMA page_count").fetchone()[0]
    journal._writer.execute(f"PRAGMA max_page_count = {pages}")
    big = Play()
    big.state, big.entries, big.states = first.after, [*first.entries], [first.after]
    big.hear(*(request("GS", key=f"k{i}") for i in range(500)))
    with pytest.raises(JournalFailed, match="full"):
        journal.write(next(big.batches(after=1)))
    assert journal.head == 1
    journal._writer.execute("PRAGMA max_page_count = 1000000")
    journal.write(second)
    assert journal.head == len(play.entries)


def test_a_file_that_somebody_else_has_locked_is_a_failure_that_ends(
    journal: SqliteJournal,
) -> None:
    play = opened()
    other = sqlite3.connect(journal.path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(JournalFailed, match="locked"):
        journal.write(next(play.batches()))
    other.execute("ROLLBACK")
    other.close()
    journal.write(next(play.batches()))
    assert journal.head == len(play.entries)


@pytest.mark.parametrize("victim", ["trading_data.db", "trading_data.db.lock"])
def test_a_file_that_is_removed_breaks_the_journal_for_good(
    journal: SqliteJournal, victim: str
) -> None:
    play = day(NUMBERS)
    first, second = play.batches(cuts=[12])
    journal.write(first)
    moved = journal.path.with_name("moved")
    os.rename(journal.path.with_name(victim), moved)
    with pytest.raises(JournalBroken, match="removed or replaced"):
        journal.write(second)
    os.rename(moved, journal.path.with_name(victim))
    with pytest.raises(JournalBroken):
        journal.write(second)
    assert journal.head == 12


def test_a_writer_of_an_older_life_is_fenced_by_the_database_itself(
    journal: SqliteJournal, tmp_path: Path
) -> None:
    """Even where the process lock did not hold it off: a lock file removed by hand, a paused process."""
    play = opened()
    journal.write(next(play.batches()))
    new = Play()
    new.state, new.entries, new.states = play.state, [*play.entries], [*play.states]
    journal._lock.path.unlink()
    second = opened_at(journal.path)
    second.write(next(new.hear(boot(2)).batches(after=len(play.entries))))
    journal._check_ours = lambda: None  # type: ignore[method-assign]
    with pytest.raises(JournalFenced):
        journal.write(
            next(play.hear(request("GS", key="late")).batches(after=len(new.entries) - 1))
        )
    with pytest.raises(JournalBroken):
        journal.write(next(play.batches(after=len(new.entries) - 1)))
    second.close()


@pytest.mark.parametrize("table", APPEND_ONLY)
@pytest.mark.parametrize("change", ["UPDATE {} SET column = column", "DELETE FROM {}"])
def test_what_has_happened_can_be_neither_changed_nor_deleted(
    journal: SqliteJournal, table: str, change: str
) -> None:
    play = opened().hear(request("GS", key="k"), request("GS", key="l"))
    play.hear(fill(play.live()[0], Decimal(1), OPEN_NS))
    play.hear(Command(command_id="1", verb="halt", who="ana", reason="lunch"))
    play.hear(Activity(activity_id="1", kind="DIV", at_ns=0, session="", amount=Decimal(1)))
    journal.write(next(play.batches()))
    hand = sqlite3.connect(journal.path)
    column = hand.execute(f"SELECT name FROM pragma_table_info('{table}')").fetchone()[0]
    assert hand.execute(f"SELECT count(*) FROM {table}").fetchone()[0]
    with pytest.raises(sqlite3.IntegrityError, match="append-only"):
        hand.execute(change.format(table).replace("column", column))
    hand.close()


def test_a_journal_row_can_not_be_replaced_either(journal: SqliteJournal) -> None:
    journal.write(next(opened().batches()))
    hand = sqlite3.connect(journal.path)
    with pytest.raises(sqlite3.IntegrityError, match="fenced"):
        hand.execute("INSERT OR REPLACE INTO journal SELECT * FROM journal WHERE sequence = 2")
    hand.close()


@pytest.mark.parametrize(
    ("change", "what", "row"),
    [
        ("UPDATE journal SET entry = replace(entry, ':', ': ') WHERE sequence = 3", "chain", 3),
        ("UPDATE journal SET hash = lower(hex(zeroblob(32))) WHERE sequence = 3", "chain", 3),
        ("UPDATE journal SET version = 2 WHERE sequence = 3", "unknown version 2", 3),
        ("DELETE FROM journal WHERE sequence = 3", "row 3 is missing", 4),
        ("UPDATE journal SET sequence = 99 WHERE sequence = 3", "row 3 is missing", 4),
        ("DELETE FROM journal WHERE sequence = 1", "row 1 is missing", 2),
    ],
)
def test_a_changed_row_is_found_by_number(
    journal: SqliteJournal, change: str, what: str, row: int
) -> None:
    play = opened().hear(request("GS", key="k"))
    journal.write(next(play.batches()))
    hand = sqlite3.connect(journal.path)
    hand.execute("PRAGMA ignore_check_constraints = ON")
    for (trigger,) in hand.execute(
        "SELECT name FROM sqlite_master WHERE type = 'trigger'"
    ).fetchall():
        hand.execute(f"DROP TRIGGER {trigger}")
    hand.execute(change)
    hand.commit()
    with pytest.raises(JournalDamaged, match=what) as damage:
        list(entries_of(hand))
    assert damage.value.row == row
    hand.close()


def test_one_flipped_byte_of_any_entry_is_found(journal: SqliteJournal) -> None:
    play = day(NUMBERS)
    journal.write(next(play.batches()))
    hand = sqlite3.connect(journal.path, isolation_level=None)
    hand.execute("DROP TRIGGER journal_no_update")
    for entry in play.entries:
        key = (entry.sequence,)
        (text,) = hand.execute("SELECT entry FROM journal WHERE sequence = ?", key).fetchone()
        where = entry.sequence * 37 % len(text)
        flipped = text[:where] + chr(ord(text[where]) ^ 1) + text[where + 1 :]
        hand.execute("UPDATE journal SET entry = ? WHERE sequence = ?", (flipped, *key))
        with pytest.raises(JournalDamaged) as damage:
            list(entries_of(hand))
        assert damage.value.row == entry.sequence
        hand.execute("UPDATE journal SET entry = ? WHERE sequence = ?", (text, *key))
    assert len(list(entries_of(hand))) == len(play.entries)
    hand.close()


def test_a_write_ahead_log_cut_anywhere_keeps_every_acknowledged_batch_whole(
    journal: SqliteJournal, tmp_path: Path
) -> None:
    play = day(list(range(0, 250, 5)))
    log = journal.path.with_name(journal.path.name + "-wal")
    acknowledged = {0: 0}  # log size -> head
    for batch in play.batches(cuts=range(0, 300, 4)):
        journal.write(batch)
        acknowledged[log.stat().st_size] = journal.head
    bytes_all = log.read_bytes()
    target = tmp_path / "cut" / "trading_data.db"
    for size in range(0, len(bytes_all), 4_999):
        shutil.rmtree(target.parent, ignore_errors=True)
        target.parent.mkdir()
        shutil.copy(journal.path, target)
        target.with_name(target.name + "-wal").write_bytes(bytes_all[:size])
        survivor = opened_at(target)
        expected = max(head for end, head in acknowledged.items() if end <= size)
        assert survivor.head == expected
        assert len(list(survivor.entries())) == expected
        survivor.close()


WRITER = """
import sys
from pathlib import Path
from tests.journal_plays import day
from trader.journal.sqlite import open_journal
from trader.money import use_exact_context

use_exact_context()
journal = open_journal(Path(sys.argv[1]), create=True, since="2026", inline=True)
for batch in day(list(range(0, 250, 3))).batches(cuts=range(0, 300, 2)):
    journal.write(batch)
    print(journal.head, flush=True)
"""


def test_a_checkpoint_that_was_cut_off_anywhere_is_no_obstacle(
    journal: SqliteJournal, tmp_path: Path
) -> None:
    """Pages go from the log into the file one by one, in their order; whoever dies between them left some of both."""
    play = day(NUMBERS)
    path, log = journal.path, journal.path.with_name(journal.path.name + "-wal")
    first, second = play.batches(cuts=[12])
    journal.write(first)
    journal._writer.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    before = path.read_bytes()
    journal.write(second)
    frames = log.read_bytes()
    journal._writer.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    after = path.read_bytes()
    assert len(before) < len(after)
    for size in range(0, len(after) + 1, 4096):
        target = tmp_path / f"{size}.db"
        target.write_bytes(after[:size] + before[size:])
        target.with_name(target.name + "-wal").write_bytes(frames)
        again = opened_at(target)
        assert again.head == len(play.entries) == len(list(again.entries()))
        again.close()


@pytest.mark.parametrize("acknowledged", [1, 5, 20])
def test_a_killed_writer_has_lost_nothing_that_it_acknowledged(
    tmp_path: Path, acknowledged: int
) -> None:
    path = tmp_path / "trading_data.db"
    command = [sys.executable, "-c", WRITER, str(path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as writer:
        assert writer.stdout is not None
        heads = [int(writer.stdout.readline()) for _ in range(acknowledged)]
        writer.send_signal(signal.SIGKILL)
    survivor = opened_at(path)
    assert survivor.head >= heads[-1]
    assert len(list(survivor.entries())) == survivor.head
    survivor.close()


class Failing:
    """The writing connection of a disk that takes a commit's record and says afterwards that it could not."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def __getattr__(self, name: str) -> object:
        return getattr(self._connection, name)

    def execute(self, statement: str) -> sqlite3.Cursor:
        done = self._connection.execute(statement)
        if statement == "COMMIT":
            error = sqlite3.OperationalError("disk I/O error")
            error.sqlite_errorcode = sqlite3.SQLITE_IOERR_FSYNC
            raise error
        return done


def test_after_a_sync_that_failed_nobody_knows_and_this_life_writes_nothing_more(
    journal: SqliteJournal,
) -> None:
    play = day(NUMBERS)
    first, second = play.batches(cuts=[12])
    journal.write(first)
    healthy = journal._writer
    journal._writer = Failing(healthy)  # type: ignore[assignment]
    with pytest.raises(JournalBroken, match="COMMIT failed: disk I/O error"):
        journal.write(second)
    journal._writer = healthy
    with pytest.raises(JournalBroken):
        journal.write(second)
    assert journal.head == 12
    assert len(list(journal.entries())) == len(play.entries), "here it was written all the same"


def test_a_commit_that_the_system_refuses_to_write_is_never_half_there(tmp_path: Path) -> None:
    """With a limit on file sizes the write of the log fails in the middle of COMMIT."""
    path = tmp_path / "trading_data.db"
    limited = WRITER.replace(
        "for batch",
        "import resource, signal\nsignal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "size = Path(sys.argv[1] + '-wal').stat().st_size if Path(sys.argv[1] + '-wal').exists() else 0\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (size + 300_000,) * 2)\nfor batch",
    )
    done = subprocess.run(
        [sys.executable, "-c", limited, str(path)], capture_output=True, text=True, check=False
    )
    assert "JournalBroken" in done.stderr or "JournalFailed" in done.stderr
    survivor = opened_at(path)
    assert survivor.head >= int(done.stdout.split()[-1])
    assert len(list(survivor.entries())) == survivor.head
    survivor.close()

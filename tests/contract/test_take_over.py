"""The locks and the fence under a take-over: whoever holds one, the newest life alone can write and send."""

import os
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
import trio
from trio.testing import MockClock

from tests.journal_plays import Play, boot, opened, request
from trader.brokers.alpaca.transport import HttpDeadlines
from trader.build import Build
from trader.conservation import Conservation
from trader.journal.failures import JournalFenced, JournalHeld, JournalUnusable
from trader.journal.lock import ProcessLock, writer_of
from trader.journal.sqlite import SqliteJournal, open_journal
from trader.live.opening import Books
from trader.live.take_over import TakeOver, taken_over
from trader.log.events import Event, RequestAccepted, event_of
from trader.log.scribe import Scribe
from trader.log.writer import LogWriter
from trader.ports import JournalFailed


def opened_at(path: Path, since: str = "1", *, take_over: bool = False) -> SqliteJournal:
    return open_journal(path, create=True, since=since, inline=True, busy_ms=0, take_over=take_over)


@pytest.fixture
def old(tmp_path: Path) -> Iterator[SqliteJournal]:
    journal = opened_at(tmp_path / "trading_data.db")
    yield journal
    journal.close()


def life_after(play: Play, epoch: int) -> Play:
    new = Play()
    new.state, new.entries, new.states = play.state, [*play.entries], [*play.states]
    return new.hear(boot(epoch))


def test_the_second_lock_lets_one_more_in_and_no_third(tmp_path: Path) -> None:
    database = tmp_path / "x.db"
    first = ProcessLock(database, "1")
    second = ProcessLock(database, "2", take_over=True)
    assert second.taken_from == (os.getpid(), "1")
    assert writer_of(database) == (os.getpid(), "2"), "the one that took over"
    for take_over in (False, True):
        with pytest.raises(JournalHeld) as refusal:
            ProcessLock(database, "3", take_over=take_over)
        assert refusal.value.since == "2"
    first.close()
    with pytest.raises(JournalHeld):
        ProcessLock(database, "3")
    third = ProcessLock(database, "3", take_over=True)
    assert third.taken_from == (os.getpid(), "2")
    assert writer_of(database) == (os.getpid(), "3")
    second.close()
    with pytest.raises(JournalHeld):
        ProcessLock(database, "4")
    third.close()
    assert writer_of(database) is None
    ProcessLock(database, "4").close()


def test_taking_over_from_nobody_is_an_ordinary_lock(tmp_path: Path) -> None:
    lock = ProcessLock(tmp_path / "x.db", "1", take_over=True)
    assert lock.taken_from is None
    with pytest.raises(JournalHeld):
        ProcessLock(tmp_path / "x.db", "2")
    lock.close()
    assert [file.name for file in tmp_path.iterdir()] == ["x.db.lock"]


def test_the_old_life_can_neither_write_nor_send_once_the_new_one_has_begun(
    old: SqliteJournal,
) -> None:
    play = opened()
    old.write(next(play.batches()))
    assert old.is_current(1)
    new = opened_at(old.path, "2", take_over=True)
    new.write(next(life_after(play, 2).batches(after=len(play.entries))))
    assert (old.is_current(1), new.is_current(2)) == (False, True)
    assert old.still_ours(), "its lock is still held: that alone would not stop it"
    with pytest.raises(JournalFenced):
        old.write(next(play.hear(request("GS", key="k")).batches(after=old.head)))
    new.close()


async def test_who_takes_over_begins_only_once_no_send_of_the_old_life_can_be_under_way(
    old: SqliteJournal, autojump_clock: MockClock
) -> None:
    play = opened()
    old.write(next(play.batches()))
    new = opened_at(old.path, "2", take_over=True)
    began_s = trio.current_time()
    fenced_s: list[float] = []

    def say(_: str) -> None:
        assert not old.is_current(1), "fenced first: what begins during the wait is held back"
        fenced_s.append(trio.current_time())

    wanted = TakeOver(who="ada", reason="it hangs")
    build = Build(version="1", identity="b" * 64, python="3", lock="")
    books = await taken_over(
        Books(journal=new, state=play.state, conservation=Conservation()), wanted, build, say
    )
    assert fenced_s == [began_s, began_s]
    assert trio.current_time() - began_s > HttpDeadlines().whole
    assert books.state.epoch == 2
    new.close()


def test_while_somebody_takes_over_nothing_comes_between_what_it_read_and_its_first_row(
    old: SqliteJournal,
) -> None:
    """The old process may be well, and writing all the time."""
    play = opened()
    old.write(next(play.batches()))
    new = opened_at(old.path, "2", take_over=True)
    late = play.hear(request("GS", key="k"))
    with pytest.raises(JournalFailed, match="locked"):
        old.write(next(late.batches(after=old.head)))
    assert new.head == old.head == len(list(new.entries()))
    new.close()
    old.write(next(late.batches(after=old.head)))  # It came to nothing: the old life goes on.


def test_a_process_that_hangs_in_the_middle_of_a_commit_has_to_be_killed(
    old: SqliteJournal,
) -> None:
    old.write(next(opened().batches()))
    old._writer.execute("BEGIN IMMEDIATE")
    with pytest.raises(JournalUnusable, match="kill -9 it") as refusal:
        opened_at(old.path, "2", take_over=True)
    assert f"process {os.getpid()}" in refusal.value.remedy
    old._writer.execute("ROLLBACK")


def test_a_fence_that_can_not_be_read_holds_back(old: SqliteJournal) -> None:
    old.write(next(opened().batches()))
    old._fence.close()
    old._fence = sqlite3.connect(":memory:")
    assert not old.is_current(1)


async def test_the_old_life_tells_its_own_last_rows_and_none_of_the_newer_lifes(
    old: SqliteJournal,
) -> None:
    """Both processes may write to one log: each row is told there by the life that wrote it."""
    play, path = opened(), old.path.with_name("trader.log")
    writer, heard = LogWriter(path), list[Event]()
    scribe = Scribe(old, writer, heard=heard.append)
    play.hear(request("GS", key="k"))
    old.write(next(play.batches()))
    new = opened_at(old.path, "2", take_over=True)
    newer = life_after(play, 2).hear(request("JD", key="j"))
    new.write(next(newer.batches(after=len(play.entries))))
    await scribe.catch_up()
    assert scribe.sequence == len(play.entries) == old.head < new.head
    assert {event.symbol for event in heard if isinstance(event, RequestAccepted)} == {"GS"}
    before = path.read_bytes()
    await scribe.catch_up()
    scribe.close()
    assert path.read_bytes() == before
    news = Scribe(new, writer, heard=heard.append)
    await news.catch_up()
    writer.close()
    new.close()
    assert path.read_bytes().startswith(before)
    told = [(line.sequence, line.message) for line in map(event_of, path.read_bytes().splitlines())]
    assert len(set(told)) == len(told)
    assert {sequence for sequence, _ in told} <= set(range(new.head + 1))
    assert any(sequence == new.head for sequence, _ in told)

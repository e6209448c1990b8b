"""What every journal promises: the same tests for the one in memory and the one on disk, inline and in a thread."""

from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import msgspec
import pytest
import trio

from tests.journal_plays import OPEN_NS, Play, boot, day, opened, request
from trader.journal.chain import GENESIS
from trader.journal.failures import JournalFenced
from trader.journal.memory import MemoryJournal
from trader.journal.sqlite import SqliteJournal, open_journal
from trader.messages import encode
from trader.ports import Batch, Journal

AnyJournal = MemoryJournal | SqliteJournal


@pytest.fixture(params=["memory", "sqlite inline", "sqlite in a thread"])
def journal(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[AnyJournal]:
    if request.param == "memory":
        yield MemoryJournal()
        return
    inline = request.param == "sqlite inline"
    durable = open_journal(tmp_path / "trading_data.db", create=True, since="", inline=inline)
    yield durable
    durable.close()


async def commit_all(journal: Journal, play: Play) -> None:
    for batch in play.batches(cuts=range(0, 500, 3)):
        await journal.commit(batch)


async def test_a_new_journal_is_empty(journal: AnyJournal) -> None:
    assert journal.head == 0
    assert journal.head_hash == GENESIS
    assert journal.begin_life() == 1
    assert list(journal.entries()) == []
    assert await journal.read(0, 10) == []


async def test_what_was_committed_is_read_back_equal_and_in_order(journal: AnyJournal) -> None:
    play = day(list(range(0, 250, 3)))
    await commit_all(journal, play)
    assert journal.head == len(play.entries)
    assert [encode(entry) for entry in journal.entries()] == [encode(e) for e in play.entries]
    assert await journal.read(0, 10_000) == list(journal.entries())


async def test_reading_goes_on_after_any_row_and_stops_at_its_limit(journal: AnyJournal) -> None:
    play = day(list(range(40)))
    await commit_all(journal, play)
    assert [entry.sequence for entry in await journal.read(7, 3)] == [8, 9, 10]
    assert [entry.sequence for entry in journal.entries(7)][:3] == [8, 9, 10]
    assert await journal.read(journal.head, 3) == []


async def test_all_journals_have_the_same_chain(journal: AnyJournal) -> None:
    play = day(list(range(40)))
    await commit_all(journal, play)
    other = MemoryJournal()
    for batch in play.batches():
        await other.commit(batch)
    assert journal.head_hash == other.head_hash != GENESIS


async def test_a_batch_without_entries_changes_nothing(journal: AnyJournal) -> None:
    await journal.commit(Batch(entries=(), after=Play().state))
    assert journal.head == 0


async def test_a_gap_between_entries_is_a_bug_and_writes_nothing(journal: AnyJournal) -> None:
    play = opened()
    with pytest.raises(AssertionError):
        await journal.commit(Batch(entries=tuple(play.entries[1:]), after=play.state))
    assert journal.head == 0
    await commit_all(journal, play)


async def test_a_life_that_is_over_can_write_nothing_more(journal: AnyJournal) -> None:
    old = opened()
    await commit_all(journal, old)
    new = Play()
    new.state, new.entries, new.states = old.state, [*old.entries], [*old.states]
    assert journal.begin_life() == 2
    new.hear(boot(2))
    for batch in new.batches(after=len(old.entries)):
        await journal.commit(batch)
    assert journal.begin_life() == 3
    late = old.hear(request("GS", key="late"))
    stale = msgspec.structs.replace(late.entries[-1], sequence=journal.head + 1)
    with pytest.raises(JournalFenced):
        await journal.commit(Batch(entries=(stale,), after=late.state))
    assert journal.head == len(new.entries)


async def test_a_life_that_begins_twice_is_fenced(journal: AnyJournal) -> None:
    play = opened()
    await commit_all(journal, play)
    again = msgspec.structs.replace(play.entries[0], sequence=journal.head + 1)
    with pytest.raises(JournalFenced):
        await journal.commit(Batch(entries=(again,), after=play.state))


async def test_a_cancelled_task_still_gets_its_commit_done(journal: AnyJournal) -> None:
    play = opened()
    batch = next(play.batches())
    with trio.CancelScope() as scope:
        scope.cancel()
        await shielded(lambda: journal.commit(batch))
    assert journal.head == len(batch.entries)
    assert list(journal.entries()) == list(batch.entries)


async def shielded(act: Callable[[], Awaitable[None]]) -> None:
    """As the executor calls it."""
    with trio.CancelScope(shield=True):
        await act()


async def test_readers_see_only_whole_batches(journal: AnyJournal) -> None:
    play = day(list(range(100)))
    batches = list(play.batches(cuts=range(0, 500, 7)))
    edges = {batch.entries[-1].sequence for batch in batches} | {0}
    seen: list[int] = []

    async def look() -> None:
        while journal.head < len(play.entries):
            seen.append(len(await journal.read(0, 10_000)))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(look)
        for batch in batches:
            await journal.commit(batch)
    assert set(seen) <= edges


async def test_an_entry_with_outside_text_comes_back_as_it_was(journal: AnyJournal) -> None:
    play = opened().hear(
        request("GS", key="k", reason='a\nb\0c\u2028 "quoted" \x1b[31m й \U0001f600')
    )
    assert play.entries[-1].at_ns == OPEN_NS
    await commit_all(journal, play)
    assert (await journal.read(journal.head - 1, 1))[0] == play.entries[-1]

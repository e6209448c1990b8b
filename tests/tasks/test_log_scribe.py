"""The log follows the journal: whenever it was killed, it goes on where it was, loses no line and repeats none."""

from pathlib import Path

import pytest
import trio
import trio.testing
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.journal_plays import OPEN_NS, Play, clock, day, opened, request
from trader.journal.memory import MemoryJournal
from trader.log.events import DuplicateBlocked, Event, RequestDenied, event_of
from trader.log.fold import key_of
from trader.log.scribe import Scribe
from trader.log.writer import LogWriter
from trader.model import MINUTE_NS

NUMBERS = st.lists(st.integers(0, 255), max_size=60)


def journal_of(play: Play, entries: int | None = None) -> MemoryJournal:
    journal = MemoryJournal()
    some = Play()
    some.entries, some.states = play.entries[:entries], play.states[:entries]
    for batch in some.batches():
        journal.write(batch)
    return journal


async def told(journal: MemoryJournal, path: Path, *, ends: bool = True) -> list[Event]:
    heard: list[Event] = []
    writer = LogWriter(path)
    scribe = Scribe(journal, writer, heard=heard.append)
    await scribe.catch_up()
    if ends:
        scribe.close()
    writer.close()
    return heard


def story(path: Path) -> tuple[list[Event], dict[tuple[object, ...], int]]:
    """Everything but repeats, line by line; of repeats the counts of each minute."""
    events = [event_of(line) for line in path.read_bytes().splitlines()]
    counts: dict[tuple[object, ...], int] = {}
    others: list[Event] = []
    for event in events:
        if isinstance(event, DuplicateBlocked | RequestDenied):
            key = (event.timestamp[:16], *key_of(event))
            counts[key] = counts.get(key, 0) + event.count
        else:
            others.append(event)
    return others, counts


@settings(max_examples=150)
@given(numbers=NUMBERS, part=st.integers(0, 80), kept=st.floats(0, 1), ends=st.booleans())
async def test_a_log_cut_anywhere_is_told_on_without_a_gap_or_a_repeat(
    tmp_path_factory: pytest.TempPathFactory,
    numbers: list[int],
    part: int,
    kept: float,
    ends: bool,
) -> None:
    folder = tmp_path_factory.mktemp("cut")
    play = day(numbers)
    await told(journal_of(play), folder / "whole.log")
    path = folder / "cut.log"
    await told(journal_of(play, part), path, ends=ends)
    data = path.read_bytes() if path.exists() else b""
    path.write_bytes(data[: data.rfind(b"\n", 0, int(len(data) * kept)) + 1])
    await told(journal_of(play), path)
    assert story(path) == story(folder / "whole.log")


async def test_a_torn_last_line_is_told_again(tmp_path: Path) -> None:
    path = tmp_path / "trader.log"
    journal = journal_of(opened())
    await told(journal, path)
    whole = path.read_bytes()
    path.write_bytes(whole[:-20])
    await told(journal, path)
    lines = path.read_bytes().splitlines(keepends=True)
    assert b"".join(lines[:-2] + lines[-1:]) == whole


async def test_a_second_start_tells_nothing_twice_and_only_news_to_who_listens(
    tmp_path: Path,
) -> None:
    path = tmp_path / "trader.log"
    play = opened()
    assert await told(journal_of(play), path) == []
    before = path.read_bytes()
    await told(journal_of(play), path)
    assert path.read_bytes() == before


async def test_repeats_of_a_minute_that_the_log_has_passed_are_not_told_again(
    tmp_path: Path,
) -> None:
    path = tmp_path / "trader.log"
    later = OPEN_NS + MINUTE_NS
    play = opened().hear(*(request("GS", key=f"a{i}") for i in range(4)), clock(later))
    play.hear(*(request("GS", key=f"b{i}", at_ns=later) for i in range(2)))
    await told(journal_of(play), path)
    before = path.read_bytes()
    await told(journal_of(play), path)
    assert path.read_bytes() == before


async def test_new_entries_are_heard_as_they_come(tmp_path: Path) -> None:
    play, heard = opened(), list[Event]()
    journal = journal_of(play)
    wake = trio.Event()
    scribe = Scribe(journal, LogWriter(tmp_path / "trader.log"), heard=heard.append)

    async def wait() -> None:
        nonlocal wake
        await wake.wait()
        wake = trio.Event()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(scribe.follow, wait)
        await trio.testing.wait_all_tasks_blocked()
        assert heard == []
        play.hear(request("GS", key="a"), request("GS", key="b"))
        journal.write(next(play.batches(after=journal.head)))
        wake.set()
        await trio.testing.wait_all_tasks_blocked()
        nursery.cancel_scope.cancel()
    assert [type(event).__name__ for event in heard] == ["RequestAccepted", "DuplicateBlocked"]


async def test_the_log_of_another_journal_is_left_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "trader.log"
    await told(journal_of(opened().hear(*(request("GS", key=f"k{i}") for i in range(30)))), path)
    before = path.read_bytes()
    other = opened().hear(clock(OPEN_NS + MINUTE_NS), request("T", key="t", at_ns=OPEN_NS))
    await told(journal_of(other), path)
    assert path.read_bytes() == before
    longer = day(list(range(200)))
    await told(journal_of(longer), path)
    assert path.read_bytes() == before


async def test_a_log_that_can_not_be_written_is_complained_of_once(tmp_path: Path) -> None:
    complaints: list[str] = []
    writer = LogWriter(tmp_path / "no such folder" / "trader.log")
    play = opened()
    journal = journal_of(play)
    scribe = Scribe(journal, writer, complain=complaints.append)
    await scribe.catch_up()
    play.hear(request("GS", key="a"))
    journal.write(next(play.batches(after=journal.head)))
    await scribe.catch_up()
    assert len(complaints) == 1

"""The k-th commit fails, or the disk is full: nothing is sent, nothing has changed, and it goes on by itself."""

import itertools
from collections.abc import Container, Iterator
from decimal import Decimal
from pathlib import Path

import pytest
import trio
from trio.testing import MockClock

from tests.insistent import Insistent
from tests.rig import Rig, plan
from trader.execution import ExecutionState, fold
from trader.journal.projection import Draft
from trader.journal.sqlite import SqliteJournal, open_journal, reading_connection
from trader.model import Order, Size, StrategyName
from trader.strategies.base import NoParameters

SYMBOLS = ("GS", "JD", "T")
MINUTES = 4
COMMITS_MIN = 5  # of such a life: each of them fails once


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[SqliteJournal]:
    journal = open_journal(tmp_path / "trading_data.db", create=True, since="", inline=True)
    yield journal
    journal.close()


def insistent() -> Insistent:
    size = Size(unit="shares", amount=Decimal(10))
    return Insistent(StrategyName("insistent"), size, NoParameters())


def rig_on(journal: SqliteJournal, symbols: tuple[str, ...] = SYMBOLS) -> Rig:
    """A life whose every order is looked up on the disk, by another connection, right before it leaves."""

    def last_check(order: Order) -> str:
        reader = reading_connection(journal.path)
        question = "SELECT count(*) FROM order_rows WHERE client_order_id = ?"
        [found] = reader.execute(question, (order.client_order_id,)).fetchone()
        reader.close()
        assert found == 1, "the intent is durable before anything is sent"
        return ""

    workers = [plan(f"{one}/insistent", one, insistent) for one in symbols]
    return Rig(symbols, workers, journal=journal, last_check=last_check)


def fail(journal: SqliteJournal, numbers: Container[int]) -> list[int]:
    """Let SQLite fail at the end of these transactions, counted from 1; the list has those that did."""
    write, count = journal._write, itertools.count(1)
    failed: list[int] = []

    def failing(draft: Draft) -> None:
        if (number := next(count)) in numbers:
            failed.append(number)
            draft = draft._replace(statements=[*draft.statements, ("INSERT nothing", [()])])
        write(draft)

    journal._write = failing  # type: ignore[method-assign]
    return failed


async def minutes(rig: Rig, count: int) -> None:
    """So many market minutes, with time to try a commit again."""
    for _ in range(count):
        await rig.minute()
        await trio.sleep(1)


def assert_one_order_each_and_equal_books(rig: Rig, journal: SqliteJournal) -> None:
    assert sorted(rig.buys()) == sorted(rig.symbols)
    account = rig.venue.venue.account(next(iter(rig.venue.venue.state.accounts)))
    assert account.cash == rig.state.cash_at_broker
    held = {symbol: one.quantity for symbol, one in account.positions.items()}
    assert held == {symbol: one.quantity for symbol, one in rig.state.positions.items()}
    assert fold(ExecutionState(), journal.entries()) == rig.state


async def test_whichever_commit_fails_each_symbol_is_bought_once(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    for number in itertools.count(1):
        path = tmp_path / f"{number}.db"
        journal = open_journal(path, create=True, since="", inline=True)
        failed = fail(journal, {number})
        rig = rig_on(journal)
        async with rig.running():
            await minutes(rig, MINUTES)
        assert_one_order_each_and_equal_books(rig, journal)
        journal.close()
        if not failed:
            break  # It has no more commits than this.
    assert number > COMMITS_MIN


async def test_every_second_commit_may_fail(
    journal: SqliteJournal, autojump_clock: MockClock
) -> None:
    failed = fail(journal, range(1, 1_000, 2))
    rig = rig_on(journal)
    async with rig.running():
        await minutes(rig, 3 * MINUTES)
    assert len(failed) > MINUTES
    assert_one_order_each_and_equal_books(rig, journal)


async def test_on_a_full_disk_nothing_is_sent_until_there_is_room_again(
    journal: SqliteJournal, autojump_clock: MockClock
) -> None:
    symbols = tuple(f"A{letter}{other}" for letter in "BCDEFGH" for other in "KLMNOP")
    rig = rig_on(journal, symbols)
    async with rig.running():
        [pages] = journal._writer.execute("PRAGMA page_count").fetchone()
        journal._writer.execute(f"PRAGMA max_page_count = {pages}")
        before, sent = rig.state, rig.buys()
        await minutes(rig, 2)
        assert rig.refused
        assert all("full" in why for _, why in rig.refused)
        assert any(requests for requests, _ in rig.refused)
        assert (rig.state, rig.buys()) == (before, sent)
        journal._writer.execute("PRAGMA max_page_count = 1000000")
        await minutes(rig, MINUTES)
        assert_one_order_each_and_equal_books(rig, journal)

"""The executor's turn: decided without an await, durable before anything is sent, and nothing at all if it isn't."""

from collections.abc import Iterable, Iterator
from contextlib import suppress

import pytest
import trio
from msgspec.structs import replace
from trio.testing import MockClock, wait_all_tasks_blocked

from tests.plays import TEN_NS, booted, clock, command, filled, opened, request, sent
from trader.clock import FreePace
from trader.evolve import fold
from trader.executor import COMMIT_RETRY_S, Executor
from trader.exits import JournalBroken
from trader.inbox import BATCH_MAX, INBOX_MAX, REQUEST_WAIT_MAX_S, Inbox, in_order
from trader.journal.memory import MemoryJournal
from trader.messages import (
    AlarmReport,
    Command,
    DuplicateBlocked,
    Effect,
    Entry,
    Halted,
    Input,
    OrderRequest,
    RequestAccepted,
    RequestDenied,
    SendStarted,
    Submit,
)
from trader.model import OrderState, Symbol
from trader.ports import Batch, JournalFailed
from trader.state import ExecutionState
from trader.strategies.base import Fill, SymbolView

JD = Symbol("JD")


class Ledger(MemoryJournal):
    """A journal that goes on from a state that is there already, and keeps the batches it was given."""

    def __init__(self, state: ExecutionState) -> None:
        super().__init__()
        self.before = state
        self.batches: list[Batch] = []

    async def commit(self, batch: Batch) -> None:
        await trio.lowlevel.cancel_shielded_checkpoint()
        self.batches.append(batch)

    @property
    def head(self) -> int:
        return self.before.sequence + sum(len(batch.entries) for batch in self.batches)

    def entries(self, after: int = 0) -> Iterator[Entry]:
        return (entry for batch in self.batches for entry in batch.entries)


class Failing(Ledger):
    """Writes nothing while it is told to fail."""

    failure: Exception | None = None

    async def commit(self, batch: Batch) -> None:
        if self.failure is not None:
            await trio.lowlevel.checkpoint()
            raise self.failure
        await super().commit(batch)


class Slow(Ledger):
    """A disk that takes its time: commits wait for `may_finish`."""

    def __init__(self, state: ExecutionState) -> None:
        super().__init__(state)
        self.began = trio.Event()
        self.may_finish = trio.Event()

    async def commit(self, batch: Batch) -> None:
        self.began.set()
        await self.may_finish.wait()
        await super().commit(batch)


class Bench:
    """An executor with an inbox, and everything it lets out."""

    def __init__(self, state: ExecutionState, journal: Ledger) -> None:
        self.inbox = Inbox()
        self.effects: list[Effect] = []
        self.views: list[tuple[Symbol, SymbolView]] = []
        self.fills: list[Fill] = []
        self.unjournaled: list[tuple[list[Input], str]] = []
        self.journal = journal
        self.executor = Executor(
            state,
            inbox=self.inbox,
            journal=journal,
            put=self.effects.append,
            publisher=self,
            pace=FreePace(lambda: TEN_NS),
            unjournaled=self._not_written,
        )

    def publish(self, symbol: Symbol, view: SymbolView, fills: list[Fill]) -> None:
        self.views.append((symbol, view))
        self.fills.extend(fills)

    def _not_written(self, requests: Iterable[Input], why: str) -> None:
        self.unjournaled.append((list(requests), why))

    def events(self) -> list[type]:
        return [type(event) for entry in self.journal.entries() for event in entry.events]


async def test_a_batch_is_one_commit_and_each_input_sees_what_the_one_before_it_did() -> None:
    state = booted()
    bench = Bench(state, Ledger(state))
    for number in range(8):
        await bench.inbox.tell(request(number))
    async with trio.open_nursery() as nursery:
        nursery.start_soon(bench.executor.run)
        await bench.executor.wait_until(lambda one: one.counts.requests == 8)
        nursery.cancel_scope.cancel()
    assert len(bench.journal.batches) == 1
    assert bench.events() == [RequestAccepted] + [DuplicateBlocked] * 7
    assert [type(effect) for effect in bench.effects] == [Submit]
    assert fold(state, bench.journal.entries()) == bench.executor.state


async def test_nothing_is_sent_or_shown_before_the_commit_has_returned() -> None:
    state = booted()
    journal = Slow(state)
    bench = Bench(state, journal)
    await bench.inbox.tell(request(1))
    async with trio.open_nursery() as nursery:
        nursery.start_soon(bench.executor.run)
        await journal.began.wait()
        await wait_all_tasks_blocked()
        # Looked at afterwards: nothing that fails in here would end the commit, which is shielded.
        meanwhile = [*bench.effects], [*bench.views], bench.executor.state
        journal.may_finish.set()
        await wait_all_tasks_blocked()
        nursery.cancel_scope.cancel()
    assert meanwhile == ([], [], state)
    assert len(bench.effects) == 1
    assert [symbol for symbol, view in bench.views if view.working] == [JD]


async def test_what_comes_during_a_commit_waits_and_is_decided_on_the_new_state() -> None:
    state = booted()
    journal = Slow(state)
    bench = Bench(state, journal)
    await bench.inbox.tell(request(1))
    async with trio.open_nursery() as nursery:
        nursery.start_soon(bench.executor.run)
        await journal.began.wait()
        await bench.inbox.tell(request(2))
        journal.may_finish.set()
        await wait_all_tasks_blocked()
        nursery.cancel_scope.cancel()
    assert bench.events() == [RequestAccepted, DuplicateBlocked]
    assert len(bench.effects) == 1


async def test_cancelling_the_executor_in_a_commit_lets_the_commit_finish() -> None:
    state = booted()
    journal = Slow(state)
    bench = Bench(state, journal)
    await bench.inbox.tell(request(1))
    async with trio.open_nursery() as nursery:
        scope = trio.CancelScope()

        async def run() -> None:
            with scope:
                await bench.executor.run()

        nursery.start_soon(run)
        await journal.began.wait()
        scope.cancel()
        await wait_all_tasks_blocked()
        assert bench.journal.batches == [], "it waits for the disk, cancelled or not"
        journal.may_finish.set()
    assert bench.events() == [RequestAccepted]
    assert bench.executor.state.position(JD).entries, "what is durable is also so in memory"


async def test_a_failed_commit_changes_nothing_and_sends_nothing(autojump_clock: MockClock) -> None:
    play = opened()
    play >> (lambda one: request(1))
    order = play.orders[0]
    play >> sent()
    journal = Failing(play.state)
    journal.failure = JournalFailed("disk full")
    bench = Bench(play.state, journal)
    fill_line = filled(10, "31.92")
    assert callable(fill_line)
    fill = fill_line(play)
    wish, halt = request(2, "GS", price="900.10"), command("halt")
    for heard in (wish, fill, halt):
        await bench.inbox.tell(heard)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(bench.executor.run)
        await trio.sleep(COMMIT_RETRY_S / 2)
        assert bench.executor.state is play.state, "the old state stands"
        assert (bench.effects, bench.views, bench.fills) == ([], [], [])
        assert bench.unjournaled == [([halt, fill, wish], "disk full")]
        await trio.sleep(10 * COMMIT_RETRY_S)
        assert [heard for heard, _ in bench.unjournaled[1:]] == [[halt, fill]] * 10, "no wish again"
        assert bench.executor.state is play.state
        journal.failure = None
        with trio.fail_after(60):
            await bench.executor.wait_until(lambda one: bool(one.halted))
        nursery.cancel_scope.cancel()
    state = bench.executor.state
    assert state.orders[order].state is OrderState.FILLED, "nobody would have told it twice"
    assert state.position(Symbol("GS")).is_flat
    assert not state.tellings.get(wish.request_id)
    assert [type(one.input) for one in journal.entries()] == [Command, type(fill)]
    assert [one.quantity for one in bench.fills] == [10]


async def test_what_was_kept_is_decided_before_what_came_later(autojump_clock: MockClock) -> None:
    state = booted()
    journal = Failing(state)
    journal.failure = JournalFailed("locked")
    bench = Bench(state, journal)
    await bench.inbox.tell(command("halt"))
    async with trio.open_nursery() as nursery:
        nursery.start_soon(bench.executor.run)
        await trio.sleep(COMMIT_RETRY_S / 2)
        journal.failure = None
        await bench.inbox.tell(request(1))
        with trio.fail_after(60):
            await bench.executor.wait_until(lambda one: one.counts.requests == 1)
        nursery.cancel_scope.cancel()
    assert bench.events() == [Halted, RequestDenied]


@pytest.mark.parametrize("failure", [JournalBroken("fsync failed"), RuntimeError("a bug")])
async def test_a_broken_journal_and_a_bug_end_the_run(failure: Exception) -> None:
    state = booted()
    journal = Failing(state)
    journal.failure = failure
    bench = Bench(state, journal)
    await bench.inbox.tell(request(1))
    with pytest.raises(type(failure)):
        await bench.executor.run()
    assert bench.effects == []
    assert bench.executor.state is state


async def test_an_input_that_changes_nothing_writes_no_row() -> None:
    state = booted()
    bench = Bench(state, Ledger(state))
    async with trio.open_nursery() as nursery:
        nursery.start_soon(bench.executor.run)
        await bench.inbox.tell(request(1))
        await wait_all_tasks_blocked()
        await bench.inbox.tell(request(1))
        await wait_all_tasks_blocked()
        nursery.cancel_scope.cancel()
    assert bench.executor.state.counts.requests == 1
    assert len(bench.journal.batches) == 1


async def test_a_fill_is_shown_with_the_state_that_it_led_to() -> None:
    play = opened()
    play >> (lambda one: request(1)) >> sent()
    bench = Bench(play.state, Ledger(play.state))
    line = filled(10, "31.92")
    assert callable(line)
    await bench.inbox.tell(line(play))
    async with trio.open_nursery() as nursery:
        nursery.start_soon(bench.executor.run)
        await wait_all_tasks_blocked()
        nursery.cancel_scope.cancel()
    [(symbol, view)] = bench.views
    assert (symbol, view.strategy, view.working) == ("JD", "crossover", ())
    assert view.quantity == 10
    [fill] = bench.fills
    assert fill.symbol == JD
    assert fill.quantity == 10


async def test_what_is_not_configured_is_shown_beside_what_concerns_all() -> None:
    play = opened()
    play >> (lambda one: request(1)) >> sent()
    line = filled(10, "31.92")
    assert callable(line)
    state = replace(play.state, symbols=frozenset({Symbol("GS")}))
    bench = Bench(state, Ledger(state))
    await bench.inbox.tell(line(play))
    await bench.inbox.tell(AlarmReport(alarm="silent_task", message="nobody beats"))
    async with trio.open_nursery() as nursery:
        nursery.start_soon(bench.executor.run)
        await wait_all_tasks_blocked()
        nursery.cancel_scope.cancel()
    assert [symbol for symbol, _ in bench.views] == ["GS", "JD"]
    assert [fill.symbol for fill in bench.fills] == [JD]


# ------------------------------------------------------------------------------------------ the inbox


async def test_the_inbox_gives_commands_reports_the_clock_and_then_requests() -> None:
    play = opened()
    play >> (lambda one: request(1)) >> sent()
    line = filled(10, "31.92")
    assert callable(line)
    fill = line(play)
    started = SendStarted(client_order_id=play.orders[0])
    later, sooner = request(3, at_ns=TEN_NS + 1), request(4)
    inbox = Inbox()
    told: list[Input] = [later, sooner, clock(1), fill, started, command("halt")]
    for heard in told:
        await inbox.tell(heard)
    assert inbox.drain() == [command("halt"), started, fill, clock(1), sooner, later]
    assert not inbox.has_mail()


def test_requests_of_one_instant_are_decided_by_symbol_and_request_id_whoever_came_first() -> None:
    wishes: list[Input] = [request(n, symbol) for n in (3, 1, 2) for symbol in ("T", "GS")]
    names = [one.request_id for one in in_order(wishes) if isinstance(one, OrderRequest)]
    assert names == sorted(names)
    assert in_order(wishes[::-1]) == in_order(wishes)


async def test_a_request_that_waited_too_long_says_so(autojump_clock: MockClock) -> None:
    inbox = Inbox()
    await inbox.tell(request(1))
    await inbox.tell(clock(1))
    await trio.sleep(REQUEST_WAIT_MAX_S + 1)
    await inbox.tell(request(2))
    late = [one.late for one in inbox.drain() if isinstance(one, OrderRequest)]
    assert late == [True, False]


async def test_what_belongs_together_is_taken_in_one_turn_and_waits_where_there_is_no_room(
    autojump_clock: MockClock,
) -> None:
    inbox = Inbox()
    told: list[Input] = [request(number) for number in range(INBOX_MAX + 1)]
    async with trio.open_nursery() as nursery:
        nursery.start_soon(inbox.tell_all, told)
        await inbox.wait()
        assert inbox.drain() == told[:BATCH_MAX]
        left: list[Input] = []
        while inbox.has_mail():
            left += inbox.drain()
            await trio.lowlevel.checkpoint()
    assert left == told[BATCH_MAX:]


async def test_a_turn_takes_a_bounded_batch_and_leaves_the_rest_in_order() -> None:
    inbox = Inbox()
    for number in range(BATCH_MAX + 5):
        await inbox.tell(request(number))
    assert len(inbox.drain()) == BATCH_MAX
    assert inbox.has_mail()
    assert [one for one in inbox.drain() if isinstance(one, OrderRequest)] == [
        request(number) for number in range(BATCH_MAX, BATCH_MAX + 5)
    ]


async def test_waiting_for_mail_can_be_cancelled_without_losing_any() -> None:
    inbox = Inbox()
    with trio.move_on_after(0):
        await inbox.wait()
    await inbox.tell(request(1))
    with suppress(trio.Cancelled), trio.CancelScope() as scope:
        scope.cancel()
        await inbox.wait()
    assert inbox.drain() == [request(1)]

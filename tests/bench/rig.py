"""The program's tasks as a run puts them together, without its door: inbox, executor, lanes, tape."""

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import trio
from msgspec import Struct

from tests.bench.morning import CASH, LIMITS, TEN_NS, opening, quote, wish
from trader.brokers.direct import DirectBroker
from trader.clock import FreePace
from trader.execution import ExecutionState
from trader.executor import Executor
from trader.inbox import Inbox
from trader.journal.memory import MemoryJournal
from trader.journal.sqlite import SqliteJournal, open_journal
from trader.messages import Effect, Entry
from trader.model import Side, Symbol
from trader.outbox import Outbox, lanes_needed
from trader.ports import Batch, Broker, Journal, Pace
from trader.tape import Tape


class Rig(Struct, frozen=True, kw_only=True):
    """What a bench puts its hands on."""

    inbox: Inbox
    executor: Executor
    tape: Tape
    pace: Pace


@asynccontextmanager
async def running(
    symbols: tuple[Symbol, ...],
    journal: Journal,
    broker: Broker | None,
    put: Callable[[Effect], None] = lambda effect: None,
) -> AsyncIterator[Rig]:
    """Until the block ends; entries are open. Without a broker effects go to `put`."""
    inbox, pace = Inbox(), FreePace(lambda: TEN_NS)
    tape = Tape(symbols, pace.market_ns)
    async with trio.open_nursery() as nursery:
        if broker is not None:
            outbox = Outbox(
                broker=broker,
                inbox=inbox,
                pace=pace,
                capacity=lanes_needed(ExecutionState(), LIMITS, len(symbols)),
            )
            put = outbox.put
            nursery.start_soon(outbox.run)
        executor = Executor(
            ExecutionState(), inbox=inbox, journal=journal, put=put, publisher=tape, pace=pace
        )
        nursery.start_soon(executor.run)
        for heard in opening(symbols):
            await inbox.tell(heard)
        await executor.wait_until(lambda state: bool(state.session))
        assert not executor.state.gates_closed
        if isinstance(broker, DirectBroker):
            await nursery.start(broker.follow, inbox.tell)
        yield Rig(inbox=inbox, executor=executor, tape=tape, pace=pace)
        nursery.cancel_scope.cancel()


async def traded(rig: Rig, symbols: tuple[Symbol, ...], number: int) -> None:
    """Buy every symbol in one instant, or sell it again; returns when all is filled and durable."""
    side = Side.SELL if number % 2 else Side.BUY
    first, wanted = number * len(symbols), (number + 1) * len(symbols)
    for place, symbol in enumerate(symbols):
        await rig.inbox.tell(wish(symbol, first + place, TEN_NS, side))

    def is_filled(state: ExecutionState) -> bool:
        is_still = not (state.entries_open if side is Side.BUY else state.positions_value)
        return is_still and state.counts.accepted == wanted

    await rig.executor.wait_until(is_filled)


def direct_broker(symbols: tuple[Symbol, ...]) -> DirectBroker:
    """A venue in memory that fills everything at once."""
    broker = DirectBroker(symbols, cash=CASH, at_ns=TEN_NS, seed=0)
    broker.advance(TEN_NS, quotes=[quote(symbol, TEN_NS) for symbol in symbols])
    return broker


def durable_journal(folder: Path) -> SqliteJournal:
    """As a run opens it: every commit synced, on a thread of its own."""
    return open_journal(folder.resolve() / "bench.db", create=True, since="")


class ForgetfulJournal(MemoryJournal):
    """Commits nothing, at once: what is left is the executor."""

    async def commit(self, batch: Batch) -> None:
        await trio.lowlevel.cancel_shielded_checkpoint()


class WatchedJournal:
    """Another journal, to look over its shoulder."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal

    @property
    def head(self) -> int:
        return self._journal.head

    async def commit(self, batch: Batch) -> None:
        await self._journal.commit(batch)

    async def read(self, after: int, limit: int) -> list[Entry]:
        return await self._journal.read(after, limit)

    def entries(self, after: int = 0) -> Iterator[Entry]:
        return self._journal.entries(after)

"""Tells a run: the journal into the log and onto the screen, the libraries' records and unfit ticks into the log."""

from collections import Counter
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import trio

from trader import calendar
from trader.executor import Executor
from trader.journal.sqlite import SqliteJournal
from trader.live.assembly import Listeners
from trader.live.screen import PlainScreen
from trader.log.events import Event, Program
from trader.log.scribe import Scribe
from trader.log.transcript import transcript_line
from trader.log.writer import LogWriter, bridged_logging
from trader.market_guard import Rejection
from trader.messages import Input
from trader.model import Bar, Quote, Symbol
from trader.state import ExecutionState
from trader.supervisor import Parts

TICKS_TOLD_MAX = 5  # of one symbol and reason; after that they are counted


class Telling:
    """One run's voice. `program` says what is not in the journal."""

    def __init__(self, journal: SqliteJournal, writer: LogWriter, screen: PlainScreen) -> None:
        self._writer = writer
        self._screen = screen
        self._scribe = Scribe(journal, writer, heard=self._heard, complain=screen.say)
        self._unfit: Counter[tuple[Symbol, Rejection]] = Counter()
        self._market_ns = 0
        self._unwritable = ""

    def listeners(self) -> Listeners:
        """For what the parts have to say outside the journal."""
        return Listeners(rejected_tick=self._rejected_tick, unjournaled=self._unjournaled)

    def program(self, subject: str, message: str, *, is_alarm: bool = False) -> None:
        """One line of the log."""
        self._writer.write(
            [
                Program(
                    timestamp=calendar.iso(self._market_ns),
                    level="alarm" if is_alarm else "warning",
                    subject=subject,
                    message=message,
                )
            ]
        )

    @asynccontextmanager
    async def following(self, parts: Parts) -> AsyncIterator[None]:
        """While inside, follow the journal; at the end nothing of it is left untold."""
        executor = parts.executor

        async def follow() -> None:
            await self._scribe.follow(lambda: self._wait(parts, executor))

        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(follow, name="scribe")
                yield
                nursery.cancel_scope.cancel()
        finally:
            with trio.CancelScope(shield=True):
                await self._scribe.catch_up()
            self._scribe.close()

    async def _wait(self, parts: Parts, executor: Executor) -> None:
        self._market_ns = parts.pace.market_ns()
        await executor.wait_until(lambda state: state.sequence > self._scribe.sequence)

    def _heard(self, event: Event) -> None:
        self._unwritable = ""
        if (line := transcript_line(event)) is not None:
            self._screen.say(line)

    def _rejected_tick(self, tick: Bar | Quote, why: Rejection) -> None:
        key = (tick.symbol, why)
        self._unfit[key] += 1
        if self._unfit[key] <= TICKS_TOLD_MAX:
            self.program("unfit_tick", f"{tick.symbol}: {why.value}: {tick}")

    def _unjournaled(self, requests: Iterable[Input], why: str) -> None:
        denied = sum(1 for _ in requests)
        self.program(
            "journal_unavailable", f"{why}; {denied} requests denied, nothing sent", is_alarm=True
        )
        if why != self._unwritable:  # tried again each second: told once
            self._screen.say(f"NOTHING IS SENT until the journal can be written: {why}")
        self._unwritable = why


class PartsScene:
    """A run's parts, as the screen asks for them."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    def state(self) -> ExecutionState:
        """As of the last commit."""
        return self._parts.executor.state

    def market_ns(self) -> int:
        """Market time."""
        return self._parts.pace.market_ns()

    def marks(self) -> dict[Symbol, int]:
        """Of all symbols."""
        return self._parts.tape.marks(self._parts.executor.state.symbols)


@asynccontextmanager
async def shown(screen: PlainScreen, parts: Parts) -> AsyncIterator[None]:
    """While inside, the screen shows the run."""
    async with trio.open_nursery() as nursery:
        nursery.start_soon(screen.show, PartsScene(parts), name="screen")
        yield
        nursery.cancel_scope.cancel()


@contextmanager
def told(
    journal: SqliteJournal, log: Path, screen: PlainScreen, secrets: list[str]
) -> Iterator[Telling]:
    """A telling with its log open; what the libraries log goes there too, and the secrets never."""
    writer = LogWriter(log, secrets=secrets)
    try:
        with bridged_logging(writer):
            yield Telling(journal, writer, screen)
    finally:
        writer.close()

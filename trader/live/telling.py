"""Tells a run: the journal into the log and onto the screen, the libraries' records and unfit ticks into the log."""

from collections import Counter
from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager, suppress
from pathlib import Path

import trio

from trader import alarm_command, calendar
from trader.alarm_command import Alarm, AlarmCommand
from trader.executor import Executor
from trader.inbox import Inbox
from trader.journal.sqlite import SqliteJournal
from trader.live.assembly import Listeners
from trader.live.screen import PlainScreen
from trader.log import events as log
from trader.log.events import Event, Program
from trader.log.scribe import Scribe
from trader.log.transcript import Transcript
from trader.log.writer import LogWriter, bridged_logging
from trader.market_guard import Rejection
from trader.messages import AlarmReport, Input, OrderRequest
from trader.model import Bar, Quote, Symbol
from trader.remedies import remedy
from trader.state import ExecutionState
from trader.supervisor import Parts

TICKS_TOLD_MAX = 5  # of one symbol and reason; after that they are counted


class Telling:
    """One run's voice. `program` says what is not in the journal; alarms are given to the command that is named."""

    def __init__(
        self,
        journal: SqliteJournal,
        writer: LogWriter,
        screen: PlainScreen,
        command: Sequence[str] = (),
    ) -> None:
        self._database = str(journal.path)
        self._inbox: Inbox | None = None
        self.command = AlarmCommand(self._run, self._command_failed) if command else None
        self._words = command
        self._writer = writer
        self._screen = screen
        self._transcript = Transcript()
        self._scribe = Scribe(journal, writer, heard=self._heard, complain=screen.say)
        self._unfit: Counter[tuple[Symbol, Rejection]] = Counter()
        self._market_ns = 0
        self._unwritable = ""

    def listeners(self) -> Listeners:
        """For what the parts have to say outside the journal."""
        return Listeners(rejected_tick=self._rejected_tick, unjournaled=self._unjournaled)

    def program(
        self, subject: str, message: str, *, is_alarm: bool = False, level: log.Level = "warning"
    ) -> None:
        """One line of the log."""
        event = Program(
            timestamp=calendar.iso(self._market_ns),
            level="alarm" if is_alarm else level,
            subject=subject,
            message=message,
        )
        self._writer.write([event])
        self._sound(event)

    @asynccontextmanager
    async def following(self, parts: Parts) -> AsyncIterator[None]:
        """While inside, follow the journal; at the end nothing of it is left untold."""
        executor = parts.executor
        self._inbox = parts.inbox

        async def follow() -> None:
            await self._scribe.follow(lambda: self._wait(parts, executor))

        async with AsyncExitStack() as stack:
            if self.command is not None:
                await stack.enter_async_context(self.command.running())
            try:
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(follow, name="scribe")
                    yield
                    nursery.cancel_scope.cancel()
            finally:
                with trio.CancelScope(shield=True):
                    await self._scribe.catch_up()
                self._scribe.close()
                told = parts.tape.told
                what = f"{told.quotes} told to workers, {told.conflated} of them conflated"
                self.program("quotes", what, level="info")

    async def _wait(self, parts: Parts, executor: Executor) -> None:
        self._market_ns = parts.pace.market_ns()
        await executor.wait_until(lambda state: state.sequence > self._scribe.sequence)

    def _heard(self, event: Event) -> None:
        self._unwritable = ""
        if (line := self._transcript.line(event)) is not None:
            self._screen.say(line)
        self._sound(event)

    def _sound(self, event: Event) -> None:
        if self.command is None or event.level != "alarm":
            return
        kind = kind_of(event)
        self.command.sound(
            Alarm(
                alarm=kind,
                symbol=event.symbol,
                message=event.message,
                remedy=remedy(kind, event.symbol),
                timestamp=event.timestamp,
                database=self._database,
            )
        )

    async def _run(self, alarm: bytes) -> str:
        return await alarm_command.run_command(self._words, self._writer.without_secrets(alarm))

    def _command_failed(self, why: str) -> None:
        self.program(alarm_command.OWN_ALARM, why)
        if self._inbox is not None:
            with suppress(trio.WouldBlock):  # Full of what matters more; the log has it.
                self._inbox.tell_nowait(AlarmReport(alarm=alarm_command.OWN_ALARM, message=why))

    def _rejected_tick(self, tick: Bar | Quote, why: Rejection) -> None:
        key = (tick.symbol, why)
        self._unfit[key] += 1
        if self._unfit[key] <= TICKS_TOLD_MAX:
            self.program("unfit_tick", f"{tick.symbol}: {why.value}: {tick}")

    def _unjournaled(self, inputs: Iterable[Input], why: str) -> None:
        denied = 0
        for heard in inputs:
            denied += isinstance(heard, OrderRequest)
            if isinstance(heard, AlarmReport) and why != self._unwritable:
                self.program(heard.alarm, heard.message, is_alarm=True)
        if denied or why != self._unwritable:  # tried again each second: told once
            what = f"{why}; {denied} requests denied, nothing sent"
            self.program("journal_unavailable", what, is_alarm=True)
        if why != self._unwritable:
            self._screen.say(f"NOTHING IS SENT until the journal can be written: {why}")
        self._unwritable = why


def kind_of(event: Event) -> str:
    """The alarm's name, as docs/operations.md has it."""
    match event:
        case log.Alarm():
            return event.alarm
        case log.Program():
            return event.subject
        case _:
            return str(event.__struct_config__.tag)


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
    journal: SqliteJournal,
    path: Path,
    screen: PlainScreen,
    secrets: list[str],
    command: Sequence[str] = (),
) -> Iterator[Telling]:
    """A telling with its log open; what the libraries log goes there too, and the secrets never.

    `command`: whom to tell of alarms, if anybody.
    """
    writer = LogWriter(path, secrets=secrets)
    try:
        with bridged_logging(writer):
            yield Telling(journal, writer, screen, command)
    finally:
        writer.close()

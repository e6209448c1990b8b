"""One run: from an open journal and a broker that answers to the last row of this life.

Who outlives whom: the embedded broker, then the streams and the executor, then the workers; the reader of the journal
stays until the last row is told. Shutting down, the gate closes first.
"""

import math
import signal
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager

import trio
from msgspec import Struct
from msgspec.structs import replace

from trader import systemd
from trader.clock import FreePace
from trader.exits import Exit, StartRefused
from trader.live.embedded import Embedded
from trader.lost_line import keep_line
from trader.model import SECOND_NS, ClientOrderId
from trader.ports import BrokerRefused, BrokerUnavailable
from trader.scenarios.play import CutOff, Play, Stage
from trader.state import ExecutionState
from trader.supervisor import Parts, Supervisor

NAMED_MAX = 8  # symbols, in a line
COMPARE_S = 30.0  # machine time for the last look at the broker's books
# That workers have to get warm before a start by the clock is over: who is late starts later, and the others trade.
WARM_S = 5.0


class Ending(Struct, frozen=True, kw_only=True):
    """How the run ended: the exit code, the last state, and what nobody could prove in time."""

    code: Exit
    state: ExecutionState
    unproved: tuple[ClientOrderId, ...]


Ready = Callable[[ExecutionState], None]


async def run_embedded(
    parts: Parts, embedded: Embedded, play: Play, *, ready: Ready, stopped: trio.Event
) -> Ending:
    """Trade the embedded broker's sessions at a settled pace, until they are over or somebody stops us."""
    supervisor = Supervisor(parts)
    pace = embedded.pace
    parts.protector.now_s = lambda: pace.market_ns() / SECOND_NS

    async def on_instant(at_ns: int) -> None:
        await supervisor.tick(at_ns)
        parts.protector.wake()
        if embedded.session is not None:
            stage = Stage(
                session=embedded.session,
                inbox=parts.inbox,
                tape=parts.tape,
                state=parts.executor.state,
            )
            await play.on_instant(stage, at_ns)
            if play.is_over(embedded.session, at_ns):
                pace.session_over.set()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(
            lambda: pace.conduct(
                embedded.advance,
                on_instant=on_instant,
                wants_executor=parts.inbox.has_mail,
                wants_sender=parts.outbox.has_orders,
            ),
            name="conductor",
        )
        if await _started(nursery, supervisor, parts, stopped):
            await supervisor.tick(pace.market_ns())
            ready(parts.executor.state)
            if play.cut_off is not None:
                nursery.start_soon(_cut_off, parts, play.cut_off, name="cut off")
            pace.begin()
            await _first(stopped.wait, pace.session_over.wait)
            pace.pause()
        ending = await _ended(parts, supervisor, interrupted=stopped.is_set())
        nursery.cancel_scope.cancel()
    # Nothing is committed any more: what the proof recomputes is what there is.
    return replace(ending, state=parts.executor.state)


async def _cut_off(parts: Parts, holds: Callable[[ExecutionState], bool]) -> None:
    """For a play in which the life ends without a word, like one that is killed."""
    await parts.executor.wait_until(holds)
    raise CutOff


async def run_clocked(
    parts: Parts,
    pace: FreePace,
    *,
    ready: Ready,
    stopped: trio.Event,
    market: Callable[[], Awaitable[object]] = trio.sleep_forever,
) -> Ending:
    """Trade by a running clock until somebody stops us, or `market` returns."""
    supervisor = Supervisor(parts)
    async with trio.open_nursery() as nursery:
        # From the start on: what is held is held before everything stands.
        nursery.start_soon(parts.protector.keep_waking, name="protector's clock")
        nursery.start_soon(_keep_clocks, supervisor, parts, pace, name="clocks")
        if await _started(nursery, supervisor, parts, stopped, warm_s=WARM_S):
            ready(parts.executor.state)
            await _first(stopped.wait, market)
        ending = await _ended(parts, supervisor, interrupted=stopped.is_set())
        nursery.cancel_scope.cancel()
    # Nothing is committed any more: what the proof recomputes is what there is.
    return replace(ending, state=parts.executor.state)


async def _keep_clocks(supervisor: Supervisor, parts: Parts, pace: FreePace) -> None:
    """Whatever a worker still waits for, its history say: the others trade already, and what is held is held.

    Not before the broker has told of its books in this life: what moved them overnight is no gain or loss of today.
    """
    await parts.executor.wait_until(
        lambda state: state.epoch == parts.boot.epoch and state.statements > 0
    )
    async with trio.open_nursery() as nursery:
        nursery.start_soon(supervisor.keep_time, pace.sleep_until, name="clock")
        nursery.start_soon(supervisor.reconciler.keep_polling, name="poller")
        nursery.start_soon(keep_line, parts.executor, parts.inbox, name="lost line")


class _Opening:
    """What the supervisor tells when everything stands."""

    def __init__(self) -> None:
        self.event = trio.Event()

    def started(self, value: None = None) -> None:
        self.event.set()


async def _started(
    nursery: trio.Nursery,
    supervisor: Supervisor,
    parts: Parts,
    stopped: trio.Event,
    *,
    warm_s: float = math.inf,
) -> bool:
    """Whether all stands, workers warm that are so in time; False where somebody stopped us: this life is no more."""
    opening = _Opening()
    nursery.start_soon(_supervised, supervisor, opening, name="supervisor")

    async def stand() -> None:
        await supervisor.stands.wait()
        with trio.move_on_after(warm_s):
            await opening.event.wait()

    await _first(stand, stopped.wait)
    if stopped.is_set():
        # The last words of a life come after its first.
        await parts.executor.wait_until(lambda state: state.epoch == parts.boot.epoch)
        return False
    systemd.tell("READY=1")
    return True


async def _supervised(supervisor: Supervisor, opening: _Opening) -> None:
    """The broker's refusals are those of a start, until everything stands."""
    try:
        await supervisor.run(task_status=opening)
    except* (BrokerRefused, BrokerUnavailable) as trouble:
        if opening.event.is_set():
            raise
        raise StartRefused(_words(trouble), where="broker") from None


def _words(group: BaseExceptionGroup[BaseException]) -> str:
    one: BaseException = group
    while isinstance(one, BaseExceptionGroup):
        one = one.exceptions[0]
    return str(one)


async def _ended(parts: Parts, supervisor: Supervisor, *, interrupted: bool) -> Ending:
    """Close the gate, cancel entries, and hold the books against the broker's once more."""

    def code_for(unproved: list[ClientOrderId]) -> int:
        state = parts.executor.state
        if unproved or state.quarantined:
            return Exit.DIFFERENCES
        return Exit.HALTED if state.halted or state.brakes else Exit.WELL

    systemd.tell("STOPPING=1")
    if not interrupted:
        with trio.move_on_after(COMPARE_S):  # A broker that is gone can't keep us from ending.
            await supervisor.reconciler.compare()
    code, unproved = await supervisor.shut_down(code_for)
    return Ending(code=Exit(code), state=parts.executor.state, unproved=tuple(unproved))


def left_lines(ending: Ending) -> Iterator[str]:
    """What a person has to look at after a run: orders that nobody could prove, and symbols that take no entries."""
    for one in ending.unproved:
        yield f"UNPROVED {one}: bin/trade orders --unknown"
    closed = sorted(ending.state.quarantined.keys())
    if closed:
        more = f" and {len(closed) - NAMED_MAX} more" if len(closed) > NAMED_MAX else ""
        yield f"closed   {', '.join(closed[:NAMED_MAX])}{more} to entries: bin/trade status says why"


async def _first(*waits: Callable[[], Awaitable[object]]) -> None:
    async with trio.open_nursery() as nursery:

        async def one(wait: Callable[[], Awaitable[object]]) -> None:
            await wait()
            nursery.cancel_scope.cancel()

        for wait in waits:
            nursery.start_soon(one, wait)


class Stop:
    """Set by SIGTERM or Ctrl-C; `by` says which. Until the run has begun, it also cuts off what is under way inside."""

    def __init__(self) -> None:
        self.event = trio.Event()
        self.by = ""
        self._start = trio.CancelScope()
        self._has_begun = False

    @property
    def inside(self) -> trio.CancelScope:
        """For connecting, waiting and asking: nothing is journaled, and nothing of ours is on its way."""
        return self._start

    @property
    def is_cut_off(self) -> bool:
        """The run never began."""
        return self._start.cancelled_caught

    @property
    def code(self) -> Exit:
        """Of a stop that went well."""
        return Exit.INTERRUPTED if self.by == "SIGINT" else Exit.WELL

    def begins(self) -> trio.Event:
        """From here on a life is written, and a stop is its orderly end: by this event alone."""
        self._has_begun = True
        return self.event

    def asked(self) -> None:
        """Somebody who can wait for the end wants it: the verb `stop`."""
        self.hear("stop")

    def hear(self, name: str) -> None:
        """A signal has come."""
        self.by = name
        self.event.set()
        if not self._has_begun:
            self._start.cancel()


STOPPED_EARLY = "stopped before anything was begun; nothing was sent"


@asynccontextmanager
async def stop_signals() -> AsyncIterator[Stop]:
    """A clean stop on SIGTERM and SIGINT, for as long as the block runs."""
    stop = Stop()
    with trio.open_signal_receiver(signal.SIGTERM, signal.SIGINT) as signals:
        async with trio.open_nursery() as nursery:

            async def listen() -> None:
                async for number in signals:
                    stop.hear(signal.Signals(number).name)

            nursery.start_soon(listen, name="signals")
            try:
                yield stop
            finally:
                nursery.cancel_scope.cancel()

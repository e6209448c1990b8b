"""What both of Alpaca's streams have in common: greet, listen, notice silence, come back, and tell the gate."""

import logging
from collections.abc import Awaitable, Callable
from typing import Protocol

import trio
from msgspec import Struct

from trader.brokers.alpaca.websocket import Handshake, OpenSocket, Socket, StreamLost
from trader.messages import Gate, GateReport
from trader.ports import BrokerRefused, BrokerUnavailable, Hear

logger = logging.getLogger("trader.adapter")


class StreamDeadlines(Struct, frozen=True, kw_only=True):
    """Seconds of machine time.

    A half-sent frame, or a dead line, raises no error ever: only a ping without its pong shows it. `steady` is how
    long a connection must have lasted for the next back-off to start small again; without it a server that accepts
    and hangs up would be called ten times a second. `look_every`: how often a line that answers pings is asked
    whether it still tells anything; `untold`: how late its news may be; `backfill`: how long a gap may take to fill.
    """

    start: float = 30.0
    connect: float = 10.0
    greet: float = 10.0
    ping_every: float = 10.0
    pong: float = 20.0
    back_off_min: float = 0.1
    back_off_max: float = 30.0
    steady: float = 10.0
    look_every: float = 5.0
    untold: float = 10.0
    backfill: float = 20.0


class StreamRefused(Exception):
    """The server will not serve us, and another try won't change its mind: a person has to act."""


OpenGate = Callable[[], Awaitable[None]]


class Conversation(Protocol):
    """What is said on one stream."""

    @property
    def gate(self) -> Gate:
        """What opens while it is heard."""
        ...

    def handshake(self, seconds_max: float) -> Handshake:
        """Where it is."""
        ...

    async def greet(self, socket: Socket) -> str:
        """Authenticate and subscribe; what is heard then, for the gate. Raises StreamLost or StreamRefused."""
        ...

    async def listen(self, socket: Socket, open_gate: OpenGate) -> None:
        """Take frame after frame, until StreamLost; open the gate as soon as the line can be believed."""
        ...

    async def watch(self) -> None:
        """Look at what it tells, for ever; raise StreamLost when it is connected but mute."""
        ...


class Stream:
    """A conversation that is begun again whenever it ends."""

    def __init__(
        self, conversation: Conversation, open_socket: OpenSocket, deadlines: StreamDeadlines
    ) -> None:
        self._conversation = conversation
        self._open_socket = open_socket
        self._deadlines = deadlines
        self._back_off = deadlines.back_off_min
        self._is_started = False
        self._why = ""  # what the gate was last closed with

    async def run(
        self, hear: Hear, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED
    ) -> None:
        """Never returns. Before the first success: BrokerRefused, or BrokerUnavailable after the start deadline."""
        give_up_at = trio.current_time() + self._deadlines.start
        while True:
            began_at = trio.current_time()
            try:
                why = await self._connection(hear, task_status)
            except StreamRefused as refused:
                if not self._is_started:
                    raise BrokerRefused(str(refused)) from None
                # Keys that fail in mid-day may be locked by more tries: as few as can be.
                why, self._back_off = str(refused), self._deadlines.back_off_max
            await self._close_gate(hear, why)
            if not self._is_started and trio.current_time() >= give_up_at:
                tried = f"tried for {self._deadlines.start:g} s"
                raise BrokerUnavailable(f"{self._conversation.gate}: {why} ({tried})")
            await self._pause(why, trio.current_time() - began_at)

    async def _pause(self, why: str, lasted: float) -> None:
        if lasted >= self._deadlines.steady + self._back_off:
            self._back_off = self._deadlines.back_off_min
        seconds = self._back_off
        logger.warning("%s: %s; again in %.1f s", self._conversation.gate, why, seconds)
        await trio.sleep(seconds)
        self._back_off = min(2 * seconds, self._deadlines.back_off_max)

    async def _connection(self, hear: Hear, task_status: trio.TaskStatus[None]) -> str:
        """One connection from beginning to end, and why it ended."""
        why = ""
        try:
            async with self._open_socket(
                self._conversation.handshake(self._deadlines.connect)
            ) as socket:
                what = await self._greeting(socket)

                async def open_gate() -> None:
                    self._why = ""
                    await hear(GateReport(gate=self._conversation.gate, is_open=True, reason=what))
                    self._start(task_status)

                why = await self._listening(socket, open_gate)
                # Before the closing handshake: on a dead line that only ends at its deadline.
                await self._close_gate(hear, why)
        except StreamLost as lost:
            return why or str(lost)
        return why

    async def _close_gate(self, hear: Hear, why: str) -> None:
        """Say once what is wrong; before the start that is all there is to be seen of it."""
        if why != self._why:
            self._why = why
            if not self._is_started:
                why = f"{why}; trying for {self._deadlines.start:g} s"
            await hear(GateReport(gate=self._conversation.gate, is_open=False, reason=why))

    def _start(self, task_status: trio.TaskStatus[None]) -> None:
        if not self._is_started:
            self._is_started = True
            task_status.started()

    async def _greeting(self, socket: Socket) -> str:
        seconds = self._deadlines.greet
        with trio.move_on_after(seconds):
            return await self._conversation.greet(socket)
        raise StreamLost(f"no answer to our greeting within {seconds:g} s")

    async def _listening(self, socket: Socket, open_gate: OpenGate) -> str:
        """Listen, ping and watch at once, until one of them finds the line dead; why it is."""
        reasons: list[str] = []

        async def until_lost(task: Callable[[], Awaitable[None]]) -> None:
            try:
                await task()
            except StreamLost as lost:
                reasons.append(str(lost))
                nursery.cancel_scope.cancel()

        async with trio.open_nursery() as nursery:
            nursery.start_soon(until_lost, lambda: self._conversation.listen(socket, open_gate))
            nursery.start_soon(until_lost, lambda: self._beat(socket))
            nursery.start_soon(until_lost, self._conversation.watch)
        return reasons[0]

    async def _beat(self, socket: Socket) -> None:
        seconds = self._deadlines.pong
        while True:
            await trio.sleep(self._deadlines.ping_every)
            with trio.move_on_after(seconds) as scope:
                await socket.ping()
            if scope.cancelled_caught:
                raise StreamLost(f"no answer to a ping within {seconds:g} s")

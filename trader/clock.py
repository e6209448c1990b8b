"""Market time and pace: free (the clock runs, everybody moves) and settled (each in turn, so that a day repeats).

Settled pace is for the simulated broker in our own process. An accelerated day over real sockets would otherwise
depend on which of two sockets the kernel serves first. The conductor lets the market speak for one instant; when
every frame is consumed and every worker idle, the executor takes its whole inbox as one batch; orders leave one at
a time, each with its replies and fills consumed before the next; when nothing moves any more, the next instant.

What is under way is a set of tokens. If it doesn't settle within SETTLE_HOLD_MAX_S (an answer that never comes) the
tokens there are excused and the market goes on: a stuck query may cost repeatability, never the trading day.
"""

import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext

import trio

from trader.model import SECOND_NS

SETTLE_HOLD_MAX_S = 5.0
LOOK_EVERY_S = 1.0  # at a clock that may be set forward while somebody sleeps by it


class FreePace:
    """Market time runs by itself, `speed` market seconds a machine second, and everybody moves when they like."""

    def __init__(self, market_ns: Callable[[], int], speed: float = 1.0) -> None:
        self.market_ns = market_ns
        self._speed = speed

    async def sleep_until(self, at_ns: int) -> None:
        """Until about that market time; at once where the clock was set forward meanwhile."""
        while (left_s := (at_ns - self.market_ns()) / SECOND_NS / self._speed) > 0:  # noqa: ASYNC110 - It is time that is waited for.
            await trio.sleep(min(left_s, LOOK_EVERY_S))

    def began(self, token: object) -> None:
        """Nothing waits."""

    def ended(self, token: object) -> None:
        """Nothing waited."""

    def executor_turn(self) -> AbstractAsyncContextManager[None]:
        """At once."""
        return nullcontext()

    def sender_turn(self) -> AbstractAsyncContextManager[None]:
        """At once."""
        return nullcontext()


class RunningClock:
    """A market clock that runs with the machine's monotonic one from now on, whatever happens to the wall's.

    While the machine is suspended that one stands still, and the market doesn't. What it has slept is added where
    the system tells it (`asleep_ns`, ever growing), or who holds the clock against others' says it (`set_forward`).
    A market on this machine sleeps, too: then nothing is to be added. Never set back.
    """

    def __init__(
        self, from_ns: int, speed: float = 1.0, *, asleep_ns: Callable[[], int] = lambda: 0
    ) -> None:
        self._from_ns = from_ns
        self._began_s = trio.current_time()
        self._speed = speed
        self._asleep_ns = asleep_ns
        self._asleep_before_ns = asleep_ns()
        self.slept_ns = 0

    def __call__(self) -> int:
        """Market time, in nanoseconds."""
        slept_ns = self._asleep_ns() - self._asleep_before_ns
        if slept_ns > ASLEEP_NS_MIN:
            self._asleep_before_ns += slept_ns
            self.set_forward(slept_ns)
        ran_s = (trio.current_time() - self._began_s) * self._speed
        return self._from_ns + int(ran_s * SECOND_NS)

    def set_forward(self, slept_ns: int) -> None:
        """The market went on so long, and this clock did not."""
        assert slept_ns > 0
        self._from_ns += slept_ns
        self.slept_ns += slept_ns


ASLEEP_NS_MIN = SECOND_NS  # less is what it takes to read two clocks


def machine_asleep_ns() -> int:
    """How long this machine has been suspended since it was started; 0 where the system does not tell (but Linux).

    In this order: a process that is stopped between the two looks hears of less than there was, and of the rest at
    the next look.
    """
    boot = getattr(time, "CLOCK_BOOTTIME", None)
    if boot is None:
        return 0
    return time.clock_gettime_ns(boot) - time.clock_gettime_ns(time.CLOCK_MONOTONIC)


class _Desk:
    """Where one task waits for its turn."""

    def __init__(self) -> None:
        self.is_waiting = False
        self._called = trio.Event()

    async def wait(self) -> None:
        self.is_waiting = True
        self._called = trio.Event()
        try:
            await self._called.wait()
        finally:
            self.is_waiting = False

    def call(self) -> None:
        self.is_waiting = False
        self._called.set()


class SettledPace:
    """One thing at a time; `conduct` is the task that gives the turns.

    `wants_executor` and `wants_sender` tell whether inbox and outbox hold anything. `speed` is market seconds for a
    machine second, None for as fast as it settles.
    """

    def __init__(
        self,
        market_ns: Callable[[], int],
        *,
        speed: float | None,
        is_paced: Callable[[int], bool] = lambda at_ns: True,
        hold_max_s: float = SETTLE_HOLD_MAX_S,
    ) -> None:
        self.market_ns = market_ns  # the instant that the simulated broker is at
        self._speed = speed
        self._is_paced = (
            is_paced  # whether this market time passes at speed, or as fast as it settles
        )
        self._hold_max_s = hold_max_s
        self._tokens: set[object] = set()
        self._frames: Counter[str] = Counter()
        self._executor = _Desk()
        self._sender = _Desk()
        self._changed = trio.Event()
        # When the market stood where: machine seconds and market ns. None: it may not move.
        self._due: tuple[float, int] | None = None
        self.session_over = trio.Event()
        self.holds = 0  # times that the hold ran out

    def began(self, token: object) -> None:
        """The market waits for this."""
        self._tokens.add(token)

    def ended(self, token: object) -> None:
        """No more."""
        self._tokens.discard(token)
        self._wake()

    def frame_put(self, stream: str, count: int) -> None:
        """The simulated broker has put frames of events into a stream."""
        self._frames[stream] += count

    def frame_taken(self, stream: str) -> None:
        """The adapter has consumed one."""
        self._frames[stream] = max(0, self._frames[stream] - 1)
        self._wake()

    def stream_moved(self, stream: str, connected: bool) -> None:
        """Frames of a stream that came or went are nobody's any more."""
        self._frames[stream] = 0
        self._wake()

    @asynccontextmanager
    async def executor_turn(self) -> AsyncIterator[None]:
        """Wait to be called; the market waits until the turn is over."""
        async with self._turn(self._executor):
            yield

    @asynccontextmanager
    async def sender_turn(self) -> AsyncIterator[None]:
        """Wait to be called; the market waits until the send has its outcome."""
        async with self._turn(self._sender):
            yield

    @asynccontextmanager
    async def _turn(self, desk: _Desk) -> AsyncIterator[None]:
        self._wake()
        await desk.wait()
        try:
            yield
        finally:
            self.ended(desk)

    def begin(self) -> None:
        """From now on the market may move."""
        self._due = (trio.current_time(), self.market_ns())
        self._wake()

    def pause(self) -> None:
        """The market stands still; turns go on."""
        self._due = None
        self._wake()

    async def conduct(
        self,
        advance: Callable[[], Awaitable[bool]],
        *,
        on_instant: Callable[[int], Awaitable[None]],
        wants_executor: Callable[[], bool],
        wants_sender: Callable[[], bool],
    ) -> None:
        """Give the turns, for ever. When `advance` says that there was no further instant, session_over is set."""
        while True:
            await self._settled()
            if wants_executor():
                await self._give(self._executor)
            elif wants_sender():
                await self._give(self._sender)
            elif self._due is None or self.session_over.is_set():
                await self._wait_change()
            elif await self._is_due(*self._due):
                is_over = not await advance()
                await self._settled()
                await on_instant(self.market_ns())
                if is_over:
                    self.session_over.set()

    async def _is_due(self, due_s: float, due_ns: int) -> bool:
        """The machine has caught up with the market; False if something else came up in the meantime."""
        now_ns = self.market_ns()
        if self._speed is None or not self._is_paced(now_ns):
            self._due = (trio.current_time(), now_ns)
            return True
        due_s += (now_ns - due_ns) / SECOND_NS / self._speed
        self._due = (due_s, now_ns)
        with trio.move_on_at(due_s):
            await self._wait_change()
            return False
        return True

    async def _give(self, desk: _Desk) -> None:
        """Call who waits at the desk. Nobody there yet: look again after a change, for a send that hangs must not
        keep the executor from its turns."""
        if desk.is_waiting:
            self._tokens.add(desk)
            desk.call()
        else:
            await self._wait_change()

    async def _settled(self) -> None:
        """Nothing is under way; or it took too long, and what is left is excused."""
        with trio.move_on_after(self._hold_max_s) as hold:
            while self._tokens or any(self._frames.values()):
                await self._wait_change()
        if hold.cancelled_caught:
            self.holds += 1
            self._tokens.clear()
            self._frames.clear()
        # Others may be runnable who have not had the chance to say that they want something.
        await trio.lowlevel.checkpoint()

    async def _wait_change(self) -> None:
        self._changed = trio.Event()
        await self._changed.wait()

    def _wake(self) -> None:
        self._changed.set()

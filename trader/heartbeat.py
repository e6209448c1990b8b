"""Signs of life of the tasks, by name: who has something in hand and has not been heard of for too long.

A task that waits for mail owes no sign; one that took something in hand does, until it lays it down. What no task can
see is a loop that stands still because a strategy computes for ever: nothing of this program runs then. Two things
outside of the loop see it: systemd, whose watchdog is no longer fed, and Python's own timer, which prints where every
thread stands.
"""

import faulthandler
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager, AbstractContextManager
from types import TracebackType

import trio

from trader.ports import Pace

SILENT_S_MAX = 15.0  # machine time
SENDER_SILENT_S_MAX = 30.0  # above every deadline of the broker's adapter
LOOP_STILL_S_MAX = 5.0
WATCH_PAUSE_S = 1.0


class Heart:
    """Who owes a sign of life, and until when."""

    def __init__(self, now_s: Callable[[], float] = trio.current_time) -> None:
        self._now_s = now_s
        self._beats: dict[str, tuple[float, float]] = {}  # name: last sign, and the silence allowed

    def beat(self, name: str, within_s: float = SILENT_S_MAX) -> None:
        """I live, and you will hear of me again within so many seconds."""
        self._beats[name] = (self._now_s(), within_s)

    def rest(self, name: str) -> None:
        """I have nothing in hand."""
        self._beats.pop(name, None)

    def stood_still(self, for_s: float) -> None:
        """Nobody could give a sign meanwhile: that is no silence of any one of them."""
        for name, (beat_s, within_s) in self._beats.items():
            self._beats[name] = (beat_s + for_s, within_s)

    def at_work(self, name: str, within_s: float = SILENT_S_MAX) -> AbstractContextManager[None]:
        """A sign at the beginning; none owed after the end."""
        return _AtWork(self, name, within_s)

    def silent(self) -> dict[str, float]:
        """Those who are overdue, with the seconds since their last sign."""
        now_s = self._now_s()
        return {
            name: now_s - beat_s
            for name, (beat_s, within_s) in self._beats.items()
            if now_s - beat_s > within_s
        }


class _AtWork(AbstractContextManager[None]):
    def __init__(self, heart: Heart, name: str, within_s: float) -> None:
        self._heart = heart
        self._name = name
        self._within_s = within_s

    def __enter__(self) -> None:
        self._heart.beat(self._name, self._within_s)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        failure: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._heart.rest(self._name)


class BeatingPace:
    """A pace whose turns are signs of life: the executor's until its commit is done, the sender's until the reply."""

    def __init__(self, pace: Pace, heart: Heart) -> None:
        self._pace = pace
        self._heart = heart
        self.market_ns = pace.market_ns
        self.began = pace.began
        self.ended = pace.ended

    def executor_turn(self) -> AbstractAsyncContextManager[None]:
        """See ports.Pace."""
        return _BeatingTurn(self._pace.executor_turn(), self._heart.at_work("executor"))

    def sender_turn(self) -> AbstractAsyncContextManager[None]:
        """See ports.Pace."""
        work = self._heart.at_work("sender", SENDER_SILENT_S_MAX)
        return _BeatingTurn(self._pace.sender_turn(), work)


class _BeatingTurn(AbstractAsyncContextManager[None]):
    """A turn, and within it a sign of life."""

    def __init__(
        self, turn: AbstractAsyncContextManager[None], work: AbstractContextManager[None]
    ) -> None:
        self._turn = turn
        self._work = work

    async def __aenter__(self) -> None:
        await self._turn.__aenter__()
        self._work.__enter__()

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        failure: BaseException | None,
        trace: TracebackType | None,
    ) -> bool | None:
        self._work.__exit__(kind, failure, trace)
        return await self._turn.__aexit__(kind, failure, trace)


Alarm = Callable[[str], Awaitable[None]]


async def watch(
    heart: Heart,
    alarm: Alarm,
    *,
    well: Callable[[], None] = lambda: None,
    pause_s: float = WATCH_PAUSE_S,
    prints_traces: bool = False,
) -> None:
    """Look for ever; tell of each silence once, and of its end; `well` is called while nobody is silent.

    `prints_traces` sets Python's timer on this loop, of which a process has only one.
    """
    told: set[str] = set()
    if prints_traces:
        faulthandler.enable()  # What systemd's watchdog sends is a signal that can be answered with a trace.
    try:
        while True:
            if prints_traces:
                faulthandler.dump_traceback_later(pause_s + LOOP_STILL_S_MAX)
            due_s = trio.current_time() + pause_s
            await trio.sleep(pause_s)
            if (late_s := trio.current_time() - due_s) > LOOP_STILL_S_MAX:
                heart.stood_still(late_s)
                why = "a handler that computes, or this process was stopped"
                await alarm(f"everything stood still for {late_s:.0f} s: {why}")
            silent = heart.silent()
            for name in sorted(silent.keys() - told):
                await alarm(f"{name}: no sign of life for {silent[name]:.0f} s")
            for name in sorted(told - silent.keys()):
                await alarm(f"{name}: lives again")
            told = set(silent)
            if not silent:
                well()
    finally:
        if prints_traces:
            faulthandler.cancel_dump_traceback_later()

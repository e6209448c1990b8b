"""Runs the command that `trader.toml` names for alarms: at once, without a shell, folded, bounded, never in the way.

The alarm is one line of JSON on the command's standard input. The first of its kind (the same alarm of the same
symbol) runs at once; those that come within FOLD_S after it are one call more, with their count. Calls that hang hold
no alarm up for longer than HELD_UP_S: then it has a call beside theirs. A command that fails or hangs is the business
of `failed`, which hears of it once, until a call has gone well again.
"""

import os
import shutil
import signal
import subprocess
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress

import msgspec
import trio
from msgspec import Struct
from msgspec.structs import replace

from trader.credentials import KEY_VARIABLE, SECRET_VARIABLE
from trader.exits import Mistake

FOLD_S = 60.0  # machine time, as all of these
SECONDS_MAX = 10.0  # of one call: then it is killed, with all that it has started
RUNNING_MAX = 4
HELD_UP_S = (
    4.0  # an alarm is told within five seconds: the last of them is for its program to start
)
WAITING_MAX = 64  # different alarms; beyond them one says that there are more
BESIDE_MAX = WAITING_MAX  # calls beside those that hang: each that waits has one
LAST_S = 5.0  # for what is still to be told when the program ends
OWN_ALARM = "alarm_command"  # the one that no command is run for


class Alarm(Struct, frozen=True, kw_only=True):
    """What the command is told; `symbol` None: it is about everything; `count`: how many alarms this stands for."""

    alarm: str
    symbol: str | None
    message: str
    remedy: str
    timestamp: str
    database: str
    count: int = 1


Run = Callable[[bytes], Awaitable[str]]
Kind = tuple[str, str | None]


class AlarmCommand:
    """`sound` never blocks and never raises; `run` gives one alarm to the command and says what went wrong, or ''."""

    def __init__(self, run: Run, failed: Callable[[str], None]) -> None:
        self._run = run
        self._failed = failed
        self._waiting: dict[Kind, Alarm] = {}
        self._since: dict[Kind, float] = {}  # when the first of what waits was sounded
        self._quiet_until: dict[Kind, float] = {}
        self._told_failure = ""
        self._slots = trio.Semaphore(RUNNING_MAX)
        self._beside = trio.Semaphore(BESIDE_MAX)
        self._news = trio.Event()
        self._is_ending = False
        self._scope = trio.CancelScope(shield=True)

    def sound(self, alarm: Alarm) -> None:
        """Have the command run for it."""
        if alarm.alarm == OWN_ALARM:
            return
        if (alarm.alarm, alarm.symbol) not in self._waiting and len(self._waiting) >= WAITING_MAX:
            message = "more alarms than are told one by one"
            alarm = replace(alarm, alarm="more_alarms", symbol=None, message=message)
        kind = (alarm.alarm, alarm.symbol)
        before = self._waiting.get(kind)
        self._waiting[kind] = replace(alarm, count=before.count + 1) if before else alarm
        self._since.setdefault(kind, trio.current_time())
        self._news.set()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """While inside, alarms are told; at the end, however it comes, those that wait are, within LAST_S."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._tell, name="alarm command")
            try:
                yield
            finally:
                self._is_ending = True
                self._scope.deadline = trio.current_time() + LAST_S
                self._news.set()

    async def _tell(self) -> None:
        with self._scope:
            async with trio.open_nursery() as calls:
                while not (self._is_ending and not self._waiting):
                    self._news = trio.Event()
                    for kind in self._due():
                        place = await self._place(self._since.pop(kind) + HELD_UP_S)
                        self._quiet_until[kind] = trio.current_time() + FOLD_S
                        calls.start_soon(self._call, self._waiting.pop(kind), place)
                    if not self._is_ending:
                        with trio.move_on_at(self._next_due()):
                            await self._news.wait()

    async def _place(self, until_s: float) -> trio.Semaphore:
        """One of the few, or from then on one beside them; whoever has it gives it back."""
        with suppress(trio.WouldBlock):
            self._slots.acquire_nowait()
            return self._slots
        with trio.move_on_at(until_s):
            await self._slots.acquire()
            return self._slots
        await self._beside.acquire()
        return self._beside

    def _due(self) -> list[Kind]:
        now = trio.current_time()
        self._quiet_until = {kind: at for kind, at in self._quiet_until.items() if at > now}
        return [one for one in self._waiting if self._is_ending or one not in self._quiet_until]

    def _next_due(self) -> float:
        return min((self._quiet_until.get(one, 0.0) for one in self._waiting), default=float("inf"))

    async def _call(self, alarm: Alarm, place: trio.Semaphore) -> None:
        why = ""
        try:
            why = await self._run(msgspec.json.encode(alarm) + b"\n")
        finally:
            place.release()
        if why and why != self._told_failure:
            self._failed(f"{why}, for {alarm.alarm} {alarm.symbol or ''}".rstrip())
        self._told_failure = why


async def run_command(command: Sequence[str], data: bytes, seconds_max: float = SECONDS_MAX) -> str:
    """Run it with the data on its standard input; '' when it ended well in time, else why it did not.

    It is the leader of a session of its own, so that a Ctrl-C of ours is not its business, and all of it can be killed.
    Its output goes nowhere, and the broker's keys are not in its environment.
    """
    environment = {
        name: value
        for name, value in os.environ.items()
        if name not in {KEY_VARIABLE, SECRET_VARIABLE}
    }
    try:
        with trio.move_on_after(seconds_max) as patience:
            ended = await trio.run_process(
                command,
                stdin=data,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                check=False,
                env=environment,
                start_new_session=True,
                deliver_cancel=_kill,
            )
    except OSError as error:
        return f"{command[0]}: {error.strerror}"
    if patience.cancelled_caught:
        return f"{command[0]}: killed, it took more than {seconds_max:.0f} s"
    return f"{command[0]}: exit code {ended.returncode}" if ended.returncode else ""


async def _kill(process: trio.Process) -> None:
    os.killpg(process.pid, signal.SIGKILL)


def check_program(command: Sequence[str], where: str) -> None:
    """Raises Mistake where there is no such program, or nobody may run it."""
    if shutil.which(command[0]) is None:
        raise Mistake(f"alarm.command: no program {command[0]!r}", where=where)

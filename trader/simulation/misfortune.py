"""What befalls our process and its machine, one after the other as the seed has planned it."""

from collections import Counter
from random import Random
from typing import Protocol

import trio

from trader.exits import StartRefused
from trader.live.opening import opened
from trader.messages import Command, Gate, GateReport, OrderRequest
from trader.model import SECOND_NS
from trader.simulation.disk import Disk
from trader.simulation.draw import Fault, Misfortune, Setting
from trader.simulation.life import Process
from trader.simulation.players import Trouble, wild

EPISODE_S_MAX = 120.0
STOPPED_S_MAX = 60.0
CANCELS_PART = 0.7  # of what an operator does


class Stage(Protocol):
    """The world, as far as misfortune reaches."""

    setting: Setting
    disk: Disk
    trouble: Trouble
    process: Process | None
    is_healed: bool
    faults: Counter[str]

    def note(self, text: str) -> None: ...

    def complain(self, text: str) -> None: ...

    async def one_life(self, world: trio.Nursery, *, take_over: bool = False) -> str: ...


class Misfortunes:
    """Carries out the plan."""

    def __init__(self, stage: Stage, world: trio.Nursery) -> None:
        self._stage = stage
        self._world = world

    async def befall(self) -> None:
        """One thing after the other; what finds nobody alive passes by."""
        for one in self._stage.setting.plan:
            await trio.sleep_until(one.at_s)
            process = self._stage.process
            if process is None or process.is_dead or process.journal is None:
                continue
            self._stage.faults[one.fault] += 1
            self._stage.note(f"{one.fault} {one.word}".rstrip())
            self._strike(process, one)

    def _strike(self, process: Process, one: Misfortune) -> None:
        assert process.journal is not None, "it lives"
        match one.fault:
            case Fault.CRASH:
                process.dies_at(one.word)
            case Fault.TORN_TAIL:
                process.journal.tears_next = True
            case Fault.COMMIT_FAILS:
                process.journal.fails_next = True
            case Fault.WORKER_FAILS:
                self._stage.trouble.breakdowns += 1
            case Fault.CLOCK_JUMP:
                # The wall's clock is read at a start only.
                process.dies_at("")
            case Fault.SECOND_PROCESS:
                self._refused(process)
            case _:
                self._world.start_soon(self._episode, process, one, name=f"episode {one.fault}")

    def _refused(self, process: Process) -> None:
        """F1: a second process on the same database."""
        try:
            books = opened(self._stage.disk.database, create=False, simulated=(99, "later"))
        except StartRefused as refused:
            self._stage.note(f"a second process is refused: {refused}")
        else:
            books.journal.close()
            if not process.ended.is_set():
                self._stage.complain("F1: two processes hold one journal")

    async def _episode(self, process: Process, one: Misfortune) -> None:
        seconds = one.amount * EPISODE_S_MAX
        match one.fault:
            case Fault.DISK_FULL:
                await self._full_disk(process, seconds)
            case Fault.STALE_CODE:
                await self._stale(process, seconds)
            case Fault.OPERATOR if one.amount < CANCELS_PART:
                await self._command(process, "cancel", "entries")
            case Fault.OPERATOR:
                await self._halted(process, seconds)
            case Fault.TAKE_OVER:
                await self._taken_over(process, one.amount * STOPPED_S_MAX)
            case Fault.SLOW_WORKER:
                process.stop()
                await trio.sleep(seconds / 10)
                process.wake()
            case Fault.WILD_REQUESTS:
                await self._wild(process, one)
            case _:
                raise AssertionError(f"not planned: {one.fault}")

    async def _full_disk(self, process: Process, seconds: float) -> None:
        assert process.journal is not None, "it lives"
        process.journal.fill_up()
        await trio.sleep(seconds)
        if not process.is_dead and not process.ended.is_set():
            process.journal.make_room()

    async def _stale(self, process: Process, seconds: float) -> None:
        """As freshness.watch tells it."""
        for is_open, reason in ((False, "trader/risk.py has changed on disk"), (True, "")):
            await self._tell(
                process, GateReport(gate=Gate.FRESH_CODE, is_open=is_open, reason=reason)
            )
            await trio.sleep(seconds)

    async def _halted(self, process: Process, seconds: float) -> None:
        for verb in ("halt", "resume"):
            await self._command(process, verb)
            await trio.sleep(seconds)

    async def _command(self, process: Process, verb: str, subject: str = "") -> None:
        name = f"{verb} at {trio.current_time():.3f}"
        said = Command(command_id=name, verb=verb, subject=subject, who="operator", reason="to see")
        await self._tell(process, said)

    async def _wild(self, process: Process, one: Misfortune) -> None:
        if process.requests:
            random = Random(one.amount)
            told = random.choice(process.requests)
            await self._tell(process, wild(random, told, int(one.amount * SECOND_NS)))

    async def _tell(self, process: Process, heard: Command | GateReport | OrderRequest) -> None:
        if process.parts is not None and not process.is_dead:
            with trio.move_on_after(1.0):
                await process.parts.inbox.tell(heard)

    async def _taken_over(self, process: Process, wakes_s: float) -> None:
        """The process hangs; another one takes its place; then the first wakes. (F3)"""
        process.stop()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._wakes, process, wakes_s, name="wakes")
            await self._stage.one_life(self._world, take_over=True)

    async def _wakes(self, process: Process, wakes_s: float) -> None:
        await trio.sleep(wakes_s)
        process.wake()

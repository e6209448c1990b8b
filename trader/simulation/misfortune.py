"""What befalls our process and its machine, one after the other as the seed has planned it."""

from collections import Counter
from random import Random
from typing import Protocol

import trio

from trader.exits import StartRefused
from trader.freshness import CHECK_PAUSE_S
from trader.live.opening import opened
from trader.messages import Command, Gate, GateReport, OrderRequest
from trader.model import ENTRY_PURPOSES, SECOND_NS
from trader.simulation.broker_side import Hands
from trader.simulation.disk import Disk
from trader.simulation.draw import LAST_WORD, Misfortune, Setting
from trader.simulation.fault import Fault
from trader.simulation.life import EDITED, Process
from trader.simulation.operator import settle
from trader.simulation.players import Trouble, wanting_in, wild
from trader.state import ALL_SYMBOLS

EPISODE_S_MAX = 120.0
STOPPED_S_MAX = 60.0
CANCELS_PART, FLATTENS_PART = 0.5, 0.2  # of what an operator does
STALL_S_MAX = 15.0  # beyond what a request may be old
# How wrong a wall's clock may be, either way: as when it drifts, when it is set by hand, when it loses a day.
CLOCK_WRONG_S = (2.0, 20.0, 45.0, 1_200.0, 86_400.0)
CLOCK_WRONG_FOR_S_MAX = 900.0  # then a person sees it
SLEEP_S_MAX = 300.0
BACKUP_AGE_S_MAX = 1_500.0
AT_ARRIVAL_PART = 0.7  # of backups: made again as the next order arrives
# After a restored backup, before a person looks: by then whatever was under way has arrived or never will.
LOOKS_AFTER_S = 90.0
LOOKS = 6


class Stage(Protocol):
    """The world, as far as misfortune reaches."""

    setting: Setting
    disk: Disk
    trouble: Trouble
    process: Process | None
    is_healed: bool
    clock_ahead_ns: int
    wants_backup: bool
    hands: Hands
    faults: Counter[str]

    def note(self, text: str) -> None: ...

    def complain(self, text: str) -> None: ...

    def restored(self) -> None: ...

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
            if process is None or process.is_dead or process.ended.is_set():
                continue
            if process.journal is None:
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
            case Fault.SLOW_STRATEGY:
                self._stage.trouble.stalls_s.append(one.amount * STALL_S_MAX)
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
                await self._stale(process, seconds, at_entry=one.word.startswith("POST"))
            case Fault.OPERATOR if one.word == LAST_WORD[one.fault]:
                await self._flattened(process, Random(one.amount))
            case Fault.OPERATOR if one.amount < CANCELS_PART:
                await self._command(process, "cancel", "entries")
            case Fault.OPERATOR if one.amount < CANCELS_PART + FLATTENS_PART:
                await self._flattened(process, Random(one.amount))
            case Fault.OPERATOR:
                await self._halted(process, seconds, Random(one.amount))
            case Fault.TAKE_OVER:
                await self._taken_over(process, one.amount * STOPPED_S_MAX)
            case Fault.CLOCK_JUMP:
                await self._clock_jumps(process, one)
            case Fault.MACHINE_SLEEPS:
                await self._sleeps(process, one)
            case Fault.RESTORED_BACKUP:
                await self._restored(one)
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

    async def _stale(self, process: Process, seconds: float, *, at_entry: bool) -> None:
        """As freshness.watch tells it, which looks now and then; before an entry leaves, it is looked at by itself."""
        if at_entry:
            process.edited_at_entry = edited = trio.Event()
            await edited.wait()
        for stale in (EDITED, ""):
            process.stale = stale
            await trio.sleep(seconds % CHECK_PAUSE_S)
            await self._tell(
                process, GateReport(gate=Gate.FRESH_CODE, is_open=not stale, reason=stale)
            )
            await trio.sleep(seconds)

    async def _halted(self, process: Process, seconds: float, random: Random) -> None:
        how_far = random.choice(("", "cancel", "flatten"))
        for verb, subject in (("halt", how_far), ("resume", "")):
            await self._command(process, verb, subject)
            await trio.sleep(seconds)

    async def _flattened(self, process: Process, random: Random) -> None:
        """Told twice, as by somebody who got no answer."""
        symbols = sorted(process.state.symbols) if process.state is not None else []
        subject = random.choice([ALL_SYMBOLS, *symbols])
        name = f"flatten at {trio.current_time():.3f}"
        for _ in range(2):
            await self._command(process, "flatten", subject, name)
            await trio.sleep(random.random())

    async def _command(
        self, process: Process, verb: str, subject: str = "", name: str = ""
    ) -> None:
        said = Command(
            command_id=name or f"{verb} at {trio.current_time():.3f}",
            verb=verb,
            subject=subject,
            who="operator",
            reason="to see",
            wants_answer=True,
        )
        await self._tell(process, said)

    async def _wild(self, process: Process, one: Misfortune) -> None:
        random, state = Random(one.amount), process.state
        if one.word == LAST_WORD[one.fault] and state is not None:
            entries = [told for told in process.requests if told.purpose in ENTRY_PURPOSES]
            for told in {one.symbol: one for one in entries}.values():
                await self._tell(process, wanting_in(random, told, state.at_ns))
        elif process.requests:
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

    async def _clock_jumps(self, process: Process, one: Misfortune) -> None:
        """The wall's clock goes wrong; it is read at a start only, so the program is started anew by it. (E10)"""
        random = Random(one.amount)
        wrong_s = random.choice(CLOCK_WRONG_S) * random.choice((1, -1))
        self._stage.note(f"the clock jumps by {wrong_s} s")
        self._stage.clock_ahead_ns = int(wrong_s * SECOND_NS)
        process.die()
        await trio.sleep(one.amount * CLOCK_WRONG_FOR_S_MAX)
        self._set_right()

    async def _sleeps(self, process: Process, one: Misfortune) -> None:
        """The machine is suspended: its monotonic clock stands still, the market's doesn't."""
        seconds = one.amount * SLEEP_S_MAX
        process.stop()
        await trio.sleep(seconds)
        process.clock_ahead_ns -= int(seconds * SECOND_NS)
        process.wake()
        await trio.sleep(one.amount * CLOCK_WRONG_FOR_S_MAX)
        self._set_right()

    def _set_right(self) -> None:
        """A person has seen the alarm of the clock, sets it, and starts the program again."""
        self._stage.clock_ahead_ns = 0
        process = self._stage.process
        if process is not None and process.clock_ahead_ns:
            process.stopped.set()

    async def _restored(self, one: Misfortune) -> None:
        """The machine is lost, and the journal comes back from a backup that is some minutes old. (A3)

        Whoever puts it back ends what is open at the broker, and takes the broker's side where the books differ.
        """
        self._stage.disk.back_up()
        self._stage.wants_backup = one.amount < AT_ARRIVAL_PART
        await trio.sleep(one.amount * BACKUP_AGE_S_MAX)
        if self._stage.is_healed:
            return
        process = self._stage.process
        if process is not None and not process.ended.is_set():
            process.die()
        self._stage.disk.restore()
        self._stage.restored()
        for _ in range(LOOKS):
            await trio.sleep(LOOKS_AFTER_S)
            self._stage.hands.cancel_all()
            process = self._stage.process
            if process is not None and not process.is_dead and not process.ended.is_set():
                await settle(process)

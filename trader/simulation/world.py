"""One seed from its beginning to its verdict: a market, a broker, the lives of the program, faults, and peace at last.

First everything goes wrong that the seed has drawn; then nothing does any more, a person settles what only a person
may, and within a virtual deadline all must be well: every order final or honestly working, books and broker agreed.
"""

import shutil
import tempfile
import time
import traceback
from collections import Counter
from functools import partial
from pathlib import Path
from random import Random

import trio

from trader.config import Config
from trader.exits import Fenced, StartRefused
from trader.failure import leaves_of
from trader.feeds.synthetic import DEFAULT_SYMBOLS, FIRST_SESSION
from trader.journal.sqlite import reading_connection
from trader.live.opening import Books, opened
from trader.live.summary import proven
from trader.messages import DenyReason
from trader.model import MINUTE_NS, SECOND_NS, Bar, Quote
from trader.ports import Batch, BrokerRefused, BrokerUnavailable
from trader.simulation import guards
from trader.simulation.bad_data import Liar, drawn_data
from trader.simulation.broker_side import Hands, broker_of, run_market
from trader.simulation.checks import Auditor, Gatekeeper, unsettled
from trader.simulation.determinism import StepBudget, VirtualTime, run_seeded
from trader.simulation.disk import Disk, memory
from trader.simulation.draw import ARRIVES, Setting, befalling, fault_of
from trader.simulation.fault import Fault
from trader.simulation.life import Process
from trader.simulation.link import Link
from trader.simulation.market_checks import MarketWatch
from trader.simulation.misfortune import Misfortunes
from trader.simulation.operator import settle
from trader.simulation.players import Trouble, cast
from trader.simulation.reach import Reach
from trader.simulation.reached import counted_rows
from trader.simulation.resting import Resting
from trader.simulation.verdict import Verdict
from trader.simulation.weather import SeededWeather
from trader.simulation.words import words
from trader.simulator.application import build_application

STEPS_PER_HOUR_MAX = 2_000_000
SETTLES_S_MAX = 1_200.0  # virtual: a proof of absence alone takes a minute and more
LOOK_EVERY_S = 5.0
PAUSE_S = (0.05, 30.0)  # between two lives
VIOLATIONS_MAX = 20
UNHEARD_RATE = 0.6  # of hands that cancel what is missing from a backup


def simulated(setting: Setting, *, traced: bool = False, folder: Path | None = None) -> Verdict:
    """Run a seed in this process, its disk in a folder of its own in `folder`."""
    began_s = time.process_time()
    root = Path(tempfile.mkdtemp(prefix="trader-simulation-", dir=folder or memory()))
    budget = StepBudget(int(STEPS_PER_HOUR_MAX * (setting.hours + SETTLES_S_MAX / 3600)))
    world = World(setting, root, budget, traced=traced)
    try:
        with counted_rows(world.reached):
            run_seeded(world.run, setting.seed, budget, world.time)
        return world.verdict(time.process_time() - began_s)
    finally:
        shutil.rmtree(root)


class World:
    """Everything there is; `run` is its time."""

    def __init__(self, setting: Setting, root: Path, budget: StepBudget, *, traced: bool) -> None:
        self.setting = setting
        self.reached: Counter[str] = Counter()
        self.faults: Counter[str] = Counter()
        self._budget = budget
        self._traced = traced
        self._trace: list[str] = []
        self._violations: list[str] = []
        self._random = Random(f"{setting.seed}/world")
        self._config = Config(symbols=DEFAULT_SYMBOLS, limits=setting.limits)
        self.disk = Disk(root, Random(f"{setting.seed}/disk"))
        self._broker, self._credentials = broker_of(setting, self._config.fees)
        self._application = build_application(self._broker)
        self.hands = Hands(self._broker, Random(f"{setting.seed}/hands"))
        self._door = Gatekeeper(setting, self._broker, self.complain)
        self.trouble = Trouble()
        self.time = VirtualTime()
        self._auditor = Auditor(self.complain)
        self._liar = Liar(self._broker, self.faults, self.note)
        self._market = MarketWatch((), self.complain, self._liar, self._true_bar)
        self._reach = Reach(self._broker, self._liar, self.faults)
        resting = Resting(self._broker, self._door.shaken, self._reach, self.complain)
        self._guards = guards.Watch(resting, self.complain)
        self.process: Process | None = None
        self.is_healed = False
        self.clock_ahead_ns = 0  # the wall's, of the broker's: what a start reads
        self._ends_unheard = False  # whose end the books will not know, once they are restored
        self.wants_backup = False  # when the next order arrives, whose end will not be in it
        self._is_over = self._adopts = False
        self._acknowledged: Batch | None = None
        self._is_restored = False  # and no life has read it yet
        self._hash, self._rows = "", 0
        self._scope = trio.CancelScope()

    # ------------------------------------------------------------------------------------------- telling

    def note(self, text: str) -> None:
        """A line of the trace."""
        if self._traced:
            self._trace.append(f"{trio.current_time():10.3f} {text}")

    def complain(self, text: str) -> None:
        """The law is broken."""
        self.note(f"VIOLATION {text}")
        if len(self._violations) < VIOLATIONS_MAX:
            self._violations.append(f"{trio.current_time():.3f} s: {text}")

    def rate(self, fault: Fault) -> float:
        """Of this moment: nothing goes wrong once the world is healed."""
        return 0.0 if self.is_healed else self.setting.rate(fault)

    def verdict(self, cpu_s: float) -> Verdict:
        """What there is to say."""
        struck = self._broker.faults.strikes
        for fault, strikes in zip(self.setting.rules_of(), struck, strict=True):
            self.faults[fault] += strikes
        for happened in self._broker.happened:
            self.faults[fault_of(happened.event)] += not happened.undone
        for reason, count in self._auditor.outcomes.items():
            self.reached[f"outcome {reason}"] += count
        self.reached["alarm position_unprotected"] += self._auditor.unprotected.total()
        venue = self._broker.venue.state
        return Verdict(
            seed=self.setting.seed,
            hours=self.setting.hours,
            violations=tuple(self._violations),
            journal_sha256=self._hash,
            rows=self._rows,
            orders=len(venue.orders),
            fills=len(venue.executions),
            lives=self._reach.lives,
            torn_tails=self.disk.torn_tails,
            steps=self._budget.steps,
            cpu_s=round(cpu_s, 3),
            faults={name: count for name, count in sorted(self.faults.items()) if count},
            reached=dict(sorted(self.reached.items())),
            trace=tuple(self._trace),
        )

    # --------------------------------------------------------------------------------------------- time

    async def run(self) -> None:
        """Until everything has settled, or can't."""
        self._budget.scope = self._scope
        session = self._broker.begin_session(FIRST_SESSION)
        began_ns = session.open_ns + self.setting.begins_minute * MINUTE_NS
        await self._pass_by(began_ns)
        heals_ns = began_ns + int(self.setting.heals_s * SECOND_NS)
        for rule in self.setting.rules(heals_ns):
            self._broker.faults.add(rule)
        events = befalling(self.setting, began_ns, DEFAULT_SYMBOLS)
        self._liar.expect(drawn_data(self.setting, began_ns, DEFAULT_SYMBOLS))
        self._market = MarketWatch(events, self.complain, self._liar, self._true_bar)
        for event in events:
            self._broker.schedule(event)
        with self._scope:
            async with trio.open_nursery() as world:
                world.start_soon(run_market, self._broker, name="market")
                world.start_soon(self._live, world, name="lives")
                world.start_soon(self._guards.run, name="guards")
                misfortunes = Misfortunes(self, world)
                world.start_soon(misfortunes.befall, name="misfortunes")
                await self._heal()
                world.cancel_scope.cancel()
        if self._budget.is_spent:
            self._violations.append(f"G6: more than {self._budget.steps} steps")
        self._broker.close()

    def _true_bar(self, bar: Bar) -> Bar | None:
        """What the market has of that minute."""
        found = self._broker.market.history(bar.symbol, bar.start_ns + bar.span_ns, 1)
        return found[-1] if found else None

    async def _pass_by(self, until_ns: int) -> None:
        """What of the session lies before our beginning."""
        while self._broker.now_ns < until_ns and await self._broker.advance() is not None:
            pass

    async def _live(self, world: trio.Nursery) -> None:
        """One life after the other, while no process is there."""
        while not self._is_over:
            await self.one_life(world)
            while self.process is not None and not self.process.ended.is_set():
                await self.process.ended.wait()  # Another one has taken over meanwhile.
            await trio.sleep(LOOK_EVERY_S if self.is_healed else self._random.uniform(*PAUSE_S))

    async def one_life(self, world: trio.Nursery, *, take_over: bool = False) -> str:
        """A process from its start to its end, and how it ended; from now on it is the one."""
        self._reach.lives += 1
        self.process = process = self._new_process()
        self.note(f"process {process.number} starts")
        how = await self._lived(process, world, take_over=take_over)
        self.note(f"process {process.number} ends: {how}")
        self.reached[f"life {how.split(':')[0]}"] += 1
        if process.refused_requests:
            # No row can say so: it is what the disk refuses.
            self.reached[f"outcome {DenyReason.JOURNAL_UNAVAILABLE}"] += process.refused_requests
        process.ended.set()
        return how

    def _new_process(self) -> Process:
        process = Process(
            self._reach.lives,
            disk=self.disk,
            config=self._config,
            credentials=self._credentials,
            workers=cast(DEFAULT_SYMBOLS, self.setting, self.trouble),
            commit_s=self.setting.commit_s,
            clock_ahead_ns=self.clock_ahead_ns,
            random=Random(f"{self.setting.seed}/process {self._reach.lives}"),
            opened=self._opened,
            watch=self._committed,
            note=self.note,
            overheard=partial(self._overheard, self._reach.lives),
        )
        self._market.life_began()
        process.adopts, self._adopts = self._adopts, False
        return process

    def _overheard(self, number: int, tick: Bar | Quote) -> None:
        """By the newest process; of one whose clock is wrong nobody can say which tick is of the future."""
        process = self.process
        if process is not None and process.number == number and not process.clock_ahead_ns:
            self._market.overheard(tick)

    async def _lived(self, process: Process, world: trio.Nursery, *, take_over: bool) -> str:
        """How a life ended. What is no way to end is a violation."""
        link = Link(
            self._application,
            self._broker.connections,
            world,
            port=process,
            weather=SeededWeather(self, Random(f"{self.setting.seed}/weather {process.number}")),
            asked=partial(self._asked, process),
            answered=self._answered,
            calendar=self.time,
        )
        try:
            return f"ended: {await process.live(link, take_over=take_over)}"
        except BaseException as error:
            if isinstance(error, trio.Cancelled):
                raise
            return self._death(process, error)

    def _death(self, process: Process, error: BaseException) -> str:
        if process.is_dead:
            return "killed"
        kinds = list(leaves_of(error))
        if any(isinstance(one, Fenced) for one in kinds):
            return "fenced"
        for one in kinds:
            if isinstance(one, StartRefused):
                self._adopts = "adopt" in one.remedy
            if isinstance(one, StartRefused | BrokerRefused | BrokerUnavailable):
                return f"refused: {one}"
            if isinstance(one, trio.Cancelled | KeyboardInterrupt):
                raise error
        trace = "".join(traceback.format_exception(error))
        self.complain(f"G2: process {process.number} failed: {kinds[0]!r}")
        self.note(trace)
        self._violations.append(trace)
        self._scope.cancel()
        return "failed"

    # ------------------------------------------------------------------------------------------- judging

    def _opened(self, process: Process, books: Books) -> None:
        """E3, E6: what was acknowledged is there, and folds to what it was."""
        self._auditor = Auditor(self.complain)
        self._auditor.replay(books.journal.entries())
        if self._is_restored:
            self._is_restored = False
            self._door.reread(books.journal.entries())
        known = self._acknowledged
        if known is None:
            return
        if books.state.sequence < known.after.sequence:
            self.complain(f"E6: {known.after.sequence} was acknowledged, {books.state.sequence} is")
        elif books.state.sequence == known.after.sequence and books.state != known.after:
            self.complain("E3: the fold is not the state that was acknowledged")

    def _committed(self, process: Process, batch: Batch) -> None:
        if process is self.process:
            self._auditor.committed(batch)
            self._guards.committed(process, self._auditor, batch.after)
            self._acknowledged = batch
        elif process.is_dead:
            self.complain("E7: a dead process commits")
        self._door.intended(batch)
        self._market.committed(batch)
        if self._traced:
            for entry in batch.entries:
                events = ", ".join(words(event) for event in entry.events)
                self.note(f"#{entry.sequence} {words(entry.input)} -> {events}")

    # ----------------------------------------------------------------------------------- what happens at the broker

    def _asked(self, process: Process, method: str, path: str, body: bytes) -> None:
        """A request arrives."""
        self._door.asked(method, path, body)
        if method == "POST":
            if self.wants_backup:
                self.wants_backup = False
                self._ends_unheard = True
                self.hands.do_soon(self.disk.back_up)
            process.arrives(ARRIVES)

    def _answered(self, method: str, path: str, status: int) -> None:
        """It has been done."""
        if method != "POST":
            return
        rate = self.rate(Fault.HAND_CANCEL)
        if self._ends_unheard and rate:
            self._ends_unheard, rate = False, UNHEARD_RATE
        if self.hands.cancel_newest(rate):
            self.faults[Fault.HAND_CANCEL] += 1

    def restored(self) -> None:
        """An older journal has taken the place of what was acknowledged since."""
        self.note("the journal is restored from a backup")
        self._acknowledged = None
        self._is_restored = True
        self._door.restored()

    # ------------------------------------------------------------------------------------------ peace

    async def _heal(self) -> None:
        """Wait until faults are over, then for everything to settle; a person helps where only a person may."""
        await trio.sleep(self.setting.heals_s)
        self.is_healed = True
        self.clock_ahead_ns = 0
        self.note("nothing goes wrong any more")
        found = ["nobody lives"]
        with trio.move_on_after(SETTLES_S_MAX):
            while found:
                await trio.sleep(LOOK_EVERY_S)
                found = await self._look()
        for one in found:
            self.complain(f"not settled: {one}")
        await self._end()

    async def _look(self) -> list[str]:
        process = self.process
        state = process.state if process is not None and not process.is_dead else None
        if process is None or state is None or process.parts is None:
            return ["nobody lives"]
        process.wake()
        if process.clock_ahead_ns:
            process.stopped.set()
            return ["the clock is wrong"]
        if state.epoch != process.parts.boot.epoch:
            return ["the last life has not begun"]
        if await settle(process):
            return ["a person acts"]
        venue, account = self._broker.venue, self._broker.account
        return unsettled(state, venue, account) + guards.uncovered(state, venue, account)

    async def _end(self) -> None:
        """A clean stop, and the proof over the journal's bytes."""
        self._is_over = True
        process = self.process
        if process is None or process.is_dead or process.parts is None:
            return
        process.stopped.set()
        with trio.move_on_after(60.0):
            await process.ended.wait()
        if not process.ended.is_set():
            self.complain("G4: it does not stop")
            return
        self._prove()

    def _prove(self) -> None:
        books = opened(self.disk.database, create=False, simulated=(0, "the end"))
        try:
            reader = reading_connection(self.disk.database)
            try:
                proof = proven(reader, books.journal.entries(), books.state, None, "")
            finally:
                reader.close()
            self._hash, self._rows = books.journal.head_hash, books.journal.head
        finally:
            books.journal.close()
        if not proof.holds:
            self.complain(f"E3: {proof}")

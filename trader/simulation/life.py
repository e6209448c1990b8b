"""One process of the trader in the simulation: the real parts over simulated lines and a simulated disk.

A process touches the world at ports only. There it can be killed (its disk is left as a power cut leaves it, and
nothing of it passes any port again) or stopped, as by SIGSTOP, until it is woken.
"""

from collections.abc import Callable, Iterable
from random import Random

import trio
from msgspec.structs import replace

from trader.brokers.alpaca import AlpacaBroker, AlpacaFeed, Links
from trader.build import Build
from trader.calendar import phase
from trader.clock import FreePace, RunningClock
from trader.config import Config
from trader.credentials import Credentials
from trader.executor import decided
from trader.live.alpaca import check_holdings
from trader.live.assembly import Listeners, assembled, boot_of
from trader.live.opening import Books, opened
from trader.live.run import run_clocked
from trader.live.take_over import TakeOver, taken_over
from trader.live.watch import entry_age
from trader.messages import Adoption, Boot, Input, LifeEnd, OrderRequest, Statement
from trader.model import ENTRY_PURPOSES, Bar, Order, Phase, Quote, StrategyName
from trader.outbox import SENDERS
from trader.ports import Batch
from trader.reconciler import STATEMENT_SPAN_NS
from trader.simulation.disk import Disk, SimulatedJournal
from trader.simulation.link import Link
from trader.state import ExecutionState
from trader.supervisor import Parts, WorkerPlan
from trader.tape import Listener

ADDRESS = "http://127.0.0.1:80"
BUILD = Build(version="simulated", identity="0" * 64, python="", lock="")
REQUESTS_KEPT = 50
EDITED = "trader/risk.py differs from the running code"


class MachineDead(BaseException):
    """Nothing of this process reaches the world any more. Not an Exception: no supervisor may survive it."""


class _Overhearing:
    """Between the tape and who listens to it: hears every tick that passed the guard, first."""

    def __init__(self, listener: Listener, overheard: Callable[[Bar | Quote], None]) -> None:
        self._overheard = overheard
        self._listener = listener
        self.changed, self.split = listener.changed, listener.split

    def ticked(self, tick: Bar | Quote) -> None:
        self._overheard(tick)
        self._listener.ticked(tick)


class Process:
    """From its start to its end, however that comes. `number` is its process id."""

    def __init__(
        self,
        number: int,
        *,
        disk: Disk,
        config: Config,
        credentials: Credentials,
        workers: list[WorkerPlan],
        commit_s: tuple[float, float],
        random: Random,
        clock_ahead_ns: int,
        opened: Callable[["Process", Books], None],
        watch: Callable[["Process", Batch], None],
        note: Callable[[str], None],
        overheard: Callable[[Bar | Quote], None] = lambda tick: None,
    ) -> None:
        self.number = number
        self.is_dead = False
        self.stopped = trio.Event()  # SIGTERM
        self.parts: Parts | None = None
        self.journal: SimulatedJournal | None = None
        self.broker: AlpacaBroker | None = None
        self.adopts = False  # a person has said that what the account holds may be traded
        self.requests: list[OrderRequest] = []
        self.refused_requests = 0  # times that the journal did not take them
        self.stale = ""  # which of its sources are not what is on disk any more
        self.edited_at_entry: trio.Event | None = None  # when the next entry is about to leave
        self.ended = trio.Event()
        # Of the broker's: it was read from a wrong wall's clock, or stood still while the machine slept.
        self.clock_ahead_ns = clock_ahead_ns
        self._disk = disk
        self._config = config
        self._credentials = credentials
        self._workers = workers
        self._commit_s = commit_s
        self._random = random
        self._opened = opened
        self._watch = watch
        self._note = note
        self._overheard = overheard
        self._scope = trio.CancelScope()
        self._awake: trio.Event | None = None
        self._clock: Callable[[], int] | None = None
        self._dies_at: str | None = None  # the port, by the beginning of its name

    # ----------------------------------------------------------------------------------------------- ports

    async def pass_through(self, step: str) -> None:
        """See link.Port. The simulation kills here, and lets nobody pass who is stopped."""
        if (self._dies_at is not None and step.startswith(self._dies_at)) or step == "torn":
            self._dies_at = None
            self._note(f"process {self.number} is killed: {step}")
            self.die()
        while self._awake is not None and not self.is_dead:
            await self._awake.wait()
        if self.is_dead:
            raise MachineDead

    def dies_at(self, step: str) -> None:
        """Kill it at the next port whose name begins like this."""
        self._dies_at = step

    def arrives(self, step: str) -> None:
        """Something of it has come to the broker: no port, for it may be dead by now, but a moment to kill it."""
        if self._dies_at == step:
            self._dies_at = None
            self._note(f"process {self.number} is killed: {step}")
            self.die()

    def die(self) -> None:
        """Power off. The files are as they are at this instant; of a process whose place is taken, only it dies."""
        if not self.is_dead:
            self.is_dead = True
            if self._disk.held_by in (0, self.number):
                self._disk.lose_power(self.journal.wal_durable if self.journal else 0)
            self._scope.cancel()
            self.wake()

    def stop(self) -> None:
        """SIGSTOP. Who is stopped already is not stopped anew: nobody would wake what waits since then."""
        if self._awake is None:
            self._awake = trio.Event()

    def wake(self) -> None:
        """SIGCONT."""
        if self._awake is not None:
            self._awake.set()
            self._awake = None

    @property
    def is_stopped(self) -> bool:
        """As by SIGSTOP."""
        return self._awake is not None

    @property
    def state(self) -> ExecutionState | None:
        """As of its last commit."""
        return self.parts.executor.state if self.parts is not None else None

    # ---------------------------------------------------------------------------------------------- living

    async def live(self, link: Link, *, take_over: bool = False) -> int:
        """Start, trade, end; its exit code. Raises MachineDead, StartRefused, Fenced, or what a bug raises."""
        with self._scope:
            return await self._live(link, take_over)
        raise MachineDead

    async def _live(self, link: Link, take_over: bool) -> int:
        database = self._disk.database
        books = opened(
            database,
            create=not database.exists(),
            take_over=take_over,
            simulated=(self.number, f"second {trio.current_time():09.0f}"),
        )
        self._disk.held_by = self.number
        try:
            self._opened(self, books)
            wanted = TakeOver(who="operator", reason="it hangs") if take_over else None
            books = await taken_over(books, wanted, BUILD, self._note, pid=self.number)
            return await self._trade(books, link)
        finally:
            books.journal.close()
            if self._disk.held_by == self.number:
                self._disk.held_by = 0

    async def _trade(self, books: Books, link: Link) -> int:
        links = Links(http=link.transport(), open_socket=link.open_socket)
        stream = ADDRESS.replace("http", "ws")
        async with (
            AlpacaBroker(
                base_url=ADDRESS,
                stream_url=stream,
                credentials=self._credentials,
                name="simulated",
                market_ns=self._market_ns,
                links=links,
                last_check=lambda order: self._last_check(books, order),
                conservation=books.conservation,
            ) as broker,
            AlpacaFeed(
                rest_url=ADDRESS,
                stream_url=stream,
                credentials=self._credentials,
                symbols=self._config.symbols,
                market_ns=self._market_ns,
                is_expected=lambda at_ns: phase(at_ns) is Phase.REGULAR,
                links=links,
            ) as feed,
        ):
            self.broker = broker
            account = await broker.identify()
            self._clock = RunningClock(await broker.clock_ns())
            since_ns = (books.state.told_ns or self._market_ns()) - STATEMENT_SPAN_NS
            told = await broker.statement(max(0, since_ns))
            identity = books.identity("simulated", account, BUILD, pid=self.number)
            if self.adopts:
                books = self._adopted(
                    books, told, boot_of(self._config, identity, self._market_ns())
                )
                identity = books.identity("simulated", account, BUILD, pid=self.number)
            check_holdings(books, told)
            self.journal = SimulatedJournal(
                books.journal, self, self._random, self._commit_s, self._committed
            )
            pace = FreePace(self._market_ns)
            self.parts = parts = assembled(
                self._config,
                identity,
                books.state,
                journal=self.journal,
                broker=broker,
                feed=feed,
                pace=pace,
                workers=self._workers,
                last_check=lambda order: self._last_check(books, order),
                conservation=books.conservation,
                senders=SENDERS,
                listeners=Listeners(unjournaled=self._unjournaled),
            )
            parts.tape.listener = _Overhearing(parts.protector, self._overheard)
            ending = await run_clocked(parts, pace, ready=lambda state: None, stopped=self.stopped)
        return int(ending.code)

    def _market_ns(self) -> int:
        """0 before the broker has told its time."""
        return self._clock() + self.clock_ahead_ns if self._clock is not None else 0

    def _unjournaled(self, inputs: Iterable[Input], why: str) -> None:
        requests = [one for one in inputs if isinstance(one, OrderRequest)]
        if not requests:
            return
        # Without the folder, which is another one in each run.
        why = why.replace(str(self._disk.database), self._disk.database.name)
        self._note(f"unjournaled: {len(requests)} requests: {why}")
        self.refused_requests += 1

    def _last_check(self, books: Books, order: Order) -> str:
        """As live/watch.py has it."""
        if self.is_dead:
            return "the machine is off"
        if order.purpose not in ENTRY_PURPOSES:
            return books.last_check(order)
        if self.edited_at_entry is not None:
            self.stale = EDITED
            self.edited_at_entry.set()
            self.edited_at_entry = None
        age = entry_age(order, self._market_ns(), 1.0)
        return books.last_check(order) or self.stale or age

    def _adopted(self, books: Books, told: list[Input], boot: Boot) -> Books:
        """As `adopt --trade` does: a short life, in which all is heard first, and then a person's word is written."""
        statement = told[-1]
        assert isinstance(statement, Statement), "a statement ends with its Statement"
        heard, _ = decided(books.state, [boot, *told])
        unknown = [
            (symbol, quantity)
            for symbol, quantity in sorted(statement.positions.items())
            if quantity and not heard.position(symbol).quantity
        ]
        adoptions = [
            Adoption(
                command_id=f"adopt-{symbol}-{books.journal.head}",
                symbol=symbol,
                treatment="trade" if number % 2 else "hands-off",
                quantity=quantity,
                cost=statement.costs[symbol],
                strategy=StrategyName("tide") if number % 2 else None,
                who="operator",
                reason="adopted",
            )
            for number, (symbol, quantity) in enumerate(unknown)
        ]
        again = replace(statement, attempts=1)
        last = LifeEnd(at_ns=books.state.at_ns, exit_code=0)
        state, entries = decided(books.state, [boot, *told, *adoptions, again, last])
        batch = Batch(entries=tuple(entries), after=state)
        books.journal.write(batch)
        self._watch(self, batch)
        return books.after(state, entries)

    def _committed(self, batch: Batch) -> None:
        """Called when a commit has returned, before anything is done because of it."""
        for entry in batch.entries:
            if isinstance(entry.input, OrderRequest):
                self.requests.append(entry.input)
        del self.requests[:-REQUESTS_KEPT]
        self._watch(self, batch)

"""The nursery: who runs, who outlives whom, who is started again.

The executor and the lanes to the broker live longest; the streams feed them; the workers come last and go first. A
worker that fails is logged with its traceback, warmed up and started again while its symbol takes no entries and the
others go on. An executor that fails ends the program, not half of it: every task here is in one nursery with it.
"""

from collections import Counter
from collections.abc import Awaitable, Callable

import trio
from msgspec import Struct, field
from msgspec.structs import replace

from trader import agreement, calendar
from trader.executor import Executor
from trader.failure import failure_text
from trader.heartbeat import Heart
from trader.inbox import Inbox
from trader.mailbox import Mailbox, StartOver
from trader.messages import (
    Boot,
    Clock,
    Command,
    Gate,
    GateReport,
    Input,
    LifeEnd,
    Statement,
    WorkerReport,
)
from trader.model import MINUTE_NS, ClientOrderId, Distances, Phase, Symbol
from trader.orders import is_live
from trader.outbox import Outbox
from trader.overnight import Overnight
from trader.patience import Patience, in_doubt, unproved
from trader.ports import Broker, BrokerRefused, BrokerUnavailable, Feed, Pace
from trader.protector import Protector, alarm_of, unguarded
from trader.published import symbol_view
from trader.reducer import Reducer
from trader.state import ExecutionState
from trader.strategies.base import Strategy
from trader.tape import Tape
from trader.worker import Worker, run_worker

WORKER_PAUSE_FIRST_S = 0.05
WORKER_PAUSE_MAX_S = 30.0
# In a row, by the strategy's own fault: what fails on its history would keep everybody's day from beginning.
HISTORIES_FAILED_MAX = 3
SET_ASIDE = "set aside for this life: it fails on its history"
STATEMENT_PAUSE_S = 0.5
# How far back is asked for, from the last statement, when no order of ours is older.
STATEMENT_SPAN_NS = 24 * 60 * MINUTE_NS
# No stream tells what it has lost: so the broker is asked, more often while an order of ours is alive.
STATEMENT_MINUTES = 5  # of market time
POLL_S = 5.0  # of machine time, where the market runs by a clock
STATEMENT_SILENT_S_MAX = 120.0  # machine time; a statement is many pages, each with its deadline
SHUTDOWN_S = 1.0  # machine time for cancels to be proven
LAST_ROW_S = 10.0  # and for the last row to be durable: a busy disk may take its time


class WorkerPlan(Struct, frozen=True, kw_only=True):
    """One task to keep alive; `make` gives a fresh strategy for each incarnation."""

    name: str
    symbol: Symbol
    make: Callable[[], Strategy]
    protection: Distances | None = None  # of entries that bring none of their own
    hears: tuple[Symbol, ...] = ()  # whose bars it is told, too


class Parts(Struct, frozen=True, kw_only=True):
    """What a run hands to the supervisor."""

    boot: Boot
    broker: Broker
    feed: Feed
    pace: Pace
    inbox: Inbox
    outbox: Outbox
    executor: Executor
    tape: Tape
    overnight: Overnight
    protector: Protector
    reducer: Reducer
    workers: tuple[WorkerPlan, ...]
    heart: Heart = field(default_factory=Heart)
    extended_hours: bool = False
    calendar_always: bool = False


class Supervisor:
    """Starts the program's tasks in the order in which they need each other."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._look_wanted = trio.Event()  # and no more, unless it finds that something has moved
        self._statement_wanted = False
        self._told: Statement | None = None  # the last one
        self._patience = Patience()
        self._minute = -1
        self._doubted: dict[
            Symbol, int
        ] = {}  # marks that wait, and how many statements there had been
        self.restarts: Counter[str] = Counter()
        self._begun: Counter[str] = Counter()  # incarnations before the one that runs
        self._unfit: Counter[str] = (
            Counter()
        )  # of them, those in a row that failed on their history

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Run for ever; `started` means: agreed with the broker, workers warm, entries open if the books agree."""
        parts = self._parts
        async with trio.open_nursery() as core:
            core.start_soon(parts.executor.run, name="executor")
            core.start_soon(parts.outbox.run, name="outbox")
            await parts.inbox.tell(parts.boot)
            # Statements are counted anew in each life: none may be asked for before this one has begun.
            await parts.executor.wait_until(lambda state: state.epoch == parts.boot.epoch)
            core.start_soon(self._reconcile, name="reconcile")
            core.start_soon(parts.protector.run, name="protector")
            core.start_soon(parts.reducer.run, name="reducer")
            core.start_soon(parts.overnight.run, name="overnight")
            await core.start(parts.broker.follow, self._hear, name="trading stream")
            await core.start(parts.feed.run, parts.tape.deliver, self._hear, name="market data")
            for plan in parts.workers:
                await parts.inbox.tell(
                    WorkerReport(worker=plan.name, symbol=plan.symbol, ready=False)
                )
            for plan in parts.workers:
                core.start_soon(self._keep, plan, name=f"worker {plan.name}")
            await parts.executor.wait_until(self._is_ready)
            task_status.started()

    async def tick(self, at_ns: int) -> None:
        """Tell the executor what time it is, once a market minute, with the marks of what is held."""
        if at_ns // MINUTE_NS == self._minute:
            return
        self._minute = at_ns // MINUTE_NS
        state = self._parts.executor.state
        if self._minute % STATEMENT_MINUTES == 0:
            self._want_statement()
        for status in self._parts.tape.resumptions(state.halts):
            await self._parts.inbox.tell(status)
        held = sorted(symbol for symbol, one in state.positions.items() if one.quantity)
        session = calendar.session_of(at_ns)
        await self._parts.inbox.tell(
            Clock(
                at_ns=at_ns,
                session=session.date if session is not None else state.session,
                closes_ns=session.close_ns if session is not None else 0,
                phase=Phase.REGULAR if self._parts.calendar_always else calendar.phase(at_ns),
                marks=self._parts.overnight.believed(state, held, at_ns, self._want_statement),
            )
        )

    async def keep_time(self, sleep_until_ns: Callable[[int], Awaitable[None]]) -> None:
        """Tick by the running clock, for ever; the settled pace ticks by itself."""
        while True:
            now = self._parts.pace.market_ns()
            await self.tick(now)
            await sleep_until_ns((now // MINUTE_NS + 1) * MINUTE_NS)

    async def keep_polling(self) -> None:
        """While anything is open, look what has become of it every few seconds of machine time, for ever."""
        while True:
            await trio.sleep(POLL_S)
            if _has_live(self._parts.executor.state):
                self._parts.pace.began(self)
                self._look_wanted.set()

    async def compare(self) -> None:
        """Hold the books against the broker's once more; returns when the executor agrees or calls the difference."""
        told = self._parts.executor.state.statements
        self._want_statement()
        await self._parts.executor.wait_until(
            lambda state: state.statements > told and not _is_unreconciled(state)
        )

    async def shut_down(
        self, exit_code: Callable[[list[ClientOrderId]], int]
    ) -> tuple[int, list[ClientOrderId]]:
        """Close the gate, cancel working entries, leave exits; what is unproved after a second decides the code."""
        parts = self._parts
        await parts.inbox.tell(
            GateReport(gate=Gate.SHUTDOWN, is_open=False, reason="shutting down")
        )
        await parts.inbox.tell(
            Command(
                command_id="shutdown",
                verb="cancel",
                subject="entries",
                who="supervisor",
                reason="shutting down",
            )
        )
        if not await self._proved_in_time():
            self._want_statement()  # The stream may not have told: ask.
            await self._proved_in_time()
        left = unproved(parts.executor.state)
        for symbol, cover in unguarded(parts.executor.state):
            await parts.inbox.tell(alarm_of(symbol, cover))
        code = exit_code(left)
        await parts.inbox.tell(LifeEnd(at_ns=parts.pace.market_ns(), exit_code=code))
        with trio.move_on_after(LAST_ROW_S):
            await parts.executor.wait_until(lambda state: state.is_ended)
        return code, left

    async def _proved_in_time(self) -> bool:
        with trio.move_on_after(SHUTDOWN_S):
            await self._parts.executor.wait_until(
                lambda state: (
                    Gate.SHUTDOWN in dict(state.gates_closed)
                    and not unproved(state)
                    and not any(unguarded(state))
                )
            )
            return True
        return False

    def _is_ready(self, state: ExecutionState) -> bool:
        """Agreed with the broker, every gate open, every worker warm: in this life."""
        is_ours = state.epoch == self._parts.boot.epoch and state.statements > 0
        are_warm = all(state.workers_cold.get(one.symbol) == () for one in self._parts.workers)
        shut = [gate for gate, _ in state.gates_closed if gate is not Gate.FRESH_CODE]
        return is_ours and are_warm and not shut

    # ------------------------------------------------------------------------------------------ broker

    async def _hear(self, heard: Input) -> None:
        await self._parts.inbox.tell(heard)
        if isinstance(heard, GateReport) and heard.gate is Gate.TRADING_STREAM and heard.is_open:
            self._want_statement()

    def _want_statement(self) -> None:
        self._parts.pace.began(self)
        self._statement_wanted = True
        self._look_wanted.set()

    async def _reconcile(self) -> None:
        """Each time the stream is up again: ask for everything. In between: look whether anything has moved."""
        while True:
            await self._look_wanted.wait()
            self._look_wanted = trio.Event()
            self._parts.pace.began(self)
            is_wanted, self._statement_wanted = self._statement_wanted, False
            if is_wanted or not await self._has_looked():
                await self._agree()
            self._parts.pace.ended(self)

    async def _agree(self) -> None:
        """Ask for everything, until the executor agrees or calls a difference, or is wanted to look anew."""
        attempts = 0
        while not self._look_wanted.is_set():
            attempts += 1
            heard = await self._statement()
            told = self._parts.executor.state.statements
            statement = heard[-1]
            assert isinstance(statement, Statement), "a statement ends with its Statement"
            self._told = replace(statement, attempts=attempts)
            await self._parts.inbox.tell_all([*heard[:-1], self._told])
            self._parts.pace.ended(self)
            await self._parts.executor.wait_until(lambda state: state.statements > told)  # noqa: B023
            if not _is_unreconciled(self._parts.executor.state):
                break
            self._parts.pace.began(self)
            await trio.sleep(STATEMENT_PAUSE_S)

    async def _has_looked(self) -> bool:
        """The books say what the last statement said, and so does the broker: there is nothing to compare (anew)."""
        state, told = self._parts.executor.state, self._told
        if told is None or _is_unreconciled(state) or not agreement.holds(state, told):
            return False
        found = await self._look(told)
        if found is None:
            return False
        return not self._patience.is_over(in_doubt(self._parts.executor.state, found))

    async def _look(self, told: Statement) -> frozenset[ClientOrderId] | None:
        """Once more where the first gets no answer: that is cheaper than a statement."""
        for pause_s in (STATEMENT_PAUSE_S, 0.0):
            try:
                with self._parts.heart.at_work("reconcile", STATEMENT_SILENT_S_MAX):
                    return await self._parts.broker.look(told)
            except BrokerRefused:
                break
            except BrokerUnavailable:
                await trio.sleep(pause_s)
        return None

    async def _statement(self) -> list[Input]:
        """The broker's word, however long it takes: a failed query is not an empty account."""
        pause_s = STATEMENT_PAUSE_S
        while True:
            try:
                with self._parts.heart.at_work("reconcile", STATEMENT_SILENT_S_MAX):
                    return await self._parts.broker.statement(self._since_ns())
            except BrokerRefused as refused:
                if not self._parts.executor.state.statements:
                    raise
                # In mid-day: entries wait, exits go on, and more tries could lock the keys.
                await self._parts.inbox.tell(
                    GateReport(gate=Gate.RECONCILED, is_open=False, reason=str(refused))
                )
                pause_s = WORKER_PAUSE_MAX_S
            except BrokerUnavailable:
                pass
            await trio.sleep(pause_s)
            pause_s = min(2 * pause_s, WORKER_PAUSE_MAX_S)

    def _since_ns(self) -> int:
        """A day before the last statement: the program, or its machine, may have slept for a week."""
        state = self._parts.executor.state
        live = [order.created_ns for order in state.orders.values() if is_live(order)]
        now_ns = self._parts.pace.market_ns()
        return min([*live, min(state.told_ns or now_ns, now_ns) - STATEMENT_SPAN_NS])

    # ----------------------------------------------------------------------------------------- workers

    async def _keep(self, plan: WorkerPlan) -> None:
        """Keep one worker alive: warm it up, let it run, and if it fails start over, later each time."""
        parts = self._parts
        pause_s = WORKER_PAUSE_FIRST_S
        while True:
            started_s = trio.current_time()
            mailbox = Mailbox(parts.pace, symbol_view(parts.executor.state, plan.symbol))
            parts.pace.began(plan)
            parts.tape.attach(plan.symbol, mailbox, plan.hears)
            try:
                worker = await self._warm_up(plan, mailbox)
                parts.pace.ended(plan)
                await run_worker(worker, mailbox, parts.inbox)
            except StartOver:
                parts.pace.began(plan)
                await parts.inbox.tell(
                    WorkerReport(worker=plan.name, symbol=plan.symbol, ready=False)
                )
            except Exception as failure:
                parts.pace.began(plan)
                self.restarts[plan.name] += 1
                await parts.inbox.tell(
                    WorkerReport(
                        worker=plan.name,
                        symbol=plan.symbol,
                        ready=False,
                        reason=failure_text(failure),
                        failures=self.restarts[plan.name],
                    )
                )
            finally:
                parts.tape.detach(plan.symbol, mailbox, plan.hears)
            if self._unfit[plan.name] == HISTORIES_FAILED_MAX:
                break  # Its symbol is free for the others.
            if trio.current_time() - started_s > WORKER_PAUSE_MAX_S:
                pause_s = WORKER_PAUSE_FIRST_S  # It ran well for a while; this is another trouble.
            await trio.sleep(pause_s)
            pause_s = min(2 * pause_s, WORKER_PAUSE_MAX_S)
            self._begun[plan.name] += 1
        aside = WorkerReport(worker=plan.name, symbol=plan.symbol, ready=True, reason=SET_ASIDE)
        await parts.inbox.tell(aside)
        parts.pace.ended(plan)

    async def _warm_up(self, plan: WorkerPlan, mailbox: Mailbox) -> Worker:
        parts = self._parts
        strategy = plan.make()
        worker = Worker(
            name=plan.name,
            incarnation=f"{parts.boot.epoch}.{self._begun[plan.name]}",
            account=parts.boot.account,
            symbol=plan.symbol,
            strategy=strategy,
            extended_hours=parts.extended_hours,
            protection=plan.protection,
        )
        # The first tick is held against history, also where the strategy needs none.
        count = strategy.bars_needed or int(not parts.tape.is_seeded(plan.symbol))
        if count:
            history = await parts.feed.history(plan.symbol, parts.pace.market_ns(), count)
            if history:
                parts.tape.seed(plan.symbol, history[-1])
            for other in plan.hears:
                heard = await parts.feed.history(other, parts.pace.market_ns(), count)
                history = sorted([*history, *heard], key=lambda bar: bar.start_ns + bar.span_ns)
            self._unfit[plan.name] += 1
            worker.warm_up(history if strategy.bars_needed else [], mailbox.view)
            self._unfit[plan.name] = 0
        await parts.inbox.tell(WorkerReport(worker=plan.name, symbol=plan.symbol, ready=True))
        return worker


def _has_live(state: ExecutionState) -> bool:
    return any(one.entries or one.exits for one in state.positions.values())


def _is_unreconciled(state: ExecutionState) -> bool:
    return any(gate is Gate.RECONCILED for gate, _ in state.gates_closed)

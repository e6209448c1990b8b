"""The nursery: who runs, who outlives whom, who is started again.

The executor and the lanes to the broker live longest; the streams feed them; the workers come last and go first. A
worker that fails is logged with its traceback, warmed up and started again while its symbol takes no entries and the
others go on. An executor that fails ends the program, not half of it: every task here is in one nursery with it.
"""

from collections import Counter
from collections.abc import Awaitable, Callable

import trio
from msgspec import Struct, field

from trader import calendar
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
    WorkerReport,
)
from trader.model import MINUTE_NS, ClientOrderId, Distances, Phase, Symbol
from trader.outbox import Outbox
from trader.overnight import Overnight
from trader.patience import unproved
from trader.ports import Broker, Feed, Pace
from trader.protector import Protector, alarm_of, unguarded
from trader.published import symbol_view
from trader.reconciler import Reconciler
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
# No stream tells what it has lost: so the broker is asked, more often while an order of ours is alive (reconciler.py).
STATEMENT_MINUTES = 5  # of market time
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
        self.reconciler = Reconciler(
            broker=parts.broker,
            executor=parts.executor,
            inbox=parts.inbox,
            pace=parts.pace,
            heart=parts.heart,
        )
        # Streams are up, the broker has told of its books, workers are begun: it trades, or knows what for it doesn't.
        self.stands = trio.Event()
        self._minute = -1
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
            core.start_soon(self.reconciler.run, name="reconcile")
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
            await parts.executor.wait_until(lambda state: state.statements > 0)
            self.stands.set()
            await parts.executor.wait_until(self._is_ready)
            task_status.started()

    async def tick(self, at_ns: int) -> None:
        """Tell the executor what time it is, once a market minute, with the marks of what is held."""
        if at_ns // MINUTE_NS == self._minute:
            return
        # This process was stopped, or its machine: what happened meanwhile, nobody has told of.
        has_slept = 0 <= self._minute < at_ns // MINUTE_NS - STATEMENT_MINUTES
        self._minute = at_ns // MINUTE_NS
        state = self._parts.executor.state
        if has_slept or self._minute % STATEMENT_MINUTES == 0:
            self.reconciler.want_statement()
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
                marks=self._parts.overnight.believed(
                    state, held, at_ns, self.reconciler.want_statement
                ),
            )
        )

    async def keep_time(self, sleep_until_ns: Callable[[int], Awaitable[None]]) -> None:
        """Tick by the running clock, for ever; the settled pace ticks by itself."""
        while True:
            now = self._parts.pace.market_ns()
            await self.tick(now)
            await sleep_until_ns((now // MINUTE_NS + 1) * MINUTE_NS)

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
            self.reconciler.want_statement()  # The stream may not have told: ask.
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

    async def _hear(self, heard: Input) -> None:
        is_new_line = (
            isinstance(heard, GateReport) and heard.gate is Gate.TRADING_STREAM and heard.is_open
        )
        if is_new_line:
            self.reconciler.discard_statement()
        await self._parts.inbox.tell(heard)
        if is_new_line:
            self.reconciler.want_statement()

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

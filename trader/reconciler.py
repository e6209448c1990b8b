"""Holds our books against the broker's: looks whether anything has moved, and asks for everything where it may have.

A failed question is not an empty account: it is asked again for as long as it takes. Entries don't wait for the first
failure, for most questions are answered a moment later; where the broker refuses, or no statement comes for two
minutes, they do, and a person is told.
"""

import trio
from msgspec.structs import replace

from trader import agreement
from trader.executor import Executor
from trader.heartbeat import Heart
from trader.inbox import Inbox
from trader.messages import AlarmReport, Gate, GateReport, Input, Statement
from trader.model import AT_BROKER, MINUTE_NS, ClientOrderId, Order
from trader.orders import is_live
from trader.patience import Patience, in_doubt
from trader.ports import Broker, BrokerRefused, BrokerUnavailable, Pace
from trader.state import ExecutionState

STATEMENT_PAUSE_S = 0.5
STATEMENT_PAUSE_MAX_S = 30.0
# How far back is asked for, from the last statement, when no order of ours in doubt is older.
STATEMENT_SPAN_NS = 24 * 60 * MINUTE_NS
STATEMENT_SILENT_S_MAX = 120.0  # machine time; a statement is many pages, each with its deadline
STATEMENT_MISSED_S_MAX = 120.0  # and all tries together, before entries wait for it
# No stream tells what it has lost: so the broker is looked at while an order of ours is alive.
POLL_S = 5.0  # of machine time, where the market runs by a clock


class Reconciler:
    """One task asks; whoever wants a statement says so, and never waits for it here."""

    def __init__(
        self, *, broker: Broker, executor: Executor, inbox: Inbox, pace: Pace, heart: Heart
    ) -> None:
        self._broker = broker
        self._executor = executor
        self._inbox = inbox
        self._pace = pace
        self._heart = heart
        self._look_wanted = trio.Event()  # and no more, unless it finds that something has moved
        self._statement_wanted = False
        self._told: Statement | None = None  # the last one
        self._patience = Patience()
        self._lines = 0  # to the broker's stream, one after the other
        self._is_agreeing = False
        self._attempts = 0  # statements since the books were agreed last
        self._failure = ""  # of the last question
        self._alarmed: set[str] = set()  # since the last statement

    def want_statement(self) -> None:
        """Ask for everything, soon."""
        self._pace.began(self)
        self._statement_wanted = True
        self._look_wanted.set()

    def discard_statement(self) -> None:
        """Of one that is under way: what happened between its questions and a new line is told by neither."""
        self._lines += 1

    async def keep_polling(self) -> None:
        """While anything is open, look what has become of it every few seconds of machine time, for ever.

        Not while everything is asked for: where the broker is slow, one statement would be begun after the other.
        """
        while True:
            await trio.sleep(POLL_S)
            if _has_live(self._executor.state) and not self._is_agreeing:
                self._pace.began(self)
                self._look_wanted.set()

    async def compare(self) -> None:
        """Hold the books against the broker's once more; returns when the executor agrees or calls the difference."""
        told = self._executor.state.statements
        self.want_statement()
        await self._executor.wait_until(
            lambda state: state.statements > told and not _is_unreconciled(state)
        )

    async def run(self) -> None:
        """Each time the stream is up again: ask for everything. In between: look whether anything has moved."""
        while True:
            await self._look_wanted.wait()
            self._look_wanted = trio.Event()
            self._pace.began(self)
            is_wanted, self._statement_wanted = self._statement_wanted, False
            if is_wanted or not await self._has_looked():
                self._is_agreeing = True
                await self._agree()
                self._is_agreeing = False
            self._pace.ended(self)

    async def _agree(self) -> None:
        """Ask for everything, until the executor agrees or calls a difference, or is wanted to look anew.

        That is no new beginning: however often somebody wants it, the third look at a difference calls it one.
        """
        while not self._look_wanted.is_set():
            lines = self._lines
            heard = await self._statement()
            if lines != self._lines:
                self._look_wanted, self._statement_wanted = trio.Event(), False
                continue
            self._attempts += 1
            told = self._executor.state.statements
            statement = heard[-1]
            assert isinstance(statement, Statement), "a statement ends with its Statement"
            self._told = replace(statement, attempts=self._attempts)
            await self._inbox.tell_all([*heard[:-1], self._told])
            self._pace.ended(self)
            await self._executor.wait_until(lambda state: state.statements > told)  # noqa: B023
            if not _is_unreconciled(self._executor.state):
                self._attempts = 0
                break
            self._pace.began(self)
            await trio.sleep(STATEMENT_PAUSE_S)

    async def _has_looked(self) -> bool:
        """The books say what the last statement said, and so does the broker: there is nothing to compare (anew)."""
        state, told = self._executor.state, self._told
        if told is None or _is_unreconciled(state) or not agreement.holds(state, told):
            return False
        found = await self._look(told)
        if found is None:
            return False
        return not self._patience.is_over(in_doubt(self._executor.state, found))

    async def _look(self, told: Statement) -> frozenset[ClientOrderId] | None:
        """Once more where the first gets no answer: that is cheaper than a statement."""
        for pause_s in (STATEMENT_PAUSE_S, 0.0):
            try:
                with self._heart.at_work("reconcile", STATEMENT_SILENT_S_MAX):
                    return await self._broker.look(told)
            except BrokerRefused:
                break
            except BrokerUnavailable:
                await trio.sleep(pause_s)
        return None

    async def _statement(self) -> list[Input]:
        """The broker's word, however long it takes."""
        self._failure = "no answer yet"
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._miss)
            heard = await self._asked()
            nursery.cancel_scope.cancel()
        self._alarmed.clear()
        return heard

    async def _miss(self) -> None:
        await trio.sleep(STATEMENT_MISSED_S_MAX)
        if not self._alarmed:
            why = f"no statement for {STATEMENT_MISSED_S_MAX:.0f} s: {self._failure}"
            await self._wait_for_it(AlarmReport(alarm="no_statement", message=why))

    async def _wait_for_it(self, alarm: AlarmReport) -> None:
        """Entries do, exits go on; a person is told once until a statement comes."""
        if alarm.alarm not in self._alarmed:
            self._alarmed.add(alarm.alarm)
            shut = GateReport(gate=Gate.RECONCILED, is_open=False, reason=alarm.message)
            await self._inbox.tell_all([shut, alarm])

    async def _asked(self) -> list[Input]:
        """A failed query is not an empty account."""
        pause_s = STATEMENT_PAUSE_S
        while True:
            try:
                with self._heart.at_work("reconcile", STATEMENT_SILENT_S_MAX):
                    return await self._broker.statement(self._since_ns())
            except BrokerRefused as refused:
                if not self._executor.state.statements:
                    raise
                # In mid-day: entries wait, and more tries could lock the keys.
                alarm = AlarmReport(alarm="account_refused", message=str(refused))
                await self._wait_for_it(alarm)
                pause_s = STATEMENT_PAUSE_MAX_S
            except BrokerUnavailable as trouble:
                self._failure = str(trouble)
            await trio.sleep(pause_s)
            pause_s = min(2 * pause_s, STATEMENT_PAUSE_MAX_S)

    def _since_ns(self) -> int:
        """A day before the last statement: the program, or its machine, may have slept for a week.

        An order in doubt is older than any answer about it. One that rests is in the broker's list of open orders,
        however old it is, or has a fill of since then.
        """
        state = self._executor.state
        doubted = [
            order.created_ns
            for order in state.orders.values()
            if is_live(order) and (_is_doubted(order) or not state.told_ns)
        ]
        now_ns = self._pace.market_ns()
        return min([*doubted, min(state.told_ns or now_ns, now_ns) - STATEMENT_SPAN_NS])


def _has_live(state: ExecutionState) -> bool:
    return any(one.entries or one.exits for one in state.positions.values())


def _is_doubted(order: Order) -> bool:
    """The broker isn't known to have it, or has claimed more of it than it has told executions of."""
    return order.state not in AT_BROKER or order.quantity_reported > order.quantity_filled


def _is_unreconciled(state: ExecutionState) -> bool:
    return any(gate is Gate.RECONCILED for gate, _ in state.gates_closed)

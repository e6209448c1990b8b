"""The single order-executor task: it alone holds the position map, and only what it decides reaches the broker.

A turn is decide, commit, act. Deciding has no await, so nothing can come between the check and the record; the commit
is durable before anything is sent, and if it fails the old state stands and nothing is sent; acting never blocks.
"""

from collections.abc import Callable, Iterable
from typing import Protocol

import trio
from msgspec.structs import replace

from trader import steps
from trader.execution import ExecutionState, decide, evolve
from trader.inbox import Inbox
from trader.messages import (
    Cancel,
    CancelRequested,
    ClockMoved,
    Effect,
    Entry,
    Event,
    ExecutionBooked,
    Gate,
    Input,
    Lookup,
    LookupWanted,
    OrderRequest,
    RequestAccepted,
    Submit,
)
from trader.model import ENTRY_PURPOSES, Order, Symbol
from trader.ports import Batch, Journal, JournalFailed, Pace
from trader.published import symbol_view
from trader.state import ALL_SYMBOLS
from trader.strategies.base import Fill, SymbolView

COMMIT_RETRY_S = 0.5  # machine time between attempts while the disk refuses
EFFECTIVE = frozenset({RequestAccepted, CancelRequested, LookupWanted})


class Publisher(Protocol):
    """Shows workers the new state of their symbol, and their fills. Never blocks."""

    def publish(self, symbol: Symbol, view: SymbolView, fills: list[Fill]) -> None: ...


class Executor:
    """Drains the inbox, decides against the state, commits, acts."""

    def __init__(
        self,
        state: ExecutionState,
        *,
        inbox: Inbox,
        journal: Journal,
        put: Callable[[Effect], None],
        publisher: Publisher,
        pace: Pace,
        unjournaled: Callable[[Iterable[Input], str], None] = lambda requests, why: None,
        acted: Callable[[ExecutionState], None] = lambda state: None,
        shows_minutes: bool = True,  # all symbols anew, for those who look after what is held
    ) -> None:
        self._state = state
        self._inbox = inbox
        self._journal = journal
        self._put = put
        self._publisher = publisher
        self._pace = pace
        self._unjournaled = unjournaled
        self._acted = acted
        self._shows_minutes = shows_minutes
        self._committed = trio.Event()

    @property
    def state(self) -> ExecutionState:
        """A frozen value, as of the last commit: for those who wait for a condition, never to decide on."""
        return self._state

    async def run(self) -> None:
        """Take turns for ever. What goes wrong here ends the program, not half of it."""
        while True:
            await self._inbox.wait()
            async with self._pace.executor_turn():
                await self._turn(self._inbox.drain())

    async def wait_until(self, holds: Callable[[ExecutionState], bool]) -> None:
        """Return when a committed state satisfies the condition."""
        while not holds(self._state):
            await self._committed.wait()

    async def _turn(self, batch: list[Input]) -> None:
        steps.reach("heard", batch)
        state, entries = decided(self._state, batch)
        if not entries:
            return
        steps.reach("decided", batch)
        try:
            with trio.CancelScope(shield=True):
                await self._journal.commit(Batch(entries=tuple(entries), after=state))
        except JournalFailed as failure:
            await self._not_recorded(batch, str(failure))
            return
        self._state = state
        steps.reach("committed", batch)
        self._act(entries)
        self._acted(state)
        steps.reach("acted", batch)
        self._committed.set()
        self._committed = trio.Event()

    def replay(self, batch: list[Input], write: Callable[[Batch], None]) -> None:
        """A turn in a replay of history, where nobody waits for anybody; what can't be written ends the replay."""
        state, entries = decided(self._state, batch)
        if entries:
            write(Batch(entries=tuple(entries), after=state))
            self._state = state
            self._act(entries)
            self._acted(state)

    async def _not_recorded(self, batch: list[Input], why: str) -> None:
        """None of it happened. Reports and commands are decided again: nobody would tell them twice."""
        self._unjournaled(batch, why)
        self._inbox.keep([one for one in batch if not isinstance(one, OrderRequest)])
        await trio.sleep(COMMIT_RETRY_S)

    def _act(self, entries: list[Entry]) -> None:
        touched: dict[Symbol, list[Fill]] = {}
        for entry in entries:
            for event in entry.events:
                effect = effect_of(event, self._state)
                if effect is not None:
                    self._put(effect)  # Never blocks: the lanes hold every order that can be live.
                self._note(event, touched)
        # What is held and no longer configured is touched as well as what is.
        every = self._state.symbols if ALL_SYMBOLS in touched else frozenset[Symbol]()
        for symbol in sorted(every | touched.keys() - {ALL_SYMBOLS}):
            view = symbol_view(self._state, symbol)
            self._publisher.publish(symbol, view, touched.get(symbol, []))

    def _note(self, event: Event, touched: dict[Symbol, list[Fill]]) -> None:
        if type(event) is ClockMoved and not self._shows_minutes:
            return
        about = event.order if type(event) is RequestAccepted else event
        fills = touched.setdefault(getattr(about, "symbol", None) or ALL_SYMBOLS, [])
        if type(event) is ExecutionBooked:
            fills.append(
                Fill(
                    symbol=event.symbol,
                    side=event.side,
                    quantity=event.execution.quantity,
                    price=event.execution.price,
                    at_ns=event.execution.at_ns,
                )
            )


def decided(state: ExecutionState, batch: list[Input]) -> tuple[ExecutionState, list[Entry]]:
    """Decide the inputs one by one, each against the state that the one before it left. No await in here, ever."""
    entries: list[Entry] = []
    for heard in batch:
        events = decide(state, heard)
        if events:
            for event in events:
                state = evolve(state, event)
            state = replace(state, sequence=state.sequence + 1)
            entries.append(
                Entry(
                    sequence=state.sequence,
                    epoch=state.epoch,
                    at_ns=state.at_ns,
                    session=state.session,
                    input=heard,
                    events=events,
                )
            )
    return state, entries


def effect_of(event: Event, state: ExecutionState) -> Effect | None:
    """What the world must be asked to do because of an event."""
    if type(event) not in EFFECTIVE:
        return None  # As of most.
    match event:
        case RequestAccepted():
            return Submit(order=event.order)
        case CancelRequested(is_later=False):
            return Cancel(order=state.orders[event.client_order_id])
        case LookupWanted():
            return Lookup(order=state.orders[event.client_order_id], attempts=event.attempts)
        case _:
            return None


def entry_refusal(state: ExecutionState, order: Order) -> str:
    """Why an entry that was decided must not leave any more: somebody has halted or stopped the program since."""
    if order.purpose not in ENTRY_PURPOSES:
        return ""
    if state.halted:
        return f"halted by {state.halted}"
    if order.symbol in state.reductions:
        return f"{order.symbol} is {state.reductions[order.symbol].words}"
    return dict(state.gates_closed).get(Gate.SHUTDOWN, "")

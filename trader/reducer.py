"""Sees to it that what has to go does go: after each commit it tells the executor what is due next (reducing.py)."""

import trio

from trader import reducing
from trader.inbox import Inbox
from trader.messages import Command, OrderRequest
from trader.ports import Pace
from trader.state import ExecutionState


class Reducer:
    """`look` is the executor's side, `run` tells. It remembers nothing that matters: intentions are in the state."""

    def __init__(self, inbox: Inbox, pace: Pace) -> None:
        self._inbox = inbox
        self._pace = pace
        self._state = ExecutionState()
        self._wanted = trio.Event()
        self._told_ns: dict[str, int] = {}  # at which market time each step was told last

    def look(self, state: ExecutionState) -> None:
        """The state as committed. Never blocks."""
        self._state = state
        if reducing.wants_anything(state):
            self._pace.began(self)
            self._wanted.set()
        else:
            self._told_ns.clear()

    async def run(self) -> None:
        """Tell what is due, for ever."""
        while True:
            await self._wanted.wait()
            self._wanted = trio.Event()
            for heard in self.due():
                await self._inbox.tell(heard)
            if not self._wanted.is_set():
                self._pace.ended(self)

    def due(self) -> list[Command | OrderRequest]:
        """What is due now; what was denied, or not canceled, is tried again a market minute later."""
        state, wanted = self._state, []
        for step in reducing.due(state):
            if self._told_ns.get(step.name) != state.at_ns:
                self._told_ns[step.name] = state.at_ns
                wanted.append(step.wants)
        return wanted

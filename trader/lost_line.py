"""Working entries don't outlive the line on which their fills would be told: down for long, and they are canceled.

The gate closes first: the report that the line is lost has been decided before anybody here hears of it, so that no
entry is accepted any more. What works at the broker is canceled over REST, by the lanes that need no stream; again
while it lasts, because a lookup may find one that was on its way. Exits and stops stay: they only make a position
smaller, and are there for an hour in which nobody hears anything.
"""

from collections.abc import Mapping

import trio

from trader.executor import Executor
from trader.inbox import Inbox
from trader.messages import Command, Gate
from trader.state import ExecutionState

# Machine time. A line that was only dropped is back in a second or two (its back-offs begin at 0.1 s and double), a
# broker that restarts in some ten; three polls of five seconds have looked meanwhile. Longer is no hiccup.
LOST_S = 15.0
WHO = "the lost line"


async def keep_line(executor: Executor, inbox: Inbox) -> None:
    """Where the market runs by a clock: cancel what works whenever the line has been down for LOST_S, for ever."""
    while True:
        await executor.wait_until(is_lost)
        with trio.move_on_after(LOST_S):
            await executor.wait_until(lambda state: not is_lost(state))
        state = executor.state
        if is_lost(state) and state.entries_open:
            await inbox.tell(_cancel(state))


def is_lost(state: ExecutionState) -> bool:
    """The broker's reports don't reach us."""
    return Gate.TRADING_STREAM in _closed(state)


def _closed(state: ExecutionState) -> Mapping[Gate, str]:
    return dict(state.gates_closed)


def _cancel(state: ExecutionState) -> Command:
    why = _closed(state)[Gate.TRADING_STREAM]
    return Command(
        command_id=f"lost-line-{state.sequence}",
        verb="cancel",
        subject="entries",
        who=WHO,
        reason=f"no reports for {LOST_S:.0f} s: {why}",
    )

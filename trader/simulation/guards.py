"""Is what is held guarded? Looked at every second, over the committed state and over the venue's own books.

Nothing here shares arithmetic with protection.py. A position whose entry brought a stop, and of which some shares are
in no order that the broker is known to have, must be an alarm on record within five seconds: whatever the reason is,
a person has to know. When all is well again, the venue's own orders cover it.
"""

from collections import Counter

import trio

from trader.messages import Gate
from trader.model import OrderState, Phase, Side, Symbol
from trader.money import ZERO
from trader.simulation.checks import Auditor, Complain
from trader.simulation.life import Process
from trader.simulation.resting import Resting
from trader.state import ExecutionState
from trader.venue import Venue, VenueAccount

EVERY_S = 0.5
UNTOLD_S_MAX = 5.0
COMMITS_S_MAX = 1.5  # that the state which is looked at was committed before, and the alarm after
LOOKS_MAX = int((UNTOLD_S_MAX + COMMITS_S_MAX) / EVERY_S)
KNOWN = (
    OrderState.PENDING_NEW,
    OrderState.NEW,
    OrderState.PARTIALLY_FILLED,
    OrderState.PENDING_CANCEL,
)


class Watch:
    """Of one world; `committed` sees every state, `run` lets the time pass."""

    def __init__(self, resting: Resting, complain: Complain) -> None:
        self._resting = resting
        self._complain = complain
        self._process: Process | None = None
        self._auditor = Auditor(complain)
        self._state = ExecutionState()
        self._told: dict[Symbol, int] = {}  # alarms, when what lasts still began
        self._looks: Counter[Symbol] = Counter()

    def committed(self, process: Process, auditor: Auditor, state: ExecutionState) -> None:
        """A state that is durable now."""
        if (process, state.epoch) != (self._process, self._state.epoch):
            self._told = {}
        self._process, self._auditor, self._state = process, auditor, state
        naked = naked_of(state)
        self._told = {one: self._told.get(one, auditor.unprotected[one]) for one in naked}
        self._looks = Counter({one: self._looks[one] for one in naked if self._looks[one]})

    async def run(self) -> None:
        """For ever. Looks are counted, not seconds: while a strategy computes, nobody else runs."""
        while True:
            await trio.sleep(EVERY_S)
            if self._process is None or not _is_awake(self._process, self._state):
                self._looks.clear()
                self._resting.passed_by()
                continue
            if self._process.clock_ahead_ns:
                self._resting.passed_by()  # Its times are others than the broker's.
            else:
                self._resting.look(self._state)
            for symbol, told in self._told.items():
                self._looks[symbol] += 1
                if self._looks[symbol] == LOOKS_MAX and self._auditor.unprotected[symbol] == told:
                    what = f"{symbol} is unprotected for {UNTOLD_S_MAX:.0f} s, and nobody was told"
                    self._complain(f"A10: {what}")


def _is_awake(process: Process, state: ExecutionState) -> bool:
    """It lives, runs, has heard the broker in this life, and can write."""
    return (
        not process.is_dead
        and not process.is_stopped
        and not process.ended.is_set()
        and process.parts is not None
        and state.epoch == process.parts.boot.epoch
        and state.statements > 0
        and Gate.SHUTDOWN not in dict(state.gates_closed)
        and process.journal is not None
        and not process.journal.is_full
    )


def naked_of(state: ExecutionState) -> list[Symbol]:
    """Positions that should have a stop, some of whose shares are in no order that the broker is known to have.

    One without any protection, too, where stops are required: of what was adopted a person is told once, and an entry
    that brings a stop to it begins nothing new.
    """
    found = []
    for symbol, position in state.positions.items():
        guard = position.protection
        has_stop = guard is not None and (guard.stop_price is not None or guard.trail is not None)
        if not has_stop and not state.limits.stop_required:
            continue
        held = position.quantity
        if (
            symbol in state.quarantined
        ):  # Before it has been called one, a difference may be a late answer.
            held -= max(state.differing.get(symbol, ZERO), ZERO)
        if position.is_hands_off or held <= 0:
            continue
        known = sum(
            (
                order.quantity - order.quantity_filled
                for order in map(state.orders.__getitem__, position.exits)
                if order.state in KNOWN
            ),
            ZERO,
        )
        if known < held:
            found.append(symbol)
    return sorted(found)


def uncovered(state: ExecutionState, venue: Venue, account: VenueAccount) -> list[str]:
    """When nothing goes wrong any more: what no open sale at the venue covers, by the venue's books."""
    if state.phase is not Phase.REGULAR:
        return []  # A stop that the last price has passed is refused until the market opens.
    found = []
    for symbol, position in state.positions.items():
        guard, held = position.protection, account.quantity(symbol)
        if guard is None or not guard.has_stop or position.is_hands_off or held <= 0:
            continue
        selling = sum(
            (
                order.quantity_leaves
                for order in venue.state.orders.values()
                if order.is_open and order.symbol == symbol and order.side is Side.SELL
            ),
            ZERO,
        )
        if selling < held:
            found.append(f"A10: {symbol} holds {held}, and {selling} are in stops or exits")
    return sorted(found)

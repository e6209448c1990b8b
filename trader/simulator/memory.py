"""What the account looked like before: states of the venue, each kept just before it changed."""

from collections import deque

from trader.venue import VenueState

STATES_MAX = 256


class Memory:
    """Copies share the orders and executions, which never change; only accounts are really copied."""

    def __init__(self) -> None:
        self._states: deque[tuple[int, VenueState]] = deque(maxlen=STATES_MAX)

    def keep(self, state: VenueState, at_ns: int, reach_ns: int) -> None:
        """Of each instant the first; `reach_ns` is how far back anybody will ask."""
        if self._states and self._states[-1][0] >= at_ns:
            return
        while self._states and self._states[0][0] < at_ns - reach_ns:
            self._states.popleft()
        self._states.append((at_ns, state.copy()))

    def state_at(self, at_ns: int) -> VenueState | None:
        """As it stood before anything of that instant; None: nothing has changed since."""
        return next((state for kept_ns, state in self._states if kept_ns >= at_ns), None)

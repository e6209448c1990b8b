"""What a market is still to tell: the instants of a session, of which the next can be looked at, or quiet minutes."""

from collections.abc import Callable, Iterator

from trader.feeds.market import Instant
from trader.model import MINUTE_NS


def _as_it_is(instant: Instant) -> Instant:
    return instant


class Ahead:
    """The instants still to come; each is reshaped when it is taken, by all that is scheduled by then."""

    def __init__(
        self, instants: Iterator[Instant], reshaped: Callable[[Instant], Instant] = _as_it_is
    ) -> None:
        self._instants = instants
        self._reshaped = reshaped
        self._next: Instant | None = None

    def next_ns(self) -> int | None:
        """When the next one is; None: there is none."""
        if self._next is None:
            self._next = next(self._instants, None)
        return None if self._next is None else self._next.at_ns

    def take(self) -> Instant | None:
        if self.next_ns() is None:
            return None
        instant, self._next = self._next, None
        assert instant is not None, "it was seen"
        return self._reshaped(instant)

    def skip_before(self, at_ns: int) -> None:
        """Leave out what is earlier."""
        while (next_ns := self.next_ns()) is not None and next_ns < at_ns:
            self._next = None


def quiet_minutes(after_ns: int, until_ns: int) -> Iterator[Instant]:
    """Whole minutes in which nothing is told, and the end: what comes due in closed hours is not kept waiting."""
    for at_ns in range((after_ns // MINUTE_NS + 1) * MINUTE_NS, until_ns, MINUTE_NS):
        yield Instant(at_ns=at_ns)
    yield Instant(at_ns=until_ns)

"""Repeats of the same refusal, folded by symbol and minute: the first is told at once, the rest as one count.

What waits here is not in the log yet. After a kill the journal is told again from the start of the log's last minute,
and what the log has of that minute already (`credit`) is not told twice: so the counts always add up.
"""

from msgspec.structs import replace

from trader.log.events import DuplicateBlocked, Event, RequestDenied

Repeated = DuplicateBlocked | RequestDenied
Key = tuple[str, str, str, str]


def key_of(event: Repeated) -> Key:
    """What counts as the same: for a duplicate the symbol and side, for a denial also its reason."""
    reason = event.reason if isinstance(event, RequestDenied) else ""
    return (type(event).__name__, event.symbol or "", event.side, reason)


class _Waiting:
    __slots__ = ("credit", "event", "has_told")

    def __init__(self, credit: int) -> None:
        self.credit = credit
        self.has_told = credit > 0
        self.event: Repeated | None = None

    def take(self) -> Repeated | None:
        told, self.event = self.event, None
        if told is None:
            return None
        self.has_told = True
        return told if told.count == 1 else replace(told, message=f"{told.message} x{told.count}")


class Fold:
    """The repeats of one minute, the newest."""

    def __init__(self) -> None:
        self.minute = 0
        self._waiting: dict[Key, _Waiting] = {}
        self._credits: tuple[int, dict[Key, int]] = (0, {})

    def credit(self, minute: int, counts: dict[Key, int]) -> None:
        """The log has told this many repeats of that minute already."""
        self._credits = (minute, counts)

    def move_to(self, minute: int) -> list[Event]:
        """What waits, when the minute is a new one."""
        if minute == self.minute:
            return []
        told = self.rest()
        self.minute = minute
        of, counts = self._credits
        told_already = counts if of == minute else {}
        self._waiting = {key: _Waiting(count) for key, count in told_already.items()}
        return told

    def add(self, event: Repeated) -> None:
        """One more; of several that wait, what the first one says is kept."""
        if self.minute < self._credits[0]:
            return  # A line of a later minute is in the log, so these are, too.
        waiting = self._waiting.setdefault(key_of(event), _Waiting(0))
        if waiting.credit:
            waiting.credit -= 1
        elif waiting.event is None:
            waiting.event = event
        else:
            waiting.event = replace(waiting.event, count=waiting.event.count + 1)

    def fresh(self) -> list[Event]:
        """Those of which nothing was told in this minute yet."""
        told = [waiting.take() for waiting in self._waiting.values() if not waiting.has_told]
        return [event for event in told if event is not None]

    def rest(self) -> list[Event]:
        """Everything that waits."""
        told = [waiting.take() for waiting in self._waiting.values()]
        return [event for event in told if event is not None]

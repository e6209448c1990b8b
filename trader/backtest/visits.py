"""The moments of history at which something may happen, and no others: between them nobody has anything to say.

Visited are the bars that a symbol's workers have to hear (hearing.py), every bar of a symbol with an order at the
venue, the first bar of each day, and the last of all. A moment that is visited for nothing changes nothing, so what is
decided is the same as with every bar visited, to the byte of the journal.
"""

import heapq
from collections.abc import Callable, Iterable, Sequence
from typing import Protocol

import numpy as np

from trader.backtest.days import Days
from trader.backtest.lanes import Lane
from trader.feeds.columns import Columns

NONE = np.zeros(0, np.int64)


class Course(Protocol):
    """Which moments are visited, one after the other: see Visits here and Timeline in timeline.py."""

    @property
    def bars(self) -> int: ...
    def upcoming_ns(self, ended_ns: int) -> int | None: ...
    def arrive(self, at_ns: int, ended_ns: int) -> list[Lane]: ...
    def pass_by(self) -> None: ...
    def catch_up(self, lane: Lane, ended_ns: int) -> None: ...
    def touch(self, lane: Lane) -> None: ...
    def touch_all(self) -> None: ...


class Visits:
    """is_watched: whether every bar of a lane matters, whatever its workers say. stops are moments visited anyway."""

    def __init__(
        self, lanes: Sequence[Lane], stops: Iterable[int], is_watched: Callable[[Lane], bool]
    ) -> None:
        self._lanes = lanes
        self._is_watched = is_watched
        self._stops = sorted(set(stops), reverse=True)
        # (when, lane): a heap; stale where the lane is due at another time.
        self._due: list[tuple[int, int]] = []
        self._due_ns: dict[int, int] = {}
        self._touched = set(range(len(lanes)))
        self._ended_ns = 0

    @property
    def bars(self) -> int:
        """How many have ended."""
        for lane in self._lanes:
            lane.catch_up(self._ended_ns)
        return sum(lane.place + 1 for lane in self._lanes)

    def catch_up(self, lane: Lane, ended_ns: int) -> None:
        """All of its bars have ended that end until then."""
        lane.catch_up(ended_ns)

    def touch(self, lane: Lane) -> None:
        """Something about it has changed, which may bring its next visit forward."""
        self._touched.add(lane.number)

    def touch_all(self) -> None:
        self._touched.update(range(len(self._lanes)))

    def upcoming_ns(self, ended_ns: int) -> int | None:
        """When the next visit is, all bars having been passed that end until `ended_ns`; None after the last."""
        self._look(ended_ns)
        due = self._due
        while due and self._due_ns.get(due[0][1]) != due[0][0]:
            heapq.heappop(due)
        if self._stops and (not due or self._stops[-1] <= due[0][0]):
            return self._stops[-1]
        return due[0][0] if due else None

    def arrive(self, at_ns: int, ended_ns: int) -> list[Lane]:
        """That moment has come: the lanes whose bars are visited then, in their order; each has gone on to its bar."""
        self._look(ended_ns)
        self._ended_ns = at_ns
        if self._stops and self._stops[-1] == at_ns:
            self._stops.pop()
        arrived: list[Lane] = []
        while self._due and self._due[0][0] == at_ns:
            _, number = heapq.heappop(self._due)
            if self._due_ns.get(number) == at_ns:
                del self._due_ns[number]
                lane = self._lanes[number]
                lane.catch_up(at_ns)
                arrived.append(lane)
                self._touched.add(number)
        return arrived

    def pass_by(self) -> None:
        """What comes next is nobody's."""
        raise AssertionError("every bar is of a day")

    def _look(self, ended_ns: int) -> None:
        for number in self._touched:
            lane = self._lanes[number]
            lane.catch_up(ended_ns)
            due_ns = lane.next_due_ns(is_watched=self._is_watched(lane))
            if due_ns is None:
                self._due_ns.pop(number, None)
            elif self._due_ns.get(number) != due_ns:
                self._due_ns[number] = due_ns
                heapq.heappush(self._due, (due_ns, number))
        self._touched.clear()


def day_stops(histories: Sequence[Columns], days: Days) -> list[int] | None:
    """When the first bar of each day ends, and the last of all; None where some bar is of no day."""
    several: list[np.typing.NDArray[np.int64]] = []
    for one in histories:
        # Symbols of one market mostly have the same minutes.
        if not several or not np.array_equal(several[-1], one.ends_ns):
            several.append(one.ends_ns)
        one.rest()
    ends_ns = several[0] if len(several) == 1 else np.unique(np.concatenate([*several, NONE]))
    stops: list[int] = []
    place = 0
    while place < len(ends_ns):
        at_ns = int(ends_ns[place])
        day = days.day_of(at_ns)
        if day is None:
            return None
        stops.append(at_ns)
        place = int(np.searchsorted(ends_ns, day.ends_ns, side="right"))
    return [*stops, int(ends_ns[-1])] if stops else []

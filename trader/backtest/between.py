"""What comes between the ends of bars, in order: events, minutes of the clock, and what waiting orders may meet.

An order waits for the open of its symbol's next bar or, where the symbol has quotes, for the next of these. Neither is
of before it was decided; a quote of that very moment was there when it was.
"""

import heapq
from collections.abc import Sequence

from trader.backtest.lanes import Lane
from trader.model import Quote

# Before whatever opens at their moment.
EVENT, MINUTE = -2, -1
# Less the number of its lane: before all else of its moment.
QUOTE = -3


class Between:
    """`working`: lanes with orders that wait at the venue. events_ns: when each event befalls."""

    def __init__(
        self, lanes: Sequence[Lane], events_ns: Sequence[int], *, trades_at_open: bool
    ) -> None:
        self.working: set[int] = set()
        self._lanes = lanes
        self._trades_at_open = trades_at_open
        # (when, lane, place of the bar that opens), (when, QUOTE - lane, its place) or (when, EVENT, its place)
        self._heap = [(at_ns, EVENT, place) for place, at_ns in enumerate(events_ns)]
        heapq.heapify(self._heap)

    def next_ns(self) -> int | None:
        """When the next comes; None where nothing does."""
        return self._heap[0][0] if self._heap else None

    def take(self, at_ns: int) -> tuple[int, int] | None:
        """The next of that moment: lane, EVENT or MINUTE, and its place; None where there is no more."""
        if not self._heap or self._heap[0][0] != at_ns:
            return None
        return heapq.heappop(self._heap)[1:]

    def take_quotes(self, at_ns: int, *, are_heard: bool) -> list[Quote]:
        """Those of that moment that are waited for; where nobody hears them, those after them are waited for."""
        told = []
        while self._heap and self._heap[0][0] == at_ns and self._heap[0][1] <= QUOTE:
            _, number, place = heapq.heappop(self._heap)
            lane = self._lanes[QUOTE - number]
            lane.expected = -1
            if lane.number not in self.working or lane.quotes is None:
                continue
            if are_heard:
                told.append(lane.quotes.quote(place))
            else:
                self.expect(lane, at_ns)
        return told

    def add_minute(self, at_ns: int) -> None:
        """The clock is told then."""
        heapq.heappush(self._heap, (at_ns, MINUTE, 0))

    def expect(self, lane: Lane, now_ns: int, *, after: int | None = None) -> None:
        """What it may trade with next; after: the place of a bar whose open was none. By default its last one."""
        if lane.expected >= 0:
            return
        if lane.quotes is not None:
            place = lane.quotes.place_after(now_ns)
            if place < len(lane.quotes):
                lane.expected = place
                at_ns = int(lane.quotes.at_ns[place])
                heapq.heappush(self._heap, (at_ns, QUOTE - lane.number, place))
        elif self._trades_at_open:
            self._expect_open(lane, now_ns, lane.place if after is None else after)

    def _expect_open(self, lane: Lane, now_ns: int, after: int) -> None:
        starts_ns, place = lane.starts, after + 1
        while place < len(starts_ns) and (starts_ns[place] < now_ns or place <= lane.opening):
            place += 1
        if place < len(starts_ns):
            lane.expected = place
            heapq.heappush(self._heap, (starts_ns[place], lane.number, place))

"""All bars of all symbols in the order in which they end: an instant at a time, and within it by symbol."""

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import TypeAlias

import numpy as np

from trader.backtest.lanes import Lane
from trader.feeds.columns import NUMBERS, bar_of

BLOCK = 16_384  # bars that are Python numbers at a time

# lane (the place of its symbol), place within its columns, and the bar's numbers
Row: TypeAlias = tuple[int, ...]


class Timeline:
    """Every bar of every lane is visited."""

    def __init__(self, lanes: Sequence[Lane]) -> None:
        self.bars = 0  # that somebody has heard
        self._lanes = lanes
        self._columns = [one.columns for one in lanes]
        self._instants = self._taken()
        self._next: tuple[int, list[Row]] | None = next(self._instants, None)

    def upcoming_ns(self, ended_ns: int) -> int | None:
        """When the next bars end; None after the last."""
        return None if self._next is None else self._next[0]

    def arrive(self, at_ns: int, ended_ns: int) -> list[Lane]:
        """They have ended: their lanes, which have gone on to them."""
        assert self._next is not None
        lanes = []
        for number, place, *numbers in self._next[1]:
            lane = self._lanes[number]
            lane.go_to(place, bar_of(lane.symbol, numbers))
            lanes.append(lane)
        self.bars += len(lanes)
        self._next = next(self._instants, None)
        return lanes

    def pass_by(self) -> None:
        """They are nobody's."""
        self._next = next(self._instants, None)

    def catch_up(self, lane: Lane, ended_ns: int) -> None:
        """It has heard everything; what is nobody's hasn't ended for it."""

    def touch(self, lane: Lane) -> None:
        """Every bar is visited anyway."""

    def touch_all(self) -> None:
        """See above."""

    def _taken(self) -> Iterator[tuple[int, list[Row]]]:
        """(ends_ns, the bars that end then), until there are no more; of all columns only a window is looked at."""
        places = [0] * len(self._lanes)
        while left := [one for one, place in enumerate(places) if place < len(self._columns[one])]:
            ahead = max(1, BLOCK // len(left)) - 1
            until_ns = min(
                int(ends_ns[min(places[one] + ahead, len(ends_ns) - 1)])
                for one in left
                for ends_ns in [self._columns[one].ends_ns]
            )
            spans = []
            for one in left:
                ends_ns, first = self._columns[one].ends_ns, places[one]
                # No more of it than that ends until then.
                within = ends_ns[first : first + ahead + 1]
                places[one] += int(within.searchsorted(until_ns, side="right"))
                if places[one] > first:
                    spans.append((one, first, places[one]))
            yield from self._rows(spans)

    def _rows(self, spans: Sequence[tuple[int, int, int]]) -> Iterator[tuple[int, list[Row]]]:
        """Of each lane the bars from one place to another, put into order: by end, then by lane."""
        ends_ns = np.concatenate([self._columns[one].ends_ns[a:b] for one, a, b in spans])
        order = np.argsort(ends_ns, kind="stable")
        ends_ns = ends_ns[order]
        numbers = [
            np.concatenate([np.full(b - a, one) for one, a, b in spans]),
            np.concatenate([np.arange(a, b) for _, a, b in spans]),
            *(
                np.concatenate([getattr(self._columns[one], name)[a:b] for one, a, b in spans])
                for name in NUMBERS
            ),
        ]
        rows: list[Row] = list(zip(*(one[order].tolist() for one in numbers), strict=True))
        edges = [0, *(np.flatnonzero(np.diff(ends_ns)) + 1).tolist(), len(rows)]
        for at_ns, (low, high) in zip(ends_ns[edges[:-1]].tolist(), pairwise(edges), strict=True):
            yield at_ns, rows[low:high]

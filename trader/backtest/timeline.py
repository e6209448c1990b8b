"""All bars of all symbols in the order in which they end: an instant at a time, and within it by symbol."""

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import TypeAlias

import numpy as np

from trader.backtest.lanes import Lane
from trader.feeds.columns import Column
from trader.model import Bar

BLOCK = 16_384  # bars that are Python numbers at a time

# lane (the place of its symbol), place within its columns, start_ns, open, high, low, close, volume
Row: TypeAlias = tuple[int, int, int, int, int, int, int, int]


class Timeline:
    """Every bar of every lane is visited."""

    def __init__(self, lanes: Sequence[Lane]) -> None:
        self.bars = 0  # that somebody has heard
        self._lane = lanes
        histories = [one.columns for one in lanes]
        sizes = [len(one) for one in histories]
        self._count = sum(sizes)
        numbers = np.repeat(np.arange(len(histories)), sizes)
        ends_ns = _joined([one.ends_ns for one in histories])
        # Stable: within an instant lanes stay in order.
        order = np.argsort(ends_ns, kind="stable")
        self._ends_ns = ends_ns[order]
        self._lanes = numbers[order]
        first = np.cumsum([0, *sizes[:-1]]) if sizes else np.zeros(0, np.int64)
        self._places = order - first[self._lanes]
        self._order = order
        self._columns = [
            _joined([getattr(one, name) for one in histories])
            for name in ("start_ns", "open", "high", "low", "close", "volume")
        ]
        self._instants = self._taken()
        self._next: tuple[int, list[Row]] | None = next(self._instants, None)

    def upcoming_ns(self, ended_ns: int) -> int | None:
        """When the next bars end; None after the last."""
        return None if self._next is None else self._next[0]

    def arrive(self, at_ns: int, ended_ns: int) -> list[Lane]:
        """They have ended: their lanes, which have gone on to them."""
        assert self._next is not None
        lanes = []
        for number, place, start_ns, opened, high, low, close, volume in self._next[1]:
            lane = self._lane[number]
            lane.go_to(
                place,
                Bar(
                    symbol=lane.symbol,
                    start_ns=start_ns,
                    span_ns=at_ns - start_ns,
                    open=opened,
                    high=high,
                    low=low,
                    close=close,
                    volume=volume,
                ),
            )
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
        """(ends_ns, the bars that end then), until there are no more."""
        for begin, end in pairwise(self._cuts()):
            rows: list[Row] = list(
                zip(
                    self._lanes[begin:end].tolist(),
                    self._places[begin:end].tolist(),
                    *(column[self._order[begin:end]].tolist() for column in self._columns),
                    strict=True,
                )
            )
            ends = self._ends_ns[begin:end]
            edges = [0, *(np.flatnonzero(np.diff(ends)) + 1).tolist(), len(rows)]
            moments = ends[edges[:-1]].tolist() if rows else []
            for at_ns, (low, high) in zip(moments, pairwise(edges), strict=True):
                yield at_ns, rows[low:high]

    def _cuts(self) -> list[int]:
        """Where blocks begin and end: never within an instant."""
        cuts = [0]
        while cuts[-1] < self._count:
            wanted = min(cuts[-1] + BLOCK, self._count)
            last_ns = self._ends_ns[wanted - 1]
            cuts.append(int(np.searchsorted(self._ends_ns, last_ns, side="right")))
        return cuts


def _joined(columns: Sequence[Column]) -> Column:
    return np.concatenate(columns) if columns else np.zeros(0, np.int64)

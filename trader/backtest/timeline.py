"""All bars of all symbols in the order in which they end: an instant at a time, and within it by symbol."""

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import TypeAlias

import numpy as np

from trader.feeds.columns import Column, Columns

BLOCK = 16_384  # bars that are Python numbers at a time

# lane (the place of its symbol), place within its columns, start_ns, open, high, low, close, volume
Row: TypeAlias = tuple[int, int, int, int, int, int, int, int]


class Timeline:
    """`histories` of one symbol each; the rows of a timeline name them by their places here."""

    def __init__(self, histories: Sequence[Columns]) -> None:
        self._histories = histories
        self.bars = sum(len(one) for one in histories)
        sizes = [len(one) for one in histories]
        lanes = np.repeat(np.arange(len(histories)), sizes)
        ends_ns = _joined([one.ends_ns for one in histories])
        # Stable: within an instant lanes stay in order.
        order = np.argsort(ends_ns, kind="stable")
        self._ends_ns = ends_ns[order]
        self._lanes = lanes[order]
        first = np.cumsum([0, *sizes[:-1]]) if sizes else np.zeros(0, np.int64)
        self._places = order - first[self._lanes]
        self._order = order
        self._columns = [
            _joined([getattr(one, name) for one in histories])
            for name in ("start_ns", "open", "high", "low", "close", "volume")
        ]

    def instants(self) -> Iterator[tuple[int, list[Row]]]:
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
        while cuts[-1] < self.bars:
            wanted = min(cuts[-1] + BLOCK, self.bars)
            last_ns = self._ends_ns[wanted - 1]
            cuts.append(int(np.searchsorted(self._ends_ns, last_ns, side="right")))
        return cuts


def _joined(columns: Sequence[Column]) -> Column:
    return np.concatenate(columns) if columns else np.zeros(0, np.int64)

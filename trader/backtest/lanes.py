"""What a backtest keeps of one symbol: its columns, where it is in them, its workers, and what they were shown last."""

from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from decimal import Decimal

import numpy as np

from trader.backtest.hearing import Ahead, Heard, Ways
from trader.backtest.shares import NIGHT_NS, ShareHistory, in_shares
from trader.feeds.columns import Columns, bar_of, columns_of, from_place, joined
from trader.feeds.quotes import Quotes
from trader.feeds.recorded import quote_around
from trader.messages import OrderRequest
from trader.model import Bar, Quote
from trader.nights import JUMP_PER_MILLE_MAX
from trader.strategies.base import Fill, SymbolView
from trader.worker import Worker

BLOCK = 128  # bars that are made at a time
NEAR = 16  # bars ahead that are looked through first

Hire = Callable[[int], Sequence[Worker]]  # workers of their n-th incarnation


class Lane:
    """`place` is of the last bar that has ended. Its bar and quote are made only when somebody asks for them."""

    __slots__ = (
        "_bar",
        "_bar_place",
        "_before",
        "_block",
        "_block_first",
        "_closes",
        "_ends",
        "_hire",
        "_history",
        "_incarnation",
        "_reads_all",
        "_spread_rate",
        "_views",
        "_ways",
        "columns",
        "expected",
        "fills",
        "listener",
        "number",
        "opening",
        "place",
        "quotes",
        "shown",
        "starts",
        "symbol",
        "view",
        "workers",
    )

    def __init__(
        self,
        number: int,
        columns: Columns,
        history: ShareHistory,
        hire: Hire,
        spread_rate: Decimal,
        ways: Ways,
        quotes: Quotes | None = None,
    ) -> None:
        """history: these columns, perhaps with bars before. quotes: what its orders trade with, where there are any."""
        self.number = number
        self.symbol = columns.symbol
        self.columns = columns
        self.quotes = quotes
        self.view = SymbolView(symbol=columns.symbol)
        self.fills: list[Fill] = []
        self.place = -1
        self.shown = -1  # the place of the bar that the venue was told of last
        self.expected = -1  # whose open is waited for; of a lane with quotes: which of these
        self.opening = -1  # that opened last, as far as somebody waited for it
        self._hire = hire
        self._history = history
        self._before = len(history.columns) - len(columns)
        self._incarnation = 0
        self._spread_rate = spread_rate
        self._ways = ways
        self._reads_all = False  # who hears each bar has them made many at a time
        self._block: list[Bar] = []
        self._block_first = 0
        self._bar: Bar | None = None
        self._bar_place = -1
        self._views = columns.views()
        self.starts, self._ends, self._closes = (self._views[one] for one in (0, 1, 5))
        self._begin(self.starts[0] if self._before and len(columns) else 0)
        columns.rest()

    def _begin(self, at_ns: int) -> None:
        """Workers that are told the last bars until now, in the shares of that moment."""
        workers, after_it = self._hire(self._incarnation), self.place + 1
        told = {
            worker.name: self._history.last(
                worker.strategy.bars_needed, self._before + after_it, at_ns
            )
            for worker in workers
        }

        def heard(worker: Worker) -> tuple[Columns, int]:
            last, rest = told[worker.name], from_place(self.columns, after_it)
            parts = [columns_of(self.symbol, last), rest] if last else [rest]
            return joined(parts), after_it - len(last)

        self._take(workers, heard)
        for worker in workers:
            if told[worker.name]:
                worker.warm_up(told[worker.name], self.view)

    def _take(self, workers: Sequence[Worker], heard: Heard) -> None:
        self.workers = workers
        for one in workers:
            one.quote_now = self.quote
        self.listener = self._ways.listener(workers, heard, self)
        self._reads_all = isinstance(self.listener, Ahead)

    # ------------------------------------------------------------------------------------- where it is

    @property
    def bar(self) -> Bar | None:
        """The last that has ended, in the shares of now."""
        if self._bar_place != self.place:
            self._bar_place, self._bar = self.place, self.bar_at(self.place)
        return self._bar

    @property
    def close(self) -> int:
        """Of that bar: of one that there is."""
        if self._bar is not None and self._bar_place == self.place:
            return self._bar.close
        return self._closes[self.place]

    def bar_at(self, place: int) -> Bar:
        """As columns.bar(place), sooner."""
        if self._reads_all:
            at = place - self._block_first
            if not 0 <= at < len(self._block):
                self._block_first, self._block, at = place, self._read(place), 0
            return self._block[at]
        return bar_of(self.symbol, [one[place] for one in self._views])

    def _read(self, first: int) -> list[Bar]:
        columns = [one[first : first + BLOCK].tolist() for one in self._views]
        return [bar_of(self.symbol, numbers) for numbers in zip(*columns, strict=True)]

    def go_to(self, place: int, bar: Bar) -> None:
        """That bar has ended."""
        self.place = self._bar_place = place
        self._bar = bar

    def catch_up(self, ended_ns: int) -> None:
        """All bars have ended that end until then."""
        ends, after_it = self._ends, self.place + 1
        count = len(ends)
        if after_it < count and ends[after_it] <= ended_ns:
            step = NEAR  # which doubles: mostly it isn't far
            while after_it + step < count and ends[after_it + step] <= ended_ns:
                after_it += step
                step += step
            self.place = bisect_right(ends, ended_ns, after_it, min(after_it + step, count)) - 1

    def next_due_ns(self, *, is_watched: bool) -> int | None:
        """When the next bar ends that has to be visited; None where there is none."""
        place = self.place + 1
        if not is_watched:
            place = self.listener.next_place(self.place, self.view)
        return self._ends[place] if place < len(self._ends) else None

    def split(self, ratio: Decimal, at_ns: int) -> None:
        """New workers hear the last bars again, in today's shares: what the old ones remember is of others."""
        bar = self.bar
        if bar is not None:
            self._bar = in_shares(bar, ratio)
        self._incarnation += 1
        self._begin(at_ns)

    def jumps(self) -> Iterator[tuple[int, int, int, int]]:
        """(when a bar ends, when the one before did, the close of that, its open) where a price jumped over a night."""
        columns = self.columns
        if self._before:  # The night before the first of them was one, too.
            columns = from_place(self._history.columns, self._before - 1)
        before, opened = columns.close[:-1], columns.open[1:]
        is_night = columns.start_ns[1:] - columns.ends_ns[:-1] > NIGHT_NS
        is_far = np.abs(opened - before) * 1000 > before * JUMP_PER_MILLE_MAX
        for place in np.flatnonzero(is_night & is_far).tolist():
            ends_ns = int(columns.ends_ns[place + 1]), int(columns.ends_ns[place])
            yield *ends_ns, int(before[place]), int(opened[place])

    def quote(self) -> Quote | None:
        """Of the end of the last bar."""
        bar = self.bar
        return None if bar is None else self.quote_of(bar)

    def quote_of(self, bar: Bar) -> Quote | None:
        """The one that stands when it ends; where there are no quotes, one around its close."""
        ends_ns = bar.start_ns + bar.span_ns
        if self.quotes is not None:
            return self.quotes.standing(ends_ns)
        return quote_around(bar, ends_ns, spread_rate=self._spread_rate)

    def heard_fills(self) -> list[OrderRequest]:
        """The fills that nobody was told of yet are told; what is wanted about it."""
        told, self.fills = self.fills, []
        return [
            request
            for fill in told
            for worker in self.workers
            for request in worker.on_letter(fill, self.view)
        ]

    def heard_bar(self) -> list[OrderRequest]:
        """Its bar has ended: what its workers want."""
        bar = self.bar
        assert bar is not None, "it has ended"
        return self.listener.heard(self.place, bar, self.view)

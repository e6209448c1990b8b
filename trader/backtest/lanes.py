"""What a backtest keeps of one symbol: its columns, where it is in them, its workers, and what they were shown last."""

from collections.abc import Callable, Iterator, Sequence
from decimal import Decimal

import numpy as np

from trader.backtest.shares import in_shares
from trader.calendar import HOUR_NS
from trader.feeds.columns import Columns
from trader.feeds.recorded import quote_around
from trader.messages import OrderRequest
from trader.model import Bar, Quote
from trader.nights import JUMP_PER_MILLE_MAX
from trader.strategies.base import Fill, Strategy, SymbolView
from trader.worker import Worker

NIGHT_NS = 4 * HOUR_NS  # without a bar

Hire = Callable[[int], Sequence[Worker]]  # workers of their n-th incarnation


class Lane:
    """`bar` is the last that has ended. The quote of a moment is made only when somebody asks for it."""

    __slots__ = (
        "_hire",
        "_incarnation",
        "_spread_rate",
        "bar",
        "columns",
        "expected",
        "fills",
        "hears_quotes",
        "number",
        "opening",
        "place",
        "shown",
        "symbol",
        "view",
        "workers",
    )

    def __init__(self, number: int, columns: Columns, hire: Hire, spread_rate: Decimal) -> None:
        self.number = number
        self.symbol = columns.symbol
        self.columns = columns
        self.view = SymbolView(symbol=columns.symbol)
        self.fills: list[Fill] = []
        self.bar: Bar | None = None
        self.place = -1
        self.shown = -1  # the place of the bar that the venue was told of last
        self.expected = -1  # whose open is waited for
        self.opening = -1  # that opened last, as far as somebody waited for it
        self._hire = hire
        self._incarnation = 0
        self._spread_rate = spread_rate
        self._take(hire(0))

    def _take(self, workers: Sequence[Worker]) -> None:
        self.workers = workers
        self.hears_quotes = any(
            type(one.strategy).on_quote is not Strategy.on_quote for one in workers
        )
        for one in workers:
            one.quote_now = self.quote

    def split(self, ratio: Decimal) -> None:
        """New workers hear the last bars again, in today's shares: what the old ones remember is of others."""
        if self.bar is not None:
            self.bar = in_shares(self.bar, ratio)
        self._incarnation += 1
        self._take(self._hire(self._incarnation))
        for worker in self.workers:
            count = worker.strategy.bars_needed
            first = max(0, self.place + 1 - count)
            worker.warm_up(
                (in_shares(self.columns.bar(one), ratio) for one in range(first, self.place + 1)),
                self.view,
            )

    def jumps(self) -> Iterator[tuple[int, int, int, int]]:
        """(when a bar ends, when the one before did, the close of that, its open) where a price jumped over a night."""
        columns = self.columns
        before, opened = columns.close[:-1], columns.open[1:]
        is_night = columns.start_ns[1:] - columns.ends_ns[:-1] > NIGHT_NS
        is_far = np.abs(opened - before) * 1000 > before * JUMP_PER_MILLE_MAX
        for place in np.flatnonzero(is_night & is_far).tolist():
            ends_ns = int(columns.ends_ns[place + 1]), int(columns.ends_ns[place])
            yield *ends_ns, int(before[place]), int(opened[place])

    def quote(self) -> Quote | None:
        """Around the close of the last bar, from its end on."""
        bar = self.bar
        if bar is None:
            return None
        return quote_around(bar, bar.start_ns + bar.span_ns, spread_rate=self._spread_rate)

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
        if len(self.workers) == 1 and not self.hears_quotes:
            return self.workers[0].on_letter(bar, self.view)
        wanted: list[OrderRequest] = []
        if self.hears_quotes and (quote := self.quote()) is not None:
            for worker in self.workers:
                wanted += worker.on_letter(quote, self.view)
        for worker in self.workers:
            wanted += worker.on_letter(bar, self.view)
        return wanted

"""What a backtest keeps of one symbol: its columns, where it is in them, its workers, and what they were shown last."""

from collections.abc import Sequence
from decimal import Decimal

from trader.feeds.columns import Columns
from trader.feeds.recorded import quote_around
from trader.messages import OrderRequest
from trader.model import Bar, Quote
from trader.strategies.base import Fill, Strategy, SymbolView
from trader.worker import Worker


class Lane:
    """`bar` is the last that has ended. The quote of a moment is made only when somebody asks for it."""

    __slots__ = (
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

    def __init__(
        self, number: int, columns: Columns, workers: Sequence[Worker], spread_rate: Decimal
    ) -> None:
        self.number = number
        self.symbol = columns.symbol
        self.columns = columns
        self.workers = workers
        self.view = SymbolView(symbol=columns.symbol)
        self.fills: list[Fill] = []
        self.bar: Bar | None = None
        self.place = -1
        self.shown = -1  # the place of the bar that the venue was told of last
        self.expected = -1  # whose open is waited for
        self.opening = -1  # that opened last, as far as somebody waited for it
        self.hears_quotes = any(
            type(one.strategy).on_quote is not Strategy.on_quote for one in workers
        )
        self._spread_rate = spread_rate
        for one in workers:
            one.quote_now = self.quote

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

"""The tape: market data passes the guard here, and goes to the mailboxes of those who watch the symbol.

It also remembers the last trusted quote of each symbol: the marks of the clock's input, and what a worker that starts
late has to begin with.
"""

from collections import Counter
from collections.abc import Callable, Iterable
from typing import Protocol

from trader.mailbox import Mailbox
from trader.market_guard import Guard, Rejection
from trader.model import Bar, Quote, Symbol
from trader.strategies.base import Fill, SymbolView


class Listener(Protocol):
    """Who sees every trusted tick, and hears whose state has changed. Neither may block."""

    def ticked(self, tick: Bar | Quote) -> None: ...

    def changed(self, symbol: Symbol) -> None: ...


class Tape:
    """Synchronous: one call for each bar or quote, and no await."""

    def __init__(
        self,
        symbols: Iterable[Symbol],
        market_ns: Callable[[], int],
        rejected: Callable[[Bar | Quote, Rejection], None] = lambda tick, why: None,
    ) -> None:
        self._guards = {symbol: Guard(symbol) for symbol in symbols}
        self._market_ns = market_ns
        self._rejected = rejected
        self._readers: dict[Symbol, list[Mailbox]] = {symbol: [] for symbol in self._guards}
        self.quotes: dict[Symbol, Quote] = {}
        self.closes: dict[Symbol, int] = {}
        self.listener: Listener | None = None

    def deliver(self, tick: Bar | Quote) -> None:
        """Judge it, and hand it on if it is fit to decide on; symbols that nobody asked for are dropped."""
        guard = self._guards.get(tick.symbol)
        if guard is None:
            return
        if isinstance(tick, Bar):
            # A bar that comes late fills a gap: averages need it, and what is decided on it has expired.
            rejection = guard.judge_bar(tick, min(self._market_ns(), tick.start_ns + tick.span_ns))
        else:
            rejection = guard.judge_quote(tick, self._market_ns())
        if rejection is not None:
            self._rejected(tick, rejection)
            return
        if isinstance(tick, Quote):
            self.quotes[tick.symbol] = tick
        else:
            self.closes[tick.symbol] = tick.close
        for reader in self._readers[tick.symbol]:
            reader.put(tick)
        if self.listener is not None:
            self.listener.ticked(tick)

    def publish(self, symbol: Symbol, view: SymbolView, fills: list[Fill]) -> None:
        """The executor's side: the new state of a symbol, then its fills."""
        for reader in self._readers.get(symbol, ()):
            reader.view = view
            for fill in fills:
                reader.put(fill)
        if self.listener is not None:
            self.listener.changed(symbol)

    def attach(self, symbol: Symbol, reader: Mailbox) -> None:
        """From now on this mailbox gets what there is of the symbol, beginning with the last quote."""
        self._readers[symbol].append(reader)
        if symbol in self.quotes:
            reader.put(self.quotes[symbol])

    def detach(self, symbol: Symbol, reader: Mailbox) -> None:
        """No more."""
        self._readers[symbol].remove(reader)
        reader.close()

    def marks(self, symbols: Iterable[Symbol]) -> dict[Symbol, int]:
        """The middle of the last trusted quote, else the last close, in price ticks; only of symbols that have one."""
        marks: dict[Symbol, int] = {}
        for symbol in symbols:
            quote = self.quotes.get(symbol)
            if quote is not None and quote.bid and quote.ask:
                marks[symbol] = (quote.bid + quote.ask) // 2
            elif symbol in self.closes:
                marks[symbol] = self.closes[symbol]
        return marks

    def rejections(self) -> Counter[Rejection]:
        """How many ticks were not fit, by reason."""
        return sum((guard.rejections for guard in self._guards.values()), Counter())

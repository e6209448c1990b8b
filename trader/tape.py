"""The tape: market data passes the guard here, and goes to the mailboxes of those who watch the symbol.

It also remembers the last trusted quote of each symbol, which a worker that starts late begins with, and the marks: the
prices that two witnesses have confirmed. They are what the clock's input carries, so what brakes and stops go by.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import NamedTuple, Protocol

from trader.mailbox import Mailbox
from trader.market_guard import LIMIT_STATE, Guard, Rejection
from trader.marks import Mark
from trader.messages import SecurityStatus
from trader.model import Bar, PriceBand, Quote, Symbol, Tick
from trader.strategies.base import Fill, SymbolView

HELD_MAX = 1_000  # ticks of one symbol that wait while the day before is asked about


class Listener(Protocol):
    """Who sees every trusted tick, and hears whose state has changed, or whose shares. None may block."""

    def ticked(self, tick: Bar | Quote) -> None: ...

    def changed(self, symbol: Symbol) -> None: ...

    def split(self, symbol: Symbol) -> None: ...


class Told(NamedTuple):
    """How many quotes those had who read no more, and how many of them a newer one had replaced before."""

    quotes: int = 0
    conflated: int = 0


class Tape:
    """Synchronous: one call for each bar or quote, and no await.

    `night` is told of a symbol whose day began far from the day before, and asks what that was worth in today's shares;
    everything of the symbol waits for `settle`. `jumped` is told of a jump over a night that nothing explains, and
    `limited` of a limit state; they say whether they could pass that on.
    """

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
        self._hearers: dict[Symbol, list[Mailbox]] = {}  # of bars alone, beside other symbols
        self._marks = {symbol: Mark() for symbol in self._guards}
        self._held: dict[Symbol, list[Bar | Quote]] = {}
        self._moved: dict[Symbol, tuple[int, int]] = {}  # the last trusted price, and since when
        self.night: Callable[[Symbol, int], None] = lambda symbol, before_ns: None
        self.jumped: Callable[[Symbol, int, int], bool] = lambda symbol, before, after: True
        self.limited: Callable[[SecurityStatus], bool] = lambda status: True
        self._limited: set[Symbol] = set()  # of these that was told
        self.quotes: dict[Symbol, Quote] = {}
        self.told = Told()
        self.bars_ns: dict[Symbol, int] = {}  # when the last bar began
        self.listener: Listener | None = None

    def deliver(self, tick: Tick) -> None:
        """Judge it, and hand it on if it is fit to decide on; symbols that nobody asked for are dropped."""
        guard = self._guards.get(tick.symbol)
        if guard is None:
            return
        if isinstance(tick, PriceBand):
            guard.take_band(tick)
            return
        was_held = guard.is_held
        rejection = self._judged(guard, tick)
        if rejection is Rejection.HELD:
            held = self._held.setdefault(tick.symbol, [])
            if len(held) < HELD_MAX:
                held.append(tick)
            if not was_held:
                self.night(tick.symbol, guard.before_ns)
            return
        if rejection is not None:
            self._rejected(tick, rejection)
            if rejection is Rejection.OUTSIDE_BAND and isinstance(tick, Quote):
                self._note_limit(guard, tick)
            return
        if guard.jump is not None:
            if not self.jumped(tick.symbol, *guard.jump):
                return  # The next tick tries again.
            guard.jump = None
        self._take(guard, tick)

    def settle(self, symbol: Symbol, reference: Bar | None) -> None:
        """The last bar of the day before in today's shares, where it is known; what was held goes on.

        After a split all prices that are remembered are of other shares: marks and workers start over.
        """
        close, ended_ns = None, -1
        if reference is not None:
            close, ended_ns = reference.close, reference.start_ns + reference.span_ns
        if self._guards[symbol].settle(close, ended_ns):
            self._marks[symbol] = Mark()
            for reader in (*self._readers[symbol], *self._hearers.get(symbol, ())):
                reader.start_over()
            if self.listener is not None:
                self.listener.split(symbol)
        for tick in self._held.pop(symbol, []):
            self.deliver(tick)

    def seed(self, symbol: Symbol, bar: Bar) -> None:
        """A bar of history that the first tick is held against."""
        self._guards[symbol].seed(bar)

    def is_seeded(self, symbol: Symbol) -> bool:
        """There is a price to hold ticks against."""
        return self._guards[symbol].trusted is not None

    def publish(self, symbol: Symbol, view: SymbolView, fills: list[Fill]) -> None:
        """The executor's side: the new state of a symbol, then its fills."""
        for reader in self._readers.get(symbol, ()):
            reader.view = view
            for fill in fills:
                reader.put(fill)
        if self.listener is not None:
            self.listener.changed(symbol)

    def attach(self, symbol: Symbol, reader: Mailbox, hears: Iterable[Symbol] = ()) -> None:
        """From now on this mailbox gets what there is of the symbol, beginning with the last quote; of others bars."""
        self._readers[symbol].append(reader)
        for other in hears:
            self._hearers.setdefault(other, []).append(reader)
        if symbol in self.quotes:
            reader.put(self.quotes[symbol])

    def detach(self, symbol: Symbol, reader: Mailbox, hears: Iterable[Symbol] = ()) -> None:
        """No more."""
        self._readers[symbol].remove(reader)
        for other in hears:
            self._hearers[other].remove(reader)
        self.told = Told(self.told.quotes + reader.quotes, self.told.conflated + reader.conflated)
        reader.close()

    def marks(self, symbols: Iterable[Symbol], since_ns: int = 0) -> dict[Symbol, int]:
        """The confirmed price of each symbol that has one, in price ticks; one tick alone never moves it (marks.py).

        Only of symbols that were told of since then.
        """
        known = ((symbol, self._marks.get(symbol)) for symbol in symbols)
        return {
            symbol: mark.price
            for symbol, mark in known
            if mark is not None and mark.price is not None and mark.at_ns >= since_ns
        }

    def resumptions(self, halts: Mapping[Symbol, tuple[str, int]]) -> Iterator[SecurityStatus]:
        """What has a bar trades, also where nobody was there to hear the exchange say that it goes on.

        In a limit state it trades, too: that is over with a quote within the band.
        """
        for symbol, (why, since_ns) in sorted(halts.items()):
            if why == LIMIT_STATE:
                yield from self._left_limit(symbol, since_ns)
            elif (bar_ns := self.bars_ns.get(symbol, -1)) >= since_ns:
                yield SecurityStatus(
                    symbol=symbol, is_halted=False, reason="it has a bar", at_ns=bar_ns
                )

    def _left_limit(self, symbol: Symbol, since_ns: int) -> Iterator[SecurityStatus]:
        quote = self.quotes.get(symbol)
        if quote is not None and quote.at_ns > since_ns and symbol not in self._limited:
            yield SecurityStatus(
                symbol=symbol, is_halted=False, reason="within its band", at_ns=quote.at_ns
            )

    def _note_limit(self, guard: Guard, quote: Quote) -> None:
        if quote.symbol in self._limited or not guard.is_limited_by(quote):
            return
        status = SecurityStatus(
            symbol=quote.symbol, is_halted=True, reason=LIMIT_STATE, at_ns=quote.at_ns
        )
        if self.limited(status):
            self._limited.add(quote.symbol)

    def rejections(self) -> Counter[Rejection]:
        """How many ticks were not fit, by reason."""
        return sum((guard.rejections for guard in self._guards.values()), Counter())

    def _judged(self, guard: Guard, tick: Bar | Quote) -> Rejection | None:
        def others_moved_ns() -> int:
            return max(
                (at for one, (_, at) in self._moved.items() if one != tick.symbol), default=-1
            )

        now_ns = self._market_ns()
        if isinstance(tick, Quote):
            return guard.judge_quote(tick, now_ns, others_moved_ns=others_moved_ns)
        # A bar that comes late fills a gap: averages need it, and what is decided on it has expired.
        ends_ns = tick.start_ns + tick.span_ns
        return guard.judge_bar(tick, min(now_ns, ends_ns), others_moved_ns=others_moved_ns)

    def _take(self, guard: Guard, tick: Bar | Quote) -> None:
        symbol, at_ns = tick.symbol, guard.trusted_ns
        assert guard.trusted is not None, "this tick is trusted"
        if self._moved.get(symbol, (0, 0))[0] != guard.trusted:
            self._moved[symbol] = (guard.trusted, at_ns)
        if isinstance(tick, Quote):
            self.quotes[symbol] = tick
            self._limited.discard(symbol)
        else:
            self.bars_ns[symbol] = tick.start_ns
            for hearer in self._hearers.get(symbol, ()):
                hearer.put(tick)
        self._marks[symbol].see(tick)
        for reader in self._readers[symbol]:
            reader.put(tick)
        if self.listener is not None:
            self.listener.ticked(tick)

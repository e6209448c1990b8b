"""The bars that nobody delivered: fetched when the data stream is back, and delivered before its own."""

import logging
from collections.abc import Callable, Sequence

import trio

from trader.brokers.alpaca.history import bars_between
from trader.brokers.alpaca.transport import HttpLink
from trader.model import MINUTE_NS, Bar, PriceBand, Symbol, Tick
from trader.ports import BrokerUnavailable, Deliver

logger = logging.getLogger("trader.adapter")
AGAIN_SECONDS = 0.5


class Gap:
    """Knows the last bar of each symbol. A bar that a strategy never saw makes all its averages wrong.

    Gives up after `seconds_max`: prices that come now matter more to an open position than those that are missing.
    """

    def __init__(
        self,
        link: HttpLink,
        feed: str,
        symbols: Sequence[Symbol],
        *,
        market_ns: Callable[[], int],
        deliver: Deliver,
        seconds_max: float,
    ) -> None:
        self._link = link
        self._feed = feed
        self._symbols = symbols
        self._market_ns = market_ns
        self._deliver = deliver
        self._seconds_max = seconds_max
        self._last: dict[Symbol, int] = {}  # start of the last bar
        self._banded: set[Symbol] = set()
        self._filled: dict[Symbol, int] = {}  # the same, of those that filled a gap

    def deliver(self, tick: Tick) -> None:
        """Hand it on, but not again what has filled a gap."""
        if isinstance(tick, Bar):
            if tick.start_ns <= self._filled.get(tick.symbol, -1):
                return
            self._last[tick.symbol] = max(tick.start_ns, self._last.get(tick.symbol, -1))
        elif isinstance(tick, PriceBand):
            self._banded.add(tick.symbol)
        self._deliver(tick)

    def forget_bands(self) -> None:
        """Those of before may have moved while nobody heard it."""
        for symbol in sorted(self._banded):
            self._deliver(PriceBand(symbol=symbol, at_ns=self._market_ns(), up=0, down=0))
        self._banded.clear()

    async def fill(self) -> None:
        """Deliver what is missing, in its order. The first time of all nothing is: workers begin with history."""
        now_ns = self._market_ns()
        if not self._last:
            # What ended before now is history, and the bar of this minute will come.
            self._last = dict.fromkeys(self._symbols, (now_ns // MINUTE_NS - 1) * MINUTE_NS)
            return
        why = "no answer"
        with trio.move_on_after(self._seconds_max):
            while True:
                try:
                    missing = await bars_between(self._link, self._feed, self._last, now_ns)
                except BrokerUnavailable as trouble:
                    why = str(trouble)
                    await trio.sleep(AGAIN_SECONDS)
                else:
                    self._fill_in(missing)
                    return
        logger.warning("market data: the bars since the loss are missing: %s", why)

    def _fill_in(self, missing: Sequence[Bar]) -> None:
        for bar in missing:
            self.deliver(bar)
        self._filled |= {bar.symbol: bar.start_ns for bar in missing}
        logger.info("market data: %d bars fill the gap", len(missing))

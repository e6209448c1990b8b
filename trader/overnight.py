"""Asks what a symbol was worth the day before in today's shares, when its day begins far from there: perhaps a split.

The broker's history is adjusted for every split that it knows. If that explains the difference, it was one, and marks
and workers start over in today's shares. If it doesn't, three ticks have to agree before the market is believed; and a
jump beyond any ordinary night quarantines the symbol, for a person to look at.
"""

from collections.abc import Callable

import trio

from trader.inbox import Inbox
from trader.messages import PriceJumped
from trader.model import MINUTE_NS, Symbol
from trader.ports import BrokerRefused, BrokerUnavailable, Feed, Pace
from trader.tape import Tape

PAUSE_S = (
    1.0  # machine time between two tries; meanwhile the symbol has no prices, so takes no entries
)
PAUSE_MAX_S = 30.0


class Overnight:
    """The tape tells it synchronously; `run` asks, one symbol after the other, for as long as it takes."""

    def __init__(
        self, tape: Tape, feed: Feed, pace: Pace, inbox: Inbox, market_ns: Callable[[], int]
    ) -> None:
        self._tape = tape
        self._feed = feed
        self._pace = pace
        self._inbox = inbox
        self._market_ns = market_ns
        self._asked: dict[Symbol, int] = {}
        self._wanted = trio.Event()
        tape.night = self._night
        tape.jumped = self._jumped

    async def run(self) -> None:
        """Answer the tape, for ever."""
        while True:
            await self._wanted.wait()
            self._wanted = trio.Event()
            async with trio.open_nursery() as nursery:
                asked, self._asked = self._asked, {}
                for symbol, before_ns in asked.items():
                    nursery.start_soon(self._settle, symbol, before_ns)

    def _night(self, symbol: Symbol, trusted_ns: int) -> None:
        self._asked[symbol] = trusted_ns
        self._pace.began((self, symbol))
        self._wanted.set()

    async def _settle(self, symbol: Symbol, trusted_ns: int) -> None:
        before_ns = (trusted_ns // MINUTE_NS + 1) * MINUTE_NS
        pause_s = PAUSE_S
        while True:
            try:
                history = await self._feed.history(symbol, before_ns, 1)
                break
            except (BrokerUnavailable, BrokerRefused):
                await trio.sleep(pause_s)
                pause_s = min(2 * pause_s, PAUSE_MAX_S)
        self._tape.settle(symbol, history[-1] if history else None)
        self._pace.ended((self, symbol))

    def _jumped(self, symbol: Symbol, before: int, after: int) -> bool:
        told = PriceJumped(symbol=symbol, before=before, after=after, at_ns=self._market_ns())
        # It has to be there before anything that is decided on the new price.
        try:
            self._inbox.tell_nowait(told)
        except trio.WouldBlock:
            return False
        return True

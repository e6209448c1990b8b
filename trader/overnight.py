"""Asks what a symbol was worth the day before in today's shares, when its day begins far from there: perhaps a split.

The broker's history is adjusted for every split that it knows. If that explains the difference, it was one, and marks
and workers start over in today's shares. If it doesn't, three ticks have to agree before the market is believed; and a
jump beyond any ordinary night quarantines the symbol, for a person to look at.
"""

from collections.abc import Callable, Iterable

import trio

from trader import nights
from trader.inbox import Inbox
from trader.messages import PriceJumped
from trader.model import MINUTE_NS, SECOND_NS, Symbol
from trader.ports import BrokerRefused, BrokerUnavailable, Feed, Pace
from trader.state import ExecutionState
from trader.tape import Tape

PAUSE_S = (
    1.0  # machine time between two tries; meanwhile the symbol has no prices, so takes no entries
)
PAUSE_MAX_S = 30.0
MARK_AGE_NS_MAX = 90 * SECOND_NS


class Overnight:
    """The tape tells it synchronously; `run` asks, for each symbol apart, and for as long as it takes."""

    def __init__(
        self, tape: Tape, feed: Feed, pace: Pace, inbox: Inbox, market_ns: Callable[[], int]
    ) -> None:
        self._tape = tape
        self._feed = feed
        self._pace = pace
        self._inbox = inbox
        self._market_ns = market_ns
        self._asked: dict[Symbol, int] = {}
        self._doubted: dict[
            Symbol, int
        ] = {}  # marks that wait, and how many statements there had been
        self._wanted = trio.Event()
        tape.night = self._night
        tape.jumped = self._jumped

    async def run(self) -> None:
        """Answer the tape, for ever. Nobody waits for the answer about another symbol."""
        async with trio.open_nursery() as nursery:
            while True:
                await self._wanted.wait()
                self._wanted = trio.Event()
                asked, self._asked = self._asked, {}
                for symbol, before_ns in asked.items():
                    nursery.start_soon(self._settle, symbol, before_ns)

    def believed(
        self,
        state: ExecutionState,
        symbols: Iterable[Symbol],
        at_ns: int,
        want_statement: Callable[[], None],
    ) -> dict[Symbol, int]:
        """The marks of now, but for those that jumped over a night: perhaps a split was booked since we asked last.

        They are told once a statement has come: then either the books know of a split, or there was none.
        """
        marks = self._tape.marks(symbols, at_ns - MARK_AGE_NS_MAX)
        jumps = {
            symbol
            for symbol, mark in marks.items()
            if nights.is_jump(state.position(symbol), mark, state.session_began_ns)
        }
        for symbol in jumps - self._doubted.keys():
            self._doubted[symbol] = state.statements
            want_statement()
        told = {symbol for symbol, count in self._doubted.items() if state.statements > count}
        self._doubted = {one: at for one, at in self._doubted.items() if one in jumps - told}
        return {one: mark for one, mark in marks.items() if one not in jumps - told}

    def _night(self, symbol: Symbol, told_ns: int) -> None:
        self._asked[symbol] = told_ns
        self._pace.began((self, symbol))
        self._wanted.set()

    async def _settle(self, symbol: Symbol, told_ns: int) -> None:
        """The bar that ended then, or is under way then: the very one that was trusted last, where there was one."""
        before_ns = -(-told_ns // MINUTE_NS) * MINUTE_NS
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
        return self._inbox.try_tell(told)

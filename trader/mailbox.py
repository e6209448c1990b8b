"""What waits for one worker: bars in order and never dropped, the latest quote only, fills, the latest state.

Putting never blocks and never awaits, so no slow worker can hold up the feed or the executor. A worker that falls so
far behind that BARS_MAX bars wait has lost its place: the mailbox says so, and its supervisor warms it up again.
"""

from collections import deque

import trio

from trader.model import Bar, Quote
from trader.ports import Pace
from trader.strategies.base import Fill, SymbolView

BARS_MAX = 512


class FellBehind(Exception):
    """More bars waited than the mailbox holds; the worker has to start over with fresh history."""


class StartOver(Exception):
    """What the worker remembers is of other shares: it has to begin with history that fits today's."""


Letter = Bar | Quote | Fill


def decided_on(letter: Letter) -> tuple[str, int]:
    """The market event that a letter tells of, by a name that is the same however it came; and its market time."""
    match letter:
        case Bar():
            event = f"bar|{letter.symbol}|{letter.span_ns}|{letter.start_ns}"
            return event, letter.start_ns + letter.span_ns
        case Quote():
            return f"quote|{letter.symbol}|{letter.at_ns}", letter.at_ns
        case Fill():
            return f"fill|{letter.symbol}|{letter.at_ns}|{letter.quantity}", letter.at_ns


class Mailbox:
    """One worker's; the pace counts it as under way while anything is unread."""

    def __init__(self, pace: Pace, view: SymbolView) -> None:
        self.view = view  # the executor's published state, as of now
        self._pace = pace
        self._bars: deque[Bar] = deque()
        self._fills: deque[Fill] = deque()
        self._quote: Quote | None = None
        self.quotes = 0  # that were put
        self.conflated = 0  # of them: a newer one came before they were read
        self._has_overflowed = False
        self._starts_over = False
        self._arrived = trio.Event()

    def put(self, letter: Letter) -> None:
        """Leave a letter; a newer quote replaces one that was not read yet."""
        match letter:
            case Quote():
                self.quotes += 1
                self.conflated += self._quote is not None
                self._quote = letter
            case Bar() if len(self._bars) >= BARS_MAX:
                self._has_overflowed = True
            case Bar():
                self._bars.append(letter)
            case Fill():
                self._fills.append(letter)
        self._pace.began(self)
        self._arrived.set()

    def start_over(self) -> None:
        """Whoever reads begins anew, with fresh history."""
        self._starts_over = True
        self._pace.began(self)
        self._arrived.set()

    async def take(self) -> list[Letter]:
        """Everything unread: fills, then the quote, then bars, so that a bar is judged with the newest price.

        Raises FellBehind or StartOver. Until the next call the pace still counts it as being worked on.
        """
        if not self._has_mail():
            self._pace.ended(self)
            self._arrived = trio.Event()
            await self._arrived.wait()
        else:
            await trio.lowlevel.checkpoint()
        if self._starts_over:
            raise StartOver
        if self._has_overflowed:
            raise FellBehind(f"{BARS_MAX} bars waited")
        letters: list[Letter] = [*self._fills]
        if self._quote is not None:
            letters.append(self._quote)
        letters.extend(self._bars)
        self._fills.clear()
        self._bars.clear()
        self._quote = None
        return letters

    def close(self) -> None:
        """Nobody reads any more: the market need not wait for what is left."""
        self._pace.ended(self)

    def _has_mail(self) -> bool:
        return bool(
            self._bars or self._fills or self._quote or self._has_overflowed or self._starts_over
        )

"""The play `stampede`: seven more tasks beside each symbol's own, all wanting to buy in the same instant, every minute.

Some of them fail on the way and are started again. However often it is asked, each symbol is bought once.
"""

from collections import Counter
from collections.abc import Sequence
from decimal import Decimal

from trader.calendar import Session
from trader.model import Bar, Purpose, Side, Size, StrategyName, Symbol
from trader.scenarios.play import Outcome, Play
from trader.strategies.base import NoParameters, Strategy, SymbolView, Wish
from trader.supervisor import WorkerPlan

TASKS = 8
SIZE = Size(unit="notional", amount=Decimal(2_000))
FAILS_EVERY = 23  # bars between one task's failure and the next one's


class StagedFailure(Exception):
    """A worker that fails on purpose."""


class Eager(Strategy):
    """Wants to buy at every bar, whatever it holds: the program that had no check at all."""

    def __init__(self, name: StrategyName, fails_at: int | None) -> None:
        super().__init__(name, SIZE, NoParameters())
        self._bars_left = fails_at

    def on_bar(self, bar: Bar, view: SymbolView) -> Sequence[Wish]:
        """Never looks at the view."""
        if self._bars_left is not None:
            self._bars_left -= 1
            if self._bars_left < 0:
                raise StagedFailure(f"{self.name} fails on purpose, once")
        return (Wish(side=Side.BUY, purpose=Purpose.ENTER, size=SIZE, reason="wants it now"),)


def _eager(symbol: Symbol, number: int) -> WorkerPlan:
    """Its first incarnation fails, later ones don't; the number says when."""
    incarnations = Counter[str]()
    name = StrategyName(f"eager-{number}")

    def make() -> Strategy:
        incarnations[name] += 1
        return Eager(name, FAILS_EVERY * number if number and incarnations[name] == 1 else None)

    return WorkerPlan(name=f"{symbol}/{name}", symbol=symbol, make=make)


class Stampede(Play):
    """See the module."""

    name = "stampede"
    story = f"{TASKS} tasks for each symbol want to buy it in the same instant, every minute"

    def cast(self, plans: Sequence[WorkerPlan], session: Session) -> list[WorkerPlan]:
        """Eight eager tasks for each symbol that is traded."""
        symbols = sorted({plan.symbol for plan in plans})
        return [_eager(symbol, number) for symbol in symbols for number in range(TASKS)]

    def violations(self, outcome: Outcome) -> list[str]:
        """Anything but one buy for each symbol, and a block for every other request."""
        found: list[str] = []
        buys = Counter(order.symbol for order in outcome.accepted if order.side is Side.BUY)
        for symbol in outcome.symbols:
            if buys[symbol] != 1:
                found.append(f"{symbol} was bought {buys[symbol]} times")
        counts = outcome.state.counts
        if counts.accepted + counts.blocked != counts.requests:
            found.append(f"{counts.denied} requests were denied instead of blocked")
        return found

    def verdict(self, outcome: Outcome) -> str:
        """The counts."""
        counts = outcome.state.counts
        return (
            f"stampede: {counts.requests:,} requests, {len(outcome.symbols)} symbols bought once each, "
            f"{counts.blocked:,} duplicates blocked"
        )

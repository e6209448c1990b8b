"""The real program with one strategy more: it wants to buy at every bar and quote, whatever it was told before."""

import sys
from collections.abc import Iterable

from trader.__main__ import main
from trader.live import take_over
from trader.model import Bar, Purpose, Quote, Side
from trader.strategies import STRATEGIES
from trader.strategies.base import Strategy, SymbolView, Wish

WAIT_S = 1.0  # for what a process may have been sending that is stopped or held at a step


class Insistent(Strategy):
    """Nothing but the executor stands between it and an order at every tick."""

    def on_bar(self, bar: Bar, view: SymbolView) -> Iterable[Wish]:
        return self._wish()

    def on_quote(self, quote: Quote, view: SymbolView) -> Iterable[Wish]:
        return self._wish()

    def _wish(self) -> Iterable[Wish]:
        return (Wish(side=Side.BUY, purpose=Purpose.ENTER, size=self.size, reason="again"),)


if __name__ == "__main__":
    STRATEGIES["insistent"] = Insistent
    take_over.WAIT_S = WAIT_S
    sys.exit(main())

"""The real program with one strategy more, for plays that start it as a process: it wants the same at every tick."""

import runpy
from collections.abc import Iterable
from typing import ClassVar

from msgspec import Struct

from trader.model import Bar, Purpose, Quote, Side, Size, StrategyName, Symbol
from trader.strategies import STRATEGIES
from trader.strategies.base import Strategy, SymbolView, Wish


class InsistentParameters(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """only: the one symbol that it wants, empty for each; sells: those that it wants to be rid of."""

    only: str = ""
    sells: str = ""


class Insistent(Strategy):
    """Nothing but the executor stands between it and an order at every tick."""

    Parameters: ClassVar[type[Struct]] = InsistentParameters

    def __init__(self, name: StrategyName, size: Size, parameters: InsistentParameters) -> None:
        super().__init__(name, size, parameters)
        self._only = parameters.only
        self._sells = parameters.sells.split(",")

    def on_bar(self, bar: Bar, view: SymbolView) -> Iterable[Wish]:
        """The view is not looked at."""
        return self._wishes(bar.symbol)

    def on_quote(self, quote: Quote, view: SymbolView) -> Iterable[Wish]:
        """The same."""
        return self._wishes(quote.symbol)

    def _wishes(self, symbol: Symbol) -> Iterable[Wish]:
        if symbol in self._sells:
            yield Wish(side=Side.SELL, purpose=Purpose.EXIT, size=None, reason="rid of it")
        elif self._only in ("", symbol):
            yield Wish(side=Side.BUY, purpose=Purpose.ENTER, size=self.size, reason="again")


if __name__ == "__main__":
    STRATEGIES["insistent"] = Insistent
    runpy.run_module("trader", run_name="__main__", alter_sys=True)

"""Pairs: of two symbols that go together the one that has become cheap beside the other, until it is so no more.

How cheap is said in whole numbers. With sums A and B of the last n closes of ours and of the other, each close of ours
less the other's, both as parts of their means, is s = a x B - b x A, but for a factor that is the same for all n. So
their mean is exactly zero, the sum of their squares is made of five moving sums, and z = s / sqrt(sum / n) is compared
squared: no division, no root and no logarithm decides a trade. It is dollar for dollar: a percent of the one weighs as
much as a percent of the other.
"""

import math
from collections import deque
from collections.abc import Collection, Iterable
from decimal import Decimal
from typing import Annotated, ClassVar

from msgspec import Meta, Struct

from trader.config import is_symbol
from trader.model import Bar, Side, Size, StrategyName, Symbol
from trader.strategies.base import StrategyError, SymbolView, Wish
from trader.strategies.by_bars import BarStrategy
from trader.strategies.indicators import WINDOW_MAX, dollars_text
from trader.strategies.sizing import SizedParameters, number_between

WIDTH_MAX = Decimal(100)


class PairsParameters(SizedParameters, frozen=True, kw_only=True):
    """pair: KO/PEP; bars: of how many minutes, in which both have a bar, mean and deviation are taken.

    width: how many deviations below the mean is cheap.
    """

    pair: str
    bars: Annotated[int, Meta(ge=2, le=WINDOW_MAX)] = 60
    width: Decimal = Decimal(2)


class Pairs(BarStrategy):
    """On both symbols of the pair, each long only: in when it falls below, out from the mean on.

    It decides where both have a bar that began at the same time, at whichever of the two comes last.
    """

    Parameters: ClassVar[type[Struct]] = PairsParameters

    def __init__(self, name: StrategyName, size: Size, parameters: PairsParameters) -> None:
        super().__init__(name, size, parameters)
        self._pair = pair_of(parameters.pair)
        width = number_between("width", parameters.width, Decimal(0), WIDTH_MAX)
        self._over, self._under = width.as_integer_ratio()
        self.bars_needed = max(self.bars_needed, parameters.bars + 1)
        self._closes = PairedCloses(parameters.bars)
        self._own: Bar | None = None
        self._other: Bar | None = None
        self._was_cheap = True  # until there is a mean nothing falls below it

    def hears(self, symbol: Symbol) -> Collection[Symbol]:
        return [one for one in self._pair if one != symbol] if symbol in self._pair else ()

    def side_of(self, bar: Bar) -> Side | None:
        self._own = bar
        return self._side()

    def on_bar_of_other(self, bar: Bar, view: SymbolView) -> Iterable[Wish]:
        self._other = bar
        return self.wishes(self._side(), view)

    def _side(self) -> Side | None:
        own, other, closes = self._own, self._other, self._closes
        if own is None or other is None or own.start_ns != other.start_ns:
            return None
        closes.add(own.close, other.close)
        if not closes.is_full():
            return None
        spread = closes.spread
        is_cheap = spread < 0 and (
            spread * spread * closes.window * self._under * self._under
            > self._over * self._over * closes.variation
        )
        fell = is_cheap and not self._was_cheap
        self._was_cheap = is_cheap
        return Side.BUY if fell else Side.SELL if spread >= 0 else None

    def words(self, side: Side) -> str:
        own, other, closes = self._own, self._other, self._closes
        assert own is not None, "it has decided"
        assert other is not None, "it has decided"
        prices = f"{dollars_text(own.close)} beside {other.symbol} at {dollars_text(other.close)}"
        if side is Side.SELL:
            return f"{prices}: no cheaper than in the mean of {closes.window} bars"
        return (
            f"{prices}: {closes.deviations:.2f} deviations below the mean of {closes.window} bars"
        )


class PairedCloses:
    """The last `window` closes of both, ours first; see the module."""

    def __init__(self, window: int) -> None:
        self.window = window
        self._pairs: deque[tuple[int, int]] = deque()
        self._own = self._other = self._own_squares = self._other_squares = self._products = 0

    def add(self, own: int, other: int) -> None:
        self._pairs.append((own, other))
        self._count(own, other, 1)
        if len(self._pairs) > self.window:
            self._count(*self._pairs.popleft(), -1)

    def _count(self, own: int, other: int, sign: int) -> None:
        self._own += sign * own
        self._other += sign * other
        self._own_squares += sign * own * own
        self._other_squares += sign * other * other
        self._products += sign * own * other

    def is_full(self) -> bool:
        return len(self._pairs) == self.window

    @property
    def spread(self) -> int:
        """s of the last pair: below zero where ours is cheap."""
        own, other = self._pairs[-1]
        return own * self._other - other * self._own

    @property
    def variation(self) -> int:
        """The sum of the squares of s over the window."""
        own, other = self._own, self._other
        return (
            other * other * self._own_squares
            - 2 * own * other * self._products
            + own * own * self._other_squares
        )

    @property
    def deviations(self) -> float:
        """How many the last pair is below the mean; for people."""
        return -self.spread / math.sqrt(self.variation / self.window)


def pair_of(text: str) -> tuple[Symbol, Symbol]:
    """KO/PEP; raises StrategyError."""
    symbols = text.split("/")
    if len(symbols) != 2 or symbols[0] == symbols[1] or not all(map(is_symbol, symbols)):
        raise StrategyError(f"pair must be two symbols such as KO/PEP, not {ascii(text)[:40]}")
    return Symbol(symbols[0]), Symbol(symbols[1])

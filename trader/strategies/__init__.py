"""The strategies that come with the program, by name, and how one is made for a symbol."""

from collections.abc import Mapping

import msgspec
from msgspec import Struct

from trader.model import Size, StrategyName
from trader.strategies.base import Strategy, StrategyError
from trader.strategies.bollinger import Bollinger
from trader.strategies.buy_and_hold import BuyAndHold
from trader.strategies.donchian import Donchian
from trader.strategies.ema_crossover import EmaCrossover
from trader.strategies.momentum import Momentum
from trader.strategies.open_close import OpenClose
from trader.strategies.opening_range import OpeningRange
from trader.strategies.pairs import Pairs
from trader.strategies.rsi import Rsi
from trader.strategies.sizing import VOLATILITY
from trader.strategies.sma_crossover import SmaCrossover

STRATEGIES: dict[str, type[Strategy]] = {
    "bollinger": Bollinger,
    "buy-and-hold": BuyAndHold,
    "donchian": Donchian,
    "ema-crossover": EmaCrossover,
    "momentum": Momentum,
    "open-close": OpenClose,
    "opening-range": OpeningRange,
    "pairs": Pairs,
    "rsi": Rsi,
    "sma-crossover": SmaCrossover,
}


def settings_of(kind: str, parameters: Mapping[str, object]) -> Struct:
    """Of a kind that there is: all its parameters, those that weren't given as well; raises StrategyError."""
    try:
        return msgspec.convert(dict(parameters), STRATEGIES[kind].Parameters, strict=False)
    except msgspec.ValidationError as error:
        raise StrategyError(f"strategy {kind}: {error}") from None


def build(kind: str, name: StrategyName, parameters: Mapping[str, object], size: Size) -> Strategy:
    """A fresh strategy for one symbol; values may be texts, as a command line has them.

    StrategyError: the kind is unknown, a parameter is unknown, or its value is of the wrong type or out of range.
    """
    found = STRATEGIES.get(kind)
    if found is None:
        raise StrategyError(f"unknown strategy {kind!r}; there are: {', '.join(STRATEGIES)}")
    settings = settings_of(kind, parameters)
    if size.unit == VOLATILITY and not found.sizes_by_volatility:
        raise StrategyError(f"strategy {kind} can't size by volatility: give another size")
    return found(name, size, settings)

"""What a command line puts in the place of the configuration: which symbols, which strategy, with which parameters."""

from collections.abc import Sequence

from msgspec.structs import replace

from trader.cli.options import parameters
from trader.config import Config, StrategyConfig, is_symbol
from trader.exits import Mistake
from trader.model import StrategyName, Symbol


def chosen(
    config: Config, symbols: str | None, strategy: str | None, params: Sequence[str]
) -> Config:
    """Raises Mistake."""
    if symbols is not None:
        config = replace(config, symbols=symbols_of(symbols))
    if strategy is not None:
        only = StrategyConfig(kind=strategy, params=parameters(params))
        return replace(config, strategies={StrategyName(strategy): only})
    if params:
        raise Mistake("of which strategy?", where="--param", remedy="name it with --strategy")
    return config


def symbols_of(text: str) -> tuple[Symbol, ...]:
    """JD,GS; raises Mistake."""
    symbols = tuple(Symbol(one) for one in text.split(",") if one)
    for symbol in symbols or ("",):
        if not is_symbol(symbol):
            raise Mistake(f"not a symbol: {symbol!r}", where=f"--symbols {text}")
    if len(set(symbols)) != len(symbols):
        raise Mistake("names a symbol twice", where=f"--symbols {text}")
    return symbols

"""What a command line puts in the place of the configuration: which symbols, which strategy, with which parameters."""

from collections.abc import Sequence
from decimal import Decimal

from msgspec.structs import replace

from trader.cli.options import parameters
from trader.config import Config, SizeConfig, StrategyConfig, is_symbol, number_objection
from trader.exits import Mistake
from trader.model import StrategyName, Symbol
from trader.money import AmountError, amount


def chosen(
    config: Config,
    symbols: str | None,
    strategy: str | None,
    params: Sequence[str],
    size: str | None = None,
) -> Config:
    """Raises Mistake."""
    wanted = SizeConfig(notional=Decimal(2_000)) if size is None else size_of(size)
    if symbols is not None:
        config = replace(config, symbols=symbols_of(symbols))
    if strategy is not None:
        only = StrategyConfig(kind=strategy, params=parameters(params), size=wanted)
        return replace(config, strategies={StrategyName(strategy): only})
    for option, given in (("--param", params), ("--size", size)):
        if given:
            raise Mistake("of which strategy?", where=option, remedy="name it with --strategy")
    return config


def size_of(text: str) -> SizeConfig:
    """volatility=0.01, notional=2000; raises Mistake."""
    where = f"--size {text[:40]}"
    unit, _, number = text.partition("=")
    if unit not in SizeConfig.__struct_fields__:
        units = ", ".join(SizeConfig.__struct_fields__)
        raise Mistake(f"not UNIT=NUMBER: a unit is one of {units}", where=where)
    try:
        value = amount(number)
    except AmountError as error:
        raise Mistake(str(error), where=where) from None
    if wrong := number_objection(unit, value):
        raise Mistake(wrong, where=where)
    return SizeConfig(**{unit: value})


def symbols_of(text: str) -> tuple[Symbol, ...]:
    """JD,GS; raises Mistake."""
    symbols = tuple(Symbol(one) for one in text.split(",") if one)
    for symbol in symbols or ("",):
        if not is_symbol(symbol):
            raise Mistake(f"not a symbol: {symbol!r}", where=f"--symbols {text}")
    if len(set(symbols)) != len(symbols):
        raise Mistake("names a symbol twice", where=f"--symbols {text}")
    return symbols

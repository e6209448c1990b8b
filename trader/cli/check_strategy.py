"""`trade check-strategy`: whether what a strategy says of a column of bars is what it wishes bar by bar."""

from itertools import islice

import click
import msgspec

from trader.cli.options import Common, common_options, parameters
from trader.cli.own_strategies import learn_strategies
from trader.config import Config, StrategyConfig
from trader.exits import Exit, Mistake
from trader.feeds.random_walk import random_walk
from trader.model import StrategyName
from trader.strategies import build
from trader.strategies.base import Strategy, StrategyError
from trader.strategies.equality import differences

SHOWN_MAX = 5


@click.command("check-strategy")
@click.argument("kind")
@click.option("--param", multiple=True, metavar="NAME=VALUE", help="Of the strategy.")
@click.option("--walks", type=click.IntRange(1, 1_000), default=5, show_default=True)
@click.option("--bars", type=click.IntRange(1, 1_000_000), default=2_000, show_default=True)
@common_options
def command(common: Common, kind: str, param: tuple[str, ...], walks: int, bars: int) -> int:
    """Hold a strategy's signals to its on_bar, over random walks; exit code 1 where they differ."""
    wanted = StrategyConfig(kind=kind, params=parameters(param))
    learn_strategies(Config(strategies={StrategyName(kind): wanted}), common.config)

    def fresh() -> Strategy:
        return build(kind, StrategyName(kind), wanted.params, wanted.size.size)

    try:
        signals = fresh().signals(random_walk(0, bars))
    except StrategyError as error:
        raise Mistake(str(error), where=kind) from None
    if signals is None:
        raise Mistake("gives no signals; nothing to compare", where=kind)
    found = [
        f"walk {seed}, {line}"
        for seed in range(walks)
        for line in islice(differences(fresh, random_walk(seed, bars)), SHOWN_MAX)
    ][:SHOWN_MAX]
    if common.json:
        click.echo(msgspec.json.encode({"differences": found}).decode())
    else:
        for line in found:
            click.echo(line)
        verdict = "signals differ from on_bar" if found else "signals say what on_bar wishes"
        click.echo(f"{kind}: {walks} random walks of {bars:,} bars: {verdict}")
    return Exit.DIFFERENCES if found else Exit.WELL

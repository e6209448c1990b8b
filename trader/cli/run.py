"""The verb `run`: trade a simulated day, recorded bars, or a broker's account."""

from pathlib import Path

import click
import trio
from msgspec.structs import replace

from trader.build import running_build
from trader.cli.options import Common, common_options, read_config
from trader.config import Config
from trader.exits import Mistake
from trader.feeds.csv_rows import MarketDataError
from trader.feeds.market import Market
from trader.feeds.recorded import RecordedMarket
from trader.feeds.synthetic import SyntheticMarket
from trader.live.simulated import SimulatedRun, run_simulated
from trader.model import Symbol
from trader.scenarios import play_named

SPEED_DEFAULT = 780.0  # market seconds a machine second: a trading day in half a minute
SPEED_MAX = 1_000_000.0


@click.command("run")
@click.option("--data", metavar="PATH", help="Recorded bars and quotes instead: a file or folder.")
@click.option("--symbols", metavar="LIST", help="Which symbols, as JD,GS.")
@click.option("--scenario", metavar="NAME", help="The play.  [default: first-day]")
@click.option("--seed", type=int, default=7, show_default=True, help="Of the synthetic market.")
@click.option("--speed", default=str(int(SPEED_DEFAULT)), show_default=True, help="Market seconds a second, or max.")
@click.option("--fresh", is_flag=True, help="Archive the simulated account and start anew.")
@common_options
def command(
    common: Common,
    data: str | None,
    symbols: str | None,
    scenario: str | None,
    seed: int,
    speed: str,
    fresh: bool,
) -> int:
    """Trade: a simulated day, recorded bars, or a broker's account."""
    config = _config(common, symbols)
    run = SimulatedRun(
        config=config,
        config_path=common.config,
        database=common.database,
        log=common.log,
        market=_market(data, seed, config.symbols),
        is_recorded=data is not None,
        seed=seed,
        speed=_speed(speed),
        play=play_named(scenario or ("none" if data is not None else "first-day")),
        fresh=fresh,
    )
    return int(trio.run(run_simulated, run, running_build(), click.echo))


def _config(common: Common, symbols: str | None) -> Config:
    config = read_config(common)
    if symbols is None:
        return config
    wanted = tuple(Symbol(one) for one in symbols.split(",") if one)
    if not wanted:
        raise Mistake("names no symbol", where=f"--symbols {symbols!r}")
    return replace(config, symbols=wanted)


def _market(data: str | None, seed: int, symbols: tuple[Symbol, ...]) -> Market:
    try:
        if data is not None:
            return RecordedMarket([Path(data)], symbols)
        return SyntheticMarket(seed, symbols)
    except MarketDataError as error:
        raise Mistake(str(error)) from None
    except ValueError as error:
        raise Mistake(str(error), where="--symbols") from None


def _speed(text: str) -> float | None:
    if text == "max":
        return None
    try:
        speed = float(text)
    except ValueError:
        speed = 0.0
    if not 0 < speed <= SPEED_MAX:
        raise Mistake(f"not a speed: {text!r}", where="--speed", remedy="a number of market seconds a second, or max")
    return speed

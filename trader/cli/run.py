"""The verb `run`: trade a simulated day, recorded bars, or a broker's account."""

import getpass
import sys
from collections.abc import Sequence
from pathlib import Path

import click
import trio
from msgspec import Struct
from msgspec.structs import replace

from trader.alarm_command import check_program
from trader.build import running_build
from trader.calendar import session_on
from trader.cli.bypass import checked_start
from trader.cli.choosing import chosen
from trader.cli.commands import checked_reason
from trader.cli.keys import credentials
from trader.cli.loopback import loopback
from trader.cli.options import (
    Common,
    common_options,
    config_text,
    quiet_interpreter,
    read_config,
    shown_path,
    stated_at,
)
from trader.cli.own_strategies import learn_strategies
from trader.config import BrokerName, Config, for_real_money, limits_missing
from trader.exits import Mistake
from trader.feeds.csv_rows import NAMED_MAX, MarketDataError, NoBars
from trader.feeds.market import Market
from trader.feeds.recorded import RecordedMarket
from trader.feeds.synthetic import BASE_DATE, SyntheticMarket
from trader.limits import unexplained
from trader.live.alpaca import LIVE, PAPER, AlpacaRun, local, run_alpaca
from trader.live.screen import LiveScreen, PlainScreen, SilentScreen
from trader.live.simulated import SimulatedRun
from trader.live.take_over import TakeOver
from trader.model import Symbol
from trader.scenarios import play_named
from trader.scenarios.performance import played
from trader.simulator.market_time import LAST_SESSION

SPEED_DEFAULT = 780.0  # market seconds a machine second: a trading day in half a minute
SPEED_MAX = 1_000_000.0


class Asked(Struct, frozen=True, kw_only=True):
    """The command line, as it was typed."""

    broker: str | None
    live: bool
    dry_run: bool
    address: str | None
    keys: str | None
    data: str | None
    symbols: str | None
    strategy: str | None
    param: tuple[str, ...]
    scenario: str | None
    seed: int
    speed: str | None
    pace: str
    sessions: int
    start: str | None
    fresh: bool
    take_over: bool
    bypass: tuple[str, ...]
    reason: str | None


@click.command("run")
@click.option(
    "--broker", type=click.Choice([one.value for one in BrokerName]), help="Whose market."
)
@click.option("--live", is_flag=True, help="Yes, with real money.")
@click.option("--dry-run", is_flag=True, help="Decide, but send nothing.")
@click.option("--address", metavar="URL", help="A server on this machine instead of Alpaca's own.")
@click.option("--keys", metavar="FILE", help="The broker's keys.  [default: the environment]")
@click.option("--data", metavar="PATH", help="Recorded bars and quotes: a file or folder.")
@click.option("--symbols", metavar="LIST", help="Which symbols, as JD,GS.")
@click.option("--strategy", metavar="KIND", help="One strategy, in place of the configured ones.")
@click.option("--param", multiple=True, metavar="NAME=VALUE", help="Of that strategy.")
@click.option("--scenario", metavar="NAME", help="The play.  [default: first-day]")
@click.option("--seed", type=int, default=7, show_default=True, help="Of the synthetic market.")
@click.option("--speed", metavar="N", help="Market seconds a second, or max.  [default: 780]")
@click.option(
    "--pace",
    type=click.Choice(["settled", "clock"]),
    default="settled",
    show_default=True,
    help="Each in turn, so that a day repeats itself; or a clock that waits for nobody.",
)
@click.option(
    "--sessions", type=click.IntRange(1, 10_000), default=1, show_default=True, help="Trading days."
)
@click.option("--start", metavar="DATE", help="First day of a new simulated account.")
@click.option("--fresh", is_flag=True, help="Archive the simulated account and start anew.")
@click.option("--take-over", is_flag=True, help="Take the place of a process that hangs.")
@click.option(
    "--bypass", multiple=True, metavar="CHECK", help="Start though this check fails; see doctor."
)
@click.option("--reason", metavar="TEXT", help="Why; it is kept in the journal.")
@common_options
def command(common: Common, /, **asked: object) -> int:
    """Trade: a simulated day, recorded bars, or a broker's account."""
    wanted = Asked(**asked)  # type: ignore[arg-type]  # click has checked the types
    config = _config(common, wanted)
    broker = BrokerName(wanted.broker) if wanted.broker else config.broker
    # Before the build is known: what is loaded is a part of it.
    learn_strategies(config, common.config)
    build, screen = running_build(), _screen(common)
    quiet_interpreter()
    passed_by = checked_start(
        common.database,
        build,
        broker,
        bypassed=wanted.bypass,
        reason=wanted.reason,
        screen=screen,
    )
    if broker is BrokerName.SIMULATED:
        simulated = replace(_simulated(common, wanted, config), bypasses=passed_by)
        code = played(simulated, build, screen)
    else:
        real = replace(_alpaca(common, wanted, config, broker), bypasses=passed_by)
        code = trio.run(run_alpaca, real, build, screen)
    for line in closing_lines(common.database, common.log):
        screen.say(line)
    return int(code)


def _screen(common: Common) -> PlainScreen:
    if common.json:
        return SilentScreen()
    return LiveScreen() if sys.stdout.isatty() else PlainScreen()


def _config(common: Common, asked: Asked) -> Config:
    config = read_config(common)
    if config.alarm.command:
        check_program(config.alarm.command, stated_at(common.config, "alarm.command"))
    return chosen(config, asked.symbols, asked.strategy, asked.param)


# --------------------------------------------------------------------------------------------- simulated


def _simulated(common: Common, asked: Asked, config: Config) -> SimulatedRun:
    for option, given in (
        ("--live", asked.live),
        ("--dry-run", asked.dry_run),
        ("--address", asked.address),
        ("--keys", asked.keys),
        ("--take-over", asked.take_over),
    ):
        if given:
            raise Mistake("is for alpaca-paper and alpaca-live", where=option)
    is_clocked = asked.pace == "clock"
    return SimulatedRun(
        config=config,
        config_path=common.config,
        database=common.database,
        log=common.log,
        market=_market(asked, config.symbols, common.config),
        is_recorded=asked.data is not None,
        seed=asked.seed,
        speed=_speed(asked.speed or str(SPEED_DEFAULT), may_be_max=not is_clocked),
        is_clocked=is_clocked,
        sessions=asked.sessions,
        first=_session_date(asked.start),
        play=play_named(asked.scenario or ("none" if asked.data or is_clocked else "first-day")),
        fresh=asked.fresh,
    )


def _session_date(text: str | None) -> str | None:
    if text is None:
        return None
    try:
        session = session_on(text)
    except ValueError:
        session = None
    if session is None or not BASE_DATE <= text <= LAST_SESSION:
        raise Mistake(
            f"not a trading day of the simulated market: {text!r}",
            where="--start",
            remedy=f"from {BASE_DATE} to {LAST_SESSION}",
        )
    return text


def _market(asked: Asked, symbols: tuple[Symbol, ...], config: Path | None) -> Market:
    try:
        if asked.data is not None:
            return RecordedMarket([Path(asked.data)], symbols)
        return SyntheticMarket(asked.seed, symbols)
    except NoBars as error:
        raise Mistake(str(error), remedy=_which(error.symbols)) from None
    except MarketDataError as error:
        raise Mistake(str(error)) from None
    except ValueError as error:
        where = "--symbols" if asked.symbols is not None else stated_at(config, "symbols")
        raise Mistake(str(error), where=where) from None


def _which(symbols: Sequence[Symbol]) -> str:
    """What to type where a file has other symbols than were asked for."""
    return f"--symbols {','.join(symbols[:NAMED_MAX])}" if symbols else ""


def _speed(text: str, *, may_be_max: bool) -> float | None:
    if text == "max" and may_be_max:
        return None
    try:
        speed = float(text)
    except ValueError:
        speed = 0.0
    if not 0 < speed <= SPEED_MAX:
        raise Mistake(f"not a speed: {text!r}", where="--speed", remedy="market seconds a second")
    return speed


# ------------------------------------------------------------------------------------------------ alpaca


def _alpaca(common: Common, asked: Asked, config: Config, broker: BrokerName) -> AlpacaRun:
    for option, given in (
        ("--data", asked.data),
        ("--scenario", asked.scenario),
        ("--fresh", asked.fresh),
    ):
        if given:
            raise Mistake("is for the simulated broker", where=option)
    if asked.speed is not None and asked.address is None:
        raise Mistake("real markets have their own speed", where="--speed")
    if broker is BrokerName.ALPACA_LIVE:
        config = _check_live(common, asked, config)
    address = None if asked.address is None else loopback(asked.address)
    own = LIVE if broker is BrokerName.ALPACA_LIVE else PAPER
    speed = _speed(asked.speed or "1", may_be_max=False)
    assert speed is not None, "max was not allowed"
    return AlpacaRun(
        config=config,
        config_path=common.config,
        database=common.database,
        log=common.log,
        broker=broker,
        addresses=own if address is None else local(address),
        credentials=credentials(asked.keys),
        is_local=address is not None,
        dry_run=asked.dry_run,
        speed=speed,
        take_over=_take_over(asked),
    )


def _take_over(asked: Asked) -> TakeOver | None:
    if not asked.take_over:
        return None
    return TakeOver(who=getpass.getuser(), reason=checked_reason(asked.reason or ""))


def _check_live(common: Common, asked: Asked, config: Config) -> Config:
    """Real money wants three things said in so many words; and a stop with each entry, unless one says otherwise."""
    if not asked.live:
        raise Mistake(
            "trades real money", where="--broker alpaca-live", remedy="say so with --live"
        )
    where = str(common.config or "trader.toml")
    if not config.account:
        raise Mistake("live needs the account's number", where=where, remedy='account = "..."')
    text = "" if common.config is None else config_text(common.config)
    missing = limits_missing(text, where=where)
    if missing:
        raise Mistake(
            f"live needs every limit written out; missing: {', '.join(missing)}", where=where
        )
    if nobodys := unexplained(config.limits):
        raise Mistake(
            f"live needs an owner and a reason for each limit; missing for: {', '.join(nobodys)}",
            where=where,
            remedy="owner and reason in [limits], or for one limit in [limits.why]",
        )
    return for_real_money(config, text)


# --------------------------------------------------------------------------------------------- the end


def closing_lines(database: Path, log: Path) -> Sequence[str]:
    """What was written, how to ask it, and what to do next."""
    question = "SELECT symbol, quantity, avg_cost FROM positions WHERE quantity > 0;"
    return (
        f"written  {shown_path(database)}  {shown_path(log)}",
        f'ask it   grep "DUPLICATE BUY BLOCKED" {shown_path(log)}',
        f'         sqlite3 {shown_path(database)} "{question}"',
        "next     bin/trade new-config      bin/trade positions      docs/start.md",
    )

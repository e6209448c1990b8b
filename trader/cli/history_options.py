"""What the verbs over history are asked: which bars, which strategy, and how the market is modelled."""

import tomllib
from collections.abc import Callable
from decimal import Decimal
from functools import wraps
from pathlib import Path
from typing import Concatenate, ParamSpec, TypeVar

import click
from msgspec import Struct
from msgspec.structs import replace

from trader.backtest.request import BacktestRequest, Fills, Hearing
from trader.calendar import next_session
from trader.cli.choosing import chosen, symbols_of
from trader.cli.events_file import read_events_file
from trader.cli.options import Common, config_text, read_config, stated_at
from trader.cli.own_strategies import learn_strategies
from trader.config import Config
from trader.exits import Mistake
from trader.feeds.columns import Columns, columns_of
from trader.feeds.csv_rows import MarketDataError
from trader.feeds.gathering import span_of
from trader.feeds.history import History, Wanted, read_all
from trader.feeds.synthetic import FIRST_SESSION, SyntheticMarket
from trader.live.assembly import worker_plans
from trader.model import SECOND_NS, Bar, Symbol
from trader.money import AmountError, amount
from trader.simulator.market_time import LAST_SESSION
from trader.venue import VenueTerms

P = ParamSpec("P")
R = TypeVar("R")
BASIS_POINT = Decimal("0.0001")


class Asked(Struct, frozen=True, kw_only=True):
    """The command line, as it was typed."""

    data: tuple[str, ...]
    sessions: int
    symbols: str | None
    strategy: str | None
    param: tuple[str, ...]
    size: str | None
    start: str | None
    end: str | None
    cash: str
    events: str | None
    bars: str | None
    fills: str | None
    spread: str
    slippage: str
    participation: str
    commission: str
    latency: str
    always: bool
    brakes: str
    seed: int
    columns: str


OPTIONS = (
    click.option(
        "--data",
        multiple=True,
        metavar="PATH",
        help="Bars, trades, quotes: files, folders.  [default: the synthetic market of `run`]",
    ),
    click.option(
        "--sessions",
        type=click.IntRange(1, 10_000),
        default=20,
        show_default=True,
        help="Of the synthetic market.",
    ),
    click.option("--symbols", metavar="LIST", help="Which symbols.  [default: all that there are]"),
    click.option(
        "--strategy", metavar="KIND", help="One strategy, in place of the configured ones."
    ),
    click.option("--param", multiple=True, metavar="NAME=VALUE", help="Of that strategy."),
    click.option("--size", metavar="UNIT=NUMBER", help="Of its entries.  [default: notional=2000]"),
    click.option("--start", metavar="DATE", help="The first day."),
    click.option("--end", metavar="DATE", help="The last day."),
    click.option("--cash", default="100000", show_default=True, metavar="DOLLARS"),
    click.option("--events", metavar="FILE", help="Splits, dividends, cash, real jumps."),
    click.option(
        "--bars",
        metavar="LENGTH",
        help="Made of trades, else of quotes: 10s, 5m.  [default: bars that are there, else 1m]",
    ),
    click.option(
        "--fills",
        type=click.Choice([one.value for one in Fills]),
        help="An order trades at the next bar's open, with a quote around the close, or the next quote of the data.  "
        "[default: next-quote where there are quotes, else open]",
    ),
    click.option(
        "--spread", default="1", show_default=True, metavar="BP", help="Of quotes, whole."
    ),
    click.option(
        "--slippage", default="0", show_default=True, metavar="BP", help="Without a limit."
    ),
    click.option(
        "--participation",
        default="10",
        show_default=True,
        metavar="PERCENT",
        help="Of a bar's volume that may trade with us.",
    ),
    click.option(
        "--commission", default="0", show_default=True, metavar="DOLLARS", help="A share."
    ),
    click.option(
        "--latency", default="0", show_default=True, metavar="SECONDS", help="Of an order."
    ),
    click.option("--always", is_flag=True, help="The market never closes."),
    click.option("--brakes", type=click.Choice(["on", "off"]), default="off", show_default=True),
    click.option("--seed", type=int, default=7, show_default=True),
    click.option(
        "--columns",
        type=click.Choice([one.value for one in Hearing]),
        default=Hearing.AUTO.value,
        show_default=True,
        help="Signals in place of on_bar: of the library's strategies, of all, of none.",
    ),
)


def history_options(verb: Callable[Concatenate[Asked, P], R]) -> Callable[P, R]:
    """Give a verb these options, bundled as its first argument."""

    @wraps(verb)
    def with_options(*args: P.args, **kwargs: P.kwargs) -> R:
        given = {name: kwargs.pop(name) for name in Asked.__struct_fields__}
        return verb(Asked(**given), *args, **kwargs)  # type: ignore[arg-type]  # click has checked the types

    decorated: Callable[P, R] = with_options
    for option in reversed(OPTIONS):
        decorated = option(decorated)
    return decorated


def asked_request(common: Common, asked: Asked) -> BacktestRequest:
    """What is to be run; raises Mistake, also for a strategy that can't be made."""
    config = chosen(read_config(common), None, asked.strategy, asked.param, asked.size)
    learn_strategies(config, common.config)
    history = history_of(common, asked, config)
    config = replace(config, symbols=tuple(history.bars))
    worker_plans(config, common.config)
    return request_of(asked, config, history)


def history_of(common: Common, asked: Asked, config: Config) -> History:
    """Of the symbols that were named, here or in a configuration file; of all where none was."""
    symbols = None
    if not asked.data:
        return History(bars=_synthetic(common, asked, config), quotes={})
    if asked.symbols is not None:
        symbols = symbols_of(asked.symbols)
    elif common.config is not None and "symbols" in tomllib.loads(config_text(common.config)):
        symbols = config.symbols
    wanted = Wanted(
        symbols=symbols,
        start=asked.start,
        end=asked.end,
        quotes=asked.fills in (None, Fills.NEXT_QUOTE),
        span_ns=None if asked.bars is None else span_of(asked.bars),
    )
    try:
        history = read_all([Path(one) for one in asked.data], wanted)
    except MarketDataError as error:
        raise Mistake(str(error)) from None
    if asked.fills == Fills.NEXT_QUOTE and not history.quotes:
        raise Mistake("there are no quotes", where="--fills next-quote", remedy="--fills open")
    if asked.fills == Fills.OPEN and history.without_volume:
        what = f"bars of {history.without_volume[0]} are made of quotes, without a volume to trade with"
        raise Mistake(what, where="--fills open", remedy="--fills next-quote")
    return history


def _synthetic(common: Common, asked: Asked, config: Config) -> dict[Symbol, Columns]:
    """The days that `run` trades with the same seed, from the first one on."""
    for option, given in (("--start", asked.start), ("--end", asked.end)):
        if given is not None:
            raise Mistake("is for recorded bars", where=option, remedy="give --data, or --sessions")
    quoted = "--fills next-quote" if asked.fills == Fills.NEXT_QUOTE else ""
    if where := "--bars" if asked.bars is not None else quoted:
        raise Mistake("is for recorded trades and quotes", where=where, remedy="give --data")
    symbols = config.symbols if asked.symbols is None else symbols_of(asked.symbols)
    try:
        market = SyntheticMarket(asked.seed, symbols)
    except ValueError as error:
        where = "--symbols" if asked.symbols is not None else stated_at(common.config, "symbols")
        raise Mistake(str(error), where=where) from None
    bars: dict[Symbol, list[Bar]] = {symbol: [] for symbol in sorted(symbols)}
    for date in _synthetic_dates(asked.sessions):
        for instant in market.instants(date):
            for bar in instant.bars:
                bars[bar.symbol].append(bar)
    return {symbol: columns_of(symbol, of) for symbol, of in bars.items()}


def _synthetic_dates(sessions: int) -> list[str]:
    """Those of the first sessions, until the simulated market ends."""
    dates = [FIRST_SESSION]
    while len(dates) < sessions and dates[-1] < LAST_SESSION:
        dates.append(next_session(dates[-1]).date)
    if len(dates) < sessions:
        what = f"the market has {len(dates)}, from {dates[0]} to {dates[-1]}"
        raise Mistake(what, where=f"--sessions {sessions}", remedy=f"--sessions {len(dates)}")
    return dates


def request_of(asked: Asked, config: Config, history: History) -> BacktestRequest:
    cash = _number(asked.cash, "--cash")
    if not cash:
        raise Mistake("nothing can be bought with nothing", where="--cash 0")
    bars = history.bars
    events, jumps = ((), ()) if asked.events is None else read_events_file(asked.events, bars)
    return BacktestRequest(
        config=config,
        histories=tuple(bars.values()),
        quotes=tuple(history.quotes.values()),
        told=history.told,
        left_out=history.left_out,
        cash=cash,
        fills=Fills(asked.fills or (Fills.NEXT_QUOTE if history.quotes else Fills.OPEN)),
        terms=VenueTerms(
            spread_rate=_number(asked.spread, "--spread", 1_000) * BASIS_POINT,
            slippage_rate=_number(asked.slippage, "--slippage", 1_000) * BASIS_POINT,
            bar_participation=_number(asked.participation, "--participation", 100) / 100,
            commission_share_rate=_number(asked.commission, "--commission", 100),
            latency_ns=int(_number(asked.latency, "--latency", 86_400) * SECOND_NS),
        ),
        is_always_open=asked.always,
        brakes=asked.brakes == "on",
        events=events,
        jumps=jumps,
        seed=asked.seed,
        columns=Hearing(asked.columns),
    )


def _number(text: str, option: str, most: int = 10**12) -> Decimal:
    try:
        number = amount(text)
    except AmountError as error:
        raise Mistake(str(error), where=f"{option} {text[:40]}") from None
    if not 0 <= number <= most:
        raise Mistake(f"must be from 0 to {most:,}", where=f"{option} {text[:40]}")
    return number

"""`trade download`: bars of the past from Alpaca, or from a simulated broker, into files that a backtest reads."""

import sys
import time
from collections.abc import Sequence
from pathlib import Path

import click
import msgspec
import trio
from msgspec import Struct
from msgspec.structs import asdict

from trader.brokers.alpaca import DATA_URL
from trader.brokers.alpaca.budget import PER_MINUTE, RequestBudget
from trader.brokers.alpaca.download import (
    DEADLINES,
    Wanted,
    download,
    end_ns_of,
    over_ns_of,
)
from trader.brokers.alpaca.rest import Queries
from trader.brokers.alpaca.transport import HttpLink
from trader.calendar import iso, new_york_date
from trader.cli.keys import credentials
from trader.cli.loopback import loopback
from trader.credentials import Credentials
from trader.exits import Exit, Mistake, StartRefused
from trader.feeds.bar_files import BarFile, Draft
from trader.feeds.csv_rows import MarketDataError
from trader.feeds.headings import symbol_of
from trader.log.words import visible
from trader.model import Bar, Symbol
from trader.ports import BrokerRefused, BrokerUnavailable

FOLDERS = {"1Min": "minute", "1Day": "daily"}


class Told(Struct, frozen=True, kw_only=True):
    """What became of one symbol. state: written, kept (it was there already), or no bars."""

    symbol: Symbol
    state: str
    file: str = ""
    bars: int = 0
    first: str = ""
    last: str = ""


@click.command("download")
@click.option("--symbols", metavar="LIST", required=True, help="Which symbols, as JD,GS.")
@click.option("--start", metavar="DATE", required=True, help="The first day, as 2026-01-26.")
@click.option("--end", metavar="DATE", required=True, help="The last day; it must be over.")
@click.option(
    "--timeframe",
    type=click.Choice([*FOLDERS]),
    default="1Min",
    show_default=True,
    help="Of a bar.",
)
@click.option("--out", metavar="DIR", required=True, help="Files go to DIR/minute or DIR/daily.")
@click.option(
    "--feed",
    type=click.Choice(["sip", "iex"]),
    default="sip",
    show_default=True,
    help="All exchanges, or one.",
)
@click.option(
    "--adjustment",
    type=click.Choice(["raw", "split", "dividend", "all"]),
    default="raw",
    show_default=True,
    help="Of prices, for what happened to the share since.",
)
@click.option("--address", metavar="URL", help="A server on this machine instead of Alpaca's own.")
@click.option("--keys", metavar="FILE", help="The broker's keys.  [default: the environment]")
@click.option("--json", "as_json", is_flag=True, help="Answer in JSON.")
def command(
    symbols: str,
    start: str,
    end: str,
    timeframe: str,
    out: str,
    feed: str,
    adjustment: str,
    address: str | None,
    keys: str | None,
    as_json: bool,
) -> int:
    """Download bars of the past, one file a symbol, for bin/trade backtest --data DIR.

    It asks for bars and changes nothing at the broker. Files that are there already, whole and of the same question,
    are kept, so that the same command goes on where it was interrupted. Exit code 1: a symbol has no bars.
    """
    wanted = Wanted(timeframe=timeframe, start=start, end=end, feed=feed, adjustment=adjustment)
    _check_dates(wanted)
    files = [
        BarFile(folder=Path(out) / FOLDERS[timeframe], symbol=symbol, is_daily=timeframe == "1Day")
        for symbol in _symbols(symbols)
    ]
    for file in files:
        _check_free(file, wanted)
    url = DATA_URL if address is None else loopback(address)
    told = trio.run(_downloaded, url, address is None, credentials(keys), files, wanted, as_json)
    if as_json:
        click.echo(msgspec.json.encode({"symbols": told}).decode())
    return Exit.WELL if all(one.file for one in told) else Exit.DIFFERENCES


# --- what was asked for


def _check_dates(wanted: Wanted) -> None:
    for option, date in (("--start", wanted.start), ("--end", wanted.end)):
        try:
            end_ns_of(date)
        except ValueError as error:
            raise Mistake(str(error), where=f"{option} {date}") from None
    if wanted.end < wanted.start:
        raise Mistake(f"before --start {wanted.start}", where=f"--end {wanted.end}")


def _symbols(text: str) -> list[Symbol]:
    where = f"--symbols {text}"
    names = text.split(",")
    found = [symbol for name in names if (symbol := symbol_of(name)) is not None]
    if len(found) < len(names):
        odd = next(name for name in names if symbol_of(name) is None)
        raise Mistake(f"not a symbol: {odd!r}", where=where, remedy="capitals, as JD,BRK.B")
    if len(set(found)) < len(found):
        raise Mistake("names a symbol twice", where=where)
    return found


def _check_free(file: BarFile, wanted: Wanted) -> None:
    """What another question was answered with is neither taken for this answer nor lost."""
    asked = file.asked()
    if file.path.exists() and asked != asdict(wanted):
        what = "is not from a download"
        if asked is not None:
            what = f"has other bars: {visible(' '.join(asked.values()))}"
        raise Mistake(what, where=str(file.path), remedy="another --out, or move it away")


# --- the download


async def _downloaded(
    url: str,
    is_alpaca: bool,
    keys: Credentials,
    files: Sequence[BarFile],
    wanted: Wanted,
    as_json: bool,
) -> list[Told]:
    budget = RequestBudget(PER_MINUTE if is_alpaca else None)
    link = HttpLink(url, keys, deadlines=DEADLINES, budget=budget, is_patient=True)
    told: list[Told] = []
    try:
        await _check_over(link, is_alpaca, wanted)
        for file in files:
            told.append(await _one(link, file, wanted))
            if not as_json:
                click.echo(_line(told[-1]))
    except (BrokerRefused, BrokerUnavailable) as error:
        done = f"{len(told)} of {len(files)} symbols are done; the same command goes on from there"
        raise StartRefused(str(error), where=url, remedy=done) from None
    finally:
        await link.aclose()
    return told


async def _check_over(link: HttpLink, is_alpaca: bool, wanted: Wanted) -> None:
    """A day that isn't over would be taken for a whole one for ever. On a server of this machine its clock counts."""
    now_ns = time.time_ns()
    if not is_alpaca:
        now_ns = await Queries(link, "", lambda: 0).clock_ns()
    if over_ns_of(wanted.end) > now_ns:
        what = f"not over yet: in New York it is {new_york_date(now_ns)}, and bars come until 20:00"
        raise Mistake(what, where=f"--end {wanted.end}")


async def _one(link: HttpLink, file: BarFile, wanted: Wanted) -> Told:
    if file.path.exists():
        return Told(symbol=file.symbol, state="kept", file=str(file.path))
    try:
        draft = file.draft()
        try:
            await download(link, file.symbol, wanted, lambda bars: _take(draft, bars))
            _say_progress("")
            if not draft.count:
                return Told(symbol=file.symbol, state="no bars")
            columns = draft.finish(asdict(wanted))
        finally:
            draft.discard()
    except OSError as error:
        raise Mistake(f"can't be written: {error.strerror}", where=str(file.path)) from None
    except MarketDataError as error:
        what = (
            f"{file.symbol}: a bar that can't be, row {error.line - 1} of the answer: {error.what}"
        )
        raise BrokerUnavailable(what) from None
    return Told(
        symbol=file.symbol,
        state="written",
        file=str(file.path),
        bars=len(columns),
        first=iso(int(columns.start_ns[0])),
        last=iso(int(columns.start_ns[-1])),
    )


def _take(draft: Draft, bars: Sequence[Bar]) -> None:
    draft.add(bars)
    if bars:
        date = new_york_date(bars[-1].start_ns)
        _say_progress(f"{bars[-1].symbol} {date} {draft.count:,} bars")


def _say_progress(words: str) -> None:
    """One line that is written over, for who looks."""
    if sys.stderr.isatty():
        click.echo(f"\r{words:<60}" if words else f"\r{'':<60}\r", nl=False, err=True)


def _line(told: Told) -> str:
    if told.state == "written":
        days = f"{told.first[:10]} to {told.last[:10]}"
        return f"written  {told.symbol:<8} {told.bars:>10,} bars  {days}  {told.file}"
    if told.state == "kept":
        return f"kept     {told.symbol:<8} it is there already: {told.file}"
    return f"no bars  {told.symbol}"

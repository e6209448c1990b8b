"""The verb `lookahead`: a strategy over history that ends early, again and again; it must decide the same.

Bar by bar a whole run is asked for at each cut. Columns are asked apart, and at many more places: who looks one bar
ahead is found only where history ends right at a bar that matters. Each time the modules of one's own strategies are
loaded anew, so that nothing is known from the time before.
"""

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import zip_longest

import click
import msgspec
from msgspec.structs import replace

from trader.backtest.request import BacktestRequest, Hearing
from trader.backtest.run import backtested
from trader.build import Build, running_build
from trader.calendar import iso
from trader.cli.history_options import Asked, asked_request, history_options
from trader.cli.options import Common, bookless_options, quiet_interpreter
from trader.cli.own_strategies import blaming_strategies, renew_strategies
from trader.exits import Exit, Mistake
from trader.feeds.columns import Columns, until_place
from trader.messages import OrderRequest
from trader.model import Side, Size, StrategyName
from trader.ports import Batch
from trader.strategies import build as made
from trader.strategies.equality import ill_formed
from trader.strategies.signals import Signals

CUTS_MAX = 1_000
SHOWN_MAX = 5
PLACES = 300  # of a column's beginning, at which it is cut off besides
BEGINNING = 4_096  # bars
ASKED = 3  # of the last signals before a cut: their sizes and reasons
Renew = Callable[[], None]


@click.command("lookahead")
@click.argument("kind", metavar="STRATEGY")
@click.option("--cuts", type=click.IntRange(1, CUTS_MAX), default=10, show_default=True)
@history_options
@bookless_options
def command(common: Common, asked: Asked, kind: str, cuts: int) -> int:
    """Cut the future off at so many moments; exit code 1 where a decision before changes."""
    if asked.strategy is not None:
        raise Mistake("is the argument here", where=f"--strategy {asked.strategy}")
    request = asked_request(common, replace(asked, strategy=kind))
    quiet_interpreter()
    renew = partial(renew_strategies, request.config, common.config)
    with blaming_strategies(request.config, common.config):
        found = list(_changes(request, cuts, renew))
    if common.json:
        click.echo(msgspec.json.encode({"strategy": kind, "cuts": cuts, "changes": found}).decode())
    else:
        for line in found[:SHOWN_MAX]:
            click.echo(line)
        verdict = f"{len(found)} looked ahead" if found else "none of them changes what was decided"
        click.echo(f"{kind}: the future cut off at {cuts} moments: {verdict}")
    return Exit.DIFFERENCES if found else Exit.WELL


# ------------------------------------------------------------------------------------------- bar by bar


def _changes(request: BacktestRequest, cuts: int, renew: Renew) -> Iterator[str]:
    build = running_build()
    whole = _decisions(request, build, renew)
    for cut_ns in _cuts(request, cuts):
        before = [one for one in whole if one.at_ns <= cut_ns]
        cut = _decisions(request.between(0, cut_ns), build, renew)
        for ours, theirs in zip_longest(before, [one for one in cut if one.at_ns <= cut_ns]):
            if ours != theirs:
                yield f"cut off at {iso(cut_ns)}: {_words(theirs)}; with what follows: {_words(ours)}"
                break
    for name in request.config.strategies:
        for columns in request.histories:
            yield from _columns_changed(partial(_said, request, name), columns, cuts, renew)


def _cuts(request: BacktestRequest, count: int) -> Sequence[int]:
    """At ends of bars, evenly over all of them."""
    ends = sorted({end for one in request.histories for end in one.ends_ns.tolist()})
    return [ends[place] for place in _places(len(ends), count)]


def _places(of: int, count: int) -> Sequence[int]:
    """So many of so many, evenly, neither the first nor the last among them where there are more."""
    return sorted({of * one // (count + 1) for one in range(1, count + 1)} & set(range(of)))


def _decisions(request: BacktestRequest, build: Build, renew: Renew) -> list[OrderRequest]:
    """Bar by bar: what is said by column is looked at apart."""
    renew()
    heard = _Heard()
    backtested(replace(request, columns=Hearing.OFF), build, data="", journal=heard)
    return heard.decisions


class _Heard:
    """A journal that keeps what was wished for, with all that was to be said of it."""

    def __init__(self) -> None:
        self.decisions: list[OrderRequest] = []

    def write(self, batch: Batch) -> None:
        told = (entry.input for entry in batch.entries)
        self.decisions += [one for one in told if isinstance(one, OrderRequest)]


def _words(decision: OrderRequest | None) -> str:
    if decision is None:
        return "nothing more"
    size = f"{decision.size.amount} {decision.size.unit}"
    what = f"{decision.side} {size} of {decision.symbol}"
    return f"{what} at {iso(decision.at_ns)} ({decision.reason})"


# -------------------------------------------------------------------------------------------- by column

Say = Callable[[Columns], Signals | None]


def _said(request: BacktestRequest, name: StrategyName, columns: Columns) -> Signals | None:
    wanted = request.config.strategies[name]
    return made(wanted.kind, name, wanted.params, wanted.size.size).signals(columns)


def _columns_changed(say: Say, columns: Columns, cuts: int, renew: Renew) -> Iterator[str]:
    """Where what is said of a part isn't what is said of the whole; nothing where nothing is said by column."""
    renew()
    whole = say(columns)
    if whole is None:
        return
    for place in _places(len(columns), cuts):
        renew()
        yield from _changed(whole, say, columns, place + 1)
    renew()
    beginning = until_place(columns, min(len(columns), BEGINNING))
    said = say(beginning)
    if said is None or ill_formed(said, len(beginning)):
        return
    decided = (said.enter | said.leave).nonzero()[0]
    places = {int(decided[one]) for one in _places(len(decided), PLACES)}
    for place in sorted(places.union(_places(len(beginning), PLACES))):
        if found := list(_changed(said, say, beginning, place + 1)):
            yield from found
            return


def _changed(whole: Signals, say: Say, columns: Columns, bars: int) -> Iterator[str]:
    """What is said of so many bars, against the same of all of them: the first that differs."""
    cut = f"cut off at {iso(int(columns.ends_ns[bars - 1]))}: signals say"
    part = say(until_place(columns, bars))
    wrong = "nothing" if part is None else ill_formed(part, bars)
    if part is None or wrong:
        yield f"{cut} what can't be: {wrong}"
        return
    for what in ("enter", "leave"):
        changed = getattr(whole, what)[:bars] != getattr(part, what)
        if changed.any():
            when = iso(int(columns.start_ns[int(changed.argmax())]))
            yield f"{cut} otherwise where to {what} {columns.symbol} at the bar of {when}"
            return
    for place in (part.enter | part.leave).nonzero()[0][-ASKED:].tolist():
        ours, theirs = _in_full(part, place), _in_full(whole, place)
        if ours != theirs:
            when = iso(int(columns.start_ns[place]))
            yield f"{cut} {ours} of {columns.symbol} at the bar of {when}; with what follows: {theirs}"
            return


def _in_full(signals: Signals, place: int) -> str:
    """Reason, and size of an entry."""
    enters = bool(signals.enter[place])
    reason = signals.words(place, Side.BUY if enters else Side.SELL)
    size: Size | None = signals.size(place) if enters and signals.size is not None else None
    return reason if size is None else f"{size.amount} {size.unit} ({reason})"

"""The verb `lookahead`: a strategy over history that ends early, again and again; it must decide the same."""

from collections.abc import Iterator, Sequence
from itertools import zip_longest

import click
import msgspec
from msgspec.structs import replace

from trader.backtest.request import BacktestRequest, Hearing
from trader.backtest.run import backtested
from trader.build import running_build
from trader.calendar import iso
from trader.cli.history_options import Asked, asked_request, history_options
from trader.cli.options import Common, bookless_options, quiet_interpreter
from trader.exits import Exit, Mistake
from trader.feeds.columns import between
from trader.messages import OrderRequest
from trader.ports import Batch
from trader.strategies import build as made

CUTS_MAX = 1_000
SHOWN_MAX = 5
Decision = tuple[int, str, str, str, str]  # when, symbol, strategy, side, reason


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
    found = list(_changes(request, cuts))
    if common.json:
        click.echo(msgspec.json.encode({"strategy": kind, "cuts": cuts, "changes": found}).decode())
    else:
        for line in found[:SHOWN_MAX]:
            click.echo(line)
        verdict = f"{len(found)} looked ahead" if found else "none of them changes what was decided"
        click.echo(f"{kind}: the future cut off at {cuts} moments: {verdict}")
    return Exit.DIFFERENCES if found else Exit.WELL


def _changes(request: BacktestRequest, cuts: int) -> Iterator[str]:
    whole = _decisions(request)
    for cut_ns in _cuts(request, cuts):
        before = [one for one in whole if one[0] <= cut_ns]
        for ours, theirs in zip_longest(before, _decisions(request.between(0, cut_ns))):
            if ours != theirs:
                yield f"cut off at {iso(cut_ns)}: {_words(theirs)}; with what follows: {_words(ours)}"
                break
        yield from _columns_changed(request, cut_ns)


def _cuts(request: BacktestRequest, count: int) -> Sequence[int]:
    """At ends of bars, evenly over all of them."""
    ends = sorted({end for one in request.histories for end in one.ends_ns.tolist()})
    places = {len(ends) * cut // (count + 1) for cut in range(1, count + 1)}
    return [ends[place] for place in sorted(places) if place < len(ends)]


def _decisions(request: BacktestRequest) -> list[Decision]:
    """Bar by bar: what is said by column is looked at apart."""
    heard = _Heard()
    request = replace(request, columns=Hearing.OFF)
    backtested(request, running_build(), data="", journal=heard)
    return heard.decisions


class _Heard:
    """A journal that keeps what was wished for."""

    def __init__(self) -> None:
        self.decisions: list[Decision] = []

    def write(self, batch: Batch) -> None:
        for entry in batch.entries:
            told = entry.input
            if isinstance(told, OrderRequest):
                self.decisions.append(
                    (told.at_ns, told.symbol, told.strategy, told.side.value, told.reason)
                )


def _columns_changed(request: BacktestRequest, cut_ns: int) -> Iterator[str]:
    """What is said by column, where anything is."""
    for name, wanted in request.config.strategies.items():
        for columns in request.histories:
            strategy = made(wanted.kind, name, wanted.params, wanted.size.size)
            shorter = between(columns, 0, cut_ns)
            whole, part = strategy.signals(columns), strategy.signals(shorter)
            if whole is None or part is None:
                continue
            for what in ("enter", "leave"):
                changed = getattr(whole, what)[: len(shorter)] != getattr(part, what)
                if changed.any():
                    place = int(changed.argmax())
                    yield (
                        f"cut off at {iso(cut_ns)}: signals say otherwise where to {what} {columns.symbol} "
                        f"at the bar of {iso(int(columns.start_ns[place]))}"
                    )


def _words(decision: Decision | None) -> str:
    if decision is None:
        return "nothing more"
    at_ns, symbol, _, side, reason = decision
    return f"{side} {symbol} at {iso(at_ns)} ({reason})"

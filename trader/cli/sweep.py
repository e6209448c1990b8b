"""The verb `sweep`: one strategy with every combination of some parameters, in several processes."""

import hashlib
import math
import os
import sys
from collections.abc import Iterator, Sequence
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import BinaryIO

import click
import msgspec
import trio
from msgspec import Struct
from msgspec.structs import asdict, replace

from trader.backtest.days import RoundTheClock, Sessions
from trader.backtest.grid import MEASURES, Trial, axis, points, trial_of
from trader.backtest.jobs import JobLost, answered
from trader.backtest.request import BacktestRequest
from trader.backtest.run import backtested
from trader.build import running_build
from trader.cli.history_options import Asked, asked_request, history_options
from trader.cli.options import Common, bookless_options, quiet_interpreter
from trader.cli.own_strategies import blaming_strategies
from trader.exits import Exit, Mistake
from trader.feeds.history import data_identity
from trader.model import StrategyName

SERVES = "--serves"  # makes it one of the processes
TRIALS = "trials.jsonl"
SHOWN = 10
SHOWN_ALWAYS = ("total_return", "sharpe")
JOBS_MAX = 256
FOLDS_MAX = 50
PARAMS_CHARACTERS = 34


class Ask(Struct, frozen=True, kw_only=True):
    """Of a process: these parameters between two moments; `run` is a hash of all that the answer depends on."""

    run: str
    params: dict[str, str]
    first_ns: int
    last_ns: int


@click.command("sweep")
@click.option("--grid", multiple=True, metavar="NAME=A..B[:STEP]", help="An axis; or NAME=A,B,C.")
@click.option(
    "--jobs",
    type=click.IntRange(1, JOBS_MAX),
    default=lambda: min(os.cpu_count() or 1, JOBS_MAX),
    show_default="one for each core",
    help="Processes; the answer is the same with any number.",
)
@click.option("--by", type=click.Choice(MEASURES), default=MEASURES[0], show_default=True)
@click.option(
    "--folds",
    type=click.IntRange(0, FOLDS_MAX),
    default=0,
    help="Walk forward: choose on the days before, run on the days after, so many times.",
)
@click.option("--out", metavar="DIR", default="sweep", show_default=True, help="Goes on with it.")
@click.option(SERVES, is_flag=True, hidden=True)
@history_options
@bookless_options
def command(
    common: Common,
    asked: Asked,
    grid: tuple[str, ...],
    jobs: int,
    by: str,
    folds: int,
    out: str,
    serves: bool,
) -> int:
    """Run a strategy with every combination of parameters; what was run before is not run again."""
    told = [axis(one) for one in grid]
    axes = dict(told)
    twice = [name for place, (name, _) in enumerate(told) if name in dict(told[:place])]
    if twice:
        raise Mistake("is there twice", where=f"--grid {twice[0]}")
    if not axes and not serves:
        raise Mistake("which parameters?", where="--grid", remedy="--grid fast=5..20")
    request = asked_request(common, asked)
    if len(request.config.strategies) != 1:
        raise Mistake("of which strategy?", where="--grid", remedy="name it with --strategy")
    quiet_interpreter()
    if serves:
        _serve(request, common.config)
        return Exit.WELL
    sweep = Sweep(request, Path(out), jobs, _command(common, asked))
    wanted = points(axes)
    if folds:
        _say_folds(common, list(sweep.walked(wanted, folds, by)), by, len(wanted))
    else:
        _say(common, sweep.run(wanted), by)
    return Exit.WELL


def _command(common: Common, asked: Asked) -> list[str]:
    """That runs one of the processes."""
    command = [sys.executable, "-P", "-m", "trader", "sweep", SERVES]
    if common.config is not None:
        command += ["--config", str(common.config)]
    for name, value in asdict(asked).items():
        option = f"--{name}"
        if isinstance(value, bool):
            command += [option] if value else []
        elif value is not None:
            for one in value if isinstance(value, tuple) else (value,):
                command += [option, str(one)]
    return command


class Sweep:
    """Runs of one request with other parameters and between other days; each is run once, ever."""

    def __init__(
        self, request: BacktestRequest, folder: Path, jobs: int, command: Sequence[str]
    ) -> None:
        self._request = request
        self._jobs = jobs
        self._command = command
        self._file = folder / TRIALS
        same = replace(request, histories=(), quotes=())
        bars = {one.symbol: one for one in request.histories}
        data = data_identity(bars, request.quotes_by_symbol)
        self._same = msgspec.json.encode((running_build().identity, data, same))
        self._known = self._read()

    def _read(self) -> dict[str, Trial]:
        if not self._file.exists():
            return {}
        known: dict[str, Trial] = {}
        try:
            # Of a line that was cut, where the program or the machine died, the run is made again.
            *lines, _ = self._file.read_bytes().split(b"\n")
        except OSError as error:
            raise Mistake(f"can't be read: {error.strerror}", where=str(self._file)) from None
        for number, line in enumerate(lines, 1):
            try:
                trial = msgspec.json.decode(line, type=Trial)
            except (msgspec.MsgspecError, UnicodeDecodeError) as error:
                what = f"no trial of a sweep: {error}"
                raise Mistake(what, where=f"{self._file}:{number}") from None
            known[trial.run] = trial
        return known

    def run(
        self, wanted: Sequence[dict[str, str]], first_ns: int = 0, last_ns: int = 2**62
    ) -> list[Trial]:
        """In the order in which they are wanted."""
        asks = [
            Ask(
                run=self._key(params, first_ns, last_ns),
                params=params,
                first_ns=first_ns,
                last_ns=last_ns,
            )
            for params in wanted
        ]
        new = [ask for ask in asks if ask.run not in self._known]
        with (
            self._opened() as file,
            click.progressbar(
                length=len(new), label="runs", file=sys.stderr, hidden=not sys.stderr.isatty()
            ) as bar,
        ):

            def done(place: int, line: bytes) -> None:
                trial = msgspec.json.decode(line, type=Trial)
                self._known[trial.run] = trial
                file.write(line + b"\n")
                file.flush()
                bar.update(1)

            lines = [msgspec.json.encode(ask) for ask in new]
            try:
                trio.run(partial(answered, self._command, lines, self._jobs, done))
            except* JobLost as lost:
                raise RuntimeError(str(lost.exceptions[0])) from lost
        return [self._known[ask.run] for ask in asks]

    def _opened(self) -> BinaryIO:
        try:
            self._file.parent.mkdir(parents=True, exist_ok=True)
            file = self._file.open("ab")
            if self._file.stat().st_size:
                whole = self._file.read_bytes()
                file.truncate(whole.rfind(b"\n") + 1)
            return file
        except OSError as error:
            where = f"--out {self._file.parent}"
            raise Mistake(f"can't be written to: {error.strerror}", where=where) from None

    def walked(
        self, wanted: Sequence[dict[str, str]], folds: int, by: str
    ) -> Iterator[tuple[Trial, Trial]]:
        """The best of all days before, and what it came to on the days after, fold by fold."""
        ends_ns = self._days()
        parts = folds + 1
        if len(ends_ns) < 2 * parts:
            raise Mistake(f"{len(ends_ns)} days are too few", where=f"--folds {folds}")
        edges = [ends_ns[len(ends_ns) * part // parts - 1] for part in range(1, parts + 1)]
        for end_ns, after_ns in pairwise(edges):
            best = _sorted(self.run(wanted, 0, end_ns), by)[0]
            yield best, self.run([best.params], end_ns, after_ns)[0]

    def _days(self) -> list[int]:
        """When those end that have a bar."""
        days = RoundTheClock() if self._request.is_always_open else Sessions()
        found = {
            day.ends_ns
            for history in self._request.histories
            for ends_ns in history.ends_ns.tolist()
            if (day := days.day_of(ends_ns)) is not None
        }
        return sorted(found)

    def _key(self, params: dict[str, str], first_ns: int, last_ns: int) -> str:
        what = msgspec.json.encode((params, first_ns, last_ns), order="deterministic")
        return hashlib.sha256(self._same + what).hexdigest()


def _serve(request: BacktestRequest, config_path: Path | None) -> None:
    """A line asks, a line answers, until nobody asks any more."""
    [(name, base)] = request.config.strategies.items()
    build = running_build()
    for line in sys.stdin.buffer:
        ask = msgspec.json.decode(line, type=Ask)
        changed = replace(base, params={**base.params, **ask.params})
        config = replace(request.config, strategies={StrategyName(name): changed})
        one = replace(request, config=config).between(ask.first_ns, ask.last_ns)
        try:
            with blaming_strategies(config, config_path):
                trial = trial_of(backtested(one, build, data=""), ask.run, ask.params)
        except Mistake as mistake:  # fast above slow: no such strategy
            trial = Trial(run=ask.run, params=ask.params, impossible=str(mistake))
        sys.stdout.buffer.write(msgspec.json.encode(trial) + b"\n")
        sys.stdout.buffer.flush()


# ---------------------------------------------------------------------------------------------- saying so


def _sorted(trials: Sequence[Trial], by: str) -> list[Trial]:
    possible = [one for one in trials if not one.impossible]
    if not possible:
        raise Mistake(f"none of them can be run: {trials[0].impossible}", where="--grid")
    return sorted(possible, key=lambda one: one.measure(by), reverse=True)


def _say(common: Common, trials: Sequence[Trial], by: str) -> None:
    if common.json:
        click.echo(msgspec.json.encode({"by": by, "trials": trials}).decode())
        return
    ordered = _sorted(trials, by)
    _say_rows("", ordered[:SHOWN], by)
    without = len(trials) - len(ordered)
    also = f"; {without:,} more can't be" if without else ""
    click.echo(
        f"the best of {len(ordered):,} trials by {by}{also}. "
        "The best of many is lucky, too: --folds says what it does on days that it wasn't chosen on."
    )


def _say_folds(common: Common, folds: Sequence[tuple[Trial, Trial]], by: str, trials: int) -> None:
    if common.json:
        told = [{"chosen": before, "after": after} for before, after in folds]
        click.echo(msgspec.json.encode({"by": by, "trials": trials, "folds": told}).decode())
        return
    for number, (before, after) in enumerate(folds, 1):
        _say_rows(f"{number} before", [before], by)
        _say_rows(f"{number} after", [after], by)
    click.echo(
        f"each time the best of {trials:,} trials by {by} on all days before; its days after follow it"
    )
    grown = math.prod(1 + (after.total_return or 0.0) for _, after in folds)
    click.echo(f"all days after, one after the other: return {_percent(grown - 1).strip()}")


def _say_rows(head: str, trials: Sequence[Trial], by: str) -> None:
    """What they are sorted by is among the figures, or comes after them."""
    more = "" if by in SHOWN_ALWAYS else by.replace("_", " ")
    for one in trials:
        params = " ".join(f"{name}={value}" for name, value in one.params.items())
        click.echo(
            f"{head:<9}{params:<{PARAMS_CHARACTERS}} {one.trades:>6,} trades  return {_percent(one.total_return)}"
            f"  Sharpe {_number(one.sharpe)}  drawdown {_percent(one.max_drawdown)}"
            + (f"  {more} {_number(getattr(one, by))}" if more else "")
        )


def _percent(value: float | None) -> str:
    return f"{'n/a':>9}" if value is None else f"{100 * value:>+8.2f}%"


def _number(value: float | None) -> str:
    return f"{'n/a':>7}" if value is None else f"{value:>7.2f}"

"""The verb `backtest`: a strategy over history, through the same rules, executor and books as a live run."""

import hashlib
import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

import click

from trader.backtest.files import summary_lines, write_files
from trader.backtest.outcome import Outcome
from trader.backtest.page import page_of
from trader.backtest.request import BacktestRequest
from trader.backtest.run import backtested, identity_of
from trader.build import Build, running_build
from trader.cli.history_options import Asked, asked_request, history_options
from trader.cli.options import Common, bookless_options, quiet_interpreter
from trader.cli.own_strategies import blaming_strategies
from trader.exits import Exit, Mistake
from trader.feeds.columns import Columns
from trader.feeds.history import data_identity
from trader.journal.sqlite import open_journal
from trader.model import Symbol
from trader.pages import plotly_script

DATABASE, REPORT, SUMMARY = "trading_data.db", "report.html", "summary.json"
HASH_CHARACTERS = 8


@click.command("backtest")
@click.option("--out", metavar="DIR", help="Where to.  [default: backtests/STRATEGY-HASH]")
@history_options
@bookless_options
def command(common: Common, asked: Asked, out: str | None) -> int:
    """Run a strategy over history: the same workers, rules, executor and books; a report and a database of its own."""
    request = asked_request(common, asked)
    history = {one.symbol: one for one in request.histories}
    build, data = running_build(), data_identity(history, request.quotes_by_symbol)
    folder = Path(out) if out is not None else Path("backtests") / _name(request, build, data)
    quiet_interpreter()
    with _draft(folder) as draft, _progress(common, history) as progress:
        journal = open_journal(
            draft.resolve() / DATABASE, create=True, since="backtest", inline=True
        )
        try:
            with blaming_strategies(request.config, common.config):
                outcome = backtested(request, build, data=data, journal=journal, progress=progress)
        finally:
            journal.close()
        write_files(draft, outcome)
        lacks = _report(draft, outcome, history)
    _say(common, folder, outcome, lacks)
    return Exit.WELL


def _name(request: BacktestRequest, build: Build, data: str) -> str:
    """The same for the same request over the same data, and no other."""
    whole = identity_of(request, build, data)
    asked = hashlib.sha256(f"{whole.parameters} {whole.data} {whole.seed}".encode()).hexdigest()
    return f"{'-'.join(request.config.strategies)}-{asked[:HASH_CHARACTERS]}"


# ------------------------------------------------------------------------------------------- what it leaves


@contextmanager
def _draft(folder: Path) -> Iterator[Path]:
    """A folder beside it, which takes its place when all went well: there is a whole backtest in it, or none."""
    if folder.name in ("", ".."):
        raise Mistake("not a folder's name", where=f"--out {folder}", remedy="give another --out")
    if folder.exists() and not _is_backtest(folder):
        raise Mistake(
            "is there, and is no backtest", where=f"--out {folder}", remedy="give another --out"
        )
    try:
        with suppress(FileExistsError):
            folder.parent.mkdir(parents=True)
        draft = Path(tempfile.mkdtemp(prefix=f"{folder.name}.partial-", dir=folder.parent))
        draft.chmod(0o777 & ~_umask())  # It was made for its owner alone.
    except OSError as error:
        raise Mistake(f"can't be made: {error.strerror}", where=f"--out {folder}") from None
    try:
        yield draft
    except BaseException:
        shutil.rmtree(draft, ignore_errors=True)
        raise
    if folder.exists():
        shutil.rmtree(folder)
    draft.rename(folder)


def _umask() -> int:
    """Which can't be asked for without setting it."""
    mask = os.umask(0o077)
    os.umask(mask)
    return mask


def _is_backtest(folder: Path) -> bool:
    """Or an empty folder, which may become one."""
    return folder.is_dir() and ((folder / SUMMARY).is_file() or not any(folder.iterdir()))


@contextmanager
def _progress(
    common: Common, history: Mapping[Symbol, Columns]
) -> Iterator[Callable[[int, int], None]]:
    """A bar on standard error, where that is a terminal."""
    if common.json or not sys.stderr.isatty():
        yield lambda bars, of: None
        return
    length = sum(len(one) for one in history.values())
    with click.progressbar(length=length, label="bars", file=sys.stderr) as bar:
        yield lambda bars, of: bar.update(bars - bar.pos)


def _report(folder: Path, outcome: Outcome, history: Mapping[Symbol, Columns]) -> str:
    """The page; what lacks for it, where something does: numbers are worth having without."""
    try:
        script = plotly_script()
    except Mistake as lacks:
        return f"{REPORT} was not written: {str(lacks).removeprefix('--html: ')}"
    (folder / REPORT).write_text(page_of(outcome, history, script), encoding="utf-8")
    return ""


def _say(common: Common, folder: Path, outcome: Outcome, lacks: str) -> None:
    if common.json:
        click.echo((folder / SUMMARY).read_text(encoding="utf-8"))
        return
    for line in summary_lines(outcome):
        click.echo(line)
    written = [REPORT, "trades.csv", "equity.csv", SUMMARY, DATABASE]
    names = " ".join(one for one in written if not (lacks and one == REPORT))
    click.echo(f"written  {folder}/: {names}")
    if lacks:
        click.echo(f"         {lacks}")
    click.echo(f"ask it   bin/trade explain {outcome.symbols[0]} --database {folder}/{DATABASE}")

"""`trade verify`: recompute everything that a database says from its journal's bytes, and name what differs first."""

import sqlite3
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import click
import msgspec
from msgspec.structs import replace

from trader.build import running_build
from trader.cli.answers import reading
from trader.cli.options import Common, common_options, file_path, quiet_interpreter
from trader.cli.reconcile import differences
from trader.cli.visits import Whom, asked_beside, broker_options
from trader.executor import decided
from trader.exits import Exit
from trader.log.words import visible
from trader.state import ExecutionState
from trader.verification.verify import Check, Verification, Wanted, proved

PROGRESS_FROM = 20_000  # entries: a shorter journal is done before a bar is read


@click.command("verify")
@click.argument("file", required=False, metavar="[DATABASE]")
@click.option(
    "--every",
    type=click.IntRange(min=1),
    default=1,
    show_default=True,
    metavar="K",
    help="Prove each K-th prefix of the journal.",
)
@click.option("--decisions", is_flag=True, help="Decide again what this very build has decided.")
@common_options
@broker_options
def command(common: Common, /, whom: Whom, file: str | None, every: int, decisions: bool) -> int:
    """Prove a database from its journal alone; with --broker, against the broker's word, too.

    Exit code 1 names what differs first, 3 means that the file can't be opened. Nothing is written.
    """
    if file is not None:
        common = replace(common, database=file_path(file, "DATABASE"))
    quiet_interpreter()
    build = running_build().identity if decisions else ""
    with reading(common) as reader, entries_bar(_entries(reader)) as progress:
        answer = proved(reader, Wanted(every=every, decisions=build, progress=progress))
    verification = answer.verification
    if whom.broker is not None and answer.state is not None:
        check = _of_broker(common, whom, answer.state)
        verification = replace(verification, checks=(*verification.checks, check))
    _say(common, verification)
    return Exit.WELL if verification.first_difference is None else Exit.DIFFERENCES


def _of_broker(common: Common, whom: Whom, state: ExecutionState) -> Check:
    """What the broker has told since is taken in first, in memory only; raises StartRefused where it can't be asked."""
    told = asked_beside(common, whom, state)
    after, heard = decided(state, list(told.inputs))
    found = differences(after, told.statement)
    news = len(heard) - 1
    says = f"{told.account} has the same cash and shares" + (
        f", after {news} things we hadn't heard" if news > 0 else ""
    )
    first = (
        f"{found[0].what}: ours {found[0].ours}, the broker's {found[0].theirs}" if found else ""
    )
    return Check(name="broker", says=says, difference=first)


@contextmanager
def entries_bar(entries: int) -> Iterator[Callable[[int], None] | None]:
    """A bar on standard error, where that is a terminal and there is something to wait for."""
    if entries < PROGRESS_FROM or not sys.stderr.isatty():
        yield None
        return
    with click.progressbar(length=entries, label="entries", file=sys.stderr) as bar:
        yield bar.update


def _entries(reader: sqlite3.Connection) -> int:
    try:
        [found] = reader.execute("SELECT max(sequence) FROM journal").fetchone()
    except (sqlite3.Error, UnicodeDecodeError):  # What is wrong with it is said by the proof.
        return 0
    return found if isinstance(found, int) else 0


def _say(common: Common, verification: Verification) -> None:
    first = verification.first_difference
    if common.json:
        answer = {
            "database": str(common.database),
            "is_well": first is None,
            "first_difference": first,
            "entries": verification.entries,
            "head_hash": verification.head_hash,
            "checks": verification.checks,
        }
        click.echo(msgspec.json.encode(answer).decode())
        return
    for check in verification.checks:
        word = "DIFFERS" if check.difference else "ok"
        click.echo(f"{word:<8} {check.name:<10} {visible(check.difference or check.says)}")
    if first is None:
        click.echo(f"well: {common.database} says what its journal says")
    else:
        click.echo(f"first difference: {first.name}: {visible(first.difference)}")

"""`trade rebuild`: new books of the entries of ones whose tables can't be believed, proved before they have a name."""

import time
from pathlib import Path

import click
import msgspec

from trader.calendar import iso
from trader.cli.answers import reading
from trader.cli.backup import proof_of
from trader.cli.options import Common, common_options, new_file, quiet_interpreter
from trader.cli.verify import entries_bar
from trader.exits import Exit, Mistake, StartRefused
from trader.journal.backup import named, remove
from trader.journal.failures import JournalDamaged
from trader.journal.rebuilding import rebuilt


@click.command("rebuild")
@click.argument("file", metavar="NEW")
@click.option(
    "--up-to",
    type=click.IntRange(min=1),
    metavar="ROW",
    help="The last journal row to take over. [default: all]",
)
@common_options
def command(common: Common, file: str, up_to: int | None) -> int:
    """Make books in a NEW file from the journal's entries alone, and prove them.

    For a database whose tables were changed: the entries and their hashes are what happened, the tables follow from
    them. The old file stays as it is.
    """
    quiet_interpreter()
    target = new_file(file, "NEW")
    with reading(common) as reader:
        [head] = reader.execute("SELECT ifnull(max(sequence), 0) FROM journal").fetchone()
    if not head or (up_to is not None and up_to > head):
        raise Mistake(f"the journal has {head} rows", where=str(common.database))
    draft = target.with_name(target.name + ".part")
    _remove(draft)  # Left by one that was cut off.
    try:
        with entries_bar(up_to or head) as watch:
            rebuilt(common.database, draft, iso(time.time_ns()), up_to=up_to, watch=watch)
        verification = proof_of(draft)
        named(draft, target)
    except JournalDamaged as damage:
        raise _believed(damage) from damage
    finally:
        _remove(draft)
    _say(common, target, verification.entries, head, verification.head_hash)
    return Exit.WELL


def _believed(damage: JournalDamaged) -> StartRefused:
    """The same, and how far the journal can be believed."""
    whole = damage.row - 1
    remedy = "restore a backup"
    if whole:
        remedy += f"; or take over what is whole: --up-to {whole}"
    return StartRefused(damage.what, where=damage.where, remedy=remedy)


def _remove(draft: Path) -> None:
    remove(draft)
    for ending in (".lock", ".new"):
        draft.with_name(draft.name + ending).unlink(missing_ok=True)


def _say(common: Common, target: Path, entries: int, head: int, head_hash: str) -> None:
    if common.json:
        told = {
            "file": str(target),
            "entries": entries,
            "head_hash": head_hash,
            "left_out": head - entries,
        }
        click.echo(msgspec.json.encode(told).decode())
        return
    click.echo(f"written   {target}: {entries:,} entries, the last hash {head_hash[:12]}, proved")
    if entries < head:
        click.echo(
            f"left out  {head - entries:,} entries. The broker refuses an order id that it has seen; the next start"
            " asks about each, and compares: bin/trade reconcile"
        )
    click.echo(f"put there bin/trade restore {target.name}   (with the program stopped)")

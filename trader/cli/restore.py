"""`trade restore`: a backup in the place of the books, which are moved aside; and what the next start will find."""

import time
from pathlib import Path

import click
import msgspec
from msgspec import Struct
from msgspec.structs import replace

from trader.calendar import iso
from trader.cli.answers import reading
from trader.cli.backup import proof_of
from trader.cli.options import Common, common_options, file_path
from trader.exits import Exit, Mistake, StartRefused
from trader.journal.backup import copied, head_of, moved_aside, named, remove
from trader.journal.lock import ProcessLock
from trader.live.archive import archive_folder


class Restored(Struct, frozen=True, kw_only=True):
    """What is in place now, and what was before: its last row is None where it couldn't be read."""

    database: str
    row: int
    timestamp: str
    moved_to: str | None
    row_before: int | None
    rows_lost: int | None


@click.command("restore")
@click.argument("file", metavar="FILE")
@common_options
def command(common: Common, file: str) -> int:
    """Put the backup FILE in the place of the books; those are moved aside, never overwritten."""
    source = file_path(file, "FILE")
    if not source.exists():
        raise Mistake("there is no such file", where=f"FILE {source}")
    if source == common.database:
        raise Mistake("is the database itself", where=f"FILE {source}")
    with reading(replace(common, database=source)):
        pass  # It is ours, and can be opened.
    now_ns = time.time_ns()
    lock = ProcessLock(common.database, iso(now_ns))  # Whoever trades with these books holds it.
    try:
        restored = _restored(common.database, source, now_ns)
        lock.settle(0)
    finally:
        lock.close()
    _say(common, restored)
    return Exit.WELL


def _restored(database: Path, source: Path, now_ns: int) -> Restored:
    draft = database.with_name(database.name + ".restored")
    remove(draft)  # Left by a restore that was cut off.
    copied(source, draft)
    try:
        entries = proof_of(draft).entries
        before = head_of(database) if database.exists() else None
        after = head_of(draft)
        assert after is not None, "what was proved can be read"
        if before is not None and before[2] and before[2] != after[2]:
            raise StartRefused(
                f"holds the books of {after[2]}, and {database.name} those of {before[2]}",
                where=str(source),
                remedy="give another --database",
            )
        folder = archive_folder(database, now_ns) if database.exists() else None
        if folder is not None:
            moved_aside(database, folder)
        named(draft, database)
    except BaseException:
        remove(draft)
        raise
    row_before = None if before is None else before[0]
    return Restored(
        database=str(database),
        row=entries,
        timestamp=after[1],
        moved_to=None if folder is None else str(folder / database.name),
        row_before=row_before,
        rows_lost=None if row_before is None else max(0, row_before - entries),
    )


def _say(common: Common, restored: Restored) -> None:
    if common.json:
        click.echo(msgspec.json.encode(restored).decode())
        return
    click.echo(
        f"restored  {restored.database}: journal row {restored.row:,} of {restored.timestamp}, proved"
    )
    if restored.moved_to is not None:
        row = "can't be read" if restored.row_before is None else f"row {restored.row_before:,}"
        click.echo(f"aside     {restored.moved_to}: {row}")
    if restored.rows_lost != 0:
        lost = "whatever came" if restored.rows_lost is None else f"{restored.rows_lost:,} rows"
        click.echo(
            f"unknown   {lost} after the backup. The broker refuses an order id that it has seen; the next start asks"
            " about each, and compares: bin/trade reconcile"
        )

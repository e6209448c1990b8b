"""`trade backup`: a whole copy of the books, made while the trader runs, and proved before it gets its name."""

from contextlib import closing
from pathlib import Path

import click
import msgspec

from trader.cli.answers import reading
from trader.cli.options import Common, common_options, new_file
from trader.exits import Exit, StartRefused
from trader.journal.backup import copied, named, remove
from trader.journal.sqlite import reading_connection
from trader.verification.verify import Verification, Wanted, proved

EVERY = 1_000  # prefixes of a copy that are proved: its last row is always one of them


@click.command("backup")
@click.argument("file", metavar="FILE")
@common_options
def command(common: Common, file: str) -> int:
    """Copy the books to a new FILE, as of one moment, and prove the copy."""
    target = new_file(file, "FILE")
    with reading(common):
        pass  # It is ours, and can be opened.
    draft = target.with_name(target.name + ".part")
    remove(draft)  # Left by a backup that was cut off.
    copied(common.database, draft)
    try:
        verification = proof_of(draft)
        named(draft, target)
    except BaseException:
        remove(draft)
        raise
    head = verification.head_hash
    if common.json:
        told = {"file": str(target), "entries": verification.entries, "head_hash": head}
        click.echo(msgspec.json.encode(told).decode())
    else:
        click.echo(
            f"written   {target}: {verification.entries:,} entries, the last hash {head[:12]}, proved"
        )
        click.echo(f"put back  bin/trade restore {target.name}   (with the program stopped)")
    return Exit.WELL


def proof_of(copy: Path) -> Verification:
    """All checks of a file that nobody writes; raises StartRefused where it isn't what its journal says."""
    with closing(reading_connection(copy)) as reader:
        verification = proved(reader, Wanted(every=EVERY)).verification
    first = verification.first_difference
    if first is not None:
        raise StartRefused(
            f"isn't what its journal says: {first.name}: {first.difference}",
            where=str(copy),
            remedy="bin/trade verify shows all of it",
        )
    return verification

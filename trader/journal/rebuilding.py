"""Books made anew from the entries alone, byte for byte: for a file whose tables don't say what its journal says.

The entries are the truth and the tables follow from them (docs/decisions/0004), so that whatever became of tables,
views and triggers can be made again. Of the old file nothing is read but the journal's rows, and nothing is written.
"""

import sqlite3
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from itertools import islice
from pathlib import Path

from trader.evolve import fold
from trader.exits import JournalBroken
from trader.journal.backup import standing_alone
from trader.journal.chain import Link
from trader.journal.comparing import IMPOSSIBLE, cut
from trader.journal.failures import JournalDamaged, JournalFenced, JournalUnusable
from trader.journal.sqlite import SqliteJournal, links_of, open_journal, reading_connection
from trader.ports import Batch, JournalFailed
from trader.state import ExecutionState


def rebuilt(
    source: Path,
    target: Path,
    since: str,
    *,
    up_to: int | None = None,
    watch: Callable[[int], None] | None = None,
) -> None:
    """A new journal at `target` of the entries at `source`, to row `up_to` where that is given; nothing else beside it.

    `watch` hears how many entries have been written, some at a time. Raises JournalDamaged at the first entry that
    can't be believed, JournalUnusable where the file can't be made.
    """
    with closing(reading_connection(source)) as reader:
        reader.execute("BEGIN")  # All of it as of one moment, also while a trader writes.
        links = islice(links_of(reader, where=str(source)), up_to)
        try:
            with closing(open_journal(target, create=True, since=since, inline=True)) as journal:
                for count in _written(links, source, journal):
                    if watch is not None:
                        watch(count)
            standing_alone(target)
        except (OSError, sqlite3.Error, JournalFailed, JournalBroken) as error:
            what = f"can't be written ({error})"
            raise JournalUnusable(target, what, "df -h; nothing was changed") from error


def _written(links: Iterable[Link], source: Path, journal: SqliteJournal) -> Iterator[int]:
    """How many entries, some at a time, are in the new journal."""
    state = ExecutionState()
    for some in cut(links):
        entries = tuple(link.entry for link in some)
        try:
            after = fold(state, entries)
            journal.write(Batch(entries=entries, after=after), some)
        except (*IMPOSSIBLE, sqlite3.IntegrityError, JournalFenced) as error:
            what = f"can't follow from the entries before it ({error!r})"
            raise JournalDamaged(what, state.sequence + 1, str(source)) from error
        state = after
        yield len(entries)

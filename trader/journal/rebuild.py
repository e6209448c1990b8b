"""The tables, built once more from the journal alone: they are derived, so they must come out the same."""

import sqlite3
from collections.abc import Iterable, Iterator

from trader.evolve import evolve_entry
from trader.journal.chain import GENESIS
from trader.journal.ledger import Ledger
from trader.journal.projection import Projection
from trader.journal.schema import TABLES, migrate
from trader.journal.sqlite import entries_of
from trader.messages import Boot, Entry
from trader.ports import Batch
from trader.state import ExecutionState

BATCH_ENTRIES = 500


def rebuilt(entries: Iterable[Entry], connection: sqlite3.Connection) -> ExecutionState:
    """Write the tables that follow from these entries into an empty database; returns the state they add up to."""
    connection.isolation_level = None
    migrate(connection)
    projection = Projection(
        head=0, head_hash=GENESIS, ledger=Ledger(), past=lambda: ExecutionState()
    )
    state = ExecutionState()
    connection.execute("BEGIN")
    for some in _cut(entries):
        for entry in some:
            state = evolve_entry(state, entry)
        draft = projection.draft(Batch(entries=tuple(some), after=state))
        for statement, rows in draft.statements:
            connection.executemany(statement, rows)
        projection.adopt(draft)
    connection.execute("COMMIT")
    return state


def tables_that_differ(reader: sqlite3.Connection) -> list[str]:
    """The tables of a journal whose rows are not what its entries add up to; none in a sound one.

    Raises JournalDamaged where the entries themselves can't be believed.
    """
    anew = sqlite3.connect(":memory:")
    try:
        rebuilt(entries_of(reader), anew)
        return [table for table in TABLES if _rows(reader, table) != _rows(anew, table)]
    finally:
        anew.close()


def _rows(connection: sqlite3.Connection, table: str) -> list[tuple[object, ...]]:
    return connection.execute(f"SELECT * FROM {table} ORDER BY 1, 2").fetchall()


def _cut(entries: Iterable[Entry]) -> Iterator[list[Entry]]:
    """In pieces that are never of two lives: a life's row has to stand before its entries."""
    some: list[Entry] = []
    for entry in entries:
        if some and (len(some) == BATCH_ENTRIES or isinstance(entry.input, Boot)):
            yield some
            some = []
        some.append(entry)
    if some:
        yield some

"""Rows as they stand in a table, beside those that should: the first cell that differs, by table, row and column."""

import sqlite3
from collections.abc import Sequence

from msgspec import Struct

from trader.journal import tables
from trader.journal.chain import Row

SHOWN_MAX = 120  # characters of a cell: of an entry that differs, its row says enough


class Difference(Struct, frozen=True, kw_only=True):
    """One cell that isn't what follows from the journal; without a column it is about a whole row."""

    table: str
    row: str
    column: str = ""
    stored: str
    follows: str

    def __str__(self) -> str:
        where = ", ".join(part for part in (self.table, self.row, self.column) if part)
        return f"{where}: stored {self.stored}, follows {self.follows}"


class StoredRows:
    """The rows of one table in the order of their key, taken as many at a time as are to be compared."""

    def __init__(self, reader: sqlite3.Connection, table: str, after: int = 0) -> None:
        """`after` leaves out what journal rows up to that one have written."""
        self.table = table
        self.rows = 0
        since = f"WHERE sequence > {after}" if after else ""
        question = f"SELECT * FROM {table} {since} ORDER BY {', '.join(tables.key_of(table))}"
        self._cursor = reader.execute(question)

    def differs(self, follows: Sequence[Row]) -> Difference | None:
        """The first difference of the next rows from those that follow."""
        try:
            stored = self._cursor.fetchmany(len(follows))
        except (sqlite3.Error, UnicodeDecodeError) as error:
            return self._unreadable(error)
        self.rows += len(stored)
        return first_difference(self.table, stored, follows)

    def left(self) -> Difference | None:
        """A row where there should be no more."""
        try:
            row = self._cursor.fetchone()
        except (sqlite3.Error, UnicodeDecodeError) as error:
            return self._unreadable(error)
        if row is None:
            return None
        return Difference(
            table=self.table, row=_name(self.table, row), stored="a row", follows="none"
        )

    def _unreadable(self, error: Exception) -> Difference:
        return Difference(
            table=self.table,
            row=f"after {self.rows} rows",
            stored=f"what can't be read ({error})",
            follows="a row",
        )


def first_difference(
    table: str, stored: Sequence[Row], follows: Sequence[Row]
) -> Difference | None:
    """Of rows that belong beside each other; fewer are stored than follow, or as many."""
    if stored == follows:
        return None
    columns = tables.columns_of(table)
    for row, wanted in zip(stored, follows, strict=False):
        for column, cell, want in zip(columns, row, wanted, strict=True):
            if cell != want:
                name = _name(table, wanted)
                return Difference(
                    table=table, row=name, column=column, stored=_shown(cell), follows=_shown(want)
                )
    lacking = _name(table, follows[len(stored)])
    return Difference(table=table, row=lacking, stored="no row", follows="a row")


def _name(table: str, row: Row) -> str:
    cells = dict(zip(tables.columns_of(table), row, strict=True))
    return ", ".join(f"{name} {cells[name]}" for name in tables.key_of(table))


def _shown(cell: object) -> str:
    text = repr(cell)
    return text if len(text) <= SHOWN_MAX else f"{text[:SHOWN_MAX]}..."

"""What the look verbs share: the database opened for reading only, and rows as an aligned table or as JSON."""

import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from urllib.parse import quote

import click
import msgspec

from trader.cli.options import Common
from trader.exits import StartRefused
from trader.journal.lock import rows_noted, writer_of
from trader.journal.place import check_header, check_no_rollback
from trader.journal.write_ahead import check_log
from trader.log.words import visible

BUSY_MS_MAX = 5_000
Cell = str | int | float | bool | None
Row = Mapping[str, Cell]


@contextmanager
def reading(common: Common) -> Iterator[sqlite3.Connection]:
    """One consistent view of the database, whether or not the trader runs; raises StartRefused where there is none."""
    if not common.database.exists():
        raise StartRefused(
            "there is no database", where=str(common.database), remedy="bin/trade run makes one"
        )
    try:
        check_header(common.database)
        check_no_rollback(common.database)
        if (
            writer_of(common.database) is None
        ):  # Whoever writes has looked, and moves pages meanwhile.
            check_log(common.database, rows_noted(common.database))
        address = f"file:{quote(str(common.database))}?mode=ro"
        connection = sqlite3.connect(address, uri=True, isolation_level=None)
    except (OSError, sqlite3.Error) as error:
        raise _unreadable(common, error) from None
    try:
        connection.execute(f"PRAGMA busy_timeout = {BUSY_MS_MAX}")
        connection.execute("PRAGMA query_only = ON")
        connection.execute("BEGIN")
        _look_at_tables(connection)
        yield connection
    except sqlite3.DatabaseError as error:
        raise _unreadable(common, error) from None
    finally:
        connection.close()


def _look_at_tables(connection: sqlite3.Connection) -> None:
    """Raise DatabaseError where the words that made them are no text: neither is SQLite's complaint, which has them."""
    try:
        connection.execute("SELECT 1 FROM sqlite_schema LIMIT 1").fetchone()
    except UnicodeDecodeError as error:
        raise sqlite3.DatabaseError(f"its schema is no text: {error}") from None


def _unreadable(common: Common, error: Exception) -> StartRefused:
    return StartRefused(
        f"can't be read: {error}", where=str(common.database), remedy="restore a backup"
    )


def rows_of(
    connection: sqlite3.Connection, question: str, values: Sequence[str | int] = ()
) -> list[Row]:
    """The answer, row by row, by column name; bytes are shown in hexadecimal. Raises ValueError for one name twice."""
    cursor = connection.execute(question, values)
    names = [column[0] for column in cursor.description or ()]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise ValueError(f"two columns are called {', '.join(twice)}: name one with AS")
    return [dict(zip(names, map(_cell, row), strict=True)) for row in cursor]


def answer(common: Common, rows: Sequence[Row], *, nothing: str) -> None:
    """Print rows as the person wants them; `nothing` is what to say where there are none."""
    if common.json:
        click.echo(msgspec.json.encode(rows).decode())
    elif not rows:
        click.echo(nothing)
    else:
        for line in table_lines(rows):
            click.echo(line)


def table_lines(rows: Sequence[Row]) -> Iterator[str]:
    """Columns as wide as their widest cell, numbers to the right; the widest text column may be the last."""
    names = list(rows[0])
    cells = [[shown(row[name]) for name in names] for row in rows]
    widths = [
        max(len(name), *(len(line[column]) for line in cells)) for column, name in enumerate(names)
    ]
    to_right = [
        all(isinstance(row[name], int | float | None) for row in rows)
        and any(row[name] is not None for row in rows)
        for name in names
    ]
    for line in (names, *cells):
        yield "  ".join(
            f"{cell:>{width}}" if right else f"{cell:<{width}}"
            for cell, width, right in zip(line, widths, to_right, strict=True)
        ).rstrip()


def shown(cell: Cell) -> str:
    """A cell for people: no line ends, no floating dust."""
    match cell:
        case None:
            return ""
        case bool():
            return "yes" if cell else "no"
        case float():
            return (
                f"{cell:,.4f}".rstrip("0").rstrip(".") if cell != round(cell, 2) else f"{cell:,.2f}"
            )
        case int():
            return f"{cell:,}"
        case _:
            return visible(cell)


def _cell(value: object) -> Cell:
    match value:
        case bytes():
            return value.hex()
        case str() | int() | float() | None:
            return value
        case _:
            return str(value)

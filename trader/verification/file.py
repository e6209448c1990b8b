"""The file itself: whole as SQLite sees it, with the schema that this program makes, and nothing else that acts."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing

from trader.journal.place import APPLICATION_ID, SCHEMA_VERSION
from trader.journal.schema import changes_of_schema, is_older, migrate, migrations


def differences(reader: sqlite3.Connection) -> Iterator[str]:
    """What is wrong with the file, the first things first; raises sqlite3.Error where it can't be read at all."""
    [found] = reader.execute("PRAGMA integrity_check(1)").fetchone()
    if found != "ok":
        yield f"SQLite's integrity_check: {found}"
        return
    for table, row, *_ in reader.execute("PRAGMA foreign_key_check"):
        yield f"{table}, row {row}: refers to a row that isn't there"
    if is_older(reader):
        yield "user_version: of an older trader; the next start brings the schema up to date"
        return
    for pragma, wanted in (
        ("application_id", APPLICATION_ID),
        ("user_version", SCHEMA_VERSION),
        ("encoding", "UTF-8"),
    ):
        [value] = reader.execute(f"PRAGMA {pragma}").fetchone()
        if value != wanted:
            yield f"{pragma}: {value}, not {wanted}"
    yield from changes_of_schema(reader)
    yield from _steps(reader)


def _steps(reader: sqlite3.Connection) -> Iterator[str]:
    """Which steps made the schema; at what time they did is nobody's to prove."""
    question = f'SELECT id, migration_set, name FROM "{migrations.migrations_table}" ORDER BY id'
    with closing(sqlite3.connect(":memory:")) as anew:
        migrate(anew)
        wanted = anew.execute(question).fetchall()
    taken = reader.execute(question).fetchall()
    if taken != wanted:
        yield f"{migrations.migrations_table}: {taken}, not {wanted}"

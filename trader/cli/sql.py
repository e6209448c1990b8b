"""`trade sql`: one question to the database, which no answer can change."""

import sqlite3

import click

from trader.cli.answers import answer, reading, rows_of
from trader.cli.options import Common, common_options
from trader.exits import Mistake

_ALLOWED = frozenset(
    {
        sqlite3.SQLITE_SELECT,
        sqlite3.SQLITE_READ,
        sqlite3.SQLITE_FUNCTION,
        sqlite3.SQLITE_RECURSIVE,
    }
)
_PRAGMAS = frozenset({"table_info", "table_list", "integrity_check", "quick_check"})


@click.command("sql")
@click.argument("question")
@common_options
def command(common: Common, question: str) -> None:
    """Ask the database, in SQL; see the views orders, trades, positions, account, decisions, proof."""
    with reading(common) as database:
        database.set_authorizer(_authorized)
        try:
            rows = rows_of(database, question)
        # A question of two statements is a Warning in older Pythons.
        except (sqlite3.Error, sqlite3.Warning, ValueError) as error:
            refused = "not authorized" in str(error) or "readonly" in str(error)
            raise Mistake(
                f"{error}" if not refused else "this verb only reads", where="sql"
            ) from None
    answer(common, rows, nothing="no rows")


def _authorized(
    action: int, first: str | None, second: str | None, database: str | None, cause: str | None
) -> int:
    if action in _ALLOWED or (action == sqlite3.SQLITE_PRAGMA and first in _PRAGMAS):
        return sqlite3.SQLITE_OK
    return sqlite3.SQLITE_DENY

"""`trade journal`: the ground truth, listed, shown row by row, and exported for other programs."""

import csv
import io
import os
import sqlite3
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TextIO, get_args

import click
import msgspec

from trader.calendar import session_on
from trader.cli.answers import answer, reading, rows_of
from trader.cli.options import Common, common_options, file_path
from trader.exits import Mistake
from trader.messages import Input
from trader.verification.beancount import ledger_lines

ROWS_SHOWN = 40
INPUTS = sorted(str(kind.__struct_config__.tag) for kind in get_args(Input))
ROW_MAX = 2**63 - 1  # SQLite has no larger number
_LISTED = """
SELECT sequence, timestamp, session, epoch, json_extract(entry, '$.input.type') AS input,
  ifnull(json_extract(entry, '$.input.symbol'), '') AS symbol,
  (SELECT group_concat(json_extract(value, '$.type') || ifnull(' ' || json_extract(value, '$.state'), ''), ' + ')
   FROM json_each(entry, '$.events')) AS events
FROM journal WHERE (?1 = '' OR session = ?1) AND (?2 = '' OR json_extract(entry, '$.input.type') = ?2)
ORDER BY sequence DESC LIMIT ?3
"""
_POSTINGS = """
SELECT p.sequence, j.timestamp, j.session, json_extract(j.entry, '$.input.type') AS input, p.account, p.instrument,
  p.amount
FROM posting_rows AS p JOIN journal AS j ON j.sequence = p.sequence ORDER BY p.sequence, p.line
"""


@click.group("journal")
def command() -> None:
    """Look at the journal: what was heard, and what was decided on it."""


@command.command("list")
@click.option("--session", default="", metavar="DATE", help="Of this session.")
@click.option(
    "--input",
    "heard",
    type=click.Choice(INPUTS),
    metavar="NAME",
    help="Of this input: request, ...",
)
@click.option(
    "--last",
    type=click.IntRange(1, ROW_MAX),
    default=ROWS_SHOWN,
    show_default=True,
    metavar="N",
    help="So many rows.",
)
@common_options
def list_command(common: Common, session: str, heard: str | None, last: int) -> None:
    """The last rows, oldest first: each input with the events that were decided on it."""
    if session:
        _check_date(session)
    with reading(common) as database:
        rows = rows_of(database, _LISTED, (session, heard or "", last))
    answer(common, rows[::-1], nothing="no such row")


def _check_date(session: str) -> None:
    try:
        session_on(session)
    except ValueError as error:
        raise Mistake(str(error), where=f"--session {session[:40]}") from None


@command.command("show")
@click.argument("row", type=click.IntRange(1, ROW_MAX))
@common_options
def show_command(common: Common, row: int) -> None:
    """One row with everything in it, and what it moved between the accounts."""
    with reading(common) as database:
        found = database.execute(
            "SELECT entry, hash FROM journal WHERE sequence = ?", (row,)
        ).fetchone()
        postings = rows_of(
            database,
            "SELECT account, instrument, amount FROM posting_rows WHERE sequence = ? ORDER BY line",
            (row,),
        )
    if found is None:
        raise Mistake(
            "there is no such row", where=f"journal row {row}", remedy="bin/trade journal list"
        )
    told = {"hash": found[1], "entry": msgspec.Raw(found[0].encode()), "postings": postings}
    text = msgspec.json.encode(told)
    click.echo((text if common.json else msgspec.json.format(text, indent=2)).decode())


@command.command("export")
@click.option(
    "--format",
    "form",
    type=click.Choice(["jsonl", "csv", "beancount"]),
    required=True,
    help="jsonl: every row; csv, beancount: the double entry.",
)
@click.option("--output", metavar="FILE", help="A new file.  [default: standard output]")
@common_options
def export_command(common: Common, form: str, output: str | None) -> None:
    """Write all of it for another program."""
    if common.json and form != "jsonl":
        raise Mistake(
            "is another form", where=f"--json with --format {form}", remedy="--format jsonl is JSON"
        )
    with reading(common) as database:
        lines = _FORMS[form](database)
        if output is None:
            _write(sys.stdout, lines)
            return
        path = file_path(output, "--output")
        with _new(path) as file:
            _write(file, lines)
    click.echo(f"written  {path}", err=True)


def _jsonl(database: sqlite3.Connection) -> Iterator[str]:
    """The entries as their bytes are in the journal, so that the chain of hashes can be checked by anybody."""
    for sequence, digest, entry in database.execute(
        "SELECT sequence, hash, entry FROM journal ORDER BY sequence"
    ):
        yield f'{{"sequence":{sequence},"hash":"{digest}","entry":{entry}}}'


def _csv(database: sqlite3.Connection) -> Iterator[str]:
    cursor = database.execute(_POSTINGS)
    yield ",".join(column[0] for column in cursor.description)
    for row in cursor:
        line = io.StringIO()
        csv.writer(line, lineterminator="").writerow(row)
        yield line.getvalue()


_FORMS = {"jsonl": _jsonl, "csv": _csv, "beancount": ledger_lines}


def _write(file: TextIO, lines: Iterable[str]) -> None:
    file.writelines(line + "\n" for line in lines)


def _new(path: Path) -> TextIO:
    """A file that nobody else may read, and that isn't there yet."""
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        raise Mistake(
            "is there already", where=f"--output {path}", remedy="give a new name"
        ) from None
    except OSError as error:
        raise Mistake(str(error.strerror), where=f"--output {path}") from None
    return os.fdopen(descriptor, "w", encoding="utf-8", newline="")

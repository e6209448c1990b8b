"""What the verbs share that look at somebody else's database: how to find it, read it, and show that it goes on."""

import functools
import sys
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Concatenate, ParamSpec, TypeVar

import click

from trader.audit.auditing import Wanted, audit, rows_to_read
from trader.audit.cells import Amounts, zone_named
from trader.audit.columns import told_mapping
from trader.audit.words import Audit
from trader.cli.options import quiet_interpreter
from trader.exits import Mistake

P = ParamSpec("P")
R = TypeVar("R")
ROWS_SHOWN_MIN = 50_000  # fewer are read before anybody looks


def foreign_options(verb: Callable[Concatenate[Wanted, P], R]) -> Callable[P, R]:
    """Give a verb the database and how to read it, bundled as its first argument."""

    @click.argument("old", metavar="OLD.db")
    @click.option(
        "--map",
        "mapping",
        multiple=True,
        metavar="ROLE=NAME",
        help="Where a column is: trades.price=fill_px; or a TOML file. Repeated.",
    )
    @click.option(
        "--zone",
        default="ET",
        show_default=True,
        help="Of the times that have none: ET, UTC, Europe/Berlin.",
    )
    @click.option(
        "--statement", metavar="FILE", help="The broker's executions: CSV, or Alpaca's activities."
    )
    @click.option("--start", metavar="DOLLARS", help="What the account began with.")
    @functools.wraps(verb)
    def with_foreign(*args: P.args, **kwargs: P.kwargs) -> R:
        mapping = kwargs.pop("mapping")
        assert isinstance(mapping, tuple)
        zone = str(kwargs.pop("zone"))
        wanted = Wanted(
            path=existing(str(kwargs.pop("old"))),
            zone=zone_named(zone),
            zone_name=zone,
            told=told_mapping(mapping),
            statement=_file(kwargs.pop("statement"), "--statement"),
            start=_dollars(kwargs.pop("start")),
        )
        return verb(wanted, *args, **kwargs)

    return with_foreign


def existing(text: str, option: str = "") -> Path:
    """A file that is there, by its real path; raises Mistake."""
    where = f"{option} {text}".strip()
    if not text or not text.isprintable() or text.startswith(("~", "file:", ":")):
        raise Mistake("not a plain path", where=where)
    path = Path(text).absolute()
    if not path.exists():
        raise Mistake("there is no such file", where=where)
    if not path.is_file():
        raise Mistake("not a plain file", where=where)
    return path.resolve()


def _file(text: object, option: str) -> Path | None:
    return None if text is None else existing(str(text), option)


def _dollars(text: object) -> Decimal | None:
    if text is None:
        return None
    amount = Amounts().read(str(text))
    if amount is None:
        raise Mistake("not an amount", where=f"--start {text}", remedy="--start 250000.00")
    return amount


def audited(wanted: Wanted) -> Audit:
    """Audit it, with a bar on a terminal where there is much to read."""
    rows = rows_to_read(wanted.path, wanted.told)
    quiet_interpreter()
    if rows < ROWS_SHOWN_MIN or not sys.stderr.isatty():
        return audit(wanted)
    with click.progressbar(length=rows, label=f"{rows:,} trades", file=sys.stderr) as bar:
        return audit(wanted, bar.update)

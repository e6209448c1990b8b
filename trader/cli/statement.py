"""`trade reconcile --statement`: our journal, the broker's executions and its statement, row by row, side by side."""

import functools
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from decimal import Decimal
from pathlib import Path
from typing import Concatenate, ParamSpec, TypeVar

import click
import msgspec
from msgspec import Struct
from msgspec.structs import replace

from trader.audit.cells import Moments, zone_named
from trader.calendar import new_york_date, new_york_ns
from trader.cli.answers import reading
from trader.cli.foreign import existing
from trader.cli.options import Common, quiet_interpreter
from trader.cli.visits import Whom, asked_beside
from trader.exits import Exit, Mistake, StartRefused
from trader.log.words import visible
from trader.money import canonical
from trader.statements.columns import told_columns
from trader.statements.fees import charged, is_fee, tells_fees
from trader.statements.lines import FILL, Line
from trader.statements.matching import Row, matched
from trader.statements.statement import Read, read_statement
from trader.statements.told import Journal, journal_of, told_lines

P = ParamSpec("P")
R = TypeVar("R")
ROWS_SHOWN_MAX = 200
ONLY_EXECUTIONS = "the statement lists executions and nothing else, so only they are compared"
WITH_FEES = "the statement lists executions and what they were charged, so only they are compared"
MASKED_MIN = 3  # characters of an account's number that are left, where a statement hides the rest


class Paper(Struct, frozen=True, kw_only=True):
    """The statement's file, how to read it, and the days that it is of, where its rows don't say it."""

    path: Path
    columns: dict[str, str]
    zone: str
    first: str | None
    last: str | None


class Sides(Struct, frozen=True, kw_only=True):
    """What is held against what: lines of the same days."""

    read: Read
    first: str
    last: str
    journal: tuple[Line, ...]
    broker: tuple[Line, ...]
    statement: tuple[Line, ...]
    asked: str  # how we know the broker's side
    notes: tuple[str, ...]
    # Of journal and broker, for a statement of executions alone: they count where those tell fees.
    fees_apart: tuple[tuple[Line, ...], tuple[Line, ...]]


def statement_options(
    verb: Callable[Concatenate[Common, P], R],
) -> Callable[Concatenate[Common, P], R]:
    """Give a verb --statement and how to read it, bundled as `paper`, which is None without it."""

    @click.option(
        "--statement",
        metavar="FILE",
        help="The broker's statement: a CSV, or Alpaca's activities as JSON.",
    )
    @click.option(
        "--map", "mapping", multiple=True, metavar="ROLE=COLUMN", help="A column of the statement."
    )
    @click.option(
        "--zone",
        default="ET",
        show_default=True,
        help="Of the statement's times that have none: ET, UTC, Europe/Berlin.",
    )
    @click.option("--from", "first", metavar="DATE", help="The statement's first day.")
    @click.option("--to", "last", metavar="DATE", help="The statement's last day.")
    @functools.wraps(verb)
    def with_paper(common: Common, /, *args: P.args, **kwargs: P.kwargs) -> R:
        file, first, last = (kwargs.pop(name) for name in ("statement", "first", "last"))
        mapping, zone = kwargs.pop("mapping"), str(kwargs.pop("zone"))
        assert isinstance(mapping, tuple)
        paper = None
        if file is not None:
            paper = Paper(
                path=existing(str(file), "--statement"),
                columns=told_columns(mapping),
                zone=zone,
                first=_date(first, "--from"),
                last=_date(last, "--to"),
            )
        elif mapping or first or last:
            raise Mistake("only with --statement", where="--map, --from, --to")
        kwargs["paper"] = paper
        return verb(common, *args, **kwargs)

    return with_paper


def _date(text: object, option: str) -> str | None:
    if text is None:
        return None
    day = str(text)
    try:
        if not re.fullmatch(r"\d{4}-\d\d-\d\d", day):
            raise ValueError
        new_york_ns(day, 0)
    except ValueError:
        raise Mistake("not a day", where=f"{option} {day}", remedy="2026-01-26") from None
    return day


def held_against(common: Common, whom: Whom, paper: Paper) -> int:
    """Exit code 0: all three tell the same; 1: each row that they don't, with the values of all three."""
    read = read_statement(paper.path, paper.columns, Moments(zone_named(paper.zone), paper.zone))
    quiet_interpreter()
    with reading(common) as reader:
        journal = journal_of(reader, where=str(common.database))
    _check_account(read, journal.state.account, paper.path)
    sides = _sides(common, whom, paper, read, journal)
    rows = matched(sides.journal, sides.broker, sides.statement)
    if tells_fees(rows):
        sides = _with_fees(sides, rows, journal.state.fees_accrued)
        rows = matched(sides.journal, sides.broker, sides.statement)
    differing = [row for row in rows if not row.agrees]
    if common.json:
        click.echo(msgspec.json.encode(_told(sides, rows, differing)).decode())
    else:
        for line in _lines(paper, sides, rows, differing):
            click.echo(line)
    return int(Exit.DIFFERENCES if differing else Exit.WELL)


def _check_account(read: Read, account: str, path: Path) -> None:
    """The number, or what a statement has left of it."""
    ours, theirs = account.partition(":")[2], read.account
    shown = re.sub(r"^[*xX.…-]+", "", theirs)
    is_masked = shown != theirs and len(shown) >= MASKED_MIN and ours.endswith(shown)
    if theirs and ours and theirs != ours and not is_masked:
        raise Mistake(
            f"of account {visible(theirs, 60)}, and the books are of {ours}",
            where=f"--statement {path}",
            remedy="--map account=- leaves the column out",
        )


def _sides(common: Common, whom: Whom, paper: Paper, read: Read, journal: Journal) -> Sides:
    days = [line.day for line in read.lines]
    first, last = paper.first or min(days), paper.last or max(days)
    opened_ns = journal.opened_ns
    notes = []
    begins = first
    fees_apart: tuple[tuple[Line, ...], tuple[Line, ...]] = ((), ())
    if opened_ns and new_york_date(opened_ns) > first:
        begins = new_york_date(opened_ns)
    if begins > last:
        raise Mistake(
            f"of {first} to {last}, and our books begin on {begins}",
            where=f"--statement {paper.path}",
        )
    broker, asked = _broker_lines(common, whom, journal, begins)
    statement = _within(read.lines, begins, last, opened_ns)
    if left := len(read.lines) - len(statement):
        notes.append(f"{left} rows of the statement are of other days, or of before our books")
    if read.undone:
        notes.append(f"{read.undone} rows of the statement were canceled")
    if journal.own:
        notes.append(f"{journal.own} entries of the owner's own are no broker's to confirm")
    if read.columns.unread:
        names = ", ".join(visible(name, 40) for name in read.columns.unread)
        notes.append(f"columns that nobody reads: {names}")
    booked = journal.booked
    if "kind" not in read.columns.by_role and all(line.kind == FILL for line in read.lines):
        notes.append(ONLY_EXECUTIONS)
        told = {line.day for line in statement}
        fees_apart = (_fees_of(booked, told), _fees_of(broker, told))
        booked, broker = (
            tuple(line for line in lines if line.kind == FILL) for lines in (booked, broker)
        )
    return Sides(
        read=read,
        first=begins,
        last=last,
        journal=_within(booked, begins, last, opened_ns),
        broker=_within(broker, begins, last, opened_ns),
        statement=statement,
        asked=asked,
        notes=tuple(notes),
        fees_apart=fees_apart,
    )


def _fees_of(lines: Sequence[Line], days: AbstractSet[str]) -> tuple[Line, ...]:
    return tuple(line for line in lines if is_fee(line) and line.day in days)


def _with_fees(sides: Sides, rows: Sequence[Row], accrued: Mapping[str, Decimal]) -> Sides:
    """The statement's executions tell fees, so those of journal and broker count, too."""
    booked, broker = sides.fees_apart
    sides = replace(sides, journal=(*sides.journal, *booked), broker=(*sides.broker, *broker))
    told = {line.day for line in (*sides.journal, *sides.broker) if is_fee(line)}
    fees = charged(rows, told, accrued)
    notes = (WITH_FEES if note == ONLY_EXECUTIONS else note for note in sides.notes)
    return replace(sides, statement=(*sides.statement, *fees.lines), notes=(*notes, *fees.notes))


def _within(lines: Sequence[Line], first: str, last: str, opened_ns: int) -> tuple[Line, ...]:
    """Of these days; what was before the opening balance is in it."""
    return tuple(
        line
        for line in lines
        if first <= line.day <= last and (line.at_ns is None or line.at_ns >= opened_ns)
    )


def _broker_lines(
    common: Common, whom: Whom, journal: Journal, first: str
) -> tuple[tuple[Line, ...], str]:
    """Asked now, where it can be; else what the journal has heard of it, and why."""
    try:
        told = asked_beside(common, whom, journal.state, _since_ns(first))
    except (Mistake, StartRefused) as error:
        if whom.broker is not None or whom.address is not None or whom.keys is not None:
            raise
        return journal.heard, f"as our journal has heard it; not asked: {visible(str(error))}"
    return told_lines(told.inputs, journal.state.session), f"{told.account}, asked now"


def _since_ns(day: str) -> int:
    try:
        return new_york_ns(day, 0)
    except ValueError:  # a day that no exchange has known
        return 0


# ------------------------------------------------------------------------------------------------ answers


def _lines(
    paper: Paper, sides: Sides, rows: Sequence[Row], differing: Sequence[Row]
) -> Iterator[str]:
    yield f"statement  {paper.path.name}: {_counted(sides.statement)}, {sides.first} to {sides.last}"
    yield f"           read as {visible(sides.read.columns.line())}"
    yield f"broker     {_counted(sides.broker)}; {sides.asked}"
    yield f"journal    {_counted(sides.journal)}"
    for note in sides.notes:
        yield f"note       {note}"
    yield f"agreed     {len(rows) - len(differing)} in all three"
    for row in differing[:ROWS_SHOWN_MAX]:
        one = row.told
        yield f"DIFFERS    {one.day}  {visible(one.kind, 40)} {one.symbol}".rstrip()
        for name, line in zip(("journal", "broker", "statement"), row.sides, strict=True):
            yield f"  {name:<9} {_said(line)}"
    if len(differing) > ROWS_SHOWN_MAX:
        yield f"and {len(differing) - ROWS_SHOWN_MAX} more: --json has all"
    if not differing:
        yield "well       journal = broker = statement"
    elif not any(row.statement and (row.journal or row.broker) for row in rows):
        yield "nothing in the statement is known here: is it of this account, and of this zone?"


def _counted(lines: Sequence[Line]) -> str:
    executions = sum(1 for line in lines if line.kind == FILL)
    return f"{executions:,} executions, {len(lines) - executions:,} others"


def _said(line: Line | None) -> str:
    if line is None:
        return "-"
    told = []
    if line.quantity is not None:
        told.append(f"{line.quantity:+f}")
    if line.price is not None:
        told.append(f"at {canonical(line.price)}")
    elif line.amount is not None:
        told.append(f"for {canonical(line.amount)}")
    return f"{' '.join(told)}  ({visible(line.where, 80)}{f', {visible(line.id, 40)}' if line.id else ''})"


def _told(sides: Sides, rows: Sequence[Row], differing: Sequence[Row]) -> dict[str, object]:
    return {
        "is_agreed": not differing,
        "agreed": len(rows) - len(differing),
        "first_day": sides.first,
        "last_day": sides.last,
        "columns": sides.read.columns.by_role,
        "broker": sides.asked,
        "notes": sides.notes,
        "counts": {
            "journal": len(sides.journal),
            "broker": len(sides.broker),
            "statement": len(sides.statement),
        },
        "differences": [
            {
                "kind": row.told.kind,
                "symbol": row.told.symbol,
                "day": row.told.day,
                "journal": _values(row.journal),
                "broker": _values(row.broker),
                "statement": _values(row.statement),
            }
            for row in differing
        ],
    }


def _values(line: Line | None) -> dict[str, str | None] | None:
    """Amounts as texts, exactly."""
    if line is None:
        return None
    amounts = {"quantity": line.quantity, "price": line.price, "amount": line.amount}
    said = {name: None if value is None else canonical(value) for name, value in amounts.items()}
    return {"id": line.id, **said, "where": line.where}

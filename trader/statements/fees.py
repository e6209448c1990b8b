"""Fees that a statement tells with its executions: of each day together, as journal and broker tell them.

A column of fees says them; else the cash of an execution does, by what it is off shares times price. Our journal and
the broker know a day's fees alone, and until the broker has charged them, only the journal knows what was accrued.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from decimal import Decimal

from msgspec import Struct

from trader.money import CENT, ZERO, plain, rounded
from trader.statements.lines import FILL, Line, sort_of
from trader.statements.matching import Row

FEE = "FEE"


class Charged(Struct, frozen=True, kw_only=True):
    """The statement's fees by day as lines of their own, and what is to be known of them."""

    lines: tuple[Line, ...]
    notes: tuple[str, ...]


def charged(rows: Sequence[Row], told: AbstractSet[str], accrued: Mapping[str, Decimal]) -> Charged:
    """Of rows that are matched. `told`: days of which journal or broker tell a fee; `accrued` by session, uncharged."""
    lines, notes = [], []
    for day, line in _by_day(rows).items():
        assert line.amount is not None
        if day not in told and accrued.get(day, ZERO) == -line.amount:
            notes.append(f"fees of {day}, {-line.amount}, are accrued here, and not charged yet")
        else:
            lines.append(line)
    return Charged(lines=tuple(lines), notes=tuple(notes))


def is_fee(line: Line) -> bool:
    return line.sort == sort_of(FEE)


def tells_fees(rows: Sequence[Row]) -> bool:
    """Whether any execution says what it was charged, or has cash that isn't shares times price."""
    return any(fee or line.fee is not None for line, fee in _fees_of(rows))


def _by_day(rows: Sequence[Row]) -> dict[str, Line]:
    parts: defaultdict[str, list[tuple[Line, Decimal]]] = defaultdict(list)
    for line, fee in _fees_of(rows):
        if fee:
            parts[line.day].append((line, fee))
    return {
        day: Line(
            kind=FEE,
            amount=plain(-sum((fee for _, fee in some), ZERO)),
            day=day,
            where=f"with {len(some)} executions, first {some[0][0].where}",
        )
        for day, some in parts.items()
    }


def _fees_of(rows: Sequence[Row]) -> Iterator[tuple[Line, Decimal]]:
    for row in rows:
        line = row.statement
        if line is None or line.kind != FILL:
            continue
        if line.fee is not None:
            yield line, line.fee
        elif line.net is not None:
            yield line, rounded(_cash_of(row) - line.net, CENT)


def _cash_of(row: Row) -> Decimal:
    """Before any fee; from journal or broker, whose prices are no average's."""
    for line in (row.journal, row.broker):
        if line is not None and line.amount is not None:
            return line.amount
    assert row.statement is not None
    return -(row.statement.quantity or ZERO) * (row.statement.price or ZERO)

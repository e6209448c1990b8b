"""The three-way match: which line of our journal, of the broker's and of the statement are one and the same thing.

First by the ids that brokers give. Then by what was moved on which day, the nearest in time first, because the stream
and the lists of a broker have ids of their own, and many statements have none. Then one row of a statement may be what
several executions, or several fees, of a day add up to. What is left is paired with what is most like it, so that a
wrong price is one row with the values of all three, not three rows that each seem to be missing elsewhere.
"""

from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Sequence
from decimal import Decimal
from typing import Literal

from msgspec import Struct
from msgspec.structs import replace

from trader.money import CENT, ZERO, plain, ratio, rounded
from trader.statements.lines import FILL, Line


class Row(Struct, frozen=True, kw_only=True):
    """One thing, as each of the three tells it; None where it doesn't."""

    journal: Line | None = None
    broker: Line | None = None
    statement: Line | None = None

    @property
    def sides(self) -> tuple[Line | None, Line | None, Line | None]:
        """In the order in which they are shown."""
        return self.journal, self.broker, self.statement

    @property
    def told(self) -> Line:
        """By whichever side tells it."""
        return next(one for one in self.sides if one is not None)

    @property
    def agrees(self) -> bool:
        """All three tell it, and tell the same."""
        ours, theirs, paper = self.sides
        return (
            ours is not None
            and theirs is not None
            and paper is not None
            and is_same(ours, theirs)
            and is_same(ours, paper)
        )


def matched(
    journal: Sequence[Line], broker: Sequence[Line], statement: Sequence[Line]
) -> list[Row]:
    """Every line of each side in exactly one row, in the order of the days."""
    ours = [Row(journal=one) for one in journal]
    both = _joined(ours, broker, "broker", (*SURELY, *ROUGHLY))
    rows = _joined(both, statement, "statement", SURELY)
    known = [row for row in rows if row.journal or row.broker]
    left = [row.told for row in rows if not (row.journal or row.broker)]
    known, papers = _of_parts(known, left)
    rows = _joined(known, papers, "statement", ROUGHLY)
    return sorted(rows, key=lambda row: (row.told.day, row.told.at_ns or 0, row.told.symbol))


def is_same(one: Line, other: Line) -> bool:
    """What both tell is equal; what one of them doesn't tell can't differ."""
    if one.sort != other.sort and one.sort and other.sort:
        return False
    if one.symbol != other.symbol and FILL in (one.sort, other.sort):
        return False
    if not _equal(one.quantity, other.quantity) or not _equal(one.price, other.price):
        return False
    if not (_is_cash_of(one, other) and _is_cash_of(other, one)):
        return False
    if None in (one.price, other.price) and FILL in (one.sort, other.sort):
        return _to_the_cent(one.amount) == _to_the_cent(other.amount)
    return _equal(one.amount, other.amount)


def _is_cash_of(one: Line, paper: Line) -> bool:
    """The paper's cash is the execution's, less the fee that it tells of it, or with no fee taken off yet."""
    if paper.net is None or paper.fee is None or one.amount is None:
        return True
    off = rounded(one.amount - paper.net, CENT)
    return off in (ZERO, rounded(paper.fee, CENT))


def _equal(one: Decimal | None, other: Decimal | None) -> bool:
    return one is None or other is None or one == other


def _to_the_cent(amount: Decimal | None) -> Decimal | None:
    return None if amount is None else rounded(amount, CENT)


# --------------------------------------------------------------------------------------------- pairing

Key = Callable[[Line], Hashable]
Side = Literal["broker", "statement"]


def _by_id(line: Line) -> Hashable:
    return line.id or None


def _exactly(line: Line) -> Hashable:
    """An execution by what it moved, all else by its amount: a word for a dividend may be any."""
    if line.sort == FILL:
        value = line.price if line.price is not None else _to_the_cent(line.amount)
        return FILL, line.symbol, line.quantity, value, line.day
    return line.sort, line.amount, line.quantity, line.day


def _by_cash(line: Line) -> Hashable:
    """An execution of which the statement tells the cash, not the price."""
    if line.sort != FILL:
        return None
    return line.symbol, line.quantity, _to_the_cent(line.amount), line.day


def _by_amount(line: Line) -> Hashable:
    return None if line.sort == FILL else (line.amount, line.day)


def _by_order(line: Line) -> Hashable:
    return (line.orders[-1], line.quantity) if line.sort == FILL and line.orders else None


def _by_shares(line: Line) -> Hashable:
    return (line.symbol, line.quantity, line.day) if line.sort == FILL else None


def _by_side(line: Line) -> Hashable:
    if line.sort != FILL:
        return line.sort, line.symbol, line.day
    return FILL, line.symbol, (line.quantity or ZERO) > 0, line.day


SURELY: tuple[Key, ...] = (_by_id, _exactly, _by_cash)
ROUGHLY: tuple[Key, ...] = (_by_amount, _by_order, _by_shares, _by_side)


def _joined(
    rows: Sequence[Row], lines: Sequence[Line], side: Side, keys: Sequence[Key]
) -> list[Row]:
    """Each line beside the row that it fits, the surest way first; what fits none is a row of its own."""
    found, left = list(rows), list(lines)
    for key in keys:
        left = _pass(found, left, side, key)
    return [*found, *(_with(Row(), side, line) for line in left)]


def _with(row: Row, side: Side, line: Line) -> Row:
    return replace(row, broker=line) if side == "broker" else replace(row, statement=line)


def _pass(found: list[Row], lines: Sequence[Line], side: Side, key: Key) -> list[Line]:
    """Pair by one key, the nearest in time first; returns the lines that are left."""
    places: defaultdict[Hashable, list[int]] = defaultdict(list)
    free = [getattr(row, side) is None for row in found]
    for place, row in enumerate(found):
        if free[place]:
            for value in {key(one) for one in row.sides if one is not None} - {None}:
                places[value].append(place)
    pairs = sorted(
        (_apart(found[place].told, line), number, place)
        for number, line in enumerate(lines)
        if (value := key(line)) is not None
        for place in places.get(value, ())
    )
    taken: set[int] = set()
    for _, number, place in pairs:
        if free[place] and number not in taken:
            found[place] = _with(found[place], side, lines[number])
            free[place] = False
            taken.add(number)
    return [line for number, line in enumerate(lines) if number not in taken]


def _apart(one: Line, other: Line) -> int:
    if one.at_ns is None or other.at_ns is None:
        return 0
    return abs(one.at_ns - other.at_ns)


# --------------------------------------------------------------------------------------------- parts


def _of_parts(rows: Sequence[Row], papers: Sequence[Line]) -> tuple[list[Row], list[Line]]:
    """Statements' rows that are what several of a day add up to: one row of each, and the papers that are left."""
    found, left = list(rows), []
    for paper in papers:
        parts = [row for row in found if row.statement is None and _is_part(row.told, paper)]
        whole = _whole(parts, paper)
        if whole is None:
            left.append(paper)
        else:
            found = [row for row in found if row not in parts]
            found.append(whole)
    return found, left


def _is_part(line: Line, paper: Line) -> bool:
    if line.sort != paper.sort or line.day != paper.day:
        return False
    if line.sort != FILL:
        return line.symbol == paper.symbol or not paper.symbol
    names_order = bool(paper.orders) and bool(line.orders)
    is_its = not names_order or bool(set(paper.orders) & set(line.orders))
    is_side = ((line.quantity or ZERO) > 0) is ((paper.quantity or ZERO) > 0)
    return is_its and is_side and line.symbol == paper.symbol


def _whole(parts: Sequence[Row], paper: Line) -> Row | None:
    """What the parts add up to, if it is what the paper says of shares, or, of what is no execution, of dollars."""
    if len(parts) < 2:
        return None
    ours = _sum([one for row in parts if (one := row.journal) is not None], paper)
    theirs = _sum([one for row in parts if (one := row.broker) is not None], paper)
    sums = [one for one in (ours, theirs) if one is not None]
    if paper.sort == FILL:
        fits = any(one.quantity == paper.quantity for one in sums)
    else:
        fits = any(one.amount == paper.amount for one in sums)
    return Row(journal=ours, broker=theirs, statement=paper) if fits else None


def _sum(lines: Iterable[Line], paper: Line) -> Line | None:
    """Several lines as one; its price to as many decimals as the paper's average price has."""
    parts = list(lines)
    if not parts:
        return None
    first = parts[0]
    amount = plain(sum((one.amount or ZERO for one in parts), ZERO))
    if first.sort != FILL:
        return replace(
            first, id="", amount=amount, where=f"{first.where} and {len(parts) - 1} more"
        )
    quantity = plain(sum((one.quantity or ZERO for one in parts), ZERO))
    price = None
    if paper.price is not None and quantity:
        exponent = paper.price.as_tuple().exponent
        assert isinstance(exponent, int)
        price = rounded(ratio(abs(amount), abs(quantity)), Decimal(1).scaleb(exponent))
    return replace(
        first,
        id="",
        quantity=quantity,
        price=price,
        amount=amount,
        where=f"{first.where} and {len(parts) - 1} more",
    )

"""What moved the account as our journal booked it, and as the broker told it: both from the journal's bytes alone."""

import sqlite3
from collections.abc import Iterable
from decimal import Decimal

from msgspec import Struct
from msgspec.structs import replace

from trader.evolve import evolve_entry
from trader.journal.sqlite import entries_of
from trader.messages import (
    Activity,
    BooksMoved,
    Entry,
    ExecutionBooked,
    ExecutionCorrected,
    Input,
    OpeningBooked,
    OrderReport,
    Statement,
)
from trader.model import Execution, Side
from trader.money import ZERO, plain
from trader.recognition import MILLISECOND_NS
from trader.splits import legs_of
from trader.state import ExecutionState
from trader.statements.lines import FILL, Line, day_of, short_id
from trader.wire.alpaca_statement import SHARES_MOVE

# Entries of the owner's own: no broker knows of them.
OWN = frozenset({"adoption", "hands_off", "adjustment"})
BEFORE_OPENING = "before_opening"
SPLIT_LEG = "split_leg"
PERSON = "person"  # the source of a report that a person made up for the broker


class Journal(Struct, frozen=True, kw_only=True):
    """Two of the three sides, and what is to be known of the books."""

    state: ExecutionState
    opened_ns: int  # what was before is in the opening balance; 0 where they aren't opened yet
    booked: tuple[Line, ...]
    heard: tuple[Line, ...]
    own: int  # entries of the owner's own


def journal_of(reader: sqlite3.Connection, where: str = "") -> Journal:
    """Fold the journal from its first row; raises JournalDamaged where it can't be believed."""
    state, booked, heard = ExecutionState(), Booked(), Heard()
    for entry in entries_of(reader, where=where):
        heard.hear(entry.input, entry.session, f"journal row {entry.sequence}")
        booked.take(state, entry)
        state = evolve_entry(state, entry)
    return Journal(
        state=state,
        opened_ns=booked.opened_ns,
        booked=tuple(booked.lines.values()),
        heard=tuple(heard.lines.values()),
        own=booked.own,
    )


def told_lines(inputs: Iterable[Input], session: str) -> tuple[Line, ...]:
    """What the broker has just told."""
    heard = Heard()
    for told in inputs:
        heard.hear(told, session, "the broker's list")
    return tuple(heard.lines.values())


class Heard:
    """What the broker has told, each thing once: the stream and the lists tell it several times, under several ids."""

    def __init__(self) -> None:
        self.lines: dict[str, Line] = {}
        self._ends: dict[tuple[str, Decimal], str] = {}  # where an execution ends its order
        self._gone: set[object] = set()  # what was taken back, by its id and by its moment

    def hear(self, told: Input, session: str, where: str) -> None:
        """Whatever is no execution, correction or activity says nothing here."""
        match told:
            case OrderReport(execution=Execution() as execution) if told.source != PERSON:
                self._execution(_execution_line(told, execution, session, where), execution)
            case ExecutionCorrected():
                self._correction(told, session, where)
            case Activity():
                for leg in legs_of(told):
                    line = _activity_line(leg, session, where)
                    self.lines.setdefault(line.id, line)
            case _:
                pass

    def _execution(self, line: Line, execution: Execution) -> None:
        end = (line.orders[0], execution.quantity_cumulative)
        if line.id in self.lines or end in self._ends or {line.id, _what(line)} & self._gone:
            return
        self._ends[end] = line.id
        self.lines[line.id] = line

    def _correction(self, told: ExecutionCorrected, session: str, where: str) -> None:
        taken = self.lines.pop(told.execution_id, None)
        self._gone.add(told.execution_id)
        if taken is not None:
            self._gone.add(_what(taken))
            self._ends = {end: name for end, name in self._ends.items() if name != taken.id}
        if told.replacement is not None and taken is not None:
            side = Side.BUY if (taken.quantity or ZERO) > ZERO else Side.SELL
            line = _fill(told.replacement, taken.symbol, side, taken.orders, session, where)
            self._execution(line, told.replacement)


def _what(line: Line) -> tuple[object, ...]:
    """What was executed when, to the millisecond: what comes in its place is something else, or comes later."""
    return (*line.orders[:1], line.quantity, line.price, (line.at_ns or 0) // MILLISECOND_NS)


class Booked:
    """What our books have booked, each thing as the broker would tell it."""

    def __init__(self) -> None:
        self.lines: dict[str, Line] = {}
        self.own = 0
        self.opened_ns = 0

    def take(self, state: ExecutionState, entry: Entry) -> None:
        """What this entry's events booked, on the state before it."""
        where = f"journal row {entry.sequence}"
        for event in entry.events:
            match event:
                case ExecutionBooked():
                    line = _booked_line(state, entry, event, where)
                    self.lines[line.id] = line
                case OpeningBooked():
                    told = entry.input
                    self.opened_ns = told.at_ns if isinstance(told, Statement) else event.at_ns
                case BooksMoved(kind="bust"):
                    self.lines.pop(event.reference, None)
                case BooksMoved() if event.kind in OWN:
                    self.own += 1
                case BooksMoved():
                    if (moved := _moved_line(state, entry, event, where)) is not None:
                        self.lines[moved.id] = moved
                case _:
                    pass


def _booked_line(state: ExecutionState, entry: Entry, event: ExecutionBooked, where: str) -> Line:
    order = state.orders.get(event.client_order_id)
    told = entry.input.broker_order_id if isinstance(entry.input, OrderReport) else None
    names = (event.client_order_id, told, None if order is None else order.broker_order_id)
    orders = tuple(dict.fromkeys(name for name in names if name is not None))
    return _fill(event.execution, event.symbol, event.side, orders, entry.session, where)


def _moved_line(state: ExecutionState, entry: Entry, event: BooksMoved, where: str) -> Line | None:
    """None for what was known and not booked, and isn't in the opening balance either."""
    is_known_only = event.kind == BEFORE_OPENING
    match entry.input:
        case OrderReport(execution=Execution() as execution):  # by hand, or of nobody's yet
            line = _execution_line(entry.input, execution, entry.session, where)
            if is_known_only:
                return line if state.has_opened_since(execution.at_ns) else None
            return replace(line, quantity=event.quantity, amount=event.cash)
        case Activity() as activity:
            legs = legs_of(activity, state.booked)
            leg = next(one for one in legs if one.activity_id == event.reference)
            line = _activity_line(leg, entry.session, where)
            if is_known_only or event.kind == SPLIT_LEG:
                return line
            # What was accrued with the day's sales was taken from our cash then.
            accrued = state.fees_accrued.get(event.charged, ZERO) if event.charged else ZERO
            # What was booked in one, less what its other legs tell of it.
            rest = [one for one in legs if one is not leg]
            quantity = plain(event.quantity - sum((one.quantity for one in rest), ZERO))
            amount = plain(event.cash - accrued - sum((one.amount for one in rest), ZERO))
            moves = activity.kind in SHARES_MOVE
            return replace(line, quantity=quantity if moves else None, amount=amount)
        case _:
            raise AssertionError(f"{event.kind} of {type(entry.input).__name__}")


def _execution_line(told: OrderReport, execution: Execution, session: str, where: str) -> Line:
    names = (told.client_order_id, told.broker_order_id)
    orders = tuple(name for name in names if name is not None)
    return _fill(execution, told.symbol, told.side, orders, session, where)


def _fill(
    execution: Execution, symbol: str, side: Side, orders: tuple[str, ...], session: str, where: str
) -> Line:
    sign = 1 if side is Side.BUY else -1
    return Line(
        kind=FILL,
        id=short_id(execution.execution_id),
        orders=orders,
        symbol=symbol,
        quantity=plain(sign * execution.quantity),
        price=execution.price,
        amount=plain(-sign * execution.quantity * execution.price),
        day=day_of(execution.at_ns, session),
        at_ns=execution.at_ns or None,
        where=where,
    )


def _activity_line(told: Activity, session: str, where: str) -> Line:
    return Line(
        kind=told.kind,
        id=short_id(told.activity_id),
        symbol=told.symbol or "",
        quantity=plain(told.quantity) if told.kind in SHARES_MOVE else None,
        amount=plain(told.amount),
        day=told.session or day_of(told.at_ns, session),
        at_ns=told.at_ns or None,
        where=where,
    )

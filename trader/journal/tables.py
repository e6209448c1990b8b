"""Events and states as rows of the tables: what is written of each, column by column.

Whatever happens once (a decision, an execution, a posting) is one appended row, taken from its own entry. Whatever
stands (an order, a position, the account) is one row that is written over, taken from the state after the batch.
"""

from collections.abc import Iterator
from decimal import Decimal
from functools import lru_cache
from typing import NamedTuple

import msgspec

from trader import calendar
from trader.journal.chain import Cell, Row
from trader.journal.ledger import Ledger
from trader.journal.moments import epoch_of, moment_of
from trader.journal.schema import ENTRY_VERSION, TABLES
from trader.messages import (
    Alarmed,
    BooksMoved,
    BrakeTripped,
    DifferenceFound,
    DuplicateBlocked,
    Entry,
    Event,
    ExecutionBooked,
    Halted,
    LifeBegan,
    LimitChanged,
    Promoted,
    Quarantined,
    Released,
    RequestAccepted,
    RequestDenied,
    Resumed,
)
from trader.model import Order, OrderState
from trader.money import canonical, plain, price_of
from trader.positions import Position
from trader.reducing import waits_for
from trader.state import ALL_SYMBOLS, ExecutionState


def exact(amount: Decimal) -> str:
    """money.canonical of an amount that is in plain form already, as all amounts in events and states are."""
    text = str(amount)
    return canonical(amount) if "E" in text else text


iso = lru_cache(maxsize=4096)(calendar.iso)


# --------------------------------------------------------------------------------------------- statements


def columns_of(table: str) -> list[str]:
    """Their names, in the order of the table."""
    return [
        name for line in TABLES[table] if (name := line.split(" ")[0]) not in {"PRIMARY", "UNIQUE"}
    ]


def key_of(table: str) -> list[str]:
    """The columns of its primary key, in order."""
    for line in TABLES[table]:
        if line.startswith("PRIMARY KEY"):
            return line.partition("(")[2].rstrip(")").split(", ")
    return [line.split(" ")[0] for line in TABLES[table] if " PRIMARY KEY" in line]


def _insert(table: str) -> str:
    return f"INSERT INTO {table} VALUES ({', '.join('?' * len(columns_of(table)))})"


def _upsert(table: str, key: str) -> str:
    others = ", ".join(f"{name} = excluded.{name}" for name in columns_of(table) if name != key)
    return f"{_insert(table)} ON CONFLICT ({key}) DO UPDATE SET {others}"


ENTRY_COLUMN = columns_of("journal").index("entry")
INSERT_ENTRY = _insert("journal")
INSERT_LIFE = _insert("life_rows")
END_LIFE = "UPDATE life_rows SET ended_at = ?, exit_code = ? WHERE epoch = ?"
INSERT_ORDER = _insert("order_rows")
# An order that comes back from a final state never ended; else the first end counts, not a late fill after it.
UPDATE_ORDER = """
UPDATE order_rows SET
  state = ?1, broker_order_id = ?2, quantity_filled = ?3, quantity_leaves = ?4, avg_price = ?5, fees = ?6,
  reserved = ?7, state_reason = ?8, ended_sequence = CASE WHEN ?10 THEN ?9 ELSE ifnull(ended_sequence, ?9) END
WHERE decision_id = ?11
"""
INSERT_EXECUTION = _insert("execution_rows")
INSERT_DECISION = _insert("decision_rows")
INSERT_POSTING = _insert("posting_rows")
INSERT_EQUITY = _insert("equity_rows")
INSERT_MOVEMENT = _insert("movement_rows")
INSERT_NOTICE = _insert("notice_rows")
UPSERT_POSITION = _upsert("position_rows", "symbol")
UPSERT_ACCOUNT = _upsert("account_row", "id")
UPSERT_MODE = _upsert("mode_row", "id")
CLEAR_REDUCTIONS = "DELETE FROM reduction_rows"
INSERT_REDUCTION = _insert("reduction_rows")


# --------------------------------------------------------------------------- what happens once, row by row


When = tuple[int, str, str]


class Place(NamedTuple):
    """Which event of which entry, and when that was: nanoseconds, UTC text, New York session."""

    sequence: int
    line: int
    when: When


def when_of(entry: Entry) -> When:
    """The moment of an entry, as its columns say it."""
    at_ns, session = moment_of(entry)
    return (at_ns, iso(at_ns), session)


def entry_row(entry: Entry, when: When, text: Cell, entry_hash: str) -> Row:
    """The ground truth itself."""
    return (entry.sequence, ENTRY_VERSION, epoch_of(entry), *when, text, entry_hash)


def life_row(place: Place, life: LifeBegan) -> Row:
    """A new life, not ended."""
    who = (life.pid, life.build, life.version, life.broker, life.account)
    return (life.epoch, place.sequence, *who, iso(life.at_ns), None, None)


def decision_row(place: Place, event: RequestAccepted | DuplicateBlocked | RequestDenied) -> Row:
    """What became of one telling."""
    said: RequestAccepted | DuplicateBlocked | RequestDenied | Order
    match event:
        case RequestAccepted(order=order):
            said, outcome, reason = order, "accepted", order.reason
            numbers = {
                "client_order_id": str(order.client_order_id),
                "quantity": exact(order.quantity),
            }
        case DuplicateBlocked():
            said, outcome, reason = event, "duplicate_blocked", event.blocking.value
            numbers = {"blocked_by": event.blocked_by}
        case RequestDenied():
            said, outcome, reason = event, "denied", event.reason.value
            numbers = event.numbers
    return (
        place.sequence,
        *place.when,
        event.request_id,
        said.decision_key,
        said.symbol,
        said.strategy,
        said.side.value,
        said.purpose.value,
        outcome,
        reason,
        msgspec.json.encode(numbers, order="deterministic").decode(),
    )


def execution_row(place: Place, event: ExecutionBooked, account: str) -> Row:
    """One fill; its time is the execution's own."""
    execution = event.execution
    return (
        None,  # id: the next one
        place.sequence,
        execution.at_ns,
        iso(execution.at_ns),
        place.when[2],
        account,
        execution.execution_id,
        event.client_order_id,
        event.strategy,
        event.symbol,
        event.side.value,
        exact(execution.quantity),
        exact(execution.price),
        exact(event.notional),
        exact(event.fees),
        exact(event.realized),
    )


def movement_row(place: Place, event: BooksMoved) -> Row:
    """What moved the books without an execution of ours."""
    return (
        place.sequence,
        place.line,
        *place.when,
        event.kind,
        event.reference,
        event.symbol,
        exact(event.cash),
        exact(event.quantity),
        exact(event.cost),
        exact(event.realized),
        exact(event.fees),
        exact(event.deposit),
        event.description,
        event.client_order_id,
    )


def equity_row(place: Place, ledger: Ledger) -> Row:
    """The account after one event of an entry."""
    sums = (ledger.equity, ledger.cash, ledger.value, ledger.realized, ledger.unrealized)
    return (place.sequence, place.line, *place.when, *map(canonical, sums))


def notice_row(place: Place, event: Event) -> Row | None:
    """What a person should know of; None for everything else."""
    match event:
        case Alarmed():
            kind, symbol, message = event.alarm, event.symbol, event.message
        case Quarantined():
            kind, symbol, message = "quarantined", event.symbol, event.reason
        case BrakeTripped():
            numbers = ", ".join(f"{name} {value}" for name, value in event.numbers.items())
            kind, symbol, message = "brake_tripped", event.symbol, f"{event.brake.value}: {numbers}"
        case DifferenceFound():
            message = f"{event.subject}: ours {event.ours}, the broker's {event.theirs}"
            kind, symbol = "difference_found", event.symbol
        case Halted():
            kind, symbol, message = "halted", None, f"{event.who}: {event.reason}"
        case LimitChanged():
            message = f"{event.limit}: {event.before or 'none'}, now {event.after or 'none'}"
            kind, symbol = "limit_changed", None
        case Promoted():
            message = f"{event.strategy}: {event.who}: {event.reason}"
            kind, symbol = "promoted", None
        case Released():
            kind, symbol, message = "released", event.symbol, f"{event.who}: {event.reason}"
        case Resumed():
            kind, symbol, message = "resumed", None, f"{event.who}: {event.reason}"
        case _:
            return None
    return (place.sequence, place.line, *place.when, kind, symbol, message)


# --------------------------------------------------------------------------------- what stands, as it stands


def order_row(order: Order, session: str, ended: int | None, before: int | None) -> Row:
    """A new order."""
    moved = _moving(order)
    return (
        order.decision_id,
        order.client_order_id,
        order.decision_key,
        order.request_id,
        order.created_ns,
        iso(order.created_ns),
        session,
        order.strategy,
        order.symbol,
        order.side.value,
        order.purpose.value,
        order.order_type.value,
        order.time_in_force.value,
        order.reason,
        order.epoch,
        order.build,
        exact(order.quantity),
        None if order.limit_price is None else exact(order.limit_price),
        *moved,
        ended,
        before,
    )


def order_update(order: Order, ended: int | None, is_back: bool) -> Row:
    """The parameters of UPDATE_ORDER."""
    return (*_moving(order), ended, is_back, order.decision_id)


def _moving(order: Order) -> Row:
    average = order.avg_price
    return (
        order.state.value,
        order.broker_order_id,
        exact(order.quantity_filled),
        exact(order.quantity_leaves),
        None if average is None else exact(average),
        exact(order.fees),
        exact(order.reserved),
        order.state_reason,
    )


def position_row(state: ExecutionState, position: Position) -> Row:
    """One symbol, held or not."""
    return (
        position.symbol,
        position.strategy,
        exact(position.quantity),
        exact(position.cost),
        exact(position.avg_cost),
        position.mark,
        exact(price_of(position.mark)) if position.mark else None,
        canonical(position.value - position.cost),
        exact(position.realized),
        exact(position.quantity_pending_buy),
        exact(position.quantity_pending_sell),
        "; ".join(_symbol_closed(state, position)),
    )


def _symbol_closed(state: ExecutionState, position: Position) -> Iterator[str]:
    """Why this symbol takes no entries, besides what it holds and has on its way."""
    symbol = position.symbol
    if position.is_hands_off:
        yield "hands-off"
    if symbol in state.quarantined:
        yield f"quarantined: {state.quarantined[symbol]}"
    if symbol in state.halts:
        yield f"trading halts: {state.halts[symbol][0]}"
    if symbol in state.reductions:
        yield state.reductions[symbol].words
    yield from sorted(f"brake {brake.value}" for brake, of in state.brakes if of == symbol)
    for name in (*position.entries, *position.exits):
        if state.orders[name].state is OrderState.UNKNOWN:
            yield f"UNKNOWN order {name}"
    for worker in state.workers_cold.get(symbol, ()):
        yield f"worker {worker} is not ready"


def mode_row(state: ExecutionState) -> Row:
    """The kill switch."""
    halt = state.halt
    if halt is None:
        return (1, state.mode.value, "", "", "")
    since = iso(halt.at_ns) if halt.at_ns else ""  # Older journals don't say.
    return (1, state.mode.value, since, halt.who, halt.reason)


def reduction_rows(state: ExecutionState) -> Iterator[Row]:
    """What has to go, and what the next exit of each waits for."""
    for symbol, one in sorted(state.reductions.items()):
        yield (
            symbol,
            one.kind.value,
            iso(one.began_ns),
            one.who,
            one.reason,
            one.exits,
            waits_for(state, symbol),
            one.reference,
        )


def account_row(sequence: int, entry_hash: str, state: ExecutionState) -> Row:
    """The account, and how far the journal has come: a journal that was cut off does not fit it."""
    books, counts = state.books, state.counts
    amounts = (
        plain(books.opening + books.deposits),
        books.cash,
        books.reserved,
        books.fees,
        books.realized,
        state.positions_value,
        state.equity,
        state.equity_session,
    )
    return (
        1,
        sequence,
        entry_hash,
        state.epoch,
        state.at_ns,
        iso(state.at_ns),
        state.session,
        state.account,
        state.phase.value,
        *map(canonical, amounts),
        state.halted,
        "; ".join(_all_closed(state)),
        counts.requests,
        counts.accepted,
        counts.blocked,
        counts.denied,
    )


def _all_closed(state: ExecutionState) -> Iterator[str]:
    """Why no symbol takes entries."""
    if state.halted:
        yield f"halted by {state.halted}"
    if ALL_SYMBOLS in state.quarantined:
        yield f"quarantined: {state.quarantined[ALL_SYMBOLS]}"
    yield from sorted(f"brake {brake.value}" for brake, of in state.brakes if of == ALL_SYMBOLS)
    for gate, why in state.gates_closed:
        yield f"gate {gate.value}: {why}"

"""The tables held against the journal: each row must be, byte for byte, what the entries add up to.

What happens once (an execution, a posting) is compared as it is read, row beside row; an order when the state forgets
it, and no entry can change it any more; what stands at the end is compared then. So a journal of any length is held
against its tables in the memory of two sessions' orders, and nothing is written, not even beside.
"""

import sqlite3
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

from msgspec import Struct

from trader.evolve import evolve_entry
from trader.journal import tables
from trader.journal.chain import GENESIS, Link, Row
from trader.journal.failures import JournalDamaged
from trader.journal.ledger import Ledger, ledger_of
from trader.journal.projection import Drafting, OrderTrace, has_busts, revived_by
from trader.journal.schema import TABLES
from trader.journal.sqlite import links_of
from trader.journal.stored import Difference, StoredRows, first_difference
from trader.messages import Boot, Clock, Entry, SessionBegan
from trader.model import ClientOrderId, Order, Symbol
from trader.state import ExecutionState

BATCH_ENTRIES = 500
APPENDED = (
    "decision_rows",
    "execution_rows",
    "posting_rows",
    "equity_rows",
    "movement_rows",
    "notice_rows",
)
# What code that meets an impossible entry may raise; none of it is a bug of the code, where bytes were changed.
IMPOSSIBLE = (AssertionError, ArithmeticError, LookupError, TypeError, ValueError)

Watch = Callable[[ExecutionState, Link, ExecutionState], None]


class Comparison(Struct, frozen=True, kw_only=True):
    """What the whole journal adds up to, and the first difference of each table."""

    state: ExecutionState
    rows: int  # compared, in all tables
    differences: tuple[Difference, ...]


class Piece(NamedTuple):
    """Some entries in a row: their rows, and the states around them."""

    before: ExecutionState
    after: ExecutionState
    drafting: Drafting


def compared(reader: sqlite3.Connection, watch: Watch | None = None, where: str = "") -> Comparison:
    """Fold the journal from its first row and hold every table against it; `watch` sees each entry on the way.

    Raises JournalDamaged where the entries themselves can't be believed.
    """
    found: dict[str, Difference] = {}
    appended, standing = Appended(reader, ExecutionState(), found), Standing(reader, found)
    state, head_hash = ExecutionState(), GENESIS
    for piece in pieces(state, links_of(reader, where=where), watch, where, standing.traces):
        appended.compare(piece.drafting)
        standing.compare(piece)
        state, head_hash = piece.after, piece.drafting.head_hash
    appended.end()
    standing.end(state, head_hash)
    ordered = tuple(found[table] for table in TABLES if table in found)
    return Comparison(state=state, rows=appended.rows + standing.rows, differences=ordered)


def tables_that_differ(reader: sqlite3.Connection) -> list[str]:
    """The tables whose rows are not what the entries add up to; raises JournalDamaged."""
    return [one.table for one in compared(reader).differences]


def appended_since(reader: sqlite3.Connection, past: ExecutionState) -> list[Difference]:
    """The first difference of each table of what happened after the state `past`; raises JournalDamaged."""
    found: dict[str, Difference] = {}
    appended = Appended(reader, past, found)
    for piece in pieces(past, links_of(reader, past.sequence)):
        appended.compare(piece.drafting)
    appended.end()
    return list(found.values())


def pieces(
    past: ExecutionState,
    links: Iterable[Link],
    watch: Watch | None = None,
    where: str = "",
    traces: dict[ClientOrderId, OrderTrace] | None = None,
) -> Iterator[Piece]:
    """The rows that follow from these entries after the state `past`, piece by piece."""
    state, ledger = past, ledger_of(past)
    for some in cut(links):
        before = state
        entries = [link.entry for link in some]
        drafting = Drafting(ledger, "", revived_by(entries, state) if has_busts(entries) else ())
        if traces is not None:
            drafting.orders = traces
        for link in some:
            after = _after(state, drafting, link, where)
            if watch is not None:
                watch(state, link, after)
            state = after
        yield Piece(before=before, after=state, drafting=drafting)


def _after(state: ExecutionState, drafting: Drafting, link: Link, where: str) -> ExecutionState:
    try:
        drafting.add(link.entry, link)
        return evolve_entry(state, link.entry)
    except IMPOSSIBLE as error:
        what = f"can't follow from the entries before it ({error!r})"
        raise JournalDamaged(what, link.entry.sequence, where) from error


class Appended:
    """The tables of what happens once, read beside the rows that follow; after row `past.sequence` of the journal."""

    def __init__(
        self, reader: sqlite3.Connection, past: ExecutionState, found: dict[str, Difference]
    ) -> None:
        self._found = found
        self._rows = 0  # of the journal, which come with their entries
        self._stored = {table: StoredRows(reader, table, past.sequence) for table in APPENDED}
        before = "SELECT count(*) FROM execution_rows WHERE sequence <= ?"
        [self._executions] = reader.execute(before, (past.sequence,)).fetchone()

    @property
    def rows(self) -> int:
        """Compared so far."""
        return self._rows + sum(stored.rows for stored in self._stored.values())

    def compare(self, drafting: Drafting) -> None:
        """Keep the first difference of each table."""
        self._rows += len(drafting.stored)
        if "journal" not in self._found:
            self._note(first_difference("journal", drafting.stored, drafting.entries))
        count = self._executions
        executions = [(count + place, *row[1:]) for place, row in enumerate(drafting.executions, 1)]
        self._executions += len(executions)
        for table, rows in (
            ("decision_rows", drafting.decisions),
            ("execution_rows", executions),
            ("posting_rows", drafting.postings),
            ("equity_rows", drafting.equity),
            ("movement_rows", drafting.movements),
            ("notice_rows", drafting.notices),
        ):
            if rows and table not in self._found:
                self._note(self._stored[table].differs(rows))

    def end(self) -> None:
        """Nothing may be left."""
        for table, stored in self._stored.items():
            if table not in self._found:
                self._note(stored.left())

    def _note(self, difference: Difference | None) -> None:
        if difference is not None:
            self._found[difference.table] = difference


class Standing:
    """The tables of what stands: lives, orders, positions, the mode, what has to go, the account."""

    def __init__(self, reader: sqlite3.Connection, found: dict[str, Difference]) -> None:
        self.traces: dict[ClientOrderId, OrderTrace] = {}
        self.rows = 0
        self._reader = reader
        self._found = found
        self._orders = 0
        self._symbols: set[Symbol] = set()
        self._lives: dict[object, Row] = {}
        self._has_mode = False

    def compare(self, piece: Piece) -> None:
        """What this piece has settled: an order that a new session makes the state forget is over."""
        drafting, before, after = piece.drafting, piece.before, piece.after
        self._symbols |= drafting.symbols
        if drafting.all_symbols:
            self._symbols |= after.symbols | set(after.positions)
        self._has_mode |= drafting.mode_moved
        self._lives.update((row[0], row) for row in drafting.lives)
        for ended_at, code, epoch in drafting.ends:
            self._lives[epoch] = (*self._lives[epoch][:-2], ended_at, code)
        if before.session != after.session:
            gone = (one for name, one in before.orders.items() if name not in after.orders)
            self._compare_orders(gone)
        self._compare_sums(drafting.ledger, after)

    def end(self, state: ExecutionState, head_hash: str) -> None:
        """What stands after the last entry."""
        positions = [
            tables.position_row(state, state.position(one)) for one in sorted(self._symbols)
        ]
        self._compare_all("life_rows", list(self._lives.values()))
        self._compare_all("position_rows", positions)
        self._compare_all("mode_row", [tables.mode_row(state)] if self._has_mode else [])
        self._compare_all("reduction_rows", list(tables.reduction_rows(state)))
        if state.sequence:
            account = tables.account_row(state.sequence, head_hash, state)
            self._compare_all("account_row", [account])
        self._compare_orders(state.orders.values())
        [count] = self._reader.execute("SELECT count(*) FROM order_rows").fetchone()
        if count != self._orders:
            self._note(
                Difference(
                    table="order_rows",
                    row="all",
                    stored=f"{count} rows",
                    follows=f"{self._orders} rows",
                )
            )

    def _compare_all(self, table: str, follows: list[Row]) -> None:
        stored = StoredRows(self._reader, table)
        self._note((stored.differs(follows) if follows else None) or stored.left())
        self.rows += stored.rows

    def _compare_orders(self, orders: Iterable[Order]) -> None:
        """Some hundred at a time: a question for each costs as much as making its row."""
        ordered = sorted(orders, key=lambda order: order.decision_id)
        for first in range(0, len(ordered), BATCH_ENTRIES):
            rows = [self._order_row(order) for order in ordered[first : first + BATCH_ENTRIES]]
            self._orders += len(rows)
            if "order_rows" not in self._found:
                marks = ", ".join("?" * len(rows))
                question = (
                    f"SELECT * FROM order_rows WHERE decision_id IN ({marks}) ORDER BY decision_id"
                )
                stored = self._reader.execute(question, [row[0] for row in rows]).fetchall()
                self._note(first_difference("order_rows", stored, rows))
                self.rows += len(stored)

    def _order_row(self, order: Order) -> Row:
        trace = self.traces.pop(order.client_order_id)
        return tables.order_row(order, trace.session, trace.ended, trace.before)

    def _compare_sums(self, ledger: Ledger, state: ExecutionState) -> None:
        """The journal's own sums, of which the equity history is made, and the state's, taken apart from each other."""
        for column, stored, follows in (
            ("cash", ledger.cash, state.books.cash),
            ("realized_pnl", ledger.realized, state.books.realized),
            ("positions_value", ledger.value, state.positions_value),
        ):
            if stored != follows:
                row = f"sequence {state.sequence}"
                self._note(
                    Difference(
                        table="equity_rows",
                        row=row,
                        column=column,
                        stored=str(stored),
                        follows=str(follows),
                    )
                )

    def _note(self, difference: Difference | None) -> None:
        if difference is not None:
            self._found.setdefault(difference.table, difference)


def cut(links: Iterable[Link]) -> Iterator[list[Link]]:
    """In pieces that are never of two lives or sessions: what a session forgets was settled in the piece before."""
    some: list[Link] = []
    for link in links:
        if some and (len(some) == BATCH_ENTRIES or _is_break(link.entry)):
            yield some
            some = []
        some.append(link)
    if some:
        yield some


def _is_break(entry: Entry) -> bool:
    match entry.input:
        case Boot():
            return True
        case Clock():
            return any(isinstance(event, SessionBegan) for event in entry.events)
        case _:
            return False

"""One batch as the statements of one transaction, and what the journal remembers between batches to write them.

The tables don't depend on how the same inputs were cut into batches. Two things would make them: an order that
the state after the batch has forgotten already (a new session drops old ones), which is looked up by folding the
batch entry by entry; and sums between two entries, which the Ledger carries.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from trader.accounting import Posting, postings_of, release_postings
from trader.evolve import evolve
from trader.journal import tables
from trader.journal.chain import Cell, Link, Row, chained
from trader.journal.ledger import Ledger
from trader.journal.tables import Place
from trader.messages import (
    BooksMoved,
    BrakeTripped,
    ClockMoved,
    DuplicateBlocked,
    Entry,
    Event,
    ExecutionBooked,
    Halted,
    LifeBegan,
    LifeEnded,
    OpeningBooked,
    OrderChanged,
    Quarantined,
    ReductionBegan,
    ReductionEnded,
    Released,
    RequestAccepted,
    RequestDenied,
    Resumed,
    SecurityStatusMoved,
    WorkerMoved,
    encode,
)
from trader.model import FINAL_STATES, ClientOrderId, Order, Symbol
from trader.ports import Batch
from trader.soundness import is_halted_by_the_books
from trader.state import ExecutionState


class Draft(NamedTuple):
    """A batch ready to be written: statements in the order that the triggers need, and what follows once it is."""

    statements: list[tuple[str, list[Row]]]
    head: int
    head_hash: str
    ledger: Ledger
    after: ExecutionState


class OrderTrace:
    """What a batch did to one order, as far as the state after it does not tell."""

    __slots__ = ("before", "ended", "is_back", "is_new", "session")

    def __init__(self) -> None:
        self.is_new = False
        self.session = ""
        self.before: int | None = None  # the symbol's entry order before this one
        self.ended: int | None = None  # the entry that brought it to its end
        self.is_back = False  # it left a final state

    def moved(self, sequence: int, event: OrderChanged) -> None:
        """Follow its ends."""
        if event.state not in FINAL_STATES:
            self.ended, self.is_back = None, True
        elif self.ended is None:
            self.ended = sequence


class Drafting:
    """The rows of one batch, gathered entry by entry."""

    def __init__(
        self, ledger: Ledger, head_hash: str, revived: Collection[tuple[int, int]] = ()
    ) -> None:
        """`revived` are the places of busts after which a filled order lives again."""
        self._revived = revived
        self.ledger = ledger
        self.head_hash = head_hash
        self.lives: list[Row] = []
        self.ends: list[Row] = []
        self.entries: list[Row] = []
        self.stored: list[Row] = []  # beside the entries, where they are made once more
        self.decisions: list[Row] = []
        self.executions: list[Row] = []
        self.postings: list[Row] = []
        self.equity: list[Row] = []
        self.movements: list[Row] = []
        self.notices: list[Row] = []
        self.orders: dict[ClientOrderId, OrderTrace] = {}
        self.symbols: set[Symbol] = set()
        self.all_symbols = False
        self.mode_moved = False
        self.has_ended = False  # a reduction

    def add(self, entry: Entry, stored: Link | None = None) -> None:
        """One entry: itself, and a row for everything that happened in it.

        `stored` is for who makes the rows once more: what an older program wrote has bytes of its own.
        """
        when = tables.when_of(entry)
        text: Cell
        if stored is None:
            data = encode(entry)
            text, self.head_hash = data.decode(), chained(self.head_hash, data)
        else:
            # The very text that the chain of hashes has been checked on, and that the entry was decoded from.
            text, self.head_hash = stored.row[tables.ENTRY_COLUMN], stored.hash
            self.stored.append(stored.row)
        self.entries.append(tables.entry_row(entry, when, text, self.head_hash))
        postings: list[Posting] = []
        for line, event in enumerate(entry.events):
            postings += self._happened(Place(entry.sequence, line, when), entry, event)
        for line, posting in enumerate(postings):
            amount = tables.exact(posting.amount)
            self.postings.append(
                (entry.sequence, line, posting.account, posting.instrument, amount)
            )

    def _happened(self, place: Place, entry: Entry, event: Event) -> Iterable[Posting]:
        match event:
            case RequestAccepted(order=order):
                self.decisions.append(tables.decision_row(place, event))
                trace = self._order(order.client_order_id, order.symbol)
                trace.is_new, trace.session = True, entry.session
                trace.before = self.ledger.accept(order)
                return postings_of(event)
            case DuplicateBlocked() | RequestDenied():
                self.decisions.append(tables.decision_row(place, event))
            case OrderChanged():
                trace = self.orders.setdefault(event.client_order_id, OrderTrace())
                trace.moved(place.sequence, event)
                if self.ledger.doubt(event) or event.state in FINAL_STATES:
                    self.symbols.add(event.symbol)
                return release_postings(self.ledger.hold(event.client_order_id, event.reserved))
            case ExecutionBooked():
                self._order(event.client_order_id, event.symbol)
                self.ledger.book(event)
                self.executions.append(tables.execution_row(place, event, self.ledger.account))
                self.equity.append(tables.equity_row(place, self.ledger))
                return postings_of(event)
            case ClockMoved():
                self.ledger.mark(event)
                self.symbols.update(event.marks)
                if self.ledger.opening:  # Before, nobody knows what the account holds.
                    self.equity.append(tables.equity_row(place, self.ledger))
            case OpeningBooked():
                self.ledger.open(event.cash)
                return postings_of(event)
            case BooksMoved():
                return self._moved(place, event)
            case _:
                self._rare(place, entry.epoch, event)
        return ()

    def _moved(self, place: Place, event: BooksMoved) -> Iterable[Posting]:
        self.ledger.move(event)
        self.movements.append(tables.movement_row(place, event))
        self.equity.append(tables.equity_row(place, self.ledger))
        if event.symbol is not None:
            self.symbols.add(event.symbol)
        if event.client_order_id is not None:
            trace = self._order(event.client_order_id, event.symbol or Symbol(""))
            if (place.sequence, place.line) in self._revived:
                trace.ended, trace.is_back = None, True
            held = release_postings(self.ledger.hold(event.client_order_id, event.reserved))
            return (*postings_of(event), *held)
        return postings_of(event)

    def _rare(self, place: Place, epoch: int, event: Event) -> None:
        match event:
            case LifeBegan():
                self.lives.append(tables.life_row(place, event))
                self.ledger.account = event.account
                self.all_symbols = self.mode_moved = True
            case LifeEnded():
                self.ends.append((tables.iso(event.at_ns), event.exit_code, epoch))
            case Halted():
                self.mode_moved = True
            case Resumed():
                self.all_symbols = self.mode_moved = True
            case WorkerMoved() | SecurityStatusMoved():
                self.symbols.add(event.symbol)
            case ReductionBegan() | ReductionEnded():
                self.symbols.add(event.symbol)
                self.has_ended |= isinstance(event, ReductionEnded)
            case Quarantined() | BrakeTripped() | Released() if event.symbol is not None:
                self.symbols.add(event.symbol)
            case Released():
                self.all_symbols = True
            case _:
                pass
        notice = tables.notice_row(place, event)
        if notice is not None:
            self.notices.append(notice)

    def _order(self, name: ClientOrderId, symbol: Symbol) -> OrderTrace:
        self.symbols.add(symbol)
        return self.orders.setdefault(name, OrderTrace())


class Projection:
    """Where the journal stands: head, chain, ledger, and the state after the last batch of this process."""

    def __init__(
        self,
        *,
        head: int,
        head_hash: str,
        ledger: Ledger,
        past: Callable[[], ExecutionState],
    ) -> None:
        self.head = head
        self.head_hash = head_hash
        self._ledger = ledger
        self._past = past  # the state at the head, when it has to be folded

    def draft(self, batch: Batch, links: Sequence[Link] = ()) -> Draft:
        """The batch as statements; nothing of it is remembered until `adopt`.

        `links` hold the bytes of entries that have been written before, elsewhere.
        """
        revived = revived_by(batch.entries, self._past()) if has_busts(batch.entries) else ()
        drafting = Drafting(self._ledger.copy(), self.head_hash, revived)
        for place, entry in enumerate(batch.entries):
            assert entry.sequence == self.head + 1 + place, "entries follow the head without a gap"
            drafting.add(entry, links[place] if links else None)
        state, ledger = batch.after, drafting.ledger
        # What the executor has found itself has halted it, and is written as it is; what it hasn't must not be.
        if not is_halted_by_the_books(state):
            assert ledger.cash == state.books.cash, "the journal's cash and the executor's agree"
            assert ledger.realized == state.books.realized, "so do their profits"
            assert ledger.value == state.positions_value, "and their holdings"
        new, moved = self._order_rows(batch, drafting)
        last = batch.entries[-1]
        statements: list[tuple[str, list[Row]]] = [
            (tables.INSERT_LIFE, drafting.lives),  # before the entries: a trigger compares epochs
            (tables.INSERT_ENTRY, drafting.entries),
            (tables.INSERT_DECISION, drafting.decisions),
            (tables.INSERT_ORDER, new),
            (tables.UPDATE_ORDER, moved),
            (tables.INSERT_EXECUTION, drafting.executions),
            (tables.INSERT_POSTING, drafting.postings),
            (tables.INSERT_EQUITY, drafting.equity),
            (tables.INSERT_MOVEMENT, drafting.movements),
            (tables.INSERT_NOTICE, drafting.notices),
            (tables.UPSERT_POSITION, list(_position_rows(state, drafting))),
            (tables.UPSERT_MODE, [tables.mode_row(state)] if drafting.mode_moved else []),
            (tables.CLEAR_REDUCTIONS, [()] if state.reductions or drafting.has_ended else []),
            (tables.INSERT_REDUCTION, list(tables.reduction_rows(state))),
            (tables.UPSERT_ACCOUNT, [tables.account_row(last.sequence, drafting.head_hash, state)]),
            (tables.END_LIFE, drafting.ends),
        ]
        return Draft(statements, last.sequence, drafting.head_hash, ledger, state)

    def adopt(self, draft: Draft) -> None:
        """The draft is durable."""
        self.head, self.head_hash, self._ledger = draft.head, draft.head_hash, draft.ledger
        self._past = lambda: draft.after

    def _order_rows(self, batch: Batch, drafting: Drafting) -> tuple[list[Row], list[Row]]:
        known: Mapping[ClientOrderId, Order] = batch.after.orders
        if any(name not in known for name in drafting.orders):
            known = dict(self._orders_met(batch, drafting.orders))
        new, moved = [], []
        for name, trace in drafting.orders.items():
            order = known[name]
            if trace.is_new:
                new.append(tables.order_row(order, trace.session, trace.ended, trace.before))
            else:
                moved.append(tables.order_update(order, trace.ended, trace.is_back))
        return new, moved

    def _orders_met(
        self, batch: Batch, names: Collection[ClientOrderId]
    ) -> Iterator[tuple[ClientOrderId, Order]]:
        """These orders as each event of the batch left them, so that the last of each is how it ended up.

        An event that names an order changes no other: a large batch has too many to look at all of them each time.
        """
        state = self._past()
        yield from ((name, state.orders[name]) for name in names if name in state.orders)
        for event in (event for entry in batch.entries for event in entry.events):
            before, state = state.orders, evolve(state, event)
            if state.orders is before:
                continue
            named = _order_named(event)
            met = names if named is None else (named,) if named in names else ()
            yield from ((name, state.orders[name]) for name in met if name in state.orders)


def _order_named(event: Event) -> ClientOrderId | None:
    if isinstance(event, RequestAccepted):
        return event.order.client_order_id
    if isinstance(event, OrderChanged | ExecutionBooked):
        return event.client_order_id
    return None


def revived_by(entries: Sequence[Entry], past: ExecutionState) -> Collection[tuple[int, int]]:
    """Where a bust takes a filled order out of its final state, as the places of the events."""
    state, revived = past, set()
    for entry in entries:
        for line, event in enumerate(entry.events):
            moved = evolve(state, event)
            if isinstance(event, BooksMoved) and (name := event.client_order_id) is not None:
                before, after = state.orders[name].state, moved.orders[name].state
                if before in FINAL_STATES and after not in FINAL_STATES:
                    revived.add((entry.sequence, line))
            state = moved
    return revived


def has_busts(entries: Iterable[Entry]) -> bool:
    """Whether any execution is taken back: busts are rare, so that the state is folded for them alone."""
    for entry in entries:
        for event in entry.events:
            if isinstance(event, BooksMoved) and event.client_order_id is not None:
                return True
    return False


def _position_rows(state: ExecutionState, drafting: Drafting) -> Iterator[Row]:
    symbols = drafting.symbols
    if drafting.all_symbols:
        symbols = symbols | state.symbols | set(state.positions)
    for symbol in sorted(symbols):
        yield tables.position_row(state, state.position(symbol))

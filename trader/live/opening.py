"""How every run begins and ends its books: open the journal, fold it, check whose it is, say what is so."""

import os
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing
from pathlib import Path

from msgspec import Struct
from msgspec.structs import replace

from trader import soundness
from trader.build import Build
from trader.calendar import iso
from trader.config import Config
from trader.conservation import Conservation
from trader.control import halt_file
from trader.evolve import evolve_entry
from trader.exits import StartRefused
from trader.journal.comparing import appended_since
from trader.journal.failures import JournalDamaged
from trader.journal.sqlite import SqliteJournal, entries_of, open_journal, reading_connection
from trader.journal.standing import standing_that_differ
from trader.limits import lines_of
from trader.live.assembly import Identity
from trader.live.summary import Summary, orders_of_life, proven, summed_up
from trader.messages import Boot, Entry, Gate
from trader.model import AccountId, Order
from trader.state import ExecutionState
from trader.venue import Venue

Say = Callable[[str], None]


class Books(Struct, frozen=True, kw_only=True):
    """The open journal, what it adds up to, and what the last line before the socket has read in it."""

    journal: SqliteJournal
    state: ExecutionState
    conservation: Conservation

    def last_check(self, order: Order) -> str:
        """Right before bytes leave: why not, or nothing."""
        if not self.journal.still_ours():
            return "the database isn't ours any more"
        if not self.journal.is_current(order.epoch):
            return "another process has taken over"
        return ""

    def after(self, state: ExecutionState, entries: Iterable[Entry]) -> "Books":
        """Once these rows are written, beside any run."""
        for entry in entries:
            self.conservation.read(entry)
        return replace(self, state=state)

    def identity(
        self, broker: str, account: AccountId, build: Build, *, pid: int | None = None
    ) -> Identity:
        """Of the life that begins, of this process unless `pid` says otherwise.

        Raises StartRefused where these are another account's books.
        """
        if self.state.account and self.state.account != account:
            raise StartRefused(
                f"holds the books of {self.state.account}, and this broker's account is {account}",
                where=str(self.journal.path),
                remedy="give another --database",
            )
        return Identity(
            epoch=self.journal.begin_life(),
            build=build,
            pid=os.getpid() if pid is None else pid,
            broker=broker,
            account=account,
        )


def opened(
    database: Path,
    *,
    create: bool,
    take_over: bool = False,
    simulated: tuple[int, str] | None = None,
) -> Books:
    """Lock, open and fold; raises StartRefused where the file can't be used or believed.

    With `take_over` the caller goes on to take_over.taken_over at once: the old process may be writing still.
    `simulated` is for a process that lives in virtual time: its pid and since when; it writes without a thread.
    """
    pid, since = simulated or (os.getpid(), iso(time.time_ns()))
    inline = simulated is not None
    journal = open_journal(
        database, create=create, since=since, take_over=take_over, pid=pid, inline=inline
    )
    try:
        conservation = Conservation()
        state, mark = _folded(conservation.reading(journal.entries()))
        _check_books(journal, state, mark)
        return Books(journal=journal, state=state, conservation=conservation)
    except BaseException:
        journal.close()
        raise


def _folded(entries: Iterable[Entry]) -> tuple[ExecutionState, ExecutionState]:
    """The state at the journal's end, and the one before its last life began."""
    state = mark = ExecutionState()
    for entry in entries:
        if isinstance(entry.input, Boot):
            mark = state
        state = evolve_entry(state, entry)
    return state, mark


def _check_books(journal: SqliteJournal, state: ExecutionState, mark: ExecutionState) -> None:
    """Everybody who asks the database reads the tables: they are as the journal says, or nothing starts.

    What stands is looked at as a whole. What happened once is looked at since `mark`: the last life began because
    the start before this one found all well up to there.
    """
    where = str(journal.path)
    with closing(reading_connection(journal.path)) as reader:
        differing = standing_that_differ(reader, state) if state.sequence else []
        differing = differing or list(map(str, appended_since(reader, mark)))
    if differing:
        what = f"tables that don't say what the journal says: {', '.join(differing)}"
        raise JournalDamaged(what, state.sequence, where)
    for what in soundness.all_differences(state):
        raise JournalDamaged(f"the books don't add up: {what}", state.sequence, where)


def halted_lines(database: Path, state: ExecutionState) -> Iterator[str]:
    """What a person reads before anything else: that, since when and why this run enters nothing."""
    if state.halt is not None:
        going = "; what is held goes" if state.halt.flattens else ""
        since = f"since {iso(state.halt.at_ns)}" if state.halt.at_ns else "already"
        yield f"{state.mode.value} {since} by {state.halted}: exits only{going}. bin/trade resume --reason"
    if (reason := halt_file.wanted(database)) is not None:
        yield f"HALTED by the file {halt_file.halt_file(database)}: {reason}"


def ready_lines(config: Config, state: ExecutionState, tail: str) -> Sequence[str]:
    """What a person reads when everything stands: the limits, and whether entries are allowed."""
    held = sum(1 for one in state.positions.values() if one.quantity)
    open_orders = sum(len(one.entries) + len(one.exits) for one in state.positions.values())
    agrees = "=" if state.agrees else "differ from"
    return (
        *lines_of(config.limits),
        f"books {agrees} broker: cash {state.books.cash:,.2f}, {held} positions, {open_orders} open orders. "
        f"{_allowed(state)} {len(config.symbols)} symbols, {tail}",
    )


def _allowed(state: ExecutionState) -> str:
    if state.halted:
        return f"HALTED by {state.halted}: bin/trade resume --reason."
    if state.quarantined:
        return f"No entries in {', '.join(sorted(state.quarantined.keys()))}."
    closed = [
        f"{gate.value}: {why}" for gate, why in state.gates_closed if gate is not Gate.SHUTDOWN
    ]
    if closed:
        return f"Entries closed ({'; '.join(closed)})."
    cold = sorted(symbol for symbol, workers in state.workers_cold.items() if workers)
    return f"Entries allowed, not yet in {', '.join(cold)}." if cold else "Entries allowed."


def summary_of(
    books: Books, state: ExecutionState, venue: Venue | None = None, account_id: str = ""
) -> Summary:
    """Everything recomputed from the journal's bytes, and held against the venue's own books where we have them."""
    reader = reading_connection(books.journal.path)
    try:
        orders = orders_of_life(entries_of(reader), state.epoch)
        proof = proven(reader, books.journal.entries(), state, venue, account_id)
    finally:
        reader.close()
    return summed_up(state, orders, proof)

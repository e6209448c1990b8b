"""A recorded session decided again by this code: each input on the state that it met, and what would come of it."""

import sqlite3

from msgspec import Struct

from trader.evolve import evolve_entry
from trader.journal.moments import moment_of
from trader.journal.sqlite import entries_of
from trader.messages import DuplicateBlocked, OrderRequest, RequestAccepted, RequestDenied
from trader.state import Counts, ExecutionState
from trader.verification.decisions import OtherDecision, build_of, decided_again


class Replay(Struct, frozen=True, kw_only=True):
    """What came of it: how many entries, what the recorded requests became, and what would be decided otherwise."""

    session: str
    entries: int
    requests: Counts
    builds: tuple[str, ...]  # that recorded it
    different: int
    first: OtherDecision | None


def replayed(reader: sqlite3.Connection, session: str, where: str = "") -> Replay:
    """Decide the session's inputs again; what was decided then goes on being the state, so that each stands alone.

    Raises JournalDamaged.
    """
    state, first = ExecutionState(), None
    entries = accepted = blocked = denied = different = 0
    builds: dict[str, None] = {}
    for entry in entries_of(reader, where=where):
        if moment_of(entry)[1] == session:
            entries += 1
            builds[build_of(state, entry)] = None
            if isinstance(entry.input, OrderRequest):
                accepted += _count(entry.events, RequestAccepted)
                blocked += _count(entry.events, DuplicateBlocked)
                denied += _count(entry.events, RequestDenied)
            if (other := decided_again(state, entry)) is not None:
                different += 1
                first = first or other
        state = evolve_entry(state, entry)
    requests = Counts(
        requests=accepted + blocked + denied, accepted=accepted, blocked=blocked, denied=denied
    )
    return Replay(
        session=session,
        entries=entries,
        requests=requests,
        builds=tuple(builds),
        different=different,
        first=first,
    )


def _count(events: tuple[object, ...], kind: type) -> int:
    return sum(1 for event in events if isinstance(event, kind))


def sessions_of(reader: sqlite3.Connection) -> list[str]:
    """All that the journal has something of, oldest first."""
    question = "SELECT DISTINCT session FROM journal WHERE session <> '' ORDER BY session"
    return [session for (session,) in reader.execute(question)]

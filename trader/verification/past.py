"""The books as they stood: the journal folded up to a moment, or up to a row."""

import sqlite3

from trader.calendar import iso
from trader.evolve import evolve_entry
from trader.journal.moments import moment_of
from trader.journal.sqlite import entries_of
from trader.state import ExecutionState


def state_at(reader: sqlite3.Connection, moment: str, where: str = "") -> ExecutionState:
    """The state after the last entry of `moment`, the beginning of a UTC timestamp: a day, or a minute, is all of it.

    Raises JournalDamaged where the entries up to there can't be believed.
    """
    state = ExecutionState()
    for entry in entries_of(reader, where=where):
        at_ns, _ = moment_of(entry)
        # Without the Z, which would come after any digit that a moment has beyond a timestamp's.
        if iso(at_ns)[:-1][: len(moment)] > moment:
            break
        state = evolve_entry(state, entry)
    return state

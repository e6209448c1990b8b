"""What a file tells a backtest about its history: what befell the account or a share, and which jumps are real.

[[event]] tables are in the words of the simulated broker. A [[jump]] is a night over which a price moved by more than
any ordinary night does, and no split: without one the symbol is quarantined there.
"""

import re
from collections.abc import Collection, Sequence
from functools import partial

from msgspec import Struct

from trader.backtest.broker import BEFALLS
from trader.backtest.request import KnownJump
from trader.calendar import session_on
from trader.cli.commands import REASON_CHARACTERS_MAX
from trader.cli.options import config_text, file_path
from trader.exits import Mistake
from trader.simulator.event_script import Scene, event_of_table
from trader.simulator.scheduled import ScheduledEvent
from trader.simulator.script import BadKey, Script, read_tables, row_of, traded


class JumpRow(Struct, frozen=True, kw_only=True):
    """One [[jump]]: before the session of the date, and why, for people."""

    symbol: str
    date: object
    reason: str


def read_events_file(
    file: str, symbols: Collection[str]
) -> tuple[Sequence[ScheduledEvent], Sequence[KnownJump]]:
    """In order of time; raises Mistake."""
    script = Script(text=config_text(file_path(file, "--events"), remedy=""), name=file)
    kinds = {"event": partial(_event, Scene(symbols=symbols)), "jump": partial(_jump, symbols)}
    found = read_tables(script, kinds)
    events = [one for one in found["event"] if isinstance(one, ScheduledEvent)]
    jumps = [one for one in found["jump"] if isinstance(one, KnownJump)]
    for event in events:
        if event.name not in BEFALLS:
            known = ", ".join(sorted(BEFALLS))
            raise Mistake(f"{event.name} can't befall a backtest; these can: {known}", where=file)
    return (
        sorted(events, key=lambda one: one.at_ns),
        sorted(jumps, key=lambda one: (one.date, one.symbol)),
    )


def _event(scene: Scene, table: object) -> ScheduledEvent | KnownJump:
    return event_of_table(scene, table)


def _jump(symbols: Collection[str], table: object) -> ScheduledEvent | KnownJump:
    """Raises BadKey."""
    row = row_of(table, JumpRow)
    date, reason = str(row.date), row.reason.strip()
    if not row.symbol:
        raise BadKey("symbol", "which one?")
    if not re.fullmatch(r"\d{4}-\d\d-\d\d", date, re.ASCII) or not _is_session(date):
        raise BadKey("date", f"no session's date like 2000-09-29: {date[:40]!r}")
    if not reason or not reason.isprintable() or len(reason) > REASON_CHARACTERS_MAX:
        raise BadKey("reason", f"one line of up to {REASON_CHARACTERS_MAX} characters is wanted")
    return KnownJump(symbol=traded(row.symbol, symbols), date=date, reason=reason)


def _is_session(date: str) -> bool:
    try:
        return session_on(date) is not None
    except ValueError:
        return False

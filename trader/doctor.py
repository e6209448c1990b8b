"""Is everything fit to trade with? One finding for each thing that is looked at, with the command that mends it.

Whatever is cheap is looked at by every start too: what fails there refuses the start, unless a person passes by the
check by its name, with a reason.
"""

import shutil
import sqlite3
import time
from collections.abc import Iterator, Mapping
from decimal import Decimal
from enum import StrEnum
from pathlib import Path

from msgspec import Struct

from trader.build import Build
from trader.calendar import iso
from trader.control import halt_file
from trader.evolve import fold
from trader.exits import Mistake, PersonError
from trader.journal.comparing import tables_that_differ
from trader.journal.failures import MENDS
from trader.journal.lock import rows_noted, writer_of
from trader.journal.place import SCHEMA_VERSION, check_file, check_place
from trader.journal.schema import changes_of_schema, is_older
from trader.journal.sqlite import entries_of, reading_connection
from trader.journal.write_ahead import check_log
from trader.messages import Gate
from trader.model import SECOND_NS, OrderState, Symbol
from trader.state import ExecutionState

DISK_WARN_BYTES = 500_000_000
DISK_FAIL_BYTES = 50_000_000
CLOCK_SKEW_S_MAX = 2.0
WALL_NS_MIN = (
    1_704_067_200 * SECOND_NS
)  # 2024: no clock of a machine that runs this program stands before it
QUICK_CHECK_BYTES_MAX = (
    64_000_000  # beyond that a start would take too long; the doctor looks at all of it
)
BYPASSABLE = ("clock", "disk", "commit")
NAMES_TOLD_MAX = 5


class Verdict(StrEnum):
    """As it is printed."""

    OK = "ok"
    WARN = "warn"
    FAIL = "FAIL"


class Finding(Struct, frozen=True, kw_only=True):
    """What was looked at, how it is, and the command that mends it."""

    check: str
    verdict: Verdict
    what: str
    remedy: str = ""


def ok(check: str, what: str) -> Finding:
    """Nothing to do."""
    return Finding(check=check, verdict=Verdict.OK, what=what)


def warn(check: str, what: str, remedy: str) -> Finding:
    """Somebody should look at it."""
    return Finding(check=check, verdict=Verdict.WARN, what=what, remedy=remedy)


def fail(check: str, what: str, remedy: str) -> Finding:
    """Nothing may start like this."""
    return Finding(check=check, verdict=Verdict.FAIL, what=what, remedy=remedy)


def at_start(database: Path, build: Build, *, is_real: bool, is_live: bool) -> Iterator[Finding]:
    """What every start looks at, besides what opening the journal does. `is_real`: with a broker that isn't ours."""
    yield clock(time.time_ns())
    yield disk(shutil.disk_usage(database.parent).free, database.parent)
    yield commit(build, is_real=is_real, is_live=is_live)
    if database.exists() and database.stat().st_size <= QUICK_CHECK_BYTES_MAX:
        yield integrity(database, "quick_check")


# ----------------------------------------------------------------------------------------- the machine


def clock(wall_ns: int) -> Finding:
    """A machine that has just booted without a network can believe that it is 1970."""
    if wall_ns < WALL_NS_MIN:
        return fail("clock", f"this machine says {iso(wall_ns)}", "timedatectl set-ntp true")
    return ok("clock", iso(wall_ns))


def skew(broker_ns: int, wall_ns: int) -> Finding:
    """Sessions, deadlines and the age of quotes are by the market's time, which is the broker's."""
    apart_s = abs(broker_ns - wall_ns) / SECOND_NS
    what = f"the broker says {iso(broker_ns)}, this machine {iso(wall_ns)}: {apart_s:,.1f} s apart"
    if apart_s > CLOCK_SKEW_S_MAX:
        return warn("broker clock", what, "timedatectl set-ntp true")
    return ok("broker clock", what)


def own_clock(broker_ns: int) -> Finding:
    """A server on this machine has a market of its own, and a run takes its time from it."""
    return ok("broker clock", f"the market of this server is at {iso(broker_ns)}")


def holdings(database: Path, held: Mapping[Symbol, Decimal]) -> Finding:
    """A start is refused while the account holds what the books don't know."""
    known: set[str] = set()
    if database.exists():
        reader = reading_connection(database)
        try:
            known = {
                symbol
                for (symbol,) in reader.execute(
                    "SELECT symbol FROM position_rows WHERE quantity <> '0'"
                )
            }
        except sqlite3.Error:
            pass  # What is wrong with the books has been told.
        finally:
            reader.close()
    new = [
        f"{quantity} {symbol}" for symbol, quantity in sorted(held.items()) if symbol not in known
    ]
    if not new:
        return ok("holdings", "the books know all that the account holds")
    more = f" and {len(new) - NAMES_TOLD_MAX} more" if len(new) > NAMES_TOLD_MAX else ""
    what = f"{', '.join(new[:NAMES_TOLD_MAX])}{more}: not in the books"
    return warn("holdings", what, "bin/trade adopt takes them in, to trade or to leave alone")


def disk(free_bytes: int, folder: Path) -> Finding:
    """What can't be written down isn't traded; better to know before."""
    what = f"{free_bytes / 1_000_000:,.0f} MB free in {folder}"
    remedy = f"free some space: df -h {folder}"
    if free_bytes < DISK_FAIL_BYTES:
        return fail("disk", what, remedy)
    return warn("disk", what, remedy) if free_bytes < DISK_WARN_BYTES else ok("disk", what)


def commit(build: Build, *, is_real: bool, is_live: bool) -> Finding:
    """Real money is traded by code that can be found again."""
    if build.commit is not None and not build.modified:
        return ok("commit", build.commit[:12])
    what = "no commit is known" if build.commit is None else "sources differ from the commit"
    finding = fail if is_live else warn
    return finding("commit", what, "git status") if is_real else ok("commit", what)


# -------------------------------------------------------------------------------------------- the books


def of_books(database: Path, identity: str) -> Iterator[Finding]:
    """Everything that the database can tell, whether or not somebody writes it just now."""
    if not database.exists():
        yield ok("database", f"{database}: none yet; bin/trade run makes one")
        if halt_file.wanted(database) is not None:
            yield _halt(ExecutionState(), database)
        return
    try:
        check_place(database)
        check_file(database)
        if writer_of(database) is None:  # Who writes has looked.
            check_log(database, rows_noted(database))
    except PersonError as error:
        yield fail("database", f"{error.where}: {error.what}", error.remedy)
        return
    yield integrity(database, "integrity_check")
    writer = writer_of(database)
    try:
        state, has_ended = _folded(database)
    except PersonError as error:
        yield fail("journal", error.what, error.remedy)
        return
    except sqlite3.Error as error:
        yield fail("journal", f"can't be read: {error}", "restore a backup")
        return
    yield ok("journal", f"{state.sequence:,} entries, chain of hashes intact")
    yield tables(database)
    yield _lock(writer, has_ended)
    yield _code(state, identity, is_running=writer is not None)
    yield from _standing(state, database)


def integrity(database: Path, pragma: str) -> Finding:
    """SQLite's own look at the file: integrity_check at all of it, quick_check without the indexes."""
    try:
        reader = reading_connection(database)
        try:
            [found, *_] = reader.execute(f"PRAGMA {pragma}(1)").fetchone()
            [version] = reader.execute("PRAGMA user_version").fetchone()
        finally:
            reader.close()
    except sqlite3.Error as error:
        found, version = str(error), 0
    if found != "ok":
        return fail("database", f"{database}: {found}", "keep the file, and restore a backup")
    return ok("database", f"{database}: whole, schema {version} of {SCHEMA_VERSION}")


def tables(database: Path) -> Finding:
    """The schema is as it was made, and each table says what the journal says; a table nobody may read tells lies."""
    reader = reading_connection(database)
    try:
        reader.execute("BEGIN")
        if is_older(reader):
            return ok("tables", "of an older trader; the next start brings them up to date")
        changes = list(changes_of_schema(reader)) or [
            f"{table} doesn't say what the journal says" for table in tables_that_differ(reader)
        ]
    finally:
        reader.close()
    if changes:
        return fail("tables", "; ".join(changes[:NAMES_TOLD_MAX]), MENDS)
    return ok("tables", "all triggers in place, every row follows from the journal")


def _folded(database: Path) -> tuple[ExecutionState, bool]:
    """The books as of the last commit, and whether the last life ended in order; raises JournalDamaged."""
    reader = reading_connection(database)
    try:
        reader.execute("BEGIN")
        state = fold(ExecutionState(), entries_of(reader, where=str(database)))
        ended = "SELECT ended_at FROM life_rows ORDER BY epoch DESC LIMIT 1"
        [ended_at] = reader.execute(ended).fetchone() or ("",)
        return state, ended_at is not None
    finally:
        reader.close()


def _lock(writer: tuple[int, str] | None, has_ended: bool) -> Finding:
    if writer is not None:
        pid, since = writer
        return ok("lock", f"process {pid} writes these books, since {since}")
    if not has_ended:
        what = "free; the last process ended without a word"
        return warn("lock", what, "bin/trade run starts again, and asks what became of its orders")
    return ok("lock", "free")


def _code(state: ExecutionState, identity: str, *, is_running: bool) -> Finding:
    """The running process told the journal which files differ; a build that differs says it too, without names."""
    stale = dict(state.gates_closed).get(Gate.FRESH_CODE)
    if is_running and stale is not None:
        return fail("code", stale, "stop the program and start it again, or put the files back")
    if is_running and state.build != identity:
        what = f"build {state.build[:7]} runs, the files here are build {identity[:7]}"
        return warn("code", what, "stop the program and start it again")
    return ok("code", f"build {identity[:7]}{' runs' if is_running else ''}")


def _standing(state: ExecutionState, database: Path) -> Iterator[Finding]:
    unknown = sorted(
        one.client_order_id for one in state.orders.values() if one.state is OrderState.UNKNOWN
    )
    if unknown:
        names = ", ".join(unknown[:NAMES_TOLD_MAX])
        yield warn("orders", f"{len(unknown)} UNKNOWN: {names}", "bin/trade orders --unknown")
    else:
        yield ok("orders", "none in doubt")
    yield _halt(state, database)
    if state.quarantined:
        why = "; ".join(f"{symbol}: {why}" for symbol, why in sorted(state.quarantined.items()))
        # One without a difference ends by a person's word alone: there is nothing to reconcile.
        release = f'bin/trade resume --release {min(state.quarantined.keys())} --reason "..."'
        yield warn("quarantine", why, release if state.agrees else "bin/trade reconcile")
    else:
        yield ok("quarantine", "no symbol")


def _halt(state: ExecutionState, database: Path) -> Finding:
    """By a person's word, by a brake, or by the file, which the next start sees though nothing runs now."""
    stopped = [state.halted] if state.halted else []
    stopped += sorted(f"brake {brake.value} on {symbol}" for brake, symbol in state.brakes)
    resume = 'bin/trade resume --reason "..."'
    if (reason := halt_file.wanted(database)) is not None:
        path = halt_file.halt_file(database)
        mends = f"remove {path}" + (f", then {resume}" if stopped else "")
        return warn("halt", "; ".join([f"by the file {path}: {reason}", *stopped]), mends)
    return warn("halt", "; ".join(stopped), resume) if stopped else ok("halt", "not halted")


def refusing(findings: list[Finding], bypassed: tuple[str, ...]) -> Finding | None:
    """The first finding that refuses a start; raises Mistake for a check that can't be passed by."""
    for name in bypassed:
        if name not in BYPASSABLE:
            raise Mistake("can't be passed by", where=f"--bypass {name}")
    failed = (one for one in findings if one.verdict is Verdict.FAIL)
    return next((one for one in failed if one.check not in bypassed), None)

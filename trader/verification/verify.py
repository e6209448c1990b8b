"""A database of ours, proved or refuted: everything that it says is recomputed from the journal's bytes."""

import sqlite3
from collections.abc import Callable, Iterator

from msgspec import Struct

from trader.journal.chain import Link
from trader.journal.comparing import Comparison, Watch, compared
from trader.journal.failures import JournalDamaged
from trader.state import ExecutionState
from trader.verification import file
from trader.verification.decisions import DecidedAgain
from trader.verification.identities import identities
from trader.verification.sums import Sums

NOT_LOOKED_AT = "not looked at: what it rests on differs"


class Check(Struct, frozen=True, kw_only=True):
    """One thing that was held against another: what it says, and the first difference, '' where there is none."""

    name: str
    says: str
    difference: str = ""


class Verification(Struct, frozen=True, kw_only=True):
    """All checks, in the order in which one rests on another."""

    entries: int
    head_hash: str
    checks: tuple[Check, ...]

    @property
    def first_difference(self) -> Check | None:
        """Where to look first: what comes after it may only follow from it."""
        return next((one for one in self.checks if one.difference), None)


class Wanted(Struct, frozen=True, kw_only=True):
    """How deep to look."""

    every: int = 1  # rows between two prefixes that are proved
    decisions: str = ""  # the build whose decisions are taken again; '' for none
    progress: Callable[[int], None] | None = None  # told how many entries more are done


class Proved(Struct, frozen=True, kw_only=True):
    """The verification, and the state that the journal adds up to, where it does."""

    verification: Verification
    state: ExecutionState | None


def proved(reader: sqlite3.Connection, wanted: Wanted) -> Proved:
    """Look at everything in the database; the reader's transaction is one consistent view of it."""
    checks: list[Check] = []
    try:
        wrong = next(file.differences(reader), "")
        checks.append(
            Check(name="file", says="whole; schema and triggers as made", difference=wrong)
        )
        if wrong:
            return _ended(checks)
        comparison, watches = _compared(reader, wanted)
    except JournalDamaged as damaged:
        what = f"row {damaged.row}: {damaged.what}"
        checks.append(Check(name="journal", says="", difference=what))
        return _ended(checks)
    except (sqlite3.Error, UnicodeDecodeError) as error:
        checks.append(Check(name="file", says="", difference=f"can't be read: {error}"))
        return _ended(checks)
    state, head = comparison.state, _head(reader)
    checks.append(
        Check(
            name="journal",
            says=f"{state.sequence:,} entries, no gap, chain of hashes ends in {head[:12]}",
        )
    )
    checks += _of_comparison(comparison)
    if comparison.differences:
        return _ended(checks, state, head)
    checks += _of_sums(watches.sums)
    checks += [
        Check(name=name, says=says, difference=wrong)
        for name, says, wrong in identities(reader, state)
    ]
    checks.append(_views(reader))
    if watches.again is not None:
        checks.append(_of_decisions(watches.again))
    return _ended(checks, state, head)


class _Watches(Struct, frozen=True, kw_only=True):
    sums: Sums
    again: DecidedAgain | None


def _compared(reader: sqlite3.Connection, wanted: Wanted) -> tuple[Comparison, _Watches]:
    sums = Sums(reader, wanted.every)
    again = DecidedAgain(wanted.decisions) if wanted.decisions else None
    watches = [one for one in (sums, again, _counting(wanted.progress)) if one is not None]

    def watch(before: ExecutionState, link: Link, after: ExecutionState) -> None:
        for one in watches:
            one(before, link, after)

    comparison = compared(reader, sums if len(watches) == 1 else watch)
    sums.end(comparison.state)
    return comparison, _Watches(sums=sums, again=again)


PROGRESS_ENTRIES = 1_000


def _counting(progress: Callable[[int], None] | None) -> Watch | None:
    if progress is None:
        return None

    def count(before: ExecutionState, link: Link, after: ExecutionState) -> None:
        if link.entry.sequence % PROGRESS_ENTRIES == 0:
            progress(PROGRESS_ENTRIES)

    return count


def _of_comparison(comparison: Comparison) -> Iterator[Check]:
    """One check for all tables that are well, and one for each that isn't."""
    if not comparison.differences:
        yield Check(name="tables", says=f"{comparison.rows:,} rows, each follows from the journal")
    for one in comparison.differences:
        yield Check(name="tables", says="", difference=str(one))


def _of_sums(sums: Sums) -> Iterator[Check]:
    says = f"{sums.transactions:,} transactions of {sums.postings:,} postings, each sums to 0 in USD and in shares"
    yield Check(name="postings", says=says, difference=sums.unbalanced)
    every = "each row" if sums.every == 1 else f"each row in {sums.every:,}"
    says = f"at {every}: the postings up to it sum to what the journal folds to"
    yield Check(name="prefixes", says=says, difference=sums.differing)


def _of_decisions(again: DecidedAgain) -> Check:
    says = f"{again.same:,} entries decided again alike"
    if again.others:
        says += f"; {again.others:,} are of other builds"
    differing = again.differing
    return Check(
        name="decisions", says=says, difference="" if differing is None else str(differing)
    )


def _views(reader: sqlite3.Connection) -> Check:
    """What an operator can ask for himself."""
    proof = reader.execute("SELECT difference FROM proof").fetchall()
    doubles = reader.execute("SELECT what, symbol, id FROM double_entries").fetchall()
    [accounts] = reader.execute("SELECT count(*) FROM account_row").fetchone()
    wrong = ""
    if len(proof) != accounts or any(difference for (difference,) in proof):
        wrong = f"proof says {proof}"
    elif doubles:
        wrong = f"double_entries has {len(doubles)} rows, first {doubles[0]}"
    return Check(
        name="views", says="proof has the difference 0, double_entries no row", difference=wrong
    )


def _head(reader: sqlite3.Connection) -> str:
    last = "SELECT hash FROM journal ORDER BY sequence DESC LIMIT 1"
    [found] = reader.execute(last).fetchone() or ("",)
    return str(found)


def _ended(checks: list[Check], state: ExecutionState | None = None, head: str = "") -> Proved:
    entries = 0 if state is None else state.sequence
    verification = Verification(entries=entries, head_hash=head, checks=tuple(checks))
    return Proved(verification=verification, state=state)

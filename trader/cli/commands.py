"""A person's command to a program that doesn't run: one durable journal entry, decided by the rules like any other."""

import getpass
import time
from collections.abc import Sequence

from trader.calendar import iso
from trader.cli.options import Common
from trader.evolve import fold
from trader.executor import decided
from trader.exits import JournalBroken, Mistake, StartRefused
from trader.journal.sqlite import open_journal
from trader.messages import Command, Input
from trader.model import OrderState, StrategyName, Symbol
from trader.ports import Batch, JournalFailed
from trader.state import ExecutionState

REASON_CHARACTERS_MAX = 200


def tell_stopped(
    common: Common, verb: str, reason: str, release: Sequence[str] = (), subject: str = ""
) -> ExecutionState:
    """Decide the command against the folded journal and write it; returns the state from before.

    `release` names symbols whose quarantine ends with it, '*' the one on everything; `subject` whom a promotion is of.

    Raises Mistake for a reason that says nothing, StartRefused where the journal can't be opened (because the
    program runs, too), or where it is not the time for it.
    """
    reason = checked_reason(reason)
    journal = open_journal(common.database, create=False, since=iso(time.time_ns()))
    try:
        before = fold(ExecutionState(), journal.entries())
        if verb == "resume":
            _check_resumable(common, before)
        if verb == "promote":
            _check_promotable(common, before, StrategyName(subject))
        wanted = _commands(before, verb, reason, release, journal.head, subject)
        after, entries = decided(before, wanted)
        if entries:
            journal.write(Batch(entries=tuple(entries), after=after))
    except (JournalFailed, JournalBroken) as error:
        raise StartRefused(str(error), where=str(common.database)) from None
    finally:
        journal.close()
    return before


def _commands(
    state: ExecutionState,
    verb: str,
    reason: str,
    release: Sequence[str],
    head: int,
    subject: str,
) -> list[Input]:
    who = getpass.getuser()
    wanted: list[Input] = []
    if verb != "resume" or state.halted or state.brakes:
        wanted.append(
            Command(command_id=f"{verb}-{head}", verb=verb, subject=subject, who=who, reason=reason)
        )
    for symbol in release:
        if Symbol(symbol) not in state.quarantined:
            raise Mistake(f"{symbol} isn't quarantined", where="--release")
        wanted.append(
            Command(
                command_id=f"release-{symbol}-{head}",
                verb="release",
                subject=symbol,
                who=who,
                reason=reason,
            )
        )
    return wanted


def checked_reason(reason: str) -> str:
    """The reason, trimmed; raises Mistake when it says nothing, is too long, or is more than a line."""
    reason = reason.strip()
    if not reason or not reason.isprintable() or len(reason) > REASON_CHARACTERS_MAX:
        raise Mistake(
            f"give one line of up to {REASON_CHARACTERS_MAX} characters", where="--reason"
        )
    return reason


def _check_resumable(common: Common, state: ExecutionState) -> None:
    unknown = sorted(
        name for name, order in state.orders.items() if order.state is OrderState.UNKNOWN
    )
    if unknown:
        raise StartRefused(
            f"{len(unknown)} orders are UNKNOWN: {', '.join(unknown[:5])}",
            where=str(common.database),
            remedy="bin/trade run asks the broker about them, and enters nothing while halted",
        )


def _check_promotable(common: Common, state: ExecutionState, strategy: StrategyName) -> None:
    if strategy not in state.strategies:
        known = ", ".join(sorted(state.strategies)) or "none"
        raise Mistake(
            f"the last life had no strategy {strategy!r}",
            where=str(common.database),
            remedy=f"there were: {known}",
        )
    if state.is_promoted(strategy):
        raise Mistake(f"{strategy} is promoted already", where=str(common.database))

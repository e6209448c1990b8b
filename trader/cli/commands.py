"""A person's command: to the running program over its control socket, to a stopped one through its database.

Either way it is decided by the rules like any other input, and durable before it is answered. Only who holds the
database's lock writes: the program while it runs, else this process for an instant.
"""

import getpass
import os
import secrets
import time

import click
import msgspec
from msgspec import Struct
from msgspec.structs import replace

from trader.calendar import iso
from trader.cli.options import Common
from trader.control.client import NoAnswer, NobodyListens, ask
from trader.control.halt_file import halt_file
from trader.control.wire import Asked, command_of, line_of, socket_path
from trader.evolve import fold
from trader.executor import decided
from trader.exits import Exit, JournalBroken, Mistake, PersonError, StartRefused
from trader.journal.failures import JournalHeld
from trader.journal.lock import writer_of
from trader.journal.sqlite import open_journal
from trader.ports import Batch, JournalFailed
from trader.state import ExecutionState

REASON_CHARACTERS_MAX = 200
WAIT_S = (
    10.0  # machine time for a program that has only just started, or for a verb that holds the lock
)
PAUSE_S = 0.1
REMEDIES = {
    "resume": "bin/trade orders --unknown; the program asks the broker about them, and enters nothing while halted"
}


class Unanswered(PersonError):
    """Whether the command was heard is not known."""

    exit_code = Exit.DIFFERENCES


class Said(Struct, frozen=True, kw_only=True):
    """What came of it, and which process said so; pid None: nothing runs, and the database has it."""

    outcome: str
    message: str
    pid: int | None


def told(common: Common, verb: str, subject: str, reason: str) -> Said:
    """Have the command decided, and wait until it is durable; raises Mistake, StartRefused or Unanswered."""
    asked = Asked(
        command_id=f"{verb}-{secrets.token_hex(8)}",
        verb=verb,  # type: ignore[arg-type]  # the verbs are those of Asked
        subject=checked_subject(subject),
        who=_who(),
        reason=checked_reason(reason),
    )
    until_s = time.monotonic() + WAIT_S
    may_have_heard = False
    while True:
        holder = writer_of(common.database)
        try:
            if holder is None:
                return _told_stopped(common, asked)
            answer = ask(socket_path(common.database), asked)
        except (NobodyListens, JournalHeld):
            pass  # Another verb holds the lock for an instant, or the program is just starting, or ending.
        except NoAnswer:
            may_have_heard = True
        else:
            return _checked(
                common, asked, Said(outcome=answer.outcome, message=answer.message, pid=holder[0])
            )
        if time.monotonic() > until_s:
            raise _silence(common, holder, may_have_heard=may_have_heard)
        time.sleep(PAUSE_S)


def say(common: Common, said: Said) -> int:
    """Print it; returns the exit code."""
    if common.json:
        click.echo(msgspec.json.encode(said).decode())
        return Exit.REFUSED if said.outcome == "refused" else Exit.WELL
    click.echo(said.message)
    return Exit.WELL


def _silence(
    common: Common, holder: tuple[int, str] | None, *, may_have_heard: bool
) -> PersonError:
    pid, since = holder or (0, "")
    where, file = str(common.database), halt_file(common.database)
    remedy = f"touch {file} halts it; more in docs/operations.md"
    if may_have_heard:
        return Unanswered(
            f"in use by process {pid}, which has not answered and may have heard",
            where=where,
            remedy=remedy,
        )
    what = f"in use by process {pid}, since {since}, which doesn't listen"
    return StartRefused(what, where=where, remedy=remedy)


def _checked(common: Common, asked: Asked, said: Said) -> Said:
    if said.outcome in {"done", "nothing"} or (common.json and said.outcome == "refused"):
        return said
    raise StartRefused(
        said.message, where=str(common.database), remedy=REMEDIES.get(asked.verb, "")
    )


def _told_stopped(common: Common, asked: Asked) -> Said:
    """Through the database, under its lock."""
    if asked.verb == "stop":
        if not common.database.exists():
            raise StartRefused(
                "there is no database",
                where=str(common.database),
                remedy="bin/trade run makes one",
            )
        return Said(outcome="nothing", message="nothing runs; nothing to stop", pid=None)
    command = command_of(line_of(asked))
    if command.verb == "cancel":
        command = replace(command, verb="cancel_later")
    journal = open_journal(common.database, create=False, since=iso(time.time_ns()))
    try:
        before = fold(ExecutionState(), journal.entries())
        if not before.epoch:  # A first start that was refused has left them.
            raise StartRefused(
                "nothing has run on these books yet",
                where=str(common.database),
                remedy=f"touch {halt_file(common.database)} halts the first run",
            )
        after, entries = decided(before, [command])
        if entries:
            journal.write(Batch(entries=tuple(entries), after=after))
    except (JournalFailed, JournalBroken) as error:
        raise StartRefused(str(error), where=str(common.database)) from None
    finally:
        journal.close()
    answer = after.answer(command.command_id)
    assert answer is not None, "a command that wants an answer has one"
    stands = after.reductions or after.cancels
    later = "; nothing runs: bin/trade run carries it out" if stands else ""
    said = Said(outcome=answer.outcome, message=answer.message + later, pid=None)
    return _checked(common, asked, said)


def _who() -> str:
    """The user, and who that was before sudo."""
    name, before = getpass.getuser(), os.environ.get("SUDO_USER", "")
    who = f"{before} as {name}" if before and before != name else name
    return "".join(one if " " <= one <= "~" else "?" for one in who)[:64] or "?"


def checked_subject(subject: str) -> str:
    """A symbol or an order's id; raises Mistake for what can be neither."""
    if len(subject) > 64 or not all(" " <= one <= "~" for one in subject):
        raise Mistake("neither a symbol nor an order's id", where=repr(subject)[:80])
    return subject


def checked_reason(reason: str) -> str:
    """The reason, trimmed; raises Mistake when it says nothing, is too long, or is more than a line."""
    reason = reason.strip()
    if not reason or not reason.isprintable() or len(reason) > REASON_CHARACTERS_MAX:
        raise Mistake(
            f"give one line of up to {REASON_CHARACTERS_MAX} characters", where="--reason"
        )
    return reason


def one_of(name: str | None, is_all: bool, what: str) -> str:
    """The subject of a verb that takes one thing or --all; raises Mistake for both or neither."""
    if (name is None) is not is_all:
        raise Mistake("says both, or nothing", where=f"{what} or --all", remedy="give one of them")
    return "*" if name is None else name

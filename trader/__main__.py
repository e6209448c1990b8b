"""The door: runs one verb and turns whatever comes out of it into an exit code and at most one line."""

import errno
import os
import stat
import sys
import traceback
from collections.abc import Sequence

import click

from trader.cli import trade
from trader.exits import Exit, JournalBroken, Mistake, PersonError
from trader.failure import leaves_of
from trader.money import use_exact_context

LINE_MAX = 1_000  # characters of a message that came from outside
NAME_MAX = 100


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit code, raises nothing."""
    arguments = sys.argv[1:] if arguments is None else arguments
    try:
        code = _run(arguments)
        sys.stdout.flush()
    except BaseException as error:  # the one place where every exception ends
        code = _ending(error, arguments)
    return code


def _run(arguments: Sequence[str]) -> int:
    if not __debug__:
        raise PythonOptimized(
            "asserts are stripped", remedy="start Python without -O and PYTHONOPTIMIZE"
        )
    use_exact_context()
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:  # What is opened next would take its number, and be written to.
            raise Mistake("is closed", where=name, remedy=">/dev/null drops what is written")
        stream.reconfigure(errors="backslashreplace")  # text that a terminal can't show
    for argument in arguments:
        if not argument.isascii() and any("\ud800" <= one <= "\udfff" for one in argument):
            raise Mistake("not text in UTF-8", where=argument[:NAME_MAX])
    with trade.make_context("trade", list(arguments)) as context:
        return trade.invoke(context) or Exit.WELL


class PythonOptimized(PersonError):
    """Invariants are asserts; a Python that strips them must not trade."""

    exit_code = Exit.MISTAKE


def _ending(error: BaseException, arguments: Sequence[str]) -> int:
    """What the shell is told: of several exceptions in a group the worst one decides, a bug of ours before all."""
    leaves = sorted(leaves_of(error), key=_gravity)
    match leaves[0]:
        case click.exceptions.Exit(exit_code=code):
            return code
        case SystemExit(code=code):
            return (
                code
                if isinstance(code, int)
                else Exit.WELL
                if code is None
                else _say(str(code), Exit.MISTAKE)
            )
        case click.exceptions.NoArgsIsHelpError() as bare:
            bare.show()
            return Exit.MISTAKE
        case click.UsageError() as usage:
            command = usage.ctx.command_path if usage.ctx else _verb(arguments)
            message = " ".join(usage.format_message().split())
            return _say(f"{message} (see: {command} --help)", Exit.MISTAKE)
        case click.ClickException() as mistake:
            return _say(mistake.format_message(), Exit.MISTAKE)
        case PersonError() as person:
            return _say(str(person), person.exit_code)
        case JournalBroken() as broken:
            remedy = (
                "this life can't trust its journal any more and has ended; look: bin/trade doctor"
            )
            return _say(f"{broken} ({remedy})", Exit.BUG)
        case KeyboardInterrupt() | click.Abort():
            return _say("interrupted", Exit.INTERRUPTED)
        case BrokenPipeError():
            _drop_output()
            return Exit.PIPE_CLOSED
        case OSError(errno=errno.ENOSPC) as full if _is_of_output():
            _drop_output()
            return _say(f"standard output: {full.strerror} (make room for it)", Exit.REFUSED)
        case _:
            traceback.print_exception(error)
            return _say(
                "this is a bug of the program, not of yours; the books are safe in the journal",
                Exit.BUG,
            )


def _verb(arguments: Sequence[str]) -> str:
    """What an option was typed after, where click doesn't say."""
    known = (
        arguments[:1]
        if arguments and arguments[0] in trade.list_commands(click.Context(trade))
        else ()
    )
    return " ".join(["trade", *known])


def _is_of_output() -> bool:
    """Whether standard output has no room: what it did not take is still in its buffer, or it was never kept there."""
    try:
        number = sys.stdout.fileno()
    except OSError:
        return False  # It is no file.
    try:
        sys.stdout.flush()
        os.write(number, b"")
    except OSError:
        return True
    return stat.S_ISREG(os.fstat(number).st_mode) and os.fstatvfs(number).f_bavail == 0


def _drop_output() -> None:
    """Python flushes once more as it ends: into nothing, so that it has nothing to complain about."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _gravity(error: BaseException) -> int:
    match error:
        case PersonError(exit_code=Exit.FENCED):
            return 1
        case PersonError(exit_code=Exit.REFUSED):
            return 2
        case JournalBroken():
            return 2
        case PersonError() | click.ClickException():
            return 3
        case SystemExit() | click.exceptions.Exit():
            return 4
        case KeyboardInterrupt() | click.Abort():
            return 5
        case BrokenPipeError():
            return 6
        case _:
            return 0


def _say(message: str, code: int) -> int:
    """One line on standard error, with nothing in it that could pass for another line or steer a terminal."""
    line = "".join(c if c.isprintable() else ascii(c)[1:-1] for c in message[:LINE_MAX])
    print(f"trade: {line}", file=sys.stderr)
    return code


if __name__ == "__main__":
    sys.exit(main())

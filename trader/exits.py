"""How the program ends: its exit codes, and the exceptions that mean a person has to do something.

Every verb ends with one of these codes. A person's mistake and a refused start are one line on standard error,
never a traceback; anything else that reaches the door is a bug of ours.
"""

import difflib
from collections.abc import Sequence
from enum import IntEnum
from typing import ClassVar


class Exit(IntEnum):
    """What the shell sees."""

    WELL = 0  # a clean stop by SIGTERM too
    DIFFERENCES = 1  # differences, violations, or unresolved orders left
    MISTAKE = 2  # command line or configuration wrong
    REFUSED = 3  # the state says no: lock, database, journal, account, self-test, broker unreachable at start
    HALTED = 4  # the run ended while halted
    FENCED = 5  # another process took the account over
    BUG = 70  # EX_SOFTWARE of sysexits.h
    INTERRUPTED = 130  # 128 + SIGINT
    PIPE_CLOSED = 141  # 128 + SIGPIPE: the reader of our output went away


class PersonError(Exception):
    """Something a person can put right: what is wrong, where, and what to do about it."""

    exit_code: ClassVar[Exit]

    def __init__(self, what: str, *, where: str = "", remedy: str = "") -> None:
        super().__init__(what, where, remedy)
        self.what = what
        self.where = where
        self.remedy = remedy

    def __str__(self) -> str:
        place = f"{self.where}: " if self.where else ""
        remedy = f" ({self.remedy})" if self.remedy else ""
        return f"{place}{self.what}{remedy}"


class Mistake(PersonError):
    """The command line or the configuration is wrong."""

    exit_code = Exit.MISTAKE


class StartRefused(PersonError):
    """The command is right, but the state of database, account or broker forbids it."""

    exit_code = Exit.REFUSED


class Fenced(PersonError):
    """Another process has taken the account over; this one may write nothing more."""

    exit_code = Exit.FENCED


class JournalBroken(Exception):
    """Whether a batch is durable can't be known (a failed fsync, a lost file): this life must end."""


def did_you_mean(key: str, known: Sequence[str]) -> str:
    """', did you mean …?', or nothing where no known word is like it."""
    close = difflib.get_close_matches(key, known, n=1)
    return f", did you mean {close[0]}?" if close else ""

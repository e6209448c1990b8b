"""What crosses the control socket: a line of JSON each way, bounded, read into exact types; and where the socket is."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Literal

import msgspec
from msgspec import Meta, Struct

from trader.messages import Command

LINE_BYTES_MAX = 4_096
# What the shortest sockaddr_un that we know of (macOS) holds, its end mark left out.
ADDRESS_BYTES_MAX = 103

Word = Annotated[str, Meta(min_length=1, max_length=64, pattern=r"^[ -~]+\Z")]
Subject = Annotated[str, Meta(max_length=64, pattern=r"^[ -~]*\Z")]
Reason = Annotated[str, Meta(min_length=1, max_length=200)]


class Asked(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A command; the same command_id asked again is the same command."""

    command_id: Word
    verb: Literal["halt", "resume", "flatten", "cancel", "stop", "release", "promote"]
    subject: Subject = ""
    who: Word
    reason: Reason


class Answer(Struct, frozen=True, kw_only=True):
    """What came of it, once it is durable. outcome: 'done', 'nothing', 'refused'; 'unheard': it was no command."""

    outcome: str
    message: str


class Unfit(ValueError):
    """Not a command."""


def command_of(line: bytes) -> Command:
    """The command of a line; raises Unfit, saying why."""
    try:
        asked = msgspec.json.decode(line, type=Asked)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise Unfit(f"not a command: {ascii(str(error))[1:-1][:200]}") from None
    if not asked.reason.isprintable():
        raise Unfit("not a command: the reason is not one printable line")
    return Command(
        command_id=asked.command_id,
        verb=asked.verb,
        subject=asked.subject,
        who=asked.who,
        reason=asked.reason,
        wants_answer=True,
    )


def line_of(value: Asked | Answer) -> bytes:
    """One line, its end included."""
    return msgspec.json.encode(value) + b"\n"


def answer_of(line: bytes) -> Answer:
    """The answer of a line; raises Unfit."""
    try:
        return msgspec.json.decode(line, type=Answer)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        raise Unfit("not an answer") from None


def socket_path(database: Path) -> Path:
    """Where the program that writes this database listens."""
    return database.with_name(database.name + ".control")


class TooLong(Exception):
    """The path is longer than a socket's address can be."""


@contextmanager
def address_of(path: Path) -> Iterator[str]:
    """The path as a socket's address; a long one goes through its open folder, where the system has such names."""
    if len(os.fsencode(path)) <= ADDRESS_BYTES_MAX:
        yield str(path)
        return
    descriptor = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        address = f"/proc/self/fd/{descriptor}/{path.name}"
        if len(os.fsencode(address)) > ADDRESS_BYTES_MAX or not Path("/proc/self/fd").is_dir():
            raise TooLong(f"{len(os.fsencode(path))} bytes, of {ADDRESS_BYTES_MAX}")
        yield address
    finally:
        os.close(descriptor)

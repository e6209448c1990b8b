"""The control socket's side in the running program: reads a command, has it decided, answers once it is durable.

It writes nothing itself. Nobody but this user reaches it (mode 0600, and the peer's user is looked at where the system
tells it); and whatever is sent costs one line, one connection of a few, and no more than LINE_S.
"""

import os
import socket
import stat
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from functools import partial
from pathlib import Path

import trio

from trader.control.wire import LINE_BYTES_MAX, Answer, Unfit, address_of, command_of, line_of
from trader.messages import Command, CommandAnswered

CONNECTIONS_MAX = 16
LINE_S = 5.0  # machine time for a whole line to come, and to go
ANSWER_S = 60.0  # for the command to be durable: a full disk may have room again

Decide = Callable[[Command], Awaitable[CommandAnswered]]


@asynccontextmanager
async def served(path: Path, decide: Decide) -> AsyncIterator[None]:
    """Listen at `path` while inside. Raises OSError or TooLong where that can't be.

    Only the process that holds the database's lock may: whatever socket lies there is then a dead process's.
    """
    listener, identity = _listening(path)
    try:
        async with trio.open_nursery() as nursery:
            limit = trio.CapacityLimiter(CONNECTIONS_MAX)
            nursery.start_soon(
                partial(trio.serve_listeners, partial(_serve, decide, limit), [listener]),
                name="control socket",
            )
            yield
            nursery.cancel_scope.cancel()
    finally:
        _remove(path, identity)


def _listening(path: Path) -> tuple[trio.SocketListener, tuple[int, int]]:
    with suppress(FileNotFoundError):
        if not stat.S_ISSOCK(path.lstat().st_mode):
            raise FileExistsError(f"{path.name} is there, and is no socket")
        path.unlink()
    own = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        with address_of(path) as address:
            own.bind(address)
        path.chmod(0o600)  # Before anybody can connect: that takes listening.
        own.listen(CONNECTIONS_MAX)
        return trio.SocketListener(trio.socket.from_stdlib_socket(own)), _identity(path)
    except BaseException:
        own.close()
        raise


def _remove(path: Path, identity: tuple[int, int]) -> None:
    """Unless somebody who took our place listens there now."""
    with suppress(OSError):
        if _identity(path) == identity:
            path.unlink()


def _identity(path: Path) -> tuple[int, int]:
    found = path.lstat()
    return (found.st_ino, found.st_dev)


async def _serve(decide: Decide, limit: trio.CapacityLimiter, stream: trio.SocketStream) -> None:
    """One connection: a line, an answer, and no more. Nothing that comes or goes wrong here reaches the program."""
    with suppress(trio.BrokenResourceError, trio.ClosedResourceError):
        async with stream:
            answer = await _answer(decide, limit, stream)
            with trio.move_on_after(LINE_S):
                await stream.send_all(line_of(answer))


async def _answer(decide: Decide, limit: trio.CapacityLimiter, stream: trio.SocketStream) -> Answer:
    try:
        limit.acquire_on_behalf_of_nowait(stream)
    except trio.WouldBlock:
        return Answer(outcome="unheard", message=f"{CONNECTIONS_MAX} others are asking: try again")
    try:
        line = await _line(stream)
        if not _is_our_user(stream):
            return Answer(outcome="unheard", message="another user's process may not")
        command = command_of(line)
        with trio.fail_after(ANSWER_S):
            answered = await decide(command)
    except Unfit as unfit:
        return Answer(outcome="unheard", message=str(unfit))
    except trio.TooSlowError:
        return Answer(outcome="unheard", message="it could not be written down: is the disk full?")
    finally:
        limit.release_on_behalf_of(stream)
    return Answer(outcome=answered.outcome, message=answered.message)


async def _line(stream: trio.SocketStream) -> bytes:
    """A line within its time and its size; raises Unfit."""
    data = b""
    with trio.move_on_after(LINE_S):
        while b"\n" not in data:
            if len(data) > LINE_BYTES_MAX:
                raise Unfit(f"longer than {LINE_BYTES_MAX} bytes")
            more = await stream.receive_some(LINE_BYTES_MAX)
            if not more:
                raise Unfit("the line has no end")
            data += more
        line = data.partition(b"\n")[0]
        if len(line) > LINE_BYTES_MAX:
            raise Unfit(f"longer than {LINE_BYTES_MAX} bytes")
        return line
    raise Unfit(f"no whole line within {LINE_S:.0f} s")


def _is_our_user(stream: trio.SocketStream) -> bool:
    """By the kernel's word, where it gives one; elsewhere the file's mode has said so already."""
    option = getattr(socket, "SO_PEERCRED", None)
    if option is None:
        return True
    size = struct.calcsize("3i")
    _, user, _ = struct.unpack("3i", stream.socket.getsockopt(socket.SOL_SOCKET, option, size))
    return bool(user == os.geteuid())

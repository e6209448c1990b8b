"""A run that listens: to the control socket beside its database, and to a file HALT there."""

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import trio

from trader.control import halt_file
from trader.control.server import served
from trader.control.wire import TooLong, socket_path
from trader.messages import Command, CommandAnswered
from trader.state import ExecutionState
from trader.supervisor import Parts

LOOK_PAUSE_S = 0.25  # machine time between looks at the file

Say = Callable[[str], None]


@asynccontextmanager
async def controlled(
    parts: Parts, database: Path, stop: Callable[[], None], say: Say
) -> AsyncIterator[None]:
    """While inside, listen; from the first row of this life on. Who can't listen at the socket says so, and goes on."""
    async with trio.open_nursery() as nursery, AsyncExitStack() as stack:
        nursery.start_soon(_watch_file, parts, database, name="halt file")

        async def decide(command: Command) -> CommandAnswered:
            answered = await _decided(parts, command)
            if command.verb == "stop":
                stop()
            return answered

        path = socket_path(database)
        try:
            await stack.enter_async_context(served(path, decide))
        except (OSError, TooLong) as error:
            say(f"NO CONTROL SOCKET {path.name}: {error}; a file HALT and kill -TERM still work")
        yield
        nursery.cancel_scope.cancel()


async def _decided(parts: Parts, command: Command) -> CommandAnswered:
    """Tell it, and wait for the commit."""
    await parts.executor.wait_until(lambda state: state.epoch == parts.boot.epoch)
    await parts.inbox.tell(command)
    answered: CommandAnswered | None = None

    def is_answered(state: ExecutionState) -> bool:
        nonlocal answered
        answered = state.answer(command.command_id)
        return answered is not None

    await parts.executor.wait_until(is_answered)
    assert answered is not None
    return answered


async def _watch_file(parts: Parts, database: Path) -> None:
    """Halted for as long as the file is there: who resumes has to remove it first."""
    await parts.executor.wait_until(lambda state: state.epoch == parts.boot.epoch)
    while True:
        reason = halt_file.wanted(database)
        if reason is not None and not parts.executor.state.halted:
            sequence = parts.executor.state.sequence
            await parts.inbox.tell(
                Command(
                    command_id=f"halt-file-{parts.boot.epoch}-{sequence}",
                    verb="halt",
                    who=f"file {halt_file.NAME}",
                    reason=reason,
                )
            )
            await parts.executor.wait_until(lambda state: bool(state.halted))
        await trio.sleep(LOOK_PAUSE_S)

"""Runs in several processes: a line goes to one, a line comes back, until there is nothing left to ask.

The processes share nothing, so the answer is the same with any number of them, on one machine or on many.
"""

import subprocess
from collections.abc import Callable, Sequence

import trio


class JobLost(Exception):
    """A process has failed, and said why on standard error, or is gone."""


async def answered(
    command: Sequence[str], asks: Sequence[bytes], jobs: int, done: Callable[[int, bytes], None]
) -> None:
    """Ask each of them once; `done` hears of each answer by its place. Raises JobLost; leaves no process behind."""
    send, receive = trio.open_memory_channel[tuple[int, bytes]](len(asks))
    for ask in enumerate(asks):
        send.send_nowait(ask)
    send.close()
    async with trio.open_nursery() as nursery:
        for _ in range(min(jobs, len(asks))):
            nursery.start_soon(_work_off, command, receive, done)


async def _work_off(
    command: Sequence[str],
    asks: trio.MemoryReceiveChannel[tuple[int, bytes]],
    done: Callable[[int, bytes], None],
) -> None:
    process = await trio.lowlevel.open_process(
        list(command),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        start_new_session=True,  # What a terminal says to its own, it does not hear: we end it.
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        rest = b""
        async for place, ask in asks:
            try:
                await process.stdin.send_all(ask + b"\n")
            except trio.BrokenResourceError:
                raise JobLost("a process is gone") from None
            while b"\n" not in rest:
                more = await process.stdout.receive_some()
                if not more:
                    raise JobLost("a process has failed, and said why above")
                rest += more
            line, _, rest = rest.partition(b"\n")
            done(place, line)
    finally:
        process.kill()
        with trio.CancelScope(shield=True):
            await process.wait()

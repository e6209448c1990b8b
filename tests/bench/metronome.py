"""Another process that beats: `python -m tests.bench.metronome RATE COUNT`, each beat 8 bytes with its own time.

The time is the machine's monotonic one, which all processes share. It never waits for the listener: what holds that
one up counts against it.
"""

import subprocess
import sys
import time
from collections.abc import AsyncIterator

import trio

from tests.bench.measure import ENVIRONMENT

FIRST_BEAT_NS = 200_000_000
BEAT_BYTES = 8


def main(rate: int, count: int) -> None:
    begin_ns = time.monotonic_ns() + FIRST_BEAT_NS
    for beat in range(count):
        due_ns = begin_ns + beat * 1_000_000_000 // rate
        # Late by 0.1 ms or so, which is no matter: a beat carries the time at which it left.
        time.sleep(max(0.0, (due_ns - time.monotonic_ns()) / 1e9))
        sys.stdout.buffer.write(time.monotonic_ns().to_bytes(BEAT_BYTES, "little"))
        sys.stdout.buffer.flush()


async def beats(rate: int, count: int) -> AsyncIterator[int]:
    """The times of such a process's beats, each as soon as it can be heard."""
    command = [sys.executable, "-P", "-m", "tests.bench.metronome", str(rate), str(count)]
    process = await trio.lowlevel.open_process(command, stdout=subprocess.PIPE, env=ENVIRONMENT)
    assert process.stdout is not None
    heard = b""
    async with process.stdout:
        while part := await process.stdout.receive_some():
            heard += part
            whole = len(heard) - len(heard) % BEAT_BYTES
            for start in range(0, whole, BEAT_BYTES):
                yield int.from_bytes(heard[start : start + BEAT_BYTES], "little")
            heard = heard[whole:]
    await process.wait()


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))

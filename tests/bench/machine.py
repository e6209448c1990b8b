"""What the machine gives, whoever asks: synced appends, plain Python, waking up, HTTP without a library."""

import os
import socket
import time
from pathlib import Path

import trio

from tests.bench.measure import Sample, Stopwatch, other_end, p50_p99
from tests.bench.metronome import beats

WORK = 300  # appends; exchanges are ten times as many
WORK_TINY = 3
BLOCK = bytes(4_096)
REQUEST = b"GET / HTTP/1.1\r\nHost: bench\r\n\r\n"


def once(work: int, folder: Path) -> list[Sample]:
    """What the other figures have to be seen beside."""
    return [
        *p50_p99("append of 4 KiB, synced", synced_appends(work, folder), (None, None)),
        Sample(name="turns of an empty loop", value=loop_turns(work * 10_000) / 1e6, unit="M/s"),
        *p50_p99("beat of another process, heard", trio.run(heard_beats, 10 * work), (None, None)),
        *p50_p99("HTTP exchange over loopback, bytes only", exchanges(10 * work), (None, None)),
    ]


def synced_appends(count: int, folder: Path) -> list[float]:
    """Seconds of each."""
    seconds = []
    file = os.open(folder / "appended", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    for _ in range(count):
        began_s = time.perf_counter()
        os.write(file, BLOCK)
        os.fsync(file)
        seconds.append(time.perf_counter() - began_s)
    os.close(file)
    return seconds


def loop_turns(turns: int) -> float:
    """A CPU second's."""
    with Stopwatch() as watch:
        for _ in range(turns):
            pass
    return turns / watch.cpu_s


async def heard_beats(count: int) -> list[float]:
    """Seconds until Trio hands over what another process has written, 2,000 times a second."""
    return [(time.monotonic_ns() - beat_ns) / 1e9 async for beat_ns in beats(2_000, count)]


def exchanges(count: int) -> list[float]:
    """Seconds of each, one after the other."""
    seconds = []
    with (
        other_end("byte_broker") as server,
        socket.create_connection(("127.0.0.1", int(server.line()))) as stream,
    ):
        stream.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for _ in range(count):
            began_s = time.perf_counter()
            stream.sendall(REQUEST)
            assert stream.recv(4_096)
            seconds.append(time.perf_counter() - began_s)
    return seconds

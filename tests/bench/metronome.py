"""Another process that beats: `python -m tests.bench.metronome RATE COUNT`, each beat 8 bytes with its own time.

The time is the machine's monotonic one, which all processes share. It never waits for the listener: what holds that
one up counts against it.
"""

import sys
import time

FIRST_BEAT_NS = 200_000_000


def main(rate: int, count: int) -> None:
    begin_ns = time.monotonic_ns() + FIRST_BEAT_NS
    for beat in range(count):
        due_ns = begin_ns + beat * 1_000_000_000 // rate
        # Late by 0.1 ms or so, which is no matter: a beat carries the time at which it left.
        time.sleep(max(0.0, (due_ns - time.monotonic_ns()) / 1e9))
        sys.stdout.buffer.write(time.monotonic_ns().to_bytes(8, "little"))
        sys.stdout.buffer.flush()


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))

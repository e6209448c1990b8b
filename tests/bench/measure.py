"""What the benches measure with: samples, clocks of CPU and machine time, quantiles, the process at the other end."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Self

from msgspec import Struct

ROOT = Path(__file__).resolve().parents[2]
ENVIRONMENT = os.environ | {"PYTHONPATH": str(ROOT)}  # of every process that a bench starts
CHILD_SECONDS_MAX = 10.0
KIB_A_MB = 1_000_000 / 1_024
CPU_FIELDS = slice(11, 13)  # of /proc/PID/stat behind the name: user, system


class Sample(Struct, frozen=True, kw_only=True):
    """One figure of one round. A goal is to be exceeded, or with `is_ceiling` not to be."""

    name: str
    value: float
    unit: str
    goal: float | None = None
    is_ceiling: bool = False


class PeerRun(Struct, frozen=True, kw_only=True):
    """What an engine says of the work it was given; profit in dollars, CPU seconds of the run itself."""

    bars: int
    orders: int
    fills: int
    profit: float
    cpu_s: float


class Stopwatch:
    """CPU seconds of this process and machine seconds, added up over every `with` of it."""

    def __init__(self) -> None:
        self.cpu_s = 0.0
        self.wall_s = 0.0
        self._began = (0.0, 0.0)

    def __enter__(self) -> Self:
        self._began = (time.process_time(), time.perf_counter())
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        cpu_s, wall_s = self._began
        self.cpu_s += time.process_time() - cpu_s
        self.wall_s += time.perf_counter() - wall_s


def cpu_s_of(pid: int) -> float:
    """CPU seconds that another process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()
    return sum(map(int, fields[CPU_FIELDS])) / os.sysconf("SC_CLK_TCK")


def quantile(values: Sequence[float], part: float) -> float:
    """The value that `part` of them do not exceed."""
    ranked = sorted(values)
    return ranked[min(len(ranked) - 1, int(part * len(ranked)))]


def p50_p99(
    name: str, seconds: Sequence[float], goals: tuple[float | None, float | None]
) -> list[Sample]:
    """Two figures in milliseconds."""
    return [
        Sample(
            name=f"{name}, {word}",
            value=1e3 * quantile(seconds, part),
            unit="ms",
            goal=goal,
            is_ceiling=True,
        )
        for word, part, goal in zip(("p50", "p99"), (0.50, 0.99), goals, strict=True)
    ]


class Ended(Struct, frozen=True, kw_only=True):
    """What one process used."""

    wall_s: float
    cpu_s: float
    peak_mb: float


def ended(command: Sequence[str], folder: Path, *, code: int = 0) -> Ended:
    """A process run to its end, which has to be this one; what it prints is thrown away."""
    began_s = time.perf_counter()
    pid = os.fork()
    if not pid:
        os.chdir(folder)
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        os.execvpe(command[0], list(command), ENVIRONMENT)
    _, status, used = os.wait4(pid, 0)
    assert os.waitstatus_to_exitcode(status) == code, " ".join(command)
    return Ended(
        wall_s=time.perf_counter() - began_s,
        cpu_s=used.ru_utime + used.ru_stime,
        peak_mb=used.ru_maxrss / KIB_A_MB,
    )


class OtherEnd:
    """A process that serves the one under test; it says something when it is ready, and answers each line with one."""

    def __init__(self, process: "subprocess.Popen[bytes]") -> None:
        assert process.stdin is not None
        assert process.stdout is not None
        self._in, self.out = process.stdin, process.stdout

    def line(self) -> str:
        """What it says next."""
        said = self.out.readline().decode()
        assert said, "the other end is gone"
        return said.strip()

    def ask(self) -> str:
        """Its answer."""
        self._in.write(b"?\n")
        self._in.flush()
        return self.line()


@contextmanager
def other_end(module: str, *arguments: str) -> Iterator[OtherEnd]:
    """Run `tests.bench.<module>` beside us; it ends when its input does."""
    command = [sys.executable, "-P", "-m", f"tests.bench.{module}", *arguments]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0, env=ENVIRONMENT
    ) as process:
        try:
            yield OtherEnd(process)
        finally:
            assert process.stdin is not None
            process.stdin.close()
            try:
                process.wait(CHILD_SECONDS_MAX)
            except subprocess.TimeoutExpired:
                process.kill()

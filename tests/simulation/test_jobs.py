"""Worlds in several processes: the same answer as of one, in the same order, and nothing of them is left behind."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import TypeVar

from tests.program import ROOT
from trader.simulation.disk import DATABASE

T = TypeVar("T")

PATIENCE_S = 120
SIMULATE = [sys.executable, "-P", "-m", "trader", "simulate"]


def environment(folder: Path) -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(ROOT), "TMPDIR": str(folder)}


def told(folder: Path, jobs: int) -> list[dict[str, object]]:
    command = [*SIMULATE, "--seeds=11..15", "--hours=0.1", f"--jobs={jobs}", "--json"]
    done = subprocess.run(
        command, env=environment(folder), capture_output=True, check=True, timeout=PATIENCE_S
    )
    seeds: list[dict[str, object]] = json.loads(done.stdout)["seeds"]
    return [seed | {"cpu_s": 0} for seed in seeds]


def test_any_number_of_processes_tells_the_same_in_the_same_order(tmp_path: Path) -> None:
    alone = told(tmp_path, 1)
    assert [one["seed"] for one in alone] == [11, 12, 13, 14, 15]
    assert told(tmp_path, 2) == alone
    assert told(tmp_path, 9) == alone, "more processes than worlds"


def soon(found: Callable[[], T]) -> T:
    """What there is as soon as there is something."""
    deadline = time.monotonic() + PATIENCE_S
    while not (something := found()):
        assert time.monotonic() < deadline
        os.sched_yield()
    return something


def children(pid: int) -> list[int]:
    return [int(one) for one in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def disk_of(pid: int) -> Path | None:
    """The folder of a world that this process lives through just now."""
    for one in Path(f"/proc/{pid}/fd").iterdir():
        with suppress(OSError):
            if (database := one.readlink()).name == DATABASE:
                return database.parent
    return None


@contextmanager
def many_worlds(folder: Path, jobs: int) -> Iterator["subprocess.Popen[str]"]:
    command = [*SIMULATE, "--seeds=1..900", "--hours=6", f"--jobs={jobs}"]
    with subprocess.Popen(
        command,
        env=environment(folder),
        start_new_session=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def test_ctrl_c_ends_the_one_process_at_once(tmp_path: Path) -> None:
    with many_worlds(tmp_path, 1) as process:
        disk = soon(lambda: disk_of(process.pid))
        assert disk is not None
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=PATIENCE_S)
    assert (process.returncode, said) == (130, "trade: interrupted\n")
    assert not disk.exists()


def test_ctrl_c_ends_all_processes_at_once(tmp_path: Path) -> None:
    with many_worlds(tmp_path, 3) as process:
        found = soon(lambda: children(process.pid) if len(children(process.pid)) == 3 else [])
        disks = [soon(partial(disk_of, one)) for one in found]
        os.killpg(process.pid, signal.SIGINT)  # As a terminal does.
        _, said = process.communicate(timeout=PATIENCE_S)
    assert (process.returncode, said) == (130, "trade: interrupted\n")
    assert not [one for one in found if Path(f"/proc/{one}").exists()]
    assert not [disk for disk in disks if disk is not None and disk.exists()]


def test_a_world_without_a_verdict_is_named(tmp_path: Path) -> None:
    with many_worlds(tmp_path, 2) as process:
        first, _ = soon(lambda: children(process.pid) if len(children(process.pid)) == 2 else [])
        soon(partial(disk_of, first))
        os.kill(first, signal.SIGKILL)
        _, said = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 70
    assert "WorldLost: the process that lived through seed 1 is gone" in said

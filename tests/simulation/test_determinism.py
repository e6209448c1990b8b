"""The same seed is the same world: twice in one process, in other processes, under other hash seeds, other Pythons."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import trio
from msgspec.structs import replace

from tests.program import ROOT
from trader.simulation.determinism import StepBudget, run_seeded
from trader.simulation.draw import drawn
from trader.simulation.fault import Fault
from trader.simulation.verdict import Verdict
from trader.simulation.world import simulated

SEED, HOURS = 15, 0.3
OTHERS = ("python3.12", "python3.13", "python3.11")
VERSION = "import sys; print('%d.%d' % sys.version_info[:2])"
MAKE = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
import set_up
venv, lock = map(Path, sys.argv[2:])
venv.parent.mkdir(exist_ok=True)
if not set_up.is_current(venv, lock):
    set_up.make(venv, lock)
"""


def comparable(verdict: Verdict) -> Verdict:
    return replace(verdict, cpu_s=0.0)


def test_a_seed_is_the_same_world_again_after_another_one() -> None:
    first = comparable(simulated(drawn(SEED, HOURS), traced=True))
    simulated(drawn(SEED + 1, HOURS))
    assert comparable(simulated(drawn(SEED, HOURS), traced=True)) == first
    assert first.rows > 100


def hash_of(python: str, hash_seed: str, folder: Path, *options: str, root: Path = ROOT) -> str:
    asked = ["--json", f"--seed={SEED}", f"--hours={HOURS}", *options]
    told = subprocess.run(
        [python, "-P", "-m", "trader", "simulate", *asked],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(root), "PYTHONHASHSEED": hash_seed},
        capture_output=True,
        text=True,
        check=True,
    )
    (verdict,) = json.loads(told.stdout)["seeds"]
    assert isinstance(verdict["journal_sha256"], str)
    return verdict["journal_sha256"]


def test_processes_with_other_hash_seeds_write_the_same_rows(tmp_path: Path) -> None:
    here = simulated(drawn(SEED, HOURS)).journal_sha256
    assert {hash_of(sys.executable, seed, tmp_path) for seed in ("1", "2")} == {here}


def test_a_world_is_the_same_wherever_the_program_lies(tmp_path: Path) -> None:
    """What a worker's failure leaves in the journal names no file."""
    elsewhere = tmp_path / "another" / "place"
    shutil.copytree(ROOT / "trader", elsewhere / "trader")
    options = ("--faults=worker-fails", "--aimed")
    there = hash_of(sys.executable, "1", tmp_path, *options, root=elsewhere)
    setting = drawn(SEED, HOURS, (Fault.WORKER_FAILS,), aimed=True)
    here = simulated(setting)
    assert here.faults[Fault.WORKER_FAILS], "a worker has failed"
    assert here.journal_sha256 == there


@pytest.mark.slow
def test_another_python_writes_the_same_rows(tmp_path: Path) -> None:
    other = another_python()
    if other is None:
        pytest.skip(f"no second Python is installed: none of {', '.join(OTHERS)}")
    assert hash_of(other, "1", tmp_path) == simulated(drawn(SEED, HOURS)).journal_sha256


def another_python() -> str | None:
    """Of another version, in an environment of its own from our lock file; None where there is none."""
    kept_by_pyenv = Path(os.environ.get("PYENV_ROOT", "~/.pyenv")).expanduser() / "versions"
    found = [shutil.which(name) for name in OTHERS]
    found += [str(one) for name in OTHERS for one in kept_by_pyenv.glob(f"*/bin/{name}")]
    for python in filter(None, found):
        version = subprocess.run([python, "-c", VERSION], capture_output=True, text=True)
        if version.returncode == 0 and version.stdout.strip() != _version():
            environment = ROOT / ".venv-oracles" / f"python{version.stdout.strip()}"
            lock = ROOT / "lock" / "run.txt"
            subprocess.run([python, "-I", "-c", MAKE, ROOT / "bin", environment, lock], check=True)
            return str(environment / "bin" / "python")
    return None


def _version() -> str:
    return f"{sys.version_info.major}.{sys.version_info.minor}"


async def _order() -> tuple[int, ...]:
    """Which of twenty tasks ran first, in a step in which all were ready."""
    ran: list[int] = []

    async def run(number: int) -> None:
        for _ in range(5):
            await trio.lowlevel.checkpoint()
            ran.append(number)

    async with trio.open_nursery() as nursery:
        for number in range(20):
            nursery.start_soon(run, number)
    return tuple(ran)


def test_the_scheduler_listens_to_the_seed() -> None:
    """A canary: the names that seed it are Trio's own affair."""
    orders = [run_seeded(_order, seed) for seed in range(8)]
    assert [run_seeded(_order, seed) for seed in range(8)] == orders
    assert len(set(orders)) > 1


def test_a_livelock_is_ended_by_the_budget_of_steps() -> None:
    budget = StepBudget(1_000)

    async def spin() -> None:
        with trio.CancelScope() as budget.scope:
            while True:
                await trio.lowlevel.checkpoint()

    run_seeded(spin, 1, budget)
    assert budget.is_spent

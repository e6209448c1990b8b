"""Planted bugs that the simulation has to find; each world is run on a copy of the program with one edit in it."""

from pathlib import Path
from typing import NamedTuple

import pytest

from tests.mutants import Mutant

pytestmark = pytest.mark.slow


class Planted(NamedTuple):
    """module, before and after: the edit. It must be found in one of the seeds, by a complaint with this beginning."""

    name: str
    module: str
    before: str
    after: str
    faults: str
    seeds: str
    found_by: str


PLANTED = [
    Planted(
        "the duplicate rule is off",
        "execution.py",
        "    if blocked is not None:\n",
        "    if False:\n",
        "none",
        "1..3",
        "A",
    ),
    Planted(
        "a POST is sent twice",
        "outbox.py",
        "            answer = await self._broker.submit(order)\n",
        "            await self._broker.submit(order)\n"
        "            answer = await self._broker.submit(order)\n",
        "none",
        "1..3",
        "B3",
    ),
    Planted(
        "an unknown outcome is taken for never sent: the original fix",
        "reports.py",
        "            return doubted(state, order, outcome.reason)\n",
        "            return triggered(state, order, Trigger.PROVEN_NEVER_SENT, outcome.reason)\n",
        "accept-then-504,drop-after-accept,drop-event",
        "1..6",
        "",
    ),
    Planted(
        "commits are not synchronous",
        "journal/sqlite.py",
        '("synchronous", "FULL", 2)',
        '("synchronous", "NORMAL", 1)',
        "crash",
        "1..6",
        "E6",
    ),
    Planted(
        "a final order keeps its reserve",
        "orders.py",
        "        return replace(now, reserved=ZERO) if now.reserved else now\n",
        "        return now\n",
        "none",
        "1..3",
        "D3",
    ),
    Planted(
        "an execution is booked each time that it is told",
        "reports.py",
        "    if report.execution is not None and not orders.knows(order, report.execution):\n",
        "    if report.execution is not None:\n",
        "duplicate-event,replay-events",
        "1..6",
        "",
    ),
]


@pytest.mark.parametrize("planted", PLANTED, ids=lambda one: one.name)
def test_the_simulation_finds_a_planted_bug(planted: Planted, tmp_path: Path) -> None:
    mutant = Mutant(tmp_path)
    mutant.edit(planted.module, planted.before, planted.after)
    ended = mutant.python(
        "from trader.simulation.campaign import verdicts\n"
        "from trader.simulation.draw import Fault\n"
        "import logging; logging.disable(50)\n"
        f"names = {planted.faults!r}\n"
        "faults = () if names == 'none' else tuple(map(Fault, names.split(',')))\n"
        f"first, last = map(int, {planted.seeds!r}.split('..'))\n"
        "for one in verdicts(range(first, last + 1), 0.5, faults, aimed=True):\n"
        "    if one.violations:\n"
        "        print(one.violations[0]); sys.exit(1)\n"
    )
    assert ended.returncode == 1, ended.stdout + ended.stderr
    assert f" s: {planted.found_by}" in ended.stdout, ended.stdout + ended.stderr

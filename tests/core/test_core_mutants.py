"""Planted bugs that the core simulation has to find, each in a copy of the program with one edit in it."""

import os
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.mutants.copy_of_tree import Mutant
from tests.mutants.planted import Edit

pytestmark = pytest.mark.slow
MUTANT_S = 120  # a mutant that hangs is a test that has no end of its own

WORLDS = """
from trader.money import use_exact_context
use_exact_context()
from tests.core.campaign import campaign
for seed in range(1, 41):
    failed = campaign([seed], 900).failed
    if failed:
        print(failed[0])
        break
"""
SMALL = """
from trader.money import use_exact_context
use_exact_context()
from tests.core.interleavings import scenario, walk
walk(scenario(crashes=1, losses=1, wishes=2), frozenset())
"""


class Planted(NamedTuple):
    """The edit, and the rules of which one has to be named; found by worlds, or by a small scenario walked whole."""

    name: str
    module: str
    before: str
    after: str
    found_by: tuple[str, ...]
    where: str = WORLDS


PLANTED = (
    Planted(
        "the duplicate rule is off",
        "execution.py",
        "    if blocked is not None:\n",
        "    if False:\n",
        ("A1", "A2", "A3"),
    ),
    Planted(
        "the same telling is decided again",
        "execution.py",
        "    if first_told == digest:\n",
        "    if False:\n",
        ("A4", "A5"),
    ),
    Planted(
        "the id is the telling's, not the decision's",
        "inquiry.py",
        "_order_of(request.symbol, request.side, request.decision_key)",
        "_order_of(request.symbol, request.side, request.request_id.replace('/', '-')[::-1])",
        ("A4",),
    ),
    Planted(
        "closed gates are not looked at", "risk.py", "    expired,\n    not_ready,\n", "", ("A9",)
    ),
    Planted(
        "exits may sell more than is held",
        "risk.py",
        "    if ZERO < question.quantity_sellable >= question.quantity:\n",
        "    if True:\n",
        ("A10",),
    ),
    Planted(
        "cash is not looked at",
        "risk.py",
        "    if question.cost <= question.cash_free:\n",
        "    if True:\n",
        ("D4",),
    ),
    Planted(
        "an execution is booked each time that it is told",
        "reports.py",
        "    if report.execution is not None and not recognition.knows(order, report.execution):\n",
        "    if report.execution is not None:\n",
        ("C1", "D2", "D9"),
    ),
    Planted(
        "a busted execution comes back under another id",
        "recognition.py",
        "        and known.at_ns // MILLISECOND_NS == told.at_ns // MILLISECOND_NS\n",
        "        and False\n",
        ("D2", "D9"),
    ),
    Planted(
        "a sale adds shares",
        "positions.py",
        "        quantity=plain(position.quantity + sign * event.execution.quantity),\n",
        "        quantity=plain(position.quantity + event.execution.quantity),\n",
        ("D1",),
    ),
    Planted(
        "fees are not paid",
        "accounting.py",
        "        cash=plain(books.cash + flow - event.fees),\n",
        "        cash=plain(books.cash + flow),\n",
        ("D2",),
    ),
    Planted(
        "a partial exit takes all of the cost",
        "positions.py",
        "        cost_closed = share(position.cost, closing, abs(held))\n",
        "        cost_closed = plain(position.cost + 1)\n",
        ("D7",),
    ),
    Planted(
        "a final order keeps its reserve",
        "orders.py",
        "        return replace(now, reserved=ZERO) if now.reserved else now\n",
        "        return now\n",
        ("D3",),
    ),
    Planted(
        "a canceled order goes on",
        "orders.py",
        "CANCELED          CANCELED    CANCELED    CANCELED    CANCELED      CANCELED      CANCELED\n",
        "CANCELED          CANCELED    CANCELED    CANCELED    CANCELED      .             CANCELED\n",
        ("B6",),
    ),
    Planted(
        "not found is believed at once",
        "reports.py",
        '    return (lookup_wanted(order, "the broker does not know it, or not yet"),)\n',
        '    return triggered(state, order, Trigger.PROVEN_NEVER_SENT, "")\n',
        ("A1", "A2", "A10"),
    ),
    Planted(
        "a new life does not doubt what the old one sent",
        "execution.py",
        "        if order.state in {OrderState.INTENT, OrderState.SENT, OrderState.UNKNOWN}\n",
        "        if order.state is OrderState.UNKNOWN\n",
        ("B7",),
        SMALL,
    ),
    Planted(
        "a lost reply means that it was never sent: the original fix",
        "reports.py",
        "            return doubted(state, order, outcome.reason)\n",
        "            return triggered(state, order, Trigger.PROVEN_NEVER_SENT, outcome.reason)\n",
        ("A1", "A2"),
        SMALL,
    ),
)


@pytest.mark.parametrize("planted", PLANTED, ids=lambda one: one.name)
def test_the_core_simulation_finds_a_planted_bug(planted: Planted, tmp_path: Path) -> None:
    mutant = Mutant(tmp_path)
    mutant.edit(Edit(planted.module, planted.before, planted.after))
    ended = subprocess.run(
        [sys.executable, "-P", "-c", planted.where],
        cwd=mutant.root,
        env={**os.environ, "PYTHONPATH": str(mutant.root)},
        capture_output=True,
        text=True,
        timeout=MUTANT_S,
    )
    said = ended.stdout + ended.stderr
    assert any(f"{rule}: " in said or f"{rule}, " in said for rule in planted.found_by), said

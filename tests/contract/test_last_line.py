"""With a rule taken out, or the position map wrong, the real program's last line shuts the socket, and says so."""

import subprocess
from decimal import Decimal
from pathlib import Path

import pytest

from tests.mutants.copy_of_tree import Mutant
from tests.mutants.decision_bugs import SELLABLE_TWICE
from tests.mutants.planted import Edit
from tests.mutants.shell_bugs import POSTED_TWICE

BUYS = (
    "SELECT count(*) FROM orders WHERE symbol = 'JD' AND json_extract(\"order\", '$.side') = 'BUY'"
)
NEVER_SENT = "SELECT count(*) FROM orders WHERE state = 'NEVER_SENT'"
DENIED = "SELECT DISTINCT reason FROM decisions WHERE outcome = 'denied'"
SALES = "SELECT json_extract(\"order\", '$.order_type'), status FROM orders WHERE side = 'SELL'"
HALTED = "SELECT message FROM notice_rows WHERE kind = 'halted'"


@pytest.fixture
def mutant(tmp_path: Path) -> Mutant:
    return Mutant(tmp_path)


def halted(mutant: Mutant) -> str:
    [(why,)] = mutant.folder.ours(HALTED)
    assert str(why).startswith("the last line: ")
    assert "close positions at the broker; then bin/trade resume" in str(why)
    [(stands,)] = mutant.folder.ours("SELECT halted FROM account")
    assert stands == why
    return str(why)


def at_venue(mutant: Mutant, side: str) -> list[Decimal]:
    rows = mutant.folder.theirs(f"SELECT quantity FROM orders WHERE side = '{side}'")
    return [Decimal(str(quantity)) for (quantity,) in rows]


def typed(mutant: Mutant, *words: str) -> subprocess.CompletedProcess[str]:
    folder = mutant.folder
    return subprocess.run(
        folder.command(*words),
        cwd=folder.path,
        env=folder.environment(),
        capture_output=True,
        text=True,
        timeout=60,
    )


def test_an_order_that_was_made_larger_on_its_way_never_leaves(mutant: Mutant) -> None:
    mutant.edit(
        Edit("wire/alpaca.py", "canonical(order.quantity)", "canonical(order.quantity * 2)")
    )
    ended = mutant.folder.run("--symbols", "JD,T", "--scenario", "none")
    assert ended.code == 4
    assert " were approved" in halted(mutant)
    assert at_venue(mutant, "BUY") == []


def test_an_order_that_is_posted_twice_leaves_once(mutant: Mutant) -> None:
    mutant.edit(POSTED_TWICE)
    ended = mutant.folder.run("--symbols", "JD,T", "--scenario", "none")
    assert ended.code in {1, 4}, "an order that was told never sent lives: quarantined, too"
    assert "of them sent" in halted(mutant)
    assert len(at_venue(mutant, "BUY")) == 1


def test_without_the_rule_for_the_pace_no_more_entries_leave_in_a_minute(mutant: Mutant) -> None:
    mutant.edit(Edit("risk.py", "    entries_per_minute,\n", ""))
    (mutant.folder.path / "trader.toml").write_text("[limits]\nentries_per_minute_max = 3\n")
    ended = mutant.folder.run("--symbols", "GS,JD,T,TRIP", "--scenario", "stampede")
    assert ended.code in {1, 4}
    assert "3 entries have left in a minute, 3 may" in halted(mutant)
    assert len(at_venue(mutant, "BUY")) == 3


def test_where_the_position_map_shows_shares_twice_they_are_sold_once(mutant: Mutant) -> None:
    mutant.edit(SELLABLE_TWICE)
    ended = mutant.folder.run("--symbols", "JD", "--strategy", "open-close")
    assert ended.code == 4
    assert "are to be sold, 0 are there to sell" in halted(mutant)
    assert len(at_venue(mutant, "SELL")) == 1
    assert at_venue(mutant, "SELL") == at_venue(mutant, "BUY")
    assert mutant.folder.ours(NEVER_SENT) == [(1,)], "what a shut line sends back is wanted once"


def test_where_the_rules_forget_a_resting_stop_no_exit_leaves_beside_it(mutant: Mutant) -> None:
    mutant.edit(SELLABLE_TWICE)
    ended = mutant.folder.run("--scenario", "s27-stop-holds-the-shares")
    assert ended.code != 0
    assert "are to be sold, 0 are there to sell" in halted(mutant)
    kinds = mutant.folder.theirs(SALES)
    assert all("stop" in str(kind) for kind, _ in kinds), "no exit ever came to the broker"
    assert [status for _, status in kinds].count("new") == 3, "and what protects rests on"
    assert ("halted",) in mutant.folder.ours(DENIED)
    assert mutant.folder.ours(NEVER_SENT) == [(1,)], "nothing is wanted afterwards"


def test_a_stop_that_lost_its_price_on_the_way_sells_nothing(mutant: Mutant) -> None:
    lost = 'type=order.order_type if order.stop_price is None else "market",'
    mutant.edit(Edit("wire/alpaca.py", "type=order.order_type,", lost))
    ended = mutant.folder.run("--scenario", "s27-stop-holds-the-shares")
    assert ended.code != 0
    assert "leaves of type market, approved was " in halted(mutant)
    assert at_venue(mutant, "SELL") == []


def test_once_shut_it_stays_shut_over_a_restart_until_somebody_resumes(mutant: Mutant) -> None:
    bug = Edit("wire/alpaca.py", "canonical(order.quantity)", "canonical(order.quantity * 2)")
    mutant.edit(bug)
    assert mutant.folder.run("--symbols", "JD,T", "--scenario", "none").code == 4
    mutant.edit(Edit(bug.module, bug.after, bug.before))  # Somebody has mended it.
    assert mutant.folder.run("--symbols", "JD,T", "--scenario", "none").code == 4
    assert at_venue(mutant, "BUY") == []
    assert typed(mutant, "resume", "--reason", "mended").returncode == 0
    assert mutant.folder.run("--symbols", "JD,T", "--scenario", "none").code == 0
    assert at_venue(mutant, "BUY")

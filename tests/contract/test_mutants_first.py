"""What the program was written against is planted into a copy of it; the copy must be found out."""

from pathlib import Path

import pytest

from tests.mutants.copy_of_tree import Mutant
from tests.mutants.decision_bugs import NO_DUPLICATE_RULE
from tests.mutants.planted import Edit
from tests.mutants.scenario_bugs import NO_SELF_TEST


@pytest.fixture
def mutant(tmp_path: Path) -> Mutant:
    return Mutant(tmp_path)


def test_without_the_duplicate_rule_the_program_refuses_to_start(mutant: Mutant) -> None:
    mutant.edit(NO_DUPLICATE_RULE)
    ended = mutant.folder.run("--symbols", "JD", "--scenario", "stampede")
    assert ended.code == 3
    assert ended.err.startswith("trade: self-test failed: 8 tasks wanted JD in the same instant")
    assert ended.err.count("\n") == 1


def test_without_the_duplicate_rule_and_the_self_test_jd_stops_at_its_third_buy(
    mutant: Mutant,
) -> None:
    """52 in the incident: what a bug in the first rule can do is bounded by the brakes behind it."""
    mutant.edit(NO_DUPLICATE_RULE)
    mutant.edit(NO_SELF_TEST)
    ended = mutant.folder.run("--symbols", "JD", "--scenario", "stampede")
    assert mutant.folder.theirs("SELECT count(*) FROM orders WHERE symbol = 'JD'") == [(3,)]
    assert "VIOLATION JD was bought 3 times" in ended.out
    assert ended.code == 1
    [(tripped,)] = mutant.folder.ours(
        "SELECT message FROM notice_rows WHERE kind = 'brake_tripped'"
    )
    assert str(tripped).startswith("repeated_executions: entries_filled ")
    reasons = mutant.folder.ours("SELECT DISTINCT reason FROM decisions WHERE outcome = 'denied'")
    assert ("entries_per_day",) in reasons


WRONG_SIGN = Edit(
    "positions.py",
    "quantity=plain(position.quantity + sign * event.execution.quantity)",
    "quantity=plain(position.quantity - sign * event.execution.quantity)",
)
IMPATIENT = Edit("live/self_test.py", "PATIENCE_S = 10.0", "PATIENCE_S = 0.1")


def test_a_wrong_sign_in_the_positions_halts_the_program_at_its_first_fill(
    mutant: Mutant,
) -> None:
    for edit in (WRONG_SIGN, NO_SELF_TEST, IMPATIENT):
        mutant.edit(edit)
    ended = mutant.folder.run("--symbols", "JD,GS")
    assert ended.code == 1
    [(halted,)] = mutant.folder.ours("SELECT halted FROM account")
    assert str(halted).startswith("the books: ")
    assert mutant.folder.ours("SELECT count(*) FROM trades WHERE side = 'BUY'") == [(1,)]


def test_a_wrong_sign_that_our_own_ledger_lets_pass_is_caught_by_the_venues_books(
    mutant: Mutant,
) -> None:
    for edit in (WRONG_SIGN, NO_SELF_TEST, IMPATIENT):
        mutant.edit(edit)
    for checked in (
        'assert ledger.realized == state.books.realized, "so do their profits"',
        'assert ledger.value == state.positions_value, "and their holdings"',
    ):
        mutant.edit(Edit("journal/projection.py", checked, "pass"))
    ended = mutant.folder.run("--symbols", "JD,GS")
    assert ended.code == 1
    proof = ended.line("proof ")
    assert "NOT positions = trades: GS" in proof
    assert "NOT the broker's own books agree: GS" in proof

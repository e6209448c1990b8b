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


def test_without_the_duplicate_rule_and_the_self_test_a_stampede_buys_more_than_once(
    mutant: Mutant,
) -> None:
    mutant.edit(NO_DUPLICATE_RULE)
    mutant.edit(NO_SELF_TEST)
    ended = mutant.folder.run("--symbols", "JD", "--scenario", "stampede")
    [(bought,)] = mutant.folder.theirs("SELECT count(*) FROM orders WHERE symbol = 'JD'")
    assert int(str(bought)) > 1, "the same play with the rule buys once: see test_run"
    assert f"VIOLATION JD was bought {bought} times" in ended.out
    assert ended.code == 1
    assert int(str(bought)) <= 3, "the limits for one symbol hold even so"


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

"""The registry of planted bugs is whole and true; the fast layers catch theirs, and a few of the deep ones."""

import ast
import secrets
from pathlib import Path
from random import Random

import pytest

from tests.mutants.__main__ import main, without_deep
from tests.mutants.copy_of_tree import EditDoesNotApply, Mutant
from tests.mutants.planted import DEEP, Edit, Layer, Planted, planted, plays
from tests.mutants.registry import AREAS, MUTANTS, table, table_written
from tests.mutants.runner import Outcome, Work, run, works
from tests.program import ROOT
from tests.simulation.test_aimed_worlds import AIMS
from trader import risk
from trader.scenarios import SCENARIOS

DEEP_DRAWN = 3


def test_no_two_bugs_have_one_name_and_each_has_its_edits_and_somebody_who_notices() -> None:
    assert len({one.name for one in MUTANTS}) == len(MUTANTS)
    assert all(one.edits and one.catches for one in MUTANTS)


@pytest.mark.parametrize("one", MUTANTS, ids=lambda one: one.name)
def test_each_edit_applies_once_and_leaves_a_module(one: Planted) -> None:
    changed: dict[str, str] = {}
    for module, before, after in one.edits:
        text = changed.get(module) or (ROOT / "trader" / module).read_text()
        assert text.count(before) == 1, f"{module} has {text.count(before)} of {before!r}"
        changed[module] = text.replace(before, after)
    for module, text in changed.items():
        ast.parse(text, module)


def test_each_rule_of_risk_is_taken_out_once_for_each_kind_of_request_that_it_judges() -> None:
    for kind, rules in (("entries", risk.ENTRY_RULES), ("exits", risk.EXIT_RULES)):
        for rule in rules:
            assert sum(one.name == f"the rule {rule.__name__} is off for {kind}" for one in MUTANTS)


def test_the_tests_that_must_notice_exist() -> None:
    tests = {test for one in MUTANTS for catch in one.catches for test in catch.tests}
    for test in tests:
        path, _, name = test.partition("::")
        assert f"def {name.partition('[')[0]}(" in (ROOT / path).read_text(), test
    worlds = [test for test in tests if test.startswith("tests/simulation/test_aimed_worlds")]
    drawn = {test.partition("[")[2].removesuffix("]") for test in worlds}
    assert drawn == set(AIMS)


def test_each_scenario_is_told_of_something_that_it_guards() -> None:
    guarding = {
        test.partition("[")[2].removesuffix("]")
        for one in MUTANTS
        for catch in one.catches
        if catch.layer is Layer.SCENARIO
        for test in catch.tests
    }
    assert guarding == {one.name for one in SCENARIOS}


def test_the_table_of_who_catches_whom_is_the_registrys() -> None:
    assert table_written() == table(), "write it anew: bin/test --mutants --write"


def test_a_name_that_no_bug_has_is_a_mistake(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["no such thing"]) == 2
    assert main(["--no-such-option"]) == 2
    assert capsys.readouterr().out == ""


def test_an_edit_that_does_not_apply_is_an_error(tmp_path: Path) -> None:
    mutant = Mutant(tmp_path)
    for missed in ("nothing like this", "def "):
        with pytest.raises(EditDoesNotApply):
            mutant.edit(Edit("execution.py", missed, ""))


HARMLESS = Edit("risk.py", "Whole shares, at least one.", "Whole shares, one at least.")
BROKEN = Edit("risk.py", "def is_entry(", "def is_entry((")
AMISS = Edit("risk.py", "nothing like this", "")
OFF = next(one for one in MUTANTS if one.name == "the rule quantity is off for entries")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("edits", "trouble"),
    [
        (OFF.edits, ""),
        ((HARMLESS,), "SURVIVED"),
        ((BROKEN,), "proves nothing"),
        ((AMISS,), "the edit does not apply"),
    ],
)
async def test_only_a_failed_test_counts_as_caught(edits: tuple[Edit, ...], trouble: str) -> None:
    bug = planted("a bug", *edits, *OFF.catches)
    *_, work = works([bug])
    [outcome] = await run([work], lambda _: None)
    assert outcome.trouble.startswith(trouble)
    assert bool(outcome.trouble) == bool(trouble)


@pytest.mark.slow
async def test_a_test_that_is_red_without_a_bug_proves_nothing() -> None:
    catch = plays("risk", "no_such_test")
    [outcome] = await run([Work("none", catch.layer, catch.tests)], lambda _: None)
    assert outcome.trouble.startswith("not green without a bug")


def told(outcome: Outcome) -> None:
    print(f"{outcome.seconds:5.1f} s  {outcome.work.layer}: {outcome.work.name} {outcome.trouble}")


@pytest.mark.slow
@pytest.mark.parametrize("area", AREAS)
async def test_the_fast_layers_catch_what_is_theirs(area: str) -> None:
    outcomes = await run(works([without_deep(one) for one in AREAS[area]]), told, at_once=1)
    assert [one for one in outcomes if one.trouble] == []


@pytest.mark.slow
async def test_the_deep_layers_catch_a_few_that_are_drawn() -> None:
    seed = secrets.randbelow(10**6)
    deep = [
        one._replace(catches=(catch,))
        for one in MUTANTS
        for catch in one.catches
        if catch.layer in DEEP
    ]
    drawn = Random(seed).sample(deep, DEEP_DRAWN)
    print(f"drawn by {seed}: {[one.name for one in drawn]}")
    outcomes = await run(works(drawn), told, at_once=1)
    assert [one for one in outcomes if one.trouble] == []

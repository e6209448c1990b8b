"""The documents are complete: each alarm, gate, brake, exit code, limit, reason and simulated fault has its row."""

import re
from pathlib import Path

import pytest

from tests.mutants.registry import MUTANTS
from trader.config import Closing
from trader.exits import Exit
from trader.limits import CANARY_NAMES, NAMES
from trader.messages import Brake, DenyReason, Gate
from trader.scenarios import SCENARIOS
from trader.simulation.fault import RATES, Fault

ROOT = Path(__file__).resolve().parents[2]


def in_first_cells(text: str) -> list[str]:
    """What stands in code in the first cells of tables."""
    cells = re.findall(r"^\| ([^|]+) \|", text, re.MULTILINE)
    return [word for cell in cells for word in re.findall(r"`([^`]+)`", cell)]


def explained(name: str) -> set[str]:
    """In a whole document."""
    return set(in_first_cells((ROOT / "docs" / name).read_text()))


def alarms() -> set[str]:
    """The name of every alarm that the sources can raise."""
    sources = "".join(path.read_text() for path in (ROOT / "trader").rglob("*.py"))
    return set(re.findall(r'\balarm="(\w+)"', sources))


def test_operations_say_what_to_type_for_every_alarm_gate_brake_and_exit_code() -> None:
    text = (ROOT / "docs/operations.md").read_text()
    assert alarms() | {gate.value for gate in Gate} <= explained("operations.md")
    assert [brake for brake in Brake if f"`{brake.value}`" not in text] == []
    assert [code for code in Exit if f"\n| {code.value} |" not in text] == []
    assert len(alarms()) > len(Gate), "the sources were read"


def test_the_unit_starts_nothing_again_that_a_person_has_to_look_at_first() -> None:
    text = (ROOT / "docs/operations.md").read_text()
    codes = re.findall(r"^RestartPreventExitStatus=(.*)$", text, re.MULTILINE)
    looked_at = [code.value for code in Exit if Exit.WELL < code < Exit.BUG]
    assert codes == [" ".join(map(str, looked_at))]


def test_every_limit_and_every_reason_is_explained() -> None:
    settings = {*NAMES, *CANARY_NAMES, *Closing.__struct_fields__}
    words = {*settings, *(reason.value for reason in DenyReason)}
    assert words == explained("limits.md")


@pytest.mark.parametrize("name", NAMES)
def test_every_limit_has_its_section_with_an_example_of_a_reason(name: str) -> None:
    section = (ROOT / "docs/limits.md").read_text().partition(f"\n#### {name}\n")[2]
    words = section.partition("\n#")[0]
    assert re.search(r"denied|blocked|brake", words), f"no example of {name}"


CONTROLS = ("C03", *(f"C{number:02}" for number in (*range(6, 18), 22, 23, 24, 28)))


def test_every_control_names_tests_and_scenarios_and_a_planted_bug_with_which_one_of_them_fails() -> (
    None
):
    text = (ROOT / "docs/limits.md").read_text().partition("<!-- controls -->")[2]
    rows = re.findall(r"^\| (C\d\d) [^|]+ \| ([^|]+) \| (?:([^|]+) )?\|$", text, re.MULTILINE)
    assert [control for control, _, _ in rows] == [*CONTROLS]
    scenarios = {one.name for one in SCENARIOS}
    planted = {one.name: one for one in MUTANTS}
    for control, shown, bug in rows:
        named = re.findall(r"`([^`]+)`", shown)
        assert named, control
        for one in named:
            path, _, test = one.partition(":")
            assert one in scenarios or f"def {test}(" in (ROOT / path).read_text(), one
        noticed = [test for catch in planted[bug].catches for test in catch.tests]
        assert any(
            one.replace(":", "::", 1) in test or f"[{one}]" in test
            for one in named
            for test in noticed
        ), f"{control}: {bug} is noticed by {noticed}"


def test_every_fault_of_simulated_worlds_is_explained_once_and_no_other() -> None:
    text = (ROOT / "docs/safety.md").read_text()
    told = in_first_cells(text.partition("<!-- faults:")[2].partition("<!-- end of faults -->")[0])
    assert sorted(told) == sorted(Fault)
    assert RATES.keys() == set(Fault), "each can be drawn"

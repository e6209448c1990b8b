"""What a planted bug is: the edits that make it, and who has to notice."""

from enum import StrEnum
from typing import NamedTuple


class Layer(StrEnum):
    """Who can notice, the nearest to the code first."""

    TIDY = "tidy"
    PLAYS = "unit plays"
    PROPERTIES = "properties"
    CORE = "core simulation"
    TASKS = "tasks"
    CONTRACT = "contract"
    SCENARIO = "scenario"
    SIMULATION = "simulation"


DEEP = frozenset({Layer.CONTRACT, Layer.SCENARIO, Layer.SIMULATION})  # seconds each, not a second


class Edit(NamedTuple):
    """In a module of trader/, `before` (there exactly once) becomes `after`."""

    module: str
    before: str
    after: str


class Catch(NamedTuple):
    """A layer, and the tests of it of which one must fail; what they print then has `says` in it (a pattern)."""

    layer: Layer
    tests: tuple[str, ...]
    says: str = ""


class Planted(NamedTuple):
    """`masked` names the second layer that hides the bug, and which the edits therefore switch off, too."""

    name: str
    edits: tuple[Edit, ...]
    catches: tuple[Catch, ...]
    masked: str = ""


def planted(name: str, *parts: Edit | Catch, masked: str = "") -> Planted:
    """Edits and catches, as they come."""
    return Planted(
        name,
        tuple(one for one in parts if isinstance(one, Edit)),
        tuple(one for one in parts if isinstance(one, Catch)),
        masked,
    )


def _in(folder: str, layer: Layer, file: str, tests: tuple[str, ...]) -> Catch:
    path = f"tests/{folder}/test_{file}.py"
    return Catch(layer, tuple(f"{path}::test_{one}" for one in tests))


def plays(file: str, *tests: str, says: str = "") -> Catch:
    return _in("unit", Layer.PLAYS, file, tests)._replace(says=says)


def properties(file: str, *tests: str) -> Catch:
    return _in("unit", Layer.PROPERTIES, file, tests)


def core(complaint: str) -> Catch:
    """A few core worlds, one of which complains of this rule."""
    test = "tests/core/test_core_worlds.py::test_no_promise_is_broken_in_a_few_core_worlds"
    return Catch(Layer.CORE, (test,), says=f"{complaint}: ")


def walk(complaint: str) -> Catch:
    """Two wishes, a death and a loss, walked whole, of which one path breaks this rule."""
    test = "tests/core/test_core_interleavings.py::test_a_lost_reply_or_report_and_a_death_lose_nothing"
    return Catch(Layer.CORE, (test,), says=complaint)


def tasks(file: str, *tests: str) -> Catch:
    return _in("tasks", Layer.TASKS, file, tests)


def contract(file: str, *tests: str) -> Catch:
    return _in("contract", Layer.CONTRACT, file, tests)


def tidy(rule: str) -> Catch:
    return Catch(Layer.TIDY, (f"tests/test_tidy.py::test_the_house_is_tidy[{rule}]",))


def scenario(name: str) -> Catch:
    test = "tests/contract/test_scenarios.py::test_a_scenario_passes_and_leaves_nothing_behind"
    return Catch(Layer.SCENARIO, (f"{test}[{name}]",))


def worlds(aim: str, complaint: str = "") -> Catch:
    """The worlds of one aim (see test_aimed_worlds.py), one of which complains, of this where it is said."""
    test = f"tests/simulation/test_aimed_worlds.py::test_worlds_aimed_at_one_thing_are_well[{aim}]"
    return Catch(Layer.SIMULATION, (test,), says=f" s: {complaint}" if complaint else "")


def tight(reason: str, complaint: str = "A12") -> Catch:
    """The worlds in which this limit is tight (see test_tight_limits.py), one of which complains."""
    test = "tests/simulation/test_tight_limits.py::test_what_the_venue_has_accepted_is_within_the_limit"
    return Catch(Layer.SIMULATION, (f"{test}[{reason}]",), says=f" s: {complaint}")

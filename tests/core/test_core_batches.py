"""However a list of inputs is cut into batches, and wherever the program is started again in it: the same rows."""

from itertools import combinations, pairwise
from random import Random

import pytest

from tests.core.campaign import step
from tests.core.world import World, canonical
from trader.evolve import evolve_entry, fold
from trader.executor import decided
from trader.messages import Entry, Input, decode_entry, encode
from trader.state import ExecutionState

SEEDS = (46, 47, 48)
SPAN = 10  # inputs that are cut in every way


class Recorded(World):
    """A world that keeps every input in the order in which it was decided, and every state that was committed."""

    def __init__(self, seed: int) -> None:
        self.told: list[Input] = []
        self.states: list[ExecutionState] = []
        super().__init__(seed)

    def _commit(self, batch: list[Input]) -> list[object]:  # type: ignore[override]
        effects = super()._commit(batch)
        self.told += batch
        self.states.append(self.state)
        return [*effects]

    def entries(self) -> list[Entry]:
        """All rows, read back."""
        return [*self.history, *map(decode_entry, self.rows)]


@pytest.fixture(scope="module", params=SEEDS)
def world(request: pytest.FixtureRequest) -> Recorded:
    recorded = Recorded(request.param)
    while recorded.turns < 250:
        step(recorded)
    return recorded


def rows(state: ExecutionState, told: list[Input], cuts: tuple[int, ...]) -> list[bytes]:
    """Decided batch by batch, each on what the rows of those before add up to."""
    written: list[bytes] = []
    for first, last in pairwise((0, *cuts, len(told))):
        _, entries = decided(state, told[first:last])
        batch = [encode(entry) for entry in entries]
        state = fold(state, map(decode_entry, batch))
        written += batch
    return written


def spans(world: Recorded, length: int, number: int) -> list[tuple[ExecutionState, list[Input]]]:
    """Some stretches of what was told, each with the state before it."""
    chance, found = Random(length), []
    for _ in range(number):
        first = chance.randrange(len(world.told) - length)
        # Its opening was decided before anything was recorded: it is in the first rows.
        opening = [entry for entry in world.entries() if entry.input not in world.told[:1]]
        begun = fold(ExecutionState(), opening[:OPENING_ROWS])
        before, _ = decided(begun, world.told[:first])
        found.append((before, world.told[first : first + length]))
    return found


OPENING_ROWS = 4  # boot, two gates, the first statement


def test_every_cutting_into_batches_gives_the_same_rows(world: Recorded) -> None:
    for before, told in spans(world, SPAN, 3):
        whole = rows(before, told, ())
        assert whole, "something is decided"
        for number in range(1, SPAN):
            for cuts in combinations(range(1, SPAN), number):
                assert rows(before, told, cuts) == whole, cuts


def test_any_cutting_of_a_long_list_gives_the_same_rows(world: Recorded) -> None:
    chance = Random(7)
    for before, told in spans(world, 120, 2):
        whole = rows(before, told, ())
        for _ in range(10):
            cuts = sorted(chance.sample(range(1, 120), chance.randrange(1, 119)))
            assert rows(before, told, tuple(cuts)) == whole, cuts


def test_the_rows_up_to_any_one_and_then_the_rest_add_up_to_what_was_live(world: Recorded) -> None:
    """E3, E4: at every prefix, byte for byte."""
    entries, state = world.entries(), ExecutionState()
    live = {one.sequence: canonical(one) for one in world.states}
    prefixes = [state]
    for entry in entries:
        state = evolve_entry(state, entry)
        prefixes.append(state)
        if entry.sequence in live:
            assert canonical(state) == live.pop(entry.sequence), f"E3: at row {entry.sequence}"
    assert not live, "every state that was committed was compared"
    assert canonical(state) == canonical(world.state)
    for at, before in enumerate(prefixes):
        if at % 4 == 0 or at > len(entries) - 20:
            after = fold(before, entries[at:])
            assert after == state, f"E4: from row {at}"

"""The core in volume: seeded worlds without a task, and what of the order table and of the rules they have reached."""

import secrets
from collections import Counter

import pytest

from tests.core.campaign import campaign, lived
from tests.core.reached import unreached
from tests.core.world import canonical
from trader.model import OrderState
from trader.orders import Trigger

# What worlds have found so far, each with a test of its own in tests/unit/test_corrections.py: a bust of what was
# executed beyond an order left it alive with nothing left; a busted execution came back under the id of a list.
FIXED = range(1, 141)
TURNS = 1_200


def test_no_world_breaks_a_promise_and_together_they_reach_every_row_and_every_reason() -> None:
    totals = campaign(FIXED, TURNS)
    print(totals.line())
    assert totals.failed == []
    assert unreached(totals.rows, totals.reasons) == []
    assert totals.lives > 2 * len(FIXED)
    for name in ("stampedes", "corrections", "refused by the disk", "executed beyond"):
        assert totals.seen[name], name


def test_no_world_that_nobody_has_seen_breaks_a_promise() -> None:
    first = 1_000 + secrets.randbelow(999_000)
    print(f"python -m tests.core.campaign --seeds {first}..{first + 3} --turns {TURNS}")
    assert campaign(range(first, first + 4), TURNS).failed == []


@pytest.mark.slow
def test_no_world_of_many_breaks_a_promise() -> None:
    totals = campaign(range(200, 280), 2_000)
    assert totals.failed == []
    assert unreached(totals.rows, totals.reasons) == []


def test_the_same_seed_is_the_same_world() -> None:
    one, other = lived(3, 200), lived(3, 200)
    assert canonical(one.state) == canonical(other.state)
    assert one.rows == other.rows
    assert lived(4, 200).rows != one.rows


def test_what_no_world_reaches_is_named() -> None:
    missing = unreached(Counter(), Counter())
    assert "row NEW CANCELED" in missing
    assert "reason halted" in missing
    assert "row FILLED FILL_PART" not in missing, "it can't be"
    impossible = unreached(Counter([(OrderState.FILLED, Trigger.FILL_PART)]), Counter())
    assert "impossible row FILLED FILL_PART" in impossible

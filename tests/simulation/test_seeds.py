"""Seeded worlds: those that once found something, a few fixed ones, and some that nobody has seen before."""

import secrets
from collections.abc import Collection
from pathlib import Path

import pytest

from trader.simulation.campaign import shrunk, totalled, verdicts
from trader.simulation.draw import LAST_WORD, drawn
from trader.simulation.fault import YOUNGER, Fault
from trader.simulation.world import simulated

STORIES = [
    line.split(maxsplit=2)
    for line in (Path(__file__).with_name("seeds.txt")).read_text().splitlines()
    if line and not line.startswith("#")
]
FIXED = range(200, 206)
FRESH = 4


OLDER = tuple(one for one in Fault if one not in YOUNGER)


def holds(seed: int, hours: float, faults: Collection[Fault] = tuple(Fault)) -> None:
    verdict = simulated(drawn(seed, hours, faults))
    allowed = "all" if set(faults) == set(Fault) else ",".join(faults)
    told = f"bin/trade simulate --seed {seed} --hours {hours:g} --faults {allowed}"
    assert not verdict.violations, told
    assert verdict.journal_sha256, "it ended with a proof"


@pytest.mark.parametrize(("seed", "hours", "story"), STORIES)
def test_a_seed_that_once_found_something_is_well(seed: str, hours: str, story: str) -> None:
    """Its world is the one of then: without what is told and drawn since."""
    holds(int(seed), float(hours), OLDER)


@pytest.mark.parametrize("seed", FIXED)
def test_no_promise_is_broken_in_a_fixed_world(seed: int) -> None:
    holds(seed, 0.5)


def test_no_promise_is_broken_in_worlds_that_nobody_has_seen() -> None:
    for _ in range(FRESH):
        seed = 1_000 + secrets.randbelow(999_000)
        print(f"bin/trade simulate --seed {seed} --hours 0.5")
        holds(seed, 0.5)


@pytest.mark.slow
def test_a_campaign_reaches_doubt_and_both_of_its_ends_torn_tails_and_deaths() -> None:
    totals = totalled(verdicts(range(300, 316), 0.5, tuple(Fault)))
    assert totals.failed == ()
    assert totals.orders > 100
    assert totals.lives > 30
    assert totals.torn_tails
    assert totals.unknown_found
    assert totals.unknown_never_sent


def test_without_faults_one_life_is_enough_and_every_order_is_settled() -> None:
    verdict = simulated(drawn(3, 0.5, ()))
    assert verdict.violations == ()
    assert verdict.lives == 1
    assert verdict.orders
    assert verdict.faults == {}


def test_a_seed_that_does_not_fail_can_not_be_shrunk() -> None:
    assert shrunk(3, 0.1, (Fault.DROP_EVENT, Fault.CRASH)) == ()


def test_leaving_a_fault_out_changes_nothing_of_what_is_drawn_for_the_others() -> None:
    whole, less = drawn(8, 1.0), drawn(8, 1.0, [one for one in Fault if one is not Fault.CRASH])
    rates = {fault: rate for fault, rate in whole.rates.items() if fault is not Fault.CRASH}
    assert less.rates == rates
    assert less.plan == tuple(one for one in whole.plan if one.fault is not Fault.CRASH)
    assert less.limits == whole.limits


def test_what_is_drawn_since_changes_nothing_of_what_kept_seeds_draw() -> None:
    for seed in range(40):
        whole, less = drawn(seed, 1.0), drawn(seed, 1.0, OLDER)
        older = {fault: rate for fault, rate in whole.rates.items() if fault not in YOUNGER}
        assert less.rates == older
        assert (less.plan, less.limits, less.patience) == (whole.plan, whole.limits, 1.0)


def test_worlds_about_the_close_are_struck_in_the_last_seconds_of_their_session() -> None:
    worlds = [one for seed in range(300) if (one := drawn(seed, 2.0)).is_about_the_close]
    assert len(worlds) > 15, "enough of them to reach what only they can"
    planned = [(one, what) for one in worlds for what in one.plan]
    last = [what for one, what in planned if -6.0 <= what.at_s - one.close_s <= 1.0]
    assert len(last) > len(planned) / 2
    assert {what.fault for what in last} >= LAST_WORD.keys()
    assert all(what.word == LAST_WORD[what.fault] for what in last if what.fault in LAST_WORD)
    assert all(0 < one.close_s < one.heals_s for one in worlds), "it closes, and then all settles"

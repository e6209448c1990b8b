"""What a campaign must have reached, what it can't, and that the two lists are kept honest."""

from collections import Counter
from collections.abc import Collection

import pytest

from tests.core.reached import ROWS_OUT_OF_REACH
from trader.messages import DenyReason
from trader.orders import TRANSITIONS
from trader.simulation.campaign import totalled
from trader.simulation.draw import drawn
from trader.simulation.fault import SHARED, Fault
from trader.simulation.reached import AFTER_A_RESTORE, OUT_OF_REACH, SELDOM, row_name
from trader.simulation.verdict import Verdict


def verdict(reached: Counter[str], faults: Collection[Fault] = tuple(Fault)) -> Verdict:
    return Verdict(
        seed=1,
        hours=1.0,
        violations=(),
        journal_sha256="",
        rows=0,
        orders=0,
        fills=0,
        lives=1,
        torn_tails=0,
        steps=0,
        cpu_s=0.0,
        faults=dict.fromkeys(faults, 1),
        reached=dict(reached),
    )


def everything() -> Counter[str]:
    rows = (row_name(*key) for key in TRANSITIONS if key not in OUT_OF_REACH)
    return Counter([*rows, *(f"outcome {reason}" for reason in DenyReason)])


def test_a_campaign_that_reached_all_that_can_be_is_complete() -> None:
    totals = totalled([verdict(everything())])
    assert (totals.unreached, totals.beyond) == ((), ())


@pytest.mark.parametrize("key", sorted(TRANSITIONS.keys() - OUT_OF_REACH.keys() - SELDOM.keys()))
def test_a_row_that_was_not_reached_is_named(key: tuple[str, str]) -> None:
    reached = everything()
    del reached[name := row_name(*key)]  # type: ignore[arg-type]
    assert totalled([verdict(reached)]).unreached == (name,)


@pytest.mark.parametrize("key", sorted(OUT_OF_REACH))
def test_a_row_that_is_listed_and_was_reached_after_all_is_named(key: tuple[str, str]) -> None:
    name = row_name(*key)  # type: ignore[arg-type]
    beyond = verdict(Counter([name]), set(Fault) - {Fault.RESTORED_BACKUP})
    assert totalled([verdict(everything()), beyond]).beyond == (name,)


@pytest.mark.parametrize("key", sorted(OUT_OF_REACH))
def test_where_a_journal_was_restored_some_of_them_may_be_reached(key: tuple[str, str]) -> None:
    name = row_name(*key)  # type: ignore[arg-type]
    beyond = () if key in AFTER_A_RESTORE else (name,)
    assert totalled([verdict(everything() + Counter([name]))]).beyond == beyond


def test_a_reason_that_was_not_reached_is_named() -> None:
    reached = everything()
    del reached[f"outcome {DenyReason.JOURNAL_UNAVAILABLE}"]
    assert totalled([verdict(reached)]).unreached == ("reason journal_unavailable",)


def test_each_row_is_in_one_list_at_most_and_what_no_core_reaches_no_world_does() -> None:
    assert not OUT_OF_REACH.keys() & SELDOM.keys()
    assert OUT_OF_REACH.keys() | SELDOM.keys() <= TRANSITIONS.keys()
    assert OUT_OF_REACH.keys() >= ROWS_OUT_OF_REACH
    assert all([*OUT_OF_REACH.values(), *SELDOM.values()]), "each with its reason"


@pytest.mark.parametrize("aimed", [False, True])
def test_whatever_a_seed_draws_what_shares_an_occasion_keeps_within_its_bound(aimed: bool) -> None:
    for seed in range(200):
        rates = drawn(seed, 2.0, aimed=aimed).rates
        for most, together in SHARED:
            assert sum(rate for fault, rate in rates.items() if fault in together) <= most + 1e-9

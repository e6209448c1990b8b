"""Small scenarios walked whole: each interleaving, each loss, and a death at each point of decide, commit and act."""

import pytest

from tests.core.interleavings import scenario, walk
from trader.messages import Claim

ENDS = frozenset({Claim.CANCELED, Claim.EXPIRED, Claim.REJECTED})


def test_two_workers_that_want_the_same_symbol_get_one_order_wherever_the_program_dies() -> None:
    counts = walk(scenario(crashes=1, losses=0, wishes=2), ENDS)
    assert counts["entered 0"], "it died before anything was durable"
    assert counts["entered 1"]
    assert counts["entered 2"], "the first had ended, and the other came later"


def test_a_lost_reply_or_report_and_a_death_lose_nothing() -> None:
    counts = walk(scenario(crashes=1, losses=1, wishes=2), frozenset())
    assert counts["nodes"] > 1_000
    assert counts["entered 1"]


def test_two_entries_and_an_exit_keep_their_promises_in_every_order() -> None:
    counts = walk(scenario(crashes=0, losses=0), frozenset({Claim.CANCELED}))
    assert counts["left 0"], "it wanted to be out before it was in"
    assert counts["left 1"]


@pytest.mark.slow
def test_two_entries_and_an_exit_and_a_death_anywhere() -> None:
    counts = walk(scenario(crashes=1, losses=0), frozenset())
    assert counts["left 1"]


@pytest.mark.slow
def test_a_loss_and_a_death_lose_nothing_though_the_order_may_expire() -> None:
    counts = walk(scenario(crashes=1, losses=1, wishes=2), frozenset({Claim.EXPIRED}))
    assert counts["entered 2"]

"""A few core worlds that end with the first broken promise: what a planted bug has to fail in; see tests/mutants."""

from tests.core.campaign import campaign

SEEDS = range(1, 25)
TURNS = 900


def test_no_promise_is_broken_in_a_few_core_worlds() -> None:
    for seed in SEEDS:
        assert campaign([seed], TURNS).failed == []

"""A few short worlds for each kind of trouble that a planted bug needs to show itself; see tests/mutants."""

import pytest

from trader.simulation.campaign import verdicts
from trader.simulation.fault import Fault

HOURS = 0.5

AIMS: dict[str, tuple[range, tuple[Fault, ...]]] = {
    "nothing": (range(1, 4), ()),
    "lost replies": (
        range(1, 7),
        (Fault.ACCEPT_THEN_504, Fault.DROP_AFTER_ACCEPT, Fault.DROP_EVENT),
    ),
    "deaths": (range(1, 7), (Fault.CRASH,)),
    "repeats": (range(1, 7), (Fault.DUPLICATE_EVENT, Fault.REPLAY_EVENTS)),
    "stops": (range(1, 9), (Fault.HAND_CANCEL, Fault.REJECT_LATER)),
    "wrong prices": (range(1, 7), (Fault.BAD_TICK, Fault.PRICE_GAP, Fault.TRADING_HALT)),
    "wrong data": (range(1, 7), (Fault.BAD_BAR, Fault.BAD_QUOTE, Fault.FROZEN_QUOTES)),
    "levels": (range(1, 7), (Fault.LONE_TICK, Fault.PRICE_GAP)),
    "hands": (range(4, 7), (Fault.HAND_TRADE, Fault.LATE_FILL, Fault.TRADE_BUST)),
    "late acceptance": (range(1, 9), (Fault.ACCEPT_LATE, Fault.LOOKUP_404)),
}


@pytest.mark.slow
@pytest.mark.parametrize("aim", AIMS)
def test_worlds_aimed_at_one_thing_are_well(aim: str) -> None:
    seeds, faults = AIMS[aim]
    for verdict in verdicts(seeds, HOURS, faults, aimed=True):
        assert not verdict.violations, f"seed {verdict.seed}: {verdict.violations[0]}"

"""Worlds whose limits are so tight that all of them bind: the venue's own orders never say more than they allow."""

from decimal import Decimal

import pytest
from msgspec.structs import replace

from trader.limits import CanaryLimits, Limits
from trader.messages import DenyReason
from trader.simulation.draw import drawn
from trader.simulation.world import simulated

HOURS = 0.5
WIDE = Limits(
    order_notional_max=Decimal(20_000),
    position_notional_max=Decimal(50_000),
    entries_per_minute_max=100,
    entries_per_symbol_per_day_max=1_000,
    entries_notional_per_day_max=Decimal(10_000_000),
    executions_repeated_max=1_000,
)
TIGHT: dict[DenyReason, Limits] = {
    DenyReason.ORDER_NOTIONAL: replace(WIDE, order_notional_max=Decimal(1_000)),
    DenyReason.ENTRIES_PER_MINUTE: replace(WIDE, entries_per_minute_max=1),
    DenyReason.ENTRIES_PER_DAY: replace(WIDE, entries_per_symbol_per_day_max=1),
    DenyReason.NOTIONAL_PER_DAY: replace(WIDE, entries_notional_per_day_max=Decimal(6_000)),
    DenyReason.CANARY: replace(
        WIDE, canary=CanaryLimits(order_notional_max=Decimal(1_000), entries_per_day_max=3)
    ),
}


@pytest.mark.parametrize("reason", TIGHT)
def test_what_the_venue_has_accepted_is_within_the_limit(reason: DenyReason) -> None:
    denied = 0
    for seed in (1, 2):
        setting = replace(drawn(seed, HOURS, ()), limits=TIGHT[reason], cash=Decimal(250_000))
        verdict = simulated(setting)
        assert not verdict.violations, f"seed {seed}: {verdict.violations[0]}"
        denied += verdict.reached.get(f"outcome {reason}", 0)
    assert denied, "the limit was never met"

"""Worlds whose limits are so tight that all of them bind: the venue's own orders never say more than they allow."""

from decimal import Decimal

import pytest
from msgspec.structs import replace

from trader.limits import CanaryLimits, Limits
from trader.messages import DenyReason
from trader.simulation.draw import Setting, drawn
from trader.simulation.fault import Fault
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
TIGHT: dict[str, Limits] = {  # by the reason, and what of it
    DenyReason.ORDER_NOTIONAL: replace(WIDE, order_notional_max=Decimal(1_000)),
    DenyReason.ENTRIES_PER_MINUTE: replace(WIDE, entries_per_minute_max=1),
    DenyReason.ENTRIES_PER_DAY: replace(WIDE, entries_per_symbol_per_day_max=1),
    DenyReason.NOTIONAL_PER_DAY: replace(WIDE, entries_notional_per_day_max=Decimal(6_000)),
    DenyReason.CANARY: replace(
        WIDE, canary=CanaryLimits(order_notional_max=Decimal(1_000), entries_per_day_max=3)
    ),
    DenyReason.POSITION_NOTIONAL: replace(WIDE, position_notional_max=Decimal(2_500), adds_max=3),
    f"{DenyReason.CANARY} position": replace(
        WIDE,
        canary=CanaryLimits(
            order_notional_max=Decimal(20_000),
            position_notional_max=Decimal(2_500),
            entries_per_day_max=1_000,
        ),
        adds_max=3,
    ),
    DenyReason.EXPOSURE: replace(WIDE, exposure_max=Decimal("0.03")),
    DenyReason.ENTRIES_OPEN: replace(WIDE, entries_open_max=1),
    DenyReason.REPEATED_EXECUTIONS: replace(WIDE, executions_repeated_max=2),
    DenyReason.LOSS_DAY: replace(WIDE, loss_day_max=Decimal("0.0005")),
    DenyReason.DRAWDOWN: replace(WIDE, drawdown_max=Decimal("0.0005")),
    DenyReason.STOP_REQUIRED: replace(WIDE, stop_required=True),
}
SEEDS = (1, 2)
# Prices that fall make a loss that the highest of some minutes leaves no doubt of.
LOSSES = {DenyReason.LOSS_DAY, DenyReason.DRAWDOWN}
SEEDS_OF_LOSSES = (1, 3)


def setting_of(seed: int, reason: str) -> Setting:
    """Nothing befalls, but for losses."""
    setting = replace(drawn(seed, HOURS, ()), limits=TIGHT[reason], cash=Decimal(250_000))
    return replace(setting, rates={Fault.PRICE_GAP: 24.0}) if reason in LOSSES else setting


@pytest.mark.parametrize("reason", TIGHT)
def test_what_the_venue_has_accepted_is_within_the_limit(reason: str) -> None:
    denied = 0
    for seed in SEEDS_OF_LOSSES if reason in LOSSES else SEEDS:
        verdict = simulated(setting_of(seed, reason))
        assert not verdict.violations, f"seed {seed}: {verdict.violations[0]}"
        denied += verdict.reached.get(f"outcome {reason.partition(' ')[0]}", 0)
    assert denied, "the limit was never met"

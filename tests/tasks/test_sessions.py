"""Sessions at their end, with everything running: on a whole day and on a half one, over a restart, and sold once."""

from decimal import Decimal

import pytest
from msgspec.structs import replace
from trio.testing import wait_all_tasks_blocked

from tests.rig import Rig, plan
from tests.tasks.test_reducer import SYMBOLS, Holder, is_flat, sold
from trader.brokers.direct import DirectBroker
from trader.calendar import session_on
from trader.config import AtClose, StrategyConfig
from trader.evolve import fold
from trader.messages import ReductionBegan
from trader.model import MINUTE_NS, Side, StrategyName, Symbol, TimeInForce
from trader.state import ExecutionState

WHOLE_DAY, HALF_DAY = "2026-11-25", "2026-11-27"
FLATTENS = StrategyConfig(kind="holder", at_close=AtClose.FLATTEN, minutes_before_close=3)


def close_of(date: str) -> int:
    session = session_on(date)
    assert session is not None
    return session.close_ns


def rig_at(
    at_ns: int,
    *,
    before: Rig | None = None,
    strategy: StrategyConfig = FLATTENS,
) -> Rig:
    """A life that begins at that time, perhaps on the books of the one before."""
    venue = before.venue if before is not None else None
    fresh = DirectBroker(list(map(Symbol, SYMBOLS)), cash=Decimal(250_000), at_ns=at_ns, seed=0)
    entries = before.kept.committed if before is not None else []
    rig = Rig(
        SYMBOLS,
        [plan(f"{one}/holder", one, Holder) for one in SYMBOLS],
        venue=venue or fresh,
        journal=before.kept if before is not None else None,
        state=fold(ExecutionState(), entries),
        epoch=2 if before is not None else 1,
        strategies={StrategyName("holder"): strategy},
    )
    return rig


ALL_SOLD = dict.fromkeys(SYMBOLS, Decimal(10))


@pytest.mark.parametrize("date", [WHOLE_DAY, HALF_DAY])
async def test_three_minutes_before_the_close_all_is_sold_once_and_nothing_bought(
    date: str,
) -> None:
    rig = rig_at(close_of(date) - 8 * MINUTE_NS)
    async with rig.running():
        for _ in range(4):
            await rig.minute()
        assert not sold(rig)
        for _ in range(3):
            await rig.minute()
        assert is_flat(rig)
        assert rig.market_ns() == close_of(date) - MINUTE_NS
    assert sold(rig) == ALL_SOLD
    assert {one.reference for one in rig.kept.events(ReductionBegan)} == {f"session|{date}"}


async def test_on_a_half_day_the_afternoons_close_is_nobodys() -> None:
    rig = rig_at(close_of(WHOLE_DAY) - 3 * 60 * MINUTE_NS - 5 * MINUTE_NS)
    async with rig.running():
        for _ in range(5):
            await rig.minute()
        assert not sold(rig), "13:00 is a time like any other on a whole day"
    assert not rig.state.reductions


@pytest.mark.parametrize("minutes", [4, 5, 6])
async def test_started_again_in_these_minutes_it_sells_nothing_twice(minutes: int) -> None:
    first = rig_at(close_of(HALF_DAY) - 8 * MINUTE_NS)
    async with first.running():
        for _ in range(minutes):
            await first.minute()
    second = rig_at(first.market_ns(), before=first)
    async with second.running():
        await wait_all_tasks_blocked()
        while second.market_ns() < close_of(HALF_DAY) - MINUTE_NS:
            await second.minute()
        assert is_flat(second)
    assert sold(second) == ALL_SOLD
    begun = [one.symbol for one in first.kept.events(ReductionBegan)]
    assert sorted(begun) == sorted(SYMBOLS)


async def test_who_keeps_holds_over_the_night() -> None:
    rig = rig_at(
        close_of(WHOLE_DAY) - 4 * MINUTE_NS, strategy=replace(FLATTENS, at_close=AtClose.KEEP)
    )
    async with rig.running():
        for _ in range(5):
            await rig.minute()
    assert not sold(rig)


@pytest.mark.parametrize("date", [WHOLE_DAY, HALF_DAY])
async def test_the_closing_auction_sells_all_once_over_a_restart(date: str) -> None:
    auction = replace(FLATTENS, at_close=AtClose.AUCTION, minutes_before_close=15)
    first = rig_at(close_of(date) - 20 * MINUTE_NS, strategy=auction)
    async with first.running():
        for _ in range(9):
            await first.minute()
        assert not any(sold(first).values()), "the auction is at the close"
    second = rig_at(first.market_ns(), before=first, strategy=auction)
    async with second.running():
        await wait_all_tasks_blocked()
        while second.market_ns() <= close_of(date):
            await second.minute()
        assert is_flat(second)
    assert sold(second) == ALL_SOLD
    orders = second.venue.venue.state.orders.values()
    exits = [one.time_in_force for one in orders if one.side is Side.SELL]
    assert exits == [TimeInForce.CLS] * len(SYMBOLS)

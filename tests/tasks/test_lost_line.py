"""The trading stream is down: the gate first, then, if it lasts, working entries go; stops and exits stay."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from decimal import Decimal
from functools import partial

import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from tests.rig import Rig, plan
from trader.clock import FreePace
from trader.live.run import run_clocked
from trader.lost_line import LOST_S, WHO
from trader.messages import CancelOutcome, CancelRequested, Command, Gate, GateReport
from trader.model import (
    Bar,
    Distances,
    Order,
    OrderState,
    Purpose,
    Side,
    Size,
    StrategyName,
    Symbol,
)
from trader.protection import is_resting_stop
from trader.strategies.base import NoParameters, Strategy, SymbolView, Wish

JD, GS = Symbol("JD"), Symbol("GS")
TEN = Size(unit="shares", amount=Decimal(10))


class Once(Strategy):
    """In at the first bar, so far through the far side, or below the market."""

    def __init__(self, offset: str) -> None:
        super().__init__(StrategyName("once"), TEN, NoParameters())
        self._offset = Decimal(offset)
        self._has_bought = False

    def on_bar(self, bar: Bar, view: SymbolView) -> Sequence[Wish]:
        if self._has_bought:
            return ()
        self._has_bought = True
        return (
            Wish(
                side=Side.BUY,
                purpose=Purpose.ENTER,
                size=TEN,
                limit_offset=self._offset,
                protection=Distances(stop=Decimal("0.02")),
                reason="in",
            ),
        )


async def told(rig: Rig, *, is_open: bool) -> None:
    await rig.parts.inbox.tell(
        GateReport(gate=Gate.TRADING_STREAM, is_open=is_open, reason="no pong")
    )
    await wait_all_tasks_blocked()


async def _unheard(order: Order) -> CancelOutcome:
    return CancelOutcome(
        client_order_id=order.client_order_id, outcome="unknown", reason="no answer"
    )


def canceled(rig: Rig) -> list[Symbol]:
    return [one.symbol for one in rig.kept.events(CancelRequested)]


@asynccontextmanager
async def clocked() -> AsyncIterator[Rig]:
    """By the clock: JD is held, its stop rests; a bid for GS rests below the market."""
    rig = Rig(
        ["JD", "GS"],
        [plan("JD/w", "JD", lambda: Once("0.005")), plan("GS/w", "GS", lambda: Once("-0.01"))],
    )
    async with trio.open_nursery() as nursery:
        stands = trio.Event()
        nursery.start_soon(
            partial(
                run_clocked,
                rig.parts,
                FreePace(rig.market_ns),
                ready=lambda state: stands.set(),
                stopped=trio.Event(),
            )
        )
        await stands.wait()
        rig.quotes()
        for _ in range(2):
            await rig.minute()
        await trio.sleep(1)
        assert [one.state for one in rig.state.orders.values() if is_resting_stop(one)] == [
            OrderState.NEW
        ]
        assert rig.state.entries_open == 1
        yield rig
        nursery.cancel_scope.cancel()


async def test_a_line_that_stays_down_takes_working_entries_with_it_after_the_gate(
    autojump_clock: MockClock,
) -> None:
    async with clocked() as rig:
        await told(rig, is_open=False)
        assert Gate.TRADING_STREAM in dict(rig.state.gates_closed), "at once"
        await trio.sleep(LOST_S - 0.5)
        assert canceled(rig) == [], "it may be back any moment"
        await trio.sleep(1)
        assert canceled(rig) == [GS], "the stop beneath JD stays"
        [command] = rig.kept.inputs(Command)
        assert (command.who, command.reason) == (WHO, "no reports for 15 s: no pong")
        assert rig.state.entries_open == 0, "canceled at the broker"
        [stop] = [one for one in rig.state.orders.values() if is_resting_stop(one)]
        assert stop.state is OrderState.NEW
        await trio.sleep(5 * LOST_S)
        assert not rig.kept.inputs(Command)[1:], "and nobody asks for nothing"


async def test_a_line_that_is_back_in_time_takes_nothing_with_it(
    autojump_clock: MockClock,
) -> None:
    async with clocked() as rig:
        for _ in range(3):
            await told(rig, is_open=False)
            await trio.sleep(LOST_S - 0.5)
            await told(rig, is_open=True)
            await trio.sleep(0.5)
        assert canceled(rig) == []
        assert rig.state.entries_open == 1


async def test_a_cancel_that_came_to_nothing_is_asked_for_again_while_the_line_is_down(
    autojump_clock: MockClock,
) -> None:
    async with clocked() as rig:
        cancel, rig.venue.cancel = rig.venue.cancel, _unheard  # type: ignore[method-assign]
        await told(rig, is_open=False)
        await trio.sleep(LOST_S + 0.5)
        assert canceled(rig) == [GS]
        assert rig.state.entries_open == 1
        rig.venue.cancel = cancel  # type: ignore[method-assign]
        await trio.sleep(LOST_S)
        assert canceled(rig) == [GS, GS]
        assert rig.state.entries_open == 0

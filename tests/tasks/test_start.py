"""A start that one worker's history holds up: time goes on, what is held is held, and the others trade."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from decimal import Decimal
from functools import partial

import trio
from msgspec.structs import replace
from trio.testing import MockClock, wait_all_tasks_blocked

from tests.rig import LIMITS, OPEN_NS, Rig, bar_ending, plan, quote_at
from trader.brokers.direct import DirectFeed
from trader.clock import FreePace
from trader.live.run import run_clocked
from trader.messages import Brake, Clock, Command, Gate, GateReport
from trader.model import (
    MINUTE_NS,
    Bar,
    Phase,
    Purpose,
    Side,
    Size,
    StrategyName,
    Symbol,
)
from trader.ports import BrokerUnavailable
from trader.strategies.base import NoParameters, Strategy, SymbolView, Wish

JD, GS = Symbol("JD"), Symbol("GS")
SHARES = Size(unit="shares", amount=Decimal(1_000))
DAY = 24 * 60
TEN = DAY + 30  # minutes after the first session's open: 10:00 of the next


class Once(Strategy):
    """In at the nth bar."""

    def __init__(self, nth: int, offset: str = "0.005") -> None:
        super().__init__(StrategyName("once"), SHARES, NoParameters())
        self._left = nth
        self._offset = Decimal(offset)

    def on_bar(self, bar: Bar, view: SymbolView) -> Sequence[Wish]:
        self._left -= 1
        if self._left:
            return ()
        return (
            Wish(
                side=Side.BUY,
                purpose=Purpose.ENTER,
                size=SHARES,
                limit_offset=self._offset,
                reason="in",
            ),
        )


class NoHistoryOfGS(DirectFeed):
    async def history(self, symbol: Symbol, before_ns: int, count: int) -> list[Bar]:
        if symbol == GS:
            await trio.lowlevel.checkpoint()
            raise BrokerUnavailable("HTTP 500")
        return await super().history(symbol, before_ns, count)


NEVER = 10**9


async def dead_in_the_morning(nth: int = 1) -> Rig:
    """A life that has bought JD at its nth bar, and has died in the regular session."""
    first = Rig(["JD", "GS"], [plan("JD/w", "JD", lambda: Once(nth))])
    async with first.running():
        for _ in range(3):
            await first.minute()
    assert first.state.position(JD).quantity == (1_000 if nth == 1 else 0)
    assert first.state.phase is Phase.REGULAR
    return first


@asynccontextmanager
async def begun(
    first: Rig, minutes: int, nth: int = NEVER, offset: str = "0.005"
) -> AsyncIterator[Rig]:
    """The next life, so many minutes after the open: by the clock, and one symbol has no history."""
    rig = Rig(
        ["JD", "GS"],
        [plan("JD/w", "JD", lambda: Once(nth, offset)), plan("GS/w", "GS", lambda: Once(1))],
        venue=first.venue,
        state=first.state,
        journal=first.kept,
        feed=NoHistoryOfGS(),
        epoch=2,
        limits=replace(LIMITS, loss_day_max=Decimal("0.01")),
    )
    rig.venue.advance(OPEN_NS + minutes * MINUTE_NS)
    has_begun = trio.Event()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(
            partial(
                run_clocked,
                rig.parts,
                FreePace(rig.market_ns),
                ready=lambda state: has_begun.set(),
                stopped=trio.Event(),
            )
        )
        await trio.sleep(10)
        yield rig
        assert rig.state.workers_cold.get(GS), "GS is cold to the end"
        assert has_begun.is_set(), "and the start is over all the same"
        nursery.cancel_scope.cancel()


async def minute(rig: Rig, worth: Decimal = Decimal(1)) -> None:
    """One market minute by the clock, JD's price being this part of what it was."""
    at_ns = rig.market_ns() + MINUTE_NS
    quote, bar = quote_at("JD", at_ns), bar_ending("JD", at_ns)
    quote = replace(quote, bid=int(quote.bid * worth), ask=int(quote.ask * worth))
    low, high = int(bar.low * worth), int(bar.high * worth)
    bar = replace(bar, open=low, low=low, high=high, close=high)
    rig.venue.advance(at_ns, [bar], [quote])
    rig.feed.give([quote, bar])
    await trio.sleep(60)


async def test_time_goes_on_and_a_person_gets_out(autojump_clock: MockClock) -> None:
    first = await dead_in_the_morning()
    clocks = len(first.kept.inputs(Clock))
    async with begun(first, TEN) as rig:
        assert rig.state.workers_cold.get(GS) == ("GS/w",)
        await rig.parts.inbox.tell(
            Command(command_id="f", verb="flatten", subject="JD", who="ada", reason="out")
        )
        for _ in range(3):
            await minute(rig)
        assert len(first.kept.inputs(Clock)) == clocks + 1 + 3
        assert rig.state.phase is Phase.REGULAR
        assert rig.state.at_ns // MINUTE_NS == rig.market_ns() // MINUTE_NS
        assert rig.state.position(JD).quantity == 0


async def test_a_days_loss_stops_entries(autojump_clock: MockClock) -> None:
    async with begun(await dead_in_the_morning(), TEN) as rig:
        for lost in range(12):
            await minute(rig, 1 - Decimal(lost) / 100)
        assert Brake.LOSS_DAY in {brake for brake, _ in rig.state.brakes}


async def test_a_life_that_begins_in_the_evening_buys_nothing_by_the_last_ones_clock(
    autojump_clock: MockClock,
) -> None:
    async with begun(await dead_in_the_morning(NEVER), 9 * 60, nth=1) as rig:
        for _ in range(3):
            await minute(rig)
        assert rig.state.phase is Phase.POST
        assert rig.buys() == []


async def test_working_entries_go_with_the_line(
    autojump_clock: MockClock,
) -> None:
    async with begun(await dead_in_the_morning(NEVER), 30, nth=1, offset="-0.01") as rig:
        await minute(rig)
        assert rig.state.entries_open == 1
        lost = GateReport(gate=Gate.TRADING_STREAM, is_open=False, reason="no pong")
        await rig.parts.inbox.tell(lost)
        await wait_all_tasks_blocked()
        await trio.sleep(60)
        assert rig.state.entries_open == 0

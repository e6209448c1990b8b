"""The reducer's task among the others: what has to go goes, over refusals, lost answers and lives, and is sold once."""

from collections.abc import Sequence
from decimal import Decimal

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from tests.rig import KeptJournal, Rig, plan
from trader.brokers.direct import DirectBroker
from trader.evolve import fold
from trader.messages import (
    Command,
    DuplicateBlocked,
    OrderReport,
    ReductionBegan,
    ReductionEnded,
    RequestAccepted,
    SendOutcome,
)
from trader.model import Bar, Order, Purpose, Side, Size, StrategyName, Symbol
from trader.ports import Batch
from trader.state import ExecutionState
from trader.strategies.base import NoParameters, Strategy, SymbolView, Wish, exit_all

SYMBOLS = ("JD", "T", "ZBRA")
TEN = Size(unit="shares", amount=Decimal(10))
FLATTEN = Command(command_id="f1", verb="flatten", subject="*", who="ada", reason="enough")


class Killed(Exception):
    """The process ends here, without a word."""


class Mortal(KeptJournal):
    """Dies at its `dies_at`-th commit, before or after the rows are durable."""

    def __init__(self, *, dies_at: int | None = None, is_written: bool = False) -> None:
        super().__init__()
        self.dies_at = dies_at
        self.is_written = is_written
        self.commits = 0

    async def commit(self, batch: Batch) -> None:
        self.commits += 1
        if self.commits == self.dies_at and not self.is_written:
            raise Killed
        await super().commit(batch)
        if self.commits == self.dies_at:
            raise Killed


class Holder(Strategy):
    """Buys at its first bar and keeps it; with `wants_out` it wants to sell at every bar after that."""

    def __init__(self, *, wants_out: bool = False) -> None:
        super().__init__(StrategyName("holder"), TEN, NoParameters())
        self.has_bought = False
        self.wants_out = wants_out

    def on_bar(self, bar: Bar, view: SymbolView) -> Sequence[Wish]:
        if self.has_bought:
            return exit_all("out") if self.wants_out and view.quantity else ()
        self.has_bought = True
        return (Wish(side=Side.BUY, purpose=Purpose.ENTER, size=TEN, reason="in"),)


class Refusing(DirectBroker):
    """Rejects so many sales, or loses the answers to them."""

    rejections = 0
    losses = 0

    async def submit(self, order: Order) -> OrderReport | SendOutcome:
        if order.side is Side.SELL and self.rejections:
            self.rejections -= 1
            return SendOutcome(
                client_order_id=order.client_order_id, outcome="rejected", reason="not now"
            )
        answer = await super().submit(order)
        if order.side is Side.SELL and self.losses:
            self.losses -= 1
            return SendOutcome(
                client_order_id=order.client_order_id, outcome="unknown", reason="no answer"
            )
        return answer


def rig_of(
    *, wants_out: bool = False, venue: DirectBroker | None = None, journal: Mortal | None = None
) -> Rig:
    plans = [plan(f"{one}/holder", one, lambda: Holder(wants_out=wants_out)) for one in SYMBOLS]
    return Rig(SYMBOLS, plans, venue=venue, journal=journal)


def refusing() -> Refusing:
    fresh = Rig(SYMBOLS).venue.venue
    venue = Refusing(list(map(Symbol, SYMBOLS)), cash=Decimal(250_000), at_ns=fresh.now_ns, seed=0)
    return venue


def sold(rig: Rig) -> dict[str, Decimal]:
    """Shares that the venue sold for us, by symbol: the ground truth."""
    total: dict[str, Decimal] = {}
    for one in rig.venue.venue.state.orders.values():
        if one.side is Side.SELL:
            total[one.symbol] = total.get(one.symbol, Decimal(0)) + one.quantity_filled
    return total


def is_flat(rig: Rig) -> bool:
    held = rig.venue.venue.account("direct").positions.values()
    return not rig.state.reductions and not any(one.quantity for one in held)


ALL_SOLD = dict.fromkeys(SYMBOLS, Decimal(10))


async def tell(rig: Rig, command: Command) -> None:
    await rig.parts.inbox.tell(command)
    await wait_all_tasks_blocked()


async def test_everything_is_sold_the_dearest_first_and_it_is_over() -> None:
    rig = rig_of()
    async with rig.running():
        await rig.minute()
        assert rig.state.position(Symbol("ZBRA")).quantity == 10
        await tell(rig, FLATTEN)
        await rig.minute()
        assert is_flat(rig)
    assert sold(rig) == ALL_SOLD
    exits = [
        one.order.symbol
        for one in rig.kept.events(RequestAccepted)
        if one.order.purpose is Purpose.EXIT
    ]
    assert exits == ["ZBRA", "JD", "T"]
    assert [one.symbol for one in rig.kept.events(ReductionBegan)] == ["JD", "T", "ZBRA"]
    assert {one.exits for one in rig.kept.events(ReductionEnded)} == {1}


async def test_rejected_exits_are_tried_again_a_minute_later_and_not_before() -> None:
    venue = refusing()
    venue.rejections = 3
    rig = rig_of(venue=venue)
    async with rig.running():
        await rig.minute()
        await tell(rig, FLATTEN)
        assert venue.rejections == 0
        assert not sold(rig)
        await rig.supervisor.tick(rig.market_ns() + 60_000_000_000)
        await wait_all_tasks_blocked()
        await rig.minute()
        assert is_flat(rig)
    assert sold(rig) == ALL_SOLD
    assert {one.exits for one in rig.kept.events(ReductionEnded)} == {2}


async def test_an_exit_whose_answer_is_lost_is_asked_about_and_not_repeated() -> None:
    venue = refusing()
    venue.losses = 3
    rig = rig_of(venue=venue)
    async with rig.running():
        await rig.minute()
        await tell(rig, FLATTEN)
        for _ in range(3):
            await rig.minute()
        with trio.fail_after(5):
            await rig.parts.executor.wait_until(lambda state: not state.reductions)
        assert is_flat(rig)
    assert sold(rig) == ALL_SOLD
    assert {one.exits for one in rig.kept.events(ReductionEnded)} == {1}


async def test_a_strategy_that_wants_out_meanwhile_sells_nothing_beside_it() -> None:
    venue = refusing()
    venue.rejections = 3
    rig = rig_of(venue=venue, wants_out=True)
    async with rig.running():
        await rig.minute()
        await tell(rig, FLATTEN)
        await rig.minute()
        await rig.minute()
        assert is_flat(rig)
    assert sold(rig) == ALL_SOLD
    assert rig.kept.events(DuplicateBlocked)


class Flattened(Rig):
    """In the fourth minute of its day somebody wants everything sold."""

    minutes = 0

    def move(self, minutes: int = 1) -> None:
        self.minutes += 1
        if self.minutes == 4:
            self.parts.inbox.tell_nowait(FLATTEN)
        super().move(minutes)


async def test_flattened_at_a_settled_pace_each_time_in_the_same_way() -> None:
    told = []
    for _ in range(2):
        plans = [plan(f"{one}/holder", one, Holder) for one in SYMBOLS]
        rig = Flattened(SYMBOLS, plans, settled=True)
        async with rig.conducted(6):
            assert is_flat(rig)
        began = [entry.input for entry in rig.kept.committed].index(FLATTEN)
        told.append([(one.at_ns, one.events) for one in rig.kept.committed[began:]])
    assert told[0] == told[1]


@pytest.mark.parametrize("is_written", [False, True], ids=["not written", "written"])
async def test_a_life_that_ends_at_any_commit_is_followed_by_one_that_goes_on(
    is_written: bool, autojump_clock: MockClock
) -> None:
    deaths = 0
    for commit in range(1, 60):
        kept = Mortal()
        first = rig_of(journal=kept)
        with pytest.RaisesGroup(Killed, flatten_subgroups=True, allow_unwrapped=True) as _:
            async with first.running():
                await first.minute()
                kept.dies_at, kept.is_written = kept.commits + commit, is_written
                await tell(first, FLATTEN)
                await first.minute()
                if is_flat(first):
                    raise Killed
                raise AssertionError("neither flat nor dead")
        deaths += kept.commits == kept.dies_at
        if kept.commits != kept.dies_at:
            break
        kept.dies_at = None
        state = fold(ExecutionState(), kept.committed)
        second = Rig(SYMBOLS, venue=first.venue, journal=kept, state=state, epoch=2)
        async with second.running():
            if not kept.events(ReductionBegan):
                await tell(second, FLATTEN)  # It was never heard.
            for _ in range(200):  # An intent that may have left takes a minute to prove absent.
                await second.minute()
                await trio.sleep(1)
            assert is_flat(second), f"killed at commit {commit}"
        assert sold(second) == ALL_SOLD
    assert deaths > 5

"""The protector: a stop follows each fill, is renewed, shrinks and never sells twice; levels fire; people are told."""

from collections.abc import Sequence
from decimal import Decimal
from functools import partial

import trio
from msgspec.structs import replace
from trio.testing import MockClock, wait_all_tasks_blocked

from tests.rig import LIMITS, PRICES, Rig, plan, quote_at
from trader.brokers.direct import DirectFeed
from trader.clock import FreePace
from trader.evolve import fold
from trader.live.run import run_clocked
from trader.messages import (
    Activity,
    AlarmReport,
    CancelOutcome,
    Claim,
    Clock,
    Command,
    ExecutionCorrected,
    Input,
    OrderReport,
    OrderRequest,
    SendOutcome,
)
from trader.model import (
    MINUTE_NS,
    SECOND_NS,
    Bar,
    ClientOrderId,
    Distances,
    Execution,
    ExecutionId,
    Order,
    OrderState,
    Phase,
    Purpose,
    Quote,
    Side,
    Size,
    StrategyName,
    Symbol,
)
from trader.money import rounded_down
from trader.ports import Deliver, Hear
from trader.protection import is_resting_stop
from trader.protector import ENTRY_WAITS_S, STOPS_MAX
from trader.strategies.base import NoParameters, Strategy, SymbolView, Wish
from trader.venue import Refusal

JD = Symbol("JD")
TWO_PERCENT = Distances(stop=Decimal("0.02"))


class Guarded(Strategy):
    """In at the first bar, with this protection; out at the bar before which `leaves` is set."""

    def __init__(
        self, protection: Distances | None, shares: int, offset: str | None = None
    ) -> None:
        super().__init__(
            StrategyName("guarded"), Size(unit="shares", amount=Decimal(shares)), NoParameters()
        )
        self._protection = protection
        self._offset = None if offset is None else Decimal(offset)
        self._has_bought = False
        self.leaves = False

    def on_bar(self, bar: Bar, view: SymbolView) -> Sequence[Wish]:
        if not self._has_bought:
            self._has_bought = True
            return (
                Wish(
                    side=Side.BUY,
                    purpose=Purpose.ENTER,
                    size=self.size,
                    protection=self._protection,
                    limit_offset=self._offset,
                    reason="in",
                ),
            )
        if self.leaves and view.held_by(self.name) and not view.working:
            return (Wish(side=Side.SELL, purpose=Purpose.EXIT, size=None, reason="out"),)
        return ()


def rig_of(
    protection: Distances | None = TWO_PERCENT,
    *,
    shares: int = 100,
    offset: str | None = None,
    required: bool = False,
) -> Rig:
    workers = [plan("JD/guarded", "JD", lambda: Guarded(protection, shares, offset))]
    return Rig(["JD"], workers, limits=replace(LIMITS, stop_required=required))


def stops(rig: Rig) -> list[Order]:
    found = [one for one in rig.state.orders.values() if is_resting_stop(one)]
    return sorted(found, key=lambda one: one.decision_id)


def live(rig: Rig) -> list[Order]:
    return [rig.state.orders[name] for name in rig.state.position(JD).exits]


def at_venue(rig: Rig) -> list[tuple[str, int, str]]:
    """Every sale that the venue has ever taken: the ground truth."""
    return [
        (order.order_type.value, int(order.quantity), order.status.value)
        for order in rig.venue.venue.state.orders.values()
        if order.side is Side.SELL
    ]


def held_at_venue(rig: Rig) -> int:
    return int(rig.venue.venue.account("direct").quantity(JD))


def alarms(rig: Rig) -> list[str]:
    return [one.alarm for one in rig.kept.inputs(AlarmReport)]


def price(rig: Rig, middle: int, size: int = 1_000) -> None:
    """A quote of now around this price, in price ticks."""
    now = rig.market_ns()
    tick = Quote(
        symbol=JD, at_ns=now, bid=middle - 100, bid_size=size, ask=middle + 100, ask_size=size
    )
    rig.venue.advance(now, quotes=[tick])
    rig.feed.give([tick])


def refuse_stops(rig: Rig) -> None:
    """From now on the broker takes none: they lie above the market."""
    submit = rig.venue.submit

    async def refusing(order: Order) -> OrderReport | SendOutcome:
        is_stop = is_resting_stop(order)
        return await submit(replace(order, stop_price=Decimal(1_000)) if is_stop else order)

    rig.venue.submit = refusing  # type: ignore[method-assign]


async def pass_seconds(rig: Rig, seconds: float) -> None:
    """On the machine; the market's clock goes along."""
    for _ in range(int(seconds * 2)):
        rig.venue.advance(rig.market_ns() + SECOND_NS // 2)
        await trio.sleep(0.5)
        rig.parts.protector.wake()
        await wait_all_tasks_blocked()


# ---------------------------------------------------------------------------------- the stop at the broker


async def test_an_entry_that_is_filled_has_its_stop_at_the_broker() -> None:
    rig = rig_of()
    async with rig.running():
        await rig.minute()
        await rig.minute()
        (stop,) = stops(rig)
        assert (stop.state, stop.purpose) == (OrderState.NEW, Purpose.STOP)
        assert stop.quantity == 100
        entry = next(one for one in rig.state.orders.values() if one.purpose is Purpose.ENTER)
        assert entry.limit_price is not None
        assert stop.stop_price == rounded_down(entry.limit_price * Decimal("0.98"))
        assert at_venue(rig) == [("stop", 100, "new")]
        for _ in range(5):
            await rig.minute()
        assert at_venue(rig) == [("stop", 100, "new")], "once is enough"
    assert alarms(rig) == []


async def test_an_entry_without_protection_has_none() -> None:
    rig = rig_of(None)
    async with rig.running():
        for _ in range(3):
            await rig.minute()
        assert held_at_venue(rig) == 100
        assert stops(rig) == []


async def test_the_protection_of_the_configuration_guards_what_a_strategy_leaves_open() -> None:
    workers = [
        replace(plan("JD/guarded", "JD", lambda: Guarded(None, 100)), protection=TWO_PERCENT)
    ]
    rig = Rig(["JD"], workers)
    async with rig.running():
        for _ in range(2):
            await rig.minute()
        assert [one.quantity for one in stops(rig)] == [100]


async def test_a_stop_that_the_market_meets_ends_the_position_and_the_books_agree() -> None:
    rig = rig_of()
    async with rig.running():
        await rig.minute()
        await rig.minute()
        PRICE = 310_000
        for _ in range(2):
            rig.venue.advance(rig.market_ns() + MINUTE_NS)
            price(rig, PRICE)
            await wait_all_tasks_blocked()
        assert stops(rig)[0].state is OrderState.FILLED
        assert rig.state.position(JD).is_flat
        assert rig.state.position(JD).protection is None
        assert held_at_venue(rig) == 0
        assert rig.state.cash_at_broker == rig.venue.venue.account("direct").cash


async def test_a_trailing_stop_rests_as_one(autojump_clock: MockClock) -> None:
    rig = rig_of(Distances(trail=Decimal("0.03")))
    async with rig.running():
        await rig.minute()
        await rig.minute()
        assert at_venue(rig) == [("trailing_stop", 100, "new")]
        assert stops(rig)[0].trail == Decimal("0.03")


async def test_a_stop_that_ends_is_renewed_under_another_id(autojump_clock: MockClock) -> None:
    rig = rig_of()
    async with rig.running():
        await rig.minute()
        await rig.minute()
        (first,) = stops(rig)
        known = rig.venue.venue.order_by_client_id("direct", first.client_order_id)
        assert known is not None
        told = rig.venue.venue.cancel("direct", known.order_id)
        assert not isinstance(told, Refusal)
        rig.venue._queue(told)
        await wait_all_tasks_blocked()
        await pass_seconds(rig, 2)
        assert [one.state for one in stops(rig)] == [OrderState.CANCELED, OrderState.NEW]
        assert at_venue(rig) == [("stop", 100, "canceled"), ("stop", 100, "new")]
        assert alarms(rig) == []
    assert rig.state == fold(type(rig.state)(), rig.kept.committed)


# ----------------------------------------------------------------------------------- what it follows


async def test_what_is_filled_in_part_is_guarded_and_the_rest_of_the_entry_makes_way(
    autojump_clock: MockClock,
) -> None:
    rig = rig_of(shares=1_500)  # the quote is for a thousand
    async with rig.running():
        await rig.minute()
        assert rig.state.position(JD).quantity == 1_000
        assert stops(rig) == []
        await pass_seconds(rig, ENTRY_WAITS_S + 1)
        entry = next(one for one in rig.state.orders.values() if one.purpose is Purpose.ENTER)
        assert entry.state is OrderState.CANCELED
        assert entry.quantity_filled == 1_000
        assert at_venue(rig) == [("stop", 1_000, "new")]
        assert alarms(rig) == []


async def test_what_an_entry_bought_before_it_was_rejected_is_guarded_and_can_be_left(
    autojump_clock: MockClock,
) -> None:
    rig = rig_of(shares=1_500)
    async with rig.running():
        await rig.minute()
        entry = next(one for one in rig.state.orders.values() if one.purpose is Purpose.ENTER)
        known = rig.venue.venue.order_by_client_id("direct", entry.client_order_id)
        assert known is not None
        rig.venue._queue(rig.venue.venue.back_office.reject(known.order_id, "by mistake"))
        await wait_all_tasks_blocked()
        await pass_seconds(rig, ENTRY_WAITS_S + 1)
        assert rig.state.orders[entry.client_order_id].state is OrderState.PARTIALLY_FILLED
        assert at_venue(rig) == [("stop", 1_000, "new")]
        await rig.parts.inbox.tell(
            Command(command_id="c", verb="flatten", subject="JD", who="ada", reason="out")
        )
        await pass_seconds(rig, 3)
        await rig.minute()
        assert rig.state.position(JD).quantity == 0


async def test_a_fill_that_comes_late_gets_a_stop_beside_the_other(
    autojump_clock: MockClock,
) -> None:
    rig = rig_of(shares=1_500)
    async with rig.running():
        await rig.minute()
        await pass_seconds(rig, ENTRY_WAITS_S + 1)
        entry = next(one for one in rig.state.orders.values() if one.purpose is Purpose.ENTER)
        venue_order = rig.venue.venue.order_by_client_id("direct", entry.client_order_id)
        assert venue_order is not None
        rig.venue._queue(
            rig.venue.venue.back_office.fill(venue_order.order_id, Decimal(200), Decimal("31.92"))
        )
        await wait_all_tasks_blocked()
        await pass_seconds(rig, 2)
        assert rig.state.position(JD).quantity == 1_200
        assert at_venue(rig) == [("stop", 1_000, "new"), ("stop", 200, "new")]


async def test_a_stop_shrinks_when_an_execution_is_taken_back(autojump_clock: MockClock) -> None:
    rig = rig_of(shares=1_500)
    async with rig.running():
        await rig.minute()
        await pass_seconds(rig, ENTRY_WAITS_S + 1)
        (first,) = stops(rig)
        assert first.quantity == 1_000
        entry = next(one for one in rig.state.orders.values() if one.purpose is Purpose.ENTER)
        taken = entry.executions[0].execution
        correction = ExecutionCorrected(
            client_order_id=entry.client_order_id,
            symbol=JD,
            execution_id=taken.execution_id,
            replacement=replace(
                taken,
                execution_id=ExecutionId("corrected"),
                quantity=Decimal(400),
                quantity_cumulative=Decimal(400),
            ),
            at_ns=rig.market_ns(),
        )
        await rig.parts.inbox.tell(correction)
        await wait_all_tasks_blocked()
        await pass_seconds(rig, ENTRY_WAITS_S + 2)
        held = rig.state.position(JD).quantity
        assert held == 400
        assert [int(one.quantity) for one in live(rig)] == [400]
        assert sum(one.quantity_leaves for one in live(rig)) <= held


async def test_a_position_that_a_bust_brings_back_has_a_stop_again(
    autojump_clock: MockClock,
) -> None:
    rig = rig_of()
    async with rig.running():
        await rig.minute()
        await rig.minute()
        (first,) = stops(rig)
        sold = Execution(
            execution_id=ExecutionId("y1"),
            quantity=first.quantity,
            price=Decimal("31.2"),
            quantity_cumulative=first.quantity,
            at_ns=rig.market_ns(),
        )
        told = OrderReport(
            client_order_id=first.client_order_id,
            broker_order_id=first.broker_order_id,
            symbol=JD,
            side=Side.SELL,
            claim=Claim.FILLED,
            quantity=first.quantity,
            quantity_cumulative=first.quantity,
            execution=sold,
            at_ns=rig.market_ns(),
            source="stream",
        )
        taken_back = ExecutionCorrected(
            client_order_id=first.client_order_id,
            symbol=JD,
            execution_id=sold.execution_id,
            replacement=None,
            at_ns=rig.market_ns(),
        )
        for heard in (told, taken_back):
            await rig.parts.inbox.tell(heard)
            await wait_all_tasks_blocked()
        known = rig.venue.venue.order_by_client_id("direct", first.client_order_id)
        assert known is not None
        over = rig.venue.venue.cancel("direct", known.order_id)
        assert not isinstance(over, Refusal)
        rig.venue._queue(over)
        await wait_all_tasks_blocked()
        await pass_seconds(rig, 5)
        (again,) = [one for one in live(rig) if is_resting_stop(one)]
        assert again.client_order_id != first.client_order_id
        assert (again.quantity, again.stop_price) == (first.quantity, first.stop_price)
        assert rig.state.position(JD).quantity == first.quantity


async def test_what_the_broker_does_not_hold_is_not_sold_by_a_stop(
    autojump_clock: MockClock,
) -> None:
    rig = rig_of()
    async with rig.running():
        await rig.minute()
        await rig.minute()
        assert len(stops(rig)) == 1
        protector, state = rig.parts.protector, rig.state
        poorer = replace(state, differing=state.differing.set(JD, Decimal(40)))
        protector._state = lambda: poorer
        protector.changed(JD)
        assert protector.look() == [], "the broker's list of positions may be late"
        called = replace(poorer, quarantined=state.quarantined.set(JD, "position: ours …"))
        protector._state = lambda: called
        protector.changed(JD)
        (command,) = protector.look()
        assert isinstance(command, Command)
        assert (command.verb, command.subject) == ("cancel", stops(rig)[0].client_order_id)


async def test_many_small_stops_are_made_one(autojump_clock: MockClock) -> None:
    rig = rig_of()
    async with rig.running():
        await rig.minute()
        await rig.minute()
        (stop,) = stops(rig)
        quarter = replace(stop, quantity=Decimal(20))
        names = [ClientOrderId(f"stop-{number}") for number in range(STOPS_MAX)]
        state = rig.state
        orders = state.orders.update(
            {name: replace(quarter, client_order_id=name) for name in names}
        )
        position = replace(
            state.position(JD), exits=tuple(names), quantity_pending_sell=Decimal(80)
        )
        crowded = replace(state, orders=orders, positions=state.positions.set(JD, position))
        rig.parts.protector._state = lambda: crowded
        rig.parts.protector.changed(JD)
        told = rig.parts.protector.look()
        assert [one.subject for one in told if isinstance(one, Command)] == names[::-1]


# ------------------------------------------------------------------------------- the same after a crash


async def test_a_life_that_ends_before_the_stop_was_told_is_followed_by_one_that_tells_the_same() -> (
    None
):
    whole, cut = rig_of(), rig_of()
    cut.parts.protector.look = list  # type: ignore[method-assign]
    for rig in (whole, cut):
        async with rig.running():
            await rig.minute()
            await rig.minute()
    assert len(stops(whole)) == 1
    assert stops(cut) == []
    later = Rig(["JD"], state=cut.state, venue=cut.venue, journal=cut.kept, epoch=2)
    async with later.running():
        await later.minute()
    assert [one.client_order_id for one in stops(later)] == [
        one.client_order_id for one in stops(whole)
    ]
    assert at_venue(cut) == [("stop", 100, "new")]


# ----------------------------------------------------------------------------------- the alarm


async def test_a_position_whose_stop_is_refused_raises_the_alarm_within_five_seconds(
    autojump_clock: MockClock,
) -> None:
    rig = rig_of()
    refuse_stops(rig)
    async with rig.running():
        await rig.minute()
        await pass_seconds(rig, 3.5)
        assert alarms(rig) == []
        await pass_seconds(rig, 1)
        assert alarms(rig) == ["position_unprotected"]
        await pass_seconds(rig, 10)
        assert alarms(rig) == ["position_unprotected"], "one for each episode"
        tries = [one for one in rig.kept.inputs(OrderRequest) if one.purpose is Purpose.STOP]
        assert 3 <= len(tries) <= 5, "later each time"
        assert len({one.decision_key for one in tries}) == len(tries)


async def test_while_the_last_line_is_shut_no_stop_is_told_and_the_alarm_is(
    autojump_clock: MockClock,
) -> None:
    rig = rig_of()
    refuse_stops(rig)
    async with rig.running():
        await rig.minute()
        await pass_seconds(rig, 1)
        shut = Command(command_id="x", verb="shut", who="the last line", reason="a bug")
        await rig.parts.inbox.tell(shut)
        await pass_seconds(rig, 1)
        before = len(rig.kept.inputs(OrderRequest))
        await pass_seconds(rig, 30)
        assert len(rig.kept.inputs(OrderRequest)) == before
        assert alarms(rig) == ["position_unprotected"]
        await rig.parts.inbox.tell(
            Command(command_id="y", verb="resume", who="ada", reason="mended")
        )
        await pass_seconds(rig, 5)
        assert len(rig.kept.inputs(OrderRequest)) > before


async def test_a_stop_in_doubt_is_no_protection(autojump_clock: MockClock) -> None:
    rig = rig_of()
    async with rig.running():
        await rig.minute()
        await rig.minute()
        (stop,) = stops(rig)
        state = rig.state
        doubted = replace(
            state,
            orders=state.orders.set(stop.client_order_id, replace(stop, state=OrderState.UNKNOWN)),
        )
        protector = rig.parts.protector
        protector._state = lambda: doubted
        protector.changed(JD)
        assert protector.look() == []
        await trio.sleep(4.5)
        protector.wake()
        await wait_all_tasks_blocked()
    assert alarms(rig) == ["position_unprotected"]


async def test_a_position_without_any_protection_is_an_alarm_only_where_one_is_required(
    autojump_clock: MockClock,
) -> None:
    for required, expected in ((False, []), (True, ["position_unprotected"])):
        first = rig_of(None)
        async with first.running():
            await first.minute()
            await first.minute()
            assert held_at_venue(first) == 100
        later = Rig(
            ["JD"],
            state=first.state,
            venue=first.venue,
            journal=first.kept,
            epoch=2,
            limits=replace(LIMITS, stop_required=required),
        )
        async with later.running():
            await pass_seconds(later, 6)
            assert alarms(first) == expected


async def test_an_end_of_the_program_waits_for_the_stop_of_what_was_just_bought(
    autojump_clock: MockClock,
) -> None:
    rig = rig_of(shares=1_500)
    async with rig.running():
        await rig.minute()
        assert stops(rig) == []
        code, unproved = await rig.supervisor.shut_down(lambda unproved: len(unproved))
        assert (code, unproved) == (0, [])
        assert at_venue(rig) == [("stop", 1_000, "new")]
        assert alarms(rig) == []


# ------------------------------------------------------------------- what fires, and what makes way (S27)


async def seconds_and_price(rig: Rig, middle: int) -> None:
    """A second later, at this price."""
    rig.venue.advance(rig.market_ns() + SECOND_NS)
    price(rig, middle)
    await wait_all_tasks_blocked()
    rig.parts.protector.wake()
    await wait_all_tasks_blocked()


async def minute_at(rig: Rig, middle: int) -> None:
    """A market minute later, at this price; what waits for the next minute comes."""
    rig.venue.advance(rig.market_ns() + MINUTE_NS)
    price(rig, middle)
    await wait_all_tasks_blocked()
    await rig.supervisor.tick(rig.market_ns())
    await wait_all_tasks_blocked()


def oversold(rig: Rig) -> bool:
    """Whether what was open at the venue could ever have sold more than was held."""
    return rig.venue.venue.account("direct").quantity(JD) < 0


async def test_a_strategys_exit_makes_the_stop_go_first_and_then_sells_once(
    autojump_clock: MockClock,
) -> None:
    made: list[Guarded] = []

    def make() -> Guarded:
        made.append(Guarded(TWO_PERCENT, 100))
        return made[-1]

    rig = Rig(["JD"], [plan("JD/guarded", "JD", make)])
    async with rig.running():
        await rig.minute()
        await rig.minute()
        assert at_venue(rig) == [("stop", 100, "new")]
        made[0].leaves = True
        for _ in range(4):
            await rig.minute()
        assert at_venue(rig) == [("stop", 100, "canceled"), ("market", 100, "filled")]
        assert rig.state.position(JD).is_flat
        assert not rig.state.reductions
        assert rig.state.cash_at_broker == rig.venue.venue.account("direct").cash
    assert not oversold(rig)


async def test_the_exit_waits_for_proof_that_the_stop_is_gone(autojump_clock: MockClock) -> None:
    made: list[Guarded] = []

    def make() -> Guarded:
        made.append(Guarded(TWO_PERCENT, 100))
        return made[-1]

    rig = Rig(["JD"], [plan("JD/guarded", "JD", make)])
    cancel, unheard = rig.venue.cancel, []

    async def mute(order: Order) -> CancelOutcome:
        unheard.append(order)
        return CancelOutcome(client_order_id=order.client_order_id, outcome="accepted")

    rig.venue.cancel = mute  # type: ignore[method-assign]
    async with rig.running():
        await rig.minute()
        await rig.minute()
        made[0].leaves = True
        for _ in range(3):
            await rig.minute()
        assert len({one.client_order_id for one in unheard}) == 1
        assert at_venue(rig) == [("stop", 100, "new")], "nothing is sold while it may be alive"
        await cancel(unheard[0])
        for _ in range(2):
            await rig.minute()
        assert at_venue(rig) == [("stop", 100, "canceled"), ("market", 100, "filled")]


async def test_a_profit_is_taken_when_two_quotes_after_one_another_say_so(
    autojump_clock: MockClock,
) -> None:
    rig = rig_of(Distances(stop=Decimal("0.02"), take_profit=Decimal("0.02")))
    async with rig.running():
        await rig.minute()
        await rig.minute()
        await seconds_and_price(rig, 330_000)
        await seconds_and_price(rig, PRICES["JD"])
        await seconds_and_price(rig, 330_000)
        assert at_venue(rig) == [("stop", 100, "new")], "one tick is no reason"
        await seconds_and_price(rig, 330_000)
        for _ in range(2):
            await minute_at(rig, 330_000)
        assert at_venue(rig) == [("stop", 100, "canceled"), ("market", 100, "filled")]
        assert rig.state.position(JD).realized > 0


async def test_a_position_ends_at_its_time(autojump_clock: MockClock) -> None:
    rig = rig_of(Distances(exit_after=150))
    async with rig.running():
        await rig.minute()
        for _ in range(2):
            await rig.minute()
            assert held_at_venue(rig) == 100
        await rig.minute()
        rig.parts.protector.wake()
        await wait_all_tasks_blocked()
        assert at_venue(rig) == [("market", 100, "filled")]


async def test_a_position_ends_at_its_time_though_nobody_touches_it(
    autojump_clock: MockClock,
) -> None:
    rig = rig_of(Distances(exit_after=90))
    async with rig.running():
        await rig.minute()
        await pass_seconds(rig, 80)
        assert (held_at_venue(rig), at_venue(rig)) == (100, [])
        await pass_seconds(rig, 15)
        assert [one.reason.split(":")[0] for one in rig.kept.inputs(OrderRequest)][-1] == "time met"


async def test_at_its_time_what_is_left_of_an_entry_makes_way_for_the_exit(
    autojump_clock: MockClock,
) -> None:
    """It rested, no stop wanted it gone, and every exit was denied: the two could have met."""
    rig = rig_of(Distances(exit_after=90), shares=1_500)
    async with rig.running():
        await rig.minute()
        assert held_at_venue(rig) == 1_000
        await pass_seconds(rig, 100)
        entry = next(one for one in rig.state.orders.values() if one.purpose is Purpose.ENTER)
        assert entry.state is OrderState.CANCELED
        assert [kind for kind, _, _ in at_venue(rig)] == ["market"]


async def test_what_waits_for_its_time_gets_its_stop_meanwhile(autojump_clock: MockClock) -> None:
    rig = rig_of(replace(TWO_PERCENT, exit_after=3_600))
    refuse_stops(rig)
    async with rig.running():
        await rig.minute()
        await pass_seconds(rig, 2)
        tried = len(stops(rig))
        await pass_seconds(rig, 30)
        assert len(stops(rig)) > tried


async def test_a_stop_that_cannot_rest_is_held_here_and_fires_when_confirmed(
    autojump_clock: MockClock,
) -> None:
    rig = rig_of()
    refuse_stops(rig)
    async with rig.running():
        await rig.minute()
        guard = rig.state.position(JD).protection
        assert guard is not None
        assert guard.stop_price is not None
        low = int(guard.stop_price * 10_000) - 500
        await seconds_and_price(rig, low)
        await seconds_and_price(rig, low + 1_000)
        await seconds_and_price(rig, low)
        assert at_venue(rig) == [], "one tick is no reason"
        await seconds_and_price(rig, low)
        await seconds_and_price(rig, low)
        assert at_venue(rig) == [("market", 100, "filled")]
        assert rig.state.position(JD).is_flat


async def test_outside_of_regular_hours_nothing_fires(autojump_clock: MockClock) -> None:
    rig = rig_of()
    refuse_stops(rig)
    async with rig.running():
        await rig.minute()
        guard = rig.state.position(JD).protection
        assert guard is not None
        assert guard.stop_price is not None
        closed = replace(rig.state, phase=Phase.POST)
        protector = rig.parts.protector
        protector._state = lambda: closed
        low = int(guard.stop_price * 10_000) - 500
        for _ in range(4):
            await seconds_and_price(rig, low)
        assert at_venue(rig) == []


async def test_a_level_that_is_met_is_not_told_with_every_tick(autojump_clock: MockClock) -> None:
    rig = rig_of(Distances(take_profit=Decimal("0.02")))
    async with rig.running():
        await rig.minute()
        await rig.minute()
        protector, told = rig.parts.protector, list[Input]()
        frozen = rig.state
        protector._state = lambda: frozen  # nothing comes of it
        for _ in range(40):
            rig.venue.advance(rig.market_ns() + SECOND_NS // 10)
            protector.ticked(replace(quote_at("JD", rig.market_ns()), bid=330_000, ask=330_200))
            told += protector.look()
            await trio.sleep(0.1)
        fired = [one for one in told if isinstance(one, OrderRequest)]
        assert 2 <= len(fired) <= 3
        assert len({one.decision_key for one in fired}) == len(fired)


class MuteFeed(DirectFeed):
    """Market data that never comes up."""

    async def run(
        self,
        deliver: Deliver,
        hear: Hear,
        *,
        task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED,
    ) -> None:
        await trio.sleep_forever()


async def test_what_is_held_is_looked_after_before_everything_stands(
    autojump_clock: MockClock,
) -> None:
    first = rig_of()
    first.parts.protector.look = list  # type: ignore[method-assign]
    async with first.running():
        await first.minute()
    later = Rig(
        ["JD"],
        state=first.state,
        venue=first.venue,
        journal=first.kept,
        feed=MuteFeed(),
        epoch=2,
    )
    refuse_stops(later)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(
            partial(
                run_clocked,
                later.parts,
                FreePace(later.market_ns),
                ready=lambda state: None,
                stopped=trio.Event(),
            )
        )
        await trio.sleep(7)
        assert alarms(first) == ["position_unprotected"]
        nursery.cancel_scope.cancel()


async def guarded_tick(rig: Rig, middle: int) -> None:
    """A second later, a price that has passed the guard by now."""
    now = rig.market_ns() + SECOND_NS
    tick = replace(quote_at("JD", now), bid=middle - 100, ask=middle + 100)
    rig.venue.advance(now, quotes=[tick])
    rig.parts.protector.ticked(tick)
    await wait_all_tasks_blocked()


async def test_of_a_fraction_the_whole_shares_are_guarded_and_somebody_is_told_once(
    autojump_clock: MockClock,
) -> None:
    rig = rig_of()
    async with rig.running():
        await rig.minute()
        await rig.minute()
        rig.venue._queue(rig.venue.venue.back_office.split(JD, Decimal("0.05")))
        split = Activity(
            activity_id="split",
            kind="SPLIT",
            at_ns=rig.market_ns(),
            session=rig.state.session,
            amount=Decimal(0),
            symbol=JD,
            quantity=Decimal("1.65") - rig.state.position(JD).quantity,
        )
        await rig.parts.inbox.tell(split)
        for _ in range(3):
            await trio.sleep(1)
            rig.parts.protector.changed(JD)
            await wait_all_tasks_blocked()
        asked = [one for one in rig.kept.inputs(OrderRequest) if one.purpose is Purpose.STOP]
        assert [one.size.amount for one in asked][-1] == 1
        told = [one for one in rig.kept.inputs(AlarmReport) if one.alarm == "fraction_held"]
        assert [one.symbol for one in told] == [JD], "once"
        assert "0.65 of 1.65 shares" in told[0].message


async def test_over_a_split_no_price_meets_a_level_until_the_books_have_it(
    autojump_clock: MockClock,
) -> None:
    rig = rig_of()
    refuse_stops(rig)
    async with rig.running():
        await rig.minute()
        await rig.minute()
        halved = PRICES["JD"] // 2 + 500
        rig.parts.protector.split(JD)
        for _ in range(3):
            await guarded_tick(rig, halved)
        assert at_venue(rig) == []
        split = Activity(
            activity_id="split",
            kind="SPLIT",
            at_ns=rig.market_ns(),
            session=rig.state.session,
            amount=Decimal(0),
            symbol=JD,
            quantity=Decimal(100),
        )
        rig.venue._queue(rig.venue.venue.back_office.split(JD, Decimal(2)))
        await rig.parts.inbox.tell(split)
        for _ in range(2):
            await guarded_tick(rig, halved)
        assert at_venue(rig) == []
        today = Clock(
            at_ns=rig.market_ns(),
            session=rig.state.session,
            phase=rig.state.phase,
            marks={JD: halved},
        )
        await rig.parts.inbox.tell(today)  # A price of the new shares confirms the mark.
        for _ in range(3):
            await guarded_tick(rig, halved * 97 // 100)
        assert [kind for kind, _, _ in at_venue(rig)] == ["market"], "it works again"

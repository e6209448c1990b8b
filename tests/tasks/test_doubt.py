"""Absence is proven by time, two misses and a complete walk together; by any of them alone it never is."""

import pytest
import trio
from trio.testing import MockClock

from tests.plays import TEN_NS, Play, accepted, buy, filled, opened, request, sell, some_order
from trader.clock import FreePace
from trader.doubt import MISSES_APART_S, SOCKET_CLOSED_S, Doubts
from trader.inbox import Inbox
from trader.messages import (
    CancelOutcome,
    Claim,
    Input,
    Lookup,
    LookupMissed,
    OrderReport,
    Quarantined,
    SendOutcome,
    SendStarted,
    Statement,
    Submit,
)
from trader.model import AccountId, ClientOrderId, Order, OrderState, Symbol
from trader.outbox import Outbox
from trader.ports import BrokerUnavailable, Hear

SENDING_S = 50.0  # until a send is given up
LIVED_S = 1_000.0  # how long this life has lasted, where it doesn't matter


class Walked:
    """A broker that finds an order, or not, and walks its lists, or can't; notes when it walked."""

    def __init__(self, *, absent: bool | None = True, sent: str = "unknown") -> None:
        self.is_there = False
        self.absent = absent  # None: the walk fails
        self.outcome = sent
        self.walks: list[float] = []
        self.lookups: list[float] = []

    async def identify(self) -> AccountId:
        return AccountId("walked:1")

    async def submit(self, order: Order) -> OrderReport | SendOutcome:
        await trio.sleep(SENDING_S)
        return SendOutcome(
            client_order_id=order.client_order_id, outcome=self.outcome, reason="504"
        )

    async def cancel(self, order: Order) -> CancelOutcome:
        return CancelOutcome(client_order_id=order.client_order_id, outcome="accepted")

    async def lookup(self, order: Order, attempts: int) -> list[Input] | LookupMissed:
        await trio.lowlevel.checkpoint()
        self.lookups.append(trio.current_time())
        if self.is_there:
            return [found(order)]
        return LookupMissed(client_order_id=order.client_order_id, attempts=attempts)

    async def is_absent(self, order: Order) -> bool:
        await trio.lowlevel.checkpoint()
        self.walks.append(trio.current_time())
        if self.absent is None:
            raise BrokerUnavailable("the list of orders has no end")
        return self.absent

    async def look(self, since: Statement) -> frozenset[ClientOrderId] | None:
        return None

    async def statement(self, since_ns: int) -> list[Input]:
        return []

    async def follow(
        self, hear: Hear, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED
    ) -> None:
        task_status.started()


def found(order: Order) -> OrderReport:
    return OrderReport(
        client_order_id=order.client_order_id,
        broker_order_id=None,
        symbol=order.symbol,
        side=order.side,
        claim=Claim.NEW,
        quantity=order.quantity,
        quantity_cumulative=order.quantity_filled,
        at_ns=TEN_NS,
        source="query",
    )


ORDER = some_order(OrderState.UNKNOWN)


# -------------------------------------------------------------------------------- each condition alone


async def test_all_three_together_prove_it() -> None:
    doubts, broker = Doubts(0.0), Walked()
    doubts.send_ended(ORDER, LIVED_S)
    assert not await doubts.proves_absence(ORDER, LIVED_S + 1, broker)
    assert await doubts.proves_absence(ORDER, LIVED_S + SOCKET_CLOSED_S, broker)
    assert len(broker.walks) == 1


@pytest.mark.parametrize("closed_s", [0.0, 1.0, SOCKET_CLOSED_S - 0.01])
async def test_never_while_bytes_of_the_send_may_be_on_their_way(closed_s: float) -> None:
    doubts, broker = Doubts(0.0), Walked()
    assert not await doubts.proves_absence(ORDER, LIVED_S - 100, broker)
    doubts.send_ended(ORDER, LIVED_S)
    assert not await doubts.proves_absence(ORDER, LIVED_S + closed_s, broker)
    assert broker.walks == []


@pytest.mark.parametrize("apart_s", [0.0, 1.0, MISSES_APART_S - 0.01])
async def test_never_with_one_miss_or_two_close_together(apart_s: float) -> None:
    doubts, broker = Doubts(0.0), Walked()
    assert not await doubts.proves_absence(ORDER, LIVED_S, broker)
    assert not await doubts.proves_absence(ORDER, LIVED_S + apart_s, broker)
    assert await doubts.proves_absence(ORDER, LIVED_S + MISSES_APART_S, broker)


async def test_never_while_the_walk_shows_it_or_what_may_be_it() -> None:
    doubts, broker = Doubts(0.0), Walked(absent=False)
    for after_s in (0, 100, 1_000, 100_000):
        assert not await doubts.proves_absence(ORDER, LIVED_S + after_s, broker)
    assert len(broker.walks) == 3


async def test_a_walk_that_fails_proves_nothing() -> None:
    doubts, broker = Doubts(0.0), Walked(absent=None)
    assert not await doubts.proves_absence(ORDER, LIVED_S, broker)
    with pytest.raises(BrokerUnavailable):
        await doubts.proves_absence(ORDER, LIVED_S + 100, broker)


async def test_what_an_earlier_life_sent_was_given_up_when_this_one_began() -> None:
    doubts, broker = Doubts(LIVED_S), Walked()
    assert not await doubts.proves_absence(ORDER, LIVED_S + 1, broker)
    assert not await doubts.proves_absence(ORDER, LIVED_S + SOCKET_CLOSED_S - 1, broker)
    assert await doubts.proves_absence(ORDER, LIVED_S + SOCKET_CLOSED_S, broker)


async def test_what_was_found_begins_anew() -> None:
    doubts, broker = Doubts(0.0), Walked()
    assert not await doubts.proves_absence(ORDER, LIVED_S, broker)
    doubts.found(ORDER)
    assert not await doubts.proves_absence(ORDER, LIVED_S + 100, broker)


async def test_a_miss_of_one_order_is_none_of_another() -> None:
    doubts, broker = Doubts(0.0), Walked()
    other = some_order(client_order_id="trd-JD-B-2")
    assert not await doubts.proves_absence(ORDER, LIVED_S, broker)
    assert not await doubts.proves_absence(other, LIVED_S + 100, broker)


# ------------------------------------------------------------------------------------- on the way out


class Living:
    """The lanes in a life, and a stand-in for the executor that asks again for as long as it is told to."""

    def __init__(self, broker: Walked) -> None:
        self.broker = broker
        self.inbox = Inbox()
        self.told: list[tuple[float, Input]] = []
        self.outbox = Outbox(
            broker=broker,
            inbox=self.inbox,
            pace=FreePace(lambda: TEN_NS),
            capacity=2,
        )

    async def ask_until(self, seconds: float) -> None:
        """Send the order; then ask again after every miss, as the rules do."""
        attempts = 0
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self.outbox.run)
            self.outbox.put(Submit(order=some_order(OrderState.INTENT)))
            with trio.move_on_after(seconds):
                while True:
                    await self.inbox.wait()
                    for one in self.inbox.drain():
                        self.told.append((trio.current_time(), one))
                        doubtful = isinstance(one, SendOutcome) and one.outcome == "unknown"
                        if doubtful or isinstance(one, LookupMissed):
                            self.outbox.put(Lookup(order=ORDER, attempts=attempts))
                            attempts += 1
            nursery.cancel_scope.cancel()

    def ends(self) -> list[tuple[float, str]]:
        return [
            (at, one.outcome)
            for at, one in self.told
            if isinstance(one, SendOutcome) and one.outcome != "unknown"
        ]


async def test_silence_becomes_proof_a_minute_after_the_send_and_not_before(
    autojump_clock: MockClock,
) -> None:
    living = Living(Walked())
    began = trio.current_time()
    await living.ask_until(600)
    [(at, outcome)] = living.ends()
    assert outcome == "never_sent"
    assert at - began >= SENDING_S + SOCKET_CLOSED_S
    assert at - living.broker.lookups[0] >= MISSES_APART_S
    assert [type(one) for _, one in living.told[:2]] == [SendStarted, SendOutcome]


async def test_a_walk_that_fails_is_made_again_until_it_answers(autojump_clock: MockClock) -> None:
    living = Living(Walked(absent=None))
    async with trio.open_nursery() as nursery:
        nursery.start_soon(living.ask_until, 3_000)
        await trio.sleep(1_500)
        assert living.ends() == []
        assert len(living.broker.walks) > 10
        living.broker.absent = True
    [(at, outcome)] = living.ends()
    assert (outcome, at > 1_500) == ("never_sent", True)


async def test_an_order_that_is_found_after_all_is_told_and_never_called_absent(
    autojump_clock: MockClock,
) -> None:
    living = Living(Walked())
    async with trio.open_nursery() as nursery:
        nursery.start_soon(living.ask_until, 600)
        await trio.sleep(SENDING_S + SOCKET_CLOSED_S - 10)
        living.broker.is_there = True
    assert living.ends() == []
    assert living.told[-1][1] == found(ORDER)


async def test_an_order_that_the_walk_shows_stays_in_doubt_for_as_long_as_it_takes(
    autojump_clock: MockClock,
) -> None:
    living = Living(Walked(absent=False))
    await living.ask_until(24 * 3_600)
    assert living.ends() == []


# --------------------------------------------------------------------------------- if it was wrong


def test_an_order_that_was_proven_absent_and_fills_is_adopted_and_stops_its_symbol() -> None:
    play: Play = opened() >> buy("JD", 62, "31.95")
    name = play.orders[0]
    play >> SendOutcome(client_order_id=name, outcome="unknown", reason="504")
    play >> SendOutcome(client_order_id=name, outcome="never_sent", reason="proven absent")
    assert play.order().state is OrderState.NEVER_SENT
    assert play.state.books.reserved == 0
    play >> filled(62, "31.92")
    assert play.order().state is OrderState.FILLED
    assert any(isinstance(event, Quarantined) for event in play.events)
    assert play.state.position(Symbol("JD")).quantity == 62
    play >> sell("JD", 62, "31.9") << accepted("JD", 62)
    play >> request(1, "GS", 1, "901") << accepted("GS", 1)

"""Carries the executor's effects to the broker and the answers back to the inbox: lanes for orders, cancels, queries.

The lanes never block the executor. Each holds a live order at most once, and the rules bound how many can be live
(`lanes_needed`). Nothing here decides anything, and nothing here sends an order twice: a send without an answer becomes
a SendOutcome 'unknown', and evidence is looked for.
"""

from collections.abc import Callable
from contextlib import suppress

import trio

from trader import steps
from trader.doubt import Doubts
from trader.inbox import Inbox
from trader.limits import Limits
from trader.messages import (
    Cancel,
    Effect,
    Input,
    Lookup,
    LookupMissed,
    SendOutcome,
    SendStarted,
    Submit,
)
from trader.model import ENTRY_PURPOSES, ClientOrderId, Order
from trader.ports import Broker, BrokerUnavailable, Pace
from trader.risk import EXITS_LIVE_MAX
from trader.state import ExecutionState

INTENT_AGE_MAX_S = 10.0  # machine time from the commit to the bytes
LOOKUP_PAUSE_FIRST_S = 0.25
LOOKUP_PAUSE_MAX_S = 30.0

ABSENT = "proven absent: two lookups, all orders and all fills since before the send miss it"

SENDERS = 4  # where the market waits for nobody

LastCheck = Callable[[Order], str]
Untold = Callable[[], list[Input]]  # what the last line before the socket has to say


class Outbox:
    """`put` is the executor's side, `run` the broker's."""

    def __init__(
        self,
        *,
        broker: Broker,
        inbox: Inbox,
        pace: Pace,
        capacity: int,
        last_check: LastCheck = lambda order: "",
        untold: Untold = list,
        senders: int = 1,
        doubts: Doubts | None = None,
    ) -> None:
        self._broker = broker
        self._inbox = inbox
        self._pace = pace
        self._last_check = last_check
        self._untold = untold
        self._senders = senders
        self._doubts = doubts or Doubts(trio.current_time())
        self._held = 0  # orders that a sender has in hand
        self._asked: set[ClientOrderId] = set()  # lookups queued or under way
        self._canceling: set[ClientOrderId] = set()  # cancels, likewise
        self._to_send, self._orders = trio.open_memory_channel[tuple[float, Order]](capacity)
        # With more than one sender, exits have senders of their own: a slow entry must not hold them up.
        self._to_exit, self._exits = trio.open_memory_channel[tuple[float, Order]](capacity)
        self._to_cancel, self._cancels = trio.open_memory_channel[Order](capacity)
        self._to_ask, self._queries = trio.open_memory_channel[Lookup](capacity)

    def put(self, effect: Effect) -> None:
        """Queue an effect; called by the executor, after the commit."""
        match effect:
            case Submit():
                apart = self._senders > 1 and effect.order.purpose not in ENTRY_PURPOSES
                lane = self._to_exit if apart else self._to_send
                lane.send_nowait((trio.current_time(), effect.order))
            case Cancel() if effect.order.client_order_id not in self._canceling:
                self._canceling.add(effect.order.client_order_id)
                self._pace.began(effect.order.client_order_id)
                self._to_cancel.send_nowait(effect.order)
            case Lookup() if effect.order.client_order_id not in self._asked:
                # Statements, too, find out that an order is in doubt; one question about it at a time is enough.
                self._asked.add(effect.order.client_order_id)
                self._pace.began(effect)
                self._to_ask.send_nowait(effect)
            case Cancel() | Lookup():
                pass  # The answer to the one under way leads on.

    def has_orders(self) -> bool:
        """An order waits to be sent."""
        return self._held > 0 or self._orders.statistics().current_buffer_used > 0

    async def run(self) -> None:
        """Carry, for ever."""
        async with trio.open_nursery() as nursery:
            for number in range(self._senders):
                nursery.start_soon(self._send_orders, self._orders, name=f"sender {number}")
                nursery.start_soon(self._send_cancels, name=f"canceler {number}")
                if self._senders > 1:
                    nursery.start_soon(self._send_orders, self._exits, name=f"exit sender {number}")
            nursery.start_soon(self._ask, nursery, name="inquirer")

    async def _send_orders(self, lane: trio.MemoryReceiveChannel[tuple[float, Order]]) -> None:
        while True:
            put_s, order = await lane.receive()
            self._held += 1
            try:
                async with self._pace.sender_turn():
                    await self._send(put_s, order)
            finally:
                self._held -= 1

    async def _send(self, put_s: float, order: Order) -> None:
        steps.reach("taken from the outbox")
        refusal = self._refusal(put_s, order)
        if not refusal:
            steps.reach("last check passed")
            await self._inbox.tell(SendStarted(client_order_id=order.client_order_id))
            # Telling waits while the inbox is full, and for others to run: look again, with no wait after it.
            refusal = self._refusal(put_s, order)
        if refusal:
            await self._inbox.tell(_never_sent(order, refusal))
            return
        try:
            answer = await self._broker.submit(order)
        except trio.Cancelled:
            unknown = SendOutcome(
                client_order_id=order.client_order_id,
                outcome="unknown",
                reason="we stopped while it was being sent",
            )
            with suppress(trio.WouldBlock):  # Unheard, it is in doubt from the next start on.
                for heard in (*self._untold(), unknown):
                    self._inbox.tell_nowait(heard)
            raise
        finally:
            self._doubts.send_ended(order, trio.current_time())
        for heard in self._untold():  # First: what is wanted next is to hear of it.
            await self._inbox.tell(heard)
        await self._inbox.tell(answer)
        steps.reach("reply told")

    def _refusal(self, put_s: float, order: Order) -> str:
        waited_s = trio.current_time() - put_s
        if waited_s > INTENT_AGE_MAX_S:
            return f"waited {waited_s:.0f} s to be sent"
        return self._last_check(order)

    async def _send_cancels(self) -> None:
        async for order in self._cancels:
            outcome = await self._broker.cancel(order)
            self._canceling.discard(order.client_order_id)
            await self._inbox.tell(outcome)
            self._pace.ended(order.client_order_id)

    async def _ask(self, nursery: trio.Nursery) -> None:
        async for lookup in self._queries:
            nursery.start_soon(self._look_up, lookup, name=f"lookup {lookup.order.client_order_id}")

    async def _look_up(self, lookup: Lookup) -> None:
        """Ask once, after a pause; a query that fails says nothing, and is asked again."""
        attempts = lookup.attempts
        while True:
            await trio.sleep(min(LOOKUP_PAUSE_FIRST_S * 2 ** min(attempts, 10), LOOKUP_PAUSE_MAX_S))
            attempts += 1
            try:
                answer = await self._broker.lookup(lookup.order, attempts)
                is_proven = isinstance(answer, LookupMissed) and await self._doubts.proves_absence(
                    lookup.order, trio.current_time(), self._broker
                )
            except BrokerUnavailable:
                continue
            # Before the answer is told: what it leads to may be the next question.
            self._asked.discard(lookup.order.client_order_id)
            if is_proven:
                await self._inbox.tell(_never_sent(lookup.order, ABSENT))
            elif isinstance(answer, LookupMissed):
                await self._inbox.tell(answer)
            else:
                self._doubts.found(lookup.order)
                await self._inbox.tell_all(answer)
            self._pace.ended(lookup)
            return


def lanes_needed(state: ExecutionState, limits: Limits, symbols: int) -> int:
    """Places for what this life may have alive: the rules' bound, and what older lives, of other limits, left."""
    left = sum(len(one.entries) + len(one.exits) for one in state.positions.values())
    return limits.entries_open_max + EXITS_LIVE_MAX * symbols + left


def _never_sent(order: Order, reason: str) -> SendOutcome:
    return SendOutcome(client_order_id=order.client_order_id, outcome="never_sent", reason=reason)

"""The only two things that change anything at Alpaca: sending an order and asking for its end, each of them once."""

import logging
from collections.abc import Callable

from trader import steps
from trader.brokers.alpaca.budget import RequestBudget
from trader.brokers.alpaca.last_line import judged
from trader.brokers.alpaca.rest import Queries
from trader.brokers.alpaca.transport import HttpLink, HttpReply, NeverSent, NoReply
from trader.conservation import Conservation
from trader.messages import CancelOutcome, OrderReport, SendOutcome
from trader.model import ENTRY_PURPOSES, BrokerOrderId, Order
from trader.ports import BrokerRefused, BrokerUnavailable
from trader.wire.alpaca import by_order_id, submit_body
from trader.wire.alpaca_answers import AlreadySubmitted, cancel_answer, submit_answer

logger = logging.getLogger("trader.adapter")


class Sender:
    """Orders on their way out. A link of its own, so that no query can take its connections."""

    def __init__(
        self,
        link: HttpLink,
        queries: Queries,
        budget: RequestBudget,
        last_check: Callable[[Order], str],
        conservation: Conservation | None,
        clock_ns: Callable[[], int] | None,
    ) -> None:
        self._last_check = last_check
        self._conservation = conservation
        self._clock_ns = clock_ns
        self._link = link
        self._queries = queries
        self._budget = budget

    async def submit(self, order: Order) -> OrderReport | SendOutcome:
        """Send it, once, and say what is proven of it. Being cancelled meanwhile proves nothing."""
        held_back = self._budget.refusal(is_entry=order.purpose in ENTRY_PURPOSES)
        if held_back:
            return self._failed(order, "never_sent", held_back)
        body = submit_body(order)
        # One line for each POST: to be counted against the orders that the broker has accepted.
        logger.info(
            "POST /v2/orders client_order_id=%s symbol=%s side=%s quantity=%s limit_price=%s",
            order.client_order_id,
            order.symbol,
            order.side,
            order.quantity,
            order.limit_price,
        )
        steps.reach("bytes about to leave")
        try:
            reply = await self._link.exchange(
                "POST", "/v2/orders", body, lambda: self._held_back(order, body)
            )
        except NeverSent as certain:
            return self._failed(order, "never_sent", str(certain))
        except NoReply as doubt:
            return self._failed(order, "unknown", str(doubt))
        steps.reach("reply received")
        _log_reply("POST /v2/orders", order, reply)
        answer = submit_answer(order, reply.status, reply.body)
        if isinstance(answer, AlreadySubmitted):
            return await self._adopted(order)
        return answer

    def _held_back(self, order: Order, body: bytes) -> str:
        """The last line comes last: what it lets pass counts as sent."""
        why = self._last_check(order)
        if why or self._conservation is None:
            return why
        return judged(self._conservation, body, self._clock_ns() if self._clock_ns else None)

    async def cancel(self, order: Order) -> CancelOutcome:
        """Ask for its end, by the broker's id, which may have to be asked for first."""
        try:
            broker_order_id = order.broker_order_id or await self._broker_order_id(order)
        except (BrokerUnavailable, BrokerRefused) as trouble:
            return _cancel(order, "unknown", str(trouble))
        if broker_order_id is None:
            return _cancel(order, "rejected", "the broker does not know the order")
        logger.info(
            "DELETE /v2/orders client_order_id=%s symbol=%s", order.client_order_id, order.symbol
        )
        try:
            reply = await self._link.exchange("DELETE", by_order_id(broker_order_id))
        except (NeverSent, NoReply) as trouble:
            return _cancel(order, "unknown", str(trouble))
        _log_reply("DELETE /v2/orders", order, reply)
        return cancel_answer(order, reply.status, reply.body)

    async def _broker_order_id(self, order: Order) -> BrokerOrderId | None:
        message = await self._queries.order(order.client_order_id)
        return None if message is None else BrokerOrderId(message.id)

    async def _adopted(self, order: Order) -> OrderReport | SendOutcome:
        """The broker has seen our id before: what it has under it is this very order."""
        try:
            report = await self._queries.report_of(order.client_order_id)
        except (BrokerUnavailable, BrokerRefused) as trouble:
            return self._failed(order, "unknown", f"submitted before, and then: {trouble}")
        if report is None:
            return self._failed(order, "unknown", "submitted before, but not to be found")
        logger.info("adopted client_order_id=%s: it was submitted before", order.client_order_id)
        return report

    def _failed(self, order: Order, outcome: str, reason: str) -> SendOutcome:
        logger.info("%s: POST /v2/orders of %s: %s", outcome, order.client_order_id, reason)
        return SendOutcome(client_order_id=order.client_order_id, outcome=outcome, reason=reason)


def _cancel(order: Order, outcome: str, reason: str) -> CancelOutcome:
    return CancelOutcome(client_order_id=order.client_order_id, outcome=outcome, reason=reason)


def _log_reply(request: str, order: Order, reply: HttpReply) -> None:
    logger.info(
        "HTTP %d to %s of %s request_id=%s",
        reply.status,
        request,
        order.client_order_id,
        reply.request_id,
    )

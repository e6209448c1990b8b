"""A request on which a fault strikes: what is done of it, and what its client gets to see."""

from collections.abc import Awaitable, Callable
from functools import partial

import msgspec
import trio
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from trader.simulator.broker import SimulatedBroker
from trader.simulator.faults import FaultRule, FaultVerb
from trader.simulator.replies import json_reply, refusal_reply
from trader.simulator.requests import decode_order
from trader.simulator.shapes import Json
from trader.venue import Refusal
from trader.venue.acceptance import order_not_found

FAULT = "trader.fault"
EVENTS_HEARD_SECONDS = 0.05  # for a client to take what was written to its socket
NOT_DONE = frozenset(
    {
        FaultVerb.DROP_BEFORE_ACCEPT,
        FaultVerb.ANSWER_INSTEAD,
        FaultVerb.LOOKUP_404,
        FaultVerb.TOO_MANY_REQUESTS,
        FaultVerb.ACCEPT_LATE,
    }
)
ERROR_TEXT = {500: "internal server error", 502: "bad gateway", 503: "service unavailable"}
Answer = Callable[[], Awaitable[Response]]


def fault_of(request: Request) -> FaultRule | None:
    """The rule that has struck on this request."""
    rule = request.scope.get(FAULT)
    return rule if isinstance(rule, FaultRule) else None


async def faulty_answer(
    broker: SimulatedBroker, rule: FaultRule, request: Request, account_id: str, answer: Answer
) -> Response:
    """`answer` does what was asked for; what the venue itself refuses is told as ever."""
    request.scope[FAULT] = rule
    if rule.verb in NOT_DONE:
        await trio.sleep(rule.delay_s)
        return await _instead(broker, rule, request, account_id)
    response = await answer()
    if rule.verb is FaultVerb.EVENT_BEFORE_ACK:
        await broker.streams.wait_written()
        await trio.sleep(rule.delay_s or EVENTS_HEARD_SECONDS)
    else:
        await trio.sleep(rule.delay_s)
    if response.status_code >= 400 or isinstance(response, StreamingResponse):
        return response
    return _altered(broker, rule, request, response)


async def _instead(
    broker: SimulatedBroker, rule: FaultRule, request: Request, account_id: str
) -> Response:
    match rule.verb:
        case FaultVerb.LOOKUP_404:
            sought = request.query_params.get(
                "client_order_id", request.url.path.rpartition("/")[2]
            )
            return refusal_reply(order_not_found(sought))
        case FaultVerb.TOO_MANY_REQUESTS:
            return json_reply({"message": "too many requests."}, status=429)
        case FaultVerb.ACCEPT_LATE:
            await _accept_late(broker, rule, request, account_id)
            return _error(rule, 504)
        case FaultVerb.DROP_BEFORE_ACCEPT:
            broker.connections.cut(request)
            return Response(status_code=503)
        case _:
            return _error(rule, 500)


async def _accept_late(
    broker: SimulatedBroker, rule: FaultRule, request: Request, account_id: str
) -> None:
    """An order or a cancel that lies about somewhere on its way. What is refused then, nobody is told."""
    at_ns = broker.now_ns + rule.delay_ns
    if request.method == "POST":
        new = decode_order(await request.body())
        if not isinstance(new, Refusal):
            broker.agenda.add(at_ns, partial(broker.submit, account_id, new))
    elif request.method == "DELETE" and "order_id" in request.path_params:
        order_id = request.path_params["order_id"].lower()
        broker.agenda.add(at_ns, partial(broker.cancel, account_id, order_id))


def _altered(
    broker: SimulatedBroker, rule: FaultRule, request: Request, response: Response
) -> Response:
    """The reply to what was done."""
    match rule.verb:
        case FaultVerb.DROP_AFTER_ACCEPT:
            broker.connections.cut(request)
        case FaultVerb.ACCEPT_THEN_504:
            return _error(rule, 504)
        case FaultVerb.EMPTY_REPLY:
            return _raw(b"", response.status_code)
        case FaultVerb.HALF_REPLY:
            return _raw(bytes(response.body)[: len(response.body) // 2], response.status_code)
        case FaultVerb.NO_ID:
            return _changed(response, lambda order: order.pop("id", None))
        case FaultVerb.ODD_WORD:
            return _changed(response, lambda order: order.update(status=rule.word))
        case _:
            return response
    return response


def _changed(response: Response, change: Callable[[dict[str, Json]], object]) -> Response:
    """The reply with each of its objects changed."""
    content: Json = msgspec.json.decode(response.body or b"null")
    for one in content if isinstance(content, list) else [content]:
        if isinstance(one, dict):
            change(one)
    return _raw(msgspec.json.encode(content), response.status_code)


def _error(rule: FaultRule, status: int) -> Response:
    """As something between the client and the broker would put it, if the rule has no words for it."""
    status = rule.status or status
    text = ERROR_TEXT.get(status, "upstream request timeout")
    if rule.body is None:
        return Response(text, status_code=status, media_type="text/plain")
    return _raw(rule.body.encode(), status)


def _raw(body: bytes, status: int) -> Response:
    return Response(body, status_code=status, media_type="application/json")

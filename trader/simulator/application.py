"""The simulated broker as a Starlette application: one port for REST and both streams."""

import base64
import binascii
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from functools import lru_cache, partial

import msgspec
from msgspec import Struct
from starlette.applications import Starlette
from starlette.datastructures import QueryParams
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route, Router
from starlette.types import Receive, Scope, Send

from trader.simulator.admin_rest import Admin, AdminRest
from trader.simulator.broker import SimulatedBroker
from trader.simulator.faults import Occasion
from trader.simulator.faulty import faulty_answer
from trader.simulator.market_rest import MarketRest
from trader.simulator.rate_limit import RateLimit
from trader.simulator.replies import BadRequest, json_reply, refusal_reply
from trader.simulator.requests import MALFORMED, refused
from trader.simulator.trading_rest import TradingRest

BODY_BYTES_MAX = 1 << 20
QUERY_KEPT_MAX = 256  # characters
TOO_MANY = {"message": "too many requests."}
Endpoint = Callable[[Request, str], Awaitable[Response]]


class BodyHint(Struct, frozen=True, kw_only=True):
    """What fault rules look at in a body."""

    symbol: str = ""
    client_order_id: str = ""


def build_application(broker: SimulatedBroker, admin: Admin | None = None) -> Starlette:
    """With an admin endpoint, where it is wanted."""
    guard = partial(_guarded, broker)
    endpoints = [*TradingRest(broker).endpoints(), *MarketRest(broker).endpoints()]
    application = Starlette(exception_handlers={HTTPException: _http_failure})
    application.router = _Router(
        [
            *(
                Route(path, _Plain(guard(endpoint)), methods=[verb])
                for verb, path, endpoint in endpoints
            ),
            *broker.streams.routes(),
            *(AdminRest(broker, admin).routes() if admin is not None else ()),
        ]
    )
    return application


def _guarded(
    broker: SimulatedBroker, endpoint: Endpoint
) -> Callable[[Request], Awaitable[Response]]:
    """What every request goes through: the keys, the rate limit, the clock, scripted faults; then the endpoint."""

    async def answer(request: Request) -> Response:
        headers = dict(reversed(request.scope["headers"]))  # Of two with one name the first counts.
        account_id = broker.authorize(*_shown_keys(headers))
        if account_id is None:
            return _numbered(broker, json_reply({"message": "unauthorized."}, status=401))
        broker.catch_up()
        limit = broker.rate_limit(account_id)
        if not limit.admit(broker.now_ns):
            return _labelled(broker, limit, json_reply(TOO_MANY, status=429))
        if not await _has_body(request, headers):
            too_large = json_reply({"message": "request body too large"}, status=413)
            return _labelled(broker, limit, too_large)
        return _labelled(
            broker, limit, await _answer_or_fail(broker, endpoint, request, account_id)
        )

    return answer


class _Router(Router):
    """Finds a path without parameters at once; the others are tried one after the other, as ever."""

    def __init__(self, routes: Sequence[BaseRoute]) -> None:
        super().__init__(routes)
        self._exact = {
            (verb, route.path): route
            for route in reversed(routes)
            if isinstance(route, Route) and not route.param_convertors
            for verb in route.methods or ()
        }

    async def app(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See Router."""
        route = None
        if scope["type"] == "http" and not scope.get("root_path"):
            route = self._exact.get((scope["method"], scope["path"]))
        if route is None:
            await super().app(scope, receive, send)
        else:
            scope["router"], scope["route"], scope["path_params"] = self, route, {}
            scope["endpoint"] = route.endpoint
            await route.app(scope, receive, send)


class _Plain:
    """An endpoint as an application of its own: Starlette goes to it without more ado."""

    def __init__(self, answer: Callable[[Request], Awaitable[Response]]) -> None:
        self._answer = answer

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        response = await self._answer(_Question(scope, receive))
        await response(scope, receive, send)


class _Question(Request):
    """Who looks whether anything has moved asks the same again and again: it is taken apart once."""

    _asked: QueryParams | None = None

    @property
    def query_params(self) -> QueryParams:
        if self._asked is None:
            text: bytes = self.scope["query_string"]
            self._asked = _query(text) if len(text) <= QUERY_KEPT_MAX else super().query_params
        return self._asked


@lru_cache(maxsize=1_024)
def _query(text: bytes) -> QueryParams:
    return QueryParams(text)


async def _answer_or_fail(
    broker: SimulatedBroker, endpoint: Endpoint, request: Request, account_id: str
) -> Response:
    async def answer() -> Response:
        try:
            return await endpoint(request, account_id)
        except BadRequest as bad:
            return refusal_reply(bad.refusal)

    rule = broker.faults.rule_for(await _occasion(broker, request, account_id))
    if rule is None:
        return await answer()
    return await faulty_answer(broker, rule, request, account_id, answer)


def _shown_keys(headers: dict[bytes, bytes]) -> tuple[str, str]:
    """Alpaca's own headers, or HTTP Basic."""
    shown = headers.get(b"apca-api-key-id")
    if shown is not None:
        secret = headers.get(b"apca-api-secret-key", b"")
        return shown.decode("latin-1"), secret.decode("latin-1")
    scheme, _, encoded = headers.get(b"authorization", b"").partition(b" ")
    if scheme.lower() != b"basic":
        return "", ""
    try:
        key, _, password = base64.b64decode(encoded, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return "", ""
    return key, password


async def _has_body(request: Request, headers: dict[bytes, bytes]) -> bool:
    """Read the body, and keep it with the request; False: it is longer than anybody's order."""
    length = headers.get(b"content-length", b"0")
    if not length.isdigit() or int(length) > BODY_BYTES_MAX:
        return False
    if length == b"0" and b"transfer-encoding" not in headers:
        return True
    return len(await request.body()) <= BODY_BYTES_MAX


async def _occasion(broker: SimulatedBroker, request: Request, account_id: str) -> Occasion:
    """The symbol and client order id of the body or, where the path or the query names an order, of that."""
    order = broker.venue.state.orders.get(request.path_params.get("order_id", "").lower())
    hint = BodyHint()
    if request.method != "GET" and (body := await request.body()):
        with suppress(*MALFORMED):
            hint = msgspec.json.decode(body, type=BodyHint)
    return Occasion(
        method=request.method,
        path=request.scope["path"],
        at_ns=broker.now_ns,
        account_id=account_id,
        symbol=order.symbol if order else hint.symbol or request.path_params.get("symbol", ""),
        client_order_id=order.client_order_id
        if order
        else hint.client_order_id or request.query_params.get("client_order_id", ""),
    )


def _labelled(broker: SimulatedBroker, limit: RateLimit, response: Response) -> Response:
    response.raw_headers.extend(limit.headers())
    return _numbered(broker, response)


def _numbered(broker: SimulatedBroker, response: Response) -> Response:
    broker.requests += 1
    response.raw_headers.append((b"x-request-id", b"%032x" % broker.requests))
    return response


async def _http_failure(request: Request, failure: Exception) -> Response:
    """No such path, or not with this verb."""
    assert isinstance(failure, HTTPException), "registered for it alone"
    return refusal_reply(refused(failure.detail.lower(), status=failure.status_code, code=40410000))

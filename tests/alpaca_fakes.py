"""Fake servers that answer with bytes of a test's choice, and the objects that they answer with."""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from decimal import Decimal
from functools import partial

import msgspec
import trio
from msgspec import Struct
from trio_websocket import ConnectionClosed, WebSocketConnection, WebSocketRequest, serve_websocket

from trader.credentials import Credentials
from trader.messages import Input
from trader.model import (
    ClientOrderId,
    DecisionKey,
    Order,
    OrderType,
    Purpose,
    Side,
    StrategyName,
    Symbol,
    TimeInForce,
)

KEYS = Credentials("PKCANARYKEY", "CANARYsecret0123456789")
ORDER_ID = "c0d5a1f2-0000-4000-8000-00000000000a"
Json = dict[str, object]


def an_order(**changes: object) -> Order:
    """A marketable buy of 33 JD."""
    order = Order(
        client_order_id=ClientOrderId("trd1-sma-JD-b-0f3a9c"),
        decision_key=DecisionKey("key"),
        decision_id=1,
        request_id="JD/1/1",
        strategy=StrategyName("sma"),
        symbol=Symbol("JD"),
        side=Side.BUY,
        purpose=Purpose.ENTER,
        order_type=OrderType.LIMIT,
        time_in_force=TimeInForce.DAY,
        quantity=Decimal(33),
        limit_price=Decimal("25.5"),
        reserve_price=Decimal("25.5"),
        created_ns=0,
        reason="crossed",
        epoch=1,
        build="test",
    )
    return msgspec.structs.replace(order, **changes)


def order_json(**changes: object) -> Json:
    """That order as the broker tells of it, new; keys that nobody reads included."""
    return {
        "id": ORDER_ID,
        "client_order_id": "trd1-sma-JD-b-0f3a9c",
        "created_at": "2026-01-26T19:19:04.117325001Z",
        "updated_at": "2026-01-26T19:19:04.117325002Z",
        "submitted_at": "2026-01-26T19:19:04.117325001Z",
        "symbol": "JD",
        "asset_class": "us_equity",
        "qty": "33",
        "filled_qty": "0",
        "filled_avg_price": None,
        "side": "buy",
        "type": "limit",
        "time_in_force": "day",
        "status": "new",
        "extended_hours": False,
        "legs": None,
    } | changes


def fill_json(number: int = 1, /, **changes: object) -> Json:
    """An activity: all 33 at 25.49."""
    return {
        "id": f"20260126191905{number:03}::6f1c0a52-7d3e-4c55-9f0a-{number:012}",
        "activity_type": "FILL",
        "transaction_time": "2026-01-26T19:19:05Z",
        "type": "fill",
        "price": "25.49",
        "qty": "33",
        "side": "buy",
        "symbol": "JD",
        "leaves_qty": "0",
        "cum_qty": "33",
        "order_id": ORDER_ID,
        "order_status": "filled",
    } | changes


def update_json(event: str, order: Json | None = None, /, **extra: object) -> Json:
    """A frame of the trading stream."""
    data: Json = {
        "event": event,
        "timestamp": "2026-01-26T19:19:06Z",
        "order": order or order_json(),
    }
    return {"stream": "trade_updates", "data": data | extra}


def account_json(**changes: object) -> Json:
    return {
        "account_number": "PA1",
        "status": "ACTIVE",
        "currency": "USD",
        "cash": "1000",
        "trading_blocked": False,
    } | changes


def packed(value: object) -> bytes:
    return msgspec.json.encode(value)


# --- HTTP


class Request(Struct, frozen=True, kw_only=True):
    """One request as it arrived."""

    method: str
    target: str
    head: bytes
    body: bytes


Answer = Callable[[Request, trio.SocketStream], Awaitable[None]]


class HttpFake:
    """Where it listens, and what it was asked."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.requests: list[Request] = []

    def targets(self, method: str) -> list[str]:
        return [request.target for request in self.requests if request.method == method]


@asynccontextmanager
async def http_fake(answer: Answer) -> AsyncIterator[HttpFake]:
    """Serves one connection after the other; each request is answered by `answer`, which may close instead."""
    (listener,) = await trio.open_tcp_listeners(0, host="127.0.0.1")
    fake = HttpFake(f"http://127.0.0.1:{listener.socket.getsockname()[1]}")

    async def serve(stream: trio.SocketStream) -> None:
        with suppress(trio.BrokenResourceError, trio.ClosedResourceError):
            while (request := await _request(stream)) is not None:
                fake.requests.append(request)
                await answer(request, stream)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(trio.serve_listeners, serve, [listener])
        yield fake
        nursery.cancel_scope.cancel()


async def _request(stream: trio.SocketStream) -> Request | None:
    data = b""
    while b"\r\n\r\n" not in data:
        part = await stream.receive_some()
        if not part:
            return None
        data += part
    head, _, body = data.partition(b"\r\n\r\n")
    method, target, _ = head.split(b"\r\n")[0].decode().split(" ")
    for line in head.lower().split(b"\r\n"):
        if line.startswith(b"content-length:"):
            length = int(line.partition(b":")[2])
            while len(body) < length:
                body += await stream.receive_some()
    return Request(method=method, target=target, head=head, body=body)


def reply(status: int, body: bytes | object = b"", *headers: str) -> bytes:
    """The bytes of a whole reply; what isn't bytes is sent as JSON."""
    content = body if isinstance(body, bytes) else packed(body)
    lines = [f"HTTP/1.1 {status} Whatever", f"Content-Length: {len(content)}", *headers, "", ""]
    return "\r\n".join(lines).encode() + content


def always(raw: bytes) -> Answer:
    """Every request gets these bytes, and the connection stays open."""

    async def answer(_request: Request, stream: trio.SocketStream) -> None:
        await stream.send_all(raw)

    return answer


def routed(routes: dict[str, Callable[[Request], bytes]]) -> Answer:
    """By the beginning of 'METHOD /path?query', the longest that fits; 404 where none does."""

    async def answer(request: Request, stream: trio.SocketStream) -> None:
        line = f"{request.method} {request.target}"
        fitting = [start for start in routes if line.startswith(start)]
        if fitting:
            await stream.send_all(routes[max(fitting, key=len)](request))
        else:
            await stream.send_all(reply(404, {"code": 40410000, "message": "not found"}))

    return answer


# --- WebSocket


Script = Callable[[WebSocketConnection], Awaitable[None]]


class SocketFake:
    """Where it listens, who came, and what they said first."""

    def __init__(self) -> None:
        self.url = ""
        self.connections = 0
        self.paths: list[str] = []
        self.headers: list[dict[bytes, bytes]] = []


@asynccontextmanager
async def socket_fake(scripts: Sequence[Script]) -> AsyncIterator[SocketFake]:
    """Each connection is played the next script, and the last one when there are no more."""
    fake = SocketFake()

    async def handle(request: WebSocketRequest) -> None:
        number = fake.connections
        fake.connections += 1
        fake.paths.append(request.path)
        fake.headers.append(dict(request.headers))
        connection = await request.accept()
        with suppress(ConnectionClosed, trio.BrokenResourceError, trio.ClosedResourceError):
            await scripts[min(number, len(scripts) - 1)](connection)

    async with trio.open_nursery() as nursery:
        server = await nursery.start(partial(serve_websocket, handle, "127.0.0.1", 0, None))
        fake.url = f"ws://127.0.0.1:{server.port}"
        yield fake
        nursery.cancel_scope.cancel()


class Heard:
    """What was told to the executor, to be waited for."""

    def __init__(self) -> None:
        self._send, self._receive = trio.open_memory_channel[Input](1_000)

    async def hear(self, told: Input) -> None:
        await self._send.send(told)

    async def next(self) -> Input:
        with trio.fail_after(10):
            return await self._receive.receive()

    def is_empty(self) -> bool:
        return self._receive.statistics().current_buffer_used == 0


# --- what a stream says

AUTHORIZED = packed({"stream": "authorization", "data": {"status": "authorized", "action": "auth"}})
LISTENING = packed({"stream": "listening", "data": {"streams": ["trade_updates"]}})


def saying(*frames: str | bytes) -> Script:
    """Greet as the trading stream does, send these, and stay."""

    async def script(connection: WebSocketConnection) -> None:
        await greet(connection)
        for frame in frames:
            await connection.send_message(frame)
        await stay(connection)

    return script


async def greet(connection: WebSocketConnection) -> None:
    said = msgspec.json.decode(await connection.get_message())
    assert said == {"action": "auth", "key": KEYS.key, "secret": KEYS.secret()}
    await connection.send_message(AUTHORIZED)
    said = msgspec.json.decode(await connection.get_message())
    assert said == {"action": "listen", "data": {"streams": ["trade_updates"]}}
    await connection.send_message(LISTENING)


async def stay(connection: WebSocketConnection) -> None:
    while True:
        await connection.get_message()


SYMBOLS = (Symbol("JD"), Symbol("T"))
CONNECTED = [{"T": "success", "msg": "connected"}]
AUTHENTICATED = [{"T": "success", "msg": "authenticated"}]
SUBSCRIBED = [
    {"T": "subscription", "trades": [], "quotes": ["JD", "T"], "bars": ["JD", "T"], "statuses": []}
]
QUOTE = {
    "T": "q",
    "S": "JD",
    "bp": 31.92,
    "bs": 100,
    "ap": 31.93,
    "as": 200,
    "t": msgspec.msgpack.Ext(-1, (7).to_bytes(4, "big")),
}
BAR = {"T": "b", "S": "T", "o": 22, "h": 22.5, "l": 21.9, "c": 22.1, "v": 900, "t": QUOTE["t"]}


def data_saying(*frames: object, answers: Sequence[object] = ()) -> Script:
    """Greet as the data stream does, with these answers if any, send the frames, and stay."""

    async def script(connection: WebSocketConnection) -> None:
        said: list[object] = []
        for answer in answers or (CONNECTED, AUTHENTICATED, SUBSCRIBED):
            await connection.send_message(msgspec.msgpack.encode(answer))
            if len(said) < 2:
                message = await connection.get_message()
                assert isinstance(message, bytes)
                said.append(msgspec.msgpack.decode(message))
        assert said == [
            {"action": "auth", "key": KEYS.key, "secret": KEYS.secret()},
            {
                "action": "subscribe",
                "bars": ["JD", "T"],
                "quotes": ["JD", "T"],
                "statuses": ["JD", "T"],
                "lulds": ["JD", "T"],
            },
        ]
        for frame in frames:
            raw_frame = frame if isinstance(frame, bytes) else msgspec.msgpack.encode(frame)
            await connection.send_message(raw_frame)
        await stay(connection)

    return script

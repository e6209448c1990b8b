"""The wire without sockets: requests and streams between one process of the trader and the simulated broker.

Below the adapter's seam everything is in memory; the bytes are the real ones. What reaches the broker is served by
tasks of the broker's side, so that a client which gave up or died does not take its request back. Latency, loss and
cut lines come from the weather; every crossing is a port of the process, at which it may be killed or stand still.
"""

import itertools
from collections import deque
from collections.abc import AsyncIterator, Callable, MutableMapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import partial
from typing import Any, Protocol
from urllib.parse import unquote

import httpx2
import trio
from msgspec import Struct
from starlette.types import ASGIApp

from trader.brokers.alpaca.transport import FIRST_BYTE
from trader.brokers.alpaca.websocket import Handshake, Socket, StreamLost
from trader.simulator.connections import Connections

FRAMES_WAITING_MAX = 4_096
_SCOPE = "trader.scope"  # among a request's extensions
Message = MutableMapping[str, Any]  # ASGI's own type


class Fate(Struct, frozen=True, kw_only=True):
    """What becomes of one request: seconds on its way there and back, and what is lost."""

    out_s: float
    back_s: float
    is_refused: bool = False
    is_lost: bool = False
    is_reply_lost: bool = False


class Weather(Protocol):
    """What the lines are like just now."""

    def request(self, method: str) -> Fate:
        """The next request's fate."""
        ...

    def frame_s(self) -> float:
        """How many seconds the next frame of a stream takes."""
        ...

    def line_ends(self) -> str:
        """'' mostly; 'cut': the stream's line breaks with this frame; 'dead': nothing comes through any more."""
        ...


class Port(Protocol):
    """Where a process touches the world. May raise, and may wait for as long as the process stands still."""

    async def pass_through(self, step: str) -> None: ...


class Calendar(Protocol):
    """Does what is to be done at an instant, without a task that waits for it where time is virtual."""

    def at(self, due_s: float, deed: Callable[[], None]) -> Callable[[], None]:
        """What is returned takes it back."""
        ...


class Link:
    """One process's lines to the broker. `asked` sees each request as it arrives, `answered` when it has been done."""

    def __init__(
        self,
        application: ASGIApp,
        connections: Connections,
        broker_side: trio.Nursery,
        *,
        port: Port,
        weather: Weather,
        asked: Callable[[str, str, bytes], None] = lambda method, path, body: None,
        answered: Callable[[str, str, int], None] = lambda method, path, status: None,
        calendar: Calendar | None = None,
    ) -> None:
        self._application = application
        self._connections = connections
        self._broker_side = broker_side
        self._port = port
        self._weather = weather
        self._asked = asked
        self._answered = answered
        self._numbers = itertools.count(1)
        self._calendar = calendar or _TaskForEach(broker_side)

    def transport(self) -> httpx2.AsyncBaseTransport:
        """For the adapter's HTTP."""
        return _Transport(self)

    # ------------------------------------------------------------------------------------------- requests

    async def exchange(self, request: httpx2.Request) -> httpx2.Response:
        """One request and its reply, or what httpx2 raises over real sockets."""
        await self._port.pass_through(f"{request.method} leaves")
        fate = self._weather.request(request.method)
        if fate.is_refused:
            await trio.sleep(fate.out_s)
            raise httpx2.ConnectError("All connection attempts failed", request=request)
        if (trace := request.extensions.get("trace")) is not None:
            await trace(FIRST_BYTE, None)  # Who looks at the last moment looks here, too.
        exchange, now_s = _Exchange(), trio.current_time()
        self._calendar.at(now_s + fate.out_s, partial(self._arrive, request, fate, exchange))
        no_deadline = self._calendar.at(now_s + _read_timeout(request), exchange.end_late)
        await exchange.ended.wait()
        no_deadline()
        await self._port.pass_through(f"{request.method} replied")
        if exchange.is_late:
            raise httpx2.ReadTimeout("no reply in time", request=request)
        if exchange.is_cut:
            raise httpx2.RemoteProtocolError(
                "Server disconnected without sending a response.", request=request
            )
        return httpx2.Response(
            exchange.status, headers=exchange.headers, stream=_Body(bytes(exchange.body))
        )

    def _arrive(self, request: httpx2.Request, fate: Fate, exchange: "_Exchange") -> None:
        if fate.is_lost:
            exchange.cut()
            exchange.end()
        elif not self._broker_side.cancel_scope.cancel_called:
            self._broker_side.start_soon(self._serve, request, fate, exchange, name="request")

    async def _serve(self, request: httpx2.Request, fate: Fate, exchange: "_Exchange") -> None:
        scope = _scope_of(request)
        path = scope["path"]
        self._asked(request.method, path, request.content)
        await self._answer(request, scope, exchange)
        self._answered(request.method, path, exchange.status)
        if fate.is_reply_lost:
            exchange.cut()
        self._calendar.at(trio.current_time() + fate.back_s, exchange.end)

    async def _answer(
        self, request: httpx2.Request, scope: dict[str, Any], exchange: "_Exchange"
    ) -> None:
        address = ("link", next(self._numbers))
        self._connections.opened(address, exchange.cut)
        messages = deque[Message]([{"type": "http.request", "body": request.content}])

        async def receive() -> Message:
            if not messages:
                await trio.sleep_forever()
            return messages.popleft()

        await self._application(scope | {"client": address}, receive, exchange.take)
        self._connections.closed(address)

    # -------------------------------------------------------------------------------------------- streams

    def open_socket(self, handshake: Handshake) -> AbstractAsyncContextManager[Socket]:
        """For the adapter's streams; raises StreamLost as the real one does."""
        return self._socket(handshake)

    @asynccontextmanager
    async def _socket(self, handshake: Handshake) -> AsyncIterator[Socket]:
        await self._port.pass_through("connects")
        line = _Line(self._port, self._weather)
        self._broker_side.start_soon(self._serve_stream, handshake, line, name="stream")
        with trio.move_on_after(handshake.seconds_max):
            await line.answered.wait()
        try:
            if not line.answered.is_set():
                raise StreamLost(f"no stream within {handshake.seconds_max:g} s")
            yield line
        finally:
            line.hang_up()

    async def _serve_stream(self, handshake: Handshake, line: "_Line") -> None:
        await trio.sleep(self._weather.frame_s())
        address = ("link", next(self._numbers))
        self._connections.opened(address, line.cut)
        scope = _scope("websocket", httpx2.URL(handshake.url), list(handshake.headers))
        more = {"client": address, "subprotocols": []}
        await self._application(scope | more, line.heard, line.said)
        self._connections.closed(address)
        line.end("the connection was closed")


class _Transport(httpx2.AsyncBaseTransport):
    def __init__(self, link: Link) -> None:
        self._link = link

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        return await self._link.exchange(request)


class _Body(httpx2.AsyncByteStream):
    """As a transport gives it, still to be read; the library's own is a generator, which Trio keeps an eye on."""

    def __init__(self, body: bytes) -> None:
        self._parts = [body]

    def __aiter__(self) -> "_Body":
        return self

    async def __anext__(self) -> bytes:
        if not self._parts:
            raise StopAsyncIteration
        return self._parts.pop()


class _TaskForEach:
    """A calendar where time is real: somebody sleeps until then."""

    def __init__(self, nursery: trio.Nursery) -> None:
        self._nursery = nursery

    def at(self, due_s: float, deed: Callable[[], None]) -> Callable[[], None]:
        """See Calendar."""
        scope = trio.CancelScope()
        self._nursery.start_soon(self._later, due_s, deed, scope, name="later")
        return scope.cancel

    async def _later(self, due_s: float, deed: Callable[[], None], scope: trio.CancelScope) -> None:
        with scope:
            await trio.sleep_until(due_s)
            deed()


class _Exchange:
    """A reply on its way; cut means that the client sees the connection end instead; late, that it has gone."""

    def __init__(self) -> None:
        self.ended = trio.Event()
        self.is_cut = False
        self.is_late = False
        self.status = 0
        self.headers: list[tuple[bytes, bytes]] = []
        self.body = bytearray()

    def cut(self) -> None:
        self.is_cut = True

    def end(self) -> None:
        """The client hears of it."""
        self.ended.set()

    def end_late(self) -> None:
        """The client waits no longer."""
        self.is_late = True
        self.ended.set()

    async def take(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            self.headers = list(message["headers"])
        else:
            self.body += message.get("body", b"")


class _Line:
    """One WebSocket: the broker's end speaks ASGI, ours is the adapter's Socket."""

    def __init__(self, port: Port, weather: Weather) -> None:
        self.answered = trio.Event()
        self._port = port
        self._weather = weather
        self._to_us: deque[tuple[float, str | bytes]] = deque()
        self._to_broker: deque[Message] = deque([{"type": "websocket.connect"}])
        self._moved_us, self._moved_broker = trio.Event(), trio.Event()
        self._due_s = 0.0
        self._ended = ""
        self._is_dead = False

    # --- the broker's end

    async def heard(self) -> Message:
        """ASGI's receive."""
        while not self._to_broker:
            self._moved_broker = trio.Event()
            await self._moved_broker.wait()
        return self._to_broker.popleft()

    async def said(self, message: Message) -> None:
        """ASGI's send."""
        match message["type"]:
            case "websocket.accept":
                self.answered.set()
            case "websocket.close":
                self.end("closed with 1000")
            case "websocket.send":
                text = message.get("text")
                self._put(text if text is not None else message["bytes"])
            case other:
                raise AssertionError(f"no word of ASGI's: {other}")

    def _put(self, frame: str | bytes) -> None:
        if self._ended or self._is_dead:
            return
        match self._weather.line_ends():
            case "cut":
                self.cut()
            case "dead":
                self._is_dead = True
            case _:
                self._due_s = max(self._due_s, trio.current_time() + self._weather.frame_s())
                self._to_us.append((self._due_s, frame))
                assert len(self._to_us) <= FRAMES_WAITING_MAX, "the adapter reads what it is sent"
                self._moved_us.set()

    def end(self, why: str) -> None:
        """No frames follow those that are on their way."""
        self._ended = self._ended or why
        self.answered.set()
        self._moved_us.set()

    def cut(self) -> None:
        """Both sides lose the line, with what is on its way."""
        self._to_us.clear()
        self.end("the connection was closed")
        self.hang_up()

    def hang_up(self) -> None:
        """Ours is gone: the broker hears of it."""
        self._to_broker.append({"type": "websocket.disconnect", "code": 1006})
        self._moved_broker.set()

    # --- ours

    async def send(self, message: str | bytes) -> None:
        """See Socket."""
        await self._port.pass_through("speaks")
        if self._ended:
            raise StreamLost(self._ended)
        if not self._is_dead:
            kind = "text" if isinstance(message, str) else "bytes"
            self._to_broker.append({"type": "websocket.receive", kind: message})
            self._moved_broker.set()

    async def receive(self) -> str | bytes:
        """See Socket."""
        while True:
            if self._to_us:
                due_s, frame = self._to_us[0]
                if due_s > trio.current_time():
                    await trio.sleep_until(due_s)
                    continue
                self._to_us.popleft()
                await self._port.pass_through("hears")
                return frame
            if self._ended:
                raise StreamLost(self._ended)
            self._moved_us = trio.Event()
            await self._moved_us.wait()

    async def ping(self) -> None:
        """See Socket."""
        await self._port.pass_through("pings")
        if self._is_dead:
            await trio.sleep_forever()
        await trio.sleep(2 * self._weather.frame_s())
        if self._ended:
            raise StreamLost(self._ended)


def _read_timeout(request: httpx2.Request) -> float:
    timeouts = request.extensions.get("timeout", {})
    return float(timeouts.get("read") or 1e9)


def _scope_of(request: httpx2.Request) -> dict[str, Any]:
    """Taken apart once: the adapter sends the same object for the same question."""
    scope: dict[str, Any] | None = request.extensions.get(_SCOPE)
    if scope is None:
        scope = _scope("http", request.url, request.headers.raw) | {"method": request.method}
        request.extensions[_SCOPE] = scope
    return scope


def _scope(kind: str, url: httpx2.URL, headers: list[tuple[bytes, bytes]]) -> dict[str, Any]:
    raw_path, _, query = url.raw_path.partition(b"?")
    return {
        "type": kind,
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "scheme": url.scheme,
        "path": unquote(raw_path.decode()),
        "raw_path": raw_path,
        "query_string": query,
        "root_path": "",
        "headers": [(name.lower(), value) for name, value in headers],
        "server": (url.host, url.port or 80),
    }

"""The two WebSocket streams: `/stream` tells trade updates, `/v2/{feed}` market data; neither replays anything."""

from collections.abc import Callable, Iterable, Sequence
from enum import StrEnum
from functools import partial
from typing import TypeVar

import msgspec
import trio
from msgspec import Struct
from starlette.routing import WebSocketRoute
from starlette.websockets import WebSocket

from trader.model import Bar, Quote
from trader.simulator.connections import Connections
from trader.simulator.faults import AUTHENTICATE, CONNECT, LISTEN, FaultRule, FaultVerb
from trader.simulator.market_frames import frames, stream_element
from trader.simulator.requests import MALFORMED
from trader.simulator.shapes import Json, Shape, trade_update
from trader.simulator.stream_client import StreamClient
from trader.simulator.stream_messages import CHANNELS, DataMessage, TradingMessage
from trader.venue import OrderEvent

M = TypeVar("M")
AUTH_SECONDS = 10.0
PATIENCE_SECONDS = 1.0
FEEDS = frozenset({"iex", "sip", "delayed_sip", "test"})
FOLLOWING = ("corrections", "cancelErrors")  # always as `trades`
SYMBOLS_MAX = 10_000
INTERNAL_ERROR: Json = {"action": "error", "data": {"error_message": "internal server error"}}
SLOW_CLIENT: Json = [{"T": "error", "code": 407, "msg": "slow client"}]

Authorize = Callable[[str, str], str | None]
AskFault = Callable[[str, str], FaultRule | None]
Told = Callable[[int], list[OrderEvent]]


class StreamKind(StrEnum):
    TRADING = "trading"
    DATA = "data"


PATHS = {StreamKind.TRADING: "/stream", StreamKind.DATA: "/v2/iex"}
ERRORS = {
    402: "auth failed",
    404: "auth timeout",
    405: "symbol limit exceeded",
    406: "connection limit exceeded",
    409: "insufficient subscription",
    500: "internal error",
}


class Observer(Struct, frozen=True, kw_only=True):
    """Who wants to know, synchronously: frames put on a listening client's queue, clients come and gone."""

    on_frame: Callable[[str, int], None] = lambda kind, count: None
    on_stream: Callable[[str, bool], None] = lambda kind, connected: None


class Streams:
    """All connected clients of both kinds, and what is told to them."""

    def __init__(
        self,
        authorize: Authorize,
        connections: Connections,
        observer: Observer,
        *,
        ask_fault: AskFault = lambda method, path: None,
        told: Told = lambda count: [],
    ) -> None:
        """`ask_fault` knows whether a connection is to fail; `told` the last events that were told."""
        self._ask_fault = ask_fault
        self._told = told
        self._authorize = authorize
        self._connections = connections
        self._observer = observer
        self._clients: dict[StreamKind, list[StreamClient]] = {kind: [] for kind in StreamKind}
        self._listening: set[StreamClient] = set()

    def routes(self) -> list[WebSocketRoute]:
        return [
            WebSocketRoute("/stream", self._trading_endpoint),
            WebSocketRoute("/v2/{feed}", self._data_endpoint),
        ]

    # --- telling

    def tell_orders(self, events: Iterable[OrderEvent], word: str = "") -> None:
        """One frame for each event to each client of its account that listens; `word` in place of the event's own."""
        clients = [c for c in self._clients[StreamKind.TRADING] if c.hears("trade_updates", "")]
        for client in clients:
            self._tell_client(client, events, word)

    def _tell_client(
        self, client: StreamClient, events: Iterable[OrderEvent], word: str = ""
    ) -> None:
        for event in events:
            if client.account_id == event.order.account_id:
                frame = _encoded(trade_update(event, word), client)
                self._put(StreamKind.TRADING, client, frame)

    def tell_market(self, bars: Sequence[Bar], quotes: Sequence[Quote]) -> None:
        """A frame of quotes and one of bars, to each client what it subscribed to: a bar is judged with its price."""
        for packed in (False, True):
            clients = [c for c in self._clients[StreamKind.DATA] if c.packed is packed]
            self._tell_channel(clients, packed, "quotes", "q", quotes)
            self._tell_channel(clients, packed, "bars", "b", bars)

    def _tell_channel(
        self,
        clients: list[StreamClient],
        packed: bool,
        channel: str,
        kind: str,
        values: Sequence[Bar] | Sequence[Quote],
    ) -> None:
        clients = [client for client in clients if client.audible.get(channel)]
        if not clients:
            return
        encoded = [(value.symbol, stream_element(kind, value, packed)) for value in values]
        for client in clients:
            elements = [element for symbol, element in encoded if client.hears(channel, symbol)]
            for frame in frames(elements, packed):
                self._put(StreamKind.DATA, client, frame)

    def mute(self, kind: StreamKind, is_mute: bool) -> None:
        """The connections of today: those that come later are not mute."""
        for client in self._clients[kind]:
            client.is_mute = is_mute

    def disconnect(self, kind: StreamKind) -> None:
        """Cut every connection, with all that is on its way; what was counted counts no more."""
        for client in list(self._clients[kind]):
            client.drop()
            self._note_listening(kind, client)

    async def wait_written(self) -> None:
        """Until everything queued was handed to the sockets, or PATIENCE_SECONDS have passed."""
        with trio.move_on_after(PATIENCE_SECONDS):
            for clients in self._clients.values():
                for client in list(clients):
                    await client.wait_written()

    def _put(self, kind: StreamKind, client: StreamClient, frame: bytes) -> None:
        if client.is_mute:
            return
        if client.put(frame):
            self._observer.on_frame(kind, 1)
        else:
            self._note_listening(kind, client)

    # --- serving one client

    async def _trading_endpoint(self, websocket: WebSocket) -> None:
        client = self._client(websocket, overrun=INTERNAL_ERROR, text=False)
        hear = partial(self._hear_trading, client)
        await self._serve(websocket, client, StreamKind.TRADING, hear)

    async def _data_endpoint(self, websocket: WebSocket) -> None:
        if websocket.path_params["feed"] not in FEEDS:
            await websocket.close()
            return
        client = self._client(websocket, overrun=SLOW_CLIENT, text=True)
        _say(client, {"T": "success", "msg": "connected"})
        hear = partial(self._hear_data, client)
        await self._serve(websocket, client, StreamKind.DATA, hear, AUTH_SECONDS)

    def _client(self, websocket: WebSocket, *, overrun: Json, text: bool) -> StreamClient:
        cut = partial(self._connections.cut, websocket)
        return StreamClient(websocket, cut, overrun_frame=partial(_bytes, overrun), text=text)

    async def _serve(
        self,
        websocket: WebSocket,
        client: StreamClient,
        kind: StreamKind,
        hear: Callable[[bytes], None],
        auth_seconds: float | None = None,
    ) -> None:
        if self._is_refused(CONNECT, kind):
            await websocket.close()
            return
        await websocket.accept()
        self._clients[kind].append(client)
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(client.write)
                nursery.start_soon(client.cut_when_stuck)
                if auth_seconds is not None:
                    nursery.start_soon(_await_auth, client, auth_seconds)
                while (message := await client.read()) is not None:
                    hear(message)
                    self._note_listening(kind, client)
                nursery.cancel_scope.cancel()
        finally:
            self._clients[kind].remove(client)
            client.audible.clear()
            self._note_listening(kind, client)

    def _note_listening(self, kind: StreamKind, client: StreamClient) -> None:
        if client.is_listening and client not in self._listening:
            self._listening.add(client)
            self._observer.on_stream(kind, True)
        elif not client.is_listening and client in self._listening:
            self._listening.remove(client)
            self._observer.on_stream(kind, False)

    # --- what a client says

    def _hear_trading(self, client: StreamClient, message: bytes) -> None:
        try:
            heard = _decoded(message, TradingMessage, client)
        except MALFORMED:
            client.close(
                _encoded({"action": "error", "data": {"error_message": "invalid"}}, client)
            )
            return
        match heard.action:
            case "auth" | "authenticate" if self._is_refused(AUTHENTICATE, StreamKind.TRADING):
                client.put(_authorization(client, "authenticate"))
            case "auth" | "authenticate":
                key, secret = heard.key or heard.data.key_id, heard.secret or heard.data.secret_key
                client.account_id = self._authorize(key, secret) or ""
                client.put(_authorization(client, "authenticate"))
            case "listen" if not client.account_id:
                client.put(_authorization(client, "listen"))
            case "listen":
                self._listen(client, heard.data.streams)
            case _:
                failure: Shape = {"error_message": "unknown action"}
                client.put(_encoded({"action": "error", "data": failure}, client))

    def _listen(self, client: StreamClient, streams: list[str]) -> None:
        rule = self._fault(LISTEN, StreamKind.TRADING)
        verb = None if rule is None else rule.verb
        if verb is FaultVerb.REFUSE_STREAM:
            client.close(_encoded(INTERNAL_ERROR, client))
            return
        known: list[Json] = [one for one in streams if one == "trade_updates"]
        client.audible = {"trade_updates": {"*"}} if known else {}
        client.put(_encoded({"stream": "listening", "data": {"streams": known}}, client))
        client.is_mute = verb is FaultVerb.MUTE_SOCKET
        if rule is not None and verb is FaultVerb.REPLAY_EVENTS:
            # Heard to be listening first: whoever counts frames begins to count with that.
            self._note_listening(StreamKind.TRADING, client)
            self._tell_client(client, self._told(rule.count))

    def _fault(self, method: str, kind: StreamKind) -> FaultRule | None:
        return self._ask_fault(method, PATHS[kind])

    def _is_refused(self, method: str, kind: StreamKind) -> bool:
        return self._fault(method, kind) is not None

    def _hear_data(self, client: StreamClient, message: bytes) -> None:
        try:
            heard = _decoded(message, DataMessage, client)
        except MALFORMED:
            _say_error(client, 400, "invalid syntax")
            return
        match heard.action:
            case "auth":
                self._authenticate(client, heard)
            case _ if not client.account_id:
                _say_error(client, 401, "not authenticated")
            case "subscribe":
                self._subscribe(client, heard)
            case "unsubscribe":
                for channel, symbols in heard.wanted():
                    client.audible.get(channel, set()).difference_update(symbols)
                _say_subscription(client)
            case _:
                _say_error(client, 400, "invalid syntax")

    def _authenticate(self, client: StreamClient, heard: DataMessage) -> None:
        """One connection for each account."""
        if client.account_id:
            _say_error(client, 403, "already authenticated")
            return
        rule = self._fault(AUTHENTICATE, StreamKind.DATA)
        if rule is not None:
            code = rule.status or 406
            _close_with(client, code, ERRORS.get(code, rule.word))
            return
        account_id = self._authorize(heard.key, heard.secret)
        if account_id is None:
            _say_error(client, 402, ERRORS[402])
        elif any(other.account_id == account_id for other in self._clients[StreamKind.DATA]):
            _close_with(client, 406, ERRORS[406])
        else:
            client.account_id = account_id
            _say(client, {"T": "success", "msg": "authenticated"})

    def _subscribe(self, client: StreamClient, heard: DataMessage) -> None:
        audible = {
            channel: client.audible.get(channel, set()) | set(symbols)
            for channel, symbols in heard.wanted()
        }
        rule = self._fault(LISTEN, StreamKind.DATA)
        if rule is not None and rule.verb is FaultVerb.REFUSE_STREAM:
            code = rule.status or 405
            _say_error(client, code, ERRORS.get(code, rule.word))
            return
        if any(len(symbols) > SYMBOLS_MAX for symbols in audible.values()):
            _say_error(client, 405, ERRORS[405])
            return
        client.is_mute = rule is not None and rule.verb is FaultVerb.MUTE_SOCKET
        client.audible = audible
        _say_subscription(client)


async def _await_auth(client: StreamClient, seconds: float) -> None:
    await trio.sleep(seconds)
    if not client.account_id:
        _close_with(client, 404, "auth timeout")


def _authorization(client: StreamClient, action: str) -> bytes:
    status = "authorized" if client.account_id else "unauthorized"
    data: Shape = {"status": status, "action": action}
    return _encoded({"stream": "authorization", "data": data}, client)


def _say_subscription(client: StreamClient) -> None:
    message: Shape = {"T": "subscription"}
    for channel in CHANNELS:
        message[channel] = [*sorted(client.audible.get(channel, set()))]
    for channel in FOLLOWING:
        message[channel] = message["trades"]
    _say(client, message)


def _say_error(client: StreamClient, code: int, text: str) -> None:
    _say(client, {"T": "error", "code": code, "msg": text})


def _close_with(client: StreamClient, code: int, text: str) -> None:
    client.close(_encoded([{"T": "error", "code": code, "msg": text}], client))


def _say(client: StreamClient, message: Shape) -> None:
    """Control frames have exactly one element."""
    client.put(_encoded([message], client))


def _encoded(value: Json, client: StreamClient) -> bytes:
    return _bytes(value, client.packed)


def _bytes(value: Json, packed: bool) -> bytes:
    return msgspec.msgpack.encode(value) if packed else msgspec.json.encode(value)


def _decoded(message: bytes, kind: type[M], client: StreamClient) -> M:
    """A MessagePack client may still speak JSON: objects of the one never begin like those of the other."""
    packed = client.packed and not message.lstrip().startswith(b"{")
    decode = msgspec.msgpack.decode if packed else msgspec.json.decode
    return decode(message, type=kind)

"""The WebSocket streams: `/stream` tells trade updates, `/v2/{feed}` market data; neither replays anything."""

from collections.abc import Callable, Collection, Iterable, Sequence
from enum import StrEnum
from functools import partial

import trio
from msgspec import Struct
from starlette.routing import WebSocketRoute
from starlette.websockets import WebSocket

from trader.simulator.connections import Connections
from trader.simulator.data_talk import SLOW_CLIENT, DataTalk
from trader.simulator.fakepaca import tell_test_feed
from trader.simulator.faults import CONNECT, FaultRule
from trader.simulator.market_frames import frames, stream_element
from trader.simulator.market_words import KINDS, MarketWord, Told
from trader.simulator.plan import FEEDS, TEST_FEED, Plan
from trader.simulator.shapes import Json, trade_update
from trader.simulator.stream_client import StreamClient
from trader.simulator.stream_messages import encoded
from trader.simulator.trading_talk import INTERNAL_ERROR, UPDATES, TradingTalk
from trader.venue import OrderEvent

AUTH_SECONDS = 10.0
PATIENCE_SECONDS = 1.0

Authorize = Callable[[str, str], str | None]
AskFault = Callable[[str, str, str], FaultRule | None]  # method, path, account


class StreamKind(StrEnum):
    TRADING = "trading"
    DATA = "data"
    TEST = "test"


PATHS = {
    StreamKind.TRADING: "/stream",
    StreamKind.DATA: "/v2/iex",
    StreamKind.TEST: f"/v2/{TEST_FEED}",
}


class Observer(Struct, frozen=True, kw_only=True):
    """Who wants to know, synchronously: frames put on a listening client's queue, clients come and gone."""

    on_frame: Callable[[str, int], None] = lambda kind, count: None
    on_stream: Callable[[str, bool], None] = lambda kind, connected: None


class StreamsSetting(Struct, frozen=True, kw_only=True):
    """`ask_fault` knows whether a connection is to fail; `told` the last events that were told; `stamped` has the times
    of the broker's clock.

    `text_frames`: JSON of the trading stream travels in text frames, instead of binary ones.
    """

    ask_fault: AskFault = lambda method, path, account_id: None
    told: Callable[[int], list[OrderEvent]] = lambda count: []
    stamped: Callable[[OrderEvent], OrderEvent] = lambda event: event
    market_ns: Callable[[], int] = lambda: 0
    plan: Plan = Plan()
    text_frames: bool = False
    seed: int = 0


class Streams:
    """All connected clients of all kinds, and what is told to them."""

    def __init__(
        self,
        authorize: Authorize,
        connections: Connections,
        observer: Observer,
        setting: StreamsSetting,
    ) -> None:
        self._connections = connections
        self._observer = observer
        self._setting = setting
        self._clients: dict[StreamKind, list[StreamClient]] = {kind: [] for kind in StreamKind}
        self._listening: set[StreamClient] = set()
        self._trading = TradingTalk(
            authorize, partial(self._fault, StreamKind.TRADING), self._replay
        )
        self._data = {
            kind: DataTalk(
                authorize, partial(self._fault, kind), partial(self._connected, kind), setting.plan
            )
            for kind in (StreamKind.DATA, StreamKind.TEST)
        }

    def routes(self) -> list[WebSocketRoute]:
        return [
            WebSocketRoute("/stream", self._trading_endpoint),
            WebSocketRoute("/v2/{feed}", self._data_endpoint),
            WebSocketRoute("/v1beta1/{feed}", self._data_endpoint),
        ]

    # --- telling

    def tell_orders(self, events: Iterable[OrderEvent], word: str = "") -> None:
        """One frame for each event to each client of its account that listens; `word` in place of the event's own."""
        clients = [c for c in self._clients[StreamKind.TRADING] if c.hears(UPDATES, "")]
        for client in clients:
            self._tell_client(client, events, word)

    def _tell_client(
        self, client: StreamClient, events: Iterable[OrderEvent], word: str = ""
    ) -> None:
        for event in events:
            if client.account_id == event.order.account_id:
                frame = client.encoded(trade_update(self._setting.stamped(event), word))
                self._put(StreamKind.TRADING, client, frame)

    def wants(self, channel: str) -> bool:
        """Does anybody hear anything of the market by this channel?"""
        return any(client.audible.get(channel) for client in self._clients[StreamKind.DATA])

    def tell_market(self, told: Told, only: str = "", apart: Collection[str] = ()) -> None:
        """A frame for each channel, in the order of KINDS, to each client what it subscribed to.

        `only` to those of an account, or to all but those of some.
        """
        of_all = self._clients_of(StreamKind.DATA, only)
        for packed in (False, True):
            clients = [c for c in of_all if c.packed is packed and c.account_id not in apart]
            self._tell_all(StreamKind.DATA, clients, packed, told)

    def _tell_all(
        self,
        kind: StreamKind,
        clients: list[StreamClient],
        packed: bool,
        told: Told,
    ) -> None:
        for channel in KINDS:
            if told.get(channel) and clients:
                self._tell_channel(kind, clients, packed, channel, told[channel])

    def _tell_channel(
        self,
        kind: StreamKind,
        clients: list[StreamClient],
        packed: bool,
        channel: str,
        words: Sequence[MarketWord],
    ) -> None:
        clients = [client for client in clients if client.audible.get(channel)]
        if not clients:
            return
        elements = [(word.symbol, stream_element(KINDS[channel], word, packed)) for word in words]
        for client in clients:
            for frame in frames(client.heard(channel, elements), packed):
                self._put(kind, client, frame)

    def mute(self, kind: StreamKind, is_mute: bool, account_id: str = "") -> None:
        """The connections of today, of one account or of all: those that come later are not mute."""
        for client in self._clients_of(kind, account_id):
            client.is_mute = is_mute

    def disconnect(self, kind: StreamKind, account_id: str = "") -> None:
        """Cut every connection, with all that is on its way; what was counted counts no more."""
        for client in self._clients_of(kind, account_id):
            client.drop()
            self._note_listening(kind, client)

    def _clients_of(self, kind: StreamKind, account_id: str) -> list[StreamClient]:
        clients = self._clients[kind]
        return [one for one in clients if not account_id or one.account_id == account_id]

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

    def _replay(self, client: StreamClient, count: int) -> None:
        # Heard to be listening first: whoever counts frames begins to count with that.
        self._note_listening(StreamKind.TRADING, client)
        self._tell_client(client, self._setting.told(count))

    # --- serving one client

    async def _trading_endpoint(self, websocket: WebSocket) -> None:
        client = self._client(websocket, INTERNAL_ERROR, text=self._setting.text_frames)
        hear = partial(self._trading.hear, client)
        await self._serve(websocket, client, StreamKind.TRADING, hear)

    async def _data_endpoint(self, websocket: WebSocket) -> None:
        feed = websocket.path_params["feed"]
        if feed not in (TEST_FEED, *FEEDS):
            await websocket.close()
            return
        client = self._client(websocket, SLOW_CLIENT, text=True)
        client.feed = feed
        kind = StreamKind.TEST if feed == TEST_FEED else StreamKind.DATA
        talk = self._data[kind]
        header = websocket.headers.get
        talk.greet(client, header("APCA-API-KEY-ID", ""), header("APCA-API-SECRET-KEY", ""))
        await self._serve(websocket, client, kind, partial(talk.hear, client))

    def _client(self, websocket: WebSocket, overrun: Json, *, text: bool) -> StreamClient:
        cut = partial(self._connections.cut, websocket)
        return StreamClient(websocket, cut, overrun_frame=partial(encoded, overrun), text=text)

    async def _serve(
        self,
        websocket: WebSocket,
        client: StreamClient,
        kind: StreamKind,
        hear: Callable[[bytes], None],
    ) -> None:
        if self._fault(kind, CONNECT) is not None:
            await websocket.close()
            return
        await websocket.accept()
        self._clients[kind].append(client)
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(client.write)
                nursery.start_soon(client.cut_when_stuck)
                self._attend(nursery, kind, client)
                while (message := await client.read()) is not None:
                    hear(message)
                    self._note_listening(kind, client)
                nursery.cancel_scope.cancel()
        finally:
            self._clients[kind].remove(client)
            client.audible.clear()
            self._note_listening(kind, client)

    def _attend(self, nursery: trio.Nursery, kind: StreamKind, client: StreamClient) -> None:
        """What a kind of stream does beside reading and writing."""
        if kind is not StreamKind.TRADING:
            nursery.start_soon(self._await_auth, self._data[kind], client)
        if kind is StreamKind.TEST:
            nursery.start_soon(self._tell_test_feed, client)

    async def _await_auth(self, talk: DataTalk, client: StreamClient) -> None:
        await trio.sleep(AUTH_SECONDS)
        talk.time_out(client)

    async def _tell_test_feed(self, client: StreamClient) -> None:
        def tell(told: Told) -> None:
            self._tell_all(StreamKind.TEST, [client], client.packed, told)

        await tell_test_feed(tell, self._setting.market_ns(), self._setting.seed)

    def _note_listening(self, kind: StreamKind, client: StreamClient) -> None:
        if client.is_listening and client not in self._listening:
            self._listening.add(client)
            self._observer.on_stream(kind, True)
        elif not client.is_listening and client in self._listening:
            self._listening.remove(client)
            self._observer.on_stream(kind, False)

    def _connected(self, kind: StreamKind, account_id: str, client: StreamClient) -> int:
        """The account's other connections."""
        others = (other for other in self._clients[kind] if other is not client)
        return sum(other.account_id == account_id for other in others)

    def _fault(self, kind: StreamKind, method: str, account_id: str = "") -> FaultRule | None:
        return self._setting.ask_fault(method, PATHS[kind], account_id)

"""A simulated broker behind a real socket, over a market that was written down by hand."""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx2
import msgspec
import trio
from trio_websocket import WebSocketConnection, wrap_client_stream

from trader.calendar import session_on
from trader.feeds.market import Instant
from trader.model import MINUTE_NS, Bar, Quote, Symbol
from trader.simulator.admin_rest import Admin
from trader.simulator.application import build_application
from trader.simulator.books import Service
from trader.simulator.broker import Keys, SimulatedBroker
from trader.simulator.faults import FaultRule
from trader.simulator.scheduled import ScheduledEvent
from trader.simulator.server import serve

JD, GS = Symbol("JD"), Symbol("GS")
KEYS = Keys(key="PKTEST", secret="hush")
MONDAY, TUESDAY, WEDNESDAY = "2026-01-26", "2026-01-27", "2026-01-28"
PATIENCE_SECONDS = 20.0  # for what must come; never waited out when all is well

JsonObject = dict[str, object]


def open_ns(date: str) -> int:
    session = session_on(date)
    assert session is not None
    return session.open_ns


class WrittenMarket:
    """JD at 20.00 to 20.02 and GS at 100.00 to 100.10, 100 shares each, every minute of three minutes a session."""

    symbols = (GS, JD)
    minutes = 3

    def session_dates(self) -> list[str]:
        return [MONDAY, TUESDAY, WEDNESDAY]

    def instants(self, session_date: str) -> Iterator[Instant]:
        if session_date not in self.session_dates():
            raise ValueError(session_date)
        yield Instant(at_ns=open_ns(session_date), quotes=self._quotes(open_ns(session_date)))
        for bars in zip(
            *(self._bars(symbol, session_date) for symbol in self.symbols), strict=True
        ):
            at_ns = bars[0].start_ns + MINUTE_NS
            yield Instant(at_ns=at_ns, bars=bars, quotes=self._quotes(at_ns))

    def history(self, symbol: Symbol, before_ns: int, count: int) -> list[Bar]:
        if symbol not in self.symbols:
            return []
        bars = [bar for date in self.session_dates() for bar in self._bars(symbol, date)]
        return [bar for bar in bars if bar.start_ns + bar.span_ns <= before_ns][-count:]

    def _quotes(self, at_ns: int) -> tuple[Quote, ...]:
        return (
            Quote(symbol=GS, at_ns=at_ns, bid=1_000_000, bid_size=100, ask=1_001_000, ask_size=100),
            Quote(symbol=JD, at_ns=at_ns, bid=200_000, bid_size=100, ask=200_200, ask_size=100),
        )

    def _bars(self, symbol: Symbol, date: str) -> list[Bar]:
        price = 1_000_500 if symbol == GS else 200_100
        starts = (open_ns(date) + minute * MINUTE_NS for minute in range(self.minutes))
        return [
            Bar(
                symbol=symbol,
                start_ns=start_ns,
                open=price,
                high=price + 500,
                low=price - 500,
                close=price,
                volume=5_000,
            )
            for start_ns in starts
        ]


class Served:
    """The broker, its address, and a client that shows its keys."""

    def __init__(self, broker: SimulatedBroker, address: str, client: httpx2.AsyncClient) -> None:
        self.broker = broker
        self.address = address
        self.client = client
        self.frames: list[str] = []
        self.streams: list[tuple[str, bool]] = []

    async def get(self, path: str, **parameters: str) -> httpx2.Response:
        return await self.client.get(path, params=parameters)

    async def read(self, path: str, **parameters: str) -> JsonObject:
        response = await self.get(path, **parameters)
        assert response.status_code == 200, response.text
        return msgspec.json.decode(response.content, type=JsonObject)

    async def read_list(self, path: str, **parameters: str) -> list[JsonObject]:
        response = await self.get(path, **parameters)
        assert response.status_code == 200, response.text
        return msgspec.json.decode(response.content, type=list[JsonObject])

    async def post_order(self, **changes: object) -> httpx2.Response:
        """A day limit buy of 10 JD that fills at once, but for the changes; None takes a key out."""
        body: JsonObject = {
            "symbol": "JD",
            "qty": "10",
            "side": "buy",
            "type": "limit",
            "limit_price": "20.05",
            "time_in_force": "day",
        }
        body |= changes
        return await self.post_raw(
            msgspec.json.encode({key: value for key, value in body.items() if value is not None})
        )

    async def post_raw(self, body: bytes) -> httpx2.Response:
        return await self.client.post("/v2/orders", content=body)

    async def order(self, **changes: object) -> JsonObject:
        response = await self.post_order(**changes)
        assert response.status_code == 200, response.text
        return msgspec.json.decode(response.content, type=JsonObject)

    @asynccontextmanager
    async def websocket(
        self, path: str, packed: bool = False, *more: tuple[bytes, bytes]
    ) -> AsyncIterator[WebSocketConnection]:
        headers = [(b"Content-Type", b"application/msgpack")] if packed else []
        headers += more
        host, _, port = self.address.removeprefix("http://").partition(":")
        # The stream is ours, because the client forgets to close it when the server closes first.
        with trio.fail_after(PATIENCE_SECONDS):
            tcp = await trio.open_tcp_stream(host, int(port))
            async with tcp, trio.open_nursery() as nursery:
                connection = await wrap_client_stream(
                    nursery, tcp, host, path, extra_headers=headers
                )
                async with connection:
                    yield connection

    @asynccontextmanager
    async def trading_stream(self) -> AsyncIterator[WebSocketConnection]:
        """Authorized, and listening to trade updates."""
        async with self.websocket("/stream") as connection:
            await say(connection, {"action": "auth", "key": KEYS.key, "secret": KEYS.secret})
            assert (await hear(connection))["stream"] == "authorization"
            await say(connection, {"action": "listen", "data": {"streams": ["trade_updates"]}})
            assert (await hear(connection))["stream"] == "listening"
            yield connection

    @asynccontextmanager
    async def data_stream(
        self, feed: str = "iex", keys: Keys = KEYS, **channels: list[str]
    ) -> AsyncIterator[WebSocketConnection]:
        """Authenticated, and subscribed."""
        async with self.websocket(f"/v2/{feed}") as connection:
            await hear_data(connection)
            await say(connection, {"action": "auth", "key": keys.key, "secret": keys.secret})
            assert (await hear_data(connection))[0]["msg"] == "authenticated"
            await say(connection, {"action": "subscribe", **channels})
            assert (await hear_data(connection))[0]["T"] == "subscription"
            yield connection


async def say(connection: WebSocketConnection, message: JsonObject) -> None:
    await connection.send_message(msgspec.json.encode(message).decode())


async def hear(connection: WebSocketConnection) -> JsonObject:
    return msgspec.json.decode(await connection.get_message(), type=JsonObject)


async def hear_kinds(connection: WebSocketConnection, count: int) -> list[str]:
    """The events of the next trade updates."""
    return [str((await hear_update(connection))["event"]) for _ in range(count)]


async def hear_update(connection: WebSocketConnection) -> JsonObject:
    """The content of the next trade update."""
    return msgspec.convert((await hear(connection))["data"], JsonObject)


async def hear_data(connection: WebSocketConnection) -> list[JsonObject]:
    return msgspec.json.decode(await connection.get_message(), type=list[JsonObject])


@asynccontextmanager
async def served(
    *,
    path: Path | None = None,
    faults: tuple[FaultRule, ...] = (),
    events: tuple[ScheduledEvent, ...] = (),
    service: Service | None = None,
    admin: Admin | None = None,
    date: str = MONDAY,
    first_instant: bool = True,
) -> AsyncIterator[Served]:
    """Standing at 09:30 of the session, with its first quotes unless `first_instant` is off."""
    frames: list[str] = []
    streams: list[tuple[str, bool]] = []
    broker = SimulatedBroker(
        WrittenMarket(),
        keys=KEYS,
        seed=1,
        path=path,
        assets=(Symbol("IBM"),),
        faults=faults,
        events=events,
        service=service,
        on_frame=lambda kind, count: frames.extend([kind] * count),
        on_stream=lambda kind, connected: streams.append((kind, connected)),
    )
    broker.begin_session(date)
    headers = {"APCA-API-KEY-ID": KEYS.key, "APCA-API-SECRET-KEY": KEYS.secret}
    async with trio.open_nursery() as nursery:
        application = build_application(broker, admin)
        address = await nursery.start(serve, application, broker.connections)
        async with httpx2.AsyncClient(base_url=address, headers=headers, trust_env=False) as client:
            standing = Served(broker, address, client)
            standing.frames, standing.streams = frames, streams
            if first_instant:
                await broker.advance()
            yield standing
        nursery.cancel_scope.cancel()
    broker.close()

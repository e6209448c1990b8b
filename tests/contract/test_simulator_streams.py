"""The simulated broker's two streams over real sockets, as clients of both spellings and encodings meet them."""

from typing import TypeVar

import msgspec
import pytest
import trio
from trio_websocket import ConnectionClosed, ConnectionRejected, WebSocketConnection

from tests.simulator_served import (
    KEYS,
    PATIENCE_SECONDS,
    JsonObject,
    hear,
    hear_data,
    say,
    served,
)
from trader.simulator import stream_client, streams
from trader.simulator.market_words import Told

T = TypeVar("T")
AUTH: JsonObject = {"action": "auth", "key": KEYS.key, "secret": KEYS.secret}
AUTHENTICATE: JsonObject = {
    "action": "authenticate",
    "data": {"key_id": KEYS.key, "secret_key": KEYS.secret},
}


# --- trade updates


@pytest.mark.parametrize("greeting", [AUTH, AUTHENTICATE])
async def test_both_spellings_of_the_greeting_are_understood(greeting: JsonObject) -> None:
    async with served() as broker, broker.websocket("/stream") as stream:
        await say(stream, greeting)
        assert await hear(stream) == {
            "stream": "authorization",
            "data": {"status": "authorized", "action": "authenticate"},
        }


async def test_a_stranger_hears_nothing() -> None:
    async with served() as broker, broker.websocket("/stream") as stream:
        await say(stream, {"action": "listen", "data": {"streams": ["trade_updates"]}})
        assert await hear(stream) == {
            "stream": "authorization",
            "data": {"status": "unauthorized", "action": "listen"},
        }
        await say(stream, {**AUTH, "secret": "guess"})
        heard = await hear(stream)
        assert heard["data"] == {"status": "unauthorized", "action": "authenticate"}
        await broker.order()
        assert broker.frames == []
        await say(stream, AUTH)
        assert (await hear(stream))["stream"] == "authorization"


async def test_an_order_is_told_step_by_step_in_binary_frames() -> None:
    async with served() as broker, broker.trading_stream() as stream:
        order = await broker.order(qty="150")
        frames = [await stream.get_message() for _ in range(3)]
        assert all(isinstance(frame, bytes) for frame in frames)
        told = [msgspec.json.decode(frame, type=Update).data for frame in frames]
        assert [update.event for update in told] == ["pending_new", "new", "partial_fill"]
        assert [update.order["status"] for update in told] == [
            "pending_new",
            "new",
            "partially_filled",
        ]
        assert told[0].order == order
        assert told[0].execution_id is None
        assert (told[2].price, told[2].qty, told[2].position_qty) == ("20.02", "100", "100")
        await broker.broker.advance()
        rest = msgspec.json.decode(await stream.get_message(), type=Update).data
        assert (rest.event, rest.qty, rest.position_qty) == ("fill", "50", "150")
        fills = await broker.read_list("/v2/account/activities/FILL")
        assert [fill["id"] for fill in fills] == [
            f"20260126143100000::{rest.execution_id}",
            f"20260126143000000::{told[2].execution_id}",
        ]


class UpdateData(msgspec.Struct):
    event: str
    order: JsonObject
    timestamp: str
    execution_id: str | None = None
    price: str | None = None
    qty: str | None = None
    position_qty: str | None = None


class Update(msgspec.Struct):
    stream: str
    data: UpdateData


async def test_a_cancel_and_an_expiry_are_told() -> None:
    async with served() as broker, broker.trading_stream() as stream:
        order = await broker.order(limit_price="19.00")
        await broker.client.delete(f"/v2/orders/{order['id']}")
        await broker.order(limit_price="19.00")
        while await broker.broker.advance() is not None:
            pass
        kinds = [
            msgspec.json.decode(await stream.get_message(), type=Update).data.event
            for _ in range(7)
        ]
        assert kinds == [
            "pending_new",
            "new",
            "pending_cancel",
            "canceled",
            "pending_new",
            "new",
            "expired",
        ]


async def test_a_client_that_stops_listening_hears_no_more() -> None:
    async with served() as broker, broker.trading_stream() as stream:
        await say(stream, {"action": "listen", "data": {"streams": []}})
        assert await hear(stream) == {"stream": "listening", "data": {"streams": []}}
        await broker.order()
        assert broker.frames == []
        assert broker.streams == [("trading", True), ("trading", False)]


async def test_every_frame_of_an_event_is_counted_and_none_of_a_greeting() -> None:
    async with served() as broker, broker.trading_stream() as stream:
        assert broker.frames == []
        await broker.order()
        assert broker.frames == ["trading"] * 3
        for _ in range(3):
            await stream.get_message()
        async with broker.data_stream(bars=["*"], quotes=["JD"]) as data:
            await broker.broker.advance()
            assert broker.frames[3:] == ["data", "data"]
            assert {(await hear_data(data))[0]["T"] for _ in range(2)} == {"b", "q"}


async def test_nonsense_on_the_trading_stream_ends_it() -> None:
    async with served() as broker, broker.websocket("/stream") as stream:
        await stream.send_message(b"\xff not json")
        assert (await hear(stream))["action"] == "error"
        with pytest.raises(ConnectionClosed):
            await stream.get_message()


async def test_a_stream_that_is_closed_is_noted() -> None:
    async with served() as broker:
        async with broker.trading_stream():
            assert broker.streams == [("trading", True)]
        with trio.fail_after(PATIENCE_SECONDS):
            while len(broker.streams) < 2:
                await trio.lowlevel.checkpoint()
        assert broker.streams == [("trading", True), ("trading", False)]


# --- market data


async def test_data_is_told_in_arrays_to_those_who_subscribed() -> None:
    async with (
        served(first_instant=False) as broker,
        broker.data_stream(bars=["*"], quotes=["JD", "NONE"]) as stream,
    ):
        await broker.broker.advance()
        (quote,) = await hear_data(stream)
        assert {key: quote[key] for key in ("T", "S", "bp", "bs", "ap", "as", "t")} == {
            "T": "q",
            "S": "JD",
            "bp": 20.0,
            "bs": 100,
            "ap": 20.02,
            "as": 100,
            "t": "2026-01-26T14:30:00.000Z",
        }
        await broker.broker.advance()
        assert (await hear_data(stream))[0]["T"] == "q", "a bar is judged with its price"
        bars = await hear_data(stream)
        assert [(bar["T"], bar["S"], bar["c"]) for bar in bars] == [
            ("b", "GS", 100.05),
            ("b", "JD", 20.01),
        ]
        assert bars[0]["t"] == "2026-01-26T14:30:00.000Z"


async def test_messagepack_is_spoken_where_the_handshake_says_so() -> None:
    async with served() as broker, broker.websocket("/v2/iex", packed=True) as stream:
        assert await hear_packed(stream, list[JsonObject]) == [{"T": "success", "msg": "connected"}]
        await stream.send_message(msgspec.msgpack.encode(AUTH))
        assert await hear_packed(stream, list[JsonObject]) == [
            {"T": "success", "msg": "authenticated"}
        ]
        await say(stream, {"action": "subscribe", "bars": ["JD"]})
        assert (await hear_packed(stream, list[JsonObject]))[0]["bars"] == ["JD"]
        await broker.broker.advance()
        (bar,) = await hear_packed(stream, list[PackedBar])
        assert (bar.symbol, bar.close, bar.volume) == ("JD", 20.01, 5_000)
        assert bar.time.code == -1
        packed = int.from_bytes(bar.time.data, "big")
        assert (packed >> 34, packed & (1 << 34) - 1) == (0, 1_769_437_800)


async def test_who_asks_for_messagepack_hears_of_orders_in_it_what_others_hear_in_json() -> None:
    async with (
        served() as broker,
        broker.trading_stream() as others,
        broker.websocket("/stream", packed=True) as stream,
    ):
        await stream.send_message(msgspec.msgpack.encode(AUTH))
        greeted = await hear_packed(stream, JsonObject)
        assert greeted == {
            "stream": "authorization",
            "data": {"status": "authorized", "action": "authenticate"},
        }
        listen = {"action": "listen", "data": {"streams": ["trade_updates"]}}
        await stream.send_message(msgspec.msgpack.encode(listen))
        assert (await hear_packed(stream, JsonObject))["stream"] == "listening"
        await broker.order(client_order_id="packed")
        resting = await broker.order(client_order_id="resting", limit_price="19.00")
        assert (await broker.client.delete(f"/v2/orders/{resting['id']}")).status_code == 204
        told = [await hear_packed(stream, JsonObject) for _ in range(7)]
        assert told == [await hear(others) for _ in range(7)]
        updates = [msgspec.convert(one["data"], JsonObject) for one in told]
        assert [one["event"] for one in updates] == [
            *("pending_new", "new", "fill"),
            *("pending_new", "new", "pending_cancel", "canceled"),
        ]
        fill = updates[2]
        assert (fill["price"], fill["qty"], fill["position_qty"]) == ("20.02", "10", "10")
        assert fill["timestamp"] == "2026-01-26T14:30:00.000Z"
        assert msgspec.convert(fill["order"], JsonObject)["client_order_id"] == "packed"


async def hear_packed(stream: WebSocketConnection, kind: type[T]) -> T:
    message = await stream.get_message()
    assert isinstance(message, bytes)
    return msgspec.msgpack.decode(message, type=kind)


class PackedBar(msgspec.Struct, kw_only=True):
    symbol: str = msgspec.field(name="S")
    close: float = msgspec.field(name="c")
    volume: int = msgspec.field(name="v")
    time: msgspec.msgpack.Ext = msgspec.field(name="t")


async def test_subscriptions_add_up_and_are_taken_back() -> None:
    async with served() as broker, broker.data_stream(trades=["JD"], bars=["*"]) as stream:
        await say(stream, {"action": "subscribe", "quotes": ["GS"], "bars": ["JD"]})
        (ack,) = await hear_data(stream)
        assert ack == {
            "T": "subscription",
            "trades": ["JD"],
            "quotes": ["GS"],
            "bars": ["*", "JD"],
            "updatedBars": [],
            "dailyBars": [],
            "statuses": [],
            "lulds": [],
            "corrections": ["JD"],
            "cancelErrors": ["JD"],
        }
        gone = {"bars": ["*", "JD"], "quotes": ["GS"], "trades": ["JD"]}
        await say(stream, {"action": "unsubscribe", **gone})
        (ack,) = await hear_data(stream)
        assert (ack["bars"], ack["quotes"], ack["corrections"]) == ([], [], [])
        await broker.broker.advance()
        assert broker.frames == []


async def test_one_account_has_one_data_connection() -> None:
    async with (
        served() as broker,
        broker.data_stream(bars=["*"]),
        broker.websocket("/v2/iex") as second,
    ):
        await hear_data(second)
        await say(second, AUTH)
        assert await hear_data(second) == [
            {"T": "error", "code": 406, "msg": "connection limit exceeded"}
        ]
        with pytest.raises(ConnectionClosed):
            await second.get_message()
    async with served() as broker:
        for _ in range(2):
            async with broker.data_stream(bars=["*"]):
                pass
            with trio.fail_after(PATIENCE_SECONDS):
                while ("data", False) not in broker.streams:
                    await trio.lowlevel.checkpoint()
            broker.streams.clear()


@pytest.mark.parametrize(
    ("message", "code"),
    [
        (b"not json", 400),
        (b'{"action":"dance"}', 401),
        (b'{"action":"subscribe","bars":["JD"]}', 401),
        (b'{"action":"auth","key":"x","secret":"y"}', 402),
    ],
)
async def test_a_stranger_to_the_data_gets_an_error(message: bytes, code: int) -> None:
    async with served() as broker, broker.websocket("/v2/iex") as stream:
        await hear_data(stream)
        await stream.send_message(message)
        assert (await hear_data(stream))[0]["code"] == code


@pytest.mark.parametrize(
    ("message", "code"),
    [
        ({"action": "dance"}, 400),
        (AUTH, 403),
        ({"action": "subscribe", "news": ["*"], "quotes": ["JD"]}, 410),
        ({"action": "unsubscribe", "orderbooks": ["*"], "bars": ["JD"]}, 410),
        ({"action": "subscribe", "bars": [f"S{n}" for n in range(10_001)]}, 405),
    ],
)
async def test_an_error_leaves_the_data_stream_as_it_was(message: JsonObject, code: int) -> None:
    async with served() as broker, broker.data_stream(bars=["JD"]) as stream:
        await say(stream, message)
        assert (await hear_data(stream))[0]["code"] == code
        await say(stream, {"action": "subscribe"})
        assert (await hear_data(stream))[0]["bars"] == ["JD"]


async def test_who_says_nothing_is_shown_the_door(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams, "AUTH_SECONDS", 0.0)
    async with served() as broker, broker.websocket("/v2/iex") as stream:
        codes = [frame[0].get("code") for frame in [await hear_data(stream) for _ in range(2)]]
        assert codes == [None, 404]
        with pytest.raises(ConnectionClosed):
            await stream.get_message()


async def test_a_feed_that_does_not_exist_has_no_stream() -> None:
    async with served() as broker:
        with pytest.RaisesGroup(ConnectionRejected):
            async with broker.websocket("/v2/nowhere"):
                pass


async def test_a_client_that_reads_too_slowly_is_cut_off_and_the_others_are_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(stream_client, "FRAMES_MAX", 2)
    async with served() as broker, broker.trading_stream() as stream:
        async with broker.data_stream(bars=["*"], quotes=["*"]) as slow:
            # No checkpoint between these: nothing of it can leave.
            instants = list(broker.broker.market.instants("2026-01-26"))
            for instant in instants[1:3]:
                told: Told = {"bars": [*instant.bars], "quotes": [*instant.quotes]}
                broker.broker.streams.tell_market(told)
            assert await hear_data(slow) == [{"T": "error", "code": 407, "msg": "slow client"}]
            with pytest.raises(ConnectionClosed):
                await slow.get_message()
        assert broker.streams[-1] == ("data", False)
        await broker.order(limit_price="19")
        assert (await hear(stream))["stream"] == "trade_updates"

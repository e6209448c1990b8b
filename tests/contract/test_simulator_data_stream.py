"""The market-data stream's channels, its limits, and what it tells of scheduled events, over real sockets."""

from decimal import Decimal
from itertools import islice

import msgspec
import pytest
from trio_websocket import ConnectionClosed, WebSocketConnection
from wsproto.events import TextMessage

from tests.simulator_served import (
    JD,
    KEYS,
    MONDAY,
    JsonObject,
    Served,
    hear_data,
    open_ns,
    say,
    served,
)
from trader.calendar import iso
from trader.model import MINUTE_NS, SECOND_NS, Bar, Symbol
from trader.simulator import fakepaca
from trader.simulator.books import Service
from trader.simulator.market_tape import trades_of
from trader.simulator.plan import PLANS
from trader.simulator.scheduled import EventName, ScheduledEvent

AUTH: JsonObject = {"action": "auth", "key": KEYS.key, "secret": KEYS.secret}
OPEN_NS = open_ns(MONDAY)


def jd(name: EventName, at_ns: int, **more: object) -> ScheduledEvent:
    plain = {"at_ns": at_ns, "name": name, "symbol": JD}
    return msgspec.convert(plain | more, ScheduledEvent)


async def advance(broker: Served, instants: int = 1) -> None:
    for _ in range(instants):
        await broker.broker.advance()


async def next_of(stream: WebSocketConnection, kind: str) -> JsonObject:
    """The first message of that T, whatever is told before it."""
    while True:
        for message in await hear_data(stream):
            if message["T"] == kind:
                return message


async def test_trades_are_made_of_bars_and_add_up_to_them() -> None:
    async with served() as broker, broker.data_stream(trades=["JD"], bars=["JD"]) as stream:
        await advance(broker)
        trades = await hear_data(stream)
        (bar,) = await hear_data(stream)
        assert [trade["T"] for trade in trades] == ["t"] * 4
        assert trades[0]["p"] == bar["o"]
        assert trades[-1]["p"] == bar["c"]
        prices = [float(str(trade["p"])) for trade in trades]
        assert (max(prices), min(prices)) == (bar["h"], bar["l"])
        assert sum(int(str(trade["s"])) for trade in trades) == bar["v"]
        assert {"i", "x", "c", "z", "t"} <= trades[0].keys()
        assert trades[0]["t"] == bar["t"]


@pytest.mark.parametrize("volume", [0, 1, 3, 10])
def test_a_bar_of_few_shares_is_made_of_few_trades(volume: int) -> None:
    bar = Bar(
        symbol=JD, start_ns=OPEN_NS, open=1_000, high=3_000, low=500, close=2_000, volume=volume
    )
    trades = trades_of(bar)
    assert sum(trade.size for trade in trades) == volume
    assert len(trades) == min(4, volume)
    assert not trades or trades[-1].price == bar.close
    assert all(bar.start_ns <= trade.at_ns < bar.start_ns + bar.span_ns for trade in trades)


async def test_the_days_bar_grows_and_begins_anew() -> None:
    async with served() as broker, broker.data_stream(dailyBars=["JD"]) as stream:
        await advance(broker, 2)
        first, second = await next_of(stream, "d"), await next_of(stream, "d")
        assert [first["v"], second["v"]] == [5_000, 10_000]
        assert first["t"] == second["t"] == "2026-01-26T05:00:00.000Z", "New York's midnight"


async def test_a_days_bar_asked_for_late_has_the_whole_day() -> None:
    async with served() as broker:
        await advance(broker, 2)
        async with broker.data_stream(dailyBars=["*"]) as stream:
            await advance(broker)
            assert (await next_of(stream, "d"))["v"] == 15_000


async def test_price_bands_are_told_once_until_they_move() -> None:
    async with served() as broker, broker.data_stream(lulds=["JD"], bars=["JD"]) as stream:
        await advance(broker, 2)
        messages = [await hear_data(stream) for _ in range(3)]
        assert [message[0]["T"] for message in messages] == ["b", "l", "b"]
        band = messages[1][0]
        assert (band["u"], band["d"], band["i"]) == (21.01, 19.01, "B")


async def test_a_halt_silences_a_symbol_and_is_told() -> None:
    halt = jd(EventName.HALT, OPEN_NS + MINUTE_NS, duration_ns=90 * SECOND_NS)
    async with served(events=(halt,)) as broker:
        async with broker.data_stream(statuses=["*"], bars=["*"], quotes=["*"]) as stream:
            await advance(broker)
            status = (await hear_data(stream))[0]
            assert [status[key] for key in ("T", "S", "sc", "rc", "t")] == [
                "s",
                "JD",
                "H",
                "T1",
                "2026-01-26T14:31:00.000Z",
            ]
            assert [quote["S"] for quote in await hear_data(stream)] == ["GS"]
            held = await broker.order()
            assert held["status"] == "pending_new"
            assert (await broker.read(f"/v2/orders/{held['id']}"))["filled_qty"] == "0"
            await advance(broker, 2)
            resumed = await next_of(stream, "s")
            assert (resumed["sc"], resumed["t"]) == ("T", iso(OPEN_NS + 150 * SECOND_NS))
            assert [quote["S"] for quote in await hear_data(stream)] == ["GS", "JD"]
        assert (await broker.read(f"/v2/orders/{held['id']}"))["filled_qty"] == "10"


async def test_a_gap_moves_the_market_and_nothing_before_it() -> None:
    gap = jd(EventName.GAP, OPEN_NS + 90 * SECOND_NS, ratio="0.5")
    async with served(events=(gap,)) as broker, broker.data_stream(bars=["JD"]) as stream:
        await advance(broker, 2)
        assert [(await next_of(stream, "b"))["c"] for _ in range(2)] == [20.01, 10.0]
        reply = await broker.get("/v2/stocks/bars", symbols="JD")
        assert [bar["c"] for bar in reply.json()["bars"]["JD"]] == [20.01, 10.0]
        order = await broker.order(limit_price="10.02", client_order_id="cheap")
        assert (await broker.read(f"/v2/orders/{order['id']}"))["filled_avg_price"] == "10.01"


@pytest.mark.parametrize(
    ("more", "kind", "last"),
    [
        ({"what": "trade"}, "x", {"p": 60.03, "a": "C"}),
        ({"what": "trade", "description": "correct"}, "c", {"op": 60.03, "cp": 20.01}),
        ({"what": "bar"}, "u", {"h": 20.06}),
        ({"what": "quote"}, "q", {"bp": 20.0}),
    ],
)
async def test_a_bad_tick_is_told_taken_back_and_traded_by_nobody(
    more: JsonObject, kind: str, last: JsonObject
) -> None:
    bad = jd(
        EventName.BAD_TICK, OPEN_NS + 61 * SECOND_NS, ratio="3", duration_ns=9 * SECOND_NS, **more
    )
    one = ["JD"]
    async with served(events=(bad,)) as broker:
        await advance(broker)
        async with broker.data_stream(trades=one, quotes=one, bars=one, updatedBars=one) as stream:
            resting = await broker.order(side="buy", limit_price="19")
            await advance(broker)
            (told,) = await hear_data(stream)
            wrong = {"trade": "p", "bar": "c", "quote": "bp"}[str(more["what"])]
            assert told[wrong] in (60.03, 60.0)
            (taken_back,) = await hear_data(stream)
            assert taken_back["T"] == kind
            assert {key: taken_back[key] for key in last} == last
        assert (await broker.read(f"/v2/orders/{resting['id']}"))["status"] == "new"
        assert broker.broker.tape.quotes[JD].bid == 200_000


async def test_the_test_feed_speaks_of_one_symbol_at_any_time() -> None:
    async with served() as broker:
        while await broker.broker.advance() is not None:
            pass  # The exchange is shut.
        async with broker.data_stream("test", trades=["FAKEPACA"], quotes=["*"]) as stream:
            trade, quote = (await hear_data(stream))[0], (await hear_data(stream))[0]
            assert (trade["T"], trade["S"]) == ("t", "FAKEPACA")
            assert (quote["T"], quote["S"]) == ("q", "FAKEPACA")


def test_the_test_feed_repeats_itself_and_has_minutes() -> None:
    seconds = list(islice(fakepaca.told_each_second(OPEN_NS, 7), 121))
    assert seconds == list(islice(fakepaca.told_each_second(OPEN_NS, 7), 121))
    bars = [bar for told in seconds for bar in told.get("bars", [])]
    assert [bar.start_ns for bar in bars if isinstance(bar, Bar)] == [OPEN_NS, OPEN_NS + MINUTE_NS]
    assert {word.symbol for told in seconds for words in told.values() for word in words} == {
        Symbol("FAKEPACA")
    }


async def test_keys_may_come_with_the_handshake() -> None:
    async with served() as broker:
        shown = (
            (b"APCA-API-KEY-ID", KEYS.key.encode()),
            (
                b"APCA-API-SECRET-KEY",
                KEYS.secret.encode(),
            ),
        )
        async with broker.websocket("/v2/sip", False, *shown) as stream:
            words = [(await hear_data(stream))[0]["msg"] for _ in range(2)]
            assert words == ["connected", "authenticated"]
        async with broker.websocket("/v2/sip", False, (b"APCA-API-KEY-ID", b"x")) as stream:
            assert (await hear_data(stream))[0]["msg"] == "connected"
            assert (await hear_data(stream))[0]["code"] == 402


async def test_a_long_subscription_may_come_in_pieces() -> None:
    symbols = [f"S{number}" for number in range(6_000)]
    message = msgspec.json.encode({"action": "subscribe", "quotes": symbols})
    assert len(message) > 32 * 1024
    async with served() as broker, broker.data_stream(bars=["JD"]) as stream:
        third = len(message) // 3
        for start in range(0, 3 * third + 1, third):
            is_last = start + third > 3 * third
            part = message[start:] if is_last else message[start : start + third]
            await stream._send(_fragment(part.decode(), is_last))
            if is_last:
                break
        (ack,) = await hear_data(stream)
        assert ack["quotes"] == sorted(symbols)


def _fragment(text: str, is_last: bool) -> TextMessage:
    return TextMessage(data=text, message_finished=is_last)


@pytest.mark.parametrize("symbol", ["jd", "", "J D", "*JD", "A" * 13])
async def test_a_malformed_symbol_is_invalid_syntax_and_changes_nothing(symbol: str) -> None:
    async with served() as broker, broker.data_stream(bars=["JD"]) as stream:
        await say(stream, {"action": "subscribe", "bars": ["GS", symbol]})
        assert await hear_data(stream) == [{"T": "error", "code": 400, "msg": "invalid syntax"}]
        await say(stream, {"action": "subscribe"})
        assert (await hear_data(stream))[0]["bars"] == ["JD"]


async def test_the_free_plan_has_one_feed_and_thirty_symbols() -> None:
    async with served(service=Service(plan=PLANS["free"])) as broker:
        async with broker.websocket("/v2/sip") as stream:
            await hear_data(stream)
            await say(stream, AUTH)
            assert (await hear_data(stream))[0]["code"] == 409
            with pytest.raises(ConnectionClosed):
                await stream.get_message()
        many = [f"S{number}" for number in range(31)]
        async with broker.data_stream(bars=many) as stream:
            await say(stream, {"action": "subscribe", "trades": many})
            assert (await hear_data(stream))[0]["code"] == 405
            await say(stream, {"action": "subscribe", "trades": many[:30], "quotes": ["*"]})
            assert (await hear_data(stream))[0]["T"] == "subscription"
        for path in ("bars", "quotes/latest"):
            reply = await broker.get(f"/v2/stocks/{path}", symbols="JD")
            assert (reply.status_code, reply.json()["message"]) == (
                403,
                "subscription does not permit querying recent SIP data",
            )
            reply = await broker.get(f"/v2/stocks/{path}", symbols="JD", feed="iex")
            assert reply.status_code == 200
        past = await broker.get("/v2/stocks/bars", symbols="JD", end="2026-01-25")
        assert past.status_code == 200


async def test_trade_updates_may_travel_in_text_frames() -> None:
    for text_frames, kind in ((False, bytes), (True, str)):
        service = Service(text_frames=text_frames)
        async with served(service=service) as broker, broker.trading_stream() as stream:
            await broker.order()
            assert isinstance(await stream.get_message(), kind)


async def test_the_ratio_of_a_bad_tick_is_exact() -> None:
    bad = jd(EventName.BAD_TICK, OPEN_NS + 61 * SECOND_NS, price=Decimal("0.07"), what="trade")
    async with served(events=(bad,)) as broker, broker.data_stream(trades=["JD"]) as stream:
        await advance(broker, 2)
        assert len(await hear_data(stream)) == 4
        assert [trade["p"] for trade in await hear_data(stream)] == [0.07]

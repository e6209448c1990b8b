"""Lines that answer every ping and tell nothing, and the bars that were missed: over real sockets."""

import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial

import msgspec
import pytest
import trio
from msgspec import Struct
from trio_websocket import ConnectionClosed, WebSocketConnection

from tests.alpaca_fakes import (
    BAR,
    KEYS,
    QUOTE,
    SYMBOLS,
    Heard,
    HttpFake,
    Json,
    Request,
    Script,
    SocketFake,
    account_json,
    data_saying,
    fill_json,
    http_fake,
    order_json,
    packed,
    reply,
    routed,
    saying,
    socket_fake,
    update_json,
)
from trader.brokers.alpaca import AlpacaBroker, AlpacaFeed, Links
from trader.brokers.alpaca.stream import StreamDeadlines
from trader.messages import Gate, GateReport, OrderReport
from trader.model import MINUTE_NS, SECOND_NS, Bar, PriceBand, Quote, Tick

WATCHFUL = StreamDeadlines(
    back_off_min=0.01, back_off_max=0.05, look_every=0.01, untold=0.05, backfill=0.3
)
NOON_NS = 1_769_446_800 * SECOND_NS
Routes = dict[str, Callable[[Request], bytes]]


class Market:
    """A clock that stands where a test puts it, and whether anybody should be trading then."""

    def __init__(self) -> None:
        self.now_ns = NOON_NS
        self.is_regular = True
        self.looks = 0
        self._looked = trio.Event()

    def market_ns(self) -> int:
        return self.now_ns

    def is_expected(self, _at_ns: int) -> bool:
        self.looks += 1
        self._looked.set()
        return self.is_regular

    async def looked_at(self, times: int) -> None:
        until = self.looks + times
        with trio.fail_after(10):
            while self.looks < until:
                self._looked = trio.Event()
                await self._looked.wait()


class Fed(Struct, frozen=True):
    """What arrives, and the servers."""

    data: trio.MemoryReceiveChannel[Tick]
    heard: Heard
    streams: SocketFake
    http: HttpFake

    async def next(self) -> Tick:
        with trio.fail_after(10):
            return await self.data.receive()

    async def gate(self) -> GateReport:
        report = await self.heard.next()
        assert isinstance(report, GateReport)
        return report


@asynccontextmanager
async def fed(market: Market, *scripts: Script, routes: Routes | None = None) -> AsyncIterator[Fed]:
    heard = Heard()
    send, receive = trio.open_memory_channel[Tick](1_000)
    async with socket_fake(scripts) as streams, http_fake(routed(routes or {})) as http:
        feed = AlpacaFeed(
            rest_url=http.url,
            stream_url=streams.url,
            credentials=KEYS,
            symbols=SYMBOLS,
            market_ns=market.market_ns,
            is_expected=market.is_expected,
            links=Links(stream_deadlines=WATCHFUL),
        )
        async with feed, trio.open_nursery() as nursery:
            with trio.fail_after(10):
                await nursery.start(partial(feed.run, send.send_nowait, heard.hear))
            yield Fed(receive, heard, streams, http)
            nursery.cancel_scope.cancel()


def then(first: Script, event: trio.Event, *frames: object) -> Script:
    """Say these when the event comes; None hangs up."""

    async def speak(connection: WebSocketConnection) -> None:
        await event.wait()
        for frame in frames:
            if frame is None:
                await connection.aclose(1001, "maintenance")
            else:
                await connection.send_message(msgspec.msgpack.encode(frame))

    async def script(connection: WebSocketConnection) -> None:
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(speak, connection)
                await first(connection)
        except* ConnectionClosed:
            pass

    return script


# --- the data stream


async def test_a_mute_data_stream_is_left_and_the_gate_opens_with_the_next_tick() -> None:
    market, speak = Market(), trio.Event()
    routes: Routes = {"GET /v2/stocks/bars?": lambda _: reply(200, {"bars": {}})}
    scripts = data_saying([QUOTE]), then(data_saying(), speak, [QUOTE])
    async with fed(market, *scripts, routes=routes) as on:
        assert (await on.gate()).is_open
        await on.next()
        await market.looked_at(2)
        market.now_ns += 151 * SECOND_NS
        lost = await on.gate()
        assert (lost.gate, lost.is_open) == (Gate.MARKET_DATA, False)
        assert lost.reason == "no market data for 150 s"
        await market.looked_at(10)
        assert on.streams.connections == 2
        assert len(on.http.requests) == 1, "what was missed is asked for"
        assert on.heard.is_empty(), "a new line that says nothing either is no better"
        speak.set()
        assert (await on.gate()).is_open
        await on.next()


async def test_a_market_that_is_closed_may_be_silent_for_as_long_as_it_likes() -> None:
    market, speak = Market(), trio.Event()
    market.is_regular = False
    async with fed(market, then(data_saying(), speak, [QUOTE])) as on:
        assert (await on.gate()).is_open
        for _ in range(5):
            market.now_ns += 3_600 * SECOND_NS
            await market.looked_at(2)
        market.is_regular = True
        await market.looked_at(2)
        market.now_ns += 150 * SECOND_NS  # Since the open: not too long yet.
        await market.looked_at(2)
        speak.set()
        await on.next()
        assert on.heard.is_empty()
        assert on.streams.connections == 1


def bar_json(minute: int) -> Json:
    """The bar of so many minutes past noon, as REST tells it."""
    stamp = f"2026-01-26T17:{minute:02}:00Z"
    return {"t": stamp, "o": 22, "h": 22.5, "l": 21.9, "c": 22.1, "v": 900, "n": 3, "vw": 22.0}


def bar_frame(minute: int, symbol: str = "T") -> list[Json]:
    seconds = NOON_NS // SECOND_NS + 60 * minute
    return [BAR | {"S": symbol, "t": msgspec.msgpack.Ext(-1, seconds.to_bytes(4, "big"))}]


def told(bar: Tick) -> tuple[str, int]:
    assert isinstance(bar, Bar)
    return str(bar.symbol), (bar.start_ns - NOON_NS) // MINUTE_NS


async def test_bars_that_were_missed_come_before_new_ones_and_once() -> None:
    market, cut = Market(), trio.Event()
    market.now_ns = NOON_NS + 11 * MINUTE_NS + 2 * SECOND_NS
    pages = iter(
        [
            {"bars": {"JD": [bar_json(minute) for minute in (11, 12)]}, "next_page_token": "more"},
            {"bars": {"T": [*map(bar_json, (10, 11, 12)), bar_json(13) | {"v": 1}]}},
        ]
    )
    routes: Routes = {"GET /v2/stocks/bars?": lambda _: reply(200, next(pages))}
    first = then(data_saying(bar_frame(10)), cut, None)
    again = data_saying(bar_frame(12), bar_frame(12, "JD"), bar_frame(13), [QUOTE])
    async with fed(market, first, again, routes=routes) as on:
        assert told(await on.next()) == ("T", 10)
        market.now_ns = NOON_NS + 13 * MINUTE_NS + 30 * SECOND_NS
        cut.set()
        bars = [await on.next() for _ in range(5)]
        assert isinstance(await on.next(), Quote)
        assert isinstance(bars[-1], Bar)
        assert bars[-1].volume == 900, "not the one that had not ended"
        assert [told(bar) for bar in bars] == [
            ("JD", 11),
            ("T", 11),
            ("JD", 12),
            ("T", 12),
            ("T", 13),
        ]
        targets = on.http.targets("GET")
    assert len(targets) == 2
    assert "symbols=JD%2CT" in targets[0]
    assert "start=2026-01-26T17%3A11%3A00" in targets[0]
    assert "page_token=more" in targets[1]


async def test_bars_that_cannot_be_had_are_missed_aloud_and_the_stream_goes_on(
    caplog: pytest.LogCaptureFixture,
) -> None:
    market, cut = Market(), trio.Event()
    routes: Routes = {"GET /v2/stocks/bars?": lambda _: reply(500)}
    first = then(data_saying(bar_frame(0)), cut, None)
    async with fed(market, first, data_saying(bar_frame(9)), routes=routes) as on:
        assert told(await on.next()) == ("T", 0)
        market.now_ns = NOON_NS + 9 * MINUTE_NS + 30 * SECOND_NS
        cut.set()
        assert told(await on.next()) == ("T", 9)
        assert [(await on.gate()).is_open for _ in range(3)] == [True, False, True]
    assert "the bars since the loss are missing: GET /v2/stocks/bars: HTTP 500" in caplog.text


async def test_a_short_loss_asks_for_nothing() -> None:
    market, cut = Market(), trio.Event()
    async with fed(
        market,
        then(data_saying(bar_frame(0), bar_frame(0, "JD")), cut, None),
        data_saying(bar_frame(1)),
    ) as on:
        for _ in SYMBOLS:
            await on.next()
        market.now_ns = NOON_NS + MINUTE_NS + 30 * SECOND_NS
        cut.set()
        assert told(await on.next()) == ("T", 1)
        assert on.http.requests == []


async def test_a_price_band_of_before_a_loss_holds_nothing_back_after_it() -> None:
    market, cut = Market(), trio.Event()
    stamp = msgspec.msgpack.Ext(-1, (NOON_NS // SECOND_NS).to_bytes(4, "big"))
    band: Json = {"T": "l", "S": "T", "u": 23.1, "d": 20.9, "i": "B", "z": "A", "t": stamp}
    first = then(data_saying([band]), cut, None)
    async with fed(market, first, data_saying(bar_frame(1), bar_frame(2))) as on:
        told = await on.next()
        cut.set()
        forgotten = await on.next()
        assert isinstance(told, PriceBand)
        assert isinstance(forgotten, PriceBand)
        assert (told.up, forgotten.symbol, forgotten.up) == (231_000, told.symbol, 0)
        assert isinstance(await on.next(), Bar)


# --- the trading stream

FILLED = order_json(status="filled", filled_qty="33", updated_at="2026-01-26T19:19:05Z")
FILL_FRAME = packed(update_json("fill", FILLED, execution_id="x1", price="25.49", qty="33"))


@asynccontextmanager
async def followed(*scripts: Script) -> AsyncIterator[tuple[AlpacaBroker, Heard, list[Json]]]:
    """The trading stream followed, beside an account in which the orders of the list have been filled."""
    heard = Heard()
    orders: list[Json] = []
    routes: Routes = {
        "GET /v2/account": lambda _: reply(200, account_json()),
        "GET /v2/account/activities?": lambda _: reply(200, []),
        "GET /v2/account/activities/FILL": lambda one: reply(
            200, [fill_json() for _ in orders if b"page_token" not in one.head]
        ),
        "GET /v2/orders?": lambda _: reply(200, orders),
        "GET /v2/positions": lambda _: reply(200, []),
    }
    async with (
        socket_fake(scripts) as streams,
        http_fake(routed(routes)) as http,
        AlpacaBroker(
            base_url=http.url,
            stream_url=streams.url,
            credentials=KEYS,
            name="test",
            market_ns=lambda: 0,
            links=Links(stream_deadlines=WATCHFUL),
        ) as broker,
        trio.open_nursery() as nursery,
    ):
        with trio.fail_after(10):
            await nursery.start(broker.follow, heard.hear)
        assert (await heard.next()).is_open  # type: ignore[union-attr]
        yield broker, heard, orders
        nursery.cancel_scope.cancel()


async def test_a_trading_stream_that_keeps_a_polled_fill_to_itself_is_left_for_a_new_one() -> None:
    async with followed(saying(), saying()) as (broker, heard, orders):
        await broker.statement(0)
        orders.append(FILLED)
        await broker.statement(0)
        lost = await heard.next()
        assert isinstance(lost, GateReport)
        assert not lost.is_open
        assert lost.reason == "connected but mute: no word of trd1-sma-JD-b-0f3a9c in 0.05 s"
        assert (await heard.next()).is_open  # type: ignore[union-attr]


async def test_what_a_stream_told_before_the_poll_found_it_is_no_news() -> None:
    async with followed(saying(FILL_FRAME), saying()) as (broker, heard, orders):
        assert isinstance(await heard.next(), OrderReport)
        await broker.statement(0)
        orders.append(FILLED)
        for _ in range(3):
            await broker.statement(0)
        assert broker._witness.overdue(trio.current_time() + 1_000, 0) is None
        assert heard.is_empty()


async def test_what_happened_before_the_stream_was_there_is_told_by_nobody(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO)
    async with followed(saying()) as (broker, heard, orders):
        orders.append(FILLED)
        for _ in range(2):
            await broker.statement(0)
        assert broker._witness.overdue(trio.current_time() + 1_000, 0) is None
        assert heard.is_empty()

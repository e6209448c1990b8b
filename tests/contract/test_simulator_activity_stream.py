"""Activities pushed as server-sent events over real sockets: the past that was asked for, then each as it happens."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from decimal import Decimal
from urllib.parse import urlencode

import msgspec
import pytest
import trio

from tests.simulator_served import (
    GS,
    JD,
    KEYS,
    MONDAY,
    PATIENCE_SECONDS,
    JsonObject,
    Served,
    served,
)
from trader.model import MINUTE_NS
from trader.money import ONE
from trader.simulator.activity_stream import event_id
from trader.simulator.scheduled import EventName, ScheduledEvent

PATH = "/v2beta1/events/activities"


class Heard:
    """The events of an open stream, one by one; each comes as a chunk of its own."""

    def __init__(self, stream: trio.SocketStream) -> None:
        self._stream = stream
        self._buffer = b""

    async def line(self) -> bytes:
        with trio.fail_after(PATIENCE_SECONDS):
            while b"\n" not in self._buffer:
                self._buffer += await self._stream.receive_some()
        line, _, self._buffer = self._buffer.partition(b"\n")
        return line.strip()

    async def next(self) -> JsonObject:
        """EOFError: the server has ended it."""
        while not (line := await self.line()).startswith(b"data: "):
            if line == b"0":
                raise EOFError
        return msgspec.json.decode(line.removeprefix(b"data: "), type=JsonObject)

    async def rest(self) -> list[JsonObject]:
        """All that comes until the server ends it."""
        events = []
        while True:
            try:
                events.append(await self.next())
            except EOFError:
                return events


@asynccontextmanager
async def listening(broker: Served, **query: str) -> AsyncIterator[Heard]:
    host, _, port = broker.address.removeprefix("http://").partition(":")
    async with await trio.open_tcp_stream(host, int(port)) as stream:
        heard = Heard(stream)
        await stream.send_all(
            f"GET {PATH}?{urlencode(query)} HTTP/1.1\r\nHost: {host}\r\n"
            f"APCA-API-KEY-ID: {KEYS.key}\r\nAPCA-API-SECRET-KEY: {KEYS.secret}\r\n\r\n".encode()
        )
        assert (await heard.line()).split()[1] == b"200"
        head = [line async for line in _until_empty(heard)]
        assert any(b"text/event-stream" in line for line in head)
        yield heard


async def _until_empty(heard: Heard) -> AsyncIterator[bytes]:
    while line := await heard.line():
        yield line


def details(event: JsonObject) -> JsonObject:
    return msgspec.convert(event["details"], JsonObject)


def happens(broker: Served, name: EventName, **how: object) -> None:
    row: JsonObject = {"at_ns": broker.broker.now_ns, "name": name, **how}
    broker.broker.befall(msgspec.convert(row, ScheduledEvent))


async def test_each_activity_is_told_as_it_happens_and_none_of_before() -> None:
    async with served() as broker:
        await broker.order(client_order_id="before")
        async with listening(broker) as heard:
            order = await broker.order(client_order_id="after", qty="4")
            fill = await heard.next()
            assert fill["activity_type"] == "TRD"
            assert (fill["qty"], fill["price"], fill["net_amount"]) == ("4", "20.02", "-80.08")
            assert (fill["settle_date"], fill["currency"]) == ("2026-01-27", "USD")
            assert details(fill)["order_id"] == order["id"]
            assert details(fill)["execution_type"] == "fill"
            happens(broker, EventName.TRADE_BUST, client_order_id="after")
            bust = await heard.next()
            assert details(bust)["execution_type"] == "trade_bust"
            assert bust["previous_id"] == fill["ref_id"]
            happens(broker, EventName.DIVIDEND, symbol=JD, amount=Decimal("0.5"))
            dividend = await heard.next()
            assert (dividend["activity_subtype"], dividend["net_amount"]) == ("CDIV", "5")
            assert details(dividend)["entitled_qty"] == "10"
            happens(broker, EventName.FEE, amount=Decimal("1.5"))
            assert (await heard.next())["net_amount"] == "-1.5"


async def test_each_kind_has_the_details_that_its_schema_wants() -> None:
    async with served() as broker, listening(broker) as heard:
        await broker.order(qty="150")
        part = await heard.next()
        assert (part["qty"], details(part)["leaves_qty"]) == ("100", "50")
        assert details(part)["execution_type"] == "fill", "there is no other word for a part"
        happens(broker, EventName.SPLIT, symbol=JD, ratio=Decimal("0.5"))
        for quantity in ("-100", "50"):
            leg = await heard.next()
            assert (leg["activity_subtype"], leg["qty"]) == ("RSPLIT", quantity)
            told = details(leg)
            assert (told["old_qty"], told["new_qty"]) == ("100", "50")
            assert (told["old_rate"], told["new_rate"]) == ("1", "0.5")
            assert told["position_date"] == MONDAY
        happens(broker, EventName.TRANSFER, symbol=GS, quantity=ONE, price=ONE)
        transfer = await heard.next()
        assert details(transfer)["request_id"] == transfer["ref_id"]
        happens(broker, EventName.INTEREST, amount=-ONE)
        assert (await heard.next())["activity_subtype"] == "MGN"


async def test_the_past_is_told_from_a_time_or_an_event_on_and_up_to_another() -> None:
    async with served() as broker:
        for number in range(3):
            await broker.order(client_order_id=f"{number}", qty="1")
            await broker.broker.advance()
        now = "2026-01-26T14:33:00Z"
        async with listening(broker, since="2026-01-26", until=now) as heard:
            everything = await heard.rest()
        ids = [str(event["event_id"]) for event in everything]
        assert [details(event)["client_order_id"] for event in everything] == ["0", "1", "2"]
        assert ids == sorted(ids)
        assert len(set(ids)) == 3
        async with listening(broker, since="2026-01-26T14:31:00Z", until=now) as heard:
            assert await heard.rest() == everything[1:]
        async with listening(broker, since_id=ids[0], until_id=ids[1]) as heard:
            assert [await heard.next(), await heard.next()] == everything[:2]


async def test_a_stream_ends_when_the_market_has_passed_its_end() -> None:
    async with served() as broker:
        query = {"since": "2026-01-26T14:30:00Z", "until": "2026-01-26T14:31:30Z"}
        async with listening(broker, **query) as heard:
            await broker.broker.advance()
            await broker.order(client_order_id="in")
            assert details(await heard.next())["client_order_id"] == "in"
            await broker.broker.advance()
            await broker.order(client_order_id="out")
            assert await heard.rest() == []


@pytest.mark.parametrize(
    "query",
    [
        {"until": "2026-01-26"},
        {"until_id": event_id(1, 0, 0)},
        {"since": "2026-01-26", "since_id": event_id(1, 0, 0)},
        {"since": "yesterday"},
        {"since_id": "short"},
    ],
)
async def test_a_query_that_makes_no_sense_is_refused(query: dict[str, str]) -> None:
    async with served() as broker:
        assert (await broker.get(PATH, **query)).status_code == 422


def test_ids_sort_by_time_and_trades_of_an_instant_come_first() -> None:
    ids = [
        event_id(MINUTE_NS, 0, 7),
        event_id(MINUTE_NS, 0, 8),
        event_id(MINUTE_NS, 1, 0),
        event_id(MINUTE_NS + 1, 0, 0),
        event_id(MINUTE_NS + 1_000_000, 0, 0),
    ]
    assert ids == sorted(ids)
    assert {len(one) for one in ids} == {26}
    assert event_id(1_469_918_176_385 * 1_000_000, 0, 0).startswith("01ARYZ6S41"), "the ULID's own"

"""Servers that misbehave below their protocols: lines are begun again, sends are in doubt, nothing grows or hangs."""

import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest
import trio
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.alpaca_fakes import (
    KEYS,
    SYMBOLS,
    Heard,
    an_order,
    order_json,
    packed,
    reply,
    update_json,
)
from tests.hostile_server import (
    BINARY,
    CLOSE,
    CONTINUATION,
    PING,
    TEXT,
    HostileServer,
    Line,
    Play,
    frame,
    greet_data,
    greet_trading,
    hostile_server,
    switching,
)
from trader.brokers.alpaca import AlpacaBroker, AlpacaFeed, Links
from trader.brokers.alpaca.stream import StreamDeadlines
from trader.brokers.alpaca.transport import REPLY_BYTES_MAX, HttpDeadlines
from trader.brokers.alpaca.websocket import FRAME_BYTES_MAX
from trader.messages import Claim, Gate, GateReport, Input, OrderReport, SendOutcome
from trader.model import ClientOrderId, Symbol
from trader.ports import BrokerUnavailable

STREAM = StreamDeadlines(
    start=10.0,
    connect=0.5,
    greet=5.0,
    ping_every=0.05,
    pong=0.5,
    back_off_min=0.01,
    back_off_max=0.04,
)
HTTP = HttpDeadlines(connect=1.0, write=1.0, read=0.3, pool=1.0, whole=1.5)
SILENT_BYTES = 2**17
SOCKET_BUFFERS_MAX = 16 * 2**20  # what two kernels' ends may hold that nobody has read
LINKS = Links(stream_deadlines=STREAM, http_deadlines=HTTP)


def broker_at(server: HostileServer) -> AlpacaBroker:
    return AlpacaBroker(
        base_url=server.url,
        stream_url=server.stream_url,
        credentials=KEYS,
        name="test",
        market_ns=lambda: 0,
        links=LINKS,
    )


def feed_at(server: HostileServer) -> AlpacaFeed:
    return AlpacaFeed(
        rest_url=server.url,
        stream_url=server.stream_url,
        credentials=KEYS,
        symbols=SYMBOLS,
        market_ns=lambda: 0,
        links=LINKS,
    )


# --- lines that go bad

Greet = Callable[[Line], Awaitable[None]]
GREETINGS: dict[Gate, Greet] = {Gate.TRADING_STREAM: greet_trading, Gate.MARKET_DATA: greet_data}


def saying(greet: Greet, data: bytes) -> Play:
    """Greet, send these bytes, and neither say nor read more."""

    async def play(line: Line) -> None:
        await greet(line)
        await line.send(data)
        await line.stay()

    return play


def good(greet: Greet) -> Play:
    async def play(line: Line) -> None:
        await greet(line)
        await line.answer_pings()

    return play


@asynccontextmanager
async def followed(gate: Gate, *plays: Play) -> AsyncIterator[tuple[Heard, HostileServer]]:
    """One of the streams over these plays, from the first time it is heard."""
    heard = Heard()
    async with hostile_server(*plays) as server, trio.open_nursery() as nursery:
        with trio.fail_after(20):
            if gate is Gate.TRADING_STREAM:
                await nursery.start(broker_at(server).follow, heard.hear)
            else:
                await nursery.start(feed_at(server).run, lambda tick: None, heard.hear)
        yield heard, server
        nursery.cancel_scope.cancel()


async def next_gate(heard: Heard, gate: Gate, *, is_open: bool) -> GateReport:
    told: Input = await heard.next()
    assert isinstance(told, GateReport)
    assert (told.gate, told.is_open) == (gate, is_open)
    return told


BAD_LINES = {
    "a frame too big": frame(BINARY, bytes(FRAME_BYTES_MAX + 1)),
    "claims 2^62 bytes": b"\x82\x7f\x40" + bytes(7),
    "claims 2^63 bytes": b"\x82\x7f\x80" + bytes(7),
    "half a frame": b"\x82\x7e\x01\x00half",
    "half a head": b"\x82\x7f\x00",
    "RSV1": frame(TEXT, b"x", reserved=4),
    "RSV2": frame(TEXT, b"x", reserved=2),
    "RSV3": frame(BINARY, b"x", reserved=1),
    "a reserved opcode": frame(0x3),
    "a reserved control opcode": frame(0xB),
    "masked": frame(TEXT, b"x", masked=True),
    "a control frame in fragments": frame(PING, b"x", fin=False),
    "a ping of 126 bytes": frame(PING, bytes(126)),
    "an orphan continuation": frame(CONTINUATION, b"x"),
    "a message within a message": frame(TEXT, b"x", fin=False) + frame(TEXT, b"x"),
    "a length in too many bytes": b"\x82\x7e\x00\x01x",
    "invalid UTF-8": frame(TEXT, b"\xff\xfe"),
    "UTF-8 that ends half-way": frame(TEXT, "€".encode()[:2]),
    "close 1005": frame(CLOSE, (1005).to_bytes(2, "big")),
    "close 0": frame(CLOSE, bytes(2)),
    "close 65535": frame(CLOSE, b"\xff\xff"),
    "close without a code": frame(CLOSE),
    "close with 1 byte": frame(CLOSE, b"x"),
    "close with a forged reason": frame(CLOSE, (1001).to_bytes(2, "big") + b"a\nb\x1b[31m"),
    "close with an invalid reason": frame(CLOSE, (1001).to_bytes(2, "big") + b"\xff"),
    "plain HTTP": reply(200, b"<html>maintenance</html>"),
    "zeros": bytes(10_000),
}


@pytest.mark.parametrize("gate", GREETINGS)
@pytest.mark.parametrize("kind", BAD_LINES)
async def test_a_line_that_goes_bad_closes_the_gate_and_is_begun_again(
    kind: str, gate: Gate
) -> None:
    greet = GREETINGS[gate]
    async with followed(gate, saying(greet, BAD_LINES[kind]), good(greet)) as (heard, server):
        await next_gate(heard, gate, is_open=True)
        lost = await next_gate(heard, gate, is_open=False)
        assert lost.reason.isprintable()
        await next_gate(heard, gate, is_open=True)
        assert len(server.lines) == 2


def flooding(greet: Greet, first: bytes, more: bytes) -> Play:
    """Greet, look alive, and send without end."""

    async def play(line: Line) -> None:
        await greet(line)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(line.answer_pings)
            await line.send(first)
            await line.send_for_ever(more)

    return play


FLOODS = {
    "empty fragments": (frame(TEXT, fin=False), frame(CONTINUATION, fin=False) * 8_192),
    "pings": (b"", frame(PING, b"x" * 125) * 500),
    "pongs": (b"", frame(0xA, b"x" * 125) * 500),
}


@pytest.mark.parametrize("gate", GREETINGS)
@pytest.mark.parametrize("kind", FLOODS)
async def test_a_flood_in_which_there_is_no_message_is_left_before_it_fills_the_memory(
    kind: str, gate: Gate, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Two bytes are an event, and a million events take their time.
    monkeypatch.setattr("trader.brokers.alpaca.websocket.SILENT_BYTES_MAX", SILENT_BYTES)
    greet = GREETINGS[gate]
    async with followed(gate, flooding(greet, *FLOODS[kind]), good(greet)) as (heard, server):
        await next_gate(heard, gate, is_open=True)
        await next_gate(heard, gate, is_open=False)
        await next_gate(heard, gate, is_open=True)
        assert server.lines[0].sent < SILENT_BYTES + SOCKET_BUFFERS_MAX


async def test_a_listener_that_is_busy_holds_the_server_back() -> None:
    """Nobody takes the reports: the line fills up to what the kernels hold, and no further."""
    report = frame(BINARY, packed(update_json("new")))
    began, may_go_on = trio.Event(), trio.Event()
    count = 0

    async def busy(told: Input) -> None:
        nonlocal count
        if isinstance(told, OrderReport):
            count += 1
            began.set()
            await may_go_on.wait()

    async def play(line: Line) -> None:
        await greet_trading(line)
        await line.send_for_ever(report * 100)

    async with hostile_server(play) as server, trio.open_nursery() as nursery:
        with trio.fail_after(20):
            await nursery.start(broker_at(server).follow, busy)
            await began.wait()
            await until_stalled(server.lines[0])
            assert server.lines[0].sent < SOCKET_BUFFERS_MAX
            assert count == 1
        nursery.cancel_scope.cancel()


async def until_stalled(line: Line) -> None:
    """Return once a quarter of a second has brought nothing more."""
    before = -1
    while before != line.sent:
        before = line.sent
        await trio.sleep(0.25)


async def test_a_server_that_is_always_bad_is_called_less_and_less_often(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.WARNING, "trader.adapter")
    gate = Gate.TRADING_STREAM
    bad = saying(greet_trading, frame(0x3))
    async with followed(gate, bad) as (heard, _):
        for _ in range(5):
            await next_gate(heard, gate, is_open=True)
            await next_gate(heard, gate, is_open=False)
        await next_gate(heard, gate, is_open=True)
    pauses = [record.args[2] for record in caplog.records if "again in" in record.msg]  # type: ignore[index]
    assert pauses[:5] == [0.01, 0.02, 0.04, 0.04, 0.04]


# --- lines that never become streams

SHAKES = {
    "nothing": b"",
    "garbage": b"\x00\xff" * 100 + b"\r\n\r\n",
    "an endless line": b"HTTP/1.1 " + b"x" * 2**20,
    "a plain reply": reply(200, b"hello"),
    "a redirect": reply(301, b"", "Location: http://127.0.0.1:9/stream"),
    "a refusal": reply(401, b"unauthorized"),
    "half a refusal": reply(401, b"unauthorized")[:-3],
    "a chunked refusal": b"HTTP/1.1 500 No\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\nx",
    "another key": switching(b"bm90IHRoZSBrZXk="),
    "no key": b"HTTP/1.1 101 Switching\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n",
    "no upgrade": b"HTTP/1.1 101 Switching\r\n\r\n",
    "an early frame": frame(TEXT, b"x"),
    "half a head": b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: webso",
    "1xx without end": b"HTTP/1.1 100 Continue\r\n\r\n" * 1_000,
    "a status of letters": b"HTTP/1.1 abc def\r\n\r\n",
    "a header of bytes": b"HTTP/1.1 401 No\r\nX: \xff\xfe\r\nContent-Length: 0\r\n\r\n",
}


@pytest.mark.parametrize("gate", GREETINGS)
@pytest.mark.parametrize("hangs_up", [True, False], ids=["hangs up", "stays"])
@pytest.mark.parametrize("kind", SHAKES)
async def test_a_handshake_that_fails_is_tried_again(kind: str, hangs_up: bool, gate: Gate) -> None:
    async def bad(line: Line) -> None:
        await line.request()
        await line.send(SHAKES[kind])
        await (line.hang_up() if hangs_up else line.stay())

    async with followed(gate, bad, good(GREETINGS[gate])) as (heard, server):
        lost = await next_gate(heard, gate, is_open=False)
        assert lost.reason.isprintable()
        await next_gate(heard, gate, is_open=True)
        assert len(server.lines) == 2


@pytest.mark.parametrize(
    "header",
    [b"Sec-WebSocket-Extensions: permessage-deflate", b"Sec-WebSocket-Protocol: nobody-asked"],
)
async def test_what_nobody_asked_for_in_a_handshake_is_no_stream(header: bytes) -> None:
    async def bad(line: Line) -> None:
        await line.request()
        await line.send(switching(b"x", header))
        await line.stay()

    gate = Gate.TRADING_STREAM
    async with followed(gate, bad, good(greet_trading)) as (heard, _):
        await next_gate(heard, gate, is_open=False)
        await next_gate(heard, gate, is_open=True)


@pytest.mark.parametrize("examples", [15, pytest.param(60, marks=pytest.mark.slow)])
def test_no_bytes_on_a_line_end_the_following_of_it(examples: int) -> None:
    pieces = st.sampled_from([*BAD_LINES.values(), frame(TEXT, b"{}"), frame(PING, b"x")])
    soup = st.lists(st.one_of(st.binary(max_size=20), pieces), max_size=5).map(b"".join)

    @settings(max_examples=examples)
    @given(soup, st.booleans())
    def every(data: bytes, is_greeted: bool) -> None:
        trio.run(survived, data, is_greeted)

    every()


async def survived(data: bytes, is_greeted: bool) -> None:
    async def bad(line: Line) -> None:
        await (greet_trading(line) if is_greeted else line.request())
        await line.send(data)
        await line.hang_up()

    async with followed(Gate.TRADING_STREAM, bad, good(greet_trading)) as (heard, server):
        with trio.fail_after(20):
            while len(server.lines) < 2 or not is_open_gate(await heard.next()):
                await trio.lowlevel.checkpoint()


def is_open_gate(told: Input) -> bool:
    return isinstance(told, GateReport) and told.is_open


# --- HTTP

OK = b"HTTP/1.1 200 OK\r\n"
CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n"
WHOLE = reply(200, order_json())
BODY = packed(order_json())


def stated(length: object) -> bytes:
    return OK + f"Content-Length: {length}\r\n\r\n".encode() + BODY


BAD_REPLIES = {
    "half a body": WHOLE[:-20],
    "half a head": WHOLE[:20],
    "nothing": b"",
    "garbage": b"\x00\xff\x16\x03\x01" * 20,
    "a length too long": stated(len(BODY) + 1),
    "a length too short": stated(len(BODY) - 1),
    "a length of 10^30": stated(10**30),
    "a negative length": stated(-1),
    "two lengths": OK + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\n" + BODY,
    "a length in words": stated("soon"),
    "an error as a success": reply(200, {"code": 40310000, "message": "insufficient"}),
    "null": reply(200, b"null"),
    "a list": reply(200, [order_json()]),
    "another order": reply(200, order_json(client_order_id="another")),
    "accepted": reply(202, order_json()),
    "no content": b"HTTP/1.1 204 No Content\r\n\r\n",
    "a redirect": reply(307, b"", "Location: http://127.0.0.1:9/v2/orders"),
    "switching protocols": b"HTTP/1.1 101 Switching\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n",
    "informational only": b"HTTP/1.1 103 Early Hints\r\n\r\n" * 1_000,
    "a chunk without end": CHUNKED + b"7fffffffffffffff\r\n" + bytes(100),
    "a chunk of nonsense": CHUNKED + b"xyz\r\nabc\r\n0\r\n\r\n",
    "a negative chunk": CHUNKED + b"-1\r\nabc\r\n0\r\n\r\n",
    "an endless chunk extension": CHUNKED + b"1;" + b"x" * 2**20,
    "huge trailers": CHUNKED + b"0\r\n" + b"X: y\r\n" * 100_000,
    "a huge header": OK + b"X: " + b"y" * 2**20 + b"\r\n\r\n",
    "many headers": OK + b"X: y\r\n" * 200_000,
    "a status of 999": b"HTTP/1.1 999 What\r\nContent-Length: 0\r\n\r\n",
    "a status of letters": b"HTTP/1.1 abc\r\n\r\n",
    "another protocol": b"HTTP/3.0 200 OK\r\nContent-Length: 0\r\n\r\n",
    "gzip": OK + b"Content-Encoding: gzip\r\nContent-Length: 10\r\n\r\n" + b"\x1f\x8b" + bytes(8),
    "an odd encoding": OK + b"Transfer-Encoding: gzip\r\n\r\n" + BODY,
}


def answering(data: bytes, *, hangs_up: bool) -> Play:
    async def play(line: Line) -> None:
        await line.request()
        await line.send(data)
        await (line.hang_up() if hangs_up else line.stay())

    return play


@pytest.mark.parametrize("hangs_up", [True, False], ids=["hangs up", "stays"])
@pytest.mark.parametrize("kind", BAD_REPLIES)
async def test_a_bad_reply_leaves_a_send_in_doubt_and_is_no_answer_to_a_question(
    kind: str, hangs_up: bool
) -> None:
    play = answering(BAD_REPLIES[kind], hangs_up=hangs_up)
    async with hostile_server(play) as server, broker_at(server) as broker:
        with trio.fail_after(20):
            outcome = await broker.submit(an_order())
            assert isinstance(outcome, SendOutcome)
            assert outcome.outcome == "unknown"
            assert outcome.reason.isprintable()
            assert len(outcome.reason) < 400
            assert server.requests("POST") == 1, "nothing is sent twice"
            with pytest.raises(BrokerUnavailable):
                await broker.statement(0)
            with pytest.raises(BrokerUnavailable):
                await broker.clock_ns()


ENDLESS = {
    "body": (OK + b"\r\n", b" " * 65_536),
    "chunks": (CHUNKED, b"10000\r\n" + b" " * 65_536 + b"\r\n"),
    "tiny chunks": (CHUNKED, b"1\r\n \r\n" * 10_000),
    "headers": (OK, b"X: y\r\n" * 10_000),
    "informational replies": (b"", b"HTTP/1.1 100 Continue\r\n\r\n" * 1_000),
}


@pytest.mark.parametrize("kind", ENDLESS)
async def test_a_reply_without_end_is_left_before_it_fills_the_memory(kind: str) -> None:
    first, more = ENDLESS[kind]

    async def play(line: Line) -> None:
        await line.request()
        await line.send(first)
        await line.send_for_ever(more)

    async with hostile_server(play) as server, broker_at(server) as broker:
        with trio.fail_after(20):
            outcome = await broker.submit(an_order())
        assert isinstance(outcome, SendOutcome)
        assert outcome.outcome == "unknown"
        if kind in {"body", "chunks"}:
            # The rest is left by the deadline for all of it: what comes slowly is not much.
            assert server.lines[0].sent < REPLY_BYTES_MAX + SOCKET_BUFFERS_MAX


async def test_a_redirect_to_another_host_takes_neither_the_order_nor_the_keys_there() -> None:
    async with hostile_server(good(greet_trading)) as elsewhere:
        redirect = reply(308, b"", f"Location: {elsewhere.url}/v2/orders")
        async with (
            hostile_server(answering(redirect, hangs_up=True)) as server,
            broker_at(server) as broker,
        ):
            with trio.fail_after(20):
                outcome = await broker.submit(an_order())
                assert isinstance(outcome, SendOutcome)
                assert outcome.outcome == "unknown"
                with pytest.raises(BrokerUnavailable):
                    await broker.identify()
                feed = feed_at(server)
                with pytest.raises(BrokerUnavailable):
                    await feed.history(Symbol("JD"), 2**60, 1)
        assert elsewhere.lines == []


async def test_a_line_that_nobody_ever_took_is_proof_that_nothing_was_sent() -> None:
    async with hostile_server(good(greet_trading)) as server:
        pass  # Once it has left, nobody listens there.
    async with broker_at(server) as broker:
        with trio.fail_after(20):
            outcome = await broker.submit(an_order())
    assert isinstance(outcome, SendOutcome)
    assert outcome.outcome == "never_sent"


async def test_a_line_that_is_taken_and_dropped_is_no_proof_of_anything() -> None:
    async def drop(line: Line) -> None:
        await line.hang_up()

    async with hostile_server(drop) as server, broker_at(server) as broker:
        with trio.fail_after(20):
            outcome = await broker.submit(an_order())
    assert isinstance(outcome, SendOutcome)
    assert outcome.outcome == "unknown"


async def test_a_reply_that_comes_twice_is_not_the_answer_to_the_next_order() -> None:
    async def play(line: Line) -> None:
        await line.request()
        await line.send(reply(200, order_json(status="new")) * 2)
        await line.request()
        await line.hang_up()

    async with hostile_server(play) as server, broker_at(server) as broker:
        with trio.fail_after(20):
            first = await broker.submit(an_order())
            assert isinstance(first, OrderReport)
            assert first.claim is Claim.NEW
            second = await broker.submit(an_order(client_order_id=ClientOrderId("trd1-next")))
    assert isinstance(second, SendOutcome)
    assert second.outcome == "unknown"

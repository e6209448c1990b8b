"""Both streams over real sockets: every way in which a line can be bad ends in a closed gate and another try."""

import logging
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from functools import partial

import msgspec
import pytest
import trio
from trio_websocket import WebSocketConnection

from tests.alpaca_fakes import (
    AUTHENTICATED,
    AUTHORIZED,
    BAR,
    CONNECTED,
    KEYS,
    QUOTE,
    SUBSCRIBED,
    SYMBOLS,
    Heard,
    Script,
    SocketFake,
    data_saying,
    greet,
    order_json,
    packed,
    saying,
    socket_fake,
    stay,
    update_json,
)
from trader.brokers.alpaca import AlpacaBroker, AlpacaFeed, Links
from trader.brokers.alpaca.stream import StreamDeadlines
from trader.messages import Claim, Gate, GateReport, OrderReport
from trader.model import Bar, Quote, Symbol, Tick
from trader.ports import BrokerRefused, BrokerUnavailable

QUICK = StreamDeadlines(
    start=0.3,
    connect=0.2,
    greet=0.2,
    ping_every=0.05,
    pong=0.1,
    back_off_min=0.01,
    back_off_max=0.05,
)
PATIENT = StreamDeadlines(back_off_min=0.01, back_off_max=0.05)
OPEN = GateReport(gate=Gate.TRADING_STREAM, is_open=True, reason="listening")


class Counted:
    """How many frames were taken, by kind."""

    def __init__(self) -> None:
        self.kinds: list[str] = []

    def frame_taken(self, kind: str) -> None:
        self.kinds.append(kind)


def broker_at(url: str, deadlines: StreamDeadlines, counted: Counted | None = None) -> AlpacaBroker:
    return AlpacaBroker(
        base_url="http://127.0.0.1:1",
        stream_url=url,
        credentials=KEYS,
        name="test",
        market_ns=lambda: 0,
        frame_taken=(counted or Counted()).frame_taken,
        links=Links(stream_deadlines=deadlines),
    )


@asynccontextmanager
async def followed(
    *scripts: Script, deadlines: StreamDeadlines = PATIENT, counted: Counted | None = None
) -> AsyncIterator[tuple[Heard, SocketFake]]:
    """The trading stream followed over these scripts, from the first time it listens."""
    heard = Heard()
    async with (
        socket_fake(scripts) as fake,
        broker_at(fake.url, deadlines, counted) as broker,
        trio.open_nursery() as nursery,
    ):
        with trio.fail_after(10):
            await nursery.start(broker.follow, heard.hear)
        yield heard, fake
        nursery.cancel_scope.cancel()


async def refusal(*scripts: Script) -> BaseException:
    """How following ends that never began."""
    with pytest.RaisesGroup(
        pytest.RaisesExc((BrokerRefused, BrokerUnavailable)), flatten_subgroups=True
    ) as raised:
        async with followed(*scripts, deadlines=QUICK):
            pytest.fail("it listened")
    return only(raised.value)


def only(failure: BaseException) -> BaseException:
    """The one failure inside nurseries within nurseries."""
    while isinstance(failure, BaseExceptionGroup):
        (failure,) = failure.exceptions
    return failure


# --- the trading stream


async def test_reports_are_heard_in_order_and_each_of_their_frames_is_counted() -> None:
    counted = Counted()
    fill = update_json(
        "fill",
        order_json(status="filled", filled_qty="33"),
        execution_id="x1",
        price="25.49",
        qty="33",
    )
    frames = (
        packed(update_json("new")),
        packed(update_json("partial_fill")).decode(),
        msgspec.msgpack.encode(fill),
    )
    async with followed(saying(*frames), counted=counted) as (heard, fake):
        assert await heard.next() == OPEN
        claims = []
        for _ in frames:
            report = await heard.next()
            assert isinstance(report, OrderReport)
            claims.append(report.claim)
        assert fake.paths == ["/stream"]
    assert claims == [Claim.NEW, Claim.PARTIALLY_FILLED, Claim.FILLED]
    # Counted after it was heard: the last may not have been yet.
    assert counted.kinds in (["trading"] * 2, ["trading"] * 3)


async def test_unreadable_frames_are_logged_escaped_and_the_line_is_kept(
    caplog: pytest.LogCaptureFixture,
) -> None:
    frames = (
        "",
        "null",
        "forged\nDUPLICATE BUY BLOCKED: JD",
        b'{"stream":"trade_updates","data":{"event":"\xff"}}',
        b'{"stream":"trade_updates","data":' + b"[" * 100_000,
        b"\xc1" * 1_000,
        packed({"stream": "weather", "data": {}}),
        packed(update_json("new")),
    )
    counted = Counted()
    async with followed(saying(*frames), counted=counted) as (heard, fake):
        assert await heard.next() == OPEN
        assert isinstance(await heard.next(), OrderReport)
        assert fake.connections == 1
    # Whoever waits until they are all taken must not wait for these.
    assert len(counted.kinds) in {6, 7}
    warnings = [record for record in caplog.records if record.levelno == logging.WARNING]
    assert len(warnings) == 6
    assert all("\n" not in record.getMessage() for record in warnings)
    assert all(len(record.getMessage()) < 700 for record in warnings)


async def test_after_a_loss_it_listens_again_and_says_both() -> None:
    async def hang_up(connection: WebSocketConnection) -> None:
        await greet(connection)
        await connection.aclose(1001, "maintenance")

    async with followed(hang_up, saying(packed(update_json("new")))) as (heard, fake):
        assert await heard.next() == OPEN
        lost = await heard.next()
        assert isinstance(lost, GateReport)
        assert (lost.gate, lost.is_open) == (Gate.TRADING_STREAM, False)
        assert "1001 maintenance" in lost.reason
        assert await heard.next() == OPEN
        assert isinstance(await heard.next(), OrderReport)
        assert fake.connections == 2


async def raw(connection: WebSocketConnection, data: bytes) -> None:
    """Bytes below the WebSocket's rules."""
    await connection._stream.send_all(data)


async def cut(connection: WebSocketConnection) -> None:
    await connection._stream.aclose()


HALF_A_FRAME = b"\x82\x7e\x01\x00half"
CLAIMS_2_62 = b"\x82\x7f\x40\x00\x00\x00\x00\x00\x00\x00"
RESERVED_OPCODE = b"\x83\x00"
MASKED = b"\x82\x81\x00\x00\x00\x00x"
ORPHAN = b"\x80\x01x"
INVALID_TEXT = b"\x81\x02\xff\xfe"
BEYOND_1_MIB = b"\x82\x7f" + (2**20 + 1).to_bytes(8, "big") + bytes(2**20 + 1)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (HALF_A_FRAME, "no answer to a ping"),
        (CLAIMS_2_62, "no answer to a ping"),
        (RESERVED_OPCODE, "closed with"),
        (MASKED, "closed with"),
        (ORPHAN, "closed with"),
        (INVALID_TEXT, "closed with"),
        (BEYOND_1_MIB, "closed with 1009"),
    ],
    ids=["half", "2^62", "reserved", "masked", "orphan", "invalid text", "too big"],
)
async def test_a_bad_line_is_noticed_left_and_replaced(data: bytes, reason: str) -> None:
    async def bad(connection: WebSocketConnection) -> None:
        await greet(connection)
        await raw(connection, data)
        await trio.sleep_forever()

    patient = msgspec.structs.replace(QUICK, start=10.0, connect=5.0, greet=5.0, pong=0.5)
    deadlines = patient if "ping" in reason else PATIENT
    async with followed(bad, saying(), deadlines=deadlines) as (heard, fake):
        assert await heard.next() == OPEN
        lost = await heard.next()
        assert isinstance(lost, GateReport)
        assert not lost.is_open
        assert reason in lost.reason
        assert await heard.next() == OPEN
        assert fake.connections == 2


async def test_a_line_that_is_cut_without_a_word_is_noticed() -> None:
    async def script(connection: WebSocketConnection) -> None:
        await greet(connection)
        await cut(connection)

    async with followed(script, saying()) as (heard, _):
        assert await heard.next() == OPEN
        assert not (await heard.next()).is_open  # type: ignore[union-attr]
        assert await heard.next() == OPEN


async def test_an_error_of_the_server_is_a_loss_in_its_words() -> None:
    error = packed({"action": "error", "data": {"error_message": "internal\nserver error"}})
    async with followed(saying(error), saying()) as (heard, _):
        assert await heard.next() == OPEN
        lost = await heard.next()
        assert isinstance(lost, GateReport)
        assert lost.reason == "an error: internal\\nserver error"


async def unauthorized(connection: WebSocketConnection) -> None:
    await connection.get_message()
    await connection.send_message(
        packed({"stream": "authorization", "data": {"status": "unauthorized"}})
    )
    await stay(connection)


async def test_wrong_keys_refuse_the_start_at_once() -> None:
    assert "check the keys" in str(await refusal(unauthorized))


async def test_keys_that_fail_in_mid_day_close_the_gate_and_are_tried_as_seldom_as_can_be(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def hang_up(connection: WebSocketConnection) -> None:
        await greet(connection)
        await connection.aclose()

    async with followed(hang_up, unauthorized, saying()) as (heard, _):
        assert await heard.next() == OPEN
        assert not (await heard.next()).is_open  # type: ignore[union-attr]
        refused = await heard.next()
        assert isinstance(refused, GateReport)
        assert (refused.is_open, "check the keys" in refused.reason) == (False, True)
        assert await heard.next() == OPEN
    assert f"check the keys; again in {PATIENT.back_off_max:.1f} s" in caplog.text


async def mute(connection: WebSocketConnection) -> None:
    await stay(connection)


async def garbage(connection: WebSocketConnection) -> None:
    await connection.send_message("hello")
    await stay(connection)


async def other_streams(connection: WebSocketConnection) -> None:
    await connection.get_message()
    await connection.send_message(AUTHORIZED)
    await connection.send_message(packed({"stream": "listening", "data": {"streams": []}}))
    await stay(connection)


@pytest.mark.parametrize("script", [mute, garbage, other_streams, cut])
async def test_a_server_that_never_lets_us_listen_is_unavailable_at_the_deadline(
    script: Script,
) -> None:
    assert isinstance(await refusal(script), BrokerUnavailable)


async def test_a_port_that_nobody_listens_on_is_unavailable_at_the_deadline() -> None:
    async with broker_at("ws://127.0.0.1:1", QUICK) as broker:
        with trio.fail_after(10), pytest.raises(BrokerUnavailable):
            await broker.follow(Heard().hear)


async def test_a_bug_of_the_listener_is_not_swallowed() -> None:
    async def broken(told: object) -> None:
        assert isinstance(told, GateReport), "a bug"

    async with (
        socket_fake([saying(packed(update_json("new")))]) as fake,
        broker_at(fake.url, PATIENT) as broker,
    ):
        with trio.fail_after(10), pytest.RaisesGroup(AssertionError, flatten_subgroups=True):
            await broker.follow(broken)


# --- the data stream


@asynccontextmanager
async def fed(
    *scripts: Script, deadlines: StreamDeadlines = PATIENT, counted: Counted | None = None
) -> AsyncIterator[tuple[trio.MemoryReceiveChannel[Tick], Heard, SocketFake]]:
    heard = Heard()
    send, receive = trio.open_memory_channel[Tick](1_000)
    async with socket_fake(scripts) as fake:
        feed = AlpacaFeed(
            rest_url="http://127.0.0.1:1",
            stream_url=fake.url,
            credentials=KEYS,
            symbols=SYMBOLS,
            market_ns=lambda: 0,
            frame_taken=(counted or Counted()).frame_taken,
            links=Links(stream_deadlines=deadlines),
        )
        async with feed, trio.open_nursery() as nursery:
            with trio.fail_after(10):
                await nursery.start(partial(feed.run, send.send_nowait, heard.hear))
            yield receive, heard, fake
            nursery.cancel_scope.cancel()


async def test_bars_and_quotes_are_delivered_and_their_frames_counted_control_frames_not() -> None:
    counted = Counted()
    script = data_saying([QUOTE, BAR], SUBSCRIBED, [{"T": "t", "S": "JD"}], [QUOTE], [BAR])
    async with fed(script, counted=counted) as (data, heard, fake):
        assert await heard.next() == GateReport(
            gate=Gate.MARKET_DATA, is_open=True, reason="subscribed to 2 symbols"
        )
        with trio.fail_after(10):
            items = [await data.receive() for _ in range(4)]
        assert fake.paths == ["/v2/iex"]
        assert fake.headers[0][b"content-type"] == b"application/msgpack"
    assert items[0] == Quote(
        symbol=Symbol("JD"), at_ns=7 * 10**9, bid=319_200, bid_size=100, ask=319_300, ask_size=200
    )
    assert [type(item) for item in items] == [Quote, Bar, Quote, Bar]
    assert counted.kinds == ["data"] * 4


async def test_unreadable_data_is_logged_and_the_line_is_kept(
    caplog: pytest.LogCaptureFixture,
) -> None:
    script = data_saying(b"\xff\xfe", b"[" * 100_000, {"T": "q"}, [QUOTE])
    counted = Counted()
    async with fed(script, counted=counted) as (data, _, fake):
        with trio.fail_after(10):
            await data.receive()
        assert fake.connections == 1
    assert sum("unreadable frame" in message for message in caplog.messages) == 3
    assert counted.kinds == ["data"] * 4


def error(code: int, message: str = "no") -> list[object]:
    return [{"T": "error", "code": code, "msg": message}]


@pytest.mark.parametrize(
    ("answers", "words"),
    [
        ((CONNECTED, error(402)), "check them"),
        ((CONNECTED, AUTHENTICATED, error(405)), "more symbols"),
        ((CONNECTED, AUTHENTICATED, error(409)), "feed 'iex'"),
        (
            (CONNECTED, AUTHENTICATED, [{"T": "subscription", "bars": ["JD"], "quotes": ["JD"]}]),
            "market data of T",
        ),
    ],
)
async def test_a_refusal_that_only_a_person_can_lift_refuses_the_start(
    answers: Sequence[object], words: str
) -> None:
    with pytest.RaisesGroup(BrokerRefused, flatten_subgroups=True) as raised:
        async with fed(data_saying(answers=answers), deadlines=QUICK):
            pytest.fail("it was fed")
    assert words in str(only(raised.value))


async def test_a_taken_connection_is_waited_for_and_named_at_the_deadline() -> None:
    taken = data_saying(answers=(error(406),))
    with pytest.RaisesGroup(BrokerUnavailable, flatten_subgroups=True) as raised:
        async with fed(taken, deadlines=QUICK):
            pytest.fail("it was fed")
    words = str(only(raised.value))
    assert "another program holds the only connection" in words
    assert "tried for 0.3 s" in words
    async with fed(taken, taken, data_saying()) as (_, heard, fake):
        assert fake.connections == 3
        waiting = await heard.next()
        assert isinstance(waiting, GateReport)
        assert not waiting.is_open
        assert "stop it" in waiting.reason
        assert "trying for 30 s" in waiting.reason
        assert (await heard.next()).is_open  # type: ignore[union-attr]


async def test_a_slow_client_is_told_so_and_comes_back() -> None:
    async with fed(data_saying(error(407)), data_saying(error(403), [QUOTE])) as (data, heard, _):
        assert (await heard.next()).is_open  # type: ignore[union-attr]
        lost = await heard.next()
        assert isinstance(lost, GateReport)
        assert "we read too slowly" in lost.reason
        assert (await heard.next()).is_open  # type: ignore[union-attr]
        with trio.fail_after(10):
            await data.receive()  # "already authenticated" was harmless

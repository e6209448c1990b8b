"""How a send ends over a real socket: what is proven, what isn't, and that nothing is ever sent twice."""

import gc
import logging
import ssl
import subprocess
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import httpx2
import pytest
import trio
from msgspec.structs import replace

from tests.alpaca_fakes import (
    KEYS,
    ORDER_ID,
    Answer,
    Heard,
    HttpFake,
    Request,
    always,
    an_order,
    http_fake,
    order_json,
    packed,
    reply,
    routed,
)
from tests.plays import ROOMY, TEN_NS, Play, boot, buy, clock, opened
from trader.brokers.alpaca import AlpacaBroker, Links, ReadOnlyAlpacaBroker
from trader.brokers.alpaca.stream import StreamDeadlines
from trader.brokers.alpaca.transport import HttpDeadlines
from trader.conservation import Conservation
from trader.messages import Claim, OrderReport, SendOutcome
from trader.model import SECOND_NS, BrokerOrderId
from trader.ports import BrokerUnavailable
from trader.wire.alpaca import submit_body

ADAPTER = "trader.adapter"
NOT_UNIQUE = {"code": 40010001, "message": "client_order_id must be unique"}


def broker_at(url: str, **seconds: float) -> AlpacaBroker:
    return AlpacaBroker(
        base_url=url,
        stream_url="ws://127.0.0.1:1",
        credentials=KEYS,
        name="test",
        market_ns=lambda: 0,
        links=Links(http_deadlines=HttpDeadlines(**seconds)),
    )


async def sent(answer: Answer, **seconds: float) -> tuple[OrderReport | SendOutcome, HttpFake]:
    with trio.fail_after(20):
        async with http_fake(answer) as fake, broker_at(fake.url, **seconds) as broker:
            return await broker.submit(an_order()), fake


def outcome(result: OrderReport | SendOutcome) -> str:
    return result.outcome if isinstance(result, SendOutcome) else result.claim


# --- answers


async def reset(_request: Request, stream: trio.SocketStream) -> None:
    stream.setsockopt(
        1, 13, b"\x01\x00\x00\x00\x00\x00\x00\x00"
    )  # SO_LINGER 0: a reset, no farewell
    await stream.aclose()


async def hang_up(_request: Request, stream: trio.SocketStream) -> None:
    await stream.aclose()


async def half_a_body(_request: Request, stream: trio.SocketStream) -> None:
    await stream.send_all(reply(200, order_json())[:-20])
    await stream.aclose()


async def silence(_request: Request, _stream: trio.SocketStream) -> None:
    await trio.sleep_forever()


async def half_a_body_then_silence(_request: Request, stream: trio.SocketStream) -> None:
    await stream.send_all(reply(200, order_json())[:-20])
    await trio.sleep_forever()


async def drip(_request: Request, stream: trio.SocketStream) -> None:
    """Each step is quick, the whole never ends."""
    for byte in reply(200, order_json()):
        await stream.send_all(bytes([byte]))
        await trio.sleep(0.05)


async def flood(_request: Request, stream: trio.SocketStream) -> None:
    await stream.send_all(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    while True:
        await stream.send_all(b"100000\r\n" + b" " * 0x100000 + b"\r\n")


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        (reply(200, order_json(status="pending_new")), Claim.PENDING_NEW),
        (reply(200, order_json(client_order_id="another")), "unknown"),
        (reply(200, b""), "unknown"),
        (reply(200, b"\xff\xfe"), "unknown"),
        (reply(200, b'{"x":' + b"[" * 100_000), "unknown"),
        (reply(200, {"message": "all is well"}), "unknown"),
        (reply(403, {"code": 40310000, "message": "insufficient buying power"}), "rejected"),
        (reply(401, {"message": "unauthorized."}), "rejected"),
        (reply(401, b"<html>who are you?</html>"), "unknown"),
        (reply(429, b""), "rejected"),
        (reply(408, b""), "unknown"),
        (reply(409, NOT_UNIQUE), "unknown"),
        (reply(500, {"code": 50010000, "message": "internal server error"}), "unknown"),
        (reply(504, b"upstream request timeout"), "unknown"),
        (b"garbage\r\n\r\n", "unknown"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n", "unknown"),
        (b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 3\r\n\r\nabc", "unknown"),
    ],
)
async def test_a_reply_proves_this_and_is_asked_for_once(raw: bytes, expected: str) -> None:
    result, fake = await sent(always(raw))
    assert outcome(result) == expected
    assert fake.targets("POST") == ["/v2/orders"]


@pytest.mark.parametrize("answer", [reset, hang_up, half_a_body, flood])
async def test_a_broken_reply_is_unknown_and_the_post_is_not_repeated(answer: Answer) -> None:
    result, fake = await sent(answer)
    assert outcome(result) == "unknown"
    assert fake.targets("POST") == ["/v2/orders"]


@pytest.mark.parametrize("answer", [silence, half_a_body_then_silence])
async def test_a_reply_that_does_not_come_is_unknown(answer: Answer) -> None:
    result, fake = await sent(answer, read=0.2)
    assert outcome(result) == "unknown"
    assert fake.targets("POST") == ["/v2/orders"]


async def test_a_reply_that_drips_is_unknown_at_the_deadline_of_the_whole() -> None:
    result, _ = await sent(drip, whole=0.4)
    assert outcome(result) == "unknown"


async def test_a_refused_connection_is_the_proof_that_nothing_was_sent() -> None:
    (listener,) = await trio.open_tcp_listeners(0, host="127.0.0.1")
    port = listener.socket.getsockname()[1]
    await listener.aclose()
    async with broker_at(f"http://127.0.0.1:{port}") as broker:
        result = await broker.submit(an_order())
    assert outcome(result) == "never_sent"


async def test_a_redirect_is_not_followed_and_the_keys_go_nowhere_else() -> None:
    async with http_fake(always(reply(200, order_json()))) as elsewhere:
        where = f"Location: {elsewhere.url}/v2/orders"
        for status in (301, 302, 303, 307, 308):
            result, fake = await sent(always(reply(status, b"", where)))
            assert outcome(result) == "unknown"
            assert len(fake.requests) == 1
        assert elsewhere.requests == []


async def test_a_proxy_of_the_environment_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    async with http_fake(always(reply(500))) as proxy:
        for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
            monkeypatch.setenv(name, proxy.url)
        result, _ = await sent(always(reply(200, order_json())))
        assert outcome(result) == Claim.NEW
        assert proxy.requests == []


async def test_what_is_sent_is_the_body_the_keys_and_no_more() -> None:
    _, fake = await sent(always(reply(200, order_json())))
    (request,) = fake.requests
    names = [line.split(b":")[0].lower() for line in request.head.split(b"\r\n")[1:]]
    assert sorted(names) == [
        b"accept",
        b"accept-encoding",
        b"apca-api-key-id",
        b"apca-api-secret-key",
        b"content-length",
        b"content-type",
        b"host",
    ]
    assert request.body.startswith(b'{"symbol":"JD","qty":"33","side":"buy","type":"limit"')


# --- submitted before


def unique_refusal_then(lookup: bytes) -> Answer:
    return routed(
        {
            "POST /v2/orders": lambda _: reply(422, NOT_UNIQUE),
            "GET /v2/orders:by_client_order_id": lambda _: lookup,
        }
    )


async def test_an_id_that_is_not_unique_is_our_order_from_before_and_is_adopted() -> None:
    result, fake = await sent(unique_refusal_then(reply(200, order_json(status="new"))))
    assert isinstance(result, OrderReport)
    assert (result.claim, result.source) == (Claim.NEW, "query")
    assert result.client_order_id == an_order().client_order_id
    assert len(fake.targets("POST")) == 1


@pytest.mark.parametrize(
    "lookup",
    [
        reply(404, {"code": 40410000, "message": "order not found"}),
        reply(500),
        reply(401, {"message": "unauthorized."}),
        reply(200, order_json(client_order_id="another")),
        reply(200, b"{"),
    ],
)
async def test_an_order_from_before_that_is_not_found_is_unknown(lookup: bytes) -> None:
    result, _ = await sent(unique_refusal_then(lookup))
    assert outcome(result) == "unknown"


# --- cancels


async def canceled(answer: Answer, broker_order_id: str | None) -> tuple[str, HttpFake]:
    order = an_order(broker_order_id=broker_order_id and BrokerOrderId(broker_order_id))
    with trio.fail_after(20):
        async with http_fake(answer) as fake, broker_at(fake.url) as broker:
            return (await broker.cancel(order)).outcome, fake


async def test_a_cancel_goes_to_the_brokers_id() -> None:
    assert await canceled(always(reply(204)), ORDER_ID)
    result, fake = await canceled(always(reply(204)), ORDER_ID)
    assert result == "accepted"
    assert fake.targets("DELETE") == [f"/v2/orders/{ORDER_ID}"]


async def test_the_brokers_id_is_asked_for_where_we_do_not_have_it() -> None:
    routes: dict[str, Callable[[Request], bytes]] = {
        "GET /v2/orders:by_client_order_id": lambda _: reply(200, order_json()),
        f"DELETE /v2/orders/{ORDER_ID}": lambda _: reply(204),
    }
    assert (await canceled(routed(routes), None))[0] == "accepted"
    assert (await canceled(routed({}), None))[0] == "rejected"
    assert (await canceled(always(reply(500)), None))[0] == "unknown"


@pytest.mark.parametrize("answer", [reset, hang_up, always(reply(504)), always(reply(200))])
async def test_a_cancel_without_an_answer_is_unknown(answer: Answer) -> None:
    assert (await canceled(answer, ORDER_ID))[0] == "unknown"


# --- the pace of the last line


@pytest.mark.parametrize("is_clocked", [True, False])
async def test_an_entry_too_many_within_a_minute_of_the_clock_never_reaches_the_socket(
    is_clocked: bool,
) -> None:
    """Approved in two market minutes, of which each may have one, two seconds apart."""
    play = opened(limits=replace(ROOMY, entries_per_minute_max=1))
    play >> buy("JD", 1, "31.95") >> clock(1) >> buy("GS", 1, "900.5")
    line, now_ns = Conservation(), TEN_NS + 59 * SECOND_NS
    line.read((Play() >> boot(limits=play.state.limits)).entries[0])
    for entry in play.entries:
        line.read(entry)

    async with (
        http_fake(always(reply(422, NOT_UNIQUE | {"code": 1}))) as fake,
        AlpacaBroker(
            base_url=fake.url,
            stream_url="ws://127.0.0.1:1",
            credentials=KEYS,
            name="test",
            market_ns=lambda: now_ns,
            conservation=line,
            is_clocked=is_clocked,
        ) as broker,
    ):
        await broker.submit(play.order(0))
        now_ns += 2 * SECOND_NS
        second = await broker.submit(play.order(1))
        assert len(fake.targets("POST")) == (1 if is_clocked else 2)
        if is_clocked:
            assert isinstance(second, SendOutcome)
            assert outcome(second) == "never_sent"
            assert "1 entries have left within a minute, 1 may" in second.reason
            assert line.untold() == [], "it shuts nothing"


# --- cancelled tasks, dry runs, the log


async def test_a_send_that_is_cancelled_says_nothing_and_leaves_nothing_open() -> None:
    arrived = trio.Event()
    gone = trio.Event()

    async def answer(_request: Request, stream: trio.SocketStream) -> None:
        arrived.set()
        assert await stream.receive_some() == b""
        gone.set()

    results: list[object] = []
    async with http_fake(answer) as fake, broker_at(fake.url) as broker:
        async with trio.open_nursery() as nursery:

            async def send() -> None:
                results.append(await broker.submit(an_order()))

            nursery.start_soon(send)
            await arrived.wait()
            nursery.cancel_scope.cancel()
        with trio.fail_after(5):
            await gone.wait()
    assert results == []


async def test_a_dry_run_cannot_send() -> None:
    async with (
        http_fake(always(reply(200, order_json()))) as fake,
        ReadOnlyAlpacaBroker(
            base_url=fake.url,
            stream_url="ws://127.0.0.1:1",
            credentials=KEYS,
            name="test",
            market_ns=lambda: 0,
        ) as broker,
    ):
        assert outcome(await broker.submit(an_order())) == "never_sent"
        order = an_order(broker_order_id=ORDER_ID)
        assert (await broker.cancel(order)).outcome == "rejected"
        assert fake.requests == []
        assert not any("sender" in name for name in vars(broker))


async def test_each_post_is_one_line_of_the_log_and_no_line_holds_the_keys(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG)
    await sent(always(reply(401, {"message": "forged\nPOST /v2/orders client_order_id=x"})))
    lines = [
        line for line in caplog.messages if line.startswith("POST /v2/orders client_order_id=")
    ]
    assert lines == [
        "POST /v2/orders client_order_id=trd1-sma-JD-b-0f3a9c symbol=JD side=BUY quantity=33 limit_price=25.5"
    ]
    assert any(line.startswith("HTTP 401 to POST /v2/orders") for line in caplog.messages)
    everything = "".join(f"{record.getMessage()} {record.args}" for record in caplog.records)
    assert KEYS.secret() not in everything
    assert KEYS.key not in everything
    async with broker_at("http://127.0.0.1:1") as broker:
        assert KEYS.secret() not in repr(vars(broker))


class InProcess(httpx2.AsyncBaseTransport):
    """The seam that a simulation takes over: no socket, a reply made in memory."""

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        assert await request.aread() == submit_body(an_order())
        return httpx2.Response(200, content=packed(order_json()))


async def test_http_can_be_taken_over_by_a_transport_without_sockets() -> None:
    broker = AlpacaBroker(
        base_url="http://127.0.0.1:1",
        stream_url="ws://127.0.0.1:1",
        credentials=KEYS,
        name="test",
        market_ns=lambda: 0,
        links=Links(http=InProcess()),
    )
    async with broker:
        assert outcome(await broker.submit(an_order())) == Claim.NEW


# --- addresses and certificates


@pytest.mark.parametrize(
    "url",
    [
        "http://api.alpaca.markets",
        "ftp://127.0.0.1",
        "127.0.0.1:80",
        "https://",
        "https://me@api.alpaca.markets",
        "https://api.alpaca.markets/v2",
        "https://api.alpaca.markets?x=1",
    ],
)
def test_keys_are_not_sent_in_the_clear_or_to_half_an_address(url: str) -> None:
    with pytest.raises(ValueError, match=r"address|host|encrypted"):
        broker_at(url)


async def test_a_certificate_that_nobody_vouches_for_is_refused_before_anything_is_sent(
    tmp_path: Path,
) -> None:
    async with impostor(tmp_path) as (address, received), broker_at(f"https://{address}") as broker:
        result = await broker.submit(an_order())
    assert outcome(result) == "never_sent"
    assert isinstance(result, SendOutcome)
    assert "certificate" in result.reason.lower()
    assert received == []


async def test_a_stream_whose_certificate_nobody_vouches_for_is_told_no_keys(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with impostor(tmp_path) as (address, received):
        broker = AlpacaBroker(
            base_url="http://127.0.0.1:1",
            stream_url=f"wss://{address}",
            credentials=KEYS,
            name="test",
            market_ns=lambda: 0,
            links=Links(stream_deadlines=StreamDeadlines(start=0.5)),
        )
        async with broker:
            with trio.fail_after(20), pytest.raises(BrokerUnavailable):
                await broker.follow(Heard().hear)
    assert received == []
    assert "certificate" in caplog.text.lower()
    gc.collect()  # A line that was left open is a warning, and so a failure, when it is found.


@asynccontextmanager
async def impostor(folder: Path) -> AsyncIterator[tuple[str, list[bytes]]]:
    """Somebody who answers at an address with a certificate of their own; what they were told within it."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(self_signed(folder))
    received: list[bytes] = []

    async def serve(stream: trio.SSLStream[trio.SocketStream]) -> None:
        with suppress(trio.BrokenResourceError):
            received.append(bytes(await stream.receive_some()))

    (below,) = await trio.open_tcp_listeners(0, host="127.0.0.1")
    port = below.socket.getsockname()[1]
    async with trio.open_nursery() as nursery:
        nursery.start_soon(trio.serve_listeners, serve, [trio.SSLListener(below, context)])
        yield f"127.0.0.1:{port}", received
        nursery.cancel_scope.cancel()


def self_signed(folder: Path) -> Path:
    command = (
        "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2"
        " -subj /CN=127.0.0.1 -addext subjectAltName=IP:127.0.0.1 -keyout both.pem -out certificate.pem"
    )
    try:
        subprocess.run(command.split(), cwd=folder, check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("no openssl command to make a certificate with")
    both = folder / "both.pem"
    both.write_bytes(both.read_bytes() + (folder / "certificate.pem").read_bytes())
    return both

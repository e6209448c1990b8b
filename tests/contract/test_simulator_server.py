"""The simulated broker's server, looked at byte by byte."""

import base64

import trio

from tests.simulator_served import KEYS, PATIENCE_SECONDS, served

BASIC = base64.b64encode(f"{KEYS.key}:{KEYS.secret}".encode()).decode()
END = b"\r\n\r\n"


async def connected(address: str) -> trio.SocketStream:
    host, _, port = address.removeprefix("http://").partition(":")
    return await trio.open_tcp_stream(host, int(port))


async def asked(stream: trio.SocketStream, verb: str) -> bytes:
    """The first that is heard in answer."""
    lines = [f"{verb} /v2/account HTTP/1.1", "Host: here", f"Authorization: Basic {BASIC}", "", ""]
    await stream.send_all("\r\n".join(lines).encode())
    with trio.fail_after(PATIENCE_SECONDS):
        return bytes(await stream.receive_some())


async def test_an_answer_leaves_in_one_piece() -> None:
    async with served() as broker, await connected(broker.address) as stream:
        for _ in range(20):
            head, _, body = (await asked(stream, "GET")).partition(END)
            assert f"content-length: {len(body)}".encode() in head.lower()
            assert body.endswith(b"}")


async def test_a_head_without_a_body_is_told_too() -> None:
    async with served() as broker, await connected(broker.address) as stream:
        for _ in range(2):
            assert (await asked(stream, "HEAD")).endswith(END)

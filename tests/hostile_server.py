"""A server that knows just enough HTTP/1.1 and WebSocket to misbehave, byte by byte, on a port of this machine."""

import base64
import hashlib
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import msgspec
import trio

from tests.alpaca_fakes import AUTHENTICATED, AUTHORIZED, CONNECTED, LISTENING, SUBSCRIBED

CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0x0, 0x1, 0x2, 0x8, 0x9, 0xA
_ACCEPT = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
_GONE = (trio.BrokenResourceError, trio.ClosedResourceError)


def frame(
    opcode: int, payload: bytes = b"", *, fin: bool = True, reserved: int = 0, masked: bool = False
) -> bytes:
    """One frame, right or wrong as the arguments say."""
    first = (0x80 if fin else 0) | reserved << 4 | opcode
    size, mask = len(payload), 0x80 if masked else 0
    if size < 126:
        head = bytes([first, mask | size])
    elif size < 2**16:
        head = bytes([first, mask | 126]) + size.to_bytes(2, "big")
    else:
        head = bytes([first, mask | 127]) + size.to_bytes(8, "big")
    return head + (bytes(4) if masked else b"") + payload


class Line:
    """One connection, seen from the server; `sent` counts the bytes that the other side has let us send."""

    def __init__(self, stream: trio.SocketStream) -> None:
        self._stream = stream
        self._unread = b""
        self._sending = trio.Lock()
        self.head = b""
        self.sent = 0

    async def send(self, data: bytes) -> None:
        """All of it, in parts that can be counted."""
        for start in range(0, len(data), 65_536):
            part = data[start : start + 65_536]
            async with self._sending:
                await self._stream.send_all(part)
            self.sent += len(part)

    async def send_for_ever(self, data: bytes) -> None:
        """As much as is taken."""
        while True:
            await self.send(data)

    async def stay(self) -> None:
        """Say nothing, read nothing."""
        await trio.sleep_forever()

    async def hang_up(self) -> None:
        """Close, without a word."""
        await self._stream.aclose()

    async def request(self) -> bytes:
        """Read the head of a request, and its body where it has one."""
        while b"\r\n\r\n" not in self._unread:
            self._unread += await self._received()
        self.head, _, self._unread = self._unread.partition(b"\r\n\r\n")
        for line in self.head.lower().split(b"\r\n"):
            if line.startswith(b"content-length:"):
                await self._take(int(line.partition(b":")[2]))
        return self.head

    async def shake_hands(self) -> None:
        """Become a WebSocket."""
        head = await self.request()
        (key,) = (
            line.partition(b":")[2].strip()
            for line in head.split(b"\r\n")
            if line.lower().startswith(b"sec-websocket-key:")
        )
        accepted = base64.b64encode(hashlib.sha1(key + _ACCEPT).digest())
        await self.send(switching(accepted))

    async def read_frame(self) -> tuple[int, bytes]:
        """Opcode and payload of the client's next frame."""
        first, second = await self._take(2)
        size = second & 0x7F
        if size >= 126:
            size = int.from_bytes(await self._take(2 if size == 126 else 8), "big")
        mask = await self._take(4)
        payload = await self._take(size)
        return first & 0x0F, bytes(byte ^ mask[at % 4] for at, byte in enumerate(payload))

    async def answer_pings(self) -> None:
        """Look alive."""
        while True:
            opcode, payload = await self.read_frame()
            if opcode == PING:
                await self.send(frame(PONG, payload))

    async def _take(self, size: int) -> bytes:
        while len(self._unread) < size:
            self._unread += await self._received()
        taken, self._unread = self._unread[:size], self._unread[size:]
        return taken

    async def _received(self) -> bytes:
        data = await self._stream.receive_some()
        if not data:
            raise trio.ClosedResourceError
        return data


def switching(accepted: bytes, *headers: bytes) -> bytes:
    """The reply that makes a WebSocket of an HTTP connection."""
    lines = [b"HTTP/1.1 101 Switching Protocols", b"Upgrade: websocket", b"Connection: Upgrade"]
    lines += [b"Sec-WebSocket-Accept: " + accepted, *headers]
    return b"\r\n".join([*lines, b"", b""])


async def greet_trading(line: Line) -> None:
    """The trading stream up to where reports would come."""
    await line.shake_hands()
    for answer in (AUTHORIZED, LISTENING):
        await line.read_frame()
        await line.send(frame(BINARY, answer))


async def greet_data(line: Line) -> None:
    """The same of the data stream, which speaks first."""
    await line.shake_hands()
    await line.send(frame(BINARY, msgspec.msgpack.encode(CONNECTED)))
    for answer in (AUTHENTICATED, SUBSCRIBED):
        await line.read_frame()
        await line.send(frame(BINARY, msgspec.msgpack.encode(answer)))


Play = Callable[[Line], Awaitable[None]]


class HostileServer:
    """Where it listens, and the lines that it had."""

    def __init__(self, port: int) -> None:
        self.url = f"http://127.0.0.1:{port}"
        self.stream_url = f"ws://127.0.0.1:{port}"
        self.lines: list[Line] = []

    def requests(self, method: str) -> int:
        """How many lines began with such a request."""
        return sum(line.head.startswith(method.encode()) for line in self.lines)


@asynccontextmanager
async def hostile_server(*plays: Play) -> AsyncIterator[HostileServer]:
    """Each connection is played the next play, and the last one when there are no more; then it is closed."""
    (listener,) = await trio.open_tcp_listeners(0, host="127.0.0.1")
    server = HostileServer(listener.socket.getsockname()[1])

    async def serve(stream: trio.SocketStream) -> None:
        line = Line(stream)
        server.lines.append(line)
        try:
            await plays[min(len(server.lines), len(plays)) - 1](line)
        except* _GONE:
            pass  # The client has left.

    async with trio.open_nursery() as nursery:
        nursery.start_soon(trio.serve_listeners, serve, [listener])
        yield server
        nursery.cancel_scope.cancel()

"""A client in bytes, without a library, so that it is the broker who is slow: kept connections, and a stream."""

import re
import selectors
import socket
from collections.abc import Iterable, Iterator

import msgspec

LENGTH = re.compile(rb"content-length: *(\d+)", re.IGNORECASE)
RECEIVE_BYTES = 1 << 20
HANDSHAKE = (
    "GET /v2/iex HTTP/1.1\r\nHost: {host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"
    "Content-Type: application/msgpack\r\n\r\n"
)
NO_MASK = bytes(
    4
)  # A client's frames are masked (RFC 6455, 5.3); with this, by what changes nothing.


class KeptConnection:
    """HTTP over one connection: a request at a time."""

    def __init__(self, address: tuple[str, int]) -> None:
        self.stream = connected(address)
        self._heard = b""

    def send(self, request: bytes) -> None:
        self.stream.sendall(request)

    def receive(self) -> bytes | None:
        """What came: the body of the answer once all of it is there."""
        part = self.stream.recv(RECEIVE_BYTES)
        assert part, "the broker has hung up"
        self._heard += part
        head, end, body = self._heard.partition(b"\r\n\r\n")
        length = LENGTH.search(head)
        if not end or length is None or len(body) < int(length[1]):
            return None
        assert head.startswith(b"HTTP/1.1 200"), self._heard
        self._heard = b""
        return body

    def ask(self, request: bytes) -> bytes:
        self.send(request)
        while (body := self.receive()) is None:
            pass
        return body


def connected(address: tuple[str, int]) -> socket.socket:
    """What is written leaves at once."""
    stream = socket.create_connection(address)
    stream.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return stream


def all_sent(address: tuple[str, int], requests: Iterable[bytes], connections: int) -> None:
    """Each connection sends its next request as soon as its last one was answered."""
    waiting = iter(requests)
    with selectors.DefaultSelector() as selector:
        # The range first: whoever looks for one request too many has lost it.
        for _, request in zip(range(connections), waiting, strict=False):
            connection = KeptConnection(address)
            connection.send(request)
            selector.register(connection.stream, selectors.EVENT_READ, connection)
        while selector.get_map():
            for key, _ in selector.select():
                if key.data.receive() is None:
                    continue
                if (following := next(waiting, None)) is not None:
                    key.data.send(following)
                else:
                    selector.unregister(key.data.stream)
                    key.data.stream.close()


class QuoteStream:
    """All quotes, in MessagePack."""

    def __init__(self, address: tuple[str, int], key: str, secret: str) -> None:
        self._stream = connected(address)
        self._stream.sendall(HANDSHAKE.format(host=address[0]).encode())
        self._heard = bytearray()
        while (end := self._heard.find(b"\r\n\r\n")) < 0:
            self._receive()
        assert self._heard.startswith(b"HTTP/1.1 101"), self._heard
        del self._heard[: end + 4]
        self.frames = self._bodies()
        next(self.frames)  # It greets.
        self._say({"action": "auth", "key": key, "secret": secret})
        assert b"authenticated" in next(self.frames)
        self._say({"action": "subscribe", "quotes": ["*"]})
        assert b"subscription" in next(self.frames)

    def close(self) -> None:
        self._stream.close()

    def _say(self, word: object) -> None:
        body = msgspec.msgpack.encode(word)
        assert len(body) < 126, "a short word"
        self._stream.sendall(bytes([0x82, 0x80 | len(body)]) + NO_MASK + body)

    def _bodies(self) -> Iterator[bytes]:
        """Of its frames, as they come (RFC 6455, 5.2)."""
        while True:
            self._have(2)
            start, size = 2, self._heard[1]
            if size >= 126:
                start = 4 if size == 126 else 10
                self._have(start)
                size = int.from_bytes(self._heard[2:start], "big")
            self._have(start + size)
            body = bytes(self._heard[start : start + size])
            del self._heard[: start + size]
            yield body

    def _have(self, size: int) -> None:
        while len(self._heard) < size:
            self._receive()

    def _receive(self) -> None:
        part = self._stream.recv(RECEIVE_BYTES)
        assert part, "the broker has hung up"
        self._heard += part


def count_in(body: bytes) -> int:
    """The elements of a frame, without looking at them (MessagePack's array 16 and fixarray)."""
    return int.from_bytes(body[1:3], "big") if body[0] == 0xDC else body[0] & 0x0F

"""Another process that floods one client with market data: `python -m tests.bench.flood MESSAGES MESSAGES_A_FRAME`.

A WebSocket server of Alpaca's protocol, as far as a client needs it, written in bytes: all frames are made before the
client comes, so that it is never the server who is slow. It says its port.
"""

import base64
import hashlib
import re
import socket
import sys
from collections.abc import Iterable

import msgspec

from tests.bench.morning import TEN_NS, quote, symbols_of
from trader.simulator.market_frames import frames, stream_element

SYMBOLS = 500
RECEIVE_BYTES = 65_536
GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
KEY = re.compile(rb"sec-websocket-key: *(\S+)", re.IGNORECASE)


def main(messages: int, in_frame: int) -> None:
    listener = socket.create_server(("127.0.0.1", 0))
    data = b"".join(map(framed, frame_bodies(messages, in_frame)))
    print(listener.getsockname()[1], flush=True)
    stream, _ = listener.accept()
    with stream:
        stream.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        stream.sendall(upgrade(stream.recv(RECEIVE_BYTES)))
        for word in ("connected", "authenticated"):
            stream.sendall(packed({"T": "success", "msg": word}))
            stream.recv(RECEIVE_BYTES)  # Its keys, then its symbols: whatever they are.
        names = list(symbols_of(SYMBOLS))
        stream.sendall(packed({"T": "subscription", "bars": names, "quotes": names}))
        stream.sendall(data)
        while stream.recv(RECEIVE_BYTES):
            pass


def frame_bodies(messages: int, in_frame: int) -> Iterable[bytes]:
    """Quotes of all symbols in turn; of one moment, so that none is late."""
    elements = [
        stream_element("q", quote(symbol, TEN_NS), packed=True) for symbol in symbols_of(SYMBOLS)
    ]
    for first in range(0, messages, in_frame):
        some = [elements[number % SYMBOLS] for number in range(first, first + in_frame)]
        yield from frames(some, packed=True)


def packed(answer: dict[str, object]) -> bytes:
    """A frame of one control message."""
    return framed(msgspec.msgpack.encode([answer]))


def framed(body: bytes) -> bytes:
    """A binary WebSocket frame of a server (RFC 6455, 5.2)."""
    size = len(body)
    if size < 126:
        return b"\x82" + size.to_bytes(1, "big") + body
    if size < 2**16:
        return b"\x82\x7e" + size.to_bytes(2, "big") + body
    return b"\x82\x7f" + size.to_bytes(8, "big") + body


def upgrade(request: bytes) -> bytes:
    """The server's side of the handshake (RFC 6455, 4.2.2)."""
    key = KEY.search(request)
    assert key is not None, "a WebSocket client shows a key"
    accept = base64.b64encode(hashlib.sha1(key[1] + GUID).digest())
    lines = [b"HTTP/1.1 101 Switching Protocols", b"Upgrade: websocket", b"Connection: Upgrade"]
    return b"\r\n".join([*lines, b"Sec-WebSocket-Accept: " + accept, b"", b""])


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))

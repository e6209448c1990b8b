"""WebSockets, behind a seam that a simulation can take over: trio-websocket, known elsewhere as send, receive, ping."""

import itertools
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Protocol
from urllib.parse import urlsplit

import trio
from msgspec import Struct
from trio_websocket import (
    ConnectionClosed,
    ConnectionRejected,
    WebSocketConnection,
    wrap_client_stream,
)

from trader.brokers.alpaca.transport import failure_words
from trader.wire.unreadable import shown

FRAME_BYTES_MAX = 2**20
RECEIVE_BUFFER_BYTES = 65_536
# Between two messages there are pings, pongs and the parts of the next one: more than that is a flood of them.
SILENT_BYTES_MAX = 2 * FRAME_BYTES_MAX
FAREWELL_SECONDS_MAX = 1.0


class StreamLost(Exception):
    """The stream is gone, or was never there; the message says why."""


class Socket(Protocol):
    """A WebSocket, as much of it as the streams need. Every method raises StreamLost when it is gone."""

    async def send(self, message: str | bytes) -> None:
        """Send one message."""
        ...

    async def receive(self) -> str | bytes:
        """The next message, waited for without end: a deadline is the caller's."""
        ...

    async def ping(self) -> None:
        """Return when the other side has answered."""
        ...


class Handshake(Struct, frozen=True, kw_only=True):
    """Where a stream is, how it is asked for, and how many seconds that may take."""

    url: str
    headers: tuple[tuple[bytes, bytes], ...] = ()
    seconds_max: float


OpenSocket = Callable[[Handshake], AbstractAsyncContextManager[Socket]]


@asynccontextmanager
async def open_socket(handshake: Handshake) -> AsyncIterator[Socket]:
    """A WebSocket over TCP; `wss` addresses are checked against the system's authorities. Raises StreamLost.

    The TCP stream and the nursery of its reader are ours: the library's own way of connecting forgets to close a
    socket whose other end hung up first. What is raised inside leaves as it is, not in the nursery's group.
    """
    failure: Exception | None = None
    stream = _Metered(await _connected(handshake))
    try:
        async with trio.open_nursery() as reader:
            try:
                connection = await _shaken(handshake, stream, reader)
                yield _TrioSocket(connection, stream)
                await _farewell(connection)
            except Exception as error:
                failure = error
            reader.cancel_scope.cancel()
    except* Exception as broken:
        # Only the library's reader can have raised this: it lets out what its own parsers make of a bad handshake.
        failure = StreamLost(_broken_words(broken))
    finally:
        await trio.aclose_forcefully(stream)
    if failure is not None:
        raise failure


async def _connected(handshake: Handshake) -> trio.SocketStream | trio.SSLStream[trio.SocketStream]:
    parts = urlsplit(handshake.url)
    host = parts.hostname or ""
    is_secure = parts.scheme == "wss"
    port = parts.port or (443 if is_secure else 80)
    try:
        with trio.fail_after(handshake.seconds_max):
            if not is_secure:
                return await trio.open_tcp_stream(host, port)
            stream = await trio.open_ssl_over_tcp_stream(
                host, port, ssl_context=ssl.create_default_context(), https_compatible=True
            )
            try:
                await stream.do_handshake()
            except BaseException:
                # Cancelled, too: a server that is tried for days must not cost a socket each time.
                await trio.aclose_forcefully(stream)
                raise
            return stream
    except (OSError, trio.BrokenResourceError) as error:
        raise StreamLost(failure_words(error)) from None
    except trio.TooSlowError:
        raise StreamLost(f"no connection within {handshake.seconds_max:g} s") from None


async def _shaken(
    handshake: Handshake,
    stream: trio.abc.Stream,
    reader: trio.Nursery,
) -> WebSocketConnection:
    parts = urlsplit(handshake.url)
    with trio.move_on_after(handshake.seconds_max):
        return await wrap_client_stream(
            reader,
            stream,  # type: ignore[arg-type] # It asks for no more than a Stream can.
            parts.netloc,
            parts.path,
            extra_headers=list(handshake.headers),
            max_message_size=FRAME_BYTES_MAX,
            receive_buffer_size=RECEIVE_BUFFER_BYTES,
        )
    raise StreamLost(f"no stream within {handshake.seconds_max:g} s")


async def _farewell(connection: WebSocketConnection) -> None:
    with trio.move_on_after(FAREWELL_SECONDS_MAX):
        await connection.aclose()


def _broken_words(group: BaseException) -> str:
    while isinstance(group, BaseExceptionGroup):
        group = group.exceptions[0]
    if isinstance(group, ConnectionRejected):
        return f"HTTP {group.status_code} instead of a stream"
    return f"no stream: {failure_words(group)}"


class _Metered(trio.abc.Stream):
    """Breaks when too many bytes come without a message in them.

    The library bounds how long a message may be, not of how many empty parts it is made, and it answers every ping:
    a server that sends these without end would otherwise look alive, and fill the memory.
    """

    def __init__(self, stream: trio.abc.Stream) -> None:
        self._stream = stream
        self._bytes = 0

    def message_taken(self) -> None:
        """It says something: begin to count again."""
        self._bytes = 0

    async def receive_some(self, max_bytes: int | None = None) -> bytes | bytearray:
        if self._bytes > SILENT_BYTES_MAX:
            raise trio.BrokenResourceError("too many bytes without a message")
        data = await self._stream.receive_some(max_bytes)
        self._bytes += len(data)
        return data

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        await self._stream.send_all(data)

    async def wait_send_all_might_not_block(self) -> None:
        await self._stream.wait_send_all_might_not_block()

    async def aclose(self) -> None:
        await self._stream.aclose()


class _TrioSocket:
    """trio-websocket's connection behind the seam."""

    def __init__(self, connection: WebSocketConnection, stream: _Metered) -> None:
        self._connection = connection
        self._stream = stream
        self._pings = itertools.count()

    async def send(self, message: str | bytes) -> None:
        try:
            await self._connection.send_message(message)
        except ConnectionClosed as closed:
            raise StreamLost(_closed_words(closed)) from None

    async def receive(self) -> str | bytes:
        try:
            message: str | bytes = await self._connection.get_message()
        except ConnectionClosed as closed:
            raise StreamLost(_closed_words(closed)) from None
        self._stream.message_taken()
        return message

    async def ping(self) -> None:
        try:
            # A payload of our own: the library would draw a random one.
            await self._connection.ping(str(next(self._pings)).encode())
        except ConnectionClosed as closed:
            raise StreamLost(_closed_words(closed)) from None


def _closed_words(closed: ConnectionClosed) -> str:
    if closed.reason is None:
        return "the connection was closed"
    return f"closed with {closed.reason.code} {shown(closed.reason.reason or '', 80)}".rstrip()

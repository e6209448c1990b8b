"""Serves the simulated broker on a socket: Hypercorn's HTTP and WebSocket protocol over Trio's sockets.

The listening is ours rather than Hypercorn's `serve`, because a broker that fails on purpose must be able to cut one
connection, and because the end of the program must not wait for a client that has stopped reading.
"""

import logging
import re
from collections.abc import Callable

import trio
from hypercorn.config import Config
from hypercorn.events import Event, RawData
from hypercorn.trio.tcp_server import TCPServer
from hypercorn.trio.worker_context import WorkerContext
from hypercorn.typing import ConnectionState, LifespanState
from hypercorn.utils import wrap_app
from starlette.types import ASGIApp

from trader.simulator.connections import Connections

LOOPBACK = "127.0.0.1"
KEEP_ALIVE_SECONDS = (
    75.0  # longer than any client's, so that it is the client who closes an idle connection
)

# Of an answer whose body follows at once; a stream's head tells no length.
HEAD = re.compile(
    rb"HTTP/1\.1 [^\r]*\r\n(?:[^\r]+\r\n)*?content-length: *[0-9]+\r\n", re.IGNORECASE
)


async def serve(
    application: ASGIApp,
    connections: Connections,
    port: int = 0,
    announce: Callable[[str], None] = lambda address: None,
    host: str = LOOPBACK,
    *,
    task_status: trio.TaskStatus[str] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Serve for ever; the address, 'http://127.0.0.1:41233', is announced before any connection is accepted.

    When it is cancelled every connection is cut. OSError: the port is taken.
    """
    config = _config()
    context = WorkerContext(None)
    app = wrap_app(application, config.wsgi_max_body_size, "asgi")  # type: ignore[arg-type]  # Starlette's types of the same thing
    # A name may stand for several addresses; one of them is told, so one of them is served.
    listener, *others = await trio.open_tcp_listeners(port, host=host)
    for other in others:
        await other.aclose()
    named = f"[{host}]" if ":" in host else host
    address = f"http://{named}:{listener.socket.getsockname()[1]}"
    announce(address)

    async def handle(stream: trio.SocketStream) -> None:
        peer = stream.socket.getpeername()[:2]
        connections.opened(peer, stream.socket.close)
        try:
            state = ConnectionState(LifespanState())
            await _WholeAnswers(app, config, context, state, stream)  # type: ignore[arg-type]  # it takes plain streams too
        finally:
            connections.closed(peer)

    async with trio.open_nursery() as handlers:
        try:
            task_status.started(address)
            await trio.serve_listeners(handle, [listener], handler_nursery=handlers)
        finally:
            # Hypercorn shields what it sends: a client that has stopped reading would hold us for ever.
            connections.cut_all()


def _config() -> Config:
    config = Config()
    config.keep_alive_timeout = KEEP_ALIVE_SECONDS
    config.keep_alive_max_requests = 1_000_000_000
    config.errorlog = logging.getLogger("trader.simulator.server")
    config.include_server_header = False
    return config


class _WholeAnswers(TCPServer):
    """Head and body leave together: two writes wake a client twice, once for nothing."""

    _head = b""

    async def protocol_send(self, event: Event) -> None:
        if not isinstance(event, RawData):
            await super().protocol_send(event)
        elif event.data.endswith(b"\r\n\r\n") and HEAD.match(event.data):
            self._head = event.data
        elif data := self._head + event.data:
            # What follows a head is its body or, where there is none, nothing: the answer's end.
            self._head = b""
            await super().protocol_send(RawData(data=data))

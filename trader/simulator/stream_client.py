"""One connected stream: what it may hear, and a bounded queue of frames that are on their way to it."""

from collections import deque
from collections.abc import Callable, Sequence

import trio
from starlette.websockets import WebSocket, WebSocketDisconnect

from trader.simulator.shapes import Json
from trader.simulator.stream_messages import encoded

FRAMES_MAX = 4_096
CLOSING_SECONDS = 1.0


class StreamClient:
    """`put` never blocks: a client that does not read fast enough gets `overrun_frame` for its last and is cut off.

    `packed` says MessagePack instead of JSON, `text` that JSON travels in text frames; `cut` closes the connection
    under it. `audible` is what the client has subscribed to: channel to symbols, where '*' means all.
    """

    def __init__(
        self,
        websocket: WebSocket,
        cut: Callable[[], None],
        *,
        overrun_frame: Callable[[bool], bytes],
        text: bool,
    ) -> None:
        content_type = websocket.headers.get("content-type", "")
        self.packed = content_type.partition(";")[0].strip().lower() == "application/msgpack"
        self._text = text and not self.packed
        self.account_id = ""
        self.feed = ""
        self.is_mute = (
            False  # connected, yet nothing but the answers to its own words comes through
        )
        self.audible: dict[str, set[str]] = {}
        self._websocket = websocket
        self._cut = cut
        self._overrun_frame = overrun_frame(self.packed)
        self._frames: deque[bytes] = deque()
        self._wake = trio.Event()
        self._written = trio.Event()
        self._written.set()
        self._closing = trio.Event()

    def put(self, frame: bytes) -> bool:
        """Queue a frame; False: it will not be sent, the client is being closed."""
        if self._closing.is_set():
            return False
        self._frames.append(frame)
        if self._written.is_set():
            self._written = trio.Event()
        if len(self._frames) > FRAMES_MAX:
            self._frames.clear()
            self.close(self._overrun_frame)
            return False
        self._wake.set()
        return True

    def say(self, value: Json) -> None:
        """A word of our own, which a mute client hears too."""
        self.put(self.encoded(value))

    def encoded(self, value: Json) -> bytes:
        return encoded(value, self.packed)

    def close(self, last_frame: bytes | None = None) -> None:
        """Send what is queued, and this, then close."""
        if last_frame is not None and not self._closing.is_set():
            self._frames.append(last_frame)
        self._closing.set()
        self._wake.set()

    def drop(self) -> None:
        """Lose what is queued, and the connection under it."""
        self._frames.clear()
        self._closing.set()
        self._wake.set()
        self._cut()

    async def wait_written(self) -> None:
        """Until everything queued was handed to the socket."""
        await self._written.wait()

    def hears(self, channel: str, symbol: str) -> bool:
        symbols = self.audible.get(channel)
        return symbols is not None and (symbol in symbols or "*" in symbols)

    def heard(self, channel: str, told: Sequence[tuple[str, bytes]]) -> list[bytes]:
        """What it hears of what is told, each with its symbol."""
        symbols = self.audible.get(channel, set())
        if "*" in symbols:
            return [element for _, element in told]
        return [element for symbol, element in told if symbol in symbols]

    @property
    def is_listening(self) -> bool:
        return any(self.audible.values()) and not self._closing.is_set()

    async def write(self) -> None:
        """Bring queued frames to the client until it is closed."""
        while self._frames or not self._closing.is_set():
            while self._frames:
                await self._send(self._frames.popleft())
            self._written.set()
            if not self._closing.is_set():
                self._wake = trio.Event()
                await self._wake.wait()
        await self._websocket.close()

    async def _send(self, frame: bytes) -> None:
        if self._text:
            await self._websocket.send_text(frame.decode())
        else:
            await self._websocket.send_bytes(frame)

    async def cut_when_stuck(self) -> None:
        """A client that is to be closed but takes nothing any more is closed from below."""
        await self._closing.wait()
        await trio.sleep(CLOSING_SECONDS)
        self._cut()

    async def read(self) -> bytes | None:
        """The next message, text or binary; None: the client is gone."""
        try:
            message = await self._websocket.receive()
        except WebSocketDisconnect:
            return None
        if message["type"] != "websocket.receive":
            return None
        text, data = message.get("text"), message.get("bytes")
        return text.encode("utf-8", "surrogateescape") if text is not None else bytes(data or b"")

"""The trading stream, heard while one order is sent and canceled: which frames, which events, and what is first."""

import msgspec
import trio
from msgspec import Struct

from trader.brokers.alpaca.websocket import Handshake, Socket, StreamLost, open_socket
from trader.simulator.conformance.asking import SETTLE_S, Asking, Silent

CONNECT_S = 10.0
ENDS = frozenset({"canceled", "rejected", "expired", "fill"})


class Heard(Struct, frozen=True, kw_only=True):
    """`failure` says why there is no more of it; `is_event_first`: an event came before the reply to the order."""

    authorized: str
    frames: frozenset[str] = frozenset()
    events: tuple[str, ...] = ()
    is_event_first: bool = False
    failure: str = ""


class _Order(Struct, frozen=True, kw_only=True):
    client_order_id: str = ""


class _Data(Struct, frozen=True, kw_only=True):
    status: str = ""
    event: str = ""
    order: _Order = _Order()


class _Frame(Struct, frozen=True, kw_only=True):
    stream: str = ""
    data: _Data = _Data()


async def heard_of(on: Asking, action: str, name: str) -> Heard:
    """Greet with `auth` or `authenticate`, listen, send one order under that name and cancel it."""
    url = f"{on.place.trading_stream}/stream"
    try:
        async with open_socket(Handshake(url=url, seconds_max=CONNECT_S)) as socket:
            return await _Listening(on, socket, name).whole(action)
    except StreamLost as lost:
        return Heard(authorized="no stream", failure=str(lost))


class _Listening:
    """One connection, from the greeting to the end of its order."""

    def __init__(self, on: Asking, socket: Socket, name: str) -> None:
        self._on, self._socket, self._name = on, socket, name
        self._frames: set[str] = set()
        self._events: list[str] = []
        self._is_replied = self._is_event_first = False
        self._failure = ""
        self._silence: Silent | None = None

    async def whole(self, action: str) -> Heard:
        greeting = await self._greeted(action)
        if greeting != "authorized":
            return self._heard(greeting, "")
        await self._say({"action": "listen", "data": {"streams": ["trade_updates"]}})
        if await self._next() is None:
            return self._heard(greeting, "it never says that it listens")
        with trio.move_on_after(2 * SETTLE_S) as patience:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._order, nursery.cancel_scope)
                await self._until_end()
        if self._silence is not None:
            raise self._silence
        untold = "the order's end was not told" if patience.cancelled_caught else ""
        return self._heard(greeting, self._failure or untold)

    async def _greeted(self, action: str) -> str:
        key, secret = self._on.credentials.key, self._on.credentials.secret()
        if action == "auth":
            await self._say({"action": action, "key": key, "secret": secret})
        else:
            await self._say({"action": action, "data": {"key_id": key, "secret_key": secret}})
        frame = await self._next()
        return "no answer" if frame is None else frame.data.status or "no status"

    async def _order(self, hearing: trio.CancelScope) -> None:
        """Send it and cancel it; where that can't be, there is nothing to hear."""
        try:
            sent = await self._on.send(self._name)
            self._is_replied = True
            if sent.is_taken:
                await self._on.settled(self._name, {"new", "accepted"})
                await self._on.cancel(sent.id)
                return
            self._failure = f"{sent.words} {sent.message}"
        except Silent as silence:
            self._silence = silence
        hearing.cancel()

    async def _until_end(self) -> None:
        while not ENDS & set(self._events):
            frame = await self._next()
            if frame is not None and frame.data.order.client_order_id == self._name:
                self._is_event_first |= not self._events and not self._is_replied
                self._events.append(frame.data.event)

    async def _say(self, message: object) -> None:
        await self._socket.send(msgspec.json.encode(message).decode())

    async def _next(self) -> _Frame | None:
        """The next frame; None where there is none in time, or none that says anything."""
        with trio.move_on_after(SETTLE_S):
            message = await self._socket.receive()
            self._frames.add("text" if isinstance(message, str) else "binary")
            try:
                return msgspec.json.decode(message, type=_Frame)
            except msgspec.MsgspecError:
                return None
        return None

    def _heard(self, greeting: str, failure: str) -> Heard:
        return Heard(
            authorized=greeting,
            frames=frozenset(self._frames),
            events=tuple(self._events),
            is_event_first=self._is_event_first,
            failure=failure,
        )

"""The stream of bars and quotes: no await between a frame's messages, and one only between frames."""

import logging
from collections.abc import Callable, Sequence

import trio
from msgspec import Struct

from trader.brokers.alpaca.gap import Gap
from trader.brokers.alpaca.stream import OpenGate, StreamRefused
from trader.brokers.alpaca.websocket import Handshake, Socket, StreamLost
from trader.credentials import Credentials
from trader.messages import Gate, SecurityStatus
from trader.model import SECOND_NS, Symbol
from trader.ports import Hear
from trader.wire.alpaca_data import (
    HARMLESS,
    Control,
    DataError,
    MarketDataReader,
    Subscribed,
    Success,
    authenticate,
    needs_a_person,
    remedy,
    subscribe,
)
from trader.wire.unreadable import Unreadable, shown

logger = logging.getLogger("trader.adapter")
DATA_FRAME = "data"
_MSGPACK = ((b"Content-Type", b"application/msgpack"),)


SILENCE_NS_MAX = 150 * SECOND_NS


class Silence(Struct, frozen=True, kw_only=True):
    """When no data at all means that the line is mute: market time, and seconds of machine time between two looks."""

    market_ns: Callable[[], int]
    is_expected: Callable[[int], bool]
    ns_max: int = SILENCE_NS_MAX
    look_every: float = 5.0


class DataConversation:
    """Authenticate, subscribe, deliver. `reader.ignored` counts what was not for us, by kind."""

    gate = Gate.MARKET_DATA

    def __init__(
        self,
        stream_url: str,
        feed: str,
        symbols: Sequence[Symbol],
        credentials: Credentials,
        gap: Gap,
        silence: Silence,
        frame_taken: Callable[[str], None],
        hear: Hear,
    ) -> None:
        self._hear = hear
        self._url = f"{stream_url}/v2/{feed}"
        self._symbols = symbols
        self._credentials = credentials
        self._gap = gap
        self._silence = silence
        self._frame_taken = frame_taken
        self._events = 0  # messages of market data, ever
        self._is_mute = False  # the last connection was, so this one has to prove that it isn't
        self.reader = MarketDataReader(symbols)

    def handshake(self, seconds_max: float) -> Handshake:
        """MessagePack is chosen by a header."""
        return Handshake(url=self._url, headers=_MSGPACK, seconds_max=seconds_max)

    async def greet(self, socket: Socket) -> str:
        """The server greets first; its last word is what we are subscribed to."""
        await self._expect(socket, "connected")
        await socket.send(authenticate(self._credentials.key, self._credentials.secret()))
        await self._expect(socket, "authenticated")
        await socket.send(subscribe(self._symbols))
        match await self._answer(socket):
            case Subscribed(bars=bars, quotes=quotes):
                missing = {str(symbol) for symbol in self._symbols} - (set(bars) & set(quotes))
            case other:
                raise StreamLost(f"no subscription but {_words(other)}")
        if missing:
            names = shown(", ".join(sorted(missing)))
            raise StreamRefused(f"market data of {names} was not subscribed: are they symbols?")
        return f"subscribed to {len(self._symbols)} symbols"

    async def listen(self, socket: Socket, open_gate: OpenGate) -> None:
        """What was missed, then message after message."""
        self._gap.forget_bands()
        await self._gap.fill()
        if not self._is_mute:
            await open_gate()
        while True:
            for status in self._take(await socket.receive()):
                await self._hear(status)
            if self._is_mute and self._events:
                self._is_mute = False
                await open_gate()

    async def watch(self) -> None:
        """Nothing of any of our symbols, for a time in which the market always speaks: the line is mute."""
        events, since_ns = -1, 0
        while True:
            now_ns = self._silence.market_ns()
            if events != self._events or not self._silence.is_expected(now_ns):
                events, since_ns = self._events, now_ns
            elif now_ns - since_ns > self._silence.ns_max:
                self._is_mute, self._events = True, 0
                raise StreamLost(f"no market data for {self._silence.ns_max // SECOND_NS} s")
            await trio.sleep(self._silence.look_every)

    def _take(self, raw: str | bytes) -> tuple[SecurityStatus, ...]:
        try:
            frame = self.reader.read(raw, self._gap.deliver)
        except Unreadable as trouble:
            self.reader.ignored["unreadable frame"] += 1
            logger.warning("market data: %s in %s", trouble, shown(raw))
            self._frame_taken(DATA_FRAME)
            return ()
        self._events += frame.events
        if frame.events:
            self._frame_taken(DATA_FRAME)
        for control in frame.controls:
            if not isinstance(control, DataError):
                logger.info("market data: %s", _words(control))
            elif control.code != HARMLESS:
                raise StreamLost(remedy(control))
        return frame.statuses

    async def _expect(self, socket: Socket, word: str) -> None:
        match await self._answer(socket):
            case Success(msg=said) if said == word:
                return
            case other:
                raise StreamLost(f"not {word} but {_words(other)}")

    async def _answer(self, socket: Socket) -> Control:
        """The one control message of the next frame. Raises StreamRefused where only a person can help."""
        try:
            frame = self.reader.read(await socket.receive(), self._gap.deliver)
        except Unreadable as trouble:
            raise StreamLost(str(trouble)) from None
        if len(frame.controls) != 1:
            raise StreamLost("data before an answer to our greeting")
        control = frame.controls[0]
        if isinstance(control, DataError) and needs_a_person(control):
            raise StreamRefused(remedy(control))
        return control


def _words(control: Control) -> str:
    match control:
        case Success(msg=msg):
            return shown(msg)
        case Subscribed(bars=bars):
            return f"subscribed to bars of {len(bars)} symbols"
        case DataError():
            return remedy(control)

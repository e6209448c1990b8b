"""The stream of our orders' reports: every frame heard in its order, and none of them able to end the listening."""

import logging
from collections import Counter
from collections.abc import Callable

import trio

from trader.brokers.alpaca.stream import OpenGate, StreamDeadlines, StreamRefused
from trader.brokers.alpaca.websocket import Handshake, Socket, StreamLost
from trader.brokers.alpaca.witness import Witness
from trader.credentials import Credentials
from trader.messages import ExecutionCorrected, Gate, OrderReport
from trader.ports import Hear
from trader.wire.alpaca_stream import (
    TRADE_UPDATES,
    Authorization,
    Listening,
    StreamFailure,
    TradingFrame,
    UnknownFrame,
    authenticate,
    decode_trading,
    listen,
)
from trader.wire.unreadable import Unreadable, shown

logger = logging.getLogger("trader.adapter")
PATH = "/stream"
TRADING_FRAME = "trading"


class TradingConversation:
    """Authenticate, listen, hear. `ignored` counts the frames that could not be heard, by kind."""

    gate = Gate.TRADING_STREAM

    def __init__(
        self,
        stream_url: str,
        credentials: Credentials,
        hear: Hear,
        frame_taken: Callable[[str], None],
        witness: Witness,
        deadlines: StreamDeadlines,
    ) -> None:
        self._stream_url = stream_url
        self._credentials = credentials
        self._hear = hear
        self._frame_taken = frame_taken
        self._witness = witness
        self._deadlines = deadlines
        self.ignored: Counter[str] = Counter()

    def handshake(self, seconds_max: float) -> Handshake:
        """Alpaca chooses JSON unless MessagePack is asked for."""
        return Handshake(url=self._stream_url + PATH, seconds_max=seconds_max)

    async def greet(self, socket: Socket) -> str:
        """The server speaks only when spoken to."""
        await socket.send(authenticate(self._credentials.key, self._credentials.secret()))
        match await _answer(socket):
            case Authorization(status="authorized"):
                pass
            case Authorization(status=status):
                raise StreamRefused(f"the trading stream says {shown(status)}: check the keys")
            case other:
                raise StreamLost(f"no authorization but {_words(other)}")
        await socket.send(listen())
        match await _answer(socket):
            case Listening(streams=streams) if TRADE_UPDATES in streams:
                return "listening"
            case other:
                raise StreamLost(f"not listening but {_words(other)}")

    async def listen(self, socket: Socket, open_gate: OpenGate) -> None:
        """Hear report after report."""
        self._witness.opened()
        try:
            await open_gate()
            await self._hear_all(socket)
        finally:
            self._witness.closed()

    async def watch(self) -> None:
        """Silence is normal here; not to tell what polls find isn't."""
        seconds = self._deadlines.untold
        while True:
            await trio.sleep(self._deadlines.look_every)
            order = self._witness.overdue(trio.current_time(), seconds)
            if order is not None:
                raise StreamLost(f"connected but mute: no word of {shown(order)} in {seconds:g} s")

    async def _hear_all(self, socket: Socket) -> None:
        while True:
            raw = await socket.receive()
            try:
                frame = decode_trading(raw)
            except Unreadable as trouble:
                self.ignored["unreadable"] += 1
                logger.warning("trading stream: %s in %s", trouble, shown(raw))
                self._frame_taken(TRADING_FRAME)
                continue
            if isinstance(frame, OrderReport | ExecutionCorrected):
                if isinstance(frame, OrderReport):
                    self._witness.told(frame)
                await self._hear(frame)
                self._frame_taken(TRADING_FRAME)
            elif isinstance(frame, StreamFailure):
                raise StreamLost(_words(frame))
            else:
                self.ignored[type(frame).__name__] += 1
                logger.info("trading stream: %s", _words(frame))


async def _answer(socket: Socket) -> TradingFrame:
    try:
        return decode_trading(await socket.receive())
    except Unreadable as trouble:
        raise StreamLost(str(trouble)) from None


def _words(frame: TradingFrame) -> str:
    match frame:
        case StreamFailure(error_message=message):
            return f"an error: {shown(message)}"
        case UnknownFrame(stream=stream):
            return f"a frame of stream {stream!r}"
        case Authorization(status=status):
            return f"authorization: {shown(status)}"
        case Listening(streams=streams):
            return f"listening to {shown(' '.join(streams))}"
        case OrderReport() | ExecutionCorrected():
            return "an order report"

"""Messages of market data a second: from the socket through WebSocket, MessagePack and guard to the mailboxes."""

from pathlib import Path

import trio

from tests.bench.flood import SYMBOLS
from tests.bench.measure import OtherEnd, Sample, Stopwatch, other_end
from tests.bench.morning import TEN_NS, symbols_of
from trader.brokers.alpaca import AlpacaFeed
from trader.clock import FreePace
from trader.credentials import Credentials
from trader.mailbox import Mailbox
from trader.messages import Input
from trader.strategies.base import SymbolView
from trader.tape import Tape

WORK = 1_000  # frames of a hundred messages, and twenty times as many of one
WORK_TINY = 2
SINGLES = 20
BATCHED = 100


def once(work: int, folder: Path) -> list[Sample]:
    """With one message in a frame, as a quiet market sends them, and with a hundred, as a busy one does."""
    return [
        Sample(name=f"messages, {name}", value=measured(frames, in_frame), unit="1/s", goal=goal)
        for name, frames, in_frame, goal in (
            ("one a frame", SINGLES * work, 1, 25_000),
            (f"{BATCHED} a frame", work, BATCHED, 400_000),
        )
    ]


def measured(frames: int, in_frame: int) -> float:
    """Messages in a CPU second of the process that receives them."""
    with other_end("flood", str(frames * in_frame), str(in_frame)) as server:
        return trio.run(_received, server, frames, frames * in_frame)


async def _received(server: OtherEnd, frames: int, messages: int) -> float:
    symbols, watch, done = symbols_of(SYMBOLS), Stopwatch(), trio.Event()
    pace = FreePace(lambda: TEN_NS)
    tape, taken = Tape(symbols, pace.market_ns), 0
    for symbol in symbols:
        tape.attach(symbol, Mailbox(pace, SymbolView(symbol=symbol)))

    def frame_taken(frame: str) -> None:
        nonlocal taken
        taken += 1
        if taken == frames:
            done.set()

    async def hear(heard: Input) -> None:
        """The gate is open."""

    address = f"127.0.0.1:{server.line()}"
    async with (
        AlpacaFeed(
            rest_url=f"http://{address}",
            stream_url=f"ws://{address}",
            credentials=Credentials("PKBENCH", "bench"),
            symbols=symbols,
            market_ns=lambda: 0,
            frame_taken=frame_taken,
        ) as feed,
        trio.open_nursery() as nursery,
    ):
        await nursery.start(feed.run, tape.deliver, hear)
        with watch:
            await done.wait()
        nursery.cancel_scope.cancel()
    assert not tape.rejections()
    assert len(tape.quotes) == min(messages, SYMBOLS)
    return messages / watch.cpu_s

"""How long a tick takes to become a decision that is committed, at a steady rate of requests.

Another process beats the time, so that a program that falls behind can't slow its own clock down. Each beat is a quote
on the tape; mailbox, worker and strategy make it one request; orders go on to a venue in memory and fill. At the start
a position in every symbol is held, and the symbols take turns in selling theirs and buying it again.
"""

import time
from collections.abc import Iterable
from pathlib import Path

import trio

from tests.bench.measure import Sample, Stopwatch, p50_p99
from tests.bench.metronome import beats
from tests.bench.morning import ACCOUNT, SHARES, STRATEGY, TEN_NS, quote, symbols_of
from tests.bench.rig import Rig, WatchedJournal, direct_broker, durable_journal, running, traded
from trader.journal.memory import MemoryJournal
from trader.mailbox import Mailbox
from trader.messages import OrderRequest
from trader.model import Bar, Purpose, Quote, Side, Symbol
from trader.ports import Batch, Journal
from trader.published import symbol_view
from trader.strategies.base import NoParameters, Strategy, SymbolView, Wish
from trader.worker import Worker, run_worker

WORK = 32  # tenths of a second
WORK_TINY = 1
SYMBOLS = 400
QUIET_S = 0.2  # without a decision: all that will come has come
# Requests a second, and every how many quotes of a symbol a position is opened and closed: of 16 requests two are
# orders and 14 are blocked, as in a stampede; of two, both.
MIXES = {"2,000 requests/s, 1 in 8 an order": (2_000, 16), "500 requests/s, all orders": (500, 2)}
GOALS_MS = {("memory", 2_000): 0.3, ("disk", 2_000): 10.0}


class EveryQuote(Strategy):
    """Each quote is one request: to buy, and with the last of so many to sell."""

    def __init__(self, quotes: int, seen: int) -> None:
        super().__init__(STRATEGY, SHARES, NoParameters())
        self._quotes = quotes
        self._seen = seen

    def on_bar(self, bar: Bar, view: SymbolView) -> Iterable[Wish]:
        return ()

    def on_quote(self, quote: Quote, view: SymbolView) -> Iterable[Wish]:
        self._seen += 1
        is_last = self._seen % self._quotes == 0
        side, purpose = (Side.SELL, Purpose.EXIT) if is_last else (Side.BUY, Purpose.ENTER)
        return (Wish(side=side, purpose=purpose, size=self.size, reason="bench"),)


class TimedJournal(WatchedJournal):
    """When each request's decision was committed, by the time of its quote."""

    def __init__(self, journal: Journal) -> None:
        super().__init__(journal)
        self.committed_ns: dict[int, int] = {}

    async def commit(self, batch: Batch) -> None:
        await super().commit(batch)
        now_ns = time.monotonic_ns()
        for entry in batch.entries:
            if isinstance(entry.input, OrderRequest) and entry.input.quote is not None:
                self.committed_ns[entry.input.quote.at_ns] = now_ns


def once(work: int, folder: Path) -> list[Sample]:
    """With the journal in memory and with the one on disk."""
    samples: list[Sample] = []
    for number, (mix, (rate, quotes)) in enumerate(MIXES.items()):
        place = folder / str(number)
        place.mkdir()
        disk = durable_journal(place)
        for name, journal in (("memory", MemoryJournal()), ("disk", disk)):
            ticks = work * rate // 10
            seconds, cpu_s = trio.run(_measured, ticks, rate, quotes, journal)
            what = f"{mix}, journal {'in' if name == 'memory' else 'on'} {name}"
            samples += p50_p99(
                f"tick to decision, {what}", seconds, (None, GOALS_MS.get((name, rate)))
            )
            samples.append(Sample(name=f"CPU of it, {what}", value=1e6 * cpu_s / ticks, unit="µs"))
        disk.close()
    return samples


async def _measured(
    ticks: int, rate: int, quotes: int, journal: Journal
) -> tuple[list[float], float]:
    """Seconds of each tick, and of CPU for all of them; a quote that a newer one replaced has no decision."""
    symbols, timed, watch = symbols_of(min(SYMBOLS, ticks)), TimedJournal(journal), Stopwatch()
    ticked_ns: dict[int, int] = {}
    async with running(symbols, timed, direct_broker(symbols)) as rig, trio.open_nursery() as tasks:
        await traded(rig, symbols, 0)
        timed.committed_ns.clear()
        for place, symbol in enumerate(symbols):
            _hire(rig, symbol, EveryQuote(quotes, place % quotes), tasks)
        with watch:
            async for beat_ns in beats(rate, ticks):
                at_ns = TEN_NS + 1 + len(ticked_ns)
                ticked_ns[at_ns] = beat_ns
                rig.tape.deliver(quote(symbols[len(ticked_ns) % len(symbols)], at_ns))
        decided = -1
        while decided < len(timed.committed_ns):
            decided = len(timed.committed_ns)
            await trio.sleep(QUIET_S)
        tasks.cancel_scope.cancel()
    assert decided > ticks / 2, "the program can't follow: no latency describes that"
    return [(now - ticked_ns[at]) / 1e9 for at, now in timed.committed_ns.items()], watch.cpu_s


def _hire(rig: Rig, symbol: Symbol, strategy: Strategy, tasks: trio.Nursery) -> None:
    worker = Worker(
        name=symbol,
        incarnation="1.0",
        account=ACCOUNT,
        symbol=symbol,
        strategy=strategy,
    )
    mailbox = Mailbox(rig.pace, symbol_view(rig.executor.state, symbol))
    rig.tape.attach(symbol, mailbox)
    tasks.start_soon(run_worker, worker, mailbox, rig.inbox)

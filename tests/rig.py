"""The program in memory: the real executor, lanes, tape, workers and supervisor around a venue without a wire."""

from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from decimal import Decimal
from typing import TypeVar

import trio
from msgspec import Struct
from trio.testing import wait_all_tasks_blocked

from trader.brokers.direct import DirectBroker, DirectFeed
from trader.build import Build
from trader.calendar import session_on
from trader.clock import FreePace, SettledPace
from trader.config import Config, StrategyConfig
from trader.conservation import Conservation
from trader.journal.memory import MemoryJournal
from trader.limits import Limits
from trader.live.assembly import Identity, Listeners, assembled
from trader.messages import Entry, Input
from trader.model import MINUTE_NS, AccountId, Bar, Order, Quote, StrategyName, Symbol
from trader.ports import Batch, Journal, Pace
from trader.state import ExecutionState
from trader.strategies.base import Strategy
from trader.supervisor import Supervisor, WorkerPlan

SESSION = session_on("2026-01-26")
assert SESSION is not None
OPEN_NS = SESSION.open_ns
PRICES = {"JD": 319_000, "GS": 6_120_000, "T": 225_000, "TRIP": 184_000}  # bids, in price ticks
LIMITS = Limits(
    order_notional_max=Decimal(100_000),
    position_notional_max=Decimal(100_000),
    entries_per_minute_max=10_000,
    entries_open_max=1_000,
    entries_notional_per_day_max=Decimal(10**9),
)


BUILD = Build(version="0.1.0", identity="rig" * 7, python="3.11", lock="")


Kind = TypeVar("Kind", bound=Struct)


class KeptJournal(MemoryJournal):
    """A journal that also remembers how its entries came: batch by batch."""

    def __init__(self) -> None:
        super().__init__()
        self.batches: list[Batch] = []

    async def commit(self, batch: Batch) -> None:
        await super().commit(batch)
        self.batches.append(batch)

    @property
    def committed(self) -> list[Entry]:
        return [entry for batch in self.batches for entry in batch.entries]

    def events(self, kind: type[Kind]) -> list[Kind]:
        told = (event for entry in self.committed for event in entry.events)
        return [event for event in told if isinstance(event, kind)]

    def inputs(self, kind: type[Kind]) -> list[Kind]:
        return [entry.input for entry in self.committed if isinstance(entry.input, kind)]


def quote_at(symbol: str, at_ns: int) -> Quote:
    bid = PRICES.get(symbol, 1_000_000)
    return Quote(
        symbol=Symbol(symbol), at_ns=at_ns, bid=bid, bid_size=1_000, ask=bid + 200, ask_size=1_000
    )


def bar_ending(symbol: str, at_ns: int) -> Bar:
    price = PRICES.get(symbol, 1_000_000)
    return Bar(
        symbol=Symbol(symbol),
        start_ns=at_ns - MINUTE_NS,
        open=price,
        high=price + 200,
        low=price,
        close=price + 100,
        volume=1_000,
    )


def plan(name: str, symbol: str, make: Callable[[], Strategy]) -> WorkerPlan:
    return WorkerPlan(name=name, symbol=Symbol(symbol), make=make)


class Rig:
    """One life of the program; `minute` lets a market minute pass, `running` keeps its tasks alive."""

    def __init__(
        self,
        symbols: Sequence[str],
        workers: Iterable[WorkerPlan] = (),
        *,
        state: ExecutionState | None = None,
        venue: DirectBroker | None = None,
        journal: Journal | None = None,
        feed: DirectFeed | None = None,
        settled: bool = False,
        epoch: int = 1,
        limits: Limits = LIMITS,
        last_check: Callable[[Order], str] = lambda order: "",
        strategies: Mapping[StrategyName, StrategyConfig] | None = None,
    ) -> None:
        self.symbols = [Symbol(one) for one in symbols]
        self.venue = venue or DirectBroker(
            self.symbols, cash=Decimal(250_000), at_ns=OPEN_NS, seed=0
        )
        self.feed = feed or DirectFeed()
        self.kept = KeptJournal()
        self.settled_pace = SettledPace(self.market_ns, speed=None)
        pace: Pace = self.settled_pace if settled else FreePace(self.market_ns)
        self.refused: list[tuple[list[Input], str]] = []
        self.parts = assembled(
            Config(symbols=tuple(self.symbols), limits=limits, strategies=dict(strategies or {})),
            Identity(
                epoch=epoch,
                build=BUILD,
                pid=1,
                broker="direct",
                account=AccountId("direct:direct"),
            ),
            state or ExecutionState(),
            journal=journal or self.kept,
            broker=self.venue,
            feed=self.feed,
            pace=pace,
            workers=tuple(workers),
            last_check=last_check,
            conservation=Conservation(),
            listeners=Listeners(
                unjournaled=lambda requests, why: self.refused.append((list(requests), why))
            ),
        )
        self.supervisor = Supervisor(self.parts)

    def market_ns(self) -> int:
        """The venue's time: tests move it minute by minute."""
        return self.venue.venue.now_ns

    @property
    def state(self) -> ExecutionState:
        return self.parts.executor.state

    def buys(self) -> list[str]:
        """The symbols of the orders that the venue accepted, in order: the ground truth."""
        return [order.symbol for order in self.venue.venue.state.orders.values()]

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """The tasks run, everything is agreed and warm; the market stands at the open with its first quotes."""
        async with trio.open_nursery() as nursery:
            await nursery.start(self.supervisor.run)
            self.quotes()
            await self.supervisor.tick(self.market_ns())
            await wait_all_tasks_blocked()
            yield
            nursery.cancel_scope.cancel()

    @asynccontextmanager
    async def conducted(self, minutes: int) -> AsyncIterator[None]:
        """The same at a settled pace, for so many minutes; waits until they are over."""
        left = minutes

        async def advance() -> bool:
            nonlocal left
            left -= 1
            if left >= 0:
                self.move()
            await trio.lowlevel.checkpoint()
            return left >= 0

        async with trio.open_nursery() as nursery:
            nursery.start_soon(
                lambda: self.settled_pace.conduct(
                    advance,
                    on_instant=self.supervisor.tick,
                    wants_executor=self.parts.inbox.has_mail,
                    wants_sender=self.parts.outbox.has_orders,
                )
            )
            await nursery.start(self.supervisor.run)
            self.quotes()
            await self.supervisor.tick(self.market_ns())
            self.settled_pace.begin()
            await self.settled_pace.session_over.wait()
            yield
            nursery.cancel_scope.cancel()

    def quotes(self) -> None:
        """Quotes of now, at the venue and on the tape."""
        now = self.market_ns()
        ticks = [quote_at(symbol, now) for symbol in self.symbols]
        self.venue.advance(now, quotes=ticks)
        self.feed.give(ticks)

    def move(self, minutes: int = 1) -> None:
        """The venue and the tape go one minute on, or so many at once."""
        now = self.market_ns() + minutes * MINUTE_NS
        bars = [bar_ending(symbol, now) for symbol in self.symbols]
        ticks = [quote_at(symbol, now) for symbol in self.symbols]
        self.venue.advance(now, bars, ticks)
        self.feed.give([*ticks, *bars])

    async def minute(self) -> None:
        """One market minute, and everything that follows from it."""
        self.move()
        await wait_all_tasks_blocked()
        await self.supervisor.tick(self.market_ns())
        await wait_all_tasks_blocked()

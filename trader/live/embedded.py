"""The simulated broker inside our own process, served over real sockets, with a settled pace for its market."""

import secrets
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import trio
from msgspec import Struct

from trader.calendar import Session, phase
from trader.clock import SettledPace
from trader.config import Fees
from trader.credentials import Credentials
from trader.feeds.market import Market
from trader.feeds.synthetic import FIRST_SESSION, LISTINGS
from trader.model import Phase
from trader.simulator.application import build_application
from trader.simulator.broker import SimulatedBroker, new_keys
from trader.simulator.faults import FaultRule
from trader.simulator.scheduled import ScheduledEvent
from trader.simulator.server import serve
from trader.venue import VenueTerms


class Sessions(Struct, frozen=True, kw_only=True):
    """What the embedded broker will serve: its market, its books' file, and from which moment of the day."""

    market: Market
    seed: int
    books: Path
    fees: Fees
    pre_market: bool
    session_max: int | None  # sessions of one run; None: all that the market has
    first: str = FIRST_SESSION  # of a new account, in a market that does not list its sessions
    events: tuple[
        ScheduledEvent, ...
    ] = ()  # of the account's whole life: those behind it have happened


class Embedded:
    """A broker that this process serves to itself; the trader reaches it by address and keys, like any other."""

    def __init__(self, plan: Sessions, speed: float | None) -> None:
        keys = new_keys(secrets.choice)
        self.credentials = Credentials(keys.key, keys.secret)
        self.broker = SimulatedBroker(
            plan.market,
            keys=keys,
            seed=plan.seed,
            path=plan.books,
            assets=tuple(LISTINGS),
            terms=VenueTerms(
                sell_notional_rate=plan.fees.sell_notional_rate,
                sell_share_rate=plan.fees.sell_share_rate,
                sell_share_fee_max=plan.fees.sell_share_cap,
            ),
            events=plan.events,
            on_frame=self._on_frame,
            on_stream=self._on_stream,
        )
        self.pace = SettledPace(
            lambda: self.broker.now_ns,
            speed=speed,
            is_paced=lambda at_ns: phase(at_ns) is Phase.REGULAR,
        )
        self.address = ""
        self._plan = plan
        self._sessions = 0
        self.session: Session | None = None

    def next_session(self, faults: Sequence[FaultRule] = ()) -> Session | None:
        """Begin the next session, or say that there is none for this run."""
        date = self.broker.next_session_date(self._plan.first)
        if date is None or self._sessions == self._plan.session_max:
            return None
        self._sessions += 1
        self.session = self.broker.begin_session(date, pre_market=self._plan.pre_market)
        for fault in faults:
            self.broker.faults.add(fault)
        return self.session

    async def advance(self) -> bool:
        """The next instant of the session, or of the next one; False when the run's last has ended."""
        if await self.broker.advance() is not None:
            return True
        return self.next_session() is not None

    async def run_clock(self, speed: float) -> None:
        """Let the sessions of this run pass by the clock, one after the other."""
        while True:
            await self.broker.run_clock(speed)
            if self.next_session() is None:
                return

    @asynccontextmanager
    async def served(self) -> AsyncIterator[str]:
        """Serve on a free port of 127.0.0.1 for as long as the block runs; gives the address."""
        async with trio.open_nursery() as nursery:
            application = build_application(self.broker)
            self.address = await nursery.start(serve, application, self.broker.connections)
            try:
                yield self.address
            finally:
                nursery.cancel_scope.cancel()
                self.broker.close()

    def _on_frame(self, stream: str, count: int) -> None:
        self.pace.frame_put(stream, count)

    def _on_stream(self, stream: str, connected: bool) -> None:
        self.pace.stream_moved(stream, connected)

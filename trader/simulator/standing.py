"""A simulated broker made of a few words, and the sessions that pass over it."""

from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path

from msgspec import Struct

from trader.feeds.market import Market
from trader.feeds.recorded import RecordedMarket
from trader.feeds.synthetic import DEFAULT_SYMBOLS, FIRST_SESSION, LISTINGS, SyntheticMarket
from trader.model import Symbol
from trader.simulator.books import OPENING_CASH, Service
from trader.simulator.broker import Keys, SimulatedBroker
from trader.simulator.faults import FaultRule
from trader.simulator.scheduled import ScheduledEvent
from trader.venue import VenueTerms


class Standing(Struct, frozen=True, kw_only=True):
    """`symbols` None: those that the market has. `speed` is market seconds a machine second; None: time stands.

    `data` is a file or folder of recorded bars and quotes; else the market is the synthetic one of `seed`. `state` is
    a file that keeps the account. What more there is, `service` and `terms` say.
    """

    symbols: Sequence[str] | None = None
    seed: int = 7
    speed: float | None = None
    cash: Decimal | int | str = OPENING_CASH
    data: str | Path | None = None
    state: Path | None = None
    faults: Sequence[FaultRule] = ()
    events: Sequence[ScheduledEvent] = ()
    service: Service | None = None
    terms: VenueTerms | None = None

    def market(self) -> Market:
        """ValueError, or a MarketDataError: there is no such market."""
        wanted = None if self.symbols is None else [Symbol(one) for one in self.symbols]
        if self.data is not None:
            return RecordedMarket([Path(self.data)], wanted)
        return SyntheticMarket(self.seed, DEFAULT_SYMBOLS if wanted is None else wanted)


def opened(standing: Standing, keys: Keys) -> SimulatedBroker:
    """At the opening of its next session, whose first quotes come with its first instant."""
    broker = SimulatedBroker(
        standing.market(),
        keys=keys,
        seed=standing.seed,
        path=standing.state,
        cash=Decimal(standing.cash),
        assets=LISTINGS if standing.data is None else (),
        faults=standing.faults,
        events=standing.events,
        service=standing.service,
        terms=standing.terms,
    )
    begin_next(broker)
    return broker


async def pass_sessions(broker: SimulatedBroker, speed: float) -> None:
    """One after the other; where a recorded market ends, the broker stays, closed."""
    while True:
        await broker.run_clock(speed)
        if not begin_next(broker):
            return


def begin_next(broker: SimulatedBroker) -> bool:
    date = broker.next_session_date(FIRST_SESSION)
    if date is not None:
        broker.begin_session(date)
    return date is not None

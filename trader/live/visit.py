"""Ask an account's broker something without trading: the service, a server of one's own, or the embedded books."""

import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from msgspec import Struct

from trader.brokers.alpaca import AlpacaBroker, ReadOnlyAlpacaBroker
from trader.config import BrokerName, Config
from trader.credentials import Credentials
from trader.exits import StartRefused
from trader.feeds.market import Instant
from trader.live.alpaca import LIVE, PAPER, Addresses, local
from trader.live.archive import broker_books
from trader.live.embedded import Embedded, Sessions
from trader.messages import Input, Statement
from trader.model import AccountId, Bar, Symbol
from trader.ports import BrokerRefused, BrokerUnavailable


class Visit(Struct, frozen=True, kw_only=True):
    """Whose account, and how it is reached; credentials are None for the embedded broker."""

    broker: BrokerName
    addresses: Addresses | None
    credentials: Credentials | None
    config: Config
    database: Path


class Told(Struct, frozen=True, kw_only=True):
    """The whole of what the broker said; the Statement is the last of it."""

    account: AccountId
    inputs: tuple[Input, ...]

    @property
    def statement(self) -> Statement:
        """Cash, holdings, open orders."""
        last = self.inputs[-1]
        assert isinstance(last, Statement), "a statement ends with its Statement"
        return last


def addresses_of(broker: BrokerName, address: str | None) -> Addresses | None:
    """Where a broker is; None for the embedded one."""
    if broker is BrokerName.SIMULATED:
        return None
    if address is not None:
        return local(address)
    return LIVE if broker is BrokerName.ALPACA_LIVE else PAPER


async def asked(visit: Visit, heard_ns: int, span_ns: int) -> Told:
    """The account's statement, with the reports that come before it; raises StartRefused where it can't be had.

    Of the time since `span_ns` before the books heard something last, or before now where they never did.
    """
    told: Told | str
    now_ns = time.time_ns()
    async with _broker(visit, lambda: now_ns) as broker:
        try:
            account = await broker.identify()
            if visit.addresses not in (LIVE, PAPER):  # A market of one's own has a time of its own.
                now_ns = await broker.clock_ns()
            since_ns = max(0, (heard_ns or now_ns) - span_ns)
            told = Told(account=account, inputs=tuple(await broker.statement(since_ns)))
        except (BrokerRefused, BrokerUnavailable) as error:
            told = str(error)
    if isinstance(told, str):
        raise StartRefused(told, where="broker")
    return told


@asynccontextmanager
async def _broker(
    visit: Visit, market_ns: Callable[[], int]
) -> AsyncIterator[ReadOnlyAlpacaBroker]:
    if visit.addresses is not None:
        assert visit.credentials is not None, "a service wants keys"
        async with AlpacaBroker(
            base_url=visit.addresses.trading,
            stream_url=visit.addresses.trading_stream,
            credentials=visit.credentials,
            name=visit.broker.value,
            market_ns=market_ns,
        ) as broker:
            yield broker
        return
    embedded = Embedded(_no_sessions(visit), None)
    async with (
        embedded.served() as address,
        AlpacaBroker(
            base_url=address,
            stream_url=address.replace("http://", "ws://"),
            credentials=embedded.credentials,
            name=BrokerName.SIMULATED.value,
            market_ns=embedded.pace.market_ns,
        ) as broker,
    ):
        yield broker


def _no_sessions(visit: Visit) -> Sessions:
    return Sessions(
        market=_Silent(visit.config.symbols),
        seed=0,
        books=broker_books(visit.database),
        fees=visit.config.fees,
        pre_market=False,
        session_max=0,
    )


class _Silent:
    """A market in which nothing happens: the books can be asked, and stay as they are."""

    def __init__(self, symbols: Sequence[Symbol]) -> None:
        self.symbols = tuple(symbols)

    def session_dates(self) -> Sequence[str] | None:
        return ()

    def instants(self, session_date: str) -> Iterator[Instant]:
        return iter(())

    def history(self, symbol: Symbol, before_ns: int, count: int) -> list[Bar]:
        return []

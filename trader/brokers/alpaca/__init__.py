"""Alpaca, paper and live, and every server that speaks its protocol: a Broker, a Feed, a Broker that cannot send."""

from collections.abc import Callable, Sequence
from decimal import Decimal
from types import TracebackType
from typing import Self

import httpx2
import trio
from msgspec import Struct

from trader.brokers.alpaca.budget import RequestBudget
from trader.brokers.alpaca.data_stream import DataConversation, Silence
from trader.brokers.alpaca.gap import Gap
from trader.brokers.alpaca.history import bars_before
from trader.brokers.alpaca.rest import Queries
from trader.brokers.alpaca.sending import Sender
from trader.brokers.alpaca.stream import Stream, StreamDeadlines
from trader.brokers.alpaca.trading_stream import TradingConversation
from trader.brokers.alpaca.transport import (
    HttpDeadlines,
    HttpLink,
    checked_address,
)
from trader.brokers.alpaca.websocket import OpenSocket, open_socket
from trader.brokers.alpaca.witness import Witness
from trader.conservation import Conservation
from trader.credentials import Credentials
from trader.messages import CancelOutcome, Input, LookupMissed, OrderReport, SendOutcome, Statement
from trader.model import AccountId, Bar, ClientOrderId, Order, Symbol
from trader.ports import BrokerRefused, BrokerUnavailable, Deliver, Hear

PAPER_URL = "https://paper-api.alpaca.markets"
PAPER_STREAM_URL = "wss://paper-api.alpaca.markets"
LIVE_URL = "https://api.alpaca.markets"
LIVE_STREAM_URL = "wss://api.alpaca.markets"
DATA_URL = "https://data.alpaca.markets"
DATA_STREAM_URL = "wss://stream.data.alpaca.markets"


def _nobody_counts(_frame: str) -> None:
    """Only a settled market wants to know when a frame has been taken."""


def _no_silence(_at_ns: int) -> bool:
    """Where it isn't known when the market speaks, its silence says nothing."""
    return False


class Links(Struct, frozen=True, kw_only=True):
    """How the world is reached, how long we wait for it, and how much may be asked of it.

    http None: real sockets. requests_per_minute None: no limit but what the broker's headers name.
    """

    http: httpx2.AsyncBaseTransport | None = None
    open_socket: OpenSocket = open_socket
    http_deadlines: HttpDeadlines = HttpDeadlines()
    stream_deadlines: StreamDeadlines = StreamDeadlines()
    requests_per_minute: int | None = None


REAL_LINKS = Links()


class ReadOnlyAlpacaBroker:
    """Everything but sending: there is no request in it that could change the account. For dry runs.

    market_ns gives the market's time; frame_taken is told 'trading' whenever a frame of reports has been heard.
    Raises ValueError for an address that keys may not be sent to.
    """

    def __init__(
        self,
        *,
        base_url: str,
        stream_url: str,
        credentials: Credentials,
        name: str,
        market_ns: Callable[[], int],
        frame_taken: Callable[[str], None] = _nobody_counts,
        links: Links = REAL_LINKS,
    ) -> None:
        self._stream_url = checked_address(stream_url, "ws")
        self._credentials = credentials
        self._frame_taken = frame_taken
        self._links = links
        self._market_ns = market_ns
        self._budget = RequestBudget(links.requests_per_minute)
        self._witness = Witness()
        self._query_link = self._link(base_url, is_patient=True)
        self._queries = Queries(self._query_link, name, market_ns)

    def _link(self, base_url: str, *, is_patient: bool) -> HttpLink:
        return HttpLink(
            base_url,
            self._credentials,
            transport=self._links.http,
            deadlines=self._links.http_deadlines,
            budget=self._budget,
            is_patient=is_patient,
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self._query_link.aclose()

    async def identify(self) -> AccountId:
        """See ports.Broker."""
        return await self._queries.identify()

    async def clock_ns(self) -> int:
        """The broker's own time; raises BrokerRefused or BrokerUnavailable."""
        return await self._queries.clock_ns()

    async def clock_skew_ns(self) -> int:
        """How far the broker's clock is ahead of our market's; raises as clock_ns does."""
        asked_ns = self._market_ns()
        theirs_ns = await self.clock_ns()
        return theirs_ns - (asked_ns + self._market_ns()) // 2

    async def submit(self, order: Order) -> OrderReport | SendOutcome:
        """No."""
        return SendOutcome(
            client_order_id=order.client_order_id, outcome="never_sent", reason="would_send"
        )

    async def cancel(self, order: Order) -> CancelOutcome:
        """No."""
        return CancelOutcome(
            client_order_id=order.client_order_id, outcome="rejected", reason="dry run"
        )

    async def lookup(self, order: Order, attempts: int) -> list[Input] | LookupMissed:
        """See ports.Broker. Refused keys are no evidence about an order: BrokerUnavailable."""
        try:
            return await self._queries.lookup(order, attempts)
        except BrokerRefused as refused:
            raise BrokerUnavailable(str(refused)) from None

    async def is_absent(self, order: Order) -> bool:
        """See ports.Broker."""
        try:
            return await self._queries.is_absent(order)
        except BrokerRefused as refused:
            raise BrokerUnavailable(str(refused)) from None

    async def holdings(self) -> dict[Symbol, Decimal]:
        """Shares by symbol, negative where they are short. Raises BrokerUnavailable, BrokerRefused."""
        return await self._queries.holdings()

    async def statement(self, since_ns: int) -> list[Input]:
        """See ports.Broker; raises BrokerRefused, too, where the account can't be traded any more."""
        found = await self._queries.statement(since_ns)
        self._witness.polled(found, trio.current_time())
        return found

    async def look(self, since: Statement) -> frozenset[ClientOrderId] | None:
        """See ports.Broker. Where it finds nothing moved there is nothing to hold the stream against."""
        return await self._queries.look(since)

    async def follow(
        self, hear: Hear, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED
    ) -> None:
        """See ports.Broker; raises BrokerRefused or BrokerUnavailable before it was heard for the first time."""
        conversation = TradingConversation(
            self._stream_url,
            self._credentials,
            hear,
            self._frame_taken,
            self._witness,
            self._links.stream_deadlines,
        )
        stream = Stream(conversation, self._links.open_socket, self._links.stream_deadlines)
        await stream.run(hear, task_status)


class AlpacaBroker(ReadOnlyAlpacaBroker):
    """The same, and it sends; right before an order's bytes leave, `last_check` may say why they must not after all.

    Then `conservation` reads them; None is for who sends by hand, with no journal behind it. `is_clocked`: market_ns
    runs by itself, so that entries can be counted as they leave.
    """

    def __init__(
        self,
        *,
        base_url: str,
        stream_url: str,
        credentials: Credentials,
        name: str,
        market_ns: Callable[[], int],
        frame_taken: Callable[[str], None] = _nobody_counts,
        links: Links = REAL_LINKS,
        last_check: Callable[[Order], str] = lambda order: "",
        conservation: Conservation | None = None,
        is_clocked: bool = True,
    ) -> None:
        super().__init__(
            base_url=base_url,
            stream_url=stream_url,
            credentials=credentials,
            name=name,
            market_ns=market_ns,
            frame_taken=frame_taken,
            links=links,
        )
        self._order_link = self._link(base_url, is_patient=False)
        # With questions of its own: a cancel that needs the broker's id must not wait for the budget.
        questions = Queries(self._order_link, name, market_ns)
        clock_ns = market_ns if is_clocked else None
        self._sender = Sender(
            self._order_link, questions, self._budget, last_check, conservation, clock_ns
        )

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self._order_link.aclose()
        await super().__aexit__(kind, error, traceback)

    async def submit(self, order: Order) -> OrderReport | SendOutcome:
        """See ports.Broker. Cancelled in the middle, the order's fate is unknown: nobody is told here."""
        return await self._sender.submit(order)

    async def cancel(self, order: Order) -> CancelOutcome:
        """See ports.Broker."""
        return await self._sender.cancel(order)


class AlpacaFeed:
    """Minute bars and quotes of our symbols. frame_taken is told 'data' whenever a frame of them was delivered.

    is_expected tells when the market always speaks: a line that doesn't, then, is mute and left for a new one.
    """

    def __init__(
        self,
        *,
        rest_url: str,
        stream_url: str,
        credentials: Credentials,
        symbols: Sequence[Symbol],
        market_ns: Callable[[], int],
        is_expected: Callable[[int], bool] = _no_silence,
        feed: str = "iex",
        frame_taken: Callable[[str], None] = _nobody_counts,
        links: Links = REAL_LINKS,
    ) -> None:
        self._stream_url = checked_address(stream_url, "ws")
        self._credentials = credentials
        self._symbols = tuple(symbols)
        self._feed = feed
        self._market_ns = market_ns
        self._is_expected = is_expected
        self._frame_taken = frame_taken
        self._links = links
        self._link = HttpLink(
            rest_url,
            credentials,
            transport=links.http,
            deadlines=links.http_deadlines,
            budget=RequestBudget(links.requests_per_minute),
            is_patient=True,
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self._link.aclose()

    async def run(
        self,
        deliver: Deliver,
        hear: Hear,
        *,
        task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED,
    ) -> None:
        """See ports.Feed; raises BrokerRefused or BrokerUnavailable before data came for the first time."""
        deadlines = self._links.stream_deadlines
        gap = Gap(
            self._link,
            self._feed,
            self._symbols,
            market_ns=self._market_ns,
            deliver=deliver,
            seconds_max=deadlines.backfill,
        )
        conversation = DataConversation(
            self._stream_url,
            self._feed,
            self._symbols,
            self._credentials,
            gap,
            Silence(
                market_ns=self._market_ns,
                is_expected=self._is_expected,
                look_every=deadlines.look_every,
            ),
            self._frame_taken,
            hear,
        )
        stream = Stream(conversation, self._links.open_socket, deadlines)
        await stream.run(hear, task_status)

    async def history(self, symbol: Symbol, before_ns: int, count: int) -> list[Bar]:
        """See ports.Feed."""
        return await bars_before(self._link, self._feed, symbol, before_ns, count)

"""What the tasks need of the world, as protocols: Journal, Broker, Feed, Pace. The hands behind them are elsewhere."""

from collections.abc import Awaitable, Callable, Iterator
from contextlib import AbstractAsyncContextManager
from typing import Protocol

import trio
from msgspec import Struct

from trader.execution import ExecutionState
from trader.messages import (
    CancelOutcome,
    Entry,
    Input,
    LookupMissed,
    OrderReport,
    SendOutcome,
    Statement,
)
from trader.model import AccountId, Bar, ClientOrderId, Order, Symbol, Tick


class Batch(Struct, frozen=True, kw_only=True):
    """What one turn of the executor wants made durable: all of it or nothing. `after` is the state that it leads to."""

    entries: tuple[Entry, ...]
    after: ExecutionState


Deliver = Callable[[Tick], None]
Hear = Callable[[Input], Awaitable[None]]


class JournalFailed(Exception):
    """Nothing of the batch was written, for certain: a full disk, a locked file. The next commit may go well."""


class Journal(Protocol):
    """The append-only ground truth, with one writer."""

    @property
    def head(self) -> int:
        """Sequence number of the last committed entry, 0 when there is none."""
        ...

    async def commit(self, batch: Batch) -> None:
        """Write entries and the tables that follow from them in one durable transaction, or raise as above."""
        ...

    async def read(self, after: int, limit: int) -> list[Entry]:
        """Committed entries with a sequence number above `after`, oldest first, for readers behind the head."""
        ...

    def entries(self, after: int = 0) -> Iterator[Entry]:
        """All committed entries, in order, their chain of hashes checked; for the fold at the start."""
        ...


class BrokerUnavailable(Exception):
    """A query brought no answer that can be relied on. It is not an empty answer."""


class BrokerRefused(Exception):
    """The broker will not work with us (keys, account blocked, wrong account): a person has to act."""


class Broker(Protocol):
    """One account at one broker. Nothing here repeats a send."""

    async def identify(self) -> AccountId:
        """The account behind the keys, as 'broker:number'. Raises BrokerRefused or BrokerUnavailable."""
        ...

    async def submit(self, order: Order) -> OrderReport | SendOutcome:
        """Send the order once, under its client order id."""
        ...

    async def cancel(self, order: Order) -> CancelOutcome:
        """Ask for the order's end; the proof comes as a report."""
        ...

    async def lookup(self, order: Order, attempts: int) -> list[Input] | LookupMissed:
        """Everything the broker knows of this order, executions included. Raises BrokerUnavailable."""
        ...

    async def is_absent(self, order: Order) -> bool:
        """A complete walk of all orders since before the send, and of all fills, knows nothing of it.

        Raises BrokerUnavailable. Alone it proves nothing either: see doubt.py.
        """
        ...

    async def statement(self, since_ns: int) -> list[Input]:
        """Reports of all orders open or touched since and of their executions, then the Statement: whole.

        Raises BrokerUnavailable where any part of it can't be had, BrokerRefused as identify does.
        """
        ...

    async def look(self, since: Statement) -> frozenset[ClientOrderId] | None:
        """All open orders, if nothing has moved since that statement: no order, no fill, no position.

        None where anything has, or where it can't be told: a statement tells what. Raises as statement does.
        """
        ...

    async def follow(
        self,
        hear: Hear,
        *,
        task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED,
    ) -> None:
        """Bring every report of the broker's stream to `hear`, for ever.

        Each time the stream is up again it tells: GateReport(TRADING_STREAM, open), as it tells when it is lost. The
        listener asks for a statement then: what happened meanwhile is not replayed by anybody.
        """
        ...


class Feed(Protocol):
    """Market data of the symbols we trade."""

    async def run(
        self,
        deliver: Deliver,
        hear: Hear,
        *,
        task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED,
    ) -> None:
        """Deliver bars and quotes, for ever, and tell `hear` when the stream is up (GateReport MARKET_DATA) or lost."""
        ...

    async def history(self, symbol: Symbol, before_ns: int, count: int) -> list[Bar]:
        """The last `count` one-minute bars that ended at or before, oldest first. Raises BrokerUnavailable."""
        ...


class Pace(Protocol):
    """Market time, and who may move when: free, or settled with the simulated broker so that a day repeats itself."""

    def market_ns(self) -> int:
        """The market's time now."""
        ...

    def began(self, token: object) -> None:
        """Something is under way that market time must wait for, until ended(token)."""
        ...

    def ended(self, token: object) -> None:
        """It is over; harmless when it was over already."""
        ...

    def executor_turn(self) -> AbstractAsyncContextManager[None]:
        """Enter when the executor may take what is in its inbox; leave when the turn has been acted on."""
        ...

    def sender_turn(self) -> AbstractAsyncContextManager[None]:
        """Enter when the next order may leave; leave when its outcome has been told."""
        ...

"""The one way to the executor: a bounded channel for everything that it hears, in the order in which it decides."""

from collections import deque
from collections.abc import Iterable

import trio
from msgspec.structs import replace

from trader.messages import (
    Acceptance,
    Activity,
    Adoption,
    AlarmReport,
    Boot,
    CancelOutcome,
    Clock,
    Command,
    ExecutionCorrected,
    GateReport,
    Input,
    LifeEnd,
    LookupMissed,
    Opening,
    OrderReport,
    OrderRequest,
    PriceJumped,
    Resolution,
    SecurityStatus,
    SendOutcome,
    SendStarted,
    Statement,
    WorkerReport,
)

INBOX_MAX = 4_096  # what may wait; tellers wait beyond it
BATCH_MAX = 1_024  # what one turn takes
REQUEST_WAIT_MAX_S = 10.0  # machine time in the channel after which a request is late


class Inbox:
    """Bounded; whoever tells something waits while it is full, and a request that waited too long says so."""

    def __init__(self) -> None:
        self._send, self._receive = trio.open_memory_channel[tuple[float, Input]](INBOX_MAX)
        self._kept: deque[tuple[float, Input]] = deque()

    async def tell(self, heard: Input) -> None:
        """Hand over; waits while the inbox is full. The wait counts against a request's age."""
        await self._send.send((trio.current_time(), heard))

    async def tell_all(self, inputs: Iterable[Input]) -> None:
        """Hand over what belongs together: as far as there is room at once, so that one turn takes it."""
        for heard in inputs:
            try:
                self.tell_nowait(heard)
            except trio.WouldBlock:
                await self.tell(heard)
        await trio.lowlevel.checkpoint()

    def tell_nowait(self, heard: Input) -> None:
        """Hand over at once; raises trio.WouldBlock when it is full."""
        self._send.send_nowait((trio.current_time(), heard))

    def try_tell(self, heard: Input) -> bool:
        """Hand over at once, where there is room."""
        try:
            self.tell_nowait(heard)
        except trio.WouldBlock:
            return False
        return True

    def keep(self, inputs: list[Input]) -> None:
        """Give back what could not be recorded; it is taken first next time."""
        now = trio.current_time()
        self._kept.extendleft((now, heard) for heard in reversed(inputs))

    def has_mail(self) -> bool:
        """Something waits."""
        return bool(self._kept) or self._receive.statistics().current_buffer_used > 0

    async def wait(self) -> None:
        """Return when something waits."""
        if self._kept:
            await trio.lowlevel.checkpoint()
        else:
            self._kept.append(await self._receive.receive())

    def drain(self) -> list[Input]:
        """What waits, at most BATCH_MAX, in the order in which it is decided."""
        batch: list[Input] = []
        now = trio.current_time()
        while len(batch) < BATCH_MAX and (letter := self._next()) is not None:
            told_s, heard = letter
            if isinstance(heard, OrderRequest) and now - told_s > REQUEST_WAIT_MAX_S:
                heard = replace(heard, late=True)
            batch.append(heard)
        return in_order(batch)

    def _next(self) -> tuple[float, Input] | None:
        if self._kept:
            return self._kept.popleft()
        try:
            return self._receive.receive_nowait()
        except trio.WouldBlock:
            return None


def in_order(batch: list[Input]) -> list[Input]:
    """Commands and fences, then reports, then the clock, then requests by (market time, urgency, symbol, id).

    Reports of one order are put in the order of its life, so that which of two sockets was read first does not show.
    """
    return sorted(batch, key=_rank) if len(batch) > 1 else [*batch]


def _rank(heard: Input) -> tuple[int, int, int, str, int, str]:
    match heard:
        case OrderReport():  # First are the two of which there are many at a time.
            return (1, 0, 0, heard.client_order_id, 1 + int(heard.quantity_cumulative), "")
        case OrderRequest():
            return (3, heard.at_ns, -heard.urgency, heard.symbol, 0, heard.request_id)
        case Boot():
            return (0, 0, 0, "", 0, "")
        case (
            Command()
            | GateReport()
            | WorkerReport()
            | Resolution()
            | Opening()
            | Adoption()
            | Acceptance()
        ):
            return (0, 1, 0, "", 0, "")  # as they came: sorting is stable
        case SecurityStatus() | PriceJumped():
            return (0, 1, 0, "", 0, "")
        case SendStarted():
            return (1, 0, 0, heard.client_order_id, 0, "")
        case SendOutcome() | CancelOutcome() | LookupMissed():
            return (1, 0, 0, heard.client_order_id, 1, "~")
        case ExecutionCorrected():
            return (1, 1, 0, heard.client_order_id, heard.at_ns, heard.execution_id)
        case Activity():
            return (1, 2, 0, "", heard.at_ns, heard.activity_id)
        case Statement():
            return (1, 3, 0, "", 0, "")
        case Clock():
            return (2, heard.at_ns, 0, "", 0, "")
        case AlarmReport():
            return (0, 1, 0, "", 0, "")
        case LifeEnd():
            return (4, 0, 0, "", 0, "")

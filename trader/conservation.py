"""The last line before the socket: what leaves is what was approved, at the pace that was set, of shares that are held.

Problem: every rule reads one position map and one state, so that one mistake in these can let everything pass.
Choice: right before the first byte leaves, three sums are made again, from the journal's rows and from the bytes
themselves, by code that shares nothing with risk.py, positions.py and evolve.py: (1) what was sent under an id never
exceeds what was approved under it, and is that order: a stop that leaves without its price would sell at once; (2) of
the entries that were approved within a minute of market time, no more leave than the limit; (3) sales that may still
trade, together, never exceed the shares that executions have brought: resting stops are sales like any other, until
the broker has told their end. A sale that was covered when it was approved may have been overtaken, by a stop that
was executed after all, or a purchase that was taken back: it alone stays. So does an entry that would be one too many
of those that leave within any minute by the running clock: that is the pace of a lane, and no bug. Whatever else
doesn't add up is a bug of ours, and nobody knows how far it reaches. So the socket stays shut, for exits and stops,
too, over restarts, until a person resumes; positions are closed at the broker by hand meanwhile. Cancels still go.

The sums err to one side: whatever may be at the broker counts, a sale for all of it until its end is heard of.
"""

from collections import deque
from collections.abc import Iterable, Iterator
from decimal import Decimal
from enum import Enum

from msgspec import Struct

from trader.messages import (
    BooksMoved,
    Claim,
    Command,
    Entry,
    Event,
    ExecutionBooked,
    Halted,
    Input,
    LifeBegan,
    OrderReport,
    RequestAccepted,
    Resolution,
    Resumed,
    SendOutcome,
    SessionBegan,
)
from trader.model import MINUTE_NS, ClientOrderId, ExecutionId, Order, Side, Symbol
from trader.money import ZERO, canonical

WHO = "the last line"
REMEDY = "close positions at the broker; then bin/trade resume --reason"
OVER = frozenset({Claim.CANCELED, Claim.EXPIRED})
NO_EVIDENCE = frozenset({Claim.CANCEL_REJECTED, Claim.FOREIGN_CHANGE})  # that it is, or was, there
ALIVE = frozenset({Claim.PENDING_NEW, Claim.NEW, Claim.PARTIALLY_FILLED, Claim.FILLED})


class End(Enum):
    """Whether more of an order can trade; a refusal may turn out to be a mistake."""

    NONE = 0
    REFUSED = 1
    OVER = 2

    def __bool__(self) -> bool:
        return self is not End.NONE


class Leaving(Struct, frozen=True, kw_only=True):
    """An order as its bytes say it, on their way to the socket."""

    client_order_id: str
    symbol: str
    side: Side
    quantity: Decimal
    order_type: str
    limit_price: Decimal | None = None
    stop_price: Decimal | None = None
    trail_percent: Decimal | None = None

    def differs_from(self, order: Order) -> str:
        """In what it is another order than this one, apart from its shares; empty where it is the same."""
        percent = None if order.trail is None else order.trail * 100
        for what, leaves, approved in (
            ("", f"{self.side} {self.symbol}", f"{order.side} {order.symbol}"),
            ("of type ", self.order_type, order.order_type),
            ("with a limit of ", self.limit_price, order.limit_price),
            ("with a stop at ", self.stop_price, order.stop_price),
            ("trailing by % ", self.trail_percent, percent),
        ):
            if leaves != approved:
                return f"leaves {what}{leaves}, approved was {approved}"
        return ""


class _Approved:
    """One intent: what was approved, what has left, and what became of it. A value that changes, and is never shown."""

    __slots__ = (
        "end",
        "executions",
        "has_bust",
        "is_heard",
        "left",
        "order",
        "there",
        "touched_ns",
    )

    def __init__(self, order: Order) -> None:
        self.order = order
        self.left = ZERO  # shares that were handed to the socket, or may have been
        self.there = ZERO  # of a sale: shares that nothing else sold, when it was approved
        self.is_heard = False  # the broker has shown that it has it
        self.end = End.NONE
        self.has_bust = False
        self.executions: dict[ExecutionId, tuple[Decimal, Decimal]] = {}  # quantity, where it ends
        self.touched_ns = order.created_ns

    @property
    def executed(self) -> Decimal:
        return sum((quantity for quantity, _ in self.executions.values()), ZERO)

    @property
    def waits(self) -> bool:
        """It is to leave still."""
        return not (self.left or self.end or self.executions or self.is_heard)

    def weight(self) -> Decimal:
        """Shares that it has brought (above 0), or has taken and may still take (below 0)."""
        if self.order.side is Side.BUY:
            return self.executed
        return -(self.executed if self.end else max(self.left, self.executed))


class Conservation:
    """Reads along in the journal, and is asked right before the first byte of each order."""

    def __init__(self) -> None:
        self._approved: dict[ClientOrderId, _Approved] = {}
        self._free: dict[Symbol, Decimal] = {}  # held by executions, less what sales may still take
        self._recent: list[_Approved] = []  # entries of the last minute
        self._waiting: dict[Symbol, list[_Approved]] = {}  # sales that are to leave still
        self._entries_max = 0
        self._entries_left_ns: deque[int] = deque()  # when, in market time by the clock
        self._session_ns = 0
        self._shut = ""
        self._untold: list[Input] = []

    # ------------------------------------------------------------------------------------------ the question

    def refusal(self, leaving: Leaving, now_ns: int | None = None) -> str:
        """Why it must not leave, or nothing: then it counts as sent, so no wait may come after this.

        now_ns is market time where it runs by a clock, None where it stands while anything happens.
        """
        if self._shut:
            return self._shut
        approved = self._approved.get(ClientOrderId(leaving.client_order_id))
        why = self._beyond(leaving, approved)
        if why or approved is None:
            return self._shut_for(leaving.client_order_id, why)
        if leaving.side is Side.SELL and leaving.quantity > (
            free := self.free(approved.order.symbol)
        ):
            return f"since it was approved, {_uncovered(leaving, free)}"
        if leaving.side is Side.BUY and now_ns is not None and (why := self._too_soon(now_ns)):
            return why
        with_it = approved.left + leaving.quantity
        self._weigh(approved, approved.weight(), left=with_it)
        return ""

    def _too_soon(self, now_ns: int) -> str:
        """One more would be too many within a minute; else it counts as gone. Either way: clocks go back, too."""
        left_ns = self._entries_left_ns
        while left_ns and abs(now_ns - left_ns[0]) >= MINUTE_NS:
            left_ns.popleft()
        if len(left_ns) >= self._entries_max:
            return f"{len(left_ns)} entries have left within a minute, {self._entries_max} may"
        left_ns.append(now_ns)
        return ""

    def unreadable(self, what: str) -> str:
        """Bytes that make no sense are about to leave: nobody can say what they would do."""
        return self._shut or self._shut_for("", what)

    def free(self, symbol: Symbol) -> Decimal:
        """Shares that executions have brought, and that no sale has taken or may still take."""
        return self._free.get(symbol, ZERO)

    def untold(self) -> list[Input]:
        """What the executor has yet to hear: that this has halted the program."""
        told, self._untold = self._untold, []
        return told

    def _beyond(self, leaving: Leaving, approved: _Approved | None) -> str:
        name, quantity = leaving.client_order_id, leaving.quantity
        if approved is None:
            return f"{name} leaves and was never approved"
        order = approved.order
        if other := leaving.differs_from(order):
            return f"{name} {other}"
        if not ZERO < quantity <= order.quantity - approved.left:
            sent = f", {canonical(approved.left)} of them sent" if approved.left else ""
            return f"{canonical(quantity)} of {name} leave, {canonical(order.quantity)} were approved{sent}"
        if leaving.side is Side.BUY:
            return self._beyond_pace(order)
        return _uncovered(leaving, approved.there) if quantity > approved.there else ""

    def _beyond_pace(self, order: Order) -> str:
        """By the market minute of the approval: when a lane is slow, two minutes' worth may leave together."""
        count = sum(1 for one in self._recent if one.left and _within_a_minute(one.order, order))
        if count < self._entries_max:
            return ""
        return f"{count} entries have left in a minute, {self._entries_max} may"

    def _shut_for(self, name: str, why: str) -> str:
        reason = f"{why}; nothing is sent any more, exits neither: {REMEDY}"
        self._shut = f"{WHO} is shut: {why}"
        self._untold.append(
            Command(command_id=f"last-line-{name}", verb="shut", who=WHO, reason=reason)
        )
        return self._shut

    # ------------------------------------------------------------------------------------------- the journal

    def reading(self, entries: Iterable[Entry]) -> Iterator[Entry]:
        """The same entries, read along."""
        for entry in entries:
            self.read(entry)
            yield entry

    def read(self, entry: Entry) -> None:
        """One committed row, before anything is done because of it."""
        for event in entry.events:
            self._happened(entry, event)
        self._heard(entry.at_ns, entry.input)

    def _happened(self, entry: Entry, event: Event) -> None:
        match event:
            case RequestAccepted(order=order):
                self._approve(order)
            case ExecutionBooked():
                self._executed(entry.at_ns, event)
            case BooksMoved(client_order_id=str() as name):
                self._busted(entry.at_ns, name, event)
            case BooksMoved(
                symbol=str() as symbol
            ):  # no order's: a split, a transfer, an adjustment
                self._moved(Symbol(symbol), event.quantity)
            case SessionBegan():
                self._forget(entry.at_ns)
            case LifeBegan():
                self._life_began(event)
            case Halted() if event.shuts:
                self._shut = f"{WHO} is shut: {event.reason}"
            case Resumed():
                self._shut = ""
            case _:
                pass

    def _approve(self, order: Order) -> None:
        approved = self._approved[order.client_order_id] = _Approved(order)
        if order.side is Side.BUY:
            self._recent = [one for one in self._recent if _within_a_minute(one.order, order)]
            self._recent.append(approved)
        else:
            waiting = [one for one in self._waiting.get(order.symbol, ()) if one.waits]
            promised = sum((one.order.quantity for one in waiting), ZERO)
            approved.there = self.free(order.symbol) - promised
            self._waiting[order.symbol] = [*waiting, approved]

    def _life_began(self, life: LifeBegan) -> None:
        """Whatever an older life had approved, it may have sent; this one sends none of it."""
        self._entries_max = life.limits.entries_per_minute_max
        # When they left isn't known: at the latest when that market minute was over.
        self._entries_left_ns = deque(one.order.created_ns + MINUTE_NS for one in self._recent)
        for approved in self._approved.values():
            if not approved.left and not approved.end:
                self._weigh(approved, approved.weight(), left=approved.order.quantity)

    def _executed(self, at_ns: int, event: ExecutionBooked) -> None:
        """Once, by its id or by where it ends; until one is taken back, only one can end there."""
        approved, execution = self._approved.get(event.client_order_id), event.execution
        if approved is None:  # of an order that ended days ago
            sign = 1 if event.side is Side.BUY else -1
            self._moved(event.symbol, sign * execution.quantity)
            return
        ends = execution.quantity_cumulative
        is_known = execution.execution_id in approved.executions or (
            not approved.has_bust and any(ends == one for _, one in approved.executions.values())
        )
        if not is_known:
            before = approved.weight()
            approved.executions[execution.execution_id] = (execution.quantity, ends)
            self._weigh(approved, before)
        approved.touched_ns = at_ns

    def _busted(self, at_ns: int, name: ClientOrderId, event: BooksMoved) -> None:
        approved = self._approved.get(name)
        if approved is None and event.symbol is not None:
            self._moved(event.symbol, event.quantity)
        if approved is not None:
            before = approved.weight()
            approved.executions.pop(ExecutionId(event.reference), None)
            approved.has_bust = True
            approved.touched_ns = at_ns
            self._weigh(approved, before)

    def _heard(self, at_ns: int, heard: Input) -> None:
        """How an order ended, by the word of the broker, of whoever carried it there, or of a person."""
        if not isinstance(heard, OrderReport | SendOutcome | Resolution):
            return
        approved = self._approved.get(heard.client_order_id)
        if approved is None:
            return
        approved.touched_ns = at_ns
        before = approved.weight()
        match heard:
            case OrderReport(claim=claim) if claim in OVER:
                approved.end = End.OVER
            case OrderReport(claim=Claim.REJECTED) if not approved.executions:
                approved.end = approved.end or End.REFUSED
            case SendOutcome(outcome="rejected" | "never_sent") if not approved.is_heard:
                approved.end = approved.end or End.REFUSED
            case OrderReport(claim=claim) if claim in ALIVE and approved.end is End.REFUSED:
                approved.end = End.NONE  # It lives, after all.
            case Resolution():
                approved.end = End.OVER
            case _:
                pass
        approved.is_heard |= isinstance(heard, OrderReport) and heard.claim not in NO_EVIDENCE
        self._weigh(approved, before)

    def _weigh(self, approved: _Approved, before: Decimal, left: Decimal | None = None) -> None:
        if left is not None:
            approved.left = left
        symbol = approved.order.symbol
        self._free[symbol] = self.free(symbol) + approved.weight() - before

    def _moved(self, symbol: Symbol, quantity: Decimal) -> None:
        self._free[symbol] = self.free(symbol) + quantity

    def _forget(self, now_ns: int) -> None:
        """What had ended before the session that is over now: its shares stay counted."""
        done = [
            name
            for name, one in self._approved.items()
            if one.touched_ns < self._session_ns and (one.end or one.executed >= one.order.quantity)
        ]
        for name in done:
            del self._approved[name]
        self._session_ns = now_ns
        self._recent.clear()


def _uncovered(leaving: Leaving, there: Decimal) -> str:
    shares = f"{canonical(leaving.quantity)} {leaving.symbol}"
    return f"{shares} are to be sold, {canonical(there)} are there to sell"


def _within_a_minute(one: Order, other: Order) -> bool:
    """Either way: market time goes back where a clock was wrong."""
    return abs(one.created_ns - other.created_ns) < MINUTE_NS

"""What an explanation says, for people and programs alike: amounts in canonical text, times in UTC."""

from typing import Literal

from msgspec import Struct

Verdict = Literal["passed", "objected", "not asked"]
Process = Literal["running", "nothing runs"]


class RuleSeen(Struct, frozen=True, kw_only=True):
    """One rule, what it read, and whether it objected; it says what it is for."""

    name: str
    verdict: Verdict
    numbers: dict[str, str]
    says: str


class Holding(Struct, frozen=True, kw_only=True):
    """The symbol and the account's money at one moment; an average cost of None: nothing is held."""

    quantity: str
    avg_cost: str | None
    cost: str
    realized: str
    strategy: str | None
    cash: str
    cash_reserved: str
    equity: str


class QuoteSeen(Struct, frozen=True, kw_only=True):
    """The prices that a request was decided on, in dollars."""

    timestamp: str
    bid: str
    ask: str


class Decision(Struct, frozen=True, kw_only=True):
    """One request: the market event, the rules in their order, and the outcome that the journal has.

    quantity is what the executor made of the size, None where the numbers were unsound. client_order_id is the
    order it became, or the one that blocked it. `decided_now` is what this code makes of the same question, where
    that is something else. count is how many in a row went the same way; this is the first of them.
    """

    sequence: int
    timestamp: str
    session: str
    epoch: int
    build: str
    is_running_build: bool
    request_id: str
    decision_key: str
    symbol: str
    strategy: str
    side: str
    purpose: str
    size: str
    quantity: str | None
    limit_price: str | None
    stop: str  # 'stop 31.28', 'trailing 2 %'; empty for what is no stop
    reason: str
    market_timestamp: str
    quote: QuoteSeen | None
    before: Holding
    rules: tuple[RuleSeen, ...]
    outcome: Literal["accepted", "duplicate_blocked", "denied"]
    why: str
    numbers: dict[str, str]
    client_order_id: str | None
    decided_now: str
    count: int = 1


class PostingMade(Struct, frozen=True, kw_only=True):
    """One leg in the books."""

    account: str
    instrument: str
    amount: str


class ExecutionTold(Struct, frozen=True, kw_only=True):
    """What a report brought; whether it was booked is said by the postings."""

    execution_id: str
    quantity: str
    price: str


class Happening(Struct, frozen=True, kw_only=True):
    """One journal entry about an order: what was heard and from whom, what it did to the order and to the books.

    told_at is the broker's time of it, None where it isn't the broker's word. before and after are None where
    neither cash nor position moved.
    """

    sequence: int
    timestamp: str
    session: str
    kind: str
    source: str
    says: str
    told_at: str | None
    execution: ExecutionTold | None
    state_before: str | None
    state_after: str | None
    notes: tuple[str, ...]
    postings: tuple[PostingMade, ...]
    before: Holding | None
    after: Holding | None


class OrderExplained(Struct, frozen=True, kw_only=True, tag_field="kind", tag="order"):
    """One order from the market event to the books; without a decision it isn't one of ours."""

    client_order_id: str
    broker_order_id: str | None
    symbol: str
    state: str | None
    state_reason: str
    side: str
    quantity: str
    quantity_filled: str
    avg_price: str | None
    fees: str
    decision: Decision | None
    happenings: tuple[Happening, ...]
    blocked: tuple[Decision, ...]  # the requests that ran into it


class RequestExplained(Struct, frozen=True, kw_only=True, tag_field="kind", tag="request"):
    """What became of everything that was told under one request id; the order, where it became one."""

    request_id: str
    decisions: tuple[Decision, ...]
    order: OrderExplained | None


class OrderNow(Struct, frozen=True, kw_only=True):
    """A live order, in short."""

    client_order_id: str
    side: str
    quantity: str
    quantity_filled: str
    limit_price: str | None
    stop: str
    state: str
    state_reason: str


class SymbolExplained(Struct, frozen=True, kw_only=True, tag_field="kind", tag="symbol"):
    """One symbol as of the last entry: what is held or on its way, what stands against entries, the last decisions."""

    symbol: str
    process: Process
    timestamp: str
    session: str
    holding: Holding
    orders: tuple[OrderNow, ...]
    entries: Literal["open", "closed"]
    objections: tuple[RuleSeen, ...]
    decisions_session: int
    decisions: tuple[Decision, ...]


Explained = OrderExplained | RequestExplained | SymbolExplained

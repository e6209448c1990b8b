"""What the simulated venue speaks of: its orders, executions, activities, refusals and the events it tells."""

from decimal import Decimal
from enum import StrEnum

from msgspec import Struct

from trader.model import Side, Symbol, TimeInForce
from trader.money import ZERO, ratio


class OrderType(StrEnum):
    """FIX 40, the whole of what Alpaca knows; a venue refuses the ones it cannot work yet."""

    MARKET = "market"
    LIMIT = "limit"
    STOP = "stop"
    STOP_LIMIT = "stop_limit"
    TRAILING_STOP = "trailing_stop"


class OrderStatus(StrEnum):
    """Alpaca's words. `accepted` waits for its session, `held` for its parent."""

    ACCEPTED = "accepted"
    PENDING_NEW = "pending_new"
    NEW = "new"
    PARTIALLY_FILLED = "partially_filled"
    HELD = "held"
    PENDING_CANCEL = "pending_cancel"
    PENDING_REPLACE = "pending_replace"
    FILLED = "filled"
    CANCELED = "canceled"
    EXPIRED = "expired"
    REJECTED = "rejected"
    REPLACED = "replaced"


TERMINAL = frozenset(
    {
        OrderStatus.FILLED,
        OrderStatus.CANCELED,
        OrderStatus.EXPIRED,
        OrderStatus.REJECTED,
        OrderStatus.REPLACED,
    }
)
EXECUTABLE = frozenset({OrderStatus.NEW, OrderStatus.PARTIALLY_FILLED, OrderStatus.PENDING_CANCEL})


class NewOrder(Struct, frozen=True, kw_only=True):
    """What a client asks for, decoded but not yet judged. Without a client_order_id the venue gives one."""

    symbol: Symbol
    side: Side
    order_type: OrderType
    time_in_force: TimeInForce
    quantity: Decimal
    limit_price: Decimal | None = None
    stop_price: Decimal | None = None
    extended_hours: bool = False
    client_order_id: str | None = None
    position_intent: str | None = None


class VenueOrder(Struct, frozen=True, kw_only=True):
    """One state of an order; each change makes a new value.

    Prices in dollars, quantities in shares. `reserve_price` is what each share left of a buy holds of the account's
    buying power. `number` counts the venue's orders: it is their order of acceptance.
    """

    number: int
    order_id: str
    client_order_id: str
    account_id: str
    symbol: Symbol
    side: Side
    order_type: OrderType
    time_in_force: TimeInForce
    quantity: Decimal
    limit_price: Decimal | None
    stop_price: Decimal | None = None
    extended_hours: bool = False
    position_intent: str | None = None
    status: OrderStatus
    quantity_filled: Decimal = ZERO
    notional_filled: Decimal = ZERO
    reserve_price: Decimal = ZERO
    submitted_ns: int
    updated_ns: int
    expires_ns: int
    filled_ns: int | None = None
    canceled_ns: int | None = None
    cancel_requested_ns: int | None = None
    expired_ns: int | None = None
    failed_ns: int | None = None

    @property
    def is_open(self) -> bool:
        return self.status not in TERMINAL

    @property
    def quantity_leaves(self) -> Decimal:
        """FIX 151."""
        return self.quantity - self.quantity_filled if self.is_open else ZERO

    @property
    def reserved(self) -> Decimal:
        """Buying power held: only by what is left of a buy."""
        return self.quantity_leaves * self.reserve_price if self.side is Side.BUY else ZERO

    @property
    def avg_price(self) -> Decimal | None:
        """FIX 6."""
        return ratio(self.notional_filled, self.quantity_filled) if self.quantity_filled else None


class EventKind(StrEnum):
    """The `event` of a trade update."""

    ACCEPTED = "accepted"
    PENDING_NEW = "pending_new"
    NEW = "new"
    PARTIAL_FILL = "partial_fill"
    FILL = "fill"
    PENDING_CANCEL = "pending_cancel"
    CANCELED = "canceled"
    EXPIRED = "expired"
    REJECTED = "rejected"
    CANCEL_REJECTED = "order_cancel_rejected"
    TRADE_BUST = "trade_bust"
    TRADE_CORRECT = "trade_correct"


class ExecutionKind(StrEnum):
    """FIX 150: a trade, or a later record about one."""

    TRADE = "trade"
    BUST = "trade_bust"
    CORRECTION = "trade_correct"


class VenueExecution(Struct, frozen=True, kw_only=True):
    """One trade. `position_quantity` is what the account holds after it; `fee` is accrued, charged at the day's end.

    A bust or a correction is a record of its own about the one that `corrects` names, which stays as it was told. A
    bust repeats its quantity and price, and none of it counts any more; a correction states those that count instead.
    """

    execution_id: str
    order_id: str
    account_id: str
    symbol: Symbol
    side: Side
    quantity: Decimal
    price: Decimal
    quantity_cumulative: Decimal
    quantity_leaves: Decimal
    position_quantity: Decimal
    fee: Decimal
    at_ns: int
    kind: ExecutionKind = ExecutionKind.TRADE
    corrects: str | None = None  # FIX 19


class OrderEvent(Struct, frozen=True, kw_only=True):
    """Something happened to an order, which is `order` after it."""

    kind: EventKind
    order: VenueOrder
    at_ns: int
    execution: VenueExecution | None = None
    reason: str = ""


class ActivityKind(StrEnum):
    """Alpaca's words for what moves cash or shares without a trade."""

    FEE = "FEE"
    DIVIDEND = "DIV"
    INTEREST = "INT"
    DEPOSIT = "CSD"
    WITHDRAWAL = "CSW"
    SPLIT = "SPLIT"
    TRANSFER = "ACATS"  # shares brought in from another broker


class Activity(Struct, frozen=True, kw_only=True):
    """`net_amount` is what it did to cash, with its sign; `date` is New York's.

    `quantity` is what it did to the shares held, but for a dividend: the shares that it was paid on.
    """

    activity_id: str
    account_id: str
    kind: ActivityKind
    date: str
    at_ns: int
    net_amount: Decimal = ZERO
    symbol: Symbol | None = None
    quantity: Decimal | None = None
    price: Decimal | None = None
    per_share_amount: Decimal | None = None
    description: str = ""


class Refusal(Struct, frozen=True, kw_only=True):
    """The venue will not. In Alpaca's words: HTTP status, `code` and `message` of the body, and its further keys."""

    status: int
    code: int
    message: str
    extra: dict[str, str | list[str]] = {}

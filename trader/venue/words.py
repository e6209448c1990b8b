"""What the simulated venue speaks of: its orders, executions, activities, refusals and the events it tells."""

from decimal import Decimal
from enum import StrEnum

from msgspec import Struct

from trader.model import Side, Symbol, TimeInForce
from trader.money import ZERO, ratio


class OrderType(StrEnum):
    """FIX 40, the whole of what Alpaca knows."""

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


class OrderClass(StrEnum):
    """How an order hangs together with others. An entry of the last three brings its exits, the *legs*, with it."""

    SIMPLE = "simple"
    BRACKET = "bracket"  # an entry with a take-profit and a stop-loss
    OCO = "oco"  # one cancels the other: a take-profit, which is the parent, and a stop-loss
    OTO = "oto"  # one triggers the other: an entry with one of the two


class Leg(StrEnum):
    """What an order is within its group."""

    ENTRY = "entry"
    TAKE_PROFIT = "take_profit"
    STOP_LOSS = "stop_loss"


TERMINAL = frozenset(
    {
        OrderStatus.FILLED,
        OrderStatus.CANCELED,
        OrderStatus.EXPIRED,
        OrderStatus.REJECTED,
        OrderStatus.REPLACED,
    }
)
EXECUTABLE = frozenset(
    {
        OrderStatus.NEW,
        OrderStatus.PARTIALLY_FILLED,
        OrderStatus.PENDING_CANCEL,
        OrderStatus.PENDING_REPLACE,
    }
)
LIMITED = frozenset({OrderType.LIMIT, OrderType.STOP_LIMIT})
STOPPED = frozenset({OrderType.STOP, OrderType.STOP_LIMIT, OrderType.TRAILING_STOP})


class StopLoss(Struct, frozen=True, kw_only=True):
    """The exit at a loss that a client wants: a stop or, with a limit, a stop-limit order."""

    stop_price: Decimal
    limit_price: Decimal | None = None


class NewOrder(Struct, frozen=True, kw_only=True):
    """What a client asks for, decoded but not yet judged. Without a client_order_id the venue gives one.

    Either `quantity` (shares) or `notional` (dollars); the other is zero, or None.
    """

    symbol: Symbol
    side: Side
    order_type: OrderType
    time_in_force: TimeInForce
    quantity: Decimal = ZERO
    notional: Decimal | None = None
    limit_price: Decimal | None = None
    stop_price: Decimal | None = None
    trail_price: Decimal | None = None
    trail_percent: Decimal | None = None
    extended_hours: bool = False
    client_order_id: str | None = None
    position_intent: str | None = None
    order_class: OrderClass = OrderClass.SIMPLE
    take_profit: Decimal | None = None
    stop_loss: StopLoss | None = None


class Replacement(Struct, frozen=True, kw_only=True):
    """What a client wants changed of an order; None: as it is. `trail` is of whichever kind the order has."""

    quantity: Decimal | None = None
    limit_price: Decimal | None = None
    stop_price: Decimal | None = None
    trail: Decimal | None = None
    time_in_force: TimeInForce | None = None
    client_order_id: str | None = None


class VenueOrder(Struct, frozen=True, kw_only=True):
    """One state of an order; each change makes a new value.

    Prices in dollars, quantities in shares. `number` counts the venue's orders: it is their order of acceptance.

    An order that opens or enlarges a position has a `reserve_price`: what each share left of it holds of the account's
    buying power. One that reduces a position has none, and holds shares. `holds` is off where another order of the
    group holds for both, or nothing is to be held yet; `extra` is what a pending replacement needs more than the order
    itself, in dollars or in shares. Of an order by `notional`, `quantity` is an estimate until it is filled.
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
    nights: bool = True  # Does it trade overnight, too, as far as it does in extended hours?
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
    notional: Decimal | None = None
    trail_price: Decimal | None = None
    trail_percent: Decimal | None = None
    hwm: Decimal | None = None  # the best price since a trailing stop began to follow
    guard_price: Decimal | None = None  # a stop bought at the market pays no more than this
    is_triggered: bool = False
    arrives_ns: int | None = (
        None  # when a pending_new order, or a pending replacement, reaches the book
    )
    order_class: OrderClass = OrderClass.SIMPLE
    leg: Leg = Leg.ENTRY
    parent_id: str | None = None
    holds: bool = True
    extra: Decimal = ZERO
    replaces: str | None = None
    filled_before: Decimal = ZERO  # of the order that it replaces, when that was asked for
    replaced_by: str | None = None
    replaced_ns: int | None = None

    @property
    def is_open(self) -> bool:
        return self.status not in TERMINAL

    @property
    def working_ns(self) -> int:
        """Since when it may trade, if it may."""
        return max(self.submitted_ns, self.arrives_ns or 0)

    @property
    def is_opening(self) -> bool:
        """Whether it takes buying power; the others take shares out of a position."""
        return self.reserve_price > ZERO

    @property
    def quantity_leaves(self) -> Decimal:
        """FIX 151."""
        return self.quantity - self.quantity_filled if self.is_open else ZERO

    @property
    def reserved(self) -> Decimal:
        """Buying power held."""
        if not self.is_opening or not self._holds_now:
            return ZERO
        if self.notional is not None:
            return self.notional - self.notional_filled
        return (self.quantity - self.quantity_filled) * self.reserve_price + self.extra

    @property
    def shares_held(self) -> Decimal:
        """Shares that no other order may take out of the position."""
        if self.is_opening or not self._holds_now:
            return ZERO
        return self.quantity - self.quantity_filled + self.extra

    @property
    def _holds_now(self) -> bool:
        return self.holds and self.status not in TERMINAL

    @property
    def worst_price(self) -> Decimal | None:
        """Beyond it the order does not trade; None: it trades at any price."""
        return self.limit_price if self.order_type in LIMITED else self.guard_price

    @property
    def is_resting_stop(self) -> bool:
        """It waits for its stop price."""
        return self.order_type in STOPPED and not self.is_triggered

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
    PENDING_REPLACE = "pending_replace"
    REPLACED = "replaced"
    REPLACE_REJECTED = "order_replace_rejected"
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

    `quantity` is what it did to the shares held, but for a dividend: the shares that it was paid on. A split is two,
    under an id each: one takes all old shares, the other brings all new ones.
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
    factor: Decimal | None = None  # of a split: new shares for each old one
    quantity_before: Decimal | None = None  # of a split: what was held until then
    quantity_after: Decimal | None = None  # and what is held from then on
    description: str = ""


class Refusal(Struct, frozen=True, kw_only=True):
    """The venue will not. In Alpaca's words: HTTP status, `code` and `message` of the body, and its further keys."""

    status: int
    code: int
    message: str
    extra: dict[str, str | list[str]] = {}

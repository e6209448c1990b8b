"""The nouns of the program: identifiers, sides and states, market data, orders and executions.

Names are FIX 4.4's where it has one. Times are `*_ns`: whole nanoseconds UTC since 1970, market time unless a
name says otherwise. Prices of market data are whole price ticks (1/10,000 dollar); money and quantities are
Decimals in plain form (see money.py).
"""

from decimal import Decimal
from enum import StrEnum
from typing import NewType

from msgspec import Struct

from trader.money import ZERO, ratio

Symbol = NewType("Symbol", str)
StrategyName = NewType("StrategyName", str)
AccountId = NewType("AccountId", str)  # the broker's account number, qualified by the broker's name
RequestId = NewType("RequestId", str)  # one telling: worker / incarnation / counter
DecisionKey = NewType("DecisionKey", str)  # what was decided, whoever tells it and however often
ClientOrderId = NewType("ClientOrderId", str)  # FIX 11, a function of the decision key
BrokerOrderId = NewType("BrokerOrderId", str)  # FIX 37
ExecutionId = NewType("ExecutionId", str)  # FIX 17

OPERATOR = StrategyName("operator")  # a person, who may reduce any position
SECOND_NS = 1_000_000_000
MINUTE_NS = 60 * SECOND_NS
BASIS_POINT = Decimal("0.0001")  # as fine as brokers take the distance of a trailing stop


class Side(StrEnum):
    """FIX 54."""

    BUY = "BUY"
    SELL = "SELL"


class Purpose(StrEnum):
    """Why an order exists. `enter` and `add` are entries (they open exposure), `exit` and `stop` reduce it."""

    ENTER = "enter"
    ADD = "add"
    EXIT = "exit"
    STOP = "stop"


class OrderType(StrEnum):
    """FIX 40."""

    MARKET = "market"
    LIMIT = "limit"
    STOP = "stop"
    TRAILING_STOP = "trailing_stop"


class TimeInForce(StrEnum):
    """FIX 59."""

    DAY = "day"
    GTC = "gtc"
    OPG = "opg"
    CLS = "cls"
    IOC = "ioc"
    FOK = "fok"


class OrderState(StrEnum):
    """FIX 39 where it has a word, and this engine's own: INTENT, SENT, UNKNOWN, NEVER_SENT (see orders.py)."""

    INTENT = "INTENT"
    SENT = "SENT"
    UNKNOWN = "UNKNOWN"
    PENDING_NEW = "PENDING_NEW"
    NEW = "NEW"
    PARTIALLY_FILLED = "PARTIALLY_FILLED"
    PENDING_CANCEL = "PENDING_CANCEL"
    FILLED = "FILLED"
    CANCELED = "CANCELED"
    EXPIRED = "EXPIRED"
    REJECTED = "REJECTED"
    NEVER_SENT = "NEVER_SENT"


class Phase(StrEnum):
    """Where a moment lies in the trading day of the exchange."""

    CLOSED = "closed"
    PRE = "pre"
    REGULAR = "regular"
    POST = "post"
    NIGHT = "night"  # from 20:00 of the evening before; only where somebody trades it


class Bar(Struct, frozen=True, kw_only=True):
    """Prices of the trades in [start_ns, start_ns + span_ns), in price ticks; volume in shares."""

    symbol: Symbol
    start_ns: int
    span_ns: int = MINUTE_NS
    open: int
    high: int
    low: int
    close: int
    volume: int


class Quote(Struct, frozen=True, kw_only=True):
    """Best bid and ask in price ticks, 0 where there is no side; sizes in shares."""

    symbol: Symbol
    at_ns: int
    bid: int
    bid_size: int
    ask: int
    ask_size: int


class PriceBand(Struct, frozen=True, kw_only=True):
    """Limit up, limit down: price ticks beyond which nobody may trade; both 0 where that is not known."""

    symbol: Symbol
    at_ns: int
    up: int
    down: int


Tick = Bar | Quote | PriceBand  # what a feed delivers


class Size(Struct, frozen=True, kw_only=True):
    """How much is wanted; the executor turns it into whole shares (positions and cash are its to know).

    unit: 'shares'; 'notional' (dollars); 'equity' (a fraction of the account's equity); 'per_equity' (shares for each
    dollar of it); 'target' (the position to have in the end: only the difference is ordered). 'volatility' (a fraction
    of equity that a move may cost) is a setting only: a strategy makes 'per_equity' of it.
    """

    unit: str
    amount: Decimal


class Distances(Struct, frozen=True, kw_only=True):
    """What shall guard a position, before it has a price: a Protection is made of it with the entry's.

    stop and take_profit are fractions of the entry's price, trail one of the highest price since, exit_after
    seconds of market time. stop and trail exclude each other: shares can rest in one order only.
    """

    stop: Decimal | None = None
    trail: Decimal | None = None
    take_profit: Decimal | None = None
    exit_after: int | None = None

    def objection(self) -> str:
        """What makes no sense in it; empty where all does. Anybody's code may have made it: types are looked at."""
        for name, most in (("stop", 1), ("trail", 1), ("take_profit", 100)):
            value = getattr(self, name)
            if value is None:
                continue
            if not (isinstance(value, Decimal) and value.is_finite() and 0 < value < most):
                return f"{name} must be above 0 and below {most}, not {_told(value)}"
            if value % BASIS_POINT:
                return f"{name} must be whole hundredths of a percent, not {_told(value)}"
        after = self.exit_after
        if after is not None and not (type(after) is int and after > 0):
            return f"exit_after must be whole seconds above 0, not {ascii(after)[:40]}"
        if self.stop is not None and self.trail is not None:
            return "stop and trail exclude each other"
        return ""


def _told(value: object) -> str:
    return (f"{value:f}" if isinstance(value, Decimal) else ascii(value))[:40]


class Protection(Struct, frozen=True, kw_only=True):
    """What guards a position: prices in dollars, trail a fraction of the highest price, exit_ns market time."""

    stop_price: Decimal | None = None
    trail: Decimal | None = None
    take_profit: Decimal | None = None
    exit_ns: int | None = None

    @property
    def has_stop(self) -> bool:
        """A fall of the price ends the position."""
        return self.stop_price is not None or self.trail is not None


class Order(Struct, frozen=True, kw_only=True):
    """One order of ours, from the durable intent to a final state.

    quantity_filled, notional_filled and fees are what has been *booked*, execution by execution;
    quantity_reported and final_reported are what the broker has *claimed* of it. An order whose claim runs
    ahead of the booked executions stays live until they are found.
    """

    client_order_id: ClientOrderId
    decision_key: DecisionKey
    decision_id: int  # journal sequence number of the request that it came from
    request_id: str
    strategy: StrategyName
    symbol: Symbol
    side: Side
    purpose: Purpose
    order_type: OrderType
    time_in_force: TimeInForce
    extended_hours: bool = False
    quantity: Decimal
    limit_price: Decimal | None
    reserve_price: Decimal  # worst price counted on: cash is reserved at it for a buy
    created_ns: int
    reason: str  # the strategy's own words
    epoch: int
    build: str
    state: OrderState = OrderState.INTENT
    broker_order_id: BrokerOrderId | None = None
    quantity_filled: Decimal = ZERO
    notional_filled: Decimal = ZERO
    fees: Decimal = ZERO
    reserved: Decimal = ZERO  # of cash, still held for what is left of a buy
    quantity_reported: Decimal = ZERO
    final_reported: OrderState | None = None
    is_denied: bool = False  # executed, and rejected as the broker says: somebody has been told
    executions: tuple["BookedExecution", ...] = ()
    cancel_requested: bool = False
    cancel_asked_ns: int = 0  # when the broker was last asked for its end; 0: not by this life
    lookups: int = 0  # questions about it that did not settle it
    lookup_open: bool = False  # one is under way
    state_reason: str = ""  # why it is in this state, in the broker's or our words
    state_ns: int = 0
    stop_price: Decimal | None = None  # FIX 99, of a stop
    trail: Decimal | None = None  # of a trailing stop: a fraction of the highest price
    protection: Protection | None = None  # of an entry: what shall guard what it fills

    @property
    def quantity_leaves(self) -> Decimal:
        """FIX 151: what may still be executed."""
        return ZERO if self.state in FINAL_STATES else self.quantity - self.quantity_filled

    @property
    def avg_price(self) -> Decimal | None:
        """FIX 6, derived: what was paid for each share filled."""
        return ratio(self.notional_filled, self.quantity_filled) if self.quantity_filled else None


class Execution(Struct, frozen=True, kw_only=True):
    """One execution as the broker tells it; quantity_cumulative is the order's total after it."""

    execution_id: ExecutionId
    quantity: Decimal
    price: Decimal
    quantity_cumulative: Decimal
    at_ns: int


class BookedExecution(Struct, frozen=True, kw_only=True):
    """An execution with what it did to the books, so that it can be taken back exactly."""

    execution: Execution
    notional: Decimal
    fees: Decimal
    cost: Decimal
    realized: Decimal
    is_busted: bool = False


AT_BROKER = frozenset(  # acknowledged, and not over
    {
        OrderState.PENDING_NEW,
        OrderState.NEW,
        OrderState.PARTIALLY_FILLED,
        OrderState.PENDING_CANCEL,
    }
)
FINAL_STATES = frozenset(
    {
        OrderState.FILLED,
        OrderState.CANCELED,
        OrderState.EXPIRED,
        OrderState.REJECTED,
        OrderState.NEVER_SENT,
    }
)
ENTRY_PURPOSES = frozenset({Purpose.ENTER, Purpose.ADD})
STOP_TYPES = frozenset({OrderType.STOP, OrderType.TRAILING_STOP})  # they rest until a price is met

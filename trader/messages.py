"""What the executor hears (inputs), what it decides (events), and what it wants done (effects): three closed unions.

An input with its events is one row of the journal. Whatever a rule reads arrives in an input, so that the journal
alone explains every decision, and `evolve` over its events rebuilds the state without any rule.
"""

from decimal import Decimal
from enum import StrEnum

import msgspec
from msgspec import Struct

from trader.config import Closing, Fees
from trader.limits import Limits
from trader.model import (
    AccountId,
    BrokerOrderId,
    ClientOrderId,
    DecisionKey,
    Execution,
    ExecutionId,
    Order,
    OrderState,
    OrderType,
    Phase,
    Protection,
    Purpose,
    Quote,
    RequestId,
    Side,
    Size,
    StrategyName,
    Symbol,
    TimeInForce,
)
from trader.money import ZERO


class DenyReason(StrEnum):
    """Why we do not do what a request asks. Closed: `docs/limits.md` and the log explain each by name."""

    REQUEST_ID_CONFLICT = "request_id_conflict"
    EXPIRED = "expired"
    NOT_READY = "not_ready"
    WARMING_UP = "warming_up"
    MARKET_CLOSED = "market_closed"
    HALTED = "halted"
    STALE_CODE = "stale_code"
    QUARANTINED = "quarantined"
    UNKNOWN_SYMBOL = "unknown_symbol"
    NOT_OWNER = "not_owner"
    HANDS_OFF = "hands_off"
    QUANTITY = "quantity"
    PRICE_TICK = "price_tick"
    PRICE_COLLAR = "price_collar"
    NO_QUOTE = "no_quote"
    STALE_QUOTE = "stale_quote"
    ORDER_NOTIONAL = "order_notional"
    POSITION_NOTIONAL = "position_notional"
    EXPOSURE = "exposure"
    ENTRIES_OPEN = "entries_open"
    ENTRIES_PER_MINUTE = "entries_per_minute"
    ENTRIES_PER_DAY = "entries_per_day"
    NOTIONAL_PER_DAY = "notional_per_day"
    CANARY = "canary"
    REPEATED_EXECUTIONS = "repeated_executions"
    LOSS_DAY = "loss_day"
    DRAWDOWN = "drawdown"
    BUYING_POWER = "buying_power"
    WOULD_OVERSELL = "would_oversell"
    SELF_TRADE = "self_trade"
    STOP_REQUIRED = "stop_required"
    JOURNAL_UNAVAILABLE = "journal_unavailable"


class Gate(StrEnum):
    """What must be true of the whole program before it enters a position; closed at the start of every life."""

    RECONCILED = "reconciled"  # the broker's statement agreed with our books
    TRADING_STREAM = "trading_stream"  # the broker's reports reach us
    MARKET_DATA = "market_data"  # prices reach us
    FRESH_CODE = "fresh_code"  # the running code is the code on disk
    SHUTDOWN = "shutdown"  # we are not about to stop


class Blocking(StrEnum):
    """What a duplicate request ran into."""

    DECISION = "decision"  # this very decision has its order already
    LIVE_ORDER = "live_order"
    UNKNOWN_ORDER = "unknown_order"
    POSITION = "position"
    REDUCTION = "reduction"  # the position is on its way out already


class Claim(StrEnum):
    """What a broker can say about an order, in our words; each adapter maps all of its own words onto these."""

    PENDING_NEW = "pending_new"
    NEW = "new"
    PARTIALLY_FILLED = "partially_filled"
    FILLED = "filled"
    PENDING_CANCEL = "pending_cancel"
    CANCELED = "canceled"
    EXPIRED = "expired"
    REJECTED = "rejected"
    CANCEL_REJECTED = "cancel_rejected"
    FOREIGN_CHANGE = "foreign_change"  # a replacement or restatement that we never ask for


class Mode(StrEnum):
    """Of the whole program: what it may still do. Exits and cancels it may always."""

    ACTIVE = "ACTIVE"
    HALTED = "HALTED"  # no entries, until a person resumes
    REDUCING = "REDUCING"  # neither, and what is held goes


class ReductionKind(StrEnum):
    """What wants a position gone."""

    FLATTEN = "flatten"  # a person
    PROTECTION = "protection"  # a stop, a take-profit or a time exit
    EXIT = "exit"  # its strategy, while other orders hold the shares
    SESSION = "session"  # the end of the trading day


class Brake(StrEnum):
    """Limits that, once hit, stay hit until a person resumes."""

    LOSS_DAY = "loss_day"
    DRAWDOWN = "drawdown"
    REPEATED_EXECUTIONS = "repeated_executions"


# ------------------------------------------------------------------------------------------------- inputs


class OrderRequest(Struct, frozen=True, kw_only=True, tag="request"):
    """One telling of what a worker, an operator or a timer wants done.

    `at_ns` is the market time of the event it was decided on; `quote` the prices it was decided on;
    `late` is set by the executor's shell when the telling waited longer than its machine-time deadline.
    """

    request_id: RequestId
    decision_key: DecisionKey
    at_ns: int
    symbol: Symbol
    strategy: StrategyName
    side: Side
    purpose: Purpose
    order_type: OrderType = OrderType.LIMIT
    time_in_force: TimeInForce = TimeInForce.DAY
    extended_hours: bool = False
    size: Size
    limit_price: Decimal | None
    quote: Quote | None
    reason: str
    late: bool = False
    stop_price: Decimal | None = None  # of a stop, dollars
    trail: Decimal | None = None  # of a trailing stop, a fraction
    protection: Protection | None = None  # of an entry
    urgency: int = 0  # among requests of one instant the most urgent is decided, and sent, first


class OrderReport(Struct, frozen=True, kw_only=True, tag="order_report"):
    """What the broker says of one order: a reply, a stream event, a query's answer or an activity."""

    client_order_id: ClientOrderId
    broker_order_id: BrokerOrderId | None
    symbol: Symbol
    side: Side
    claim: Claim
    quantity: Decimal | None  # of the order; None where the source does not tell (activities)
    quantity_cumulative: Decimal  # executed so far, as far as this report knows
    execution: Execution | None = None
    at_ns: int
    source: str  # 'reply', 'stream', 'query' or 'activity'
    reason: str = ""


class SendStarted(Struct, frozen=True, kw_only=True, tag="send_started"):
    """The last checks passed and bytes are about to leave."""

    client_order_id: ClientOrderId


class SendOutcome(Struct, frozen=True, kw_only=True, tag="send_outcome"):
    """How a send ended when it did not end with the broker's acknowledgement.

    outcome: 'never_sent' (certain: no byte left), 'rejected' (the broker said no), 'unknown' (anything else).
    """

    client_order_id: ClientOrderId
    outcome: str
    reason: str


class CancelOutcome(Struct, frozen=True, kw_only=True, tag="cancel_outcome"):
    """How a cancel request went: 'accepted' (the broker will try), 'rejected', or 'unknown'."""

    client_order_id: ClientOrderId
    outcome: str
    reason: str = ""


class LookupMissed(Struct, frozen=True, kw_only=True, tag="lookup_missed"):
    """The broker does not know the id, or not yet: never proof by itself."""

    client_order_id: ClientOrderId
    attempts: int


class Statement(Struct, frozen=True, kw_only=True, tag="statement"):
    """The broker's cash, holdings and open orders, fetched whole; its orders and activities were heard before it.

    cash is what the broker has on its books: fees that it will charge at the day's end are still in it.
    """

    at_ns: int
    account: AccountId
    cash: Decimal
    positions: dict[Symbol, Decimal]
    open_orders: dict[ClientOrderId, Symbol]
    costs: dict[Symbol, Decimal] = {}  # dollars paid for what is held, as the broker has it
    attempts: int = 1  # the executor waits for a second look before it calls a difference one


class Activity(Struct, frozen=True, kw_only=True, tag="activity"):
    """What moved the account without a trade: a fee, dividend, interest, deposit, withdrawal, split.

    kind is the broker's word; amount the change of cash in dollars, quantity the change of shares of `symbol`.
    session is the trading day it is about. legs: where the broker told it in parts, each of them; held: what the
    broker held of the symbol when it told of a split.
    """

    activity_id: str
    kind: str
    at_ns: int
    session: str
    amount: Decimal
    symbol: Symbol | None = None
    quantity: Decimal = ZERO
    description: str = ""
    legs: tuple["Activity", ...] = ()
    held: Decimal | None = None


class ExecutionCorrected(Struct, frozen=True, kw_only=True, tag="execution_corrected"):
    """The broker takes an execution back (a bust), or puts another in its place (a correction)."""

    client_order_id: ClientOrderId
    symbol: Symbol
    execution_id: ExecutionId
    replacement: Execution | None
    at_ns: int
    reason: str = ""


class Resolution(Struct, frozen=True, kw_only=True, tag="resolution"):
    """A person says what became of an order that nobody else can tell.

    outcome: 'filled', 'canceled', 'rejected' or 'never-sent'; quantity and price are of the fill.
    """

    command_id: str
    client_order_id: ClientOrderId
    outcome: str
    quantity: Decimal | None = None
    price: Decimal | None = None
    who: str
    reason: str


class Adoption(Struct, frozen=True, kw_only=True, tag="adoption"):
    """A person takes a holding that was there before us into the books.

    treatment 'trade': it becomes an ordinary position of `strategy`; 'hands-off': it counts, and is never touched.
    cost is the broker's, in dollars for all of it.
    """

    command_id: str
    symbol: Symbol
    treatment: str
    quantity: Decimal
    cost: Decimal
    strategy: StrategyName | None
    who: str
    reason: str


class Opening(Struct, frozen=True, kw_only=True, tag="opening"):
    """A person opens new books with the cash that an audit of older ones found; the holdings follow, adopted.

    at_ns: until when the older books tell; what the broker did before is in their figures already.
    """

    command_id: str
    cash: Decimal
    at_ns: int
    who: str
    reason: str


class Acceptance(Struct, frozen=True, kw_only=True, tag="acceptance"):
    """A person takes one side of every difference with this statement: 'broker' adjusts our books, 'ours' doesn't."""

    command_id: str
    side: str
    statement: Statement
    who: str
    reason: str


class Clock(Struct, frozen=True, kw_only=True, tag="clock"):
    """The market's time once a minute, with the marks (price ticks) of what is held; when the session closes."""

    at_ns: int
    session: str
    phase: Phase
    marks: dict[Symbol, int]
    closes_ns: int = 0


class SecurityStatus(Struct, frozen=True, kw_only=True, tag="security_status"):
    """Whether a symbol trades (FIX 326). `reason` is the exchange's, with its code; `at_ns` when that began."""

    symbol: Symbol
    is_halted: bool
    reason: str
    at_ns: int


class PriceJumped(Struct, frozen=True, kw_only=True, tag="price_jumped"):
    """Several ticks agree on a price (price ticks) that is far from the day before, and no split is known."""

    symbol: Symbol
    before: int
    after: int
    at_ns: int


class Boot(Struct, frozen=True, kw_only=True, tag="boot"):
    """A new life of the program: who it is, and by which limits and fees it lives."""

    epoch: int
    build: str
    pid: int
    version: str
    broker: str
    account: AccountId
    symbols: tuple[Symbol, ...]
    limits: Limits
    fees: Fees
    at_ns: int
    python: str = ""  # the interpreter, the lock file's hash, and what git says of the tree
    lock: str = ""
    commit: str = ""
    is_modified: bool = False
    closings: dict[StrategyName, Closing] = {}
    strategies: dict[StrategyName, str] = {}  # how each is configured, as a hash


class GateReport(Struct, frozen=True, kw_only=True, tag="gate"):
    """A condition of the whole program became true or false."""

    gate: Gate
    is_open: bool
    reason: str


class WorkerReport(Struct, frozen=True, kw_only=True, tag="worker"):
    """A worker is warmed up, or failed (reason: its traceback); a symbol with a cold worker takes no entries.

    Ready with a reason: it is set aside for this life.
    """

    worker: str
    symbol: Symbol
    ready: bool
    reason: str = ""
    failures: int = 0  # of this worker in this life


class Command(Struct, frozen=True, kw_only=True, tag="command"):
    """What a person wants.

    verb 'halt' (subject: '', 'cancel': entries, too, or 'flatten': everything), 'resume', 'flatten' (subject: a symbol,
    or '*'), 'cancel' (subject: an order's id, '*', or 'entries'), 'stop', 'release' (subject: a quarantined symbol, or
    '*'), 'promote' (subject: a strategy), 'bypass' (subject: a check of the start); and one that only the last line
    says, 'shut'. One that wants an answer gets one, and is never done twice.
    """

    command_id: str
    verb: str
    subject: str = ""
    who: str
    reason: str
    wants_answer: bool = False


class AlarmReport(Struct, frozen=True, kw_only=True, tag="alarm_report"):
    """Something outside the books that a person has to know: a task that has fallen silent, say."""

    alarm: str
    message: str
    symbol: Symbol | None = None


class LifeEnd(Struct, frozen=True, kw_only=True, tag="life_end"):
    """This life ends in order, with the exit code that the process will have."""

    at_ns: int
    exit_code: int


Input = (
    OrderRequest
    | OrderReport
    | SendStarted
    | SendOutcome
    | CancelOutcome
    | LookupMissed
    | Statement
    | Activity
    | ExecutionCorrected
    | Resolution
    | Opening
    | Adoption
    | Acceptance
    | Clock
    | SecurityStatus
    | PriceJumped
    | Boot
    | GateReport
    | WorkerReport
    | Command
    | AlarmReport
    | LifeEnd
)

# ------------------------------------------------------------------------------------------------- events


class RequestAccepted(Struct, frozen=True, kw_only=True, tag="request_accepted"):
    """The request became the intent of one order, and its cash is reserved."""

    request_id: RequestId
    digest: str
    order: Order


class DuplicateBlocked(Struct, frozen=True, kw_only=True, tag="duplicate_blocked"):
    """What the request wants exists already, or may exist."""

    request_id: RequestId
    digest: str
    decision_key: DecisionKey
    symbol: Symbol
    side: Side
    strategy: StrategyName
    purpose: Purpose
    blocking: Blocking
    blocked_by: str  # the order, or the quantity held


class RequestDenied(Struct, frozen=True, kw_only=True, tag="request_denied"):
    """A rule said no; numbers are what it saw."""

    request_id: RequestId
    digest: str
    decision_key: DecisionKey
    symbol: Symbol
    side: Side
    strategy: StrategyName
    purpose: Purpose
    quantity: Decimal
    limit_price: Decimal | None
    reason: DenyReason
    numbers: dict[str, str]


class OrderChanged(Struct, frozen=True, kw_only=True, tag="order_changed"):
    """An order's state, or what the broker claims of it, moved."""

    client_order_id: ClientOrderId
    symbol: Symbol
    state: OrderState
    broker_order_id: BrokerOrderId | None
    quantity_reported: Decimal
    final_reported: OrderState | None
    cancel_requested: bool
    reserved: Decimal  # of cash, from now on
    reason: str
    at_ns: int
    is_denied: bool = False


class ExecutionBooked(Struct, frozen=True, kw_only=True, tag="execution_booked"):
    """A fill, in the books: notional = quantity x price; realized is net of cost and fees.

    cost is what it added to (buy) or removed from (sell) the position's total cost; released is how much of
    the order's reserve it used up.
    """

    client_order_id: ClientOrderId
    symbol: Symbol
    side: Side
    strategy: StrategyName
    execution: Execution
    notional: Decimal
    fees: Decimal
    cost: Decimal
    realized: Decimal
    released: Decimal


class CancelRequested(Struct, frozen=True, kw_only=True, tag="cancel_requested"):
    """We want an order gone; it is until the broker proves it. is_later: nothing runs, the next life is to ask."""

    client_order_id: ClientOrderId
    symbol: Symbol
    reason: str
    is_later: bool = False


class LookupWanted(Struct, frozen=True, kw_only=True, tag="lookup_wanted"):
    """The broker must be asked about an order: it is in doubt, or more is claimed of it than is booked."""

    client_order_id: ClientOrderId
    symbol: Symbol
    attempts: int  # made before, without an answer that settled it
    reason: str


class ClockMoved(Struct, frozen=True, kw_only=True, tag="clock_moved"):
    """Market time went on; marks replace those of the symbols named."""

    at_ns: int
    phase: Phase
    marks: dict[Symbol, int]
    closes_ns: int = 0


class SecurityStatusMoved(Struct, frozen=True, kw_only=True, tag="security_status_moved"):
    """A symbol's trading halts, so that it takes no entries; or goes on."""

    symbol: Symbol
    is_halted: bool
    reason: str
    at_ns: int


class SessionBegan(Struct, frozen=True, kw_only=True, tag="session_began"):
    """A new trading day: the day's counters start over, at this equity."""

    session: str
    equity: Decimal


class LifeBegan(Struct, frozen=True, kw_only=True, tag="life_began"):
    """A new life: gates shut, workers cold, orders that were never answered are in doubt."""

    epoch: int
    build: str
    pid: int
    version: str
    broker: str
    account: AccountId
    symbols: tuple[Symbol, ...]
    limits: Limits
    fees: Fees
    at_ns: int
    python: str = ""  # the interpreter, the lock file's hash, and what git says of the tree
    lock: str = ""
    commit: str = ""
    is_modified: bool = False
    closings: dict[StrategyName, Closing] = {}
    strategies: dict[StrategyName, str] = {}  # how each is configured, as a hash


class LimitChanged(Struct, frozen=True, kw_only=True, tag="limit_changed"):
    """This life has another limit than the one before; an empty text: there was, or is, none."""

    limit: str
    before: str
    after: str
    owner: str
    reason: str


class Promoted(Struct, frozen=True, kw_only=True, tag="promoted"):
    """A strategy, configured like this, is new no more."""

    strategy: StrategyName
    configured: str
    who: str
    reason: str


class LifeEnded(Struct, frozen=True, kw_only=True, tag="life_ended"):
    """The life ended in order; one without this row was killed."""

    at_ns: int
    exit_code: int


class OpeningBooked(Struct, frozen=True, kw_only=True, tag="opening_booked"):
    """The cash that the account held before our first order.

    What happened until at_ns is in it, and of activities, of which only the day is told, what is of a day before
    that of activities_ns (0: of at_ns). Books that go on from older ones say from which in `description`.
    """

    cash: Decimal
    at_ns: int = 0
    activities_ns: int = 0
    description: str = ""


class BooksMoved(Struct, frozen=True, kw_only=True, tag="books_moved"):
    """The books changed without an order of ours being executed; always cash + cost = deposit + realized.

    kind: 'activity', 'split' (an activity after which the same is worth as much in other shares), 'split_leg'
    (booked with its split), 'before_opening' (known, not booked), 'adoption', 'hands_off', 'hand_trade', 'adjustment',
    'bust'.
    reference: the activity's, command's or execution's id, booked once. charged: the session whose accrued fees
    this charge settles. A bust names its order, and takes `quantity` back from what it had filled.
    """

    kind: str
    reference: str
    symbol: Symbol | None
    cash: Decimal
    quantity: Decimal
    cost: Decimal
    realized: Decimal
    fees: Decimal
    deposit: Decimal
    description: str
    strategy: StrategyName | None = None
    charged: str = ""
    client_order_id: ClientOrderId | None = None
    reserved: Decimal = ZERO  # of cash by that order, from now on


class Released(Struct, frozen=True, kw_only=True, tag="released"):
    """A quarantine (symbol None: the one on everything) is over, because a person said so."""

    symbol: Symbol | None
    who: str
    reason: str


class StatementCompared(Struct, frozen=True, kw_only=True, tag="statement_compared"):
    """The broker's statement was held against our books; where they differ, DifferenceFound says on what."""

    agrees: bool
    cash: Decimal
    positions: int
    open_orders: int
    surplus: dict[Symbol, Decimal] | None = None  # how many more shares we hold, where we differ


class DifferenceFound(Struct, frozen=True, kw_only=True, tag="difference_found"):
    """Our books and the broker's differ; subject: 'cash', 'position' or 'order'."""

    subject: str
    symbol: Symbol | None
    ours: str
    theirs: str


class Quarantined(Struct, frozen=True, kw_only=True, tag="quarantined"):
    """No entries in this symbol (None: in any) until a person has looked; raw is what was heard, cut to size."""

    symbol: Symbol | None
    reason: str
    raw: str
    reference: str = ""  # of what is told again and again, so that it is recorded once


class Alarmed(Struct, frozen=True, kw_only=True, tag="alarmed"):
    """Something that a person has to know."""

    alarm: str
    symbol: Symbol | None
    message: str


class BrakeTripped(Struct, frozen=True, kw_only=True, tag="brake_tripped"):
    """A brake that only a person releases; symbol None: for all."""

    brake: Brake
    symbol: Symbol | None
    numbers: dict[str, str]


class GateMoved(Struct, frozen=True, kw_only=True, tag="gate_moved"):
    """A condition for entries opened or closed."""

    gate: Gate
    is_open: bool
    reason: str


class WorkerMoved(Struct, frozen=True, kw_only=True, tag="worker_moved"):
    """A worker became ready, or failed."""

    worker: str
    symbol: Symbol
    ready: bool
    reason: str


class Halted(Struct, frozen=True, kw_only=True, tag="halted"):
    """No entries until somebody resumes; survives restarts.

    cancels: entries that the broker has are canceled, too; flattens: and everything that is held goes. shuts: the last
    line before the socket, so that nothing is sent any more, exits neither.
    """

    who: str
    reason: str
    command_id: str = ""
    at_ns: int = 0
    cancels: bool = False
    flattens: bool = False
    shuts: bool = False


class Resumed(Struct, frozen=True, kw_only=True, tag="resumed"):
    """Entries are allowed again, and tripped brakes are released."""

    who: str
    reason: str


class ReductionBegan(Struct, frozen=True, kw_only=True, tag="reduction_began"):
    """A position has to go, whatever it takes: no entries, live orders canceled, then exits until it is flat.

    reference names what wants it (a command's id, a request's decision key), and its exits' ids are made from it: one
    reference stands for one reduction of a symbol, for ever.
    """

    symbol: Symbol
    kind: ReductionKind
    reference: str
    who: str
    reason: str
    at_ns: int


class ReductionEnded(Struct, frozen=True, kw_only=True, tag="reduction_ended"):
    """It is flat, with nothing on its way."""

    symbol: Symbol
    reference: str
    exits: int  # orders that it took


class CommandAnswered(Struct, frozen=True, kw_only=True, tag="command_answered"):
    """What a person who waits for it is told. outcome: 'done', 'nothing' (it is so already) or 'refused'."""

    command_id: str
    verb: str
    subject: str
    who: str
    outcome: str
    message: str


class Noted(Struct, frozen=True, kw_only=True, tag="noted"):
    """Heard and kept for the record; nothing changed."""

    subject: str
    message: str


Event = (
    RequestAccepted
    | DuplicateBlocked
    | RequestDenied
    | OrderChanged
    | ExecutionBooked
    | CancelRequested
    | LookupWanted
    | ClockMoved
    | SecurityStatusMoved
    | SessionBegan
    | LifeBegan
    | LimitChanged
    | Promoted
    | LifeEnded
    | OpeningBooked
    | BooksMoved
    | Released
    | StatementCompared
    | DifferenceFound
    | Quarantined
    | Alarmed
    | BrakeTripped
    | GateMoved
    | WorkerMoved
    | Halted
    | Resumed
    | ReductionBegan
    | ReductionEnded
    | CommandAnswered
    | Noted
)


class Entry(Struct, frozen=True, kw_only=True):
    """One row of the journal: an input and what was decided on it."""

    sequence: int
    epoch: int
    at_ns: int  # market time of the executor when it decided
    session: str
    input: Input
    events: tuple[Event, ...]


# ------------------------------------------------------------------------------------------------ effects


class Submit(Struct, frozen=True, kw_only=True, tag="submit"):
    """Send this order, once."""

    order: Order


class Cancel(Struct, frozen=True, kw_only=True, tag="cancel"):
    """Ask the broker to cancel this order."""

    order: Order


class Lookup(Struct, frozen=True, kw_only=True, tag="lookup"):
    """Ask the broker about this order and its executions, after a pause that grows with the attempts made."""

    order: Order
    attempts: int


Effect = Submit | Cancel | Lookup

# ------------------------------------------------------------------------------------------------- codecs

# Sorted keys and declaration order: the same value always has the same bytes.
_ENCODER = msgspec.json.Encoder(order="deterministic")
_ENTRY_DECODER = msgspec.json.Decoder(Entry)
RAW_CHARACTERS_MAX = 2_000


def encode(value: Struct) -> bytes:
    """The canonical bytes of a message; its Decimals are in plain form already (money.plain)."""
    return _ENCODER.encode(value)


def raw_text(value: Struct) -> str:
    """What was told, for a person who looks into a quarantine; cut where it is long."""
    return encode(value).decode()[:RAW_CHARACTERS_MAX]


def decode_entry(data: bytes) -> Entry:
    """The entry that `encode` wrote; raises msgspec.DecodeError or ValidationError on anything else."""
    return _ENTRY_DECODER.decode(data)


def worst_cost(order: Order) -> Decimal:
    """What is left of a buy at the worst price counted on, in dollars; nothing for a sell."""
    return order.quantity_leaves * order.reserve_price if order.side is Side.BUY else ZERO

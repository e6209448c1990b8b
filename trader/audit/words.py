"""What is read in somebody's database, and what is found there."""

from collections import Counter
from collections.abc import Mapping, Sequence
from decimal import Decimal
from enum import IntEnum, StrEnum

from msgspec import Struct

from trader.money import ZERO

WINDOWS_S = (1, 5, 60, 3600)  # a buy is repeated when the one before it is at most so old
WINDOW_NS = WINDOWS_S[-1] * 1_000_000_000

Cell = str | int | float | bytes | None


class Verdict(IntEnum):
    """Of one recorded trade: did it happen?"""

    REAL = 0
    PHANTOM = 1
    UNPROVED = 2


class Evidence(StrEnum):
    """On what a symbol's trades were judged, the strongest first."""

    STATEMENT = "statement"  # the broker's own list of executions
    COST = (
        "position and cost"  # what is left explains the recorded quantity, and its cost to the cent
    )
    POSITION = "position"  # it explains the quantity; the cost isn't recorded, or differs
    NONE = "none"  # nothing explains what is recorded


class Kind(StrEnum):
    """What can be wrong with books."""

    FILE_DAMAGED = "file_damaged"
    UNREADABLE_ROWS = "unreadable_rows"
    DUPLICATE_IDS = "duplicate_ids"
    SEVERAL_ACCOUNTS = "several_accounts"
    REPEATED_ENTRIES = "repeated_entries"
    SAME_SECOND = "same_second"
    SALE_OF_NOTHING = "sale_of_nothing"
    POSITION_UNEXPLAINED = "position_unexplained"
    NOT_IN_STATEMENT = "not_in_statement"
    MISSING_TRADES = "missing_trades"
    CASH_UNEXPLAINED = "cash_unexplained"
    CASH_CLAMPED = "cash_clamped"
    PROFITS_DISAGREE = "profits_disagree"
    BURST = "burst"
    CLEANED_UP = "cleaned_up"
    ROWS_GONE = "rows_gone"


class Finding(Struct, frozen=True, kw_only=True):
    """One thing that is wrong, in a sentence; `symbols` are those it is about, the worst first."""

    kind: Kind
    count: int
    says: str
    symbols: tuple[str, ...] = ()


class Position(Struct, frozen=True, kw_only=True):
    """As recorded; cost and value in dollars for all of it, None where the table doesn't say."""

    quantity: Decimal
    cost: Decimal | None
    value: Decimal | None


class Account(Struct, frozen=True, kw_only=True):
    """As recorded; None where the table doesn't say. Dollars; profit is what was realized, total what is not, too."""

    cash: Decimal | None = None
    equity: Decimal | None = None
    profit: Decimal | None = None
    total: Decimal | None = None
    start: Decimal | None = None


class Snapshot(Struct, frozen=True, kw_only=True):
    """A row of the recorded history of cash and equity."""

    at_ns: int
    cash: Decimal | None
    equity: Decimal | None
    profit: Decimal | None


class Execution(Struct, frozen=True, kw_only=True):
    """What the broker's statement says was done for one order: all of its partial fills together."""

    order_id: str
    symbol: str
    is_buy: bool
    quantity: Decimal
    notional: Decimal
    first_ns: int
    last_ns: int


class Statement(Struct, frozen=True, kw_only=True):
    """The broker's word on the days from its first row to its last, and the cash that moved without a trade."""

    executions: Mapping[str, Sequence[Execution]]  # by symbol, by time
    flows: Sequence[tuple[int, Decimal]]
    begins_ns: int
    ends_ns: int

    def covers(self, at_ns: int) -> bool:
        return self.begins_ns <= at_ns <= self.ends_ns


class Trades(Struct, frozen=True, kw_only=True):
    """The trades of one symbol in the order of their time, a list for each column."""

    symbol: str
    ids: list[int]
    is_buy: list[bool]
    quantities: list[Decimal]
    prices: list[Decimal]
    fees: list[Decimal]
    at_ns: list[int]
    orders: list[str]  # the broker's order ids, empty where there is no such column
    profit: Decimal | None  # the sum of the rows' own column
    unreadable: int  # rows of this symbol that say nothing usable


class Ledger(Struct, frozen=True, kw_only=True):
    """What trades add up to at average cost, or at that of FIFO lots, in shares and dollars."""

    quantity: Decimal = ZERO
    cost: Decimal = ZERO
    realized: Decimal = ZERO
    cash: Decimal = ZERO


class Judged(Struct, frozen=True, kw_only=True):
    """One symbol's trades, judged."""

    symbol: str
    buys: int
    sales: int
    shares_bought: Decimal
    phantom_buys: int
    phantom_sales: int
    phantom_shares: Decimal  # of the buys
    phantom_notional: Decimal  # of the buys
    phantom_flow: Decimal  # what the phantoms did to cash: buys less sales, in dollars
    unproved: int  # repeated buys of which nothing can be said
    windows: tuple[int, ...]  # repeated buys within each of WINDOWS_S
    same_second_groups: int
    same_second_buys: int
    oversold: int  # sales of what was not there
    recorded: Position | None
    explained: Ledger  # by the real trades
    told: Ledger  # by all rows
    evidence: Evidence
    is_sure: bool
    why: str
    phantom_ids: tuple[int, ...]
    unproved_ids: tuple[int, ...]
    missing: tuple[Execution, ...] = ()  # told by the statement, and recorded nowhere
    profit: Decimal | None = None  # the rows' own column
    is_fifo: bool = False  # the recorded cost, and so what is explained, is that of FIFO lots
    first_phantom_ns: int = 0
    last_phantom_ns: int = 0


class Minutes(Struct, frozen=True, kw_only=True):
    """Buys by minute of the epoch: all of them, and those that are phantoms, with their notional."""

    buys: Counter[int]
    phantoms: Counter[int]
    notional: dict[int, Decimal]


class Burst(Struct, frozen=True, kw_only=True):
    """Minutes in a row with many buys."""

    begins_ns: int
    ends_ns: int
    buys: int
    phantoms: int
    notional: Decimal


class Money(Struct, frozen=True, kw_only=True):
    """Cash: as recorded, as all rows imply it, and right; dollars, None where it can't be said."""

    start: Decimal | None
    start_from: str
    recorded: Decimal | None
    implied: Decimal | None
    right: Decimal | None
    is_sure: bool
    deposits: Decimal
    checks: tuple[str, ...]
    last_right: Snapshot | None
    first_wrong: Snapshot | None


class Profit(Struct, frozen=True, kw_only=True):
    """What one table says was earned, realized, in dollars."""

    source: str
    amount: Decimal


class Audit(Struct, frozen=True, kw_only=True):
    """All that was found out."""

    path: str
    sha256: str
    reading: tuple[str, ...]  # how the columns and cells were read, in sentences
    trades: int
    sales: int
    first_ns: int | None
    last_ns: int | None
    symbols: tuple[Judged, ...]
    money: Money
    equity: Decimal | None  # as recorded, and adjusted by repairs
    profits: tuple[Profit, ...]
    bursts: tuple[Burst, ...]
    minutes: Minutes
    findings: tuple[Finding, ...]
    notes: tuple[str, ...]
    timeline: tuple[tuple[int, str], ...]
    is_cleaned_up: bool
    rows_read: int
    repaired: int  # rows that repairs have voided already

    @property
    def phantoms(self) -> int:
        return sum(one.phantom_buys + one.phantom_sales for one in self.symbols)

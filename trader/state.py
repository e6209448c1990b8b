"""ExecutionState: everything that a decision may depend on, as one frozen value.

Maps are persistent: a turn that fails to commit leaves the state of before untouched, and a turn costs the same however
long the history is. Nothing may depend on the order in which a Map or a frozenset is walked.
"""

from decimal import Decimal

from immutables import Map
from msgspec import Struct

from trader.accounting import Books
from trader.config import Closing, Fees
from trader.limits import Limits
from trader.messages import Brake, CommandAnswered, Gate, Mode
from trader.model import (
    AccountId,
    ClientOrderId,
    ExecutionId,
    Order,
    Phase,
    RequestId,
    StrategyName,
    Symbol,
)
from trader.money import ZERO
from trader.positions import Position, PositionMap
from trader.reductions import ReductionMap

ANSWERS_MAX = 64  # that are kept: whoever waits for one asks within seconds
ALL_SYMBOLS = Symbol("*")  # the key of a quarantine that is not about one symbol


class Counts(Struct, frozen=True, kw_only=True):
    """Tellings and what became of them: requests = accepted + blocked + denied, always."""

    requests: int = 0
    accepted: int = 0
    blocked: int = 0
    denied: int = 0


class Halt(Struct, frozen=True, kw_only=True):
    """Who stopped the entries, when and why; and whether what works is canceled and what is held goes, too."""

    who: str
    reason: str
    command_id: str
    at_ns: int
    cancels: bool
    flattens: bool
    shuts: bool = False


class ExecutionState(Struct, frozen=True, kw_only=True):
    """Everything that a decision may depend on."""

    sequence: int = 0  # of the last entry folded
    epoch: int = 0
    build: str = ""
    account: AccountId = AccountId("")
    symbols: frozenset[Symbol] = frozenset()
    limits: Limits = Limits()
    fees: Fees = Fees()
    at_ns: int = 0
    session: str = ""
    session_began_ns: int = 0
    session_closes_ns: int = 0  # its regular hours
    closings: Map[StrategyName, Closing] = Map()
    phase: Phase = Phase.CLOSED
    books: Books = Books()
    is_opened: bool = False  # the opening balance is booked
    opened_ns: int = 0  # what happened until then is in the opening balance
    opened_activities_ns: int = 0  # and activities of a day before this one's
    positions: PositionMap = Map()
    positions_value: Decimal = ZERO  # the sum of all positions' values at their marks
    orders: Map[ClientOrderId, Order] = Map()  # live, or ended in this session or the one before
    # Every id that ever had an intent; of the orders that are forgotten, how much of each is booked.
    used: Map[ClientOrderId, Decimal] = Map()
    tellings: Map[RequestId, str] = Map()  # digests, of this session
    tellings_before: Map[RequestId, str] = Map()  # and of the one before
    gates_closed: tuple[tuple[Gate, str], ...] = ()
    workers_cold: Map[Symbol, tuple[str, ...]] = Map()
    quarantined: Map[Symbol, str] = Map()
    halts: Map[Symbol, tuple[str, int]] = Map()  # of trading: why, and since when
    booked: Map[str, None] = (
        Map()
    )  # references of everything that moved the books without an order of ours
    executed: Map[ExecutionId, ClientOrderId] = Map()  # every execution ever booked, by its order
    # Shares that executions and movements brought of each symbol, summed apart from the positions: soundness.py.
    brought: Map[Symbol, Decimal] = Map()
    fees_accrued: Map[str, Decimal] = Map()  # by session, until the broker charges them
    differing: Map[Symbol, Decimal] = Map()  # by how much more we hold than the broker says
    halt: Halt | None = None
    reductions: ReductionMap = Map()  # positions that have to go, until they are flat
    # Orders that have to go, until they are over, and who wanted that while nothing ran that could ask.
    cancels: Map[ClientOrderId, str] = Map()
    brakes: frozenset[tuple[Brake, Symbol]] = frozenset()
    entries_open: int = 0
    # Of the last minute: market time, and how many entries were accepted then.
    entries_recent: tuple[tuple[int, int], ...] = ()
    entries_notional: Decimal = ZERO  # of this session's entries, at their worst prices
    entries_of: Map[StrategyName, int] = Map()  # this session's, by strategy
    strategies: Map[StrategyName, str] = Map()  # how those of this life are configured
    promoted: Map[StrategyName, str] = Map()  # by a person, as they were configured then
    equity_session: Decimal = ZERO
    equity_peak: Decimal = ZERO
    counts: Counts = Counts()
    statements: int = 0  # of the broker's, compared in this life
    told_ns: int = 0  # when the last of them was compared, in whichever life
    agrees: bool = False  # the last of them did
    is_ended: bool = False  # this life has said its last word
    answers: tuple[CommandAnswered, ...] = ()  # to the last commands of people who wait for one

    @property
    def halted(self) -> str:
        """Who stopped the entries, and why; empty while nobody has."""
        return f"{self.halt.who}: {self.halt.reason}" if self.halt is not None else ""

    @property
    def mode(self) -> Mode:
        """What the program may do."""
        if self.halt is None:
            return Mode.ACTIVE
        return Mode.REDUCING if self.halt.flattens and not self.is_shut else Mode.HALTED

    @property
    def is_shut(self) -> bool:
        """Nothing reaches the broker but cancels: the last line has found what doesn't add up."""
        return self.halt is not None and self.halt.shuts

    @property
    def cash_at_broker(self) -> Decimal:
        """What the broker has on its books: the fees that it will charge at the day's end are still there."""
        return self.books.cash + sum(self.fees_accrued.values(), ZERO)

    @property
    def equity(self) -> Decimal:
        """Cash plus positions at their marks, in dollars."""
        return self.books.cash + self.positions_value

    def has_opened_since(self, at_ns: int) -> bool:
        """What happened then is in the opening balance, or in none yet; never so of an unknown time (0)."""
        return not self.is_opened or 0 < at_ns <= self.opened_ns

    def position(self, symbol: Symbol) -> Position:
        """The symbol's position, flat if it never had one."""
        return self.positions.get(symbol) or Position(symbol=symbol)

    def answer(self, command_id: str) -> CommandAnswered | None:
        """What was answered to a command, if it was heard lately."""
        return next((one for one in self.answers if one.command_id == command_id), None)

    def is_promoted(self, strategy: StrategyName) -> bool:
        """As it is configured in this life; how it is coded isn't looked at."""
        return self.promoted.get(strategy) == self.strategies.get(strategy, "")

    def telling(self, request_id: RequestId) -> str | None:
        """The digest of what was told under this id, if it was."""
        return self.tellings.get(request_id) or self.tellings_before.get(request_id)

"""What a backtest came to: facts only, for the table, the page, the files and the statistics."""

from decimal import Decimal

from msgspec import Struct

from trader.model import Purpose, Side, StrategyName, Symbol
from trader.money import ZERO


class Identity(Struct, frozen=True, kw_only=True):
    """What a run is a pure function of, as hashes and texts: the same four give the same outcome."""

    code: str
    data: str
    parameters: str
    seed: int


class Fill(Struct, frozen=True, kw_only=True):
    """One execution. Dollars; `realized` is what a sale made at average cost, net of its fees, ZERO for a buy."""

    at_ns: int
    session: str
    symbol: Symbol
    strategy: StrategyName
    side: Side
    purpose: Purpose
    quantity: Decimal
    price: Decimal
    fees: Decimal
    realized: Decimal
    position: Decimal  # shares held after it
    client_order_id: str


class EquityPoint(Struct, frozen=True, kw_only=True):
    """The account at the close of a session or, where the market never closes, of a day; dollars.

    deposited: what its owner has brought since the one before, less what they took: no profit and no loss.
    """

    at_ns: int
    session: str
    equity: Decimal
    cash: Decimal
    positions_value: Decimal
    deposited: Decimal = ZERO


class Outcome(Struct, frozen=True, kw_only=True):
    """See the module.

    assumed: sentences about what the fill model took for granted. quarantined: symbols that were taken out, and why.
    would_have_halted: sentences about brakes that were off. unfit: a line for each bar that was left out.
    unfilled: orders still open at the end.
    denied: by reason, how many requests. inputs: how many of each kind the executor heard. heard: how bars were.
    """

    identity: Identity
    strategy: str
    parameters: dict[str, str]
    symbols: tuple[Symbol, ...]
    first_ns: int
    last_ns: int
    bars: int
    heard: str
    opening_cash: Decimal
    equity: tuple[EquityPoint, ...]
    fills: tuple[Fill, ...]
    fees: Decimal
    orders: int
    unfilled: int
    accepted: int
    blocked: int
    denied: dict[str, int]
    inputs: dict[str, int]
    assumed: tuple[str, ...]
    quarantined: dict[Symbol, str]
    would_have_halted: tuple[str, ...]
    unfit: tuple[str, ...] = ()

"""A morning with any number of symbols on which all is well, and wishes for it; no limit binds, the market is open."""

from decimal import Decimal
from hashlib import sha256
from itertools import islice, product
from string import ascii_uppercase

from trader.config import Fees
from trader.execution import ExecutionState
from trader.executor import decided
from trader.limits import Limits
from trader.messages import Boot, Clock, Gate, GateReport, Input, OrderRequest, Statement
from trader.model import (
    MINUTE_NS,
    AccountId,
    DecisionKey,
    Phase,
    Purpose,
    Quote,
    RequestId,
    Side,
    Size,
    StrategyName,
    Symbol,
)

TEN_NS = 1_769_439_600_000_000_000  # 2026-01-26 10:00 in New York
ACCOUNT = AccountId("direct:direct")
CASH = Decimal(100_000_000)
BID, ASK = 319_000, 319_200  # price ticks
LIMIT_BUY, LIMIT_SELL = Decimal("31.95"), Decimal("31.85")
SHARES = Size(unit="shares", amount=Decimal(10))
STRATEGY = StrategyName("bench")
LIMITS = Limits(
    order_notional_max=Decimal(10**9),
    position_notional_max=Decimal(10**9),
    exposure_max=Decimal(4),
    entries_open_max=1_000_000,
    entries_per_minute_max=1_000_000,
    entries_per_symbol_per_day_max=1_000_000,
    entries_notional_per_day_max=Decimal(10**12),
    executions_repeated_max=1_000_000,
    loss_day_max=Decimal(1),
    drawdown_max=Decimal(1),
    quote_age_max=86_400,
    request_age_max=86_400,
)


def symbols_of(count: int) -> tuple[Symbol, ...]:
    """AAA, AAB, and so on."""
    names = ("".join(letters) for letters in product(ascii_uppercase, repeat=3))
    return tuple(Symbol(name) for name in islice(names, count))


def opening(symbols: tuple[Symbol, ...]) -> list[Input]:
    """A life begins at ten, agreed with the broker, every gate open."""
    boot = Boot(
        epoch=1,
        build="bench",
        pid=1,
        version="",
        broker="direct",
        account=ACCOUNT,
        symbols=symbols,
        limits=LIMITS,
        fees=Fees(),
        at_ns=TEN_NS,
    )
    agreed = Statement(at_ns=TEN_NS, account=ACCOUNT, cash=CASH, positions={}, open_orders={})
    streams = (Gate.TRADING_STREAM, Gate.MARKET_DATA)
    heard = [GateReport(gate=gate, is_open=True, reason="") for gate in streams]
    return [boot, *heard, agreed, clock(0)]


def opened(symbols: tuple[Symbol, ...]) -> ExecutionState:
    """The state after it."""
    state, _ = decided(ExecutionState(), opening(symbols))
    assert not state.gates_closed
    return state


def clock(minutes: int) -> Clock:
    """So many after ten."""
    at_ns = TEN_NS + minutes * MINUTE_NS
    return Clock(at_ns=at_ns, session="2026-01-26", phase=Phase.REGULAR, marks={})


def quote(symbol: Symbol, at_ns: int) -> Quote:
    """With shares enough for everybody."""
    size = 1_000_000
    return Quote(symbol=symbol, at_ns=at_ns, bid=BID, bid_size=size, ask=ASK, ask_size=size)


def wish(symbol: Symbol, number: int, at_ns: int, side: Side = Side.BUY) -> OrderRequest:
    """To enter, or selling to exit; each number is a decision of its own."""
    is_buy = side is Side.BUY
    return OrderRequest(
        request_id=RequestId(f"{symbol}/0.0/{number:08d}"),
        decision_key=DecisionKey(sha256(b"%d" % number).hexdigest()),
        at_ns=at_ns,
        symbol=symbol,
        strategy=STRATEGY,
        side=side,
        purpose=Purpose.ENTER if is_buy else Purpose.EXIT,
        size=SHARES,
        limit_price=LIMIT_BUY if is_buy else LIMIT_SELL,
        quote=quote(symbol, at_ns),
        reason="10-bar average 31.92 rose above 30-bar 31.90",
    )

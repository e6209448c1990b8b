"""Alpaca's account, positions, orders and fills as one statement, and what must hold before it is one."""

from decimal import Decimal
from functools import lru_cache

from trader.messages import Activity, Input, Statement
from trader.model import AccountId, Symbol
from trader.money import ZERO, amount, plain
from trader.splits import joined
from trader.wire.alpaca import (
    CORRECTIONS,
    AccountMessage,
    ActivityMessage,
    FillMessage,
    OrderMessage,
    PositionMessage,
    fill_report,
    has_legs,
    order_report,
    quantity_of,
    time_of,
)
from trader.wire.alpaca_claims import FINAL_CLAIMS, claim_of_status
from trader.wire.unreadable import reading, shown

# Activities whose `qty` is a change of shares; those of others tell what an amount was computed from.
SHARES_MOVE = frozenset({"SPLIT", "SSP", "SSO", "ACATS", "JNLS", "REORG"})

REPORTS_KEPT = 4_096
# Each statement tells of the day's fills and orders again, and most are as they were. JSON has hashable values only.
_fill_told = lru_cache(maxsize=REPORTS_KEPT)(fill_report)
_order_told = lru_cache(maxsize=REPORTS_KEPT)(order_report)


def account_trouble(account: AccountMessage) -> str | None:
    """Why this account can't be traded by us, in words for a person; None when it can."""
    if account.status != "ACTIVE":
        return f"the account is {shown(account.status)}, not ACTIVE: see the broker's web site"
    if account.trading_blocked or account.account_blocked:
        return "the broker has blocked trading on the account: see its web site"
    if account.trade_suspended_by_user:
        return (
            "trading is suspended in the account's own settings: lift it on the broker's web site"
        )
    if account.currency != "USD":
        return f"the account is kept in {shown(account.currency)}; only USD accounts are supported"
    if account.buying_power is None:
        return "the broker does not say what the account may buy for: see its web site"
    return None


def statement_inputs(
    *,
    account: AccountId,
    at_ns: int,
    funds: AccountMessage,
    positions: list[PositionMessage],
    orders: list[OrderMessage],
    fills: list[FillMessage],
    activities: list[ActivityMessage],
) -> list[Input]:
    """Executions, what the orders claim, activities, then the Statement. Every fill's order is among the orders."""
    names = {order.id: order.client_order_id for order in orders}
    executions = [_fill_told(fill, names[fill.order_id]) for fill in fills]
    reports = [_order_told(order, "query") for order in orders]
    with reading("account"):
        cash = plain(amount(funds.cash))
    statement = Statement(
        at_ns=at_ns,
        account=account,
        cash=cash,
        positions=holdings(positions),
        costs=costs(positions),
        open_orders={
            report.client_order_id: report.symbol
            for report, order in zip(reports, orders, strict=True)
            if is_open(order)
        },
    )
    moved = joined(map(activity, activities), statement.positions)
    return [*executions, *reports, *moved, statement]


def is_open(order: OrderMessage) -> bool:
    """As the broker's list of open orders has it."""
    claim, _ = claim_of_status(order.status, order.time_in_force)
    return claim not in FINAL_CLAIMS and order.status != "replaced"


def activity(told: ActivityMessage) -> Activity:
    """One activity; canceled ones never get here. Its time is the day it is about, which is all that is told."""
    with reading("activity"):
        quantity = ZERO if told.qty is None else amount(told.qty)
        moved = ZERO if told.net_amount is None else amount(told.net_amount)
    return Activity(
        activity_id=told.id,
        kind=told.activity_type,
        at_ns=0,
        session=told.date or "",
        amount=plain(moved),
        symbol=None if told.symbol is None else Symbol(told.symbol),
        # Dividends tell how many shares they were paid on: only these change how many there are.
        quantity=plain(quantity) if told.activity_type in SHARES_MOVE else ZERO,
        description=shown(told.description or ""),
    )


def costs(positions: list[PositionMessage]) -> dict[Symbol, Decimal]:
    """What was paid for it by symbol, in dollars, where the broker says so."""
    with reading("position"):
        return {
            Symbol(one.symbol): plain(amount(one.cost_basis))
            for one in positions
            if one.cost_basis is not None
        }


def holdings(positions: list[PositionMessage]) -> dict[Symbol, Decimal]:
    """Quantity by symbol, negative for a short position, whatever sign the broker writes."""
    held: dict[Symbol, Decimal] = {}
    with reading("position"):
        for position in positions:
            if position.symbol in held or position.side not in {"long", "short"}:
                raise ValueError(f"{shown(position.symbol, 40)} twice, or neither long nor short")
            quantity = abs(amount(position.qty))
            held[Symbol(position.symbol)] = quantity if position.side == "long" else -quantity
    return held


def fills_lag(orders: list[OrderMessage], fills: list[FillMessage], since_ns: int) -> str | None:
    """An order, submitted since, that claims more or less than its fills add up to; None when all agree."""
    with reading("fill"):
        filled: dict[str, Decimal] = {}
        for fill in fills:
            before, now = filled.get(fill.order_id, ZERO), quantity_of(fill.cum_qty)
            filled[fill.order_id] = now if fill.type in CORRECTIONS else max(before, now)
        for order in orders:
            claimed = quantity_of(order.filled_qty)
            if has_legs(order):
                continue  # Its fills are its legs'.
            if time_of(order.submitted_at) >= since_ns and filled.get(order.id, ZERO) != claimed:
                return order.client_order_id
    return None

"""The venue's own books as JSON: accounts with cash, positions, what orders hold, and what proves it."""

from collections.abc import Sequence
from decimal import Decimal

from trader.calendar import iso
from trader.model import Side
from trader.money import ZERO, canonical
from trader.simulator.keys import Owner
from trader.simulator.shapes import Shape, activity_shape
from trader.venue import ExecutionKind, Venue, VenueAccount, VenueExecution, VenueState


def books_shape(venue: Venue, owners: Sequence[Owner]) -> Shape:
    """In the order in which the accounts were opened."""
    return {
        "time": iso(venue.now_ns),
        "halted": [symbol for symbol, book in sorted(venue.books.items()) if book.is_halted],
        "accounts": [_account_shape(venue, owner) for owner in owners],
    }


def unexplained_cash(state: VenueState, account: VenueAccount) -> Decimal:
    """Cash that neither a trade nor an activity accounts for: zero, or the books are wrong."""
    cash = account.opening_cash
    for execution in standing_executions(state):
        if execution.account_id == account.account_id:
            sign = -1 if execution.side is Side.BUY else 1
            cash += sign * execution.quantity * execution.price
    for activity in state.activities:
        if activity.account_id == account.account_id:
            cash += activity.net_amount
    return account.cash - cash


def standing_executions(state: VenueState) -> list[VenueExecution]:
    """Each trade as it counts now: as it was last corrected, and not if it was busted."""
    trades: dict[str, VenueExecution] = {}
    for record in state.executions:
        named = record.corrects or record.execution_id
        if record.kind is ExecutionKind.BUST:
            trades.pop(named, None)
        else:
            trades[named] = record
    return list(trades.values())


def _account_shape(venue: Venue, owner: Owner) -> Shape:
    account = venue.account(owner.account_id)
    activities = (one for one in venue.state.activities if one.account_id == account.account_id)
    mine = [one for one in venue.open_orders() if one.account_id == account.account_id]
    return {
        "account_id": account.account_id,
        "account_number": account.number,
        "key": None if owner.keys is None else owner.keys.key,
        "multiplier": str(account.multiplier),
        "opening_cash": canonical(account.opening_cash),
        "cash": canonical(account.cash),
        "cash_unexplained": canonical(unexplained_cash(venue.state, account)),
        "accrued_fees": canonical(account.accrued_fees),
        "reserved": canonical(account.reserved),
        "equity": canonical(venue.equity(account)),
        "buying_power": canonical(venue.buying_power(account)),
        "positions": [
            {
                "symbol": symbol,
                "qty": canonical(position.quantity),
                "cost": canonical(position.cost),
                "held_for_orders": canonical(account.held.get(symbol, ZERO)),
            }
            for symbol, position in sorted(account.positions.items())
        ],
        "open_orders": [order.order_id for order in mine],
        "activities": [activity_shape(one) for one in activities],
    }

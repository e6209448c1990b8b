"""What trades add up to at average cost: shares, what they cost, what was earned, what it did to cash."""

from collections import deque
from collections.abc import Container
from decimal import ROUND_HALF_EVEN, Context, Decimal, DivisionByZero, InvalidOperation

from trader.audit.words import Ledger, Trades
from trader.money import NANO, ZERO, rounded, share

NOTHING: frozenset[int] = frozenset()
# As money.share divides, but for sums that are never stored: their text need not be canonical, which takes time.
WIDE = Context(prec=60, rounding=ROUND_HALF_EVEN, traps=[InvalidOperation, DivisionByZero])


def added_up(trades: Trades, without: Container[int] = NOTHING) -> Ledger:
    """All trades but those at the indexes in `without`; a sale beyond what is held is a short position at its price."""
    quantity = cost = realized = cash = ZERO
    index = -1
    for buy, shares, price, fees in zip(
        trades.is_buy, trades.quantities, trades.prices, trades.fees, strict=True
    ):
        index += 1
        if index in without:
            continue
        notional = shares * price
        if buy:
            cash -= notional
            if quantity >= 0:
                quantity += shares
                cost += notional
            else:
                quantity, cost, earned = _turned(quantity, cost, shares, notional)
                realized += earned
        else:
            cash += notional
            if quantity == shares:
                realized += notional - cost
                quantity = cost = ZERO
            elif quantity > shares:
                gone = WIDE.quantize(WIDE.divide(cost * shares, quantity), NANO)
                realized += notional - gone
                quantity -= shares
                cost -= gone
            else:
                quantity, cost, earned = _turned(quantity, cost, -shares, -notional)
                realized += earned
        if fees:
            cash -= fees
            realized -= fees
    return Ledger(quantity=quantity, cost=cost, realized=realized, cash=cash)


def first_in_first_out(trades: Trades, without: Container[int] = NOTHING) -> Ledger | None:
    """The same trades where a sale sells what was bought first; None where one sells what isn't there.

    Only cost and profit differ from those at average cost, and only while something is held.
    """
    lots: deque[tuple[Decimal, Decimal]] = deque()  # shares and price, the oldest first
    realized = cash = ZERO
    rows = zip(trades.is_buy, trades.quantities, trades.prices, trades.fees, strict=True)
    for index, (buy, shares, price, fees) in enumerate(rows):
        if index in without:
            continue
        cash += (-shares if buy else shares) * price - fees
        realized -= fees
        if buy:
            lots.append((shares, price))
            continue
        left = shares
        while left:
            if not lots:
                return None
            quantity, paid = lots.popleft()
            sold = min(quantity, left)
            realized += sold * (price - paid)
            left -= sold
            if quantity > sold:
                lots.appendleft((quantity - sold, paid))
    return Ledger(
        quantity=sum((shares for shares, _ in lots), ZERO),
        cost=sum((shares * price for shares, price in lots), ZERO),
        realized=realized,
        cash=cash,
    )


def _turned(
    quantity: Decimal, cost: Decimal, shares: Decimal, notional: Decimal
) -> tuple[Decimal, Decimal, Decimal]:
    """A trade (sales negative) that closes part or all of the other side, and may open this one; or deepens a short."""
    if quantity == 0 or (quantity < 0) == (shares < 0):
        return quantity + shares, cost + notional, ZERO
    if abs(shares) <= abs(quantity):
        gone = share(cost, abs(shares), abs(quantity))
        return quantity + shares, cost - gone, -(notional + gone)
    closing = rounded(share(notional, abs(quantity), abs(shares)))
    return quantity + shares, notional - closing, -(closing + cost)

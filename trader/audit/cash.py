"""What the cash should be: from what the account began with, what came and went, and the trades that happened."""

from collections.abc import Sequence
from decimal import Decimal

from trader.audit.cells import cents, shown_time
from trader.audit.timing import Clocked
from trader.audit.words import Account, Finding, Judged, Kind, Money, Profit, Snapshot
from trader.money import CENT, ZERO

Flows = Sequence[tuple[int, Decimal]]
TOLERANCE = CENT  # sums of amounts that were stored as floats


def dollars(amount: Decimal) -> str:
    """'1,234.50': to the cent, half-even."""
    return f"{cents(amount):,.2f}"


def cash_judged(
    account: Account,
    told_start: Decimal | None,
    symbols: Sequence[Judged],
    flows: Flows,
    history: Sequence[Snapshot],
    clocked: Clocked,
    *,
    can_tell: bool,
) -> Money:
    """Recorded, implied by all rows, and right. What can't be known is None."""
    missing = sum(
        (
            -one.notional if one.is_buy else one.notional
            for symbol in symbols
            for one in symbol.missing
        ),
        ZERO,
    )
    told = sum((one.told.cash for one in symbols), ZERO)
    real = sum((one.explained.cash for one in symbols), missing)
    deposits = sum((amount for _, amount in flows), ZERO)
    start, start_from = _start(account, told_start, flows, history, clocked)
    judged = can_tell and all(one.is_sure for one in symbols)
    right = start + deposits + real if start is not None and can_tell else None
    last_right, first_wrong = (
        _compared(start, flows, history, clocked) if can_tell else (None, None)
    )
    checks = _checks(right, symbols, history, last_right) if judged else ()
    return Money(
        start=start,
        start_from=start_from,
        recorded=account.cash,
        implied=None if start is None else start + deposits + told,
        right=right,
        is_sure=judged and right is not None,
        deposits=deposits,
        checks=checks,
        last_right=last_right,
        first_wrong=first_wrong,
    )


def _start(
    account: Account,
    told: Decimal | None,
    flows: Flows,
    history: Sequence[Snapshot],
    clocked: Clocked,
) -> tuple[Decimal | None, str]:
    if told is not None:
        return told, "--start"
    if account.start is not None:
        return account.start, "recorded with the account"
    for snapshot, traded in zip(history, clocked.flows_until()[1], strict=True):
        if snapshot.cash is not None:
            came = sum((amount for at_ns, amount in flows if at_ns <= snapshot.at_ns), ZERO)
            return snapshot.cash - traded - came, f"so that {shown_time(snapshot.at_ns)} is right"
    return None, "nowhere recorded: --start AMOUNT"


def _compared(
    start: Decimal | None, flows: Flows, history: Sequence[Snapshot], clocked: Clocked
) -> tuple[Snapshot | None, Snapshot | None]:
    """The last snapshot before the first whose cash is not what the real trades up to then leave; and that one."""
    if start is None:
        return None, None
    right: Snapshot | None = None
    came, number = ZERO, 0
    for snapshot, traded in zip(history, clocked.flows_until()[1], strict=True):
        while number < len(flows) and flows[number][0] <= snapshot.at_ns:
            came += flows[number][1]
            number += 1
        if snapshot.cash is None:
            continue
        if abs(snapshot.cash - (start + came + traded)) > TOLERANCE:
            return right, snapshot
        right = snapshot
    return right, None


def _checks(
    right: Decimal | None,
    symbols: Sequence[Judged],
    history: Sequence[Snapshot],
    last_right: Snapshot | None,
) -> tuple[str, ...]:
    """What stands for it: sums that could have come out otherwise."""
    if right is None:
        return ()
    found = []
    costs = [one.recorded.cost for one in symbols if one.recorded is not None]
    if last_right is not None and last_right.cash is not None:
        found.append(
            f"at {shown_time(last_right.at_ns)} cash was recorded as {dollars(last_right.cash)},"
            " and that is what the trades until then leave"
        )
    if costs and all(one is not None for one in costs):
        held = sum((one for one in costs if one is not None), ZERO)
        total = cents(right) + cents(held)
        same = last_right is not None and last_right.equity is not None
        agrees = same and last_right is not None and last_right.equity == total
        then = ", the equity recorded then, to the cent" if agrees else ""
        found.append(f"{dollars(right)} + {dollars(held)} of positions = {dollars(total)}{then}")
    return tuple(found)


def cash_findings(money: Money, *, can_tell: bool) -> list[Finding]:
    """Cash that the trades can't explain, or that was kept from falling below zero."""
    if money.recorded is None or money.implied is None or not can_tell:
        return []
    found: list[Finding] = []
    if money.recorded == 0 and money.implied < 0:
        says = f"cash was held at 0.00 while the rows take it to {dollars(money.implied)}"
        found.append(Finding(kind=Kind.CASH_CLAMPED, count=1, says=says))
    if money.right is not None and abs(money.recorded - money.right) > TOLERANCE:
        off = dollars(money.recorded - money.right)
        says = f"recorded {dollars(money.recorded)}, right {dollars(money.right)}: off by {off}"
        found.append(Finding(kind=Kind.CASH_UNEXPLAINED, count=1, says=says))
    return found


def profits_of(
    account: Account,
    money: Money,
    symbols: Sequence[Judged],
    last: Snapshot | None,
    positions_say: Decimal | None,
    *,
    can_tell: bool,
) -> tuple[Profit, ...]:
    """What each table says was realized, and what the real trades add up to (first, where it can be told)."""
    found: list[Profit] = []
    if can_tell:
        real = sum((one.explained.realized for one in symbols), ZERO)
        found.append(Profit(source="the trades that happened", amount=real))
    if account.profit is not None:
        found.append(Profit(source="account, its own column", amount=account.profit))
    unrealized = _unrealized(symbols)
    if account.total is not None and unrealized is not None:
        realized = account.total - unrealized
        # Some write there what was realized alone.
        if can_tell and abs(account.total - found[0].amount) <= TOLERANCE:
            realized = account.total
        found.append(Profit(source="account, its total less what is open", amount=realized))
    rows = [one.profit for one in symbols if one.profit is not None]
    if rows:
        found.append(Profit(source="trades, their own column", amount=sum(rows, ZERO)))
    if positions_say is not None:
        found.append(Profit(source="positions, their own column", amount=positions_say))
    if last is not None and last.profit is not None:
        found.append(Profit(source="history, its last row", amount=last.profit))
    if account.equity is not None and money.start is not None and unrealized is not None:
        earned = account.equity - money.start - money.deposits - unrealized
        found.append(Profit(source="account, equity less start", amount=earned))
    return tuple(found)


def _unrealized(symbols: Sequence[Judged]) -> Decimal | None:
    held = [one.recorded for one in symbols if one.recorded is not None and one.recorded.quantity]
    values = [
        one.value - one.cost for one in held if one.value is not None and one.cost is not None
    ]
    return sum(values, ZERO) if len(values) == len(held) else None


def profit_findings(profits: Sequence[Profit]) -> list[Finding]:
    """Whether they are one figure."""
    amounts = sorted({cents(one.amount) for one in profits})
    if not amounts or amounts[-1] - amounts[0] <= TOLERANCE:
        return []
    said = "; ".join(f"{one.source}: {dollars(one.amount)}" for one in profits)
    return [Finding(kind=Kind.PROFITS_DISAGREE, count=len(amounts), says=said)]

"""The traces of a clean-up: rows that are gone, and figures that were made to fit what was left."""

import sqlite3
from collections.abc import Sequence
from decimal import Decimal

from msgspec import Struct

from trader.audit.cash import dollars
from trader.audit.cells import cents, is_buy
from trader.audit.columns import Mapped, Table
from trader.audit.reading import Reading
from trader.audit.source import quoted
from trader.audit.words import Account, Finding, Kind, Position
from trader.money import CENT, ZERO


class Traces(Struct, frozen=True, kw_only=True):
    """What was found before any trade is judged."""

    findings: tuple[Finding, ...]
    notes: tuple[str, ...]
    is_cleaned_up: bool  # sales are gone: what is left explains nothing


def traces_of(reading: Reading, account: Account, positions: dict[str, Position] | None) -> Traces:
    """Sales that must have been and aren't there.

    Books without a sale are sound where nothing was ever sold; so it takes a profit that only a sale can have made,
    or deleted ids together with more shares bought than are held.
    """
    gone = reading.ids_gone()
    notes = (
        (f"{gone:,} ids of trades were given that no row has: rows were deleted",) if gone else ()
    )
    bought, sales = _shares(reading)
    held = ZERO if positions is None else sum((one.quantity for one in positions.values()), ZERO)
    if sales or not bought:
        return Traces(findings=(), notes=notes, is_cleaned_up=False)
    earned = _earned(account, positions)
    too_much = positions is not None and bought > held
    if earned is None and not (gone and too_much):
        return Traces(findings=(), notes=notes, is_cleaned_up=False)
    says = ["no sale is left"]
    if earned is not None:
        says.append(f"yet a realized {dollars(earned)} is recorded")
    if too_much:
        says.append(f"{bought:f} shares were bought and {held:f} are held")
    if gone:
        says.append(f"{gone:,} rows were deleted")
    if (fitted := _fitted(account, positions)) is not None:
        says.append(fitted)
    says.append("these books can't be mended from themselves: restore the backup from before")
    finding = Finding(kind=Kind.CLEANED_UP, count=max(gone, 1), says="; ".join(says))
    return Traces(findings=(finding,), notes=(), is_cleaned_up=True)


def _earned(account: Account, positions: dict[str, Position] | None) -> Decimal | None:
    """What only sales can have made; a total of which nobody knows how much is open proves none."""
    earned = account.profit
    if earned is None and account.total is not None and positions is not None:
        parts = [
            None if one.value is None or one.cost is None else one.value - one.cost
            for one in positions.values()
        ]
        known = [part for part in parts if part is not None]
        earned = account.total - sum(known, ZERO) if len(known) == len(parts) else None
    return earned if earned is not None and abs(earned) > CENT else None


def _shares(reading: Reading) -> tuple[Decimal, bool]:
    """Shares bought by all rows, and whether any row is a sale; looked at until the first one."""
    table = reading.mapped.trades
    quantity = quoted(table.columns["quantity"])
    side = quoted(table.columns["side"]) if "side" in table.columns else "NULL"
    bought = ZERO
    for word, cell in reading.database.execute(
        f"SELECT {side}, {quantity} FROM {quoted(table.name)}"
    ):
        shares = reading.amounts.read(cell)
        buy = is_buy(word) if "side" in table.columns else shares is None or shares > ZERO
        if buy is False:
            return bought, True
        if buy and shares is not None:
            bought += shares
    return bought, False


def _fitted(account: Account, positions: dict[str, Position] | None) -> str | None:
    if account.cash is None or account.start is None or not positions:
        return None
    costs = [one.cost for one in positions.values()]
    known = [one for one in costs if one is not None]
    if len(known) != len(costs):
        return None
    cost = sum(known, ZERO)
    if cents(account.cash + cost) != cents(account.start):
        return None
    return (
        f"cash {dollars(account.cash)} plus the positions' cost {dollars(cost)} is the start"
        f" {dollars(account.start)} to the cent, as if nothing had ever been earned or lost"
    )


def gone_since(
    database: sqlite3.Connection, mapped: Mapped, earlier: sqlite3.Connection, then: Mapped
) -> list[Finding]:
    """Rows of an earlier copy that this one lacks, or has otherwise. Rows are told by their rowid, which both have."""
    now = _rows(database, mapped.trades)
    lost_buys = lost_sales = changed = sales = 0
    current = next(now, None)
    for row in _rows(earlier, then.trades):
        while current is not None and current[0] < row[0]:
            current = next(now, None)
        buy = is_buy(row[1])
        sales += buy is False
        if current is None or current[0] != row[0]:
            lost_buys += buy is not False
            lost_sales += buy is False
        elif current != row:
            changed += 1
    if not lost_buys + lost_sales + changed:
        return []
    all_of = "all " if lost_sales and lost_sales == sales else ""
    says = f"since the earlier copy {all_of}{lost_sales} sales and {lost_buys} buys were deleted"
    says += f", {changed} rows were changed" if changed else ""
    return [Finding(kind=Kind.ROWS_GONE, count=lost_buys + lost_sales + changed, says=says)]


def _rows(database: sqlite3.Connection, table: Table) -> sqlite3.Cursor:
    roles: Sequence[str] = ("side", "symbol", "quantity", "price", "time")
    columns = [quoted(table.columns[one]) if one in table.columns else "NULL" for one in roles]
    return database.execute(
        f"SELECT rowid, {', '.join(columns)} FROM {quoted(table.name)} ORDER BY rowid"
    )

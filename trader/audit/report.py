"""The damage report for programs: amounts of money are texts with two decimals, shares are exact texts."""

from collections.abc import Callable
from decimal import Decimal

from msgspec import Struct

from trader.audit.cells import cents
from trader.audit.findings import phantom_notional
from trader.audit.words import WINDOWS_S, Audit, Judged, Snapshot
from trader.calendar import iso
from trader.money import ZERO, canonical

Amount = str | None


class FindingRow(Struct, frozen=True, kw_only=True):
    """See words.py:Finding."""

    kind: str
    count: int
    says: str
    symbols: tuple[str, ...]


class SymbolRow(Struct, frozen=True, kw_only=True):
    """One symbol's damage; `repeated` counts buys within so many seconds of the one before."""

    symbol: str
    buys: int
    real_buys: int
    phantom_buys: int
    unproved: int
    sales: int
    phantom_sales: int
    shares_bought: str
    phantom_shares: str
    phantom_notional: str
    position_recorded: str | None
    position_explained: str
    cost_recorded: Amount
    cost_explained: str
    evidence: str
    is_sure: bool
    why: str
    repeated: dict[str, int]
    same_second_groups: int
    missing_orders: tuple[str, ...]


class CashRow(Struct, frozen=True, kw_only=True):
    """Cash as recorded, as all rows imply it, and right; null where it can't be said."""

    start: Amount
    start_from: str
    deposits: str
    recorded: Amount
    implied: Amount
    right: Amount
    is_sure: bool
    checks: tuple[str, ...]
    last_right: str | None
    first_wrong: str | None


class ProfitRow(Struct, frozen=True, kw_only=True):
    """What one source says was realized."""

    source: str
    amount: str


class Moment(Struct, frozen=True, kw_only=True):
    """UTC, and what happened."""

    at: str
    says: str


class Totals(Struct, frozen=True, kw_only=True):
    """Over all symbols."""

    trades: int
    buys: int
    sales: int
    phantom_buys: int
    phantom_sales: int
    unproved: int
    phantom_shares: str
    phantom_notional: str
    positions_cost_recorded: Amount
    voided: int


class Report(Struct, frozen=True, kw_only=True):
    """Everything; `sha256` is of the file that was read."""

    file: str
    sha256: str
    findings: tuple[FindingRow, ...]
    totals: Totals
    cash: CashRow
    profits: tuple[ProfitRow, ...]
    is_cleaned_up: bool
    symbols: tuple[SymbolRow, ...]
    timeline: tuple[Moment, ...]
    reading: tuple[str, ...]
    notes: tuple[str, ...]


def money(amount: Decimal) -> str:
    """'1234.50'."""
    return f"{cents(amount):.2f}"


def report_of(audit: Audit) -> Report:
    """The audit in words and texts that every program reads alike."""
    cash = audit.money
    return Report(
        file=audit.path,
        sha256=audit.sha256,
        findings=tuple(
            FindingRow(kind=one.kind.value, count=one.count, says=one.says, symbols=one.symbols)
            for one in audit.findings
        ),
        totals=_totals(audit),
        cash=CashRow(
            start=_optional(cash.start),
            start_from=cash.start_from,
            deposits=money(cash.deposits),
            recorded=_optional(cash.recorded),
            implied=_optional(cash.implied),
            right=_optional(cash.right),
            is_sure=cash.is_sure,
            checks=cash.checks,
            last_right=_moment(cash.last_right),
            first_wrong=_moment(cash.first_wrong),
        ),
        profits=tuple(
            ProfitRow(source=one.source, amount=money(one.amount)) for one in audit.profits
        ),
        is_cleaned_up=audit.is_cleaned_up,
        symbols=tuple(map(_symbol, audit.symbols)),
        timeline=tuple(Moment(at=iso(at_ns), says=says) for at_ns, says in audit.timeline),
        reading=audit.reading,
        notes=audit.notes,
    )


def _totals(audit: Audit) -> Totals:
    def counted(number: Callable[[Judged], int]) -> int:
        return sum(map(number, audit.symbols))

    return Totals(
        trades=audit.trades,
        buys=counted(lambda one: one.buys),
        sales=audit.sales,
        phantom_buys=counted(lambda one: one.phantom_buys),
        phantom_sales=counted(lambda one: one.phantom_sales),
        unproved=counted(lambda one: one.unproved),
        phantom_shares=canonical(sum((one.phantom_shares for one in audit.symbols), ZERO)),
        phantom_notional=money(phantom_notional(audit.symbols)),
        positions_cost_recorded=_optional(positions_cost(audit)),
        voided=audit.repaired,
    )


def positions_cost(audit: Audit) -> Decimal | None:
    """What is held is recorded to have cost, in all; None where some position doesn't say."""
    recorded = [one.recorded for one in audit.symbols]
    costs = [one.cost for one in recorded if one is not None]
    known = [cost for cost in costs if cost is not None]
    return sum(known, ZERO) if len(known) == len(costs) else None


def _symbol(one: Judged) -> SymbolRow:
    recorded = one.recorded
    return SymbolRow(
        symbol=one.symbol,
        buys=one.buys,
        real_buys=one.buys - one.phantom_buys - one.unproved,
        phantom_buys=one.phantom_buys,
        unproved=one.unproved,
        sales=one.sales,
        phantom_sales=one.phantom_sales,
        shares_bought=canonical(one.shares_bought),
        phantom_shares=canonical(one.phantom_shares),
        phantom_notional=money(one.phantom_notional),
        position_recorded=None if recorded is None else canonical(recorded.quantity),
        position_explained=canonical(one.explained.quantity),
        cost_recorded=None if recorded is None else _optional(recorded.cost),
        cost_explained=money(one.explained.cost),
        evidence=one.evidence.value,
        is_sure=one.is_sure,
        why=one.why,
        repeated={str(window): count for window, count in zip(WINDOWS_S, one.windows, strict=True)},
        same_second_groups=one.same_second_groups,
        missing_orders=tuple(execution.order_id for execution in one.missing),
    )


def _optional(amount: Decimal | None) -> Amount:
    return None if amount is None else money(amount)


def _moment(snapshot: Snapshot | None) -> str | None:
    return None if snapshot is None else iso(snapshot.at_ns)

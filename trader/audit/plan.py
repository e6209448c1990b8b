"""A plan of repair: which rows to leave out, which figures to adjust, and what is left alone because nothing proves it.

It is made from an audit and from nothing else, so that whoever applies it can make it again and compare.
"""

from collections.abc import Iterator
from decimal import Decimal
from hashlib import sha256
from pathlib import Path

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from trader.audit.auditing import Wanted
from trader.audit.cash import TOLERANCE, dollars
from trader.audit.cells import cents, zone_named
from trader.audit.findings import SYMBOLS_SHOWN_MAX
from trader.audit.report import money
from trader.audit.source import file_digest
from trader.audit.words import Audit, Judged, Kind
from trader.exits import Mistake, StartRefused
from trader.money import ZERO

FORMAT = "trader repair plan, version 1"
PLAN_BYTES_MAX = 1 << 28
# What a plan does about these is written in it; of all others it says that it leaves them alone.
MENDED = frozenset(
    {
        Kind.REPEATED_ENTRIES,
        Kind.SAME_SECOND,
        Kind.SALE_OF_NOTHING,
        Kind.NOT_IN_STATEMENT,
        Kind.BURST,
        Kind.CASH_CLAMPED,
        Kind.CASH_UNEXPLAINED,
    }
)


class Void(Struct, frozen=True, kw_only=True):
    """A row of trades, by its rowid, that stands for nothing that happened."""

    trade: int
    symbol: str
    reason: str


class Adjustment(Struct, frozen=True, kw_only=True):
    """A recorded figure ('cash', 'equity', 'profit') and what has to be added to it; dollars."""

    subject: str
    amount: str
    recorded: str
    adjusted: str
    reason: str


class Plan(Struct, frozen=True, kw_only=True):
    """What is to be done to one file, known by its hash, and how it was read."""

    format: str
    file: str
    sha256: str
    zone: str
    mapping: dict[str, str]
    start: str | None
    statement: str | None
    statement_sha256: str | None
    voids: tuple[Void, ...]
    adjustments: tuple[Adjustment, ...]
    left_alone: tuple[str, ...]

    @property
    def is_empty(self) -> bool:
        return not self.voids and not self.adjustments

    @property
    def digest(self) -> str:
        """Names the plan: the hash of all of it."""
        return sha256(msgspec.json.encode(self)).hexdigest()

    def wanted(self, path: Path) -> Wanted:
        """How the file is to be audited, to come to this plan again; raises Mistake, StartRefused."""
        statement = None if self.statement is None else Path(self.statement)
        if statement is not None and (
            not statement.is_file() or file_digest(statement) != self.statement_sha256
        ):
            raise StartRefused(
                "not the statement that the plan was made with", where=str(statement)
            )
        return Wanted(
            path=path,
            zone=zone_named(self.zone),
            zone_name=self.zone,
            told=self.mapping,
            statement=statement,
            start=None if self.start is None else Decimal(self.start),
        )


def plan_of(audit: Audit, wanted: Wanted) -> Plan:
    """What the audit proves; raises StartRefused for books from which sales were deleted."""
    if audit.is_cleaned_up:
        raise StartRefused(
            "sales were deleted from these books, and they can't be mended from themselves",
            where=audit.path,
            remedy="restore the backup from before, and repair that",
        )
    statement = wanted.statement
    return Plan(
        format=FORMAT,
        file=Path(audit.path).name,
        sha256=audit.sha256,
        zone=wanted.zone_name,
        mapping=dict(sorted(wanted.told.items())),
        start=None if wanted.start is None else str(wanted.start),
        statement=None if statement is None else str(statement),
        statement_sha256=None if statement is None else file_digest(statement),
        voids=tuple(sorted(_voids(audit), key=lambda one: one.trade)),
        adjustments=tuple(_adjustments(audit)),
        left_alone=tuple(_left_alone(audit)),
    )


def _voids(audit: Audit) -> Iterator[Void]:
    for one in audit.symbols:
        for trade in one.phantom_ids:
            yield Void(trade=trade, symbol=one.symbol, reason=f"by {one.evidence.value}: {one.why}")


def _adjustments(audit: Audit) -> Iterator[Adjustment]:
    cash = audit.money
    if not cash.is_sure or cash.right is None:
        return
    if cash.recorded is not None and abs(cash.right - cash.recorded) > TOLERANCE:
        yield _adjustment("cash", cash.recorded, cash.right, "; ".join(cash.checks))
        # Equity that was cash and positions stays cash and positions.
        if audit.equity is not None and _is_sum(audit, audit.equity - cash.recorded):
            equity = audit.equity + cash.right - cash.recorded
            yield _adjustment("equity", audit.equity, equity, "cash and positions")
    said = {one.source: one.amount for one in audit.profits}
    real = said.get("the trades that happened")
    recorded = said.get("account, its own column")
    if real is not None and recorded is not None and abs(real - recorded) > TOLERANCE:
        yield _adjustment("profit", recorded, real, "by the trades that happened")


def _adjustment(subject: str, recorded: Decimal, right: Decimal, reason: str) -> Adjustment:
    return Adjustment(
        subject=subject,
        amount=money(cents(right) - cents(recorded)),
        recorded=money(recorded),
        adjusted=money(right),
        reason=reason,
    )


def _is_sum(audit: Audit, rest: Decimal) -> bool:
    for worth in (_value, _cost):
        parts = [worth(one) for one in audit.symbols]
        if all(part is not None for part in parts):
            total = sum((part for part in parts if part is not None), ZERO)
            if abs(total - rest) <= TOLERANCE:
                return True
    return False


def _value(one: Judged) -> Decimal | None:
    if one.recorded is None or not one.recorded.quantity:
        return ZERO
    return one.recorded.value


def _cost(one: Judged) -> Decimal | None:
    if one.recorded is None or not one.recorded.quantity:
        return ZERO
    return one.recorded.cost


def _left_alone(audit: Audit) -> Iterator[str]:
    unsure = [one for one in audit.symbols if not one.is_sure]
    for one in unsure[:SYMBOLS_SHOWN_MAX]:
        yield f"{one.symbol}: {one.unproved} repeated buys; {one.why}"
    if len(unsure) > SYMBOLS_SHOWN_MAX:
        yield f"and {len(unsure) - SYMBOLS_SHOWN_MAX} more symbols"
    cash = audit.money
    if cash.recorded is not None and not cash.is_sure:
        yield f"cash {dollars(cash.recorded)}: what it should be is not proved"
    for finding in audit.findings:
        is_mended = finding.kind in MENDED or (
            finding.kind is Kind.PROFITS_DISAGREE and _profits_will_agree(audit)
        )
        if not is_mended:
            yield f"{finding.kind.value}: {finding.says}"


def _profits_will_agree(audit: Audit) -> bool:
    """Once the account's own figures are adjusted; what other tables say stays as it is."""
    adjusted = {one.subject for one in _adjustments(audit)}
    mended = {
        "account, its own column": "profit" in adjusted,
        "account, equity less start": "equity" in adjusted,
    }
    amounts = [one.amount for one in audit.profits if not mended.get(one.source)]
    return bool(adjusted) and max(amounts) - min(amounts) <= TOLERANCE


def read_plan(path: Path) -> Plan:
    """A plan from a file; raises Mistake."""
    where = f"--apply {path}"
    try:
        data = path.read_bytes() if path.stat().st_size <= PLAN_BYTES_MAX else b""
        plan = msgspec.json.decode(data, type=Plan)
    except OSError as error:
        raise Mistake(f"can't be read: {error.strerror}", where=where) from None
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise Mistake(f"not a plan: {error}", where=where) from None
    if plan.format != FORMAT:
        raise Mistake("not a plan of this version", where=where)
    return plan


def written(plan: Plan) -> bytes:
    """For a person to read and keep."""
    return msgspec.json.format(msgspec.json.encode(plan), indent=1) + b"\n"


def same_but_for_names(one: Plan, other: Plan) -> bool:
    """Whether two plans do the same to the same file, wherever it lies."""
    return replace(one, file="", statement=None) == replace(other, file="", statement=None)

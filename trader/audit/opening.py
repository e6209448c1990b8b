"""Opens books of ours from audited ones: an opening balance and adoptions that name the audit, in a new journal."""

import os
import time
from decimal import Decimal
from pathlib import Path

from trader.audit.cells import cents
from trader.audit.matching import NEAR_NS
from trader.audit.words import Audit, Evidence, Judged, Kind
from trader.build import running_build
from trader.config import Config, is_symbol
from trader.executor import decided
from trader.exits import Exit, JournalBroken, StartRefused
from trader.live.assembly import boot_of
from trader.live.opening import opened
from trader.messages import Adoption, Input, LifeEnd, Opening
from trader.model import AccountId, StrategyName, Symbol
from trader.ports import Batch, JournalFailed
from trader.state import ExecutionState

IMPORTED = "imported"  # instead of a broker's name; whose account it is, the first broker will say
# Figures of theirs that may be wrong without ours becoming so: those are recomputed, or not taken over.
HARMLESS = frozenset(
    {
        Kind.REPEATED_ENTRIES,
        Kind.SAME_SECOND,
        Kind.BURST,
        Kind.NOT_IN_STATEMENT,
        Kind.SALE_OF_NOTHING,
        Kind.CASH_CLAMPED,
        Kind.CASH_UNEXPLAINED,
        Kind.PROFITS_DISAGREE,
    }
)


def check_conclusive(audit: Audit) -> None:
    """Raise StartRefused unless the audit proves the cash and every position."""

    def refused(what: str) -> StartRefused:
        return StartRefused(what, where=audit.path, remedy="bin/trade audit shows all of it")

    for finding in audit.findings:
        if finding.kind not in HARMLESS and not _is_about_proved_positions(audit, finding.kind):
            raise refused(f"the audit is not conclusive: {finding.kind.value}")
    for one in audit.symbols:
        if not one.is_sure or one.missing:
            raise refused(f"{one.symbol} is not proved: {one.why}")
        if one.explained.quantity < 0:
            raise refused(f"{one.symbol} is sold short, which our books don't know")
        if one.explained.quantity and not is_symbol(one.symbol):
            raise refused(f"{one.symbol!r} is no symbol")
    if not audit.money.is_sure or audit.money.right is None:
        raise refused(f"cash is not proved: {audit.money.start_from}")
    if audit.last_ns is None:
        raise refused("there is no trade to begin from")


def _is_about_proved_positions(audit: Audit, kind: Kind) -> bool:
    """Their table of positions is wrong, and the broker's own executions say what is held."""
    by_broker = all(one.evidence is Evidence.STATEMENT for one in audit.symbols)
    return kind is Kind.POSITION_UNEXPLAINED and by_broker


def import_books(
    database: Path, audit: Audit, strategy: str | None, who: str, reason: str
) -> ExecutionState:
    """Write the new journal; gives the state that it adds up to. Raises StartRefused."""
    check_conclusive(audit)
    books = opened(database, create=not database.exists())
    try:
        if books.state.sequence:
            raise StartRefused(
                "has books already; others are imported only into a new database",
                where=str(database),
                remedy="give another --database",
            )
        identity = books.identity(IMPORTED, AccountId(""), running_build(), pid=os.getpid())
        now_ns = time.time_ns()
        state, entries = decided(
            books.state,
            [
                boot_of(Config(), identity, now_ns),
                *_openings(audit, strategy, who, reason),
                LifeEnd(at_ns=now_ns, exit_code=int(Exit.WELL)),
            ],
        )
        books.journal.write(Batch(entries=tuple(entries), after=state))
    except (JournalFailed, JournalBroken) as error:
        raise StartRefused(str(error), where=str(database)) from None
    finally:
        books.journal.close()
    return state


def _openings(audit: Audit, strategy: str | None, who: str, reason: str) -> list[Input]:
    assert audit.money.right is not None
    assert audit.last_ns is not None
    name = f"audit {audit.sha256[:16]} of {Path(audit.path).name}"
    why = f"{name}: {reason}"
    wanted: list[Input] = [
        Opening(
            command_id=f"{name} cash",
            cash=cents(audit.money.right),
            # Their clock and the broker's are not one: as far apart as an execution's row may be.
            at_ns=audit.last_ns + NEAR_NS,
            who=who,
            reason=why,
        )
    ]
    for one in sorted(audit.symbols, key=lambda one: one.symbol):
        if one.explained.quantity:
            wanted.append(
                Adoption(
                    command_id=f"{name} {one.symbol}",
                    symbol=Symbol(one.symbol),
                    treatment="hands-off" if strategy is None else "trade",
                    quantity=one.explained.quantity,
                    cost=_cost(one),
                    strategy=None if strategy is None else StrategyName(strategy),
                    who=who,
                    reason=why,
                )
            )
    return wanted


def _cost(one: Judged) -> Decimal:
    """As recorded, where the trades agree with it to the cent; else what the trades cost at average."""
    recorded = None if one.recorded is None else one.recorded.cost
    if one.evidence is Evidence.COST and recorded is not None:
        return cents(recorded)
    return cents(one.explained.cost)

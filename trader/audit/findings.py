"""What is wrong, in sentences: findings, notes, how the file was read, and a timeline."""

from collections.abc import Mapping, Sequence
from decimal import Decimal

from trader.audit.cash import TOLERANCE, dollars
from trader.audit.cells import shown_time
from trader.audit.reading import Reading
from trader.audit.timing import Clocked
from trader.audit.words import (
    WINDOWS_S,
    Account,
    Burst,
    Evidence,
    Finding,
    Judged,
    Kind,
    Money,
    Position,
    Snapshot,
    Statement,
)
from trader.money import ZERO

NEAR_WINDOW = WINDOWS_S.index(
    60
)  # real buys closer than this are a fault, too; wider apart they may be meant
SYMBOLS_SHOWN_MAX = 12
# The hours that a clock shows while the exchange is open, in New York and in UTC, summer or winter.
HOURS_ET = tuple(f"{hour:02}" for hour in range(9, 16))
HOURS_UTC = tuple(f"{hour:02}" for hour in range(13, 21))


def findings_of(
    reading: Reading,
    symbols: Sequence[Judged],
    accounts: Sequence[Account],
    bursts: Sequence[Burst],
    statement: Statement | None,
) -> list[Finding]:
    """Everything about rows, trades and positions; cash and profits are judged by themselves."""
    return [
        *_about_rows(reading, accounts),
        *_about_repeats(symbols),
        *_about_statement(symbols, statement),
        *_about_sales(symbols),
        *_about_positions(symbols),
        *_about_bursts(bursts, symbols),
    ]


def _about_rows(reading: Reading, accounts: Sequence[Account]) -> list[Finding]:
    found: list[Finding] = []
    if reading.unreadable_rows:
        shown = ", ".join(f"row {row}: {why}" if row else why for row, why in reading.unreadable)
        says = f"{reading.unreadable_rows:,} rows can't be read and are in no sum: {shown}"
        found.append(Finding(kind=Kind.UNREADABLE_ROWS, count=reading.unreadable_rows, says=says))
    if duplicates := reading.duplicate_ids():
        says = f"{duplicates:,} rows have an id that another row has, too"
        found.append(Finding(kind=Kind.DUPLICATE_IDS, count=duplicates, says=says))
    if len(accounts) > 1:
        says = f"{len(accounts)} rows of account; the last one was taken"
        found.append(Finding(kind=Kind.SEVERAL_ACCOUNTS, count=len(accounts), says=says))
    return found


def _about_repeats(symbols: Sequence[Judged]) -> list[Finding]:
    """Repeated buys that are phantoms, unproved, or real and within a minute."""
    repeated = [one for one in symbols if one.phantom_buys or one.unproved or _is_near(one)]
    if not repeated:
        return []
    phantoms = sum(one.phantom_buys for one in repeated)
    unproved = sum(one.unproved for one in repeated)
    near = sum(
        one.windows[NEAR_WINDOW] for one in repeated if not one.phantom_buys and not one.unproved
    )
    parts = [f"{phantoms:,} phantom buys" if phantoms else ""]
    parts.append(f"{unproved:,} repeats of which nothing can be proved" if unproved else "")
    parts.append(f"{near:,} within a minute that the position accounts for" if near else "")
    windows = [sum(one.windows[number] for one in repeated) for number in range(len(WINDOWS_S))]
    within = ", ".join(
        f"{count:,} within {window:,} s" for window, count in zip(WINDOWS_S, windows, strict=True)
    )
    says = (
        f"{', '.join(filter(None, parts))} in {len(repeated)} symbols; of the buy before: {within}"
    )
    worst = sorted(repeated, key=lambda one: -one.phantom_buys - one.unproved)
    found = [
        Finding(
            kind=Kind.REPEATED_ENTRIES,
            count=phantoms + unproved + near,
            says=says,
            symbols=tuple(one.symbol for one in worst),
        )
    ]
    groups = sum(one.same_second_groups for one in symbols)
    if groups:
        buys = sum(one.same_second_buys for one in symbols)
        says = f"{groups:,} groups of buys of one symbol in one second, {buys:,} buys in all"
        found.append(Finding(kind=Kind.SAME_SECOND, count=groups, says=says))
    return found


def _is_near(one: Judged) -> bool:
    return one.windows[NEAR_WINDOW] > 0 and one.evidence is not Evidence.STATEMENT


def _about_statement(symbols: Sequence[Judged], statement: Statement | None) -> list[Finding]:
    if statement is None:
        return []
    found: list[Finding] = []
    wrong = [one for one in symbols if one.phantom_buys + one.phantom_sales]
    if wrong:
        count = sum(one.phantom_buys + one.phantom_sales for one in wrong)
        says = f"{count:,} recorded trades are not among the broker's executions"
        names = tuple(one.symbol for one in wrong)
        found.append(Finding(kind=Kind.NOT_IN_STATEMENT, count=count, says=says, symbols=names))
    missing = [one for one in symbols if one.missing]
    if missing:
        count = sum(len(one.missing) for one in missing)
        says = f"{count:,} of the broker's executions are not recorded"
        names = tuple(one.symbol for one in missing)
        found.append(Finding(kind=Kind.MISSING_TRADES, count=count, says=says, symbols=names))
    return found


def _about_sales(symbols: Sequence[Judged]) -> list[Finding]:
    wrong = [one for one in symbols if one.oversold]
    if not wrong:
        return []
    count = sum(one.oversold for one in wrong)
    says = f"{count:,} sales sell more than was there"
    return [
        Finding(
            kind=Kind.SALE_OF_NOTHING,
            count=count,
            says=says,
            symbols=tuple(one.symbol for one in wrong),
        )
    ]


def _about_positions(symbols: Sequence[Judged]) -> list[Finding]:
    wrong = [one for one in symbols if not _is_explained(one)]
    if not wrong:
        return []
    shown = [f"{one.symbol}: {one.why}" for one in wrong[:SYMBOLS_SHOWN_MAX]]
    says = f"{len(wrong)} positions that the trades don't explain ({'; '.join(shown)}"
    says += "; …)" if len(wrong) > len(shown) else ")"
    names = tuple(one.symbol for one in wrong)
    return [Finding(kind=Kind.POSITION_UNEXPLAINED, count=len(wrong), says=says, symbols=names)]


def _is_explained(one: Judged) -> bool:
    if one.recorded is None:
        return True  # Nothing is recorded that could be wrong.
    moved = sum((e.quantity if e.is_buy else -e.quantity for e in one.missing), ZERO)
    if one.explained.quantity + moved != one.recorded.quantity:
        return False
    cost = one.recorded.cost
    return (
        cost is None
        or not one.recorded.quantity
        or bool(one.missing)
        or abs(cost - one.explained.cost) <= TOLERANCE
    )


def _about_bursts(bursts: Sequence[Burst], symbols: Sequence[Judged]) -> list[Finding]:
    repeated = any(one.phantom_buys or one.unproved for one in symbols)
    return [
        Finding(
            kind=Kind.BURST,
            count=one.buys,
            says=f"{one.buys:,} buys from {shown_time(one.begins_ns)} to {shown_time(one.ends_ns)}",
        )
        for one in bursts
        if repeated
    ]


# ------------------------------------------------------------------------------------------------- notes


def notes_of(
    reading: Reading, symbols: Sequence[Judged], bursts: Sequence[Burst]
) -> tuple[str, ...]:
    """What a person should know that isn't wrong by itself."""
    notes: list[str] = []
    if reading.amounts.dust:
        notes.append(
            f"{reading.amounts.dust:,} different numbers have more than nine decimals:"
            " computed, not written; rounded half-even to nine"
        )
    if reading.not_whole_cents:
        notes.append(f"{reading.not_whole_cents:,} trades don't come to whole cents")
    if len(reading.moments.forms) > 1:
        notes.append(f"times in {len(reading.moments.forms)} forms")
    if doubt := _zone_doubted(reading):
        notes.append(doubt)
    odd = sorted(one for one in reading.sides if one not in ("BUY", "SELL"))
    if odd:
        notes.append(f"sides written as {', '.join(map(repr, odd[:8]))}")
    added = sum(
        one.windows[-1]
        for one in symbols
        if one.is_sure and not one.phantom_buys and not _is_near(one)
    )
    if added:
        notes.append(f"{added:,} buys within an hour of another that the position accounts for")
    fifo = [one.symbol for one in symbols if one.is_fifo]
    if fifo:
        more = ", …" if len(fifo) > SYMBOLS_SHOWN_MAX else ""
        notes.append(
            f"cost is kept first in, first out, not at average, in {len(fifo)} positions:"
            f" {', '.join(fifo[:SYMBOLS_SHOWN_MAX])}{more}"
        )
    if (voided := reading.voided()) > 0:
        notes.append(f"{voided:,} rows were voided by a repair and are left out")
    if bursts and not any(one.phantom_buys or one.unproved for one in symbols):
        notes.append(f"{len(bursts)} bursts of buys, none of them repeated")
    return tuple(notes)


def _zone_doubted(reading: Reading) -> str:
    """Old programs have taken UTC for New York's time, and the other way round."""
    hours = reading.moments.clock_hours
    total = hours.total()
    as_new_york, as_utc = (sum(hours[hour] for hour in zone) for zone in (HOURS_ET, HOURS_UTC))
    is_utc = reading.moments.name.upper() in ("UTC", "Z", "GMT")
    here, there = (as_utc, as_new_york) if is_utc else (as_new_york, as_utc)
    if there <= 2 * here:
        return ""
    return (
        f"of {total:,} times without a zone {as_new_york:,} fall into the exchange's hours if they are"
        f" New York's, {as_utc:,} if they are UTC: is --zone {reading.moments.name} right?"
    )


def reading_lines(
    reading: Reading,
    statement: Statement | None,
    positions: Mapping[str, Position] | None,
    accounts: Sequence[Account],
    history: Sequence[Snapshot],
) -> tuple[str, ...]:
    """How the columns and cells were read; what isn't there is said, too."""
    tables = reading.mapped.tables
    lines = [table.line(role) for role, table in tables.items()]
    absent = [role for role in ("positions", "account", "history") if role not in tables]
    if absent:
        lines.append(f"no table of: {', '.join(absent)}")
    forms = ", ".join(f"{form} {count:,}" for form, count in reading.moments.forms.most_common())
    lines.append(
        f"times: {forms}; without a zone taken as {reading.moments.name}, shown in New York"
    )
    real = "REAL as the shortest decimal that is stored so" if reading.amounts.floats else "exact"
    lines.append(f"money: {real}; sums are exact, shown to the cent")
    counts = [f"{len(positions or {})} positions", f"{len(accounts)} accounts"]
    lines.append(f"rows: {reading.rows:,} trades, {', '.join(counts)}, {len(history)} snapshots")
    if statement is not None:
        number = sum(map(len, statement.executions.values()))
        span = f"{shown_time(statement.begins_ns)} to {shown_time(statement.ends_ns)}"
        lines.append(f"statement: {number:,} orders executed, for {span}")
    else:
        lines.append("statement: none; judged by the recorded positions and what they cost")
    return tuple(lines)


def timeline_of(
    symbols: Sequence[Judged], money: Money, bursts: Sequence[Burst], clocked: Clocked
) -> tuple[tuple[int, str], ...]:
    """When what happened, by time."""
    found: list[tuple[int, str]] = []
    if clocked.first_ns is not None and clocked.last_ns is not None:
        found += [(clocked.first_ns, "first trade"), (clocked.last_ns, "last trade")]
    if money.last_right is not None:
        cash = dollars(money.last_right.cash or ZERO)
        found.append((money.last_right.at_ns, f"cash {cash} recorded, and right"))
    if money.first_wrong is not None:
        cash = dollars(money.first_wrong.cash or ZERO)
        found.append((money.first_wrong.at_ns, f"cash {cash} recorded, and wrong"))
    wrong = [one for one in symbols if one.first_phantom_ns]
    if wrong:
        first = min(wrong, key=lambda one: one.first_phantom_ns)
        last = max(wrong, key=lambda one: one.last_phantom_ns)
        found.append((first.first_phantom_ns, f"first phantom: {first.symbol}"))
        found.append((last.last_phantom_ns, f"last phantom: {last.symbol}"))
    for one in bursts:
        phantoms = f", {one.phantoms:,} of them phantoms" if one.phantoms else ""
        found.append(
            (one.begins_ns, f"{one.buys:,} buys until {shown_time(one.ends_ns)}{phantoms}")
        )
    return tuple(sorted(found))


def phantom_notional(symbols: Sequence[Judged]) -> Decimal:
    return sum((one.phantom_notional for one in symbols), ZERO)

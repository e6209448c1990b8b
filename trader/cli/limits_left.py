"""How much of each limit is left, reckoned from the rows of the tables: what `status` shows of them."""

import sqlite3
from collections.abc import Iterator
from decimal import Decimal

from msgspec import Struct

from trader import brakes
from trader.journal.chain import Cell
from trader.limits import CANARY, NAMES, CanaryLimits, Limits, text_of, why_of
from trader.messages import BooksMoved, Clock, Entry, LifeBegan, Promoted, Resumed, decode_entry
from trader.model import ENTRY_PURPOSES, FINAL_STATES, MINUTE_NS
from trader.money import CENT, ZERO, canonical, rounded_down

_ENTRY = ", ".join(f"'{one.value}'" for one in sorted(ENTRY_PURPOSES))
_FINAL = ", ".join(f"'{one.value}'" for one in sorted(FINAL_STATES))
_LIVE = f"purpose IN ({_ENTRY}) AND state NOT IN ({_FINAL})"
# By the row in which the session began: where a clock was set back, its name may have been before.
_BEGAN = """
(SELECT ifnull(max(sequence), 0) FROM journal WHERE instr(entry, '"type":"session_began"'))
"""
_OF_SESSION = f"purpose IN ({_ENTRY}) AND decision_id > ?"
_MOMENT = f"""
SELECT at_ns, {_BEGAN}, equity, equity_session, positions_value, reserved FROM account_row
"""
_LIFE = "SELECT entry FROM journal WHERE sequence = (SELECT max(sequence) FROM life_rows)"
_PROMOTIONS = """
SELECT entry FROM journal WHERE sequence IN (SELECT sequence FROM notice_rows WHERE kind = 'promoted') ORDER BY sequence
"""
_RESERVED = f"""
SELECT posting.amount FROM posting_rows AS posting JOIN order_rows AS o ON o.decision_id = posting.sequence
WHERE posting.account = 'cash:reserved' AND o.purpose IN ({_ENTRY}) AND o.decision_id > ?
  AND posting.amount NOT LIKE '-%'
"""
_FILLED = f"""
SELECT o.symbol, min(one.at_ns) FROM execution_rows AS one JOIN order_rows AS o USING (client_order_id)
WHERE o.purpose IN ({_ENTRY}) AND one.sequence > ? GROUP BY client_order_id HAVING min(one.at_ns) >= ?
"""
# What a highest equity can come of: the clock's marks, a resume, and what the owner brings or takes.
_PEAKS = """
SELECT entry, ifnull((
  SELECT equity FROM equity_rows AS e WHERE e.sequence <= j.sequence ORDER BY e.sequence DESC, line DESC
), (SELECT opening FROM account_row))
FROM journal AS j WHERE sequence >= (SELECT ifnull(max(sequence), 0) FROM notice_rows WHERE kind = 'resumed')
AND (instr(entry, '"type":"clock"') OR instr(entry, '"books_moved"') OR instr(entry, '"resumed"')
  OR instr(entry, '"opening_booked"'))
ORDER BY sequence
"""
_EACH = (
    "order_notional_max",
    "order_quantity_max",
    "price_deviation_max",
    "quote_age_max",
    "request_age_max",
    "adds_max",
    "stop_required",
)


class Left(Struct, frozen=True, kw_only=True):
    """One limit: used, most and left of it, of a symbol or strategy where it is about one; amounts in canonical text.

    Of a limit on each single order only the most is known.
    """

    limit: str
    max: str
    used: str | None = None
    left: str | None = None
    about: str = ""
    owner: str = ""
    reason: str = ""


def limits_left(database: sqlite3.Connection) -> list[Left]:
    """Each limit of the last life; empty where there was none, or nothing is booked yet."""
    life, moment = database.execute(_LIFE).fetchone(), database.execute(_MOMENT).fetchone()
    if life is None or moment is None:
        return []
    [began] = [one for one in _entry(life[0]).events if isinstance(one, LifeBegan)]
    limits = began.limits
    used = {
        name: (about, amount, most) for name, about, amount, most in _used(database, moment, limits)
    }
    found = [
        _counted(limits, name, *used[name])
        if name in used
        else Left(limit=name, max=text_of(getattr(limits, name)))
        for name in NAMES
    ]
    if limits.canary is not None:
        found += _canaries(database, moment, began, limits.canary)
    return [_explained(limits, one) for one in found]


def _counted(limits: Limits, name: str, about: str, used: Decimal, most: Decimal) -> Left:
    left = most - used
    return Left(
        limit=name,
        used=canonical(used),
        max=canonical(most),
        left=canonical(max(ZERO, left)),
        about=about,
    )


def _explained(limits: Limits, left: Left) -> Left:
    why = why_of(limits, left.limit)
    return Left(
        limit=left.limit,
        max=left.max,
        used=left.used,
        left=left.left,
        about=left.about,
        owner=why.owner,
        reason=why.reason,
    )


Used = tuple[str, str, Decimal, Decimal]


def _used(database: sqlite3.Connection, moment: tuple[Cell, ...], limits: Limits) -> Iterator[Used]:
    at_ns, session = int(str(moment[0])), int(str(moment[1]))
    equity, base, value, reserved = (Decimal(str(one)) for one in moment[2:])

    def count(question: str, *values: str | int) -> Decimal:
        return Decimal(
            database.execute(
                f"SELECT count(*) FROM order_rows WHERE {question}", values
            ).fetchone()[0]
        )

    symbol, most = _largest(database)
    yield "position_notional_max", symbol, most, limits.position_notional_max
    yield "exposure_max", "", value + reserved, limits.exposure_max * equity
    yield "entries_open_max", "", count(_LIVE), Decimal(limits.entries_open_max)
    minute = count(f"{_OF_SESSION} AND abs(at_ns - ?) < ?", session, at_ns, MINUTE_NS)
    yield "entries_per_minute_max", "", minute, Decimal(limits.entries_per_minute_max)
    busiest, entries = _busiest(
        database, f"SELECT symbol FROM order_rows WHERE {_OF_SESSION}", session
    )
    yield (
        "entries_per_symbol_per_day_max",
        busiest,
        entries,
        Decimal(limits.entries_per_symbol_per_day_max),
    )
    entered = sum((Decimal(one) for (one,) in database.execute(_RESERVED, (session,))), ZERO)
    yield "entries_notional_per_day_max", "", entered, limits.entries_notional_per_day_max
    filled, times = _busiest(database, _FILLED, session, at_ns - brakes.REPEATED_SPAN_NS)
    yield "executions_repeated_max", filled, times, Decimal(limits.executions_repeated_max)
    yield "loss_day_max", "", base - equity, limits.loss_day_max * base
    peak = _peak(database)
    yield "drawdown_max", "", peak - equity, limits.drawdown_max * peak


def _largest(database: sqlite3.Connection) -> tuple[str, Decimal]:
    """The symbol with the most dollars in it: held at the mark, or at cost where there is none, and on its way."""
    sums: dict[str, Decimal] = {}
    held = "SELECT symbol, quantity, market_price, cost FROM position_rows"
    for symbol, quantity, price, cost in database.execute(held):
        sums[symbol] = Decimal(quantity) * Decimal(price) if price else Decimal(cost)
    for symbol, reserved in database.execute(
        f"SELECT symbol, reserved FROM order_rows WHERE {_LIVE}"
    ):
        sums[symbol] = sums.get(symbol, ZERO) + Decimal(reserved)
    symbol, most = max(sums.items(), key=lambda one: (one[1], one[0]), default=("", ZERO))
    return (symbol, most) if most else ("", ZERO)


def _busiest(
    database: sqlite3.Connection, question: str, *values: str | int
) -> tuple[str, Decimal]:
    """What the rows' first column names most often."""
    counts: dict[str, int] = {}
    for row in database.execute(question, values):
        counts[row[0]] = counts.get(row[0], 0) + 1
    name, most = max(counts.items(), key=lambda one: (one[1], one[0]), default=("", 0))
    return name, Decimal(most)


def _peak(database: sqlite3.Connection) -> Decimal:
    peak = ZERO
    for text, equity in database.execute(_PEAKS):
        entry = _entry(text)
        now = Decimal(equity)
        peak += sum((one.deposit for one in entry.events if isinstance(one, BooksMoved)), ZERO)
        if any(isinstance(one, Resumed) for one in entry.events):
            peak = now
        elif isinstance(entry.input, Clock) or not peak:
            peak = max(peak, now)
    return peak


def _canaries(
    database: sqlite3.Connection, moment: tuple[Cell, ...], began: LifeBegan, limits: CanaryLimits
) -> Iterator[Left]:
    """Of each strategy that nobody has promoted as it is."""
    promoted = {
        event.strategy: event.configured
        for (text,) in database.execute(_PROMOTIONS)
        for event in _entry(text).events
        if isinstance(event, Promoted)
    }
    for strategy, configured in sorted(began.strategies.items()):
        if promoted.get(strategy) == configured:
            continue
        question = f"SELECT count(*) FROM order_rows WHERE {_OF_SESSION} AND strategy = ?"
        entries = Decimal(database.execute(question, (int(str(moment[1])), strategy)).fetchone()[0])
        most = Decimal(limits.entries_per_day_max)
        for name in ("order_notional_max", "position_notional_max"):
            yield Left(
                limit=f"{CANARY}.{name}", max=canonical(getattr(limits, name)), about=strategy
            )
        yield Left(
            limit=f"{CANARY}.entries_per_day_max",
            used=canonical(entries),
            max=canonical(most),
            left=canonical(max(most - entries, ZERO)),
            about=strategy,
        )


def _entry(text: str) -> Entry:
    return decode_entry(text.encode())


def lines_of(limits: list[Left]) -> Iterator[str]:
    """For people: what is left of each, and what each single order may be."""
    for one in limits:
        if one.left is not None:
            about = f" ({one.about})" if one.about else ""
            yield f"{one.limit} {_shown(one.left)} of {_shown(one.max)} left{about}"
    each = [f"{one.limit} {_shown(one.max)}" for one in limits if one.limit in _EACH]
    if each:
        yield f"each order: {', '.join(each)}"
    for strategy in dict.fromkeys(one.about for one in limits if one.limit.startswith(CANARY)):
        sizes = [
            f"{one.limit} {_shown(one.max)}"
            for one in limits
            if one.about == strategy and one.limit.startswith(CANARY) and one.left is None
        ]
        yield f"{strategy} is a canary: {', '.join(sizes)}; bin/trade promote {strategy} --reason …"


def _shown(amount: str) -> str:
    if amount in {"true", "false"}:
        return amount
    value = Decimal(amount)
    if value == value.to_integral_value():
        return f"{value:,.0f}"
    return f"{rounded_down(value, CENT):,.2f}" if value > 1 else amount

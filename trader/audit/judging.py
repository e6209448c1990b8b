"""Judges a symbol's recorded trades: which happened, which were only written down, and on what evidence.

A *reading* is a choice of phantoms. Without a broker's statement, the first reading that explains the recorded position
counts: all are real; of each group of repeated buys only the first is; as many of the first of each group as the next
sales, or the position, account for; only buys of a flat symbol are, of those within an hour of another; at last, the
one choice of repeated buys that explains it, if it is the only one. A reading must never sell what isn't there. That
the real trades also cost what the position did makes it surer.
"""

from collections.abc import Callable, Iterator, Sequence
from collections.abc import Set as AbstractSet
from decimal import Decimal

from trader.audit.ledger import added_up, first_in_first_out
from trader.audit.matching import matched
from trader.audit.repeats import NOT_REPEATED, gaps_of, in_windows, same_second
from trader.audit.words import (
    WINDOW_NS,
    Evidence,
    Execution,
    Judged,
    Ledger,
    Position,
    Statement,
    Trades,
)
from trader.money import CENT, ZERO

COST_TOLERANCE = CENT  # of an average cost that was stored as a float, times the shares
CANDIDATES_MAX = 30  # repeated buys among which a choice is looked for
STEPS_MAX = 10_000  # and sums that are looked at, before the choice is called unclear
Phantoms = frozenset[int]
NONE: Phantoms = frozenset()


class Opinion:
    """What is thought of a symbol's trades while it is judged."""

    def __init__(
        self, phantoms: AbstractSet[int], evidence: Evidence, *, is_sure: bool, why: str
    ) -> None:
        self.phantoms = frozenset(phantoms)
        self.evidence = evidence
        self.is_sure = is_sure
        self.why = why
        self.missing: tuple[Execution, ...] = ()
        self.is_fifo = False  # the recorded cost is that of the lots that were bought last


def judged(
    trades: Trades, recorded: Position | None, statement: Statement | None, *, can_tell: bool
) -> Judged:
    """One symbol. `recorded` None: there is no table of positions. Not `can_tell`: rows were deleted."""
    gaps = gaps_of(trades)
    told = added_up(trades)
    if statement is not None:
        opinion = _by_statement(trades, recorded, statement)
    elif not can_tell:
        opinion = Opinion(NONE, Evidence.NONE, is_sure=False, why="rows were deleted")
    elif trades.unreadable:
        opinion = Opinion(NONE, Evidence.NONE, is_sure=False, why="rows can't be read")
    elif recorded is None:
        opinion = Opinion(NONE, Evidence.NONE, is_sure=False, why="no table of positions")
    else:
        opinion = _by_position(trades, gaps, recorded, told)
    return _written(trades, gaps, recorded, told, opinion)


def _by_position(trades: Trades, gaps: Sequence[int], recorded: Position, told: Ledger) -> Opinion:
    for reading, why in _readings(trades, gaps, recorded.quantity):
        if _left(trades, reading) == recorded.quantity and not _sales_of_nothing(trades, reading):
            return _with_cost(trades, gaps, recorded, reading, why)
    if told.quantity == recorded.quantity:
        return _with_cost(trades, gaps, recorded, NONE, "all rows together explain it")
    sales = _sales_of_nothing(trades)
    if sales and _left(trades, sales) == recorded.quantity:
        return _with_cost(trades, gaps, recorded, sales, "without the sales of what was not there")
    why = f"trades leave {told.quantity:f}, recorded are {recorded.quantity:f}"
    return Opinion(NONE, Evidence.NONE, is_sure=False, why=why)


def _with_cost(
    trades: Trades, gaps: Sequence[int], recorded: Position, reading: Phantoms, why: str
) -> Opinion:
    if recorded.cost is None or not recorded.quantity:
        return Opinion(reading, Evidence.POSITION, is_sure=True, why=why)
    choices = (reading, *_exchanged(trades, gaps, reading))
    for choice in choices:
        if abs(added_up(trades, choice).cost - recorded.cost) <= COST_TOLERANCE:
            return Opinion(choice, Evidence.COST, is_sure=True, why=why)
    for choice in choices:
        lots = first_in_first_out(trades, choice)
        if lots is not None and abs(lots.cost - recorded.cost) <= COST_TOLERANCE:
            opinion = Opinion(choice, Evidence.COST, is_sure=True, why=f"{why}, at FIFO cost")
            opinion.is_fifo = True
            return opinion
    why += "; its cost is neither the average's nor FIFO's"
    return Opinion(reading, Evidence.POSITION, is_sure=not reading, why=why)


def _readings(
    trades: Trades, gaps: Sequence[int], target: Decimal
) -> Iterator[tuple[Phantoms, str]]:
    yield NONE, "all rows explain it"
    repeated = frozenset(index for index, gap in enumerate(gaps) if gap != NOT_REPEATED)
    yield repeated, "of each group the first"
    yield _as_accounted_for(trades, gaps, target), "of each group what was sold or is held"
    standing = _while_standing(trades)
    yield standing, "buys of a flat symbol"
    for candidates in (repeated, standing):
        if (only := _only_choice(trades, sorted(candidates), target)) is not None:
            yield only, "the only choice that explains it"


def _sales_of_nothing(trades: Trades, phantoms: Phantoms = NONE) -> Phantoms:
    """Sales that would sell more than is there, each left out for the next."""
    held = ZERO
    found: set[int] = set()
    for index, (buy, shares) in enumerate(zip(trades.is_buy, trades.quantities, strict=True)):
        if index in phantoms:
            continue
        if buy:
            held += shares
        elif shares > held:
            found.add(index)
        else:
            held -= shares
    return frozenset(found)


def _left(trades: Trades, phantoms: Phantoms) -> Decimal:
    return sum(
        (
            shares if buy else -shares
            for index, (buy, shares) in enumerate(
                zip(trades.is_buy, trades.quantities, strict=True)
            )
            if index not in phantoms
        ),
        ZERO,
    )


def _as_accounted_for(trades: Trades, gaps: Sequence[int], target: Decimal) -> Phantoms:
    """Of each group the first few that the sales before the next group, or at last the position, account for."""
    phantoms: set[int] = set()
    held = ZERO
    index, count = 0, len(gaps)
    while index < count:
        if not trades.is_buy[index]:
            held -= trades.quantities[index]
            index += 1
            continue
        end = index + 1
        while end < count and trades.is_buy[end] and gaps[end] != NOT_REPEATED:
            end += 1
        wanted = _sold_until_next_buy(trades, end) if end < count else target
        total = held
        kept = 1
        for length, shares in enumerate(trades.quantities[index:end], start=1):
            total += shares
            if total == wanted:
                kept = length
        phantoms.update(range(index + kept, end))
        held += sum(trades.quantities[index : index + kept], ZERO)
        index = end
    return frozenset(phantoms)


def _sold_until_next_buy(trades: Trades, index: int) -> Decimal:
    sold = ZERO
    while index < len(trades.is_buy) and not trades.is_buy[index]:
        sold += trades.quantities[index]
        index += 1
    return sold


def _while_standing(trades: Trades) -> Phantoms:
    """Buys of a symbol that was held already, as a program that enters only when flat would never make them.

    Of those only what came soon after another: a later buy is an ordinary one, whatever the position says.
    """
    held = ZERO
    last_ns: int | None = None
    found: set[int] = set()
    for index, (buy, shares) in enumerate(zip(trades.is_buy, trades.quantities, strict=True)):
        at_ns = trades.at_ns[index]
        if buy and held > 0 and last_ns is not None and at_ns - last_ns <= WINDOW_NS:
            found.add(index)
        else:
            held += shares if buy else -shares
        if buy:
            last_ns = at_ns
    return frozenset(found)


def _only_choice(trades: Trades, candidates: Sequence[int], target: Decimal) -> Phantoms | None:
    """The only choice of candidates whose shares are what is too much; None where there are several, or none.

    Of trades with the same shares and price, which one is left out makes no difference to anybody: the later.
    """
    excess = _left(trades, NONE) - target
    if excess <= 0 or len(candidates) > CANDIDATES_MAX:
        return None
    # By the sum of shares: the choice that reaches it, None where several do.
    ways: dict[Decimal, tuple[int, ...] | None] = {ZERO: ()}
    steps = 0
    for index in reversed(candidates):
        steps += len(ways)
        if steps > STEPS_MAX:
            return None
        for total, chosen in list(ways.items()):
            reached = total + trades.quantities[index]
            if reached > excess:
                continue
            now = None if chosen is None else (*chosen, index)
            if reached not in ways or _same(trades, ways[reached], now):
                ways.setdefault(reached, now)
            else:
                ways[reached] = None
    found = ways.get(excess)
    return None if found is None else frozenset(found)


def _same(trades: Trades, one: tuple[int, ...] | None, other: tuple[int, ...] | None) -> bool:
    if one is None or other is None or len(one) != len(other):
        return False
    contents = (
        sorted((trades.quantities[index], trades.prices[index]) for index in choice)
        for choice in (one, other)
    )
    return next(contents) == next(contents)


def _exchanged(trades: Trades, gaps: Sequence[int], reading: Phantoms) -> Iterator[Phantoms]:
    """The same reading with another buy of as many shares left in the last group: its price decides."""
    end = len(gaps)
    start = end
    while start > 0 and trades.is_buy[start - 1]:
        start -= 1
        if gaps[start] == NOT_REPEATED:
            break
    kept = [index for index in range(start, end) if index not in reading]
    if len(kept) != 1:
        return
    for index in range(start, end):
        if index in reading and trades.quantities[index] == trades.quantities[kept[0]]:
            yield reading - {index} | {kept[0]}


def _by_statement(trades: Trades, recorded: Position | None, statement: Statement) -> Opinion:
    inside = [statement.covers(at_ns) for at_ns in trades.at_ns]
    real, missing = matched(trades, inside, statement.executions.get(trades.symbol, ()))
    phantoms = frozenset(index for index, is_in in enumerate(inside) if is_in and index not in real)
    opinion = Opinion(
        phantoms, Evidence.STATEMENT, is_sure=all(inside), why="the broker's executions"
    )
    opinion.missing = missing
    if not opinion.is_sure:
        left = _left(trades, phantoms) + sum(
            (one.quantity if one.is_buy else -one.quantity for one in missing), ZERO
        )
        opinion.is_sure = recorded is not None and left == recorded.quantity
        opinion.why += "; before and after it " + (
            "the position agrees" if opinion.is_sure else "nothing tells"
        )
    return opinion


def _written(
    trades: Trades,
    gaps: Sequence[int],
    recorded: Position | None,
    told: Ledger,
    opinion: Opinion,
) -> Judged:
    phantoms = opinion.phantoms if opinion.is_sure else NONE
    unproved: list[int] = []
    if not opinion.is_sure:
        unproved = [index for index, gap in enumerate(gaps) if gap != NOT_REPEATED]
    bought = [index for index in phantoms if trades.is_buy[index]]
    explained = added_up(trades, phantoms) if phantoms else told
    if opinion.is_fifo:
        explained = first_in_first_out(trades, phantoms) or explained
    times = [trades.at_ns[index] for index in phantoms]
    groups, grouped = same_second(trades)

    def total(indexes: Sequence[int], value: Callable[[int], Decimal]) -> Decimal:
        return sum(map(value, indexes), ZERO)

    buys = sum(trades.is_buy)
    return Judged(
        symbol=trades.symbol,
        buys=buys,
        sales=len(trades.is_buy) - buys,
        shares_bought=sum(
            (shares for buy, shares in zip(trades.is_buy, trades.quantities, strict=True) if buy),
            ZERO,
        ),
        phantom_buys=len(bought),
        phantom_sales=len(phantoms) - len(bought),
        phantom_shares=total(bought, lambda index: trades.quantities[index]),
        phantom_notional=total(
            bought, lambda index: trades.quantities[index] * trades.prices[index]
        ),
        phantom_flow=explained.cash - told.cash,
        unproved=len(unproved),
        windows=in_windows(gaps),
        same_second_groups=groups,
        same_second_buys=grouped,
        oversold=len(_sales_of_nothing(trades)),
        recorded=recorded,
        explained=explained,
        told=told,
        evidence=opinion.evidence,
        is_sure=opinion.is_sure,
        why=opinion.why,
        is_fifo=opinion.is_fifo,
        phantom_ids=tuple(sorted(trades.ids[index] for index in phantoms)),
        unproved_ids=tuple(trades.ids[index] for index in unproved),
        missing=opinion.missing,
        profit=trades.profit,
        first_phantom_ns=min(times, default=0),
        last_phantom_ns=max(times, default=0),
    )

"""Which buys repeat one that stands already, and how close they come."""

from collections.abc import Sequence

from trader.audit.words import WINDOW_NS, WINDOWS_S, Trades

NOT_REPEATED = -1
SECOND_NS = 1_000_000_000


def gaps_of(trades: Trades) -> list[int]:
    """For each trade the nanoseconds since the buy before it, if no sale came between; NOT_REPEATED otherwise.

    What is older than the widest window is not repeated but added, or entered anew.
    """
    gaps: list[int] = []
    last_ns: int | None = None
    for buy, at_ns in zip(trades.is_buy, trades.at_ns, strict=True):
        if not buy:
            last_ns = None
            gaps.append(NOT_REPEATED)
            continue
        gap = NOT_REPEATED if last_ns is None else at_ns - last_ns
        gaps.append(gap if gap <= WINDOW_NS else NOT_REPEATED)
        last_ns = at_ns
    return gaps


def in_windows(gaps: Sequence[int]) -> tuple[int, ...]:
    """How many buys are repeated within each window; a wider one counts those of the narrower."""
    repeated = [gap for gap in gaps if gap >= 0]
    return tuple(sum(gap <= window * SECOND_NS for gap in repeated) for window in WINDOWS_S)


def same_second(trades: Trades) -> tuple[int, int]:
    """Groups of buys within one second of the clock, and how many buys they have."""
    groups = buys = 0
    before, size = -1, 1
    for buy, at_ns in zip(trades.is_buy, trades.at_ns, strict=True):
        if not buy:
            continue
        second = at_ns // SECOND_NS
        size = size + 1 if second == before else 1
        before = second
        if size == 2:
            groups, buys = groups + 1, buys + 2
        elif size > 2:
            buys += 1
    return groups, buys

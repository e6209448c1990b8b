"""Which rows of the order table and which reasons to deny a campaign has reached; nobody tests what never was."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from trader import orders
from trader.messages import DenyReason
from trader.model import OrderState
from trader.orders import TRANSITIONS, Row, Trigger

Pair = tuple[OrderState, Trigger]
# FILLED means that no less than everything is booked; a bust that leaves less moves the order out of it first.
ROWS_OUT_OF_REACH = {(OrderState.FILLED, Trigger.FILL_PART)}
# Said by the executor's task, when the disk refuses; there is no disk here.
REASONS_OUT_OF_REACH = {DenyReason.JOURNAL_UNAVAILABLE}


class _Counting(dict[Pair, Row]):
    def __init__(self, counts: Counter[Pair]) -> None:
        super().__init__(TRANSITIONS)
        self._counts = counts

    def __getitem__(self, key: Pair) -> Row:
        self._counts[key] += 1
        return super().__getitem__(key)


@contextmanager
def rows_counted(counts: Counter[Pair]) -> Iterator[None]:
    """While inside, count every look into the order table."""
    table = orders.TRANSITIONS
    orders.TRANSITIONS = _Counting(counts)
    try:
        yield
    finally:
        orders.TRANSITIONS = table


def unreached(rows: Counter[Pair], reasons: Counter[DenyReason]) -> list[str]:
    """What should have been, by name; and what can't be, but was."""
    missing = [pair for pair in TRANSITIONS if not rows[pair] and pair not in ROWS_OUT_OF_REACH]
    found = [f"row {state.value} {trigger.name}" for state, trigger in missing]
    denied = set(DenyReason) - REASONS_OUT_OF_REACH - {one for one in reasons if reasons[one]}
    found += [f"reason {reason.value}" for reason in sorted(denied)]
    found += [
        f"impossible row {state.value} {trigger.name}"
        for state, trigger in sorted(ROWS_OUT_OF_REACH)
        if rows[state, trigger]
    ]
    return found

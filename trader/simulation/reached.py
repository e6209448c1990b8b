"""Counts what a simulation has reached: rows of the order table, deny reasons, faults; nobody tests what never was."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from trader import orders
from trader.model import OrderState
from trader.orders import TRANSITIONS, Row, Trigger


class _Counting(dict[tuple[OrderState, Trigger], Row]):
    def __init__(self, counts: Counter[str]) -> None:
        super().__init__(TRANSITIONS)
        self._counts = counts

    def __getitem__(self, key: tuple[OrderState, Trigger]) -> Row:
        self._counts[row_name(*key)] += 1
        return super().__getitem__(key)


def row_name(state: OrderState, trigger: Trigger) -> str:
    """How a row of the order table is called in a report."""
    return f"row {state.value} {trigger.name}"


@contextmanager
def counted_rows(counts: Counter[str]) -> Iterator[None]:
    """While inside, count every look into the order table."""
    table = orders.TRANSITIONS
    orders.TRANSITIONS = _Counting(counts)
    try:
        yield
    finally:
        orders.TRANSITIONS = table

"""Finds for each recorded trade the broker's execution that it stands for, if there is one."""

from collections import defaultdict
from collections.abc import Sequence
from decimal import Decimal

from trader.audit.words import Execution, Trades
from trader.money import CENT, ZERO

NEAR_NS = 300 * 1_000_000_000  # between a row's time and its execution's


def matched(
    trades: Trades, inside: Sequence[bool], executions: Sequence[Execution]
) -> tuple[set[int], tuple[Execution, ...]]:
    """The trades that are real, by index; and the executions of which no trade tells.

    By the broker's order id, where rows have one; else by side, shares, price to the cent, and time within five
    minutes, the nearest first. An execution stands behind one trade only, or behind several that are its parts.
    """
    real: set[int] = set()
    left = list(executions)
    if trades.orders:
        left = _by_order(trades, inside, left, real)
    places = _places(left)
    pairs = sorted(
        (abs(trades.at_ns[index] - _nearest(left[number], trades.at_ns[index])), index, number)
        for index in range(len(trades.ids))
        if inside[index] and index not in real
        for number in places.get(_place(trades, index), ())
        if _alike(trades, index, left[number])
    )
    taken: set[int] = set()
    for _, index, number in pairs:
        if index not in real and number not in taken:
            real.add(index)
            taken.add(number)
    return real, tuple(one for number, one in enumerate(left) if number not in taken)


def _places(executions: Sequence[Execution]) -> dict[tuple[bool, Decimal, int], list[int]]:
    """Where an execution is looked for: its side, shares, and each five minutes that it touches or is next to."""
    places: dict[tuple[bool, Decimal, int], list[int]] = defaultdict(list)
    for number, one in enumerate(executions):
        for near in range(one.first_ns // NEAR_NS - 1, one.last_ns // NEAR_NS + 2):
            places[one.is_buy, one.quantity, near].append(number)
    return places


def _place(trades: Trades, index: int) -> tuple[bool, Decimal, int]:
    return trades.is_buy[index], trades.quantities[index], trades.at_ns[index] // NEAR_NS


def _by_order(
    trades: Trades, inside: Sequence[bool], executions: list[Execution], real: set[int]
) -> list[Execution]:
    rows: dict[str, list[int]] = defaultdict(list)
    for index, order in enumerate(trades.orders):
        if inside[index] and order:
            rows[order].append(index)
    left: list[Execution] = []
    for one in executions:
        mine = [index for index in rows[one.order_id] if trades.is_buy[index] == one.is_buy]
        found = _parts(trades, mine, one.quantity)
        real.update(found)
        if not found:
            left.append(one)
    return left


def _parts(trades: Trades, indexes: Sequence[int], wanted: Decimal) -> list[int]:
    """The one row with all of the shares, or the first rows that have them together."""
    for index in indexes:
        if trades.quantities[index] == wanted:
            return [index]
    total = ZERO
    for number, index in enumerate(indexes, start=1):
        total += trades.quantities[index]
        if total == wanted:
            return list(indexes[:number])
    return []


def _nearest(one: Execution, at_ns: int) -> int:
    return min(max(at_ns, one.first_ns), one.last_ns)


def _alike(trades: Trades, index: int, one: Execution) -> bool:
    at_ns = trades.at_ns[index]
    return (
        trades.is_buy[index] == one.is_buy
        and trades.quantities[index] == one.quantity
        and abs(trades.prices[index] * one.quantity - one.notional) <= CENT * one.quantity
        and abs(at_ns - _nearest(one, at_ns)) <= NEAR_NS
    )

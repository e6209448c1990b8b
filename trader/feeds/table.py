"""The bars, trades or quotes of one file as numbers, a row for each kind of them; and what can be wrong with them."""

from collections.abc import Sequence

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from trader.money import price_of

# The rows of a table. CODE is the place of the bar's symbol among those of the file, LINE where it stands in the file,
# END 0 where a bar doesn't say itself how long it lasts.
CODE, LINE, START, END, OPEN, HIGH, LOW, CLOSE, VOLUME = range(9)
KINDS = 9
# Trades and quotes have other numbers in the place of a bar's.
PRICE, SIZE, SUSPICIOUS = OPEN, OPEN + 1, OPEN + 2
BID, BID_SIZE, ASK, ASK_SIZE = range(OPEN, OPEN + 4)
Flags = NDArray[np.bool_]


class Table(Struct, frozen=True, kw_only=True):
    """numbers: int64 [KINDS, bars], in the order of the file until `sorted_by_symbol`."""

    symbols: tuple[str, ...]
    numbers: NDArray[np.int64]


class Wrong(Exception):
    """A bar that can't be: where it stands, and what is wrong."""

    def __init__(self, line: int, what: str) -> None:
        super().__init__(what)
        self.line = line
        self.what = what


def sorted_by_symbol(table: Table) -> Table:
    """The bars of each symbol together, in the order in which they were told."""
    if len(table.symbols) == 1:
        return table
    order = np.argsort(table.numbers[CODE], kind="stable")
    return Table(symbols=table.symbols, numbers=table.numbers[:, order])


def part_of(table: Table, code: int) -> NDArray[np.int64]:
    """What a sorted table has of one symbol."""
    first, end = np.searchsorted(table.numbers[CODE], [code, code + 1])
    return table.numbers[:, first:end]


def check(table: Table) -> None:
    """Of a sorted table: raises Wrong for the first bar, by its line, that can't be."""
    numbers = table.numbers
    low, high = numbers[LOW], numbers[HIGH]
    inner = (numbers[OPEN], numbers[CLOSE])
    outside = (np.minimum(*inner) < low) | (np.maximum(*inner) > high)
    late = np.zeros(len(low), dtype=np.bool_)
    same_symbol = numbers[CODE, 1:] == numbers[CODE, :-1]
    late[1:] = same_symbol & (numbers[START, 1:] <= numbers[START, :-1])
    bad = (low <= 0) | (numbers[VOLUME] < 0) | (high < low) | outside | late
    if bad.any():
        places = np.flatnonzero(bad)
        place = int(places[np.argmin(numbers[LINE, places])])
        raise Wrong(int(numbers[LINE, place]), _what(table, place, bool(late[place])))


def check_ticks(table: Table, noun: str, *, prices: Sequence[int] = ()) -> None:
    """Of a sorted table of ticks, of which several may be of one moment: raises Wrong for the first that can't be.

    prices: the rows in which each number has to be above zero.
    """
    numbers = table.numbers
    if len(dated := np.flatnonzero(numbers[END])):
        line = int(numbers[LINE, dated[0]])
        raise Wrong(
            line, f"a date, where the moment of a {noun} is wanted (write a time with a zone)"
        )
    for row in prices:
        if len(none := np.flatnonzero(numbers[row] <= 0)):
            raise Wrong(int(numbers[LINE, none].min()), "not a price above zero: 0")
    late = (numbers[CODE, 1:] == numbers[CODE, :-1]) & (numbers[START, 1:] < numbers[START, :-1])
    if late.any():
        places = np.flatnonzero(late) + 1
        place = int(places[np.argmin(numbers[LINE, places])])
        line, before = int(numbers[LINE, place]), int(numbers[LINE, place - 1])
        symbol = table.symbols[int(numbers[CODE, place])]
        told = f"this {noun} of {symbol} is older than the one before, in line {before}"
        raise Wrong(line, f"not in order of time: {told} (sort the file by its times)")


def _what(table: Table, place: int, is_late: bool) -> str:
    bar = [int(number) for number in table.numbers[:, place]]
    opened, high, low, close = (price_of(bar[kind]) for kind in (OPEN, HIGH, LOW, CLOSE))
    if bar[LOW] <= 0:
        return f"not a price above zero: {low}"
    if bar[VOLUME] < 0:
        return f"not a number of shares: {bar[VOLUME]}"
    if bar[HIGH] < bar[LOW]:
        return f"high {high} is below low {low}"
    if not is_late:
        return f"open {opened} or close {close} is outside low {low} to high {high}"
    symbol = table.symbols[bar[CODE]]
    is_same = bar[START] == int(table.numbers[START, place - 1])
    before = f"the one before, in line {int(table.numbers[LINE, place - 1])}"
    if is_same:
        return f"a second bar of {symbol} at the time of {before}"
    return f"not in order of time: this bar of {symbol} begins before {before}"


def joined(symbols: Sequence[str], blocks: Sequence[NDArray[np.int64]]) -> Table:
    """Blocks of a file, one after the other."""
    return Table(symbols=tuple(symbols), numbers=np.concatenate(blocks, axis=1))


def empty(count: int) -> NDArray[np.int64]:
    """A block of so many bars, with 0 wherever nothing is said."""
    return np.zeros((KINDS, count), dtype=np.int64)

"""Numbers and times in the bytes of plain CSV, a whole column at once.

Nothing is decided here that careful reading, row by row, would decide otherwise: a column that holds anything but the
plainest spelling gives None, and whoever asked reads it carefully.
"""

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from trader.calendar import DAY_NS, HOUR_NS, parse_iso
from trader.feeds.columns import Column
from trader.model import MINUTE_NS, SECOND_NS

Bytes = NDArray[np.uint8]
NEW_LINE, QUOTE, COMMA, MINUS, POINT, ZERO = (ord(char) for char in '\n",-.0')
DIGITS_MAX = 18  # of an int64
DOLLAR_DIGITS_MAX = 7
SHARE_DIGITS_MAX = 12
TICK_DECIMALS = 4
POWERS = np.array([10**exponent for exponent in range(DIGITS_MAX + 1)], dtype=np.int64)
MONTH_DAYS = np.array([31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31], dtype=np.int64)
LAST_YEAR = 2199


class Cells(Struct, frozen=True, kw_only=True):
    """Where each cell begins, and how many bytes it has: [rows, columns]."""

    raw: Bytes
    starts: Column
    lengths: Column

    def column(self, place: int) -> tuple[Column, Column]:
        """Starts and lengths of one column."""
        return np.ascontiguousarray(self.starts[:, place]), self.lengths[:, place]

    def square(self, place: int) -> Bytes | None:
        """The bytes of a column whose cells are all equally long, [rows, bytes]; None where they aren't."""
        starts, lengths = self.column(place)
        length = int(lengths[0])
        if not length or (lengths != length).any():
            return None
        square: Bytes = self.raw[starts[:, None] + np.arange(length)]
        return square


def unquoted(data: bytes) -> bytes | None:
    """Whole lines without the quotes around cells; None where a quote stands anywhere else."""
    raw = np.frombuffer(b"\n" + data, dtype=np.uint8)
    edges = np.flatnonzero((raw == COMMA) | (raw == NEW_LINE))
    places = np.flatnonzero(raw == QUOTE)
    if len(places) % 2:
        return None
    opening, closing = places[::2], places[1::2]
    nearest = np.searchsorted(edges, opening)
    are_whole = (edges[nearest - 1] == opening - 1) & (edges[nearest] == closing + 1)
    return data.replace(b'"', b"") if are_whole.all() else None


def cells_of(data: bytes, width: int) -> Cells | None:
    """The cells of whole lines, without any quoted; None where a line has another number of them."""
    raw = np.frombuffer(data, dtype=np.uint8)
    ends = np.flatnonzero(raw == NEW_LINE)
    commas = np.flatnonzero(raw == COMMA)
    if len(commas) != len(ends) * (width - 1):
        return None
    stops = np.empty((len(ends), width), dtype=np.int64)
    stops[:, :-1] = commas.reshape(len(ends), width - 1)
    stops[:, -1] = ends
    flat = stops.ravel()
    starts = np.empty_like(flat)
    starts[0] = 0
    starts[1:] = flat[:-1] + 1
    lengths = flat - starts
    # A line with a comma too many lends it to one with too few: then stops are out of order.
    if (lengths < 0).any():
        return None
    return Cells(raw=raw, starts=starts.reshape(stops.shape), lengths=lengths.reshape(stops.shape))


class Decimals(Struct, frozen=True, kw_only=True):
    """Numbers as all of their digits, and how many of these are behind the point."""

    digits: Column
    behind: Column


def decimals_of(cells: Cells, place: int, whole_digits_max: int) -> Decimals | None:
    """Plain numbers without a sign, like 14 and 14.05."""
    starts, lengths = cells.column(place)
    if lengths.min() < 1 or lengths.max() > DIGITS_MAX:
        return None
    digits = np.zeros(len(starts), dtype=np.int64)
    behind = np.zeros(len(starts), dtype=np.int64)
    points = np.zeros(len(starts), dtype=np.int64)
    counted = np.zeros(len(starts), dtype=np.int64)
    for step in range(int(lengths.max())):
        char = cells.raw[np.minimum(starts + step, len(cells.raw) - 1)]
        is_here = lengths > step
        digit = char - np.uint8(ZERO)  # bytes below '0' wrap around, beyond 9
        is_digit = is_here & (digit < 10)
        is_point = is_here & (char == POINT)
        if (is_here & ~is_digit & ~is_point).any():
            return None
        digits = np.where(is_digit, digits * 10 + digit, digits)
        counted += is_digit
        behind += is_digit & (points > 0)
        points += is_point
    whole = counted - behind
    is_odd = (points > 1) | (whole < 1) | (whole > whole_digits_max) | ((points > 0) & (behind < 1))
    return None if is_odd.any() else Decimals(digits=digits, behind=behind)


def ticks_of_cells(cells: Cells, place: int) -> Column | None:
    """Prices as whole price ticks, half-even."""
    numbers = decimals_of(cells, place, DOLLAR_DIGITS_MAX)
    if numbers is None:
        return None
    behind = numbers.behind
    ticks = numbers.digits * POWERS[np.maximum(TICK_DECIMALS - behind, 0)]
    if (behind > TICK_DECIMALS).any():
        unit = POWERS[np.maximum(behind - TICK_DECIMALS, 0)]
        ticks, rest = np.divmod(ticks, unit)
        ticks += (2 * rest > unit) | ((2 * rest == unit) & (ticks % 2 == 1))
    return ticks


def shares_of_cells(cells: Cells, place: int) -> Column | None:
    """Whole numbers, like 300 and 300.0."""
    numbers = decimals_of(cells, place, SHARE_DIGITS_MAX)
    if numbers is None:
        return None
    shares, rest = np.divmod(numbers.digits, POWERS[numbers.behind])
    return None if rest.any() else shares


def integers_of_cells(cells: Cells, place: int) -> Column | None:
    """Digits and nothing else, all equally many."""
    square = cells.square(place)
    if square is None or square.shape[1] > DIGITS_MAX + 1:
        return None
    return _number(square, 0, square.shape[1])


def days_of_cells(cells: Cells, place: int) -> Column | None:
    """Dates as days since 1970-01-01."""
    square = cells.square(place)
    return None if square is None or square.shape[1] != 10 else _days(square)


def times_of_cells(cells: Cells, place: int) -> Column | None:
    """Times with a zone, all written alike, in nanoseconds since 1970."""
    square = cells.square(place)
    if square is None:
        return None
    try:
        parse_iso(square[0].tobytes().decode("ascii"))
    except ValueError:
        return None
    first, length = square[0], square.shape[1]
    is_utc = first[-1] == ord("Z")
    zone = length - (1 if is_utc else 6)
    signs = [10, 13, 16, zone, *([19] if zone > 19 else []), *([] if is_utc else [length - 3])]
    if (square[:, signs] != first[signs]).any():
        return None
    days, hours, minutes = _days(square), _number(square, 11, 13), _number(square, 14, 16)
    seconds, fraction_ns = _number(square, 17, 19), _fraction_ns(square, zone)
    offset_ns = np.zeros(1, dtype=np.int64) if is_utc else _offset_ns(square, zone)
    if days is None or hours is None or minutes is None or seconds is None:
        return None
    if fraction_ns is None or offset_ns is None:
        return None
    if hours.max() > 23 or minutes.max() > 59 or seconds.max() > 59:
        return None
    clock_ns = hours * HOUR_NS + minutes * MINUTE_NS + seconds * SECOND_NS
    times: Column = days * DAY_NS + clock_ns + fraction_ns - offset_ns
    return times


def _fraction_ns(square: Bytes, zone: int) -> Column | None:
    if zone <= 20:
        return np.zeros(1, dtype=np.int64)
    fraction = _number(square, 20, zone)
    return None if fraction is None else fraction * POWERS[9 - (zone - 20)]


def _offset_ns(square: Bytes, zone: int) -> Column | None:
    hours, minutes = _number(square, zone + 1, zone + 3), _number(square, zone + 4, zone + 6)
    if hours is None or minutes is None or hours.max() > 23 or minutes.max() > 59:
        return None
    offset_ns: Column = hours * HOUR_NS + minutes * MINUTE_NS
    return -offset_ns if square[0, zone] == MINUS else offset_ns


def _number(square: Bytes, first: int, end: int) -> Column | None:
    """What the digits of these columns say; None where one isn't a digit."""
    digits = square[:, first:end] - np.uint8(ZERO)
    if (digits > 9).any():
        return None
    number = np.zeros(len(square), dtype=np.int64)
    for step in range(end - first):
        number = number * 10 + digits[:, step]
    return number


def _days(square: Bytes) -> Column | None:
    """Days since 1970-01-01 of YYYY-MM-DD, by counting years from March, so that a leap day is a year's last."""
    years, months, days = _number(square, 0, 4), _number(square, 5, 7), _number(square, 8, 10)
    if years is None or months is None or days is None or (square[:, (4, 7)] != MINUS).any():
        return None
    if years.min() < 1970 or years.max() > LAST_YEAR or months.min() < 1 or months.max() > 12:
        return None
    is_leap = (years % 4 == 0) & ((years % 100 != 0) | (years % 400 == 0))
    last = MONTH_DAYS[months - 1] + (is_leap & (months == 2))
    if (days < 1).any() or (days > last).any():
        return None
    shifted = years - (months <= 2)
    of_year = (153 * ((months + 9) % 12) + 2) // 5 + days - 1
    count: Column = 365 * shifted + shifted // 4 - shifted // 100 + shifted // 400 + of_year
    return count - 719_468  # from 0000-03-01 to 1970-01-01

"""The charts of a run: equity and drawdown, what was invested, and each symbol's price with what was done on it."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from itertools import pairwise
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from trader.backtest.outcome import EquityPoint, Fill, Outcome
from trader.backtest.statistics import equity_curve
from trader.backtest.telling import counted
from trader.calendar import DAY_NS
from trader.feeds.columns import Columns
from trader.model import SECOND_NS, Side, Symbol
from trader.money import PRICE_TICKS_PER_DOLLAR, canonical
from trader.pages import BAD, GOOD, Chart, layout, safe

SYMBOLS_CHARTED_MAX = 20
POINTS_MAX = 2_000  # of a line: more than a screen has columns
MARKS_MAX = 500  # of a symbol's buys, and of its sales: beyond it they cover each other
DAYS_WITHOUT_NIGHTS_MAX = 60  # in longer charts nights are too narrow to be seen
HOLE_NS_MIN, HOLE_STEPS_MIN = 10 * DAY_NS, 5  # longer than any holiday, and than several bars
LINE, FALL = "#718096", "rgba(197, 48, 48, .25)"
NEW_YORK = ZoneInfo("America/New_York")
Places = NDArray[np.intp]


def kept(values: NDArray[np.int64] | NDArray[np.float64], at_most: int) -> Places:
    """Places of at most so many values: first and last, and the lowest and highest of each stretch between."""
    assert at_most >= 4
    if len(values) <= at_most:
        return np.arange(len(values))
    edges = np.linspace(1, len(values) - 1, (at_most - 2) // 2 + 1).astype(int)
    places = {0, len(values) - 1}
    for start, end in pairwise(edges):
        stretch = values[start:end]
        places.update((start + int(stretch.argmin()), start + int(stretch.argmax())))
    return np.array(sorted(places), dtype=np.intp)


# ----------------------------------------------------------------------------------------- the account


def equity_chart(outcome: Outcome) -> Chart:
    """Equity, and below it how far it is under its highest, the opening cash included, deposits taken out."""
    equity = outcome.equity
    values = np.array([float(point.equity) for point in equity])
    opening = float(outcome.opening_cash)
    curve = np.array(equity_curve(outcome)[1:] or values)
    heights = np.maximum.accumulate(np.maximum(curve, opening))
    falls = (curve / np.where(heights > 0, heights, np.nan) - 1) * 100
    # The deepest fall needs not be at the lowest equity: both lines keep their own.
    places = np.union1d(kept(values, POINTS_MAX // 2), kept(falls, POINTS_MAX // 2))
    sessions = [equity[place].session for place in places]
    exact = [canonical(equity[place].equity) for place in places]
    upper = _line("equity", sessions, exact, GOOD)
    lower = {
        **_line("drawdown", sessions, [round(float(falls[place]), 4) for place in places], BAD),
        "yaxis": "y2",
        "fill": "tozeroy",
        "fillcolor": FALL,
    }
    axes = {
        "height": 520,
        "xaxis": {"type": "date", "anchor": "y2"},
        "yaxis": {"type": "linear", "domain": [0.36, 1], "title": {"text": "dollars"}},
        "yaxis2": {
            "type": "linear",
            "domain": [0, 0.28],
            "ticksuffix": " %",
            "title": {"text": "drawdown"},
        },
        "hovermode": "x unified",
    }
    title = "Equity and drawdown, at the close of sessions"
    return {"data": [upper, lower], "layout": layout(title, legend=False, **axes)}


def invested_chart(equity: Sequence[EquityPoint]) -> Chart:
    """The part of equity that positions were, session by session."""
    parts = np.array(
        [
            100 * float(one.positions_value) / float(one.equity) if one.equity else 0
            for one in equity
        ]
    )
    places = kept(parts, POINTS_MAX)
    sessions = [equity[place].session for place in places]
    line = _line("invested", sessions, [round(float(parts[place]), 3) for place in places], GOOD)
    axes = {
        "height": 260,
        "xaxis": {"type": "date"},
        "yaxis": {"ticksuffix": " %", "rangemode": "tozero"},
    }
    title = "Part of equity in positions, at the close of sessions"
    return {
        "data": [{**line, "fill": "tozeroy"}],
        "layout": layout(title, legend=False, **axes),
    }


# ------------------------------------------------------------------------------------------ the symbols


def price_charts(outcome: Outcome, prices: Mapping[Symbol, Columns]) -> Iterator[Chart]:
    """Of the symbols with most fills: closes as a line, with buys and sales on it."""
    fills = fills_by_symbol(outcome)
    for symbol in charted(outcome, prices):
        yield _price_chart(prices[symbol], fills.get(symbol, ()))


def charted(outcome: Outcome, prices: Mapping[Symbol, Columns]) -> list[Symbol]:
    """At most SYMBOLS_CHARTED_MAX, those with most fills first."""
    fills = fills_by_symbol(outcome)
    there = [symbol for symbol, columns in prices.items() if len(columns)]
    there.sort(key=lambda symbol: (-len(fills.get(symbol, ())), symbol))
    return there[:SYMBOLS_CHARTED_MAX]


def fills_by_symbol(outcome: Outcome) -> Mapping[Symbol, Sequence[Fill]]:
    """In order of time."""
    found: defaultdict[Symbol, list[Fill]] = defaultdict(list)
    for fill in outcome.fills:
        found[fill.symbol].append(fill)
    return found


def _price_chart(columns: Columns, fills: Sequence[Fill]) -> Chart:
    places = kept(columns.close, POINTS_MAX)
    times = [_moment(int(columns.ends_ns[place])) for place in places]
    marked = {
        side: _thinned([fill for fill in fills if fill.side == side])
        for side in (Side.BUY, Side.SELL)
    }
    marks = [_marks(side, chosen) for side, chosen in marked.items() if chosen]
    drawn = sum(map(len, marked.values()))
    title = f"{safe(columns.symbol)}: closes and {counted(len(fills), 'fill')}"
    if drawn < len(fills):
        title += f", {drawn:,} of them drawn"
    seen = [*times, *(_moment(fill.at_ns) for chosen in marked.values() for fill in chosen)]
    axes = {
        "xaxis": {"type": "date", "rangebreaks": _breaks(seen)},
        "yaxis": {"type": "linear", "title": {"text": "dollars"}},
    }
    return {
        "data": [_closes(columns, places, times), *marks],
        "layout": layout(title, legend=True, **axes),
    }


def _closes(columns: Columns, places: Places, times: Sequence[datetime]) -> Chart:
    """The line, with a hole where bars are missing for long: nobody knows what the price did there."""
    steps = np.diff(columns.ends_ns)
    hole_ns = max(HOLE_NS_MIN, HOLE_STEPS_MIN * int(np.median(steps))) if len(steps) else 0
    holes_before = np.concatenate(([0], np.cumsum(steps > hole_ns)))
    told: list[str] = []
    closes: list[float | None] = []
    for before, place, time in zip((places[0], *places), places, times, strict=False):
        if holes_before[place] > holes_before[before]:
            told.append(_told(time))
            closes.append(None)
        told.append(_told(time))
        closes.append(int(columns.close[place]) / PRICE_TICKS_PER_DOLLAR)
    return _line("close", told, closes, LINE)


def _thinned(fills: Sequence[Fill]) -> Sequence[Fill]:
    """Every so many-th, so that at most MARKS_MAX are left."""
    return fills[:: -(-len(fills) // MARKS_MAX) or 1]


def _marks(side: Side, fills: Sequence[Fill]) -> Chart:
    is_buy = side == Side.BUY
    return {
        "type": "scatter",
        "mode": "markers",
        "name": "buy" if is_buy else "sell",
        "x": [_told(_moment(fill.at_ns)) for fill in fills],
        "y": [canonical(fill.price) for fill in fills],
        "text": [safe(f"{side} {canonical(fill.quantity)}, {fill.purpose}") for fill in fills],
        "marker": {
            "symbol": "triangle-up" if is_buy else "triangle-down",
            "color": GOOD if is_buy else BAD,
            "size": 9,
            "line": {"color": "white", "width": 1},
        },
    }


def _moment(at_ns: int) -> datetime:
    """What New York's clock shows."""
    return datetime.fromtimestamp(at_ns // SECOND_NS, NEW_YORK)


def _told(moment: datetime) -> str:
    return moment.isoformat(" ", "seconds")[:19]  # The zone is said beside the charts.


def _breaks(times: Sequence[datetime]) -> list[dict[str, object]]:
    """What to leave out of a short chart: the hours of the night and the weekend in which no point of it lies."""
    if (max(times) - min(times)).days > DAYS_WITHOUT_NIGHTS_MAX:
        return []
    breaks: list[dict[str, object]] = []
    if not {5, 6} & {one.weekday() for one in times}:
        breaks.append({"bounds": ["sat", "mon"]})
    hours = [one.hour + one.minute / 60 for one in times]
    # A little room beside the first and last, which would be left out with the night; daily bars have one hour only.
    first, last = min(hours) - 0.1, max(hours) + 0.1
    if 1 < last - first < 20:
        breaks.append({"pattern": "hour", "bounds": [round(last, 2), round(first, 2)]})
    return breaks


def _line(
    name: str, places: Sequence[str], values: Sequence[str | float | None], color: str
) -> Chart:
    return {
        "type": "scatter",
        "mode": "lines",
        "name": name,
        "x": places,
        "y": values,
        "line": {"color": color, "width": 1.5},
    }

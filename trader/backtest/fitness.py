"""Which bars of history a run would not have decided on: its guard over columns, asked only where a bar is far off.

A run over the same bars makes a quote of each (`quote_around`), and the guard judges quote and bar. So it is here: a
price that is far from the last trusted one is left out until the next bar says the same. Nothing that comes later
decides about a bar. What is left out nobody hears of and nothing trades at.

Long bars reach far by themselves, and confirmation would take hours or days: those are the market's own.
"""

from collections.abc import Iterator, Sequence
from decimal import Decimal
from typing import NamedTuple

import numpy as np
from msgspec.structs import replace

from trader.backtest.request import BacktestRequest
from trader.backtest.shares import splits_of
from trader.calendar import iso, new_york_date
from trader.feeds.columns import Columns, Flags, chosen
from trader.feeds.recorded import CENT_TICKS, quote_around
from trader.market_guard import JUMP_PER_MILLE_MAX, Guard, Rejection
from trader.model import MINUTE_NS, Bar
from trader.money import canonical, price_of

SPAN_NS_MAX = 5 * MINUTE_NS
NAMED_MAX = 1_000


class Unfit(NamedTuple):
    """A bar that was left out, why, and the price that was trusted then, in ticks."""

    bar: Bar
    why: Rejection
    trusted: int

    def __str__(self) -> str:
        low, high, trusted = (
            canonical(price_of(one)) for one in (self.bar.low, self.bar.high, self.trusted)
        )
        what = self.why.value.replace("_", " ")
        return (
            f"{self.bar.symbol} {iso(self.bar.start_ns)} {what}: {low} to {high}, after {trusted}"
        )


def fit(request: BacktestRequest) -> tuple[BacktestRequest, tuple[str, ...]]:
    """The request without the bars that are unfit, and a line about each."""
    found = [Fitness(columns, request).judged() for columns in request.histories]
    unfit = [one for _, left_out in found for one in left_out]
    named = [str(one) for one in unfit[:NAMED_MAX]]
    if len(unfit) > NAMED_MAX:
        named.append(f"and {len(unfit) - NAMED_MAX:,} more")
    return replace(request, histories=[columns for columns, _ in found]), tuple(named)


class Fitness:
    """One symbol's."""

    def __init__(self, columns: Columns, request: BacktestRequest) -> None:
        self._columns = columns
        self._spread_rate = request.terms.spread_rate
        self._splits = splits_of(columns.symbol, request.events)
        self._jumps = {one.date for one in request.jumps if one.symbol == columns.symbol}

    def judged(self) -> tuple[Columns, Sequence[Unfit]]:
        """The fit ones, and the others."""
        columns = self._columns
        if not len(columns) or int((columns.ends_ns - columns.start_ns).max()) > SPAN_NS_MAX:
            return columns, ()
        doubtful = _doubtful(columns)
        columns.rest()
        unfit = dict(self._unfit(doubtful))
        if not unfit:
            return columns, ()
        keeps = np.ones(len(columns), dtype=np.bool_)
        keeps[list(unfit)] = False
        return chosen(columns, keeps), list(unfit.values())

    def _unfit(self, doubtful: Flags) -> Iterator[tuple[int, Unfit]]:
        """By place. Where nothing is in doubt the close before is the trusted price, so nobody needs to ask."""
        after = 0
        for place in np.flatnonzero(doubtful).tolist():
            if place < after:
                continue
            guard = Guard(self._columns.symbol)
            if place:
                guard.seed(self._columns.bar(place - 1))
            after = place
            while after < len(self._columns):
                bar, trusted = self._columns.bar(after), guard.trusted or 0
                why = self._judged(guard, bar)
                if why is not None:
                    yield after, Unfit(bar, why, trusted)
                after += 1
                if why is None and not (after < len(doubtful) and doubtful[after]):
                    break

    def _judged(self, guard: Guard, bar: Bar) -> Rejection | None:
        """As the tape has it judged: its quote, then the bar; what is held over a night is settled at once."""
        ends_ns = bar.start_ns + bar.span_ns
        quote = quote_around(bar, ends_ns, spread_rate=self._spread_rate)
        if guard.judge_quote(quote, ends_ns) is Rejection.HELD:
            guard.settle(self._reference(guard, bar))
            guard.judge_quote(quote, ends_ns)
        why = guard.judge_bar(bar, ends_ns)
        if why is Rejection.HELD:
            guard.settle(self._reference(guard, bar))
            why = guard.judge_bar(bar, ends_ns)
        return why

    def _reference(self, guard: Guard, bar: Bar) -> int | None:
        """The trusted price in the shares of this bar; where its jump is known to be real, its open."""
        if new_york_date(bar.start_ns) in self._jumps:
            return bar.open
        price = Decimal(guard.trusted or 0)
        for split_ns, ratio in self._splits:
            if guard.trusted_ns <= split_ns < bar.start_ns + bar.span_ns:
                price /= ratio
        return int(price)


def _doubtful(columns: Columns) -> Flags:
    """Where a bar is far from the close before it or within itself, or no bar at all.

    The guard holds a bar against the middle of its quote, which is up to half a cent off its close: so from a cent
    less on it is asked.
    """
    opened, high, low, close = columns.open, columns.high, columns.low, columns.close
    before = np.concatenate((close[:1], close[:-1]))
    is_none = (low <= 0) | (low > np.minimum(opened, close)) | (high < np.maximum(opened, close))
    found: Flags = is_none | (columns.volume < 0)
    for reference in (before, close):
        allowed = reference * JUMP_PER_MILLE_MAX - CENT_TICKS * 1000
        found |= ((high - reference) * 1000 > allowed) | ((reference - low) * 1000 > allowed)
    return found

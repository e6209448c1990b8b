"""Bars of before a split, in the shares of after it."""

from collections.abc import Sequence
from decimal import Decimal

from msgspec.structs import replace

from trader.calendar import HOUR_NS
from trader.feeds.columns import Columns
from trader.model import Bar, Symbol
from trader.money import ONE, share
from trader.nights import JUMP_PER_MILLE_MAX
from trader.simulator.scheduled import EventName, ScheduledEvent

NIGHT_NS = 4 * HOUR_NS  # without a bar


def in_shares(bar: Bar, ratio: Decimal) -> Bar:
    """As it would have been with `ratio` shares for each one."""

    def price(ticks: int) -> int:
        return int(share(Decimal(ticks), ONE, ratio).to_integral_value())

    return replace(
        bar,
        open=price(bar.open),
        high=price(bar.high),
        low=price(bar.low),
        close=price(bar.close),
        volume=int((bar.volume * ratio).to_integral_value()),
    )


class ShareHistory:
    """The bars of one symbol, each in the shares of whatever moment is asked about.

    They may be more than a backtest goes through: `last` is what a strategy is told before its first.
    """

    def __init__(self, columns: Columns, events: Sequence[ScheduledEvent]) -> None:
        self.columns = columns
        self.splits = splits_of(columns.symbol, events)

    def bar(self, place: int, at_ns: int) -> Bar:
        """With what was split after it began and until then."""
        bar = self.columns.bar(place)
        for split_ns, ratio in self.splits:
            if bar.start_ns < split_ns <= at_ns:
                bar = in_shares(bar, ratio)
        return bar

    def last(self, count: int, end: int, at_ns: int) -> list[Bar]:
        """At most so many before the place `end`, as of a moment; none from before a jump that no split explains."""
        bars = [self.bar(one, at_ns) for one in range(max(0, end - count), end)]
        for place in range(len(bars) - 1, 0, -1):
            if _is_jump(bars[place - 1], bars[place]):
                return bars[place:]
        return bars


def _is_jump(before: Bar, after: Bar) -> bool:
    """As the lanes look for them: over a night, by more than any ordinary one."""
    is_night = after.start_ns - (before.start_ns + before.span_ns) > NIGHT_NS
    return is_night and abs(after.open - before.close) * 1000 > before.close * JUMP_PER_MILLE_MAX


def splits_of(symbol: Symbol, events: Sequence[ScheduledEvent]) -> list[tuple[int, Decimal]]:
    """When, and how many new shares there were for each."""
    return [
        (one.at_ns, one.ratio)
        for one in events
        if one.name is EventName.SPLIT and one.symbol == symbol
    ]

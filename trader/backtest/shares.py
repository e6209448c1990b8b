"""Bars of before a split, in the shares of after it."""

from collections.abc import Sequence
from decimal import Decimal

from msgspec.structs import replace

from trader.feeds.columns import Columns
from trader.model import Bar, Symbol
from trader.money import ONE, share
from trader.simulator.scheduled import EventName, ScheduledEvent


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
    """The bars of one symbol, each in the shares of whatever moment is asked about."""

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


def splits_of(symbol: Symbol, events: Sequence[ScheduledEvent]) -> list[tuple[int, Decimal]]:
    """When, and how many new shares there were for each."""
    return [
        (one.at_ns, one.ratio)
        for one in events
        if one.name is EventName.SPLIT and one.symbol == symbol
    ]

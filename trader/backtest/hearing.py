"""How the workers of a symbol hear its bars: one by one, in blocks while it is flat, or by what they say of a column.

All three give the same requests at the same bars. They differ in which bars have to be visited for it: `next_place` is
the first after a place at which something may be wished, if the symbol's view stays what it is until then.
"""

from bisect import bisect_right
from collections.abc import Callable, Sequence
from functools import partial
from typing import Protocol

from trader.exits import Mistake
from trader.feeds.columns import Columns
from trader.messages import OrderRequest
from trader.model import Bar, Quote
from trader.strategies.base import Strategy, SymbolView
from trader.strategies.equality import ill_formed, wished
from trader.strategies.signals import Signals
from trader.worker import Worker

BLOCK = 4_096  # bars that somebody runs ahead at most
LIBRARY = "trader.strategies."  # whose two forms the tests hold together

# Which bars a worker hears, and the place of the first of them in its lane.
Heard = Callable[[Worker], tuple[Columns, int]]


class Past(Protocol):
    """The bars of a lane, by their places."""

    columns: Columns

    def bar_at(self, place: int) -> Bar: ...
    def quote_of(self, bar: Bar) -> Quote | None: ...


class Listener(Protocol):
    """`how` is for people. Bars are heard in order, and none twice."""

    how: str

    def heard(self, place: int, bar: Bar, view: SymbolView) -> list[OrderRequest]:
        """That bar has ended: what is wanted about it."""
        ...

    def next_place(self, place: int, view: SymbolView) -> int:
        """The next that has to be heard after the bar of `place`; beyond the last for none."""
        ...


class OneByOne:
    """Any strategy: every bar."""

    how = "one by one"

    def __init__(self, workers: Sequence[Worker], past: Past) -> None:
        self._workers = workers
        self._quote_of = past.quote_of if any(map(_hears_quotes, workers)) else None
        self._only = workers[0] if len(workers) == 1 and self._quote_of is None else None

    def heard(self, place: int, bar: Bar, view: SymbolView) -> list[OrderRequest]:
        if self._only is not None:
            return self._only.on_letter(bar, view)
        wanted: list[OrderRequest] = []
        if self._quote_of is not None and (quote := self._quote_of(bar)) is not None:
            for worker in self._workers:
                wanted += worker.on_letter(quote, view)
        for worker in self._workers:
            wanted += worker.on_letter(bar, view)
        return wanted

    def next_place(self, place: int, view: SymbolView) -> int:
        return place + 1


class Ahead:
    """One strategy to which bars alone matter: while the symbol is flat, up to the next bar at which it wants anything.

    A flat symbol without an order stays so until its only strategy wants something: nobody else trades it.
    """

    how = "in blocks while flat"

    def __init__(self, worker: Worker, past: Past) -> None:
        self._worker = worker
        self._past = past
        self._place = -1  # of the last bar heard
        self._wanted: list[OrderRequest] = []  # at that bar

    def heard(self, place: int, bar: Bar, view: SymbolView) -> list[OrderRequest]:
        if place > self._place:
            self._place = place
            return self._worker.on_letter(bar, view)
        if place < self._place:
            return []
        wanted, self._wanted = self._wanted, []
        assert view.is_idle() or not wanted, "nobody else trades it"
        return wanted

    def next_place(self, place: int, view: SymbolView) -> int:
        if not view.is_idle():
            assert self._place <= place, "nobody else trades it"
            return place + 1
        if self._place <= place:
            self._run(place, view)
        return max(self._place, place + 1)

    def _run(self, place: int, view: SymbolView) -> None:
        worker, past = self._worker, self._past
        for self._place in range(place + 1, min(place + 1 + BLOCK, len(past.columns))):
            bar = past.bar_at(self._place)
            wishes = worker.strategy.on_bar(bar, view)
            if wishes == ():
                continue
            # What it wants carries the quote of that bar's end, not of the bar that history is at.
            now, worker.quote_now = worker.quote_now, partial(past.quote_of, bar)
            self._wanted = worker.requests(bar, wishes)
            worker.quote_now = now
            if self._wanted:
                return


class ByColumn:
    """Strategies with signals: only bars with one that matters as things stand."""

    how = "by column"

    def __init__(self, told: Sequence[tuple[Worker, Signals, int]]) -> None:
        """Of each worker what it says, and the place of the first bar that it says it of."""
        self._told = [
            (
                worker,
                signals,
                first,
                (first + signals.enter.nonzero()[0]).data,
                (first + signals.leave.nonzero()[0]).data,
            )
            for worker, signals, first in told
        ]

    def heard(self, place: int, bar: Bar, view: SymbolView) -> list[OrderRequest]:
        wanted: list[OrderRequest] = []
        for worker, signals, first, _, _ in self._told:
            wishes = wished(signals, place - first, view, worker.strategy)
            if wishes:
                wanted += worker.requests(bar, wishes)
        return wanted

    def next_place(self, place: int, view: SymbolView) -> int:
        found = NEVER
        for worker, _, _, enter, leave in self._told:
            if view.is_idle():
                places = enter
            elif view.held_by(worker.strategy.name) and not view.working:
                places = leave
            else:
                continue
            at = bisect_right(places, place)
            if at < len(places):
                found = min(found, places[at])
        return found


NEVER = 2**62  # a place beyond every last one


class Ways:
    """Which ways of hearing may be taken: columns of the library's strategies, of a person's own; running ahead."""

    def __init__(self, *, library: bool = False, own: bool = False, ahead: bool = False) -> None:
        self._library, self._own, self._ahead = library, own, ahead

    def listener(self, workers: Sequence[Worker], heard: Heard, past: Past) -> Listener:
        """The quickest that may be taken. Raises Mistake where signals aren't as many as the bars."""
        if any(map(_hears_more_than_bars, workers)):
            return OneByOne(workers, past)
        told = [one for worker in workers if (one := self._told(worker, heard)) is not None]
        if told and len(told) == len(workers):
            return ByColumn(told)
        if self._ahead and len(workers) == 1 and workers[0].strategy.bars_alone:
            return Ahead(workers[0], past)
        return OneByOne(workers, past)

    def _told(self, worker: Worker, heard: Heard) -> tuple[Worker, Signals, int] | None:
        strategy = worker.strategy
        is_library = type(strategy).__module__.startswith(LIBRARY)
        if not (self._library if is_library else self._own):
            return None
        columns, first = heard(worker)
        signals = strategy.signals(columns)
        if signals is None:
            return None
        wrong = ill_formed(signals, len(columns))
        if wrong:
            raise Mistake(f"its signals are wrong: {wrong}", where=f"strategy {strategy.name}")
        return worker, signals, first


def _hears_quotes(worker: Worker) -> bool:
    return type(worker.strategy).on_quote is not Strategy.on_quote


def _hears_more_than_bars(worker: Worker) -> bool:
    kind = type(worker.strategy)
    hears_others = kind.on_bar_of_other is not Strategy.on_bar_of_other
    return _hears_quotes(worker) or hears_others or kind.on_fill is not Strategy.on_fill

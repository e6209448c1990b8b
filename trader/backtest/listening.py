"""A worker that hears other symbols, as a backtest has it: told of their bars out of their columns, once they ended.

Before it hears a bar of its own symbol it is told all of theirs that have ended by then. A run tells it of them as they
come, and listens to nothing without its own bar (see Strategy.on_bar_of_other), so what is decided is the same.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Sequence

from trader.backtest.shares import ShareHistory
from trader.mailbox import Letter
from trader.messages import OrderRequest
from trader.model import AccountId, Bar, Distances
from trader.strategies.base import Strategy, SymbolView
from trader.worker import Worker


class ListeningWorker(Worker):
    """See the module. `make` gives a strategy anew: what one remembers of before a split is of other shares."""

    def __init__(
        self,
        *,
        name: str,
        incarnation: str,
        account: AccountId,
        make: Callable[[], Strategy],
        own: ShareHistory,
        others: Sequence[ShareHistory],
        extended_hours: bool = False,
        protection: Distances | None = None,
    ) -> None:
        super().__init__(
            name=name,
            incarnation=incarnation,
            account=account,
            symbol=own.columns.symbol,
            strategy=make(),
            extended_hours=extended_hours,
            protection=protection,
        )
        self._make = make
        self._own = own
        self._others = [_Heard(one) for one in others]

    def warm_up(self, history: Iterable[Bar], view: SymbolView) -> None:
        """Theirs come along, from where ours begin."""
        told = list(history)
        if not told:
            return
        first_ns, last_ns = told[0].start_ns, _end_ns(told[-1])
        for other in self._others:
            other.begin(first_ns)
        super().warm_up(sorted([*told, *self._due(last_ns)], key=_end_ns), view)

    def on_letter(self, letter: Letter, view: SymbolView) -> list[OrderRequest]:
        """Before a bar of ours, those of the others."""
        if isinstance(letter, Bar):
            ends_ns = _end_ns(letter)
            if any(other.is_split_until(ends_ns) for other in self._others):
                self._start_over(letter, view)
            for bar in self._due(ends_ns):
                super().on_letter(bar, view)
        return super().on_letter(letter, view)

    def _due(self, until_ns: int) -> list[Bar]:
        return sorted((bar for one in self._others for bar in one.due(until_ns)), key=_end_ns)

    def _start_over(self, before: Bar, view: SymbolView) -> None:
        """As after a split of our own, with the bars before this one in the shares of its end."""
        self.strategy = self._make()
        self._bar_seen_ns = -1
        self._others_seen_ns.clear()
        place = bisect_left(self._own.columns.start_ns, before.start_ns)
        first, at_ns = max(0, place - self.strategy.bars_needed), _end_ns(before)
        for other in self._others:
            other.at_ns = at_ns
        self.warm_up([self._own.bar(one, at_ns) for one in range(first, place)], view)


class _Heard:
    """Another symbol, and how far it was told; `at_ns` is the moment in whose shares."""

    def __init__(self, history: ShareHistory) -> None:
        self.at_ns = 0
        self._history = history
        self._place = 0

    def begin(self, first_ns: int) -> None:
        """From that moment on, whatever was told before."""
        self._place = bisect_left(self._history.columns.start_ns, first_ns)

    def due(self, until_ns: int) -> list[Bar]:
        """Those not told yet that have ended by then."""
        first, self._place = self._place, bisect_right(self._history.columns.ends_ns, until_ns)
        self.at_ns = max(self.at_ns, until_ns)
        return [self._history.bar(place, self.at_ns) for place in range(first, self._place)]

    def is_split_until(self, until_ns: int) -> bool:
        """Since the moment in whose shares the last ones were told."""
        return any(self.at_ns < split_ns <= until_ns for split_ns, _ in self._history.splits)


def _end_ns(bar: Bar) -> int:
    return bar.start_ns + bar.span_ns

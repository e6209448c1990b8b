"""Reads along what a backtest writes down, and hands it on to its journal in large batches."""

from collections import Counter, defaultdict
from decimal import Decimal
from typing import Protocol

from trader import brakes
from trader.backtest.outcome import Fill
from trader.calendar import clock_text
from trader.limits import Limits
from trader.messages import (
    BooksMoved,
    Brake,
    ClockMoved,
    Entry,
    Event,
    ExecutionBooked,
    Quarantined,
    Released,
    RequestDenied,
)
from trader.model import Side, Symbol
from trader.money import ZERO, plain
from trader.ports import Batch
from trader.state import ExecutionState

ENTRIES_AT_ONCE = 4_096
READ = {BooksMoved, ExecutionBooked, RequestDenied, Quarantined, Released, ClockMoved}
LOSSES = {Brake.LOSS_DAY, Brake.DRAWDOWN}
LOOKED_FOR = (*sorted(LOSSES), Brake.REPEATED_EXECUTIONS)


class Written(Protocol):
    """A journal that a program without tasks writes to."""

    def write(self, batch: Batch) -> None: ...


class Recorder:
    """Facts of the executions, denials and quarantines; `journal` None: the books are in memory alone.

    `brakes_off` are limits whose brakes were off: when each would have halted is noted, once.
    """

    def __init__(self, journal: Written | None, brakes_off: Limits | None = None) -> None:
        self.would_have_halted: dict[Brake, str] = {}
        self.fills: list[Fill] = []
        self.denied: Counter[str] = Counter()
        self.quarantined: dict[Symbol, str] = {}
        self._brakes_off = brakes_off
        self._journal = journal
        self._held: defaultdict[Symbol, Decimal] = defaultdict(lambda: ZERO)
        self._entries: list[Entry] = []
        self._after: ExecutionState | None = None

    def write(self, batch: Batch) -> None:
        """One turn; it is durable after `flush`."""
        for entry in batch.entries:
            for event in entry.events:
                if type(event) not in READ:
                    continue  # As most: asked one kind after the other it costs several times as much.
                if type(event) is ExecutionBooked:
                    self.fills.append(self._fill(entry, event, batch.after))
                elif type(event) is RequestDenied:
                    self.denied[event.reason.value] += 1
                elif type(event) is BooksMoved and event.symbol is not None:
                    # A split: no fill, and other shares.
                    self._held[event.symbol] += event.quantity
                elif type(event) is Quarantined and event.symbol is not None:
                    self.quarantined.setdefault(event.symbol, event.reason)
                elif type(event) is Released and event.symbol is not None:
                    self.quarantined.pop(event.symbol, None)
                self._note_brakes(entry, event, batch.after)
        if self._journal is not None:
            self._entries += batch.entries
            self._after = batch.after
            if len(self._entries) >= ENTRIES_AT_ONCE:
                self.flush()

    def flush(self) -> None:
        """Write what waits."""
        if self._journal is not None and self._after is not None:
            self._journal.write(Batch(entries=tuple(self._entries), after=self._after))
            self._entries, self._after = [], None

    def _note_brakes(self, entry: Entry, event: Event, after: ExecutionState) -> None:
        limits, noted = self._brakes_off, self.would_have_halted
        if limits is None or len(noted) == len(LOOKED_FOR):
            return
        if type(event) is ClockMoved and after.is_opened and not noted.keys() >= LOSSES:
            for brake, numbers in brakes.tripped_by_loss(
                after.equity, after.equity_session, after.equity_peak, limits
            ):
                what = f"equity {numbers['equity']} of {numbers['from']}"
                noted.setdefault(brake, self._words(brake, entry, what))
        elif type(event) is ExecutionBooked and Brake.REPEATED_EXECUTIONS not in noted:
            filled_ns = after.position(event.symbol).entries_filled_ns
            if brakes.tripped_by_fills(filled_ns, after.at_ns, limits):
                brake, what = Brake.REPEATED_EXECUTIONS, f"{event.symbol} entered again"
                noted.setdefault(brake, self._words(brake, entry, what))

    @staticmethod
    def _words(brake: Brake, entry: Entry, what: str) -> str:
        return f"{brake.value} first on {entry.session} at {clock_text(entry.at_ns)}: {what}"

    def _fill(self, entry: Entry, event: ExecutionBooked, after: ExecutionState) -> Fill:
        order = after.orders[event.client_order_id]
        is_buy = event.side is Side.BUY
        self._held[event.symbol] += (
            event.execution.quantity if is_buy else -event.execution.quantity
        )
        return Fill(
            at_ns=event.execution.at_ns,
            session=entry.session,
            symbol=event.symbol,
            strategy=order.strategy,
            side=event.side,
            purpose=order.purpose,
            quantity=event.execution.quantity,
            price=event.execution.price,
            fees=event.fees,
            realized=event.realized,
            position=plain(self._held[event.symbol]),
            client_order_id=event.client_order_id,
        )

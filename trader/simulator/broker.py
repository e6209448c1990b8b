"""The simulated broker: books, a market that moves them and the time that passes, and what befalls them."""

from collections.abc import Callable, Collection, Iterable, Sequence
from decimal import Decimal
from functools import partial
from pathlib import Path

from msgspec.structs import replace

from trader.feeds.market import Market
from trader.model import Symbol
from trader.money import price_of
from trader.simulator.books import OPENING_CASH, BooksSetting, Service
from trader.simulator.faults import FaultRule
from trader.simulator.keys import Keys, new_keys
from trader.simulator.market_time import MarketTime
from trader.simulator.market_words import MarketWord
from trader.simulator.scheduled import (
    EventName,
    Happened,
    ScheduledEvent,
    perform,
    reshape,
    resumes_ns,
)
from trader.simulator.streams import Observer, StreamKind
from trader.simulator.told_events import Telling, told_of
from trader.venue import VenueAccount, VenueTerms

__all__ = ["Keys", "SimulatedBroker", "new_keys"]


class SimulatedBroker(MarketTime):
    """Its first account is opened with `cash` unless `path` holds one already; what more there is says `service`.

    `seed` gives identifiers only, so that a repeated run repeats them; `assets` exist beside what the market serves.
    """

    def __init__(
        self,
        market: Market,
        *,
        keys: Keys,
        seed: int,
        path: Path | None = None,
        cash: Decimal = OPENING_CASH,
        assets: Collection[Symbol] = (),
        terms: VenueTerms | None = None,
        faults: Iterable[FaultRule] = (),
        events: Iterable[ScheduledEvent] = (),
        service: Service | None = None,
        on_frame: Callable[[str, int], None] | None = None,
        on_stream: Callable[[str, bool], None] | None = None,
    ) -> None:
        setting = BooksSetting(
            keys=keys,
            seed=seed,
            path=path,
            cash=cash,
            terms=terms,
            faults=tuple(faults),
            service=service or Service(),
            observer=_observer(on_frame, on_stream),
        )
        super().__init__(setting, market, assets)
        self.happened: list[Happened] = []
        self.expect([*self._store.events(), *events])

    # --- what befalls

    def expect(self, events: Iterable[ScheduledEvent]) -> None:
        """Schedule what a life is to bring, before its first session.

        What lies behind a life that goes on has happened in an earlier one; the market remembers its shape.
        """
        coming = sorted(events, key=lambda event: event.at_ns)
        for event in coming:
            self._foresee(event)
        for event in coming:
            self._expect(event, is_past=0 < event.at_ns <= self.now_ns)

    def schedule(self, event: ScheduledEvent) -> None:
        """Let it happen when its time comes; one whose time has passed happens with the next instant."""
        self._foresee(event)
        self._expect(event)

    def befall(self, event: ScheduledEvent) -> Happened | None:
        """The same, kept in the file; one whose time has come happens now: what became of it, else None."""
        self.catch_up()
        self._store.save_event(event)
        self.schedule(event)
        count = len(self.happened)
        self._pass_to(self.now_ns)
        return next((one for one in self.happened[count:] if one.event == event), None)

    def restrict(self, account: VenueAccount, **may: bool) -> None:
        """What the account may do from now on, as the back office has it."""
        self.catch_up()
        self.do(lambda: self.venue.back_office.restrict(account, **may))

    def _foresee(self, event: ScheduledEvent) -> None:
        """What it will make of the market and of the clock, from its own time on."""
        reshape(event, self.market)
        if event.name is EventName.CLOCK_JUMP:
            self.told_clock.jump(event.at_ns, event.by_ns)
            if event.duration_ns is not None:
                self.told_clock.jump(event.at_ns + event.duration_ns, -event.by_ns)

    def _expect(self, event: ScheduledEvent, *, is_past: bool = False) -> None:
        ends_ns = resumes_ns(event)
        is_halt = event.name is EventName.HALT
        if not is_past or (is_halt and event.symbol in self.market.halted(self.now_ns)):
            self.agenda.add(event.at_ns, partial(self._happen, event))
            if ends_ns is not None:
                end = replace(event, name=EventName.RESUME, at_ns=ends_ns, duration_ns=None)
                self.agenda.add(ends_ns, partial(self._happen, end))

    def _happen(self, event: ScheduledEvent) -> None:
        undone = ""
        match event.name:
            case EventName.DISCONNECT:
                self.disconnect()
            case EventName.RESTART:
                self.restart()
            case EventName.GAP | EventName.BAD_TICK | EventName.CLOCK_JUMP:
                pass
            case _:
                account = self.account_at(min(event.account, len(self.key_ring.owners) - 1))
                undone = self.do(lambda: perform(event, self.venue, account))
        for telling in told_of(event, self.now_ns, self.tape):
            self._tell(telling)
        self.happened.append(Happened(event=event, undone=undone))

    def _tell(self, telling: Telling) -> None:
        """Now or later."""
        told: dict[str, Sequence[MarketWord]] = {telling.channel: [telling.word]}
        deed = partial(self.post.tell_market, max(telling.at_ns, self.now_ns), told)
        if telling.at_ns <= self.now_ns:
            deed()
        else:
            self.agenda.add(telling.at_ns, deed)

    def disconnect(self) -> None:
        """Every connection is cut, with all that is on its way."""
        for kind in StreamKind:
            self.streams.disconnect(kind)
        self.connections.cut_all()

    def restart(self) -> None:
        """The same, and the venue comes back with what its file has, and no quotes."""
        self.disconnect()
        self.post.forget()
        now_ns = self.now_ns
        self._open_books()
        self.venue.state.now_ns = now_ns
        for bar in self.tape.bars.values():
            self.venue.books[bar.symbol].last = price_of(bar.close)
        self.tape.forget_quotes()
        for symbol in self.market.halted(now_ns):
            self.venue.back_office.halt(symbol)


def _observer(
    on_frame: Callable[[str, int], None] | None, on_stream: Callable[[str, bool], None] | None
) -> Observer:
    quiet = Observer()
    return Observer(on_frame=on_frame or quiet.on_frame, on_stream=on_stream or quiet.on_stream)

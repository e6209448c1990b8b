"""The simulated broker: books, a market that moves them, and the time that passes.

Three ways to pass time: somebody calls `advance` for each instant of the session (a settled run), or `advance_to` for
a span of it, or `run_clock` lets market time run with the machine's. In between, everything happens at the time of the
last instant or, with the clock, at the clock's.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from decimal import Decimal
from functools import partial
from pathlib import Path

import trio
from msgspec.structs import replace

from trader.calendar import Session, next_session, session_on
from trader.calendar_table import LAST_YEAR
from trader.feeds.market import Instant, Market
from trader.model import SECOND_NS, Quote, Symbol
from trader.money import ZERO, price_of
from trader.simulator.books import OPENING_CASH, BooksSetting, BrokerBooks, Service
from trader.simulator.faults import FaultRule
from trader.simulator.keys import Keys, new_keys
from trader.simulator.market_tape import Tape
from trader.simulator.market_words import MarketWord
from trader.simulator.reshaped import ReshapedMarket
from trader.simulator.scheduled import (
    EventName,
    Happened,
    ScheduledEvent,
    perform,
    reshape,
    resumes_ns,
)
from trader.simulator.store import SessionMark
from trader.simulator.streams import Observer, StreamKind
from trader.simulator.told_events import Telling, told_of
from trader.venue import VenueAccount, VenueTerms

__all__ = ["Keys", "SimulatedBroker", "new_keys"]

# An order may be good for ninety days more, which the calendar has to know.
LAST_SESSION = f"{LAST_YEAR}-09-28"


class SimulatedBroker(BrokerBooks):
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
        super().__init__(setting, sorted({*market.symbols, *assets}))
        self.market = ReshapedMarket(market)
        self.tape = Tape(self.market)
        self.happened: list[Happened] = []
        self.lastday_prices: dict[Symbol, Decimal] = {}
        self._session: Session | None = None
        self._instants = Ahead(iter(()))
        self._clock: Callable[[], int] | None = None
        self.expect([*self._store.events(), *events])

    # --- what befalls

    def expect(self, events: Iterable[ScheduledEvent]) -> None:
        """Schedule what a life is to bring, before its first session.

        What lies behind a life that goes on has happened in an earlier one; the market remembers its shape.
        """
        coming = sorted(events, key=lambda event: event.at_ns)
        for event in coming:
            reshape(event, self.market)
        for event in coming:
            self._expect(event, is_past=0 < event.at_ns <= self.now_ns)

    def schedule(self, event: ScheduledEvent) -> None:
        """Let it happen when its time comes; one whose time has passed happens with the next instant."""
        reshape(event, self.market)
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
            case EventName.GAP | EventName.BAD_TICK:
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

    # --- time

    @property
    def last_session(self) -> str:
        """The date of the last session begun, '' before the first; the next one to trade is after it."""
        return self._mark.date

    def begin_session(self, session_date: str, *, pre_market: bool = False) -> Session:
        """Stand at 09:30 of the session, or at 04:00; its first instant comes with the first `advance`.

        A session that was cut off goes on where it stood when it is begun again, and is ended when another is.
        ValueError: there is no such session, or it lies before one that was already begun.
        """
        session = session_on(session_date)
        if session is None or session_date < self._mark.date:
            raise ValueError(f"no session to begin: {session_date}")
        resumed = session_date == self._mark.date and not self._mark.ended
        if session_date == self._mark.date and self._mark.ended:
            raise ValueError(f"the session of {session_date} has ended")
        if not self._mark.ended and not resumed:
            self._session = session_on(self._mark.date)
            self._end_session()
        start_ns = max(session.pre_open_ns if pre_market else session.open_ns, self.now_ns)
        self._session = session
        self._mark = SessionMark(date=session_date, ended=False)
        for account in self.venue.state.accounts.values():
            account.created_ns = account.created_ns or start_ns
        self._remember(start_ns, session)
        self._instants = Ahead(
            instant
            for instant in self.market.instants(session_date)
            if instant.at_ns > start_ns or (instant.at_ns == start_ns and not resumed)
        )
        if not self.now_ns:
            # A new account's time begins here: what lies before it happens now.
            self.venue.advance(start_ns)
        self._pass_to(start_ns)
        self._record(self.venue.advance(start_ns))
        return session

    async def advance(self) -> Instant | None:
        """Move to the session's next instant; None: there was none, and the session has ended."""
        await trio.lowlevel.checkpoint()
        instant = self._instants.take()
        if instant is None:
            self._end_session()
        else:
            self._give(instant)
        return instant

    async def advance_instant(self, first: str) -> Instant | None:
        """The same, in this session or a later one; None: the market has no more; `first` as below."""
        while True:
            if self._session is None:
                date = self.next_session_date(first)
                if date is None:
                    return None
                self.begin_session(date)
            if (instant := await self.advance()) is not None:
                return instant

    async def advance_to(self, at_ns: int, first: str) -> None:
        """Let all of it pass until and with that market time, over nights, as far as the market goes.

        `first` as below.
        """
        while self.now_ns < at_ns or self._instants.next_ns() == at_ns:
            await trio.lowlevel.checkpoint()
            coming = self._instants.next_ns()
            if coming is not None and coming <= at_ns:
                instant = self._instants.take()
                assert instant is not None, "it was seen"
                self._give(instant)
            elif coming is not None or not self._begin_before(at_ns, first):
                self._pass_to(at_ns)
                self._publish(self.venue.advance(max(at_ns, self.now_ns)))

    def _begin_before(self, at_ns: int, first: str) -> bool:
        """End the session, whose instants are over, as soon as it is; begin the next if that is due by then."""
        if self._session is not None:
            if at_ns < self._session.close_ns:
                return False
            self._end_session()
            return True
        date = self.next_session_date(first)
        coming = session_on(date) if date is not None else None
        if coming is None or coming.open_ns > at_ns:
            return False
        self.begin_session(coming.date)
        return True

    @property
    def is_clocked(self) -> bool:
        """Does time pass by itself?"""
        return self._clock is not None

    async def run_clock(self, speed: float) -> None:
        """Let the session pass at `speed` market seconds a machine second; ends with the session."""
        began, began_ns = trio.current_time(), self.now_ns

        def market_ns() -> int:
            return began_ns + int((trio.current_time() - began) * speed * SECOND_NS)

        try:
            while (instant := self._instants.take()) is not None:
                self._clock = lambda next_ns=instant.at_ns: min(market_ns(), next_ns)
                await self._sleep_until(
                    instant.at_ns, lambda at_ns: began + (at_ns - began_ns) / SECOND_NS / speed
                )
                self._give(instant)
        finally:
            self._clock = None
        if self._session is not None:  # Steps may have brought it to its end before.
            self._end_session()

    def market_ns(self) -> int:
        """Market time, between instants too where a clock runs."""
        return self.now_ns if self._clock is None else max(self._clock(), self.now_ns)

    def catch_up(self) -> None:
        """Between instants, bring the venue to the clock's time; each request does it first."""
        if self._clock is not None:
            market_ns = self.market_ns()
            self._do_what_is_due(market_ns)
            due_ns = self.venue.next_due_ns()
            if due_ns is not None and due_ns <= market_ns:
                self._remember_before(market_ns)
            self._publish(self.venue.advance(market_ns))

    async def _sleep_until(self, at_ns: int, machine_s: Callable[[int], float]) -> None:
        """Until that market time, doing on the way what comes due."""
        while True:
            due_ns = self.agenda.next_ns()
            with trio.move_on_at(machine_s(at_ns if due_ns is None else min(due_ns, at_ns))):
                await self.agenda.wait_changed()
                continue
            if due_ns is None or due_ns >= at_ns:
                return
            self._pass_to(due_ns)

    def _pass_to(self, at_ns: int) -> None:
        """Let time pass, up to and with what is due at `at_ns`."""
        self._do_what_is_due(at_ns)
        self._remember_before(at_ns)

    def _do_what_is_due(self, at_ns: int) -> None:
        self.post.bring_held()
        while (due_ns := self.agenda.next_ns()) is not None and due_ns <= at_ns:
            deed = self.agenda.take()
            if due_ns > self.now_ns:
                self._remember_before(due_ns)
                self._publish(self.venue.advance(due_ns))
            deed()

    def give_quote(self, quote: Quote) -> None:
        """A quote from outside the market, now; it stands until the market's next."""
        self.catch_up()
        self._give(Instant(at_ns=self.now_ns, quotes=(quote,)))

    def _give(self, instant: Instant) -> None:
        self._pass_to(instant.at_ns)
        self.tape.take(instant)
        self._publish(self.venue.advance(instant.at_ns, instant.bars, instant.quotes))
        self.post.tell_market(instant.at_ns, self.tape.told(instant, self.streams.wants))

    def _end_session(self) -> None:
        assert self._session is not None, "only what was begun can end"
        session, self._session = self._session, None
        self._pass_to(max(self.now_ns, session.close_ns))
        self._mark = SessionMark(date=session.date, ended=True)
        events = self.venue.advance(max(self.now_ns, session.close_ns))
        events += self.venue.end_session(session.date, session.post_close_ns)
        self._record(events)

    def _remember(self, start_ns: int, session: Session) -> None:
        """What was traded before: marks for what is held, and the close of the session before."""
        self.tape.forget_quotes()
        for symbol in self.market.symbols:
            before_session = self.market.history(symbol, session.pre_open_ns, 1)
            self.lastday_prices[symbol] = (
                price_of(before_session[-1].close) if before_session else ZERO
            )
            last = self.market.history(symbol, start_ns, 1)
            if last:
                self.tape.bars[symbol] = last[-1]
                self.venue.books[symbol].last = price_of(last[-1].close)

    def next_session_date(self, first: str) -> str | None:
        """The session to begin now: the one that was cut off, else the market's next; None: it has no more.

        `first` is for a new account in a market that does not list its sessions.
        """
        if not self._mark.ended:
            return self._mark.date
        dates = self.market.session_dates()
        if dates is None:
            coming = next_session(self._mark.date).date if self._mark.date else first
            return coming if coming <= LAST_SESSION else None
        return next((date for date in dates if date > self._mark.date), None)


class Ahead:
    """The instants still to come, of which the next one can be looked at."""

    def __init__(self, instants: Iterator[Instant]) -> None:
        self._instants = instants
        self._next: Instant | None = None

    def next_ns(self) -> int | None:
        """When the next one is; None: there is none."""
        if self._next is None:
            self._next = next(self._instants, None)
        return None if self._next is None else self._next.at_ns

    def take(self) -> Instant | None:
        instant, self._next = self._next, None
        return instant or next(self._instants, None)


def _observer(
    on_frame: Callable[[str, int], None] | None, on_stream: Callable[[str, bool], None] | None
) -> Observer:
    quiet = Observer()
    return Observer(on_frame=on_frame or quiet.on_frame, on_stream=on_stream or quiet.on_stream)

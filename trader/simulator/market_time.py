"""The time that passes over the simulated broker: sessions, the market's instants in them, and closed hours between.

Three ways to pass time: somebody calls `advance` for each instant of the session (a settled run), or `advance_to` for
a span of it, or `run_clock` lets market time run with the machine's. In between, everything happens at the time of the
last instant or, with the clock, at the clock's.
"""

from collections.abc import Callable, Collection
from decimal import Decimal

import trio

from trader.calendar import Session, next_session, night_begins_ns, session_on
from trader.calendar_table import LAST_YEAR
from trader.feeds.market import Instant, Market
from trader.model import SECOND_NS, Quote, Symbol
from trader.money import ZERO, price_of
from trader.simulator.ahead import Ahead, quiet_minutes
from trader.simulator.books import BooksSetting, BrokerBooks
from trader.simulator.market_tape import Tape
from trader.simulator.reshaped import ReshapedMarket
from trader.simulator.store import SessionMark

# An order may be good for ninety days more, which the calendar has to know.
LAST_SESSION = f"{LAST_YEAR}-09-28"


class MarketTime(BrokerBooks):
    """See the module. `assets` exist beside what the market serves."""

    def __init__(self, setting: BooksSetting, market: Market, assets: Collection[Symbol]) -> None:
        super().__init__(setting, sorted({*market.symbols, *assets}))
        self.market = ReshapedMarket(market)
        self.tape = Tape(self.market)
        self.lastday_prices: dict[Symbol, Decimal] = {}
        self._session: Session | None = None
        self._instants = Ahead(iter(()))
        self._begins: tuple[str, int] = ("", 0)
        self._clock: Callable[[], int] | None = None

    @property
    def last_session(self) -> str:
        """The date of the last session begun, '' before the first; the next one to trade is after it."""
        return self._mark.date

    def begin_session(self, session_date: str, *, pre_market: bool | None = False) -> Session:
        """Stand at 09:30 of the session, or at 04:00; its first instant comes with the first `advance`.

        At the first instant instead of 04:00 where the market tells of the night before.
        `pre_market` None: at 09:30, or at the first instant where that is earlier.
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
        begins_ns = session.open_ns
        if pre_market:
            begins_ns = min(self.first_ns(session), session.pre_open_ns)
        start_ns = max(self.first_ns(session) if pre_market is None else begins_ns, self.now_ns)
        if start_ns < session.open_ns:
            # Orders that wait for the opening begin to work then, not with what is told next.
            self.agenda.add(session.open_ns, lambda: None)
        self._session = session
        self._mark = SessionMark(date=session_date, ended=False)
        for account in self.venue.state.accounts.values():
            account.created_ns = account.created_ns or start_ns
        self._remember(start_ns, session)
        self._instants = self.market.ahead(session_date)
        self._instants.skip_before(start_ns + resumed)
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
            self._end_session(night_passes=True)
            return True
        date = self.next_session_date(first)
        coming = session_on(date) if date is not None else None
        if coming is None or night_begins_ns(coming) > at_ns or self.first_ns(coming) > at_ns:
            return False
        self.begin_session(coming.date, pre_market=None)
        return True

    def first_ns(self, session: Session) -> int:
        """When the market first tells anything of a session, at the latest at its opening."""
        if self._begins[0] != session.date:
            first_ns = self.market.ahead(session.date).next_ns()
            begins_ns = session.open_ns if first_ns is None else min(first_ns, session.open_ns)
            self._begins = (session.date, begins_ns)
        return self._begins[1]

    def rest_until(self, at_ns: int) -> None:
        """No session: closed hours are to pass until then."""
        assert self._session is None, "a session is ended first"
        if not self.tape.bars and (before := session_on(self._mark.date)) is not None:
            self._remember(self.now_ns, before)  # A life that begins in closed hours.
        self._instants = Ahead(quiet_minutes(self.now_ns, at_ns))

    @property
    def is_clocked(self) -> bool:
        """Does time pass by itself?"""
        return self._clock is not None

    async def run_clock(self, speed: float, *, night_passes: bool = False) -> None:
        """Let the session pass at `speed` market seconds a machine second; ends with the session.

        `night_passes`: time goes on after it, and what is good until the evening is good until then.
        """
        began, began_ns = trio.current_time(), self.now_ns

        def market_ns() -> int:
            return began_ns + int((trio.current_time() - began) * speed * SECOND_NS)

        try:
            while (at_ns := self._instants.next_ns()) is not None:
                self._clock = lambda next_ns=at_ns: min(market_ns(), next_ns)
                await self._sleep_until(
                    at_ns, lambda due_ns: began + (due_ns - began_ns) / SECOND_NS / speed
                )
                instant = self._instants.take()
                assert instant is not None, "it was seen"
                self._give(instant)
        finally:
            self._clock = None
        if self._session is not None:  # Steps may have brought it to its end before.
            self._end_session(night_passes=night_passes)

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

    def _end_session(self, *, night_passes: bool = False) -> None:
        assert self._session is not None, "only what was begun can end"
        session, self._session = self._session, None
        self._pass_to(max(self.now_ns, session.close_ns))
        self._mark = SessionMark(date=session.date, ended=True)
        events = self.venue.advance(max(self.now_ns, session.close_ns))
        ended_ns = self.now_ns if night_passes else session.post_close_ns
        events += self.venue.end_session(session.date, ended_ns)
        self._record(events)

    def _remember(self, start_ns: int, session: Session) -> None:
        """What was traded before: marks for what is held, and the close of the session before."""
        self.tape.forget_quotes()
        for symbol in self.market.symbols:
            before_session = self.market.history(symbol, night_begins_ns(session), 1)
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

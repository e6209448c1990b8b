"""The simulated broker: a venue, a market that moves it, an account's keys, streams that tell, a file that keeps.

Two ways to pass time: somebody calls `advance` for each instant of the session (a settled run), or `run_clock` lets
market time run with the machine's. In between, everything happens at the time of the last instant or, with the clock,
at the clock's.
"""

import hmac
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from decimal import Decimal
from functools import partial
from pathlib import Path
from random import Random
from uuid import UUID

import trio

from trader.calendar import Session, next_session, session_on
from trader.feeds.market import Instant, Market
from trader.model import SECOND_NS, Bar, Quote, Symbol
from trader.money import ZERO, price_of
from trader.simulator.agenda import Agenda
from trader.simulator.connections import Connections
from trader.simulator.faults import FaultRule, Faults, FaultVerb, Occasion
from trader.simulator.keys import Keys, account_number, new_keys
from trader.simulator.memory import Memory
from trader.simulator.post import Post
from trader.simulator.rate_limit import RateLimit
from trader.simulator.scheduled import EventName, Happened, ScheduledEvent, perform
from trader.simulator.splits import SplitMarket
from trader.simulator.store import BrokerStore, SessionMark
from trader.simulator.streams import Observer, StreamKind, Streams
from trader.venue import NewOrder, OrderEvent, Refusal, Venue, VenueAccount, VenueTerms
from trader.venue.back_office import BackOffice, Undone
from trader.venue.words import Replacement

OPENING_CASH = Decimal(250_000)

__all__ = ["Keys", "SimulatedBroker", "new_keys"]


class SimulatedBroker:
    """One account, opened with `cash` unless `path` holds one already.

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
        requests_per_minute: int | None = None,
        on_frame: Callable[[str, int], None] | None = None,
        on_stream: Callable[[str, bool], None] | None = None,
    ) -> None:
        self.market = SplitMarket(market)
        self.symbols = sorted({*market.symbols, *assets})
        self.faults = Faults(faults, Random(f"{seed}/faults"))
        self.agenda = Agenda()
        self.happened: list[Happened] = []
        self.rate_limit = RateLimit(requests_per_minute)
        self.connections = Connections()
        self.streams = Streams(
            self.authorize,
            self.connections,
            _observer(on_frame, on_stream),
            ask_fault=self._stream_fault,
            told=lambda count: self.post.told(count),
        )
        self.post = Post(self.faults, self.streams, self.agenda, fill_late=self._fill_late)
        self.quotes: dict[Symbol, Quote] = {}
        self.bars: dict[Symbol, Bar] = {}
        self.lastday_prices: dict[Symbol, Decimal] = {}
        self.requests = 0
        self._keys = keys
        self._seed, self._terms, self._cash = seed, terms, cash
        self._store = BrokerStore(path)
        self._memory = Memory()
        self._open_books()
        self._session: Session | None = None
        self._instants: Iterator[Instant] = iter(())
        self._clock: Callable[[], int] | None = None
        is_new = not self.now_ns
        for event in events:
            # What lies behind a life that goes on has happened in an earlier one; the market remembers its splits.
            self.schedule(event, is_past=not is_new and event.at_ns <= self.now_ns)

    def _open_books(self) -> None:
        state, self._mark = self._store.load()
        # What is already there goes into the seed: a life that goes on must not give identifiers a second time.
        lived = (state.now_ns, len(state.orders), len(state.executions), len(state.activities))
        random = Random("/".join(map(str, (self._seed, *lived))))
        self.venue = Venue(self.symbols, random=random, terms=self._terms, state=state)
        self.account = self._only_account(random, self._cash)

    def _only_account(self, random: Random, cash: Decimal) -> VenueAccount:
        for account in self.venue.state.accounts.values():
            return account
        number = account_number(random)
        account_id = str(UUID(int=random.getrandbits(128), version=4))
        return self.venue.open_account(account_id, number, cash)

    def close(self) -> None:
        self._store.close()

    def authorize(self, key: str, secret: str) -> str | None:
        """The account behind the keys, None when they are nobody's."""
        right_key = hmac.compare_digest(key.encode(), self._keys.key.encode())
        right_secret = hmac.compare_digest(secret.encode(), self._keys.secret.encode())
        return self.account.account_id if right_key and right_secret else None

    # --- orders

    def submit(
        self, account_id: str, new: NewOrder, fault: FaultRule | None = None
    ) -> Refusal | list[OrderEvent]:
        """Saved and told before it returns: whatever becomes of the reply, the order stands."""
        self._remember_before()
        if fault is None or fault.verb is not FaultVerb.REJECT_AFTER_ACCEPT:
            return self._took_place(self.venue.submit(account_id, new))
        outcome = self._took_place(self.venue.submit(account_id, new, routed=False))
        if not isinstance(outcome, Refusal):
            order_id = outcome[0].order.order_id
            self._amiss(fault.delay_ns, lambda: self._office.reject(order_id, fault.word))
        return outcome

    def cancel(
        self, account_id: str, order_id: str, fault: FaultRule | None = None
    ) -> Refusal | list[OrderEvent]:
        """The same."""
        self._remember_before()
        verb = None if fault is None else fault.verb
        amiss = verb in (FaultVerb.FILL_WHILE_CANCELLING, FaultVerb.REJECT_CANCEL)
        outcome = self._took_place(self.venue.cancel(account_id, order_id, at_once=not amiss))
        if outcome and not isinstance(outcome, Refusal) and fault is not None and amiss:
            if verb is FaultVerb.REJECT_CANCEL:
                self._amiss(0, lambda: self._office.refuse_cancel(order_id))
            else:
                self._amiss(0, lambda: self._office.fill(order_id, fault.quantity))
        return outcome

    def replace(
        self, account_id: str, order_id: str, wish: Replacement
    ) -> Refusal | list[OrderEvent]:
        """The same."""
        self._remember_before()
        return self._took_place(self.venue.replace(account_id, order_id, wish))

    @property
    def _office(self) -> BackOffice:
        return self.venue.back_office

    def _fill_late(self, event: OrderEvent, rule: FaultRule) -> None:
        self.do(lambda: self._office.fill(event.order.order_id, rule.quantity))

    def _amiss(self, delay_ns: int, deed: Callable[[], list[OrderEvent]]) -> None:
        """Now or later."""
        if delay_ns:
            self.agenda.add(self.now_ns + delay_ns, lambda: self.do(deed))
        else:
            self.do(deed)

    def do(self, deed: Callable[[], list[OrderEvent]]) -> str:
        """Of the venue's own accord. Why it was not done; empty: it was."""
        self._remember_before()
        try:
            events = deed()
        except Undone as reason:
            return str(reason)
        self._record(events)
        return ""

    def _took_place(self, outcome: Refusal | list[OrderEvent]) -> Refusal | list[OrderEvent]:
        if not isinstance(outcome, Refusal):
            self._publish(outcome)
        return outcome

    def _publish(self, events: list[OrderEvent]) -> None:
        if events:
            self._record(events)

    # --- what goes wrong

    def seen(self, fault: FaultRule | None) -> Venue:
        """The venue as a request sees it."""
        if fault is None or fault.verb is not FaultVerb.STALE_GET:
            return self.venue
        state = self._memory.state_at(self.now_ns - fault.delay_ns)
        return self.venue if state is None else self.venue.as_it_stood(state)

    def _remember_before(self, at_ns: int | None = None) -> None:
        """What is about to change, now or at `at_ns`, where somebody is to be shown an old state."""
        reach_ns = self.faults.stale_ns_max()
        if reach_ns is not None:
            self._memory.keep(self.venue.state, at_ns or self.now_ns, reach_ns)

    def _stream_fault(self, method: str, path: str) -> FaultRule | None:
        return self.faults.rule_for(Occasion(method=method, path=path, at_ns=self.now_ns))

    def schedule(self, event: ScheduledEvent, *, is_past: bool = False) -> None:
        """Let it happen when its time comes; one whose time has passed happens with the next instant."""
        if event.name is EventName.SPLIT and event.adjusts_market:
            self.market.split(event.symbol, event.at_ns, event.ratio)
        if not is_past:
            self.agenda.add(event.at_ns, partial(self._happen, event))

    def _happen(self, event: ScheduledEvent) -> None:
        undone = ""
        if event.name is EventName.DISCONNECT:
            self.disconnect()
        elif event.name is EventName.RESTART:
            self.restart()
        else:
            undone = self.do(lambda: perform(event, self.venue, self.account))
        self.happened.append(Happened(event=event, undone=undone))

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
        for bar in self.bars.values():
            self.venue.books[bar.symbol].last = price_of(bar.close)
        self.quotes.clear()

    def _record(self, events: Sequence[OrderEvent]) -> None:
        self._store.save(self.venue.state, self.venue.take_touched(), self._mark)
        self.post.tell(events)

    # --- time

    @property
    def now_ns(self) -> int:
        """Market time."""
        return self.venue.now_ns

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
        self.account.created_ns = self.account.created_ns or start_ns
        self._remember(start_ns, session)
        self._instants = (
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
        instant = next(self._instants, None)
        if instant is None:
            self._end_session()
        else:
            self._give(instant)
        return instant

    async def run_clock(self, speed: float) -> None:
        """Let the session pass at `speed` market seconds a machine second; ends with the session."""
        began, began_ns = trio.current_time(), self.now_ns

        def market_ns() -> int:
            return began_ns + int((trio.current_time() - began) * speed * SECOND_NS)

        try:
            for instant in self._instants:
                self._clock = lambda next_ns=instant.at_ns: min(market_ns(), next_ns)
                await self._sleep_until(
                    instant.at_ns, lambda at_ns: began + (at_ns - began_ns) / SECOND_NS / speed
                )
                self._give(instant)
        finally:
            self._clock = None
        self._end_session()

    def market_ns(self) -> int:
        """Market time, between instants too where a clock runs."""
        return self.now_ns if self._clock is None else max(self._clock(), self.now_ns)

    def catch_up(self) -> None:
        """Between instants, bring the venue to the clock's time; each request does it first."""
        if self._clock is not None:
            market_ns = self.market_ns()
            self._pass_to(market_ns)
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
        self.post.bring_held()
        while (due_ns := self.agenda.next_ns()) is not None and due_ns <= at_ns:
            deed = self.agenda.take()
            if due_ns > self.now_ns:
                self._remember_before(due_ns)
                self._publish(self.venue.advance(due_ns))
            deed()
        self._remember_before(at_ns)

    def _give(self, instant: Instant) -> None:
        self._pass_to(instant.at_ns)
        for bar in instant.bars:
            self.bars[bar.symbol] = bar
        for quote in instant.quotes:
            self.quotes[quote.symbol] = quote
        self._publish(self.venue.advance(instant.at_ns, instant.bars, instant.quotes))
        self.post.tell_market(instant.at_ns, instant.bars, instant.quotes)

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
        self.quotes.clear()
        for symbol in self.market.symbols:
            before_session = self.market.history(symbol, session.pre_open_ns, 1)
            self.lastday_prices[symbol] = (
                price_of(before_session[-1].close) if before_session else ZERO
            )
            last = self.market.history(symbol, start_ns, 1)
            if last:
                self.bars[symbol] = last[-1]
                self.venue.books[symbol].last = price_of(last[-1].close)

    def next_session_date(self, first: str) -> str | None:
        """The session to begin now: the one that was cut off, else the market's next; None: it has no more.

        `first` is for a new account in a market that does not list its sessions.
        """
        if not self._mark.ended:
            return self._mark.date
        dates = self.market.session_dates()
        if dates is None:
            return next_session(self._mark.date).date if self._mark.date else first
        return next((date for date in dates if date > self._mark.date), None)


def _observer(
    on_frame: Callable[[str, int], None] | None, on_stream: Callable[[str, bool], None] | None
) -> Observer:
    quiet = Observer()
    return Observer(on_frame=on_frame or quiet.on_frame, on_stream=on_stream or quiet.on_stream)

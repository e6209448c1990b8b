"""The simulated broker: a venue, a market that moves it, an account's keys, streams that tell, a file that keeps.

Two ways to pass time: somebody calls `advance` for each instant of the session (a settled run), or `run_clock` lets
market time run with the machine's. In between, everything happens at the time of the last instant or, with the clock,
at the clock's.
"""

import hmac
import string
from collections.abc import Callable, Collection, Iterable, Iterator
from decimal import Decimal
from pathlib import Path
from random import Random
from uuid import UUID

import trio
from msgspec import Struct

from trader.calendar import Session, next_session, session_on
from trader.feeds.market import Instant, Market
from trader.model import SECOND_NS, Bar, Quote, Symbol
from trader.money import ZERO, price_of
from trader.simulator.connections import Connections
from trader.simulator.faults import EVENT, FaultRule, Faults, FaultVerb, Occasion
from trader.simulator.rate_limit import RateLimit
from trader.simulator.store import BrokerStore, SessionMark
from trader.simulator.streams import Observer, Streams
from trader.venue import NewOrder, OrderEvent, Refusal, Venue, VenueAccount, VenueTerms

OPENING_CASH = Decimal(250_000)
WORDS = string.ascii_uppercase + string.digits
NUMBER_LENGTH = 9


class Keys(Struct, frozen=True, kw_only=True):
    """What a client shows; the secret is kept out of repr."""

    key: str
    secret: str

    def __repr__(self) -> str:
        return f"Keys(key={self.key!r}, secret=...)"


def new_keys(choose: Callable[[str], str]) -> Keys:
    """Keys like Alpaca's: 'PK' and capitals or digits, a secret of letters and digits; `choose` picks one of a text."""
    key = "PK" + "".join(choose(WORDS) for _ in range(18))
    return Keys(
        key=key, secret="".join(choose(string.ascii_letters + string.digits) for _ in range(40))
    )


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
        requests_per_minute: int | None = None,
        on_frame: Callable[[str, int], None] | None = None,
        on_stream: Callable[[str, bool], None] | None = None,
    ) -> None:
        self.market = market
        self.symbols = sorted({*market.symbols, *assets})
        self.faults = Faults(faults)
        self.rate_limit = RateLimit(requests_per_minute)
        self.connections = Connections()
        self.streams = Streams(self.authorize, self.connections, _observer(on_frame, on_stream))
        self.quotes: dict[Symbol, Quote] = {}
        self.bars: dict[Symbol, Bar] = {}
        self.lastday_prices: dict[Symbol, Decimal] = {}
        self.requests = 0
        self._keys = keys
        self._store = BrokerStore(path)
        state, self._mark = self._store.load()
        # What is already there goes into the seed: a life that goes on must not give identifiers a second time.
        random = Random(f"{seed}/{state.now_ns}/{len(state.orders)}/{len(state.executions)}")
        self.venue = Venue(self.symbols, random=random, terms=terms, state=state)
        self.account = self._only_account(random, cash)
        self._session: Session | None = None
        self._instants: Iterator[Instant] = iter(())
        self._clock: Callable[[], int] | None = None

    def _only_account(self, random: Random, cash: Decimal) -> VenueAccount:
        for account in self.venue.state.accounts.values():
            return account
        number = "PA" + "".join(WORDS[random.randrange(len(WORDS))] for _ in range(NUMBER_LENGTH))
        return self.venue.open_account(
            str(UUID(int=random.getrandbits(128), version=4)), number, cash
        )

    def close(self) -> None:
        self._store.close()

    def authorize(self, key: str, secret: str) -> str | None:
        """The account behind the keys, None when they are nobody's."""
        right_key = hmac.compare_digest(key.encode(), self._keys.key.encode())
        right_secret = hmac.compare_digest(secret.encode(), self._keys.secret.encode())
        return self.account.account_id if right_key and right_secret else None

    # --- orders

    def submit(self, account_id: str, new: NewOrder) -> Refusal | list[OrderEvent]:
        """Saved and told before it returns: whatever becomes of the reply, the order stands."""
        return self._took_place(self.venue.submit(account_id, new))

    def cancel(self, account_id: str, order_id: str) -> Refusal | list[OrderEvent]:
        return self._took_place(self.venue.cancel(account_id, order_id))

    def _took_place(self, outcome: Refusal | list[OrderEvent]) -> Refusal | list[OrderEvent]:
        if not isinstance(outcome, Refusal):
            self._publish(outcome)
        return outcome

    def _publish(self, events: list[OrderEvent]) -> None:
        if events:
            self._save(events)
            self._tell(events)

    def _tell(self, events: list[OrderEvent]) -> None:
        self.streams.tell_orders([event for event in events if not self._is_lost(event)])

    def _is_lost(self, event: OrderEvent) -> bool:
        occasion = Occasion(
            method=EVENT,
            path=event.kind,
            at_ns=event.at_ns,
            symbol=event.order.symbol,
            client_order_id=event.order.client_order_id,
        )
        return self.faults.verb_for(occasion) is FaultVerb.DROP_EVENT

    def _save(self, events: Iterable[OrderEvent]) -> None:
        changed = {event.order.order_id for event in events}
        orders = [self.venue.state.orders[order_id] for order_id in changed]
        self._store.save(self.venue.state, orders, self._mark)

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
            self._end_cut_off(self._mark.date)
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
        events = self.venue.advance(start_ns)
        self._save(events)
        self._tell(events)
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
                wait = (instant.at_ns - began_ns) / SECOND_NS / speed
                self._clock = lambda next_ns=instant.at_ns: min(market_ns(), next_ns)
                await trio.sleep_until(began + wait)
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
            self._publish(self.venue.advance(self.market_ns()))

    def _give(self, instant: Instant) -> None:
        for bar in instant.bars:
            self.bars[bar.symbol] = bar
        for quote in instant.quotes:
            self.quotes[quote.symbol] = quote
        self._publish(self.venue.advance(instant.at_ns, instant.bars, instant.quotes))
        self.streams.tell_market(instant.bars, instant.quotes)

    def _end_session(self) -> None:
        assert self._session is not None, "only what was begun can end"
        session, self._session = self._session, None
        self._mark = SessionMark(date=session.date, ended=True)
        events = self.venue.advance(max(self.now_ns, session.close_ns))
        events += self.venue.end_session(session.date, session.post_close_ns)
        self._save(events)
        self._tell(events)

    def _end_cut_off(self, session_date: str) -> None:
        self._session = session_on(session_date)
        self._end_session()

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

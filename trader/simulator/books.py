"""The simulated broker's books: accounts and their keys, the venue's orders, how each change is saved and told."""

from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from random import Random
from uuid import UUID

import trio
from msgspec import Struct

from trader.model import Symbol
from trader.simulator.agenda import Agenda
from trader.simulator.connections import Connections
from trader.simulator.faults import FaultRule, Faults, FaultVerb, Occasion
from trader.simulator.journal import JournalFile
from trader.simulator.keys import KeyRing, Keys, Opening, Owner, account_number
from trader.simulator.memory import Memory
from trader.simulator.plan import PLANS, Plan
from trader.simulator.post import Post
from trader.simulator.rate_limit import RateLimit
from trader.simulator.store import BrokerStore
from trader.simulator.streams import Observer, Streams, StreamsSetting
from trader.simulator.told_clock import ToldClock
from trader.venue import (
    NewOrder,
    OrderEvent,
    Refusal,
    Replacement,
    Venue,
    VenueAccount,
    VenueAsset,
    VenueState,
    VenueTerms,
)
from trader.venue.back_office import BackOffice, Undone

OPENING_CASH = Decimal(250_000)


class Service(Struct, frozen=True, kw_only=True):
    """What the broker offers beyond one account and its orders.

    The `further` accounts are opened, too. With `keeps_keys` the keys in the file stay those of their accounts, and an
    account is opened for keys that aren't there; else whoever is given first has the first account. Of an asset
    nothing is restricted that `restrictions` doesn't say.
    """

    further: Sequence[Opening] = ()
    keeps_keys: bool = False
    multiplier: int = 1
    may_short: bool = True
    restrictions: Mapping[Symbol, VenueAsset] = {}
    journal: Path | None = None
    plan: Plan = PLANS["paid"]
    text_frames: bool = False
    requests_per_minute: int | None = None


class BooksSetting(Struct, frozen=True, kw_only=True):
    """`seed` gives identifiers only, so that a repeated run repeats them."""

    keys: Keys
    seed: int
    path: Path | None
    cash: Decimal
    terms: VenueTerms | None
    faults: Sequence[FaultRule]
    service: Service
    observer: Observer


class BrokerBooks:
    """Many accounts of one venue; `account` is the first."""

    def __init__(self, setting: BooksSetting, symbols: Sequence[Symbol]) -> None:
        self.symbols = symbols
        self._setting, self._service = setting, setting.service
        self.faults = Faults(setting.faults, Random(f"{setting.seed}/faults"))
        self.agenda = Agenda()
        self.recorded = trio.lowlevel.ParkingLot()  # who waits here hears of whatever is recorded
        self.connections = Connections()
        self.key_ring = KeyRing()
        self.told_clock = ToldClock()
        self.streams = Streams(
            self.authorize, self.connections, setting.observer, self._streams_setting()
        )
        self.post = Post(self.faults, self.streams, self.agenda, fill_late=self._fill_late)
        self.requests = 0
        self._rate_limits: dict[str, RateLimit] = {}
        self._store = BrokerStore(setting.path)
        self._journal = JournalFile(self._service.journal) if self._service.journal else None
        self._memory = Memory()
        self._activities_written = 0
        self._open_books()

    def _streams_setting(self) -> StreamsSetting:
        return StreamsSetting(
            ask_fault=self._stream_fault,
            told=lambda count: self.post.told(count),
            stamped=self.told_clock.event,
            market_ns=lambda: self.now_ns,
            plan=self._service.plan,
            text_frames=self._service.text_frames,
            seed=self._setting.seed,
        )

    def _open_books(self) -> None:
        state, self._mark = self._store.load()
        # What is already there goes into the seed: a life that goes on must not give identifiers a second time.
        lived = (state.now_ns, len(state.orders), len(state.executions), len(state.activities))
        self._random = Random("/".join(map(str, (self._setting.seed, *lived))))
        self.venue = Venue(
            self.symbols,
            random=self._random,
            terms=self._setting.terms,
            state=state,
            assets=self._service.restrictions,
        )
        # A venue that starts anew within a life knows its owners from before.
        self._activities_written = len(state.activities)
        known = self.key_ring.owners or self._owners_of_the_file(state)
        self.key_ring.owners = []
        has_account = {owner.keys.key for owner in known if owner.keys is not None}
        waiting = [one for one in self._openings() if one.keys.key not in has_account]
        for owner in known:
            keys = owner.keys
            if keys is None and waiting:
                keys = waiting.pop(0).keys
            self.key_ring.add(Owner(account_id=owner.account_id, keys=keys))
        self._save_owners()
        for opening in waiting:
            self._open_account(opening)

    def _openings(self) -> list[Opening]:
        setting, service = self._setting, self._service
        first = Opening(
            keys=setting.keys,
            cash=setting.cash,
            multiplier=service.multiplier,
            may_short=service.may_short,
        )
        return [first, *service.further]

    def _owners_of_the_file(self, state: VenueState) -> list[Owner]:
        kept = {owner.account_id: owner for owner in self._store.owners()}
        owners = [owner for owner in kept.values() if owner.account_id in state.accounts]
        owners += [Owner(account_id=one) for one in state.accounts if one not in kept]
        if self._service.keeps_keys:
            return owners
        return [Owner(account_id=owner.account_id) for owner in owners]

    def open_account(self, opening: Opening) -> VenueAccount:
        """While the broker runs."""
        account = self._open_account(opening)
        self._record([])
        return account

    def _open_account(self, opening: Opening) -> VenueAccount:
        number = account_number(self._random)
        account_id = str(UUID(int=self._random.getrandbits(128), version=4))
        account = self.venue.open_account(
            account_id,
            number,
            opening.cash,
            multiplier=opening.multiplier,
            may_short=opening.may_short,
        )
        self.key_ring.add(Owner(account_id=account_id, keys=opening.keys))
        self._save_owners()
        if self._journal is not None:
            self._journal.write_account(account)
        # Nobody is shown a past in which the account was not there.
        self._memory = Memory()
        return account

    def _save_owners(self) -> None:
        owners = self.key_ring.owners
        if not self._service.keeps_keys:
            owners = [Owner(account_id=owner.account_id) for owner in owners]
        self._store.save_owners(owners)

    def keep_time(self) -> None:
        """Save how far the market has come, so that a later life goes on there even if nothing happened since."""
        self._store.save(self.venue.state, self.venue.take_touched(), self._mark)

    def close(self) -> None:
        self._store.close()
        if self._journal is not None:
            self._journal.close()

    @property
    def now_ns(self) -> int:
        """Market time."""
        return self.venue.now_ns

    @property
    def account(self) -> VenueAccount:
        return self.account_at(0)

    def account_at(self, number: int) -> VenueAccount:
        """By the order of opening, from 0 on; IndexError."""
        return self.venue.account(self.key_ring.owners[number].account_id)

    @property
    def plan(self) -> Plan:
        """Of all accounts."""
        return self._service.plan

    def authorize(self, key: str, secret: str) -> str | None:
        """The account behind the keys, None when they are nobody's."""
        return self.key_ring.account_of(key, secret)

    def rate_limit(self, account_id: str) -> RateLimit:
        if account_id not in self._rate_limits:
            self._rate_limits[account_id] = RateLimit(self._service.requests_per_minute)
        return self._rate_limits[account_id]

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

    def do(self, deed: Callable[[], list[OrderEvent]]) -> str:
        """Of the venue's own accord. Why it was not done; empty: it was."""
        self._remember_before()
        try:
            events = deed()
        except Undone as reason:
            return str(reason)
        self._record(events)
        return ""

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

    def _took_place(self, outcome: Refusal | list[OrderEvent]) -> Refusal | list[OrderEvent]:
        if not isinstance(outcome, Refusal):
            self._publish(outcome)
        return outcome

    def _publish(self, events: list[OrderEvent]) -> None:
        """What happened to orders, and to nothing else."""
        if events:
            self._record(events, is_orders_only=True)

    def _record(self, events: Sequence[OrderEvent], *, is_orders_only: bool = False) -> None:
        touched = self.venue.take_touched()
        self._store.save(self.venue.state, touched, self._mark, is_orders_only=is_orders_only)
        if self._journal is not None:
            activities = self.venue.state.activities
            self._journal.write(events, touched, activities[self._activities_written :])
            self._activities_written = len(activities)
        self.post.tell(events)
        self.recorded.unpark_all()

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

    def _stream_fault(self, method: str, path: str, account_id: str) -> FaultRule | None:
        occasion = Occasion(method=method, path=path, at_ns=self.now_ns, account_id=account_id)
        return self.faults.rule_for(occasion)

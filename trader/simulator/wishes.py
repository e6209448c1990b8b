"""Makes the simulated broker that a person wishes for: its market, accounts, terms, and what befalls it."""

import re
import secrets
from contextlib import ExitStack
from decimal import Decimal
from pathlib import Path

from msgspec import Struct
from msgspec.structs import replace

from trader.calendar import new_york_date, next_session, previous_session, session_on
from trader.exits import Mistake, StartRefused
from trader.feeds.csv_rows import MarketDataError
from trader.feeds.market import Market
from trader.feeds.recorded import RecordedMarket
from trader.feeds.synthetic import (
    BASE_DATE,
    DEFAULT_SYMBOLS,
    FIRST_SESSION,
    LISTINGS,
    SyntheticMarket,
)
from trader.journal.failures import JournalHeld
from trader.journal.lock import ProcessLock
from trader.model import Symbol
from trader.money import AmountError, amount
from trader.simulator.admin_rest import is_loopback
from trader.simulator.books import Service
from trader.simulator.broker import Keys, SimulatedBroker, new_keys
from trader.simulator.event_script import read_events
from trader.simulator.fault_script import read_faults
from trader.simulator.keys import Opening
from trader.simulator.market_time import LAST_SESSION
from trader.simulator.moments import moment_ns
from trader.simulator.plan import PLANS
from trader.simulator.scenes import event_scene, fault_scene
from trader.simulator.script import BadKey, Script, described
from trader.simulator.store import kept_keys
from trader.simulator.venue_script import Described, read_venue, terms_of_table
from trader.venue import VenueTerms

SPEED_MAX = 100_000
NIGHTS = ("skip", "pass")
DATE = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)


class Wishes(Struct, frozen=True, kw_only=True):
    """The options of the verb, as they were given, and the files that they name; without `keys` there are new ones."""

    data: tuple[str, ...]
    symbols: str | None
    seed: int
    start: str | None
    pace: str
    nights: str
    speed: float
    events: Script | None
    venue: Script | None
    cash: str
    multiplier: int
    terms: tuple[str, ...]
    state: Path | None
    journal: Path | None
    host: str
    port: int
    admin_token: str | None
    faults: Script | None
    plan: str
    text_frames: bool
    rate_limit: int | None
    keys: Keys | None = None

    @property
    def is_stepped(self) -> bool:
        return self.pace == "stepped"

    @property
    def nights_pass(self) -> bool:
        return self.nights == "pass"


class Served(Struct, frozen=True, kw_only=True):
    """The broker, the keys of its first account, the admin endpoint's token, and where the market is to stand.

    `start_ns` None: where it begins, or where a life that goes on stands; else `begins_with` is the session to begin.
    `asked_ns` is what was asked for, though an account may have come further.
    `lock` is on its file: two brokers would each go on with the same account.
    """

    broker: SimulatedBroker
    keys: Keys
    token: str
    start_ns: int | None = None
    asked_ns: int | None = None
    begins_with: str = FIRST_SESSION
    nights_pass: bool = False
    lock: ProcessLock | None = None

    @property
    def first_session(self) -> str:
        """The first that a market has which does not list its sessions."""
        return first_session(self.start_ns)

    def close(self) -> None:
        self.broker.close()
        if self.lock is not None:
            self.lock.close()


def served_of(wishes: Wishes) -> Served:
    """Raises Mistake, also for a --state that is no such file or is in use."""
    with ExitStack() as undone:
        try:
            lock = None if wishes.state is None else _lock(wishes.state)
            undone.callback(lock.close if lock is not None else lambda: None)
            served = replace(_served(wishes), lock=lock)
        except StartRefused as refused:
            raise Mistake(refused.what, where=refused.where, remedy=refused.remedy) from None
        undone.pop_all()
    return served


def _lock(state: Path) -> ProcessLock:
    try:
        return ProcessLock(state, since="")
    except JournalHeld as held:
        holder = f"process {held.pid}" if held.pid else "another process"
        remedy = "stop it first, or give another --state"
        raise Mistake(f"in use by {holder}", where=str(state), remedy=remedy) from None


def _served(wishes: Wishes) -> Served:
    _check_host(wishes)
    if not 0 < wishes.speed <= SPEED_MAX:  # so that what is no number is refused, too
        raise Mistake(f"above 0 and at most {SPEED_MAX:,}, not {wishes.speed}", where="--speed")
    described_venue = _venue(wishes)
    terms = _terms(wishes, described_venue.terms)
    market = _market(wishes, terms)
    first, *further = described_venue.accounts or [_only_account(wishes)]
    broker = SimulatedBroker(
        market,
        keys=first.keys,
        seed=wishes.seed,
        path=wishes.state,
        cash=first.cash,
        assets={*(() if wishes.data else LISTINGS), *described_venue.assets},
        terms=terms,
        service=Service(
            further=further,
            keeps_keys=True,
            multiplier=first.multiplier,
            may_short=first.may_short,
            restrictions=described_venue.assets,
            journal=wishes.journal,
            plan=PLANS[wishes.plan],
            text_frames=wishes.text_frames,
            requests_per_minute=wishes.rate_limit,
        ),
    )
    try:
        asked_ns, begins_with = _start(wishes, broker)
        start_ns = asked_ns if asked_ns is not None and asked_ns > broker.now_ns else None
        _add_scripts(broker, wishes, start_ns)
    except BaseException:
        broker.close()
        raise
    token = wishes.admin_token or secrets.token_urlsafe(24)
    return Served(
        broker=broker,
        keys=first.keys,
        token=token,
        start_ns=start_ns,
        asked_ns=asked_ns,
        begins_with=begins_with,
        nights_pass=wishes.nights_pass,
    )


def first_session(start_ns: int | None) -> str:
    """The one that is going on then, or else the next."""
    if start_ns is None:
        return FIRST_SESSION
    day = new_york_date(start_ns)
    session = session_on(day)
    return day if session is not None and start_ns < session.close_ns else next_session(day).date


def is_for_this_machine(wishes: Wishes) -> bool:
    """Only then there is an admin endpoint."""
    return is_loopback(wishes.host)


def _check_host(wishes: Wishes) -> None:
    token = wishes.admin_token
    if token is not None and not (token.strip() and token.isprintable()):
        raise Mistake("not a token", where="--admin-token")
    if is_for_this_machine(wishes):
        return
    for option, is_given in (
        ("--admin-token", wishes.admin_token is not None),
        ("--pace stepped", wishes.is_stepped),
    ):
        if is_given:
            raise Mistake(
                f"the admin endpoint is for this machine alone, not for --host {wishes.host}",
                where=option,
                remedy="leave out --host",
            )


def _market(wishes: Wishes, terms: VenueTerms) -> Market:
    symbols = None
    if wishes.symbols is not None:
        symbols = [Symbol(word) for one in wishes.symbols.split(",") if (word := one.strip())]
        if not symbols:
            raise Mistake("names no symbol", where="--symbols", remedy="write --symbols JD,GS")
    try:
        if wishes.data:
            paths = list(map(Path, wishes.data))
            return RecordedMarket(paths, symbols, everything=True, spread_rate=terms.spread_rate)
        return SyntheticMarket(wishes.seed, DEFAULT_SYMBOLS if symbols is None else symbols)
    except MarketDataError as error:
        raise Mistake(str(error)) from None
    except ValueError as error:
        raise Mistake(str(error), where="--symbols") from None


def _venue(wishes: Wishes) -> Described:
    if wishes.venue is None:
        return Described()
    return read_venue(wishes.venue, _cash(wishes))


def _cash(wishes: Wishes) -> Decimal:
    try:
        cash = amount(wishes.cash)
    except AmountError as error:
        raise Mistake(str(error), where="--cash") from None
    if cash < 0:
        raise Mistake(f"must be at least 0, not {cash}", where="--cash")
    return cash


def _only_account(wishes: Wishes) -> Opening:
    """With the keys that the file has, so that a client need not learn new ones."""
    known = kept_keys(wishes.state) if wishes.state is not None else []
    keys = wishes.keys or (known[0] if known else new_keys(secrets.choice))
    return Opening(keys=keys, cash=_cash(wishes), multiplier=wishes.multiplier)


def _terms(wishes: Wishes, terms: VenueTerms) -> VenueTerms:
    """Those of the file, and what the command line says of them."""
    for word in wishes.terms:
        name, equals, value = word.partition("=")
        if not equals:
            raise Mistake("NAME=VALUE is wanted", where=f"--term {word}")
        try:
            terms = terms_of_table({name: value}, terms)
        except BadKey as bad:
            raise Mistake(described(bad), where=f"--term {word}", remedy=bad.remedy) from None
    return replace(terms, seed=wishes.seed)


def _start(wishes: Wishes, broker: SimulatedBroker) -> tuple[int | None, str]:
    """When the market is to stand where, if that is told, and the session that it begins with."""
    if wishes.start is None:
        return None, FIRST_SESSION
    where = f"--start {wishes.start}"
    # A date alone is its session's opening.
    is_date = DATE.fullmatch(wishes.start) is not None
    try:
        start_ns = moment_ns(f"{wishes.start}T09:30" if is_date else wishes.start, FIRST_SESSION)
        dates = [first_session(start_ns)]
        if wishes.nights_pass:
            dates.insert(0, _session_before(start_ns))
    except ValueError as error:
        raise Mistake(str(error), where=where) from None
    found = next((date for date in dates if _has(broker, date)), None)
    if found is None:
        listed = broker.market.session_dates()
        first, last = (BASE_DATE, LAST_SESSION) if listed is None else (listed[0], listed[-1])
        known = f"{first} to {last}"
        raise Mistake(f"no session of {dates[-1]} in this market: it has {known}", where=where)
    return start_ns, found


def _session_before(start_ns: int) -> str:
    """The session that is going on, from 04:00 on, or the last one before."""
    day = new_york_date(start_ns)
    session = session_on(day)
    is_begun = session is not None and start_ns >= session.pre_open_ns
    return day if is_begun else previous_session(day).date


def _has(broker: SimulatedBroker, date: str) -> bool:
    dates = broker.market.session_dates()
    return BASE_DATE <= date <= LAST_SESSION if dates is None else date in dates


def _add_scripts(broker: SimulatedBroker, wishes: Wishes, start_ns: int | None) -> None:
    """A time without a date is of the session that this life begins with."""
    if wishes.faults is not None:
        for rule in read_faults(wishes.faults, fault_scene(broker)):
            broker.faults.add(rule)
    if wishes.events is not None:
        day = broker.next_session_date(FIRST_SESSION) or FIRST_SESSION
        day = day if start_ns is None else first_session(start_ns)
        broker.expect(read_events(wishes.events, event_scene(broker, day)))

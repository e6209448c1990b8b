"""A simulated broker made of a program's words, those of `trade broker`; and the sessions that pass over it."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from pathlib import Path

from msgspec import Struct

from trader.calendar import clock_text, new_york_date, session_on
from trader.exits import Mistake
from trader.feeds.synthetic import FIRST_SESSION
from trader.simulator.books import OPENING_CASH
from trader.simulator.broker import Keys, SimulatedBroker
from trader.simulator.plan import PLANS
from trader.simulator.script import Script
from trader.simulator.server import LOOPBACK
from trader.simulator.venue_script import MULTIPLIERS
from trader.simulator.wishes import NIGHTS, Served, Wishes, served_of

LEFT_OUT = "closed hours are left out (--nights pass has them)"
Table = Mapping[str, object]
Tables = str | Path | Sequence[Table]


class Standing(Struct, frozen=True, kw_only=True):
    """The options of `trade broker`, in Python: where one names a TOML file, its tables may stand here instead.

    `symbols` None: those that the market has. `speed` is market seconds a machine second; None: time stands until it
    is moved. `nights` are left out ("skip") or "pass". `data` are files or folders of recorded bars, quotes and
    trades; else the market is the synthetic one of `seed`. `terms` are those of trading, such as {"latency": 0.25}.
    """

    symbols: str | Sequence[str] | None = None
    seed: int = 7
    start: str | None = None
    speed: float | None = None
    nights: str = "skip"
    cash: Decimal | int | str = OPENING_CASH
    multiplier: int = 1
    data: str | Path | Sequence[str | Path] = ()
    state: str | Path | None = None
    journal: str | Path | None = None
    faults: Tables = ()
    events: Tables = ()
    accounts: Tables = ()
    terms: Mapping[str, object] = {}
    plan: str = "paid"
    text_frames: bool = False
    rate_limit: int | None = None

    def served(self, keys: Keys | None = None) -> Served:
        """Raises Mistake; without `keys` there are new ones, or those of the state."""
        self._check()
        symbols = self.symbols
        data = [self.data] if isinstance(self.data, str | Path) else self.data
        return served_of(
            Wishes(
                data=tuple(map(str, data)),
                symbols=symbols
                if symbols is None or isinstance(symbols, str)
                else ",".join(symbols),
                seed=self.seed,
                start=self.start,
                pace="stepped" if self.speed is None else "clock",
                speed=1.0 if self.speed is None else self.speed,
                nights=self.nights,
                events=_script("events", "event", self.events),
                venue=_script("accounts", "account", self.accounts),
                cash=str(self.cash),
                multiplier=self.multiplier,
                terms=tuple(f"{name}={value}" for name, value in self.terms.items()),
                state=None if self.state is None else Path(self.state),
                journal=None if self.journal is None else Path(self.journal),
                host=LOOPBACK,
                port=0,
                admin_token=None,
                faults=_script("faults", "fault", self.faults),
                plan=self.plan,
                text_frames=self.text_frames,
                rate_limit=self.rate_limit,
                keys=keys,
            )
        )

    def _check(self) -> None:
        """What the command line would not have let through."""
        possible = {
            "multiplier": self.multiplier in MULTIPLIERS,
            "plan": self.plan in PLANS,
            "nights": self.nights in NIGHTS,
            "rate_limit": self.rate_limit is None or self.rate_limit >= 1,
        }
        for name, is_possible in possible.items():
            if not is_possible:
                raise Mistake(f"not possible: {getattr(self, name)!r}", where=name)


def _script(name: str, table: str, given: Tables) -> Script | None:
    if isinstance(given, str | Path):
        return Script(name=str(given), text=Path(given).read_text(encoding="utf-8"))
    return Script(name=name, tables={table: list(given)}) if given else None


async def begin(served: Served) -> None:
    """Let all of it pass until the market stands where it is to begin: at its first words, unless it is told."""
    broker, start_ns = served.broker, served.start_ns
    if start_ns is None:
        begin_next(broker, nights_pass=served.nights_pass)
        return
    date = served.begins_with
    coming = broker.next_session_date(date)
    if coming is not None and coming > date:
        broker.rest_until(start_ns)
    else:
        broker.begin_session(date, pre_market=True if served.nights_pass else None)
    await broker.advance_to(start_ns, served.first_session)


async def pass_sessions(served: Served, speed: float) -> None:
    """One after the other; where a recorded market ends, the broker stays, closed."""
    while True:
        await served.broker.run_clock(speed, night_passes=served.nights_pass)
        if not begin_next(served.broker, nights_pass=served.nights_pass):
            return


def begin_next(broker: SimulatedBroker, *, nights_pass: bool = False) -> bool:
    """The next session or, where nights pass, the closed hours before it; False: the market has no more."""
    date = broker.next_session_date(FIRST_SESSION)
    session = session_on(date) if date is not None else None
    if session is None:
        return False
    lives = nights_pass and broker.now_ns > 0
    begins_ns = min(broker.first_ns(session), session.pre_open_ns)
    if lives and broker.now_ns < begins_ns:
        broker.rest_until(begins_ns)
    else:
        broker.begin_session(session.date, pre_market=True if lives else None)
    return True


def standing_words(served: Served, *, is_stepped: bool) -> str:
    """Where the market stands, why that is elsewhere than it was told, and whether closed hours pass."""
    now_ns, asked_ns = served.broker.market_ns(), served.asked_ns
    words = _words(now_ns)
    if asked_ns is not None and asked_ns < now_ns:
        words += f", not {_words(asked_ns)}"
        if served.start_ns is None:
            return f"{words}: the account has come so far"
        return f"{words}: {'there is nothing before' if served.nights_pass else LEFT_OUT}"
    if is_stepped:
        return words
    return f"{words}; {'closed hours pass, too' if served.nights_pass else LEFT_OUT}"


def _words(at_ns: int) -> str:
    return f"{new_york_date(at_ns)}T{clock_text(at_ns)}"

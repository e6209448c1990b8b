"""What a seed draws: which faults, how often, the limits, the lines and the plan of what befalls the program.

Each fault draws from a generator of its own, so that leaving one out changes nothing of the others: that is what
makes shrinking possible. Some seeds are calm, some are aimed (few faults, often), most have a little of everything.
"""

from collections.abc import Collection
from decimal import Decimal
from random import Random

from msgspec import Struct
from msgspec.structs import replace

from trader.limits import CanaryLimits, Limits
from trader.model import MINUTE_NS, SECOND_NS, Side, Symbol
from trader.money import ONE
from trader.simulation.fault import AIMS, AT_THE_CLOSE, RATES, RULES, SHARED, WORDS, YOUNGER, Fault
from trader.simulator.faults import FaultRule
from trader.simulator.scheduled import EventName, ScheduledEvent

# The last seconds of a session: only so is anything sent then, what rests until the close canceled, and what was sent
# not heard of before the next life.
LAST_WORD = {
    Fault.OPERATOR: "flatten",
    Fault.WILD_REQUESTS: "all want in",
    Fault.CRASH: "POST arrives",
}
# Where a process is killed: the ports it passes, by the beginning of their names.
ARRIVES = "POST arrives"
SESSION_MINUTES = 390
AT_CLOSE_PART = 0.2  # of what befalls us, where the close is within it
AT_CLOSE_PART_AIMED = 0.8
AT_CLOSE_S = (-8.0, 40.0)
AT_CLOSE_S_AIMED = (-6.0, 1.0)
BACKUP_BEFORE_CLOSE_S = (60.0, 900.0)
YOUNGER_PART = 0.2  # of worlds of a few faults
PATIENT = 12.0
TIGHT_PART = 0.12  # of the limits of all worlds
DOLLARS_A_DAY = (*map(Decimal, (6_000, 30_000, 100_000, 1_000_000, 10_000_000)),)
CANARY = CanaryLimits(
    order_notional_max=Decimal(1_200),
    position_notional_max=Decimal(1_200),
    entries_per_day_max=12,
)
OVERFILL_SHARES = Decimal(50)
HALTED_S = (60.0, 900.0)
STEPS = (
    "POST leaves",
    ARRIVES,
    ARRIVES,
    ARRIVES,
    "POST replied",
    "GET replied",
    "DELETE leaves",
    "hears",
    "before commit",
    "after commit",
    "",
)


class Misfortune(Struct, frozen=True, kw_only=True):
    """One thing of the plan: from `at_s` on, what befalls our process; `word` and `amount` say how."""

    at_s: float
    fault: Fault
    word: str = ""
    amount: float = 0.0


class Setting(Struct, frozen=True, kw_only=True):
    """One seed's world. Times in virtual seconds from its beginning."""

    seed: int
    hours: float
    begins_minute: int  # of the session
    is_about_the_close: bool  # most of what befalls us does then
    limits: Limits
    rates: dict[Fault, float]  # those that are on
    latency_s: tuple[float, float]
    commit_s: tuple[float, float]
    participation: (
        Decimal  # part of a bar's volume that one may take: the less, the more partial fills
    )
    partial: float  # how often an order meets a part of what is quoted only
    arrival_s: float  # how long an order needs to reach the venue's book
    cancel_s: float  # how long the venue needs for a cancel
    cash: Decimal  # of the account, at first
    restlessness: float  # how often a worker wants something
    plan: tuple[Misfortune, ...]

    @property
    def patience(self) -> float:
        """How much more seldom workers want out: where ticks lie near a level, positions last until levels are met."""
        return PATIENT if Fault.LONE_TICK in self.rates else 1.0

    @property
    def heals_s(self) -> float:
        """When everything stops going wrong."""
        return self.hours * 3600.0

    @property
    def close_s(self) -> float:
        """When the session ends."""
        return _close_s(self.begins_minute)

    def rate(self, fault: Fault) -> float:
        return self.rates.get(fault, 0.0)

    def rules_of(self) -> list[Fault]:
        """The faults that are rules of the simulated broker's, in the order of `rules`."""
        return [fault for fault in RULES if fault in self.rates]

    def rules(self, heals_ns: int) -> list[FaultRule]:
        """For the simulated broker."""
        return [self._rule(one, heals_ns) for one in self.rules_of()]

    def _rule(self, fault: Fault, heals_ns: int) -> FaultRule:
        rule = replace(RULES[fault], probability=self.rates[fault], times=None, until_ns=heals_ns)
        own = Random(f"{self.seed}/{fault}/rule")
        if fault in WORDS:
            return replace(rule, word=own.choice(WORDS[fault]))
        if fault in (Fault.FILL_AFTER_CANCEL, Fault.FILL_WHILE_CANCELLING):
            return replace(rule, quantity=own.choice((None, ONE)))
        if fault is Fault.ACCEPT_THEN_504:
            return replace(rule, delay_s=own.choice((0.0, 8.0)))
        return rule


def drawn(
    seed: int, hours: float, allowed: Collection[Fault] = tuple(Fault), *, aimed: bool = False
) -> Setting:
    """The setting of a seed; the same for the same arguments, on every machine.

    `aimed` has each allowed fault strike in every world, also in those that would have drawn it off.
    """
    random = Random(f"{seed}/setting")
    mood = random.choice(("calm", "few", "aimed", "aimed", "mixed", "mixed", "mixed"))
    few, aim = random.sample([one for one in Fault if one not in YOUNGER], 3), random.choice(AIMS)
    rates: dict[Fault, float] = {}
    for fault in Fault:
        own = Random(f"{seed}/{fault}")
        rate = RATES[fault] * own.choice((0.3, 1.0, 1.0, 2.5))
        if mood == "calm":
            is_on = own.random() < 0.15
        elif mood in ("few", "aimed"):
            is_on = fault in (few if mood == "few" else aim)
            if fault in YOUNGER:
                is_on = own.random() < YOUNGER_PART
            rate = min(rate * 3, max(rate, 0.5))
        else:
            is_on = own.random() < 0.6
        if fault in allowed if aimed else is_on:
            rates[fault] = rate
    # Bounded before the others are left out: whatever is allowed, a fault strikes as often.
    rates = {fault: rate for fault, rate in _bounded(rates).items() if fault in allowed}
    is_about_the_close = mood == "aimed" and aim is AT_THE_CLOSE
    begins = _beginning(random, hours, is_about_the_close)
    slow = random.choice((0.005, 0.05, 0.3))
    return Setting(
        seed=seed,
        hours=hours,
        begins_minute=begins,
        is_about_the_close=is_about_the_close,
        limits=_limits(random, Random(f"{seed}/limits")),
        rates=rates,
        latency_s=(0.001, slow),
        commit_s=(0.0002, random.choice((0.002, 0.02, 0.2))),
        participation=Decimal(random.choice(("0.1", "0.1", "0.0001", "0.00001"))),
        partial=random.choice((0.0, 0.3, 0.8)),
        arrival_s=random.choice((2.0, 70.0) if is_about_the_close else (0.0, 0.0, 0.0, 2.0, 70.0)),
        cancel_s=random.choice((1.0, 10.0) if is_about_the_close else (0.0, 0.0, 3.0, 10.0)),
        cash=Decimal(random.choice((250_000, 250_000, 250_000, 250_000, 20_000, 4_000))),
        restlessness=random.choice((0.1,) if is_about_the_close else (0.1, 0.2, 0.4)),
        plan=tuple(
            sorted(
                _plan(seed, hours, _close_s(begins), is_about_the_close, rates),
                key=lambda one: (one.at_s, one.fault),
            )
        ),
    )


def _bounded(rates: dict[Fault, float]) -> dict[Fault, float]:
    """What shares a kind of occasion made smaller together where it is too much."""
    bounded = dict(rates)
    for most, together in SHARED:
        total = sum(rate for fault, rate in rates.items() if fault in together)
        for fault in together & rates.keys():
            bounded[fault] *= min(1.0, most / total)
    return bounded


def _beginning(random: Random, hours: float, is_about_the_close: bool) -> int:
    """In the morning, at noon, so that peace comes with the close, or so that the close comes before peace."""
    to_the_close = int(SESSION_MINUTES - 60 * hours)
    before_peace = to_the_close + random.randrange(5, 25)
    begins = random.choice((0, 120, to_the_close, before_peace, before_peace))
    return max(0, before_peace if is_about_the_close else begins)


def _limits(random: Random, own: Random) -> Limits:
    """Mostly so wide that orders come of wishes, each sometimes so narrow that it says no."""

    def pick(*values: int | str) -> Decimal:
        return Decimal(values[0] if random.random() < TIGHT_PART else random.choice(values[1:]))

    return Limits(
        order_notional_max=pick(1_500, 5_000, 20_000),
        position_notional_max=pick(2_000, 12_500, 50_000),
        exposure_max=pick("0.05", "1", "4"),
        entries_open_max=int(pick(1, 3, 20)),
        entries_per_minute_max=int(pick(1, 3, 10, 100)),
        entries_per_symbol_per_day_max=int(pick(2, 10, 1_000)),
        entries_notional_per_day_max=own.choice(DOLLARS_A_DAY),
        executions_repeated_max=int(pick(2, 5, 1_000)),
        loss_day_max=pick("0.0001", "0.02", "0.5"),
        drawdown_max=pick("0.0001", "0.06", "0.5"),
        adds_max=int(pick(2, 0, 2)),
        stop_required=bool(pick(1, 0)),
        canary=CANARY if own.random() < TIGHT_PART else None,
    )


def _plan(
    seed: int, hours: float, close_s: float, is_about_it: bool, rates: dict[Fault, float]
) -> list[Misfortune]:
    plan: list[Misfortune] = []
    for fault in _PLANNED:
        if fault not in rates:
            continue
        random = Random(f"{seed}/{fault}/plan")
        expected = rates[fault] * hours / 2
        for _ in range(int(expected) + (random.random() < expected % 1)):
            one = Misfortune(
                at_s=_moment(random, fault, hours * 3600, close_s, is_about_it),
                fault=fault,
                word=random.choice(STEPS),
                amount=random.random(),
            )
            if fault in LAST_WORD and is_about_it and _is_at(close_s, one.at_s):
                one = replace(one, word=LAST_WORD[fault])
            plan.append(one)
    return plan


def _is_at(close_s: float, at_s: float) -> bool:
    before_s, after_s = AT_CLOSE_S_AIMED
    return before_s <= at_s - close_s <= after_s


def _close_s(begins_minute: int) -> float:
    return (SESSION_MINUTES - begins_minute) * 60.0


def _moment(
    random: Random, fault: Fault, heals_s: float, close_s: float, is_about_it: bool
) -> float:
    """Any; or around the close, when orders end by themselves."""
    span_s = AT_CLOSE_S_AIMED if is_about_it else AT_CLOSE_S
    at_s, after_s = random.uniform(0.01, 0.97) * heals_s, random.uniform(*span_s)
    if fault is Fault.RESTORED_BACKUP:
        after_s = -random.uniform(*BACKUP_BEFORE_CLOSE_S)
    part = AT_CLOSE_PART_AIMED if is_about_it else AT_CLOSE_PART
    is_at_close = random.random() < part and 0 < close_s + after_s < heals_s - 60.0
    return round(close_s + after_s if is_at_close else at_s, 3)


_PLANNED = (
    Fault.CRASH,
    Fault.TORN_TAIL,
    Fault.COMMIT_FAILS,
    Fault.DISK_FULL,
    Fault.STALE_CODE,
    Fault.SECOND_PROCESS,
    Fault.TAKE_OVER,
    Fault.WORKER_FAILS,
    Fault.SLOW_STRATEGY,
    Fault.OPERATOR,
    Fault.WILD_REQUESTS,
    Fault.CLOCK_JUMP,
    Fault.MACHINE_SLEEPS,
    Fault.RESTORED_BACKUP,
)
_BEFALLS = {
    Fault.TRADE_BUST: EventName.TRADE_BUST,
    Fault.TRADE_CORRECT: EventName.TRADE_CORRECT,
    Fault.HAND_TRADE: EventName.HAND_TRADE,
    Fault.LATE_FILL: EventName.FILL,
    Fault.OVERFILL: EventName.FILL,
    Fault.LATE_REJECT: EventName.REJECT,
    Fault.VENUE_RESTART: EventName.RESTART,
    Fault.BAD_TICK: EventName.BAD_TICK,
    Fault.PRICE_GAP: EventName.GAP,
    Fault.TRADING_HALT: EventName.HALT,
}
_MOVES = (
    EventName.FEE,
    EventName.INTEREST,
    EventName.DEPOSIT,
    EventName.WITHDRAWAL,
    EventName.DIVIDEND,
)


def fault_of(event: ScheduledEvent) -> Fault:
    """Which fault an event belongs to."""
    if event.name is EventName.RESUME:
        return Fault.TRADING_HALT
    if event.quantity == OVERFILL_SHARES:
        return Fault.OVERFILL
    return next((one for one, name in _BEFALLS.items() if name is event.name), Fault.MONEY_MOVES)


def befalling(setting: Setting, began_ns: int, symbols: tuple[Symbol, ...]) -> list[ScheduledEvent]:
    """What the outer world does to the account and the venue, for the simulated broker's agenda."""
    events: list[ScheduledEvent] = []
    for fault in (*_BEFALLS, Fault.MONEY_MOVES):
        random = Random(f"{setting.seed}/{fault}/events")
        expected = setting.rate(fault) * setting.hours / 2
        for _ in range(int(expected) + (random.random() < expected % 1)):
            name = _BEFALLS.get(fault) or random.choice(_MOVES)
            at_s = _moment(
                random, fault, setting.heals_s, setting.close_s, setting.is_about_the_close
            )
            event = _event(random, name, began_ns + int(at_s * SECOND_NS), symbols)
            if name is EventName.BAD_TICK and not event.at_ns % MINUTE_NS:
                event = replace(event, at_ns=event.at_ns + 1)  # It is known by its time.
            if name is EventName.FILL:
                some = random.choice((None, None, ONE))
                event = replace(
                    event, quantity=OVERFILL_SHARES if fault is Fault.OVERFILL else some
                )
            events.append(event)
    return sorted(events, key=lambda one: one.at_ns)


def _event(
    random: Random, name: EventName, at_ns: int, symbols: tuple[Symbol, ...]
) -> ScheduledEvent:
    symbol, side = random.choice(symbols), random.choice(list(Side))
    cents = Decimal(random.randrange(1, 5_000)) / 100
    if name in (EventName.BAD_TICK, EventName.GAP, EventName.HALT):
        return _of_market(random, name, at_ns, symbol)
    by_symbol = name in (EventName.DIVIDEND, EventName.HAND_TRADE)
    return ScheduledEvent(
        at_ns=at_ns,
        name=name,
        symbol=symbol if by_symbol else Symbol(""),
        amount=Decimal("0.11") if name is EventName.DIVIDEND else cents,
        quantity=Decimal(random.randrange(1, 20)) if name is EventName.HAND_TRADE else None,
        price=Decimal(10_000) if name is EventName.HAND_TRADE and side is Side.BUY else None,
        side=side,
    )


def _of_market(random: Random, name: EventName, at_ns: int, symbol: Symbol) -> ScheduledEvent:
    """A single wrong quote, too far off for any decision; prices that move for good; a symbol that doesn't trade."""
    wrong = ("0.01", "0.5", "0.85", "1.2", "2", "100")
    moved = ("0.8", "0.97", "1.03", "1.3")
    return ScheduledEvent(
        at_ns=at_ns,
        name=name,
        symbol=symbol,
        what="quote" if name is EventName.BAD_TICK else "",
        ratio=Decimal(random.choice(moved if name is EventName.GAP else wrong)),
        duration_ns=int(random.uniform(*HALTED_S) * SECOND_NS) if name is EventName.HALT else None,
    )

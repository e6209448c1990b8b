"""What a seed draws: which faults, how often, the limits, the lines and the plan of what befalls the program.

Each fault draws from a generator of its own, so that leaving one out changes nothing of the others: that is what
makes shrinking possible. Some seeds are calm, some are aimed (few faults, often), most have a little of everything.
"""

from collections.abc import Collection
from decimal import Decimal
from enum import StrEnum
from random import Random

from msgspec import Struct

from trader.config import Limits
from trader.model import SECOND_NS, Side, Symbol
from trader.simulator.faults import EVENT, LISTEN, MARKET, FaultRule, FaultVerb
from trader.simulator.scheduled import EventName, ScheduledEvent

# Rule B5 waits a minute after the connection has ended: what the broker does later than that is beyond the promise.
LATE_S_MAX = 45


class Fault(StrEnum):
    """Everything that can go wrong. In brackets: who does it."""

    # [link]
    REQUEST_LOST = "request-lost"
    REPLY_LOST = "reply-lost"
    CONNECTION_REFUSED = "connection-refused"
    SLOW_LINE = "slow-line"
    STREAM_CUT = "stream-cut"
    STREAM_DEAD = "stream-dead"
    # [broker: requests]
    ACCEPT_THEN_504 = "accept-then-504"
    DROP_BEFORE_ACCEPT = "drop-before-accept"
    DROP_AFTER_ACCEPT = "drop-after-accept"
    DELAY_ACK = "delay-ack"
    EVENT_BEFORE_ACK = "event-before-ack"
    ACCEPT_LATE = "accept-late"
    NO_ID = "no-id"
    EMPTY_REPLY = "empty-reply"
    HALF_REPLY = "half-reply"
    ODD_WORD = "odd-word"
    TOO_MANY_REQUESTS = "429-burst"
    FAILED_QUERY = "failed-query"
    STALE_GET = "stale-get"
    LOOKUP_404 = "lookup-404"
    # [broker: orders and events]
    REJECT_AFTER_ACCEPT = "reject-after-accept"
    REJECT_CANCEL = "reject-cancel"
    FILL_WHILE_CANCELLING = "fill-while-cancelling"
    FILL_AFTER_CANCEL = "fill-after-cancel"
    DROP_EVENT = "drop-event"
    DUPLICATE_EVENT = "duplicate-event"
    DELAY_EVENT = "delay-event"
    REORDER_EVENTS = "reorder-events"
    REPLAY_EVENTS = "replay-events"
    MUTE_STREAM = "mute-stream"
    # [broker: the outer world]
    TRADE_BUST = "trade-bust"
    TRADE_CORRECT = "trade-correct"
    HAND_TRADE = "hand-trade"
    LATE_FILL = "late-fill"
    MONEY_MOVES = "money-moves"
    VENUE_RESTART = "venue-restart"
    # [our process and its machine]
    CRASH = "crash"
    TORN_TAIL = "torn-tail"
    COMMIT_FAILS = "commit-fails"
    DISK_FULL = "disk-full"
    STALE_CODE = "stale-code"
    SECOND_PROCESS = "second-process"
    TAKE_OVER = "take-over"
    WORKER_FAILS = "worker-fails"
    SLOW_WORKER = "slow-worker"
    OPERATOR = "operator"
    WILD_REQUESTS = "wild-requests"
    CLOCK_JUMP = "clock-jump"


# Of requests and events: the typical part of them that is struck. Of the rest: times in two hours.
_RATES = {
    Fault.REQUEST_LOST: 0.03,
    Fault.REPLY_LOST: 0.03,
    Fault.CONNECTION_REFUSED: 0.03,
    Fault.SLOW_LINE: 0.02,
    Fault.STREAM_CUT: 0.01,
    Fault.STREAM_DEAD: 0.005,
    Fault.ACCEPT_THEN_504: 0.1,
    Fault.DROP_BEFORE_ACCEPT: 0.08,
    Fault.DROP_AFTER_ACCEPT: 0.08,
    Fault.DELAY_ACK: 0.08,
    Fault.EVENT_BEFORE_ACK: 0.1,
    Fault.ACCEPT_LATE: 0.06,
    Fault.NO_ID: 0.06,
    Fault.EMPTY_REPLY: 0.06,
    Fault.HALF_REPLY: 0.06,
    Fault.ODD_WORD: 0.02,
    Fault.TOO_MANY_REQUESTS: 0.03,
    Fault.FAILED_QUERY: 0.05,
    Fault.STALE_GET: 0.03,
    Fault.LOOKUP_404: 0.3,
    Fault.REJECT_AFTER_ACCEPT: 0.05,
    Fault.REJECT_CANCEL: 0.2,
    Fault.FILL_WHILE_CANCELLING: 0.2,
    Fault.FILL_AFTER_CANCEL: 0.03,
    Fault.DROP_EVENT: 0.1,
    Fault.DUPLICATE_EVENT: 0.1,
    Fault.DELAY_EVENT: 0.08,
    Fault.REORDER_EVENTS: 0.08,
    Fault.REPLAY_EVENTS: 0.5,
    Fault.MUTE_STREAM: 0.01,
    Fault.TRADE_BUST: 1.0,
    Fault.TRADE_CORRECT: 1.0,
    Fault.HAND_TRADE: 1.0,
    Fault.LATE_FILL: 1.0,
    Fault.MONEY_MOVES: 2.0,
    Fault.VENUE_RESTART: 1.0,
    Fault.CRASH: 4.0,
    Fault.TORN_TAIL: 1.5,
    Fault.COMMIT_FAILS: 4.0,
    Fault.DISK_FULL: 1.0,
    Fault.STALE_CODE: 1.5,
    Fault.SECOND_PROCESS: 1.5,
    Fault.TAKE_OVER: 1.0,
    Fault.WORKER_FAILS: 3.0,
    Fault.SLOW_WORKER: 2.0,
    Fault.OPERATOR: 8.0,
    Fault.WILD_REQUESTS: 40.0,
    Fault.CLOCK_JUMP: 1.0,
}

_RULES: dict[Fault, FaultRule] = {
    Fault.ACCEPT_THEN_504: FaultRule(
        verb=FaultVerb.ACCEPT_THEN_504, method="POST", path_prefix="/v2/orders"
    ),
    Fault.DROP_BEFORE_ACCEPT: FaultRule(verb=FaultVerb.DROP_BEFORE_ACCEPT, method="POST"),
    Fault.DROP_AFTER_ACCEPT: FaultRule(verb=FaultVerb.DROP_AFTER_ACCEPT, method="POST"),
    Fault.DELAY_ACK: FaultRule(verb=FaultVerb.DELAY_ACK, method="POST", delay_s=12.0),
    Fault.EVENT_BEFORE_ACK: FaultRule(verb=FaultVerb.EVENT_BEFORE_ACK, method="POST", delay_s=3.0),
    Fault.ACCEPT_LATE: FaultRule(
        verb=FaultVerb.ACCEPT_LATE, method="POST", delay_ns=LATE_S_MAX * SECOND_NS
    ),
    Fault.NO_ID: FaultRule(verb=FaultVerb.NO_ID, method="POST"),
    Fault.EMPTY_REPLY: FaultRule(verb=FaultVerb.EMPTY_REPLY),
    Fault.HALF_REPLY: FaultRule(verb=FaultVerb.HALF_REPLY),
    Fault.ODD_WORD: FaultRule(verb=FaultVerb.ODD_WORD, method="POST", word="accepted_for_bidding"),
    Fault.TOO_MANY_REQUESTS: FaultRule(verb=FaultVerb.TOO_MANY_REQUESTS),
    Fault.FAILED_QUERY: FaultRule(verb=FaultVerb.ANSWER_INSTEAD, method="GET", status=500),
    Fault.STALE_GET: FaultRule(
        verb=FaultVerb.STALE_GET, method="GET", path_prefix="/v2/", delay_ns=20 * SECOND_NS
    ),
    Fault.LOOKUP_404: FaultRule(
        verb=FaultVerb.LOOKUP_404, method="GET", path_prefix="/v2/orders:by_client_order_id"
    ),
    Fault.REJECT_AFTER_ACCEPT: FaultRule(
        verb=FaultVerb.REJECT_AFTER_ACCEPT, method="POST", word="halted"
    ),
    Fault.REJECT_CANCEL: FaultRule(verb=FaultVerb.REJECT_CANCEL, method="DELETE"),
    Fault.FILL_WHILE_CANCELLING: FaultRule(verb=FaultVerb.FILL_WHILE_CANCELLING, method="DELETE"),
    Fault.FILL_AFTER_CANCEL: FaultRule(
        verb=FaultVerb.FILL_AFTER_CANCEL, method=EVENT, delay_ns=3 * SECOND_NS
    ),
    Fault.DROP_EVENT: FaultRule(verb=FaultVerb.DROP_EVENT, method=EVENT),
    Fault.DUPLICATE_EVENT: FaultRule(
        verb=FaultVerb.DUPLICATE_EVENT, method=EVENT, count=2, delay_ns=40 * SECOND_NS
    ),
    Fault.DELAY_EVENT: FaultRule(verb=FaultVerb.DELAY_EVENT, method=EVENT, delay_ns=25 * SECOND_NS),
    Fault.REORDER_EVENTS: FaultRule(verb=FaultVerb.REORDER_EVENTS, method=EVENT),
    Fault.REPLAY_EVENTS: FaultRule(verb=FaultVerb.REPLAY_EVENTS, method=LISTEN, count=20),
    Fault.MUTE_STREAM: FaultRule(
        verb=FaultVerb.MUTE_SOCKET, method=MARKET, duration_ns=200 * SECOND_NS
    ),
}
# These shake what our books and the venue's agree on; a symbol that they have touched is not held to A2 and A10.
UNFORESEEABLE = frozenset(
    {
        Fault.FILL_AFTER_CANCEL,
        Fault.TRADE_BUST,
        Fault.TRADE_CORRECT,
        Fault.HAND_TRADE,
        Fault.LATE_FILL,
    }
)
# Where a process is killed: the ports it passes, by the beginning of their names.
STEPS = (
    "POST leaves",
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
    limits: Limits
    rates: dict[Fault, float]  # those that are on
    latency_s: tuple[float, float]
    commit_s: tuple[float, float]
    participation: (
        Decimal  # part of a bar's volume that one may take: the less, the more partial fills
    )
    cancel_s: float  # how long the venue needs for a cancel
    restlessness: float  # how often a worker wants something
    plan: tuple[Misfortune, ...]

    @property
    def heals_s(self) -> float:
        """When everything stops going wrong."""
        return self.hours * 3600.0

    def rate(self, fault: Fault) -> float:
        return self.rates.get(fault, 0.0)

    def rules_of(self) -> list[Fault]:
        """The faults that are rules of the simulated broker's, in the order of `rules`."""
        return [fault for fault in _RULES if fault in self.rates]

    def rules(self, heals_ns: int) -> list[FaultRule]:
        """For the simulated broker."""
        return [_changed(_RULES[one], self.rates[one], heals_ns) for one in self.rules_of()]


def _changed(rule: FaultRule, rate: float, heals_ns: int) -> FaultRule:
    values = {name: getattr(rule, name) for name in FaultRule.__struct_fields__}
    return FaultRule(**values | {"probability": rate, "times": None, "until_ns": heals_ns})


def drawn(
    seed: int, hours: float, allowed: Collection[Fault] = tuple(Fault), *, aimed: bool = False
) -> Setting:
    """The setting of a seed; the same for the same arguments, on every machine.

    `aimed` has each allowed fault strike in every world, also in those that would have drawn it off.
    """
    random = Random(f"{seed}/setting")
    mood = random.choice(("calm", "aimed", "mixed", "mixed", "mixed"))
    targets = random.sample(list(Fault), 3)
    rates: dict[Fault, float] = {}
    for fault in Fault:
        own = Random(f"{seed}/{fault}")
        rate = _RATES[fault] * own.choice((0.3, 1.0, 1.0, 2.5))
        if mood == "calm":
            is_on = own.random() < 0.15
        elif mood == "aimed":
            is_on, rate = fault in targets, min(rate * 3, max(rate, 0.5))
        else:
            is_on = own.random() < 0.6
        if (is_on or aimed) and fault in allowed:
            rates[fault] = rate
    slow = random.choice((0.005, 0.05, 0.3))
    return Setting(
        seed=seed,
        hours=hours,
        begins_minute=random.choice((0, 0, 120, max(0, int(390 - 60 * hours)))),
        limits=_limits(random),
        rates=rates,
        latency_s=(0.001, slow),
        commit_s=(0.0002, random.choice((0.002, 0.02, 0.2))),
        participation=Decimal(random.choice(("0.1", "0.0001", "0.00001"))),
        cancel_s=random.choice((0.0, 0.0, 3.0)),
        restlessness=random.choice((0.05, 0.15, 0.4)),
        plan=tuple(sorted(_plan(seed, hours, rates), key=lambda one: (one.at_s, one.fault))),
    )


def _limits(random: Random) -> Limits:
    pick = random.choice
    return Limits(
        order_notional_max=Decimal(pick((1_500, 5_000, 20_000))),
        position_notional_max=Decimal(pick((2_000, 12_500, 50_000))),
        exposure_max=Decimal(pick(("0.05", "1", "1"))),
        entries_open_max=pick((1, 3, 20)),
        entries_per_minute_max=pick((1, 3, 10, 100)),
        entries_per_symbol_per_day_max=pick((2, 10, 1_000)),
        executions_repeated_max=pick((2, 5, 1_000)),
        loss_day_max=Decimal(pick(("0.0001", "0.02", "0.5"))),
        drawdown_max=Decimal(pick(("0.0001", "0.06", "0.5"))),
        adds_max=pick((0, 0, 2)),
    )


def _plan(seed: int, hours: float, rates: dict[Fault, float]) -> list[Misfortune]:
    plan: list[Misfortune] = []
    for fault in _PLANNED:
        if fault not in rates:
            continue
        random = Random(f"{seed}/{fault}/plan")
        expected = rates[fault] * hours / 2
        for _ in range(int(expected) + (random.random() < expected % 1)):
            plan.append(
                Misfortune(
                    at_s=round(random.uniform(0.01, 0.97) * hours * 3600, 3),
                    fault=fault,
                    word=random.choice(STEPS),
                    amount=random.random(),
                )
            )
    return plan


_PLANNED = (
    Fault.CRASH,
    Fault.TORN_TAIL,
    Fault.COMMIT_FAILS,
    Fault.DISK_FULL,
    Fault.STALE_CODE,
    Fault.SECOND_PROCESS,
    Fault.TAKE_OVER,
    Fault.WORKER_FAILS,
    Fault.SLOW_WORKER,
    Fault.OPERATOR,
    Fault.WILD_REQUESTS,
    Fault.CLOCK_JUMP,
)
_BEFALLS = {
    Fault.TRADE_BUST: EventName.TRADE_BUST,
    Fault.TRADE_CORRECT: EventName.TRADE_CORRECT,
    Fault.HAND_TRADE: EventName.HAND_TRADE,
    Fault.LATE_FILL: EventName.FILL,
    Fault.VENUE_RESTART: EventName.RESTART,
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
    return next((one for one, name in _BEFALLS.items() if name is event.name), Fault.MONEY_MOVES)


def befalling(setting: Setting, began_ns: int, symbols: tuple[Symbol, ...]) -> list[ScheduledEvent]:
    """What the outer world does to the account and the venue, for the simulated broker's agenda."""
    events: list[ScheduledEvent] = []
    for fault in (*_BEFALLS, Fault.MONEY_MOVES):
        random = Random(f"{setting.seed}/{fault}/events")
        expected = setting.rate(fault) * setting.hours / 2
        for _ in range(int(expected) + (random.random() < expected % 1)):
            name = _BEFALLS.get(fault) or random.choice(_MOVES)
            at_s = random.uniform(0.1, 0.95) * setting.heals_s
            events.append(_event(random, name, began_ns + int(at_s * SECOND_NS), symbols))
    return sorted(events, key=lambda one: one.at_ns)


def _event(
    random: Random, name: EventName, at_ns: int, symbols: tuple[Symbol, ...]
) -> ScheduledEvent:
    symbol, side = random.choice(symbols), random.choice(list(Side))
    cents = Decimal(random.randrange(1, 5_000)) / 100
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

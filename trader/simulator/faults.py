"""Scripted faults: a list of rules, each saying on which occasions something goes wrong, what, and how."""

from collections.abc import Iterable, Iterator
from decimal import Decimal
from enum import StrEnum
from fnmatch import fnmatchcase
from random import Random

from msgspec import Struct

from trader.calendar import new_york_clock_ns


class FaultVerb(StrEnum):
    """What goes wrong; fault_script.py says what each does, and which parameters of a rule say how."""

    # Requests that are not done.
    DROP_BEFORE_ACCEPT = "drop-before-accept"
    ANSWER_INSTEAD = "answer-instead"
    LOOKUP_404 = "lookup-404"
    TOO_MANY_REQUESTS = "429-burst"
    ACCEPT_LATE = "accept-late"
    # Requests that are done, and what is told of it.
    ACCEPT_THEN_504 = "accept-then-504"
    DROP_AFTER_ACCEPT = "drop-after-accept"
    DELAY_ACK = "delay-ack"
    EVENT_BEFORE_ACK = "event-before-ack"
    NO_ID = "no-id"
    EMPTY_REPLY = "empty-reply"
    HALF_REPLY = "half-reply"
    ODD_WORD = "odd-word"  # of events too
    STALE_GET = "stale-get"
    # Orders.
    REJECT_AFTER_ACCEPT = "reject-after-accept"
    REJECT_CANCEL = "reject-cancel"
    FILL_WHILE_CANCELLING = "fill-while-cancelling"
    FILL_AFTER_CANCEL = "fill-after-cancel"
    # Events on a stream, and market data.
    DROP_EVENT = "drop-event"
    DUPLICATE_EVENT = "duplicate-event"
    DELAY_EVENT = "delay-event"
    REORDER_EVENTS = "reorder-events"
    # Connections of streams.
    DISCONNECT_STREAM = "disconnect-stream"
    MUTE_SOCKET = "mute-socket"
    REFUSE_STREAM = "refuse-stream"
    REPLAY_EVENTS = "replay-events"


# The method of an occasion that is no request; its path says which.
EVENT = "EVENT"  # the kind of a trade update: 'fill'
MARKET = "MARKET"  # the channel: 'bars', 'quotes', 'trades'
CONNECT = "CONNECT"  # '/stream' or, whichever the feed, '/v2/iex'; as in the two below
AUTHENTICATE = "AUTHENTICATE"
LISTEN = "LISTEN"  # a subscription

_EVENT_VERBS = frozenset(
    {
        FaultVerb.DROP_EVENT,
        FaultVerb.DUPLICATE_EVENT,
        FaultVerb.DELAY_EVENT,
        FaultVerb.DISCONNECT_STREAM,
        FaultVerb.MUTE_SOCKET,
    }
)
_VERBS = {
    EVENT: _EVENT_VERBS
    | {FaultVerb.REORDER_EVENTS, FaultVerb.ODD_WORD, FaultVerb.FILL_AFTER_CANCEL},
    MARKET: _EVENT_VERBS,
    CONNECT: frozenset({FaultVerb.REFUSE_STREAM}),
    AUTHENTICATE: frozenset({FaultVerb.REFUSE_STREAM}),
    LISTEN: frozenset({FaultVerb.REFUSE_STREAM, FaultVerb.REPLAY_EVENTS, FaultVerb.MUTE_SOCKET}),
}
_REQUEST_VERBS = frozenset(FaultVerb) - frozenset().union(*_VERBS.values()) | {FaultVerb.ODD_WORD}


def verbs_on(method: str) -> frozenset[FaultVerb]:
    """What can go wrong on occasions of that method."""
    return _VERBS.get(method, _REQUEST_VERBS)


class Occasion(Struct, frozen=True, kw_only=True):
    """A request, an event, a piece of market data or a connection, as far as a rule can look at it.

    `at_ns` is market time.
    """

    method: str
    path: str
    at_ns: int
    symbol: str = ""
    client_order_id: str = ""
    account_id: str = ""

    @property
    def verbs(self) -> frozenset[FaultVerb]:
        """What can go wrong on it."""
        return verbs_on(self.method)


class FaultRule(Struct, frozen=True, kw_only=True):
    """Which occasions: empty matches any. Of those that match, `times` in a row go wrong, beginning with the nth.

    `times` None: all of them. With a `probability` below 1 each of them only goes wrong by the broker's seeded chance.
    `delay_s` is machine time and holds back any request's reply, `delay_ns` and `duration_ns` are market time.
    `client_order_id` may have wildcards: 'momo-*'. `clock_from_ns` to `clock_until_ns` is New York's time of day.
    """

    verb: FaultVerb
    method: str = ""
    path_prefix: str = ""
    symbol: str = ""
    client_order_id_prefix: str = ""
    client_order_id: str = ""
    account_id: str = ""
    from_ns: int = 0
    until_ns: int | None = None
    clock_from_ns: int = 0
    clock_until_ns: int | None = None
    nth: int = 1
    times: int | None = 1
    probability: float = 1.0
    delay_s: float = 0.0
    delay_ns: int = 0
    duration_ns: int | None = None
    status: int = 0  # 0: the verb's own
    body: str | None = None
    word: str = ""
    count: int = 1
    quantity: Decimal | None = None

    def matches(self, occasion: Occasion) -> bool:
        return (
            self.method in ("", occasion.method)
            and self.verb in occasion.verbs
            and occasion.path.startswith(self.path_prefix)
            and self.symbol in ("", occasion.symbol)
            and self.account_id in ("", occasion.account_id)
            and occasion.client_order_id.startswith(self.client_order_id_prefix)
            and (
                not self.client_order_id
                or fnmatchcase(occasion.client_order_id, self.client_order_id)
            )
            and occasion.at_ns >= self.from_ns
            and (self.until_ns is None or occasion.at_ns < self.until_ns)
            and self._has_its_hour(occasion.at_ns)
        )

    def _has_its_hour(self, at_ns: int) -> bool:
        if not self.clock_from_ns and self.clock_until_ns is None:
            return True
        clock_ns = new_york_clock_ns(at_ns)
        is_before = self.clock_until_ns is None or clock_ns < self.clock_until_ns
        return clock_ns >= self.clock_from_ns and is_before


class StandingRule(Struct, frozen=True, kw_only=True):
    """A rule, how often its occasion has come and how often it has struck; `number` names it for ever."""

    number: int
    rule: FaultRule
    matches: int
    strikes: int


class Faults:
    """The rules, how often each has matched, and how often each has struck."""

    def __init__(self, rules: Iterable[FaultRule] = (), random: Random | None = None) -> None:
        self._random = random or Random(0)
        self._rules: list[FaultRule] = []
        self._matches: list[int] = []
        self._standing: dict[int, FaultRule] = {}
        self._concerned: dict[str, list[tuple[int, FaultRule]]] = {}  # by method, as they stand
        self.strikes: list[int] = []
        for rule in rules:
            self.add(rule)

    @property
    def rules(self) -> tuple[FaultRule, ...]:
        """All that there ever were, in order; `strikes` goes with them."""
        return tuple(self._rules)

    def standing(self) -> list[StandingRule]:
        """Those that may still strike."""
        return [
            StandingRule(
                number=number,
                rule=rule,
                matches=self._matches[number],
                strikes=self.strikes[number],
            )
            for number, rule in self._standing.items()
        ]

    def add(self, rule: FaultRule) -> int:
        """Its number."""
        number = len(self._rules)
        self._rules.append(rule)
        self._matches.append(0)
        self.strikes.append(0)
        self._standing[number] = rule
        self._concerned.clear()
        return number

    def remove(self, number: int) -> None:
        """KeyError: no such rule stands."""
        del self._standing[number]
        self._concerned.clear()

    def clear(self) -> None:
        self._standing.clear()
        self._concerned.clear()

    def concern(self, method: str) -> bool:
        """May any rule match an occasion of this method, which is none of a request's?"""
        return any(True for _ in self._on(method))

    def accounts_on(self, method: str) -> frozenset[str]:
        """Accounts that rules for such an occasion name: what all hear together, each of them may hear otherwise."""
        return frozenset(rule.account_id for rule in self._on(method)) - {""}

    def _on(self, method: str) -> Iterator[FaultRule]:
        for rule in self._standing.values():
            if rule.verb in _VERBS[method] and rule.method in ("", method):
                yield rule

    def stale_ns_max(self) -> int | None:
        """How far back somebody may be shown the account; None: nobody is."""
        rules = self._standing.values()
        stale = [rule.delay_ns for rule in rules if rule.verb is FaultVerb.STALE_GET]
        return max(stale, default=None)

    def rule_for(self, occasion: Occasion, *, only_own: bool = False) -> FaultRule | None:
        """The first rule whose turn it is decides; every rule that matches counts the occasion.

        `only_own`: rules for all accounts have had their turn.
        """
        method = occasion.method
        concerned = self._concerned.get(method)
        if concerned is None:
            concerned = self._concerned[method] = self._standing_on(method)
        turns = [
            number
            for number, rule in concerned
            if (rule.account_id or not only_own)
            and rule.matches(occasion)
            and self._is_turn(number, rule)
        ]
        if not turns:
            return None
        self.strikes[turns[0]] += 1
        return self._rules[turns[0]]

    def _standing_on(self, method: str) -> list[tuple[int, FaultRule]]:
        """Those that may match an occasion of this method."""
        verbs = verbs_on(method)
        return [
            (number, rule)
            for number, rule in self._standing.items()
            if rule.verb in verbs and rule.method in ("", method)
        ]

    def _is_turn(self, number: int, rule: FaultRule) -> bool:
        self._matches[number] += 1
        count = self._matches[number] - rule.nth
        if count < 0 or (rule.times is not None and count >= rule.times):
            return False
        return rule.probability >= 1 or self._random.random() < rule.probability

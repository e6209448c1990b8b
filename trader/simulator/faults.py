"""Scripted faults: a list of rules, each saying on which occasions something goes wrong, what, and how."""

from collections.abc import Iterable
from decimal import Decimal
from enum import StrEnum
from random import Random

from msgspec import Struct


class FaultVerb(StrEnum):
    """What goes wrong. In brackets: the parameters of the rule that say how."""

    # Requests that are not done.
    DROP_BEFORE_ACCEPT = "drop-before-accept"  # the connection closes without a reply
    ANSWER_INSTEAD = "answer-instead"  # a made-up reply [status 500, body]
    LOOKUP_404 = "lookup-404"  # Alpaca's own words for an order that it doesn't know
    TOO_MANY_REQUESTS = "429-burst"  # Alpaca's own words for too many requests
    ACCEPT_LATE = "accept-late"  # an error now [status 504], done `delay_ns` later
    # Requests that are done, and what is told of it.
    ACCEPT_THEN_504 = "accept-then-504"  # the reply says: gateway timeout [status 504, body]
    DROP_AFTER_ACCEPT = "drop-after-accept"  # the connection closes without a reply
    DELAY_ACK = "delay-ack"  # the reply comes late [delay_s]
    EVENT_BEFORE_ACK = "event-before-ack"  # the reply waits until the streams have told [delay_s]
    NO_ID = "no-id"  # the reply has no broker's id
    EMPTY_REPLY = "empty-reply"  # 200 and nothing else
    HALF_REPLY = "half-reply"  # 200 and the first half of the reply
    ODD_WORD = "odd-word"  # a status or an event that nobody knows [word]; of events too
    STALE_GET = "stale-get"  # the account as it stood `delay_ns` ago, before that instant
    # Orders.
    REJECT_AFTER_ACCEPT = "reject-after-accept"  # after its 200 [delay_ns, word: the reason]
    REJECT_CANCEL = "reject-cancel"  # the cancel got its 204; the order lives on
    FILL_WHILE_CANCELLING = "fill-while-cancelling"  # traded while its cancel is pending [quantity]
    FILL_AFTER_CANCEL = "fill-after-cancel"  # an end was told, a fill follows [delay_ns, quantity]
    # Events on a stream, and market data.
    DROP_EVENT = "drop-event"  # never told
    DUPLICATE_EVENT = "duplicate-event"  # told `count` times more [delay_ns: that much later]
    DELAY_EVENT = "delay-event"  # told `delay_ns` later
    REORDER_EVENTS = "reorder-events"  # told after the next one, or at the next instant
    # Connections of streams.
    DISCONNECT_STREAM = "disconnect-stream"  # cut, with what is on its way
    MUTE_SOCKET = "mute-socket"  # open, but nothing comes [duration_ns, else until it reconnects]
    REFUSE_STREAM = "refuse-stream"  # it can't connect, authenticate or subscribe [status]
    REPLAY_EVENTS = "replay-events"  # the last `count` events again when it listens


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


class Occasion(Struct, frozen=True, kw_only=True):
    """A request, an event, a piece of market data or a connection, as far as a rule can look at it.

    `at_ns` is market time.
    """

    method: str
    path: str
    at_ns: int
    symbol: str = ""
    client_order_id: str = ""

    @property
    def verbs(self) -> frozenset[FaultVerb]:
        """What can go wrong on it."""
        return _VERBS.get(self.method, _REQUEST_VERBS)


class FaultRule(Struct, frozen=True, kw_only=True):
    """Which occasions: empty matches any. Of those that match, `times` in a row go wrong, beginning with the nth.

    `times` None: all of them. With a `probability` below 1 each of them only goes wrong by the broker's seeded chance.
    The parameters of each verb are named beside it; `delay_s` is machine time and holds back any request's reply,
    `delay_ns` and `duration_ns` are market time.
    """

    verb: FaultVerb
    method: str = ""
    path_prefix: str = ""
    symbol: str = ""
    client_order_id_prefix: str = ""
    from_ns: int = 0
    until_ns: int | None = None
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
            and occasion.client_order_id.startswith(self.client_order_id_prefix)
            and occasion.at_ns >= self.from_ns
            and (self.until_ns is None or occasion.at_ns < self.until_ns)
        )


class Faults:
    """The rules, how often each has matched, and how often each has struck."""

    def __init__(self, rules: Iterable[FaultRule] = (), random: Random | None = None) -> None:
        self._random = random or Random(0)
        self._rules: list[FaultRule] = []
        self._matches: list[int] = []
        self.strikes: list[int] = []
        for rule in rules:
            self.add(rule)

    @property
    def rules(self) -> tuple[FaultRule, ...]:
        return tuple(self._rules)

    def add(self, rule: FaultRule) -> None:
        self._rules.append(rule)
        self._matches.append(0)
        self.strikes.append(0)

    def concern(self, method: str) -> bool:
        """May any rule match an occasion of this method, which is none of a request's?"""
        return any(
            rule.verb in _VERBS[method] and rule.method in ("", method) for rule in self._rules
        )

    def stale_ns_max(self) -> int | None:
        """How far back somebody may be shown the account; None: nobody is."""
        stale = [rule.delay_ns for rule in self._rules if rule.verb is FaultVerb.STALE_GET]
        return max(stale, default=None)

    def rule_for(self, occasion: Occasion) -> FaultRule | None:
        """The first rule whose turn it is decides; every rule that matches counts the occasion."""
        turns = [
            index
            for index, rule in enumerate(self._rules)
            if rule.matches(occasion) and self._is_turn(index, rule)
        ]
        if not turns:
            return None
        self.strikes[turns[0]] += 1
        return self._rules[turns[0]]

    def _is_turn(self, index: int, rule: FaultRule) -> bool:
        self._matches[index] += 1
        count = self._matches[index] - rule.nth
        if count < 0 or (rule.times is not None and count >= rule.times):
            return False
        return rule.probability >= 1 or self._random.random() < rule.probability

"""Scripted faults: a small list of rules, each saying which requests go wrong and how."""

from collections.abc import Iterable
from enum import StrEnum

from msgspec import Struct


class FaultVerb(StrEnum):
    """What goes wrong. More verbs, on streams and executions, follow the same pattern."""

    ACCEPT_THEN_504 = "accept-then-504"  # done, but the reply says: gateway timeout
    DROP_AFTER_ACCEPT = "drop-after-accept"  # done, and the connection closes without a reply
    DROP_BEFORE_ACCEPT = "drop-before-accept"  # not done, and the connection closes without a reply
    DROP_EVENT = (
        "drop-event"  # an order's event never reaches the stream; its occasion has the method EVENT
    )


EVENT = "EVENT"


class Occasion(Struct, frozen=True, kw_only=True):
    """A request or an event, as far as a rule can look at it; `at_ns` is market time.

    Of an event, method is EVENT and path its kind: 'fill'.
    """

    method: str
    path: str
    at_ns: int
    symbol: str = ""
    client_order_id: str = ""


class FaultRule(Struct, frozen=True, kw_only=True):
    """Which requests: empty matches any. Of those that match, `times` in a row go wrong, beginning with the nth."""

    verb: FaultVerb
    method: str = ""
    path_prefix: str = ""
    symbol: str = ""
    client_order_id_prefix: str = ""
    from_ns: int = 0
    until_ns: int | None = None
    nth: int = 1
    times: int = 1

    def matches(self, occasion: Occasion) -> bool:
        return (
            self.method in ("", occasion.method)
            and occasion.path.startswith(self.path_prefix)
            and self.symbol in ("", occasion.symbol)
            and occasion.client_order_id.startswith(self.client_order_id_prefix)
            and occasion.at_ns >= self.from_ns
            and (self.until_ns is None or occasion.at_ns < self.until_ns)
        )


class Faults:
    """The rules and how often each has matched."""

    def __init__(self, rules: Iterable[FaultRule] = ()) -> None:
        self._rules = list(rules)
        self._matches = [0] * len(self._rules)

    def add(self, rule: FaultRule) -> None:
        self._rules.append(rule)
        self._matches.append(0)

    def verb_for(self, occasion: Occasion) -> FaultVerb | None:
        """The first rule whose turn it is decides; every rule that matches counts the occasion."""
        verbs = [
            rule.verb
            for index, rule in enumerate(self._rules)
            if rule.matches(occasion) and self._is_turn(index, rule)
        ]
        return verbs[0] if verbs else None

    def _is_turn(self, index: int, rule: FaultRule) -> bool:
        self._matches[index] += 1
        return rule.nth <= self._matches[index] < rule.nth + rule.times

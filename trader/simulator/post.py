"""Trade updates and market data on their way from the venue to the streams, and what may go wrong on it.

A frame exists from the moment that it is put on a client's queue: what is lost here was never counted anywhere, and
what comes late counts when it comes.
"""

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from functools import partial

from trader.simulator.agenda import Agenda
from trader.simulator.faults import EVENT, MARKET, FaultRule, Faults, FaultVerb, Occasion
from trader.simulator.market_words import MarketWord, Told
from trader.simulator.streams import StreamKind, Streams
from trader.venue import EventKind, OrderEvent

TOLD_MAX = 1_000  # events that may be told again
ENDS = frozenset({EventKind.CANCELED, EventKind.EXPIRED, EventKind.REJECTED})
FillLate = Callable[[OrderEvent, FaultRule], None]


class Post:
    """`fill_late` trades an order whose end is just being told, later."""

    def __init__(
        self, faults: Faults, streams: Streams, agenda: Agenda, *, fill_late: FillLate
    ) -> None:
        self._faults = faults
        self._streams = streams
        self._agenda = agenda
        self._fill_late = fill_late
        self._held: list[OrderEvent] = []
        self._told: deque[OrderEvent] = deque(maxlen=TOLD_MAX)

    # --- trade updates

    def tell(self, events: Sequence[OrderEvent]) -> None:
        for event in events:
            self._told.append(event)
            rule = self._faults.rule_for(_occasion(event))
            if rule is None:
                self._put(event)
            else:
                self._mistell(event, rule)

    def told(self, count: int) -> list[OrderEvent]:
        """The last events, whether they arrived or not."""
        return list(self._told)[-count:]

    def bring_held(self) -> None:
        """What waited for another event and saw none."""
        held, self._held = self._held, []
        self._streams.tell_orders(held)

    def forget(self) -> None:
        """Nothing is on its way any more."""
        self._held.clear()

    def _put(self, event: OrderEvent, word: str = "") -> None:
        self._streams.tell_orders([event], word)
        self.bring_held()

    def _mistell(self, event: OrderEvent, rule: FaultRule) -> None:
        later_ns = event.at_ns + rule.delay_ns
        match rule.verb:
            case FaultVerb.DUPLICATE_EVENT:
                self._put(event)
                for _ in range(rule.count):
                    if rule.delay_ns:
                        self._agenda.add(later_ns, partial(self._put, event))
                    else:
                        self._put(event)
            case FaultVerb.DELAY_EVENT:
                self._agenda.add(later_ns, partial(self._put, event))
            case FaultVerb.REORDER_EVENTS:
                self._held.append(event)
            case FaultVerb.ODD_WORD:
                self._put(event, rule.word)
            case FaultVerb.FILL_AFTER_CANCEL:
                self._put(event)
                if event.kind in ENDS:
                    self._agenda.add(later_ns, partial(self._fill_late, event, rule))
            case FaultVerb.DISCONNECT_STREAM | FaultVerb.MUTE_SOCKET:
                self._break(StreamKind.TRADING, event.at_ns, rule)
            case _:
                assert rule.verb is FaultVerb.DROP_EVENT, "what else can strike an event"

    # --- market data

    def tell_market(self, at_ns: int, told: Mapping[str, Sequence[MarketWord]]) -> None:
        """By channel: to all, and what is left of it by rules of their own to accounts that have such."""
        if not self._faults.concern(MARKET):
            self._streams.tell_market(told)
            return
        told = self._sifted(at_ns, told, "", self._streams.tell_market)
        apart = self._faults.accounts_on(MARKET)
        for account_id in sorted(apart):
            tell = partial(self._streams.tell_market, only=account_id)
            tell(self._sifted(at_ns, told, account_id, tell))
        self._streams.tell_market(told, apart=apart)

    def _sifted(
        self, at_ns: int, told: Told, account_id: str, tell: Callable[[Told], None]
    ) -> Told:
        """What of it is told now, and how often."""
        return {
            channel: [
                word
                for one in words
                for word in self._left_of(channel, at_ns, one, account_id, tell)
            ]
            for channel, words in told.items()
        }

    def _left_of(
        self,
        channel: str,
        at_ns: int,
        word: MarketWord,
        account_id: str,
        tell: Callable[[Told], None],
    ) -> Sequence[MarketWord]:
        occasion = Occasion(
            method=MARKET, path=channel, at_ns=at_ns, symbol=word.symbol, account_id=account_id
        )
        rule = self._faults.rule_for(occasion, only_own=bool(account_id))
        if rule is None:
            return [word]
        match rule.verb:
            case FaultVerb.DUPLICATE_EVENT:
                return [word] * (rule.count + 1)
            case FaultVerb.DELAY_EVENT:
                self._agenda.add(at_ns + rule.delay_ns, partial(tell, {channel: [word]}))
            case FaultVerb.DISCONNECT_STREAM | FaultVerb.MUTE_SOCKET:
                self._break(StreamKind.DATA, at_ns, rule)
            case _:
                assert rule.verb is FaultVerb.DROP_EVENT, "what else can strike market data"
        return []

    # --- connections

    def _break(self, kind: StreamKind, at_ns: int, rule: FaultRule) -> None:
        """The connections that are there now; what comes next meets a new one, or silence."""
        if rule.verb is FaultVerb.DISCONNECT_STREAM:
            self._streams.disconnect(kind, rule.account_id)
            return
        self._streams.mute(kind, True, rule.account_id)
        if rule.duration_ns is not None:
            speak = partial(self._streams.mute, kind, False, rule.account_id)
            self._agenda.add(at_ns + rule.duration_ns, speak)


def _occasion(event: OrderEvent) -> Occasion:
    return Occasion(
        method=EVENT,
        path=event.kind,
        at_ns=event.at_ns,
        symbol=event.order.symbol,
        client_order_id=event.order.client_order_id,
        account_id=event.order.account_id,
    )

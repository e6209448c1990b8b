"""One symbol explained: what is held and on its way, what stands against an entry now, and the last decisions."""

from collections import deque

from trader import risk
from trader.calendar import iso
from trader.explanation.decisions import Step, answer_of, decision_of, holding_of, outcome_of
from trader.explanation.facts import OrderNow, Process, RuleSeen, SymbolExplained
from trader.explanation.rules import asked, duplicate_seen
from trader.inquiry import question_of
from trader.messages import Entry, OrderRequest, SessionBegan
from trader.model import (
    DecisionKey,
    Order,
    Purpose,
    Quote,
    RequestId,
    Side,
    Size,
    StrategyName,
    Symbol,
)
from trader.money import ONE, canonical, price_of
from trader.protection import stop_words
from trader.state import ExecutionState

DECISIONS_MAX = 10  # shown, repeats counted as one
# These judge a wish's own price and size; whether they would object to one that nobody has made can't be said.
_OF_THE_WISH = frozenset(
    "expired side quantity no_quote stale_quote price_tick price_collar self_trade".split()
)
DOLLAR_TICKS = 10_000  # stands in for a price where there is no mark


class SymbolStory:
    """Hears the entries of a whole journal, and keeps the session's last decisions about one symbol."""

    def __init__(self, symbol: Symbol) -> None:
        self._symbol = symbol
        self._decided = 0
        self._groups: deque[tuple[Step, int]] = deque(maxlen=DECISIONS_MAX)

    def hear(self, before: ExecutionState, entry: Entry) -> None:
        """The next entry."""
        if any(isinstance(event, SessionBegan) for event in entry.events):
            self._decided = 0
            self._groups.clear()
        heard = entry.input
        if not isinstance(heard, OrderRequest) or heard.symbol != self._symbol:
            return
        self._decided += 1
        step = Step(before=before, entry=entry)
        if self._groups and _repeats(self._groups[-1][0].entry, entry):
            first, count = self._groups.pop()
            self._groups.append((first, count + 1))
        else:
            self._groups.append((step, 1))

    def told(self, state: ExecutionState, process: Process, running_build: str) -> SymbolExplained:
        """The explanation, as of the state after the last entry."""
        position = state.position(self._symbol)
        objections = tuple(objections_to_entry(state, self._symbol))
        live = [state.orders[name] for name in (*position.entries, *position.exits)]
        return SymbolExplained(
            symbol=self._symbol,
            process=process,
            timestamp=iso(state.at_ns),
            session=state.session,
            holding=holding_of(state, self._symbol),
            orders=tuple(_now(order) for order in live),
            entries="closed" if objections or process != "running" else "open",
            objections=objections,
            decisions_session=self._decided,
            decisions=tuple(
                decision_of(step, running_build, count) for step, count in self._groups
            ),
        )


def objections_to_entry(state: ExecutionState, symbol: Symbol) -> list[RuleSeen]:
    """The rules that would object if one share were wanted now, at the mark."""
    position = state.position(symbol)
    mark = position.mark or DOLLAR_TICKS
    wish = OrderRequest(
        request_id=RequestId(""),
        decision_key=DecisionKey(""),
        at_ns=state.at_ns,
        symbol=symbol,
        strategy=position.strategy or StrategyName(""),
        side=Side.BUY,
        purpose=Purpose.ENTER,
        size=Size(unit="shares", amount=ONE),
        limit_price=price_of(mark),
        quote=Quote(symbol=symbol, at_ns=state.at_ns, bid=mark, bid_size=0, ask=mark, ask_size=0),
        reason="",
    )
    question = question_of(state, wish)
    rules = [rule for rule in risk.ENTRY_RULES if rule.__name__ not in _OF_THE_WISH]
    seen = [duplicate_seen(question), *(asked(rule, question) for rule in rules)]
    return [one for one in seen if one.verdict == "objected"]


def _repeats(one: Entry, other: Entry) -> bool:
    """Both were blocked or denied, in the same way and on the same side."""
    first, second = answer_of(one.events), answer_of(other.events)
    if first is None or second is None or one.input == other.input:
        return False
    told = outcome_of(first)
    return told.outcome != "accepted" and told == outcome_of(second) and _side(one) is _side(other)


def _side(entry: Entry) -> Side | None:
    return entry.input.side if isinstance(entry.input, OrderRequest) else None


def _now(order: Order) -> OrderNow:
    return OrderNow(
        client_order_id=order.client_order_id,
        side=order.side.value,
        quantity=canonical(order.quantity),
        quantity_filled=canonical(order.quantity_filled),
        limit_price=canonical(order.limit_price) if order.limit_price is not None else None,
        stop=stop_words(order.stop_price, order.trail),
        state=order.state.value,
        state_reason=order.state_reason,
    )

"""One task per symbol and strategy: it sees bars, quotes and fills, and tells the executor what it would like.

It never waits for an answer and never sends an order. What became of its wishes it sees like everybody else: in
the published state of its symbol.
"""

import hashlib
from collections.abc import Callable, Iterable

from msgspec.structs import replace

from trader.inbox import Inbox
from trader.mailbox import Letter, Mailbox, decided_on
from trader.messages import OrderRequest
from trader.model import (
    AccountId,
    Bar,
    DecisionKey,
    Distances,
    OrderType,
    Quote,
    RequestId,
    Size,
    Symbol,
)
from trader.money import ZERO
from trader.pricing import priced
from trader.strategies.base import Strategy, SymbolView, Wish, checked, protection_of

POSITION_WHOLE = Size(unit="target", amount=ZERO)


class Worker:
    """One strategy on one symbol: synchronous handlers, so that a replay can call them without a task."""

    def __init__(
        self,
        *,
        name: str,
        incarnation: str,
        account: AccountId,
        symbol: Symbol,
        strategy: Strategy,
        extended_hours: bool = False,
        protection: Distances | None = None,
    ) -> None:
        self.name = name
        self.symbol = symbol
        self.strategy = strategy
        self._incarnation = incarnation
        self._account = account
        self._extended_hours = extended_hours
        self._protection = protection
        self._tellings = 0
        self._quote: Quote | None = None
        # A replay, which knows the quote of every moment, makes one only for those who want something.
        self.quote_now: Callable[[], Quote | None] = lambda: self._quote
        self._bar_seen_ns = -1
        self._others_seen_ns: dict[Symbol, int] = {}

    def warm_up(self, history: Iterable[Bar], view: SymbolView) -> None:
        """Feed history; what the strategy would have liked then is not told to anybody."""
        for bar in history:
            if bar.symbol != self.symbol:
                self._heard(bar, view)
            elif bar.start_ns > self._bar_seen_ns:
                self._bar_seen_ns = bar.start_ns
                list(self.strategy.on_bar(bar, view))

    def on_letter(self, letter: Letter, view: SymbolView) -> list[OrderRequest]:
        """What the strategy wants done about it, as requests."""
        if isinstance(letter, Bar):
            if letter.symbol != self.symbol:
                return self._heard_in_time(letter, view)
            if letter.start_ns <= self._bar_seen_ns:
                return []  # Told by history already, or again after a reconnect.
            self._bar_seen_ns = letter.start_ns
            wishes = self.strategy.on_bar(letter, view)
        elif isinstance(letter, Quote):
            self._quote = letter
            wishes = self.strategy.on_quote(letter, view)
        else:
            wishes = self.strategy.on_fill(letter, view)
        if wishes == ():  # As almost always.
            return []
        return self.requests(letter, wishes)

    def requests(self, letter: Letter, wishes: Iterable[Wish]) -> list[OrderRequest]:
        """What the strategy wishes about a letter, as it is told to the executor."""
        event, at_ns = decided_on(letter)
        return [self._request(checked(wish), event, at_ns) for wish in wishes]

    def _heard(self, bar: Bar, view: SymbolView) -> list[Wish]:
        """What the strategy makes of another symbol's bar, each of which it is told once."""
        if bar.start_ns <= self._others_seen_ns.get(bar.symbol, -1):
            return []
        self._others_seen_ns[bar.symbol] = bar.start_ns
        return list(self.strategy.on_bar_of_other(bar, view))

    def _heard_in_time(self, bar: Bar, view: SymbolView) -> list[OrderRequest]:
        """Whichever bar of a moment comes last: what is decided is decided on our own symbol's, and is one decision."""
        wishes = self._heard(bar, view)
        if not wishes or bar.start_ns != self._bar_seen_ns:
            return []
        event, at_ns = decided_on(replace(bar, symbol=self.symbol))
        return [self._request(checked(wish), event, at_ns) for wish in wishes]

    def _request(self, wish: Wish, event: str, at_ns: int) -> OrderRequest:
        self._tellings += 1
        decision = "|".join(
            (
                self._account,
                self.strategy.name,
                self.symbol,
                wish.side,
                wish.purpose,
                wish.leg,
                event,
            )
        )
        quote = self.quote_now()
        order_type, limit_price = priced(wish, quote, at_ns)
        return OrderRequest(
            request_id=RequestId(f"{self.name}/{self._incarnation}/{self._tellings:08d}"),
            decision_key=DecisionKey(hashlib.sha256(decision.encode()).hexdigest()),
            at_ns=at_ns,
            symbol=self.symbol,
            strategy=self.strategy.name,
            side=wish.side,
            purpose=wish.purpose,
            order_type=order_type,
            extended_hours=self._extended_hours and order_type is OrderType.LIMIT,
            size=wish.size or POSITION_WHOLE,
            limit_price=limit_price,
            quote=quote,
            reason=wish.reason.encode(errors="replace").decode(),
            protection=protection_of(wish, self._protection, limit_price, quote, at_ns),
        )


async def run_worker(worker: Worker, mailbox: Mailbox, inbox: Inbox) -> None:
    """Read letters for ever; raises what the strategy raises, for the supervisor to see."""
    while True:
        for letter in await mailbox.take():
            for request in worker.on_letter(letter, mailbox.view):
                await inbox.tell(request)

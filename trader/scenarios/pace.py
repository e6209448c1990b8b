"""Scenarios of too much at once: a burst of wishes under a rate limit, and an order against one of our own."""

import hashlib
from collections import Counter
from collections.abc import Sequence
from decimal import Decimal

from msgspec.structs import replace

from trader import risk
from trader.calendar import Session
from trader.config import Config
from trader.messages import OrderRequest, RequestAccepted
from trader.model import (
    MINUTE_NS,
    DecisionKey,
    OrderState,
    Purpose,
    RequestId,
    Side,
    Size,
    StrategyName,
)
from trader.scenarios.checks import Checks
from trader.scenarios.events import cancel_entries
from trader.scenarios.play import Outcome, Play, Stage, minute
from trader.scenarios.players import GS, JD, RESTING, SHARES, TERN, TRIP, Insistent, T, cast_of
from trader.simulator.faults import FaultRule, FaultVerb
from trader.simulator.scheduled import EventName, ScheduledEvent
from trader.supervisor import WorkerPlan
from trader.venue.words import OrderStatus

TASKS = 8


class BurstAndRateLimit(Play):
    """S18."""

    name = "s18-burst-and-rate-limit"
    number = "S18"
    story = (
        f"{TASKS} tasks each want five symbols in the same instant, three entries a minute are allowed; the broker"
        " answers one order with 429; all that rests is canceled"
    )
    expectation = (
        "over the limit denied, never queued; the 429 is not repeated; every cancel goes through"
    )
    ends_minute: int | None = 9
    SYMBOLS = (JD, T, GS, TRIP, TERN)
    MOST = 3
    CANCEL = 6

    def configured(self, config: Config) -> Config:
        return replace(config, limits=replace(config.limits, entries_per_minute_max=self.MOST))

    def cast(self, plans: Sequence[WorkerPlan], session: Session) -> list[WorkerPlan]:
        return cast_of(
            session,
            *(
                Insistent(symbol=one, name=f"task-{task}", offset=RESTING, enters_until=5)
                for one in self.SYMBOLS
                for task in range(TASKS)
            ),
        )

    def faults(self, session: Session) -> list[FaultRule]:
        return [FaultRule(verb=FaultVerb.TOO_MANY_REQUESTS, method="POST", symbol=TERN)]

    async def on_instant(self, stage: Stage, at_ns: int) -> None:
        if at_ns == minute(stage.session, self.CANCEL):
            await cancel_entries(stage, "the play wants them gone")

    def violations(self, outcome: Outcome) -> list[str]:
        checks = Checks(outcome).bought_once(*self.SYMBOLS).nothing_in_doubt()
        approved = [one.order for one in outcome.events(RequestAccepted)]
        minutes = Counter(one.created_ns // MINUTE_NS for one in approved)
        checks.that(max(minutes.values()) == self.MOST, f"entries by minute: {minutes}")
        checks.that(len(approved) == len(self.SYMBOLS) + 1, f"{len(approved)} intents, not 6")
        checks.denied(TERN, "entries_per_minute")
        ended = Counter(one.state for one in outcome.state.orders.values())
        checks.that(ended[OrderState.REJECTED] == 1, f"ended as {dict(ended)}")
        left = [one.symbol for one in outcome.accepted if one.status is not OrderStatus.CANCELED]
        return checks.that(not left, f"not canceled: {left}").wrong

    def verdict(self, outcome: Outcome) -> str:
        counts = outcome.state.counts
        return (
            f"{counts.requests} requests: 6 orders, 1 of them refused with 429, {counts.denied} denied;"
            " 5 cancels went through"
        )


class OwnOrderRests(Play):
    """S26."""

    name = "s26-own-order-rests"
    number = "S26"
    story = "a buy of T rests, filled in part; a sale of what is held is wanted at a price that it would meet"
    expectation = "denied by us as self_trade; once the buy is gone, the sale leaves"
    ends_minute: int | None = 10
    FILLED = SHARES - 2
    THROUGH = Decimal("0.025")  # beyond where the buy rests
    WANTED, CANCELED, AGAIN = 5, 6, 8

    def cast(self, plans: Sequence[WorkerPlan], session: Session) -> list[WorkerPlan]:
        return cast_of(session, Insistent(symbol=T, offset=RESTING, enters_until=2))

    def events(self, session: Session) -> list[ScheduledEvent]:
        at_ns = minute(session, 3)
        return [ScheduledEvent(at_ns=at_ns, name=EventName.FILL, symbol=T, quantity=self.FILLED)]

    async def on_instant(self, stage: Stage, at_ns: int) -> None:
        if at_ns in {minute(stage.session, one) for one in (self.WANTED, self.AGAIN)}:
            await stage.inbox.tell(self._sale(stage, at_ns))
        if at_ns == minute(stage.session, self.CANCELED):
            await cancel_entries(stage, "the play wants it gone")

    def _sale(self, stage: Stage, at_ns: int) -> OrderRequest:
        quote = stage.tape.quotes[T]
        return OrderRequest(
            request_id=RequestId(f"sale/{stage.state.epoch}.0/{at_ns}"),
            decision_key=DecisionKey(hashlib.sha256(f"sale|{at_ns}".encode()).hexdigest()),
            at_ns=at_ns,
            symbol=T,
            strategy=StrategyName("insistent"),
            side=Side.SELL,
            purpose=Purpose.EXIT,
            size=Size(unit="target", amount=Decimal(0)),
            limit_price=risk.limit_price(Side.SELL, quote.bid, quote.ask, self.THROUGH),
            quote=quote,
            reason="told beside the workers",
        )

    def violations(self, outcome: Outcome) -> list[str]:
        checks = Checks(outcome).bought_once(T).booked_once().nothing_in_doubt()
        checks.denied(T, "self_trade")
        intents = [one.order.side for one in outcome.events(RequestAccepted)]
        checks.that(intents.count(Side.SELL) == 1, f"{intents.count(Side.SELL)} sales, not 1")
        sold = sum(order.quantity_filled for order in outcome.orders(T, Side.SELL))
        return checks.that(sold == self.FILLED, f"{sold} T sold, not {self.FILLED}").wrong

    def verdict(self, outcome: Outcome) -> str:
        return f"denied while the buy rested; {self.FILLED} T sold when it was gone"

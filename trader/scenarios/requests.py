"""Scenarios of what workers ask for: all at once, for ever, by other strategies, by workers made anew, too late."""

import hashlib
from collections.abc import Sequence
from decimal import Decimal

from trader import risk
from trader.calendar import Session
from trader.messages import OrderRequest
from trader.model import (
    MINUTE_NS,
    SECOND_NS,
    DecisionKey,
    Purpose,
    RequestId,
    Side,
    Size,
    StrategyName,
)
from trader.scenarios.checks import Checks
from trader.scenarios.play import Outcome, Play, Stage, minute
from trader.scenarios.players import JD, SHARES, Insistent, T, cast_of
from trader.supervisor import WorkerPlan

CYCLES = 220
TASKS = 8


class EightTasks(Play):
    """S01."""

    name = "s01-eight-tasks"
    number = "S01"
    story = f"{TASKS} tasks want JD in the same instant, each minute, for {CYCLES} minutes"
    expectation = "one order; every other request is answered as blocked"
    ends_minute: int | None = CYCLES

    def cast(self, plans: Sequence[WorkerPlan], session: Session) -> list[WorkerPlan]:
        return cast_of(
            session, *(Insistent(symbol=JD, name=f"task-{number}") for number in range(TASKS))
        )

    def violations(self, outcome: Outcome) -> list[str]:
        counts, asked = outcome.state.counts, CYCLES * TASKS
        checks = Checks(outcome).bought_once(JD).booked_once()
        checks.that(counts.requests == asked, f"{counts.requests} requests, not {asked}")
        checks.that(counts.blocked == asked - 1, f"{counts.blocked} blocked, not {asked - 1}")
        return checks.wrong

    def verdict(self, outcome: Outcome) -> str:
        counts = outcome.state.counts
        return f"{counts.requests:,} requests: 1 order, {counts.blocked:,} duplicates blocked"


class MadeAnew(Play):
    """S02: this is the first of its lives, and each of them."""

    name = "s02-made-anew"
    number = "S02"
    story = "JD's worker breaks down and is made anew, and so is the whole program, three times"
    expectation = "no guard is forgotten with the object that held it: still one order"
    LIVES = 3
    MINUTES = 4

    def __init__(self, life: int = 1) -> None:
        super().__init__()
        self._life = life
        self.ends_minute = self.MINUTES * life

    def lives(self) -> list[Play]:
        return [MadeAnew(life) for life in range(1, self.LIVES + 1)]

    def cast(self, plans: Sequence[WorkerPlan], session: Session) -> list[WorkerPlan]:
        fails_at = frozenset(range(2, self.MINUTES * self.LIVES, self.MINUTES))
        return cast_of(session, Insistent(symbol=JD, fails_at=fails_at))

    def violations(self, outcome: Outcome) -> list[str]:
        return Checks(outcome).bought_once(JD).booked_once().nothing_in_doubt().wrong

    def verdict(self, outcome: Outcome) -> str:
        return f"life {self._life}: {outcome.state.counts.blocked} blocked so far, 1 order"


class TwoStrategies(Play):
    """S15."""

    name = "s15-two-strategies"
    number = "S15"
    story = "two strategies and a pair of a third want JD at once; another one wants to sell it"
    expectation = "one path, one answer: one order, and only its owner may sell what it bought"
    ends_minute: int | None = 5

    def cast(self, plans: Sequence[WorkerPlan], session: Session) -> list[WorkerPlan]:
        names = ("breakout", "momentum", "pairs")
        return cast_of(session, *(Insistent(symbol=JD, name=name) for name in names))

    async def on_instant(self, stage: Stage, at_ns: int) -> None:
        if at_ns == minute(stage.session, 3):
            await stage.inbox.tell(_request(stage, at_ns, at_ns, Side.SELL, "mean-reversion"))

    def violations(self, outcome: Outcome) -> list[str]:
        checks = Checks(outcome).bought_once(JD).booked_once().denied(JD, "not_owner")
        sold = outcome.orders(JD, Side.SELL)
        return checks.that(not sold, "somebody sold what another strategy owns").wrong

    def verdict(self, outcome: Outcome) -> str:
        owner = outcome.state.position(JD).strategy
        return f"{owner} was first and owns it; the others were blocked, the sale denied"


class TooLate(Play):
    """S17."""

    name = "s17-too-late"
    number = "S17"
    story = "a wish for T, decided on a price of two minutes ago, reaches the executor only now"
    expectation = "denied as expired; never sent late"
    ends_minute: int | None = 6

    def cast(self, plans: Sequence[WorkerPlan], session: Session) -> list[WorkerPlan]:
        return cast_of(session, Insistent(symbol=JD))

    async def on_instant(self, stage: Stage, at_ns: int) -> None:
        if at_ns == minute(stage.session, 4):
            decided_ns = at_ns - 2 * MINUTE_NS
            await stage.inbox.tell(_request(stage, at_ns, decided_ns, Side.BUY, "slow"))

    def violations(self, outcome: Outcome) -> list[str]:
        checks = Checks(outcome).bought_once(JD).denied(T, "expired")
        return checks.that(not outcome.orders(T, Side.BUY), "T was bought late").wrong

    def verdict(self, outcome: Outcome) -> str:
        return "denied: a wish is for its moment"


def _request(stage: Stage, at_ns: int, decided_ns: int, side: Side, strategy: str) -> OrderRequest:
    """A telling beside the workers': a sale is of JD, a buy of T."""
    symbol = T if side is Side.BUY else JD
    quote = stage.tape.quotes[symbol]
    decision = hashlib.sha256(f"{strategy}|{symbol}|{at_ns}".encode()).hexdigest()
    return OrderRequest(
        request_id=RequestId(f"{strategy}/{stage.state.epoch}.0/{at_ns // SECOND_NS}"),
        decision_key=DecisionKey(decision),
        at_ns=decided_ns,
        symbol=symbol,
        strategy=StrategyName(strategy),
        side=side,
        purpose=Purpose.ENTER if side is Side.BUY else Purpose.EXIT,
        size=Size(unit="shares", amount=SHARES),
        limit_price=risk.limit_price(side, quote.bid, quote.ask, Decimal(0)),
        quote=quote,
        reason="told beside the workers",
    )

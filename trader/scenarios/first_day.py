"""The play of a first run: the stampede that this program is for, a lost reply, and a forged price, in one day.

GS and TRIP have players of the play instead of their usual workers, so that the day goes the same whatever the
configured strategy thinks of them.
"""

import hashlib
from collections.abc import Sequence
from decimal import Decimal

from msgspec import Struct

from trader import risk
from trader.calendar import Session
from trader.messages import OrderRequest
from trader.model import (
    MINUTE_NS,
    Bar,
    DecisionKey,
    Purpose,
    RequestId,
    Side,
    Size,
    StrategyName,
    Symbol,
)
from trader.scenarios.play import Play, Stage, at_minute
from trader.simulator.faults import EVENT, FaultRule, FaultVerb
from trader.strategies.base import NoParameters, Strategy, SymbolView, Wish, exit_all
from trader.supervisor import WorkerPlan

STAMPEDED, LOST, FORGED = Symbol("GS"), Symbol("TRIP"), Symbol("T")
TASKS = 8
EVENTS_LOST_MAX = 100
REHEARSAL = StrategyName("first-day")
FORGERY = StrategyName("forgery")
FOREIGN = Symbol("TERN")  # whose price the forged request carries


class Appointment(Strategy):
    """Wants in at one instant of the day and out at another."""

    def __init__(
        self, *, size: Size, enter_ns: int, exit_ns: int, reason: str, leg: str = ""
    ) -> None:
        super().__init__(REHEARSAL, size, NoParameters())
        self._enter_ns = enter_ns
        self._exit_ns = exit_ns
        self._reason = reason
        self._leg = leg

    def on_bar(self, bar: Bar, view: SymbolView) -> Sequence[Wish]:
        """Bars end on the minute, and so do appointments."""
        now = bar.start_ns + bar.span_ns
        if now == self._enter_ns:
            return (
                Wish(
                    side=Side.BUY,
                    purpose=Purpose.ENTER,
                    size=self.size,
                    leg=self._leg,
                    reason=self._reason,
                ),
            )
        if now >= self._exit_ns and view.held_by(self.name) and not view.working and not self._leg:
            return exit_all("the rehearsal is over")
        return ()


class Player(Struct, frozen=True, kw_only=True):
    """One task of the play, and what it is there for."""

    symbol: Symbol
    number: int
    size: Size
    enter_ns: int
    exit_ns: int
    reason: str

    def plan(self) -> WorkerPlan:
        """The first of several has no leg, and is the one that gets out again."""
        leg = str(self.number) if self.number else ""
        return WorkerPlan(
            name=f"{self.symbol}/rehearsal-{self.number}",
            symbol=self.symbol,
            make=lambda: Appointment(
                size=self.size,
                enter_ns=self.enter_ns,
                exit_ns=self.exit_ns,
                reason=self.reason,
                leg=leg,
            ),
        )


class FirstDay(Play):
    """See the module."""

    name = "first-day"
    story = "eight tasks want one share at once, a reply is lost, a price is forged"
    is_judged = False

    def cast(self, plans: Sequence[WorkerPlan], session: Session) -> list[WorkerPlan]:
        """Eight tasks on GS, one on TRIP, the configured ones on the rest."""
        usual = [plan for plan in plans if plan.symbol not in {STAMPEDED, LOST}]
        there = {plan.symbol for plan in plans}
        over = at_minute(session, 15, 30)
        stampede = [
            Player(
                symbol=STAMPEDED,
                number=number,
                size=Size(unit="notional", amount=Decimal(2_000)),
                enter_ns=at_minute(session, 10, 0),
                exit_ns=over,
                reason=f"rehearsal of 2026-01-26: {TASKS} tasks wanted {STAMPEDED} at once, 1 order sent",
            ).plan()
            for number in range(TASKS)
        ]
        lost = Player(
            symbol=LOST,
            number=0,
            size=Size(unit="shares", amount=Decimal(120)),
            enter_ns=at_minute(session, 10, 31),
            exit_ns=over,
            reason="rehearsal: the broker accepts, its reply is lost",
        ).plan()
        return usual + [plan for plan in (*stampede, lost) if plan.symbol in there]

    def faults(self, session: Session) -> list[FaultRule]:
        """The order is accepted, the reply says: gateway timeout, and the stream says nothing of it."""
        lost_ns = at_minute(session, 10, 31)
        return [
            FaultRule(
                verb=FaultVerb.ACCEPT_THEN_504,
                method="POST",
                path_prefix="/v2/orders",
                symbol=LOST,
                from_ns=lost_ns,
            ),
            FaultRule(
                verb=FaultVerb.DROP_EVENT,
                method=EVENT,
                symbol=LOST,
                from_ns=lost_ns,
                until_ns=lost_ns + MINUTE_NS,
                times=EVENTS_LOST_MAX,
            ),
        ]

    async def on_instant(self, stage: Stage, at_ns: int) -> None:
        """At 11:12 a request is told that carries another symbol's price."""
        if at_ns != at_minute(stage.session, 11, 12):
            return
        flat = [FORGED, *sorted(stage.state.symbols)]
        symbol = next((one for one in flat if stage.state.position(one).is_flat), FORGED)
        quote, foreign = stage.tape.quotes.get(symbol), stage.tape.quotes.get(FOREIGN)
        if quote is None or foreign is None:
            return
        price = risk.limit_price(Side.BUY, foreign.bid, foreign.ask, Decimal(0))
        decision = f"forgery|{symbol}|{at_ns}"
        await stage.inbox.tell(
            OrderRequest(
                request_id=RequestId(f"forger/{stage.state.epoch}.0/00000001"),
                decision_key=DecisionKey(hashlib.sha256(decision.encode()).hexdigest()),
                at_ns=at_ns,
                symbol=symbol,
                strategy=FORGERY,
                side=Side.BUY,
                purpose=Purpose.ENTER,
                size=Size(unit="shares", amount=Decimal(10)),
                limit_price=price,
                quote=quote,
                reason="forged: priced by another symbol's tick",
            )
        )

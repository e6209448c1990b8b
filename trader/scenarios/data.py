"""Scenarios of market data that lies: single wrong prices, a halt, and what a night can do to a price."""

from collections.abc import Iterable, Sequence
from decimal import Decimal

from trader import risk
from trader.calendar import Session
from trader.exits import Exit
from trader.messages import Alarmed, BrakeTripped, OrderRequest
from trader.model import (
    MINUTE_NS,
    Bar,
    DecisionKey,
    Purpose,
    Quote,
    RequestId,
    Side,
    Size,
    StrategyName,
    Symbol,
)
from trader.scenarios.checks import Checks
from trader.scenarios.play import Outcome, Play, Stage, minute
from trader.scenarios.players import GS, JD, SHARES, TERN, TRIP, Insistent, T, cast_of
from trader.simulator.scheduled import EventName, ScheduledEvent
from trader.strategies.base import NoParameters, Strategy, SymbolView, Wish, exit_all
from trader.supervisor import WorkerPlan

NERVOUS = StrategyName("nervous")
EAGER = StrategyName("eager")
LOSS_MAX = Decimal("0.9")  # of what was paid: below it the nervous one is out
RISE = 2  # times the last close: above it the eager one is in
SPLIT = Decimal(7)


class Nervous(Strategy):
    """In at its first bar; out at once, at any price of any tick, when it would lose a tenth."""

    def __init__(self) -> None:
        super().__init__(NERVOUS, Size(unit="shares", amount=SHARES), NoParameters())

    def on_bar(self, bar: Bar, view: SymbolView) -> Iterable[Wish]:
        if view.is_idle():
            return (Wish(side=Side.BUY, purpose=Purpose.ENTER, size=self.size, reason="first bar"),)
        return self._judged(bar.close, view)

    def on_quote(self, quote: Quote, view: SymbolView) -> Iterable[Wish]:
        return self._judged((quote.bid + quote.ask) // 2, view)

    def _judged(self, ticks: int, view: SymbolView) -> Iterable[Wish]:
        paid = view.avg_cost
        is_lost = paid is not None and Decimal(ticks) / 10_000 < LOSS_MAX * paid
        return exit_all("it has lost a tenth") if is_lost and view.held_by(self.name) else ()


class Eager(Strategy):
    """In as soon as a bar closes far above the one before."""

    def __init__(self) -> None:
        super().__init__(EAGER, Size(unit="shares", amount=SHARES), NoParameters())
        self._last = 0

    def on_bar(self, bar: Bar, view: SymbolView) -> Iterable[Wish]:
        last, self._last = self._last, bar.close
        if not last or bar.close < RISE * last:
            return ()
        return (Wish(side=Side.BUY, purpose=Purpose.ENTER, size=self.size, reason="it rises"),)


def _plan(symbol: Symbol, make: type[Nervous | Eager]) -> WorkerPlan:
    return WorkerPlan(name=f"{symbol}/{make.__name__.lower()}", symbol=symbol, make=make)


class BadTicks(Play):
    """S16."""

    name = "s16-bad-ticks"
    number = "S16"
    story = (
        "JD is told at half its price, and 15 % off; T's bars at four times theirs, for a minute; GS halts;"
        " over the night TERN is split 7 for 1, and GS and TRIP are worth half, which nothing explains"
    )
    expectation = "no decision on any of it; a split is not a crash; a halted symbol is not entered"

    def lives(self) -> list[Play]:
        return [_WrongPrices(), _AfterTheNight()]


class _WrongPrices(Play):
    story = "single wrong prices, and a halt; then the rest of the day"
    HALT, RESUMES = 8, 14

    def cast(self, plans: Sequence[WorkerPlan], session: Session) -> list[WorkerPlan]:
        return [_plan(JD, Nervous), _plan(TERN, Nervous), _plan(T, Eager)]

    def events(self, session: Session) -> list[ScheduledEvent]:
        def at(number: int, name: EventName, symbol: Symbol, **how: object) -> ScheduledEvent:
            return ScheduledEvent(at_ns=minute(session, number), name=name, symbol=symbol, **how)  # type: ignore[arg-type]

        half, near = Decimal("0.5"), Decimal("0.85")
        return [
            at(4, EventName.BAD_TICK, JD, what="quote", ratio=half),
            at(5, EventName.BAD_TICK, JD, what="quote", ratio=near),
            at(6, EventName.GAP, T, ratio=Decimal(4)),
            at(7, EventName.GAP, T, ratio=Decimal("0.25")),
            at(self.HALT, EventName.HALT, GS, duration_ns=(self.RESUMES - self.HALT) * MINUTE_NS),
        ]

    async def on_instant(self, stage: Stage, at_ns: int) -> None:
        """Somebody whose bars come from elsewhere wants GS, while it halts and after."""
        if at_ns in {minute(stage.session, one) for one in (self.HALT + 1, self.RESUMES + 3)}:
            await stage.inbox.tell(_wish(stage, GS, at_ns))

    def violations(self, outcome: Outcome) -> list[str]:
        checks = Checks(outcome).bought_once(JD, TERN, GS).denied(GS, "market_closed")
        for symbol in outcome.symbols:
            checks.that(not outcome.orders(symbol, Side.SELL), f"{symbol} was sold")
        checks.that(not outcome.orders(T, Side.BUY), "T was bought on a wrong bar")
        checks.that(not outcome.events(BrakeTripped), "a brake tripped")
        bought = [one.submitted_ns for one in outcome.orders(GS, Side.BUY)]
        resumes_ns = outcome.state.session_began_ns + self.RESUMES * MINUTE_NS
        checks.that(all(one >= resumes_ns for one in bought), "GS was entered while it halted")
        return checks.nothing_in_doubt().booked_once().wrong


class _AfterTheNight(Play):
    story = "the next morning"
    ends_minute: int | None = 12
    code: Exit | None = Exit.DIFFERENCES  # two symbols wait for a person

    def cast(self, plans: Sequence[WorkerPlan], session: Session) -> list[WorkerPlan]:
        others = cast_of(session, Insistent(symbol=TRIP), Insistent(symbol=GS, exits=1))
        return [_plan(JD, Nervous), _plan(TERN, Nervous), *others]

    def events(self, session: Session) -> list[ScheduledEvent]:
        night_ns = session.open_ns - 60 * MINUTE_NS
        half = Decimal("0.5")
        return [
            ScheduledEvent(at_ns=night_ns, name=EventName.SPLIT, symbol=TERN, ratio=SPLIT),
            ScheduledEvent(at_ns=night_ns, name=EventName.GAP, symbol=GS, ratio=half),
            ScheduledEvent(at_ns=night_ns, name=EventName.GAP, symbol=TRIP, ratio=half),
        ]

    def violations(self, outcome: Outcome) -> list[str]:
        checks = Checks(outcome).quarantined(GS, TRIP).denied(TRIP, "quarantined", "stale_quote")
        for symbol in outcome.symbols:
            checks.that(not outcome.orders(symbol, Side.SELL), f"{symbol} was sold")
        checks.that(not outcome.orders(TRIP, Side.BUY), "TRIP was bought at half its price")
        held = outcome.state.position(TERN).quantity
        checks.that(held == SPLIT * SHARES, f"{held} TERN held after the split")
        jumps = [one.symbol for one in outcome.events(Alarmed) if one.alarm == "price_jump"]
        checks.that(sorted(map(str, jumps)) == [GS, TRIP], f"alarms for {jumps}")
        checks.that(not outcome.events(BrakeTripped), "a brake tripped on it")
        return checks.nothing_in_doubt().booked_once().wrong

    def verdict(self, outcome: Outcome) -> str:
        return "nothing was bought or sold on it; 35 TERN for 5; GS and TRIP wait for a person"


def _wish(stage: Stage, symbol: Symbol, at_ns: int) -> OrderRequest:
    quote = stage.tape.quotes[symbol]
    return OrderRequest(
        request_id=RequestId(f"elsewhere/{stage.state.epoch}.0/{at_ns}"),
        decision_key=DecisionKey(f"{at_ns:064x}"),
        at_ns=at_ns,
        symbol=symbol,
        strategy=StrategyName("insistent"),
        side=Side.BUY,
        purpose=Purpose.ENTER,
        size=Size(unit="shares", amount=SHARES),
        limit_price=risk.limit_price(Side.BUY, quote.bid, quote.ask, Decimal("0.005")),
        quote=quote,
        reason="its bars say so",
    )

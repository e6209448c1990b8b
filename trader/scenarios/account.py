"""Scenarios of the account itself: its positions can't be had or come back empty; others trade and move money in it."""

from collections.abc import Sequence
from decimal import Decimal

from trader.calendar import Session
from trader.exits import Exit
from trader.messages import DifferenceFound
from trader.model import MINUTE_NS, Side
from trader.scenarios.checks import Checks
from trader.scenarios.play import Outcome, Play, Stage, minute
from trader.scenarios.players import GS, JD, RESTING, TERN, TRIP, Insistent, T, cast_of
from trader.simulator.faults import FaultRule, FaultVerb
from trader.simulator.scheduled import EventName, ScheduledEvent
from trader.supervisor import WorkerPlan

ORDERS = "/v2/orders"
POSITIONS = "/v2/positions"


class EmptyPositions(Play):
    """S10."""

    name = "s10-empty-positions"
    number = "S10"
    story = "JD is held; when the broker is asked next, it first fails to say what is held, then says: nothing"
    expectation = "unknown is not flat: nothing erased, nothing bought again; JD takes no entries"
    ends_minute: int | None = 8
    code: Exit | None = Exit.DIFFERENCES

    def cast(self, plans: Sequence[WorkerPlan], session: Session) -> list[WorkerPlan]:
        # T's order rests: while one is alive, the broker is asked every few minutes.
        return cast_of(session, Insistent(symbol=JD), Insistent(symbol=T, offset=RESTING))

    def faults(self, session: Session) -> list[FaultRule]:
        broken_ns = minute(session, 4)
        failing = FaultRule(
            verb=FaultVerb.ANSWER_INSTEAD,
            method="GET",
            path_prefix=POSITIONS,
            from_ns=broken_ns,
            status=500,
        )
        empty = FaultRule(
            verb=FaultVerb.ANSWER_INSTEAD,
            method="GET",
            path_prefix=POSITIONS,
            from_ns=broken_ns,
            until_ns=minute(session, 7),
            nth=2,
            times=None,
            status=200,
            body="[]",
        )
        return [failing, empty]

    def violations(self, outcome: Outcome) -> list[str]:
        checks = Checks(outcome).bought_once(JD, T).booked_once().quarantined(JD)
        called = [one for one in outcome.events(DifferenceFound) if one.symbol == JD]
        checks.that(called and called[0].theirs == "0", "the difference was not shown")
        return checks.that(not outcome.orders(JD, Side.SELL), "JD was sold").wrong

    def verdict(self, outcome: Outcome) -> str:
        return "one failure was no answer; after three empty ones the difference stands, and JD with it"


class HalfAnAnswer(Play):
    """S10, too."""

    name = "s10-half-an-answer"
    number = "S10"
    story = (
        "JD is held and T's order rests; for some minutes each list of positions breaks off in its middle;"
        " then the list of orders comes back empty, once"
    )
    expectation = "half an answer is none: nothing erased, called ended or quarantined; believed again once it is whole"
    ends_minute: int | None = 24

    def __init__(self) -> None:
        super().__init__()
        self._statements = 0

    def cast(self, plans: Sequence[WorkerPlan], session: Session) -> list[WorkerPlan]:
        return cast_of(session, Insistent(symbol=JD), Insistent(symbol=T, offset=RESTING))

    def faults(self, session: Session) -> list[FaultRule]:
        half = FaultRule(
            verb=FaultVerb.HALF_REPLY,
            method="GET",
            path_prefix=POSITIONS,
            from_ns=minute(session, 4),
            until_ns=minute(session, 12),
            times=None,
        )
        empty = FaultRule(
            verb=FaultVerb.ANSWER_INSTEAD,
            method="GET",
            path_prefix=ORDERS,
            from_ns=minute(session, 12),
            status=200,
            body="[]",
        )
        return [half, empty]

    async def on_instant(self, stage: Stage, at_ns: int) -> None:
        if at_ns == minute(stage.session, 12):
            self._statements = stage.state.statements

    def violations(self, outcome: Outcome) -> list[str]:
        checks = Checks(outcome).bought_once(JD, T).booked_once().quarantined()
        checks.that(not outcome.events(DifferenceFound), "half an answer was called a difference")
        [order] = outcome.orders(T, Side.BUY)[:1]
        is_early = (
            order.canceled_ns is None or order.canceled_ns < order.submitted_ns + 20 * MINUTE_NS
        )
        checks.that(not is_early, "T's order was not left to rest")
        later = outcome.state.statements > self._statements
        return checks.that(later, "never believed again").wrong

    def verdict(self, outcome: Outcome) -> str:
        return "no half list was believed, nor that T's order is gone; the whole ones were"


class OtherHands(Play):
    """S11."""

    name = "s11-other-hands"
    number = "S11"
    story = (
        "somebody sells 2 of our JD by hand, the broker liquidates T and charges, pays and credits;"
        " GS, TRIP and TERN are held and left alone"
    )
    expectation = "fees, dividends, deposits booked once; the difference shown, JD and T closed, nothing overwritten"
    ends_minute: int | None = 9
    code: Exit | None = Exit.DIFFERENCES

    def cast(self, plans: Sequence[WorkerPlan], session: Session) -> list[WorkerPlan]:
        return cast_of(session, *(Insistent(symbol=one) for one in (JD, T, GS, TRIP, TERN)))

    def events(self, session: Session) -> list[ScheduledEvent]:
        at_ns = minute(session, 3)
        return [
            ScheduledEvent(at_ns=at_ns, name=EventName.FEE, amount=Decimal("1.25")),
            ScheduledEvent(at_ns=at_ns, name=EventName.DIVIDEND, symbol=GS, amount=Decimal("0.75")),
            ScheduledEvent(at_ns=at_ns, name=EventName.DEPOSIT, amount=Decimal(1_000)),
            ScheduledEvent(
                at_ns=minute(session, 4),
                name=EventName.HAND_TRADE,
                symbol=JD,
                side=Side.SELL,
                quantity=Decimal(2),
            ),
            ScheduledEvent(at_ns=minute(session, 5), name=EventName.LIQUIDATION, symbol=T),
        ]

    def violations(self, outcome: Outcome) -> list[str]:
        checks = Checks(outcome).bought_once(JD, T, GS, TRIP, TERN).moved("FEE", "DIV", "CSD")
        checks.that({JD, T} <= set(outcome.state.quarantined.keys()), "JD and T are not closed")
        shown = {one.symbol for one in outcome.events(DifferenceFound)}
        checks.that({JD, T} <= shown, "the differences in JD and T are not shown")
        for symbol in (JD, T):
            held = outcome.state.position(symbol).quantity
            checks.that(held == 5, f"{symbol}: {held} held in our books: overwritten")
        for symbol in (GS, TRIP, TERN):
            held = outcome.shares_at_venue(symbol)
            checks.that(held == 5, f"{symbol}: {held} left at the venue")
        return checks.wrong

    def verdict(self, outcome: Outcome) -> str:
        return "what was explained is booked; what was not is shown, and waits for a person"

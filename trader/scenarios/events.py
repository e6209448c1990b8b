"""Scenarios of what the stream tells: too early, twice, too late, not at all; and of orders said to be over."""

from collections.abc import Sequence
from itertools import pairwise

from trader.calendar import Session
from trader.exits import Exit
from trader.messages import Alarmed, Brake, Command
from trader.model import MINUTE_NS, Side, Symbol
from trader.scenarios.checks import Checks
from trader.scenarios.play import Outcome, Play, Stage, minute
from trader.scenarios.players import GS, JD, RESTING, SHARES, TERN, TRIP, Insistent, T, cast_of
from trader.simulator.faults import EVENT, FaultRule, FaultVerb
from trader.simulator.scheduled import EventName, ScheduledEvent
from trader.supervisor import WorkerPlan

EVENTS_MAX = 100


async def cancel_entries(stage: Stage, reason: str) -> None:
    """As an operator would."""
    number = stage.state.sequence
    await stage.inbox.tell(
        Command(
            command_id=f"play-{number}", verb="cancel", subject="entries", who="play", reason=reason
        )
    )


class FillsInAnyOrder(Play):
    """S06."""

    name = "s06-fills-in-any-order"
    number = "S06"
    story = (
        "JD's fill comes before its acknowledgement, and three times; T's order is filled in part, canceled,"
        " filled some more after that; T is wanted again each minute, and sold in the end"
    )
    expectation = (
        "every execution booked once; what is left of an order respected; sold is what is held"
    )
    ends_minute: int | None = 12

    def cast(self, plans: Sequence[WorkerPlan], session: Session) -> list[WorkerPlan]:
        return cast_of(
            session,
            Insistent(symbol=JD),
            Insistent(symbol=T, offset=RESTING, exits=9),
        )

    def faults(self, session: Session) -> list[FaultRule]:
        return [
            FaultRule(verb=FaultVerb.EVENT_BEFORE_ACK, method="POST", symbol=JD),
            FaultRule(
                verb=FaultVerb.DUPLICATE_EVENT, method=EVENT, path_prefix="fill", symbol=JD, count=2
            ),
            FaultRule(
                verb=FaultVerb.FILL_AFTER_CANCEL,
                method=EVENT,
                path_prefix="canceled",
                symbol=T,
                delay_ns=MINUTE_NS,
                quantity=SHARES - 3,
            ),
        ]

    def events(self, session: Session) -> list[ScheduledEvent]:
        return [
            ScheduledEvent(
                at_ns=minute(session, 3), name=EventName.FILL, symbol=T, quantity=SHARES - 3
            )
        ]

    async def on_instant(self, stage: Stage, at_ns: int) -> None:
        if at_ns == minute(stage.session, 5):
            await cancel_entries(stage, "the play wants it gone")

    def violations(self, outcome: Outcome) -> list[str]:
        checks = Checks(outcome).bought_once(JD, T).booked_once().nothing_in_doubt()
        sold = sum(order.quantity_filled for order in outcome.orders(T, Side.SELL))
        return checks.that(sold == 2 * (SHARES - 3), f"{sold} T sold").wrong

    def verdict(self, outcome: Outcome) -> str:
        return (
            "2 + 2 of 5 T bought by one order, the second 2 after its end; 4 sold; JD booked once"
        )


class EventsMissing(Play):
    """S09."""

    name = "s09-events-missing"
    number = "S09"
    story = (
        "the stream is alive and tells nothing of JD's order; T's rests and is filled while the stream is connected"
        " but mute"
    )
    expectation = "found by polling; nothing is bought again meanwhile"
    ends_minute: int | None = 12

    def __init__(self) -> None:
        super().__init__()
        self._found_before = False

    def cast(self, plans: Sequence[WorkerPlan], session: Session) -> list[WorkerPlan]:
        return cast_of(session, Insistent(symbol=JD), Insistent(symbol=T, offset=RESTING))

    def faults(self, session: Session) -> list[FaultRule]:
        return [
            FaultRule(verb=FaultVerb.DROP_EVENT, method=EVENT, symbol=JD, times=EVENTS_MAX),
            FaultRule(verb=FaultVerb.MUTE_SOCKET, method=EVENT, path_prefix="fill", symbol=T),
        ]

    def events(self, session: Session) -> list[ScheduledEvent]:
        return [ScheduledEvent(at_ns=minute(session, 6), name=EventName.FILL, symbol=T)]

    async def on_instant(self, stage: Stage, at_ns: int) -> None:
        # The last look at the end of every life would find it, too.
        if at_ns == minute(stage.session, 11):
            self._found_before = all(stage.state.position(one).quantity for one in (JD, T))

    def violations(self, outcome: Outcome) -> list[str]:
        checks = Checks(outcome).bought_once(JD, T).booked_once().nothing_in_doubt()
        return checks.that(self._found_before, "not found until the end of the life").wrong

    def verdict(self, outcome: Outcome) -> str:
        return "both fills were fetched, not told; 1 order each"


class FilledAfterAll(Play):
    """S20."""

    name = "s20-filled-after-all"
    number = "S20"
    story = "15 orders in 5 symbols are reported canceled, and later each of them is filled"
    expectation = (
        "booked, each with an alarm; the brake on repeated executions holds until a person resumes"
    )
    ends_minute: int | None = 20
    code: Exit | None = Exit.HALTED
    SYMBOLS = (JD, T, GS, TRIP, TERN)
    CANCELS = (2, 4, 6)

    def cast(self, plans: Sequence[WorkerPlan], session: Session) -> list[WorkerPlan]:
        return cast_of(
            session,
            *(Insistent(symbol=one, offset=RESTING, enters_until=6) for one in self.SYMBOLS),
        )

    def faults(self, session: Session) -> list[FaultRule]:
        return [
            FaultRule(
                verb=FaultVerb.FILL_AFTER_CANCEL,
                method=EVENT,
                path_prefix="canceled",
                delay_ns=8 * MINUTE_NS,
                times=len(self.SYMBOLS) * len(self.CANCELS),
            )
        ]

    async def on_instant(self, stage: Stage, at_ns: int) -> None:
        if at_ns in {minute(stage.session, one) for one in self.CANCELS}:
            await cancel_entries(stage, "the play wants them gone")

    def violations(self, outcome: Outcome) -> list[str]:
        checks = Checks(outcome).booked_once().nothing_in_doubt()
        orders = [one for symbol in self.SYMBOLS for one in outcome.orders(symbol, Side.BUY)]
        filled = [one for one in orders if one.quantity_filled == one.quantity]
        checks.that(len(orders) == len(filled) == 15, f"{len(filled)} of {len(orders)} filled")
        alarms = [one for one in outcome.events(Alarmed) if one.alarm == "order_surprise"]
        checks.that(len(alarms) >= 15, f"{len(alarms)} alarms for 15 surprises")
        for symbol in self.SYMBOLS:
            brake: tuple[Brake, Symbol] = (Brake.REPEATED_EXECUTIONS, symbol)
            checks.that(brake in outcome.state.brakes, f"{symbol}: the brake did not trip")
        return checks.wrong

    def verdict(self, outcome: Outcome) -> str:
        return "15 late fills booked, 15 alarms, 5 brakes; the run says that it ended halted"


class CancelOnABadLink(Play):
    """S22."""

    name = "s22-cancel-on-a-bad-link"
    number = "S22"
    story = "JD's order rests; the cancel gets lost once, the next one's reply does; JD is wanted again each minute"
    expectation = "never changed in place: cancel, proof, and only then a new order"
    ends_minute: int | None = 9

    def cast(self, plans: Sequence[WorkerPlan], session: Session) -> list[WorkerPlan]:
        return cast_of(session, Insistent(symbol=JD, offset=RESTING))

    def faults(self, session: Session) -> list[FaultRule]:
        return [
            FaultRule(verb=FaultVerb.DROP_BEFORE_ACCEPT, method="DELETE"),
            FaultRule(verb=FaultVerb.DROP_AFTER_ACCEPT, method="DELETE", nth=2),
            FaultRule(verb=FaultVerb.DROP_EVENT, method=EVENT, path_prefix="canceled"),
        ]

    async def on_instant(self, stage: Stage, at_ns: int) -> None:
        if at_ns in {minute(stage.session, one) for one in (3, 5)}:
            await cancel_entries(stage, "the play wants it gone")

    def violations(self, outcome: Outcome) -> list[str]:
        checks = Checks(outcome).booked_once().nothing_in_doubt()
        orders = outcome.orders(JD, Side.BUY)
        checks.that(len(orders) == 2, f"{len(orders)} orders, not 2")
        for before, after in pairwise(orders):
            gone_ns = before.canceled_ns
            is_later = gone_ns is not None and gone_ns <= after.submitted_ns
            checks.that(is_later, "a new order left before the old one was gone")
        return checks.wrong

    def verdict(self, outcome: Outcome) -> str:
        return "two orders, never both alive; the second left when the first was proven gone"

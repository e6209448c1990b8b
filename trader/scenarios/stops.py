"""The scenario of the stop button: everything halted and flattened while orders are on their way, over a restart."""

from collections.abc import Sequence

from trader.calendar import Session
from trader.exits import Exit
from trader.messages import (
    Command,
    ExecutionBooked,
    Halted,
    Mode,
    OrderChanged,
    ReductionBegan,
    ReductionEnded,
)
from trader.model import FINAL_STATES, OrderState, Purpose, Side
from trader.scenarios.checks import Checks
from trader.scenarios.play import Outcome, Play, Stage, minute
from trader.scenarios.players import GS, JD, RESTING, SHARES, TERN, Insistent, T, cast_of
from trader.scenarios.replies import LOOKUP, mute, on_post
from trader.simulator.faults import FaultRule, FaultVerb
from trader.state import ExecutionState
from trader.supervisor import WorkerPlan

HALT_MINUTE = 4
RESUME_MINUTE = 2
UNANSWERED = 4  # questions about TERN's order: for longer than the settled market waits
DAY_MINUTES = 390


class HaltInFlight(Play):
    """S14."""

    name = "s14-halt-in-flight"
    number = "S14"
    story = (
        "JD is held, T's order rests and TERN's is in doubt when a person halts and flattens; the program is killed"
        " once JD's exit is at the broker, started again, and resumed in the end; all are wanted each minute"
    )
    expectation = (
        "no entry after the halt, over the restart too; what rests is canceled, what fills late is sold,"
        " each share once; halted until somebody resumes"
    )

    def lives(self) -> list[Play]:
        return [_HaltedInFlight(), _StillHalted(), _ResumedInTheEnd()]


class _AllWanted(Play):
    def cast(self, plans: Sequence[WorkerPlan], session: Session) -> list[WorkerPlan]:
        return cast_of(
            session,
            Insistent(symbol=JD),
            Insistent(symbol=T, offset=RESTING),
            Insistent(symbol=TERN, enters=HALT_MINUTE - 1),
            Insistent(symbol=GS, enters=HALT_MINUTE),
        )


class _HaltedInFlight(_AllWanted):
    story = "halted and flattened while TERN's order is on its way, killed once JD's exit is at the broker"
    code: Exit | None = None

    def __init__(self) -> None:
        super().__init__()
        self.cut_off = _has_exit_at_broker

    def faults(self, session: Session) -> list[FaultRule]:
        return [
            on_post(FaultVerb.ACCEPT_THEN_504, TERN),
            FaultRule(
                verb=FaultVerb.ANSWER_INSTEAD,
                method="GET",
                path_prefix=LOOKUP,
                status=500,
                times=UNANSWERED,
            ),
            mute(TERN, session, minutes=DAY_MINUTES),
        ]

    async def on_instant(self, stage: Stage, at_ns: int) -> None:
        if at_ns == minute(stage.session, HALT_MINUTE):
            await stage.inbox.tell(_command("halt", "flatten"))


class _StillHalted(_AllWanted):
    story = "started again, and nobody has resumed"
    ends_minute: int | None = 3 * HALT_MINUTE
    code: Exit | None = Exit.HALTED

    def violations(self, outcome: Outcome) -> list[str]:
        checks = Checks(outcome).bought_once(JD, T, TERN).booked_once().nothing_in_doubt()
        state = outcome.state
        checks.that(state.mode is Mode.REDUCING, f"the mode is {state.mode}")
        checks.that(not outcome.orders(GS, Side.BUY), "GS was bought after the halt")
        checks.denied(GS, "halted")
        held = [symbol for symbol, one in sorted(state.positions.items()) if not one.is_flat]
        checks.that(not held, f"not flat: {', '.join(held)}")
        for symbol, shares in ((JD, SHARES), (TERN, SHARES), (T, 0)):
            sold = sum(order.quantity_filled for order in outcome.orders(symbol, Side.SELL))
            checks.that(sold == shares, f"{sold} {symbol} sold, not {shares}")
        began = {one.symbol for one in outcome.events(ReductionBegan)}
        ended = {one.symbol for one in outcome.events(ReductionEnded)}
        checks.that(began == {JD, T, TERN} == ended, f"began {began}, ended {ended}")
        return checks.that(_was_in_flight(outcome), "TERN's order was not on its way").wrong


class _ResumedInTheEnd(_AllWanted):
    story = "a person resumes"
    ends_minute: int | None = 3 * HALT_MINUTE + 6

    async def on_instant(self, stage: Stage, at_ns: int) -> None:
        if at_ns == minute(stage.session, 3 * HALT_MINUTE + RESUME_MINUTE):
            await stage.inbox.tell(_command("resume"))

    def violations(self, outcome: Outcome) -> list[str]:
        checks = Checks(outcome).booked_once()
        checks.that(outcome.state.mode is Mode.ACTIVE, "nobody was let in again")
        return checks.that(outcome.orders(GS, Side.BUY), "GS was not bought after all").wrong

    def verdict(self, outcome: Outcome) -> str:
        return "halted with an order on its way: none entered, all sold once, over a kill; then resumed"


def _has_exit_at_broker(state: ExecutionState) -> bool:
    return any(
        order.purpose is Purpose.EXIT
        and order.symbol == JD
        and order.state in {OrderState.NEW, OrderState.PARTIALLY_FILLED, *FINAL_STATES}
        for order in state.orders.values()
    )


def _was_in_flight(outcome: Outcome) -> bool:
    """At the halt nobody knew whether the broker had TERN's order, which was filled there."""
    seen = [
        type(event)
        for event in (event for entry in outcome.journal() for event in entry.events)
        if isinstance(event, Halted)
        or (isinstance(event, OrderChanged) and event.symbol == TERN and _in_doubt(event))
        or (isinstance(event, ExecutionBooked) and event.symbol == TERN)
    ]
    return seen[:3] == [OrderChanged, Halted, ExecutionBooked]


def _in_doubt(event: OrderChanged) -> bool:
    return event.state is OrderState.UNKNOWN


def _command(verb: str, subject: str = "") -> Command:
    return Command(
        command_id=f"play-{verb}", verb=verb, subject=subject, who="play", reason="the play says so"
    )

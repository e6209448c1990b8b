"""What a play can do: change the cast, script the venue's faults, step in at an instant, and judge what came out."""

from collections.abc import Sequence

from msgspec import Struct

from trader.calendar import Session
from trader.inbox import Inbox
from trader.model import MINUTE_NS, Symbol
from trader.simulator.faults import FaultRule
from trader.state import ExecutionState
from trader.supervisor import WorkerPlan
from trader.tape import Tape
from trader.venue import VenueOrder


class Stage(Struct, frozen=True, kw_only=True):
    """What a play may touch: it tells requests like any worker, and looks at published prices and states."""

    session: Session
    inbox: Inbox
    tape: Tape
    state: ExecutionState


class Outcome(Struct, frozen=True, kw_only=True):
    """What came out: our state, and what the venue accepted, in order: the ground truth."""

    state: ExecutionState
    accepted: tuple[VenueOrder, ...]
    symbols: tuple[Symbol, ...]


class Play:
    """Nothing special happens. Others override what they need."""

    name = "none"
    story = "a plain trading day"

    def cast(self, plans: Sequence[WorkerPlan], session: Session) -> list[WorkerPlan]:
        """The workers of the day, in place of the configured ones."""
        return list(plans)

    def faults(self, session: Session) -> list[FaultRule]:
        """What goes wrong at the venue."""
        return []

    async def on_instant(self, stage: Stage, at_ns: int) -> None:
        """Called once at each instant of the market, before the executor takes what the workers told."""

    def violations(self, outcome: Outcome) -> list[str]:
        """What should not have come out, a line each."""
        return []

    def verdict(self, outcome: Outcome) -> str:
        """One line for people when nothing is wrong; empty for nothing to say."""
        return ""


def at_minute(session: Session, hours: int, minutes: int) -> int:
    """A New York time of day of the session, as ns; sessions open at 09:30."""
    return session.open_ns + ((hours - 9) * 60 + minutes - 30) * MINUTE_NS

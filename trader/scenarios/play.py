"""What a play can do: change the cast, script the venue's faults, step in at an instant, and judge what came out."""

from collections.abc import Callable, Iterator, Sequence
from decimal import Decimal
from pathlib import Path
from typing import TypeVar

from msgspec import Struct

from trader.calendar import Session
from trader.config import Config
from trader.exits import Exit
from trader.inbox import Inbox
from trader.messages import Entry
from trader.model import MINUTE_NS, Side, Symbol
from trader.simulator.faults import FaultRule
from trader.simulator.scheduled import Happened, ScheduledEvent
from trader.state import ExecutionState
from trader.supervisor import WorkerPlan
from trader.tape import Tape
from trader.venue import Venue, VenueOrder

E = TypeVar("E")


class CutOff(Exception):
    """The life ends here, without a word: nothing is canceled, nothing recorded, nothing told."""


class Unplayed(Exception):
    """What a play waited for did not come: nothing was shown."""


class Stage(Struct, frozen=True, kw_only=True):
    """What a play may touch: it tells requests like any worker, and looks at published prices and states."""

    session: Session
    inbox: Inbox
    tape: Tape
    state: ExecutionState


class Outcome(Struct, frozen=True, kw_only=True):
    """What came out: our state and journal, and what the venue accepted, in order: the ground truth.

    `struck` is how often each fault that was scripted has struck, `happened` what befell the account.
    """

    state: ExecutionState
    accepted: tuple[VenueOrder, ...]
    symbols: tuple[Symbol, ...]
    venue: Venue | None = None
    journal: Callable[[], Iterator[Entry]] = lambda: iter(())
    struck: tuple[tuple[FaultRule, int], ...] = ()
    happened: tuple[Happened, ...] = ()

    def orders(self, symbol: Symbol, side: Side) -> list[VenueOrder]:
        """What the venue accepted of this session."""
        return [
            order
            for order in self.accepted
            if (order.symbol, order.side) == (symbol, side)
            and order.submitted_ns >= self.state.session_began_ns
        ]

    def events(self, kind: type[E]) -> list[E]:
        """Of the journal, in order, since this session began."""
        return [
            event
            for entry in self.journal()
            if entry.session == self.state.session
            for event in entry.events
            if isinstance(event, kind)
        ]

    def shares_at_venue(self, symbol: Symbol) -> Decimal:
        """What the venue's own executions add up to."""
        assert self.venue is not None, "asked of a run of ours"
        (account,) = self.venue.state.accounts.values()
        return account.quantity(symbol)


class Play:
    """Nothing special happens. Others override what they need.

    `number` is the incident's, `story` what is done to the program, `expectation` what it must show. The life ends
    `ends_minute` minutes into the session, or is cut off without a word as soon as `cut_off` holds of a committed
    state. `code` is how it has to end, None for cut off; `refusal` words of a refused start.
    """

    name = "none"
    number = ""
    story = "a plain trading day"
    expectation = ""
    ends_minute: int | None = None
    code: Exit | None = Exit.WELL
    refusal = ""
    is_judged = (
        True  # it has to be played whole; False: a demonstration, which a person may narrow or halt
    )
    cut_off: Callable[[ExecutionState], bool] | None = None

    def __init__(self) -> None:
        self.judgement: list[str] | None = None  # None: nobody came to judge

    def lives(self) -> list["Play"]:
        """The runs that it takes, one after the other, on the same books; each is a play."""
        return [self]

    def before(self, database: Path) -> None:
        """What is done to the files before the program starts."""

    def configured(self, config: Config) -> Config:
        """By which limits it is played, in place of the configured ones."""
        return config

    def cast(self, plans: Sequence[WorkerPlan], session: Session) -> list[WorkerPlan]:
        """The workers of the day, in place of the configured ones."""
        return list(plans)

    def faults(self, session: Session) -> list[FaultRule]:
        """What goes wrong at the venue."""
        return []

    def events(self, session: Session) -> list[ScheduledEvent]:
        """What befalls the account."""
        return []

    async def on_instant(self, stage: Stage, at_ns: int) -> None:
        """Called once at each instant of the market, before the executor takes what the workers told."""

    def is_over(self, session: Session, at_ns: int) -> bool:
        """The rest of the day is of no interest."""
        return self.ends_minute is not None and at_ns >= minute(session, self.ends_minute)

    def violations(self, outcome: Outcome) -> list[str]:
        """What should not have come out, a line each."""
        return []

    def verdict(self, outcome: Outcome) -> str:
        """One line for people when nothing is wrong; empty for nothing to say."""
        return ""

    def judged(self, outcome: Outcome) -> list[str]:
        """The violations; where something that was scripted did not come to pass, nothing was shown."""
        unplayed = [
            f"not played: {rule.verb} never struck" for rule, count in outcome.struck if not count
        ]
        undone = [
            f"not played: {one.event.name}: {one.undone}" for one in outcome.happened if one.undone
        ]
        if not self.is_judged:
            unplayed, undone = [], []
        self.judgement = [*self.violations(outcome), *unplayed, *undone]
        return self.judgement


class Enacted(Play):
    """A play with processes of its own, in the place of a run in this one."""

    async def enact(self, folder: Path, say: Callable[[str], None]) -> list[str]:
        """Play it in this folder; what should not have come out, a line each. Raises Unplayed."""
        raise NotImplementedError


def at_minute(session: Session, hours: int, minutes: int) -> int:
    """A New York time of day of the session, as ns; sessions open at 09:30."""
    return session.open_ns + ((hours - 9) * 60 + minutes - 30) * MINUTE_NS


def minute(session: Session, number: int) -> int:
    """So many minutes after the open, as ns."""
    return session.open_ns + number * MINUTE_NS

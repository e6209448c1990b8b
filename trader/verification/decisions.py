"""What was decided, decided again: the same input on the same state must give the same events, word for word."""

from msgspec import Struct

from trader.execution import decide
from trader.journal.chain import Link
from trader.messages import Boot, Entry, Event, encode
from trader.state import ExecutionState

SHOWN_MAX = 300


class OtherDecision(Struct, frozen=True, kw_only=True):
    """The first event that came out otherwise; empty where there is none on that side."""

    sequence: int
    heard: str
    journal: str
    again: str

    def __str__(self) -> str:
        return (
            f"row {self.sequence}, {self.heard}: the journal has {self.journal or 'no event'}, "
            f"decided again {self.again or 'no event'}"
        )


def decided_again(before: ExecutionState, entry: Entry) -> OtherDecision | None:
    """None where this code decides what the journal has."""
    try:
        events = decide(before, entry.input)
    except AssertionError as error:  # a rule of today that the recorded input breaks
        return _other(entry, "", f"a failed assertion: {error}")
    if events == entry.events:
        return None
    for place in range(max(len(events), len(entry.events))):
        ours = events[place] if place < len(events) else None
        theirs = entry.events[place] if place < len(entry.events) else None
        if ours != theirs:
            return _other(entry, _told(theirs), _told(ours))
    return None


def build_of(before: ExecutionState, entry: Entry) -> str:
    """The identity of the code that decided this entry: of the life that begins with it, or was under way."""
    return entry.input.build if isinstance(entry.input, Boot) else before.build


class DecidedAgain:
    """A Watch: decides again what this very code has decided; other code may have had other rules."""

    def __init__(self, build: str) -> None:
        self.build = build
        self.same = 0
        self.others = 0  # entries of other builds
        self.differing: OtherDecision | None = None

    def __call__(self, before: ExecutionState, link: Link, after: ExecutionState) -> None:
        if build_of(before, link.entry) != self.build:
            self.others += 1
        elif (found := decided_again(before, link.entry)) is None:
            self.same += 1
        elif self.differing is None:
            self.differing = found


def _other(entry: Entry, journal: str, again: str) -> OtherDecision:
    heard = str(entry.input.__struct_config__.tag)
    return OtherDecision(sequence=entry.sequence, heard=heard, journal=journal, again=again)


def _told(event: Event | None) -> str:
    return "" if event is None else encode(event).decode()[:SHOWN_MAX]

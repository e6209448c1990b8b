"""Scenarios of the reply to an order: lost, late, empty, without an id, and of an order that can't be found yet."""

from collections.abc import Sequence

from trader.calendar import Session
from trader.exits import Exit
from trader.model import MINUTE_NS
from trader.scenarios.checks import Checks
from trader.scenarios.play import Outcome, Play, minute
from trader.scenarios.players import GS, JD, TERN, TRIP, Insistent, T, cast_of
from trader.simulator.faults import EVENT, FaultRule, FaultVerb
from trader.supervisor import WorkerPlan

POST = "POST"
ORDERS = "/v2/orders"
LOOKUP = "/v2/orders:by_client_order_id"
EVENTS_MAX = 100


def mute(symbol: str, session: Session, minutes: int = 1) -> FaultRule:
    """The stream says nothing of the symbol's orders for the first minutes."""
    return FaultRule(
        verb=FaultVerb.DROP_EVENT,
        method=EVENT,
        symbol=symbol,
        until_ns=minute(session, 1) + minutes * MINUTE_NS,
        times=EVENTS_MAX,
    )


def on_post(verb: FaultVerb, symbol: str, **how: float) -> FaultRule:
    """On the first order of the symbol."""
    return FaultRule(verb=verb, method=POST, path_prefix=ORDERS, symbol=symbol, **how)  # type: ignore[arg-type]


class LostAcknowledgement(Play):
    """S05."""

    name = "s05-lost-acknowledgement"
    number = "S05"
    story = (
        "the broker accepts; JD gets a 504, T a dropped connection, GS half a reply, TRIP an empty one;"
        " the stream says nothing; all want to buy again each minute"
    )
    expectation = "UNKNOWN, found by its client order id; one order each"
    ends_minute: int | None = 4

    def cast(self, plans: Sequence[WorkerPlan], session: Session) -> list[WorkerPlan]:
        return cast_of(session, *(Insistent(symbol=one) for one in (JD, T, GS, TRIP)))

    def faults(self, session: Session) -> list[FaultRule]:
        return [
            on_post(FaultVerb.ACCEPT_THEN_504, JD),
            on_post(FaultVerb.DROP_AFTER_ACCEPT, T),
            on_post(FaultVerb.HALF_REPLY, GS),
            on_post(FaultVerb.EMPTY_REPLY, TRIP),
            *(mute(symbol, session) for symbol in (JD, T, GS, TRIP)),
        ]

    def violations(self, outcome: Outcome) -> list[str]:
        checks = Checks(outcome).bought_once(JD, T, GS, TRIP).booked_once()
        for symbol in (JD, T, GS, TRIP):
            checks.was_unknown(symbol)
        return checks.nothing_in_doubt().wrong

    def verdict(self, outcome: Outcome) -> str:
        return "4 replies lost, 4 orders UNKNOWN and found by their ids, none sent twice"


class AfterTheDeadline(Play):
    """S05, too."""

    name = "s05-after-the-deadline"
    number = "S05"
    story = (
        "TERN's order is accepted, and the reply comes after the deadline; the stream says nothing"
    )
    expectation = "UNKNOWN as soon as the deadline has passed; found; one order"
    ends_minute: int | None = 3

    def cast(self, plans: Sequence[WorkerPlan], session: Session) -> list[WorkerPlan]:
        return cast_of(session, Insistent(symbol=TERN))

    def faults(self, session: Session) -> list[FaultRule]:
        return [on_post(FaultVerb.DELAY_ACK, TERN, delay_s=30.0), mute(TERN, session)]

    def violations(self, outcome: Outcome) -> list[str]:
        checks = Checks(outcome).bought_once(TERN).booked_once().was_unknown(TERN)
        return checks.nothing_in_doubt().wrong

    def verdict(self, outcome: Outcome) -> str:
        return "given up, looked up, found: one order"


class NotFoundYet(Play):
    """S07."""

    name = "s07-not-found-yet"
    number = "S07"
    story = (
        "JD's order is accepted and its reply lost; twice the broker says that it knows no such order;"
        " JD is wanted again each minute"
    )
    expectation = (
        "not found is not believed at once: it stays UNKNOWN, reserved, and is asked for again"
    )
    ends_minute: int | None = 4

    def cast(self, plans: Sequence[WorkerPlan], session: Session) -> list[WorkerPlan]:
        return cast_of(session, Insistent(symbol=JD))

    def faults(self, session: Session) -> list[FaultRule]:
        return [
            on_post(FaultVerb.ACCEPT_THEN_504, JD),
            FaultRule(verb=FaultVerb.LOOKUP_404, method="GET", path_prefix=LOOKUP, times=2),
            mute(JD, session),
        ]

    def violations(self, outcome: Outcome) -> list[str]:
        checks = Checks(outcome).bought_once(JD).was_unknown(JD).booked_once()
        return checks.nothing_in_doubt().wrong

    def verdict(self, outcome: Outcome) -> str:
        return "told twice that there is no such order, it asked a third time, and found it"


class OddAnswers(Play):
    """S08."""

    name = "s08-no-id-and-odd-words"
    number = "S08"
    story = "the reply to JD's order has no id in it; the stream tells of T's order with an event that nobody knows"
    expectation = "UNKNOWN until it is found; T quarantined, with what was heard; nothing dropped"
    ends_minute: int | None = 4
    code: Exit | None = Exit.DIFFERENCES
    word = "recombobulated"

    def cast(self, plans: Sequence[WorkerPlan], session: Session) -> list[WorkerPlan]:
        return cast_of(session, Insistent(symbol=JD), Insistent(symbol=T))

    def faults(self, session: Session) -> list[FaultRule]:
        return [
            on_post(FaultVerb.NO_ID, JD),
            mute(JD, session),
            FaultRule(verb=FaultVerb.ODD_WORD, method=EVENT, symbol=T, word=self.word),
        ]

    def violations(self, outcome: Outcome) -> list[str]:
        checks = Checks(outcome).bought_once(JD, T).was_unknown(JD).booked_once()
        return checks.quarantined(T).raw_kept(self.word).wrong

    def verdict(self, outcome: Outcome) -> str:
        return (
            "no reply without an id was believed; the odd word is in the journal, and T is closed"
        )


class NoSecondPost(Play):
    """S28."""

    name = "s28-no-second-post"
    number = "S28"
    story = "every POST of JD gets a 504 after it was accepted, every POST of T is one too many requests"
    expectation = "one POST for one order: nothing below the executor sends again by itself"
    ends_minute: int | None = 3

    def cast(self, plans: Sequence[WorkerPlan], session: Session) -> list[WorkerPlan]:
        return cast_of(
            session, Insistent(symbol=JD, enters_until=2), Insistent(symbol=T, enters_until=2)
        )

    def faults(self, session: Session) -> list[FaultRule]:
        return [
            FaultRule(verb=FaultVerb.ACCEPT_THEN_504, method=POST, symbol=JD, times=None),
            FaultRule(verb=FaultVerb.TOO_MANY_REQUESTS, method=POST, symbol=T, times=None),
        ]

    def violations(self, outcome: Outcome) -> list[str]:
        checks = Checks(outcome).struck(JD, 1).struck(T, 1).bought_once(JD).booked_once()
        return checks.nothing_in_doubt().wrong

    def verdict(self, outcome: Outcome) -> str:
        return "2 decisions, 2 POSTs; the 504 was looked up, the 429 was taken for a no"

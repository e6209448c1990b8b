"""One request explained: the entry that answered it, against the state that the entries before it had led to."""

from typing import Literal, NamedTuple

from msgspec import Struct

from trader.calendar import iso
from trader.execution import decide
from trader.explanation.facts import Decision, Holding, QuoteSeen, RuleSeen
from trader.explanation.rules import judged
from trader.inquiry import question_of
from trader.messages import (
    DenyReason,
    DuplicateBlocked,
    Entry,
    Event,
    OrderRequest,
    RequestAccepted,
    RequestDenied,
)
from trader.model import Quote, Size, Symbol
from trader.money import TEXT_MAX, canonical, price_of
from trader.protection import stop_words
from trader.state import ExecutionState

Answer = RequestAccepted | DuplicateBlocked | RequestDenied
_BEFORE_THE_RULES = {
    "identity": "A request id is one telling: other content under the same id is a conflict.",
    "numbers": "Numbers that no arithmetic may see are no question to a rule.",
}


class Step(Struct, frozen=True, kw_only=True):
    """An entry, and the state that it was decided against."""

    before: ExecutionState
    entry: Entry


class Outcome(NamedTuple):
    """What became of a request: the reason or what blocked it, and the order it became or ran into."""

    outcome: Literal["accepted", "duplicate_blocked", "denied"]
    why: str
    client_order_id: str | None


def decision_of(step: Step, running_build: str, count: int = 1) -> Decision:
    """The request of this entry, explained."""
    before, entry = step.before, step.entry
    request, answer = entry.input, answer_of(entry.events)
    assert isinstance(request, OrderRequest), "only requests are decided on"
    assert answer is not None, "every journaled request has its answer"
    outcome = outcome_of(answer)
    stopper = _stopped_before_the_rules(request, answer)
    question = question_of(before, request) if stopper is None else None
    return Decision(
        sequence=entry.sequence,
        timestamp=iso(entry.at_ns),
        session=entry.session,
        epoch=entry.epoch,
        build=before.build,
        is_running_build=before.build == running_build,
        request_id=request.request_id,
        decision_key=request.decision_key,
        symbol=request.symbol,
        strategy=request.strategy,
        side=request.side.value,
        purpose=request.purpose.value,
        size=_size(request.size),
        quantity=canonical(question.quantity) if question is not None else None,
        limit_price=str(request.limit_price)[:TEXT_MAX]
        if request.limit_price is not None
        else None,
        stop=stop_words(request.stop_price, request.trail) if question is not None else "",
        reason=request.reason,
        market_timestamp=iso(request.at_ns),
        quote=_quote(request.quote),
        before=holding_of(before, request.symbol),
        rules=judged(question) if question is not None else _only(stopper),
        outcome=outcome.outcome,
        why=outcome.why,
        numbers=answer.numbers if isinstance(answer, RequestDenied) else {},
        client_order_id=outcome.client_order_id,
        decided_now=_decided_now(before, request, outcome),
        count=count,
    )


def answer_of(events: tuple[Event, ...]) -> Answer | None:
    """What these events say about a request, None where they are about something else."""
    return next((event for event in events if isinstance(event, Answer)), None)


def outcome_of(answer: Answer) -> Outcome:
    """The answer in the words of an explanation."""
    match answer:
        case RequestAccepted():
            return Outcome("accepted", "", answer.order.client_order_id)
        case DuplicateBlocked():
            by_order = answer.blocking.value.endswith("_order")
            blocked_by = answer.blocked_by if by_order else None
            return Outcome("duplicate_blocked", answer.blocking.value, blocked_by)
        case RequestDenied():
            return Outcome("denied", answer.reason.value, None)


def holding_of(state: ExecutionState, symbol: Symbol) -> Holding:
    """What the books say of the symbol and of the money."""
    position, books = state.position(symbol), state.books
    return Holding(
        quantity=canonical(position.quantity),
        avg_cost=canonical(position.avg_cost) if position.quantity else None,
        cost=canonical(position.cost),
        realized=canonical(position.realized),
        strategy=position.strategy,
        cash=canonical(books.cash),
        cash_reserved=canonical(books.reserved),
        equity=canonical(state.equity),
    )


def _stopped_before_the_rules(request: OrderRequest, answer: Answer) -> RuleSeen | None:
    """What a request whose id or numbers can't stand was stopped by; such numbers must not reach a rule."""
    if not isinstance(answer, RequestDenied):
        return None
    names = answer.numbers.keys()
    if answer.reason is DenyReason.REQUEST_ID_CONFLICT:
        name = "identity"
    elif names in ({"size"}, {"unsound"}) or (
        names == {"price"} and request.limit_price is not None
    ):
        name = "numbers"
    else:
        return None
    says = _BEFORE_THE_RULES[name]
    return RuleSeen(name=name, verdict="objected", numbers=answer.numbers, says=says)


def _only(stopper: RuleSeen | None) -> tuple[RuleSeen, ...]:
    return () if stopper is None else (stopper,)


def _decided_now(before: ExecutionState, request: OrderRequest, then: Outcome) -> str:
    """What this code decides on the same question, where it is something else."""
    answer = answer_of(decide(before, request))
    now = outcome_of(answer) if answer is not None else None
    if now == then:
        return ""
    return "nothing" if now is None else f"{now.outcome} {now.why}".strip()


def _size(size: Size) -> str:
    amount = str(size.amount)[:TEXT_MAX]  # As it was told: it may be no amount at all.
    match size.unit:
        case "target":
            return f"to hold {amount}"
        case "notional":
            return f"{amount} dollars"
        case "equity":
            return f"{amount} of the equity"
        case "per_equity":
            return f"{amount} shares for each dollar of equity"
        case _:
            return f"{amount} {size.unit}"


def _quote(quote: Quote | None) -> QuoteSeen | None:
    if quote is None:
        return None
    return QuoteSeen(
        timestamp=iso(quote.at_ns),
        bid=canonical(price_of(quote.bid)),
        ask=canonical(price_of(quote.ask)),
    )

"""One order explained: every entry that is about it, what each did to its state, and to the books."""

from collections.abc import Iterable, Sequence

from trader import accounting
from trader.accounting import Posting
from trader.calendar import iso
from trader.evolve import evolve, evolve_entry
from trader.explanation.decisions import Step, answer_of, decision_of, holding_of
from trader.explanation.facts import ExecutionTold, Happening, OrderExplained, PostingMade
from trader.messages import (
    Alarmed,
    CancelRequested,
    DuplicateBlocked,
    Entry,
    Event,
    ExecutionBooked,
    Input,
    LookupWanted,
    OrderChanged,
    OrderReport,
    OrderRequest,
    Quarantined,
    RequestAccepted,
)
from trader.model import ClientOrderId, Execution, Order, Symbol
from trader.money import canonical
from trader.state import ExecutionState


def order_of(name: ClientOrderId, steps: Sequence[Step], running_build: str) -> OrderExplained:
    """The order's whole life, from the steps about it (at least one); one that isn't ours has reports only."""
    after = evolve_entry(steps[-1].before, steps[-1].entry)
    order = after.orders.get(name)
    answers = [answer_of(step.entry.events) for step in steps]
    is_blocked = [isinstance(answer, DuplicateBlocked) for answer in answers]
    accepted = [
        step
        for step, answer in zip(steps, answers, strict=True)
        if isinstance(answer, RequestAccepted)
    ]
    reported = [step.entry.input for step in steps if isinstance(step.entry.input, OrderReport)]
    known: Order | OrderReport = order if order is not None else reported[-1]
    return OrderExplained(
        client_order_id=name,
        broker_order_id=known.broker_order_id,
        symbol=known.symbol,
        state=order.state.value if order is not None else None,
        state_reason=order.state_reason if order is not None else "",
        side=known.side.value,
        quantity=canonical(known.quantity) if known.quantity is not None else "",
        quantity_filled=canonical(order.quantity_filled) if order is not None else "",
        avg_price=_average(order),
        fees=canonical(order.fees) if order is not None else "",
        decision=decision_of(accepted[0], running_build) if accepted else None,
        happenings=tuple(
            happening_of(name, known.symbol, step)
            for step, is_other in zip(steps, is_blocked, strict=True)
            if not is_other
        ),
        blocked=tuple(
            decision_of(step, running_build)
            for step, is_other in zip(steps, is_blocked, strict=True)
            if is_other
        ),
    )


def _average(order: Order | None) -> str | None:
    price = order.avg_price if order is not None else None
    return canonical(price) if price is not None else None


def happening_of(name: ClientOrderId, symbol: Symbol, step: Step) -> Happening:
    """One entry, as far as it is about this order."""
    before, entry = step.before, step.entry
    after = evolve_entry(before, entry)
    was, now = before.orders.get(name), after.orders.get(name)
    holdings = (holding_of(before, symbol), holding_of(after, symbol))
    heard = entry.input
    report = heard if isinstance(heard, OrderReport) else None
    return Happening(
        sequence=entry.sequence,
        timestamp=iso(entry.at_ns),
        session=entry.session,
        kind=str(heard.__struct_config__.tag),
        source=report.source if report is not None else "",
        says=_heard(heard),
        told_at=iso(report.at_ns) if report is not None else None,
        execution=_execution(report.execution) if report is not None else None,
        state_before=was.state.value if was is not None else None,
        state_after=now.state.value if now is not None else None,
        notes=tuple(_notes(name, entry)),
        postings=tuple(_postings(name, step)),
        before=None if holdings[0] == holdings[1] else holdings[0],
        after=None if holdings[0] == holdings[1] else holdings[1],
    )


def _heard(heard: Input) -> str:
    """The input in words."""
    match heard:
        case OrderRequest():
            return f"{heard.strategy}: {heard.reason}"
        case OrderReport():
            words = f"{heard.claim.value}, {canonical(heard.quantity_cumulative)} executed"
            return f"{words}; {heard.reason}" if heard.reason else words
        case _:
            told = (getattr(heard, one, "") for one in ("verb", "outcome", "who", "reason"))
            return ", ".join(str(one) for one in told if one)


def _execution(told: Execution | None) -> ExecutionTold | None:
    if told is None:
        return None
    quantity, price = canonical(told.quantity), canonical(told.price)
    return ExecutionTold(execution_id=told.execution_id, quantity=quantity, price=price)


def _notes(name: ClientOrderId, entry: Entry) -> Iterable[str]:
    """What else was decided, besides the new state."""
    for event in entry.events:
        match event:
            case OrderChanged(client_order_id=of) if of == name and event.reason:
                if event.reason not in _heard(entry.input):
                    yield event.reason
            case LookupWanted(client_order_id=of) if of == name:
                yield f"the broker is asked, for the {_ordinal(event.attempts + 1)} time: {event.reason}"
            case CancelRequested(client_order_id=of) if of == name:
                yield f"to be canceled: {event.reason}"
            case Alarmed() | Quarantined() if isinstance(entry.input, OrderReport):
                words = event.message if isinstance(event, Alarmed) else event.reason
                yield f"{event.__struct_config__.tag}: {words}"
            case _:
                pass


def _ordinal(number: int) -> str:
    ending = (
        "th" if 10 <= number % 100 <= 20 else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    )
    return f"{number}{ending}"


def _postings(name: ClientOrderId, step: Step) -> Iterable[PostingMade]:
    """What the entry moved for this order: its executions, and what a final state releases of its reserve."""
    state = step.before
    for event in step.entry.events:
        after = evolve(state, event)
        for one in _posted(name, event, state, after):
            amount = canonical(one.amount)
            yield PostingMade(account=one.account, instrument=one.instrument, amount=amount)
        state = after


def _posted(
    name: ClientOrderId, event: Event, before: ExecutionState, after: ExecutionState
) -> Sequence[Posting]:
    match event:
        case RequestAccepted(order=order) if order.client_order_id == name:
            return accounting.postings_of(event)
        case ExecutionBooked(client_order_id=of) if of == name:
            return accounting.postings_of(event)
        case OrderChanged(client_order_id=of) if of == name:
            held = before.orders[name].reserved - after.orders[name].reserved
            return accounting.release_postings(held)
        case _ if getattr(event, "client_order_id", None) == name:
            return accounting.postings_of(event)
        case _:
            return ()

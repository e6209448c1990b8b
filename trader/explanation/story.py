"""The one fold that an explanation takes: the journal from its first entry to the last one needed."""

import sqlite3

from trader.evolve import evolve_entry
from trader.explanation.decisions import Step, decision_of
from trader.explanation.facts import Explained, OrderExplained, Process, RequestExplained
from trader.explanation.orders import order_of
from trader.explanation.subjects import Subject
from trader.explanation.symbols import SymbolStory
from trader.journal.sqlite import entries_of
from trader.messages import RequestAccepted
from trader.model import ClientOrderId, Symbol
from trader.state import ExecutionState


def explained(
    connection: sqlite3.Connection,
    subject: Subject,
    *,
    where: str,
    process: Process,
    running_build: str,
) -> Explained:
    """Everything that the journal says of the subject; raises JournalDamaged where it isn't what was written."""
    if subject.kind == "symbol":
        return _symbol(connection, subject, where, process, running_build)
    steps = _steps(connection, subject, where)
    if subject.kind == "order":
        return order_of(ClientOrderId(subject.name), steps, running_build)
    return RequestExplained(
        request_id=subject.name,
        decisions=tuple(
            decision_of(step, running_build)
            for step in steps
            if step.entry.sequence in subject.tellings
        ),
        order=_order_of_request(subject, steps, running_build),
    )


def _symbol(
    connection: sqlite3.Connection,
    subject: Subject,
    where: str,
    process: Process,
    running_build: str,
) -> Explained:
    state, story = ExecutionState(), SymbolStory(Symbol(subject.name))
    for entry in entries_of(connection, where=where):
        story.hear(state, entry)
        state = evolve_entry(state, entry)
    return story.told(state, process, running_build)


def _steps(connection: sqlite3.Connection, subject: Subject, where: str) -> list[Step]:
    state, steps = ExecutionState(), list[Step]()
    for entry in entries_of(connection, where=where):
        if entry.sequence in subject.tellings or entry.sequence in subject.mentions:
            steps.append(Step(before=state, entry=entry))
        if entry.sequence == subject.last:
            break
        state = evolve_entry(state, entry)
    return steps


def _order_of_request(
    subject: Subject, steps: list[Step], running_build: str
) -> OrderExplained | None:
    about = [step for step in steps if step.entry.sequence in subject.mentions]
    for step in about:
        for event in step.entry.events:
            if isinstance(event, RequestAccepted):
                return order_of(event.order.client_order_id, about, running_build)
    return None

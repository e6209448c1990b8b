"""`decide`: what follows from an input, given the state. With `evolve` it is the whole mind of the program.

Both are pure and synchronous. There is no await between the check of the position map and the record of the intent,
because there is no await here at all: the check, the reservation and the intent are one turn.
"""

import hashlib
from typing import assert_never

from msgspec.structs import replace

from trader import (
    agreement,
    brakes,
    commands,
    corrections,
    disruptions,
    movements,
    reducing,
    reports,
    risk,
    sessions,
    soundness,
)
from trader.evolve import evolve, evolve_entry, fold
from trader.inquiry import client_order_id, question_of, unsound, wanted_of
from trader.limit_changes import limits_changed
from trader.messages import (
    Acceptance,
    Activity,
    Adoption,
    Alarmed,
    AlarmReport,
    Blocking,
    Boot,
    BrakeTripped,
    CancelOutcome,
    Clock,
    Command,
    DenyReason,
    DuplicateBlocked,
    Event,
    ExecutionCorrected,
    Gate,
    GateMoved,
    GateReport,
    Input,
    LifeBegan,
    LifeEnd,
    LifeEnded,
    LookupMissed,
    Opening,
    OrderReport,
    OrderRequest,
    PriceJumped,
    RequestAccepted,
    RequestDenied,
    Resolution,
    SecurityStatus,
    SendOutcome,
    SendStarted,
    SessionBegan,
    Statement,
    WorkerMoved,
    WorkerReport,
    encode,
)
from trader.model import Order, OrderState, Side
from trader.money import ZERO, plain
from trader.question import Denial, Question
from trader.state import ALL_SYMBOLS, ExecutionState

WORKER_FAILURES_ALARMED = 3  # of one worker in one life

__all__ = ["ExecutionState", "decide", "evolve", "evolve_entry", "fold", "question_of"]


def decide(state: ExecutionState, heard: Input) -> tuple[Event, ...]:
    """The events that follow from one input; none where nothing is new."""
    events = _decided(state, heard)
    if not events:
        return ()
    return soundness.checked(state, (*events, *reducing.followed(state, events)))


def _decided(state: ExecutionState, heard: Input) -> tuple[Event, ...]:
    match heard:
        case OrderRequest():
            return _on_request(state, heard)
        case OrderReport():
            return reports.on_report(state, heard)
        case SendStarted():
            return reports.on_send_started(state, heard)
        case Clock():
            return _on_clock(state, heard)
        case SendOutcome():
            return reports.on_send_outcome(state, heard)
        case CancelOutcome():
            return reports.on_cancel_outcome(state, heard)
        case LookupMissed():
            return reports.on_lookup_missed(state, heard)
        case Statement():
            return agreement.on_statement(state, heard)
        case Activity():
            return movements.on_activity(state, heard)
        case Opening():
            return movements.on_opening(state, heard)
        case Adoption():
            return movements.on_adoption(state, heard)
        case Acceptance():
            return agreement.on_acceptance(state, heard)
        case ExecutionCorrected():
            return corrections.on_correction(state, heard)
        case Resolution():
            return corrections.on_resolution(state, heard)
        case SecurityStatus():
            return disruptions.on_security_status(state, heard)
        case PriceJumped():
            return disruptions.on_price_jump(state, heard)
        case GateReport():
            return _on_gate(state, heard)
        case WorkerReport():
            return _on_worker(state, heard)
        case Command():
            return commands.on_command(state, heard)
        case Boot():
            return _on_boot(state, heard)
        case AlarmReport():
            return (Alarmed(alarm=heard.alarm, symbol=heard.symbol, message=heard.message),)
        case LifeEnd():
            return (LifeEnded(at_ns=heard.at_ns, exit_code=heard.exit_code),)
        case _:
            assert_never(heard)


# ---------------------------------------------------------------------------------------------- requests


def _on_request(state: ExecutionState, request: OrderRequest) -> tuple[Event, ...]:
    digest = _digest(request)
    first_told = state.telling(request.request_id)
    if first_told == digest:
        return ()  # The same telling again has its answer already.
    if first_told is not None:
        conflict = Denial(reason=DenyReason.REQUEST_ID_CONFLICT, numbers={"first": first_told})
        return (_denied(request, digest, None, conflict),)
    objection = unsound(request)
    if objection is not None:
        return (_denied(request, digest, None, objection),)
    wanted = wanted_of(state, request)
    blocked = risk.duplicate(wanted)
    if blocked is not None:
        return (_blocked(request, digest, *blocked),)
    question = question_of(state, request, wanted)
    if (denial := risk.first_denial(question)) is not None:
        if freed := reducing.freed(state, question, denial):
            words = f"cancel, proof, then exit: {request.reason}"
            return (_blocked(request, digest, Blocking.REDUCTION, words), *freed)
        return (_denied(request, digest, question, denial),)
    order = _intent(state, question)
    return (RequestAccepted(request_id=request.request_id, digest=digest, order=order),)


def _digest(request: OrderRequest) -> str:
    """Of what was told; that it came late is not part of it."""
    told = replace(request, late=False) if request.late else request
    return hashlib.blake2b(encode(told), digest_size=8).hexdigest()


def _blocked(
    request: OrderRequest, digest: str, blocking: Blocking, blocked_by: str
) -> DuplicateBlocked:
    return DuplicateBlocked(
        request_id=request.request_id,
        digest=digest,
        decision_key=request.decision_key,
        symbol=request.symbol,
        side=request.side,
        strategy=request.strategy,
        purpose=request.purpose,
        blocking=blocking,
        blocked_by=blocked_by,
    )


def _denied(
    request: OrderRequest, digest: str, question: Question | None, denial: Denial
) -> RequestDenied:
    price = request.limit_price
    return RequestDenied(
        request_id=request.request_id,
        digest=digest,
        decision_key=request.decision_key,
        symbol=request.symbol,
        side=request.side,
        strategy=request.strategy,
        purpose=request.purpose,
        quantity=question.quantity if question is not None else ZERO,
        limit_price=plain(price) if question is not None and price is not None else None,
        reason=denial.reason,
        numbers=denial.numbers,
    )


def _intent(state: ExecutionState, question: Question) -> Order:
    request = question.request
    return Order(
        client_order_id=client_order_id(request),
        decision_key=request.decision_key,
        decision_id=state.sequence + 1,
        request_id=request.request_id,
        strategy=question.position.strategy or request.strategy,
        symbol=request.symbol,
        side=request.side,
        purpose=request.purpose,
        order_type=request.order_type,
        time_in_force=request.time_in_force,
        extended_hours=request.extended_hours,
        quantity=plain(question.quantity),
        limit_price=None if request.limit_price is None else plain(request.limit_price),
        reserve_price=plain(question.reserve_price),
        created_ns=state.at_ns,
        reason=request.reason,
        epoch=state.epoch,
        build=state.build,
        reserved=plain(question.cost) if request.side is Side.BUY else ZERO,
        state_ns=state.at_ns,
        stop_price=request.stop_price,
        trail=request.trail,
        protection=request.protection,
    )


# ----------------------------------------------------------------------------------------- everything else


def _on_clock(state: ExecutionState, clock: Clock) -> tuple[Event, ...]:
    events: list[Event] = [*disruptions.clock_moved(state, clock)]
    moved = evolve(state, events[0])
    if clock.session and clock.session != state.session:
        events.append(SessionBegan(session=clock.session, equity=plain(moved.equity)))
        moved = evolve(moved, events[-1])
    for brake, numbers in brakes.tripped_by_loss(
        moved.equity, moved.equity_session, moved.equity_peak, moved.limits
    ):
        if (brake, ALL_SYMBOLS) not in moved.brakes:
            events.append(BrakeTripped(brake=brake, symbol=None, numbers=numbers))
    return (*events, *sessions.closed_by(moved), *sessions.not_flat(state, moved))


def _on_gate(state: ExecutionState, report: GateReport) -> tuple[Event, ...]:
    closed = dict(state.gates_closed)
    events: list[Event] = []
    if (report.gate not in closed) != report.is_open or (
        not report.is_open and closed.get(report.gate) != report.reason
    ):
        events.append(GateMoved(gate=report.gate, is_open=report.is_open, reason=report.reason))
        if report.gate is Gate.FRESH_CODE and not report.is_open:
            events.append(Alarmed(alarm="stale_code", symbol=None, message=report.reason))
    if report.gate is Gate.TRADING_STREAM and events and Gate.RECONCILED not in closed:
        # What is reported while it is down is replayed by nobody: agree anew, and once more when it is back.
        why = f"the trading stream: {report.reason}"
        events.append(GateMoved(gate=Gate.RECONCILED, is_open=False, reason=why))
    return tuple(events)


def _on_worker(state: ExecutionState, report: WorkerReport) -> tuple[Event, ...]:
    is_cold = report.worker in state.workers_cold.get(report.symbol, ())
    if report.ready is not is_cold and not report.reason:
        return ()
    moved = WorkerMoved(
        worker=report.worker, symbol=report.symbol, ready=report.ready, reason=report.reason
    )
    if report.failures != WORKER_FAILURES_ALARMED:
        return (moved,)
    what = f"worker {report.worker} has failed {report.failures} times"
    return (moved, Alarmed(alarm="worker_failing", symbol=report.symbol, message=what))


def _on_boot(state: ExecutionState, boot: Boot) -> tuple[Event, ...]:
    assert state.account in {"", boot.account}, "the door checks whose books these are"
    assert boot.epoch > state.epoch, "an epoch is taken, never shared"
    began = LifeBegan(
        epoch=boot.epoch,
        build=boot.build,
        pid=boot.pid,
        version=boot.version,
        broker=boot.broker,
        account=boot.account,
        symbols=boot.symbols,
        limits=boot.limits,
        fees=boot.fees,
        at_ns=boot.at_ns,
        python=boot.python,
        lock=boot.lock,
        commit=boot.commit,
        is_modified=boot.is_modified,
        closings=boot.closings,
        strategies=boot.strategies,
    )
    # An intent that was never answered may have reached the broker: in doubt, never sent again.
    unanswered = sorted(
        order.client_order_id
        for order in state.orders.values()
        if order.state in {OrderState.INTENT, OrderState.SENT, OrderState.UNKNOWN}
    )
    events: list[Event] = [began, *limits_changed(state, boot)]
    events += sessions.of_before(state, boot.at_ns)
    for one in unanswered:
        events.extend(
            reports.doubted(state, state.orders[one], "the program ended before an answer")
        )
    if state.halted:
        events.append(Alarmed(alarm="halted", symbol=None, message=f"still halted: {state.halted}"))
    return tuple(events)

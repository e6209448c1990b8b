"""What moves the books without an order of ours: activities, adoptions, hand trades, adjustments, decided.

Each is booked once, by its reference, as one BooksMoved that balances: cash + cost = deposit + realized. Nothing is
overwritten: where our books were wrong, an adjusting entry says so, and who said so.
"""

from decimal import Decimal

from trader import positions, splits
from trader.calendar import FIRST_NS, new_york_date
from trader.messages import (
    Acceptance,
    Activity,
    Adoption,
    Alarmed,
    BooksMoved,
    DifferenceFound,
    Event,
    Opening,
    OpeningBooked,
    OrderReport,
    Quarantined,
    Released,
    Statement,
    raw_text,
)
from trader.model import MINUTE_NS, Side, Symbol
from trader.money import ZERO, plain, share
from trader.state import ExecutionState

# The broker's words for what its owner brings or takes; everything else that moves cash is profit or loss.
DEPOSITS = frozenset({"CSD", "CSW", "JNLC", "TRANS", "ACATC"})
FEES = frozenset({"FEE", "CFEE"})
# An activity may be told so long after its day: a weekend and a holiday. So many days are asked for again.
ACTIVITY_LATE_NS = 5 * 24 * 60 * MINUTE_NS


def movement(kind: str, reference: str, description: str, **amounts: object) -> BooksMoved:
    """A BooksMoved in which everything that isn't named is nothing."""
    nothing: dict[str, object] = dict.fromkeys(
        ("cash", "quantity", "cost", "realized", "fees", "deposit"), ZERO
    )
    values = {"symbol": None} | nothing | amounts
    return BooksMoved(kind=kind, reference=reference, description=description, **values)  # type: ignore[arg-type]


def on_activity(state: ExecutionState, activity: Activity) -> tuple[Event, ...]:
    """Book it once, all its legs in one; what happened before our books were opened is in the opening balance."""
    legs = splits.legs_of(activity, state.booked)
    if not legs:
        return ()
    if activity.quantity and activity.symbol is None:
        return _of_no_symbol(activity)
    whole = splits.as_one(legs)
    booking = _booking(state, whole)
    is_known_only = booking.kind == "before_opening"
    held = _held(state, activity.symbol)
    is_half = not is_known_only and splits.is_half(activity, legs, held)
    if is_half and splits.may_be_followed(activity, state.at_ns):
        return ()
    if is_half and splits.takes_more(whole, held):
        return _half(whole)
    kind = "before_opening" if is_known_only else "split_leg"
    others = (
        movement(kind, one.activity_id, f"a leg of {whole.activity_id}", symbol=one.symbol)
        for one in legs[1:]
    )
    return (booking, *others, *(_half(whole) if is_half else ()))


def _held(state: ExecutionState, symbol: Symbol | None) -> Decimal:
    return ZERO if symbol is None else state.position(symbol).quantity


def _booking(state: ExecutionState, activity: Activity) -> BooksMoved:
    about = f"{activity.kind} {activity.description}".strip()
    if state.has_opened_since(activity.at_ns) or _is_of_a_day_before(state, activity):
        return movement("before_opening", activity.activity_id, about, symbol=activity.symbol)
    amount = plain(activity.amount)
    if activity.kind in FEES:
        # Accrued at the fill and taken from our cash then; only what it was wrong by is booked now.
        wrong_by = plain(amount + state.fees_accrued.get(activity.session, ZERO))
        return movement(
            "activity",
            activity.activity_id,
            about,
            cash=wrong_by,
            realized=wrong_by,
            fees=plain(-wrong_by),
            charged=activity.session,
        )
    symbol = activity.symbol if activity.quantity else None
    deposit = amount if activity.kind in DEPOSITS else ZERO
    return movement(
        # With cash in it, nobody says at what price the fraction was paid.
        "split" if symbol and activity.kind in splits.SPLITS and not amount else "activity",
        activity.activity_id,
        about,
        symbol=symbol,
        cash=amount,
        quantity=plain(activity.quantity),
        realized=plain(amount - deposit),
        deposit=deposit,
    )


def _half(activity: Activity) -> tuple[Event, ...]:
    """A leg whose other half never came: booked or, where it takes more than is held, known; a person has to look."""
    why = f"half of a split: {activity.kind} of {activity.quantity} shares, and nothing beside it"
    return (
        Quarantined(
            symbol=activity.symbol,
            reason=why,
            raw=raw_text(activity),
            reference=activity.activity_id,
        ),
        Alarmed(alarm="quarantined", symbol=activity.symbol, message=why),
    )


def _is_of_a_day_before(state: ExecutionState, activity: Activity) -> bool:
    """Of an activity only the day may be told; what is of the last day of older books came after their last word."""
    if not state.opened_activities_ns or not activity.session:
        return False
    return activity.session < new_york_date(state.opened_activities_ns)


def _of_no_symbol(activity: Activity) -> tuple[Event, ...]:
    """Shares that moved, and nobody says which: nothing is booked, and nothing is entered until somebody has looked."""
    reference = activity.activity_id
    why = f"{activity.kind} moves {activity.quantity} shares of no symbol"
    raw = raw_text(activity)
    return (
        Quarantined(symbol=None, reason=why, raw=raw, reference=reference),
        Alarmed(alarm="quarantined", symbol=None, message=why),
    )


def opening_at(statement: Statement) -> OpeningBooked:
    """The balance that new books begin with, in the broker's own words.

    What was over before it is in it; not what is of the same instant, for market time may stand still. Of the last
    days, activities may still come: those that were there already were told with the statement, and are known by
    their ids.
    """
    return OpeningBooked(
        cash=plain(statement.cash),
        at_ns=max(0, statement.at_ns - 1),
        activities_ns=max(FIRST_NS, statement.at_ns - ACTIVITY_LATE_NS),
    )


def on_opening(state: ExecutionState, opening: Opening) -> tuple[Event, ...]:
    """The opening balance of new books, from older ones; books that are open already stay as they are."""
    if state.is_opened:
        return ()
    about = f"opened by {opening.who}: {opening.reason}"
    return (OpeningBooked(cash=plain(opening.cash), at_ns=opening.at_ns, description=about),)


def on_adoption(state: ExecutionState, adoption: Adoption) -> tuple[Event, ...]:
    """An opening entry for what was held before us; said twice, it is booked once."""
    held = state.position(adoption.symbol)
    if adoption.command_id in state.booked or held.quantity:
        return ()
    return (
        movement(
            "hands_off" if adoption.treatment == "hands-off" else "adoption",
            adoption.command_id,
            f"adopted by {adoption.who}: {adoption.reason}",
            symbol=adoption.symbol,
            quantity=plain(adoption.quantity),
            cost=plain(adoption.cost),
            deposit=plain(adoption.cost),
            strategy=adoption.strategy,
        ),
        Released(symbol=adoption.symbol, who=adoption.who, reason=adoption.reason),
    )


def on_hand_trade(state: ExecutionState, report: OrderReport) -> tuple[Event, ...]:
    """Somebody trades by hand in a symbol that is theirs: booked, without alarm."""
    execution = report.execution
    if execution is None or _hand_reference(report) in state.booked or not state.is_opened:
        return ()
    notional = plain(execution.quantity * execution.price)
    held = state.position(report.symbol)
    trade = positions.traded(held, report.side, execution.quantity, notional, ZERO)
    sign = 1 if report.side is Side.BUY else -1
    return (
        movement(
            "hand_trade",
            _hand_reference(report),
            f"{report.side.value} {execution.quantity} {report.symbol} at {execution.price} by hand",
            symbol=report.symbol,
            cash=plain(-sign * notional),
            quantity=plain(sign * execution.quantity),
            cost=trade.cost,
            realized=trade.realized,
        ),
    )


def before_adoption(state: ExecutionState, report: OrderReport) -> tuple[Event, ...]:
    """An execution of others in a symbol that isn't theirs yet: what is adopted later has it in it already."""
    if report.execution is None or _hand_reference(report) in state.booked:
        return ()
    about = f"execution {report.execution.execution_id} of an order that is not ours"
    return (movement("before_opening", _hand_reference(report), about, symbol=report.symbol),)


def _hand_reference(report: OrderReport) -> str:
    """The stream and the list of fills have an id each for one execution; where it ends is the same in both."""
    assert report.execution is not None
    return f"{report.client_order_id} at {report.execution.quantity_cumulative}"


def adjustment(
    state: ExecutionState, difference: DifferenceFound, acceptance: Acceptance
) -> BooksMoved:
    """Our books become the broker's in one respect: it is the owner's money, neither profit nor loss."""
    change = plain(Decimal(difference.theirs) - Decimal(difference.ours))
    reference = f"{acceptance.command_id} {difference.subject} {difference.symbol or ''}".strip()
    why = f"accepted by {acceptance.who}: {acceptance.reason}"
    if difference.symbol is None:
        return movement("adjustment", reference, why, cash=change, deposit=change)
    cost = _cost_of_change(state, difference.symbol, change, acceptance)
    return movement(
        "adjustment",
        reference,
        why,
        symbol=difference.symbol,
        quantity=change,
        cost=cost,
        deposit=cost,
    )


def _cost_of_change(
    state: ExecutionState, symbol: Symbol, change: Decimal, acceptance: Acceptance
) -> Decimal:
    """What is left costs what the broker says; where it says nothing, its share of what it cost us."""
    held = state.position(symbol)
    theirs = acceptance.statement.costs.get(symbol)
    if theirs is not None:
        return plain(theirs - held.cost)
    if held.quantity:
        return share(held.cost, change, held.quantity)
    return ZERO

"""The broker's legs of a split, a removal of all old shares and an addition of all new ones, as the one thing they are.

Problem: Alpaca books a split as two activities with ids of their own, in any order. Booked one after the other, the
first leaves nothing whose prices could move, and the second brings shares at the prices of before.
Choice: the legs of one symbol and day that are told together are one activity, which remembers each leg; what has one
of them only, though it takes all that we hold or brings all that the broker holds, waits for the other until the day
after its own is over. Nothing is remembered for that: every statement tells the activities of the last days again.
Rejected: to keep quantity, mark and levels at a removal for an addition to come. State, the sums of the tables and
the database would each have to, and in between nothing would be held that a stop could guard.
"""

from collections.abc import Container, Iterable, Mapping, Sequence
from decimal import Decimal

from msgspec.structs import replace

from trader.calendar import DAY_NS, new_york_date
from trader.messages import Activity
from trader.model import Symbol
from trader.money import ZERO, plain, share

# The broker's words for more or fewer shares of the same worth. Shares that are transferred, journaled or reorganized
# are other shares: they leave every price where it is.
SPLITS = frozenset({"SPLIT", "SSP"})


def joined(told: Iterable[Activity], held: Mapping[Symbol, Decimal]) -> list[Activity]:
    """Each with the legs that belong to it in the place of its first; `held` is what the broker says is there now."""
    found: dict[object, list[Activity]] = {}
    for one in told:
        is_leg = one.kind in SPLITS and one.symbol is not None
        found.setdefault((one.symbol, one.session) if is_leg else one.activity_id, []).append(one)
    return [_with_legs(legs, held) for legs in found.values()]


def _with_legs(legs: Sequence[Activity], held: Mapping[Symbol, Decimal]) -> Activity:
    first = legs[0]
    if first.kind not in SPLITS or first.symbol is None:
        return first
    whole = replace(as_one(legs), held=held.get(first.symbol, ZERO))
    return whole if len(legs) == 1 else replace(whole, legs=tuple(legs))


def as_one(legs: Sequence[Activity]) -> Activity:
    """What they come to, under the id of the first."""
    return replace(
        legs[0],
        amount=plain(sum((one.amount for one in legs), ZERO)),
        quantity=plain(sum((one.quantity for one in legs), ZERO)),
    )


def legs_of(activity: Activity, booked: Container[str] = ()) -> list[Activity]:
    """Its legs, itself where it has none, that aren't booked yet."""
    return [one for one in activity.legs or (activity,) if one.activity_id not in booked]


def is_half(activity: Activity, legs: Sequence[Activity], held: Decimal) -> bool:
    """One leg that can't be all of a split of what we hold: it takes all of it, or is all that the broker holds."""
    if len(legs) > 1 or activity.kind not in SPLITS:
        return False
    quantity = legs[0].quantity
    if not held:
        return quantity < 0
    return (held + quantity) * held <= 0 or (quantity == activity.held and quantity * held > 0)


def takes_more(leg: Activity, held: Decimal) -> bool:
    """Than there is: what we hold is no longer what the leg was about."""
    return leg.quantity * held <= 0 and abs(leg.quantity) > abs(held)


def split_mark(mark: int, before: Decimal, after: Decimal) -> int:
    """In price ticks; none where nothing was held before: what the new shares are worth, their own price has to say."""
    return int(share(Decimal(mark), before, after)) if before else 0


def may_be_followed(activity: Activity, at_ns: int) -> bool:
    """Until the day after its own is over; what is of no day is not waited for."""
    try:
        return activity.session >= new_york_date(at_ns - DAY_NS)
    except ValueError:  # before the first clock of all
        return False

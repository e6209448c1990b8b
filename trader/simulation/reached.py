"""Counts what a simulation has reached: rows of the order table, deny reasons, faults; nobody tests what never was.

Of the order table not every row can be met over a wire by the whole program, and that is part of the promise: some are
there for a broker, or a person, that lies. They are listed with the reason. The core simulation, which lies, has all.
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from trader import orders
from trader.model import OrderState
from trader.orders import TRANSITIONS, Row, Trigger

Pair = tuple[OrderState, Trigger]
_S, _T = OrderState, Trigger


def _rows(states: Iterable[OrderState], triggers: Iterable[Trigger], why: str) -> dict[Pair, str]:
    return {(state, trigger): why for state in states for trigger in triggers}


_UNDECIDED = {_S.INTENT, _S.SENT, _S.UNKNOWN}
# Rows that a world must not reach: each would be a promise broken, or a broker that contradicts itself.
OUT_OF_REACH: dict[Pair, str] = {
    **_rows(
        set(_S) - {_S.INTENT},
        [_T.SEND_STARTED],
        "a send begins once, and is heard of before anything that comes of it",
    ),
    **_rows(
        set(_S) - _UNDECIDED,
        [_T.PROVEN_NEVER_SENT],
        "what the broker has is not proven absent (B5), and what is proven is not asked for again",
    ),
    **_rows(
        [_S.NEVER_SENT],
        set(_T) - {_T.SEND_STARTED, _T.PROVEN_NEVER_SENT},
        "what is proven never sent shows no sign of life (B5); only a person can be wrong about it",
    ),
    **_rows(
        [_S.INTENT],
        [_T.CANCEL_REJECTED],
        "only the stream has that word, and it is heard after the send has begun",
    ),
    **_rows([_S.FILLED], [_T.FILL_PART], "with all of it booked one more execution is not a part"),
    **_rows(
        [_S.CANCELED, _S.REJECTED],
        [_T.EXPIRED],
        "what has ended at the broker does not end once more by itself",
    ),
    **_rows([_S.EXPIRED], [_T.REJECTED], "the broker rejects what is open only"),
}
# But a restored journal may lack an order. Decided anew under its id, it is known to live or to have ended before its
# send begins, or although no byte of this try has left.
AFTER_A_RESTORE: frozenset[Pair] = frozenset(
    (state, trigger)
    for state, trigger in OUT_OF_REACH
    if (state is _S.NEVER_SENT and trigger not in {_T.SEND_STARTED, _T.PROVEN_NEVER_SENT, _T.DOUBT})
    or (
        state not in {*_UNDECIDED, _S.NEVER_SENT}
        and trigger in {_T.SEND_STARTED, _T.PROVEN_NEVER_SENT}
    )
)
# Rows that take several rare things at once: a campaign is well with and without them.
SELDOM: dict[Pair, str] = {
    **_rows(
        [_S.FILLED],
        [_T.EXPIRED],
        "executed in full, some of it taken back, and the day over before that is heard of",
    ),
    **_rows(
        [_S.INTENT],
        [_T.CANCEL_PENDING],
        "missing from a backup, decided anew under its id, and its cancel at the broker just then under way",
    ),
    **_rows(
        [_S.EXPIRED],
        [_T.CANCEL_REJECTED],
        "a cancel that is refused when the day ends, and the end of the day is heard of first",
    ),
    **_rows(
        [_S.EXPIRED, _S.REJECTED],
        [_T.CANCELED],
        "executed after its end, taken back, and neither was heard of before the broker is asked",
    ),
    **_rows(
        [_S.SENT, _S.UNKNOWN],
        [_T.CANCEL_REJECTED],
        "somebody else's cancel is refused, and of all words about the order that one comes first",
    ),
}


class _Counting(dict[Pair, Row]):
    def __init__(self, counts: Counter[str]) -> None:
        super().__init__(TRANSITIONS)
        self._counts = counts

    def __getitem__(self, key: Pair) -> Row:
        self._counts[_NAMES[key]] += 1
        return super().__getitem__(key)


def row_name(state: OrderState, trigger: Trigger) -> str:
    """How a row of the order table is called in a report."""
    return f"row {state.value} {trigger.name}"


_NAMES = {key: row_name(*key) for key in TRANSITIONS}


@contextmanager
def counted_rows(counts: Counter[str]) -> Iterator[None]:
    """While inside, count every look into the order table."""
    table = orders.TRANSITIONS
    orders.TRANSITIONS = _Counting(counts)
    try:
        yield
    finally:
        orders.TRANSITIONS = table


def rows_missing(counts: Counter[str]) -> list[str]:
    """Rows that should have been reached, by name."""
    excused = OUT_OF_REACH.keys() | SELDOM.keys()
    rows = (row_name(*key) for key in TRANSITIONS if key not in excused)
    return sorted(name for name in rows if not counts[name])


def rows_beyond(counts: Counter[str], *, is_restored: bool) -> list[str]:
    """Rows that a world should not reach, and did; of one whose journal was replaced by an older one, fewer."""
    rows = OUT_OF_REACH.keys() - (AFTER_A_RESTORE if is_restored else frozenset())
    return sorted(name for key in rows if counts[name := row_name(*key)])

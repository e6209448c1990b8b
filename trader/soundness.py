"""Do our own books add up? After each fill, for its symbol; at a start, for all. A difference halts: it is our bug.

The broker's statement tells later whether the books are right. This tells at once whether they can be: each sum is
taken in two ways that share no arithmetic, and what one of them gets wrong, the other says.
"""

from collections.abc import Iterator

from trader import accounting
from trader.evolve import evolve
from trader.messages import Alarmed, BooksMoved, Event, ExecutionBooked, Halted
from trader.model import Symbol
from trader.money import ZERO, plain
from trader.state import ExecutionState

WHO = "the books"
MOVES_SHARES = frozenset({ExecutionBooked, BooksMoved})


def checked(state: ExecutionState, events: tuple[Event, ...]) -> tuple[Event, ...]:
    """The events, and where the books don't add up after them, an alarm and a halt that only a person ends."""
    if MOVES_SHARES.isdisjoint(map(type, events)):
        return events
    symbols = {one.symbol for one in events if isinstance(one, ExecutionBooked | BooksMoved)}
    for event in events:
        state = evolve(state, event)
    what = "; ".join(differences(state, symbols))
    if not what:
        return events
    first = min(symbols, key=str)
    alarm = Alarmed(alarm="books_differ", symbol=first, message=f"our own books: {what}")
    return (
        (*events, alarm) if is_halted_by_the_books(state) else (*events, alarm, _halt(state, what))
    )


def is_halted_by_the_books(state: ExecutionState) -> bool:
    """What doesn't add up is known, and only a person ends the halt."""
    return state.halt is not None and state.halt.who == WHO


def _halt(state: ExecutionState, what: str) -> Halted:
    """A halt that stands already loses none of what it wants."""
    before = state.halt
    return Halted(
        who=WHO,
        reason=what,
        command_id=before.command_id if before else "",
        at_ns=state.at_ns,
        cancels=before is not None and before.cancels,
        flattens=before is not None and before.flattens,
        shuts=state.is_shut,
    )


def differences(state: ExecutionState, symbols: set[Symbol | None]) -> Iterator[str]:
    """What doesn't add up of these symbols and of the cash; nothing in sound books. Cheap: no history is walked."""
    for symbol in sorted(one for one in symbols if one is not None):
        held, brought = state.position(symbol).quantity, state.brought.get(symbol, ZERO)
        if held != brought:
            yield f"{symbol}: position {held}, its fills and movements {brought}"
    cash, explained = state.books.cash, accounting.cash_explained(state.books)
    if cash != explained:
        yield f"cash {cash}, what moved it {explained}"


def all_differences(state: ExecutionState) -> Iterator[str]:
    """The same of every symbol, and the sums over all of them."""
    books, held = state.books, state.positions.values()
    yield from differences(state, {*state.positions.keys(), *state.brought.keys()})
    cost = plain(sum((one.cost for one in held), ZERO))
    if books.cash + cost != books.opening + books.deposits + books.realized:
        yield f"cash {books.cash} + cost {cost} is not opening + deposits + realized"
    reserved = plain(sum((one.reserved for one in state.orders.values()), ZERO))
    if books.reserved != reserved:
        yield f"reserved {books.reserved}, open orders hold {reserved}"
    value = plain(sum((one.value for one in held), ZERO))
    if state.positions_value != value:
        yield f"positions are worth {state.positions_value}, at their marks {value}"
    yield from _pending(state)


def _pending(state: ExecutionState) -> Iterator[str]:
    """What each position has on its way is what its live orders have left."""
    for symbol, position in sorted(state.positions.items()):
        for ids, pending in (
            (position.entries, position.quantity_pending_buy),
            (position.exits, position.quantity_pending_sell),
        ):
            left = sum((state.orders[one].quantity_leaves for one in ids), ZERO)
            if pending != left:
                yield f"{symbol}: {pending} on its way, its orders have {left} left"

"""What `evolve` counts: tellings and their outcomes, and what was entered this minute and this session."""

from decimal import Decimal

from immutables import Map
from msgspec.structs import replace

from trader.messages import DuplicateBlocked, RequestDenied
from trader.model import MINUTE_NS, Order, StrategyName
from trader.money import plain
from trader.state import Counts, ExecutionState


def counted(counts: Counts, *, accepted: int = 0, blocked: int = 0, denied: int = 0) -> Counts:
    """One request more, and its outcome."""
    return Counts(
        requests=counts.requests + 1,
        accepted=counts.accepted + accepted,
        blocked=counts.blocked + blocked,
        denied=counts.denied + denied,
    )


def told(
    state: ExecutionState,
    event: DuplicateBlocked | RequestDenied,
    *,
    blocked: int = 0,
    denied: int = 0,
) -> ExecutionState:
    """A telling that became no order. A conflict does not replace what was told first."""
    counts = counted(state.counts, blocked=blocked, denied=denied)
    if state.telling(event.request_id) is None:
        tellings = state.tellings.set(event.request_id, event.digest)
        return replace(state, tellings=tellings, counts=counts)
    return replace(state, counts=counts)


def entered(state: ExecutionState, order: Order) -> ExecutionState:
    """One entry more: open, in this minute, and in this session by dollars and by strategy."""
    strategy = order.strategy
    return replace(
        state,
        entries_open=state.entries_open + 1,
        entries_recent=_recent(state),
        entries_notional=plain(state.entries_notional + order.reserved),
        entries_of=state.entries_of.set(strategy, state.entries_of.get(strategy, 0) + 1),
    )


def _recent(state: ExecutionState) -> tuple[tuple[int, int], ...]:
    """One more now. Market time moves once a minute, so this stays short however many entries there are.

    Where a clock was wrong it goes back, too: what is of another minute is forgotten, before and after.
    """
    now_ns, recent = state.at_ns, state.entries_recent
    others = [one for one in recent if 0 < abs(one[0] - now_ns) < MINUTE_NS]
    count = sum(count for at_ns, count in recent if at_ns == now_ns)
    return (*others, (now_ns, count + 1))


def session_began(state: ExecutionState) -> ExecutionState:
    """A new day: nothing was entered yet."""
    nothing: Map[StrategyName, int] = Map()
    return replace(state, entries_recent=(), entries_notional=Decimal(0), entries_of=nothing)

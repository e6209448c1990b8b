"""Limits that are others than in the life before, each an event with its owner and reason."""

from collections.abc import Iterator

from trader import limits
from trader.messages import Boot, Event, LimitChanged
from trader.state import ExecutionState


def limits_changed(state: ExecutionState, boot: Boot) -> Iterator[Event]:
    """Each limit that this life has and the one before had not; of the first life there is nothing to say."""
    if not state.epoch:
        return
    for one in limits.changes(state.limits, boot.limits):
        yield LimitChanged(
            limit=one.limit,
            before=one.before,
            after=one.after,
            owner=one.why.owner,
            reason=one.why.reason,
        )

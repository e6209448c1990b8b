"""What a person changes about limits, decided: a strategy that is new no more, limits that are others than before."""

from collections.abc import Iterator

from trader import limits
from trader.messages import Boot, Command, Event, LimitChanged, Noted, Promoted
from trader.model import StrategyName
from trader.state import ExecutionState


def promotion(state: ExecutionState, command: Command) -> Event:
    """As it was configured in the last life; one that no life has had can't be promoted."""
    strategy = StrategyName(command.subject)
    configured = state.strategies.get(strategy)
    if configured is None:
        return Noted(subject="promote", message=f"no life has traded {command.subject}")
    return Promoted(
        strategy=strategy, configured=configured, who=command.who, reason=command.reason
    )


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

"""Plays: what is done to the program on purpose, and what it must then show."""

from trader.exits import Mistake
from trader.scenarios import (
    account,
    data,
    events,
    lives,
    pace,
    processes,
    protections,
    replies,
    requests,
    stops,
)
from trader.scenarios.first_day import FirstDay
from trader.scenarios.play import Enacted, Play
from trader.scenarios.stampede import Stampede

# What really happened somewhere, by the number of the incident.
SCENARIOS: tuple[type[Play], ...] = (
    requests.EightTasks,
    requests.MadeAnew,
    lives.RestartInDoubt,
    lives.UnreadableBooks,
    replies.LostAcknowledgement,
    replies.AfterTheDeadline,
    events.FillsInAnyOrder,
    replies.NotFoundYet,
    replies.OddAnswers,
    events.EventsMissing,
    processes.MuteMarketData,
    account.EmptyPositions,
    account.HalfAnAnswer,
    account.OtherHands,
    processes.AccountWithHoldings,
    lives.SecondProcess,
    processes.PausedProcess,
    processes.StaleCode,
    stops.HaltInFlight,
    requests.TwoStrategies,
    data.BadTicks,
    requests.TooLate,
    pace.BurstAndRateLimit,
    processes.KilledAtEachStep,
    events.FilledAfterAll,
    lives.FillsReplayed,
    events.CancelOnABadLink,
    lives.StopWhileReconnecting,
    lives.WorkerAndExecutorFail,
    lives.TamperedBooks,
    pace.OwnOrderRests,
    protections.StopHoldsTheShares,
    replies.NoSecondPost,
)
PLAYS: dict[str, type[Play]] = {
    "first-day": FirstDay,
    "none": Play,
    "stampede": Stampede,
    **{play.name: play for play in SCENARIOS if not issubclass(play, Enacted)},
}


def play_named(name: str) -> Play:
    """A fresh play; raises Mistake for a name that isn't one."""
    if name in {one.name for one in SCENARIOS if issubclass(one, Enacted)}:
        raise Mistake(
            f"{name} starts processes of its own", remedy=f"bin/trade scenario run {name}"
        )
    if name not in PLAYS:
        raise Mistake(f"no such scenario: {name}", remedy=f"there are: {', '.join(PLAYS)}")
    return PLAYS[name]()

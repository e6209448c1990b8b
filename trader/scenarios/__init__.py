"""Plays: what is done to the program on purpose, and what it must then show."""

from trader.exits import Mistake
from trader.scenarios import account, events, lives, replies, requests
from trader.scenarios.first_day import FirstDay
from trader.scenarios.play import Play
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
    account.EmptyPositions,
    account.OtherHands,
    lives.SecondProcess,
    requests.TwoStrategies,
    requests.TooLate,
    events.FilledAfterAll,
    lives.FillsReplayed,
    events.CancelOnABadLink,
    lives.StopWhileReconnecting,
    lives.WorkerAndExecutorFail,
    lives.TamperedBooks,
    replies.NoSecondPost,
)
PLAYS: dict[str, type[Play]] = {
    "first-day": FirstDay,
    "none": Play,
    "stampede": Stampede,
    **{play.name: play for play in SCENARIOS},
}


def play_named(name: str) -> Play:
    """A fresh play; raises Mistake for a name that isn't one."""
    if name not in PLAYS:
        raise Mistake(f"no such scenario: {name}", remedy=f"there are: {', '.join(PLAYS)}")
    return PLAYS[name]()

"""Plays: what is done to the program on purpose, and what it must then show."""

from trader.exits import Mistake
from trader.scenarios.first_day import FirstDay
from trader.scenarios.play import Play
from trader.scenarios.stampede import Stampede

PLAYS: dict[str, type[Play]] = {"first-day": FirstDay, "none": Play, "stampede": Stampede}


def play_named(name: str) -> Play:
    """A fresh play; raises Mistake for a name that isn't one."""
    if name not in PLAYS:
        raise Mistake(f"no such scenario: {name}", remedy=f"there are: {', '.join(PLAYS)}")
    return PLAYS[name]()

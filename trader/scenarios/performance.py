"""Plays a scenario life by life on one account, and tells whether each ended as it had to and nothing was violated."""

from collections.abc import Iterator
from pathlib import Path
from time import monotonic

import trio
from msgspec import Struct
from msgspec.structs import replace

from trader.build import Build
from trader.config import Config
from trader.exits import Exit, PersonError
from trader.failure import leaves_of
from trader.feeds.synthetic import SyntheticMarket
from trader.live.screen import PlainScreen
from trader.live.simulated import SimulatedRun, run_simulated
from trader.scenarios.play import CutOff, Enacted, Play, Unplayed

SEED = 7


class Performance(Struct, frozen=True, kw_only=True):
    """What was done, what the program said, and what is wrong with it."""

    name: str
    number: str
    story: str
    expectation: str
    passed: bool
    violations: list[str]
    verdict: str
    seconds: float
    said: list[str]


class Ended(Struct, frozen=True, kw_only=True):
    """How a life ended: code None for cut off; `words` are those of the exception, where there was one."""

    code: int | None
    words: str = ""


class KeepingScreen(PlainScreen):
    """Keeps the lines; the verdicts of each life last."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def say(self, line: str) -> None:
        """One line."""
        self.lines.append(line)


def performed(play: Play, folder: Path, build: Build) -> Performance:
    """On a new account of its own in this folder."""
    screen, config, began_s = KeepingScreen(), Config(), monotonic()
    run = SimulatedRun(
        config=config,
        config_path=None,
        database=folder / "trading_data.db",
        log=folder / "trader.log",
        market=SyntheticMarket(SEED, config.symbols),
        is_recorded=False,
        seed=SEED,
        speed=None,
        is_clocked=False,
        sessions=1,
        first=None,
        play=play,
        fresh=False,
    )
    wrong: list[str] = []
    for life, ended in lives_of(run, build, screen):
        wrong += _amiss(life, ended)
    verdict = next((one for one in reversed(screen.lines) if one), "")
    return Performance(
        name=play.name,
        number=play.number,
        story=play.story,
        expectation=play.expectation,
        passed=not wrong,
        violations=wrong,
        verdict="" if wrong else verdict,
        seconds=round(monotonic() - began_s, 1),
        said=screen.lines,
    )


def played(run: SimulatedRun, build: Build, screen: PlainScreen) -> int:
    """The same, watched: the exit code of its last life, as a person who typed it would see it."""
    *_, (_, ended) = lives_of(run, build, screen)
    return Exit.BUG if ended.code is None else ended.code


def lives_of(run: SimulatedRun, build: Build, screen: PlainScreen) -> Iterator[tuple[Play, Ended]]:
    """Each life of the play, when it has ended."""
    lives = run.play.lives()
    for number, life in enumerate(lives, 1):
        if len(lives) > 1:
            screen.say(f"life {number} of {len(lives)}: {life.story}")
        life.before(run.database)
        played = replace(
            run,
            play=life,
            config=life.configured(run.config),
            fresh=run.fresh and number == 1,
        )
        ended = _lived(played, build, screen)
        if ended.words and len(lives) > 1:
            screen.say(ended.words)
        yield life, ended


def _lived(run: SimulatedRun, build: Build, screen: PlainScreen) -> Ended:
    """Whatever was expected to end it ends it; anything else goes up to the door."""
    if isinstance(run.play, Enacted):
        return _enacted(run.play, run.database.parent, screen)
    try:
        return Ended(code=int(trio.run(run_simulated, run, build, screen)))
    except BaseException as error:
        leaves = list(leaves_of(error))
        if run.play.code is None and all(isinstance(one, CutOff) for one in leaves):
            return Ended(code=None, words="cut off")
        if run.play.code is Exit.BUG and all(isinstance(one, Exception) for one in leaves):
            return Ended(code=Exit.BUG, words=f"ended by {leaves[0]!r}")
        if run.play.code is Exit.REFUSED and isinstance(leaves[0], PersonError):
            return Ended(code=leaves[0].exit_code, words=f"refused: {leaves[0]}")
        raise


def _enacted(play: Enacted, folder: Path, screen: PlainScreen) -> Ended:
    try:
        play.judgement = trio.run(play.enact, folder, screen.say)
    except BaseException as error:
        leaves = list(leaves_of(error))
        unplayed = [one for one in leaves if isinstance(one, Unplayed)]
        if len(unplayed) < len(leaves):
            raise
        play.judgement = [f"not played: {one}" for one in unplayed]
    return Ended(code=play.code)


def _amiss(life: Play, ended: Ended) -> list[str]:
    wrong = list(life.judgement or ())
    if life.judgement is None and life.code not in {None, Exit.BUG, Exit.REFUSED}:
        wrong.append("it ended before anything could be judged")
    if ended.code != life.code and not wrong:
        wrong.append(f"it ended with the code {ended.code}, not {life.code}")
    if life.refusal not in ended.words:
        wrong.append(f"it was refused as {ended.words!r}, not as {life.refusal!r}")
    return wrong

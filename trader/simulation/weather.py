"""What a process's lines are like: slow, lossy, cut or dead, as the seed has drawn it, until everything is well."""

from collections import Counter
from random import Random
from typing import Protocol

from trader.simulation.draw import Setting
from trader.simulation.fault import Fault
from trader.simulation.link import Fate


class World(Protocol):
    """Where the lines are; `rate` is a fault's of this moment."""

    setting: Setting
    faults: Counter[str]

    def rate(self, fault: Fault) -> float: ...


class SeededWeather:
    """The lines, as the seed has drawn them, until everything is well."""

    def __init__(self, world: World, random: Random) -> None:
        self._world = world
        self._random = random

    def request(self, method: str) -> Fate:
        slow = self._strikes(Fault.SLOW_LINE)
        latency_s = self._latency_s()
        return Fate(
            out_s=latency_s + (self._random.uniform(5, 40) if slow else 0),
            back_s=self._latency_s(),
            is_refused=self._strikes(Fault.CONNECTION_REFUSED),
            is_lost=self._strikes(Fault.REQUEST_LOST),
            is_reply_lost=self._strikes(Fault.REPLY_LOST),
        )

    def frame_s(self) -> float:
        return self._latency_s()

    def line_ends(self) -> str:
        if self._strikes(Fault.STREAM_CUT):
            return "cut"
        return "dead" if self._strikes(Fault.STREAM_DEAD) else ""

    def _latency_s(self) -> float:
        return self._random.uniform(*self._world.setting.latency_s)

    def _strikes(self, fault: Fault) -> bool:
        rate = self._world.rate(fault)
        if not rate or self._random.random() >= rate:
            return False
        self._world.faults[fault] += 1
        return True

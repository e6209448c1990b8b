"""Whether a fault of the world keeps the broker out of reach just now, or its market from being told truly."""

from collections import Counter

from trader.model import Symbol
from trader.simulation.bad_data import Liar
from trader.simulation.draw import fault_of
from trader.simulation.fault import LEAVES_THE_BROKER_IN_REACH
from trader.simulator.broker import SimulatedBroker


class Reach:
    """Of one world; `faults` counts what has struck, `lives` how often the program has begun."""

    def __init__(self, broker: SimulatedBroker, liar: Liar, faults: Counter[str]) -> None:
        self._broker = broker
        self._liar = liar
        self._faults = faults
        self._befallen = self._befallen_seen = 0
        self.lives = 0

    def troubles(self) -> int:
        """How often anything has struck so far that may keep a request, a reply or a report back."""
        harmless, happened = LEAVES_THE_BROKER_IN_REACH, self._broker.happened
        while self._befallen_seen < len(happened):
            self._befallen += fault_of(happened[self._befallen_seen].event) not in harmless
            self._befallen_seen += 1
        return (
            sum(count for fault, count in self._faults.items() if fault not in harmless)
            + sum(self._broker.faults.strikes)
            + self._befallen
            + self.lives
        )

    def is_told_truly(self, symbol: Symbol) -> bool:
        """See Liar."""
        return self._liar.is_told_truly(symbol)

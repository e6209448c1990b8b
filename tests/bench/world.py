"""Virtual trading hours with faults a second: the whole program, its codecs and journal, broker and all checks."""

import logging
from pathlib import Path

from tests.bench.measure import Sample
from trader.cli.options import quiet_interpreter
from trader.simulation.draw import drawn
from trader.simulation.fault import Fault
from trader.simulation.world import simulated

WORK, WORK_TINY = 10, 1
FIRST = 300
HOURS = 1.0


def once(work: int, folder: Path) -> list[Sample]:
    """Everything counts as CPU time, hours only as far as faults strike in them: not the minutes of settling."""
    logging.disable(logging.CRITICAL)  # As the verb does it.
    quiet_interpreter()
    found = [simulated(drawn(seed, HOURS, tuple(Fault))) for seed in range(FIRST, FIRST + work)]
    assert not any(one.violations for one in found)
    cpu_s = sum(one.cpu_s for one in found)
    return [
        Sample(
            name="virtual hours with faults, 8 symbols, 3 workers each",
            value=sum(one.hours for one in found) / cpu_s,
            unit="h/s",
            goal=1.0,
        ),
        Sample(
            name="task steps of them",
            value=sum(one.steps for one in found) / cpu_s,
            unit="1/s",
        ),
    ]

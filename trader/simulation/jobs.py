"""Worlds in several processes, each of which lives through one seed at a time; what comes out is the same as of one.

The processes share nothing. Whatever ends this one ends them at once: they hear no Ctrl-C themselves, are killed, and
what they leave on the disk lies in a folder that goes with them.
"""

import selectors
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from io import BufferedReader
from pathlib import Path
from typing import BinaryIO

import msgspec

from trader.simulation.disk import memory
from trader.simulation.verdict import Verdict

ASKED = "--asked"  # the option that makes `simulate` one of these processes


class WorldLost(Exception):
    """A world that has no verdict: its process has failed, and said why, or is gone."""


def lived(
    seeds: Iterable[int],
    options: Sequence[str],
    jobs: int,
    done: Callable[[Verdict], None] = lambda verdict: None,
) -> list[Verdict]:
    """Live through all of them; `done` hears of each as it ends, the list is in the order of the seeds."""
    order = list(seeds)
    waiting = iter(order)
    found: dict[int, Verdict] = {}
    with _processes(options, min(jobs, len(order))) as lines, selectors.DefaultSelector() as ready:
        for line in lines:
            line.ask(next(waiting))
            ready.register(line.answers, selectors.EVENT_READ, line)
        while len(found) < len(order):
            for key, _ in ready.select():
                verdict = key.data.answer()
                found[verdict.seed] = verdict
                done(verdict)
                following = next(waiting, None)
                if following is None:
                    ready.unregister(key.fileobj)
                else:
                    key.data.ask(following)
    return [found[seed] for seed in order]


class _Line:
    """To one process and back: a seed in a line, its verdict in a line."""

    def __init__(self, process: "subprocess.Popen[bytes]") -> None:
        assert isinstance(process.stdout, BufferedReader)
        assert process.stdin is not None
        self.answers, self._asks = process.stdout, process.stdin
        self._seed = 0

    def ask(self, seed: int) -> None:
        self._seed = seed
        try:
            self._asks.write(b"%d\n" % seed)
            self._asks.flush()
        except BrokenPipeError:
            pass  # It is gone, and has no answer: that is what tells.

    def answer(self) -> Verdict:
        """To be called when there is one: never waits for a world."""
        said = self.answers.readline()
        if not said:
            raise WorldLost(f"the process that lived through seed {self._seed} is gone")
        return msgspec.json.decode(said, type=Verdict)


@contextmanager
def _processes(options: Sequence[str], jobs: int) -> Iterator[list[_Line]]:
    """So many of them, waiting for seeds, until the block ends, however it does."""
    with (
        tempfile.TemporaryDirectory(prefix="trader-simulations-", dir=memory()) as folder,
        ExitStack() as started,
    ):
        command = [sys.executable, "-P", "-m", "trader", "simulate", *options, ASKED, folder]
        lines: list[_Line] = []
        for _ in range(jobs):
            process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                start_new_session=True,  # What a terminal says to its own, it does not hear.
            )
            started.callback(process.wait)
            started.callback(process.kill)
            lines.append(_Line(process))
        yield lines


def serve(
    asks: BinaryIO, answers: BinaryIO, folder: Path, live: Callable[[int, Path], Verdict]
) -> None:
    """One of these processes: a seed comes, a verdict goes, until nobody asks any more."""
    for said in asks:
        answers.write(msgspec.json.encode(live(int(said), folder)) + b"\n")
        answers.flush()

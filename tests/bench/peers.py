"""Other engines on the work of the `backtest` bench, each in an environment of its own, in alternation with ours.

An environment is made when it is asked for the first time, of pinned versions, beside the others of this checkout, with
whatever package server the machine's pip is set up with. What can't be installed is named and left out.

Every round runs ours, a peer, ours, the next peer: what slows the machine for a while touches both. Compared are pairs.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Any

import click
import msgspec
import numpy as np
from msgspec import Struct

from tests.bench.backtest import random_bars
from tests.bench.measure import ENVIRONMENT, KIB_A_MB, ROOT, PeerRun
from trader.model import MINUTE_NS
from trader.money import PRICE_TICKS_PER_DOLLAR

FOLDER = ROOT / ".venv-peers"
MADE_OF = "requirements.txt"  # of an environment that was made to its end
SYMBOLS, BARS, BARS_TINY = 10, 10_000, 100
INSTALL_S_MAX = 1_200
PRICES = ("open", "high", "low", "close")
COMMON = ("numpy==2.2.6", "pandas==2.3.3")


class Peer(Struct, frozen=True, kw_only=True):
    """What it is called, what it is made of, and the script that gives it the work."""

    title: str
    requirements: tuple[str, ...]
    script: str


PEERS = {
    "backtrader": Peer(
        title="backtrader 1.9.78",
        requirements=("backtrader==1.9.78.123", *COMMON),
        script="peer_backtrader.py",
    ),
    "backtesting": Peer(
        title="backtesting.py 0.6.6, a symbol a run",
        requirements=("backtesting==0.6.6", *COMMON),
        script="peer_backtesting.py",
    ),
    "nautilus": Peer(
        title="NautilusTrader 1.221",
        requirements=("nautilus_trader==1.221.0", "pyarrow==26.0.1", *COMMON),
        script="peer_nautilus.py",
    ),
    "vectorbt": Peer(
        title="vectorbt 1.2, a compiled function a bar",
        requirements=("vectorbt==1.2.0", "numba==0.68.1", "numpy==2.4.6", "pandas==3.1.1"),
        script="peer_vectorbt.py",
    ),
}


class Measured(Struct, frozen=True, kw_only=True):
    """One run in a process of its own, and what the whole process used."""

    run: PeerRun
    process_cpu_s: float
    peak_mb: float

    @property
    def rate(self) -> float:
        """Bars a CPU second, in the run itself."""
        return self.run.bars / self.run.cpu_s


class NotInstalled(Exception):
    """Why a peer isn't there."""


class DoesNotRun(Exception):
    """It is there, and doesn't do the work; it has said why."""


def compare(names: Sequence[str], rounds: int, *, tiny: bool) -> Iterator[str]:
    """The lines of a table in Markdown; what was left out, and why, is told on standard error."""
    bars = BARS_TINY if tiny else BARS
    pythons = dict(_installed(names))
    pairs: dict[str, list[tuple[Measured, Measured]]] = {name: [] for name in pythons}
    with tempfile.TemporaryDirectory() as place:
        data = Path(place) / "bars.npz"
        _write(data, bars)
        ours = [sys.executable, "-P", "-m", "tests.bench.peer_ours", str(SYMBOLS), str(bars)]
        for number in range(rounds):
            for name in list(pairs):
                click.echo(f"round {number + 1} of {rounds}: ours, {name}", err=True)
                script = Path(__file__).with_name(PEERS[name].script)
                theirs = [str(pythons[name]), "-P", "-W", "ignore", str(script), str(data)]
                try:
                    pairs[name].append((measured(ours, ENVIRONMENT), measured(theirs, _bare())))
                except DoesNotRun as why:
                    click.echo(f"left out  {name}: {why}", err=True)
                    del pairs[name]
    yield from table(pairs)


def table(pairs: Mapping[str, Sequence[tuple[Measured, Measured]]]) -> Iterator[str]:
    """A row for each peer, and ours beside it; rates and ratios are medians, with least and most."""
    yield "| Engine | Bars a CPU second | Ours beside it | Ours to theirs | Orders, fills, profit | Process | Peak |"
    yield "|---|---:|---:|---:|---:|---:|---:|"
    for name, runs in pairs.items():
        ours, theirs = [one for one, _ in runs], [one for _, one in runs]
        ratios = [one.rate / other.rate for one, other in runs]
        cells = (
            PEERS[name].title,
            _spread([one.rate for one in theirs]),
            _spread([one.rate for one in ours]),
            _spread(ratios, 2),
            *_came_to(theirs),
        )
        yield f"| {' | '.join(cells)} |"
    everywhere = [one for runs in pairs.values() for one, _ in runs]
    if everywhere:
        cells = ("ours", _spread([one.rate for one in everywhere]), "", "", *_came_to(everywhere))
        yield f"| {' | '.join(cells)} |"


def _came_to(runs: Sequence[Measured]) -> tuple[str, str, str]:
    run = runs[-1].run
    return (
        f"{run.orders:,}, {run.fills:,}, {run.profit:,.2f}",
        f"{median([one.process_cpu_s for one in runs]):.1f} s",
        f"{median([one.peak_mb for one in runs]):,.0f} MB",
    )


def _spread(values: Sequence[float], decimals: int = 0) -> str:
    low, middle, high = min(values), median(values), max(values)
    return f"{middle:,.{decimals}f} ({low:,.{decimals}f} to {high:,.{decimals}f})"


def measured(command: Sequence[str], environment: Mapping[str, str]) -> Measured:
    """Run to its end; its last line is what came of it. Raises DoesNotRun."""
    with subprocess.Popen(
        list(command), env=dict(environment), stdout=subprocess.PIPE, text=True, cwd=ROOT
    ) as process:
        assert process.stdout is not None
        said = process.stdout.read()
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise DoesNotRun(f"exit code {process.returncode} of {' '.join(command)}")
    return Measured(
        run=msgspec.json.decode(said.splitlines()[-1], type=PeerRun),
        process_cpu_s=used.ru_utime + used.ru_stime,
        peak_mb=used.ru_maxrss / KIB_A_MB,
    )


# ------------------------------------------------------------------------------------------- environments


def _installed(names: Sequence[str]) -> Iterator[tuple[str, Path]]:
    for name in names:
        try:
            yield name, python_of(name)
        except NotInstalled as lacks:
            click.echo(f"left out  {name}: {lacks}", err=True)


def python_of(name: str) -> Path:
    """The Python of the peer's environment, which is made where it isn't there; raises NotInstalled."""
    folder, wanted = FOLDER / name, "\n".join(PEERS[name].requirements)
    python, made_of = folder / "bin" / "python", folder / MADE_OF
    if made_of.is_file() and made_of.read_text() == wanted:
        return python
    click.echo(f"installing {name}: {wanted.replace(chr(10), ' ')}", err=True)
    shutil.rmtree(folder, ignore_errors=True)
    install = [str(python), "-m", "pip", "install", "--quiet", "--only-binary=:all:"]
    for command in (
        [sys.executable, "-m", "venv", str(folder)],
        [*install, *PEERS[name].requirements],
    ):
        try:
            done = subprocess.run(
                command, env=_bare(), capture_output=True, text=True, timeout=INSTALL_S_MAX
            )
        except subprocess.TimeoutExpired:
            raise NotInstalled(f"not there after {INSTALL_S_MAX} s") from None
        if done.returncode:
            said = [one for one in done.stderr.splitlines() if one.startswith("ERROR")]
            raise NotInstalled(said[-1] if said else f"exit code {done.returncode}")
    made_of.write_text(wanted)
    return python


def _bare() -> dict[str, str]:
    """Without anything that points to our own modules and packages."""
    return {
        name: value
        for name, value in os.environ.items()
        if name not in {"PYTHONPATH", "PYTHONSAFEPATH", "VIRTUAL_ENV"}
    }


def _write(path: Path, bars: int) -> None:
    """The bars that ours goes over, in dollars, as arrays [symbol, bar]."""
    histories = random_bars(SYMBOLS, bars, 1)
    told: dict[str, Any] = {
        name: np.array([getattr(one, name) for one in histories]) / PRICE_TICKS_PER_DOLLAR
        for name in PRICES
    }
    volume = np.array([one.volume for one in histories], dtype=float)
    assert all((one.ends_ns - one.start_ns == MINUTE_NS).all() for one in histories)
    np.savez(path, ends_ns=histories[0].ends_ns, volume=volume, **told)

"""The command line of the benches: every round of each in a process of its own, round after round, then the table."""

import importlib
import os
import platform
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path
from statistics import median

import click
import msgspec

from tests.bench.measure import ENVIRONMENT, Sample
from trader.money import use_exact_context

BENCHES = {
    "machine": "what the machine gives: synced appends, plain Python, waking up, HTTP without a library",
    "mind": "decide and evolve alone",
    "core": "the core simulation: decide and evolve in a world of faults, with all checks",
    "world": "the whole program in simulated worlds, with faults, codecs, SQLite and all checks",
    "executor": "inbox, turn, publishing; nothing committed",
    "durable": "orders through executor, journal on disk, lanes, venue in memory",
    "latency": "from a tick to its decision",
    "signal_to_bytes": "from a signal to the order's bytes at the broker",
    "market_data": "messages decoded, guarded, delivered",
    "http_orders": "orders over HTTP to the simulated broker",
    "simulator": "the simulated broker itself, `bin/trade broker` in another process",
    "recovery": "journal folded, program recovered",
    "verify": "a database proved from its journal's bytes",
    "restart": "kill -9 to entries open again, the broker in another process",
    "flatten": "the stop button, the broker in another process",
    "audit": "another program's books, audited by `bin/trade audit` in a process of its own",
    "backtest": "history through workers, executor, rules, books and venue, in one process",
    "program": "bin/trade itself",
}
PEER_NAMES = ("backtrader", "backtesting", "nautilus", "vectorbt")
ROUNDS = 5


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """One figure over all rounds."""

    bench: str
    name: str
    unit: str
    median: float
    least: float
    most: float
    goal: float | None
    is_ceiling: bool

    @property
    def is_reached(self) -> bool:
        if self.goal is None:
            return True
        return self.median <= self.goal if self.is_ceiling else self.median >= self.goal


@click.command()
@click.option(
    "--only", multiple=True, type=click.Choice(list(BENCHES)), help="This one; may be repeated."
)
@click.option("--rounds", default=ROUNDS, show_default=True, help="Of which the median is taken.")
@click.option("--json", "as_json", is_flag=True, help="Rows as JSON.")
@click.option("--markdown", is_flag=True, help="The tables of docs/benchmarks.md.")
@click.option("--tiny", is_flag=True, help="As little work as shows that it runs.")
@click.option(
    "--folder", type=click.Path(path_type=Path), help="For databases: on the disk that counts."
)
@click.option("--peers", is_flag=True, help="Other engines beside ours, in place of the benches.")
@click.option(
    "--peer", "peer_names", multiple=True, type=click.Choice(PEER_NAMES), help="Only this one."
)
@click.option("--once", hidden=True, type=click.Choice(list(BENCHES)))
def bench(
    only: tuple[str, ...],
    rounds: int,
    as_json: bool,
    markdown: bool,
    tiny: bool,
    folder: Path | None,
    peers: bool,
    peer_names: tuple[str, ...],
    once: str | None,
) -> None:
    """Measure the program's figures: CPU time where nothing else is said, medians of several rounds."""
    if once is not None:
        click.echo(msgspec.json.encode(samples_of(once, tiny, folder)))
        return
    if peers or peer_names:
        compare = importlib.import_module("tests.bench.peers").compare
        lines = list(compare([*peer_names] or PEER_NAMES, rounds, tiny=tiny))
        click.echo("\n".join([machine_line(), "", *lines]))
        return
    rows = measured([*only] or list(BENCHES), rounds, tiny, folder)
    if as_json:
        click.echo(msgspec.json.format(msgspec.json.encode(rows), indent=2))
    else:
        lines = markdown_lines(rows) if markdown else plain_lines(rows)
        click.echo("\n".join([machine_line(), "", *lines]))


def samples_of(name: str, tiny: bool, folder: Path | None) -> list[Sample]:
    """One round of one bench, in this process."""
    use_exact_context()
    module = importlib.import_module(f"tests.bench.{name}")
    with tempfile.TemporaryDirectory(dir=folder) as place:
        samples = module.once(module.WORK_TINY if tiny else module.WORK, Path(place))
    return msgspec.convert(samples, list[Sample])


def measured(names: list[str], rounds: int, tiny: bool, folder: Path | None) -> list[Row]:
    """All benches, round by round: what slows the machine for a while touches each of them once."""
    samples: dict[str, list[list[Sample]]] = {name: [] for name in names}
    for number in range(rounds):
        for name in names:
            click.echo(f"round {number + 1} of {rounds}: {name}", err=True)
            samples[name].append(in_own_process(name, tiny, folder))
    return [row for name in names for row in rows_of(name, samples[name])]


def in_own_process(name: str, tiny: bool, folder: Path | None) -> list[Sample]:
    """One round of one bench."""
    command = [sys.executable, "-P", "-m", "tests.bench", "--once", name]
    command += ["--tiny"] if tiny else []
    command += ["--folder", str(folder.absolute())] if folder is not None else []
    done = subprocess.run(command, env=ENVIRONMENT, stdout=subprocess.PIPE, check=True)
    return msgspec.json.decode(done.stdout, type=list[Sample])


def rows_of(bench: str, rounds: list[list[Sample]]) -> Iterable[Row]:
    """The rounds turned into rows."""
    for samples in zip(*rounds, strict=True):
        first, values = samples[0], [sample.value for sample in samples]
        yield Row(
            bench=bench,
            name=first.name,
            unit=first.unit,
            median=median(values),
            least=min(values),
            most=max(values),
            goal=first.goal,
            is_ceiling=first.is_ceiling,
        )


def machine_line() -> str:
    """Where and on what."""
    load = os.getloadavg()[0]
    python = f"{platform.python_implementation()} {platform.python_version()}"
    return f"{python}, {os.cpu_count()} cores, load {load:.1f} at the end, {platform.system()}"


def markdown_lines(rows: list[Row]) -> list[str]:
    """A table for each bench."""
    lines: list[str] = []
    for name in dict.fromkeys(row.bench for row in rows):
        lines += [
            f"### `bin/bench --only {name}`: {BENCHES[name]}",
            "",
            "| Figure | Median | Least to most | Goal |",
            "|---|---:|---:|---:|",
        ]
        for row in rows:
            if row.bench == name:
                middle = f"{number(row.median)} {row.unit}".strip()
                spread = f"{number(row.least)} to {number(row.most)}"
                lines.append(f"| {row.name} | {middle} | {spread} | {goal(row)} |")
        lines.append("")
    return lines


def plain_lines(rows: list[Row]) -> list[str]:
    """For a terminal."""
    return [
        f"{row.bench:<15} {row.name:<78} {number(row.median):>9} {row.unit:<5}"
        f" {number(row.least):>9} to {number(row.most):<9} {goal(row)}"
        for row in rows
    ]


def goal(row: Row) -> str:
    """With whether it is reached."""
    if row.goal is None:
        return ""
    bound = "at most" if row.is_ceiling else "at least"
    return f"{bound} {number(row.goal)}{'' if row.is_reached else ': missed'}"


def number(value: float) -> str:
    """Three digits, or all of a large one."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


if __name__ == "__main__":
    bench(prog_name="bin/bench")

"""The verb `simulate`: the whole program in virtual time, under the faults that each seed draws; judged by the law."""

import logging
import os
import sys
from collections.abc import Sequence
from pathlib import Path

import click
import msgspec

from trader.build import running_build
from trader.cli.options import new_file, quiet_interpreter, write_new
from trader.exits import Exit, Mistake
from trader.log.words import visible
from trader.simulation.campaign import Totals, shrunk, totalled, verdicts
from trader.simulation.draw import Setting, drawn
from trader.simulation.fault import Fault
from trader.simulation.jobs import ASKED, serve
from trader.simulation.verdict import Verdict
from trader.simulation.world import simulated

SEEDS_MAX = 1_000_000
HOURS_MAX = 6.0  # a session has six and a half; the rest is for settling
LINE_CHARACTERS_MAX = 2_000
JOBS_MAX = 256


def _cores() -> int:
    """Those that we may use: worlds share nothing, so that each core more is a world more at a time."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return min(cores or 1, JOBS_MAX)


@click.command("simulate")
@click.option("--seeds", metavar="A..B", default="1..20", show_default=True, help="Which worlds.")
@click.option("--seed", type=click.IntRange(0, SEEDS_MAX), help="One world alone.")
@click.option("--hours", type=float, default=2.0, show_default=True, help="With faults, virtual.")
@click.option("--faults", default="all", show_default=True, help="all, none, or NAME,NAME …")
@click.option("--aimed", is_flag=True, help="These faults in every world, drawn or not.")
@click.option(
    "--jobs",
    type=click.IntRange(1, JOBS_MAX),
    default=_cores,
    show_default="one for each core",
    help="Processes; the answer is the same with any number.",
)
@click.option("--trace", metavar="FILE", help="Write what happened to a new file (with --seed).")
@click.option("--shrink", is_flag=True, help="The fewest faults that still fail (with --seed).")
@click.option(
    "--complete",
    is_flag=True,
    help="Fail where something was never reached, or should not have been, too.",
)
@click.option(ASKED, "folder", type=click.Path(path_type=Path), hidden=True)
@click.option("--json", "as_json", is_flag=True, help="Answer in JSON.")
def command(
    seeds: str,
    seed: int | None,
    hours: float,
    faults: str,
    aimed: bool,
    jobs: int,
    trace: str | None,
    shrink: bool,
    complete: bool,
    folder: Path | None,
    as_json: bool,
) -> int:
    """Live through seeded worlds in which everything goes wrong; exit code 1 where a promise was broken."""
    wanted = _faults(faults)
    if not 0 < hours <= HOURS_MAX:
        raise Mistake(f"is not between 0 and {HOURS_MAX:g}", where="--hours")
    if seed is None and (trace is not None or shrink):
        raise Mistake("--trace and --shrink are about one world", remedy="give --seed N")
    told = None if trace is None else new_file(trace, "--trace")
    logging.disable(logging.CRITICAL)  # The adapters' words about faults that are meant to be.
    quiet_interpreter()
    if folder is not None:
        _serve(hours, wanted, aimed, folder)
        return Exit.WELL
    if seed is not None and shrink:
        return _shrunk(seed, hours, wanted)
    one = None if seed is None else _one(drawn(seed, hours, wanted, aimed=aimed), told)
    found = _many(_range(seeds), hours, wanted, aimed, jobs) if one is None else [one]
    totals = totalled(found)
    if as_json:
        answer = {"build": running_build().identity, "totals": totals, "seeds": found}
        click.echo(msgspec.json.encode(answer).decode())
    else:
        _say(found, totals, hours, faults)
    is_incomplete = complete and (totals.unreached or totals.beyond)
    return Exit.DIFFERENCES if totals.failed or is_incomplete else Exit.WELL


def _faults(names: str) -> tuple[Fault, ...]:
    if names == "all":
        return tuple(Fault)
    if names == "none":
        return ()
    try:
        return tuple(Fault(name) for name in names.split(","))
    except ValueError as error:
        known = ", ".join(Fault)
        raise Mistake(str(error), where="--faults", remedy=f"there are: {known}") from None


def _range(seeds: str) -> range:
    first, dots, last = seeds.partition("..")
    if not (dots and first.isdecimal() and last.isdecimal() and len(last) < 12):
        raise Mistake(f"not a range: {seeds}", where="--seeds", remedy="write it as 1..200")
    if not int(first) <= int(last) <= SEEDS_MAX:
        raise Mistake(f"not a range up to {SEEDS_MAX:,}: {seeds}", where="--seeds")
    return range(int(first), int(last) + 1)


def _one(setting: Setting, trace: Path | None) -> Verdict:
    verdict = simulated(setting, traced=trace is not None)
    if trace is not None:
        write_new(trace, "--trace", "".join(f"{line}\n" for line in verdict.trace).encode())
    return msgspec.structs.replace(verdict, trace=())


def _many(
    seeds: range, hours: float, faults: Sequence[Fault], aimed: bool, jobs: int
) -> list[Verdict]:
    with click.progressbar(
        length=len(seeds), label="worlds", file=sys.stderr, hidden=not sys.stderr.isatty()
    ) as bar:
        return verdicts(
            seeds, hours, faults, aimed=aimed, jobs=jobs, done=lambda verdict: bar.update(1)
        )


def _serve(hours: float, faults: Sequence[Fault], aimed: bool, folder: Path) -> None:
    """One of the processes of `--jobs`."""

    def live(seed: int, folder: Path) -> Verdict:
        return simulated(drawn(seed, hours, faults, aimed=aimed), folder=folder)

    serve(sys.stdin.buffer, sys.stdout.buffer, folder, live)


def _shrunk(seed: int, hours: float, faults: Sequence[Fault]) -> int:
    def tried(left: Sequence[Fault], failed: bool) -> None:
        verdict = "still fails" if failed else "is well"
        click.echo(f"with {len(left)} faults it {verdict}", err=True)

    left = shrunk(seed, hours, faults, tried)
    if not left:
        click.echo(f"seed {seed} does not fail, or fails without any fault")
        return Exit.WELL
    click.echo(f"bin/trade simulate --seed {seed} --hours {hours:g} --faults {','.join(left)}")
    return Exit.DIFFERENCES


def _say(found: Sequence[Verdict], totals: Totals, hours: float, faults: str) -> None:
    build = running_build().short
    for one in found:
        for violation in one.violations:
            click.echo(
                f"FAILED seed {one.seed}, build {build}: {visible(violation, LINE_CHARACTERS_MAX)}"
            )
    click.echo(
        f"{totals.seeds} worlds of {hours:g} h: {totals.orders:,} orders, {totals.fills:,} fills, "
        f"{totals.lives:,} lives, {totals.torn_tails} torn tails, UNKNOWN {totals.unknown_found} "
        f"found and {totals.unknown_never_sent} proven never sent; {totals.cpu_s:,.0f} s of CPU"
    )
    if len(found) == 1:
        click.echo(f"journal_sha256 {found[0].journal_sha256} of {found[0].rows} rows")
    if totals.unreached:
        click.echo(f"never reached: {', '.join(totals.unreached)}")
    if totals.beyond:
        click.echo(f"reached, and should be out of reach: {', '.join(totals.beyond)}")
    if totals.failed:
        seed = totals.failed[0]
        click.echo(
            f"look     bin/trade simulate --seed {seed} --hours {hours:g} --faults {faults} "
            f"--trace seed-{seed}.txt"
        )
    else:
        click.echo("no promise was broken, and everything settled")

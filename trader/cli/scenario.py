"""The verb `scenario`: does to the program, on an account of its own, what has happened to others; and judges."""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import click
import msgspec
from msgspec import Struct

from trader.build import running_build
from trader.cli.answers import Row, table_lines
from trader.exits import Exit, Mistake
from trader.log.words import visible
from trader.scenarios import SCENARIOS
from trader.scenarios.performance import Performance, performed
from trader.scenarios.play import Play

LINE_CHARACTERS_MAX = 160
# The lines of every start, which are not what a scenario is about.
USUAL = ("trader ", "self-test: ", "limits: ", "entries_per_symbol", "price_deviation")


class Listed(Struct, frozen=True, kw_only=True):
    """One line of the list."""

    name: str
    number: str
    story: str
    expectation: str


@click.group("scenario")
def command() -> None:
    """Do to the program what has happened to others, and judge what it does."""


@command.command("list")
@click.option("--json", "as_json", is_flag=True, help="Answer in JSON.")
def list_command(as_json: bool) -> None:
    """What there is to play."""
    known = [
        Listed(name=one.name, number=one.number, story=one.story, expectation=one.expectation)
        for one in SCENARIOS
    ]
    if as_json:
        click.echo(msgspec.json.encode(known).decode())
        return
    for one in known:
        click.echo(f"{one.name}\n    {one.story}\n    -> {one.expectation}")


@command.command("run")
@click.argument("name", required=False)
@click.option("--all", "plays_all", is_flag=True, help="Every one of them.")
@click.option("--keep", is_flag=True, help="Keep the folders that they were played in.")
@click.option("--json", "as_json", is_flag=True, help="Answer in JSON.")
def run_command(name: str | None, plays_all: bool, keep: bool, as_json: bool) -> int:
    """Play one scenario, or all; exit code 1 where the program did not do what it must."""
    found: list[Performance] = []
    for play in _wanted(name, plays_all):
        found.append(_performance(play, keep, as_json))
        if not as_json:
            for line in account_lines(found[-1]):
                click.echo(line)
    if as_json:
        click.echo(msgspec.json.encode(found).decode())
    elif len(found) > 1:
        for line in table_lines([_row(one) for one in found]):
            click.echo(line)
    return Exit.WELL if all(one.passed for one in found) else Exit.DIFFERENCES


def _wanted(name: str | None, plays_all: bool) -> list[type[Play]]:
    if plays_all == (name is not None):
        raise Mistake("give one name, or --all", remedy="bin/trade scenario list")
    wanted = [one for one in SCENARIOS if name in (None, one.name)]
    if not wanted:
        raise Mistake(f"no such scenario: {name}", remedy="bin/trade scenario list")
    return wanted


def _performance(play: type[Play], keep: bool, is_quiet: bool) -> Performance:
    folder = Path(tempfile.mkdtemp(prefix=f"trader-{play.name}-"))
    try:
        return performed(play(), folder, running_build())
    finally:
        if not keep:
            shutil.rmtree(folder, ignore_errors=True)
        elif not is_quiet:
            click.echo(f"kept     {folder}")


def account_lines(one: Performance) -> Iterator[str]:
    """What was done to the program, what it did, and whether that is what it must do."""
    yield f"== {one.name}"
    yield f"done     {one.story}"
    yield f"must     {one.expectation}"
    for line in one.said:
        if not line.startswith(USUAL):
            yield f"  {visible(line, LINE_CHARACTERS_MAX)}"
    for violation in one.violations:
        yield f"FAILED   {visible(violation, LINE_CHARACTERS_MAX)}"
    if one.passed:
        yield f"passed   in {one.seconds} s"
    yield ""


def _row(one: Performance) -> Row:
    return {
        "scenario": one.name,
        "seconds": one.seconds,
        "result": "passed" if one.passed else "FAILED: " + "; ".join(one.violations),
    }

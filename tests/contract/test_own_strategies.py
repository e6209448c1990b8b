"""Strategies of a person's own: written, checked, found, and where they are broken told by file and line."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.program import ROOT, Folder
from trader.__main__ import main
from trader.cli.own_strategies import StrategyBroken, learn_strategies, load
from trader.config import parse_config
from trader.strategies import STRATEGIES

QUIET = """\
from trader.strategies.base import Strategy

class Quiet(Strategy):
    def on_bar(self, bar, view):
        return ()
"""
CONFIG = """\
symbols = ["JD"]
[strategies.sma-crossover]
kind = "sma-crossover"
[strategies.mine]
kind = "mine"
params = { anything = 1 }
"""


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Where the program is called; what a test makes known there is known to no other."""
    monkeypatch.chdir(tmp_path)
    known = dict(STRATEGIES)
    yield tmp_path
    STRATEGIES.clear()
    STRATEGIES.update(known)
    for name in [one for one in sys.modules if one.partition(".")[0] == "strategies"]:
        del sys.modules[name]


def written(text: str, name: str = "mine") -> Path:
    """One's own, in its place."""
    path = Path("strategies") / f"{name}.py"
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)
    return path


def test_what_is_written_is_found_checked_and_passes_its_own_test(folder: Path) -> None:
    assert main(["new-strategy", "my-own"]) == 0
    assert sorted(one.name for one in folder.glob("strategies/*.py")) == [
        "my_own.py",
        "test_my_own.py",
    ]
    assert main(["check-strategy", "my-own", "--param", "bars=7", "--bars", "300"]) == 0
    tested = subprocess.run(
        [sys.executable, "-P", "-m", "pytest", "-q", "-p", "no:cacheprovider", "strategies"],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert tested.returncode == 0, tested.stdout
    assert "1 passed" in tested.stdout


def test_signals_that_differ_are_told_and_are_exit_1(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["new-strategy", "mine"]) == 0
    path = Path("strategies/mine.py")
    path.write_text(path.read_text().replace("begins(difference > 0", "begins(difference >= 0"))
    capsys.readouterr()
    assert main(["check-strategy", "mine"]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("walk 0, bar ")
    assert lines[-1] == "mine: 5 random walks of 2,000 bars: signals differ from on_bar"
    assert len(lines) == 6


def test_a_strategy_without_signals_has_nothing_to_compare(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["check-strategy", "open-close"]) == 2
    line = "trade: open-close: gives no signals; nothing to compare\n"
    assert capsys.readouterr().err == line


def test_nothing_is_written_over(capsys: pytest.CaptureFixture[str]) -> None:
    test = written("", "test_mine")
    assert main(["new-strategy", "mine"]) == 2
    assert "is there already" in capsys.readouterr().err
    assert (test.read_text(), Path("strategies/mine.py").exists()) == ("", False)


@pytest.mark.parametrize("name", ["Mine", "1", "a_b", "../mine", "", "a" * 33, "momentum"])
def test_a_name_that_is_none_or_is_taken_is_refused(name: str, folder: Path) -> None:
    assert main(["new-strategy", name]) == 2
    assert list(folder.iterdir()) == []


def test_it_lies_beside_the_configuration_that_is_named(folder: Path) -> None:
    (folder / "there").mkdir()
    config = ["--config", "there/trader.toml"]
    assert main(["new-config", *config]) == 0
    assert main(["new-strategy", "mine", *config]) == 0
    assert Path("there/strategies/mine.py").exists()
    assert main(["check-strategy", "mine"]) == 2
    assert main(["check-strategy", "mine", "--bars", "50", *config]) == 0


def test_a_module_and_a_class_can_be_named(folder: Path) -> None:
    written("LEVEL = 3\n", "common")
    written("from strategies.common import LEVEL\n" + QUIET + "class Other(Quiet): ...\n")
    found = load("strategies.mine:Other", folder / "strategies")
    assert found.__name__ == "Other"
    assert load("trader.strategies.rsi:Rsi", folder / "strategies") is STRATEGIES["rsi"]


def test_what_lies_in_the_folder_stands_in_for_no_package(folder: Path) -> None:
    written("raise SystemExit('shadowed')\n", "trio")
    written("import trio\n" + QUIET)
    assert load("mine", folder / "strategies").__name__ == "Quiet"
    assert sys.modules["trio"].__file__ != str(folder / "strategies" / "trio.py")


@pytest.mark.parametrize(
    ("text", "where", "what"),
    [
        ("x = 1\nclass (\n", "strategies/mine.py:2", "SyntaxError: invalid syntax"),
        ("\n\n1 / 0\n", "strategies/mine.py:3", "ZeroDivisionError: division by zero"),
        ("import no_such\n", "strategies/mine.py:1", "No module named 'no_such'"),
        ("\nraise SystemExit(0)\n", "strategies/mine.py:2", "SystemExit: 0"),
        ("x = 1\n", "strategies/mine.py", "one Strategy is wanted, there are: none"),
        (QUIET.replace("on_bar", "on_bars"), "strategies/mine.py", "Quiet lacks on_bar"),
        (QUIET + "class Two(Quiet): ...\n", "strategies/mine.py", "there are: Quiet, Two"),
        ("import strategies.other\n", "strategies/other.py:2", "NameError"),
        ("\0", "strategies/mine.py", "null bytes"),
    ],
)
def test_what_is_broken_is_told_with_file_and_line(
    text: str, where: str, what: str, folder: Path
) -> None:
    written("\nnonsense\n", "other")
    written(text)
    with pytest.raises(StrategyBroken) as told:
        load("mine", folder / "strategies")
    assert told.value.where == where
    assert what in told.value.what


@pytest.mark.parametrize(
    ("kind", "what"),
    [
        ("strategies.mine:Nobody", "Nobody is no Strategy"),
        ("strategies.mine:Decimal", "Decimal is no Strategy"),
        ("no.such:Thing", "No module named 'no'"),
    ],
)
def test_a_class_that_is_none_is_told(kind: str, what: str, folder: Path) -> None:
    written("from decimal import Decimal\n" + QUIET)
    with pytest.raises(StrategyBroken, match=what):
        load(kind, folder / "strategies")


def test_a_broken_one_is_told_and_the_others_trade(folder: Path) -> None:
    written("\nnonsense\n")
    (folder / "trader.toml").write_text(CONFIG)
    ended = Folder(folder).run()
    assert ended.code == 0, ended.err
    assert ended.err == (
        "trade: strategies/mine.py:2: NameError: name 'nonsense' is not defined: "
        "strategy mine trades nothing in this run\n"
    )
    assert "sma-crossover: 10-bar average" in ended.out
    assert ended.line("proof").endswith("the broker's own books agree")


def test_two_of_one_broken_kind_are_both_told(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    written("\nnonsense\n")
    learn_strategies(parse_config(CONFIG + '[strategies.too]\nkind = "mine"\n'), None)
    lines = capsys.readouterr().err.splitlines()
    assert [line.split(": ")[-1] for line in lines] == [
        f"strategy {name} trades nothing in this run" for name in ("mine", "too")
    ]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (
            "\nnonsense\n",
            "trade: strategies/mine.py:2: NameError: name 'nonsense' is not defined\n",
        ),
        (
            QUIET + "    def __init__(self, *given):\n        int('x')\n",
            "trade: strategies/mine.py:7: ValueError: invalid literal for int() with base 10: 'x'\n",
        ),
    ],
)
def test_a_broken_one_that_is_the_only_one_stops_the_start(
    text: str, told: str, folder: Path
) -> None:
    written(text)
    ended = Folder(folder).run("--strategy", "mine")
    assert (ended.code, ended.err) == (2, told)
    assert [one.name for one in folder.iterdir()] == ["strategies"]


def test_what_it_says_of_its_parameters_is_a_mistake_like_any_other(folder: Path) -> None:
    assert main(["new-strategy", "mine"]) == 0
    ended = Folder(folder).run("--strategy", "mine", "--param", "bars=1")
    assert ended.code == 2
    assert ended.err == "trade: strategy mine: Expected `int` >= 2 - at `$.bars`\n"


def test_its_source_is_a_part_of_what_the_run_was(folder: Path) -> None:
    assert main(["new-strategy", "mine"]) == 0
    first = Folder(folder).run("--strategy", "mine", "--symbols", "JD")
    path = Path("strategies/mine.py")
    path.write_text(path.read_text() + "# edited\n")
    again = Folder(folder).run("--strategy", "mine", "--symbols", "JD")
    assert (first.code, again.code) == (0, 0)
    builds = {build for (build,) in Folder(folder).ours("SELECT DISTINCT build FROM lives")}
    assert len(builds) == 2

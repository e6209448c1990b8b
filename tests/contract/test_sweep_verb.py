"""`trader sweep` and `trader lookahead` as a person types them."""

import json
from pathlib import Path

import pytest

from trader.__main__ import main

SMALL = ("--symbols", "JD", "--sessions", "4", "--strategy", "sma-crossover")
GRID = ("--grid", "fast=2..8:3", "--grid", "slow=5,20")


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def swept(capsys: pytest.CaptureFixture[str], *arguments: str) -> dict[str, object]:
    assert main(["sweep", *SMALL, *arguments, "--json"]) == 0
    told: dict[str, object] = json.loads(capsys.readouterr().out)
    return told


def test_any_number_of_processes_tells_the_same_and_what_was_run_is_not_run_again(
    capsys: pytest.CaptureFixture[str],
) -> None:
    alone = swept(capsys, *GRID, "--jobs", "1", "--out", "one")
    assert swept(capsys, *GRID, "--jobs", "3", "--out", "three") == alone
    trials = Path("one/trials.jsonl")
    before = trials.read_bytes()
    assert swept(capsys, *GRID, "--out", "one") == alone
    assert trials.read_bytes() == before
    assert swept(capsys, *GRID, "--cash", "5000", "--out", "one") != alone
    assert trials.read_bytes().count(b"\n") == 2 * before.count(b"\n") == 12


def test_a_trial_is_the_backtest_with_these_parameters(capsys: pytest.CaptureFixture[str]) -> None:
    told = swept(capsys, *GRID, "--out", "out")
    trials = told["trials"]
    assert isinstance(trials, list)
    assert [one["params"] for one in trials[:2]] == [
        {"fast": "2", "slow": "5"},
        {"fast": "2", "slow": "20"},
    ]
    given = ["--param", "fast=2", "--param", "slow=20", "--json", "--out", "single"]
    assert main(["backtest", *SMALL, *given]) == 0
    single = json.loads(capsys.readouterr().out)
    assert trials[1]["orders"] == single["orders"]
    assert trials[1]["sharpe"] == single["statistics"]["sharpe"]


def test_the_number_of_trials_stands_beside_the_best_and_what_cannot_be_is_counted(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["sweep", *SMALL, *GRID]) == 0
    *rows, last = capsys.readouterr().out.splitlines()
    assert len(rows) == 4
    assert last.startswith("the best of 4 trials by sharpe; 2 more can't be.")


def test_folds_choose_on_the_days_before_and_run_on_the_days_after(
    capsys: pytest.CaptureFixture[str],
) -> None:
    told = swept(capsys, *GRID, "--folds", "1", "--by", "total_return")
    assert told["trials"] == 6
    folds = told["folds"]
    assert isinstance(folds, list)
    [fold] = folds
    assert fold["chosen"]["params"] == fold["after"]["params"]
    lines = Path("sweep/trials.jsonl").read_text().splitlines()
    assert len(lines) == 7
    best = max(
        (one for one in map(json.loads, lines[:6]) if not one["impossible"]),
        key=lambda one: one["total_return"],
    )
    assert best["params"] == fold["chosen"]["params"]


WRONG: dict[tuple[str, ...], str] = {
    (): "trade: --grid: which parameters?",
    ("--grid", "fast"): "trade: --grid: not NAME=FROM..TO[:STEP] or NAME=A,B: 'fast'",
    ("--grid", "fast=1..x"): "trade: --grid: whole numbers are wanted",
    ("--grid", "fast=5..1"): "trade: --grid: goes nowhere",
    ("--grid", "fast=1..1000", "--grid", "slow=1..1000"): "trade: --grid: 1,000,000 runs",
    ("--grid", "fast=60..61"): "trade: --grid: none of them can be run: ",
    ("--grid", "fast=2..3", "--folds", "9"): "trade: --folds 9: 4 days are too few",
}


@pytest.mark.parametrize("given", WRONG, ids=" ".join)
def test_a_mistake_is_one_line(given: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["sweep", *SMALL, *given]) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.startswith(WRONG[given])
    assert said.err.count("\n") == 1


def test_a_file_in_the_place_of_the_folder_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    Path("trials").write_text("mine")
    for place in ("trials", "trials/more"):
        assert main(["sweep", *SMALL, "--grid", "fast=2..3", "--out", place]) == 2
        assert capsys.readouterr().err.startswith(f"trade: --out {place}: can't be written to: ")
    assert Path("trials").read_text() == "mine"


PEEKING = '''
from collections.abc import Iterable

from trader.model import Bar, Purpose, Side
from trader.strategies.base import Strategy, SymbolView, Wish
from trader.strategies.signals import BarColumns, Signals


class Peeking(Strategy):
    """Its columns are centered on the highest close of all, which nobody knows before the end."""

    def on_bar(self, bar: Bar, view: SymbolView) -> Iterable[Wish]:
        return ()

    def signals(self, columns: BarColumns) -> Signals:
        enter = columns.close == columns.close.max()
        return Signals(enter=enter, leave=~enter, words=lambda place, side: "peeked")
'''


def test_a_strategy_that_is_told_bars_cannot_look_ahead_and_one_that_sees_columns_is_found(
    capsys: pytest.CaptureFixture[str],
) -> None:
    honest = ["--symbols", "JD", "--sessions", "2", "--cuts", "3"]
    assert main(["lookahead", "sma-crossover", *honest]) == 0
    assert "none of them changes what was decided" in capsys.readouterr().out
    Path("strategies").mkdir()
    Path("strategies/peeking.py").write_text(PEEKING)
    assert main(["lookahead", "peeking", *honest, "--json"]) == 1
    told = json.loads(capsys.readouterr().out)
    assert "signals say otherwise where to enter JD" in told["changes"][0]


OWN = """
import numpy as np
from decimal import Decimal

from trader.model import Purpose, Side, Size
from trader.strategies.base import Strategy, Wish
from trader.strategies.signals import Signals

SEEN = {}


class Own(Strategy):
    def on_bar(self, bar, view):
        return ()

    def signals(self, columns):
        close, place = columns.close, np.arange(len(columns))
        after = np.append(close[1:], close[-1:])
"""
SIGNALS = "        return Signals(enter={}, leave=place % 7 == 6, words=lambda place, side: {}{})\n"
PEEKS = {
    "a bar ahead, seldom": SIGNALS.format("(place % 53 == 5) & (after > close)", "''", ""),
    "a bar ahead, to leave out what loses": SIGNALS.format(
        "(place % 53 == 5) & ~(after < close)", "''", ""
    ),
    "in the size": SIGNALS.format(
        "place % 9 == 5",
        "''",
        ", size=lambda place: Size(unit='shares', amount=Decimal(1 + int(after[place] > close[place])))",
    ),
    "in the reason": SIGNALS.format("place % 9 == 5", "str(after[place])", ""),
    "in what it keeps for the next": """
        if columns.symbol not in SEEN:
            SEEN[columns.symbol] = close.max()
        enter = close == SEEN[columns.symbol]
        return Signals(enter=enter, leave=~enter, words=lambda place, side: "")
""",
    "in a column that is kept": """
        enter = SEEN.setdefault("enter", place % 5 == 0)
        return Signals(enter=enter, leave=enter, words=lambda place, side: "")
""",
}


@pytest.mark.parametrize("peek", PEEKS)
def test_columns_that_see_one_bar_more_are_found(
    peek: str, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("strategies").mkdir()
    Path("strategies/own.py").write_text(OWN + PEEKS[peek])
    assert main(["lookahead", "own", "--symbols", "JD", "--sessions", "2", "--cuts", "2"]) == 1
    assert "signals say" in capsys.readouterr().out


KEEPS = """
from decimal import Decimal

from trader.model import Purpose, Side, Size
from trader.strategies.base import Strategy, Wish

SEEN = {}


class Own(Strategy):
    def on_bar(self, bar, view):
        SEEN[bar.start_ns] = bar.close
        latest = SEEN[max(SEEN)]
        size = Size(unit="shares", amount=Decimal(1 + (latest > bar.close)))
        return (Wish(side=Side.BUY, purpose=Purpose.ENTER, size=size, reason="up"),)
"""


def test_what_a_strategy_keeps_of_one_run_is_gone_in_the_next(
    capsys: pytest.CaptureFixture[str],
) -> None:
    Path("strategies").mkdir()
    Path("strategies/own.py").write_text(KEEPS)
    assert main(["lookahead", "own", "--symbols", "JD", "--sessions", "1", "--cuts", "2"]) == 0
    assert "none of them changes" in capsys.readouterr().out


BROKEN = """
from trader.strategies.base import Strategy

class Own(Strategy):
    told = 0

    def on_bar(self, bar, view):
        self.told += 1
        if self.told == 30:
            {}
        return ()
"""


@pytest.mark.parametrize(
    ("does", "said"),
    [
        ("raise KeyError('JD')", "strategies/own.py:10: KeyError: 'JD'"),
        ("import nothing_like_it", "strategies/own.py:10: ModuleNotFoundError: No module named"),
        ("raise SystemExit('enough')", "strategies/own.py:10: SystemExit: enough"),
        ("return 5", "strategies/own.py: TypeError: 'int' object is not iterable"),
        ("return [5]", "strategies/own.py: AttributeError: "),
    ],
)
@pytest.mark.parametrize("verb", ["backtest", "lookahead", "sweep"])
def test_a_strategy_that_fails_on_the_way_is_one_line_with_its_place(
    verb: str, does: str, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("strategies").mkdir()
    Path("strategies/own.py").write_text(BROKEN.format(does))
    which = {
        "backtest": ["--strategy", "own"],
        "lookahead": ["own"],
        "sweep": ["--strategy", "own", "--grid", "none=1", "--jobs", "1"],
    }
    if verb == "sweep":
        Path("strategies/own.py").write_text(
            BROKEN.format(does).replace(
                "    told = 0",
                "    class Parameters(__import__('msgspec').Struct):\n        none: int = 0\n    told = 0",
            )
        )
        said = said.replace(":10:", ":12:")
    assert main([verb, *which[verb], "--symbols", "JD", "--sessions", "1"]) == 2
    line = capsys.readouterr().err
    assert said in line
    assert line.count("\n") == 1
    assert not list(Path().glob("backtests/*"))


def test_a_line_that_was_cut_is_run_again_and_the_others_are_not(
    capsys: pytest.CaptureFixture[str],
) -> None:
    told = swept(capsys, "--grid", "slow=15,20", "--jobs", "1")
    trials = Path("sweep/trials.jsonl")
    whole = trials.read_bytes()
    first, second = whole.splitlines(keepends=True)
    trials.write_bytes(first + second[:40])
    assert swept(capsys, "--grid", "slow=15,20", "--jobs", "1") == told
    assert trials.read_bytes() == whole
    trials.write_bytes(first[:40] + b"\n" + second)
    assert main(["sweep", *SMALL, "--grid", "slow=15,20"]) == 2
    assert "trials.jsonl:1: no trial of a sweep" in capsys.readouterr().err


def test_what_all_days_after_came_to_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    axes = ("--grid", "slow=15,20", "--folds", "1")
    told = swept(capsys, *axes)
    folds = told["folds"]
    assert isinstance(folds, list)
    grown = 100 * folds[0]["after"]["total_return"]
    assert main(["sweep", *SMALL, *axes]) == 0
    last = capsys.readouterr().out.splitlines()[-1]
    assert last == f"all days after, one after the other: return {grown:+.2f}%"


def test_an_axis_that_is_told_twice_is_a_mistake(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["sweep", *SMALL, "--grid", "fast=2..3", "--grid", "fast=4"]) == 2
    assert capsys.readouterr().err == "trade: --grid fast: is there twice\n"


def test_what_trials_are_sorted_by_stands_in_their_rows(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["sweep", *SMALL, "--grid", "slow=15,20", "--by", "profit_factor"]) == 0
    for row in capsys.readouterr().out.splitlines()[:2]:
        assert "  profit factor " in row


@pytest.mark.parametrize("verb", ["sweep", "lookahead sma-crossover"])
@pytest.mark.parametrize("option", ["--database", "--log"])
def test_the_books_and_the_log_of_a_run_are_none_of_theirs(
    verb: str, option: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*verb.split(), "--symbols", "JD", option, "x"]) == 2
    said = capsys.readouterr().err
    assert said.startswith(f"trade: {option} x: means nothing here: ")
    assert said.count("\n") == 1
    assert main([verb.split()[0], "--help"]) == 0
    assert option not in capsys.readouterr().out

"""`trade pnl`: the sums are those of the books, in every grouping; lots add up to them."""

import json
from decimal import Decimal
from pathlib import Path

import pytest

from tests.eventful import eventful, written
from tests.journal_plays import opened
from trader.__main__ import main

Captured = pytest.CaptureFixture[str]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return written(eventful(), tmp_path / "trading_data.db")


def rows(captured: Captured, path: Path, *arguments: str) -> list[dict[str, str]]:
    assert main(["pnl", "--database", str(path), "--json", *arguments]) == 0
    return list(json.loads(captured.readouterr().out))


@pytest.mark.parametrize("by", ["symbol", "strategy", "day"])
def test_each_grouping_adds_up_to_the_books(path: Path, capsys: Captured, by: str) -> None:
    *lines, everything = rows(capsys, path, "--by", by)
    books = eventful().state.books
    assert everything[by] == "all"
    assert Decimal(everything["realized"]) == books.realized
    for column in set(everything) - {by}:
        assert sum(Decimal(one[column]) for one in lines) == Decimal(everything[column]), column


def test_a_busted_execution_counts_no_more(path: Path, capsys: Captured) -> None:
    (jd,) = [one for one in rows(capsys, path) if one["symbol"] == "JD"]
    # 10 at 31.50 instead of 31.92, 20 at 31.91, 25 sold.
    assert (jd["executions"], jd["bought"]) == ("3", "953.2")


def test_lots_say_what_closed_what(path: Path, capsys: Captured) -> None:
    lots = rows(capsys, path, "--lots")
    assert [(one["state"], one["quantity"], one["cost"]) for one in lots] == [
        ("closed", "20", "315"),
        ("closed", "5", "79.775"),
        ("open", "35", "558.425"),
    ]
    assert main(["pnl", "--database", str(path), "--lots"]) == 0
    assert "opened" in capsys.readouterr().out


def test_where_nothing_was_traded_it_says_so(tmp_path: Path, capsys: Captured) -> None:
    path = written(opened(), tmp_path / "trading_data.db")
    assert main(["pnl", "--database", str(path)]) == 0
    assert capsys.readouterr().out == "nothing was traded\n"
    assert rows(capsys, path) == []

"""`trade pnl`: the sums are those of the books, in every grouping; lots add up to them."""

import json
import sys
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from tests.eventful import activity, eventful, written
from tests.journal_plays import opened
from trader.__main__ import main
from trader.cli.pnl_page import page_of
from trader.exits import Exit
from trader.pages import BAD

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


def test_a_bust_is_taken_from_the_strategy_whose_execution_it_was(
    path: Path, capsys: Captured
) -> None:
    by = {one["strategy"]: one for one in rows(capsys, path, "--by", "strategy")}
    nobodys = by.pop("(none)")
    assert (nobodys["executions"], nobodys["bought"]) == ("0", "0")
    own, everything = by.values()
    assert (own["executions"], own["bought"]) == ("3", "953.2")
    assert everything["executions"] == "3"


def test_a_symbol_that_is_written_like_a_number_stays_its_name(
    tmp_path: Path, capsys: Captured
) -> None:
    names = ("NAN", "INF", "E")
    play = opened()
    play.hear(*(activity(f"in{name}", "ACATS", "0", name, "5") for name in names))
    path = written(play, tmp_path / "trading_data.db")
    assert main(["pnl", "--database", str(path)]) == 0
    told = [line.split()[0] for line in capsys.readouterr().out.splitlines()]
    assert told == ["symbol", *sorted(names), "all"]


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


# ------------------------------------------------------------------------------------------ the page


def charts_in(page: str) -> list[dict[str, Any]]:
    """What the page draws."""
    line = page.rpartition("const charts = ")[2].partition(";\n")[0]
    return list(json.loads(line))


def test_the_page_draws_what_the_books_have_realized(path: Path, capsys: Captured) -> None:
    pytest.importorskip("plotly", reason="the extra 'charts' is not installed")
    target = path.with_name("page.html")
    assert main(["pnl", "--database", str(path), "--html", str(target)]) == 0
    assert "JD" in capsys.readouterr().out, "it answers as ever, too"
    page = target.read_text()
    by_day, by_symbol, by_strategy = charts_in(page)
    realized = eventful().state.books.realized
    days, cumulated = by_day["data"]
    assert Decimal(cumulated["y"][-1]) == realized
    assert days["x"] == cumulated["x"] == sorted(days["x"])
    for chart, by in ((by_day, "day"), (by_symbol, "symbol"), (by_strategy, "strategy")):
        told = {one[by]: one["realized"] for one in rows(capsys, path, "--by", by)[:-1]}
        drawn = chart["data"][0]
        assert dict(zip(drawn["x"], drawn["y"], strict=True)) == told
        assert all(
            (color == BAD) is value.startswith("-")
            for color, value in zip(drawn["marker"]["color"], drawn["y"], strict=True)
        )
    own, _, scripts = page.partition("<script>")
    assert "default-src 'none'" in own
    assert 'src="' not in own
    assert f"{realized:,.2f}" in own
    assert scripts.count("Plotly.newPlot('chart'") == 1


def test_the_sums_of_days_are_cumulated() -> None:
    days = [{"day": str(one), "realized": value} for one, value in enumerate(("1.5", "-2", "0.75"))]
    everything = {"realized": "0.25", "unrealized": "0", "fees": "0", "executions": "3"}
    names = [{by: f"</script><b>{by}", **everything} for by in ("symbol", "strategy")]
    sums = [{"symbol": "all", **everything}, {"strategy": "all", **everything}]
    groups = {
        "day": [*days, {"day": "all", "realized": "0.25"}],
        "symbol": [names[0], sums[0]],
        "strategy": [names[1], sums[1]],
    }
    page = page_of("<b>books", groups, "")
    [by_day, by_symbol, _] = charts_in(page)
    assert by_day["data"][1]["y"] == ["1.5", "-0.5", "0.25"]
    assert by_symbol["data"][0]["x"] == ["&lt;/script&gt;&lt;b&gt;symbol"]
    assert "<b>symbol" not in page, "what isn't ours is escaped"
    assert "<b>books" not in page


def test_a_page_without_trades_says_so_and_a_page_over_the_books_is_refused(
    tmp_path: Path, capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = written(opened(), tmp_path / "trading_data.db")
    database = ("pnl", "--database", str(path), "--html")
    before = path.read_bytes()
    assert main([*database, str(path)]) == Exit.MISTAKE
    assert "is there already" in capsys.readouterr().err
    assert path.read_bytes() == before
    monkeypatch.setattr("trader.cli.pnl.plotly_script", lambda: "")
    assert main([*database, str(tmp_path / "page.html")]) == 0
    assert "Nothing was traded." in (tmp_path / "page.html").read_text()
    page = (tmp_path / "page.html").read_bytes()
    assert main([*database, str(tmp_path / "page.html")]) == Exit.MISTAKE
    assert "is there already (give a new name)" in capsys.readouterr().err
    assert (tmp_path / "page.html").read_bytes() == page
    assert main([*database, str(tmp_path / "none" / "page.html")]) == Exit.MISTAKE


def test_without_plotly_the_page_is_refused_with_what_to_type(
    path: Path, capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "plotly.offline", None)
    target = path.with_name("page.html")
    assert main(["pnl", "--database", str(path), "--html", str(target)]) == Exit.MISTAKE
    assert "charts need plotly, which is not installed" in capsys.readouterr().err
    assert not target.exists()

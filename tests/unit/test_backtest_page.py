"""The page of a run draws what the run has, keeps what matters of long lines, and believes no text."""

import json
from datetime import date
from typing import Any

import numpy as np
import pytest

from tests.outcomes import MONDAY, close_ns, columns, fill, outcome, weekdays
from trader.backtest.charts import (
    MARKS_MAX,
    POINTS_MAX,
    SYMBOLS_CHARTED_MAX,
    kept,
)
from trader.backtest.outcome import Identity, Outcome
from trader.backtest.page import page_of
from trader.backtest.statistics import DEFINITIONS
from trader.calendar import DAY_NS, HOUR_NS
from trader.feeds.columns import Columns
from trader.model import MINUTE_NS, Side, Symbol

BUY, SELL = Side.BUY, Side.SELL
OPEN_NS = close_ns(MONDAY.isoformat()) - 6 * HOUR_NS - 30 * MINUTE_NS


def charts_in(page: str) -> list[dict[str, Any]]:
    line = page.rpartition("const charts = ")[2].partition(";\n")[0]
    return list(json.loads(line))


def drawn(outcome: Outcome, *prices: Columns) -> list[dict[str, Any]]:
    return charts_in(page_of(outcome, {one.symbol: one for one in prices}, ""))


def minutes(symbol: str, *closes: int) -> Columns:
    return columns(symbol, closes, start_ns=OPEN_NS, step_ns=MINUTE_NS)


# ------------------------------------------------------------------------------------------- the account


def test_equity_is_drawn_exactly_and_the_drawdown_below_it_counts_the_opening_cash() -> None:
    equity, _ = drawn(outcome("90.1", 120, 90))
    upper, lower = equity["data"]
    assert upper["x"] == lower["x"] == ["2026-01-05", "2026-01-06", "2026-01-07"]
    assert upper["y"] == ["90.1", "120", "90"]
    assert lower["y"] == pytest.approx([-9.9, 0, -25])
    assert lower["yaxis"] == "y2"


def test_the_part_in_positions_is_drawn() -> None:
    _, invested = drawn(outcome(100, 200, invested=(25, 0)))
    assert invested["data"][0]["y"] == [25, 0]


def test_a_run_without_sessions_has_a_page_that_says_so() -> None:
    page = page_of(outcome(), {}, "")
    assert charts_in(page) == []
    assert "No session ended" in page
    assert "n/a" in page


# ------------------------------------------------------------------------------------------- the symbols


def test_buys_and_sales_are_on_the_price_at_their_time() -> None:
    fills = [
        fill(BUY, 10, "31.92", left=10, at_ns=OPEN_NS + MINUTE_NS),
        fill(SELL, 10, 33, left=0, at_ns=OPEN_NS + 2 * MINUTE_NS),
    ]
    *_, chart = drawn(outcome(100, fills=fills), minutes("JD", 319_200, 320_000, 330_001))
    close, buys, sales = chart["data"]
    assert close["x"][0] == "2026-01-05 09:31:00", "the end of the first minute, in New York"
    assert close["y"] == [31.92, 32.0, 33.0001]
    assert (buys["x"], buys["y"]) == (["2026-01-05 09:31:00"], ["31.92"])
    assert (sales["x"], sales["y"]) == (["2026-01-05 09:32:00"], ["33"])
    assert buys["text"] == ["BUY 10, enter"]
    assert buys["marker"]["symbol"] != sales["marker"]["symbol"], "they differ without colors, too"
    assert chart["layout"]["title"]["text"] == "JD: closes and 2 fills"


def test_a_long_line_keeps_its_ends_its_highest_and_its_lowest() -> None:
    random = np.random.default_rng(3)
    closes = 1_000_000 + random.integers(-500, 500, 250_000).cumsum()
    closes[77_777], closes[123_456] = 5, 10**9
    places = kept(closes, POINTS_MAX)
    assert len(places) <= POINTS_MAX
    assert set(places) >= {0, 77_777, 123_456, 249_999}
    assert list(places) == sorted(set(places))
    room = 260  # bars: a little more than those of one stretch
    for start in range(room, len(closes) - 2_500, 2_500):
        around = places[(places >= start - room) & (places < start + 2_500 + room)]
        assert closes[around].max() >= closes[start : start + 2_500].max()
        assert closes[around].min() <= closes[start : start + 2_500].min()


@pytest.mark.parametrize("length", [1, 2, POINTS_MAX, POINTS_MAX + 1, 2 * POINTS_MAX])
def test_a_line_that_is_short_enough_is_kept_whole(length: int) -> None:
    places = kept(np.zeros(length, dtype=np.int64), POINTS_MAX)
    assert len(places) == length if length <= POINTS_MAX else len(places) <= POINTS_MAX
    assert (places[0], places[-1]) == (0, length - 1)


def test_too_many_fills_are_thinned_and_the_title_says_so() -> None:
    fills = [
        fill(side, 1, 32, left=left, at_ns=OPEN_NS + number)
        for number in range(MARKS_MAX + 1)
        for side, left in ((BUY, 1), (SELL, 0))
    ]
    *_, chart = drawn(outcome(100, fills=fills), minutes("JD", 320_000))
    marks = [len(one["x"]) for one in chart["data"][1:]]
    assert all(MARKS_MAX // 2 <= count <= MARKS_MAX for count in marks)
    assert chart["layout"]["title"]["text"] == (
        f"JD: closes and {len(fills):,} fills, {sum(marks):,} of them drawn"
    )


def test_the_symbols_with_most_fills_are_drawn_where_there_are_too_many() -> None:
    names = [f"S{number:02}" for number in range(SYMBOLS_CHARTED_MAX + 5)]
    fills = [fill(BUY, 1, 32, left=1, symbol=names[-1])] * 2 + [
        fill(BUY, 1, 32, left=1, symbol=names[-2])
    ]
    symbols = tuple(map(Symbol, names))
    prices = {symbol: minutes(symbol, 320_000) for symbol in symbols}
    page = page_of(outcome(100, fills=fills, symbols=symbols), prices, "")
    titles = [one["layout"]["title"]["text"] for one in charts_in(page)[2:]]
    assert len(titles) == SYMBOLS_CHARTED_MAX
    assert [title.partition(":")[0] for title in titles[:3]] == [names[-1], names[-2], names[0]]
    assert "The 20 symbols with most fills of 25." in page


def test_a_symbol_without_bars_has_no_chart() -> None:
    assert len(drawn(outcome(100), minutes("JD"))) == 2


def test_nights_and_weekends_are_left_out_of_a_short_chart_and_no_point_with_them() -> None:
    days = weekdays(10)
    starts = np.array(
        [close_ns(day) - 390 * MINUTE_NS + n * MINUTE_NS for day in days for n in range(390)]
    )
    flat = np.full(len(starts), 320_000)
    prices = Columns(
        symbol=Symbol("JD"),
        start_ns=starts,
        ends_ns=starts + MINUTE_NS,
        **dict.fromkeys(("open", "high", "low", "close", "volume"), flat),
    )
    early = fill(BUY, 1, 32, left=1, at_ns=close_ns(days[0]) - 8 * HOUR_NS)
    for fills, first in (([], 9.5), ([early], 8)):
        *_, chart = drawn(outcome(100, fills=fills), prices)
        weekend, night = chart["layout"]["xaxis"]["rangebreaks"]
        assert weekend == {"bounds": ["sat", "mon"]}
        begins, ends = night["bounds"]
        assert 16 < begins < 16.2
        assert first - 0.2 < ends < first + 0.02


def test_a_market_that_never_closes_and_a_long_chart_have_nothing_left_out() -> None:
    always = columns("JD", [320_000] * 14 * 24, start_ns=OPEN_NS, step_ns=HOUR_NS)
    years = columns("JD", [320_000] * 900, start_ns=OPEN_NS, step_ns=DAY_NS)
    for prices in (always, years):
        *_, chart = drawn(outcome(100), prices)
        assert chart["layout"]["xaxis"]["rangebreaks"] == []


def test_where_bars_are_missing_for_long_the_line_has_a_hole() -> None:
    before = columns("JD", [320_000] * 5_000, start_ns=OPEN_NS, step_ns=DAY_NS)
    moved = np.where(np.arange(5_000) < 2_500, 0, 200 * DAY_NS)
    prices = Columns(
        symbol=before.symbol,
        start_ns=before.start_ns + moved,
        ends_ns=before.ends_ns + moved,
        **{name: getattr(before, name) for name in ("open", "high", "low", "close", "volume")},
    )
    *_, whole = drawn(outcome(100), before)
    *_, chart = drawn(outcome(100), prices)
    assert whole["data"][0]["y"].count(None) == 0
    assert chart["data"][0]["y"].count(None) == 1


# ---------------------------------------------------------------------------------------------- the page


def test_what_was_assumed_quarantined_denied_and_halted_is_told() -> None:
    page = page_of(
        outcome(
            110,
            assumed=("Fills at the next open.",),
            quarantined={Symbol("AAPL"): "fell by 85.6 % overnight"},
            would_have_halted=("loss_day on 2026-01-05",),
            denied={"CASH": 1_234},
            inputs={"OrderRequest": 98_765},
            blocked=3,
        ),
        {},
        "",
    )
    for said in (
        "<li>Fills at the next open.</li>",
        "<li>AAPL: fell by 85.6 % overnight</li>",
        "<li>loss_day on 2026-01-05</li>",
        "<td>CASH</td><td>1,234</td>",
        "<td>OrderRequest</td><td>98,765</td>",
        "0 accepted, 1,234 denied, 3 duplicates blocked",
        "<td>code</td><td>c0de</td>",
        "<div class=bad>quarantined<b>1</b></div>",
        "--events FILE",
    ):
        assert said in page, said
    well = page_of(outcome(110), {}, "")
    assert "quarantined<b>" not in well
    assert "--events FILE" not in well


def test_every_statistic_stands_with_its_definition() -> None:
    page = page_of(outcome(110, 99), {}, "")
    for sentence in DEFINITIONS.values():
        assert sentence.replace("'", "&#x27;") in page
    assert "<td>total return</td><td>-1.00 %</td>" in page


def test_months_are_a_line_a_year_and_the_color_says_won_or_lost() -> None:
    page = page_of(outcome(110, 99, 198, "217.8", first=date(2025, 12, 30)), {}, "")
    table = page.partition('<table class="numbers months">')[2].partition("</table>")[0]
    _, first, second = table.split("<tr>")[1:]
    assert first.startswith("<td>2025</td>" + "<td></td>" * 11)
    assert first.count("197,48,48") == 2
    assert second.startswith(
        '<td>2026</td><td style="background: rgba(43,108,176,0.55)">120.00</td>'
    )


def test_texts_of_others_are_escaped_everywhere() -> None:
    evil = "</script><b>&\u202e"
    name = Symbol(evil)
    page = page_of(
        outcome(
            110,
            fills=[fill(BUY, 1, 32, left=1, symbol=evil, at_ns=OPEN_NS)],
            strategy=evil,
            parameters={evil: evil},
            symbols=(name,),
            identity=Identity(code=evil, data=evil, parameters=evil, seed=1),
            denied={evil: 1},
            inputs={evil: 1},
            assumed=(evil,),
            quarantined={name: evil},
            would_have_halted=(evil,),
        ),
        {name: minutes(evil, 320_000)},
        "",
    )
    assert "<b>&" not in page
    assert "\u202e" not in page
    assert page.count("</script>") == 2
    assert charts_in(page)[2]["layout"]["title"]["text"].startswith(
        "&lt;/script&gt;&lt;b&gt;&amp; "
    )


def test_the_page_needs_nothing_from_elsewhere() -> None:
    page = page_of(outcome(110), {}, "SCRIPT")
    assert "default-src 'none'" in page
    assert "<script>SCRIPT</script>" in page
    assert "src=" not in page
    assert "href=" not in page
    assert "NaN" not in page
    assert "addEventListener('beforeprint'" in page, "paper has another width"

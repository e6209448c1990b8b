"""The page of a run in Chromium: every chart is drawn, and no script complains."""

import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

from tests.outcomes import MONDAY, close_ns, columns, fill, outcome
from trader.backtest.outcome import Outcome
from trader.backtest.page import page_of
from trader.calendar import DAY_NS, HOUR_NS
from trader.feeds.columns import Columns
from trader.model import Side, Symbol
from trader.pages import plotly_script

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
OPTIONS = (
    "--headless --no-sandbox --disable-gpu --disable-background-networking --disable-sync --no-first-run"
    " --window-size=1200,4000 --virtual-time-budget=20000 --enable-logging=stderr --dump-dom"
).split()
BROWSER_S = 180
DAYS = 500
FILLS = 40


def drawn_by_chromium(page: Path, profile: Path) -> tuple[str, list[str]]:
    """The document once its scripts have run, and what they told the console; skips where there is no browser."""
    browser = next(filter(None, map(shutil.which, BROWSERS)), None)
    if browser is None:
        pytest.skip(f"no browser here: none of {', '.join(BROWSERS)}")
    ended = subprocess.run(
        [browser, *OPTIONS, f"--user-data-dir={profile}", page.as_uri()],
        capture_output=True,
        text=True,
        timeout=BROWSER_S,
    )
    assert ended.returncode == 0, ended.stderr[-2_000:]
    return ended.stdout, [line for line in ended.stderr.splitlines() if "CONSOLE" in line]


def two_years() -> tuple[Outcome, dict[Symbol, Columns]]:
    random = np.random.default_rng(8)
    equity = 100_000 + random.integers(-500, 520, DAYS).cumsum()
    closes = 320_000 + random.integers(-2_000, 2_100, DAYS).cumsum()
    first_ns = close_ns(MONDAY.isoformat()) - 6 * HOUR_NS
    names = ("JD", "</script><img src=x onerror=console.log(1)>")
    prices = {
        Symbol(name): columns(name, list(closes), start_ns=first_ns, step_ns=DAY_NS)
        for name in names
    }
    fills = [
        fill(side, 10, 32, left=left, symbol=name, at_ns=first_ns + 2 * number * DAY_NS)
        for number in range(FILLS // 4)
        for name in names
        for side, left in ((Side.BUY, 10), (Side.SELL, 0))
    ]
    invested = [5_000] * DAYS
    run = outcome(*map(int, equity), opening=100_000, invested=invested, fills=fills)
    return run, prices


@pytest.mark.slow
def test_a_browser_draws_every_chart_of_the_page(tmp_path: Path) -> None:
    pytest.importorskip("plotly", reason="the extra 'charts' is not installed")
    page = tmp_path / "page.html"
    page.write_text(page_of(*two_years(), plotly_script()), encoding="utf-8")
    document, complaints = drawn_by_chromium(page, tmp_path / "profile")
    assert complaints == []
    charts = re.split(r'<div id="chart\d+"', document)[1:]
    assert len(charts) == 4
    traces = [chart.count('class="trace scatter') for chart in charts]
    assert traces == [2, 1, 3, 3], "equity and drawdown; invested; closes, buys and sales, twice"
    lines = re.findall(r'class="js-line"[^>]* d="M([^"]+)"', document)
    assert sum(len(line) > 1_000 for line in lines) == 5, "lines that go somewhere, legends apart"
    assert document.count('class="point"') == FILLS
    assert "<img" not in document.replace("&lt;img", "")

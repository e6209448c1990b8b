"""C28: twice the message rate of the busiest minute that we have recorded, minute after minute, with a wish at each."""

import csv
import gzip
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from tests.program import MARKET_DATA, PATIENCE_S, ROOT, Folder

# Trades of AIG and BAC in the minute of 2013-10-09 15:59 New York, the busiest of the recorded day.
PEAK_A_MINUTE = 2_026
MINUTES = 3
SYMBOLS = ("AIG", "BAC")
DAY = "2013-10-09"
STRATEGY = '[strategies.insistent]\nkind = "insistent"\nsize = { shares = 5 }\n'


def stamp(minute: int, milliseconds: int) -> str:
    seconds, rest = divmod(milliseconds, 1_000)
    return f"{DAY}T13:{30 + minute:02}:{seconds:02}.{rest:03}Z"


def recorded(folder: Path) -> tuple[int, int]:
    """Quotes at twice the peak, evenly, and a bar a minute of each symbol; how many of each there are."""
    (folder / "quote").mkdir(parents=True)
    (folder / "minute").mkdir()
    each = PEAK_A_MINUTE  # of two symbols: twice the peak together
    for symbol in SYMBOLS:
        with gzip.open(folder / "quote" / f"{symbol}.csv.gz", "wt") as file:
            file.write("timestamp,symbol,bid,bid_size,ask,ask_size\n")
            for minute in range(MINUTES):
                for number in range(each):
                    at = stamp(minute, number * 60_000 // each)
                    cents = 10 + number % 5
                    file.write(f"{at},{symbol},14.{cents},500,14.{cents + 1},500\n")
        with gzip.open(folder / "minute" / f"{symbol}.csv.gz", "wt") as file:
            file.write("timestamp,symbol,open,high,low,close,volume\n")
            for minute in range(MINUTES):
                at = stamp(minute, 0)
                file.write(f"{at},{symbol},14.12,14.16,14.1,14.12,100000\n")
    return 2 * each * MINUTES, 2 * MINUTES


@pytest.mark.slow
def test_twice_the_peak_loses_and_doubles_nothing(tmp_path: Path) -> None:
    quotes, bars = recorded(tmp_path / "data")
    (tmp_path / "trader.toml").write_text(STRATEGY)
    ended = subprocess.run(
        [
            *(sys.executable, "-P", str(ROOT / "tests" / "insistent.py"), "run"),
            *("--data", "data", "--symbols", ",".join(SYMBOLS), "--speed", "max"),
        ],
        cwd=tmp_path,
        env=Folder(tmp_path).environment(),
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
    )
    assert (ended.returncode, ended.stderr) == (0, ""), ended.stdout
    folder = Folder(tmp_path)
    taken = folder.ours("SELECT count(*), count(DISTINCT decision_key) FROM decision_rows")
    assert taken == [(quotes + bars, quotes + bars)], "each message told is one decision, once"
    assert folder.ours("SELECT count(*) FROM double_entries") == [(0,)]
    sent = folder.posts()
    assert len(sent) == len(set(sent)) == len(folder.theirs("SELECT 1 FROM orders"))
    assert len(sent) == len(SYMBOLS), "and of all of them one order for each symbol"
    assert folder.difference() == ""


def test_the_peak_is_the_busiest_minute_of_what_is_recorded() -> None:
    if not MARKET_DATA.exists():
        pytest.skip("the recorded market data is not beside the project")
    minutes: Counter[str] = Counter()
    for path in (MARKET_DATA / "tick").glob("*.csv.gz"):
        with gzip.open(path, "rt") as file:
            minutes.update(row["timestamp"][:16] for row in csv.DictReader(file))
    assert minutes.most_common(1) == [(f"{DAY}T19:59", PEAK_A_MINUTE)]

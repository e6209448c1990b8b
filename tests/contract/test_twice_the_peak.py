"""C28: twice the message rate of the busiest minute that we have recorded, minute after minute, with a wish at each."""

import csv
import gzip
import json
import re
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.program import MARKET_DATA, PATIENCE_S, ROOT, Folder
from tests.standing_broker import Account, standing_broker
from trader.calendar import parse_iso
from trader.model import MINUTE_NS

# Trades of AIG and BAC in the minute of 2013-10-09 15:59 New York, the busiest of the recorded day.
PEAK_A_MINUTE = 2_026
MINUTES = 3
CLOCKED_MINUTES, STARTING_MINUTES = 5, 2
SPEED = "10"
ENDING_MAX = 1_000  # quotes that are told between the last wish that is written down and the end
AFTER_MS = 7  # so that no quote is of the moment in which a bar ends
SYMBOLS = ("AIG", "BAC")
DAY = "2013-10-09"
STRATEGY = '[strategies.insistent]\nkind = "insistent"\nsize = { shares = 5 }\n'


def stamp(minute: int, milliseconds: int) -> str:
    seconds, rest = divmod(milliseconds, 1_000)
    return f"{DAY}T13:{30 + minute:02}:{seconds:02}.{rest:03}Z"


def recorded(folder: Path, minutes: int = MINUTES, *, after_ms: int = 0) -> tuple[int, int]:
    """Quotes at twice the peak, evenly, and a bar a minute of each symbol; how many of each there are."""
    (folder / "quote").mkdir(parents=True)
    (folder / "minute").mkdir()
    each = PEAK_A_MINUTE  # of two symbols: twice the peak together
    for symbol in SYMBOLS:
        with gzip.open(folder / "quote" / f"{symbol}.csv.gz", "wt") as file:
            file.write("timestamp,symbol,bid,bid_size,ask,ask_size\n")
            for minute in range(minutes):
                for number in range(each):
                    at = stamp(minute, after_ms + number * 59_000 // each)
                    cents = 10 + number % 5
                    file.write(f"{at},{symbol},14.{cents},500,14.{cents + 1},500\n")
        with gzip.open(folder / "minute" / f"{symbol}.csv.gz", "wt") as file:
            file.write("timestamp,symbol,open,high,low,close,volume\n")
            for minute in range(minutes):
                at = stamp(minute, 0)
                file.write(f"{at},{symbol},14.12,14.16,14.1,14.12,100000\n")
    return 2 * each * minutes, 2 * minutes


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


@pytest.mark.slow
def test_by_the_clock_twice_the_peak_conflates_quotes_and_loses_or_doubles_no_bar_and_no_order(
    tmp_path: Path,
) -> None:
    """Over sockets to a broker in another process, ten market seconds a second: nobody waits for anybody."""
    recorded(tmp_path / "data", CLOCKED_MINUTES, after_ms=AFTER_MS)
    clock = ("--speed", SPEED)
    with standing_broker(tmp_path, "--data", "data", *clock) as account:
        (tmp_path / "trader.toml").write_text(
            f'broker = "alpaca-paper"\nsymbols = {json.dumps(SYMBOLS)}\n{STRATEGY}'
        )
        with account.trading(*clock) as running:
            running.wait_line(lambda line: " BUY " in line)
            while len(decided(account, "BAC").bars) < CLOCKED_MINUTES - STARTING_MINUTES:
                running.wait_line(lambda line: True)
            ended = running.end(signal.SIGTERM)
        assert (ended.code, ended.err) == (0, "")
        assert account.difference() == ""
        posts = account.posts()
        assert len(posts) == len(set(posts)) == len(account.accepted()) == len(SYMBOLS)
    assert account.ours("SELECT count(*) FROM double_entries") == [(0,)]
    found = [decided(account, symbol) for symbol in SYMBOLS]
    for one in found:
        first, last = min(one.bars), max(one.bars)
        assert sorted(one.bars) == list(range(first, last + MINUTE_NS, MINUTE_NS)), "each bar once"
        assert len(one.quotes) == len(set(one.quotes)), "no quote twice"
        assert one.quotes, "how many depends on the machine"
    [line] = [one for one in account.log() if one.get("subject") == "quotes"]
    told, conflated = map(int, re.findall(r"\d+", str(line["message"])))
    unread = told - conflated - sum(len(one.quotes) for one in found)
    assert 0 <= unread <= 2 * len(SYMBOLS), "every other one was replaced by a newer one"
    there = sum(
        len([at for at in quoted() if one.quotes[0] <= at <= one.quotes[-1]]) for one in found
    )
    assert 0 <= told - there <= ENDING_MAX, "and all that the market said were told"


def quoted() -> list[int]:
    """When each symbol is quoted."""
    return [
        parse_iso(stamp(minute, AFTER_MS + number * 59_000 // PEAK_A_MINUTE))
        for minute in range(CLOCKED_MINUTES)
        for number in range(PEAK_A_MINUTE)
    ]


class Decided(NamedTuple):
    """Ends of bars and times of quotes on which a symbol's worker has wished."""

    bars: list[int]
    quotes: list[int]


def decided(account: Account, symbol: str) -> Decided:
    times = account.ours(
        "SELECT json_extract(entry, '$.input.at_ns') FROM journal"
        f" JOIN decision_rows USING (sequence) WHERE symbol = '{symbol}'"
    )
    at = [int(str(one)) for (one,) in times]
    return Decided(
        bars=[one for one in at if one % MINUTE_NS == 0],
        quotes=[one for one in at if one % MINUTE_NS],
    )


def test_the_peak_is_the_busiest_minute_of_what_is_recorded() -> None:
    if not MARKET_DATA.exists():
        pytest.skip("the recorded market data is not beside the project")
    minutes: Counter[str] = Counter()
    for path in (MARKET_DATA / "tick").glob("*.csv.gz"):
        with gzip.open(path, "rt") as file:
            minutes.update(row["timestamp"][:16] for row in csv.DictReader(file))
    assert minutes.most_common(1) == [(f"{DAY}T19:59", PEAK_A_MINUTE)]

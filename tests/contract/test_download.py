"""`trade download` from our own broker over real sockets: what it writes, what it keeps, what it refuses."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import pytest

from tests.program import PATIENCE_S, ROOT, Ended
from trader.__main__ import main
from trader.calendar import iso, next_session, session_on
from trader.feeds.history import data_identity, read_history
from trader.model import MINUTE_NS, Symbol
from trader.simulator.in_process import InProcessBroker, simulated_broker

SPY, IBM = Symbol("SPY"), Symbol("IBM")
LONG_AGO, FIRST, LAST, NEXT = "2013-09-03", "2013-10-07", "2013-10-11", "2013-10-14"
BARS = {"method": "GET", "path": "/v2/stocks/bars"}
PAGE = 10_000  # bars that one answer has at most


def session_dates(date: str) -> Iterator[str]:
    while date <= NEXT:
        yield date
        date = next_session(date).date


def rows(symbol: str, price: int, first: str) -> Iterator[str]:
    """Every minute of the sessions, at prices with up to four decimals."""
    for date in session_dates(first):
        session = session_on(date)
        assert session is not None
        for number in range(390):
            base = price + number % 97 / 100
            prices = f"{base:.2f},{base + 0.0125:.4f},{base - 0.01:.2f},{base + 0.005:.3f}"
            yield f"{iso(session.open_ns + number * MINUTE_NS)},{symbol},{prices},{number * 7}\n"


def record(folder: Path, first: str, **prices: int) -> Path:
    """A folder with a file for each symbol."""
    folder.mkdir()
    header = "timestamp,symbol,open,high,low,close,volume\n"
    for symbol, price in prices.items():
        (folder / f"{symbol}.csv").write_text(header + "".join(rows(symbol, price, first)))
    return folder


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return record(tmp_path_factory.mktemp("recorded") / "minute", FIRST, SPY=170, IBM=9)


@pytest.fixture(scope="module")
def standing(recorded: Path) -> Iterator[InProcessBroker]:
    """On the morning after the last day."""
    with simulated_broker(data=recorded, start=f"{NEXT}T10:00") as broker:
        yield broker


@pytest.fixture
def broker(standing: InProcessBroker) -> Iterator[InProcessBroker]:
    yield standing
    standing.mend()


def arguments_of(broker: InProcessBroker, *arguments: str, symbols: str = "SPY") -> list[str]:
    ours = ["--symbols", symbols, "--out", "data", "--address", broker.address]
    return ["download", *ours, "--start", FIRST, "--end", LAST, *arguments]


class Door:
    """The program's door, in this process, in a folder of its own."""

    def __init__(self, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
        self._capsys = capsys
        self._monkeypatch = monkeypatch

    def __call__(self, broker: InProcessBroker, *arguments: str, symbols: str = "SPY") -> Ended:
        for name, value in broker.environment.items():
            self._monkeypatch.setenv(name, value)
        code = main(arguments_of(broker, *arguments, symbols=symbols))
        out, err = self._capsys.readouterr()
        return Ended(code=code, out=out, err=err)


@pytest.fixture
def downloaded(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Door:
    monkeypatch.chdir(tmp_path)
    return Door(capsys, monkeypatch)


def files(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def test_minutes_are_read_back_as_they_were_recorded(
    broker: InProcessBroker, recorded: Path, downloaded: Door, tmp_path: Path
) -> None:
    ended = downloaded(broker, symbols="SPY,IBM")
    assert (ended.code, ended.err) == (0, "")
    assert [line.split()[:3] for line in ended.out.splitlines()] == [
        ["written", "SPY", "1,950"],
        ["written", "IBM", "1,950"],
    ]
    theirs = read_history([recorded], end=LAST)
    assert data_identity(read_history([tmp_path / "data"])) == data_identity(theirs)
    assert files(tmp_path) == [
        f"data/minute/{name}"
        for name in ("IBM.asked.json", "IBM.csv.gz", "SPY.asked.json", "SPY.csv.gz")
    ]


def test_more_than_a_page_is_put_together_also_where_the_second_page_fails_at_first(
    downloaded: Door,
    tmp_path: Path,
) -> None:
    recorded = record(tmp_path / "minute", LONG_AGO, SPY=170)
    with simulated_broker(data=recorded, start=f"{NEXT}T10:00") as broker:
        broker.fail("half-reply", nth=2, **BARS)
        ended = downloaded(broker, "--start", LONG_AGO)
    assert ended.code == 0, ended.err
    theirs = read_history([recorded], end=LAST)
    assert len(theirs[SPY]) > PAGE
    assert data_identity(read_history([tmp_path / "data"])) == data_identity(theirs)


def test_days_are_dates_of_sessions_and_sum_up_their_minutes(
    broker: InProcessBroker, recorded: Path, downloaded: Door, tmp_path: Path
) -> None:
    ended = downloaded(broker, "--timeframe", "1Day", "--json")
    assert (ended.code, ended.err) == (0, "")
    [told] = json.loads(ended.out)["symbols"]
    assert (told["state"], told["bars"], told["first"]) == (
        "written",
        5,
        "2013-10-07T13:30:00.000Z",
    )
    days = read_history([tmp_path / "data" / "daily"])[SPY]
    minutes = read_history([recorded], [SPY], end=LAST)[SPY]
    for place, date in enumerate(islice(session_dates(FIRST), len(days))):
        session = session_on(date)
        assert session is not None
        bar = days.bar(place)
        assert (bar.start_ns, bar.start_ns + bar.span_ns) == (session.open_ns, session.close_ns)
        day = slice(390 * place, 390 * (place + 1))
        assert bar.open == minutes.open[day][0]
        assert bar.close == minutes.close[day][-1]
        assert (bar.high, bar.low) == (minutes.high[day].max(), minutes.low[day].min())
        assert bar.volume == minutes.volume[day].sum()


def test_the_same_question_keeps_whole_files_and_goes_on_with_the_others(
    broker: InProcessBroker, downloaded: Door, tmp_path: Path
) -> None:
    assert downloaded(broker, symbols="SPY,IBM").code == 0
    data = tmp_path / "data" / "minute"
    first = (data / "IBM.csv.gz").read_bytes()
    before = (data / "SPY.csv.gz").stat().st_mtime_ns
    (data / "IBM.csv.gz").unlink()
    ended = downloaded(broker, symbols="SPY,IBM")
    assert [line.split()[:2] for line in ended.out.splitlines()] == [
        ["kept", "SPY"],
        ["written", "IBM"],
    ]
    assert (data / "SPY.csv.gz").stat().st_mtime_ns == before
    assert (data / "IBM.csv.gz").read_bytes() == first, "the same bars are the same bytes"


def test_another_question_neither_takes_a_file_for_its_answer_nor_loses_it(
    broker: InProcessBroker, downloaded: Door, tmp_path: Path
) -> None:
    assert downloaded(broker).code == 0
    whole = tmp_path / "data" / "minute" / "SPY.csv.gz"
    before = whole.read_bytes()
    other = downloaded(broker, "--start", "2013-10-08")
    assert other.code == 2
    assert f"SPY.csv.gz: has other bars: 1Min {FIRST} {LAST} sip raw" in other.err
    whole.with_name("SPY.asked.json").unlink()
    assert "is not from a download" in downloaded(broker).err
    assert whole.read_bytes() == before


def test_a_symbol_without_bars_has_no_file(
    broker: InProcessBroker, downloaded: Door, tmp_path: Path
) -> None:
    ended = downloaded(broker, symbols="SPY,ZZZ")
    assert ended.code == 1
    assert ended.out.splitlines()[1] == "no bars  ZZZ"
    assert files(tmp_path) == ["data/minute/SPY.asked.json", "data/minute/SPY.csv.gz"]


@pytest.mark.parametrize("verb", ["429-burst", "half-reply", "empty-reply"])
def test_a_page_that_fails_is_asked_for_again(
    verb: str, broker: InProcessBroker, recorded: Path, downloaded: Door, tmp_path: Path
) -> None:
    broker.fail(verb, **BARS)
    ended = downloaded(broker)
    assert ended.code == 0, ended.err
    theirs = read_history([recorded], [SPY], end=LAST)
    assert data_identity(read_history([tmp_path / "data"])) == data_identity(theirs)


def test_where_pages_fail_for_good_nothing_half_is_left_and_the_same_command_goes_on(
    broker: InProcessBroker, downloaded: Door, tmp_path: Path
) -> None:
    broker.fail("answer-instead", status=500, body="{}", nth=2, times="always", **BARS)
    ended = downloaded(broker, symbols="SPY,IBM")
    assert ended.code == 3
    assert "1 of 2 symbols are done; the same command goes on from there" in ended.err
    assert ended.err.count("\n") == 1
    assert files(tmp_path) == ["data/minute/SPY.asked.json", "data/minute/SPY.csv.gz"]
    broker.mend()
    again = downloaded(broker, symbols="SPY,IBM")
    assert [line.split()[0] for line in again.out.splitlines()] == ["kept", "written"]


def test_a_bar_that_cannot_be_gets_no_file(
    broker: InProcessBroker, downloaded: Door, tmp_path: Path
) -> None:
    bad = {"t": "2013-10-08T14:00:00Z", "o": 9, "h": 8, "l": 9, "c": 9, "v": 1, "n": 1, "vw": 9}
    body = json.dumps({"bars": {"SPY": [bad]}, "next_page_token": None})
    broker.fail("answer-instead", status=200, body=body, **BARS)
    ended = downloaded(broker)
    assert ended.code == 3
    assert "SPY: a bar that can't be, row 1 of the answer: high 8 is below low 9" in ended.err
    assert files(tmp_path) == []


def test_an_interrupted_download_leaves_whole_files_alone(
    broker: InProcessBroker, tmp_path: Path
) -> None:
    broker.fail("answer-instead", status=500, body="{}", nth=2, times="always", **BARS)
    process = subprocess.Popen(
        [sys.executable, "-P", "-m", "trader", *arguments_of(broker, symbols="SPY,IBM")],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT), **broker.environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline().startswith("written  SPY")
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=PATIENCE_S)
    assert (process.returncode, err) == (130, "trade: interrupted\n")
    # A Ctrl-C in the instant in which a draft is made may leave it: the next download writes over it.
    whole = [one for one in files(tmp_path) if "/.drafts/" not in one]
    assert whole == ["data/minute/SPY.asked.json", "data/minute/SPY.csv.gz"]


MISTAKES = {
    "a day that isn't over": (
        ["--end", NEXT],
        2,
        f"--end {NEXT}: not over yet: in New York it is {NEXT}",
    ),
    "no date": (["--start", "monday"], 2, "--start monday: not a date like 2026-01-26"),
    "the wrong way round": (
        ["--end", "2013-08-01"],
        2,
        f"--end 2013-08-01: before --start {FIRST}",
    ),
    "no symbol": (["--symbols", "SPY,"], 2, "--symbols SPY,: not a symbol: ''"),
    "a path for a symbol": (["--symbols", "../X"], 2, "not a symbol: '../X'"),
    "twice": (["--symbols", "SPY,SPY"], 2, "--symbols SPY,SPY: names a symbol twice"),
    "another machine": (["--address", "http://10.0.0.1"], 2, "not a server on this machine"),
    "nobody there": (["--address", "http://127.0.0.1:9"], 3, "0 of 1 symbols are done"),
    "a file for a folder": (
        ["--out", "taken"],
        2,
        "taken/minute/SPY.csv.gz: can't be written: Not a dir",
    ),
    "seconds": (["--timeframe", "1Sec"], 2, "'1Sec' is not one of '1Min', '1Day'"),
}


@pytest.mark.parametrize("case", MISTAKES)
def test_a_mistake_is_one_line(
    case: str, broker: InProcessBroker, downloaded: Door, tmp_path: Path
) -> None:
    arguments, code, words = MISTAKES[case]
    (tmp_path / "taken").write_text("")
    ended = downloaded(broker, *arguments)
    assert (ended.code, ended.out) == (code, "")
    assert words in ended.err
    assert ended.err.count("\n") == 1
    assert files(tmp_path) == ["taken"]

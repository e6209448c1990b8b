"""`trader backtest` as a person types it; and held to a live run over the same bars."""

import csv
import json
import sqlite3
from pathlib import Path
from random import Random

import pytest

from tests.histories import GS, JD, days, minutes
from tests.program import MARKET_DATA, Folder
from trader.__main__ import main
from trader.calendar import iso, next_session
from trader.feeds.columns import Columns

DATABASE = "trading_data.db"


def written(folder: Path, columns: Columns) -> Path:
    """As a file of the folder that tells how long its bars are."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{columns.symbol}.csv"
    with path.open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow("timestamp symbol open high low close volume".split())
        for bar in columns.bars():
            prices = [f"{price / 10_000:.4f}" for price in (bar.open, bar.high, bar.low, bar.close)]
            stamp = iso(bar.start_ns)
            rows.writerow(
                [stamp[:10] if folder.name == "daily" else stamp, bar.symbol, *prices, bar.volume]
            )
    return path


def walk(seed: int, count: int, start: float = 40.0) -> list[float]:
    random, price = Random(seed), start
    closes = []
    for _ in range(count):
        price = round(max(price + random.choice((-0.05, 0.0, 0.05)), 1.0), 2)
        closes.append(price)
    return closes


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    written(tmp_path / "data" / "minute", minutes(JD, *walk(1, 120)))
    return tmp_path / "data"


def backtest(*arguments: str) -> int:
    return main(["backtest", "--strategy", "sma-crossover", "--param", "fast=2", *arguments])


def asked(database: Path, question: str) -> list[tuple[object, ...]]:
    with sqlite3.connect(database) as reader:
        return reader.execute(question).fetchall()


def test_it_leaves_a_table_files_and_books_that_prove_themselves(
    data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert backtest("--data", str(data), "--param", "slow=5", "--out", "out") == 0
    said = capsys.readouterr().out
    assert "final equity" in said
    assert {one.name for one in Path("out").iterdir()} >= {
        "trades.csv",
        "equity.csv",
        "summary.json",
        "report.html",
        DATABASE,
    }
    database = Path("out") / DATABASE
    for verb in ("verify", "orders", "trades", "account", "pnl", "status", "journal list"):
        assert main([*verb.split(), "--database", str(database)]) == 0
    assert main(["explain", "JD", "--database", str(database)]) == 0
    with (Path("out") / "trades.csv").open() as file:
        rows = list(csv.DictReader(file))
    trades = asked(database, "SELECT count(*) FROM trades")
    assert trades == [(len(rows),)]
    assert len(rows) > 4


def test_the_same_request_has_the_same_name_and_the_same_rows(
    data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    told, rows = [], []
    for _ in range(2):
        assert backtest("--data", str(data), "--json") == 0
        told.append(json.loads(capsys.readouterr().out))
        [folder] = Path("backtests").iterdir()
        rows.append(asked(folder / DATABASE, "SELECT entry, hash FROM journal"))
    assert told[0] == told[1]
    assert rows[0] == rows[1]
    assert folder.name.startswith("sma-crossover-")


def test_other_days_have_another_name(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    written(Path("other") / "minute", minutes(JD, *walk(2, 120)))
    for one in ("data", "other"):
        assert backtest("--data", one, "--param", "slow=5") == 0
    assert len(list(Path("backtests").iterdir())) == 2


def test_a_folder_beside_it_is_nobodys_to_clear(data: Path) -> None:
    Path("mine.partial").mkdir()
    Path("mine.partial/notes.txt").write_text("years of work")
    assert backtest("--data", str(data), "--param", "slow=5", "--out", "mine") == 0
    assert Path("mine.partial/notes.txt").read_text() == "years of work"
    assert sorted(one.name for one in Path.cwd().iterdir()) == ["data", "mine", "mine.partial"]


def test_parameters_that_were_not_given_are_told_too(data: Path) -> None:
    assert backtest("--data", str(data), "--out", "mine") == 0
    told = json.loads(Path("mine/summary.json").read_text())["parameters"]
    assert (told["sma-crossover.fast"], told["sma-crossover.slow"]) == ("2", "30")


def test_a_configuration_that_names_no_symbols_takes_all_that_there_are(data: Path) -> None:
    written(data / "minute", minutes(GS, *walk(2, 120)))
    Path("trader.toml").write_text("[limits]\nadds_max = 0\n")
    assert backtest("--data", str(data), "--out", "mine") == 0
    assert json.loads(Path("mine/summary.json").read_text())["symbols"] == ["GS", "JD"]
    Path("trader.toml").write_text('symbols = ["GS"]\n')
    assert backtest("--data", str(data), "--out", "mine") == 0
    assert json.loads(Path("mine/summary.json").read_text())["symbols"] == ["GS"]


def test_the_last_day_of_the_calendar_may_be_the_end(data: Path) -> None:
    assert backtest("--data", str(data), "--out", "mine", "--end", "2029-12-31") == 0


def test_without_data_it_goes_over_the_synthetic_market(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert backtest("--symbols", "JD", "--sessions", "2", "--out", "out") == 0
    assert "1 symbol, 780 bars by column, 2026-01-26 to 2026-01-27" in capsys.readouterr().out
    assert backtest("--symbols", "JD", "--start", "2026-01-27") == 2
    assert capsys.readouterr().err.startswith("trade: --start: is for recorded bars")


def test_json_is_nothing_but_json(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert backtest("--data", str(data), "--json", "--out", "out") == 0
    summary = json.loads(capsys.readouterr().out)
    assert summary == json.loads((Path("out") / "summary.json").read_text())


def test_splits_and_dividends_come_from_a_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    dates = ["2026-01-23"]
    while len(dates) < 6:
        dates.append(next_session(dates[-1]).date)
    written(tmp_path / "daily", days(JD, dates, 30, 30, 31, 31, 15.5, 15.6))
    asked_for = ["backtest", "--data", "daily", "--strategy", "sma-crossover", "--out", "out"]
    wanted = [*asked_for, "--param", "fast=1", "--param", "slow=2", "--json"]
    assert main(wanted) == 0
    assert "split" in json.loads(capsys.readouterr().out)["quarantined"]["JD"]
    Path("events.toml").write_text(
        f'[[event]]\nname = "split"\nat = "{dates[4]}T08:00"\nsymbol = "JD"\nratio = 2\n'
    )
    assert main([*wanted, "--events", "events.toml"]) == 0
    assert json.loads(capsys.readouterr().out)["quarantined"] == {}
    held = asked(Path("out") / DATABASE, "SELECT quantity FROM positions WHERE symbol = 'JD'")
    assert held == [(128,)]
    assert main(["verify", "--database", f"out/{DATABASE}"]) == 0


WRONG: dict[tuple[str, ...], str] = {
    ("--cash", "0"): "trade: --cash 0: nothing can be bought with nothing",
    ("--cash", "many"): "trade: --cash many: ",
    ("--spread", "-1"): "trade: --spread -1: must be from 0 to 1,000",
    ("--participation", "101"): "trade: --participation 101: must be from 0 to 100",
    ("--param", "fast"): "trade: --param: not NAME=VALUE: 'fast'",
    ("--param", "fast=9"): "trade: fast (9) must be smaller than slow (5)",
    ("--symbols", "GS"): "trade: ",
    ("--size", "0.01"): "trade: --size 0.01: not UNIT=NUMBER: a unit is one of shares, notional",
    ("--size", "volatility=x"): "trade: --size volatility=x: not a number",
    ("--size", "volatility=2"): "trade: --size volatility=2: must be at most 1, not 2 (0.1 is a",
    ("--size", "shares=0"): "trade: --size shares=0: must be above 0, not 0",
    ("--size", "volatility=0.1", "--param", "risk=5"): "trade: risk and size.volatility exclude",
    ("--start", "2027-01-01"): "trade: ",
    ("--events", "/none/none.toml"): "trade: --events /none/none.toml: ",
    ("--database", "x.db"): "trade: --database x.db: means nothing here: history is gone through",
    ("--log", "x.log"): "trade: --log x.log: means nothing here: history is gone through",
    ("--out", "data"): "trade: --out data: is there, and is no backtest (give another --out)",
    (
        "--out",
        "data/minute/JD.csv",
    ): "trade: --out data/minute/JD.csv: is there, and is no backtest",
    (
        "--out",
        "data/minute/JD.csv/out",
    ): "trade: --out data/minute/JD.csv/out: can't be made: Not a directory",
    ("--out", "."): "trade: --out .: not a folder's name (give another --out)",
}


@pytest.mark.parametrize("given", WRONG, ids=" ".join)
def test_a_mistake_is_one_line_and_leaves_nothing(
    given: tuple[str, ...], data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert backtest("--data", str(data), "--param", "slow=5", *given) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.startswith(WRONG[given])
    assert said.err.count("\n") == 1
    assert [one.name for one in Path.cwd().iterdir()] == ["data"]


def test_days_that_no_calendar_has_are_one_line(
    data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    far = Path("far.csv")
    far.write_text(
        "timestamp,symbol,open,high,low,close,volume\n2090-01-03T15:10:00Z,JD,9,9,9,9,9\n"
    )
    for more in ((), ("--always",)):
        assert backtest("--data", "far.csv", "--param", "slow=5", *more) == 2
        line = capsys.readouterr().err
        assert line.startswith("trade: far.csv:2: the calendar covers 1998 to 2029, not 2090")
        assert line.count("\n") == 1
    for verb in (["backtest", "--strategy", "buy-and-hold"], ["lookahead", "buy-and-hold"]):
        assert main([*verb, "--symbols", "JD", "--sessions", "10000"]) == 2
        line = capsys.readouterr().err
        assert "--sessions 10000: the market has 925, from 2026-01-26 to 2029-09-28 (" in line


def test_an_event_that_cannot_befall_a_backtest_is_a_mistake(
    data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("events.toml").write_text('[[event]]\nname = "disconnect"\nat = "2026-01-26T10:00"\n')
    assert backtest("--data", str(data), "--events", "events.toml") == 2
    assert "disconnect can't befall a backtest" in capsys.readouterr().err


BROKEN = """
from trader.strategies.base import Strategy


class Own(Strategy):
    def on_bar(self, bar, view):
        if bar.start_ns % 7 == 0 and view.is_idle():
            raise ValueError("enough")
        return ()
"""


def test_what_fails_in_the_middle_leaves_the_run_before_it(
    data: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert backtest("--data", str(data), "--out", "out") == 0
    before = (Path("out") / "summary.json").read_bytes()
    Path("strategies").mkdir()
    Path("strategies/own.py").write_text(BROKEN)
    assert main(["backtest", "--strategy", "own", "--data", str(data), "--out", "out"]) == 2
    assert capsys.readouterr().err == "trade: strategies/own.py:8: ValueError: enough\n"
    assert (Path("out") / "summary.json").read_bytes() == before
    assert sorted(one.name for one in Path.cwd().iterdir()) == ["data", "out", "strategies"]


ORDERS = (
    "SELECT timestamp, symbol, side, quantity, limit_price, avg_price, state, reason FROM orders"
)
DECIDED = (
    "SELECT timestamp, symbol, side, outcome, reason FROM decisions ORDER BY timestamp, symbol, id"
)


def held_to_a_run(
    tmp_path: Path, bars: Path, symbols: str, *params: str, strategy: str = "sma-crossover"
) -> int:
    """Orders, prices, refusals and cash of both are the same; how many orders there were."""
    live = Folder(tmp_path)
    arguments = ["--symbols", symbols, *(part for one in params for part in ("--param", one))]
    ended = live.run("--data", str(bars), "--strategy", strategy, *arguments)
    assert (ended.code, ended.err) == (0, "")
    asked_for = ["--data", str(bars), "--strategy", strategy, *arguments]
    modelled = ["--fills", "quote", "--cash", "250000", "--brakes", "on", "--out", "again"]
    assert main(["backtest", *asked_for, *modelled]) == 0
    again = tmp_path / "again" / DATABASE
    for question in (ORDERS, DECIDED, "SELECT cash, realized_pnl FROM account"):
        assert live.ours(question) == asked(again, question)
    return len(live.ours(ORDERS))


def test_a_run_over_the_same_bars_decides_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    bars = tmp_path / "bars"
    written(bars / "minute", minutes(JD, *walk(3, 100)))
    assert held_to_a_run(tmp_path, bars, "JD", "fast=3", "slow=8") > 3


def test_a_run_of_a_pair_decides_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    bars = tmp_path / "bars"
    written(bars / "minute", minutes(JD, *walk(3, 150)))
    written(bars / "minute", minutes(GS, *walk(4, 150)))
    params = ("pair=JD/GS", "bars=10", "width=1.5")
    assert held_to_a_run(tmp_path, bars, "GS,JD", *params, strategy="pairs") > 3


@pytest.mark.slow
@pytest.mark.skipif(
    not MARKET_DATA.exists(), reason="needs ../shared/market-data beside the checkout"
)
def test_a_run_over_six_recorded_sessions_decides_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    bars = tmp_path / "bars"
    bars.mkdir()
    (bars / "minute").symlink_to(MARKET_DATA / "minute")
    assert held_to_a_run(tmp_path, bars, "AIG,BAC,IBM,SPY", "fast=10", "slow=30") == 144


# --- what history is told about itself


def fallen(tmp_path: Path) -> list[str]:
    """By more than half over the night to 2026-01-28, in daily bars; the words that run a strategy over them."""
    dates = ["2026-01-23"]
    while len(dates) < 6:
        dates.append(next_session(dates[-1]).date)
    written(
        tmp_path / "daily", days(JD, dates, 30, 31, 31, 14, 14, 15, opens=(30, 30, 31, 14, 14, 15))
    )
    crossing = ["--strategy", "sma-crossover", "--param", "fast=1", "--param", "slow=2"]
    return ["backtest", "--data", "daily", *crossing, "--out", "out", "--json"]


def test_a_jump_that_is_told_as_real_takes_nothing_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    words = fallen(tmp_path)
    assert main(words) == 0
    assert "JD" in json.loads(capsys.readouterr().out)["quarantined"]
    Path("events.toml").write_text(
        '[[jump]]\nsymbol = "JD"\ndate = 2026-01-28\nreason = "a profit warning"\n'
    )
    assert main([*words, "--events", "events.toml"]) == 0
    summary = json.loads(capsys.readouterr().out)
    assert summary["quarantined"] == {}
    assert "JD jumped before 2026-01-28: a profit warning" in summary["assumed"]
    assert main(["verify", "--database", f"out/{DATABASE}"]) == 0
    assert main(["journal", "list", "--database", f"out/{DATABASE}"]) == 0
    assert "released" in capsys.readouterr().out


BAD_JUMPS = {
    'symbol = "GS"\ndate = "2026-01-28"\nreason = "x"': "events.toml:2: symbol: no GS is traded here",
    'symbol = "JD"\ndate = "2026-01-31"\nreason = "x"': "events.toml:3: date: no session's date",
    'symbol = "JD"\ndate = "soon"\nreason = "x"': "events.toml:3: date: no session's date like",
    'symbol = "JD"\ndate = "2026-01-28"\nreason = " "': "events.toml:4: reason: one line of up to",
    'symbol = "JD"\ndate = "2026-01-28"': "events.toml:1: object missing required field `reason`",
    'symbol = "JD"\nratio = 2': "events.toml:3: ratio: unknown key",
}


@pytest.mark.parametrize("table", BAD_JUMPS)
def test_a_jump_that_says_nothing_is_a_mistake(
    table: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    words = fallen(tmp_path)
    Path("events.toml").write_text(f"[[jump]]\n{table}\n")
    assert main([*words, "--events", "events.toml"]) == 2
    said = capsys.readouterr().err
    assert said.startswith(f"trade: {BAD_JUMPS[table]}")
    assert said.count("\n") == 1


def test_a_bad_tick_in_a_file_leads_to_nothing_and_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    calm = minutes(JD, *walk(1, 120))
    path = written(tmp_path / "minute", calm)
    words = ["--data", "minute", "--param", "slow=5", "--out", "out"]
    assert backtest(*words) == 0
    before = json.loads((Path("out") / "summary.json").read_bytes())
    lines = path.read_text().splitlines()
    stamp, symbol, *_ = lines[60].split(",")
    lines[60] = f"{stamp},{symbol},8,8,8,8,100000"
    path.write_text("\n".join(lines))
    capsys.readouterr()
    assert backtest(*words) == 0
    said = capsys.readouterr().out
    assert "unfit, left out (1): JD 2026-01-26T15:28:00.000Z far from last: 8 to 8, after " in said
    summary = json.loads((Path("out") / "summary.json").read_bytes())
    assert len(summary["unfit"]) == 1
    assert summary["bars"] == before["bars"] - 1
    assert not [
        one for one in asked(Path("out") / DATABASE, "SELECT price FROM trades") if one[0] == 8
    ]
    lines[60] = f"{stamp},{symbol},8,7,8,8,100000"
    path.write_text("\n".join(lines))
    assert backtest(*words) == 2
    assert capsys.readouterr().err.startswith(f"trade: {path.relative_to(tmp_path)}:61: ")

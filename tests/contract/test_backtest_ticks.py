"""`trader backtest`, `sweep` and `lookahead` over trades and quotes, as a person types them."""

import csv
import gzip
import json
import sqlite3
from decimal import Decimal
from pathlib import Path
from random import Random

import pytest

from tests.program import MARKET_DATA
from trader.__main__ import main
from trader.calendar import iso, parse_iso, session_on
from trader.model import MINUTE_NS, SECOND_NS

DATABASE = "trading_data.db"
STRATEGY = ("--strategy", "sma-crossover", "--param", "fast=2", "--param", "slow=5")


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def walked(minutes: int = 120) -> None:
    """JD's trades and quotes, GS's quotes alone: a quote each ten seconds, a trade a second after it."""
    random, session = Random(5), session_on("2026-01-26")
    assert session is not None
    rows: dict[str, list[str]] = {"tick/JD": [], "quote/JD": [], "quote/GS": []}
    cents = {"JD": 4_000, "GS": 9_000}
    for step in range(minutes * 6):
        stamp = iso(session.open_ns + (step * 10 + 3) * SECOND_NS)
        for symbol in cents:
            cents[symbol] += random.choice((-3, -1, 0, 1, 3))
            bid, ask = cents[symbol], cents[symbol] + 2
            rows[f"quote/{symbol}"].append(f"{stamp},{bid / 100:.2f},300,{ask / 100:.2f},300")
        later = iso(session.open_ns + (step * 10 + 4) * SECOND_NS)
        rows["tick/JD"].append(f"{later},{(cents['JD'] + random.choice((0, 2))) / 100:.2f},50")
    for name, lines in rows.items():
        header = "t,bid,bid_size,ask,ask_size" if name[0] == "q" else "t,price,size"
        path = Path("data") / f"{name}.csv.gz"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(gzip.compress("\n".join([header, *lines, ""]).encode()))


def backtest(*arguments: str) -> int:
    return main(["backtest", "--data", "data", *STRATEGY, *arguments])


def summary(out: str = "out") -> dict[str, object]:
    told: dict[str, object] = json.loads((Path(out) / "summary.json").read_bytes())
    return told


def trades(out: str = "out") -> list[dict[str, str]]:
    with (Path(out) / "trades.csv").open() as file:
        return [*csv.DictReader(file)]


def test_a_folder_of_trades_and_quotes_is_gone_through_and_its_books_prove_themselves(
    capsys: pytest.CaptureFixture[str],
) -> None:
    walked()
    assert backtest("--out", "out") == 0
    said = capsys.readouterr().out
    assert "): buys trade at the ask, sales at the bid of the next quote, up to its size" in said
    assert "2 symbols, 240 bars by column, 2026-01-26" in said
    assumed = summary()["assumed"]
    assert isinstance(assumed, list)
    assert assumed[-2:] == [
        "bars of JD are 1m long, made of trades",
        "bars of GS are 1m long, made of the middles of bid and ask: no volume",
    ]
    rows = trades()
    assert {row["symbol"] for row in rows} == {"JD", "GS"}
    assert len(rows) > 10
    database = ["--database", f"out/{DATABASE}"]
    for verb in ("verify", "verify --decisions", "orders", "trades", "explain JD", "explain GS"):
        assert main([*verb.split(), *database]) == 0, verb


def test_every_fill_has_the_side_of_a_quote_of_its_moment() -> None:
    walked()
    assert backtest("--out", "out", "--latency", "2") == 0
    quotes: dict[tuple[str, str], dict[str, str]] = {}
    for symbol in ("JD", "GS"):
        text = gzip.decompress(Path(f"data/quote/{symbol}.csv.gz").read_bytes()).decode()
        for row in csv.DictReader(text.splitlines()):
            quotes[symbol, row["t"]] = row
    for row in trades():
        quote = quotes[row["symbol"], row["time"]]
        assert Decimal(row["price"]) == Decimal(quote["ask" if row["side"] == "BUY" else "bid"])


def test_the_same_request_has_the_same_rows_and_the_length_of_bars_is_anothers(
    capsys: pytest.CaptureFixture[str],
) -> None:
    walked(60)
    heads = []
    for out, more in (("a", ()), ("b", ("--bars", "1m")), ("c", ("--bars", "30s"))):
        assert backtest("--out", out, *more) == 0
        with sqlite3.connect(Path(out) / DATABASE) as reader:
            heads.append(reader.execute("SELECT hash FROM journal ORDER BY rowid DESC").fetchone())
    assert heads[0] == heads[1] != heads[2]
    assert summary("a")["identity"] == summary("b")["identity"] != summary("c")["identity"]
    capsys.readouterr()


def test_told_to_it_ignores_the_quotes_of_what_has_trades(
    capsys: pytest.CaptureFixture[str],
) -> None:
    walked(60)
    assert backtest("--symbols", "JD", "--fills", "open", "--out", "out") == 0
    assert "an order trades at the open of the next bar, 0.5 basis" in capsys.readouterr().out
    assert backtest("--fills", "open", "--out", "other") == 2
    assert capsys.readouterr().err == (
        "trade: --fills open: bars of GS are made of quotes, without a volume to trade with "
        "(--fills next-quote)\n"
    )


def test_a_bad_quote_is_left_out_and_named(capsys: pytest.CaptureFixture[str]) -> None:
    walked(60)
    path = Path("data/quote/JD.csv.gz")
    lines = gzip.decompress(path.read_bytes()).decode().splitlines()
    stamp, _, size, ask, _ = lines[100].split(",")
    lines[100] = f"{stamp},{Decimal(ask) + 1},{size},{ask},{size}"
    path.write_bytes(gzip.compress("\n".join([*lines, ""]).encode()))
    assert backtest("--out", "out") == 0
    assert f"unfit, left out (1): JD {stamp} quote crossed: bid " in capsys.readouterr().out
    unfit = summary()["unfit"]
    assert isinstance(unfit, list)
    assert len(unfit) == 1


WRONG: dict[tuple[str, ...], str] = {
    (
        "--bars",
        "7m",
    ): "trade: --bars 7m: not the length of a bar: seconds or minutes that divide half an hour (",
    ("--bars", "x"): "trade: --bars x: not the length of a bar: ",
    ("--symbols", "IBM"): "trade: data: there are no bars of IBM",
    ("--start", "2026-01-27"): "trade: data: there are no bars from 2026-01-27",
}


@pytest.mark.parametrize("given", WRONG, ids=" ".join)
def test_a_mistake_is_one_line(given: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    walked(3)
    assert backtest(*given) == 2
    said = capsys.readouterr()
    assert said.err.startswith(WRONG[given])
    assert said.err.count("\n") == 1
    assert said.out == ""


def test_what_is_of_files_alone_is_a_mistake_without_them(
    capsys: pytest.CaptureFixture[str],
) -> None:
    for given in (["--bars", "1m"], ["--fills", "next-quote"]):
        assert main(["backtest", "--symbols", "JD", "--sessions", "1", *STRATEGY, *given]) == 2
        said = capsys.readouterr().err
        assert said.endswith(": is for recorded trades and quotes (give --data)\n")


def test_quotes_that_are_not_there_are_a_mistake(capsys: pytest.CaptureFixture[str]) -> None:
    walked(3)
    for path in Path("data/quote").iterdir():
        path.unlink()
    assert backtest("--fills", "next-quote") == 2
    assert capsys.readouterr().err == (
        "trade: --fills next-quote: there are no quotes (--fills open)\n"
    )


def test_sweep_and_lookahead_go_over_them_too(capsys: pytest.CaptureFixture[str]) -> None:
    walked(60)
    swept = ["sweep", "--data", "data", *STRATEGY, "--bars", "1m", "--json"]
    assert main([*swept, "--grid", "fast=2,3", "--jobs", "2"]) == 0
    first = json.loads(capsys.readouterr().out)["trials"][0]
    assert backtest("--out", "out") == 0
    assert (first["params"], first["orders"]) == ({"fast": "2"}, summary()["orders"])
    capsys.readouterr()
    assert main(["lookahead", "sma-crossover", "--data", "data", *STRATEGY[2:], "--cuts", "6"]) == 0
    assert "none of them changes what was decided" in capsys.readouterr().out


# --- real files


@pytest.mark.skipif(
    not MARKET_DATA.is_dir(), reason="there is no ../shared/market-data beside the project"
)
def test_recorded_trades_and_quotes_are_traded_and_prove_themselves(
    capsys: pytest.CaptureFixture[str],
) -> None:
    real = ["--data", str(MARKET_DATA), "--bars", "1m", *STRATEGY, "--out", "out"]
    assert main(["backtest", *real]) == 0
    assert len(trades()) > 50
    asked: dict[tuple[str, str], dict[str, str]] = {}
    for symbol in {row["symbol"] for row in trades()}:
        text = gzip.decompress((MARKET_DATA / "quote" / f"{symbol}.csv.gz").read_bytes())
        for row in csv.DictReader(text.decode().splitlines()):
            asked[symbol, row["timestamp"]] = row
    for row in trades():
        # Known when its minute is over.
        stamp = iso(parse_iso(row["time"]) - MINUTE_NS)
        quote = asked[row["symbol"], stamp]
        assert Decimal(row["price"]) == Decimal(quote["ask" if row["side"] == "BUY" else "bid"])
    assert main(["verify", "--database", f"out/{DATABASE}"]) == 0
    capsys.readouterr()
    assert main(["lookahead", "sma-crossover", *real[:4], "--cuts", "3"]) == 0

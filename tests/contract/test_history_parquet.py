"""History in Parquet files, written and read by pyarrow, in an environment of its own."""

import subprocess
import sys
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from tests.official_clients import python_with
from tests.program import ROOT
from trader.calendar import iso
from trader.feeds.csv_rows import MarketDataError
from trader.feeds.history import Wanted, data_identity, read_all, read_history
from trader.model import Symbol

PYARROW = "pyarrow==26.0.1"
SPY = Symbol("SPY")
START = 1_381_152_600  # 2013-10-07T13:30:00Z
FIRST = datetime(2013, 10, 7, 13, 30, tzinfo=UTC)
Table = dict[str, list[object]]
Arrow = Any  # the module, which has no types


@pytest.fixture
def arrow(monkeypatch: pytest.MonkeyPatch) -> Arrow:
    """pyarrow of the other environment, in this process."""
    python = python_with(PYARROW, "import pyarrow.parquet")
    where = subprocess.run(
        [python, "-c", "import pyarrow; print(pyarrow.__path__[0])"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.strip()
    monkeypatch.setattr(sys, "path", [*sys.path, str(Path(where).parent)])
    import pyarrow.parquet

    return pyarrow


def bars(**changed: list[object]) -> Table:
    table: Table = {
        "timestamp": [START, START + 60, START + 120],
        "open": [14.0, 14.05, 14.1],
        "high": [14.1, 14.15, 14.2],
        "low": [13.9, 13.95, 14.0],
        "close": [14.05, 14.1, 14.00005],
        "volume": [1000, 0, 7],
    }
    return {**table, **changed}


def written(arrow: Arrow, path: Path, table: Table, **types: object) -> Path:
    columns = {name: arrow.array(cells, type=types.get(name)) for name, cells in table.items()}
    arrow.parquet.write_table(arrow.table(columns), path)
    return path


def texts(arrow: Arrow, path: Path) -> Path:
    """The same bars as CSV."""
    lines = ["timestamp,symbol,open,high,low,close,volume"]
    table = arrow.parquet.read_table(path).to_pydict()
    rows = zip(*(table[name] for name in bars()), strict=True)
    lines += [f"{stamp},SPY,{','.join(str(cell) for cell in rest)}" for stamp, *rest in rows]
    path = path.with_suffix(".csv")
    path.write_text("\n".join([*lines, ""]))
    return path


@pytest.mark.slow
def test_parquet_and_csv_with_the_same_numbers_are_the_same_history(
    arrow: Arrow,
    tmp_path: Path,
) -> None:
    path = written(arrow, tmp_path / "SPY.parquet", bars())
    history = read_history([path])
    assert data_identity(history) == data_identity(read_history([texts(arrow, path)]))
    assert history[SPY].close.tolist() == [140_500, 141_000, 140_000]


@pytest.mark.slow
def test_every_way_to_write_a_time_or_a_number_says_the_same(arrow: Arrow, tmp_path: Path) -> None:
    plain = data_identity(read_history([written(arrow, tmp_path / "SPY.parquet", bars())]))
    moments = [FIRST.replace(minute=30 + minute) for minute in range(3)]
    decimals = [Decimal("14.05"), Decimal("14.10"), Decimal("14.00005")]
    exact = arrow.decimal128(12, 5)
    ways: list[tuple[Table, dict[str, object]]] = [
        (bars(timestamp=[*moments]), {"timestamp": arrow.timestamp("ns", tz="UTC")}),
        (bars(timestamp=[*moments]), {"timestamp": arrow.timestamp("us", tz="America/New_York")}),
        (bars(timestamp=[*moments]), {"timestamp": arrow.timestamp("s", tz="UTC")}),
        (bars(timestamp=[f"{one:%Y-%m-%dT%H:%M:%S}Z" for one in moments]), {}),
        (bars(timestamp=[(START + 60 * one) * 1_000 for one in range(3)]), {}),
        (bars(volume=[1000.0, 0.0, 7.0]), {}),
        (bars(close=[*decimals], volume=[Decimal(1000), Decimal(0), Decimal(7)]), {"close": exact}),
        (bars(symbol=["SPY"] * 3), {}),
        (bars(symbol=["SPY"] * 3), {"symbol": arrow.dictionary(arrow.int8(), arrow.string())}),
    ]
    for table, types in ways:
        path = written(arrow, tmp_path / "SPY.parquet", table, **types)
        assert data_identity(read_history([path])) == plain, (table, types)


@pytest.mark.slow
def test_dates_and_midnights_without_a_zone_are_sessions(arrow: Arrow, tmp_path: Path) -> None:
    days = [datetime(2013, 7, day) for day in (2, 3, 5)]  # noqa: DTZ001  # without a zone
    for kind in (arrow.date32(), arrow.date64(), arrow.timestamp("ns")):
        path = written(arrow, tmp_path / "SPY.parquet", bars(timestamp=[*days]), timestamp=kind)
        columns = read_history([path])[SPY]
        assert iso(int(columns.start_ns[1])) == "2013-07-03T13:30:00.000Z"
        assert iso(int(columns.ends_ns[1])) == "2013-07-03T17:00:00.000Z"


@pytest.mark.slow
def test_several_symbols_and_several_row_groups_are_put_together(
    arrow: Arrow, tmp_path: Path
) -> None:
    count = 1_000
    names = ["SPY", "IBM", "BAC"]
    columns = {
        "symbol": names * count,
        "t": [START + 60 * place for place in range(count) for _ in names],
        **{letter: [14.25] * 3 * count for letter in "ohlc"},
        "v": [5] * 3 * count,
    }
    arrow.parquet.write_table(arrow.table(columns), tmp_path / "all.parquet", row_group_size=700)
    history = read_history([tmp_path])
    assert {symbol: len(one) for symbol, one in history.items()} == dict.fromkeys(
        sorted(names), count
    )
    assert history[SPY].start_ns.tolist() == [
        (START + 60 * place) * 10**9 for place in range(count)
    ]


BAD: dict[str, tuple[Table, str]] = {
    "a missing column": ({"timestamp": [1]}, ": the column 'open' is missing"),
    "NaN": (bars(low=[13.9, float("nan"), 14.0]), ":2: not a price above zero: nan"),
    "nothing": (bars(low=[13.9, None, 14.0]), ":2: there is no price"),
    "no time": (bars(timestamp=[START, START + 60, None]), ":3: there is no time"),
    "endless": (bars(high=[14.1, 14.1, float("inf")]), ":3: not a price above zero: inf"),
    "a negative price": (bars(low=[-1.0, 13.9, 14.0]), ":1: not a price above zero: -1.0"),
    "text": (bars(low=["x", "13.9", "14"]), ":1: not a price: 'x'"),
    "half a share": (bars(volume=[1000.0, 0.5, 1.0]), ":2: not a whole number of shares: 0.5"),
    "half a share, exactly": (
        bars(volume=[Decimal("0.5")] * 3),
        ":1: not a whole number of shares",
    ),
    "less than nothing": (bars(volume=[1, -1, 1]), ":2: not a whole number of shares: -1"),
    "high below low": (bars(high=[14.1, 13.0, 14.2]), ":2: high 13 is below low 13.95"),
    "unsorted": (bars(timestamp=[START, START + 120, START + 60]), ":3: not in order of time"),
    "twice": (bars(timestamp=[START, START, START + 60]), ":2: a second bar of SPY"),
    "no zone": (
        bars(timestamp=[FIRST.replace(tzinfo=None, minute=one) for one in range(3)]),
        ":1: a time without a zone: '2013-10-07T13:00:00' (write 2013-10-07T13:00:00-04:00",
    ),
    "a holiday": (
        bars(timestamp=[date(2013, 12, 23), date(2013, 12, 24), date(2013, 12, 25)]),
        ":3: the exchange had no session on 2013-12-25",
    ),
    "not a symbol": (bars(symbol=["SPY", "spy", "SPY"]), ":2: not a symbol: 'spy'"),
    "other units": (
        bars(timestamp=[START, START + 60, START * 1_000]),
        ":3: not a number of seconds",
    ),
    "no rows": ({name: [] for name in bars()}, ": there are columns and no rows"),
}


@pytest.mark.slow
@pytest.mark.parametrize("case", BAD)
def test_a_bad_parquet_file_is_one_line(case: str, arrow: Arrow, tmp_path: Path) -> None:
    table, words = BAD[case]
    path = written(arrow, tmp_path / "SPY.parquet", table)
    with pytest.raises(MarketDataError) as raised:
        read_history([path])
    assert str(raised.value).startswith(f"{path}{words}")
    assert "\n" not in str(raised.value)


@pytest.mark.slow
@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 0.99])
def test_a_parquet_file_that_was_cut_is_one_line(
    share: float, arrow: Arrow, tmp_path: Path
) -> None:
    path = written(arrow, tmp_path / "SPY.parquet", bars())
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * share)])
    with pytest.raises(MarketDataError) as raised:
        read_history([path])
    assert str(raised.value).startswith(f"{path}: not a whole Parquet file: ")
    assert "\n" not in str(raised.value)


def test_without_pyarrow_one_line_says_what_to_install(tmp_path: Path) -> None:
    (tmp_path / "SPY.parquet").write_bytes(b"PAR1")
    program = (
        "import sys; sys.modules['pyarrow'] = None\n"
        "from pathlib import Path; from trader.exits import Mistake\n"
        "from trader.feeds.history import read_history\n"
        "try: read_history([Path(sys.argv[1])])\n"
        "except Mistake as mistake: print(mistake)"
    )
    told = subprocess.run(
        [sys.executable, "-P", "-c", program, tmp_path],
        env={"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert told.startswith("--data: Parquet needs pyarrow, which is not installed (")
    assert told.endswith(" pyarrow)\n")
    assert told.count("\n") == 1


# --- trades and quotes


def ticks(**columns: list[object]) -> Table:
    return {"timestamp": [START * 1_000 + 500, START * 1_000 + 900], **columns}


@pytest.mark.slow
def test_trades_and_quotes_are_those_of_a_text_with_the_same_numbers(
    arrow: Arrow, tmp_path: Path
) -> None:
    nan = float("nan")
    sides = ticks(bid=[14.0, nan], bid_size=[100.0, nan], ask=[14.01, 14.02], ask_size=[300, 5])
    lines = ("bid,bid_size,ask,ask_size", "14,100,14.01,300", ",,14.02,5")
    prints = ticks(price=[14.0, 14.05], size=[100, 7], suspicious=[0, 1])
    others = ("price,size,suspicious", "14,100,0", "14.05,7,1")
    exact = {"ask": arrow.decimal128(9, 4), "bid": arrow.float32()}
    decimals: Table = {**sides, "ask": [Decimal("14.01"), Decimal("14.02")], "bid": [14.0, None]}
    ways: list[tuple[Table, tuple[str, ...], dict[str, object]]] = [
        (sides, lines, {}),
        (decimals, lines, exact),
        (prints, others, {}),
    ]
    for table, text, types in ways:
        path = written(arrow, tmp_path / "SPY.parquet", table, **types)
        plain = tmp_path / "SPY.csv"
        stamps = ("timestamp", "2013-10-07T13:30:00.5Z", "2013-10-07T13:30:00.9Z")
        plain.write_text("".join(f"{a},{b}\n" for a, b in zip(stamps, text, strict=True)))
        ours, theirs = (read_all([one], Wanted(quotes=True)) for one in (path, plain))
        assert data_identity(ours.bars, ours.quotes) == data_identity(theirs.bars, theirs.quotes)
        assert ours.told == theirs.told
        assert len(ours.bars[SPY]) == 1


BAD_TICKS: dict[str, tuple[Table, str]] = {
    "a price that is none": (
        ticks(price=[14.0, float("nan")], size=[1, 1]),
        ":2: not a price above zero: nan",
    ),
    "a price of nothing": (
        ticks(price=[Decimal("14.0"), Decimal("0.0")], size=[1, 1]),
        ":2: not a price above zero: 0",
    ),
    "a negative bid": (
        ticks(bid=[14.0, -1.0], bid_size=[1, 1], ask=[15.0, 15.0], ask_size=[1, 1]),
        ":2: not a price: -1.0",
    ),
    "a part of a share": (
        ticks(price=[14.0, 14.0], size=[1.0, 0.5]),
        ":2: not a whole number of shares: 0.5",
    ),
    "dates": (
        {"date": [date(2013, 10, 7), date(2013, 10, 8)], "price": [14.0, 14.0], "size": [1, 1]},
        ":1: a date, where the moment of a trade is wanted (write a time with a zone)",
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize("case", BAD_TICKS)
def test_bad_trades_and_quotes_are_one_line(case: str, arrow: Arrow, tmp_path: Path) -> None:
    table, words = BAD_TICKS[case]
    path = written(arrow, tmp_path / "SPY.parquet", table)
    with pytest.raises(MarketDataError) as raised:
        read_all([path], Wanted(quotes=True))
    assert str(raised.value) == f"{path}{words}"

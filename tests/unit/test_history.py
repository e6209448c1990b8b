import gzip
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from tests.program import MARKET_DATA
from trader.calendar import iso, parse_iso, session_on
from trader.exits import Mistake
from trader.feeds.columns import Columns
from trader.feeds.csv_rows import CsvFile, MarketDataError
from trader.feeds.history import data_identity, read_history
from trader.feeds.lines import BLOCK_BYTES, BY_HAND_BYTES_MAX
from trader.feeds.parquet_columns import ticks_of_floats
from trader.feeds.recorded import RecordedMarket
from trader.model import MINUTE_NS, SECOND_NS, Symbol
from trader.money import price_of, ticks_of

BAC, IBM, SPY = Symbol("BAC"), Symbol("IBM"), Symbol("SPY")
QUOTES_OF_BAC = (
    "timestamp,symbol,bid,bid_size,ask,ask_size",
    "2013-10-07T13:30:00Z,BAC,13.9,100,13.91,100",
)
HEADER = "timestamp,symbol,open,high,low,close,volume"
PRICES = "14,14.1,13.9,14.05,1000"


def written(path: Path, *lines: str) -> Path:
    path.parent.mkdir(exist_ok=True)
    data = "".join(f"{line}\n" for line in lines).encode()
    path.write_bytes(gzip.compress(data) if path.suffix == ".gz" else data)
    return path


def row(time: str, symbol: str = "BAC", prices: str = PRICES, date: str = "2013-10-07") -> str:
    return f"{date}T{time}Z,{symbol},{prices}"


def minutes(count: int, symbol: str = "BAC", date: str = "2013-10-07") -> list[str]:
    return [row(f"{13 + one // 60}:{one % 60:02}:00", symbol, date=date) for one in range(count)]


def hours_of(columns: Columns) -> list[tuple[str, str]]:
    pairs = zip(columns.start_ns, columns.ends_ns, strict=True)
    return [(iso(int(start))[:19], iso(int(end))[:19]) for start, end in pairs]


def wrong(path: Path, *more: Path) -> str:
    """The one line that reading it ends with, from its place in the file on."""
    with pytest.raises(MarketDataError) as raised:
        read_history([path, *more])
    text = str(raised.value)
    assert "\n" not in text
    return text.replace(f"{raised.value.file.parent}/", "")


# --- what files say


def test_a_bar_is_read_as_it_stands(tmp_path: Path) -> None:
    path = written(tmp_path / "x.csv", HEADER, row("13:30:00"), row("13:31:00"))
    history = read_history([path])
    assert [*history] == [BAC]
    bar = history[BAC].bar(0)
    assert (bar.symbol, bar.start_ns, bar.span_ns) == (
        "BAC",
        parse_iso("2013-10-07T13:30:00Z"),
        MINUTE_NS,
    )
    assert (bar.open, bar.high, bar.low, bar.close, bar.volume) == (
        140_000,
        141_000,
        139_000,
        140_500,
        1000,
    )


SPELLED = {
    "capitals and a date": ("Date,Open,High,Low,Close,Adj Close,Volume", "2013-10-07", ",9"),
    "letters": ("t,o,h,l,c,v", "2013-10-07T09:30:00-04:00", ""),
    "a blank for the T": ("datetime,open,high,low,close,vol", "2013-10-07 13:30:00+00:00", ""),
    "decimals of seconds": ("time,open,high,low,close,volume", "2013-10-07T13:30:00.000Z", ""),
    "seconds": ("timestamp,open,high,low,close,volume", "1381152600", ""),
    "milliseconds": ("timestamp,open,high,low,close,volume", "1381152600000", ""),
    "microseconds": ("timestamp,open,high,low,close,volume", "1381152600000000", ""),
    "nanoseconds": ("timestamp,open,high,low,close,volume", "1381152600000000000", ""),
    "blanks in the header": (" Timestamp , Open,High,Low,Close, Volume ", "1381152600", ""),
    "other columns": ("date,timestamp,open,high,low,close,volume", "monday,1381152600", ""),
}


@pytest.mark.parametrize("quotes", ["", '"'], ids=["plain", "quoted"])
@pytest.mark.parametrize("ending", ["\n", "\r\n"], ids=["LF", "CR LF"])
@pytest.mark.parametrize("case", SPELLED)
def test_common_spellings_mean_the_same_bar(
    case: str, ending: str, quotes: str, tmp_path: Path
) -> None:
    header, stamp, adjusted = SPELLED[case]
    cells = [*f"{stamp},14,14.1,13.9,14.05{adjusted},1000.0".split(",")]
    lines = [header, ",".join(f"{quotes}{cell}{quotes}" for cell in cells)]
    path = tmp_path / "SPY.csv.gz"
    path.write_bytes(gzip.compress("".join(f"{line}{ending}" for line in lines).encode()))
    bar = read_history([path])[SPY].bar(0)
    assert iso(bar.start_ns) == "2013-10-07T13:30:00.000Z"
    assert (bar.open, bar.high, bar.low, bar.close, bar.volume) == (
        140_000,
        141_000,
        139_000,
        140_500,
        1000,
    )


def test_several_symbols_in_one_file_are_told_apart_however_they_are_mixed(tmp_path: Path) -> None:
    rows = [one for pair in zip(minutes(5), minutes(5, "IBM"), strict=True) for one in pair]
    mixed = read_history([written(tmp_path / "m.csv", HEADER, *rows)])
    one_by_one = read_history([written(tmp_path / "o.csv", HEADER, *sorted(rows, key=symbol_of))])
    assert [*mixed] == [BAC, IBM]
    assert data_identity(mixed) == data_identity(one_by_one)
    assert len(mixed[IBM]) == 5


def symbol_of(line: str) -> str:
    return line.split(",")[1]


def test_a_block_is_read_alike_wherever_it_ends(tmp_path: Path) -> None:
    times = np.arange(80_000) * 60 + 1_381_152_600
    lines = [f"{time},{14 + time % 7}.5,22,14,{14 + time % 5}.25,1" for time in times]
    path = written(tmp_path / "SPY.csv", "time,open,high,low,close,volume", *lines)
    assert path.stat().st_size > 2 * BLOCK_BYTES
    columns = read_history([path])[SPY]
    assert (columns.start_ns == times * SECOND_NS).all()
    assert (columns.open == (14 + times % 7) * 10_000 + 5_000).all()
    lines[50_000] = "x" + lines[50_000][1:]
    assert wrong(written(path, "time,open,high,low,close,volume", *lines)).startswith(
        "SPY.csv:50002: "
    )


@st.composite
def tables(draw: st.DrawFn) -> list[str]:
    """Rows of one file, their times and prices written in any one way that there is."""
    decimals = draw(st.integers(0, 9))
    zone = draw(st.sampled_from(["Z", "+00:00", "-04:00", "+05:30"]))
    fraction = draw(st.sampled_from(["", ".0", ".000", ".000000000"]))
    first_ns = parse_iso("1998-12-30T23:50:00Z")
    gaps = draw(st.lists(st.integers(1, 10**6), min_size=1, max_size=8))
    lines = []
    for gap in gaps:
        first_ns += gap * MINUTE_NS
        prices = sorted(
            Decimal(draw(st.integers(10 ** (decimals + 1), 10 ** (decimals + 4)))) / 10**decimals
            for _ in range(4)
        )
        low, opened, close, high = (f"{price:.{decimals}f}" for price in prices)
        text = f"{iso(first_ns)[:19]}{fraction}{zone}"
        lines.append(f"{text},BAC,{opened},{high},{low},{close},{draw(st.integers(0, 10**9))}")
    return lines


@settings(max_examples=60, deadline=None)
@given(lines=tables())
def test_reading_by_the_column_and_by_the_row_and_the_recorded_market_say_the_same(
    lines: list[str], tmp_path_factory: pytest.TempPathFactory
) -> None:
    # Where all times are midnights they are days to the one, and minutes to the other.
    assume(any("T00:00:00" not in line for line in lines))
    folder = tmp_path_factory.mktemp("tables")
    plain = written(folder / "plain.csv", HEADER, *lines)
    # A comma in quotes is nothing that whole columns are read with.
    odd = written(folder / "odd.csv", f"{HEADER},x", *(f'{line},"a,b"' for line in lines))
    (columns,), (careful,) = read_history([plain]).values(), read_history([odd]).values()
    assert data_identity({BAC: columns}) == data_identity({BAC: careful})
    ours = zip(
        *(columns.start_ns, columns.open, columns.high, columns.low, columns.close),
        columns.volume,
        strict=True,
    )
    assert [tuple(map(int, bar)) for bar in ours] == list(CsvFile(plain).bars())


@pytest.mark.parametrize(
    ("text", "ticks"),
    [
        ("14.00005", 140_000),
        ("14.00015", 140_002),
        ("14.000050000001", 140_001),
        ("14.000249999999999", 140_002),
        ("9999999.99995", 100_000_000_000),
        ("1.00004999999999999999", 10_000),
    ],
)
def test_prices_between_two_ticks_become_the_nearer_one_and_of_equals_the_even_one(
    text: str, ticks: int, tmp_path: Path
) -> None:
    path = written(
        tmp_path / "x.csv", HEADER, row("13:30:00", prices=f"{text},{text},{text},{text},1")
    )
    assert read_history([path])[BAC].bar(0).close == ticks == ticks_of(Decimal(text))


@given(st.decimals("0.0001", "500000", places=9))
def test_a_float_becomes_the_price_ticks_of_its_shortest_text(price: Decimal) -> None:
    number = float(price)
    assert ticks_of_floats(np.array([number])).tolist() == [ticks_of(Decimal(str(number)))]
    narrow = np.float32(number)
    assert ticks_of_floats(np.array([narrow])).tolist() == [ticks_of(Decimal(str(narrow)))]


@given(st.integers(0, 10**7))
def test_a_float_in_the_middle_of_two_ticks_becomes_the_even_one(ticks: int) -> None:
    number = float(Decimal(f"{ticks}.5") / 10_000)
    assert ticks_of_floats(np.array([number])).tolist() == [ticks + ticks % 2]


# --- how long bars last


SPANS: dict[str, tuple[Sequence[str], str, int]] = {
    "consecutive minutes": (["13:30", "13:31", "13:32", "13:40"], "x", 60),
    "two bars": (["13:30", "13:40"], "x", 60),
    "five minutes": (["13:30", "13:35", "13:40", "13:50", "14:00"], "x", 300),
    "hours that begin with the session": (["13:30", "14:30", "15:30", "16:30"], "x", 3600),
    "seldom traded, by what their gaps are multiples of": (
        ["13:30", "13:37", "13:51", "14:53"],
        "x",
        60,
    ),
    "seconds": (["13:30:07", "13:30:09", "13:31:00"], "x", 1),
    "a folder says so": (["13:30", "13:35", "13:40", "13:50", "14:00"], "minute", 60),
    "a folder of seconds": (["13:30", "13:31", "13:32", "13:33"], "second", 1),
}


@pytest.mark.parametrize("case", SPANS)
def test_how_long_a_bar_lasts(case: str, tmp_path: Path) -> None:
    times, folder, seconds = SPANS[case]
    rows = [row(f"{time}:00"[:8]) for time in times]
    columns = read_history([written(tmp_path / folder / "x.csv", HEADER, *rows)])[BAC]
    assert columns.bar(0).span_ns == seconds * SECOND_NS
    assert (columns.ends_ns[:-1] <= columns.start_ns[1:]).all()


def test_a_first_bar_that_is_shorter_than_the_others_ends_where_the_next_begins(
    tmp_path: Path,
) -> None:
    rows = [row(f"{time}:00") for time in ("13:30", "14:00", "15:00", "16:00", "17:00")]
    columns = read_history([written(tmp_path / "x.csv", HEADER, *rows)])[BAC]
    assert hours_of(columns)[:2] == [
        ("2013-10-07T13:30:00", "2013-10-07T14:00:00"),
        ("2013-10-07T14:00:00", "2013-10-07T15:00:00"),
    ]


DAILY = {
    "dates": ["2013-07-03", "2013-07-05"],
    "midnights of New York": ["2013-07-03T04:00:00Z", "2013-07-05T00:00:00-04:00"],
    "midnights of UTC": ["2013-07-03T00:00:00Z", "2013-07-05T00:00:00Z"],
}


@pytest.mark.parametrize("case", DAILY)
def test_a_bar_of_a_day_begins_and_ends_with_its_session(case: str, tmp_path: Path) -> None:
    rows = [f"{stamp},BAC,{PRICES}" for stamp in DAILY[case]]
    columns = read_history([written(tmp_path / "x.csv", HEADER, *rows)])[BAC]
    assert hours_of(columns) == [
        ("2013-07-03T13:30:00", "2013-07-03T17:00:00"),
        ("2013-07-05T13:30:00", "2013-07-05T20:00:00"),
    ]


def test_a_market_that_never_closes_has_bars_at_any_hour_and_days_without_a_session(
    tmp_path: Path,
) -> None:
    sunday = "2013-10-06"
    path = written(tmp_path / "x.csv", HEADER, *minutes(3, date=sunday))
    assert len(read_history([path])[BAC]) == 3
    days = [f"2013-10-0{day}T00:00:00Z,BAC,{PRICES}" for day in range(4, 9)]
    columns = read_history([written(path, HEADER, *days)])[BAC]
    assert hours_of(columns)[2] == ("2013-10-06T00:00:00", "2013-10-07T00:00:00")


# --- which files, which part of them


def test_a_folder_gives_its_files_or_those_of_its_minutes(tmp_path: Path) -> None:
    written(tmp_path / "daily" / "BAC.csv", HEADER, f"2013-10-07,BAC,{PRICES}")
    written(tmp_path / "minute" / "BAC.csv", HEADER, *minutes(3))
    written(tmp_path / "minute" / "quotes.csv", *QUOTES_OF_BAC)
    (tmp_path / "minute" / "notes.txt").write_text("not ours")
    assert len(read_history([tmp_path])[BAC]) == 3
    assert len(read_history([tmp_path / "daily"])[BAC]) == 1
    written(tmp_path / "IBM.csv.gz", HEADER, *minutes(2, "IBM"))
    assert [*read_history([tmp_path])] == [IBM]


def test_files_of_one_symbol_follow_each_other_in_whatever_order_they_are_named(
    tmp_path: Path,
) -> None:
    late = written(tmp_path / "a.csv", HEADER, *minutes(3, date="2013-10-08"))
    early = written(tmp_path / "b.csv", HEADER, *minutes(3, date="2013-10-07"))
    both = written(tmp_path / "c.csv", HEADER, *minutes(3), *minutes(3, date="2013-10-08"))
    assert data_identity(read_history([late, early])) == data_identity(read_history([both]))


def test_only_the_symbols_asked_for_are_taken(tmp_path: Path) -> None:
    written(tmp_path / "all.csv", HEADER, *minutes(3), *minutes(3, "IBM"))
    # Named after its symbol, a file that nobody asked for isn't read past its first block.
    written(tmp_path / "SPY.csv", HEADER, *minutes(3, "SPY"))
    assert [*read_history([tmp_path])] == [BAC, IBM, SPY]
    assert [*read_history([tmp_path], [IBM])] == [IBM]
    assert [*read_history([tmp_path], [SPY, IBM])] == [IBM, SPY]
    with pytest.raises(MarketDataError, match=r"there are no bars of JD$"):
        read_history([tmp_path], [IBM, Symbol("JD")])


def test_start_and_end_are_dates_of_new_york_and_both_belong_to_it(tmp_path: Path) -> None:
    stamps = ["2013-10-07T03:59", "2013-10-07T04:00", "2013-10-09T03:59", "2013-10-09T04:00"]
    path = written(tmp_path / "x.csv", HEADER, *(f"{one}:00Z,BAC,{PRICES}" for one in stamps))
    columns = read_history([path], start="2013-10-07", end="2013-10-08")[BAC]
    assert [start[:16] for start, _ in hours_of(columns)] == stamps[1:3]
    assert len(read_history([path], start="2013-10-07")[BAC]) == 3
    assert len(read_history([path], end="2013-10-06")[BAC]) == 1
    with pytest.raises(MarketDataError, match=r"no bars of BAC from 2014-01-02$"):
        read_history([path], [BAC], start="2014-01-02")
    with pytest.raises(MarketDataError, match=r"no bars from 2013-10-10 until 2013-10-11$"):
        read_history([path], start="2013-10-10", end="2013-10-11")
    with pytest.raises(Mistake, match="--end 2013-10-01: before --start 2013-10-02"):
        read_history([path], start="2013-10-02", end="2013-10-01")
    with pytest.raises(Mistake, match="--start yesterday: not a date like"):
        read_history([path], start="yesterday")


def test_the_identity_is_of_the_numbers_and_of_nothing_else(tmp_path: Path) -> None:
    plain = written(tmp_path / "a.csv", HEADER, *minutes(3))
    zipped = written(
        tmp_path / "b.csv.gz", HEADER, *(one.replace("14.1,", "14.10,") for one in minutes(3))
    )
    other = written(
        tmp_path / "c.csv", HEADER, *(one.replace("1000", "1001") for one in minutes(3))
    )
    named = written(tmp_path / "d.csv", HEADER, *minutes(3, "IBM"))
    same, again, volume, symbol = (
        data_identity(read_history([path])) for path in (plain, zipped, other, named)
    )
    assert len({same, volume, symbol}) == 3
    assert same == again
    assert len(same) == 64


# --- what is wrong with files


def bad(*rows: str, header: str = HEADER) -> bytes:
    return "".join(f"{line}\n" for line in (header, *rows)).encode()


def priced(prices: str) -> bytes:
    return bad(row("13:30:00"), row("13:31:00", prices=prices), row("13:32:00"))


def stamped(first: str, second: str) -> bytes:
    return bad(f"{first},BAC,{PRICES}", f"{second},BAC,{PRICES}")


GOOD = row("13:30:00")
BAD: dict[str, tuple[bytes, str]] = {
    "empty": (b"", "x.csv: the file is empty"),
    "blank": (b"\n\n", "x.csv: the file is empty"),
    "header only": (bad(), "x.csv:1: there is a header and nothing else"),
    "a missing column": (
        bad(GOOD, header="timestamp,symbol,open,high,low,close"),
        "x.csv:1: the column 'volume' is missing; it has 'timestamp,symbol,open,high,low,close'",
    ),
    "adjusted closes alone": (
        bad(GOOD, header="date,symbol,open,high,low,adj close,volume"),
        "x.csv:1: the column 'close' is missing ('adj close' is not taken for it); it has",
    ),
    "a column twice": (
        bad(GOOD, header="timestamp,symbol,open,open,low,close,volume"),
        "x.csv:1: the column 'open' is there twice: 'open' and 'open'; it has",
    ),
    "two columns of one meaning": (
        bad(GOOD, header="date,time,o,h,l,c,v"),
        "x.csv:1: the column 'timestamp' is there twice: 'date' and 'time'; it has",
    ),
    "no symbol anywhere": (
        bad(GOOD, header="timestamp,x,open,high,low,close,volume"),
        "x.csv:1: there is no column 'symbol', and the file is not named after one, as SPY.csv is",
    ),
    "quotes without sizes": (
        bad("x", header="timestamp,symbol,bid,ask"),
        "x.csv:1: the column 'bid_size' is missing; it has 'timestamp,symbol,bid,ask'",
    ),
    "not a symbol": (bad(row("13:30:00", "b a")), "x.csv:2: not a symbol: 'b a'"),
    "no zone": (
        stamped("2013-10-07 09:30:00", "2013-10-07 09:31:00"),
        "x.csv:2: a time without a zone: '2013-10-07 09:30:00' (write 2013-10-07T09:30:00-04:00"
        " where it is New York's, 2013-10-07T09:30:00Z where it is UTC)",
    ),
    "no zone in winter": (
        stamped("2013-12-02 09:30", "2013-12-02 09:31"),
        "x.csv:2: a time without a zone: '2013-12-02 09:30' (write 2013-12-02T09:30:00-05:00",
    ),
    "mixed zones": (
        stamped("2013-10-07T13:30:00Z", "2013-10-07T13:31:00"),
        "x.csv:3: a time without a zone: '2013-10-07T13:31:00' (write",
    ),
    "a date among times": (
        stamped("2013-10-07T13:30:00Z", "2013-10-08"),
        "x.csv:3: not a time with a zone like those before: '2013-10-08'",
    ),
    "a time among dates": (
        stamped("2013-10-07", "2013-10-08T13:31:00Z"),
        "x.csv:3: not a date like those before: '2013-10-08T13:31:00Z'",
    ),
    "milliseconds among seconds": (
        stamped("1381152600", "1381152660000"),
        "x.csv:3: not a number of seconds like those before: '1381152660000'",
    ),
    "a number that is no time": (
        stamped("13811526001", "13811526002"),
        "x.csv:2: not a number of seconds since 1970, nor of ms, µs or ns: 13811526001",
    ),
    "no such day": (stamped("2013-02-30", "2013-03-01"), "x.csv:2: "),
    "no such hour": (
        stamped("2013-10-07T13:30:00Z", "2013-10-07T24:30:00Z"),
        "x.csv:3: no such time of day: '2013-10-07T24:30:00Z'",
    ),
    "a holiday": (
        stamped("2013-12-24", "2013-12-25"),
        "x.csv:3: the exchange had no session on 2013-12-25",
    ),
    "before the calendar": (
        stamped("1990-01-02", "1990-01-03"),
        "x.csv:2: the calendar covers 1998 to",
    ),
    "unsorted": (
        bad(row("13:31:00"), row("13:30:00"), row("13:32:00")),
        "x.csv:3: not in order of time: this bar of BAC begins before the one before, in line 2",
    ),
    "a bar twice": (
        bad(row("13:30:00"), row("13:30:00", "IBM"), row("13:30:00")),
        "x.csv:4: a second bar of BAC at the time of the one before, in line 2",
    ),
    "NaN": (priced("NaN,14.1,13.9,14,10"), "x.csv:3: not a price above zero: 'NaN'"),
    "an empty price": (priced("14,14.1,13.9,,10"), "x.csv:3: not a price above zero: ''"),
    "a negative price": (priced("14,14.1,-13.9,14,1"), "x.csv:3: not a price above zero: '-13.9'"),
    "a price of zero": (priced("14,14.1,0.00,14,1"), "x.csv:3: not a price above zero: '0.00'"),
    "less than a tick": (priced("1,1,0.00001,1,1"), "x.csv:3: not a price above zero: '0.00001'"),
    "an exponent": (priced("1.4e1,14.1,13.9,14,1"), "x.csv:3: not a price above zero: '1.4e1'"),
    "too large": (priced("14,12345678,13.9,14,1"), "x.csv:3: not a price above zero: '12345678'"),
    "text for a number": (priced("14,high,13.9,14,1"), "x.csv:3: not a price above zero: 'high'"),
    "no digit": (priced("14,.5,13.9,14,1"), "x.csv:3: not a price above zero: '.5'"),
    "nothing behind the point": (
        priced("14.,15,13,14,1"),
        "x.csv:3: not a price above zero: '14.'",
    ),
    "two points": (priced("14.0.1,15,13,14,1"), "x.csv:3: not a price above zero: '14.0.1'"),
    "high below low": (priced("14,13.9,14.1,14,1"), "x.csv:3: high 13.9 is below low 14.1"),
    "an open outside": (
        priced("15,14.1,13.9,14,1"),
        "x.csv:3: open 15 or close 14 is outside low 13.9 to high 14.1",
    ),
    "a close outside": (priced("14,14.1,13.9,13,1"), "x.csv:3: open 14 or close 13 is outside low"),
    "half a share": (priced("14,14.1,13.9,14,1.5"), "x.csv:3: not a whole number of shares: '1.5'"),
    "no volume": (priced("14,14.1,13.9,14,"), "x.csv:3: not a whole number of shares: ''"),
    "less than nothing": (
        priced("14,14.1,13.9,14,-1"),
        "x.csv:3: not a whole number of shares: '-1'",
    ),
    "a cell too few": (priced("14,14.1,13.9,14"), "x.csv:3: 6 cells where the header has 7"),
    "a cell too many": (priced("14,14.1,13.9,14,1,1"), "x.csv:3: 8 cells where the header has 7"),
    "one too many for one too few": (
        bad(row("13:30:00", prices=f"{PRICES},1"), row("13:31:00", prices="14,14.1,13.9,14.05")),
        "x.csv:2: 8 cells where the header has 7",
    ),
    "a quote that isn't closed": (priced('14,14.1,13.9,14,"1'), "x.csv:3: not a CSV file: "),
    "a quote that is closed in another line": (
        bad(row("13:30:00", prices='14,15,13,14,"1'), '"2013-10-07T13:31:00Z",BAC,14,15,13,14,1"'),
        "x.csv:2: not a CSV file: ",
    ),
    "a quote in the middle of a cell in quotes": (
        priced('14,14.1,13.9,"1"4,1'),
        "x.csv:3: not a CSV file: ",
    ),
    "a quote within a cell": (
        priced('14,14.1,13.9,1"4,1'),
        "x.csv:3: not a price above zero: '1\"4'",
    ),
    "not UTF-8": (
        bad(row("13:30:00"), "\xfc").replace("ü".encode(), b"\xfc"),
        "x.csv:3: not a text in",
    ),
    "UTF-16": (bad(GOOD).decode().encode("utf-16"), "x.csv:1: not a text in UTF-8"),
    "zeros of a disk that was full": (bad(GOOD) + b"\0" * 64, "x.csv:3: not a text in UTF-8"),
    "a line without an end": (
        bad(GOOD) + b"9" * 2**21,
        "x.csv:3: a line that is too long for a CSV",
    ),
    "gaps and blank lines, then a defect": (
        bad(GOOD, "", "", row("15:00:00", prices="14,14,14,14,x")),
        "x.csv:5: not a whole number of shares: 'x'",
    ),
}


@pytest.mark.parametrize("case", BAD)
def test_a_bad_file_is_one_line_that_names_the_place(case: str, tmp_path: Path) -> None:
    data, words = BAD[case]
    path = tmp_path / "x.csv"
    path.write_bytes(data)
    assert wrong(path).startswith(words)


def long_file() -> bytes:
    return bad(*minutes(1_400))


@pytest.mark.parametrize("share", [0.3, 0.5, 0.9])
def test_a_long_file_that_was_cut_is_told_by_its_last_line(share: float, tmp_path: Path) -> None:
    data = long_file()
    cut = data[: int(len(data) * share)].rstrip(b"\n")
    assert len(data) > BY_HAND_BYTES_MAX
    path = tmp_path / "x.csv"
    long = cut + b"\n" + data.partition(b"\n")[2][: BY_HAND_BYTES_MAX + 5]
    for one in (data[:-1], data[:-3], long):
        path.write_bytes(one)
        line = one.count(b"\n") + 1
        assert (
            wrong(path)
            == f"x.csv:{line}: the file was cut in this line: it doesn't end with a line break"
        )


def test_a_short_file_may_lack_the_end_of_its_last_line_unless_cells_are_missing(
    tmp_path: Path,
) -> None:
    path = tmp_path / "x.csv"
    path.write_bytes(bad(*minutes(3)).rstrip(b"\n"))
    assert len(read_history([path])[BAC]) == 3
    path.write_bytes(bad(*minutes(3))[:-8])
    assert wrong(path) == "x.csv:4: 6 cells where the header has 7"


@pytest.mark.parametrize("share", [0.05, 0.5, 0.99])
def test_a_gzip_file_that_was_cut_is_told_with_the_last_whole_line(
    share: float, tmp_path: Path
) -> None:
    data = gzip.compress(long_file())
    path = tmp_path / "x.csv.gz"
    path.write_bytes(data[: int(len(data) * share)])
    text = wrong(path)
    assert text.endswith("the gzip file is cut short after this line")
    line = int(text.split(":")[1])
    assert 0 <= line <= 1_400
    assert line > 0 or share < 0.5


def test_what_is_no_gzip_file_or_a_damaged_one_is_told(tmp_path: Path) -> None:
    path = tmp_path / "x.csv.gz"
    path.write_bytes(long_file())
    assert wrong(path).startswith("x.csv.gz: not a sound gzip file: ")
    data = bytearray(gzip.compress(long_file()))
    data[-5] ^= 1
    path.write_bytes(data)
    assert wrong(path).startswith("x.csv.gz: not a sound gzip file: ")


def test_two_files_of_one_symbol_may_not_overlap(tmp_path: Path) -> None:
    first = written(tmp_path / "a.csv", HEADER, *minutes(3))
    second = written(tmp_path / "b.csv", HEADER, *minutes(5)[2:])
    text = wrong(first, second)
    assert text == "b.csv: bars of BAC that overlap those of a.csv, at 2013-10-07T13:02:00.000Z"


FOLDER_DEFECTS = {
    "a minute that begins within one": ("minute", "2013-10-07T13:30:30Z", "begins within a minute"),
    "a day that doesn't begin at midnight": ("daily", "2013-10-07T13:00:00Z", "dates, please"),
    "a day without a session": ("daily", "2013-10-06T04:00:00Z", "had no session"),
    "a fraction of a second": ("x", "2013-10-07T13:00:00.5Z", "begins within a second"),
}


@pytest.mark.parametrize("case", FOLDER_DEFECTS)
def test_bars_that_cannot_last_as_long_as_their_folder_says_are_refused(
    case: str, tmp_path: Path
) -> None:
    folder, stamp, words = FOLDER_DEFECTS[case]
    path = written(tmp_path / folder / "x.csv", HEADER, f"{stamp},BAC,{PRICES}")
    assert words in wrong(path)


def test_a_place_without_files_is_told(tmp_path: Path) -> None:
    assert wrong(tmp_path / "none").endswith("none: there is no such file or folder")
    assert wrong(tmp_path).endswith("there are no .csv, .csv.gz or .parquet files in the folder")
    written(tmp_path / "q.csv", *QUOTES_OF_BAC)
    with pytest.raises(MarketDataError, match="there are no bars of IBM"):
        read_history([tmp_path], [IBM])


# --- real files


real = pytest.mark.skipif(
    not MARKET_DATA.is_dir(), reason="there is no ../shared/market-data beside the project"
)


@real
@pytest.mark.parametrize("folder", ["daily", "minute", "second"])
def test_real_files_say_what_their_rows_say(folder: str) -> None:
    history = read_history([MARKET_DATA / folder])
    for symbol, columns in history.items():
        file = CsvFile(MARKET_DATA / folder / f"{symbol}.csv.gz", everything=True)
        numbers = (columns.start_ns, columns.open, columns.high, columns.low, columns.close)
        ours = zip(*numbers, columns.volume, strict=True)
        assert [tuple(map(int, bar)) for bar in ours] == list(file.bars())


@real
def test_the_bars_of_a_day_are_those_of_the_recorded_market() -> None:
    market = RecordedMarket([MARKET_DATA / "minute"], [SPY])
    theirs = [bar for one in market.instants("2013-10-08") for bar in one.bars]
    history = read_history([MARKET_DATA], [SPY], start="2013-10-08", end="2013-10-08")
    session = session_on("2013-10-08")
    assert session is not None
    inside = [bar for bar in history[SPY].bars() if bar.start_ns < session.post_close_ns]
    assert inside == theirs
    assert len(inside) > 390


@real
def test_twenty_three_years_of_days_are_there_with_their_splits() -> None:
    apple = read_history([MARKET_DATA / "daily"], [Symbol("AAPL")])[Symbol("AAPL")]
    assert len(apple) > 5_000
    falls = apple.open[1:] / apple.close[:-1]
    split = int(falls.argmin()) + 1
    assert iso(int(apple.start_ns[split]))[:10] in {
        "2014-06-09",
        "2000-06-21",
        "2005-02-28",
        "2020-08-31",
    }
    assert price_of(int(apple.close[0])) > 1

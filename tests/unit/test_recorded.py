import gzip
from decimal import ROUND_HALF_EVEN, Decimal
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trader.calendar import iso, parse_iso
from trader.feeds.csv_rows import CsvFile, MarketDataError, _price_ticks
from trader.feeds.market import Instant, Market
from trader.feeds.recorded import RecordedMarket, quote_around
from trader.model import MINUTE_NS, SECOND_NS, Bar, Quote, Symbol

BAC, IBM = Symbol("BAC"), Symbol("IBM")
BARS = "timestamp,symbol,open,high,low,close,volume"
QUOTES = "timestamp,symbol,bid,bid_size,ask,ask_size"


def written(path: Path, *lines: str) -> Path:
    path.parent.mkdir(exist_ok=True)
    data = "".join(f"{line}\n" for line in lines).encode()
    path.write_bytes(gzip.compress(data) if path.suffix == ".gz" else data)
    return path


def row(time: str, symbol: str = "BAC", prices: str = "14,14.1,13.9,14.05,1000") -> str:
    return f"2013-10-07T{time}Z,{symbol},{prices}"


def quote_row(time: str, symbol: str = "BAC", sides: str = "14,200,14.01,300") -> str:
    return f"2013-10-07T{time}Z,{symbol},{sides}"


def day(market: Market, date: str = "2013-10-07") -> list[Instant]:
    return list(market.instants(date))


def times(instants: list[Instant]) -> list[str]:
    return [iso(instant.at_ns)[11:19] for instant in instants]


def test_a_bar_appears_at_the_moment_when_it_ends(tmp_path: Path) -> None:
    path = written(tmp_path / "BAC.csv", BARS, row("13:30:00"), row("13:31:00"))
    market = RecordedMarket([path])
    assert market.symbols == (BAC,)
    assert market.session_dates() == ["2013-10-07"]
    first, second = day(market)
    assert times([first, second]) == ["13:31:00", "13:32:00"]
    assert first.bars == (
        Bar(
            symbol=BAC,
            start_ns=parse_iso("2013-10-07T13:30:00Z"),
            span_ns=MINUTE_NS,
            open=140_000,
            high=141_000,
            low=139_000,
            close=140_500,
            volume=1000,
        ),
    )


def test_columns_are_found_by_name_in_any_order_and_among_others(tmp_path: Path) -> None:
    path = written(
        tmp_path / "x.csv",
        "\ufeffvolume,exchange,close,low,high,open,symbol,timestamp",
        '7,"NY,SE",14.05,13.9,14.1,14,BAC,2013-10-07T09:30:00-04:00',
        "",
    )
    ((bar,),) = [instant.bars for instant in day(RecordedMarket([path]))]
    assert (bar.open, bar.high, bar.low, bar.close, bar.volume) == (
        140_000,
        141_000,
        139_000,
        140_500,
        7,
    )


def test_a_quote_of_a_whole_minute_is_known_when_the_minute_is_over(tmp_path: Path) -> None:
    written(tmp_path / "bars.csv.gz", BARS, row("13:30:00"))
    written(tmp_path / "quotes.csv.gz", QUOTES, quote_row("13:30:00"), quote_row("13:31:00"))
    first, second = day(RecordedMarket([tmp_path]))
    assert times([first, second]) == ["13:31:00", "13:32:00"]
    assert first.bars
    assert first.quotes == (
        Quote(symbol=BAC, at_ns=first.at_ns, bid=140_000, bid_size=200, ask=140_100, ask_size=300),
    )
    assert not second.bars


def test_a_quote_between_minutes_is_known_at_its_stamp(tmp_path: Path) -> None:
    written(tmp_path / "bars.csv", BARS, row("13:30:00"))
    written(
        tmp_path / "quotes.csv",
        QUOTES,
        quote_row("13:30:00.250"),
        quote_row("13:30:01", sides=",,14.02,100"),
        quote_row("13:31:00", sides=",0,14.03,100"),
    )
    instants = day(RecordedMarket([tmp_path]))
    assert times(instants) == ["13:30:00", "13:30:01", "13:31:00"]
    assert [instant.quotes[0].bid for instant in instants] == [140_000, 0, 0]
    assert len(instants[-1].bars) == 1


def test_what_happens_at_the_same_moment_comes_together_and_by_symbol(tmp_path: Path) -> None:
    written(tmp_path / "z.csv", BARS, row("13:30:00", "AIG"), row("13:31:00", "AIG"))
    written(tmp_path / "b.csv", BARS, row("13:30:00", "IBM"))
    written(tmp_path / "a.csv", BARS, row("13:30:00", "BAC"))
    first, second = day(RecordedMarket([tmp_path]))
    assert [bar.symbol for bar in first.bars] == ["AIG", "BAC", "IBM"]
    assert [quote.symbol for quote in first.quotes] == ["AIG", "BAC", "IBM"]
    assert [bar.symbol for bar in second.bars] == ["AIG"]


def test_only_the_symbols_asked_for_are_taken(tmp_path: Path) -> None:
    written(tmp_path / "a.csv", BARS, row("13:30:00", "BAC"))
    written(tmp_path / "b.csv", BARS, row("13:30:00", "IBM"))
    assert RecordedMarket([tmp_path], [IBM]).symbols == (IBM,)
    with pytest.raises(MarketDataError, match="there are no bars of SPY"):
        RecordedMarket([tmp_path], [IBM, Symbol("SPY")])


def test_folders_named_minute_and_quote_are_found_in_the_folder_above(tmp_path: Path) -> None:
    written(tmp_path / "minute" / "BAC.csv", BARS, row("13:30:00"))
    written(tmp_path / "quote" / "BAC.csv", QUOTES, quote_row("13:30:00"))
    market = RecordedMarket([tmp_path])
    assert market.symbols_without_quotes("2013-10-07") == ()
    assert RecordedMarket([tmp_path / "minute"]).symbols_without_quotes("2013-10-07") == (BAC,)


def test_one_bar_off_the_minute_makes_them_bars_of_a_second(tmp_path: Path) -> None:
    path = written(tmp_path / "BAC.csv", BARS, row("13:30:00"), row("13:30:07"))
    instants = day(RecordedMarket([path]))
    assert times(instants) == ["13:30:01", "13:30:08"]
    assert instants[0].bars[0].span_ns == SECOND_NS


def test_in_a_folder_named_second_bars_last_a_second(tmp_path: Path) -> None:
    path = written(tmp_path / "second" / "BAC.csv", BARS, row("13:30:00"), row("13:31:00"))
    assert times(day(RecordedMarket([path]))) == ["13:30:01", "13:31:01"]


def test_bars_of_five_minutes_are_not_known_after_one(tmp_path: Path) -> None:
    rows = [row(f"{14 + step // 12}:{step % 12 * 5:02}:00") for step in range(12)]
    path = written(tmp_path / "BAC.csv", BARS, *rows)
    assert times(day(RecordedMarket([path])))[:2] == ["14:05:00", "14:10:00"]


def test_a_session_is_served_with_the_night_before_and_nothing_else_is(tmp_path: Path) -> None:
    """A Sunday evening at 19:59 and 20:00 in New York, a Monday from 03:59 to 20:01, a Saturday."""
    path = written(
        tmp_path / "BAC.csv",
        BARS,
        "2013-10-06T23:59:00Z,BAC,14,14,14,14,1",
        "2013-10-07T00:00:00Z,BAC,14,14,14,14,1",
        row("07:59:00"),
        row("08:00:00"),
        row("23:59:00"),
        "2013-10-08T00:00:00Z,BAC,14,14,14,14,1",
        "2013-10-12T14:00:00Z,BAC,14,14,14,14,1",
    )
    market = RecordedMarket([path])
    assert market.session_dates() == ["2013-10-07", "2013-10-08"]
    assert times(day(market)) == ["00:01:00", "08:00:00", "08:01:00", "00:00:00"]
    assert times(day(market, "2013-10-08")) == ["00:01:00"]


def test_what_is_told_at_eight_in_the_evening_is_of_the_day_that_ends(tmp_path: Path) -> None:
    stamps = ["2013-10-07T15:00:00.5Z", "2013-10-08T00:00:00Z", "2013-10-08T00:00:00.5Z"]
    quotes = written(
        tmp_path / "BACq.csv", QUOTES, *(f"{stamp},BAC,14.00,1,14.02,1" for stamp in stamps)
    )
    bars = written(
        tmp_path / "BAC.csv", BARS, row("15:00:00"), "2013-10-08T15:00:00Z,BAC,14,14,14,14,1"
    )
    market = RecordedMarket([bars, quotes])
    told = [
        times([one for one in day(market, date) if one.quotes]) for date in market.session_dates()
    ]
    assert told == [["15:00:00", "00:00:00"], ["00:00:00"]]


def test_a_session_that_was_not_recorded_is_refused(tmp_path: Path) -> None:
    market = RecordedMarket([written(tmp_path / "BAC.csv", BARS, row("13:30:00"))])
    with pytest.raises(ValueError, match="no session of 2013-10-08 was recorded"):
        day(market, "2013-10-08")


def test_history_never_knows_the_future(tmp_path: Path) -> None:
    minutes = [f"13:{minute}:00" for minute in range(30, 36)]
    market = RecordedMarket([written(tmp_path / "BAC.csv", BARS, *map(row, minutes))])
    at_ns = parse_iso("2013-10-07T13:33:00Z")
    assert [iso(bar.start_ns)[11:16] for bar in market.history(BAC, at_ns, 2)] == ["13:31", "13:32"]
    assert len(market.history(BAC, at_ns - 1, 99)) == 2
    assert market.history(BAC, at_ns, 0) == []
    assert market.history(IBM, at_ns, 5) == []


def test_files_of_one_symbol_follow_each_other_whatever_their_names(tmp_path: Path) -> None:
    written(tmp_path / "a.csv", BARS, "2013-10-08T13:30:00Z,BAC,14,14,14,14,1")
    written(tmp_path / "b.csv", BARS, row("13:30:00"))
    market = RecordedMarket([tmp_path])
    assert market.session_dates() == ["2013-10-07", "2013-10-08"]
    written(tmp_path / "c.csv", BARS, row("13:30:00"))
    with pytest.raises(MarketDataError, match="two bars of BAC at 2013-10-07T13:30:00"):
        RecordedMarket([tmp_path])


GOOD = row("13:30:00")
BAD_ROWS = {
    "prices that are no numbers": (row("13:31:00", prices="nan,14,14,14,1"), "not a price"),
    "infinity": (row("13:31:00", prices="14,inf,14,14,1"), "not a price"),
    "an exponent": (row("13:31:00", prices="14,1e3,14,14,1"), "not a price"),
    "an underscore": (row("13:31:00", prices="1_4,14,14,14,1"), "not a price"),
    "arabic digits": (row("13:31:00", prices="١٤,14,14,14,1"), "not a price"),
    "an empty price": (row("13:31:00", prices=",14,14,14,1"), "not a price"),
    "a negative price": (row("13:31:00", prices="14,14,-14,14,1"), "not a price above zero: '-14'"),
    "a price of zero": (row("13:31:00", prices="14,14,0,14,1"), "not a price above zero: '0'"),
    "a price that rounds to zero": (row("13:31:00", prices="14,14,0.00005,14,1"), "not a price"),
    "high below low": (row("13:31:00", prices="14,13,15,14,1"), "high 13 is below low 15"),
    "a close outside": (row("13:31:00", prices="14,14,14,15,1"), "outside low to high"),
    "a negative volume": (row("13:31:00", prices="14,14,14,14,-1"), "not a whole number of shares"),
    "half a share": (row("13:31:00", prices="14,14,14,14,0.5"), "not a whole number of shares"),
    "the same bar twice": (row("13:30:00"), "a second bar of"),
    "time going back": (row("13:29:00"), "not in order of time"),
    "no zone": ("2013-10-07T13:31:00,BAC,14,14,14,14,1", "not a time with a zone"),
    "no time": ("yesterday,BAC,14,14,14,14,1", "not a time with a zone"),
    "no such day": ("2013-02-30T13:31:00Z,BAC,14,14,14,14,1", "day"),
    "another symbol": (row("13:31:00", "IBM"), "'IBM' in a file of BAC"),
    "too few cells": ("2013-10-07T13:31:00Z,BAC,14", "3 cells where the header has 7"),
    "too many cells": (row("13:31:00") + ",1", "8 cells where the header has 7"),
    "an open quotation": ('"2013-10-07T13:31:00Z,BAC,14,14,14,14,1', "not a CSV file"),
}


@pytest.mark.parametrize(("line", "said"), BAD_ROWS.values(), ids=BAD_ROWS.keys())
def test_a_bad_row_is_named_with_its_file_and_line(tmp_path: Path, line: str, said: str) -> None:
    path = written(tmp_path / "BAC.csv", BARS, GOOD, line)
    with pytest.raises(MarketDataError, match=said) as caught:
        RecordedMarket([path])
    assert (caught.value.file, caught.value.line) == (path, 3)
    assert str(caught.value).startswith(f"{path}:3: ")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ([], "the file is empty"),
        ([BARS], "a header and nothing else"),
        ([BARS.replace("high,", ""), GOOD], "the column 'high' is missing"),
        ([BARS + ",close", GOOD + ",14"], "the column 'close' is there twice"),
        ([QUOTES.replace("ask_size", "size"), GOOD], "the column 'ask_size' is missing"),
        (["just some text"], "the column 'timestamp' is missing"),
        ([BARS, row("13:30:00", "bac")], "not a symbol: 'bac'"),
        ([BARS, row("13:30:00", "../../etc/passwd")], "not a symbol"),
        ([BARS, row("13:30:00.5")], "starts within a second"),
        ([BARS, "2013-10-05T14:00:00Z,BAC,14,14,14,14,1"], "no bar or quote lies in a session"),
        ([BARS, "1971-10-07T13:30:00Z,BAC,14,14,14,14,1"], "the calendar covers 1998 to 2029"),
        ([QUOTES, quote_row("13:30:00")], "quotes, but no bars"),
        ([QUOTES, quote_row("13:30:00", sides="14,,14.01,1")], "not a whole number of shares"),
        ([QUOTES, quote_row("13:30:00", sides=",5,14.01,1")], "not a price"),
        ([QUOTES, quote_row("13:30:00"), quote_row("13:29:00")], "not in order of time"),
    ],
)
def test_a_file_that_is_no_market_data_is_refused(
    tmp_path: Path, lines: list[str], said: str
) -> None:
    path = written(tmp_path / "BAC.csv", *lines)
    with pytest.raises(MarketDataError, match=said):
        RecordedMarket([path])


# --- where everything is wanted


def test_a_bar_of_a_session_shows_its_open_first_and_all_else_at_the_close(tmp_path: Path) -> None:
    days = [
        "2014-11-26,IBM,161.9,162.1,161,161.95,1000",
        "2014-11-28,IBM,162.3,163.4,162.2,162.2,50000",
    ]
    (tmp_path / "daily").mkdir()
    written(tmp_path / "daily" / "IBM.csv", BARS, *days)
    market = RecordedMarket([tmp_path], everything=True)
    assert market.session_dates() == ["2014-11-26", "2014-11-28"]
    opening, close = day(market, "2014-11-28")  # a half day
    assert times([opening, close]) == ["14:30:00", "18:00:00"]
    assert (opening.bars, opening.trades) == ((), ())
    assert [(one.bid, one.ask, one.ask_size) for one in opening.quotes] == [
        (1_622_900, 1_623_100, 5_000)
    ]
    assert [(one.start_ns, one.high, one.close) for one in close.bars] == [
        (opening.at_ns, 1_634_000, 1_622_000)
    ]
    assert [(one.bid, one.ask) for one in close.quotes] == [(1_621_900, 1_622_100)]
    assert [bar.close for bar in market.history(IBM, close.at_ns - 1, 9)] == [1_619_500]
    with pytest.raises(MarketDataError, match="not a time with a zone"):
        RecordedMarket([tmp_path])


@pytest.mark.parametrize(
    ("date", "said"),
    [
        ("2014-11-27", "BAC.csv:3: the exchange had no session on 2014-11-27"),
        ("2014-11-25", "BAC.csv:3: not in order of time"),
        ("1970-11-25", "BAC.csv:3: the calendar covers 1998 to 2029"),
        ("2014-11-28T14:30:00Z", "BAC.csv:3: not a date"),
    ],
)
def test_a_session_that_there_was_not_has_no_bar(tmp_path: Path, date: str, said: str) -> None:
    days = [f"{one},BAC,14,14,14,14,1" for one in ("2014-11-26", date)]
    path = written(tmp_path / "BAC.csv", BARS, *days)
    with pytest.raises(MarketDataError, match=said):
        RecordedMarket([path], everything=True)


def test_quotes_alone_are_a_market_without_bars(tmp_path: Path) -> None:
    written(
        tmp_path / "quote" / "BAC.csv", QUOTES, quote_row("13:30:00.5"), quote_row("13:31:00.5")
    )
    market = RecordedMarket([tmp_path], everything=True)
    assert (market.symbols, market.session_dates()) == ((BAC,), ["2013-10-07"])
    assert [(one.bars, len(one.quotes)) for one in day(market)] == [((), 1), ((), 1)]
    assert market.history(BAC, 2**62, 9) == []
    with pytest.raises(MarketDataError, match="quotes, but no bars"):
        RecordedMarket([tmp_path / "quote"])


def test_a_trade_without_quotes_brings_one_of_its_size(tmp_path: Path) -> None:
    header = "timestamp,symbol,price,size,exchange,suspicious"
    ticks = [f"2013-10-07T13:30:0{second}.5Z,BAC,14.0{second},{second}00,P,0" for second in (1, 2)]
    written(tmp_path / "tick" / "BAC.csv", header, *ticks)
    written(tmp_path / "minute" / "BAC.csv", BARS, row("13:30:00"))
    market = RecordedMarket([tmp_path], everything=True)
    assert [
        (one.bid, one.bid_size, one.ask) for instant in day(market) for one in instant.quotes
    ] == [(140_000, 100, 140_100), (140_100, 200, 140_200)]
    written(tmp_path / "quote" / "BAC.csv", QUOTES, quote_row("13:30:00.7"))
    quoted = day(RecordedMarket([tmp_path], everything=True))
    assert [one.bid for instant in quoted for one in instant.quotes] == [140_000]


def test_a_made_quote_is_as_wide_as_it_is_told_to_be(tmp_path: Path) -> None:
    path = written(tmp_path / "BAC.csv", BARS, row("13:30:00", prices="14,14,14,14,1000"))
    market = RecordedMarket([path], spread_rate=Decimal("0.01"))
    ((quote,),) = [instant.quotes for instant in day(market)]
    assert (quote.bid, quote.ask) == (139_300, 140_700)


def test_a_gzip_file_that_is_cut_short_or_broken_is_refused(tmp_path: Path) -> None:
    rows = [row(f"{13 + m // 60}:{m % 60:02}:00") for m in range(300)]
    path = written(tmp_path / "BAC.csv.gz", BARS, *rows)
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(MarketDataError, match=r"BAC\.csv\.gz:\d+: the gzip file is cut short"):
        RecordedMarket([path])
    path.write_bytes(whole[:40] + b"\xff\xff\xff" + whole[43:])
    with pytest.raises(MarketDataError, match=r"gzip|UTF-8|CSV|price|cells"):
        RecordedMarket([path])
    path.write_bytes(b"timestamp,symbol")
    with pytest.raises(MarketDataError, match="not a sound gzip file"):
        RecordedMarket([path])


def test_bytes_that_are_no_text_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "BAC.csv"
    path.write_bytes(b"timestamp,symbol,\xff\xfe\n")
    with pytest.raises(MarketDataError, match="not a text in UTF-8"):
        RecordedMarket([path])
    path.write_bytes(f"{BARS}\n{GOOD}\n".encode() + b"\x00" * 50 + b"\n")
    with pytest.raises(MarketDataError, match=r"CSV|cells"):
        RecordedMarket([path])


def test_a_path_with_nothing_behind_it_is_refused(tmp_path: Path) -> None:
    with pytest.raises(MarketDataError, match="no such file or folder"):
        RecordedMarket([tmp_path / "nowhere"])
    with pytest.raises(MarketDataError, match=r"no .csv or .csv.gz files"):
        RecordedMarket([tmp_path])
    with pytest.raises(MarketDataError, match="neither a file nor a folder"):
        RecordedMarket([Path("/dev/null")])


@given(st.decimals("0.0001", "9999999", places=12, allow_nan=False))
def test_prices_become_whole_ticks_half_even(price: Decimal) -> None:
    exact = Decimal(f"{price:f}").scaleb(4)
    assert _price_ticks(f"{price:f}") == int(exact.to_integral_value(ROUND_HALF_EVEN))


@given(st.integers(1, 10**8), st.integers(0, 10**9))
def test_a_quote_around_a_bar_holds_its_close_in_a_narrow_spread(close: int, volume: int) -> None:
    bar = Bar(symbol=BAC, start_ns=0, open=close, high=close, low=close, close=close, volume=volume)
    quote = quote_around(bar, MINUTE_NS)
    assert quote.at_ns == MINUTE_NS
    assert quote.bid <= close <= quote.ask
    assert quote.bid % 100 == quote.ask % 100 == 0
    width = quote.ask - quote.bid
    assert max(100, close // 10_000) <= width <= max(100, close // 10_000 + 100)
    assert quote.ask_size >= 100
    assert bool(quote.bid) == bool(quote.bid_size)


def test_a_made_quote_is_a_cent_wide_and_its_sizes_come_from_the_volume() -> None:
    bar = Bar(
        symbol=BAC, start_ns=0, open=140_500, high=140_500, low=140_500, close=140_500, volume=5_280
    )
    assert quote_around(bar, 0) == Quote(
        symbol=BAC, at_ns=0, bid=140_400, bid_size=500, ask=140_500, ask_size=500
    )


stamps = st.lists(st.integers(0, 16 * 60 - 1), min_size=1, max_size=40, unique=True).map(sorted)


@given(stamps, stamps)
def test_instants_are_strictly_in_order_and_lose_nothing(
    tmp_path_factory: pytest.TempPathFactory, first: list[int], second: list[int]
) -> None:
    folder = tmp_path_factory.mktemp("market")
    start_ns = parse_iso("2013-10-07T08:00:00Z")
    for symbol, minutes in (("BAC", first), ("IBM", second)):
        rows = [
            f"{iso(start_ns + minute * MINUTE_NS)},{symbol},14,14,14,14,1" for minute in minutes
        ]
        written(folder / f"{symbol}.csv", BARS, *rows)
    market = RecordedMarket([folder])
    instants = [instant for date in market.session_dates() for instant in market.instants(date)]
    assert all(before.at_ns < after.at_ns for before, after in pairwise(instants))
    served = [bar for instant in instants for bar in instant.bars]
    assert len(served) == len(first) + len(second)
    assert all(bar.start_ns + bar.span_ns == i.at_ns for i in instants for bar in i.bars)


def test_a_file_says_what_it_holds(tmp_path: Path) -> None:
    file = CsvFile(written(tmp_path / "BAC.csv", QUOTES, quote_row("13:30:00")))
    assert file.is_quotes
    assert file.symbol == BAC

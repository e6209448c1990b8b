"""Trades and quotes as history: which files, how they are spelled, what bars they become, and what is wrong."""

from pathlib import Path

import pytest

from tests.program import MARKET_DATA
from trader.exits import Mistake
from trader.feeds.csv_rows import MarketDataError
from trader.feeds.history import History, Wanted, data_identity, read_all, read_history
from trader.feeds.recorded import RecordedMarket
from trader.model import MINUTE_NS, SECOND_NS, Symbol

BAC, IBM = Symbol("BAC"), Symbol("IBM")
TRADES = "timestamp,symbol,price,size,exchange,condition,suspicious"
QUOTES = "timestamp,symbol,bid,bid_size,ask,ask_size"
BARS = "timestamp,symbol,open,high,low,close,volume"
ALL = Wanted(quotes=True)


def written(path: Path, *lines: str) -> Path:
    path.parent.mkdir(exist_ok=True)
    path.write_text("".join(f"{line}\n" for line in lines))
    return path


def trade(clock: str, price: str = "13.9", size: str = "100", suspicious: str = "0") -> str:
    return f"2013-10-07T{clock}Z,BAC,{price},{size},P,20,{suspicious}"


def quote(clock: str, bid: str = "13.9,100", ask: str = "13.91,300", symbol: str = "BAC") -> str:
    return f"2013-10-07T{clock}Z,{symbol},{bid},{ask}"


def bars(history: History, symbol: Symbol = BAC) -> list[tuple[int, ...]]:
    """(start in seconds of the day, open, high, low, close in cents, volume)."""
    return [
        (
            bar.start_ns // SECOND_NS % 86_400,
            *(price // 100 for price in (bar.open, bar.high, bar.low, bar.close)),
            bar.volume,
        )
        for bar in history.bars[symbol].bars()
    ]


HALF_PAST = (13 * 60 + 30) * 60


def test_trades_become_minutes_without_those_that_are_suspicious_or_of_no_shares(
    tmp_path: Path,
) -> None:
    path = written(
        tmp_path / "BAC.csv", TRADES, trade("13:30:00.5"), trade("13:30:00.5", "13.95", "50"),
        trade("13:30:30", "99", "100", "1"), trade("13:30:40", "1", "0"),
        trade("13:30:59.999", "13.85"), trade("13:31:00", "13.9", "7"), trade("13:33:01", "14"),
    )  # fmt: skip
    history = read_all([path], ALL)
    assert bars(history) == [
        (HALF_PAST, 1390, 1395, 1385, 1385, 250),
        (HALF_PAST + 60, 1390, 1390, 1390, 1390, 7),
        (HALF_PAST + 180, 1400, 1400, 1400, 1400, 100),
    ]
    assert history.told == (
        "bars of BAC are 1m long, made of trades",
        "trades of BAC that are marked as suspicious, left out: 1",
    )
    assert bars(read_all([path], Wanted(span_ns=30 * SECOND_NS)))[1] == (
        HALF_PAST + 30, 1385, 1385, 1385, 1385, 100,
    )  # fmt: skip


@pytest.mark.parametrize(
    "lines",
    [
        ("t,s,p", "1381152600500,100,13.9", "1381152601000,50,13.95"),
        ("Time,Price,Quantity", "1381152600500000000,13.9,100", "1381152601000000000,13.95,50.0"),
        ("ticker,datetime,trade_price,Volume", "BAC,2013-10-07T09:30:00.500-04:00,13.9,100",
         "BAC,2013-10-07T09:30:01-04:00,13.95,50"),
        ("timestamp,price,size", '"2013-10-07T13:30:00.5Z",13.90,100', "2013-10-07T13:30:01Z,13.95,50"),
    ],
)  # fmt: skip
def test_trades_are_read_in_their_common_spellings(lines: tuple[str, ...], tmp_path: Path) -> None:
    path = written(tmp_path / "BAC.csv", *lines)
    assert bars(read_all([path], ALL)) == [(HALF_PAST, 1390, 1395, 1390, 1395, 150)]


def test_quotes_alone_become_bars_of_their_middles(tmp_path: Path) -> None:
    path = written(
        tmp_path / "q.csv", QUOTES, quote("13:30:01"), quote("13:30:30", "13.8,100", "13.9,100"),
        quote("13:31:00", "14,100", "14.02,100"), quote("13:31:10", ",", "14,5"),
    )  # fmt: skip
    history = read_all([path], ALL)
    [bar] = history.bars[BAC].bars()
    assert (bar.start_ns // SECOND_NS % 86_400, bar.span_ns) == (HALF_PAST, MINUTE_NS)
    assert (bar.open, bar.high, bar.low, bar.close) == (139_050, 140_100, 138_500, 140_100)
    assert history.told == (
        "bars of BAC are 1m long, made of the middles of bid and ask: no volume",
    )
    assert history.without_volume == (BAC,)
    assert history.quotes[BAC].quote(3).bid == 0
    assert read_all([path], Wanted()).quotes == {}


def test_quotes_of_minutes_are_known_when_these_are_over(tmp_path: Path) -> None:
    path = written(tmp_path / "q.csv", QUOTES, quote("13:30:00"), quote("13:31:00"))
    history = read_all([path], ALL)
    assert [at_ns // SECOND_NS % 86_400 for at_ns in history.quotes[BAC].at_ns.tolist()] == [
        HALF_PAST + 60, HALF_PAST + 120,
    ]  # fmt: skip
    assert [one[0] for one in bars(history)] == [HALF_PAST, HALF_PAST + 60]
    assert history.told[1] == (
        "quotes of BAC are the last of their minutes, known when these are over"
    )


def test_quotes_that_are_not_fit_are_left_out_and_named(tmp_path: Path) -> None:
    path = written(
        tmp_path / "q.csv", QUOTES, quote("13:30:01"), quote("13:30:02", "13.92,100"),
        quote("13:30:03", "0,0", "0,0"), quote("13:30:04", "13.9,0", "13.91,7"),
        quote("13:30:05", "1.39,100", "1.4,100"), quote("13:30:06"),
    )  # fmt: skip
    history = read_all([path], ALL)
    assert len(history.quotes[BAC]) == 3
    assert [line.partition(" quote ")[2].partition(":")[0] for line in history.left_out] == [
        "crossed", "non positive", "far from last",
    ]  # fmt: skip


# --- which files


def folder_of_all(tmp_path: Path) -> Path:
    written(tmp_path / "minute" / "BAC.csv", BARS, "2013-10-07T13:30:00Z,BAC,20,20,20,20,5")
    written(tmp_path / "tick" / "BAC.csv", TRADES, trade("13:30:01"))
    written(tmp_path / "quote" / "BAC.csv", QUOTES, quote("13:30:02"))
    written(tmp_path / "quote" / "IBM.csv", QUOTES, quote("13:30:03", symbol="IBM"))
    return tmp_path


def test_a_folder_gives_its_bars_and_quotes_and_with_a_length_bars_of_trades_else_of_quotes(
    tmp_path: Path,
) -> None:
    folder = folder_of_all(tmp_path)
    history = read_all([folder], ALL)
    assert bars(history) == [(HALF_PAST, 2000, 2000, 2000, 2000, 5)]
    assert [*history.bars] == [BAC, IBM]
    assert [*history.quotes] == [BAC, IBM]
    assert [*read_history([folder])] == [BAC]
    made = read_all([folder], Wanted(span_ns=SECOND_NS, quotes=True))
    assert bars(made) == [(HALF_PAST + 1, 1390, 1390, 1390, 1390, 100)]
    assert made.without_volume == (IBM,)
    for path in (folder / "minute" / "BAC.csv", folder / "minute"):
        path.unlink() if path.is_file() else path.rmdir()
    assert bars(read_all([folder], Wanted()))[0][-1] == 100


def test_files_of_all_kinds_may_lie_beside_each_other(tmp_path: Path) -> None:
    written(tmp_path / "a.csv", TRADES, trade("13:30:01"))
    written(tmp_path / "b.csv", QUOTES, quote("13:30:02"))
    written(tmp_path / "c.csv", QUOTES, quote("13:29:02"))
    history = read_all([tmp_path], ALL)
    assert bars(history) == [(HALF_PAST, 1390, 1390, 1390, 1390, 100)]
    assert len(history.quotes[BAC]) == 2


def test_dates_and_symbols_cut_trades_and_quotes_too(tmp_path: Path) -> None:
    folder = folder_of_all(tmp_path)
    wanted = Wanted(symbols=[BAC], quotes=True, span_ns=MINUTE_NS, end="2013-10-07")
    assert [*read_all([folder], wanted).quotes] == [BAC]
    with pytest.raises(MarketDataError, match="there are no bars of BAC from 2013-10-08"):
        read_all([folder], Wanted(symbols=[BAC], span_ns=MINUTE_NS, start="2013-10-08"))


def test_quotes_are_part_of_the_identity_of_the_data(tmp_path: Path) -> None:
    one = read_all([folder_of_all(tmp_path)], ALL)
    written(tmp_path / "quote" / "BAC.csv", QUOTES, quote("13:30:02", ask="13.91,400"))
    other = read_all([tmp_path], ALL)
    assert data_identity(one.bars, one.quotes) != data_identity(other.bars, other.quotes)
    assert data_identity(one.bars) == data_identity(other.bars) == data_identity(one.bars, {})


# --- what is wrong with it


def wrong(path: Path, wanted: Wanted = ALL) -> str:
    with pytest.raises(MarketDataError) as raised:
        read_all([path], wanted)
    text = str(raised.value)
    assert "\n" not in text
    return text.replace(f"{raised.value.file.parent}/", "")


WRONG: dict[str, tuple[tuple[str, ...], str]] = {
    "no size": (("timestamp,symbol,price", "x"), "x.csv:1: the column 'size' is missing; it has"),
    "no ask": (
        ("timestamp,symbol,bid,bid_size", "x"),
        "x.csv:1: the column 'ask' is missing; it has 'timestamp,symbol,bid,bid_size'",
    ),
    "a side twice": (
        ("timestamp,bid,bid,bid_size,ask,ask_size", "x"),
        "x.csv:1: the column 'bid' is there twice: 'bid' and 'bid'; it has",
    ),
    "whose": (
        ("timestamp,price,size", "2013-10-07T13:30:00Z,13.9,100"),
        "x.csv:1: there is no column 'symbol', and the file is not named after one, as SPY.csv is",
    ),
    "nothing": ((QUOTES,), "x.csv:1: there is a header and nothing else"),
    "unsorted trades": (
        (TRADES, trade("13:30:01"), trade("13:30:00")),
        "x.csv:3: not in order of time: this trade of BAC is older than the one before, in line 2 "
        "(sort the file by its times)",
    ),
    "unsorted quotes": (
        (QUOTES, quote("13:30:01"), quote("13:30:02"), quote("13:30:00", symbol="IBM"), quote("13:30:01")),
        "x.csv:5: not in order of time: this quote of BAC is older than the one before, in line 3",
    ),
    "not a number": ((TRADES, trade("13:30:01", "nan")), "x.csv:2: not a price above zero: 'nan'"),
    "no price": ((TRADES, trade("13:30:01", "")), "x.csv:2: not a price above zero: ''"),
    "zero": ((TRADES, trade("13:30:01", "0")), "x.csv:2: not a price above zero: '0'"),
    "below a tick": ((TRADES, trade("13:30:01", "0.00001")), "x.csv:2: not a price above zero: '0.0"),
    "negative": ((TRADES, trade("13:30:01", "-1")), "x.csv:2: not a price above zero: '-1'"),
    "no shares": ((TRADES, trade("13:30:01", size="1.5")), "x.csv:2: not a whole number of shares: '1.5'"),
    "a bid that is none": ((QUOTES, quote("13:30:01", "nan,1")), "x.csv:2: not a price: 'nan'"),
    "a negative ask": ((QUOTES, quote("13:30:01", ask="-1,1")), "x.csv:2: not a price: '-1'"),
    "a size that is none": (
        (QUOTES, quote("13:30:01", "13.9,many")),
        "x.csv:2: not a whole number of shares: 'many'",
    ),
    "a date": (
        (TRADES, "2013-10-07,BAC,1,1,P,0,0"),
        "x.csv:2: a date, where the moment of a trade is wanted (write a time with a zone)",
    ),
    "no zone": (
        (QUOTES, quote("13:30:01"), quote("13:30:02").replace("Z", "")),
        "x.csv:3: a time without a zone: '2013-10-07T13:30:02' (write 2013-10-07T13:30:02-04:00"
        " where it is New York's, 2013-10-07T13:30:02Z where it is UTC)",
    ),
    "mixed times": (
        (TRADES, trade("13:30:01"), "1381152601,BAC,1,1,P,0,0"),
        "x.csv:3: not a time with a zone like those before: '1381152601'",
    ),
    "before the calendar": (
        (TRADES, trade("13:30:01").replace("2013", "1990")),
        "x.csv:2: the calendar covers 1998 to 2029, not 1990-10-07",
    ),
    "cells": ((TRADES, trade("13:30:01") + ",7"), "x.csv:2: 8 cells where the header has 7"),
}  # fmt: skip


@pytest.mark.parametrize("name", WRONG)
def test_a_file_that_cannot_be_right_is_one_line(name: str, tmp_path: Path) -> None:
    lines, said = WRONG[name]
    assert wrong(written(tmp_path / "x.csv", *lines)).startswith(said)


def test_bars_are_no_trades(tmp_path: Path) -> None:
    path = written(tmp_path / "BAC.csv", BARS, "2013-10-07T13:30:00Z,BAC,20,20,20,20,5")
    made = Wanted(span_ns=MINUTE_NS)
    assert wrong(path, made) == "BAC.csv:1: bars, where bars are to be made: leave --bars out"
    assert wrong(tmp_path, made).endswith(": there are no trades or quotes")
    assert wrong(tmp_path, Wanted(symbols=[BAC], span_ns=MINUTE_NS)).endswith(
        ": there are no trades or quotes of BAC"
    )
    (tmp_path / "empty").mkdir()
    assert wrong(tmp_path / "empty", made).endswith(
        "there are no .csv, .csv.gz or .parquet files in it, nor in tick or quote, to make bars of"
    )


@pytest.mark.parametrize(("header", "row"), [(TRADES, trade), (QUOTES, quote)])
def test_two_files_that_overlap_are_one_line(header: str, row: object, tmp_path: Path) -> None:
    assert callable(row)
    written(tmp_path / "a.csv", header, row("13:30:01"), row("13:35:01"))
    written(tmp_path / "b.csv", header, row("13:33:01"))
    noun = "trades" if header == TRADES else "quotes"
    assert f"b.csv: {noun} of BAC that overlap those of " in wrong(tmp_path)


def test_a_mistaken_date_is_a_mistake(tmp_path: Path) -> None:
    with pytest.raises(Mistake, match="yesterday"):
        read_all([folder_of_all(tmp_path)], Wanted(start="yesterday"))


# --- real files

real = pytest.mark.skipif(
    not MARKET_DATA.is_dir(), reason="there is no ../shared/market-data beside the project"
)


@real
def test_recorded_trades_are_the_minutes_and_quotes_that_the_simulated_broker_has() -> None:
    history = read_all([MARKET_DATA], Wanted(span_ns=MINUTE_NS, quotes=True))
    assert len(history.bars) == len(history.quotes) == 4
    assert history.without_volume == (IBM, Symbol("SPY"))
    assert history.left_out == ()
    files = [MARKET_DATA / folder / "BAC.csv.gz" for folder in ("tick", "quote")]
    market = RecordedMarket(files, [BAC], everything=True)
    instants = [one for date in market.session_dates() for one in market.instants(date)]
    assert [*history.bars[BAC].bars()] == [bar for one in instants for bar in one.bars]
    told = {quote.at_ns: quote for one in instants for quote in one.quotes}
    ours = history.quotes[BAC]
    known = {int(at_ns): ours.quote(place) for place, at_ns in enumerate(ours.at_ns)}
    assert told.items() <= known.items()
    assert len(told) > 500

"""Frames of market data become bars and quotes in whole price ticks; one bad message costs no more than itself."""

from collections.abc import Callable
from contextlib import suppress

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trader.calendar import iso
from trader.messages import SecurityStatus
from trader.model import Bar, PriceBand, Quote, Symbol, Tick
from trader.wire.alpaca_data import (
    DataError,
    FrameRead,
    MarketDataReader,
    Subscribed,
    Success,
    bar_of,
    bars_query,
    decode_bars,
    needs_a_person,
    remedy,
)
from trader.wire.unreadable import Unreadable

JD = Symbol("JD")
AT_NS = 1_769_455_144_117_325_001
Encode = Callable[[object], bytes]
BOTH = pytest.mark.parametrize("encode", [msgspec.json.encode, msgspec.msgpack.encode])


def stamp(encode: Encode, at_ns: int = AT_NS) -> object:
    seconds, rest = divmod(at_ns, 10**9)
    if encode is msgspec.json.encode:
        return iso(at_ns)
    return msgspec.msgpack.Ext(-1, (rest << 34 | seconds).to_bytes(8, "big"))


def quote(encode: Encode, **changes: object) -> dict[str, object]:
    return {
        "T": "q",
        "S": "JD",
        "ax": "V",
        "ap": 31.93,
        "as": 300,
        "bx": "V",
        "bp": 31.92,
        "bs": 200,
        "c": ["R"],
        "z": "C",
        "t": stamp(encode),
    } | changes


def bar(encode: Encode, **changes: object) -> dict[str, object]:
    return {
        "T": "b",
        "S": "JD",
        "o": 31.9,
        "h": 32,
        "l": 31.8999,
        "c": 31.95,
        "v": 1200,
        "n": 7,
        "vw": 31.93,
        "t": stamp(encode),
    } | changes


def read(frame: str | bytes) -> tuple[list[Tick], FrameRead, dict[str, int]]:
    reader = MarketDataReader([JD])
    delivered: list[Tick] = []
    result = reader.read(frame, delivered.append)
    return delivered, result, dict(reader.ignored)


@BOTH
def test_a_price_band_is_one_more_message_of_market_data(encode: Encode) -> None:
    told = {"T": "l", "S": "JD", "u": 33.52, "d": 30.325, "i": "B", "z": "C", "t": stamp(encode)}
    delivered, frame, ignored = read(encode([told, told | {"S": "XX"}, told | {"d": -1}]))
    [band] = delivered
    assert isinstance(band, PriceBand)
    assert (band.symbol, band.up, band.down) == (JD, 335_200, 303_250)
    assert (frame.events, ignored) == (3, {"another symbol": 1, "T=l": 1})


@BOTH
def test_bars_and_quotes_arrive_exactly_and_in_order(encode: Encode) -> None:
    delivered, result, ignored = read(encode([quote(encode), bar(encode)]))
    assert delivered == [
        Quote(symbol=JD, at_ns=AT_NS, bid=319_200, bid_size=200, ask=319_300, ask_size=300),
        Bar(
            symbol=JD,
            start_ns=AT_NS,
            open=319_000,
            high=320_000,
            low=318_999,
            close=319_500,
            volume=1200,
        ),
    ]
    assert result == FrameRead(events=2, controls=())
    assert ignored == {}


def test_a_text_frame_is_json() -> None:
    delivered, _, _ = read(msgspec.json.encode([quote(msgspec.json.encode)]).decode())
    assert len(delivered) == 1


@given(st.integers(1, 10**10), st.integers(0, 2**31))
def test_every_price_in_ticks_survives_the_way_through_a_float(ticks: int, size: int) -> None:
    encode = msgspec.msgpack.encode
    message = quote(encode, bp=ticks / 10_000, bs=size)
    (delivered,), _, _ = read(encode([message]))
    assert isinstance(delivered, Quote)
    assert (delivered.bid, delivered.bid_size) == (ticks, size)


def test_no_side_is_zero() -> None:
    encode = msgspec.msgpack.encode
    (delivered,), _, _ = read(encode([quote(encode, bp=0, bs=0)]))
    assert isinstance(delivered, Quote)
    assert delivered.bid == 0


@BOTH
@pytest.mark.parametrize(
    "changes",
    [
        {"ap": -1},
        {"ap": 1e300},
        {"ap": "31.93"},
        {"ap": None},
        {"bs": -5},
        {"bs": 2**63},
        {"S": ""},
        {"S": 7},
        {"t": 5},
        {"t": "soon"},
    ],
)
def test_a_bad_message_costs_only_itself(encode: Encode, changes: dict[str, object]) -> None:
    frame = encode([quote(encode), quote(encode, **changes), bar(encode)])
    delivered, result, ignored = read(frame)
    assert [type(item) for item in delivered] == [Quote, Bar]
    assert result.events == 3
    assert sum(ignored.values()) == 1


@pytest.mark.parametrize("price", [float("nan"), float("inf"), -0.5])
def test_a_price_that_is_none_is_not_delivered(price: float) -> None:
    encode = msgspec.msgpack.encode
    assert read(encode([quote(encode, ap=price)]))[0] == []
    assert read(encode([bar(encode, h=price)]))[0] == []


@BOTH
def test_what_is_not_for_us_is_counted(encode: Encode) -> None:
    frame = encode([quote(encode, S="GS"), {"T": "t", "S": "JD", "p": 1}, {"T": "zz"}, {"q": 1}, 5])
    delivered, result, ignored = read(frame)
    assert delivered == []
    assert result.events == 5
    assert ignored == {"another symbol": 1, "T=t": 1, "T=zz": 1, "unreadable": 2}


@BOTH
def test_the_servers_own_words_are_no_events(encode: Encode) -> None:
    assert read(encode([{"T": "success", "msg": "connected"}]))[1] == FrameRead(
        events=0, controls=(Success(msg="connected"),)
    )
    assert read(encode([{"T": "error", "code": 406, "msg": "connection limit exceeded"}]))[
        1
    ].controls == (DataError(code=406, msg="connection limit exceeded"),)
    subscription = {"T": "subscription", "trades": [], "quotes": ["JD"], "bars": ["JD"]}
    assert read(encode([subscription]))[1].controls == (Subscribed(bars=["JD"], quotes=["JD"]),)


@pytest.mark.parametrize(
    "frame",
    [
        "",
        "null",
        "{}",
        "hello",
        b"",
        b"\xc1",
        b"\xff\xfe",
        b'[{"T":"q","S":"\xff"',
        b"[" * 100_000,
        b"\x91" * 100_000,
        b'[{"T":"q","x":' + b"[" * 100_000,
    ],
)
def test_a_frame_that_is_no_array_of_messages_is_unreadable(frame: str | bytes) -> None:
    with pytest.raises(Unreadable):
        read(frame)


@given(st.binary(max_size=100))
def test_no_bytes_raise_anything_but_unreadable(data: bytes) -> None:
    for frame in (data, b"[" + data, b"\x91" + data, b"\x91\x82\xa1T\xa1q" + data):
        with suppress(Unreadable):
            read(frame)


@pytest.mark.parametrize("code", [400, 401, 402, 404, 405, 406, 407, 408, 409, 410, 411, 500, 777])
def test_every_refusal_has_words(code: int) -> None:
    words = remedy(DataError(code=code, msg="no\nway"))
    assert str(code) in words
    assert "\n" not in words


def test_a_person_is_called_only_where_trying_again_is_useless() -> None:
    assert [code for code in range(400, 600) if needs_a_person(DataError(code=code))] == [
        402,
        405,
        408,
        409,
        410,
        411,
    ]


def test_a_page_of_bars_is_read_and_asked_for() -> None:
    message = bar(msgspec.json.encode) | {"t": iso(AT_NS)}
    del message["T"], message["S"]
    page = decode_bars(msgspec.json.encode({"bars": {"JD": [message]}, "next_page_token": "n"}))
    assert page.next_page_token == "n"
    assert bar_of(JD, (page.bars or {})["JD"][0]).close == 319_500
    query = bars_query(JD, "iex", 1_769_455_200_000_000_000, 5, 40)
    assert query["end"] == "2026-01-26T19:19:00.000Z"
    assert query["start"] == "2026-01-21T19:20:00.000Z"
    assert (query["sort"], query["limit"], query["feed"]) == ("desc", "40", "iex")


@pytest.mark.parametrize(
    ("code", "is_halted"), [("H", True), ("P", True), ("2", True), ("T", False), ("3", False)]
)
@BOTH
def test_a_trading_status_says_whether_the_symbol_trades(
    code: str, is_halted: bool, encode: Encode
) -> None:
    reader = MarketDataReader([Symbol("JD")])
    told = {"T": "s", "S": "JD", "sc": code, "sm": "Trading Halt", "rc": "LUDP", "rm": "Pause"}
    frame = encode([{**told, "t": stamp(encode), "z": "C"}])
    read = reader.read(frame, lambda tick: None)
    reason = f"{code} Trading Halt LUDP Pause"
    assert read.statuses == (
        SecurityStatus(symbol=Symbol("JD"), is_halted=is_halted, reason=reason, at_ns=AT_NS),
    )
    assert read.events == 1, "and the line is alive"


@pytest.mark.parametrize(
    ("changes", "counted"),
    [
        ({"S": "GS"}, "another symbol"),
        ({"sc": "Q"}, "another status"),
        ({"sc": "x" * 200}, "another status"),
        ({"t": "soon"}, "time"),
        ({"sc": "x" * 201}, "T=s"),
        ({"sc": 7}, "T=s"),
    ],
)
def test_a_status_that_says_nothing_about_our_trading_is_counted(
    changes: dict[str, object], counted: str
) -> None:
    reader = MarketDataReader([Symbol("JD")])
    told = {"T": "s", "S": "JD", "sc": "H", "t": "2026-01-26T15:00:00Z"}
    assert reader.read(msgspec.json.encode([told | changes]), lambda tick: None).statuses == ()
    assert reader.ignored == {counted: 1}

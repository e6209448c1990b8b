"""Valid objects of the wire, changed as a hostile or broken server might: values that Hypothesis draws from.

A changed object is a tree that both encoders below can write, also where no encoder of a library would: keys twice,
invalid UTF-8, numbers beyond all types, nesting without end.
"""

import json
from typing import NamedTuple

import msgspec
from hypothesis import strategies as st
from msgspec.msgpack import Ext

from trader.brokers.alpaca.websocket import FRAME_BYTES_MAX


class Verbatim(NamedTuple):
    """Bytes that are written as they stand."""

    json: bytes
    packed: bytes


class Pairs(NamedTuple):
    """An object whose keys need not be unique."""

    items: tuple[tuple[object, object], ...]


NUMBERS = [
    *("NaN", "sNaN", "Infinity", "-Infinity", "1e999", "-1e999", "1e-999", "1e999999999999"),
    *("1_0", "١٢", " 1", "1\n", "0x10", "+1", "-0", "-5", "0", "1", "33", "20", "13"),
    *("0.0000000001", "0.000000001", "1e15", "1000000000000001", "999999999999999.999999999"),
    *("123456789.123456789", "31.123456789", "18446744073709551616"),
    *(2**63, 2**64 - 1, -(2**63), -1, 0, 33, 1.5, -0.0, 1e-320, 1e308, float("nan"), float("inf")),
    Verbatim(b"1e999", msgspec.msgpack.encode(float("-inf"))),
    Verbatim(b"1" + b"0" * 5_000, b"\xcf" + b"\xff" * 8),
]
STAMPS = [
    *("1970-01-01T00:00:00Z", "1969-12-31T23:59:59Z", "9999-12-31T23:59:59Z"),
    *("0001-01-01T00:00:00+14:00", "2026-01-26T19:19:06", "2026-01-26T24:00:00Z"),
    *("2026-01-26T23:59:60Z", "2026-01-26T19:19:06.1234567890123456789012345Z", "soon"),
    *(Ext(-1, bytes(4)), Ext(-1, b"\xff" * 4), Ext(-1, b"\xff" * 8), Ext(-1, b"\xff" * 12)),
    *(Ext(-1, b"\x7f" * 12), Ext(-1, b"\x80" + bytes(11)), Ext(-1, b""), Ext(5, b"x")),
]
WORDS = [
    *(
        "",
        ".",
        "..",
        "../account",
        "*",
        "JD",
        "jd",
        "JD\n",
        "\u0410APL",
        "buy",
        "sell",
        "sell_short",
    ),
    *("short", "fill", "partial_fill", "new", "filled", "canceled", "rejected", "replaced"),
    *("trade_bust", "trade_correct", "order_cancel_rejected", "SPLIT", "FEE", "CSD", "error"),
    "forged\nDUPLICATE BUY BLOCKED: JD\x1b[31m\x00\u2028${jndi:ldap://x}%s{0}",
    *("x" * 129, "x" * FRAME_BYTES_MAX, "\U0001f600" * 64),
    Verbatim(b'"\xff\xfe"', b"\xa2\xff\xfe"),
    Verbatim(b'"\\ud800"', b"\xa3\xed\xa0\x80"),
]
SHAPES: list[object] = [
    *(None, True, False, [], {}, [[]], {"id": 1}, b"\x00\xff"),
    Verbatim(b"[" * 100_000, b"\x91" * 100_000),
    Verbatim(b'{"a":' * 100_000, b"\x81\xa1a" * 100_000),
    Verbatim(b"[" * 500 + b"]" * 500, b"\x91" * 500 + b"\x90"),
]
VALUES = st.sampled_from([*NUMBERS, *STAMPS, *WORDS, *SHAPES]) | st.text() | st.integers()


def changed(value: object, changes_max: int = 3) -> st.SearchStrategy[object]:
    """The object with one to so many changes, each anywhere within it."""
    return st.integers(1, changes_max).flatmap(lambda times: _changed(value, times))


def _changed(value: object, times: int) -> st.SearchStrategy[object]:
    once = _change(value)
    return once if times == 1 else once.flatmap(lambda now: _changed(now, times - 1))


def _change(value: object) -> st.SearchStrategy[object]:
    """One change: here, or in one of the parts."""
    if isinstance(value, dict):
        value = Pairs(tuple(value.items()))
    if isinstance(value, Pairs) and value.items:
        return st.integers(0, len(value.items) - 1).flatmap(lambda at: _change_pair(value, at))
    if isinstance(value, list) and value:
        return st.integers(0, len(value) - 1).flatmap(lambda at: _change_item(value, at))
    return VALUES


def _change_pair(value: Pairs, at: int) -> st.SearchStrategy[object]:
    before, (key, inner), after = value.items[:at], value.items[at], value.items[at + 1 :]

    def with_these(*pairs: tuple[object, object]) -> Pairs:
        return Pairs((*before, *pairs, *after))

    replaced = VALUES.map(lambda new: with_these((key, new)))
    ways: list[st.SearchStrategy[object]] = [
        replaced,
        st.just(with_these()),
        st.just(with_these((f"{key}_", inner))),
        st.just(with_these(("", inner), (key, inner))),
        VALUES.map(lambda new: with_these((key, inner), (key, new))),
        VALUES.map(lambda new: with_these((key, inner), ("unheard_of", new))),
    ]
    if isinstance(inner, dict | list | Pairs):
        deeper = _change(inner).map(lambda new: with_these((key, new)))
        # Most of what matters lies within.
        return st.integers(0, 5).flatmap(lambda one: deeper if one else st.one_of(ways))
    return st.integers(0, 2).flatmap(lambda one: replaced if one else st.one_of(ways))


def _change_item(value: list[object], at: int) -> st.SearchStrategy[object]:
    before, item, after = value[:at], value[at], value[at + 1 :]
    inner = _change(item).map(lambda new: [*before, new, *after])
    ways = st.sampled_from([[*before, *after], [*before, item, item, *after]])
    return st.integers(0, 4).flatmap(lambda one: inner if one else ways)


def around(encoded: bytes) -> st.SearchStrategy[bytes]:
    """The bytes as they are, or with something before, behind or missing."""
    ways = [
        encoded,
        encoded,
        encoded,
        b"\xef\xbb\xbf" + encoded,
        b"\x00" + encoded,
        b" \n" + encoded,
        encoded + b"\x00",
        encoded + b"{}",
        encoded + b"\n ",
        encoded[: len(encoded) // 2],
        encoded[:-1],
        encoded[1:],
    ]
    return st.sampled_from(ways)


def as_json(value: object) -> bytes:
    """The tree as JSON, as far as it is."""
    match value:
        case Verbatim(json=raw):
            return raw
        case Pairs(items=pairs):
            inner = (json.dumps(key).encode() + b":" + as_json(one) for key, one in pairs)
            return b"{" + b",".join(inner) + b"}"
        case dict():
            return as_json(Pairs(tuple(value.items())))
        case list():
            return b"[" + b",".join(map(as_json, value)) + b"]"
        case Ext():
            return as_json(bytes(value.data).hex())
        case bytes():
            return as_json(value.decode("latin-1"))
        case str():
            # No surrogate can be written, and escapes of all the rest would not show what raw text does.
            text = json.dumps(value, ensure_ascii=False)
            return text.encode("utf-8", "surrogatepass")
        case _:
            return json.dumps(value).encode()


def as_msgpack(value: object) -> bytes:
    """The tree as MessagePack, as far as it is."""
    match value:
        case Verbatim(packed=raw):
            return raw
        case Pairs(items=pairs):
            inner = (as_msgpack(key) + as_msgpack(one) for key, one in pairs)
            return b"\xdf" + len(pairs).to_bytes(4, "big") + b"".join(inner)
        case dict():
            return as_msgpack(Pairs(tuple(value.items())))
        case list():
            return b"\xdd" + len(value).to_bytes(4, "big") + b"".join(map(as_msgpack, value))
        case str():
            raw = value.encode("utf-8", "surrogatepass")
            return b"\xdb" + len(raw).to_bytes(4, "big") + raw
        case int() if not -(2**63) <= value < 2**64:
            return msgspec.msgpack.encode(str(value))
        case _:
            return msgspec.msgpack.encode(value)

"""Bars and quotes as Alpaca's market-data objects, and frames of them, in JSON or MessagePack.

Each object is encoded once; a client's frame is a header and the encoded objects it subscribed to.
"""

from collections.abc import Iterable, Sequence

import msgspec

from trader.calendar import iso
from trader.model import SECOND_NS, Bar, Quote
from trader.money import PRICE_TICKS_PER_DOLLAR

ELEMENTS_MAX = 2_000  # of one frame: clients limit a message to 1 MiB
TIMESTAMP = -1  # MessagePack's extension type
MarketObject = dict[str, str | int | float | list[str] | msgspec.msgpack.Ext]


def bar_object(bar: Bar) -> MarketObject:
    """The keys shared by REST and stream, but for the time. `n` and `vw` are modelled, not measured."""
    typical = (bar.open + bar.high + bar.low + bar.close) / 4
    return {
        "o": dollars(bar.open),
        "h": dollars(bar.high),
        "l": dollars(bar.low),
        "c": dollars(bar.close),
        "v": bar.volume,
        "n": max(1, bar.volume // 100) if bar.volume else 0,
        "vw": round(typical / PRICE_TICKS_PER_DOLLAR, 6),
    }


def quote_object(quote: Quote) -> MarketObject:
    return {
        "bx": "V",
        "bp": dollars(quote.bid),
        "bs": quote.bid_size,
        "ax": "V",
        "ap": dollars(quote.ask),
        "as": quote.ask_size,
        "c": ["R"],
        "z": "C",
    }


def stream_element(kind: str, value: Bar | Quote, packed: bool) -> bytes:
    """One object of a stream's array; `kind` is its T."""
    if isinstance(value, Bar):
        content, at_ns = bar_object(value), value.start_ns
    else:
        content, at_ns = quote_object(value), value.at_ns
    tagged: MarketObject = {"T": kind, "S": value.symbol, **content}
    if packed:
        return msgspec.msgpack.encode(tagged | {"t": timestamp(at_ns)})
    return msgspec.json.encode(tagged | {"t": iso(at_ns)})


def frames(elements: Sequence[bytes], packed: bool) -> Iterable[bytes]:
    """Arrays of already encoded objects, none longer than ELEMENTS_MAX."""
    for start in range(0, len(elements), ELEMENTS_MAX):
        part = elements[start : start + ELEMENTS_MAX]
        if packed:
            yield _array_header(len(part)) + b"".join(part)
        else:
            yield b"[" + b",".join(part) + b"]"


def dollars(ticks: int) -> float:
    return ticks / PRICE_TICKS_PER_DOLLAR


def timestamp(at_ns: int) -> msgspec.msgpack.Ext:
    """MessagePack's 64-bit timestamp: 30 bits of nanoseconds, 34 of seconds, so that no nanosecond is lost."""
    seconds, nanoseconds = divmod(at_ns, SECOND_NS)
    return msgspec.msgpack.Ext(TIMESTAMP, (nanoseconds << 34 | seconds).to_bytes(8, "big"))


def _array_header(count: int) -> bytes:
    if count < 16:
        return bytes([0x90 | count])
    return b"\xdc" + count.to_bytes(2, "big")

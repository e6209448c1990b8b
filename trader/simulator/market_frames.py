"""What is told of a market as Alpaca's market-data objects, and frames of them, in JSON or MessagePack.

Each object is encoded once; a client's frame is a header and the encoded objects it subscribed to.
"""

from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import assert_never

import msgspec
from msgspec import Struct

from trader.calendar import iso
from trader.feeds.market import MarketTrade
from trader.model import SECOND_NS, Bar, PriceBand, Quote
from trader.money import PRICE_TICKS_PER_DOLLAR
from trader.simulator.market_words import (
    MarketWord,
    TradeCancel,
    TradeCorrection,
    TradingStatus,
)

ELEMENTS_MAX = 2_000  # of one frame: clients limit a message to 1 MiB
TIMESTAMP = -1  # MessagePack's extension type
TAPE = "C"
EXCHANGE = "V"
CONDITIONS = ("R",)  # of a quote
MarketObject = dict[str, str | int | float | list[str] | msgspec.msgpack.Ext]
_PACK = msgspec.msgpack.Encoder()
_JSON = msgspec.json.Encoder()


class _QuoteElement(Struct, frozen=True, kw_only=True, gc=False):
    """What a stream tells of a quote, in the order of `quote_object` and what follows it: most of all that is told."""

    bx: str = EXCHANGE
    bp: float
    bs: int
    ax: str = EXCHANGE
    ap: float
    ask_size: int = msgspec.field(name="as")
    c: tuple[str, ...] = CONDITIONS
    z: str = TAPE
    T: str
    S: str
    t: str | msgspec.msgpack.Ext


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
        "bx": EXCHANGE,
        "bp": quote.bid / PRICE_TICKS_PER_DOLLAR,
        "bs": quote.bid_size,
        "ax": EXCHANGE,
        "ap": quote.ask / PRICE_TICKS_PER_DOLLAR,
        "as": quote.ask_size,
        "c": [*CONDITIONS],
        "z": TAPE,
    }


def trade_object(trade: MarketTrade) -> MarketObject:
    return {
        "i": trade.number,
        "x": trade.exchange,
        "p": dollars(trade.price),
        "s": trade.size,
        "c": ["@"],
        "z": TAPE,
    }


def market_object(word: MarketWord) -> MarketObject:
    """All keys but T, S and t."""
    match word:
        case Quote():
            return quote_object(word)
        case Bar():
            return bar_object(word)
        case MarketTrade():
            return trade_object(word)
        case TradingStatus():
            return {
                "sc": word.code,
                "sm": word.words,
                "rc": word.reason,
                "rm": word.reason_words,
                "z": TAPE,
            }
        case PriceBand():
            return {"u": dollars(word.up), "d": dollars(word.down), "i": "B", "z": TAPE}
        case TradeCorrection():
            return _correction_object(word)
        case TradeCancel():
            trade = trade_object(word.trade)
            del trade["c"]
            return {**trade, "a": word.action}
    assert_never(word)


def _correction_object(word: TradeCorrection) -> MarketObject:
    was, is_now = trade_object(word.original), trade_object(word.corrected)
    keys = ("i", "p", "s", "c")
    return {
        "x": was["x"],
        **{f"o{key}": was[key] for key in keys},
        **{f"c{key}": is_now[key] for key in keys},
        "z": TAPE,
    }


def stream_element(kind: str, word: MarketWord, packed: bool) -> bytes:
    """One object of a stream's array; `kind` is its T."""
    if isinstance(word, Quote):
        return _quote_element(kind, word, packed)
    at_ns = word.start_ns if isinstance(word, Bar) else word.at_ns
    content = market_object(word)
    content["T"], content["S"] = kind, word.symbol
    if packed:
        content["t"] = timestamp(at_ns)
        return _PACK.encode(content)
    content["t"] = iso(at_ns)
    return _JSON.encode(content)


def _quote_element(kind: str, quote: Quote, packed: bool) -> bytes:
    element = _QuoteElement(
        bp=quote.bid / PRICE_TICKS_PER_DOLLAR,
        bs=quote.bid_size,
        ap=quote.ask / PRICE_TICKS_PER_DOLLAR,
        ask_size=quote.ask_size,
        T=kind,
        S=quote.symbol,
        t=timestamp(quote.at_ns) if packed else iso(quote.at_ns),
    )
    return _PACK.encode(element) if packed else _JSON.encode(element)


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


@lru_cache(maxsize=64)  # what is told together has the same time
def timestamp(at_ns: int) -> msgspec.msgpack.Ext:
    """MessagePack's 64-bit timestamp: 30 bits of nanoseconds, 34 of seconds, so that no nanosecond is lost."""
    seconds, nanoseconds = divmod(at_ns, SECOND_NS)
    return msgspec.msgpack.Ext(TIMESTAMP, (nanoseconds << 34 | seconds).to_bytes(8, "big"))


def _array_header(count: int) -> bytes:
    if count < 16:
        return bytes([0x90 | count])
    return b"\xdc" + count.to_bytes(2, "big")

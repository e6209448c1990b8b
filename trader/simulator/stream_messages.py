"""What clients say on the two streams, decoded into exact types; unknown keys are overlooked."""

import re
from collections.abc import Iterable
from typing import TypeVar

import msgspec
from msgspec import Struct

from trader.simulator.market_words import CHANNELS
from trader.simulator.shapes import Json

M = TypeVar("M")
SYMBOL = re.compile(r"\*|[A-Z0-9]{1,12}([./][A-Z0-9]{1,6})?", re.ASCII)


class TradingData(Struct, frozen=True, kw_only=True):
    key_id: str = ""
    secret_key: str = ""
    streams: list[str] = []


class TradingMessage(Struct, frozen=True, kw_only=True):
    """A client's word on `/stream`; `auth` carries its keys beside it, `authenticate` in `data`."""

    action: str
    key: str = ""
    secret: str = ""
    data: TradingData = TradingData()


class DataMessage(Struct, frozen=True, kw_only=True):
    """A client's word on `/v2/{feed}`."""

    action: str
    key: str = ""
    secret: str = ""
    trades: list[str] = []
    quotes: list[str] = []
    bars: list[str] = []
    updated_bars: list[str] = msgspec.field(default_factory=list, name="updatedBars")
    daily_bars: list[str] = msgspec.field(default_factory=list, name="dailyBars")
    statuses: list[str] = []
    lulds: list[str] = []
    # Of other feeds than those of stocks.
    news: list[str] = []
    orderbooks: list[str] = []

    def wanted(self) -> Iterable[tuple[str, list[str]]]:
        """(channel, symbols)."""
        lists = (
            self.trades,
            self.quotes,
            self.bars,
            self.updated_bars,
            self.daily_bars,
            self.statuses,
            self.lulds,
        )
        return zip(CHANNELS, lists, strict=True)

    def is_for_another_feed(self) -> bool:
        return bool(self.news or self.orderbooks)

    def has_only_symbols(self) -> bool:
        return all(SYMBOL.fullmatch(one) for _, symbols in self.wanted() for one in symbols)


def encoded(value: Json, packed: bool) -> bytes:
    return msgspec.msgpack.encode(value) if packed else msgspec.json.encode(value)


def decoded(message: bytes, kind: type[M], packed: bool) -> M:
    """A MessagePack client may still speak JSON: objects of the one never begin like those of the other."""
    packed = packed and not message.lstrip().startswith(b"{")
    decode = msgspec.msgpack.decode if packed else msgspec.json.decode
    return decode(message, type=kind)

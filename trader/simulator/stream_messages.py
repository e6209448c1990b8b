"""What clients say on the two streams, decoded into exact types; unknown keys are overlooked."""

from collections.abc import Iterable

import msgspec
from msgspec import Struct

CHANNELS = ("trades", "quotes", "bars", "updatedBars", "dailyBars", "statuses", "lulds")


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

    def wanted(self) -> Iterable[tuple[str, list[str]]]:
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

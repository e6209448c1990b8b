"""What is told of a market beside bars, quotes and trades, and by which channel of the stream each goes."""

from collections.abc import Mapping, Sequence

from msgspec import Struct

from trader.feeds.market import MarketTrade
from trader.model import Bar, PriceBand, Quote, Symbol


class TradingStatus(Struct, frozen=True, kw_only=True):
    """A symbol stops or goes on trading; codes and words of UTP."""

    symbol: Symbol
    at_ns: int
    code: str
    words: str
    reason: str = ""
    reason_words: str = ""


class TradeCorrection(Struct, frozen=True, kw_only=True):
    """The tape takes a trade back and tells another in its place."""

    symbol: Symbol
    at_ns: int
    original: MarketTrade
    corrected: MarketTrade


class TradeCancel(Struct, frozen=True, kw_only=True):
    """The tape takes a trade back."""

    symbol: Symbol
    at_ns: int
    trade: MarketTrade
    action: str = "C"


MarketWord = Bar | Quote | MarketTrade | TradingStatus | PriceBand | TradeCorrection | TradeCancel

# Channel -> T of its messages. The order is that in which one instant is told: a bar is judged with its price.
KINDS = {
    "statuses": "s",
    "trades": "t",
    "quotes": "q",
    "bars": "b",
    "updatedBars": "u",
    "dailyBars": "d",
    "lulds": "l",
    "corrections": "c",
    "cancelErrors": "x",
}
FOLLOWING = ("corrections", "cancelErrors")  # subscribed to together with trades, always
CHANNELS = ("trades", "quotes", "bars", "updatedBars", "dailyBars", "statuses", "lulds")

Told = Mapping[str, Sequence[MarketWord]]  # by channel

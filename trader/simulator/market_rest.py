"""The market-data service's REST endpoints: bars of the past, and the latest quote, bar and trade of each symbol."""

from collections.abc import Awaitable, Callable, Iterable
from typing import TypeVar

from starlette.requests import Request
from starlette.responses import Response

from trader.calendar import iso
from trader.model import MINUTE_NS, Bar, Quote, Symbol
from trader.simulator.bar_query import bars_page
from trader.simulator.broker import SimulatedBroker
from trader.simulator.market_frames import MarketObject, bar_object, dollars, quote_object
from trader.simulator.parameters import symbols_parameter
from trader.simulator.replies import BadRequest, json_reply
from trader.simulator.requests import refused

V = TypeVar("V")
Endpoint = Callable[[Request, str], Awaitable[Response]]


class MarketRest:
    """Nobody sees the future: every bar had ended at market time now."""

    def __init__(self, broker: SimulatedBroker) -> None:
        self._broker = broker

    def endpoints(self) -> list[tuple[str, str, Endpoint]]:
        """(verb, path, endpoint)."""
        return [
            ("GET", "/v2/stocks/bars", self._get_bars),
            ("GET", "/v2/stocks/bars/latest", self._get_latest_bars),
            ("GET", "/v2/stocks/quotes/latest", self._get_latest_quotes),
            ("GET", "/v2/stocks/trades/latest", self._get_latest_trades),
            ("GET", "/v2/stocks/snapshots", self._get_snapshots),
            ("GET", "/v2/stocks/{symbol}/bars", self._get_bars_of_one),
        ]

    async def _get_bars(self, request: Request, account_id: str) -> Response:
        symbols = _wanted(request)
        broker = self._broker
        bars, token = bars_page(broker.market, symbols, broker.now_ns, request)
        return json_reply(
            {
                "bars": {symbol: list(map(bar_shape, found)) for symbol, found in bars.items()},
                "next_page_token": token,
            }
        )

    async def _get_bars_of_one(self, request: Request, account_id: str) -> Response:
        symbol = Symbol(request.path_params["symbol"])
        broker = self._broker
        bars, token = bars_page(broker.market, [symbol], broker.now_ns, request)
        found = [bar_shape(bar) for bar in bars.get(symbol, [])]
        return json_reply({"bars": found, "symbol": symbol, "next_page_token": token})

    async def _get_latest_bars(self, request: Request, account_id: str) -> Response:
        bars = _known(self._broker.bars, _wanted(request))
        return json_reply({"bars": {bar.symbol: bar_shape(bar) for bar in bars}})

    async def _get_latest_quotes(self, request: Request, account_id: str) -> Response:
        quotes = _known(self._broker.quotes, _wanted(request))
        return json_reply({"quotes": {quote.symbol: quote_shape(quote) for quote in quotes}})

    async def _get_latest_trades(self, request: Request, account_id: str) -> Response:
        bars = _known(self._broker.bars, _wanted(request))
        return json_reply({"trades": {bar.symbol: trade_shape(bar) for bar in bars}})

    async def _get_snapshots(self, request: Request, account_id: str) -> Response:
        return json_reply({symbol: self._snapshot(symbol) for symbol in _wanted(request)})

    def _snapshot(self, symbol: Symbol) -> dict[str, MarketObject | None]:
        bar, quote = self._broker.bars.get(symbol), self._broker.quotes.get(symbol)
        return {
            "latestTrade": trade_shape(bar) if bar else None,
            "latestQuote": quote_shape(quote) if quote else None,
            "minuteBar": bar_shape(bar) if bar else None,
        }


def bar_shape(bar: Bar) -> MarketObject:
    return {"t": iso(bar.start_ns), **bar_object(bar)}


def quote_shape(quote: Quote) -> MarketObject:
    return {"t": iso(quote.at_ns), **quote_object(quote)}


def trade_shape(bar: Bar) -> MarketObject:
    """The last trade that is known is the one that closed the latest bar."""
    at_ns = bar.start_ns + bar.span_ns
    return {
        "t": iso(at_ns),
        "x": "V",
        "p": dollars(bar.close),
        "s": max(1, bar.volume % 100),
        "i": at_ns // MINUTE_NS,
        "c": ["@"],
        "z": "C",
    }


def _wanted(request: Request) -> list[Symbol]:
    symbols = symbols_parameter(request)
    if not symbols:
        raise BadRequest(refused("symbols is required", status=400))
    return symbols


def _known(latest: dict[Symbol, V], symbols: Iterable[Symbol]) -> list[V]:
    return [latest[symbol] for symbol in symbols if symbol in latest]
